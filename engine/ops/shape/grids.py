"""Repetition and combination: tiles, grids, products of sets, block diagonals."""

from __future__ import annotations

from itertools import pairwise
from math import prod
from typing import Any

import numpy as np

from engine import dtypes, modes, ops
from engine.errors import ArgumentTypeError, DimensionError, OpError, UnsupportedError
from engine.op import (
    Array,
    Arrays,
    Extents,
    Tensors,
    broadcast_pair,
    composite,
    extents,
    primitive,
    type_name,
    wrap_dim,
)
from engine.tensor import Size, Tensor, read

MOST_DIMENSIONS = 64  # that an array of NumPy has
INDEXING = "torch.meshgrid: in an upcoming release, it will be required to pass the indexing argument."


# -- repetition ---------------------------------------------------------------------------------------------------
@primitive(
    function=False, linear=True, grows=lambda input, repeats: input.size * prod(repeats),
    scratch=lambda input, repeats: 1.5 * extents(input) * prod([max(times, 1) for times in repeats]),
)  # fmt: skip
def repeat(input: Array, repeats: Extents) -> Array:
    """The tensor laid out ``repeats`` times along every dimension, of which ``repeats`` may add some in front."""
    missing = len(repeats) - input.ndim
    if missing < 0:
        raise OpError("Number of dimensions of repeat dims can not be smaller than number of dimensions of tensor")
    size = [count * extent for count, extent in zip(repeats, (1,) * missing + input.shape, strict=True)]
    for extent in size:
        if extent < 0:
            raise OpError(f"Trying to create tensor with negative dimension {extent}: {size}")
    return np.tile(input, repeats)


def _unrepeat(g: Tensor, input_shape: Any, repeats: Any) -> Any:
    missing = len(repeats) - len(input_shape)
    shape = (1,) * missing + tuple(input_shape)
    paired = [extent for pair in zip(repeats, shape, strict=True) for extent in pair]
    copies = tuple(range(0, len(paired), 2))
    summed = ops.sum(ops.reshape(g, tuple(paired)), copies) if copies else g
    return ops.reshape(summed, input_shape)


repeat.vjp(input=_unrepeat)


@composite
def tile(input: Tensor, dims: Extents) -> Tensor:
    """``repeat``, with leading ones added to ``dims`` where it is short."""
    missing = input.array.ndim - len(dims)
    return ops.repeat(input, (1,) * missing + tuple(dims))


@primitive(
    public=False, data_dependent=True, nondifferentiable=("repeats",), grows=lambda repeats: int(np.sum(repeats))
)
def repeated_places(repeats: Array) -> Array:
    """Every position as often as ``repeats`` says there."""
    return np.repeat(np.arange(repeats.size), repeats)


def _places(repeats: Tensor, output_size: int | None) -> Any:
    array = read(repeats)
    if repeats.dtype not in (dtypes.int64, dtypes.int32):
        raise UnsupportedError(f"\"repeat_interleave_cpu\" not implemented for '{repeats.dtype.scalar_type}'")
    if array.ndim != 1:
        raise OpError("repeat_interleave only accept 1D vector as repeat")
    if (array < 0).any():
        raise OpError("repeats can not be negative")
    if output_size is not None and int(array.sum()) != output_size:
        raise OpError("allocated size does not match required size")
    return repeated_places(repeats)


@composite
def repeat_interleave(
    input: Tensor, repeats: Any = None, dim: int | None = None, *, output_size: int | None = None
) -> Tensor:
    """Every element (slice along ``dim``) as often as ``repeats`` says; alone, positions as often as ``input`` does."""
    if repeats is not None and not isinstance(repeats, Tensor | int):
        raise ArgumentTypeError("repeat_interleave(): argument 'repeats' must be Tensor or int")
    if repeats is None:
        return _places(input, output_size)
    if dim is None:
        input, dim = ops.flatten(input), 0
    dim = wrap_dim(dim, input.array.ndim)
    if isinstance(repeats, int):
        return _repeated(input, repeats, dim, output_size)
    if not isinstance(repeats, Tensor):
        raise ArgumentTypeError(
            f"repeat_interleave(): argument 'repeats' (position 2) must be Tensor, not {type_name(repeats)}"
        )
    if not input.array.ndim:
        raise DimensionError(f"Dimension specified as {dim} but tensor has no dimensions")
    extent = input.array.shape[dim]
    return ops.index_select(input, dim, _places(_one_each(repeats, extent), output_size))


