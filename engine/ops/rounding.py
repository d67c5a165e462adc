"""Rounding, signs and magnitudes, bounds, and what takes floating-point numbers apart."""

from __future__ import annotations

from typing import Any

import numpy as np

from engine import dtypes, ops
from engine.errors import OpError
from engine.op import Array, composite, primitive
from engine.ops.compare import nothing
from engine.tensor import Tensor


# -- signs and magnitudes -----------------------------------------------------------------------------------------
@primitive(pointwise=True, aliases=("absolute",))
def abs(input: Array) -> Array:
    """Absolute value; real for complex numbers."""
    return np.abs(input)


abs.vjp(input=lambda g, input: g * ops.sgn(input))  # 0 at 0


@primitive(pointwise=True, supports="bif")
def sign(input: Array) -> Array:
    """-1, 0 or 1."""
    return input.copy() if input.dtype == np.bool_ else np.sign(input)


sign.vjp(input=nothing)


@primitive(pointwise=True)
def sgn(input: Array) -> Array:
    """The number over its magnitude; 0 at 0."""
    if input.dtype.kind == "c":
        magnitude = np.abs(input)
        return np.divide(input, magnitude, out=np.zeros_like(input), where=magnitude != 0)
    return input.copy() if input.dtype == np.bool_ else np.sign(input)


def _sgn_input(g: Any, input: Any, out: Any) -> Any:
    """The part of ``g`` across the direction ``out``, over the magnitude; nothing for real numbers."""
    if not input.is_complex():
        return ops.zeros_of(g)
    magnitude = ops.abs(input)
    across = g - out * ops.real(out.conj() * g)
    at_zero = ops.eq(magnitude, 0)
    return (across / magnitude.masked_fill(at_zero, 1)).masked_fill(at_zero, 0)


sgn.vjp(input=_sgn_input)


# -- bounds -------------------------------------------------------------------------------------------------------
def _keeping_nan(array: Array, bound: Any, limit: Any) -> Any:
    return limit(array, bound)


@primitive(
    pointwise=True, supports="bif", grad_fn="ClampBackward0", aliases=("clip",),
    number_grad_fn={"min": "ClampBackward1", "max": "ClampBackward1"},
)  # fmt: skip
def clamp(input: Array, min: Array | None = None, max: Array | None = None) -> Array:
    """``input`` with what lies below ``min`` or above ``max`` replaced by the bound; ``max`` prevails."""
    if min is None and max is None:
        raise OpError("torch.clamp: At least one of 'min' or 'max' must not be None")
    result = input if min is None else np.maximum(input, min)
    return result if max is None else np.minimum(result, max)


def _clamp_input(g: Any, input: Any, min: Any, max: Any) -> Any:
    """A bound lets the cotangent of an element equal to it pass to the element."""
    inside = _at_least(input, min) if max is None else ops.le(input, max)
    if min is not None and max is not None:
        inside = ops.logical_and(_at_least(input, min), inside)
    return ops.choose(inside, g, 0)


def _at_least(input: Any, min: Any) -> Any:
    return ops.ge(input, min)


def _clamp_min(g: Any, input: Any, min: Any, max: Any) -> Any:
    below = ops.lt(input, min)
    return ops.choose(below if max is None else ops.logical_and(below, ops.lt(min, max)), g, 0)


def _clamp_max(g: Any, input: Any, min: Any, max: Any) -> Any:
    above = ops.gt(input, max)
    return ops.choose(above if min is None else ops.logical_or(above, ops.lt(max, min)), g, 0)


clamp.vjp(input=_clamp_input, min=_clamp_min, max=_clamp_max)


@primitive(pointwise=True, supports="bif", numbers=())
def maximum(input: Array, other: Array) -> Array:
    """The larger of two; NaN if one is."""
    return np.maximum(input, other)


maximum.vjp(
    input=lambda g, input, other: shared(g, input, other, ops.lt),
    other=lambda g, input, other: shared(g, other, input, ops.lt),
)


@primitive(pointwise=True, supports="bif", numbers=())
def minimum(input: Array, other: Array) -> Array:
    """The smaller of two; NaN if one is."""
    return np.minimum(input, other)


minimum.vjp(
    input=lambda g, input, other: shared(g, input, other, ops.gt),
    other=lambda g, input, other: shared(g, other, input, ops.gt),
)


def shared(g: Any, one: Any, other: Any, loses: Any) -> Any:
    """``g`` where ``one`` was taken; half of it where both are equal."""
    return ops.choose(ops.eq(one, other), g / 2, g).masked_fill(loses(one, other), 0)
