"""Flat indices as coordinates, and a fixed number of the places that are not 0."""

from __future__ import annotations

from itertools import accumulate
from operator import mul
from typing import Any

import numpy as np

from engine import dtypes, ops
from engine.errors import ArgumentTypeError, ArgumentValueError, OpError
from engine.op import Array, composite, primitive
from engine.tensor import Tensor


def _extents(shape: Any) -> tuple[int, ...]:
    if isinstance(shape, int):
        return (shape,)
    if not isinstance(shape, list | tuple):
        raise ArgumentTypeError(f"expected 'shape' to be int or sequence of ints, but got {type(shape)}")
    for extent in shape:
        if not isinstance(extent, int):
            raise ArgumentTypeError(f"expected 'shape' sequence to only contain ints, but got {type(extent)}")
    if any(extent < 0 for extent in shape):
        raise ArgumentValueError(f"'shape' cannot have negative values, but got {tuple(shape)}")
    return tuple(shape)


@composite(method=False)
def unravel_index(indices: Tensor, shape: Any) -> Any:
    """The coordinates of flat indices into an array of ``shape``, a tensor for each dimension."""
    if indices.dtype.category > dtypes.INTEGER or indices.dtype is dtypes.bool_:
        raise ArgumentTypeError(f"expected 'indices' to be integer dtype, but got {indices.dtype}")
    extents = _extents(shape)
    steps = list(accumulate([1, *extents[:0:-1]], mul))[::-1]
    wide = ops.unsqueeze(indices, -1)
    return ops.unbind(
        ops.remainder(ops.floor_divide(wide, Tensor(np.array(steps, np.int64))), Tensor(np.array(extents, np.int64))),
        -1,
    )


def _static_size(input: Array, size: int) -> int:
    return max(size, 0) * max(input.ndim, 1)


@primitive(
    nondifferentiable=("input",), grows=_static_size,
    scratch=lambda input, size: 9 * (input.ndim + 1) * input.size + 2 * _static_size(input, size),
)  # fmt: skip
def nonzero_static(input: Array, *, size: int, fill_value: int = -1) -> Array:
    """The places of the first ``size`` elements that are not 0, a row each; ``fill_value`` where there are fewer."""
    if size < 0:
        raise OpError("nonzero_static: 'size' must be an non-negative integer")
    found = np.argwhere(input)[:size]
    result = np.full((size, input.ndim), fill_value, np.int64)
    result[: len(found)] = found
    return result
