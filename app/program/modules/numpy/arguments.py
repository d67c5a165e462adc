"""What NumPy's functions are given: arrays, numbers, texts and what consists of them. Nothing of a program's own."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any, Final

import numpy as np

from app.program.arrays import ARRAYS, Work, checked, floating, of_tensor, reserve, to_tensor, touch
from app.program.builtins import PYTHON_TYPES, type_name
from app.program.classes import HostType
from app.program.costs import bounded, pay
from app.program.costs import made as many
from app.program.failures import PythonError, python
from app.program.modules.calls import asked
from engine import Tensor

Cost = Callable[..., Work]
_PLAIN: Final = (int, float, complex, str, type(None), type(...), slice, np.dtype, *ARRAYS)
_NAMED: Final = re.compile(r"[<>=|]?(?:[?bBhHiIlLqQpPefdFD]|[iu][1248]|f[248]|c8|c16|b1)")
_TYPES: Final = {
    "bool": np.bool_, "byte": np.byte, "cdouble": np.cdouble, "complex": np.complex128, "complex128": np.complex128,
    "complex64": np.complex64, "csingle": np.csingle, "double": np.double, "float": np.float64,
    "float16": np.float16, "float32": np.float32, "float64": np.float64, "half": np.half, "int": np.int64,
    "int16": np.int16, "int32": np.int32, "int64": np.int64, "int8": np.int8, "intc": np.intc, "intp": np.intp,
    "long": np.long, "longlong": np.longlong, "short": np.short, "single": np.single, "ubyte": np.ubyte,
    "uint": np.uint, "uint16": np.uint16, "uint32": np.uint32, "uint64": np.uint64, "uint8": np.uint8,
    "uintc": np.uintc, "uintp": np.uintp, "ulong": np.ulong, "ulonglong": np.ulonglong, "ushort": np.ushort,
}  # fmt: skip
_UNNAMED: Final = frozenset({"complex", "float", "int"})  # dtypes by these names, no attributes of ``numpy``
SCALARS: Final[dict[str, type[Any]]] = {name: kind for name, kind in _TYPES.items() if name not in _UNNAMED} | {
    "bool_": np.bool_
}
_FORBIDDEN: Final = frozenset({"like", "signature", "sig", "extobj", "formatter"})
_ARRAY_NAMES: Final = frozenset({
    "a", "a1", "a2", "append", "ar1", "ar2", "arr", "array", "b", "condition", "fp", "indices", "m", "mask", "object",
    "p", "prepend", "q", "v", "v1", "v2", "values", "weights", "where", "x", "x1", "x2", "xp", "y",
})  # fmt: skip


# -- dtypes -------------------------------------------------------------------------------------------------------
def dtype_of(value: Any) -> np.dtype[Any] | None:
    """The dtype that a value names: one of numbers or of truth values. Raises ``TypeError`` as NumPy does."""
    if value is None:
        return None
    if isinstance(value, str):
        kind: Any = _TYPES.get(value) or (value if _NAMED.fullmatch(value) else None)
        if kind is None:
            raise PythonError(TypeError, f"data type {value!r} not understood")
        named: np.dtype[Any] = np.dtype(kind)
        return named
    if isinstance(value, np.dtype):
        found = value
    elif isinstance(value, HostType) and (issubclass(value.type, np.generic) or value.name in PYTHON_TYPES):
        found = np.dtype(value.type)
    else:
        shown = str(value) if type_name(value).startswith("torch.") else repr(value)
        raise PythonError(TypeError, f"Cannot interpret '{shown[:80]}' as a data type")
    checked(np.zeros(0, found))
    return found


# -- arguments ----------------------------------------------------------------------------------------------------
def plain(value: Any) -> Any:
    """``value`` as NumPy may see it; tensors become arrays, inside of lists too."""
    if isinstance(value, Tensor):
        return of_tensor(value)
    if isinstance(value, _PLAIN):
        return value
    if isinstance(value, (list, tuple)):
        bounded(value)
        return _nested(value)
    if isinstance(value, range):
        pay(many(len(value)))
        return python(np.arange, value.start, value.stop, value.step)
    if isinstance(value, HostType):
        return dtype_of(value)
    raise PythonError(TypeError, f"NumPy's functions take arrays and numbers here, not {type_name(value)}")


def _nested(value: Any) -> Any:
    items = [
        _nested(item) if isinstance(item, (list, tuple)) else item if isinstance(item, _PLAIN) else plain(item)
        for item in value
    ]
    return items if isinstance(value, list) else tuple(items)


def array(value: Any) -> Any:
    """``value`` as an array, where it is a list or a tuple."""
    found = plain(value)
    if isinstance(found, (list, tuple)):
        work = assembled(found)
        reserve(work)
        return checked(python(np.asarray, found))
    return found


def assembled(value: Any) -> Work:
    """What it takes to make one array of nested lists, which may hold the same array many times."""
    size, width, pending = 0, 8, [value]
    while pending:
        for item in pending.pop():
            if isinstance(item, (list, tuple)):
                pending.append(item)
            elif isinstance(item, np.ndarray):
                size, width = size + item.size, max(width, item.itemsize)
            else:
                size, width = size + 1, max(width, 4 * len(item)) if isinstance(item, str) else width
    return Work(size, size * max(width, 16), 16 * size)


class Entry:
    """A function of NumPy's: what it costs, how many of its arguments are arrays, and which one is a dtype.

    ``wraps``: of tensors it gives a tensor, as PyTorch's hook for NumPy has it. ``changes``: the place of an array
    that it writes to.
    """

    def __init__(
        self, function: Callable[..., Any], cost: Cost, arrays: int = 1, *, dtype: int = -1, wraps: bool = False,
        changes: int = -1,
    ) -> None:  # fmt: skip
        self.function, self.cost, self.arrays, self.dtype_at = function, cost, arrays, dtype
        self.wraps, self.changes = wraps, changes
        self.members: dict[str, Any] = {}  # the methods of a ufunc

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        given = [self._positional(place, value) for place, value in enumerate(args)]
        named = {name: _named(name, value) for name, value in kwargs.items()}
        if named.get("out") is not None or self.changes >= 0:
            self._touch(given, named)
        reserve(asked(self.cost, *given, **named))
        with floating():
            result = checked(python(self.function, *given, **named))
        if self.wraps and isinstance(result, ARRAYS) and any(isinstance(one, Tensor) for one in args):
            return to_tensor(np.asarray(result))
        return result

    def _positional(self, place: int, value: Any) -> Any:
        if type(value) is np.ndarray:
            return value
        if place == self.dtype_at:
            return dtype_of(value)
        return array(value) if place < self.arrays else plain(value)

    def _touch(self, given: list[Any], named: Mapping[str, Any]) -> None:
        out = named.get("out")
        for one in out if isinstance(out, tuple) else (out,):
            touch(one)
        if 0 <= self.changes < len(given):
            touch(given[self.changes])


def _named(name: str, value: Any) -> Any:
    if name in _FORBIDDEN:
        raise PythonError(TypeError, f"the argument '{name}' is not available")
    if name == "dtype":
        return dtype_of(value)
    return array(value) if name in _ARRAY_NAMES else plain(value)
