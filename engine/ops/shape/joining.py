"""Several tensors made one, and one made several: concatenation, stacking, splitting, repetition, grids."""

from __future__ import annotations

from itertools import accumulate
from typing import Any

import numpy as np

from engine import dtypes, modes, ops
from engine.errors import ArgumentTypeError, ArgumentValueError, DimensionError, OpError
from engine.op import (
    Array,
    Arrays,
    Dim,
    NewDim,
    Size,
    Tensors,
    composite,
    primitive,
    wrap_dim,
)  # fmt: skip
from engine.ops.shape.views import sliced
from engine.tensor import Tensor, read


# -- one after the other ------------------------------------------------------------------------------------------
def _is_skipped(shape: tuple[int, ...]) -> bool:
    """Whether ``cat`` leaves the tensor out: an empty vector goes with everything."""
    return shape == (0,)


OBJECT = 30  # elements that take as much memory as the object of an array


def _total(tensors: list[Array]) -> int:
    return sum(array.size for array in tensors)


def _check_any(tensors: list[Tensor]) -> None:
    if not tensors:
        raise ArgumentValueError("torch.cat(): expected a non-empty list of Tensors")


@primitive(
    method=False, promote="default", aliases=("concat", "concatenate"), check=_check_any, grows=_total, out="cast",
    scratch=lambda tensors: 1.5 * _total(tensors) + OBJECT * len(tensors),
)  # fmt: skip
def cat(tensors: Arrays, dim: Dim = 0) -> Array:
    """The tensors one after the other along ``dim``; their other extents are equal."""
    _check_cat(tensors, dim)
    joined = [array for array in tensors if not _is_skipped(array.shape)]
    return np.concatenate(joined, axis=dim) if joined else tensors[0].copy()


def _check_cat(tensors: list[Array], dim: int) -> None:
    for position, array in enumerate(tensors):
        if array.ndim == 0:
            raise OpError(f"zero-dimensional tensor (at position {position}) cannot be concatenated")
    first: tuple[int, ...] | None = None
    for position, array in enumerate(tensors):
        if _is_skipped(array.shape):
            continue
        first = array.shape if first is None else first
        _check_pair(first, array.shape, dim, position)


def _check_pair(first: tuple[int, ...], shape: tuple[int, ...], dim: int, position: int) -> None:
    if len(first) != len(shape):
        raise OpError(f"Tensors must have same number of dimensions: got {len(first)} and {len(shape)}")
    for axis, (expected, extent) in enumerate(zip(first, shape, strict=True)):
        if axis != dim and expected != extent:
            raise OpError(
                f"Sizes of tensors must match except in dimension {dim}. Expected size {expected} but got size "
                f"{extent} for tensor number {position} in the list."
            )


def _uncat(g: Tensor, tensors_shapes: Any, dim: int) -> list[Any]:
    parts, start = [], 0
    for shape in tensors_shapes:
        if _is_skipped(shape):
            parts.append(ops.filled(shape, 0, g.dtype))
        else:
            parts.append(ops.narrow(g, dim, start, shape[dim]))
            start += shape[dim]
    return parts


cat.vjp(tensors=_uncat)


def _check_some(tensors: list[Tensor]) -> None:
    if not tensors:
        raise OpError("stack expects a non-empty TensorList")


@primitive(
    method=False, promote="default", check=_check_some, grows=_total,
    scratch=lambda tensors: 1.5 * _total(tensors) + OBJECT * len(tensors), out="cast",
)  # fmt: skip
def stack(tensors: Arrays, dim: NewDim = 0) -> Array:
    """The tensors, all of one shape, along a new dimension ``dim``."""
    for position, array in enumerate(tensors):
        if array.shape != tensors[0].shape:
            raise OpError(
                f"stack expects each tensor to be equal size, but got {list(tensors[0].shape)} at entry 0 and "
                f"{list(array.shape)} at entry {position}"
            )
    return np.stack(tensors, axis=dim)


stack.vjp(tensors=lambda g, dim: list(ops.unbind(g, dim)))


VIEW_STEPS = 200  # of Python, that it takes to make a view


def reserve_views(count: int) -> None:
    """Ask the budget for ``count`` views: their number may have nothing to do with that of the elements."""
    budget = modes.current().budget
    if budget is not None:
        budget.reserve(count, modes.VIEW_BYTES * count)
        budget.take(VIEW_STEPS * count)


