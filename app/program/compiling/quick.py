"""The functions and methods that loops of programs call most, without what the general way asks of their arguments.

Each has the same effect and the same bounds: what grows is counted, and what is not plain goes the general way.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

from app.program.builtins import FUNCTIONS
from app.program.costs import ITEM_BYTES, OBJECT_BYTES, SMALL
from app.program.runtime import Run

OTHERWISE: Final = object()
SHORT: Final = 64  # characters of texts of which nothing is asked but their memory
_KEYS: Final = frozenset({str, int})


def _append(run: Run, value: list[Any], args: list[Any]) -> Any:
    if len(args) != 1 or len(value) >= run.items:
        return OTHERWISE
    if run.journal is not None:
        run.journal.touch(value)
    value.append(args[0])
    run.keep(8)
    return None


def _pop(run: Run, value: list[Any], args: list[Any]) -> Any:
    if args or not value:
        return OTHERWISE
    if run.journal is not None:
        run.journal.touch(value)
    return value.pop()


def _get(run: Run, value: dict[Any, Any], args: list[Any]) -> Any:
    if not args or type(args[0]) not in _KEYS or len(args) > 2:
        return OTHERWISE
    return value.get(*args)


def _views(name: str) -> Callable[[Run, Any, list[Any]], Any]:
    method = getattr(dict, name)
    return lambda run, value, args: OTHERWISE if args else method(value)


def _text(name: str, *counts: int, growth: int = 1) -> Callable[[Run, Any, list[Any]], Any]:
    """A method of texts: of those that are short, with as many arguments as ``counts`` say, all of them short texts."""
    method = getattr(str, name)

    def call(run: Run, value: str, args: list[Any]) -> Any:
        if len(value) > SHORT or len(args) not in counts:
            return OTHERWISE
        for one in args:
            if type(one) is not str or not 0 < len(one) <= SHORT:
                return OTHERWISE
        if growth and run.budget is not None:
            run.budget.spent += growth * (OBJECT_BYTES + ITEM_BYTES * len(value))
        return method(value, *args)

    return call


QUICK: Final[dict[tuple[type, str], Callable[[Run, Any, list[Any]], Any]]] = {
    (list, "append"): _append, (list, "pop"): _pop, (dict, "get"): _get, (dict, "items"): _views("items"),
    (dict, "keys"): _views("keys"), (dict, "values"): _views("values"),
} | {
    (str, name): _text(name, 0, growth=3) for name in ("capitalize", "lower", "swapcase", "title", "upper")
} | {
    (str, name): _text(name, 0, 1) for name in ("lstrip", "rstrip", "strip")
} | {
    (str, name): _text(name, 1, growth=0) for name in ("count", "endswith", "find", "startswith")
} | {
    (str, name): _text(name, 0, growth=0) for name in ("isalpha", "isdigit", "islower", "isspace", "isupper")
}  # fmt: skip


# -- functions --------------------------------------------------------------------------------------------------------
_SIZED: Final = frozenset({list, tuple, dict, str, set, frozenset})


def _is_small(value: Any) -> bool:
    return type(value) is float or (type(value) is int and -SMALL < value < SMALL)


def _len(run: Run, args: list[Any]) -> Any:
    return len(args[0]) if len(args) == 1 and type(args[0]) in _SIZED else OTHERWISE


def _of_number(function: Callable[[Any], Any]) -> Callable[[Run, list[Any]], Any]:
    """A function of one number."""

    def call(run: Run, args: list[Any]) -> Any:
        if len(args) != 1:
            return OTHERWISE
        value = args[0]
        kind = type(value)
        return function(value) if kind is int and -SMALL < value < SMALL else OTHERWISE

    return call


def _of_numbers(function: Callable[..., Any]) -> Callable[[Run, list[Any]], Any]:
    """A function that chooses among some numbers."""

    def call(run: Run, args: list[Any]) -> Any:
        return function(*args) if 2 <= len(args) <= 4 and all(map(_is_small, args)) else OTHERWISE

    return call


def _str(run: Run, args: list[Any]) -> Any:
    if len(args) != 1:
        return OTHERWISE
    value = args[0]
    kind = type(value)
    if kind is str:
        return value
    if kind is float or (kind is int and -SMALL < value < SMALL):
        run.keep(24)
        return str(value)
    return OTHERWISE


def _float(run: Run, args: list[Any]) -> Any:
    return float(args[0]) if len(args) == 1 and _is_small(args[0]) else OTHERWISE


def _range(run: Run, args: list[Any]) -> Any:
    for one in args:
        if type(one) is not int:
            return OTHERWISE
    return range(*args) if 1 <= len(args) <= 2 else OTHERWISE


_CALLS: Final[dict[str, Callable[[Run, list[Any]], Any]]] = {
    "len": _len, "abs": _of_number(abs), "max": _of_numbers(max), "min": _of_numbers(min), "str": _str,
    "int": _of_number(int), "float": _float, "range": _range,
}  # fmt: skip
for _name, _function in _CALLS.items():
    FUNCTIONS[_name].quick = _function
