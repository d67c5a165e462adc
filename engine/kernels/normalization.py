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


def _standardise(
    out: Array, input: Array, weight: Array | None, bias: Array | None, pooled: int, eps: Any
) -> tuple[Array, Array]:
    """Write what ``of_channels`` gives for samples that are taken together; their statistics."""
    count = input.dtype.type(max(input.shape[pooled] * input.shape[3], 1))
    mean = add_up(_sums(input), pooled, None, None, True)[..., None]
    mean /= count
    squares = np.empty(input.shape[:3], input.dtype)
    for target, source, middle, found in _samples(out, input, mean, squares):
        np.subtract(source, middle, target)
        np.vecdot(target, target, found)
    rstd = add_up(squares, pooled, None, None, True)[..., None]
    rstd /= count
    rstd += eps
    np.sqrt(rstd, rstd)
    np.reciprocal(rstd, rstd)
    slope = rstd if weight is None else rstd * weight
    for target, scale in _samples(out, slope):
        target *= scale
        if bias is not None:
            target += bias
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
        batches = ((out, input),) if pooled == 0 or not input.size else _samples(out, input)
        found = [_standardise(*batch, weight, bias, pooled, epsilon) for batch in batches]
    mean, rstd = found[0] if len(found) == 1 else map(np.concatenate, zip(*found, strict=True))
    return out, mean, rstd


def channels_adjoint(
    grad: Array, input: Array, weight: Array | None, mean: Array, rstd: Array, pooled: int
) -> tuple[Array, Array, Array]:
    """The cotangents of input, scale and shift; the latter two are ``(groups, channels)``."""
    result = np.empty(input.shape, input.dtype)
    totals = np.empty((input.shape[0], 2, *input.shape[1:3]), input.dtype)
    with short_buffers(input.size):
        together = (result, grad, input, mean, rstd, totals)
        for batch in (together,) if pooled == 0 or not input.size else _samples(*together):
            _pull_back(*batch, weight, pooled)
    by_bias, by_weight = add_up(totals, 0)
    return result, by_weight, by_bias


def _pull_back(
    result: Array, grad: Array, input: Array, mean: Array, rstd: Array, totals: Array, weight: Array | None, pooled: int
) -> None:
    """Write the cotangent of samples that are taken together, and sums over their extent.

    These are of ``grad``, and of its product with what is standardised: ``(batch, 2, groups, channels)``.
    """
    for target, source, g, middle, found in _samples(result, input, grad, mean, totals):
        flat = np.ascontiguousarray(g)
        np.subtract(source, middle, target)
        _sums(flat, found[:, 0])
        np.vecdot(flat, target, found[:, 1])
    normals = totals[:, 1]
    normals *= rstd[..., 0]
    count = input.dtype.type(max(input.shape[pooled] * input.shape[3], 1))
    slope, scaled = (rstd, totals) if weight is None else (rstd * weight, totals * weight[..., 0])
    along = add_up(scaled, pooled + (pooled > 0), None, None, True)
    along *= (rstd / count).transpose(0, 3, 1, 2)
    along_one, along_normal = along[:, 0, ..., None], along[:, 1, ..., None] * rstd
    for target, g, scale, one, normal in _samples(result, grad, slope, along_one, along_normal):
        target *= normal
        target += one
        np.subtract(g * scale, target, target)
