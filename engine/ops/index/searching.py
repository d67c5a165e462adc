"""Distinct values, counts of values, and places in sorted sequences."""

from __future__ import annotations

from math import prod as product
from typing import Any

import numpy as np

from engine import dtypes, ops
from engine.dtypes import FLOATING
from engine.errors import OpError, UnsupportedError
from engine.op import Array, Dim, Index, Scalar, composite, extents, primitive
from engine.tensor import Tensor, read


# -- distinct values ----------------------------------------------------------------------------------------------
def _no_derivative(name: str) -> Any:
    def rule(g: Any) -> Any:
        raise UnsupportedError(f"the derivative for '{name}' is not implemented.")

    return rule


def _as_matrix(input: Array, dim: int | None) -> Array:
    """What is compared, in rows: the slices along ``dim``, or the single elements."""
    if dim is None:
        return input.reshape(-1, 1)
    slices = np.moveaxis(input, dim, 0)
    return slices.reshape(len(slices), product(slices.shape[1:]))


def _starts(rows: Array) -> Array:
    """Where a row differs from the one before. NaN differs from everything."""
    different = np.ones(len(rows), np.bool_)
    different[1:] = np.any(rows[1:] != rows[:-1], axis=1)
    return different


def _distinct(input: Array, dim: int | None, order: Array | None) -> tuple[Array, Array, Array]:
    """The first of each run of equal slices, taken in ``order``, which run each slice is in, and how long it is."""
    rows = _as_matrix(input, dim)
    order = np.arange(len(rows)) if order is None else order
    starts = _starts(rows[order])
    inverse = np.empty(len(rows), np.int64)
    inverse[order] = np.cumsum(starts) - 1
    counts = np.bincount(inverse, minlength=int(np.sum(starts))).astype(np.int64)
    picked = order[starts]
    values = input.reshape(-1)[picked] if dim is None else np.take(input, picked, axis=dim)
    return values, inverse.reshape(input.shape if dim is None else -1), counts


def _check_slices(input: Array, dim: int | None) -> None:
    if dim is not None and input.size == 0 and input.shape[dim] != 0:
        raise OpError("There are 0 sized dimensions, and they aren't selected, so unique cannot be applied")


@primitive(
    public=False, outputs=("output", "inverse", "counts"), supports="bif", kernel_name="unique", promote="default",
    grad_fn="Unique2Backward0", data_dependent=True,
    scratch=3,
)  # fmt: skip
def unique_elements(input: Array) -> tuple[Array, Array, Array]:
    """The distinct elements in order."""
    return _distinct(input, None, np.argsort(input, axis=None, kind="stable"))


