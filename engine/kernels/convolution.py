"""Convolution as matrix products: the map and its two adjoints, each bilinear in what the other two give and take.

``input`` is ``(batch, channels, *extents)``, ``weight`` ``(outputs, channels / groups, *kernel)``, ``output``
``(batch, outputs, *counts)``. Windows are laid out as columns, for as many samples at a time as the cache holds.
"""

from __future__ import annotations

from collections.abc import Iterator
from math import prod
from typing import Any, NamedTuple

import numpy as np

from engine.kernels import depthwise, windows

Array = np.ndarray[Any, Any]
COLUMNS = 2**18  # elements of windows laid out at a time; more, if one sample has more


class Geometry(NamedTuple):
    """How windows lie, and in how many groups channels are kept apart."""

    stride: tuple[int, ...]
    padding: tuple[int, ...]
    dilation: tuple[int, ...]
    groups: int


def _frame(counts: Any, kernel: Any, geometry: Geometry) -> tuple[int, ...]:
    return windows.reach(counts, kernel, geometry.stride, geometry.dilation)


def column_size(channels: int, counts: Any, kernel: Any, batch: int) -> int:
    """How many elements of windows are laid out at a time."""
    one: int = channels * prod(kernel) * prod(counts)
    return min(max(COLUMNS, one), one * batch)


def _pieces(batch: int, one: int) -> Iterator[slice]:
    """The batch in pieces that fit into the cache, of ``one`` element for each sample."""
    step = max(1, COLUMNS // max(one, 1))
    return (slice(start, start + step) for start in range(0, batch, step))


def _columns(frame: Array, counts: Any, kernel: Any, geometry: Geometry) -> Array:
    """``(groups, channels * taps, batch * windows)`` of a framed input."""
    batch, channels = frame.shape[:2]
    grouped = frame.reshape(batch, geometry.groups, channels // geometry.groups, *frame.shape[2:])
    view = windows.windows(np.moveaxis(grouped, 0, 2), counts, kernel, geometry.stride, geometry.dilation)
    # the batch goes behind the taps: (groups, channels, batch, *kernel, *counts)
    ordered = np.moveaxis(view, 2, 2 + len(kernel))
    rows = channels // geometry.groups * prod(kernel)
    return ordered.reshape(geometry.groups, rows, batch * prod(counts))


def _flat(output: Array, groups: int) -> Array:
    """``(groups, outputs, batch * windows)`` of an output."""
    batch, outputs = output.shape[:2]
    extent = prod(output.shape[2:])
    grouped = np.moveaxis(output.reshape(batch, groups, outputs // groups, extent), 0, 2)
    return grouped.reshape(groups, outputs // groups, batch * extent)


def output(input: Array, weight: Array, counts: tuple[int, ...], geometry: Geometry) -> Array:
    """The convolution of ``input``, as many windows as ``counts`` says."""
    batch, kernel = input.shape[0], weight.shape[2:]
    result = np.empty((batch, weight.shape[0], *counts), input.dtype)
    frame = windows.framed(input, geometry.padding, _frame(counts, kernel, geometry))
    if _keeps_channels(weight.shape[1], counts, kernel, geometry):
        if set(geometry.stride) == {1}:
            depthwise.output(np.ascontiguousarray(frame), weight, result, geometry.dilation)
            return result
        return _depthwise(result, frame, weight, geometry)
    groups = geometry.groups
    matrix = weight.reshape(groups, weight.shape[0] // groups, prod(weight.shape[1:]))
    for piece in _pieces(batch, frame.shape[1] * prod(kernel) * prod(counts)):
        product = np.matmul(matrix, _columns(frame[piece], counts, kernel, geometry))
        target = result[piece]
        shape = (groups, matrix.shape[1], len(target), *counts)
        target.reshape(len(target), groups, matrix.shape[1], *counts)[...] = np.moveaxis(product.reshape(shape), 2, 0)
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
    frame = _frame(counts, kernel, geometry)
    needed = [max(f, pad + e) for f, pad, e in zip(frame, geometry.padding, extents, strict=True)]
    total: Any = np.zeros((batch, groups, channels, *needed), output.dtype)
    inner = tuple(slice(pad, pad + extent) for pad, extent in zip(geometry.padding, extents, strict=True))
    if set(geometry.stride) == {1} and _keeps_channels(channels, counts, kernel, geometry):
        depthwise.input_of(output, weight, total.reshape(batch, groups, *needed), geometry.dilation)
        return total[(..., *inner)].reshape(batch, groups, *extents)  # type: ignore[no-any-return]
    matrix = weight.reshape(groups, weight.shape[0] // groups, prod(weight.shape[1:])).transpose(0, 2, 1)
    for piece in _pieces(batch, groups * channels * prod(kernel) * prod(counts)):
        part = output[piece]
        columns = np.matmul(matrix, _flat(part, groups)).reshape(groups, channels, *kernel, len(part), *counts)
        ordered = np.moveaxis(columns, 2 + len(kernel), 0)
        windows.add_windows(total[piece], ordered, kernel, geometry.stride, geometry.dilation)
    result: Array = total[(..., *inner)].reshape(batch, groups * channels, *extents)
    return result


def weight_of(output: Array, input: Array, kernel: tuple[int, ...], geometry: Geometry) -> Array:
    """The adjoint of ``output`` in its weight, of extents ``kernel``."""
    batch, counts, groups = output.shape[0], output.shape[2:], geometry.groups
    frame = windows.framed(input, geometry.padding, _frame(counts, kernel, geometry))
    channels = input.shape[1] // groups
    if set(geometry.stride) == {1} and _keeps_channels(channels, counts, kernel, geometry):
        return depthwise.weight_of(output, np.ascontiguousarray(frame), kernel, geometry.dilation)
    total = np.zeros((groups, output.shape[1] // groups, channels * prod(kernel)), output.dtype)
    for piece in _pieces(batch, input.shape[1] * prod(kernel) * prod(counts)):
        columns = _columns(frame[piece], counts, kernel, geometry)
        total += np.matmul(_flat(output[piece], groups), columns.transpose(0, 2, 1))
    return total.reshape(output.shape[1], channels, *kernel)
