"""Tensors that take another size in place, within their storage or with a larger one."""

from __future__ import annotations

from math import prod

import numpy as np

from engine import modes, strides
from engine.errors import OpError
from engine.op import Array, Extents, composite, primitive
from engine.ops.shape.strided import as_strided
from engine.storage import UNCOUNTED
from engine.tensor import Tensor


@primitive(public=False, reads_storage=True, nondifferentiable=("input",), grows=lambda count: count)
def grown(input: Array, count: int) -> Array:
    """The whole storage of ``input``, with zeros up to ``count`` elements."""
    larger = np.zeros(count, input.dtype)
    larger[: input.size] = input
    return larger


@composite(name="resize_", function=False, checks_history=False)
def resize_(input: Tensor, size: Extents, *, memory_format: None = None) -> Tensor:
    """Show the first elements of the storage from the tensor's own on, in C order, with another size.

    Where the storage ends before, the tensor moves to a larger one of its own; new elements are 0.
    """
    if input.requires_grad and not modes.current().inference:
        raise OpError("cannot resize variables that require grad")
    if any(extent < 0 for extent in size):
        raise OpError("numel: integer multiplication overflow")
    if size == input.array.shape:
        return input
    offset = input.geometry.offset
    end = offset + prod(size)
    if end * input.array.itemsize > input.storage.array.nbytes:
        _move(input, grown(input, end))
    return as_strided.inplace(input, size, strides.contiguous(tuple(size)), offset)


def _move(input: Tensor, larger: Tensor) -> None:
    modes.touch(input)
    modes.touch(input.storage)
    larger.storage.version = input.storage.version  # the new strides are counted there
    if input.storage.version != UNCOUNTED:
        input.storage.version += 1
    input.storage, input.array, input.base = larger.storage, larger.array, None


@composite(name="resize_as_", checks_history=False)
def resize_as_(input: Tensor, the_template: Tensor, *, memory_format: None = None) -> Tensor:
    """``resize_`` to the size of another tensor."""
    return resize_(input, the_template.array.shape)


@composite(name="set_", function=False)
def set_(input: Tensor, source: Tensor | None = None) -> Tensor:
    """Show the memory of another tensor from now on, as it does; without one, an empty memory."""
    if source is None:
        source = Tensor(np.empty(0, input.array.dtype))
    if source.dtype is not input.dtype:
        raise OpError(f"Could not set tensor of type {source.dtype.c_name} to a tensor of type {input.dtype.c_name}")
    modes.touch(input)
    input.storage, input.array, input.base = source.storage, source.array, None
    return input
