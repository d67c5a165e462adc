"""Reductions of the elements that a mask lets through. Where it lets none through, the result is the neutral element.

Means, variances and medians have none: theirs is NaN there.
"""

from __future__ import annotations

from math import prod as product
from typing import Any

import numpy as np

from engine import dtypes, ops
from engine.dtypes import FLOATING, INTEGER, DType
from engine.errors import ArgumentValueError, AssertedError
from engine.op import Masking, composite
from engine.ops.masked.filling import canonical_dims, canonical_mask, filled
from engine.ops.reduce.sums import kept_shape
from engine.tensor import Tensor, read


def _summed_dtype(input: Tensor, dtype: DType | None) -> DType:
    """Integers and bools add up in int64 unless told."""
    if dtype is not None:
        return dtype
    return dtypes.int64 if input.dtype.category <= INTEGER else input.dtype


def _total(input: Tensor, dim: Any, keepdim: bool | None, dtype: DType | None, mask: Tensor | None) -> Tensor:
    target = _summed_dtype(input, dtype)
    dims = canonical_dims(dim, input.array.ndim)
    return ops.sum(filled("sum", input, mask), dims, bool(keepdim), dtype=target)


@composite(name="masked.sum")
def masked_sum(
    input: Tensor, dim: Any = None, *, keepdim: bool | None = False, dtype: DType | None = None,
    mask: Masking | None = None,
) -> Tensor:  # fmt: skip
    """Sums over ``dim`` of the elements where ``mask`` is true."""
    return _total(input, dim, keepdim, dtype, mask)


@composite(name="masked.prod")
def masked_prod(
    input: Tensor, dim: Any = None, *, keepdim: bool | None = False, dtype: DType | None = None,
    mask: Masking | None = None,
) -> Tensor:  # fmt: skip
    """Products over ``dim`` of the elements where ``mask`` is true."""
    target = _summed_dtype(input, dtype)
    dims = canonical_dims(dim, input.array.ndim)
    result = ops.to(filled("prod", input, mask), target)
    for one in reversed(dims):
        result = ops.prod(result, one, bool(keepdim))
    return result


def _extreme(
    name: str, input: Tensor, dim: Any, keepdim: bool | None, dtype: DType | None, mask: Tensor | None
) -> Tensor:
    masked = filled(name, input, mask)
    dims = canonical_dims(dim, input.array.ndim)
    return ops.to(getattr(ops, name)(masked, dims, bool(keepdim)), dtype or input.dtype)


@composite(name="masked.amax")
def masked_amax(
    input: Tensor, dim: Any = None, *, keepdim: bool | None = False, dtype: DType | None = None,
    mask: Masking | None = None,
) -> Tensor:  # fmt: skip
    """The largest elements over ``dim`` among those where ``mask`` is true."""
    return _extreme("amax", input, dim, keepdim, dtype, mask)


@composite(name="masked.amin")
def masked_amin(
    input: Tensor, dim: Any = None, *, keepdim: bool | None = False, dtype: DType | None = None,
    mask: Masking | None = None,
) -> Tensor:  # fmt: skip
    """The smallest elements over ``dim`` among those where ``mask`` is true."""
    return _extreme("amin", input, dim, keepdim, dtype, mask)


@composite(name="masked.argmax")
def masked_argmax(
    input: Tensor, dim: int | None = None, *, keepdim: bool | None = False, dtype: DType | None = None,
    mask: Masking | None = None,
) -> Tensor:  # fmt: skip
    """Where along ``dim`` the largest element is among those where ``mask`` is true; of the dtype of ``input``."""
    return ops.to(ops.argmax(filled("argmax", input, mask), dim, bool(keepdim)), dtype or input.dtype)


@composite(name="masked.argmin")
def masked_argmin(
    input: Tensor, dim: int | None = None, *, keepdim: bool | None = False, dtype: DType | None = None,
    mask: Masking | None = None,
) -> Tensor:  # fmt: skip
    """Where along ``dim`` the smallest element is among those where ``mask`` is true; of the dtype of ``input``."""
    return ops.to(ops.argmin(filled("argmin", input, mask), dim, bool(keepdim)), dtype or input.dtype)


@composite(name="masked.median")
def masked_median(
    input: Tensor, dim: Any = -1, *, keepdim: bool = False, dtype: DType | None = None, mask: Masking | None = None
) -> Tensor:
    """The medians along ``dim``, of two the lower, of the elements where ``mask`` is true and that are not NaN."""
    dims = canonical_dims(dim, input.array.ndim)
    is_floating = input.dtype.category == FLOATING
    numbers = input if is_floating else ops.to(input, dtypes.float32)
    result: Tensor = ops.nanmedian(filled("median", numbers, mask), dims[0] if dims else 0, keepdim)[0]
    if is_floating:
        return result
    if np.isnan(read(result)).any():
        raise ArgumentValueError("masked median expects no fully masked out rows if dtype is not floating point")
    return ops.to(result, dtype or input.dtype)


