"""Windows that slide over the last dimensions of arrays: how many there are, all of them as a view, sums over them.

Convolutions, pooling and unfolding share these. A window has ``kernel`` taps along each dimension, ``dilation`` apart;
windows are ``stride`` apart.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from math import prod
from typing import Any

import numpy as np
from numpy.lib.stride_tricks import as_strided

Array = np.ndarray[Any, Any]
Sizes = Sequence[int]


def span(kernel: int, dilation: int) -> int:
    """From the first tap of a window to its last, both counted."""
    return dilation * (kernel - 1) + 1


def reach(counts: Sizes, kernel: Sizes, stride: Sizes, dilation: Sizes) -> tuple[int, ...]:
    """The extents that so many windows cover."""
    return tuple(
        (count - 1) * step + span(taps, apart)
        for count, taps, step, apart in zip(counts, kernel, stride, dilation, strict=True)
    )


def count(extents: Sizes, kernel: Sizes, stride: Sizes, padding: Sizes, dilation: Sizes) -> tuple[int, ...]:
    """How many windows there are along each dimension, with ``padding`` on both sides."""
    return tuple(
        (extent + 2 * pad - span(taps, apart)) // step + 1
        for extent, taps, step, pad, apart in zip(extents, kernel, stride, padding, dilation, strict=True)
    )


def framed(array: Array, before: Sizes, extents: Sizes, value: Any = 0) -> Array:
    """``array`` with its last dimensions in a frame of ``value``: ``before`` in front, ``extents`` in all.

    What stands out at the end is cut off; an array that is as large already is not copied.
    """
    own = array.shape[-len(extents) :]
    if not any(before) and own == tuple(extents):
        return array
    frame = np.full((*array.shape[: -len(extents)], *extents), value, array.dtype)
    kept: Any = [slice(0, max(min(e, total - pad), 0)) for e, total, pad in zip(own, extents, before, strict=True)]
    places: Any = [slice(pad, pad + one.stop) for pad, one in zip(before, kept, strict=True)]
    frame[(Ellipsis, *places)] = array[(Ellipsis, *kept)]
    return frame


def windows(array: Array, counts: Sizes, kernel: Sizes, stride: Sizes, dilation: Sizes) -> Array:
    """A view ``(*lead, *kernel, *counts)`` of ``array``, whose last dimensions all windows fit into."""
    ndim = len(kernel)
    own = array.strides[-ndim:]
    taps = [step * apart for step, apart in zip(own, dilation, strict=True)]
    steps = [step * along for step, along in zip(own, stride, strict=True)]
    shape = (*array.shape[:-ndim], *kernel, *counts)
    if not prod(shape):
        return np.empty(shape, array.dtype)
    return as_strided(array, shape, (*array.strides[:-ndim], *taps, *steps), writeable=False)


def each_tap(
    counts: Sizes, kernel: Sizes, stride: Sizes, dilation: Sizes
) -> Iterator[tuple[tuple[int, ...], tuple[slice, ...]]]:
    """Every tap, in order, and where all windows have it."""
    for tap in np.ndindex(*kernel):
        yield (
            tap,
            tuple(
                slice(place * apart, place * apart + step * (number - 1) + 1, step)
                for place, apart, step, number in zip(tap, dilation, stride, counts, strict=True)
            ),
        )


def add_windows(total: Any, parts: Any, kernel: Sizes, stride: Sizes, dilation: Sizes) -> None:
    """Add ``parts``, shaped as ``windows`` of ``total`` are, to what they would be a view of.

    It goes tap by tap, or window by window if there are fewer of these.
    """
    ndim = len(kernel)
    counts = parts.shape[-ndim:]
    if prod(kernel) <= prod(counts):
        for tap, places in each_tap(counts, kernel, stride, dilation):
            total[(..., *places)] += parts[(..., *tap, *(slice(None),) * ndim)]
    else:
        for window, places in each_tap(kernel, counts, dilation, stride):
            total[(..., *places)] += parts[(..., *window)]


def pooled(
    extents: Sizes, kernel: Sizes, stride: Sizes, padding: Sizes, dilation: Sizes, ceil_mode: bool
) -> tuple[int, ...]:
    """``count`` as pooling has it: in ``ceil_mode`` the last window may stand out, if it begins inside."""
    counts = []
    for extent, taps, step, pad, apart in zip(extents, kernel, stride, padding, dilation, strict=True):
        room = extent + 2 * pad - span(taps, apart)
        number = (-(-room // step) if ceil_mode else room // step) + 1
        counts.append(number - (ceil_mode and (number - 1) * step >= extent + pad))
    return tuple(counts)


def adaptive(extent: int, number: int) -> tuple[Array, Array]:
    """Where ``number`` windows begin and end that share an extent evenly."""
    places = np.arange(number)
    return places * extent // max(number, 1), -(-(places + 1) * extent // max(number, 1))