@primitive(
    public=False, outputs=("output", "inverse", "counts"), supports="bif", promote="default",
    grad_fn="UniqueDimBackward0", data_dependent=True,
    scratch=lambda input, dim: 6 * extents(input) + 200 * (extents(input) // max((input.shape or (1,))[dim], 1)),
)  # fmt: skip
def unique_dim(input: Array, dim: Dim) -> tuple[Array, Array, Array]:
    """The distinct slices along ``dim`` in lexicographic order."""
    _check_slices(input, dim)
    rows = _as_matrix(input, dim)
    return _distinct(input, dim, np.lexsort(rows.T[::-1]) if rows.shape[1] else np.arange(len(rows)))


@primitive(
    public=False, outputs=("output", "inverse", "counts"), supports="bif", kernel_name="unique", promote="default",
    grad_fn="UniqueConsecutiveBackward0", data_dependent=True,
    scratch=3,
)  # fmt: skip
def unique_runs(input: Array, dim: Dim | None) -> tuple[Array, Array, Array]:
    """The first of each run of equal slices along ``dim``, or of equal elements."""
    _check_slices(input, dim)
    return _distinct(input, dim, None)


unique_elements.vjp(input=_no_derivative("_unique2"))
unique_dim.vjp(input=_no_derivative("unique_dim"))
unique_runs.vjp(input=_no_derivative("unique_consecutive"))


def _asked(results: Any, return_inverse: bool, return_counts: bool) -> Any:
    output, inverse, counts = results
    extra = [*([inverse] if return_inverse else []), *([counts] if return_counts else [])]
    return (output, *extra) if extra else output


@composite
def unique(
    input: Tensor, sorted: bool = True, return_inverse: bool = False, return_counts: bool = False,
    dim: Dim | None = None,
) -> Any:  # fmt: skip
    """The distinct elements, or slices along ``dim``, in order; where each went and how often it occurred if asked."""
    results = unique_elements(input) if dim is None else unique_dim(input, dim)
    return _asked(results, return_inverse, return_counts)


@composite
def unique_consecutive(
    input: Tensor, return_inverse: bool = False, return_counts: bool = False, dim: Dim | None = None
) -> Any:
    """The first of each run of equal elements, or slices along ``dim``."""
    return _asked(unique_runs(input, dim), return_inverse, return_counts)


# -- counts -------------------------------------------------------------------------------------------------------
def _check_bincount(input: Tensor, weights: Tensor | None, minlength: int) -> None:
    array = read(input)
    if input.dtype.category >= FLOATING or input.dtype is dtypes.bool_:
        raise UnsupportedError(f"\"bincount_cpu\" not implemented for '{input.dtype.scalar_type}'")
    if minlength < 0:
        raise OpError("minlength should be >= 0")
    if array.ndim != 1 or (array.size and array.min() < 0):
        raise OpError("bincount only supports 1-d non-negative integral inputs.")
    if weights is not None and weights.array.shape != array.shape:
        raise OpError("weights should be 1-d and have the same length as input")


def _bins(input: Array, minlength: int) -> int:
    return max(int(input.max()) + 1 if input.size else 0, minlength)


@primitive(check=_check_bincount, grows=_bins, data_dependent=True)
def bincount(input: Index, weights: Index | None = None, minlength: int = 0) -> Array:
    """How often each number from 0 on occurs, or the sums of the ``weights`` of its occurrences."""
    length = _bins(input, minlength)
    if weights is None or input.size == 0:
        return np.bincount(input.astype(np.int64), minlength=length).astype(np.int64)
    dtype = np.float32 if weights.dtype == np.float32 else np.float64
    return np.bincount(input.astype(np.int64), weights, minlength=length).astype(dtype)


def _range(input: Array, low: float, high: float) -> tuple[float, float]:
    """The range of a histogram: as asked, else that of the elements, and never empty."""
    if low == high and input.size:
        low, high = float(input.min()), float(input.max())
    if low == high:
        low, high = low - 1, high + 1
    if not np.isfinite(low) or not np.isfinite(high):
        raise OpError(f"torch.histc: range of [{low:g}, {high:g}] is not finite")
    if low > high:
        raise OpError("torch.histc: max must be larger than min")
    return low, high


@primitive(
    nondifferentiable=("input",), supports="f", kernel_name="histogram_cpu", promote="default",
    grows=lambda bins: bins,
    scratch=3,
)  # fmt: skip
def histc(input: Array, bins: int = 100, min: Scalar = 0, max: Scalar = 0) -> Array:
    """How many elements fall into each of ``bins`` equal intervals between ``min`` and ``max``."""
    if bins <= 0:
        raise OpError(f"torch.histogram(): bins must be > 0, but got {bins} for dimension 0")
    low, high = _range(input, min, max)
    flat = input.reshape(-1)
    inside = flat[(flat >= low) & (flat <= high)]
    places = ((inside - low) * (bins / (high - low))).astype(np.int64)
    return np.bincount(np.minimum(places, bins - 1), minlength=bins).astype(input.dtype)


# -- places in sorted sequences -----------------------------------------------------------------------------------
def _insertion_places(rows: Array, values: Array, right: bool) -> Array:
    """The first place in each sorted row whose element is not less (``right``: greater) than each value, by bisection.

    What compares false, as NaN does, counts as less.
    """
    low = np.zeros(values.shape, np.int64)
    high = np.full(values.shape, rows.shape[-1], np.int64)
    for _ in range(int(rows.shape[-1]).bit_length()):
        middle = (low + high) // 2
        found = np.take_along_axis(rows, np.minimum(middle, rows.shape[-1] - 1), -1)
        stops = (found > values if right else found >= values) | (low >= high)
        high, low = np.where(stops & (low < high), middle, high), np.where(stops, low, middle + 1)
    return low


@primitive(
    public=False, nondifferentiable=("sequence", "values"), numbers=("values",), supports="if",
    kernel_name="searchsorted_out_cpu", promote="default",
    scratch=4,
)  # fmt: skip
def insertion_places(sequence: Array, values: Array, sorter: Index | None, right: bool, out_int32: bool) -> Array:
    """Where ``values`` would be inserted into the rows of ``sequence`` to keep them sorted."""
    rows = sequence if sorter is None else np.take_along_axis(sequence, sorter, -1)
    wanted = values.reshape(-1) if rows.ndim == 1 else values
    places = _insertion_places(rows, wanted, right).reshape(values.shape)
    return places.astype(np.int32) if out_int32 else places


def _check_sequence(sequence: Tensor, values: Any) -> None:
    shape = list(sequence.array.shape)
    if not shape:
        raise OpError("torch.searchsorted(): boundaries tensor should have positive dimension, but got 0 dimension")
    is_number = not isinstance(values, Tensor)
    if is_number and len(shape) != 1:
        raise OpError(
            "torch.searchsorted(): input value can be a scalar only when boundaries tensor dimension is 1, but we got "
            f"boundaries tensor dim({len(shape)}) and input value's dim(0) numel(1)"
        )
    if not is_number and len(shape) > 1 and list(values.array.shape[:-1]) != shape[:-1]:
        raise OpError(
            "torch.searchsorted(): boundaries tensor should be 1 dimension or the first N-1 dimensions of boundaries "
            f"tensor and input value tensor must match, but we got boundaries tensor {shape} and input value tensor "
            f"{list(values.array.shape)}"
        )


def _check_sorter(sequence: Tensor, sorter: Tensor | None) -> None:
    if sorter is None:
        return
    if sorter.array.shape != sequence.array.shape:
        raise OpError(
            "torch.searchsorted(): boundary and sorter must have the same size, but got boundary tensor "
            f"{list(sequence.array.shape)}and got sorter tensor {list(sorter.array.shape)}"
        )
    if sorter.dtype is not dtypes.int64:
        raise OpError(
            f"torch.searchsorted(): sorter must be a tensor of long dtype but got dtype {sorter.dtype.scalar_type}"
        )
    if sorter.array.size and not 0 <= read(sorter).min() <= read(sorter).max() < sequence.array.shape[-1]:
        raise OpError("torch.searchsorted(): sorter index out of range")


@composite(method=False)
def searchsorted(
    sorted_sequence: Tensor, input: Any, *, out_int32: bool = False, right: bool = False, side: str | None = None,
    sorter: Tensor | None = None,
) -> Any:  # fmt: skip
    """Where ``input`` would be inserted into the sorted rows of ``sorted_sequence``: before equal elements, or behind
    them if ``right`` is set. ``sorter`` sorts rows that are not sorted."""
    if side not in (None, "left", "right"):
        raise OpError(f"torch.searchsorted(): side can only be 'left' or 'right' but got {side}")
    if side == "left" and right:
        raise OpError(
            "torch.searchsorted(): side and right can't be set to opposites, got side of left while right was True"
        )
    _check_sequence(sorted_sequence, input)
    _check_sorter(sorted_sequence, sorter)
    return insertion_places(sorted_sequence, input, sorter, right or side == "right", out_int32)


@composite(method=False)
def bucketize(input: Any, boundaries: Tensor, *, out_int32: bool = False, right: bool = False) -> Any:
    """Which of the intervals between sorted ``boundaries`` each element falls into."""
    if boundaries.array.ndim != 1:
        raise OpError(f"boundaries tensor must be 1 dimension, but got dim({boundaries.array.ndim})")
    return ops.searchsorted(boundaries, input, out_int32=out_int32, right=right)
