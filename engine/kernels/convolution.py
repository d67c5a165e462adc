"""Convolution as matrix products: the map and its two adjoints, each bilinear in what the other two give and take.

``input`` is ``(batch, channels, *extents)``, ``weight`` ``(outputs, channels / groups, *kernel)``, ``output``
``(batch, outputs, *counts)``. Windows are laid out as columns, as many at a time as the cache holds.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import product
from math import prod
from typing import Any, NamedTuple

import numpy as np
from numpy.lib.stride_tricks import as_strided

from engine.kernels import depthwise, gathered, windows

Array = np.ndarray[Any, Any]
COLUMNS = 2**18  # elements of windows laid out at a time; more, if one window has more


class Geometry(NamedTuple):
    """How windows lie, and in how many groups channels are kept apart."""

    stride: tuple[int, ...]
    padding: tuple[int, ...]
    dilation: tuple[int, ...]
    groups: int

    @property
    def steps(self) -> gathered.Steps:
        """All that is said of windows."""
        return self.stride, self.padding, self.dilation


def _frame(counts: Any, kernel: Any, geometry: Geometry) -> tuple[int, ...]:
    return windows.reach(counts, kernel, geometry.stride, geometry.dilation)


def column_size(channels: int, counts: Any, kernel: Any, batch: int) -> int:
    """How many elements of windows are laid out at a time."""
    one: int = channels * prod(kernel)
    most: int = one * prod(counts) * batch
    return min(max(COLUMNS, one), most)


class _Piece(NamedTuple):
    """Some samples and, of all windows, some along each dimension."""

    batch: slice
    windows: tuple[slice, ...]

    @property
    def counts(self) -> tuple[int, ...]:
        """How many windows there are along each dimension."""
        return tuple([one.stop - one.start for one in self.windows])

    def of(self, frame: Array, kernel: Any, geometry: Geometry) -> Array:
        """The part of a framed array that these windows see."""
        seen = zip(self.windows, kernel, geometry.stride, geometry.dilation, strict=True)
        where: Any = [
            slice(one.start * step, (one.stop - 1) * step + windows.span(taps, apart))
            for one, taps, step, apart in seen
        ]
        return frame[(self.batch, ..., *where)]


def _pieces(batch: int, counts: tuple[int, ...], one: int) -> Iterator[_Piece]:
    """All windows in pieces that fit into the cache, of ``one`` element each; of many samples or of a part of one."""
    room, steps = max(1, COLUMNS // max(one, 1)), []
    for extent in (*reversed(counts), batch):
        steps.append(max(1, min(extent, room)))
        room = room // extent if extent else 0
    if not (batch and prod(counts)):
        return
    ranges = [range(0, extent, step) for extent, step in zip((batch, *counts), reversed(steps), strict=True)]
    for starts in product(*ranges):
        part = [
            slice(start, min(start + step, extent))
            for start, step, extent in zip(starts, reversed(steps), (batch, *counts), strict=True)
        ]
        yield _Piece(part[0], tuple(part[1:]))


def _columns(frame: Array, counts: tuple[int, ...], kernel: Any, geometry: Geometry) -> Array:
    """``(groups, channels * taps, batch * windows)`` of a framed input."""
    batch, channels = frame.shape[:2]
    groups = geometry.groups
    sample, channel, *own = frame.strides
    taps = [step * apart for step, apart in zip(own, geometry.dilation, strict=True)]
    steps = [step * along for step, along in zip(own, geometry.stride, strict=True)]
    view = as_strided(frame, (channels, *kernel, batch, *counts), (channel, *taps, sample, *steps), writeable=False)
    return view.reshape(groups, channels // groups * prod(kernel), batch * prod(counts))


def _flat(output: Array, groups: int) -> Array:
    """``(groups, outputs, batch * windows)`` of an output."""
    batch, outputs = output.shape[:2]
    extent = prod(output.shape[2:])
    grouped = np.moveaxis(output.reshape(batch, groups, outputs // groups, extent), 0, 2)
    return grouped.reshape(groups, outputs // groups, batch * extent)


def output(input: Array, weight: Array, counts: tuple[int, ...], geometry: Geometry) -> Array:
    """The convolution of ``input``, as many windows as ``counts`` says."""
    batch, kernel = input.shape[0], weight.shape[2:]
    if gathered.is_worth(batch, input.shape[1], prod(kernel), input.shape[2:], counts):
        return gathered.output(input, weight, counts, geometry.steps, geometry.groups)
    result = np.empty((batch, weight.shape[0], *counts), input.dtype)
    frame = windows.framed(input, geometry.padding, _frame(counts, kernel, geometry))
    if _keeps_channels(weight.shape[1], counts, kernel, geometry):
        if set(geometry.stride) == {1}:
            depthwise.output(np.ascontiguousarray(frame), weight, result, geometry.dilation)
            return result
        return _depthwise(result, frame, weight, geometry)
    groups, each = geometry.groups, weight.shape[0] // geometry.groups
    matrix = weight.reshape(groups, each, prod(weight.shape[1:]))
    by_group = result.reshape(batch, groups, each, *counts)
    for piece in _pieces(batch, counts, frame.shape[1] * prod(kernel)):
        own = piece.counts
        found = np.matmul(matrix, _columns(piece.of(frame, kernel, geometry), own, kernel, geometry))
        target = by_group[(piece.batch, slice(None), slice(None), *piece.windows)]
        target[...] = np.moveaxis(found.reshape(groups, each, len(target), *own), 2, 0)
    return result


def _keeps_channels(channels: int, counts: Any, kernel: Any, geometry: Geometry) -> bool:
    """Whether every channel has outputs of its own; matrices of one row gain nothing then."""
    return channels == 1 and geometry.groups > 1 and 0 < prod(kernel) <= prod(counts)


def _depthwise(result: Array, frame: Any, weight: Array, geometry: Geometry) -> Array:
    """One channel a group: products tap by tap, for matrices of one row gain nothing."""
    batch, counts, kernel = result.shape[0], result.shape[2:], weight.shape[2:]
    total = result.reshape(batch, geometry.groups, weight.shape[0] // geometry.groups, *counts)
    scale: Any = weight.reshape(*total.shape[1:3], *kernel)
    total[...] = 0
    ones = (1,) * len(counts)
    for tap, places in windows.each_tap(counts, kernel, geometry.stride, geometry.dilation):
        total += frame[(..., *places)][:, :, None] * scale[(..., *tap)].reshape(*total.shape[1:3], *ones)
    return result


def input_of(output: Array, weight: Array, extents: tuple[int, ...], geometry: Geometry) -> Array:
    """The adjoint of ``output`` in its input, of ``extents``: the transposed convolution."""
    batch, counts, kernel, groups = output.shape[0], output.shape[2:], weight.shape[2:], geometry.groups
    channels = weight.shape[1]
    if gathered.is_worth(batch, output.shape[1], prod(kernel), extents, counts):
        return gathered.input_of(output, weight, extents, geometry.steps, groups)
    apart = set(geometry.stride) == {1} and _keeps_channels(channels, counts, kernel, geometry)
    few = weight.shape[0] <= 2 * groups * channels
    if not apart and few and _turned_padding(kernel, geometry) is not None:
        return _input_of_dense(output, weight, extents, geometry)
    frame = _frame(counts, kernel, geometry)
    needed = [max(f, pad + e) for f, pad, e in zip(frame, geometry.padding, extents, strict=True)]
    total: Any = np.zeros((batch, groups, channels, *needed), output.dtype)
    inner = tuple(slice(pad, pad + extent) for pad, extent in zip(geometry.padding, extents, strict=True))
    if apart:
        depthwise.input_of(output, weight, total.reshape(batch, groups, *needed), geometry.dilation)
        return total[(..., *inner)].reshape(batch, groups, *extents)  # type: ignore[no-any-return]
    matrix = weight.reshape(groups, weight.shape[0] // groups, prod(weight.shape[1:])).transpose(0, 2, 1)
    for piece in _pieces(batch, counts, groups * channels * prod(kernel)):
        part = output[(piece.batch, slice(None), *piece.windows)]
        columns = np.matmul(matrix, _flat(part, groups)).reshape(groups, channels, *kernel, len(part), *piece.counts)
        ordered = np.moveaxis(columns, 2 + len(kernel), 0)
        windows.add_windows(piece.of(total, kernel, geometry), ordered, kernel, geometry.stride, geometry.dilation)
    result: Array = total[(..., *inner)].reshape(batch, groups * channels, *extents)
    return result


def _turned_padding(kernel: Any, geometry: Geometry) -> tuple[int, ...] | None:
    """The padding with which the adjoint of a convolution in steps of one is a convolution, too, if there is one."""
    pads = [
        windows.span(taps, apart) - 1 - pad
        for taps, apart, pad in zip(kernel, geometry.dilation, geometry.padding, strict=True)
    ]
    return tuple(pads) if set(geometry.stride) == {1} and min(pads) >= 0 else None


def _input_of_dense(grad: Array, weight: Array, extents: tuple[int, ...], geometry: Geometry) -> Array:
    """``input_of`` where windows lie next to each other: the convolution with the kernels turned around."""
    kernel, groups = weight.shape[2:], geometry.groups
    by_group = weight.reshape(groups, weight.shape[0] // groups, *weight.shape[1:]).swapaxes(1, 2)
    backwards: Any = (..., *[slice(None, None, -1)] * len(kernel))
    turned: Array = by_group[backwards]
    flipped = turned.reshape(groups * weight.shape[1], weight.shape[0] // groups, *kernel)
    padding: Any = _turned_padding(kernel, geometry)
    return output(grad, flipped, extents, Geometry(geometry.stride, padding, geometry.dilation, groups))


def weight_of(output: Array, input: Array, kernel: tuple[int, ...], geometry: Geometry) -> Array:
    """The adjoint of ``output`` in its weight, of extents ``kernel``."""
    batch, counts, groups = output.shape[0], output.shape[2:], geometry.groups
    if gathered.is_worth(batch, input.shape[1], prod(kernel), input.shape[2:], counts):
        return gathered.weight_of(output, input, kernel, geometry.steps, groups)
    frame = windows.framed(input, geometry.padding, _frame(counts, kernel, geometry))
    channels = input.shape[1] // groups
    if set(geometry.stride) == {1} and _keeps_channels(channels, counts, kernel, geometry):
        return depthwise.weight_of(output, np.ascontiguousarray(frame), kernel, geometry.dilation)
    total = np.zeros((groups, channels * prod(kernel), output.shape[1] // groups), output.dtype)
    for piece in _pieces(batch, counts, input.shape[1] * prod(kernel)):
        columns = _columns(piece.of(frame, kernel, geometry), piece.counts, kernel, geometry)
        part = output[(piece.batch, slice(None), *piece.windows)]
        total += np.matmul(columns, _flat(part, groups).transpose(0, 2, 1))  # in this order twice as fast
    return np.ascontiguousarray(total.transpose(0, 2, 1)).reshape(output.shape[1], channels, *kernel)