# -- slices of one ------------------------------------------------------------------------------------------------
@primitive(view=True, many=True)
def unbind(input: Array, dim: Dim = 0) -> Array:
    """The slices along ``dim``, which goes."""
    if input.ndim == 0:
        raise DimensionError("Dimension specified as 0 but tensor has no dimensions")
    reserve_views(input.shape[dim])
    return tuple(np.moveaxis(input, dim, 0)[i, ...] for i in range(input.shape[dim]))  # type: ignore[return-value]


unbind.vjp(input=lambda gs, dim: ops.stack(gs, dim))


def _pieces(input: Array, sizes: tuple[int, ...], dim: int) -> Any:
    """Slices of the given extents along ``dim``, as views."""
    ends = list(accumulate(sizes))
    return tuple(sliced(input, dim, slice(end - size, end)) for size, end in zip(sizes, ends, strict=True))


@primitive(public=False, view=True, many=True, grad_fn="SplitBackward0")
def split_evenly(input: Array, split_size: int, dim: Dim = 0) -> Array:
    """Slices of extent ``split_size`` along ``dim``, the last one smaller where it does not divide."""
    return _pieces(input, _even_sizes(input, split_size, dim), dim)


split_evenly.vjp(input=lambda gs, dim: ops.cat(gs, dim))


