"""Histograms of one and several dimensions. Bins hold their left edge, the last one its right edge too."""

from __future__ import annotations

from collections.abc import Sequence
from math import prod
from typing import Any

import numpy as np

from engine import dtypes
from engine.errors import ArgumentTypeError, OpError, UnsupportedError
from engine.named_results import named_result
from engine.op import Array, Arrays, composite, overloaded, primitive, type_name
from engine.tensor import Tensor

_RESULT = {"outputs": ("hist", "bin_edges"), "result": named_result("histogram", "hist", "bin_edges")}


# -- edges --------------------------------------------------------------------------------------------------------
def _check_dtype(input: Array) -> None:
    if input.dtype.kind != "f":
        raise UnsupportedError(f"\"histogramdd\" not implemented for '{dtypes.of(input).scalar_type}'")


def _even_edges(points: Array, counts: Sequence[int], range: Sequence[float] | None) -> list[Array]:
    """Edges of bins of equal width, over the range or all of the points: ``(n, d)``."""
    _check_dtype(points)
    dimensions = points.shape[1]
    if range is not None and len(range) != 2 * dimensions:
        raise OpError(
            f"torch.histogramdd: for a {dimensions}-dimensional histogram range should have {2 * dimensions} elements, "
            f"but got {len(range)}"
        )
    edges = []
    for dim, count in enumerate(counts):
        if count <= 0:
            raise OpError(f"torch.histogram(): bins must be > 0, but got {count} for dimension {dim}")
        if range is not None:
            low, high = range[2 * dim : 2 * dim + 2]
        elif len(points):
            low, high = float(points[:, dim].min()), float(points[:, dim].max())
        else:
            low, high = 0.0, 1.0
        if not np.isfinite((low, high)).all():
            raise OpError(f"torch.histogramdd: dimension {dim}'s range [{low:g}, {high:g}] is not finite")
        if low > high:
            raise OpError(
                f"torch.histogramdd: min should not exceed max, but got min {low:g} max {high:g} for dimension {dim}"
            )
        low, high = (low - 0.5, high + 0.5) if low == high else (low, high)
        edges.append(np.linspace(low, high, count + 1).astype(points.dtype))
    return edges


def _check_edges(points: Array, edges: Sequence[Array]) -> None:
    _check_dtype(points)
    for dim, own in enumerate(edges):
        if own.ndim != 1:
            raise OpError(
                f"torch.histogramdd: bins tensor should have one dimension, but got {own.ndim} dimensions in the bins "
                f"tensor for dimension {dim}"
            )
        if not own.size:
            raise OpError(
                "torch.histogramdd: bins tensor should have at least 1 element, but got 0 elements in the bins tensor "
                f"for dimension {dim}"
            )
        if own.dtype != points.dtype:
            raise OpError(
                "torch.histogramdd: input tensor and bins tensors should have the same dtype, but got input with dtype "
                f"{dtypes.of(points).c_name} and bins for dimension {dim} with dtype {dtypes.of(own).c_name}"
            )


# -- counts -------------------------------------------------------------------------------------------------------
def _counted(points: Array, edges: Sequence[Array], weight: Array | None, density: bool) -> Array:
    """How much of ``weight`` is in each bin; over the volume of the bin and all there is as a ``density``."""
    if weight is not None and weight.shape != points.shape[:1]:
        raise OpError(
            "torch.histogramdd: if weight tensor is provided it should have the same shape as the input tensor "
            f"excluding its innermost dimension, but got input with shape {list(points.shape)} and weight with shape "
            f"{list(weight.shape)}"
        )
    shape = tuple([len(own) - 1 for own in edges])
    inside, places = np.ones(len(points), bool), np.zeros(len(points), np.int64)
    for column, own in zip(points.T, edges, strict=True):
        place = np.where(column == own[-1], len(own) - 2, np.searchsorted(own, column, "right") - 1)
        inside &= (column >= own[0]) & (column <= own[-1])
        places = places * (len(own) - 1) + place
    weights = None if weight is None else weight[inside]
    hist = np.bincount(places[inside], weights, prod(shape)).reshape(shape).astype(points.dtype)
    if density:
        hist /= hist.sum()
        for dim, own in enumerate(edges):
            hist /= np.diff(own).reshape([-1 if axis == dim else 1 for axis in range(len(shape))])
    return hist


