"""What programs may do with values that are no tensors: operators, built-in functions, methods and attributes.

Everything here is a table from a name to a function and its cost, which is paid before the function runs
(``app.program.costs``). No client's string ever reaches ``getattr``.
"""

from __future__ import annotations

import builtins
import operator
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import Any, Final

import numpy as np

from app.program import costs
from app.program.costs import LITTLE, CostOf, bounded, pay
from app.program.failures import PythonError, python, reraise
from app.program.operators import BINARY, COMPARISON, IN_PLACE, UNARY
from app.program.tree import Expression
from engine import Tensor, dtypes, methods, modes, refusals, tape, tensors

Getter = Callable[[Any], object]


@dataclass(frozen=True, slots=True)
class Routine:
    """A function that programs may call. ``engine`` ones also take lambdas and Python's types as dtypes.

    It is the attribute ``name`` of ``owner`` (a module, or the value whose method it is), or a built-in function.
    """

    name: str
    function: Callable[..., object]
    engine: bool = False
    owner: object = None

    def __hash__(self) -> int:
        return hash(self.name)  # its owner may be a list

    def __repr__(self) -> str:
        return f"<built-in function {self.name.rpartition('.')[2]}>"


@dataclass(frozen=True, slots=True, eq=False)
class Function:
    """A lambda as a value: plain data, so that a session can keep it."""

    parameters: tuple[str, ...]
    body: Expression
    captured: Mapping[str, object] = field(default_factory=dict)
    source: str = ""

    def __repr__(self) -> str:
        return f"<function <lambda> at {id(self):#x}>"


@dataclass(frozen=True, slots=True)
class Module:
    """``torch`` or a module in it."""

    name: str

    def __repr__(self) -> str:
        return f"<module '{self.name}'>"


def type_name(value: object) -> str:
    """Return the name of a value's type in Python's messages."""
    if isinstance(value, tape.Node):
        return str(value.name())
    name = type(value).__name__
    if hasattr(type(value), "_fields"):
        return f"torch.return_types.{name}"
    return _TYPE_NAMES.get(name, name)


_TYPE_NAMES: Final = {
    "DType": "torch.dtype", "Device": "torch.device", "Function": "function", "Generator": "torch._C.Generator",
    "Module": "module", "Routine": "builtin_function_or_method", "Size": "torch.Size",
}  # fmt: skip


# -- operators ----------------------------------------------------------------------------------------------------
_LIGHT: Final = frozenset({float, bool, complex, type(None)})  # with which no operator takes long


def binary(symbol: str, left: Any, right: Any) -> Any:
    """``left symbol right``."""
    function, cost = BINARY[symbol]
    try:
        if isinstance(left, Tensor) or isinstance(right, Tensor):
            return function(left, right)
        if type(left) not in _LIGHT or type(right) not in _LIGHT:
            _pay(cost, left, right)
        return function(left, right)
    except Exception as error:
        reraise(error, _op_of(methods.BINARY, function))


def unary(symbol: str, operand: Any) -> Any:
    """``symbol operand``."""
    function, cost = UNARY[symbol]
    try:
        if isinstance(operand, int):
            pay(cost(operand))
        return function(operand)
    except Exception as error:
        reraise(error, _op_of(methods.UNARY, function))


def in_place(symbol: str, left: Any, right: Any) -> Any:
    """``left symbol= right``: what ``left`` is bound to afterwards."""
    function, cost = IN_PLACE[symbol]
    try:
        if isinstance(left, Tensor) or isinstance(right, Tensor):
            return function(left, right)
        _pay(cost, left, right)
        if isinstance(left, (list, dict)):
            modes.touch(left)
        return function(left, right)
    except Exception as error:
        reraise(error, f"{_op_of(methods.BINARY, BINARY[symbol][0])}_")


def _op_of(table: Mapping[str, str], function: Callable[..., Any]) -> str:
    """The op that an operator of tensors is."""
    name = function.__name__.strip("_")
    return table.get(name, name)


