"""``numpy`` as programs import it: the functions with their work, and the few things that are written here."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any, Final

import numpy as np

from app.program.arrays import Array, Work, checked, reserve, spanned
from app.program.builtins import HOSTS, METHODS, Module, Routine
from app.program.classes import HostType
from app.program.failures import PythonError, python
from app.program.modules.calls import held, host
from app.program.modules.numpy import work
from app.program.modules.numpy.arguments import SCALARS, Entry, array, dtype_of, plain
from app.program.modules.numpy.functions import ENTRIES, FFT, FUNCTIONS, LINALG, TESTING
from app.program.modules.numpy.methods import ARRAY, DTYPE, FINFO, IINFO, SCALAR
from app.program.modules.numpy.printing import PRINTING
from app.program.modules.numpy.random import RANDOM
from app.program.operations import Metered

_ABSTRACT: Final = (
    "complexfloating", "floating", "generic", "inexact", "integer", "number", "signedinteger", "unsignedinteger",
)  # fmt: skip


# -- dtypes and what describes them -------------------------------------------------------------------------------
def _dtype(dtype: Any, *_: Any, **__: Any) -> Any:
    return dtype_of(dtype) or np.dtype(np.float64)


def _finfo(dtype: Any) -> Any:
    return python(np.finfo, dtype.dtype if isinstance(dtype, (np.ndarray, np.generic)) else dtype_of(dtype))


def _iinfo(dtype: Any) -> Any:
    return python(np.iinfo, dtype.dtype if isinstance(dtype, (np.ndarray, np.generic)) else dtype_of(dtype))


def _kind(value: Any) -> Any:
    return value.type if isinstance(value, HostType) else dtype_of(value)


def _issubdtype(arg1: Any, arg2: Any) -> bool:
    return bool(python(np.issubdtype, _kind(arg1), _kind(arg2)))


# -- with functions of the program --------------------------------------------------------------------------------
def _from_iterable(iter: Any, dtype: Any, count: Any = -1) -> Any:
    return checked(python(np.fromiter, (plain(one) for one in held(iter)), dtype_of(dtype), plain(count)))


def _from_function(function: Any, shape: Any, *, dtype: Any = None, **kwargs: Any) -> Any:
    grids = ENTRIES["indices"](shape, dtype or "float64")
    return function(*grids, **kwargs)


def _along_axis(func1d: Any, axis: Any, arr: Any, *args: Any, **kwargs: Any) -> Any:
    moved = python(np.moveaxis, array(arr), plain(axis), -1)
    lead = moved.shape[:-1]
    rows = moved.reshape(-1, moved.shape[-1]) if moved.size else moved.reshape(0, moved.shape[-1])
    results = [array(func1d(row, *args, **kwargs)) for row in rows]
    reserve(work.joined(results))
    stacked = checked(python(np.asarray, results))
    inner = stacked.shape[1:]
    place = plain(axis) % moved.ndim if inner else 0
    shaped = stacked.reshape(*lead, *inner)
    moves = [len(lead) + i for i in range(len(inner))], [place + i for i in range(len(inner))]
    return python(np.moveaxis, shaped, *moves)


class Vectorized:
    """A function of the program for each element of its arguments, broadcast."""

    __slots__ = ("dtypes", "function")

    def __init__(self, pyfunc: Any, otypes: Any = None, **others: Any) -> None:
        if any(value is not None and value is not False for name, value in others.items() if name != "doc"):
            raise PythonError(TypeError, "vectorize takes a function and otypes here")
        self.function = pyfunc
        kinds = list(otypes) if isinstance(otypes, (str, list, tuple)) else []
        self.dtypes = [dtype_of(kind) for kind in kinds]

    def __call__(self, *args: Any) -> Any:
        given = [np.asarray(array(one)) for one in args]
        size = spanned(*given)
        reserve(Work(size, 64 * size * max(len(given), 1), 64.0 * size))
        if not size and not self.dtypes:
            raise PythonError(ValueError, "cannot call `vectorize` on size 0 inputs unless `otypes` is set")
        spread = python(np.broadcast_arrays, *given)
        results = [self.function(*row) for row in zip(*(one.ravel().tolist() for one in spread), strict=True)]
        shape = spread[0].shape if spread else ()
        if results and isinstance(results[0], tuple):
            return tuple(self._made(list(part), shape, place) for place, part in enumerate(zip(*results, strict=False)))
        return self._made(results, shape, 0)

    def _made(self, results: list[Any], shape: tuple[int, ...], place: int) -> Array:
        dtype = self.dtypes[place] if place < len(self.dtypes) else None
        made = python(np.asarray, array(results))
        found: Array = made.astype(dtype or made.dtype).reshape(shape)
        return found


# -- subscripted --------------------------------------------------------------------------------------------------
class Grid:
    """``mgrid``, ``ogrid``, ``r_``, ``c_``: what makes arrays of slices; a ``dense`` one fills what they span."""

    __slots__ = ("dense", "name", "source")

    def __init__(self, name: str, *, dense: bool = False) -> None:
        self.name, self.source, self.dense = name, getattr(np, name), dense

    def program_item(self, index: Any) -> Any:
        """What stands in the brackets, as an array."""
        parts = index if isinstance(index, tuple) else (index,)
        sizes = [_length(part) for part in parts]
        size = int(np.prod([float(one) for one in sizes])) if self.dense else sum(sizes)
        reserve(Work(size, 32 * size * len(parts), 16.0 * size * len(parts)))
        given = tuple(part if isinstance(part, slice) else array(part) for part in parts)
        return checked(python(self.source.__getitem__, given if isinstance(index, tuple) else given[0]))


def _length(part: Any) -> int:
    if not isinstance(part, slice):
        return int(getattr(part, "size", len(part) if isinstance(part, (list, tuple)) else 1))
    step = part.step if part.step is not None else 1
    if isinstance(step, complex):
        return int(abs(step))
    return work.stepped(plain(part.start) or 0, plain(part.stop) or 0, plain(step)).elements


def _enumerated(arr: Any) -> Any:
    found = array(arr)
    return Metered(iter(np.ndenumerate(found)), "numpy.ndenumerate")


def _indices(*shape: Any) -> Any:
    return Metered(iter(python(np.ndindex, *map(plain, shape))), "numpy.ndindex")


def _shape_of(*dimensions: Any, **named: Any) -> Any:
    return ENTRIES["empty"](*dimensions, **named)


def _abstract(name: str, *_: Any, **__: Any) -> None:
    raise PythonError(TypeError, f"cannot create 'numpy.{name}' instances")


_TYPES: Final[dict[str, Any]] = {
    name: host(getattr(np, name), f"numpy.{name}", partial(_abstract, name), {}) for name in _ABSTRACT
} | {
    "dtype": host(np.dtype, "numpy.dtype", _dtype, DTYPE),
    "ndarray": host(np.ndarray, "numpy.ndarray", _shape_of, ARRAY),
    "finfo": host(np.finfo, "numpy.finfo", _finfo, FINFO), "iinfo": host(np.iinfo, "numpy.iinfo", _iinfo, IINFO),
    "str_": host(np.str_, "numpy.str_", Entry(np.str_, work.copied, 1), SCALAR, str),
}  # fmt: skip


_FUNCTIONS: Final[dict[str, Callable[..., Any]]] = {
    "apply_along_axis": _along_axis, "fromfunction": _from_function, "fromiter": _from_iterable,
    "issubdtype": _issubdtype, "ndenumerate": _enumerated, "ndindex": _indices, "vectorize": Vectorized,
}  # fmt: skip
_WRITTEN_HERE: Final = {name: Routine(name, function) for name, function in _FUNCTIONS.items()}
_INNER: Final = {"numpy.fft": FFT, "numpy.linalg": LINALG, "numpy.random": RANDOM, "numpy.testing": TESTING}
NUMPY: Final[dict[str, Any]] = (
    FUNCTIONS
    | PRINTING
    | _TYPES
    | _WRITTEN_HERE
    | {name: Grid(name) for name in ("c_", "ogrid", "r_")}
    | {"mgrid": Grid("mgrid", dense=True)}
    | {name.removeprefix("numpy."): Module(name) for name in _INNER}
    | {"True_": np.True_, "False_": np.False_, "__version__": np.__version__}
)
NUMPY_MODULES: Final = {"numpy": NUMPY} | _INNER
for _scalar in set(SCALARS.values()):
    METHODS[_scalar] = SCALAR
for _name in (*SCALARS, "U"):  # dtypes have a class each
    HOSTS[type(np.dtype(_name))] = HOSTS[np.dtype]
    METHODS[type(np.dtype(_name))] = DTYPE
