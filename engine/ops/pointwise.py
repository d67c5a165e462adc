"""Elementwise arithmetic: sums, products, quotients, powers, and the copies and casts that everything rests on."""

from __future__ import annotations

from typing import Any

import numpy as np

from engine import dtypes, ops
from engine.dtypes import BOOL, COMPLEX, FLOATING, DType
from engine.errors import OpError
from engine.op import Array, Scalar, composite, primitive, weak
from engine.tensor import Tensor

BOOL_MINUS = (
    "Subtraction, the `-` operator, with {} is not supported. If you are trying to invert a mask, use the `~` or "
    "`logical_not()` operator instead."
)


# -- copies and casts ---------------------------------------------------------------------------------------------
@primitive(linear=True)
def clone(input: Array) -> Array:
    """A copy; the graph goes through it."""
    return input.copy(order="K")


clone.vjp(input=lambda g: g)


@primitive(public=False, linear=True, grad_fn="ToCopyBackward0")
def cast(input: Array, dtype: DType) -> Array:
    """A copy with elements of ``dtype``."""
    return input.astype(dtype.numpy)


cast.vjp(input=lambda g: g)


@primitive(public=False, inplace_grad_fn="torch::autograd::CopyBackwards")
def copy(input: Array, src: Array) -> Array:
    """``src`` in the shape and dtype of ``input``."""
    return np.broadcast_to(src, input.shape).astype(input.dtype)


copy.vjp(input=lambda g: zeros_of(g), src=lambda g: g)


@primitive(public=False)
def zeros_of(input: Array) -> Array:
    """Zeros of the shape and dtype of ``input``, which they do not depend on."""
    return np.zeros(input.shape, input.dtype)


zeros_of.vjp(input=lambda g: g * 0)


@composite
def contiguous(input: Tensor) -> Tensor:
    """The tensor itself if it is C-contiguous, else a copy that is."""
    return input if input.array.flags.c_contiguous else _clone_contiguous(input)


@primitive(public=False, linear=True, grad_fn="CloneBackward0")
def _clone_contiguous(input: Array) -> Array:
    """A C-contiguous copy."""
    return input.copy(order="C")


_clone_contiguous.vjp(input=lambda g: g)


# -- sums ---------------------------------------------------------------------------------------------------------
@primitive(pointwise=True)
def add(input: Array, other: Array, *, alpha: Scalar = 1) -> Array:
    """``input + alpha * other``."""
    return np.add(input, other if alpha == 1 else _scaled(other, alpha))


add.vjp(input=lambda g: g, other=lambda g, alpha: _times(g, alpha))


def _scaled(array: Array, alpha: Any) -> Array:
    """``alpha * array`` in the dtype of ``array``."""
    _check_alpha(dtypes.of(array), alpha)
    return np.multiply(array, np.asarray(alpha).astype(array.dtype))


def _check_alpha(dtype: DType, alpha: Any) -> None:
    if isinstance(alpha, bool) and dtype.category != BOOL:
        raise OpError("Boolean alpha only supported for Boolean results.")
    if isinstance(alpha, float) and dtype.category < FLOATING:
        raise OpError("For integral input tensors, argument alpha must not be a floating point number.")
    if isinstance(alpha, complex) and dtype.category != COMPLEX:
        raise OpError("For non-complex input tensors, argument alpha must not be a complex number.")


def _times(g: Tensor, alpha: Any) -> Any:
    return g if alpha == 1 else ops.mul(g, alpha.conjugate() if isinstance(alpha, complex) else alpha)


@primitive(pointwise=True, aliases=("subtract",))
def sub(input: Array, other: Array, *, alpha: Scalar = 1) -> Array:
    """``input - alpha * other``."""
    if input.dtype == np.bool_:
        raise OpError(BOOL_MINUS.format("two bool tensors"))
    return np.subtract(input, other if alpha == 1 else _scaled(other, alpha))


sub.vjp(input=lambda g: g, other=lambda g, alpha: ops.neg(_times(g, alpha)))


@primitive(pointwise=True, grad_fn="RsubBackward1", numbers=("input", "other"))
def rsub(input: Array, other: Array, *, alpha: Scalar = 1) -> Array:
    """``other - alpha * input``."""
    if input.dtype == np.bool_:
        raise OpError(BOOL_MINUS.format("a bool tensor"))
    return np.subtract(other, input if alpha == 1 else _scaled(input, alpha))


rsub.vjp(input=lambda g, alpha: ops.neg(_times(g, alpha)), other=lambda g: g)


@primitive(pointwise=True, linear=True, aliases=("negative",))
def neg(input: Array) -> Array:
    """``-input``."""
    if input.dtype == np.bool_:
        raise OpError(
            "Negation, the `-` operator, on a bool tensor is not supported. If you are trying to invert a mask, use "
            "the `~` or `logical_not()` operator instead."
        )
    return np.negative(input)


neg.vjp(input=lambda g: ops.neg(g))


@composite
def positive(input: Tensor) -> Tensor:
    """The tensor itself."""
    if input.dtype.category == BOOL:
        raise OpError("The `+` operator, on a bool tensor is not supported.")
    return input


# -- products -----------------------------------------------------------------------------------------------------
@primitive(pointwise=True, aliases=("multiply",))
def mul(input: Array, other: Array) -> Array:
    """Elementwise product."""
    return np.multiply(input, other)


mul.vjp(input=lambda g, other: g * other.conj(), other=lambda g, input: g * input.conj())


