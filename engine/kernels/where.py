"""Choosing between two arrays element by element."""

from __future__ import annotations

from typing import Any

import numpy as np

Array = np.ndarray[Any, Any]

WORTH_IT = 4096
_BITS = {1: np.int8, 2: np.int16, 4: np.int32, 8: np.int64}


def select(mask: Array, chosen: Array, other: Array) -> Array:
    """``np.where(mask, chosen, other)`` of two arrays of one dtype.

    NumPy's loop branches at every element, which costs several nanoseconds each where the mask is irregular. Large
    arrays are combined by their bits instead: ``other ^ ((chosen ^ other) & mask)``.
    """
    bits = _BITS.get(chosen.itemsize)
    if mask.size < WORTH_IT or bits is None or not (_fits(chosen, mask) and _fits(other, mask)):
        return np.where(mask, chosen, other)
    spread = np.negative(mask.view(np.int8)).astype(bits)  # no bit set, or every one
    first, second = chosen.view(bits), other.view(bits)
    if not second.ndim and not second:
        np.bitwise_and(spread, first, out=spread)
    else:
        np.bitwise_and(spread, first ^ second, out=spread)
        np.bitwise_xor(spread, second, out=spread)
    result: Array = spread.view(chosen.dtype)
    return result


def _fits(array: Array, mask: Array) -> bool:
    """Whether ``array`` has the shape of ``mask``, or is a single number."""
    return not array.ndim or array.shape == mask.shape
