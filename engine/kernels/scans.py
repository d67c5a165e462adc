"""Running sums and products along a dimension, accumulated in float64 and a block of rows at a time.

NumPy's ``accumulate`` waits for memory at every element. Sums go in two levels instead: a triangular matrix adds up
within pieces of rows, each of which begins with what came before it.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from math import prod
from typing import Any, TypeAlias

import numpy as np

from engine.kernels.rows import blocks

Array: TypeAlias = np.ndarray[Any, Any]
PIECE = 16  # elements that a matrix adds up
FEW = 2**12  # elements up to which a scan as a whole is quickest


@cache
def _triangle(reverse: bool) -> Array:
    ones = np.tri(PIECE)
    return ones if reverse else np.ascontiguousarray(ones.T)


def _added(rows: Array, reverse: bool) -> Array:
    """Running sums of rows, from their end if ``reverse``."""
    count, extent = rows.shape
    pieces = -(-extent // PIECE)
    wide = np.zeros((count, pieces, PIECE))
    wide.reshape(count, -1)[:, :extent] = rows
    totals = wide @ np.ones(PIECE)
    if reverse:
        wide[:, :-1, -1] += np.add.accumulate(totals[:, ::-1], axis=1)[:, -2::-1]
    else:
        wide[:, 1:, 0] += np.add.accumulate(totals, axis=1)[:, :-1]
    sums = (wide.reshape(-1, PIECE) @ _triangle(reverse)).reshape(count, -1)[:, :extent]
    if np.isfinite(sums).all():
        return sums
    return _accumulated(np.add, rows, reverse)  # what is not finite met zeros of the matrix


def _accumulated(ufunc: Any, rows: Array, reverse: bool) -> Array:
    along = slice(None, None, -1 if reverse else None)
    wide = rows[:, along].astype(np.float64)
    return ufunc.accumulate(wide, axis=1, out=wide)[:, along]  # type: ignore[no-any-return]


def _by_rows(scan: Callable[[Array], Array], values: Array, axis: int) -> Array:
    """``scan`` of ``(rows, extent)`` along ``axis`` of ``values``."""
    if axis < values.ndim - 1:
        turned = _by_rows(scan, np.ascontiguousarray(np.moveaxis(values, axis, -1)), values.ndim - 1)
        return np.ascontiguousarray(np.moveaxis(turned, -1, axis))
    result = np.empty(values.shape, values.dtype)
    extent = values.shape[axis]
    source, target = (one.reshape(prod(values.shape[:axis]), extent) for one in (values, result))
    for rows in blocks(len(source), 2 * extent):
        target[rows] = scan(source[rows])
    return result


def sums(values: Array, axis: int, reverse: bool = False) -> Array:
    """Sums of the elements up to each along ``axis``, or from each on, if ``reverse``; of floating-point values."""
    small = values.size <= FEW or values.shape[axis] <= 2 * PIECE
    return _by_rows(lambda rows: _accumulated(np.add, rows, reverse) if small else _added(rows, reverse), values, axis)


def products(values: Array, axis: int) -> Array:
    """Products of the elements up to each along ``axis``; of floating-point values."""
    return _by_rows(lambda rows: _accumulated(np.multiply, rows, False), values, axis)