def _one_each(repeats: Tensor, extent: int) -> Any:
    if repeats.array.ndim > 1:
        raise OpError("repeats must be 0-dim or 1-dim tensor")
    if repeats.array.size == 1:
        return ops.expand(ops.reshape(repeats, (1,)), (extent,))
    if repeats.array.size != extent:
        raise OpError(
            "repeats must have the same size as input along dim, but got repeats.size(0) = "
            f"{repeats.array.size} and input.size(0) = {extent}"
        )
    return repeats


def _repeated(input: Tensor, repeats: int, dim: int, output_size: int | None) -> Tensor:
    if repeats < 0:
        raise OpError("Repeats must be non-negative")
    shape = input.array.shape
    if output_size is not None and output_size != shape[dim] * repeats:
        raise OpError(f"repeat_interleave: Invalid output_size, expected {shape[dim] * repeats} but got {output_size}")
    wide = ops.expand(ops.unsqueeze(input, dim + 1), (*shape[: dim + 1], repeats, *shape[dim + 1 :]))
    return ops.flatten(ops.clone_contiguous(wide), dim, dim + 1)


# -- grids --------------------------------------------------------------------------------------------------------
@composite
def broadcast_tensors(*tensors: Tensors) -> Any:
    """All tensors expanded to their common shape."""
    shape: tuple[int, ...] = ()
    for one in tensors:
        shape = broadcast_pair(shape, one.array.shape)
    return tuple(one if one.array.shape == shape else ops.expand(one, shape) for one in tensors)


@composite
def broadcast_shapes(*shapes: Any) -> Size:
    """The shape that tensors of these shapes broadcast to."""
    listed = [(shape,) if isinstance(shape, int) else _extents(shape) for shape in shapes]
    result: list[int] = [1] * max(map(len, listed), default=0)
    for position, shape in enumerate(listed):
        for dim in range(-1, -1 - len(shape), -1):
            if shape[dim] not in (1, result[dim]):
                if result[dim] != 1:
                    raise OpError(
                        f"Attempting to broadcast a dimension of length {shape[dim]} at {dim}! Mismatching argument at "
                        f"index {position} had {shape}; but expected shape should be broadcastable to {result}"
                    )
                result[dim] = shape[dim]
    return Size(result)


def _extents(shape: Any) -> tuple[int, ...]:
    if not isinstance(shape, list | tuple) or not all(isinstance(extent, int) for extent in shape):
        raise OpError(f"Input shapes should be of type ints, a tuple of ints, or a list of ints, got {shape}")
    return tuple(shape)


@composite
def meshgrid(*tensors: Tensors, indexing: str | None = None) -> Any:
    """The coordinates of a grid over vectors: ``ij`` counts rows first, ``xy`` columns."""
    if not tensors:
        raise OpError("meshgrid expects a non-empty TensorList")
    _check_grid(tensors)
    if indexing is None:
        modes.warn(INDEXING)
    if not isinstance(indexing, str | None):
        raise ArgumentTypeError(f"meshgrid(): argument 'indexing' must be str, not {type_name(indexing)}")
    if indexing not in (None, "ij", "xy"):
        raise OpError(f'torch.meshgrid: indexing must be one of "xy" or "ij", but received: {indexing}')
    order = list(range(len(tensors)))
    if indexing == "xy":
        order[:2] = order[1::-1]
    shape = [tensors[place].array.size for place in order]
    return tuple(_across(one, order.index(place), shape) for place, one in enumerate(tensors))


def _check_grid(tensors: tuple[Tensor, ...]) -> None:
    for one in tensors:
        if one.array.ndim > 1:
            raise OpError(
                f"torch.meshgrid: Expected 0D or 1D tensor in the tensor list but got: {_spread(one.array.shape)}"
            )
        if one.dtype is not tensors[0].dtype:
            raise OpError("meshgrid expects all tensors to have the same dtype")


