"""Convolutions that keep every channel to itself, in steps of one: sums of shifted copies of flat frames.

Rows of a frame lie behind each other, so a tap of the kernel is one offset for all windows: each product runs over all
places of a channel at once, also those between two rows, which nobody looks at. Channels go in blocks that stay in the
cache.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import product
from math import prod
from typing import Any

import numpy as np

Array = np.ndarray[Any, Any]
BLOCK = 2**15  # places at a time


def _blocks(batch: int, channels: int, extent: int) -> Iterator[tuple[slice, slice]]:
    """Samples and channels in blocks."""
    together = max(1, BLOCK // max(extent, 1))
    samples = max(1, together // max(channels, 1))
    step = min(channels, together)
    for sample in range(0, batch, samples):
        for channel in range(0, channels, step):
            yield slice(sample, sample + samples), slice(channel, channel + step)


def _offsets(frame: tuple[int, ...], kernel: tuple[int, ...], dilation: tuple[int, ...]) -> list[int]:
    """Where the taps are in a flat frame, behind the first."""
    steps = [prod(frame[dim + 1 :]) for dim in range(len(frame))]
    taps = product(*[range(extent) for extent in kernel])
    return [sum(t * apart * step for t, apart, step in zip(tap, dilation, steps, strict=True)) for tap in taps]


def _reach(frame: tuple[int, ...], counts: tuple[int, ...]) -> int:
    """How many places of a flat frame the first taps of all windows reach over."""
    steps = [prod(frame[dim + 1 :]) for dim in range(len(frame))]
    return 1 + sum((count - 1) * step for count, step in zip(counts, steps, strict=True))


def _shown(wide: Array, frame: tuple[int, ...], counts: tuple[int, ...]) -> Array:
    """The windows among the places of flat frames."""
    inside: Any = tuple(slice(count) for count in counts)
    return wide.reshape(*wide.shape[:2], *frame)[(..., *inside)]


def output(frame: Array, weight: Array, result: Array, dilation: tuple[int, ...]) -> None:
    """Write the convolution of framed channels into ``result``; channels may have several outputs each."""
    batch, channels, *extents = frame.shape
    size, counts, kernel = tuple(extents), result.shape[2:], weight.shape[2:]
    flat, each = frame.reshape(batch, channels, -1), weight.shape[0] // channels
    scales = weight.reshape(channels, each, -1)
    outputs = result.reshape(batch, channels, each, *counts)
    offsets, reach = _offsets(size, kernel, dilation), _reach(size, counts)
    for samples, own in _blocks(batch, channels, flat.shape[2]):
        source = flat[samples, own]
        total = np.empty_like(source)
        sums, part = total[..., :reach], np.empty((*source.shape[:2], reach), source.dtype)
        for number in range(each):
            scale = scales[own, number]
            np.multiply(source[..., :reach], scale[:, :1], out=sums)
            for tap, offset in enumerate(offsets[1:], 1):
                np.multiply(source[..., offset : offset + reach], scale[:, tap : tap + 1], out=part)
                sums += part
            outputs[samples, own, number] = _shown(total, size, counts)


def _spread(part: Array, frame: tuple[int, ...]) -> Array:
    """Outputs at the places of their windows in flat frames, with zeros between."""
    wide = np.zeros((*part.shape[:2], prod(frame)), part.dtype)
    _shown(wide, frame, part.shape[2:])[...] = part
    return wide


def input_of(output: Array, weight: Array, total: Array, dilation: tuple[int, ...]) -> None:
    """Add the adjoint of ``output`` in its framed input to ``total``."""
    batch, channels, *extents = total.shape
    size, counts, kernel = tuple(extents), output.shape[2:], weight.shape[2:]
    flat, each = total.reshape(batch, channels, -1), weight.shape[0] // channels
    scales = weight.reshape(channels, each, -1)
    outputs = output.reshape(batch, channels, each, *counts)
    offsets, reach = _offsets(size, kernel, dilation), _reach(size, counts)
    for samples, own in _blocks(batch, channels, flat.shape[2]):
        target = flat[samples, own]
        part = np.empty((*target.shape[:2], reach), target.dtype)
        for number in range(each):
            wide, scale = _spread(outputs[samples, own, number], size)[..., :reach], scales[own, number]
            for tap, offset in enumerate(offsets):
                np.multiply(wide, scale[:, tap : tap + 1], out=part)
                target[..., offset : offset + reach] += part


def weight_of(output: Array, frame: Array, kernel: tuple[int, ...], dilation: tuple[int, ...]) -> Array:
    """The adjoint of ``output`` in its weight: ``(outputs, 1, *kernel)``."""
    batch, channels, *extents = frame.shape
    size, counts = tuple(extents), output.shape[2:]
    flat, each = frame.reshape(batch, channels, -1), output.shape[1] // channels
    outputs = output.reshape(batch, channels, each, *counts)
    offsets, reach = _offsets(size, kernel, dilation), _reach(size, counts)
    total = np.zeros((channels, each, len(offsets)), output.dtype)
    for samples, own in _blocks(batch, channels, flat.shape[2]):
        source = flat[samples, own]
        for number in range(each):
            wide = _spread(outputs[samples, own, number], size)[..., :reach]
            for tap, offset in enumerate(offsets):
                total[own, number, tap] += np.vecdot(wide, source[..., offset : offset + reach]).sum(0)
    return total.reshape(channels * each, 1, *kernel)
