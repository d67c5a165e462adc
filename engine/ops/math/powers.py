"""Powers and roots, and scaling by powers of two."""

from __future__ import annotations

from collections.abc import Callable
from math import log as natural_log
from typing import Any

import numpy as np

from engine import dtypes, modes, ops
from engine.dtypes import DType
from engine.errors import ArgumentTypeError, OpError
from engine.named_results import named_result
from engine.op import Array, Operand, Scalar, composite, float_valued, overloaded, pointwise, primitive, weak
from engine.tensor import Tensor

NEGATIVE_INTEGER = "Integers to negative integer powers are not allowed."
LOG_2 = natural_log(2)


# -- roots --------------------------------------------------------------------------------------------------------
@float_valued(inplace_function=True)
def sqrt(input: Array) -> Array:
    """Square root; NaN below zero."""
    return np.sqrt(input)


sqrt.vjp(input=lambda g, out: g / (2 * out.conj()))


@float_valued(inplace_function=True)
def rsqrt(input: Array) -> Array:
    """``1 / sqrt(input)``."""
    return np.divide(np.ones((), input.dtype), np.sqrt(input))


rsqrt.vjp(input=lambda g, out: -0.5 * g * ops.pow(out, 3).conj())


# -- powers -------------------------------------------------------------------------------------------------------
def raise_to(base: Array, exponent: Array) -> Array:
    """``base ** exponent``; integers to negative integer powers are 0 but for the units, as in PyTorch."""
    if base.dtype.kind not in "iu":
        return np.power(base, exponent)
    positive_part = np.power(base, np.maximum(exponent, 0))
    if not np.any(np.less(exponent, 0)):
        return positive_part
    odd = np.where(np.remainder(exponent, 2) == 0, 1, base)
    inverse = np.where(base == 1, 1, np.where(base == -1, odd, 0)).astype(base.dtype)
    return np.where(np.less(exponent, 0), inverse, positive_part)


def _nan_at_zeros(base: Array, exponent: Array, power: Array) -> Array:
    """``power``, where C++ finds no number for 0 to the power of 0 if these are complex."""
    if base.dtype.kind != "c":
        return power
    return np.where((base == 0) & (exponent == 0), complex(np.nan, np.nan), power).astype(power.dtype)


# NumPy's own power is many times slower than these, and as PyTorch computes them.
_SHORT_CUTS: dict[Any, Callable[[Array], Array]] = {
    1: lambda base: base.copy(), 2: lambda base: base * base, 3: lambda base: base * base * base,
    0.5: np.sqrt, -0.5: lambda base: 1 / np.sqrt(base), -1: lambda base: 1 / base, -2: lambda base: 1 / (base * base),
}  # fmt: skip


@pointwise(public=False, grad_fn="PowBackward0", supports="ifc", shown_as="pow", kernel_name="pow")
def pow_number(input: Array, exponent: Scalar) -> Array:
    """Elementwise power with a number as exponent."""
    is_integral = input.dtype.kind in "iu"
    if is_integral and exponent < 0:
        raise OpError(NEGATIVE_INTEGER)
    short = _SHORT_CUTS.get(exponent)
    if short is not None:
        return short(input)
    return raise_to(input, np.asarray(exponent).astype(input.dtype))


def _pow_number_input(g: Any, input: Any, exponent: Any) -> Any:
    if exponent == 0:
        return ops.zeros_of(g)
    lowered = input if exponent == 2 and not modes.is_grad_enabled() else ops.pow(input, exponent - 1)
    return g * (exponent * lowered).conj()


pow_number.vjp(input=_pow_number_input)


@pointwise(public=False, grad_fn="PowBackward1", numbers=(), supports="ifc", kernel_name="pow")
def pow_tensor(input: Array, exponent: Array) -> Array:
    """Elementwise power."""
    return _nan_at_zeros(input, exponent, raise_to(input, exponent))


def _pow_tensor_input(g: Any, input: Any, exponent: Any) -> Any:
    """``exponent * input ** (exponent - 1)``, 0 where the exponent is."""
    lowered = g * (exponent * ops.pow(input, exponent - 1)).conj()
    return ops.choose(exponent == 0, 0, lowered)


def _pow_exponent(g: Any, input: Any, exponent: Any, out: Any) -> Any:
    """``out * log(input)``, with 0 where the base is 0 and the exponent is not negative, as the limit is."""
    at_zero = ops.logical_and(input == 0, ops.ge(ops.real(exponent), 0))
    base = input.to(out.dtype) if out.is_complex() or input.is_weak else input
    return g * ops.choose(at_zero, 0, (out * ops.log(base)).conj())