def _spread(shape: tuple[int, ...]) -> str:
    return " ".join(f"{extent:2d}" for extent in shape)


def _across(one: Tensor, dim: int, shape: list[int]) -> Any:
    lengthwise = [1] * len(shape)
    lengthwise[dim] = one.array.size
    return ops.expand(ops.view(one, tuple(lengthwise)), tuple(shape))


@composite
def cartesian_prod(*tensors: Tensors) -> Tensor:
    """All combinations of one element from each vector, one a row."""
    if not tensors:
        raise OpError("meshgrid expects a non-empty TensorList")
    for one in tensors:
        if one.array.ndim != 1:
            raise OpError(f"Expect a 1D vector, but got shape {list(one.array.shape)}")
    if len(tensors) == 1:
        return tensors[0]
    return ops.stack([ops.flatten(grid) for grid in meshgrid(*tensors, indexing="ij")], 1)


@composite
def combinations(input: Tensor, r: int = 2, with_replacement: bool = False) -> Tensor:
    """All combinations of ``r`` elements of a vector, one a row."""
    if input.array.ndim != 1:
        raise OpError(f"Expect a 1D vector, but got shape {list(input.array.shape)}")
    if r < 0:
        raise OpError(f"Expect a non-negative number, but got {r}")
    if r == 0:
        return ops.filled((0,), 0, input.dtype)
    if r > MOST_DIMENSIONS:
        raise UnsupportedError(f"combinations() of more than {MOST_DIMENSIONS} elements are not there")
    mask = ascending_places(input.array.size, r, with_replacement)
    return ops.stack([ops.masked_select(column, mask) for column in ops.meshgrid([input] * r, indexing="ij")], 1)


@primitive(public=False, grows=lambda count, r: count**r, scratch=1)
def ascending_places(count: int, r: int, with_replacement: bool) -> Array:
    """Where in a grid of ``count`` places in ``r`` dimensions coordinates ascend; with replacement, do not descend."""
    axes = np.meshgrid(*[np.arange(count)] * r, indexing="ij", sparse=True)
    mask = np.ones((count,) * r, bool)
    for before, behind in pairwise(axes):
        mask &= before <= behind if with_replacement else before < behind
    return mask


# -- blocks -------------------------------------------------------------------------------------------------------
def _block_shape(shape: tuple[int, ...]) -> tuple[int, int]:
    rows, columns = (1,) * (2 - len(shape)) + shape
    return rows, columns


def _blocks_size(tensors: list[Array]) -> int:
    shapes = [_block_shape(array.shape) for array in tensors if array.ndim <= 2]
    return sum(rows for rows, _ in shapes) * sum(columns for _, columns in shapes)


@primitive(public=False, promote="default", grad_fn="BlockDiagBackward0", grows=_blocks_size)
def block_diagonal(tensors: Arrays) -> Array:
    """The tensors as blocks along the diagonal of a matrix."""
    for position, array in enumerate(tensors):
        if array.ndim > 2:
            raise OpError(
                "torch.block_diag: Input tensors must have 2 or fewer dimensions. "
                f"Input {position} has {array.ndim} dimensions"
            )
    shapes = [_block_shape(array.shape) for array in tensors]
    result = np.zeros(np.sum(shapes, axis=0), tensors[0].dtype)
    row = column = 0
    for array, (rows, columns) in zip(tensors, shapes, strict=True):
        result[row : row + rows, column : column + columns] = array
        row, column = row + rows, column + columns
    return result


def _blocks(g: Tensor, tensors_shapes: Any) -> list[Any]:
    parts, row, column = [], 0, 0
    for shape in tensors_shapes:
        rows, columns = _block_shape(shape)
        block = ops.narrow(ops.narrow(g, 0, row, rows), 1, column, columns)
        parts.append(ops.reshape(block, shape))
        row, column = row + rows, column + columns
    return parts


block_diagonal.vjp(tensors=_blocks)


@composite
def block_diag(*tensors: Tensors) -> Tensor:
    """The tensors as blocks along the diagonal of a matrix; vectors are rows."""
    if not tensors:
        return ops.filled((1, 0), 0, modes.current().default_dtype)
    return block_diagonal(list(tensors))
