"""What programs may do with values that are no tensors: operators, built-in functions, methods and attributes.

Everything here is a table from a name to a function. No client's string ever reaches ``getattr``, and what could grow
without bound (powers, repetition, text) is measured first.
"""

from __future__ import annotations

import builtins
import operator
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from itertools import chain
from typing import Any, Final

import numpy as np

from app.limits import OverLimit
from app.program.failures import PythonError, python, reraise
from app.program.operators import BINARY, COMPARISON, IN_PLACE, UNARY
from app.program.tree import Expression
from engine import Tensor, dtypes, methods, modes, refusals, tape, tensors

INTEGER_BITS: Final = 2**16
LIST_ITEMS: Final = 10**6
FORMAT_FIELDS: Final = 100
LIST_DEPTH: Final = 100
BYTES_PER_ITEM: Final = 8
TENSOR_WEIGHT: Final = 10  # in items: what handling or printing a tensor in a list costs
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


# -- what may grow ------------------------------------------------------------------------------------------------
def bounded(value: Any) -> Any:
    """``value``, unless it is a container with too much in it, counting what is there twice twice."""
    if not isinstance(value, (list, tuple, dict)):
        return value
    check_time()
    count, pending = 0, [(value, 1)]
    while pending:
        items, depth = pending.pop()
        if depth > LIST_DEPTH:
            raise OverLimit("list_depth", allowed=LIST_DEPTH, asked=depth)
        for item in chain(items, items.values()) if isinstance(items, dict) else items:
            count += _weight(item)
            if isinstance(item, (list, tuple, dict)):
                pending.append((item, depth + 1))
        _check_items(count)
    return value


def _weight(item: object) -> int:
    if isinstance(item, Tensor):
        return TENSOR_WEIGHT
    return len(item) + 1 if isinstance(item, (str, list, tuple, dict)) else 1


def check_time() -> None:
    """Stop a program that has used up its time."""
    budget = modes.current().budget
    if budget is not None:
        budget.check_time()


def charged(value: Any) -> Any:
    """``value``, its memory counted if it is a new container or text."""
    budget = modes.current().budget
    if budget is not None and isinstance(value, (str, list, tuple, dict)):
        budget.spend(BYTES_PER_ITEM * len(value))
    return value


def _check_items(count: int) -> None:
    if count > LIST_ITEMS:
        raise OverLimit("list_items", allowed=LIST_ITEMS, asked=count)


def _check_bits(bits: int) -> None:
    if bits > INTEGER_BITS:
        raise OverLimit("integer_bits", allowed=INTEGER_BITS, asked=bits)


def _guard_add(left: Any, right: Any) -> None:
    if isinstance(left, (str, list, tuple)) and hasattr(right, "__len__"):
        _check_items(len(left) + len(right))


def _guard_mul(left: Any, right: Any) -> None:
    if isinstance(left, int) and isinstance(right, int):
        _check_bits(left.bit_length() + right.bit_length())
    for sequence, count in ((left, right), (right, left)):
        if isinstance(sequence, (str, list, tuple)) and isinstance(count, int):
            _check_items(len(sequence) * max(count, 0))


def _guard_pow(left: Any, right: Any) -> None:
    if isinstance(left, int) and isinstance(right, int) and right > 0 and abs(left) > 1:
        _check_bits(left.bit_length() * right)


def _guard_lshift(left: Any, right: Any) -> None:
    if isinstance(left, int) and isinstance(right, int):
        _check_bits(left.bit_length() + right)


_WIDE_FORMAT: Final = re.compile(r"%[^a-zA-Z%]*(\*|\d{3})")


def _guard_mod(left: Any, right: Any) -> None:
    if isinstance(left, str) and (_WIDE_FORMAT.search(left) or left.count("%") > FORMAT_FIELDS):
        raise PythonError(ValueError, "a format with too many fields or digits")
    bounded(right)


_GUARDS: Final[dict[str, Callable[[Any, Any], None]]] = {
    "+": _guard_add, "*": _guard_mul, "**": _guard_pow, "<<": _guard_lshift, "%": _guard_mod,
}  # fmt: skip


# -- operators ----------------------------------------------------------------------------------------------------
def binary(symbol: str, left: Any, right: Any) -> Any:
    """``left symbol right``."""
    try:
        if isinstance(left, Tensor) or isinstance(right, Tensor):
            return BINARY[symbol](left, right)
        _guard(symbol, left, right)
        return charged(BINARY[symbol](left, right))
    except Exception as error:
        reraise(error, _op_of(methods.BINARY, BINARY[symbol]))


