"""Exponentials, logarithms, trigonometric and hyperbolic functions, their inverses, and what is made of them."""

from __future__ import annotations

from math import log as natural_log
from math import pi
from typing import Any

import numpy as np

from engine import ops
from engine.dtypes import COMPLEX
from engine.errors import OpError
from engine.kernels.trigonometry import cosine, sine
from engine.op import Array, float_valued, pointwise
from engine.tensor import Tensor

LOG_2 = natural_log(2)
LOG_10 = natural_log(10)


# -- exponentials and logarithms ----------------------------------------------------------------------------------
@float_valued(inplace_function=True)
def exp(input: Array) -> Array:
    """``e`` to the ``input``."""
    return np.exp(input)


exp.vjp(input=lambda g, out: g * out.conj())


@float_valued(aliases=("special.exp2",), inplace_function=True)
def exp2(input: Array) -> Array:
    """2 to the ``input``."""
    return np.exp2(input)


exp2.vjp(input=lambda g, out: ops.mul_number(g * out.conj(), LOG_2))


@float_valued(aliases=("special.expm1",), inplace_function=True)
def expm1(input: Array) -> Array:
    """``exp(input) - 1``, precise near 0."""
    return np.expm1(input)


expm1.vjp(input=lambda g, out: g * (out.conj() + 1))


@float_valued(inplace_function=True)
def log(input: Array) -> Array:
    """Natural logarithm."""
    return np.log(input)


log.vjp(input=lambda g, input: g / input.conj())


@float_valued(inplace_function=True)
def log2(input: Array) -> Array:
    """Logarithm to base 2."""
    return np.log2(input)


log2.vjp(input=lambda g, input: g / (input.conj() * LOG_2))


@float_valued(inplace_function=True)
def log10(input: Array) -> Array:
    """Logarithm to base 10."""
    return np.log10(input)


log10.vjp(input=lambda g, input: g / (input.conj() * LOG_10))


@float_valued(
    grad_fn="Log1PBackward0", aliases=("special.log1p",), inplace_function=True,
)  # fmt: skip
def log1p(input: Array) -> Array:
    """``log(1 + input)``, precise near 0."""
    return np.log1p(input)


log1p.vjp(input=lambda g, input: g / (input + 1).conj())


# -- sigmoid and tanh ---------------------------------------------------------------------------------------------
@float_valued(
    aliases=("special.expit", "nn.functional.sigmoid"), inplace_function=True,
)  # fmt: skip
def sigmoid(input: Array) -> Array:
    """``1 / (1 + exp(-input))``."""
    return 1 / (1 + np.exp(-input))


sigmoid.vjp(input=lambda g, out: ops.sigmoid_backward(g, out))


@pointwise(public=False)
def sigmoid_backward(grad: Array, output: Array) -> Array:
    """``grad`` times the conjugate of ``output * (1 - output)``, the derivative of ``sigmoid`` by its value."""
    slope = (1 - output) * output
    return grad * (np.conjugate(slope) if slope.dtype.kind == "c" else slope)


sigmoid_backward.vjp(
    grad=lambda g, output: g * (1 - output) * output,
    output=lambda g, grad, output: _through_conjugate(g, grad, 1 - 2 * output),
)


@float_valued(aliases=("nn.functional.tanh",), inplace_function=True)
def tanh(input: Array) -> Array:
    """Hyperbolic tangent."""
    return np.tanh(input)


tanh.vjp(input=lambda g, out: ops.tanh_backward(g, out))


@pointwise(public=False)
def tanh_backward(grad: Array, output: Array) -> Array:
    """``grad`` times the conjugate of ``1 - output**2``, the derivative of ``tanh`` by its value."""
    slope = 1 - output * output
    return grad * (np.conjugate(slope) if slope.dtype.kind == "c" else slope)


tanh_backward.vjp(
    grad=lambda g, output: g * (1 - output * output),
    output=lambda g, grad, output: _through_conjugate(g, grad, -2 * output),
)


def _through_conjugate(g: Any, grad: Any, slope: Any) -> Any:
    """The cotangent of ``z`` in ``grad * conj(f(z))``, where ``slope`` is the derivative of ``f``."""
    return g.conj() * grad * slope.conj()


@float_valued(supports="bif", aliases=("special.logit",), inplace_function=True)
def logit(input: Array, eps: float | None = None) -> Array:
    """``log(input / (1 - input))``, of ``input`` kept between ``eps`` and ``1 - eps``."""
    kept = input if eps is None or eps != eps else np.clip(input, eps, 1 - eps)
    return np.log(kept / (1 - kept))


