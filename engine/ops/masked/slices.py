"""Sums so far and normalisations of the elements of slices that a mask lets through."""

from __future__ import annotations

from typing import Any

from engine import ops
from engine.dtypes import DType
from engine.op import Masking, composite
from engine.ops.masked.filling import canonical_dims, filled
from engine.ops.masked.reductions import masked_norm
from engine.tensor import Tensor


def _first(dim: Any, input: Tensor) -> int:
    return canonical_dims(dim, input.array.ndim)[0]


@composite(name="masked.cumsum")
def masked_cumsum(input: Tensor, dim: Any, *, dtype: DType | None = None, mask: Masking | None = None) -> Tensor:
    """Sums along ``dim`` up to each element, of those where ``mask`` is true."""
    axis = _first(dim, input)
    return ops.cumsum(filled("sum", input, mask), axis, dtype=dtype or input.dtype)


@composite(name="masked.cumprod")
def masked_cumprod(input: Tensor, dim: Any, *, dtype: DType | None = None, mask: Masking | None = None) -> Tensor:
    """Products along ``dim`` up to each element, of those where ``mask`` is true."""
    axis = _first(dim, input)
    return ops.cumprod(filled("prod", input, mask), axis, dtype=dtype or input.dtype)


@composite(name="masked.softmax")
def masked_softmax(input: Tensor, dim: Any, *, dtype: DType | None = None, mask: Masking | None = None) -> Tensor:
    """``softmax`` along ``dim`` of the elements where ``mask`` is true; 0 elsewhere."""
    axis = _first(dim, input)
    return ops.softmax(filled("amax", input, mask), axis, dtype or input.dtype)


@composite(name="masked.log_softmax")
def masked_log_softmax(input: Tensor, dim: Any, *, dtype: DType | None = None, mask: Masking | None = None) -> Tensor:
    """The logarithm of ``masked.softmax``."""
    axis = _first(dim, input)
    return ops.log_softmax(filled("amax", input, mask), axis, dtype or input.dtype)


@composite(name="masked.softmin")
def masked_softmin(input: Tensor, dim: Any, *, dtype: DType | None = None, mask: Masking | None = None) -> Tensor:
    """``masked.softmax`` of ``-input``."""
    axis = _first(dim, input)
    return ops.softmax(ops.neg(filled("amin", input, mask)), axis, dtype or input.dtype)


@composite(name="masked.normalize")
def masked_normalize(
    input: Tensor, ord: Any, dim: Any, *, eps: float = 1e-12, dtype: DType | None = None, mask: Masking | None = None
) -> Tensor:
    """The elements where ``mask`` is true, divided by their ``ord``-norm along ``dim``, which is at least ``eps``."""
    norm = masked_norm(input, ord, dim, keepdim=True, dtype=dtype, mask=mask)
    least = ops.full((), eps, dtype=norm.dtype)
    return ops.div(filled("sum", input, mask), ops.maximum(norm, least))
