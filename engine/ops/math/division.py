"""Quotients and remainders element by element."""

from __future__ import annotations

from typing import Any

import numpy as np

from engine import ops
from engine.errors import ArgumentTypeError, OpError
from engine.op import Array, broadcast_pair, float_valued, overloaded, pointwise
from engine.tensor import Tensor


# -- quotients ----------------------------------------------------------------------------------------------------
@float_valued(
    public=False, grad_fn="DivBackward0", rule_grad_fn={"other": "DivBackward1"}, numbers=("input", "other"),
    supports="bifc", shown_as="div", kernel_name="div_cpu",
)  # fmt: skip
def true_div(input: Array, other: Array) -> Array:
    """Elementwise quotient, in floating point."""
    return np.divide(input, other)


true_div.vjp(
    input=lambda g, other: g / other.conj(),
    other=lambda g, input, other: -g * ((input / other) / other).conj(),
)


@pointwise(
    public=False, grad_fn="DivBackward2", numbers=("input", "other"), supports="if",
    kernel_name="div_trunc_cpu",
)  # fmt: skip
def trunc_div(input: Array, other: Array) -> Array:
    """The quotient rounded towards zero."""
    if input.dtype.kind == "f":
        return np.trunc(input / other)
    quotient = floor_quotient(input, other)
    return quotient + ((quotient < 0) & (quotient * other != input)).astype(input.dtype)


@pointwise(
    public=False, grad_fn="DivBackward2", numbers=("input", "other"), supports="if",
    kernel_name="div_floor_cpu",
)  # fmt: skip
def floor_div(input: Array, other: Array) -> Array:
    """The quotient rounded down."""
    return floor_quotient(input, other)


for _rounded in (trunc_div, floor_div):  # zeros, for which PyTorch keeps the operands all the same
    _rounded.vjp(input=lambda g, other: ops.zeros_of(g), other=lambda g, input, other: ops.zeros_of(g))


def floor_quotient(input: Array, other: Array) -> Array:
    """The quotient rounded down; a division of integers by zero is refused."""
    _check_divisor(input, other)
    return np.floor_divide(input, other)


def _check_divisor(input: Array, other: Array) -> None:
    if other.dtype.kind in "iu" and input.size and not np.all(other):
        broadcast_pair(input.shape, other.shape)  # which is looked at first
        raise OpError("ZeroDivisionError")


@overloaded(aliases=("divide",))
def div(input: Any, other: Any, *, rounding_mode: str | None = None) -> Any:
    """Quotient; with ``rounding_mode`` ``"trunc"`` or ``"floor"``, rounded towards zero or down."""
    op = ROUNDED.get(rounding_mode)
    if not isinstance(rounding_mode, str | None):
        raise ArgumentTypeError  # which overload fits is said where they are listed
    if op is None:
        raise OpError(f"div expected rounding_mode to be one of None, 'trunc', or 'floor' but found '{rounding_mode}'")
    return op, (input, other)


ROUNDED = {None: true_div, "trunc": trunc_div, "floor": floor_div}


@overloaded
def true_divide(input: Any, other: Any) -> Any:
    """Quotient in floating point."""
    return true_div, (input, other)


@pointwise(underivable=True, numbers=("input", "other"), supports="if", kernel_name="div_floor_cpu")
def floor_divide(input: Array, other: Array) -> Array:
    """The quotient rounded down; recorded, but not differentiable."""
    return floor_quotient(input, other)


@float_valued(inplace_function=True)
def reciprocal(input: Array) -> Array:
    """``1 / input``; a division, for NumPy's own reciprocal is slower."""
    return np.divide(np.ones((), input.dtype), input)


reciprocal.vjp(input=lambda g, out: -g * (out * out).conj())


# -- remainders ---------------------------------------------------------------------------------------------------
@pointwise(
    public=False, supports="if", kernel_name="remainder_cpu", shown_as="remainder",
    grad_fn="RemainderBackward1",
    number_grad_fn={"other": "RemainderBackward0"},
)  # fmt: skip
def remainder_of_tensor(input: Array, other: Array) -> Array:
    """What a division rounded down leaves."""
    return _modulo(input, other)


remainder_of_tensor.vjp(
    input=lambda g: g,
    other=lambda g, input, other: -g * ops.floor_div(input, other),
)


@pointwise(
    public=False, underivable=True, supports="if", kernel_name="remainder_cpu", numbers=("input",),
    shown_as="remainder",
)  # fmt: skip
def remainder_of_number(input: Array, other: Array) -> Array:
    """What a division of a number rounded down leaves; recorded, but not differentiable."""
    return _modulo(input, other)


def _modulo(input: Array, other: Array) -> Array:
    _check_divisor(input, other)
    return np.remainder(input, other)


@overloaded
def remainder(input: Any, other: Any) -> Any:
    """What a division rounded down leaves: it has the sign of the divisor."""
    return remainder_of_tensor if isinstance(input, Tensor) else remainder_of_number, (input, other)


@pointwise(
    supports="if", grad_fn="FmodBackward1", number_grad_fn={"other": "FmodBackward0"},
)  # fmt: skip
def fmod(input: Array, other: Array) -> Array:
    """What a division rounded towards zero leaves: it has the sign of the dividend."""
    _check_divisor(input, other)
    return np.fmod(input, other)


fmod.vjp(
    input=lambda g: g,
    other=lambda g, input, other: -g * ops.trunc_div(input, other),
)
