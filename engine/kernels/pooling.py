"""The largest element of each window, and where it stands: of regular windows, and of others by their places.

``places`` are those in the flattened last dimensions. Of several largest elements the first counts; a NaN is largest.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from math import prod
from typing import Any

import numpy as np

from engine.kernels import gathered, windows

Array = np.ndarray[Any, Any]
Sizes = Sequence[int]
_any: Any = np.logical_or.reduce


def lowest(dtype: np.dtype[Any]) -> Any:
    """What no element of ``dtype`` is lower than."""
    return np.iinfo(dtype).min if dtype.kind in "iu" else -np.inf


def _first_inside(count: int, stride: int, padding: int, dilation: int) -> Array:
    """The first tap of each window that is not in the padding."""
    outside = np.maximum(padding - np.arange(count) * stride, 0)
    return -(-outside // dilation)


def _reaching(extents: Sizes, kernel: Sizes, padding: Sizes, dilation: Sizes) -> tuple[int, ...]:
    """``kernel`` without the taps that lie behind the input in every window, but for one: some windows have no other.

    In ceil mode a window may be much longer than what it looks at.
    """
    return tuple(
        min(taps, (extent - 1 + pad) // apart + 2)
        for extent, taps, pad, apart in zip(extents, kernel, padding, dilation, strict=True)
    )


def _first_places(extents: Sizes, counts: Sizes, stride: Sizes, padding: Sizes, dilation: Sizes) -> Array:
    """Where the first tap of each window stands that is not in the padding in front; it may be behind the input."""
    geometry = zip(counts, stride, padding, dilation, strict=True)
    starts = [np.arange(one[0]) * one[1] - one[2] + _first_inside(*one) * one[3] for one in geometry]
    return _grid(starts, extents)


def _grid(parts: Sequence[Array], extents: Sizes) -> Array:
    """The flat place, in ``extents``, of each combination of places along the dimensions."""
    flat: Any = 0
    for part, extent in zip(parts, extents, strict=True):
        flat = np.expand_dims(flat * extent, -1) + part
    return np.asarray(flat)


def max_windows(
    input: Array, counts: tuple[int, ...], kernel: Sizes, stride: Sizes, padding: Sizes, dilation: Sizes
) -> tuple[Array, Array]:
    """The largest elements of regular windows, and their places in ``input``."""
    ndim, own = len(counts), input.shape[-len(counts) :]
    planes = prod(input.shape[:-ndim])
    kernel = _reaching(own, kernel, padding, dilation)
    if gathered.is_worth(1, planes, prod(kernel), own, counts):
        found = _max_of_few(input.reshape(planes, -1), own, counts, (tuple(kernel), (stride, padding, dilation)))
        if found is not None:
            return found[0].reshape(*input.shape[:-ndim], *counts), found[1].reshape(*input.shape[:-ndim], *counts)
    frame: Any = windows.framed(input, padding, windows.reach(counts, kernel, stride, dilation), lowest(input.dtype))
    geometry = list(zip(counts, stride, padding, dilation, strict=True))
    firsts = _grid([_first_inside(*one) for one in geometry], kernel)

    def candidate(number: int) -> Array:
        tap = np.unravel_index(number, kernel)
        where = tuple(
            slice(int(place) * apart, int(place) * apart + step * (count - 1) + 1, step)
            for place, (count, step, _, apart) in zip(tap, geometry, strict=True)
        )
        found: Array = frame[(Ellipsis, *where)]
        return found

    best, taps = _largest(candidate, prod(kernel), (*input.shape[:-ndim], *counts), firsts, input.dtype)
    starts = [np.arange(count) * step - pad for count, step, pad, _ in geometry]
    steps = [np.arange(taps_) * apart for taps_, apart in zip(kernel, dilation, strict=True)]
    places = np.take(_grid(steps, own).reshape(-1), taps)
    places += _grid(starts, own)
    return best, places


def _max_of_few(planes: Array, own: Any, counts: Any, form: Any) -> tuple[Array, Array] | None:
    """The same for few elements without NaN: all that windows see, laid out."""
    places = gathered.seen(own, form[0], counts, form[1])
    values = gathered.taken(planes, places, lowest(planes.dtype))
    taps = values.argmax(1)
    found = places[taps, np.arange(places.shape[1])]
    best = np.maximum.reduce(values, axis=1)
    if planes.dtype.kind == "f" and _any(np.isnan(best), None):
        return None
    outside = found == planes.shape[1]
    if _any(outside, None):  # all that such a window sees is as low as the padding
        found = np.where(outside, _first_places(own, counts, *form[1]).reshape(-1), found)
    return best, found


def max_listed(
    input: Array, starts: Sequence[Array], ends: Sequence[Array | None], kernel: Sizes
) -> tuple[Array, Array]:
    """The largest elements of windows from ``starts`` (each ``(*lead, count)``) to ``ends``, at most ``kernel`` long.

    Windows without ends are as long as that; ``lead`` are the first dimensions of ``input``, or none.
    """
    ndim = len(kernel)
    own, lead = input.shape[-ndim:], input.shape[:-ndim]
    counts = tuple(start.shape[-1] for start in starts)
    planes = input.reshape(*lead, prod(own))

    def places_of(number: int) -> Array:
        parts = []
        for start, end, place in zip(starts, ends, np.unravel_index(number, kernel), strict=True):
            part = start + int(place)
            parts.append(part if end is None else np.minimum(part, end - 1))
        flat: Any = 0
        for axis, (part, extent) in enumerate(zip(parts, own, strict=True)):
            later = (1,) * (ndim - 1 - axis)
            flat = flat * extent + part.reshape(*part.shape[:-1], *(1,) * axis, part.shape[-1], *later)
        return np.asarray(flat)

    def candidate(number: int) -> Array:
        places = places_of(number)
        if places.ndim == ndim:
            return np.take(planes, places.reshape(-1), -1).reshape(*lead, *counts)
        return np.take_along_axis(planes, places.reshape(*lead, prod(counts)), -1).reshape(*lead, *counts)

    best, taps = _largest(candidate, prod(kernel), (*lead, *counts), np.zeros((), np.int64), input.dtype)
    result = np.zeros(best.shape, np.int64)
    for number in range(prod(kernel)):
        np.copyto(result, places_of(number), where=taps == number)
    return best, result


def _largest(
    candidate: Callable[[int], Array], count: int, shape: tuple[int, ...], firsts: Array, dtype: np.dtype[Any]
) -> tuple[Array, Array]:
    """The largest of ``count`` candidates for each element, and its number; ``firsts`` where all are the lowest."""
    best = np.full(shape, lowest(dtype), dtype)
    taps = np.empty(shape, np.min_scalar_type(count))
    taps[...] = firsts
    for number in range(count):
        values = candidate(number)
        np.copyto(taps, number, where=values > best, casting="unsafe")
        np.maximum(best, values, out=best)
    if dtype.kind == "f" and np.isnan(best).any():  # the last of several
        for number in range(count):
            np.copyto(taps, number, where=np.isnan(candidate(number)), casting="unsafe")
    return best, taps
