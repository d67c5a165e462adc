"""Exponentials, logarithms, trigonometric and hyperbolic functions, their inverses, and what is made of them."""

from __future__ import annotations

from math import log as natural_log
from math import pi
from typing import Any

import numpy as np
from scipy import special as scipy_special

from engine import ops
from engine.op import Array, primitive

LOG_2 = natural_log(2)
LOG_10 = natural_log(10)


# -- exponentials and logarithms ----------------------------------------------------------------------------------
@primitive(pointwise=True, promote="int_to_float")
def exp(input: Array) -> Array:
    """``e`` to the ``input``."""
    return np.exp(input)


exp.vjp(input=lambda g, out: g * out.conj())


@primitive(pointwise=True, promote="int_to_float", aliases=("special.exp2",))
def exp2(input: Array) -> Array:
    """2 to the ``input``."""
    return np.exp2(input)


exp2.vjp(input=lambda g, out: g * (out.conj() * LOG_2))


@primitive(pointwise=True, promote="int_to_float", aliases=("special.expm1",))
def expm1(input: Array) -> Array:
    """``exp(input) - 1``, precise near 0."""
    return np.expm1(input)


expm1.vjp(input=lambda g, out: g * (out.conj() + 1))


@primitive(pointwise=True, promote="int_to_float")
def log(input: Array) -> Array:
    """Natural logarithm."""
    return np.log(input)


log.vjp(input=lambda g, input: g / input.conj())


@primitive(pointwise=True, promote="int_to_float")
def log2(input: Array) -> Array:
    """Logarithm to base 2."""
    return np.log2(input)


log2.vjp(input=lambda g, input: g / (input.conj() * LOG_2))


@primitive(pointwise=True, promote="int_to_float")
def log10(input: Array) -> Array:
    """Logarithm to base 10."""
    return np.log10(input)


log10.vjp(input=lambda g, input: g / (input.conj() * LOG_10))


@primitive(pointwise=True, promote="int_to_float", grad_fn="Log1PBackward0", aliases=("special.log1p",))
def log1p(input: Array) -> Array:
    """``log(1 + input)``, precise near 0."""
    return np.log1p(input)


log1p.vjp(input=lambda g, input: g / (input + 1).conj())


# -- sigmoid and tanh ---------------------------------------------------------------------------------------------
@primitive(pointwise=True, promote="int_to_float", aliases=("special.expit", "nn.functional.sigmoid"))
def sigmoid(input: Array) -> Array:
    """``1 / (1 + exp(-input))``."""
    if input.dtype.kind == "c":
        return np.divide(1, 1 + np.exp(-input)).astype(input.dtype, copy=False)
    return scipy_special.expit(input)  # type: ignore[no-any-return]


sigmoid.vjp(input=lambda g, out: sigmoid_backward(g, out))


@primitive(public=False, pointwise=True)
def sigmoid_backward(grad: Array, out: Array) -> Array:
    """``grad`` times the conjugate of ``out * (1 - out)``, the derivative of ``sigmoid`` by its value."""
    return grad * np.conjugate((1 - out) * out) if out.dtype.kind == "c" else grad * (1 - out) * out


sigmoid_backward.vjp(
    grad=lambda g, out: g * ((1 - out) * out),
    out=lambda g, grad, out: g * grad.conj() * (1 - 2 * out).conj() if not out.is_complex() else _twisted(g, grad, 1 - 2 * out),
)


def _twisted(g: Any, grad: Any, slope: Any) -> Any:
    """The cotangent of ``z`` in ``grad * conj(f(z))`` with ``f' = slope``."""
    return (g.conj() * grad) * slope.conj()


@primitive(pointwise=True, promote="int_to_float")
def tanh(input: Array) -> Array:
    """Hyperbolic tangent."""
    return np.tanh(input)


tanh.vjp(input=lambda g, out: tanh_backward(g, out))


@primitive(public=False, pointwise=True)
def tanh_backward(grad: Array, out: Array) -> Array:
    """``grad`` times the conjugate of ``1 - out**2``, the derivative of ``tanh`` by its value."""
    return grad * np.conjugate(1 - out * out) if out.dtype.kind == "c" else grad * (1 - out * out)


tanh_backward.vjp(
    grad=lambda g, out: g * (1 - out * out),
    out=lambda g, grad, out: _twisted(g, grad, -2 * out),
)
