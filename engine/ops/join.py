"""Several tensors made one, and one made several: concatenation, stacking, splitting, repetition, grids."""

from __future__ import annotations

from itertools import accumulate
from math import prod
from typing import Any

import numpy as np

from engine import ops
from engine.binding import wrap_dim
from engine.errors import ArgumentValueError, DimensionError, OpError
from engine.op import Array, Arrays, Dim, Extents, NewDim, Size, composite, primitive
from engine.tensor import Tensor


# -- one after the other ------------------------------------------------------------------------------------------
def _is_skipped(shape: tuple[int, ...]) -> bool:
    """Whether ``cat`` leaves the tensor out: an empty vector goes with everything."""
    return shape == (0,)


@primitive(method=False, promote="default", aliases=("concat", "concatenate"))
def cat(tensors: Arrays, dim: Dim = 0) -> Array:
    """The tensors one after the other along ``dim``; their other extents are equal."""
    _check_cat(tensors, dim)
    joined = [array for array in tensors if not _is_skipped(array.shape)]
    return np.concatenate(joined, axis=dim) if joined else tensors[0].copy()


def _check_cat(tensors: list[Array], dim: int) -> None:
    if not tensors:
        raise ArgumentValueError("torch.cat(): expected a non-empty list of Tensors")
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


@primitive(method=False, promote="default")
def stack(tensors: Arrays, dim: NewDim = 0) -> Array:
    """The tensors, all of one shape, along a new dimension ``dim``."""
    if not tensors:
        raise OpError("stack expects a non-empty TensorList")
    for position, array in enumerate(tensors):
        if array.shape != tensors[0].shape:
            raise OpError(
                f"stack expects each tensor to be equal size, but got {list(tensors[0].shape)} at entry 0 and "
                f"{list(array.shape)} at entry {position}"
            )
    return np.stack(tensors, axis=dim)


stack.vjp(tensors=lambda g, dim: list(ops.unbind(g, dim)))


# -- slices of one ------------------------------------------------------------------------------------------------
@primitive(view=True, many=True)
def unbind(input: Array, dim: Dim = 0) -> Array:
    """The slices along ``dim``, which goes."""
    if input.ndim == 0:
        raise DimensionError("Dimension specified as 0 but tensor has no dimensions")
    return tuple(np.moveaxis(input, dim, 0)[i, ...] for i in range(input.shape[dim]))  # type: ignore[return-value]


unbind.vjp(input=lambda gs, dim: ops.stack(gs, dim))


def _pieces(input: Array, sizes: tuple[int, ...], dim: int) -> Any:
    """Slices of the given extents along ``dim``, as views."""
    ends = list(accumulate(sizes))
    lead = (slice(None),) * dim
    return tuple(input[(*lead, slice(end - size, end))] for size, end in zip(sizes, ends, strict=True))


@primitive(public=False, view=True, many=True, grad_fn="SplitBackward0")
def split_evenly(input: Array, split_size: int, dim: Dim = 0) -> Array:
    """Slices of extent ``split_size`` along ``dim``, the last one smaller where it does not divide."""
    return _pieces(input, _even_sizes(input, split_size, dim), dim)


split_evenly.vjp(input=lambda gs, dim: ops.cat(gs, dim))


def _even_sizes(input: Array, split_size: int, dim: int) -> tuple[int, ...]:
    if input.ndim == 0:
        raise OpError("split expects at least a 1-dimensional tensor")
    extent = input.shape[dim]
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
    op = split_evenly if isinstance(split_size_or_sections, int) else split_with_sizes
    return op(input, split_size_or_sections, dim)


@composite
def chunk(input: Tensor, chunks: int, dim: int = 0) -> Any:
    """At most ``chunks`` slices along ``dim``, all but the last of equal extent."""
    size = _chunk_size(input, chunks, dim)
    if size == 0:
        return split_with_sizes(input, (0,) * chunks, dim)
    return split_evenly(input, size, dim)


def _chunk_size(input: Tensor, chunks: int, dim: int) -> int:
    if input.array.ndim == 0:
        raise OpError("chunk expects at least a 1-dimensional tensor")
    if chunks <= 0:
        raise OpError(f"chunk expects `chunks` to be greater than 0, got: {chunks}")
    return -(-input.array.shape[wrap_dim(dim, input.array.ndim)] // chunks)
