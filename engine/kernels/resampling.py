"""Weighted sums along each of the last dimensions: averages of windows and interpolation, as sparse matrices.

A *line* says what becomes of one dimension, as plain data: what is done, the extent, the extent of the result, and
numbers that this takes. Its matrix has a row for each element of the result.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import lru_cache
from math import prod
from typing import Any

import numpy as np
import scipy  # loads what is used of it when it is

from engine.kernels import windows

Array = np.ndarray[Any, Any]
Line = tuple[Any, ...]


# -- windows of equal weights -------------------------------------------------------------------------------------
def _ranges(extent: int, starts: Array, ends: Array, weights: Array) -> scipy.sparse.csr_array:
    """Rows with one weight from start to end."""
    lengths = np.maximum(ends - starts, 0)
    offsets = np.concatenate([[0], np.cumsum(lengths)])
    columns = np.arange(offsets[-1]) - np.repeat(offsets[:-1] - starts, lengths)
    return scipy.sparse.csr_array((np.repeat(weights, lengths), columns, offsets), shape=(len(starts), extent))


def _average(extent: int, count: int, taps: int, step: int, pad: int, divisor: float) -> scipy.sparse.csr_array:
    """Means of windows; ``divisor`` 0: over what is not padding, -1: over padding as well, else over the divisor."""
    starts = np.arange(count) * step - pad
    ends = np.minimum(starts + taps, extent + pad)
    inside = np.maximum(starts, 0), np.minimum(ends, extent)
    lengths = ends - starts if divisor == -1 else inside[1] - inside[0]
    weights = 1 / lengths if divisor in (0, -1) else np.full(count, 1 / divisor)
    return _ranges(extent, *inside, weights)


def _adaptive(extent: int, count: int) -> scipy.sparse.csr_array:
    """Means of windows that share an extent evenly."""
    starts, ends = windows.adaptive(extent, count)
    return _ranges(extent, starts, ends, 1 / np.maximum(ends - starts, 1))


# -- interpolation ------------------------------------------------------------------------------------------------
def _step(extent: int, count: int, scale: float) -> float:
    """From one element of the result to the next; ``scale`` 0 is that of the extents."""
    return 1 / scale if scale > 0 else extent / count


def _listed(extent: int, columns: Sequence[Array], weights: Sequence[Any]) -> scipy.sparse.csr_array:
    """Rows of as many elements as there are ``columns``; what is outside counts for the edge."""
    count = len(columns[0])
    inside = np.clip(np.stack(columns, 1), 0, extent - 1)
    shares = np.stack([np.broadcast_to(weight, (count,)) for weight in weights], 1)
    offsets = np.arange(count + 1) * len(columns)
    return scipy.sparse.csr_array((shares.reshape(-1), inside.reshape(-1), offsets), shape=(count, extent))


def _nearest(extent: int, count: int, scale: float, exact: bool) -> scipy.sparse.csr_array:
    step, places = _step(extent, count, scale), np.arange(count)
    sources = np.maximum((places + 0.5) * step - 0.5, 0) + 0.5 if exact else places * step
    return _listed(extent, [np.floor(sources.astype(np.float32)).astype(np.int64)], [1.0])  # as PyTorch rounds it


def _sources(extent: int, count: int, scale: float, align: bool) -> Array:
    """Where elements of the result lie among those of the input; with ``align`` ends meet ends."""
    if align:
        return np.arange(count) * ((extent - 1) / (count - 1) if count > 1 else 0.0)
    return (np.arange(count) + 0.5) * _step(extent, count, scale) - 0.5


def _linear(extent: int, count: int, scale: float, align: bool) -> scipy.sparse.csr_array:
    sources = np.maximum(_sources(extent, count, scale, align), 0)
    if extent == count:
        sources = np.arange(count, dtype=np.float64)
    first = np.minimum(sources.astype(np.int64), extent - 1)
    share = np.clip(sources - first, 0, 1)
    return _listed(extent, [first, first + 1], [1 - share, share])


def _cubic_weights(distance: Array, a: float) -> Array:
    """The convolution kernel of Keys (1981, eq. 4), with the parameter ``a``."""
    x = np.abs(distance)
    near, far = ((a + 2) * x - (a + 3)) * x * x + 1, ((x - 5) * x + 8) * x * a - 4 * a
    return np.where(x < 1, near, np.where(x < 2, far, 0.0))


def _cubic(extent: int, count: int, scale: float, align: bool) -> scipy.sparse.csr_array:
    sources = _sources(extent, count, scale, align)
    first = np.floor(sources).astype(np.int64)
    taps = [first + tap for tap in range(-1, 3)]
    return _listed(extent, taps, [_cubic_weights(sources - tap, -0.75) for tap in taps])


# -- interpolation after a filter that lets nothing pass that the result cannot show ------------------------------
_FILTERS: dict[str, tuple[float, Callable[[Array], Array]]] = {
    "linear": (1.0, lambda x: np.maximum(1 - np.abs(x), 0)),
    "cubic": (2.0, lambda x: _cubic_weights(x, -0.5)),
    "lanczos": (3.0, lambda x: np.where(np.abs(x) < 3, np.sinc(x) * np.sinc(x / 3), 0.0)),
}


def _filtered(extent: int, count: int, scale: float, align: bool, name: str) -> scipy.sparse.csr_array:
    step = _filter_step(extent, count, scale, align)
    radius, weigh = _FILTERS[name]
    stretch = max(step, 1.0)
    centres = (np.arange(count) + 0.5) * step
    starts = np.maximum((centres - radius * stretch + 0.5).astype(np.int64), 0)
    ends = np.minimum((centres + radius * stretch + 0.5).astype(np.int64), extent)
    matrix = _ranges(extent, starts, ends, np.zeros(count))
    rows = np.repeat(np.arange(count), np.diff(matrix.indptr))
    weights = weigh((matrix.indices - centres[rows] + 0.5) / stretch)
    totals = np.bincount(rows, weights, count)
    matrix.data = weights / np.where(totals == 0, 1, totals)[rows]
    return matrix


def _filter_step(extent: int, count: int, scale: float, align: bool) -> float:
    if align:
        return (extent - 1) / (count - 1) if count > 1 else 0.0
    return _step(extent, count, scale)


_MATRICES: dict[str, Callable[..., scipy.sparse.csr_array]] = {
    "average": _average, "adaptive": _adaptive, "nearest": _nearest, "linear": _linear, "cubic": _cubic,
    "filtered": _filtered,
}  # fmt: skip


def taps(line: Line) -> int:
    """About how many elements the matrix of a line has."""
    kind, extent, count, *rest = line
    if kind == "average":
        return int(count * rest[0])
    if kind == "adaptive":
        return int(extent + 2 * count)
    if kind == "filtered":
        step = max(_filter_step(extent, count, rest[0], rest[1]), 1.0)
        return int(count * (2 * _FILTERS[rest[2]][0] * step + 2))
    return int(count * {"nearest": 1, "linear": 2}.get(kind, 4))


def matrix_of(line: Line, dtype: np.dtype[Any]) -> scipy.sparse.csr_array:
    """The matrix of a line."""
    kind, *numbers = line
    matrix = _MATRICES[kind](*numbers)
    return scipy.sparse.csr_array((matrix.data.astype(dtype), matrix.indices, matrix.indptr), shape=matrix.shape)


SPARSE = 64  # a product with a dense matrix that has so many zeros for each weight takes as long as one without them
SMALL, KNOWN = 2**14, 128  # elements of matrices that are remembered, and how many of them


def is_dense(line: Line) -> bool:
    """Whether the matrix of a line is applied with its zeros."""
    return int(line[1] * line[2]) <= SPARSE * taps(line)


def _with_zeros(line: Line, dtype: np.dtype[Any]) -> Array:
    return matrix_of(line, dtype).toarray()


_remembered = lru_cache(KNOWN)(_with_zeros)


def apply(array: Array, lines: Sequence[Line], adjoint: bool = False) -> Array:
    """The sums that ``lines`` say along the last dimensions, or what is adjoint to them."""
    lead = array.shape[: array.ndim - len(lines)]
    counts = [line[1] if adjoint else line[2] for line in lines]
    if not array.size or not prod(counts):
        return np.zeros((*lead, *counts), array.dtype)
    if array.dtype.kind == "f" and all(map(is_dense, lines)):
        result = _dense(array, lines, adjoint).reshape(*lead, *counts)
        if np.isfinite(result).all():
            return result
        # else what is not finite may have met a zero, and only its own sums are to show it
    return _sparse(array, lines, adjoint).reshape(*lead, *counts)


def _dense(array: Array, lines: Sequence[Line], adjoint: bool) -> Array:
    """By a dense matrix for each dimension."""
    ndim = len(lines)
    extents, done = array.shape[array.ndim - ndim :], array.size // prod(array.shape[array.ndim - ndim :])
    for place, line in enumerate(lines):
        matrix = (_remembered if line[1] * line[2] <= SMALL else _with_zeros)(line, array.dtype)
        later = prod(extents[place + 1 :])
        if later == 1:
            array = array.reshape(-1, extents[place]) @ (matrix if adjoint else matrix.T)
        else:
            array = np.matmul(matrix.T if adjoint else matrix, array.reshape(done, extents[place], later))
        done *= line[1] if adjoint else line[2]
    return array


def _sparse(array: Array, lines: Sequence[Line], adjoint: bool) -> Array:
    """By a sparse matrix for each: a product leaves its dimension last, so that all have come around in the end."""
    extents = array.shape[array.ndim - len(lines) :]
    turned: Any = array.reshape(array.size // prod(extents), -1).T
    for line, extent in zip(lines, extents, strict=True):
        matrix = matrix_of(line, array.dtype)
        product = (matrix.T if adjoint else matrix) @ turned.reshape(extent, -1)
        turned = product.T
    return np.ascontiguousarray(turned)