def _volume(bins: Sequence[int]) -> int:
    return prod([max(count, 1) for count in bins]) + sum(bins)


@primitive(
    public=False, underivable=True, nondifferentiable=("weight",), shown_as="histogram",
    grows=lambda bins: max(bins, 0) + 1, scratch=lambda input, bins: 10 * input.size + 4 * max(bins, 0), **_RESULT,
)  # fmt: skip
def histogram_of_count(input: Array, bins: int, range: Any, weight: Array | None, density: bool) -> tuple[Array, Array]:
    """Counts in ``bins`` bins of equal width, and their edges."""
    flat = None if weight is None else weight.reshape(-1)
    edges = _even_edges(input.reshape(-1, 1), [bins], range)
    return _counted(input.reshape(-1, 1), edges, flat, density), edges[0]


@primitive(
    public=False, underivable=True, nondifferentiable=("weight",), shown_as="histogram",
    scratch=lambda input, bins: 10 * input.size + 4 * bins.size, **_RESULT,
)  # fmt: skip
def histogram_between(input: Array, bins: Array, weight: Array | None, density: bool) -> tuple[Array, Array]:
    """Counts between the edges ``bins``, and these."""
    _check_edges(input, [bins])
    flat = None if weight is None else weight.reshape(-1)
    return _counted(input.reshape(-1, 1), [bins], flat, density), bins.copy()


@overloaded(writes=False)
def histogram(
    input: Tensor, bins: Any = 100, *, range: Any = None, weight: Tensor | None = None, density: bool = False
) -> Any:
    """How many elements are in each of ``bins`` bins (a number of them, or their edges), and the edges."""
    if isinstance(bins, Tensor):
        return histogram_between, (input, bins, weight, density)
    return histogram_of_count, (input, bins, range, weight, density)


@primitive(
    public=False, underivable=True, many=True, shown_as="_histogramdd_bin_edges", grows=lambda bins: sum(bins),
    scratch=lambda input, bins: 2 * input.size + 4 * sum(bins),
)  # fmt: skip
def histogramdd_edges(input: Array, bins: Any, range: Any) -> list[Array]:
    """Edges of bins of equal width along each dimension."""
    if len(bins) != input.shape[-1]:
        raise OpError("histogramdd: The size of bins must be equal to the innermost dimension of the input.")
    return _even_edges(input.reshape(-1, input.shape[-1]), bins, range)


@primitive(
    public=False, underivable=True, nondifferentiable=("weight",), shown_as="_histogramdd_from_bin_cts",
    grows=lambda edges: _volume([own.size - 1 for own in edges]),
    scratch=lambda input, edges: 10 * input.size + 3 * _volume([own.size - 1 for own in edges]),
)  # fmt: skip
def histogramdd_counts(input: Array, edges: Arrays, weight: Array | None, density: bool) -> Array:
    """Counts of points ``(*, d)`` between edges along each dimension."""
    if len(edges) != input.shape[-1]:
        raise OpError("histogramdd: The size of bins must be equal to the innermost dimension of the input.")
    _check_edges(input, edges)
    flat = None if weight is None else weight.reshape(-1)
    return _counted(input.reshape(-1, input.shape[-1]), edges, flat, density)


_pair = named_result("histogramdd", "hist", "bin_edges")


@composite(method=False)
def histogramdd(
    input: Tensor, bins: Any, range: Any = None, weight: Tensor | None = None, density: bool = False
) -> Any:
    """How many points ``(*, d)`` are in each of a grid of bins (numbers of them, or edges), and the edges."""
    if input.array.ndim < 2:
        raise OpError("torch.histogramdd: input tensor should have at least 2 dimensions")
    dimensions = input.array.shape[-1]
    if isinstance(bins, int):
        bins = [bins] * dimensions
    if not isinstance(bins, list | tuple) or any(type(one) is not type(bins[0]) for one in bins):
        raise ArgumentTypeError(
            f"histogramdd(): bins must be an int or a list of ints or Tensors, not {type_name(bins)}"
        )
    if bins and isinstance(bins[0], Tensor):
        edges: Any = tuple(bins)
    else:
        edges = histogramdd_edges(input, tuple(bins), None if range is None else tuple(range))
    return _pair(histogramdd_counts(input, list(edges), weight, density), tuple(edges))
