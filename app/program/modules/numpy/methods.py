"""Attributes and methods of arrays, of NumPy's numbers, of dtypes and of what describes them."""

from __future__ import annotations

import operator
from collections.abc import Callable
from typing import Any, Final

from app.program.arrays import Work, elementwise
from app.program.builtins import Getter, Routine
from app.program.failures import python
from app.program.modules.numpy import work
from app.program.modules.numpy.arguments import SCALARS, Entry
from app.program.modules.numpy.functions import FUNCTIONS
from app.program.operations import Metered


def _called(name: str) -> Callable[..., Any]:
    return lambda value, *args, **kwargs: python(getattr(value, name), *args, **kwargs)


def _methods(
    names: str, cost: Callable[..., Work], arrays: int = 0, *, dtype: int = -1, changing: bool = False
) -> dict[str, Getter]:
    """Methods by name; ``changing`` ones write to their array."""
    return {
        name: _bound(name, Entry(_called(name), cost, arrays, dtype=dtype, changes=0 if changing else -1))
        for name in names.split()
    }


def _bound(name: str, entry: Entry) -> Getter:
    return lambda value: Routine(name, lambda *args, **kwargs: entry(value, *args, **kwargs), owner=value)


def _fields(*names: str) -> dict[str, Getter]:
    return {name: operator.attrgetter(name) for name in names}


def _reshaped(array: Any = 0, *_: Any, **__: Any) -> Work:
    return work.copied(array)


def _listed(array: Any = 0, *_: Any, **__: Any) -> Work:
    size = array.size
    return Work(size, 64 * size, 64 * size)


_NUMBERS: Final = (
    _fields("T", "dtype", "imag", "itemsize", "nbytes", "ndim", "real", "shape", "size", "strides")
    | _methods("all any max mean min prod ptp sum", work.reduced)
    | _methods("argmax argmin std var trace", work.reduced_by_copies)
    | _methods("conj conjugate copy round cumsum cumprod", work.several)
    | _methods("clip", work.several, 3)
    | _methods("flatten ravel reshape squeeze", _reshaped)
    | _methods("astype", work.copied, 0, dtype=1)
    | _methods("item", work.nothing)
    | _methods("tolist", _listed)
    | _methods("repeat", work.repeated)
    | _methods("take", work.picked)
    | _methods("argsort argpartition", work.ordered)
    | _methods("nonzero", work.found)
    | _methods("transpose swapaxes diagonal", work.nothing)
)
ARRAY: Final = (
    _NUMBERS
    | _fields("mT")
    | {"flat": lambda value: Metered(iter(value.flat), "numpy.flatiter")}
    | _methods("dot", work.dotted, 2)
    | _methods("searchsorted", work.searched, 2)
    | _methods("compress", work.several, 2)
    | _methods("choose", work.selected)
    | _methods("sort partition", work.ordered, changing=True)
    | _methods("fill", elementwise, changing=True)
    | _methods("put", work.several, 3, changing=True)
)
SCALAR: Final = _NUMBERS | _methods("is_integer", work.nothing)
_CLASSES: Final = {kind: FUNCTIONS[name] for name, kind in SCALARS.items() if name == kind.__name__}
DTYPE: Final[dict[str, Getter]] = _fields("char", "itemsize", "kind", "name", "shape", "str") | {
    "type": lambda value: _CLASSES.get(value.type, value.type.__name__)
}
FINFO: Final = _fields(
    "bits", "dtype", "eps", "epsneg", "max", "min", "precision", "resolution", "smallest_normal", "tiny"
)
IINFO: Final = _fields("bits", "dtype", "max", "min")
