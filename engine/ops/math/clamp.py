"""The smaller and the larger of two, and values kept between bounds."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from engine import ops
from engine.dtypes import BOOL, COMPLEX, INTEGER, can_cast
from engine.errors import ArgumentTypeError, OpError, UnsupportedError
from engine.op import Array, composite, overloaded, pointwise, weak
from engine.ops.creation.factories import check_fits
from engine.ops.math.powers import common_dtype
from engine.tensor import Tensor

COMPLEX_CLAMP = "clamp is not supported for complex types"


# -- bounds -------------------------------------------------------------------------------------------------------
def _check_bounds(input: Tensor, min: Tensor | None, max: Tensor | None) -> None:
    bounds = [bound for bound in (min, max) if bound is not None]
    if any(tensor.dtype.is_complex for tensor in (input, *bounds)):
        raise UnsupportedError(_refused_complex(input, bounds, min is None))
    for bound in bounds:
        if bound.is_weak and bound.dtype.category == input.dtype.category == INTEGER:
            check_fits(bound.item(), input.dtype)
    if all(tensor.dtype.category == BOOL for tensor in (input, *bounds)):
        _refuse_bools(bounds, "min" if max is None else "max" if min is None else "")


def _refused_complex(input: Tensor, bounds: list[Tensor], is_upper: bool) -> str:
    if not is_upper or bounds[0].is_weak:
        return COMPLEX_CLAMP
    return f"\"minimum_cpu\" not implemented for '{common_dtype(input, *bounds).scalar_type}'"


def _refuse_bools(bounds: list[Tensor], name: str) -> None:
    """PyTorch clamps bools by one tensor only."""
    if bounds[0].is_weak or len(bounds) == 2:
        kernel = f"clamp_{name}_scalar_cpu" if name else "clamp_scalar_cpu" if bounds[0].is_weak else "clamp_cpu"
        raise UnsupportedError(f"\"{kernel}\" not implemented for 'Bool'")


@pointwise(
    public=False, grad_fn="ClampBackward0", check=_check_bounds, layout="tensors",
    number_grad_fn={"min": "ClampBackward1", "max": "ClampBackward1"},
)  # fmt: skip
def clamp_between(input: Array, min: Array | None, max: Array | None) -> Array:
    """``input`` with what lies below ``min`` or above ``max`` replaced by the bound; ``max`` prevails."""
    result = input if min is None else np.maximum(input, min)
    return result if max is None else np.minimum(result, max)


def _inside(g: Any, input: Any, min: Any, max: Any) -> Any:
    """An element equal to a bound keeps its cotangent."""
    if min is None or max is None:
        return ops.choose(ops.le(input, max) if min is None else ops.ge(input, min), g, 0)
    return ops.choose(ops.logical_and(ops.ge(input, min), ops.le(input, max)), g, 0)


def _below(g: Any, input: Any, min: Any, max: Any) -> Any:
    below = ops.lt(input, min)
    return ops.choose(below if max is None else ops.logical_and(below, ops.lt(min, max)), g, 0)


def _above(g: Any, input: Any, min: Any, max: Any) -> Any:
    above = ops.gt(input, max)
    return ops.choose(above if min is None else ops.logical_or(above, ops.lt(max, min)), g, 0)


clamp_between.vjp(input=_inside, min=_below, max=_above)


@overloaded(writes=False, aliases=("clip",))
def clamp(input: Tensor, min: Any = None, max: Any = None) -> Any:
    """``input`` with what lies below ``min`` or above ``max`` replaced by the bound; ``max`` prevails."""
    if min is None and max is None:
        raise OpError("torch.clamp: At least one of 'min' or 'max' must not be None")
    if min is not None and max is not None and isinstance(min, Tensor) != isinstance(max, Tensor):
        raise ArgumentTypeError("clamp(): one bound is a number, the other a tensor")  # shown as all overloads
    return clamp_between, (input, min, max)


@composite(name="clamp_", aliases=("clip_",))
def _clamp_inplace(input: Tensor, min: Any = None, max: Any = None) -> Tensor:
    """``clamp`` of the tensor itself."""
    if min is None and max is None:
        raise OpError("torch.clamp: At least one of 'min' or 'max' must not be None")
    _check_target(input, [bound for bound in (min, max) if bound is not None])
    return clamp_between.inplace(input, min, max)


def _check_target(input: Tensor, bounds: list[Any]) -> None:
    """Numbers as bounds must not promote a tensor that is written to."""
    if input.dtype.is_complex or any(isinstance(bound, Tensor) for bound in bounds):
        return
    result = common_dtype(input, *[weak(bound) for bound in bounds])
    if not result.is_complex and not can_cast(result, input.dtype):
        raise OpError(f"result type {result.scalar_type} can't be cast to the desired output type {input.dtype.c_name}")


@pointwise(
    writes=False, supports="bif", kernel_name="maximum_cpu", grad_fn="ClampMinBackward1",
    number_grad_fn={"min": "ClampMinBackward0"}, layout="tensors",
    check=lambda input, min: _check_one_bound(input, min, "min"),
)  # fmt: skip
def clamp_min(input: Array, min: Array) -> Array:
    """``input`` with what lies below ``min`` replaced by it."""
    return np.maximum(input, min)


@composite(name="clamp_min_")
def _clamp_min_inplace(input: Tensor, min: Any) -> Tensor:
    """``clamp_min`` of the tensor itself."""
    _check_target(input, [min])
    return clamp_min.inplace(input, min)


clamp_min.vjp(
    input=lambda g, input, min: ops.choose(ops.ge(input, min), g, 0),
    min=lambda g, input, min: ops.choose(ops.lt(input, min), g, 0),
)


@pointwise(
    writes=False, supports="bif", kernel_name="minimum_cpu", grad_fn="ClampMaxBackward1",
    number_grad_fn={"max": "ClampMaxBackward0"}, layout="tensors",
    check=lambda input, max: _check_one_bound(input, max, "max"),
)  # fmt: skip
def clamp_max(input: Array, max: Array) -> Array:
    """``input`` with what lies above ``max`` replaced by it."""
    return np.minimum(input, max)


@composite(name="clamp_max_")
def _clamp_max_inplace(input: Tensor, max: Any) -> Tensor:
    """``clamp_max`` of the tensor itself."""
    _check_target(input, [max])
    return clamp_max.inplace(input, max)


clamp_max.vjp(
    input=lambda g, input, max: ops.choose(ops.le(input, max), g, 0),
    max=lambda g, input, max: ops.choose(ops.gt(input, max), g, 0),
)


def _check_one_bound(input: Tensor, bound: Tensor, name: str) -> None:
    if bound.is_weak:
        _check_bounds(input, bound, None) if name == "min" else _check_bounds(input, None, bound)


# -- the larger and the smaller -----------------------------------------------------------------------------------
def _real_operands(name: str) -> Callable[[Tensor, Tensor], None]:
    def check(input: Tensor, other: Tensor) -> None:
        if COMPLEX in (input.dtype.category, other.dtype.category):
            raise OpError(f"{name} not implemented for complex tensors.")

    return check


@pointwise(writes=False, numbers=(), check=_real_operands("maximum"))
def maximum(input: Array, other: Array) -> Array:
    """The larger of two; NaN if one is."""
    return np.maximum(input, other)


maximum.vjp(
    input=lambda g, input, other: _shared(g, input, other, ops.lt),
    other=lambda g, input, other: _shared(g, other, input, ops.lt),
)


@pointwise(writes=False, numbers=(), check=_real_operands("minimum"))
def minimum(input: Array, other: Array) -> Array:
    """The smaller of two; NaN if one is."""
    return np.minimum(input, other)


minimum.vjp(
    input=lambda g, input, other: _shared(g, input, other, ops.gt),
    other=lambda g, input, other: _shared(g, other, input, ops.gt),
)


def _shared(g: Any, one: Any, other: Any, loses: Any) -> Any:
    """``g`` where ``one`` was taken; half of it where both are equal."""
    return ops.choose(ops.eq(one, other), g / 2, g).masked_fill_(loses(one, other), 0)


@pointwise(writes=False, numbers=(), check=_real_operands("fmax"))
def fmax(input: Array, other: Array) -> Array:
    """The larger of two; a NaN yields to a number."""
    return np.fmax(input, other)


@pointwise(writes=False, numbers=(), check=_real_operands("fmin"))
def fmin(input: Array, other: Array) -> Array:
    """The smaller of two; a NaN yields to a number."""
    return np.fmin(input, other)


# The first operand is the one taken where both are equal.
fmax.vjp(
    input=lambda g, input, other: ops.choose(_first(input, other, ops.ge), g, 0),
    other=lambda g, input, other: ops.choose(_first(input, other, ops.ge), 0, g),
)
fmin.vjp(
    input=lambda g, input, other: ops.choose(_first(input, other, ops.le), g, 0),
    other=lambda g, input, other: ops.choose(_first(input, other, ops.le), 0, g),
)


def _first(input: Any, other: Any, wins: Any) -> Any:
    return ops.logical_or(wins(input, other), ops.isnan(other))
