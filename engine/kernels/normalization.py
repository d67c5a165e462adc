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


def of_channels(
    input: Array, weight: Array | None, bias: Array | None, pooled: int, eps: float
) -> tuple[Array, Array, Array]:
    """The channels standardised, scaled and shifted; and their means and reciprocal standard deviations.

    Statistics and scales are ``(batch, groups, channels)``, with 1 where they are the same for all.
    """
    extent = input.shape[3]
    out = np.empty_like(input)
    with short_buffers(input.size):
        mean = _mean_of(add_up(input, axis=3), pooled, extent)
        squares = np.empty(input.shape[:3], input.dtype)
        for batch in _samples(input):
            part = np.subtract(input[batch], _of(mean, batch), out=out[batch])
            np.vecdot(part, part, out=squares[batch])
        rstd = 1 / np.sqrt(_mean_of(squares, pooled, extent) + input.dtype.type(eps))
        slope = rstd if weight is None else rstd * weight
        for batch in _samples(input):
            part = out[batch]
            part *= _of(slope, batch)
            if bias is not None:
                part += bias[..., None]
    return out, mean, rstd


def _of(statistic: Array, batch: slice) -> Array:
    """The part of a statistic that some samples have, before their extent."""
    return (statistic if statistic.shape[0] == 1 else statistic[batch])[..., None]


def channels_adjoint(
    grad: Array, input: Array, weight: Array | None, mean: Array, rstd: Array, pooled: int
) -> tuple[Array, Array, Array]:
    """The cotangents of input, scale and shift, the latter two as they are for each sample."""
    extent = input.shape[3]
    result = np.empty_like(input)
    sums, products = np.empty(input.shape[:3], input.dtype), np.empty(input.shape[:3], input.dtype)
    with short_buffers(input.size):
        for batch in _samples(input):
            part = np.subtract(input[batch], _of(mean, batch), out=result[batch])
            g = np.ascontiguousarray(grad[batch])
            np.vecdot(g, part, out=products[batch])
            add_up(g, axis=3, out=sums[batch])
        slope = rstd if weight is None else rstd * weight
        one, normal = (sums, products) if weight is None else (sums * weight, products * weight)
        along_one = _mean_of(one, pooled, extent) * rstd
        along_normal = _mean_of(normal, pooled, extent) * (rstd * rstd * rstd)
        for batch in _samples(input):
            part = result[batch]
            part *= _of(along_normal, batch)
            part += _of(along_one, batch)
            np.subtract(grad[batch] * _of(slope, batch), part, out=part)
    return result, products * rstd, sums
