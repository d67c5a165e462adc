"""What programs are told of calls that do not fit, and how what they hold prints, names nothing of ours.

Everything that the language's tables list is called with arguments that mean nothing to it; so is every method that
values have, and every class. No answer shows a module, a type or a path that is the service's alone.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest

from app.evaluate.run import run_code
from app.limits import Limits
from app.program import builtins, names
from engine import registry
from tests.app.program.fuzz import INNER

PATH = re.compile(r"\bsite-packages\b|\.py\b|/work/|/home/|/usr/")
PRELUDE = """
import torch, numpy as np, collections, dataclasses, enum, functools, types
from torch import nn
class Own:
    pass
class Beside(dict):
    pass
class Layer(nn.Module):
    pass
class Data(torch.utils.data.Dataset):
    pass
class Colour(enum.Enum):
    RED = 1
@dataclasses.dataclass
class Point:
    x: int = 1
def function(a):
    return a
def generator():
    yield 1
def said(call, *args, **kwargs):
    try:
        print(repr(call(*args, **kwargs))[:300])
    except Exception as error:
        print(type(error).__name__, error, repr(error)[:300])
strange = [
    (), (Own(),), (Beside(), Layer()), (Data(), 1, 2, 3, 4, 5, 6, 7), (function, Own), (torch, nn.Module), (Layer, int),
    (generator(), np.ones(2)), (torch.ones(2), Own()), ([Own()], {'a': Beside()}), (torch.float32, torch.device('cpu')),
    (Colour.RED, Point()), (types.SimpleNamespace(a=1), functools.partial(function)), (len, [].append), (Beside,),
]
"""
CALLS = """
for arguments in strange:
    said({path}, *arguments)
said({path}, unheard_of=Own())
said({path}, torch.ones(2), unheard_of=1)
"""
APART = frozenset({"itertools.cycle", "itertools.repeat", "itertools.count", "io.open"})
"""Unending, or refused outright."""
HARMLESS = Limits(seconds=60, prints=10**5, print_chars=10**7, list_items=10**5, tensor_elements=2**20)


def told(text: str) -> list[str]:
    """What a program is told."""
    return run_code(PRELUDE + text, HARMLESS).prints


def shown(texts: list[str]) -> list[str]:
    """Those texts that show what is inside."""
    return [text[:300] for text in texts if INNER.search(text) or PATH.search(text)]


def chunks(paths: list[str], size: int) -> Iterator[list[str]]:
    return (paths[start : start + size] for start in range(0, len(paths), size))


def library() -> list[str]:
    """Every function and type of the modules that programs import, torch apart."""
    paths = [
        f"{module}.{name}"
        for module, table in names.LIBRARIES.items()
        for name, one in table.items()
        if callable(one) and f"{module}.{name}" not in APART and not module.startswith(("__", "tqdm."))
    ]
    return sorted(paths)


def functions() -> list[str]:
    """Every public name of torch that can be called."""
    found = dict(registry.functions())
    chosen = [name for name, one in found.items() if callable(one) and name.rpartition(".")[0] not in found]
    return sorted(f"torch.{name}" for name in chosen if not any(part.startswith("_") for part in name.split(".")))


BUILTINS = sorted(set(builtins.FUNCTIONS) - {"print", "input"})
METHODS = sorted({f"[{sample}, '{name}']" for kind, table in builtins.ATTRIBUTES for name in table for sample in {
    list: ("[1, 2]",), dict: ("{'a': 1}",), str: ("'text'",), tuple: ("(1, 2)",), set: ("{1}",), int: ("7",),
    float: ("1.5",)}.get(kind, ())})  # fmt: skip


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("part", range(4))
def test_calls_that_do_not_fit_a_function_show_nothing(part: int) -> None:
    paths = library()[part::4]
    imports = "".join(f"import {module}\n" for module in sorted({path.rpartition(".")[0] for path in paths}))
    assert not shown(told(imports + "".join(CALLS.format(path=path) for path in paths)))


@pytest.mark.filterwarnings("ignore")
def test_calls_that_do_not_fit_a_builtin_show_nothing() -> None:
    assert not shown(told("".join(CALLS.format(path=path) for path in BUILTINS)))


@pytest.mark.filterwarnings("ignore")
def test_calls_that_do_not_fit_a_method_show_nothing() -> None:
    for chosen in chunks(METHODS, 60):
        text = f"for owner, name in [{', '.join(chosen)}]:\n    for arguments in strange:\n"
        assert not shown(told(f"{text}        said(getattr(owner, name), *arguments)\n"))


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("part", range(8))
def test_calls_that_do_not_fit_torch_show_nothing(part: int) -> None:
    assert not shown(told("".join(CALLS.format(path=path) for path in functions()[part::8])))


@pytest.mark.filterwarnings("ignore")
def test_methods_of_tensors_and_modules_show_nothing() -> None:
    methods = sorted(
        name for name, _ in registry.methods() if not name.startswith("_") and name not in ("set_", "type")
    )
    text = f"for name in {methods!r}:\n    for arguments in strange[1:]:\n"
    assert not shown(told(f"{text}        said(getattr(torch.ones(2), name), *arguments)\n"))
