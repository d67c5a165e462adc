"""What stands where a mask is false: a value that changes nothing for the op that follows."""

from __future__ import annotations

from math import inf, nan
from typing import Any

import numpy as np

from engine import dtypes, ops
from engine.dtypes import BOOL, COMPLEX, FLOATING, DType
from engine.errors import ArgumentTypeError, AssertedError, DimensionError, OpError, UnsupportedError
from engine.op import type_name, wrap_dim
from engine.tensor import Tensor

NO_BOUNDS = "torch.iinfo() requires an integer input type. Use torch.finfo to handle 'torch.iinfo'"


def canonical_dims(dim: Any, ndim: int) -> tuple[int, ...]:
    """The dimensions of a reduction in ascending order: all of them for ``None`` and ``()``."""
    if dim is None or dim == ():
        return tuple(range(ndim))
    if not isinstance(dim, int | list | tuple):
        raise ArgumentTypeError(f"'{type_name(dim)}' object is not iterable")
    dims: list[int] = []
    for one in (dim,) if isinstance(dim, int) else dim:
        if one in dims:
            raise OpError(f"dim={one} appears multiple times in the list of dims")
        dims.append(wrap_dim(one, ndim))
    return tuple(sorted(dims))


def canonical_mask(input: Tensor, mask: Tensor) -> Tensor:
    """``mask`` in the shape of ``input``, of bools."""
    if mask.array.shape != input.array.shape:
        if mask.array.ndim > input.array.ndim:
            raise DimensionError(
                "_input_mask expected broadcastable mask (got mask dimensionality higher than of the input)"
            )
        mask = ops.broadcast_to(ops.clone(mask), input.array.shape)
    return mask if mask.dtype is dtypes.bool_ else ops.ne(mask, 0)


def filled(name: str, input: Tensor, mask: Tensor | None, order: Any = 2) -> Tensor:
    """``input`` with the neutral element of ``name`` where ``mask`` is false."""
    if mask is None:
        return input
    where = canonical_mask(input, mask)
    value = ops.full((), _neutral(name, input.dtype, order), dtype=input.dtype)
    return ops.where(where, input, value)


def _neutral(name: str, dtype: DType, order: Any) -> Any:
    if name in ("sum", "prod"):
        return int(name == "prod")
    if name == "norm":
        if order != -inf:
            return 0
        if dtype.category != FLOATING:
            raise AssertedError(f"input must be floating point, got {dtype}")
        return inf
    if name == "median":
        return nan
    return _lowest(name, dtype) if name in ("amax", "argmax", "logaddexp", "logsumexp") else -_lowest(name, dtype)


def _lowest(name: str, dtype: DType) -> Any:
    """The lowest number of ``dtype``; the opposite of the highest for minima."""
    if dtype.category == FLOATING or (dtype.category == COMPLEX and name == "logsumexp"):
        return -inf
    if dtype.category == BOOL:
        raise UnsupportedError(f"identity of {name} on {dtype} input")
    if dtype.category == COMPLEX:
        raise ArgumentTypeError(NO_BOUNDS)
    bounds = np.iinfo(dtype.numpy)
    return -int(bounds.max) if name in ("amin", "argmin") else int(bounds.min)