@composite(name="masked.logsumexp")
def masked_logsumexp(
    input: Tensor, dim: Any = None, *, keepdim: bool = False, dtype: DType | None = None, mask: Masking | None = None
) -> Tensor:
    """The logarithm of the sum over ``dim`` of the exponentials of the elements where ``mask`` is true."""
    dims = canonical_dims(dim, input.array.ndim)
    return ops.to(ops.logsumexp(filled("logsumexp", input, mask), dims, keepdim), dtype or input.dtype)


@composite(name="masked.logaddexp")
def masked_logaddexp(
    input: Tensor, other: Tensor, *, dtype: DType | None = None, input_mask: Masking | None = None,
    other_mask: Masking | None = None,
) -> Tensor:  # fmt: skip
    """The logarithm of the sum of the exponentials of both; what is masked out adds nothing."""
    first, second = filled("logaddexp", input, input_mask), filled("logaddexp", other, other_mask)
    return ops.to(ops.logaddexp(first, second), dtype or input.dtype)


@composite(name="masked.norm")
def masked_norm(
    input: Tensor, ord: Any = 2.0, dim: Any = None, *, keepdim: bool | None = False, dtype: DType | None = None,
    mask: Masking | None = None,
) -> Tensor:  # fmt: skip
    """The ``ord``-norms over ``dim`` of the elements where ``mask`` is true."""
    masked = filled("norm", input, mask, ord)
    dims = canonical_dims(dim, input.array.ndim)
    return ops.vector_norm(masked, ord, dims, bool(keepdim), dtype=dtype or input.dtype)


# -- mean and variance --------------------------------------------------------------------------------------------
def _counted(input: Tensor, dim: Any, keepdim: bool | None, mask: Tensor | None) -> tuple[Tensor, Tensor | None]:
    """How many elements count in each place of a result, and the mask in the shape of ``input``."""
    if mask is not None:
        inside = canonical_mask(input, mask)
        return ops.sum(inside, dim, bool(keepdim)), inside
    dims = canonical_dims(dim, input.array.ndim)
    shape = input.array.shape
    size = kept_shape(shape, dims) if keepdim else tuple([one for axis, one in enumerate(shape) if axis not in dims])
    return ops.full(size, product([shape[axis] for axis in dims if shape]), dtype=dtypes.int64), None


@composite(name="masked.mean")
def masked_mean(
    input: Tensor, dim: Any = None, *, keepdim: bool | None = False, dtype: DType | None = None,
    mask: Masking | None = None,
) -> Tensor:  # fmt: skip
    """The means over ``dim`` of the elements where ``mask`` is true."""
    target = dtype or input.dtype
    if target.category < FLOATING:
        source = "Input" if dtype is None else "Optional"
        raise ArgumentValueError(
            f"mean(): Could not infer output dtype. {source} dtype must be either a floating point or complex dtype. "
            f"Got: {target}"
        )
    count, inside = _counted(input, dim, keepdim, mask)
    return ops.div(_total(input, dim, keepdim, target, inside), count)


def _variance(
    input: Tensor, dim: Any, unbiased: bool | None, correction: Any, keepdim: bool | None, dtype: DType | None,
    mask: Tensor | None,
) -> Tensor:  # fmt: skip
    if unbiased is not None and correction is not None:
        raise AssertedError("Only one of unbiased and correction may be given")
    if correction is None:
        correction = 1.0 if unbiased is None or unbiased else 0.0
    target = dtype or (dtypes.float32 if input.dtype.category < FLOATING else input.dtype)
    inner = dtypes.float32 if target.category < FLOATING else target
    count, inside = _counted(input, dim, True, mask)
    mean = ops.div(_total(input, dim, True, target, inside), count)
    deviation = ops.sub(input, mean)
    total = _total(ops.mul(deviation, ops.conj(deviation)), dim, keepdim, inner, inside)
    if not keepdim:
        count = ops.reshape(count, total.array.shape)
    if correction != 0:
        count = ops.sub(ops.to(count, dtypes.to_real(inner)), float(correction))
        count = ops.maximum(count, ops.zeros((), dtype=count.dtype))
    return ops.to(ops.div(total, count), target)


@composite(name="masked.var")
def masked_var(
    input: Tensor, dim: Any = None, unbiased: bool | None = None, *, correction: Any = None,
    keepdim: bool | None = False, dtype: DType | None = None, mask: Masking | None = None,
) -> Tensor:  # fmt: skip
    """The variances over ``dim`` of the elements where ``mask`` is true, with ``correction`` degrees of freedom less.

    Of complex numbers they are complex, with imaginary part 0.
    """
    return _variance(input, dim, unbiased, correction, keepdim, dtype, mask)


@composite(name="masked.std")
def masked_std(
    input: Tensor, dim: Any = None, unbiased: bool | None = None, *, correction: Any = None,
    keepdim: bool | None = False, dtype: DType | None = None, mask: Masking | None = None,
) -> Tensor:  # fmt: skip
    """The roots of ``masked.var``."""
    return ops.sqrt(_variance(input, dim, unbiased, correction, keepdim, dtype, mask))
