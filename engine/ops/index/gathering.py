"""Reading elements by position: along a dimension, from the flattened tensor, behind a mask; and where they are.

Unlike square brackets, most of these ops take no negative positions.
"""

from __future__ import annotations

from functools import lru_cache
from math import prod
from typing import Any

import numpy as np

from engine import dtypes, ops, strides
from engine.dtypes import DType
from engine.errors import DimensionError, OpError
from engine.op import Array, Dim, Index, Mask, Size, broadcast_pair, composite, primitive, wrap_dim
from engine.tensor import Tensor

REMEMBERED, KNOWN = 2**12, 128  # positions that are remembered together, and how many of these
_UNSIGNED = {np.dtype(np.int64): np.uint64, np.dtype(np.int32): np.uint32}


# -- what kernels share -------------------------------------------------------------------------------------------
def are_inside(index: Array, extent: int) -> bool:
    """Whether all positions are from 0 to below ``extent``: negative ones are large without their signs."""
    unsigned = _UNSIGNED.get(index.dtype)
    if unsigned is None:
        return bool(index.min() >= 0 and index.max() < extent)
    return bool(np.maximum.reduce(index.view(unsigned), None) < extent)


def check_inside(index: Array, dim: int, extent: int) -> None:
    """Refuse positions outside ``extent`` in the words of ``gather`` and ``scatter``."""
    if index.size and not are_inside(index, extent):
        outside = index[(index < 0) | (index >= extent)]
        raise OpError(f"index {outside.flat[0]} is out of bounds for dimension {dim} with size {extent}")


def flat_places(shape: tuple[int, ...], index: Array, dim: int) -> Array:
    """Where ``index`` along ``dim`` points to in a C-contiguous tensor of ``shape``; other dimensions count up."""
    if not shape:
        return index
    index = index.reshape(index.shape or (1,))
    places = np.multiply(index, prod(shape[dim + 1 :]), dtype=np.int64)
    if len(shape) > 1:
        others = _places_of_others if index.size <= REMEMBERED else _places_of_others.__wrapped__
        places += others(shape, index.shape, dim)
    return places


@lru_cache(KNOWN)
def _places_of_others(shape: tuple[int, ...], counts: tuple[int, ...], dim: int) -> Array:
    """What dimensions other than ``dim`` add to flat places in ``shape``, as they count up to ``counts``."""
    found: Any = np.zeros((1,) * len(shape), np.int64)
    for axis, count in enumerate(counts):
        if axis != dim:
            step = prod(shape[axis + 1 :])
            found = found + (np.arange(count) * step).reshape((count, *(1,) * (len(shape) - axis - 1)))
    return found


def add_at(target: Array, places: Array, values: Array) -> None:
    """Add ``values`` to the flattened ``target``; a place that occurs twice gets both."""
    np.add.at(target.reshape(-1), places.reshape(-1), values.reshape(-1))


def _zeros(size: Any, dtype: DType) -> Any:
    return ops.filled(size, 0, dtype)


# -- along a dimension --------------------------------------------------------------------------------------------
def _check_gather(input: Array, dim: int, index: Array) -> None:
    if max(input.ndim, 1) != max(index.ndim, 1):
        raise OpError("Index tensor must have the same number of dimensions as input tensor")
    for axis in range(input.ndim):
        if axis != dim and index.shape[axis] > input.shape[axis]:
            raise OpError(
                f"Size does not match at dimension {axis} expected index {list(index.shape)} to be no larger than "
                f"self {list(input.shape)} apart from dimension {dim}"
            )


@primitive(grows=lambda index: index.size)
def gather(input: Array, dim: Dim, index: Index, *, sparse_grad: bool = False) -> Array:
    """``input[index[i][j][k]][j][k]`` for ``dim=0``, and likewise for the other dimensions."""
    if index.size == 0:
        return np.empty(index.shape, input.dtype)
    if index.dtype not in (np.int64, np.int32):
        raise OpError("gather(): Expected dtype int32/int64 for index")
    _check_gather(input, dim, index)
    check_inside(index, dim, input.shape[dim] if input.ndim else 1)
    return input.reshape(-1)[flat_places(input.shape, index, dim)].reshape(index.shape)


gather.vjp(input=lambda g, dim, index, input_shape: ops.ungathered(g, index, dim, input_shape))


@primitive(public=False, linear=True, grows=lambda size: prod(size))
def ungathered(input: Array, index: Index, dim: int, size: Size) -> Array:
    """Zeros of shape ``size`` with ``input`` added where ``gather`` read: its adjoint."""
    result = np.zeros(size, input.dtype)
    if index.size:
        add_at(result, flat_places(size, index, dim), input)
    return result


ungathered.vjp(input=lambda g, index, dim: ops.gather(g, dim, index))


