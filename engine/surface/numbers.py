"""What there is to know of the numbers of a dtype: ``finfo`` and ``iinfo``."""

from __future__ import annotations

from typing import Any, ClassVar

import ml_dtypes
import numpy as np

from engine import dtypes, homes, modes, registry
from engine.dtypes import DType
from engine.errors import ArgumentTypeError
from engine.op.signature import type_name

_finfo: Any = ml_dtypes.finfo  # it knows bfloat16, and has no annotations


def _checked(name: str, dtype: Any) -> DType:
    if not isinstance(dtype, DType):
        raise ArgumentTypeError(f"{name}(): argument 'type' (position 1) must be torch.dtype, not {type_name(dtype)}")
    return dtype


class _Info:
    """Numbers that do not change, by name; two of one dtype are equal."""

    _state: ClassVar[dict[str, type]] = {"dtype": str, "bits": int}
    dtype: str
    _shown: tuple[str, ...] = ()

    def __eq__(self, other: object) -> bool:
        return type(other) is type(self) and self.dtype == other.dtype

    def __hash__(self) -> int:
        return hash(self.dtype)

    def __repr__(self) -> str:
        parts = [f"{name}={getattr(self, name):g}" for name in self._shown]
        return f"{type(self).__name__}({', '.join([*parts, f'dtype={self.dtype}'])})"


class finfo(_Info):
    """The numbers of a floating-point dtype; of a complex one, those of its parts."""

    _shown = ("resolution", "min", "max", "eps", "smallest_normal", "tiny")
    _state: ClassVar[dict[str, type]] = {**_Info._state, **dict.fromkeys(_shown, float)}

    def __init__(self, type: Any = None) -> None:
        dtype = modes.current().default_dtype if type is None else _checked("finfo", type)
        if dtype.category < dtypes.FLOATING:
            raise ArgumentTypeError(
                "torch.finfo() requires a floating point input type. Use torch.iinfo to handle 'torch.finfo'"
            )
        dtype = dtypes.to_real(dtype)
        found = _finfo(dtype.numpy)
        self.dtype, self.bits = dtype.name, 8 * dtype.itemsize
        self.eps, self.max, self.min = float(found.eps), float(found.max), float(found.min)
        self.tiny = self.smallest_normal = float(found.smallest_normal)
        self.resolution = 10.0 ** -int(found.precision)


class iinfo(_Info):
    """The numbers of an integer dtype."""

    _shown = ("min", "max")
    _state: ClassVar[dict[str, type]] = {**_Info._state, **dict.fromkeys(_shown, int)}

    def __init__(self, type: Any) -> None:
        dtype = _checked("iinfo", type)
        if dtype.category == dtypes.BOOL:
            raise ArgumentTypeError("torch.bool is not supported by torch.iinfo")
        if dtype.category != dtypes.INTEGER:
            raise ArgumentTypeError(
                "torch.iinfo() requires an integer input type. Use torch.finfo to handle 'torch.iinfo'"
            )
        found = np.iinfo(dtype.numpy)
        self.dtype, self.bits = dtype.name, 8 * dtype.itemsize
        self.max, self.min = int(found.max), int(found.min)


for _kind in (finfo, iinfo):
    homes.keep("torch", _kind)
    registry.add_function(_kind.__name__, _kind)
    registry.add_kind(_kind.__name__, _kind)
