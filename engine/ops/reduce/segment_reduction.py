"""Reductions over segments of a dimension, of unequal lengths."""

from __future__ import annotations

from math import prod as product
from typing import Any

import numpy as np

from engine import dtypes, ops
from engine.errors import OpError, UnsupportedError
from engine.op import Array, Index, Scalar, composite, extents, primitive, wrap_dim
from engine.tensor import Tensor, read

_REDUCTIONS = {"sum": "sum", "mean": "mean", "prod": "prod", "max": "max", "min": "min", "amax": "max", "amin": "min"}
_UFUNCS: dict[str, Any] = {
    "sum": np.add, "mean": np.add, "prod": np.multiply, "max": np.maximum, "min": np.minimum,
}  # fmt: skip
_INITIAL = {"sum": 0.0, "mean": 0.0, "prod": 1.0, "max": -np.inf, "min": np.inf}


# -- which segment an element is in -------------------------------------------------------------------------------
@primitive(public=False, grows=lambda lengths, size: product(lengths.shape[:-1]) * size)
def segment_ids(lengths: Index, size: int, are_offsets: bool) -> Array:
    """The segment of each of ``size`` places, in rows; the number of segments for places that are in none."""
    bounds = lengths
    if not are_offsets:
        bounds = np.concatenate([np.zeros_like(lengths[..., :1]), np.cumsum(lengths, axis=-1)], axis=-1)
    count = bounds.shape[-1] - 1
    ids = np.full((*bounds.shape[:-1], size), count, np.int64)
    for row in np.ndindex(bounds.shape[:-1]):
        for segment in range(count):
            ids[row][bounds[row][segment] : bounds[row][segment + 1]] = segment
    return ids


def _places(ids: Array, count: int) -> Array:
    """``ids`` of all rows in one numbering, with ``count + 1`` segments a row; the last takes what is in none."""
    rows = ids.reshape(product(ids.shape[:-1]), ids.shape[-1])
    return (rows + np.arange(len(rows))[:, None] * (count + 1)).reshape(-1)


def _gather(segments: Array, ids: Array) -> Array:
    """For every element the value of its segment, 0 for none."""
    count = segments.shape[ids.ndim - 1]
    inner = segments.shape[ids.ndim :]
    rows = segments.reshape(product(ids.shape[:-1]), count, *inner)
    flat = np.concatenate([rows, np.zeros((len(rows), 1, *inner), rows.dtype)], axis=1)
    return flat.reshape(len(rows) * (count + 1), *inner)[_places(ids, count)].reshape(*ids.shape, *inner)


def _reduce(values: Array, ids: Array, count: int, ufunc: Any, initial: float) -> Array:
    """``values`` reduced into ``count`` segments a row."""
    inner = values.shape[ids.ndim :]
    rows = product(ids.shape[:-1])
    flat = np.full((rows * (count + 1), *inner), initial, values.dtype)
    ufunc.at(flat, _places(ids, count), values.reshape(ids.size, *inner))
    return flat.reshape(rows, count + 1, *inner)[:, :count].reshape(*ids.shape[:-1], count, *inner)


def _sizes(ids: Array, count: int, ndim: int, dtype: Any) -> Array:
    """How many elements each segment has, in a shape that broadcasts against the result."""
    sizes = _reduce(np.ones(ids.shape, dtype), ids, count, np.add, 0)
    return sizes.reshape(*sizes.shape, *[1] * (ndim - ids.ndim))


