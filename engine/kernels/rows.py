"""Kernels of rows, a block of rows at a time: what lies between their steps then stays in the cache."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from math import prod
from typing import Any

import numpy as np

Array = np.ndarray[Any, Any]
BLOCK = 2**16  # elements at a time
WORTH = 2**17  # elements from which on a shorter buffer gains
BUFFER = 512
LONG = 2**12  # elements from which on a sum is worth the pairwise sums of NumPy; BLAS adds in a few lanes

_add_up: Any = np.add.reduce


class short_buffers:
    """NumPy takes rows longer than ``BUFFER`` as they lie, in a kernel on ``size`` elements if that is worth it.

    Where it broadcasts, it copies rows that are shorter than its buffer (8,192 elements), which takes as long as the
    arithmetic. (NumPy 2.4)
    """

    __slots__ = ("_before", "_worth")

    def __init__(self, size: int) -> None:
        self._worth = size >= WORTH

    def __enter__(self) -> None:
        if self._worth:
            self._before = np.setbufsize(BUFFER)

    def __exit__(self, *exc_info: object) -> None:
        if self._worth:
            np.setbufsize(self._before)


def blocks(count: int, extent: int) -> Iterable[slice]:
    """``count`` rows of ``extent`` elements in blocks."""
    if count * extent <= BLOCK:
        return (slice(0, count),) if count else ()
    step = max(1, BLOCK // max(extent, 1))
    return (slice(start, start + step) for start in range(0, count, step))


def sums(rows: Array) -> Array:
    """The sums along dimension 1, which stays at extent 1; of one or two dimensions behind the first."""
    if rows.ndim == 2 and rows.shape[1] < LONG and rows.size >= LONG:
        return rows @ np.ones((rows.shape[1], 1), rows.dtype)
    return _add_up(rows, axis=1, keepdims=True)  # type: ignore[no-any-return]


def along(kernel: Callable[..., None], dim: int, *arrays: Array) -> Array:
    """What ``kernel(result, *arrays)`` writes into ``result``, of the shape that all arrays have, block by block.

    It is given ``(rows, extent)`` or, if ``dim`` is not the last one, ``(rows, extent, others)``, works along dimension
    1 and looks at no other row for any.
    """
    shape = arrays[0].shape
    result = np.empty(shape, arrays[0].dtype)
    if not result.size:
        return result
    extent = shape[dim] if shape else 1
    flat = (-1, extent) if dim >= len(shape) - 1 else (-1, extent, prod(shape[dim + 1 :]))
    target, *sources = [one.reshape(flat) for one in (result, *arrays)]
    if result.size <= BLOCK:
        kernel(target, *sources)
    else:
        with short_buffers(result.size):
            for rows in blocks(len(target), target[0].size):
                kernel(target[rows], *[np.ascontiguousarray(one[rows]) for one in sources])
    return result
