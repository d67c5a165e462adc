"""``operator``: what operators do, as functions, each by the way of the operator itself."""

from __future__ import annotations

import operator
from collections.abc import Callable
from functools import partial
from typing import Any, Final

from app.program import costs
from app.program.builtins import Routine, binary, compare, delete_item, get_item, in_place, set_item, type_name, unary
from app.program.failures import PythonError
from app.program.modules.calls import metered, routines
from app.program.values import attribute

_BINARY: Final = {
    "add": "+", "and_": "&", "concat": "+", "floordiv": "//", "lshift": "<<", "matmul": "@", "mod": "%", "mul": "*",
    "or_": "|", "pow": "**", "rshift": ">>", "sub": "-", "truediv": "/", "xor": "^",
}  # fmt: skip
_COMPARISON: Final = {
    "eq": "==",
    "ge": ">=",
    "gt": ">",
    "is_": "is",
    "is_not": "is not",
    "le": "<=",
    "lt": "<",
    "ne": "!=",
}
_UNARY: Final = {"inv": "~", "invert": "~", "neg": "-", "not_": "not", "pos": "+"}


class _Getter:
    """A function of one value that gets ``asked`` from it: one thing, or a tuple of several."""

    __slots__ = ("asked", "get", "name")

    def __init__(self, name: str, get: Callable[[Any, Any], Any], asked: tuple[Any, ...]) -> None:
        self.name, self.get, self.asked = name, get, asked

    def __call__(self, value: Any, /) -> Any:
        found = [self.get(value, one) for one in self.asked]
        return found[0] if len(found) == 1 else tuple(found)

    def __repr__(self) -> str:
        return f"operator.{self.name}({', '.join(map(repr, self.asked))})"


def _itemgetter(item: Any, /, *items: Any) -> _Getter:
    return _Getter("itemgetter", get_item, (item, *items))


def _attrgetter(attr: Any, /, *attrs: Any) -> _Getter:
    for one in (attr, *attrs):
        if not isinstance(one, str):
            raise PythonError(TypeError, "attribute name must be a string")
    return _Getter("attrgetter", _dotted, (attr, *attrs))


def _dotted(value: Any, path: str) -> Any:
    for name in path.split("."):
        value = attribute(value, name)
    return value


class _MethodCaller:
    __slots__ = ("args", "kwargs", "name")

    def __init__(self, name: str, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
        self.name, self.args, self.kwargs = name, args, kwargs

    def __call__(self, value: Any, /) -> Any:
        return attribute(value, self.name)(*self.args, **self.kwargs)

    def __repr__(self) -> str:
        parts = [*map(repr, (self.name, *self.args)), *(f"{name}={value!r}" for name, value in self.kwargs.items())]
        return f"operator.methodcaller({', '.join(parts)})"


def _methodcaller(name: Any, /, *args: Any, **kwargs: Any) -> _MethodCaller:
    if not isinstance(name, str):
        raise PythonError(TypeError, "method name must be a string")
    return _MethodCaller(name, args, kwargs)


def _contains(container: Any, item: Any, /) -> Any:
    return compare("in", item, container)


def _count_of(a: Any, b: Any, /) -> int:
    return sum(1 for item in metered(a) if item is b or compare("==", item, b))


def _index_of(a: Any, b: Any, /) -> int:
    for place, item in enumerate(metered(a)):
        if item is b or compare("==", item, b):
            return place
    raise PythonError(ValueError, "sequence.index(x): x not in sequence")


def _concat(a: Any, b: Any, /) -> Any:
    for one in (a, b):
        if isinstance(one, (int, float, complex)):
            raise PythonError(TypeError, f"'{type_name(one)}' object can't be concatenated")
    return binary("+", a, b)


OPERATOR: Final[dict[str, Any]] = (
    {name: Routine(name, partial(binary, symbol)) for name, symbol in _BINARY.items()}
    | {f"i{name.rstrip('_')}": Routine(f"i{name.rstrip('_')}", partial(in_place, one)) for name, one in _BINARY.items()}
    | {name: Routine(name, partial(compare, symbol)) for name, symbol in _COMPARISON.items()}
    | {name: Routine(name, partial(unary, symbol)) for name, symbol in _UNARY.items()}
    | routines({
        "abs": (operator.abs, costs.linear), "index": (operator.index, costs.little),
        "truth": (operator.truth, costs.little), "length_hint": (operator.length_hint, costs.little),
    })
    | {
        "attrgetter": Routine("attrgetter", _attrgetter), "concat": Routine("concat", _concat),
        "contains": Routine("contains", _contains), "countOf": Routine("countOf", _count_of),
        "delitem": Routine("delitem", delete_item), "getitem": Routine("getitem", get_item),
        "indexOf": Routine("indexOf", _index_of), "itemgetter": Routine("itemgetter", _itemgetter),
        "methodcaller": Routine("methodcaller", _methodcaller), "setitem": Routine("setitem", set_item),
    }
)  # fmt: skip