def unary(symbol: str, operand: Any) -> Any:
    """``symbol operand``."""
    try:
        return UNARY[symbol](operand)
    except Exception as error:
        reraise(error, _op_of(methods.UNARY, UNARY[symbol]))


def in_place(symbol: str, left: Any, right: Any) -> Any:
    """``left symbol= right``: what ``left`` is bound to afterwards."""
    try:
        if isinstance(left, Tensor) or isinstance(right, Tensor):
            return IN_PLACE[symbol](left, right)
        _guard(symbol, left, right)
        if isinstance(left, (list, dict)):
            modes.touch(left)
        return charged(IN_PLACE[symbol](left, right))
    except Exception as error:
        reraise(error, f"{_op_of(methods.BINARY, BINARY[symbol])}_")


def _op_of(table: Mapping[str, str], function: Callable[..., Any]) -> str:
    """The op that an operator of tensors is."""
    name = function.__name__.strip("_")
    return table.get(name, name)


def _guard(symbol: str, left: Any, right: Any) -> None:
    _refuse_arrays(left, right)
    guard = _GUARDS.get(symbol)
    if guard is not None:
        guard(left, right)


def compare(symbol: str, left: Any, right: Any) -> Any:
    """``left symbol right``; ``is`` is identity, as in Python."""
    function = COMPARISON[symbol]
    if symbol in ("is", "is not"):
        return function(left, right)
    _refuse_arrays(left, right)
    try:
        return function(bounded(left), bounded(right))
    except Exception as error:
        reraise(error, _op_of(methods.BINARY, function))


def _refuse_arrays(*operands: object) -> None:
    if any(isinstance(operand, (np.ndarray, np.generic)) for operand in operands):
        raise PythonError(TypeError, "operators on NumPy arrays are not available; use the tensors")


# -- subscripts ---------------------------------------------------------------------------------------------------
def get_item(value: Any, index: Any) -> Any:
    """``value[index]``."""
    if isinstance(value, tensors.Size):
        part = python(tuple.__getitem__, value, bounded(index))
        return tensors.Size(part) if isinstance(index, slice) else part
    if isinstance(value, (list, tuple, str)) and isinstance(index, slice):
        return charged(python(operator.getitem, value, index))
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
        modes.touch(container)
        python(operator.setitem, container, bounded(index), value)
        _check_items(len(container))
    else:
        raise PythonError(TypeError, f"'{type_name(container)}' object does not support item assignment")


def delete_item(container: Any, index: Any) -> None:
    """``del container[index]``."""
    if not isinstance(container, (list, dict)):
        raise PythonError(TypeError, f"'{type_name(container)}' object doesn't support item deletion")
    modes.touch(container)
    python(operator.delitem, container, bounded(index))


# -- functions ----------------------------------------------------------------------------------------------------
def _over_items(function: Callable[..., object]) -> Callable[..., object]:
    """``function`` for arguments that are not too long."""
    return lambda *args, **kwargs: python(
        function, *map(bounded, args), **{name: bounded(value) for name, value in kwargs.items()}
    )


