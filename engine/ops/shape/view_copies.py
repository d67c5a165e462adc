"""Copies of what views show: the ``*_copy`` ops and the ``unsafe_`` splits, declared from the views they follow."""

from __future__ import annotations

from functools import wraps
from typing import Any

import numpy as np

from engine import ops
from engine.errors import OpError
from engine.op import Array, Dim, Primitive, composite, extents, overloaded, primitive
from engine.ops.math import complex_parts
from engine.ops.math.complex_histories import refuse_complex_history
from engine.ops.shape import joining, rearrangement, strided, views
from engine.tensor import Tensor


def _pieces_size(input: Any) -> float:
    """Each piece is an object of its own; there are no more than the longest dimension has places."""
    return 1.5 * extents(input) + 2 * joining.OBJECT * max(input.shape, default=0)


def copying(
    view: Primitive, name: str | None = None, *, public: bool = True, method: bool = False, grad_fn: str | None = None,
    check: Any = None,
) -> Primitive:  # fmt: skip
    """Declare the op that gives what ``view`` shows as tensors of their own, with the view's rule."""

    @wraps(view.kernel)
    def kernel(*args: Any) -> Any:
        return view.kernel(*args)

    kernel.__name__ = name or f"{view.name}_copy"
    op: Primitive = primitive(
        kernel, public=public, method=method, grad_fn=grad_fn or f"{view.grad_fn}_copy", many=view.outputs.many,
        linear=True, reads_storage=view.nature.reads_storage, grows=view.costs.grows,
        scratch=_pieces_size if view.outputs.many else 1.5,
        nondifferentiable=view.arguments.nondifferentiable, check=check,
    )  # fmt: skip
    if view.rules:
        op.vjp(input=view.rules[0].function)
    return op


for _view in (
    views.alias, views.diagonal, views.expand, views.permute, views.t, views.transpose,
    views.unsqueeze, joining.unbind, joining.split_with_sizes, rearrangement.unfold, complex_parts.view_as_real,
):  # fmt: skip
    copying(_view)

copying(joining.split_evenly, "split_copy")
copying(views.select, check=lambda input: refuse_complex_history("select_copy", input))
_squeeze_all = copying(views.squeeze_all, public=False)
_squeeze_dim = copying(views.squeeze_dim, public=False)
_squeeze_dims = copying(views.squeeze_dims, public=False)
_view_size = copying(views.view, "view_size_copy", public=False, grad_fn="ViewBackward0_copy")
_as_strided = copying(strided.as_strided, "strided_copy", public=False, grad_fn="AsStridedBackward0_copy")
_view_dtype = copying(rearrangement.view_dtype, public=False)


@overloaded(method=False, writes=False)
def squeeze_copy(input: Tensor, dim: Any = None) -> Any:
    """A copy without the dimensions of extent 1: all of them, or those among ``dim``."""
    if dim is None:
        return _squeeze_all, (input,)
    return _squeeze_dims if isinstance(dim, list | tuple) else _squeeze_dim, (input, dim)


@overloaded(method=False, writes=False)
def as_strided_copy(input: Tensor, size: Any, stride: Any, storage_offset: int | None = None) -> Any:
    """A copy of elements of the storage by sizes, strides and offset, in elements."""
    offset = strided.offset_in(input, storage_offset)
    if input.bits:  # the copy is of what is in memory
        whole = ops.as_strided(input, (input.storage.array.nbytes // input.array.itemsize,), (1,), 0)
        input = ops.clone(whole)
    return _as_strided, (input, size, stride, offset)


@overloaded(method=False, writes=False)
def view_copy(input: Tensor, size: Any, dtype: Any = None) -> Any:
    """A copy with another shape, or of the same bytes as another dtype."""
    if isinstance(size, list | tuple):
        return _view_size, (input, size)
    return _view_dtype, (input, size)


def _check_narrowed(input: Tensor) -> None:
    if not input.array.ndim:
        raise OpError("narrow() cannot be applied to a 0-dim tensor.")


@primitive(check=_check_narrowed)
def narrow_copy(input: Array, dim: Dim, start: int, length: int) -> Array:
    """A copy of ``length`` elements of dimension ``dim`` from ``start`` on."""
    begin, end = views.narrowed(input.shape, dim, start, length)
    return input[(slice(None),) * dim + (slice(begin, end),)].copy()


narrow_copy.vjp(
    input=lambda g, input_shape, dim, start, length: views.unviewed(
        g, "slice_dim", input_shape, (dim, *views.narrowed(input_shape, dim, start, length), 1)
    )
)


@primitive(method=False, grad_fn="SliceBackward0_copy", check=lambda input: refuse_complex_history("slice_copy", input))
def slice_copy(input: Array, dim: Dim = 0, start: int | None = None, end: int | None = None, step: int = 1) -> Array:
    """A copy of the elements ``start`` to ``end`` (exclusive) of dimension ``dim``, every ``step``-th."""
    return views.slice_dim.kernel(input, dim, start, end, step).copy()


slice_copy.vjp(input=views.slice_dim.rules[0].function)


# -- splits whose pieces may be written to ------------------------------------------------------------------------
unsafe_split = copying(joining.split_evenly, "unsafe_split", method=True, grad_fn="UnsafeSplitBackward0")
unsafe_split_with_sizes = copying(
    joining.split_with_sizes, "unsafe_split_with_sizes", method=True, grad_fn="UnsafeSplitWithSizesBackward0"
)


@composite
def unsafe_chunk(input: Tensor, chunks: int, dim: int = 0) -> Any:
    """At most ``chunks`` slices along ``dim``, as tensors of their own."""
    return unsafe_split(input, joining.chunk_size(input, chunks, dim), dim)


# -- copies that PyTorch cannot differentiate ---------------------------------------------------------------------
@primitive(method=False, underivable=True)
def detach_copy(input: Array) -> Array:
    """A copy, which PyTorch records without a derivative."""
    return input.copy()


def _check_no_graph(input: Tensor) -> None:
    if input.requires_grad:
        raise OpError("view_as_complex_copy does not support automatic differentiation for outputs with complex dtype.")


@primitive(method=False, underivable=True, check=_check_no_graph)
def view_as_complex_copy(input: Array) -> Array:
    """Pairs along the last dimension as complex numbers of their own."""
    return complex_parts.view_as_complex.kernel(np.ascontiguousarray(input)).copy()
