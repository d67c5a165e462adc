"""Windows of few elements by remembered indices, where laying them out takes more calls than it is worth.

Each place that a tap sees is one index into a flat array; what is in the padding, or between windows, is behind its
last element, where there is a zero.
"""

from __future__ import annotations

from functools import lru_cache
from math import prod
from typing import Any, TypeAlias

import numpy as np

Array: TypeAlias = np.ndarray[Any, Any]
Ints: TypeAlias = tuple[int, ...]
Steps: TypeAlias = tuple[Ints, Ints, Ints]  # stride, padding, dilation

FEW = 2**16  # elements of windows
SHORT, KNOWN = 2**13, 128  # indices that are remembered together, and how many of these


def is_worth(batch: int, channels: int, taps: int, extents: Ints, counts: Ints) -> bool:
    """Whether indices are quicker, for windows of ``extents`` and for their adjoint."""
    largest = taps * max(prod(extents), prod(counts))
    return 0 < largest <= SHORT and 0 < batch * channels * largest <= FEW


def most_taken(batch: int, channels: int, taps: int, extent: int) -> int:
    """An upper bound of the elements that this takes, indices too, for windows or places of up to ``extent``."""
    largest = taps * extent
    return 3 * min(FEW, batch * channels * largest) + 8 * min(SHORT, largest)


@lru_cache(KNOWN)
def seen(extents: Ints, kernel: Ints, counts: Ints, steps: Steps) -> Array:
    """``(taps, windows)``: the places in an input of ``extents`` that each window sees."""
    return _joined(extents, kernel, counts, steps, lambda count, stride, offset: count * stride + offset)


@lru_cache(KNOWN)
def _seeing(extents: Ints, kernel: Ints, counts: Ints, steps: Steps) -> Array:
    """``(taps, places)``: the windows that see each place of an input by this tap."""

    def window(place: Array, stride: int, offset: Array) -> Array:
        away = place - offset
        return np.where(away % stride == 0, away // stride, -1)

    return _joined(counts, kernel, extents, steps, window)


def _joined(sources: Ints, kernel: Ints, targets: Ints, steps: Steps, source: Any) -> Array:
    """Flat indices into ``sources`` for each tap and target, made of those along each dimension."""
    flat: Any = np.zeros((1, 1), np.int64)
    inside: Any = np.ones((1, 1), bool)
    for extent, taps, count, stride, pad, apart in zip(sources, kernel, targets, *steps, strict=True):
        place = source(np.arange(count)[None, :], stride, np.arange(taps)[:, None] * apart - pad)
        fits = (place >= 0) & (place < extent)
        shape = (len(flat) * taps, flat.shape[1] * count)
        flat = (flat[:, None, :, None] * extent + place[None, :, None, :]).reshape(shape)
        inside = (inside[:, None, :, None] & fits[None, :, None, :]).reshape(shape)
    return np.where(inside, flat, prod(sources))


def _gathered(array: Array, groups: int, places: Array) -> Array:
    """``(batch, groups, channels * taps, windows)`` of ``(batch, channels, *extents)``."""
    batch, channels = array.shape[:2]
    found = taken(array.reshape(batch * channels, -1), places, 0)
    return found.reshape(batch, groups, channels // groups * len(places), places.shape[1])


def taken(planes: Array, places: Array, value: Any) -> Array:
    """The elements of each plane at ``places``, with ``value`` behind the last one."""
    wide = np.empty((len(planes), planes.shape[1] + 1), planes.dtype)
    wide[:, :-1] = planes
    wide[:, -1] = value
    return wide.take(places, 1)


def output(input: Array, weight: Array, counts: Ints, steps: Steps, groups: int) -> Array:
    """The convolution of ``input``."""
    columns = _gathered(input, groups, seen(input.shape[2:], weight.shape[2:], counts, steps))
    matrix = weight.reshape(groups, weight.shape[0] // groups, prod(weight.shape[1:]))
    found: Array = np.matmul(matrix, columns)
    return found.reshape(input.shape[0], weight.shape[0], *counts)


def input_of(grad: Array, weight: Array, extents: Ints, steps: Steps, groups: int) -> Array:
    """The adjoint of ``output`` in its input."""
    columns = _gathered(grad, groups, _seeing(extents, weight.shape[2:], grad.shape[2:], steps))
    outputs, channels = weight.shape[0] // groups, weight.shape[1]
    taps = prod(weight.shape[2:])
    turned = weight.reshape(groups, outputs, channels, taps).swapaxes(1, 2)
    matrix = turned.reshape(groups, channels, outputs * taps)
    found: Array = np.matmul(matrix, columns)
    return found.reshape(grad.shape[0], groups * channels, *extents)


def weight_of(grad: Array, input: Array, kernel: Ints, steps: Steps, groups: int) -> Array:
    """The adjoint of ``output`` in its weight."""
    batch, outputs = grad.shape[:2]
    columns = _gathered(input, groups, seen(input.shape[2:], kernel, grad.shape[2:], steps))
    flat = grad.reshape(batch, groups, outputs // groups, prod(grad.shape[2:]))
    total: Array = np.matmul(_of_all(flat), _of_all(columns).swapaxes(1, 2))
    return total.reshape(outputs, input.shape[1] // groups, *kernel)


def _of_all(array: Array) -> Array:
    """``(groups, rows, batch * windows)`` of ``(batch, groups, rows, windows)``."""
    if len(array) == 1:
        return array[0]  # type: ignore[no-any-return]
    return array.transpose(1, 2, 0, 3).reshape(*array.shape[1:3], len(array) * array.shape[3])
