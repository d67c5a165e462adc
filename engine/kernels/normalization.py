"""Rows and channels standardised, then scaled and shifted, and what is adjoint to it, in few passes over memory.

``standardized = (input - mean) * rstd``. *Rows* are last dimensions and have a scale for each place in a row.
*Channels* are ``(batch, groups, channels, extent)``, have a scale for each of the two in the middle, and are
standardised together over the extent and ``pooled``: the batch (0), or the channels of a group (2).
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, TypeAlias

import numpy as np

from engine.kernels.rows import blocks, short_buffers, sums

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
            np.divide(np.vecdot(part, part), extent, out=slope[:, 0])
            slope += eps
            np.divide(1, np.sqrt(slope, out=slope), out=slope)
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
def _mean_of(sums: Array, pooled: int, extent: int) -> Array:
    """The means over the extent and a dimension, from the sums over the extent."""
    count = max(sums.shape[pooled] * extent, 1)
    return add_up(sums, axis=pooled, keepdims=True) / sums.dtype.type(count)  # type: ignore[no-any-return]


def _samples(input: Array) -> Iterable[slice]:
    return blocks(input.shape[0], input.size // max(input.shape[0], 1))


def _together(input: Array, pooled: int) -> Iterable[slice]:
    """Samples that share statistics, or a block of those that do not."""
    return (slice(0, input.shape[0]),) if pooled == 0 else _samples(input)


def _sums(input: Array) -> Array:
    """Those over the extent."""
    return sums(input.reshape(-1, input.shape[3])).reshape(input.shape[:3]) if input.size else add_up(input, axis=3)


def of_channels(
    input: Array, weight: Array | None, bias: Array | None, pooled: int, eps: float
) -> tuple[Array, Array, Array]:
    """The channels standardised, scaled and shifted; and their means and reciprocal standard deviations.

    Statistics and scales are ``(batch, groups, channels)``, with 1 where they are the same for all.
    """
    out = np.empty(input.shape, input.dtype)
    shape = tuple([1 if dim == pooled else extent for dim, extent in enumerate(input.shape[:3])])
    mean, rstd = np.empty(shape, input.dtype), np.empty(shape, input.dtype)
    with short_buffers(input.size):
        for batch in _together(input, pooled):
            statistics = mean[batch], rstd[batch]
            _standardise(out[batch], input[batch], weight, bias, *statistics, pooled, input.dtype.type(eps))
    return out, mean, rstd


def _standardise(
    out: Array, input: Array, weight: Array | None, bias: Array | None, mean: Array, rstd: Array, pooled: int, eps: Any
) -> None:
    """Write what ``of_channels`` gives for samples that are taken together."""
    extent = input.shape[3]
    mean[...] = _mean_of(_sums(input), pooled, extent)
    squares = np.empty(input.shape[:3], input.dtype)
    for batch in _samples(input):
        part = np.subtract(input[batch], _of(mean, batch), out=out[batch])
        np.vecdot(part, part, out=squares[batch])
    np.divide(1, np.sqrt(_mean_of(squares, pooled, extent) + eps), out=rstd)
    slope = rstd if weight is None else rstd * weight
    for batch in _samples(input):
        part = out[batch]
        part *= _of(slope, batch)
        if bias is not None:
            part += bias[..., None]


def _of(statistic: Array, batch: slice) -> Array:
    """The part of a statistic that some samples have, before their extent."""
    return (statistic if statistic.shape[0] == 1 else statistic[batch])[..., None]


def channels_adjoint(
    grad: Array, input: Array, weight: Array | None, mean: Array, rstd: Array, pooled: int
) -> tuple[Array, Array, Array]:
    """The cotangents of input, scale and shift, the latter two as they are for each sample."""
    result = np.empty(input.shape, input.dtype)
    by_weight, by_bias = np.empty(input.shape[:3], input.dtype), np.empty(input.shape[:3], input.dtype)
    with short_buffers(input.size):
        for batch in _together(input, pooled):
            found = result[batch], by_weight[batch], by_bias[batch]
            _pull_back(*found, grad[batch], input[batch], weight, mean[batch], rstd[batch], pooled)
    return result, by_weight, by_bias


def _pull_back(
    result: Array, products: Array, ones: Array, grad: Array, input: Array, weight: Array | None, mean: Array,
    rstd: Array, pooled: int,
) -> None:  # fmt: skip
    """Write what ``channels_adjoint`` gives for samples that are taken together."""
    extent = input.shape[3]
    if pooled:
        grad = np.ascontiguousarray(grad)
    for batch in _samples(input):
        part, g = np.subtract(input[batch], _of(mean, batch), out=result[batch]), np.ascontiguousarray(grad[batch])
        np.vecdot(g, part, out=products[batch])
        ones[batch] = _sums(g)
    slope = rstd if weight is None else rstd * weight
    one, normal = (ones, products) if weight is None else (ones * weight, products * weight)
    along_one = _mean_of(one, pooled, extent) * rstd
    along_normal = _mean_of(normal, pooled, extent) * (rstd * rstd * rstd)
    products *= rstd
    for batch in _samples(input):
        part = result[batch]
        part *= _of(along_normal, batch)
        part += _of(along_one, batch)
        np.subtract(grad[batch] * _of(slope, batch), part, out=part)
