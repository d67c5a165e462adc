"""Sine and cosine of many float64 numbers by the tangent of half the angle.

NumPy has a vector tangent where the processor has AVX-512, but takes sines and cosines of float64 one by one, which
costs two to four times as much. Errors are below 4 units in the last place everywhere, also near zeros of the result
(NumPy's own: 0.52). Few numbers, and other processors, get NumPy's functions.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.lib import introspect

Array = np.ndarray[Any, Any]

MANY = 2_048  # no piece of a block of a plan has less, so that plans and eager runs choose alike
PIECE = 16_384  # elements whose intermediate results stay in the cache
QUARTER_TURN, BEYOND = 1.5707963267948966, 6.123233995736766e-17  # pi / 2 in two parts
LARGE = 2.0**26  # from here on a quarter turn is no small step for the rounding of an argument


def _has_vector_tangent() -> bool:
    loops = introspect.opt_func_info(func_name="^tan$").get("tan", {})
    return any(name in str(loops.get("dd", {}).get("current")) for name in ("X86_V4", "AVX512"))


HAS_VECTOR_TANGENT = _has_vector_tangent()


def sine(array: Array) -> Array:
    """``np.sin``."""
    return _piecewise(sine_by_tangent, array) if _is_worth_it(array) else np.sin(array)


def cosine(array: Array) -> Array:
    """``np.cos``."""
    return _piecewise(cosine_by_tangent, array) if _is_worth_it(array) else np.cos(array)


def _is_worth_it(array: Array) -> bool:
    return HAS_VECTOR_TANGENT and array.dtype == np.float64 and array.size >= MANY


def _piecewise(function: Callable[[Array], Array], array: Array) -> Array:
    """``function`` of each piece of an array, in the order of its memory."""
    if array.size <= PIECE and array.flags.c_contiguous:
        return function(array)
    result = np.empty_like(array)
    source, target = array.ravel(order="K"), result.ravel(order="K")
    for start in range(0, array.size, PIECE):
        target[start : start + PIECE] = function(source[start : start + PIECE])
    return result


def sine_by_tangent(x: Array) -> Array:
    """``2 t / (1 + t**2)`` with ``t = tan(x / 2)``."""
    t = np.multiply(x, 0.5)
    np.tan(t, out=t)
    whole = np.multiply(t, t)
    whole += 1
    t += t
    return np.divide(t, whole, out=t)


def cosine_by_tangent(x: Array) -> Array:
    """The sine of what is missing to a quarter turn, and of what its rounding took."""
    size = np.abs(x)
    rest = np.subtract(QUARTER_TURN, size)
    is_near = np.max(size) <= 2 * QUARTER_TURN
    if is_near:
        lost = np.subtract(QUARTER_TURN, rest)
        lost -= size  # Dekker 1971, fast two-sum: up to a quarter turn; from there on the difference is exact
    else:
        taken = rest - QUARTER_TURN  # Knuth 1969, two-sum: gives the same where both hold
        lost = np.subtract(rest, taken)
        np.subtract(QUARTER_TURN, lost, out=lost)
        taken += size
        lost -= taken
    lost += BEYOND
    rest *= 0.5
    np.tan(rest, out=rest)
    square = np.multiply(rest, rest)
    lost *= 1 - square
    square += 1
    rest += rest
    rest += lost
    result: Array = np.divide(rest, square, out=rest)
    if not is_near:
        large = size >= LARGE
        if large.any():
            result[large] = np.cos(x[large])
    return result
