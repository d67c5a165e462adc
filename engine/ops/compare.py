"""Comparisons, logic, bits, and choices between elements by a mask. Results are masks or integers unless chosen."""

from __future__ import annotations

from typing import Any

import numpy as np

from engine import dtypes, modes, ops
from engine.errors import ArgumentTypeError, OpError
from engine.op import Array, Mask, Scalar, composite, primitive, weak
from engine.overloads import overloaded
from engine.tensor import Tensor


def nothing(g: Any) -> Any:
    """The cotangent of an input that the result does not change with: zeros."""
    return ops.zeros_of(g)


# -- comparisons --------------------------------------------------------------------------------------------------
# Only the in-place variants are ever recorded: a mask written into a tensor of floats. Their rules give zeros.
@primitive(pointwise=True, grad_fn="EqBackward1", number_grad_fn={"other": "EqBackward0"})
def eq(input: Array, other: Array) -> Array:
    """Where ``input == other``."""
    return np.equal(input, other)


eq.vjp(input=nothing, other=nothing)


@primitive(pointwise=True, grad_fn="NeBackward1", number_grad_fn={"other": "NeBackward0"}, aliases=("not_equal",))
def ne(input: Array, other: Array) -> Array:
    """Where ``input != other``."""
    return np.not_equal(input, other)


ne.vjp(input=nothing, other=nothing)


@primitive(
    pointwise=True, grad_fn="LtBackward1", number_grad_fn={"other": "LtBackward0"}, supports="bif", aliases=("less",)
)
def lt(input: Array, other: Array) -> Array:
    """Where ``input < other``."""
    return np.less(input, other)


lt.vjp(input=nothing, other=nothing)


@primitive(
    pointwise=True, grad_fn="LeBackward1", number_grad_fn={"other": "LeBackward0"}, supports="bif",
    aliases=("less_equal",),
)  # fmt: skip
def le(input: Array, other: Array) -> Array:
    """Where ``input <= other``."""
    return np.less_equal(input, other)


le.vjp(input=nothing, other=nothing)


@primitive(
    pointwise=True, grad_fn="GtBackward1", number_grad_fn={"other": "GtBackward0"}, supports="bif",
    aliases=("greater",),
)  # fmt: skip
def gt(input: Array, other: Array) -> Array:
    """Where ``input > other``."""
    return np.greater(input, other)


gt.vjp(input=nothing, other=nothing)


@primitive(
    pointwise=True, grad_fn="GeBackward1", number_grad_fn={"other": "GeBackward0"}, supports="bif",
    aliases=("greater_equal",),
)  # fmt: skip
def ge(input: Array, other: Array) -> Array:
    """Where ``input >= other``."""
    return np.greater_equal(input, other)


ge.vjp(input=nothing, other=nothing)


# -- logic --------------------------------------------------------------------------------------------------------
@primitive(pointwise=True, numbers=(), nondifferentiable=("input", "other"))
def logical_and(input: Array, other: Array) -> Array:
    """Where both are not zero."""
    return np.logical_and(input, other)


@primitive(pointwise=True, numbers=(), nondifferentiable=("input", "other"))
def logical_or(input: Array, other: Array) -> Array:
    """Where at least one is not zero."""
    return np.logical_or(input, other)


@primitive(pointwise=True, numbers=(), nondifferentiable=("input", "other"))
def logical_xor(input: Array, other: Array) -> Array:
    """Where exactly one is not zero."""
    return np.logical_xor(input, other)


@primitive(pointwise=True, nondifferentiable=("input",))
def logical_not(input: Array) -> Array:
    """Where ``input`` is zero."""
    return np.logical_not(input)


# -- choices ------------------------------------------------------------------------------------------------------
@primitive(public=False, pointwise=True, grad_fn="WhereBackward0", numbers=("input", "other"))
def choose(condition: Mask, input: Array, other: Array) -> Array:
    """``input`` where ``condition`` holds, ``other`` elsewhere."""
    return np.where(condition, input, other)


choose.vjp(
    input=lambda g, condition: ops.choose(condition, g, ops.zeros_of(g)),
    other=lambda g, condition: ops.choose(condition, ops.zeros_of(g), g),
)


@composite(name="where", function=False)
def _where_method(input: Tensor, condition: Tensor, other: Any) -> Tensor:
    """``input`` where ``condition`` holds, ``other`` elsewhere."""
    return where(condition, input, other)


@composite(method=False)
def where(condition: Tensor, input: Any = None, other: Any = None) -> Any:
    """``input`` where ``condition`` holds, ``other`` elsewhere; given the condition alone, where it holds."""
    if input is None and other is None:
        return ops.nonzero(condition, as_tuple=True)
    if condition.dtype not in (dtypes.bool_, dtypes.uint8):
        raise OpError(
            f"where expected condition to be a boolean tensor, but got a tensor with dtype {condition.dtype.scalar_type}"
        )
    return choose(condition if condition.dtype is dtypes.bool_ else condition != 0, input, other)


def _check_mask(mask: Array) -> None:
    if mask.dtype != np.bool_:
        name = dtypes.of(mask).alias
        raise OpError(f"masked_fill_ only supports boolean masks, but got mask with dtype {name}")


@primitive(public=False, pointwise=True, grad_fn="MaskedFillBackward0")
def masked_fill_number(input: Array, mask: Mask, value: Scalar) -> Array:
    """``input`` with a number where ``mask`` holds."""
    _check_mask(mask)
    return np.where(mask, as_element(value, input), input)


masked_fill_number.vjp(input=lambda g, mask: g.masked_fill(mask, 0))


def as_element(value: Any, array: Array) -> Array:
    """A number as a 0-d array of the dtype of ``array``; refused where the reference refuses the conversion."""
    if isinstance(value, complex) and array.dtype.kind != "c" and value.imag:
        name = CPP_NAMES.get(array.dtype.name, array.dtype.name)
        raise OpError(f"value cannot be converted to type {name} without overflow")
    if isinstance(value, complex) and array.dtype.kind != "c":
        value = value.real
    return np.asarray(value).astype(array.dtype)


CPP_NAMES = {"float64": "double", "float32": "float", "int64": "int64_t", "int32": "int", "bool": "bool"}


@primitive(public=False, pointwise=True, grad_fn="MaskedFillBackward1", numbers=())
def masked_fill_tensor(input: Array, mask: Mask, value: Array) -> Array:
    """``input`` with the 0-d ``value`` where ``mask`` holds."""
    _check_mask(mask)
    if value.ndim:
        raise OpError(
            "masked_fill_ only supports a 0-dimensional value tensor, but got tensor with "
            f"{value.ndim} dimension(s)."
        )
    return np.where(mask, value, input)


masked_fill_tensor.vjp(
    input=lambda g, mask: g.masked_fill(mask, 0),
    value=lambda g, mask: ops.choose(mask, g, ops.zeros_of(g)),
)


@overloaded
def masked_fill(input: Tensor, mask: Tensor, value: Any) -> Any:
    """``input`` with ``value`` where ``mask`` holds."""
    if isinstance(value, Tensor):
        return masked_fill_tensor, (input, mask, value if value.dtype is input.dtype else ops.cast(value, input.dtype))
    return masked_fill_number, (input, mask, value)
