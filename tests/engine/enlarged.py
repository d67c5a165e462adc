"""Samples with one of their extents many times as large: in all tensors that have it, and maybe in numbers.

``variants`` gives calls that may or may not be valid; whoever runs them leaves out what the op refuses.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from math import prod
from typing import Any, NamedTuple

import numpy as np

from tests.engine.samples import Fixed, Leaf, Sample

MOST = 100  # larger numbers in a sample are no extents
MOST_EXTENTS = 3  # of one sample that are enlarged


class Growth(NamedTuple):
    """``extent`` becomes ``times`` as large, in numbers too if ``numbers``; the extent ``gone`` becomes none at all."""

    extent: int
    times: int
    numbers: bool
    gone: int | None = None

    def of(self, extent: int) -> int:
        """What an extent becomes."""
        return extent * self.times if extent == self.extent else 0 if extent == self.gone else extent


def variants(sample: Sample, elements: int) -> Iterator[tuple[Growth, Sample]]:
    """Calls like ``sample`` whose largest tensor has about ``elements``, or would have, were it not empty."""
    values = [*sample.args, *sample.kwargs.values()]
    known = sorted({extent for value in values for extent in _extents(value) if 0 < extent < MOST})
    numbers = {extent for value in values for extent in _numbers(value)}
    size = max([prod(shape) for value in values for shape in _shapes(value)], default=1)
    for extent in known[:MOST_EXTENTS]:
        powers = max([shape.count(extent) for value in values for shape in _shapes(value)], default=1)
        times = max(2, int((elements / max(size, 1)) ** (1 / max(powers, 1))))
        growths = [Growth(extent, times, True)]
        if extent in numbers:
            growths.append(Growth(extent, times, False))
        growths += [Growth(extent, times, True, gone) for gone in known[:MOST_EXTENTS] if gone != extent][:1]
        for growth in growths:
            yield growth, Sample(_grown(sample.args, growth), _grown(sample.kwargs, growth))


def _shapes(value: Any) -> list[tuple[int, ...]]:
    if isinstance(value, Leaf):
        return [value.shape]
    if isinstance(value, Fixed):
        return [_values(value).shape]
    if isinstance(value, dict):
        value = list(value.values())
    return [shape for item in value for shape in _shapes(item)] if isinstance(value, tuple | list) else []


def _extents(value: Any) -> list[int]:
    """Those of tensors, and whole numbers that may be some."""
    return [*_numbers(value), *[extent for shape in _shapes(value) for extent in shape]]


def _numbers(value: Any) -> list[int]:
    if isinstance(value, tuple | list):
        return [number for item in value for number in _numbers(item)]
    return [value] if type(value) is int else []


def _grown(value: Any, growth: Growth) -> Any:
    if isinstance(value, Leaf):
        return replace(value, shape=tuple(map(growth.of, value.shape)))
    if isinstance(value, Fixed):
        return replace(value, data=_tiled(_values(value), tuple(map(growth.of, _values(value).shape))), shape=None)
    if isinstance(value, tuple | list):
        return type(value)(_grown(item, growth) for item in value)
    if isinstance(value, dict):
        return {name: _grown(item, growth) for name, item in value.items()}
    return growth.of(value) if growth.numbers and type(value) is int else value


def _values(value: Fixed) -> np.ndarray[Any, Any]:
    return value.values(np.random.default_rng(0))


def _tiled(array: np.ndarray[Any, Any], shape: tuple[int, ...]) -> np.ndarray[Any, Any]:
    """``array`` repeated up to ``shape``: what is an index, a mask or a class stays one."""
    if not array.size or not prod(shape):
        return np.zeros(shape, array.dtype)
    times = [-(-extent // own) for extent, own in zip(shape, array.shape, strict=True)]
    return np.tile(array, times)[tuple(slice(extent) for extent in shape)] if array.ndim else array
