"""Rounding, signs and magnitudes, and what takes floating-point numbers apart. Bounds are in ``clamp``."""

from __future__ import annotations

from collections.abc import Callable
from math import pi
from typing import Any

import ml_dtypes
import numpy as np

from engine import dtypes, ops
from engine.dtypes import FLOATING, DType
from engine.errors import OpError, UnsupportedError
from engine.op import Array, Mask, composite, float_valued, overloaded, pointwise
from engine.ops.math.comparison import nothing
from engine.ops.math.complex_histories import refuse_complex_history
from engine.tensor import Tensor


def _refusing_complex(message: str, error: type[Exception] = UnsupportedError) -> Callable[[Tensor], None]:
    """A check that refuses complex tensors in PyTorch's words."""

    def check(input: Tensor) -> None:
        if input.dtype.is_complex:
            raise error(message)

    return check


# -- rounding -----------------------------------------------------------------------------------------------------
@pointwise(
    steps=True, supports="if", kernel_name="floor_vml_cpu",
    check=_refusing_complex("floor is not supported for complex inputs"), inplace_function=True,
)  # fmt: skip
def floor(input: Array) -> Array:
    """The greatest integer not above."""
    return np.floor(input)


@pointwise(
    steps=True, supports="if", kernel_name="ceil_vml_cpu",
    check=_refusing_complex("ceil is not supported for complex inputs"), inplace_function=True,
)  # fmt: skip
def ceil(input: Array) -> Array:
    """The least integer not below."""
    return np.ceil(input)


@pointwise(
    steps=True, supports="if", kernel_name="trunc_vml_cpu", aliases=("fix",),
    check=_refusing_complex("trunc is not supported for complex inputs"), inplace_function=True,
)  # fmt: skip
def trunc(input: Array) -> Array:
    """The integer next towards zero."""
    return np.trunc(input)


@pointwise(supports="f", inplace_function=True)
def frac(input: Array) -> Array:
    """What ``trunc`` cuts off."""
    return input - np.trunc(input)


frac.vjp(input=lambda g: g)


@pointwise(steps=True, public=False, supports="if", grad_fn="RoundBackward0", kernel_name="round_vml_cpu")
def round_to_integer(input: Array) -> Array:
    """The nearest integer, the even one of two."""
    return np.rint(input) if input.dtype.kind == "f" else input.copy()


@pointwise(steps=True, public=False, supports="f", grad_fn="RoundBackward1", kernel_name="round_cpu")
def round_to_decimals(input: Array, decimals: int) -> Array:
    """The nearest number with so many decimals; before the point if negative."""
    power = input.dtype.type(10.0 ** np.abs(decimals))
    return np.rint(input / power) * power if decimals < 0 else np.rint(input * power) / power


@overloaded(inplace_function=True)
def round(input: Tensor, *, decimals: int | None = None) -> Any:
    """The nearest integer, or the nearest number with so many decimals; the even one of two."""
    return (round_to_integer, (input,)) if decimals is None else _rounding_to(input, decimals)


def _rounding_to(input: Tensor, decimals: int) -> Any:
    if decimals == 0 and not input.dtype.is_floating_point:
        raise UnsupportedError(f"\"round_vml_cpu\" not implemented for '{input.dtype.scalar_type}'")
    return round_to_decimals, (input, decimals)


@overloaded(name="special.round", method=False, writes=False)
def _special_round(input: Tensor, *, decimals: int = 0) -> Any:
    """The nearest number with so many decimals."""
    return _rounding_to(input, decimals)


# -- signs and magnitudes -----------------------------------------------------------------------------------------
@pointwise(writes=False, supports="ifc", aliases=("absolute",))
def abs(input: Array) -> Array:
    """Absolute value; real for complex numbers."""
    return np.abs(input)


abs.vjp(input=lambda g, input: g * ops.sgn(input))  # 0 at 0


@composite(name="abs_", aliases=("absolute_",))
def _abs_inplace(input: Tensor) -> Tensor:
    """``abs`` of the tensor itself, which must be real."""
    if input.dtype.is_complex:
        raise OpError("In-place abs is not supported for complex tensors.")
    return abs.inplace(input)


SIGN_OF_COMPLEX = "Unlike NumPy, torch.sign is not intended to support complex numbers. Please use torch.sgn instead."


@pointwise(steps=True, check=_refusing_complex(SIGN_OF_COMPLEX), scratch=2.5)
def sign(input: Array) -> Array:
    """-1, 0 or 1."""
    return _sign(input)


def _sign(input: Array) -> Array:
    """-1, 0 or 1; 0 for NaN."""
    if input.dtype.kind == "f":
        return np.subtract(input > 0, input < 0, dtype=input.dtype)
    return input.copy() if input.dtype.kind == "b" else np.sign(input)


@pointwise(scratch=2.5)
def sgn(input: Array) -> Array:
    """The number over its magnitude; 0 at 0."""
    if input.dtype.kind != "c":
        return _sign(input)
    magnitude = np.abs(input)
    return np.where(magnitude == 0, np.zeros((), input.dtype), input / magnitude)