def _logit_input(g: Any, input: Any, eps: float | None) -> Any:
    """0 where ``eps`` took over; NaN outside of [0, 1] without it."""
    if eps is not None and eps != eps:  # a bound that is no number bounds nothing
        return g / (input * (1 - input))
    low = 0.0 if eps is None else eps
    inside = ops.logical_and(ops.ge(input, low), ops.le(input, 1 - low))
    return ops.choose(inside, g / (input * (1 - input)), float("nan") if eps is None else 0.0)


logit.vjp(input=_logit_input)


# -- circular functions -------------------------------------------------------------------------------------------
@float_valued(total=True, inplace_function=True)
def sin(input: Array) -> Array:
    """Sine."""
    return sine(input)


sin.vjp(input=lambda g, input: g * ops.cos(input).conj())


@float_valued(total=True, inplace_function=True, scratch=4)
def cos(input: Array) -> Array:
    """Cosine."""
    return cosine(input)


cos.vjp(input=lambda g, input: g * -ops.sin(input).conj())


@float_valued(inplace_function=True)
def tan(input: Array) -> Array:
    """Tangent."""
    return np.tan(input)


tan.vjp(input=lambda g, out: g * (1 + out * out).conj())


@float_valued(aliases=("arcsin",), inplace_function=True)
def asin(input: Array) -> Array:
    """Inverse sine."""
    return np.arcsin(input)


asin.vjp(input=lambda g, input: g * ops.rsqrt(1 - input * input).conj())


@float_valued(aliases=("arccos",), inplace_function=True)
def acos(input: Array) -> Array:
    """Inverse cosine."""
    return np.arccos(input)


acos.vjp(input=lambda g, input: -g * ops.rsqrt(1 - input * input).conj())


@float_valued(aliases=("arctan",), inplace_function=True)
def atan(input: Array) -> Array:
    """Inverse tangent."""
    return np.arctan(input)


atan.vjp(input=lambda g, input: g / (1 + input * input).conj())


@float_valued(numbers=(), supports="bif", aliases=("arctan2",))
def atan2(input: Array, other: Array) -> Array:
    """The angle of the point ``(other, input)``."""
    return np.arctan2(input, other)


atan2.vjp(
    input=lambda g, input, other: g * other * _inverse_square(input, other),
    other=lambda g, input, other: g * -input * _inverse_square(input, other),
)


def _inverse_square(y: Any, x: Any) -> Any:
    """``1 / (x**2 + y**2)``; 0 at the origin, where the angle is anything."""
    square = y * y + x * x
    return ops.reciprocal(square).masked_fill(square == 0, 0)


def _check_real(name: str) -> Any:
    def check(input: Tensor) -> None:
        if input.dtype.category == COMPLEX:
            raise OpError(f"{name} is not supported for complex tensors.")

    return check


@float_valued(
    linear=True,
    grad_fn="Deg2RadBackward0",
    check=_check_real("deg2rad"),
    inplace_function=True,
)
def deg2rad(input: Array) -> Array:
    """Degrees to radians."""
    return input * (pi / 180)


deg2rad.vjp(input=lambda g: g * (pi / 180))


@float_valued(
    linear=True,
    grad_fn="Rad2DegBackward0",
    check=_check_real("rad2deg"),
    inplace_function=True,
)
def rad2deg(input: Array) -> Array:
    """Radians to degrees."""
    return input * (180 / pi)


rad2deg.vjp(input=lambda g: g * (180 / pi))


@float_valued(aliases=("special.sinc",), inplace_function=True)
def sinc(input: Array) -> Array:
    """``sin(pi * input) / (pi * input)``, 1 at 0."""
    angle = pi * input
    return np.where(input == 0, 1, np.sin(angle) / angle).astype(input.dtype, copy=False)


def _sinc_input(g: Any, input: Any) -> Any:
    angle = input * pi
    slope = (ops.cos(angle) * angle - ops.sin(angle)) / (angle * input)
    return ops.choose(angle * input == 0, 0, g * slope.conj())


sinc.vjp(input=_sinc_input)


# -- hyperbolic functions -----------------------------------------------------------------------------------------
@float_valued(inplace_function=True)
def sinh(input: Array) -> Array:
    """Hyperbolic sine."""
    return np.sinh(input)


sinh.vjp(input=lambda g, input: g * ops.cosh(input).conj())


@float_valued(inplace_function=True)
def cosh(input: Array) -> Array:
    """Hyperbolic cosine."""
    return np.cosh(input)


cosh.vjp(input=lambda g, input: g * ops.sinh(input).conj())


