"""From uniform draws to samples, to the last bit as PyTorch computes them on x86 processors.

PyTorch compiles these formulas with fused multiply-add, evaluates normals of 16 elements and more in single
precision by the polynomials of Cephes (S. L. Moshier, 1992: ``logf``, ``sinf``, ``cosf``), and takes everything else
from the C library. NumPy's own ``log`` or ``cos`` differ in the last place on some processors, so they are not used.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

Array = np.ndarray[Any, Any]

BLOCK = 16  # elements of one Box-Muller step: eight radii, eight angles
_CHUNK = 1024  # blocks worked on at once, so that intermediates stay in the cache

_SPLITTER = 2.0**27 + 1.0  # halves the significand of a double (T. J. Dekker, 1971)


def _singles(*values: float) -> tuple[np.float32, ...]:
    return tuple(map(np.float32, values))


_LOG = _singles(
    7.0376836292e-2, -1.1514610310e-1, 1.1676998740e-1, -1.2420140846e-1, 1.4249322787e-1,
    -1.6668057665e-1, 2.0000714765e-1, -2.4999993993e-1, 3.3333331174e-1,
)  # fmt: skip
_SIN = _singles(-1.9515295891e-4, 8.3321608736e-3, -1.6666654611e-1)
_COS = _singles(2.443315711809948e-5, -1.388731625493765e-3, 4.166664568298827e-2)
_LN2_LOW, _LN2_HIGH = np.float32(-2.12194440e-4), np.float32(0.693359375)
_MINUS_QUARTER_PI = _singles(-0.78515625, -2.4187564849853515625e-4, -3.77489497744594108e-8)  # in three parts
_SQRT_HALF, _FOUR_OVER_PI = np.float32(math.sqrt(0.5)), np.float32(4.0 / math.pi)
_TWO_PI = np.float32(2.0 * math.pi)


def fma(x: Array, factor: float, term: float) -> Array:
    """``x * factor + term`` with one rounding, in the dtype of ``x`` (float32 or float64)."""
    product: Array
    if factor == 1.0 or term == 0.0:  # nothing to fuse
        return np.asarray(x * x.dtype.type(factor) + x.dtype.type(term))
    if x.dtype == np.float32:
        product = x.astype(np.float64) * float(np.float32(factor))  # exact: 48 bits
        return np.asarray(_odd_sum(product, np.float64(np.float32(term)))).astype(np.float32)
    product = x * factor
    low, error = _two_sum(np.float64(term), _product_error(x, factor, product))
    high, rest = _two_sum(product, low)
    fused = high + _odd_sum(rest, error)
    return np.where(np.isfinite(fused), fused, product + term)


def _two_sum(left: Any, right: Any) -> tuple[Any, Any]:
    """A rounded sum and its error (D. E. Knuth, 1969)."""
    total = left + right
    shadow = total - left
    return total, (left - (total - shadow)) + (right - shadow)


def _product_error(x: Array, factor: float, product: Array) -> Array:
    """What rounding took from ``product`` (T. J. Dekker, 1971)."""
    x_high = x * _SPLITTER - (x * _SPLITTER - x)
    factor_high = factor * _SPLITTER - (factor * _SPLITTER - factor)
    x_low, factor_low = x - x_high, factor - factor_high
    error: Array = ((x_high * factor_high - product) + x_high * factor_low + x_low * factor_high) + x_low * factor_low
    return error


def _odd_sum(left: Any, right: Any) -> Any:
    """The sum rounded to odd, so that rounding it again is as good as rounding once (Boldo and Melquiond, 2008)."""
    total, error = _two_sum(left, right)
    even = (np.asarray(total).view(np.int64) & 1) == 0
    return np.where((error != 0) & even, np.nextafter(total, np.copysign(np.inf, error)), total)


def libm(function: Callable[[float], float], values: Array) -> Array:
    """``function`` of the C library for every element: the same bits on every processor."""
    return np.fromiter(map(function, values.tolist()), np.float64, len(values))


def box_muller(uniforms: Array) -> Array:
    """Standard normals from a whole number of blocks of uniforms, in their dtype (float32 or float64).

    In each block the first eight give the radii, the last eight the angles of eight pairs.
    """
    transform = _single_pairs if uniforms.dtype == np.float32 else _double_pairs
    blocks = uniforms.reshape(-1, 2, BLOCK // 2)
    normals = np.empty_like(blocks)
    for start in range(0, len(blocks), _CHUNK):
        chunk = slice(start, start + _CHUNK)
        normals[chunk, 0], normals[chunk, 1] = transform(1 - blocks[chunk, 0], blocks[chunk, 1])
    return normals.reshape(-1)


def _double_pairs(radial: Array, angular: Array) -> tuple[Array, Array]:
    radius = np.sqrt(-2.0 * libm(math.log, radial.ravel()))
    angle = 2.0 * math.pi * angular.ravel()
    pair = radius * libm(math.cos, angle), radius * libm(math.sin, angle)
    return pair[0].reshape(radial.shape), pair[1].reshape(radial.shape)


def _single_pairs(radial: Array, angular: Array) -> tuple[Array, Array]:
    radius = np.sqrt(np.float32(-2.0) * _log(radial))
    sine, cosine = _sine_cosine(_TWO_PI * angular)
    return radius * cosine, radius * sine


def _fused(x: Array | np.float32, wide: Array, term: Array | np.float32) -> Array:
    """``x * wide + term`` in single precision with one rounding; ``wide`` holds singles as doubles.

    The product is exact. Adding in double and rounding again goes wrong only for sums half-way between two singles,
    which the arguments met here (multiples of 2**-24 below 1, and 2 pi times them) never give.
    """
    result: Array = np.empty(wide.shape, np.float32)
    np.add(x * wide, term, out=result, casting="same_kind")
    return result


def _horner(coefficients: Sequence[np.float32], wide: Array) -> Array:
    """A polynomial, highest power first, with fused steps."""
    value = np.full(wide.shape, coefficients[0])
    for coefficient in coefficients[1:]:
        value = _fused(value, wide, coefficient)
    return value


def _log(x: Array) -> Array:
    """Cephes' ``logf`` for 0 < x <= 1."""
    fraction, exponent = np.frexp(x)
    low = fraction < _SQRT_HALF
    power = (exponent - low).astype(np.float32)
    offset = np.where(low, fraction + fraction, fraction) - np.float32(1.0)
    square = offset * offset
    cubic = _horner(_LOG, offset.astype(np.float64)) * offset
    tail = _fused(cubic, square.astype(np.float64), power * _LN2_LOW)
    logarithm: Array = (offset + (tail - np.float32(0.5) * square)) + power * _LN2_HIGH
    return logarithm


def _sine_cosine(x: Array) -> tuple[Array, Array]:
    """Cephes' ``sinf`` and ``cosf`` for 0 <= x < 2 pi."""
    octant = ((x * _FOUR_OVER_PI).astype(np.int32) + 1) & ~1
    steps, reduced = octant.astype(np.float64), x
    for part in _MINUS_QUARTER_PI:
        reduced = _fused(part, steps, reduced)
    square = reduced * reduced
    wide = square.astype(np.float64)
    cosine = _fused(_horner(_COS, wide) * square, wide, np.float32(-0.5) * square) + np.float32(1.0)
    sine = _fused(_horner(_SIN, wide) * square, reduced.astype(np.float64), reduced)
    swapped = (octant & 2) != 0
    sine, cosine = np.where(swapped, cosine, sine), np.where(swapped, sine, cosine)
    return np.where(octant & 4, -sine, sine), np.where((octant + 2) & 4, -cosine, cosine)
