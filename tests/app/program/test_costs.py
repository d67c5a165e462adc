"""What a program's operators, functions and methods cost is known, and checked, before they run."""

from __future__ import annotations

import tracemalloc
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.limits import Allowance, Limits, OverLimit, over_budget
from app.program import builtins, costs, interpret, operators
from app.program.failures import PythonError
from app.program.from_code import parse_code
from engine import errors, modes


def run(text: str, limits: Limits | None = None, **names: Any) -> dict[str, Any]:
    limits = limits or Limits()
    names = {**names}
    with modes.use(modes.State(warnings=[], budget=Allowance(limits))):
        interpret.run(parse_code(text, limits), names, limits=limits)
    return names


def refused(text: str, limits: Limits | None = None, **names: Any) -> OverLimit:
    with pytest.raises((OverLimit, errors.BudgetError)) as caught:
        run(text, limits, **names)
    error: Any = caught.value
    found: OverLimit = over_budget(error) if isinstance(error, errors.BudgetError) else error
    return found


ENDLESS = range(10**18)
BIG = "x = 1 << 60000\n"
LONG = "t = 'ab' * 400000\n"
HOSTILE = [
    ("max(r)", "steps"), ("min(r, key=lambda i: i)", "steps"), ("sum(r)", "steps"), ("list(r)", "list_items"),
    ("tuple(r)", "list_items"), ("10.5 ** 17 in r", "steps"), ("''.join(r)", "list_items"),
    ("l = []\nl += r", "list_items"),
    ("l = []\nl.extend(r)", "list_items"), ("l = [1]\nl[:] = r", "list_items"), ("dict(r)", "list_items"),
    ("'%(a)1000000000d' % {'a': 1}", "list_items"), ("'%(a(b))1000000000d' % {'a(b)': 1}", "list_items"),
    ("'%1000000000d' % 1", "list_items"), ("'%.1000000000f' % 1.0", "list_items"),
    ("'%*d' % (10 ** 9, 1)", "list_items"), ("'%.*f' % (10 ** 9, 1.0)", "list_items"),
    ("'%s' * 90 % (('a' * 100000,) * 90)", "list_items"),
    ("'%(a)s' * 90 % {'a': 'b' * 100000}", "list_items"),
    ("'%99999f' * 99 % {'a': 1.0}", "list_items"),
    ("round(5, -10 ** 9)", "integer_bits"), ("2 ** 10 ** 9", "integer_bits"), ("1 << 10 ** 30", "integer_bits"),
    (BIG + "x * x", "integer_bits"), ("int('f' * 99999, 16)", "integer_bits"),
    (LONG + "t + t", "list_items"), (LONG + "t * 2", "list_items"), (LONG + "t.replace('a', 'bcd')", "list_items"),
    ("('a' * 99).split('a') + [0] * 999999", "list_items"), (LONG + "[t, t] == [t, t]", "list_items"),
    (LONG + "str([t])", "list_items"),
    ("repr('\\U000e0001' * 200000 + 'a') and repr(['\\U000e0001' * 200000])", "list_items"),
    ("sum([[1] * 20000] * 100, [])", "list_items"), ("l = [0] * 900000\nl[5:5] = l", "list_items"),
    ("l = []\nfor i in range(99999):\n    l = [l, l]\nl == l", "list_depth"),
    ("l = []\nfor i in range(70):\n    l = [l] * 100\nl == l", "list_items"),
    ("l = [0] * 90000\nfor i in range(99999):\n    max(l)", "steps"),
    ("l = [0] * 90000\nfor i in range(99999):\n    1 in l", "steps"),
    ("l = [0] * 90000\nfor i in range(99999):\n    l.insert(0, l.pop())", "steps"),
    (BIG + "y = 3 ** 20000\nfor i in range(99999):\n    x % y + x // y", "steps"),
    ("t = 'a' * 9999\nfor i in range(99999):\n    t.replace('b', 'c')", "steps"),
    ("for i in range(99999):\n    t = list(range(90000))", "intermediate_bytes"),
    ("for i in range(99999):\n    t = [0] * 900000", "intermediate_bytes"),
    ("torch.zeros(10 ** 6).expand(2, 10 ** 6)[:, :900000].tolist()", "intermediate_bytes"),
    ("torch.set_printoptions(precision=10 ** 9)\nstr(torch.ones(3))", "steps"),
    ("torch.set_printoptions(threshold=10 ** 9)\nstr(torch.zeros(10 ** 6))", "steps"),
    ("t = 0\nfor i in range(99999):\n    t = (t" + ", 1" * 9000 + ")", "intermediate_bytes"),
]  # fmt: skip