def _even_sizes(input: Array, split_size: int, dim: int) -> tuple[int, ...]:
    if input.ndim == 0:
        raise OpError("split expects at least a 1-dimensional tensor")
    extent = input.shape[dim]
    reserve_views(extent // max(split_size, 1))
    if split_size < 0:
        raise OpError(f"split expects split_size be non-negative, but got split_size={split_size}")
    if split_size == 0 and extent:
        raise OpError(f"split_size can only be 0 if dimension size is 0, but got dimension size of {extent}")
    if not extent:
        return (0,)
    return tuple(min(split_size, extent - start) for start in range(0, extent, split_size))


@primitive(view=True, many=True)
def split_with_sizes(input: Array, split_sizes: Size, dim: Dim = 0) -> Array:
    """Slices of the extents ``split_sizes`` along ``dim``."""
    _check_sizes(input, split_sizes, dim)
    return _pieces(input, split_sizes, dim)


def _check_sizes(input: Array, sizes: tuple[int, ...], dim: int) -> None:
    if input.ndim == 0:
        raise OpError("split expects at least a 1-dimensional tensor")
    if any(size < 0 for size in sizes):
        raise OpError(
            f"split_with_sizes expects split_sizes have only non-negative entries, but got split_sizes={list(sizes)}"
        )
    if sum(sizes) != input.shape[dim]:
        raise OpError(
            f"split_with_sizes expects split_sizes to sum exactly to {input.shape[dim]} (input tensor's size at "
            f"dimension {dim}), but got split_sizes={list(sizes)}"
        )


split_with_sizes.vjp(input=lambda gs, dim: ops.cat(gs, dim))


@composite
def split(input: Tensor, split_size_or_sections: Any, dim: int = 0) -> Any:
    """Slices along ``dim``: of one extent, or of each of the extents in a list."""
    if input.array.ndim == 0:
        raise OpError("split expects at least a 1-dimensional tensor")
    op = split_evenly if isinstance(split_size_or_sections, int) else split_with_sizes
    return op(input, split_size_or_sections, dim)


@composite
def chunk(input: Tensor, chunks: int, dim: int = 0) -> Any:
    """At most ``chunks`` slices along ``dim``, all but the last of equal extent."""
    size = chunk_size(input, chunks, dim)
    if size == 0:
        reserve_views(chunks)
        return split_with_sizes(input, (0,) * chunks, dim)
    return split_evenly(input, size, dim)


def chunk_size(input: Tensor, chunks: int, dim: int) -> int:
    """The extent of all slices but the last."""
    if input.array.ndim == 0:
        raise OpError("chunk expects at least a 1-dimensional tensor")
    if chunks <= 0:
        raise OpError(f"chunk expects `chunks` to be greater than 0, got: {chunks}")
    return -(-input.array.shape[wrap_dim(dim, input.array.ndim)] // chunks)


@composite
def tensor_split(
    input: Tensor, indices_or_sections: Any = None, dim: int = 0, *, indices: Any = None, sections: int | None = None
) -> Any:
    """Slices along ``dim``: so many of nearly equal extent, or cut at the given positions."""
    if input.array.ndim == 0:
        raise OpError("tensor_split expected at least a 1-dimensional tensor, but got a tensor with 0 dims")
    asked = next((one for one in (indices_or_sections, indices, sections) if one is not None), None)
    dim = wrap_dim(dim, input.array.ndim)
    return _cut(input, _cuts(_split_argument(asked), input.array.shape[dim]), dim)


def _split_argument(asked: Any) -> Any:
    if not isinstance(asked, Tensor):
        return asked
    if asked.dtype is not dtypes.int64:
        raise OpError(
            f"tensor_split expected tensor_indices_or_sections to have dtype of long, but got {asked.dtype.scalar_type}"
        )
    if asked.array.ndim > 1:
        raise OpError(
            "tensor_split expected tensor_indices_or_sections to be a zero-dimensional or one-dimensional tensor, but "
            f"got a tensor with {asked.array.ndim} dims"
        )
    return read(asked).tolist()


def _cuts(asked: Any, extent: int) -> list[int]:
    """The positions to cut at."""
    if isinstance(asked, list | tuple):
        return list(asked)
    if not isinstance(asked, int):
        raise ArgumentTypeError("tensor_split() received an invalid combination of arguments")
    if asked < 1:
        raise OpError(f"number of sections must be larger than 0, got {asked}")
    reserve_views(asked)
    size, larger = divmod(extent, asked)
    return [section * size + min(section, larger) for section in range(1, asked)]


def _cut(input: Tensor, cuts: list[int], dim: int) -> tuple[Any, ...]:
    starts, ends = [0, *cuts], [*cuts, input.array.shape[dim]]
    return tuple(ops.slice_dim(input, dim, start, end, 1) for start, end in zip(starts, ends, strict=True))


def _check_split(name: str, input: Tensor, asked: Any, dim: int, least: int) -> None:
    ndim = input.array.ndim
    if ndim < least:
        raise OpError(
            f"torch.{name} requires a tensor with at least {least} dimension, but got a tensor with {ndim} dimensions!"
        )
    extent = input.array.shape[dim]
    if isinstance(asked, int) and (asked == 0 or extent % asked):
        raise OpError(
            f"torch.{name} attempted to split along dimension {dim}, but the size of the dimension {extent} is not "
            f"divisible by the split_size {asked}!"
        )


@composite
def hsplit(input: Tensor, indices_or_sections: Any) -> Any:
    """Slices side by side: along the second dimension, or the only one."""
    dim = 0 if input.array.ndim == 1 else 1
    _check_split("hsplit", input, indices_or_sections, dim, 1)
    return tensor_split(input, indices_or_sections, dim)


@composite
def vsplit(input: Tensor, indices_or_sections: Any) -> Any:
    """Slices one below the other: along the first dimension."""
    _check_split("vsplit", input, indices_or_sections, 0, 2)
    return tensor_split(input, indices_or_sections, 0)


@composite
def dsplit(input: Tensor, indices_or_sections: Any) -> Any:
    """Slices one behind the other: along the third dimension."""
    _check_split("dsplit", input, indices_or_sections, 2, 3)
    return tensor_split(input, indices_or_sections, 2)


# -- stacks by name -----------------------------------------------------------------------------------------------
def _listed(name: str, tensors: list[Tensor]) -> list[Tensor]:
    if not tensors:
        raise OpError(f"{name} expects a non-empty TensorList")
    return tensors


@composite(out="cast")
def hstack(tensors: Tensors) -> Tensor:
    """Side by side: along the second dimension, of vectors along the only one."""
    parts = [ops.atleast_1d(one) for one in _listed("hstack", tensors)]
    return ops.cat(parts, 0 if parts[0].array.ndim == 1 else 1)


@composite(aliases=("row_stack",), out="cast")
def vstack(tensors: Tensors) -> Tensor:
    """One below the other: along the first of at least two dimensions."""
    return ops.cat([ops.atleast_2d(one) for one in _listed("vstack", tensors)], 0)


@composite(out="cast")
def dstack(tensors: Tensors) -> Tensor:
    """One behind the other: along the third of at least three dimensions."""
    return ops.cat([ops.atleast_3d(one) for one in _listed("dstack", tensors)], 2)


@composite(out="cast")
def column_stack(tensors: Tensors) -> Tensor:
    """Side by side, vectors as columns."""
    parts = [_as_column(one) for one in _listed("column_stack", tensors)]
    return ops.cat(parts, 1)


def _as_column(one: Tensor) -> Any:
    return ops.reshape(one, (one.array.size, 1)) if one.array.ndim <= 1 else one
