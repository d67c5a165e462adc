"""``tqdm`` loops over what it is given; ``textwrap``, ``pprint`` and ``numbers`` are Python's own."""

from __future__ import annotations

import pprint
import textwrap

import pytest

from app.evaluate.run import run_code
from app.limits import Limits
from app.stores.sqlite import SqliteStore
from tests.app.program.test_texts import told
from tests.app.sessions.test_restarts import rerun

BARS = """
from tqdm import tqdm, trange
from tqdm.auto import tqdm as other
total = 0
for i in tqdm(range(3), desc="epochs", leave=False):
    total += i
for i in trange(2):
    total += i
bar = other(total=10)
bar.set_description("abc")
bar.set_postfix(loss=0.5, acc="a")
bar.update(3)
bar.update()
bar.close()
print(total, bar.n, bar.total, bar.postfix, len(tqdm([1, 2])), [x for x in tqdm(iter([1, 2]))])
with tqdm(total=2) as within:
    for _ in range(2):
        within.update(1)
tqdm.write("written")
print(within.n)
"""
BARS_PRINT = ["4 4 10 loss=0.5, acc=a 2 [1, 2]", "written", "2"]
HELD = """
class Held(dict):
    __delattr__ = dict.__delitem__
    __getattr__ = dict.get
held = Held(a=1, b=2)
del held.a
print(held, held.a)
del held["b"]
held["c"] = 3
print(held)
"""

SETS = """
class Node:
    def __init__(self, parents=()):
        self.parents, self.table = set(parents), {}
class Equal:
    def __init__(self, x):
        self.x = x
    def __hash__(self):
        return hash(self.x)
    def __eq__(self, other):
        return self.x == other.x
first = Node()
second = Node((first,))
first.table[second] = first
known = {Equal(1): Node((first, second))}
print(first in second.parents, first.table[second] is first, Equal(1) in known)
"""


def test_a_bar_is_not_drawn_and_counts() -> None:
    assert run_code(BARS, Limits()).prints == BARS_PRINT


@pytest.mark.parametrize(
    ("text", "prints"),
    [(BARS, BARS_PRINT), (HELD, ["{'b': 2} None", "{'c': 3}"]), (SETS, ["True True True"])],
    ids=["bars", "dicts", "sets of objects"],
)
def test_a_session_keeps_them(tmp_path_factory: pytest.TempPathFactory, text: str, prints: list[str]) -> None:
    store = SqliteStore(tmp_path_factory.mktemp("kept"))
    store.open()
    try:
        assert rerun(store, text)[1].prints == prints
    finally:
        store.close()


def test_texts_in_lines_are_pythons() -> None:
    text = "the quick brown fox jumps over the lazy dog"
    value = {"b": [1, 2], "a": {"x": "y" * 30, "z": list(range(30))}}
    program = (
        f"import textwrap, pprint, numbers\nprint(textwrap.fill({text!r}, width=12))\npprint.pprint({value!r})\n"
        f"print(textwrap.shorten({text!r}, 20), textwrap.indent('a', '> '))\n"
        "print([isinstance(one, numbers.Number) for one in (1, 1.5, 2j, 'a', torch.ones(1))])\n"
    )
    assert told(program) == [
        textwrap.fill(text, width=12), pprint.pformat(value),
        f"{textwrap.shorten(text, 20)} {textwrap.indent('a', '> ')}", "[True, True, True, False, False]",
    ]  # fmt: skip


@pytest.mark.parametrize("text", ["nn.Sequential(nn.ReLU()) * 10**9", "nn.TransformerEncoder(nn.ReLU(), 10**9)"])
def test_modules_that_are_repeated_are_paid_for(text: str) -> None:
    with pytest.raises(Exception, match=r"steps|bytes"):
        run_code(f"from torch import nn\nx = {text}\n", Limits(steps=10**6))


def test_a_method_is_chosen_by_the_class_of_its_argument() -> None:
    program = (
        "class Shape:\n    @functools.singledispatchmethod\n    def area(self, x):\n        return 'any'\n"
        "    @area.register\n    def _(self, x: int):\n        return x * x\n"
        "    @area.register(list)\n    def _(self, x):\n        return sum(x)\n"
        "print(Shape().area(3), Shape().area([1, 2]), Shape().area('q'))\nsaid(Shape().area)\n"
    )
    assert told(program) == [
        "9 3 any",
        "TypeError {0} TypeError('{0}')".format("area requires at least 1 positional argument"),
    ]