def compare(symbol: str, left: Any, right: Any) -> Any:
    """``left symbol right``; ``is`` is identity, as in Python."""
    function, cost = COMPARISON[symbol]
    if symbol in ("is", "is not"):
        return function(left, right)
    _pay(cost, left, right)
    try:
        return function(left, right)
    except Exception as error:
        reraise(error, _op_of(methods.BINARY, function))


def _pay(cost: CostOf, left: Any, right: Any) -> None:
    """Pay for an operator, which there is none of for arrays."""
    if isinstance(left, _ARRAYS) or isinstance(right, _ARRAYS):
        raise PythonError(TypeError, "operators on NumPy arrays are not available; use the tensors")
    price = cost(left, right)
    if price is not LITTLE:
        pay(price)


_ARRAYS: Final = (np.ndarray, np.generic)


# -- subscripts ---------------------------------------------------------------------------------------------------
def get_item(value: Any, index: Any) -> Any:
    """``value[index]``."""
    if isinstance(value, tensors.Size):
        part = python(tuple.__getitem__, value, bounded(index))
        return tensors.Size(part) if isinstance(index, slice) else part
    if isinstance(value, (list, tuple, str)) and isinstance(index, slice):
        pay(costs.sliced(value, index))
        return python(operator.getitem, value, index)
    if isinstance(value, (list, tuple, dict, str, range)):
        return python(operator.getitem, value, bounded(index))
    if isinstance(value, Tensor):
        return refusals.call(operator.getitem, (value, bounded(index)), {}, "__getitem__")
    if isinstance(value, np.ndarray) and _is_basic(index):
        return python(operator.getitem, value, index)
    raise PythonError(TypeError, f"'{type_name(value)}' object is not subscriptable")


def _is_basic(index: object) -> bool:
    parts = index if isinstance(index, tuple) else (index,)
    return all(part is None or part is ... or isinstance(part, (int, slice)) for part in parts)


def set_item(container: Any, index: Any, value: Any) -> None:
    """``container[index] = value``."""
    if isinstance(container, Tensor):
        refusals.call(operator.setitem, (container, bounded(index), value), {}, "__setitem__")
    elif isinstance(container, (list, dict)):
        pay(costs.assigned(container, index, value))
        modes.touch(container)
        python(operator.setitem, container, index, value)
    else:
        raise PythonError(TypeError, f"'{type_name(container)}' object does not support item assignment")


def delete_item(container: Any, index: Any) -> None:
    """``del container[index]``."""
    if not isinstance(container, (list, dict)):
        raise PythonError(TypeError, f"'{type_name(container)}' object doesn't support item deletion")
    pay(costs.moved(container))
    modes.touch(container)
    python(operator.delitem, container, bounded(index))


# -- functions ----------------------------------------------------------------------------------------------------
def priced(function: Callable[..., object], cost: CostOf) -> Callable[..., object]:
    """``function``, paid for before it runs."""

    def call(*args: Any, **kwargs: Any) -> object:
        pay(python(cost, *args, **kwargs))
        return python(function, *args, **kwargs)

    return call


PYTHON_TYPES: Final = ("bool", "complex", "float", "int")
Priced = tuple[Callable[..., object], CostOf]
_FUNCTIONS: Final[dict[str, Priced]] = {
    "abs": (abs, costs.linear), "bool": (bool, costs.little), "complex": (complex, costs.read),
    "dict": (dict, costs.mapping), "float": (float, costs.read), "int": (int, costs.integer),
    "len": (len, costs.little), "list": (list, costs.listed), "max": (max, costs.chosen), "min": (min, costs.chosen),
    "range": (range, costs.little), "repr": (repr, costs.text), "round": (round, costs.rounded),
    "str": (str, costs.text), "sum": (sum, costs.total), "tuple": (tuple, costs.listed),
}  # fmt: skip
FUNCTIONS: Final = {name: Routine(name, priced(function, cost)) for name, (function, cost) in _FUNCTIONS.items()}
PRINT: Final = Routine("print", print)  # a name for what every run does for itself: see ``interpret``
UNOFFERED: Final = frozenset(dir(builtins)) - FUNCTIONS.keys() - {"print", "_"}
"""Python's other built-in names: a program that uses one is outside the language, not merely wrong."""