@primitive(pointwise=True, public=False, promote="int_to_float", grad_fn="DivBackward0")
def true_div(input: Array, other: Array) -> Array:
    """Elementwise quotient, in floating point."""
    return np.divide(input, other)


def _div_other(g: Tensor, input: Tensor, other: Tensor) -> Any:
    return -g * ((input / other) / other).conj()  # type: ignore[operator,attr-defined]


true_div.vjp(input=lambda g, other: g / other.conj(), other=_div_other)


@composite(writes=True, aliases=("divide",))
def div(input: Tensor, other: Any, *, rounding_mode: str | None = None) -> Tensor:
    """Quotient; with ``rounding_mode`` ``"trunc"`` or ``"floor"``, rounded towards zero or down."""
    if rounding_mode is None:
        return true_div(input, other)  # type: ignore[no-any-return]
    if rounding_mode not in ("trunc", "floor"):
        raise OpError(
            f"div expected rounding_mode to be one of None, 'trunc', or 'floor' but found '{rounding_mode}'"
        )
    return (ops.trunc_div if rounding_mode == "trunc" else ops.floor_div)(input, other)  # type: ignore[no-any-return]


@primitive(pointwise=True, promote="int_to_float")
def reciprocal(input: Array) -> Array:
    """``1 / input``; a division, for NumPy's own reciprocal is slower."""
    return np.divide(np.ones((), input.dtype), input)


reciprocal.vjp(input=lambda g, out: -g * (out * out).conj())


@primitive(pointwise=True, promote="int_to_float")
def sqrt(input: Array) -> Array:
    """Square root; NaN below zero."""
    return np.sqrt(input)


sqrt.vjp(input=lambda g, out: g / (2 * out.conj()))


# -- powers -------------------------------------------------------------------------------------------------------
def raise_to(base: Array, exponent: Any) -> Array:
    """``base ** exponent``; integers to negative integer powers are 0 but for the units, as in the reference."""
    if base.dtype.kind not in "iu":
        return np.power(base, exponent)
    positive_part = np.power(base, np.maximum(exponent, 0))
    if not np.any(np.less(exponent, 0)):
        return positive_part
    odd = np.where(np.remainder(exponent, 2) == 0, 1, base)
    inverse = np.where(base == 1, 1, np.where(base == -1, odd, 0)).astype(base.dtype)
    return np.where(np.less(exponent, 0), inverse, positive_part)


@primitive(pointwise=True, public=False, grad_fn="PowBackward0", numbers=())
def pow_number(input: Array, exponent: Scalar) -> Array:
    """Elementwise power with a number as exponent."""
    if input.dtype.kind in "iu" and isinstance(exponent, int) and exponent < 0:
        raise OpError("Integers to negative integer powers are not allowed.")
    return raise_to(input, np.asarray(exponent).astype(input.dtype))


def _pow_number_input(g: Tensor, input: Tensor, exponent: Any) -> Any:
    if exponent == 0:
        return ops.zeros_of(input)
    lowered = exponent * ops.pow(input, exponent - 1)
    return g * (lowered.conj() if lowered.dtype.is_complex else lowered)


pow_number.vjp(input=_pow_number_input)


@primitive(pointwise=True, public=False, grad_fn="PowBackward1", numbers=())
def pow_tensor(input: Array, exponent: Array) -> Array:
    """Elementwise power."""
    return raise_to(input, exponent)


def _pow_tensor_input(g: Tensor, input: Tensor, exponent: Tensor) -> Any:
    lowered = exponent * ops.pow(input, exponent - 1)  # type: ignore[operator]
    return g * ops.where(exponent == 0, ops.zeros_of(lowered), lowered).conj()  # type: ignore[operator]


def _pow_exponent(g: Tensor, input: Tensor, exponent: Tensor, out: Tensor) -> Any:
    """``out * log(input)``, with 0 where the base is 0 and the exponent is not negative, as the limit is."""
    at_zero = ops.logical_and(input == 0, _not_negative(exponent))
    return g * ops.where(at_zero, ops.zeros_of(out), out * ops.log(input)).conj()  # type: ignore[operator]


def _not_negative(exponent: Tensor) -> Any:
    return ops.ge(ops.real(exponent) if exponent.dtype.is_complex else exponent, 0)


pow_tensor.vjp(input=_pow_tensor_input, exponent=_pow_exponent)


@primitive(pointwise=True, public=False, grad_fn="PowBackward2", numbers=("input",))
def number_pow(input: Array, exponent: Array) -> Array:
    """A number to an elementwise power."""
    return raise_to(input, exponent)


number_pow.vjp(input=_pow_tensor_input, exponent=_pow_exponent)


@composite(writes=True)
def pow(input: Any, exponent: Any) -> Tensor:
    """``input ** exponent``; either may be a number."""
    if not isinstance(exponent, Tensor):
        return _pow_by_number(input, exponent)
    return pow_tensor(input, exponent) if isinstance(input, Tensor) else number_pow(input, exponent)  # type: ignore[no-any-return]


def _pow_by_number(input: Tensor, exponent: Any) -> Tensor:
    """The exponent takes part in promotion, as a number."""
    target = common_dtype(input, weak(exponent))
    base = input if input.dtype is target else ops.cast(input, target)
    return pow_number(base, exponent)  # type: ignore[no-any-return]


def common_dtype(*tensors: Tensor) -> DType:
    """The dtype that an elementwise op on ``tensors`` computes in."""
    operands = tuple((t.dtype, dtypes.rank_of(t.array.ndim, t.weak)) for t in tensors)
    return dtypes.result_type(operands, ops.get_default_dtype())