@float_valued(
    inplace_grad_fn="AsinhBackward1", underivable_in_place=True, aliases=("arcsinh",),
    inplace_function=True,
)  # fmt: skip
def asinh(input: Array) -> Array:
    """Inverse hyperbolic sine."""
    return np.arcsinh(input)


asinh.vjp(input=lambda g, input: g * ops.rsqrt(input * input + 1).conj())


@float_valued(
    inplace_grad_fn="AcoshBackward1", underivable_in_place=True, aliases=("arccosh",),
    inplace_function=True,
)  # fmt: skip
def acosh(input: Array) -> Array:
    """Inverse hyperbolic cosine."""
    return np.arccosh(input)


# Two roots, for the root of the product would lie on the wrong branch for complex numbers.
acosh.vjp(input=lambda g, input: g * _acosh_slope(input).conj())


def _acosh_slope(input: Any) -> Any:
    if input.is_complex():
        return ops.rsqrt(input - 1) * ops.rsqrt(input + 1)
    return ops.rsqrt(input * input - 1)


@float_valued(
    inplace_grad_fn="AtanhBackward1", underivable_in_place=True, aliases=("arctanh",),
    inplace_function=True,
)  # fmt: skip
def atanh(input: Array) -> Array:
    """Inverse hyperbolic tangent."""
    return np.arctanh(input)


atanh.vjp(input=lambda g, input: g / (1 - input * input).conj())


# -- of two operands ----------------------------------------------------------------------------------------------
@pointwise(numbers=(), supports="f")
def hypot(input: Array, other: Array) -> Array:
    """``sqrt(input**2 + other**2)``, without overflow."""
    return np.hypot(input, other)


hypot.vjp(input=lambda g, input, out: g * input / out, other=lambda g, other, out: g * other / out)


@pointwise(writes=False, numbers=(), supports="fc")
def logaddexp(input: Array, other: Array) -> Array:
    """``log(exp(input) + exp(other))``, without overflow."""
    if input.dtype.kind != "c":
        return np.logaddexp(input, other)
    first_wins = input.real >= other.real
    high, low = np.where(first_wins, input, other), np.where(first_wins, other, input)
    return high + np.log1p(np.exp(low - high))


logaddexp.vjp(
    input=lambda g, input, other: g / (1 + ops.exp(other - input)).conj(),
    other=lambda g, input, other: g / (1 + ops.exp(input - other)).conj(),
)


@pointwise(writes=False, numbers=(), supports="f")
def logaddexp2(input: Array, other: Array) -> Array:
    """``log2(2**input + 2**other)``, without overflow."""
    return np.logaddexp2(input, other)


logaddexp2.vjp(
    input=lambda g, input, other: g / (1 + ops.exp2(other - input)),
    other=lambda g, input, other: g / (1 + ops.exp2(input - other)),
)


@float_valued(
    numbers=("input", "other"), supports="bif", aliases=("special.xlogy",),
    number_grad_fn={"input": "XlogyBackward1", "other": "XlogyBackward2"}, inplace_function=True,
)  # fmt: skip
def xlogy(input: Array, other: Array) -> Array:
    """``input * log(other)``, 0 where ``input`` is; NaN where ``other`` is."""
    return _times_zero(input, np.log(other), other)


def _times_zero(factor: Array, value: Array, source: Array) -> Array:
    """``factor * value`` with 0 where ``factor`` is, unless ``source`` is NaN there."""
    product = np.where(factor == 0, np.zeros((), value.dtype), factor * value)
    return np.where(np.isnan(source), source, product)


def _undefined(input: Any, other: Any, edge: float) -> Any:
    """Where the function is 0 although its logarithm is not defined: so is the derivative."""
    return ops.logical_and(input == 0, other <= edge)


xlogy.vjp(
    input=lambda g, input, other: ops.xlogy(g, other).masked_fill(_undefined(input, other, 0), 0),
    other=lambda g, input, other: g * input / other,
)


@float_valued(
    name="special.xlog1py", numbers=("input", "other"), supports="bif",
    grad_fn="SpecialXlog1PyBackward0", kernel_name="xlog1py_cpu", writes=False,
    number_grad_fn={"input": "SpecialXlog1PyBackward1", "other": "SpecialXlog1PyBackward2"},
)  # fmt: skip
def xlog1py(input: Array, other: Array) -> Array:
    """``input * log(1 + other)``, 0 where ``input`` is; NaN where ``other`` is."""
    return _times_zero(input, np.log1p(other), other)


xlog1py.vjp(
    input=lambda g, input, other: ops.xlog1py(g, other).masked_fill(_undefined(input, other, -1), 0),
    other=lambda g, input, other: g * input / (other + 1),
)
