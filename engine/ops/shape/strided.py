"""Views by sizes, strides and offset, their copies and adjoints; what undoes a write through a view."""

from __future__ import annotations

from math import prod
from typing import Any

import numpy as np

from engine import ops, strides
from engine.errors import OpError
from engine.op import Array, Ints, overloaded, primitive
from engine.tensor import Tensor


def strided(flat: Array, size: tuple[int, ...], stride: tuple[int, ...], offset: int) -> Array:
    """A view of a 1-d array by sizes, strides and offset in elements. Raises ``OpError`` beyond its end."""
    if len(size) != len(stride):
        raise OpError("mismatch in length of strides and shape")
    if any(step < 0 for step in stride):
        raise OpError(f"as_strided: Negative strides are not supported at the moment, got strides: {list(stride)}")
    if any(extent < 0 for extent in size):
        raise OpError(f"Storage size calculation overflowed with sizes={list(size)} and strides={list(stride)}")
    if offset < 0:
        raise OpError(f"Tensor: invalid storage offset {offset}")
    last = offset + sum((extent - 1) * step for extent, step in zip(size, stride, strict=True))
    if 0 not in size and last >= flat.size:
        raise OpError(
            f"setStorage: sizes {list(size)}, strides {list(stride)}, storage offset {offset}, and itemsize "
            f"{flat.itemsize} requiring a storage size of {(last + 1) * flat.itemsize} are out of bounds for storage "
            f"of size {flat.nbytes}"
        )
    return strides.placed(flat, size, stride, offset)


@primitive(
    public=False, view=True, reads_storage=True, grows=lambda size: prod(size), inplace_grad_fn="AsStridedBackward1"
)
def as_strided(input: Array, size: Ints, stride: Ints, storage_offset: int) -> Array:
    """The elements of the storage of ``input`` at the given sizes, strides and offset, in elements."""
    return strided(input, size, stride, storage_offset)


as_strided.vjp(
    input=lambda g, input_geometry, size, stride, storage_offset: ops.restride(
        g, (size, stride, storage_offset), input_geometry
    )
)


@overloaded(name="as_strided", inplace_function=True)
def as_strided_here(input: Tensor, size: Any, stride: Any, storage_offset: int | None = None) -> Any:
    """A view by sizes, strides and offset, in elements of the storage; without an offset, from its own."""
    return as_strided, (input, size, stride, offset_in(input, storage_offset))


def offset_in(input: Tensor, storage_offset: int | None) -> int:
    """The given offset, or that of ``input``."""
    return input.geometry.offset if storage_offset is None else storage_offset


def _spanned(source: Any, target: Any) -> int:
    """How many elements lie between the first and the last that two geometries see."""
    return max(max(_end(source), _end(target)) - min(source[2], target[2]), 0)


@primitive(
    public=False, linear=True, grad_fn="AsStridedBackward0", layout="kernel", grows=lambda target: prod(target[0]),
    scratch=lambda input, source, target: 4 * (input.size + prod(target[0]) + _spanned(source, target)),
)  # fmt: skip
def restride(input: Array, source: Any, target: Any) -> Array:
    """``input`` added into zeros at the geometry ``source``, read back at ``target``: the adjoint of ``as_strided``.

    Both are ``(size, stride, offset)``. Where ``target`` sees an element more than once, each sees its share.
    """
    lowest = min(source[2], target[2])
    length = max(_end(source), _end(target)) - lowest
    buffer = np.zeros(max(length, 0), input.dtype)
    if input.size:
        places = strided(np.arange(length), source[0], source[1], source[2] - lowest)
        np.add.at(buffer, places, input)
    if 0 in target[0]:
        return strides.placed(np.zeros(0, input.dtype), target[0], target[1])
    seen = strided(np.arange(length), target[0], target[1], target[2] - lowest)
    if any(step == 0 and extent > 1 for extent, step in zip(target[0], target[1], strict=True)):
        buffer = (buffer / np.maximum(np.bincount(seen.ravel(), minlength=length), 1)).astype(input.dtype, copy=False)
    return strided(buffer, target[0], target[1], target[2] - lowest)


restride.vjp(input=lambda g, source, target: restride(g, target, source))


def _end(geometry: Any) -> int:
    size, stride, offset = geometry
    if 0 in size:
        return int(offset)
    return int(offset + sum((extent - 1) * step for extent, step in zip(size, stride, strict=True)) + 1)


@primitive(public=False)
def write_strided(input: Array, src: Array, size: Ints, stride: Ints, storage_offset: int) -> Array:
    """``input`` (read as contiguous) with ``src`` written at the given sizes, strides and offset."""
    result = np.array(input, order="C")
    strided(result.reshape(-1), size, stride, storage_offset)[...] = src.real if result.dtype.kind != "c" else src
    return result


def _region(g: Tensor, size: Any, stride: Any, storage_offset: int | None) -> Any:
    whole = g.storage.array is g.array and g.array.flags.c_contiguous
    return ops.as_strided(g if whole else ops.clone_contiguous(g), size, stride, storage_offset or 0)


write_strided.vjp(
    input=lambda g, src_shape, size, stride, storage_offset: write_strided(
        g, ops.filled(src_shape, 0, g.dtype), size, stride, storage_offset
    ),
    src=_region,
)


def _check_slice(src: Tensor, size: tuple[int, ...]) -> None:
    if src.array.shape != size:
        raise OpError(
            f"expected src to have a size equal to the slice of self. src size = {list(src.array.shape)}, slice size = "
            f"{list(size)}"
        )


@primitive(layout="input", check=_check_slice)
def as_strided_scatter(input: Array, src: Array, size: Ints, stride: Ints, storage_offset: int | None = None) -> Array:
    """``input`` (read as contiguous) with ``src`` written at the given sizes, strides and offset.

    The cotangent of ``input`` is PyTorch's, which is that of the region written, not of the rest.
    """
    return write_strided.kernel(input, src, size, stride, storage_offset or 0)


def _region_alone(g: Tensor, input_shape: Any, size: Any, stride: Any, storage_offset: int | None) -> Any:
    zeros = ops.filled(input_shape, 0, g.dtype)
    return write_strided(zeros, _region(g, size, stride, storage_offset), size, stride, storage_offset or 0)


as_strided_scatter.vjp(input=_region_alone, src=_region)