@pytest.mark.parametrize(("text", "limit"), HOSTILE, ids=[text[:40] for text, _ in HOSTILE])
def test_what_would_take_too_much_is_refused_before_it_runs(text: str, limit: str) -> None:
    limits = Limits(steps=2 * 10**6, intermediate_bytes=2**26)
    tracemalloc.start()
    try:
        error = refused(text, limits, r=ENDLESS)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert (error.limit, error.line is None) == (limit, False)
    assert peak < 2 * limits.intermediate_bytes


PLAIN = {
    "10 ** 17 in r": True, "len('%s of %d' % ('a', 10 ** 100))": 106, "'%5.2f%%' % 3.14159": " 3.14%",
    "'%(a)s%(b)s' % {'a': 1, 'b': 2}": "12", "sum([[1], [2, 3]], [])": [1, 2, 3], "str(2 ** 100)": str(2**100),
    "int('ff', 16)": 255, "int(' 12 ')": 12, "round(1234, -2)": 1200, "max([1, 3], [2])": [2],
    "'a,b'.split(sep=',')": ["a", "b"], "'-'.join(['a', 'b'])": "a-b", "'aXb'.replace('X', '--')": "a--b",
    "[3, 1, 2][::2]": [3, 2], "(2 ** 200) // (2 ** 190)": 1024, "7 % 4": 3, "'ab' * 2": "abab", "1 << 5": 32,
    "'b' in 'abc'": True, "1.5 in [1, 1.5]": True, "max(r[:3])": 2,
}  # fmt: skip


@pytest.mark.parametrize(("text", "value"), PLAIN.items(), ids=PLAIN)
def test_what_costs_little_runs(text: str, value: object) -> None:
    assert run(f"v = {text}", r=ENDLESS)["v"] == value


def test_growing_a_list_costs_what_is_added() -> None:
    text = "l = []\nfor i in range(30000):\n    l.append(i)\n    l += [i]\n    l[i] = 0"
    assert len(run(text, Limits(steps=10**6))["l"]) == 60000


def test_every_operator_has_a_cost() -> None:
    for table in (operators.BINARY, operators.IN_PLACE, operators.UNARY, operators.COMPARISON):
        for symbol, (function, cost) in table.items():
            operands = (3,) if table is operators.UNARY else (3, 2)
            assert isinstance(cost(*operands), costs.Cost), symbol
            if symbol not in ("@", "in", "not in"):
                function(*operands)


CALLS: dict[str, tuple[Any, ...]] = {"": (), "1": (1,), "2": (1, 2), "3": (1, 2, 3), "text": ("a",), "list": ([1],)}
PYTHON = {name: getattr(__builtins__, name, None) or __builtins__[name] for name in builtins.FUNCTIONS}  # type: ignore[index]


def outcome(function: Any, *args: Any, **kwargs: Any) -> object:
    try:
        return function(*args, **kwargs)
    except PythonError as error:
        return error.kind, str(error)
    except Exception as error:
        return type(error), str(error)


