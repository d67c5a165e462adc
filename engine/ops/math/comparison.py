"""Comparisons, logic and bits: results are masks or integers. Choices by a mask are in ``masking``."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from engine import ops
from engine.dtypes import BOOL, COMPLEX
from engine.errors import OpError
from engine.op import Array, Mask, composite, pointwise, primitive
from engine.tensor import Tensor, read


def nothing(g: Any) -> Any:
    """The cotangent of an input that the result does not change with: zeros."""
    return ops.zeros_of(g)


# -- comparisons --------------------------------------------------------------------------------------------------
def _comparison(name: str, **flags: Any) -> Callable[[Callable[..., Any]], Any]:
    """Only the in-place variants are ever recorded: a mask written into a tensor of floats."""
    number = {"other": f"{name}Backward0"}
    return pointwise(steps=True, grad_fn=f"{name}Backward1", number_grad_fn=number, **flags)


@_comparison("Eq")
def eq(input: Array, other: Array) -> Mask:
    """Where ``input == other``."""
    return np.equal(input, other)


@_comparison("Ne", aliases=("not_equal",))
def ne(input: Array, other: Array) -> Mask:
    """Where ``input != other``."""
    return np.not_equal(input, other)


@_comparison("Lt", supports="bif", aliases=("less",))
def lt(input: Array, other: Array) -> Mask:
    """Where ``input < other``."""
    return np.less(input, other)


@_comparison("Le", supports="bif", aliases=("less_equal",))
def le(input: Array, other: Array) -> Mask:
    """Where ``input <= other``."""
    return np.less_equal(input, other)


@_comparison("Gt", supports="bif", aliases=("greater",))
def gt(input: Array, other: Array) -> Mask:
    """Where ``input > other``."""
    return np.greater(input, other)


@_comparison("Ge", supports="bif", aliases=("greater_equal",))
def ge(input: Array, other: Array) -> Mask:
    """Where ``input >= other``."""
    return np.greater_equal(input, other)


# -- logic --------------------------------------------------------------------------------------------------------
@pointwise(numbers=(), supports="bifc", nondifferentiable=("input", "other"))
def logical_and(input: Array, other: Array) -> Mask:
    """Where both are not zero."""
    return np.logical_and(input, other)


@pointwise(numbers=(), supports="bifc", nondifferentiable=("input", "other"))
def logical_or(input: Array, other: Array) -> Mask:
    """Where at least one is not zero."""
    return np.logical_or(input, other)


@pointwise(numbers=(), supports="bifc", nondifferentiable=("input", "other"))
def logical_xor(input: Array, other: Array) -> Mask:
    """Where exactly one is not zero."""
    return np.logical_xor(input, other)


@pointwise(nondifferentiable=("input",))
def logical_not(input: Array) -> Mask:
    """Where ``input`` is zero."""
    return np.logical_not(input)


# -- bits ---------------------------------------------------------------------------------------------------------
@pointwise(supports="bi", numbers=("input", "other"))
def bitwise_and(input: Array, other: Array) -> Array:
    """The bits set in both."""
    return np.bitwise_and(input, other)


@pointwise(supports="bi", numbers=("input", "other"))
def bitwise_or(input: Array, other: Array) -> Array:
    """The bits set in at least one."""
    return np.bitwise_or(input, other)


@pointwise(supports="bi", numbers=("input", "other"))
def bitwise_xor(input: Array, other: Array) -> Array:
    """The bits set in exactly one."""
    return np.bitwise_xor(input, other)


@pointwise(supports="bi")
def bitwise_not(input: Array) -> Array:
    """All bits turned over."""
    return np.bitwise_not(input)


@pointwise(supports="i", numbers=("input", "other"), kernel_name="lshift_cpu")
def bitwise_left_shift(input: Array, other: Array) -> Array:
    """The bits moved up; 0 where they are moved out or by a negative number."""
    out_of_range = _beyond_width(input, other)
    return np.where(out_of_range, 0, np.left_shift(input, np.where(out_of_range, 0, other))).astype(input.dtype)


@pointwise(supports="i", numbers=("input", "other"), kernel_name="rshift_cpu")
def bitwise_right_shift(input: Array, other: Array) -> Array:
    """The bits moved down, the sign kept; as far as they go where moved out or by a negative number."""
    furthest = input.dtype.itemsize * 8 - (input.dtype.kind == "i")
    steps = np.where(_beyond_width(input, other), furthest, other).astype(input.dtype)
    if input.dtype.kind == "u":
        return np.where(steps == furthest, 0, np.right_shift(input, steps % furthest)).astype(input.dtype)
    return np.right_shift(input, steps)


def _beyond_width(input: Array, shift: Array) -> Array:
    width = input.dtype.itemsize * 8
    return (shift < 0) | (shift >= width)


@pointwise(supports="i", numbers=(), inplace_function=True)
def gcd(input: Array, other: Array) -> Array:
    """Greatest common divisor."""
    return np.gcd(input, other)


@pointwise(supports="i", numbers=(), inplace_function=True)
def lcm(input: Array, other: Array) -> Array:
    """Least common multiple."""
    return np.lcm(input, other)


# -- what kind of number ------------------------------------------------------------------------------------------
@pointwise(writes=False, nondifferentiable=("input",))
def isnan(input: Array) -> Mask:
    """Where ``input`` is not a number."""
    return np.isnan(input)


@pointwise(writes=False, nondifferentiable=("input",))
def isinf(input: Array) -> Mask:
    """Where ``input`` is infinite."""
    return np.isinf(input)


@pointwise(writes=False, nondifferentiable=("input",))
def isfinite(input: Array) -> Mask:
    """Where ``input`` is neither infinite nor NaN."""
    return np.isfinite(input)


@pointwise(writes=False, nondifferentiable=("input",), check=lambda input: _refuse_complex(input, "isposinf"))
def isposinf(input: Array) -> Mask:
    """Where ``input`` is plus infinity."""
    return np.isinf(input) & (input > 0)


@pointwise(writes=False, nondifferentiable=("input",), check=lambda input: _refuse_complex(input, "isneginf"))
def isneginf(input: Array) -> Mask:
    """Where ``input`` is minus infinity."""
    return np.isinf(input) & (input < 0)


def _refuse_complex(input: Tensor, name: str) -> None:
    if input.dtype.is_complex:
        raise OpError(f"{name} does not support complex inputs.")


@pointwise(writes=False, nondifferentiable=("input",))
def isreal(input: Array) -> Mask:
    """Where the imaginary part is 0."""
    return np.isreal(input)


# -- closeness ----------------------------------------------------------------------------------------------------
@pointwise(public=False, numbers=(), nondifferentiable=("input", "other"), scratch=2)
def close(input: Array, other: Array, rtol: float, atol: float, equal_nan: bool) -> Mask:
    """Where the two differ by at most ``atol + rtol * abs(other)``."""
    equal = input == other
    if equal_nan and input.dtype.kind in "fc":
        equal |= np.isnan(input) & np.isnan(other)
    if input.dtype.kind == "b":
        return equal
    finite_gap = np.abs(input - other) if input.dtype.kind in "fc" else np.abs(np.float64(input) - np.float64(other))
    return equal | (np.isfinite(finite_gap) & (finite_gap <= atol + np.abs(rtol * other)))


@composite
def isclose(input: Tensor, other: Tensor, rtol: float = 1e-5, atol: float = 1e-8, equal_nan: bool = False) -> Tensor:
    """Where the two differ by at most ``atol + rtol * abs(other)``."""
    if input.dtype is not other.dtype:
        raise OpError(f"{input.dtype.scalar_type} did not match {other.dtype.scalar_type}")
    for name, tolerance in (("rtol", rtol), ("atol", atol)):
        if tolerance < 0:
            raise OpError(f"{name} must be greater than or equal to zero, but got {tolerance:g}")
    return close(input, other, rtol, atol, equal_nan)


@composite
def allclose(input: Tensor, other: Tensor, rtol: float = 1e-5, atol: float = 1e-8, equal_nan: bool = False) -> bool:
    """Whether ``isclose`` holds everywhere."""
    return bool(read(isclose(input, other, rtol, atol, equal_nan)).all())


@composite
def equal(input: Tensor, other: Tensor) -> bool:
    """Whether the two have one shape and equal elements."""
    return bool(np.array_equal(read(input), read(other)))


def _check_isin(elements: Tensor, test_elements: Tensor) -> None:
    for tensor in (elements, test_elements):
        if tensor.dtype.category in (BOOL, COMPLEX):
            raise OpError(f"Unsupported input type encountered for isin(): {tensor.dtype.scalar_type}")


@primitive(
    method=False, promote="default", numbers=("elements", "test_elements"), check=_check_isin,
    nondifferentiable=("elements", "test_elements"),
)  # fmt: skip
def isin(elements: Array, test_elements: Array, *, assume_unique: bool = False, invert: bool = False) -> Mask:
    """Which of ``elements`` are among ``test_elements``; ``assume_unique`` changes nothing here."""
    return np.isin(elements, test_elements, invert=invert)