def _range(*bounds: int) -> range:
    values: range = python(range, *bounds)
    count = max(0, -((values.start - values.stop) // values.step))
    _check_items(count)
    return values


def _round(number: Any, ndigits: Any = None) -> object:
    if isinstance(ndigits, int) and abs(ndigits) > 10_000:
        raise PythonError(OverflowError, "too many digits to round to")
    return python(round, number, ndigits)


def _sum(items: Iterable[Any], start: Any = 0) -> object:
    listed = python(list, items)
    if isinstance(start, (list, tuple)):  # each step copies what came before
        _check_items(len(listed) ** 2)
    return python(sum, listed, start)


PYTHON_TYPES: Final = ("bool", "complex", "float", "int")
_FUNCTIONS: Final[dict[str, Callable[..., object]]] = {
    "abs": abs, "bool": bool, "complex": complex, "dict": _over_items(dict), "float": float, "int": int, "len": len,
    "list": _over_items(list), "max": _over_items(max), "min": _over_items(min), "range": _range,
    "repr": _over_items(repr), "round": _round, "str": _over_items(str), "sum": _over_items(_sum),
    "tuple": _over_items(tuple),
}  # fmt: skip
FUNCTIONS: Final = {name: Routine(name, function) for name, function in _FUNCTIONS.items()}
PRINT: Final = Routine("print", print)  # a name for what every run does for itself: see ``interpret``
UNOFFERED: Final = frozenset(dir(builtins)) - FUNCTIONS.keys() - {"print", "_"}
"""Python's other built-in names: a program that uses one is outside the language, not merely wrong."""


# -- methods and attributes ---------------------------------------------------------------------------------------
def _methods(functions: Mapping[str, Callable[..., object]]) -> dict[str, Getter]:
    return {name: _bound(name, function) for name, function in functions.items()}


def _bound(name: str, function: Callable[..., object]) -> Getter:
    def bind(value: object) -> Routine:
        def call(*args: Any, **kwargs: Any) -> object:
            return python(function, bounded(value), *map(bounded, args), **kwargs)

        return Routine(name, call, owner=value)

    return bind


def _changing(function: Callable[..., object]) -> Callable[..., object]:
    """Return a method that changes its list or dict, which a journal may have to undo."""

    def change(value: Any, *args: Any, **kwargs: Any) -> object:
        modes.touch(value)
        result = python(function, value, *args, **kwargs)
        _check_items(len(value))
        return result

    return change


def _join(separator: str, parts: Iterable[str]) -> str:
    parts = python(list, parts)
    _check_items(sum(len(part) + len(separator) for part in parts if isinstance(part, str)))
    return str(python(separator.join, parts))


def _replace(text: str, old: str, new: str, count: int = -1) -> str:
    if isinstance(old, str) and isinstance(new, str):
        _check_items(len(text) + text.count(old) * len(new))
    return str(python(text.replace, old, new, count))


_REAL: Final[dict[str, Getter]] = {"real": operator.attrgetter("real"), "imag": operator.attrgetter("imag")}
_INT: Final = _REAL | _methods({"bit_length": int.bit_length, "conjugate": int.conjugate})
_FLOAT: Final = _REAL | _methods({"is_integer": float.is_integer, "conjugate": float.conjugate})
_COMPLEX: Final = _REAL | _methods({"conjugate": complex.conjugate})
_STR: Final = _methods({
    "capitalize": str.capitalize, "count": str.count, "endswith": str.endswith, "find": str.find, "join": _join,
    "lower": str.lower, "replace": _replace, "split": str.split, "startswith": str.startswith, "strip": str.strip,
    "title": str.title, "upper": str.upper,
})  # fmt: skip
_TUPLE: Final = _methods({"count": tuple.count, "index": tuple.index})
_LIST_CHANGES: Final[dict[str, Callable[..., object]]] = {
    "append": list.append, "clear": list.clear, "extend": list.extend, "insert": list.insert, "pop": list.pop,
    "remove": list.remove, "reverse": list.reverse, "sort": list.sort,
}  # fmt: skip
_LIST_READS: Final[dict[str, Callable[..., object]]] = {"count": list.count, "index": list.index, "copy": list.copy}
_LIST: Final = _methods(_LIST_READS | {name: _changing(function) for name, function in _LIST_CHANGES.items()})
_DICT_CHANGES: Final[dict[str, Callable[..., object]]] = {
    "clear": dict.clear, "pop": dict.pop, "setdefault": dict.setdefault, "update": dict.update,
}  # fmt: skip
_DICT_READS: Final[dict[str, Callable[..., object]]] = {
    "copy": dict.copy, "get": dict.get, "items": lambda value: list(value.items()), "keys": list,
    "values": lambda value: list(value.values()),
}  # fmt: skip
_DICT: Final = _methods(_DICT_READS | {name: _changing(function) for name, function in _DICT_CHANGES.items()})
_RANGE: Final[dict[str, Getter]] = {name: operator.attrgetter(name) for name in ("start", "stop", "step")}
_ARRAY: Final = {name: operator.attrgetter(name) for name in ("shape", "dtype", "ndim", "size")} | _methods(
    {"tolist": np.ndarray.tolist, "item": np.ndarray.item, "copy": np.ndarray.copy}
)
_SIZE: Final = _methods({"numel": tensors.Size.numel}) | _TUPLE
_DTYPE: Final[dict[str, Getter]] = {
    name: operator.attrgetter(name) for name in ("is_floating_point", "is_complex", "itemsize")
}
ATTRIBUTES: Final[tuple[tuple[type, dict[str, Getter]], ...]] = (
    (bool, _INT), (int, _INT), (float, _FLOAT), (complex, _COMPLEX), (str, _STR), (list, _LIST), (dict, _DICT),
    (tensors.Size, _SIZE), (tuple, _TUPLE), (range, _RANGE), (np.ndarray, _ARRAY), (dtypes.DType, _DTYPE),
)  # fmt: skip