pow_tensor.vjp(input=_pow_tensor_input, exponent=_pow_exponent)


@pointwise(
    public=False, grad_fn="PowBackward2", numbers=("input",), supports="ifc", kernel_name="pow",
    nondifferentiable=("input",), layout="contiguous",
)  # fmt: skip
def number_pow(input: Array, exponent: Array) -> Array:
    """A number to an elementwise power."""
    return _nan_at_zeros(input, exponent, raise_to(input, exponent))


number_pow.vjp(exponent=_pow_exponent)


@overloaded
def pow(input: Any, exponent: Any) -> Any:
    """``input ** exponent``; either may be a number."""
    if isinstance(exponent, Tensor):
        return pow_tensor if isinstance(input, Tensor) else number_pow, (input, exponent)
    _check_has_tensor("pow", input, exponent)
    target = common_dtype(input, weak(exponent))
    if target.category < dtypes.FLOATING and exponent < 0:
        raise OpError(NEGATIVE_INTEGER)
    pow_number.check_supported(target)
    return pow_number, (input if input.dtype is target else ops.cast(input, target), exponent)


def _check_has_tensor(name: str, *operands: Any) -> None:
    if not any(isinstance(operand, Tensor) for operand in operands):
        raise ArgumentTypeError(f"{name}(): one operand must be Tensor")  # shown as all overloads


def common_dtype(*tensors: Tensor) -> DType:
    """The dtype that an elementwise op on ``tensors`` computes in."""
    operands = tuple((t.dtype, dtypes.rank_of(t.array.ndim, t.is_weak)) for t in tensors)
    return dtypes.result_type(operands, modes.current().default_dtype)


@overloaded(inplace_function=True)
def square(input: Tensor) -> Any:
    """``input ** 2``."""
    return pow.function(input, 2)


@overloaded(writes=False)
def float_power(input: Operand, exponent: Operand) -> Any:
    """``input ** exponent`` in double precision."""
    _check_has_tensor("float_power", input, exponent)
    target = _double(input, exponent)
    base, power = (_in_dtype(value, target) for value in (input, exponent))
    if isinstance(power, Tensor):
        return pow_tensor if isinstance(base, Tensor) else number_pow, (base, power)
    return pow_number, (base, power)


def _double(*operands: Any) -> DType:
    is_complex = any(v.dtype.is_complex if isinstance(v, Tensor) else isinstance(v, complex) for v in operands)
    return dtypes.complex128 if is_complex else dtypes.float64


def _in_dtype(value: Any, dtype: DType) -> Any:
    if isinstance(value, Tensor):
        return value if value.dtype is dtype else ops.cast(value, dtype)
    return complex(value) if dtype.is_complex else float(value)


@composite(name="float_power_", function=False)
def _float_power_inplace(input: Tensor, exponent: Operand) -> Tensor:
    """``float_power`` of the tensor itself, which must have the result's dtype."""
    target = _double(input, exponent)
    if input.dtype is not target:
        raise OpError(
            f"the base given to float_power_ has dtype {input.dtype.scalar_type} but the operation's result requires "
            f"dtype {target.scalar_type}"
        )
    op = pow_tensor if isinstance(exponent, Tensor) else pow_number
    return op.inplace(input, _in_dtype(exponent, target))


# -- powers of two ------------------------------------------------------------------------------------------------
@float_valued(numbers=(), inplace_function=True)
def ldexp(input: Array, other: Array) -> Array:
    """``input * 2 ** other``."""
    return input * np.exp2(other)


ldexp.vjp(
    input=lambda g, other: g * ops.exp2(other).conj(),
    other=lambda g, out: g * (out * LOG_2).conj(),
)


def _check_frexp(input: Tensor) -> None:
    if not input.dtype.is_floating_point:
        raise OpError("torch.frexp() only supports floating-point dtypes")


@primitive(outputs=("mantissa", "exponent"), result=named_result("frexp", "mantissa", "exponent"), check=_check_frexp)
def frexp(input: Array) -> tuple[Array, Array]:
    """Mantissas in [0.5, 1) and the powers of two they are multiplied with."""
    mantissa, exponent = np.frexp(input)
    return mantissa, exponent.astype(np.int32)


frexp.vjp(input=lambda g, exponent: g / ops.exp2(exponent.to(g.dtype)))