@pytest.mark.parametrize("args", CALLS.values(), ids=CALLS)
@pytest.mark.parametrize("name", PYTHON)
def test_a_function_called_wrongly_is_refused_in_pythons_words(name: str, args: tuple[Any, ...]) -> None:
    for kwargs in ({}, {"strange": 1}, {"key": len}):
        ours, theirs = outcome(builtins.FUNCTIONS[name], *args, **kwargs), outcome(PYTHON[name], *args, **kwargs)
        if name in ("enumerate", "filter", "iter", "map", "object", "reversed", "zip") and not isinstance(
            theirs, tuple
        ):
            assert not isinstance(ours, tuple)  # an object with an identity, each its own
        else:
            assert ours == theirs


@pytest.mark.parametrize("args", CALLS.values(), ids=CALLS)
@pytest.mark.parametrize("kind", [1, 1.5, 1j, "ab", [1, 2], {"a": 1}, (1, 2)], ids=lambda value: type(value).__name__)
def test_a_method_called_wrongly_is_refused_in_pythons_words(kind: Any, args: tuple[Any, ...]) -> None:
    table = next(getters for known, getters in builtins.ATTRIBUTES if isinstance(kind, known))
    for name, getter in table.items():
        ours = getter(kind.copy() if isinstance(kind, (list, dict)) else kind)
        if not isinstance(ours, builtins.Routine) or (isinstance(kind, dict) and name in ("items", "keys", "values")):
            continue
        theirs = getattr(kind.copy() if isinstance(kind, (list, dict)) else kind, name)
        for kwargs in ({}, {"strange": 1}):
            got, expected = outcome(ours.function, *args, **kwargs), outcome(theirs, *args, **kwargs)
            assert str(got).replace("str.", "") == str(expected).replace("str.", ""), name  # as its type or its value


# -- where ----------------------------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("text", "line", "limit"),
    [
        ("x = 1\ny = [0] * 10 ** 9", 2, "list_items"),
        ("x = 1\n\ny = torch.zeros(10 ** 9)", 3, "tensor_elements"),
        ("for i in range(3):\n    x = 1\n    y = 2 ** 10 ** 9", 3, "integer_bits"),
    ],
)
def test_a_limit_tells_the_line(text: str, line: int, limit: str) -> None:
    error = refused(text)
    assert (error.limit, error.line, error.column) == (limit, line, 5 if "for" in text else 1)


_LEAVES = st.one_of(
    st.booleans(), st.floats(), st.none(), st.text(max_size=5), st.complex_numbers(), st.integers(-(2**200), 2**200)
)
_VALUES = st.recursive(
    _LEAVES, lambda inner: st.lists(inner) | st.dictionaries(st.text(max_size=3), inner) | st.tuples(inner, inner)
)


@given(_VALUES | st.lists(st.integers()) | st.lists(st.floats()))
def test_a_weight_counts_every_item_with_its_digits_and_characters(value: object) -> None:
    assert _weight(value) <= costs.weight(value) <= _largest(value)


@given(_VALUES | st.lists(st.integers(-(2**200), 2**200)) | st.lists(st.none()))
def test_a_text_is_never_longer_than_it_was_said_to_be(value: object) -> None:
    assert len(repr(value)) <= costs.text_length(value) + 2


def _items(value: object) -> list[object]:
    if isinstance(value, dict):
        return [*value, *value.values()]
    return list(value) if isinstance(value, (list, tuple)) else []


def _weight(value: object) -> int:
    """The weight by its definition, one item at a time."""
    own = len(value) + 1 if isinstance(value, str) else 1 + costs._digits(value) if type(value) is int else 1
    return own + sum(map(_weight, _items(value)))


def _largest(value: object) -> int:
    """The weight if all integers of a list had as many digits as the longest."""
    items = _items(value)
    if items and {type(item) for item in items} == {int}:
        return 1 + len(items) * max(map(_weight, items))
    own = len(value) + 1 if isinstance(value, str) else 1 + costs._digits(value) if type(value) is int else 1
    return own + sum(map(_largest, items))
