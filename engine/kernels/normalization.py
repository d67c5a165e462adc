"""Rows and channels standardised, then scaled and shifted, and what is adjoint to it, in few passes over memory.

``standardized = (input - mean) * rstd``. *Rows* are last dimensions and have a scale for each place in a row.
*Channels* are ``(batch, groups, channels, extent)``, have a scale for each of the two in the middle, and are
standardised together over the extent and ``pooled``: the batch (0), or the channels of a group (2).
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, TypeAlias

import numpy as np

from engine.kernels.rows import BLOCK, LONG, blocks, short_buffers, sums

Array: TypeAlias = np.ndarray[Any, Any]

add_up: Any = np.add.reduce
FAR = 4  # standard deviations: that far from zero, sums of squares lose four bits


def _scaled(values: Array, weight: Array | None, bias: Array | None) -> None:
    """Scale and shift in place."""
    if weight is not None:
        values *= weight
    if bias is not None:
        values += bias


# -- rows ---------------------------------------------------------------------------------------------------------
def _flat(extent: int, *arrays: Array) -> list[Array]:
    """``(rows, extent)``."""
    count = arrays[0].size // extent if extent else 0
    return [one.reshape(count, extent) for one in arrays]


def of_rows(
    input: Array, dims: int, weight: Array | None, bias: Array | None, eps: float
) -> tuple[Array, Array, Array]:
    """The last ``dims`` dimensions standardised, scaled and shifted; means and reciprocal standard deviations."""
    kept = input.shape[: input.ndim - dims] + (1,) * dims
    out, mean, rstd = np.empty(input.shape, input.dtype), np.empty(kept, input.dtype), np.empty(kept, input.dtype)
    extent = input.size // mean.size if mean.size else 0
    eps = input.dtype.type(eps)
    if not input.size:
        mean[...], rstd[...] = 0, 1 / np.sqrt(eps)
        return out, mean, rstd
    source, result = _flat(extent, input, out)
    means, slopes = _flat(1, mean, rstd)
    with short_buffers(input.size):
        for rows in blocks(len(source), extent):
            part, slope = result[rows], slopes[rows]
            np.subtract(source[rows], np.divide(sums(source[rows]), extent, out=means[rows]), out=part)
            np.divide(np.vecdot(part, part), extent, slope[:, 0])
            slope += eps
            np.sqrt(slope, slope)
            np.reciprocal(slope, slope)
            part *= slope
            _scaled(part, weight, bias)
    return out, mean, rstd


def rows_adjoint(
    grad: Array, input: Array, weight: Array | None, mean: Array, rstd: Array
) -> tuple[Array, Array, Array]:
    """The cotangents of input, scale and shift."""
    result = np.empty(input.shape, input.dtype)
    extent = input.size // mean.size if mean.size else 0
    by_weight, by_bias = np.zeros(extent, input.dtype), np.zeros(extent, input.dtype)
    if not input.size:
        return result, by_weight, by_bias
    along = np.ones(extent, input.dtype) if weight is None else weight
    target, grads, source = _flat(extent, result, grad, input)
    means, slopes = _flat(1, mean, rstd)
    with short_buffers(input.size):
        for rows in blocks(len(source), extent):
            g, part, slope = np.ascontiguousarray(grads[rows]), target[rows], slopes[rows, 0]
            centred = source[rows] - means[rows]
            np.multiply(g, centred, out=part)
            by_weight += slope @ part
            by_bias += np.ones(len(g), g.dtype) @ g
            centred *= (part @ along / extent * slope * slope)[:, None]
            centred += (g @ along / extent)[:, None]
            np.subtract(g if weight is None else np.multiply(g, weight, out=part), centred, out=part)
            part *= slopes[rows]
    return result, by_weight, by_bias


# -- channels -----------------------------------------------------------------------------------------------------
def _samples(*arrays: Array) -> Iterable[Any]:
    """The arrays for a few samples at a time; those that are the same for all samples have one."""
    first = arrays[0]
    if first.size <= BLOCK:
        return (arrays,)
    batches = blocks(len(first), first.size // len(first))
    return ([one if len(one) == 1 else one[batch] for one in arrays] for batch in batches)


def _sums(values: Array, out: Array | None = None) -> Array:
    """Those over the extent."""
    if values.size < LONG:
        return add_up(values, 3, None, out)  # type: ignore[no-any-return]
    found = sums(values.reshape(-1, values.shape[3])).reshape(values.shape[:3])
    if out is None:
        return found
    out[...] = found
    return out


def _moments(input: Array, count: Any, pooled: int) -> tuple[Array, Array] | None:
    """Means and variances from sums of elements and of their squares; none where too many digits would be lost."""
    ones, squares = np.empty(input.shape[:3], input.dtype), np.empty(input.shape[:3], input.dtype)
    for source, one, square in _samples(input, ones, squares):
        _sums(source, one)
        np.vecdot(source, source, square)
    mean, variance = [add_up(one, pooled, None, None, True)[..., None] / count for one in (ones, squares)]
    variance -= mean * mean
    return None if _are_far(mean, variance) else (mean, variance)


def _are_far(mean: Array, variance: Array) -> bool:
    """Whether some mean is ``FAR`` standard deviations from zero, or nothing is known of it."""
    return not np.logical_and.reduce(mean * mean <= FAR**2 * variance, None)


def _standardise(
    out: Array, input: Array, weight: Array | None, bias: Array | None, pooled: int, eps: Any
) -> tuple[Array, Array]:
    """Write what ``of_channels`` gives; the statistics."""
    count = input.dtype.type(max(input.shape[pooled] * input.shape[3], 1))
    moments = _moments(input, count, pooled) if input.size > BLOCK else None
    if moments is None:
        mean = add_up(_sums(input), pooled, None, None, True)[..., None]
        mean /= count
        squares = np.empty(input.shape[:3], input.dtype)
        for target, source, middle, found in _samples(out, input, mean, squares):
            np.subtract(source, middle, target)
            np.vecdot(target, target, found)
        rstd = add_up(squares, pooled, None, None, True)[..., None]
        rstd /= count
    else:
        mean, rstd = moments
    rstd += eps
    np.sqrt(rstd, rstd)
    np.reciprocal(rstd, rstd)
    slope, shift = rstd if weight is None else rstd * weight, bias
    if moments is not None:
        shift = (0 if bias is None else bias) - mean * slope
    given = out if moments is None else input
    for target, source, scale, added in _samples(out, given, slope, slope if shift is None else shift):
        np.multiply(source, scale, target)
        if shift is not None:
            target += added
    return mean, rstd


def of_channels(
    input: Array, weight: Array | None, bias: Array | None, pooled: int, eps: float
) -> tuple[Array, Array, Array]:
    """The channels standardised, scaled and shifted; and their means and reciprocal standard deviations.

    Statistics and scales are ``(batch, groups, channels, 1)``, with 1 where they are the same for all.
    """
    out = np.empty(input.shape, input.dtype)
    epsilon = input.dtype.type(eps)
    with short_buffers(input.size):
        mean, rstd = _standardise(out, input, weight, bias, pooled, epsilon)
    return out, mean, rstd


def channels_adjoint(
    grad: Array, input: Array, weight: Array | None, mean: Array, rstd: Array, pooled: int
) -> tuple[Array, Array, Array]:
    """The cotangents of input, scale and shift; the latter two are ``(groups, channels)``."""
    result = np.empty(input.shape, input.dtype)
    totals = np.empty((input.shape[0], 2, *input.shape[1:3]), input.dtype)
    is_centred = input.size <= BLOCK or _are_far(mean, 1 / (rstd * rstd))
    with short_buffers(input.size):
        _pull_back(result, np.ascontiguousarray(grad), input, mean, rstd, totals, weight, pooled, is_centred)
    by_bias, by_weight = add_up(totals[:, 0], 0), add_up(totals[:, 1], 0)  # memories of their own become gradients
    return result, by_weight, by_bias


def _pull_back(
    result: Array, grad: Array, input: Array, mean: Array, rstd: Array, totals: Array, weight: Array | None,
    pooled: int, is_centred: bool,
) -> None:  # fmt: skip
    """Write the cotangent of the input, and sums over the extent.

    These are of ``grad``, and of its product with what is standardised: ``(batch, 2, groups, channels)``.
    """
    for target, source, g, middle, found in _samples(result, input, grad, mean, totals):
        centred = np.subtract(source, middle, target) if is_centred else source
        _sums(g, found[:, 0])
        np.vecdot(g, centred, found[:, 1])
    normals = totals[:, 1]
    if not is_centred:
        normals -= totals[:, 0] * mean[..., 0]
    normals *= rstd[..., 0]
    count = input.dtype.type(max(input.shape[pooled] * input.shape[3], 1))
    slope, scaled = (rstd, totals) if weight is None else (rstd * weight, totals * weight[..., 0])
    along = add_up(scaled, pooled + (pooled > 0), None, None, True)
    along *= (rstd / count).transpose(0, 3, 1, 2)
    along_one, along_normal = along[:, 0, ..., None], along[:, 1, ..., None] * rstd
    if not is_centred:
        along_one = along_one - along_normal * mean
    given = result if is_centred else input
    for target, source, g, scale, one, normal in _samples(result, given, grad, slope, along_one, along_normal):
        np.multiply(source, normal, target)
        target += one
        np.subtract(g * scale, target, target)