@primitive(grows=lambda input, dim, index: input.size // max(input.shape[dim], 1) * index.size if input.ndim else 1)
def index_select(input: Array, dim: Dim, index: Index) -> Array:
    """The slices at the positions ``index`` along ``dim``."""
    if index.ndim > 1:
        raise DimensionError("index_select(): Index is supposed to be a vector")
    if index.dtype not in (np.int64, np.int32):
        raise OpError("index_select(): Expected dtype int32 or int64 for index")
    if input.ndim == 0 and index.size != 1:
        raise OpError(f"index_select(): Index to scalar can have only 1 value, got {index.size} value(s)")
    _check_selected(input, dim, index)
    return np.take(input, index.reshape(-1), axis=dim) if input.ndim else input.copy()


def _check_selected(input: Array, dim: int, index: Array) -> None:
    extent = input.shape[dim] if input.ndim else 1
    if not index.size or (index.min() >= 0 and index.max() < extent):
        return
    if input.ndim < 2 or (input.size and not dim):
        raise DimensionError("index out of range in self")
    if not extent:
        raise OpError("index_select(): self indexing axis dim should be positive")
    outside = index[(index < 0) | (index >= extent)].flat[0]
    raise OpError(f"INDICES element is out of DATA bounds, id={outside} axis_dim={extent}")


index_select.vjp(input=lambda g, dim, index, input_shape: ops.index_add(_zeros(input_shape, g.dtype), dim, index, g))


@composite
def take_along_dim(input: Tensor, indices: Tensor, dim: int | None = None) -> Tensor:
    """``gather`` with both broadcast against each other; without ``dim``, from the flattened tensor."""
    if indices.dtype is not dtypes.int64:
        raise OpError(f"torch.take_along_dim(): dtype of indices should be Long but got {indices.dtype.scalar_type}")
    if dim is None:
        return ops.gather(ops.view(input, (-1,)), 0, ops.view(indices, (-1,)))
    ndim = input.array.ndim
    if ndim != indices.array.ndim:
        raise OpError(
            "torch.take_along_dim(): input and indices should have the same number of dimensions, but got "
            f"{ndim} dimensions for input, and {indices.array.ndim} dimensions for indices"
        )
    if ndim == 0:
        raise DimensionError(f"Dimension specified as {dim} but tensor has no dimensions")
    return _gather_broadcast(input, indices, wrap_dim(dim, ndim))


def _gather_broadcast(input: Tensor, indices: Tensor, dim: int) -> Tensor:
    """``gather`` of what broadcasting makes of the other dimensions; positions count modulo the extent."""
    ours, theirs = input.array.shape, indices.array.shape
    both = broadcast_pair((*ours[:dim], 1, *ours[dim + 1 :]), (*theirs[:dim], 1, *theirs[dim + 1 :]))
    source = ops.expand(input, (*both[:dim], ours[dim], *both[dim + 1 :]))
    places = ops.expand(indices, (*both[:dim], theirs[dim], *both[dim + 1 :]))
    return ops.gather(source, dim, ops.remainder(places, ours[dim]))


# -- from the flattened tensor ------------------------------------------------------------------------------------
def wrapped_places(op_name: str, input: Array, index: Array) -> Array:
    """Positions in the flattened ``input``, counted from the end when negative. Raises outside of it."""
    if index.dtype != np.int64:
        raise OpError(f"{op_name}(): Expected a long tensor for index, but got {dtypes.of(index).scalar_type}")
    if not index.size:
        return index
    if not input.size:
        raise DimensionError(f"{op_name}(): tried to {op_name.rstrip('_')} from an empty tensor")
    outside = (index < -input.size) | (index >= input.size)
    if outside.any():
        raise DimensionError(
            f"out of range: tried to access index {index[outside].flat[0]} on a tensor of {input.size} elements."
        )
    return index % input.size


@primitive(grows=lambda index: index.size)
def take(input: Array, index: Index) -> Array:
    """The elements at the positions ``index`` of the flattened tensor, in the shape of ``index``."""
    return input.reshape(-1)[wrapped_places("take", input, index)]


take.vjp(input=lambda g, index, input_shape: ops.put(_zeros(input_shape, g.dtype), index, g, True))


# -- behind a mask ------------------------------------------------------------------------------------------------
@primitive(data_dependent=True, grows=lambda input, mask: prod(broadcast_pair(mask.shape, input.shape)))
def masked_select(input: Array, mask: Mask) -> Array:
    """The elements where ``mask`` is true, as a vector; both broadcast."""
    if mask.dtype != np.bool_:
        raise OpError("masked_select: expected BoolTensor for mask")
    shape = broadcast_pair(mask.shape, input.shape)
    return np.broadcast_to(input, shape)[np.broadcast_to(mask, shape)]


def _unmasked(g: Tensor, mask: Tensor, input_shape: Any) -> Any:
    shape = broadcast_pair(mask.array.shape, input_shape)
    return ops.masked_scatter(_zeros(shape, g.dtype), mask, g)


masked_select.vjp(input=_unmasked)


# -- where they are -----------------------------------------------------------------------------------------------
@primitive(
    public=False, data_dependent=True, nondifferentiable=("input",), grows=lambda input: input.size * input.ndim,
    layout="kernel",
)  # fmt: skip
def nonzero_places(input: Array) -> Array:
    """The positions of the elements that are not zero, one a row."""
    found = np.stack(np.nonzero(input)) if input.ndim else np.zeros((0, int(input != 0)), np.int64)
    return strides.placed(found, found.shape[::-1], (1, found.shape[1]))


@composite
def nonzero(input: Tensor, *, as_tuple: bool = False) -> Any:
    """The positions of the elements that are not zero: one a row, or, ``as_tuple``, a tensor for each dimension."""
    if not as_tuple:
        return nonzero_places(input)
    return ops.unbind(nonzero_places(ops.unsqueeze(input, 0) if input.array.ndim == 0 else input), 1)


@composite
def argwhere(input: Tensor) -> Tensor:
    """The positions of the elements that are not zero, one a row."""
    return nonzero_places(input)
