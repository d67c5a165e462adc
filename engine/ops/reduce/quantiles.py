"""Quantiles, by interpolation between neighbours in sorted order."""

from __future__ import annotations

from typing import Any

import numpy as np

from engine import dtypes, ops
from engine.errors import OpError
from engine.op import Dim, Real, composite, wrap_dim
from engine.tensor import Tensor, from_array, read

INTERPOLATIONS = ("linear", "lower", "higher", "midpoint", "nearest")


def _check_quantile(input: Tensor, q: Tensor, interpolation: str) -> None:
    if input.array.size == 0:
        raise OpError("quantile() input tensor must be non-empty")
    if q.array.ndim > 1:
        raise OpError("quantile() q must be a scalar or 1D tensor")
    if input.dtype not in (dtypes.float32, dtypes.float64):
        raise OpError("quantile() input tensor must be either float or double dtype")
    if q.dtype is not input.dtype:
        raise OpError("quantile() q tensor must be same dtype as the input tensor")
    if interpolation not in INTERPOLATIONS:
        raise OpError(
            "quantile() interpolation must be one of linear, lower, higher, midpoint or nearest, but got "
            f"{interpolation}"
        )
    if not np.all((read(q) >= 0) & (read(q) <= 1)):
        raise OpError("quantile() q values must be in the range [0, 1]")


def _as_tensor(input: Tensor, q: Any) -> Tensor:
    """``q`` as a tensor of the dtype of ``input``."""
    if isinstance(q, Tensor):
        return q
    if not 0 <= q <= 1:
        raise OpError(f"quantile() q must be in the range [0, 1] but got {q:g}")
    return from_array(np.array(q, input.array.dtype))


def _sorted_rows(input: Tensor, axis: int | None, keepdim: bool) -> Any:
    """What is reduced over, sorted, as the last dimension behind those of the result."""
    if axis is None or input.array.ndim == 0:
        ordered = ops.sort(ops.flatten(input))[0]
        return ops.view(ordered, [1] * input.array.ndim + [-1]) if keepdim else ordered
    ordered = ops.sort(ops.transpose(ops.unsqueeze(input, -1), axis, -1))[0]
    return ordered if keepdim else ops.squeeze_dim(ordered, axis)


def _ranks(ordered: Any, q: Any, skips_nan: bool) -> Any:
    """The places of the quantiles in sorted order, between 0 and the last; the last, NaN, if there is a NaN."""
    missing = ops.isnan(ordered.detach())
    if skips_nan:
        known = ops.sum_dim(ops.logical_not(missing), -1, True)
        ranks = q * (known - 1)
        return ranks.masked_fill(ranks < 0, 0)
    last = ordered.array.shape[-1] - 1
    ranks, has_nan = ops.broadcast_tensors(q * last, ops.any(missing, -1, True))
    return ranks.masked_fill(has_nan, last)


_ROUNDED = {"lower": "floor", "higher": "ceil", "nearest": "round"}


def _interpolated(ordered: Any, ranks: Any, interpolation: str) -> Any:
    if interpolation in _ROUNDED:
        ranks = getattr(ops, _ROUNDED[interpolation])(ranks)
    below = ops.cast(ranks.detach(), dtypes.int64)
    values = ops.gather(ordered, -1, below)
    if interpolation in _ROUNDED:
        return values
    above = ops.cast(ops.ceil(ranks.detach()), dtypes.int64)
    weights = ops.full_like(ranks, 0.5) if interpolation == "midpoint" else ranks - below
    return ops.lerp(values, ops.gather(ordered, -1, above), weights)


def _quantile(input: Tensor, q: Any, dim: int | None, keepdim: bool, interpolation: str, skips_nan: bool) -> Any:
    fractions = _as_tensor(input, q)
    _check_quantile(input, fractions, interpolation)
    axis = None if dim is None else wrap_dim(dim, input.array.ndim)
    ordered = _sorted_rows(input, axis, keepdim)
    values = _interpolated(ordered, _ranks(ordered, fractions, skips_nan), interpolation)
    if fractions.array.ndim:
        values = ops.transpose.inplace(ops.unsqueeze.inplace(values, 0), 0, -1)
    return ops.squeeze_dim.inplace(values, -1)


@composite
def quantile(
    input: Tensor, q: Real, dim: Dim | None = None, keepdim: bool = False, *, interpolation: str = "linear"
) -> Any:
    """The ``q``-th quantiles over ``dim``, in a new first dimension if ``q`` has one; NaN where an element is."""
    return _quantile(input, q, dim, keepdim, interpolation, False)


@composite
def nanquantile(
    input: Tensor, q: Real, dim: Dim | None = None, keepdim: bool = False, *, interpolation: str = "linear"
) -> Any:
    """The ``q``-th quantiles over ``dim`` of the elements that are not NaN."""
    return _quantile(input, q, dim, keepdim, interpolation, True)
