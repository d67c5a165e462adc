"""The three transforms that all others are made of: complex, of real numbers, and back to real numbers.

``normalization`` is what the result is divided by: nothing, the root of how many points there are, or their number.
The results lie in memory as PyTorch's do: what is not transformed first, and the transformed dimensions last.
"""

from __future__ import annotations

from collections.abc import Callable
from math import log2, prod
from typing import Any, Literal, TypeAlias

import numpy as np
import scipy  # loads what is used of it when it is

from engine import ops, strides
from engine.errors import OpError
from engine.op import Array, Size, primitive
from engine.tensor import Tensor

NONE, BY_ROOT, BY_COUNT = range(3)
_Norm: TypeAlias = Literal["backward", "ortho", "forward"]
_FORWARD: tuple[_Norm, ...] = ("backward", "ortho", "forward")  # SciPy's words for them
_INVERSE: tuple[_Norm, ...] = ("forward", "ortho", "backward")
NOTHING = "MKL FFT error: Intel oneMKL DFTI ERROR: Inconsistent configuration parameters"
# How many operations of a matrix product take as long as one element does each time that a transform is halved; and
# how much longer a prime number of points takes (L. I. Bluestein, "A linear filtering approach", 1970).
FLOPS, PRIME = 40, 8


def _work(elements: int, extents: Any) -> float:
    is_slow = any(scipy.fft.next_fast_len(extent) != extent for extent in extents if extent)
    return FLOPS * elements * log2(max(prod(extents), 2)) * (PRIME if is_slow else 1)


def _extents(input: Array, dim: tuple[int, ...]) -> list[int]:
    return [input.shape[axis] for axis in dim]


def _outwards(input: Array, dim: tuple[int, ...], last: int = 0) -> tuple[int, ...]:
    """``dim`` from the largest stride to the smallest; the ``last`` of them stay where they are."""
    steps = strides.steps_of(input)
    split = len(dim) - last
    return (*sorted(dim[:split], key=lambda axis: -steps[axis]), *dim[split:])


def _apply(input: Array, dim: tuple[int, ...], transform: Callable[[Array, list[int]], Array]) -> Array:
    """``transform`` over the last axes of ``input`` with ``dim`` moved there, and all axes put back."""
    if not input.size:
        raise OpError(NOTHING)
    steps = strides.steps_of(input)
    others = sorted((axis for axis in range(input.ndim) if axis not in dim), key=lambda axis: -steps[axis])
    order, axes = (*others, *dim), list(range(-len(dim), 0))
    if order == tuple(range(input.ndim)):
        return transform(input, axes)
    return transform(input.transpose(order), axes).transpose(np.argsort(order))


@primitive(
    public=False, linear=True, grad_fn="FftC2CBackward0", layout="kernel", scratch=1.0,
    work=lambda input, dim: _work(input.size, _extents(input, dim)),
)  # fmt: skip
def fft_c2c(input: Array, dim: Size, normalization: int, forward: bool) -> Array:
    """The transform of complex numbers over ``dim``: with ``exp(-2 pi i jk / n)`` if ``forward``, else its inverse."""
    if not dim:
        return np.copy(input, order="K")
    function, norms = (scipy.fft.fftn, _FORWARD) if forward else (scipy.fft.ifftn, _INVERSE)
    return _apply(input, _outwards(input, dim), lambda one, axes: function(one, axes=axes, norm=norms[normalization]))


fft_c2c.vjp(
    input=lambda g, dim, normalization, forward: fft_c2c(g, dim, normalization, not forward),
)


def _weigh(half: Array, last: int, extent: int, weight: float) -> None:
    """Multiply what stands for two of a whole of ``extent`` points along ``last`` with ``weight``."""
    if weight != 1:
        half[(slice(None),) * last + (slice(1, (extent + 1) // 2),)] *= half.real.dtype.type(weight)


@primitive(
    public=False, linear=True, grad_fn="FftR2CBackward0", layout="kernel", scratch=2.0,
    work=lambda input, dim: _work(input.size, _extents(input, dim)) / 2,
)  # fmt: skip
def fft_r2c(input: Array, dim: Size, normalization: int, onesided: bool, weight: float = 1.0) -> Array:
    """The transform of real numbers over ``dim``; if ``onesided``, the half of the last of them that says it all.

    What stands there for two of the whole is multiplied with ``weight``.
    """
    function: Any = scipy.fft.rfftn if onesided else scipy.fft.fftn
    norm = _FORWARD[normalization]
    dim = _outwards(input, dim, last=1)
    result = _apply(input, dim, lambda one, axes: function(one, axes=axes, norm=norm))
    _weigh(result, dim[-1], input.shape[dim[-1]], weight)
    return result


def _r2c_input(g: Tensor, input_shape: Any, dim: Any, normalization: int, onesided: bool, weight: float) -> Any:
    """The real part of the inverse; of a half, that of the whole whose other half mirrors it, both counting half."""
    if not onesided:
        return ops.real(fft_c2c(g, dim, normalization, False))
    return fft_c2r(g, dim, normalization, input_shape[dim[-1]], weight / 2)


fft_r2c.vjp(input=_r2c_input)


def _back_size(input: Array, dim: tuple[int, ...], last_dim_size: int) -> int:
    return input.size // max(input.shape[dim[-1]], 1) * last_dim_size


@primitive(
    public=False, linear=True, grad_fn="FftC2RBackward0", layout="kernel", grows=_back_size,
    scratch=lambda input, dim, last_dim_size: _back_size(input, dim, last_dim_size) + 2 * input.size,
    work=lambda input, dim, last_dim_size: _work(_back_size(input, dim, last_dim_size), _extents(input, dim)),
)  # fmt: skip
def fft_c2r(input: Array, dim: Size, normalization: int, last_dim_size: int, weight: float = 1.0) -> Array:
    """The inverse transform where half of the last of ``dim`` says it all: real, of extent ``last_dim_size`` there.

    What stands there for two of the whole is multiplied with ``weight`` first.
    """
    *first, last = dim
    norm = _INVERSE[normalization]
    is_own = bool(first) or weight != 1
    if is_own:
        input = fft_c2c.kernel(input, tuple(first), normalization, False)
        _weigh(input, last, last_dim_size, weight)

    def back(one: Array, axes: list[int]) -> Array:
        return scipy.fft.irfft(one, last_dim_size, axes[0], norm, overwrite_x=is_own)

    return _apply(input, (last,), back)


fft_c2r.vjp(
    input=lambda g, dim, normalization, weight: fft_r2c(g, dim, normalization, True, 2 * weight),
)