# -- the reduction ------------------------------------------------------------------------------------------------
@primitive(
    public=False, supports="f", kernel_name="_segment_reduce_cpu", promote="default",
    grad_fn="SegmentReduceBackward0",
    scratch=lambda data, ids, count: 3 * extents(data) * (1 + count // max((ids.shape or (1,))[-1], 1)) + 4 * count,
)  # fmt: skip
def segment_reduced(data: Array, ids: Index, reduce: str, count: int, initial: Scalar | None) -> Array:
    """``data`` reduced over the segments ``ids`` of its leading dimensions."""
    start = _INITIAL[reduce] if initial is None else initial
    result = _reduce(data, ids, count, _UFUNCS[reduce], start)
    if reduce != "mean":
        return result
    sizes = _sizes(ids, count, data.ndim, data.dtype)
    return result / (sizes if initial is None else np.maximum(sizes, 1))


segment_reduced.vjp(
    data=lambda g, data, out, ids, reduce, initial: ops.segment_reduce_backward(g, data, out, ids, reduce, initial)
)


@primitive(public=False)
def segment_reduce_backward(
    input: Array, data: Array, out: Array, ids: Index, reduce: str, initial: Scalar | None
) -> Array:
    """The cotangent of ``data``; equal extremes share. PyTorch has no derivative of this."""
    count = out.shape[ids.ndim - 1]
    g = _gather(input, ids)
    if reduce == "sum":
        return g
    if reduce == "mean":
        return g / np.maximum(_gather(_sizes(ids, count, data.ndim, data.dtype), ids), 1)
    if reduce == "prod":
        return g * _other_factors(data, ids, count) * (1 if initial is None else initial)
    found = (data == _gather(out, ids)) | np.isnan(data)
    shares = _gather(_reduce(found.astype(data.dtype), ids, count, np.add, 0), ids)
    return np.where(found, g / np.maximum(shares, 1), 0).astype(data.dtype)


def _other_factors(data: Array, ids: Array, count: int) -> Array:
    """For every element the product of the others in its segment, from the number of zeros and the product without."""
    zeros = data == 0
    product = _gather(_reduce(np.where(zeros, 1, data), ids, count, np.multiply, 1), ids)
    others = _gather(_reduce(zeros.astype(data.dtype), ids, count, np.add, 0), ids) - zeros
    return np.where(others > 0, 0, product / np.where(zeros, 1, data))


def _no_second_order(g: Any) -> Any:
    raise OpError("derivative for aten::_segment_reduce_backward is not implemented")


segment_reduce_backward.vjp(input=_no_second_order, data=_no_second_order, out=_no_second_order)


# -- the public form ----------------------------------------------------------------------------------------------
def _check_segments(data: Tensor, name: str, bounds: Tensor, axis: int) -> None:
    ndim = bounds.array.ndim
    if data.array.ndim < ndim or ndim == 0:
        raise OpError(
            f"Expected data.dim() >= {name}_value.dim() to be true, but got false.  (Could this error message be "
            "improved?  If so, please report an enhancement request to PyTorch.)"
        )
    if axis != ndim - 1:
        raise OpError(f"segment_reduce(): Expected axis to be the last dimension of {name} but got {axis}.")


def _check_lengths(data: Tensor, lengths: Tensor, axis: int) -> None:
    if not lengths.array.size:
        raise OpError(
            "min(): Expected reduction dim to be specified for input.numel() == 0. Specify the reduction dim with the "
            "'dim' argument."
        )
    if (read(lengths) < 0).any():
        raise OpError("lengths contains negative value!")
    if (read(lengths).sum(axis=-1) != data.array.shape[axis]).any():
        raise OpError(
            "segment_reduce(): Expected all rows of lengths along axis to sum to data.size(lengths.dim()-1) when "
            "!unsafe."
        )


@composite(method=False)
def segment_reduce(
    data: Tensor, reduce: str, *, lengths: Tensor | None = None, indices: Tensor | None = None,
    offsets: Tensor | None = None, axis: int = 0, unsafe: bool = False, initial: Scalar | None = None,
) -> Any:  # fmt: skip
    """The segments of ``data`` along ``axis`` reduced by ``reduce``; they are told by ``lengths`` or by ``offsets``.

    ``initial`` is where each reduction starts; ``unsafe`` leaves out the check that the lengths cover ``axis``.
    """
    axis = wrap_dim(axis, data.array.ndim)
    if reduce not in _REDUCTIONS:
        raise OpError(f"reduce argument must be either sum, prod, mean, amax or amin, got {reduce}")
    if indices is not None:
        raise OpError("segment_reduce(): indices based reduction is not supported yet.")
    bounds = lengths if offsets is None else offsets
    if bounds is None:
        raise OpError("segment_reduce(): Either lengths or offsets must be defined.")
    _check_segments(data, "lengths" if offsets is None else "offsets", bounds, axis)
    if offsets is None and not unsafe:
        _check_lengths(data, bounds, axis)
    if bounds.dtype not in (dtypes.int64, dtypes.int32):
        kernel = f"_segment_reduce_{'lengths' if offsets is None else 'offsets'}_cpu_kernel1"
        raise UnsupportedError(f"\"{kernel}\" not implemented for '{bounds.dtype.scalar_type}'")
    if (np.diff(read(bounds)) < 0).any() if offsets is not None else (read(bounds) < 0).any():
        raise OpError(
            "Expected segment_length >= 0 to be true, but got false.  (Could this error message be improved?  If so, "
            "please report an enhancement request to PyTorch.)"
        )
    ids = ops.segment_ids(bounds, data.array.shape[axis], offsets is not None)
    count = bounds.array.shape[-1] - (offsets is not None)
    return ops.segment_reduced(data, ids, _REDUCTIONS[reduce], count, initial)