# -- methods and attributes ---------------------------------------------------------------------------------------
def _methods(functions: Mapping[str, Priced], *, changing: bool = False) -> dict[str, Getter]:
    """Methods by name; those that are ``changing`` their list or dict are what a journal may have to undo."""
    return {name: _bound(name, function, cost, changing) for name, (function, cost) in functions.items()}


def _bound(name: str, function: Callable[..., object], cost: CostOf, changing: bool) -> Getter:
    call = priced(function, cost)

    def change(value: Any, *args: Any, **kwargs: Any) -> object:
        modes.touch(value)
        return call(value, *args, **kwargs)

    return lambda value: Routine(name, partial(change if changing else call, value), owner=value)


_REAL: Final[dict[str, Getter]] = {"real": operator.attrgetter("real"), "imag": operator.attrgetter("imag")}
_INT: Final = _REAL | _methods({
    "bit_length": (int.bit_length, costs.little), "conjugate": (int.conjugate, costs.linear),
})  # fmt: skip
_FLOAT: Final = _REAL | _methods({
    "is_integer": (float.is_integer, costs.little), "conjugate": (float.conjugate, costs.little),
})  # fmt: skip
_COMPLEX: Final = _REAL | _methods({"conjugate": (complex.conjugate, costs.little)})
_STR: Final = _methods({
    "capitalize": (str.capitalize, costs.recased), "count": (str.count, costs.read),
    "endswith": (str.endswith, costs.read), "find": (str.find, costs.read), "join": (str.join, costs.joined),
    "lower": (str.lower, costs.recased), "replace": (str.replace, costs.replaced), "split": (str.split, costs.split),
    "startswith": (str.startswith, costs.read), "strip": (str.strip, costs.copy), "title": (str.title, costs.recased),
    "upper": (str.upper, costs.recased),
})  # fmt: skip
_TUPLE: Final = _methods({"count": (tuple.count, costs.walked), "index": (tuple.index, costs.walked)})
_LIST: Final = _methods({
    "count": (list.count, costs.walked), "index": (list.index, costs.walked), "copy": (list.copy, costs.copy),
}) | _methods({
    "append": (list.append, costs.grown), "clear": (list.clear, costs.read), "extend": (list.extend, costs.extend),
    "insert": (list.insert, costs.moved), "pop": (list.pop, costs.moved), "remove": (list.remove, costs.walked),
    "reverse": (list.reverse, costs.read), "sort": (list.sort, costs.ordered),
}, changing=True)  # fmt: skip
_DICT: Final = _methods({
    "copy": (dict.copy, costs.copy), "get": (dict.get, costs.keyed),
    "items": (lambda value: list(value.items()), costs.listed), "keys": (list, costs.listed),
    "values": (lambda value: list(value.values()), costs.listed),
}) | _methods({
    "clear": (dict.clear, costs.read), "pop": (dict.pop, costs.keyed), "setdefault": (dict.setdefault, costs.keyed),
    "update": (dict.update, costs.updated),
}, changing=True)  # fmt: skip
_RANGE: Final[dict[str, Getter]] = {name: operator.attrgetter(name) for name in ("start", "stop", "step")}
_ARRAY: Final = {name: operator.attrgetter(name) for name in ("shape", "dtype", "ndim", "size")} | _methods({
    "tolist": (np.ndarray.tolist, costs.listed), "item": (np.ndarray.item, costs.little),
    "copy": (np.ndarray.copy, costs.copy),
})  # fmt: skip
_SIZE: Final = _methods({"numel": (tensors.Size.numel, costs.read)}) | _TUPLE
_DTYPE: Final[dict[str, Getter]] = {
    name: operator.attrgetter(name) for name in ("is_floating_point", "is_complex", "itemsize")
}
ATTRIBUTES: Final[tuple[tuple[type, dict[str, Getter]], ...]] = (
    (bool, _INT), (int, _INT), (float, _FLOAT), (complex, _COMPLEX), (str, _STR), (list, _LIST), (dict, _DICT),
    (tensors.Size, _SIZE), (tuple, _TUPLE), (range, _RANGE), (np.ndarray, _ARRAY), (dtypes.DType, _DTYPE),
)  # fmt: skip