def _sgn_input(g: Any, input: Any, out: Any) -> Any:
    """The part of ``g`` across the direction ``out``, over the magnitude; nothing for real numbers."""
    if not input.is_complex():
        return ops.zeros_of(g)
    magnitude = ops.abs(input)
    across = g - out * ops.real(out.conj() * g)
    return (across / magnitude).masked_fill(ops.eq(magnitude, 0), 0)


sgn.vjp(input=_sgn_input)


@pointwise(
    writes=False, nondifferentiable=("input",),
    check=_refusing_complex("signbit is not implemented for complex tensors."),
)  # fmt: skip
def signbit(input: Array) -> Mask:
    """Where the sign is negative; that of -0.0 is."""
    return np.less(input, 0) if input.dtype.kind != "f" else np.signbit(input)


@float_valued(writes=False)
def angle(input: Array) -> Array:
    """The argument of a complex number; 0 or pi of a real one."""
    if input.dtype.kind == "c":
        return np.angle(input)
    return np.where(np.isnan(input), input, np.where(input < 0, pi, 0)).astype(input.dtype)


def _angle_input(g: Any, input: Any) -> Any:
    if not input.is_complex():
        return ops.zeros_of(g)
    turned = g * (input * 1j) / ops.real(input * input.conj())
    return ops.choose(input == 0, 0, turned)


angle.vjp(input=_angle_input)


@float_valued(
    supports="bif", grad_fn="CopysignBackward0",
    number_grad_fn={"other": "CopysignBackward1"},
)  # fmt: skip
def copysign(input: Array, other: Array) -> Array:
    """The magnitude of ``input`` with the sign of ``other``."""
    return np.copysign(input, other)


copysign.vjp(
    input=lambda g, input, out: g * (out / input).masked_fill(input == 0, 0),
    other=nothing,
)


def _check_heaviside(input: Tensor, values: Tensor) -> None:
    if input.dtype.is_complex or values.dtype.is_complex:
        raise OpError("heaviside is not yet implemented for complex tensors.")
    if input.dtype is not values.dtype:
        raise OpError("heaviside is not yet implemented for tensors with different dtypes.")


@pointwise(numbers=(), check=_check_heaviside, underivable=True)
def heaviside(input: Array, values: Array) -> Array:
    """0 below zero, 1 above, ``values`` at zero."""
    return np.where(input == 0, values, (input > 0).astype(input.dtype))


_finfo: Any = ml_dtypes.finfo  # it knows bfloat16, and has no annotations


# -- the numbers themselves ---------------------------------------------------------------------------------------
@pointwise(
    public=False, grad_fn="NextafterBackward0", supports="f", kernel_name="nextafter_cpu",
    numbers=(),
)  # fmt: skip
def next_number(input: Array, other: Array, precision: DType) -> Array:
    """The next number of the dtype ``precision``; 16-bit numbers come as, and go back to, float32."""
    own = precision.numpy if precision.is_floating_point else input.dtype
    return np.nextafter(input.astype(own), other.astype(own)).astype(input.dtype)


next_number.vjp(
    input=lambda g, input, other: ops.choose(ops.ne(input, other), g, 0),
    other=nothing,
)


@overloaded
def nextafter(input: Tensor, other: Tensor) -> Any:
    """The next number of the dtype from ``input`` towards ``other``."""
    return next_number, (input, other, ops.result_type(input, other))


@pointwise(public=False, shown_as="nan_to_num", grad_fn="NanToNumBackward0", layout="input")
def replace_nan(input: Array, nan: float, posinf: float, neginf: float) -> Array:
    """``input`` with these in place of NaN and the infinities."""
    return np.nan_to_num(input, nan=nan, posinf=posinf, neginf=neginf)


replace_nan.vjp(input=lambda g, input: ops.choose(ops.isfinite(input), g, 0))


@overloaded(writes=False)
def nan_to_num(
    input: Tensor, nan: float | None = None, posinf: float | None = None, neginf: float | None = None
) -> Any:
    """``input`` with numbers in place of NaN and the infinities: 0 and the greatest and least ones by default."""
    refuse_complex_history("nan_to_num", input)
    return replace_nan, (input, *_replacements(input, nan, posinf, neginf))


def _replacements(input: Tensor, nan: float | None, posinf: float | None, neginf: float | None) -> tuple[float, ...]:
    real = dtypes.to_real(input.dtype)
    limit = float(_finfo(real.numpy).max) if real.category == FLOATING else 0.0
    return tuple(
        default if given is None else given for given, default in ((nan, 0.0), (posinf, limit), (neginf, -limit))
    )


@composite(name="nan_to_num_")
def _nan_to_num_inplace(
    input: Tensor, nan: float | None = None, posinf: float | None = None, neginf: float | None = None
) -> Tensor:
    """Write numbers in place of NaN and the infinities; integers, which are none of these, are copied on themselves."""
    if input.dtype.category < FLOATING:
        return ops.copy.inplace(input, input)
    return replace_nan.inplace(input, *_replacements(input, nan, posinf, neginf))


# -- complex numbers from two real ones ---------------------------------------------------------------------------
