"""Sums and products element by element, and the copies and casts that everything rests on.

Quotients are in ``division``, powers in ``powers``.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from engine import dtypes, memory_formats, ops, strides
from engine.dtypes import BOOL, COMPLEX, FLOATING, DType
from engine.errors import OpError
from engine.op import Array, Operand, Scalar, Size, composite, overloaded, pointwise, primitive
from engine.ops.creation.casts import warn_of_discarding
from engine.ops.creation.factories import as_real, check_fits, number_in
from engine.tensor import Tensor

TWO_BOOLS = (
    "Subtraction, the `-` operator, with two bool tensors is not supported. Use the `^` or `logical_xor()` operator "
    "instead."
)
A_BOOL = (
    "Subtraction, the `-` operator, with a bool tensor is not supported. If you are trying to invert a mask, use the "
    "`~` or `logical_not()` operator instead."
)
INTEGER_ADDCDIV = (
    "Integer division with addcdiv is no longer supported, and in a future  release addcdiv will perform a true "
    "division of tensor1 and tensor2. The historic addcdiv behavior can be implemented as (input + value * "
    "torch.trunc(tensor1 / tensor2)).to(input.dtype) for integer inputs and as (input + value * tensor1 / tensor2) for "
    "float inputs. The future addcdiv behavior is just the latter implementation: (input + value * tensor1 / tensor2), "
    "for all dtypes."
)


# -- copies and casts ---------------------------------------------------------------------------------------------
@primitive(public=False, linear=True, layout="input")
def clone(input: Array) -> Array:
    """A copy; the graph goes through it."""
    return input.copy(order="K")


clone.vjp(input=lambda g: g)


@primitive(public=False, linear=True, grad_fn="CloneBackward0", layout="kernel")
def clone_strided(input: Array, stride: Size) -> Array:
    """A copy whose elements lie at ``stride``."""
    return strides.copied(input, stride)


clone_strided.vjp(input=lambda g: g)


@overloaded(name="clone", writes=False)
def clone_as_asked(input: Tensor, *, memory_format: Any = None) -> Any:
    """A copy in another memory format, or in the one that is there; the graph goes through it."""
    wanted = memory_formats.wanted("clone", memory_format)
    if wanted is None:
        return clone, (input,)
    return clone_strided, (input, wanted.strides(input.array.shape))


@primitive(public=False, total=True, layout_only=("input",))
def zeros_of(input: Array) -> Array:
    """Zeros of the shape and dtype of ``input``, which they do not depend on."""
    return np.zeros(input.shape, input.dtype)


zeros_of.vjp(input=lambda g: g * 0)


@primitive(
    public=False, grad_fn="FillBackward0", inplace_grad_fn="FillBackward2", repeats=True, layout_only=("input",),
    layout="input",
)  # fmt: skip
def fill_number(input: Array, value: Scalar) -> Array:
    """A number in place of every element."""
    return np.full_like(input, as_real(value, dtypes.of(input)))


fill_number.vjp(input=lambda g: zeros_of(g))


@primitive(
    public=False, grad_fn="FillBackward1", inplace_grad_fn="FillBackward3", overlap="none", layout_only=("input",),
    layout="input", check=lambda input, value: warn_of_discarding(value, input.dtype),
)  # fmt: skip
def fill_tensor(input: Array, value: Array) -> Array:
    """The 0-d ``value`` in place of every element."""
    return np.full_like(input, value if input.dtype.kind == "c" else value.real)


fill_tensor.vjp(input=lambda g: zeros_of(g), value=lambda g: g.sum())


@overloaded(method=False, writes=False)
def fill(input: Tensor, value: Operand) -> Any:
    """``value``, a number or a 0-d tensor, in place of every element."""
    if not isinstance(value, Tensor):
        if input.dtype.opmath is input.dtype:  # 16-bit floats overflow to infinity
            check_fits(value, input.dtype)
        return fill_number, (input, value)
    if value.array.ndim:
        raise OpError(
            f"fill_ only supports 0-dimension value tensor but got tensor with {value.array.ndim} dimensions."
        )
    return fill_tensor, (input, value)


@composite(name="fill_")
def _fill_inplace(input: Tensor, value: Operand) -> Tensor:
    """Write ``value`` into every element."""
    op, chosen = fill.function(input, value)
    return op.inplace(*chosen)


@composite(name="fill_diagonal_", function=False, checks_history=False)
def _fill_diagonal_inplace(input: Tensor, fill_value: Scalar, wrap: bool = False) -> Tensor:
    """Write a number where all indices are equal; with ``wrap``, in a tall matrix again after each full diagonal."""
    shape = input.array.shape
    if len(shape) < 2:
        raise OpError("dimensions must larger than 1")
    if len(shape) > 2 and len(set(shape)) > 1:
        raise OpError("all dimensions of input must be of equal length")
    height, width = shape[:2]
    length, stride, offset = min(height, width), input.geometry.stride, input.geometry.offset
    ops.fill_(ops.as_strided(input, (length,), (sum(stride),), offset), fill_value)
    if wrap and len(shape) == 2 and height > width + 1:
        rest = -(-input.array.size // (width + 1)) - length
        ops.fill_(ops.as_strided(input, (rest,), (sum(stride),), offset + stride[0] * (width + 1)), fill_value)
    return input


@primitive(public=False, repeats=True, layout_only=("input",))
def zero(input: Array) -> Array:
    """0 in place of every element."""
    return np.zeros_like(input)


zero.vjp(input=lambda g: zeros_of(g))


@composite(name="zero_")
def _zero_inplace(input: Tensor) -> Tensor:
    """Write 0 into every element."""
    return zero.inplace(input)


@composite(function=False)
def contiguous(input: Tensor, *, memory_format: Any = memory_formats.CONTIGUOUS) -> Tensor:
    """The tensor itself if it is C-contiguous (or lies in another memory format), else a copy that is."""
    if memory_format is memory_formats.CONTIGUOUS:
        return input if input.array.flags.c_contiguous else clone_contiguous(input)
    wanted = memory_formats.wanted("contiguous", memory_format)
    if wanted is None and input.array.flags.c_contiguous:
        return input
    if wanted is None:
        raise OpError("preserve memory format is unsupported by the contiguous operator")
    geometry = input.geometry
    if wanted.fits(geometry.size, geometry.stride):
        return input
    return clone_strided(input, wanted.strides(input.array.shape))


@primitive(public=False, linear=True, grad_fn="CloneBackward0")
def clone_contiguous(input: Array) -> Array:
    """A C-contiguous copy."""
    return input.copy(order="C")


clone_contiguous.vjp(input=lambda g: g)


# -- sums ---------------------------------------------------------------------------------------------------------
@pointwise(rule_grad_fn={"input": "AddBackward1", "other": "AddBackward1"}, numbers=("input", "other"))
def add(input: Array, other: Array, *, alpha: Scalar = 1) -> Array:
    """``input + alpha * other``."""
    return np.add(input, other if _is_one(alpha) else _scaled(other, alpha))


add.vjp(input=lambda g: g, other=lambda g, alpha: _times(g, alpha))


def _is_one(alpha: Any) -> bool:
    return alpha == 1 and alpha is not True


def _scaled(array: Array, alpha: Any) -> Array:
    """``alpha * array`` in the dtype of ``array``."""
    _check_alpha(dtypes.of(array), alpha)
    return np.multiply(array, number_in(alpha, array))


def _check_alpha(dtype: DType, alpha: Any) -> None:
    if isinstance(alpha, bool) and dtype.category != BOOL:
        raise OpError("Boolean alpha only supported for Boolean results.")
    if isinstance(alpha, float | complex) and dtype.category < FLOATING:
        raise OpError("For integral input tensors, argument alpha must not be a floating point number.")
    if isinstance(alpha, complex) and dtype.category != COMPLEX:
        raise OpError("For non-complex input tensors, argument alpha must not be a complex number.")


def _times(g: Tensor, alpha: Any) -> Any:
    return g if alpha == 1 else ops.mul(g, alpha.conjugate() if isinstance(alpha, complex) else alpha)


def _check_minus(input: Tensor, other: Tensor) -> None:
    is_bool, other_is_bool = input.dtype is dtypes.bool_, other.dtype is dtypes.bool_
    if is_bool or other_is_bool:
        raise OpError(TWO_BOOLS if is_bool and other_is_bool else A_BOOL)


@pointwise(
    rule_grad_fn={"other": "SubBackward1"}, numbers=("input", "other"), check=_check_minus, aliases=("subtract",)
)
def sub(input: Array, other: Array, *, alpha: Scalar = 1) -> Array:
    """``input - alpha * other``."""
    return np.subtract(input, other if _is_one(alpha) else _scaled(other, alpha))


sub.vjp(input=lambda g: g, other=lambda g, alpha: ops.neg(_times(g, alpha)))


@pointwise(
    method=False, writes=False, grad_fn="RsubBackward0", number_grad_fn={"other": "RsubBackward1"},
    check=_check_minus,
)  # fmt: skip
def rsub(input: Array, other: Array, *, alpha: Scalar = 1) -> Array:
    """``other - alpha * input``."""
    return np.subtract(other, input if _is_one(alpha) else _scaled(input, alpha))


rsub.vjp(input=lambda g, alpha: ops.neg(_times(g, alpha)), other=lambda g: g)


@pointwise(linear=True, aliases=("negative",), inplace_function=True)
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
@pointwise(
    rule_grad_fn={"input": "MulBackward1", "other": "MulBackward1"}, numbers=("input", "other"), aliases=("multiply",)
)
def mul(input: Array, other: Array) -> Array:
    """Elementwise product."""
    return np.multiply(input, other)


mul.vjp(input=lambda g, other: g * other.conj(), other=lambda g, input: g * input.conj())


@pointwise(numbers=(), supports="ifch", kernel_name="addcmul_cpu_out")
def addcmul(input: Array, tensor1: Array, tensor2: Array, *, value: Scalar = 1) -> Array:
    """``input + value * tensor1 * tensor2``."""
    product = tensor1 * tensor2
    return input + (product if value == 1 else number_in(value, input) * product)


addcmul.vjp(
    input=lambda g: g,
    tensor1=lambda g, tensor2, value: _times(g * tensor2.conj(), value),
    tensor2=lambda g, tensor1, value: _times(g * tensor1.conj(), value),
)


def _check_addcdiv(tensor1: Tensor, tensor2: Tensor) -> None:
    if tensor1.dtype.category < FLOATING and tensor2.dtype.category < FLOATING:
        raise OpError(INTEGER_ADDCDIV)


@pointwise(numbers=(), supports="bifc", kernel_name="addcdiv_cpu_out", check=_check_addcdiv)
def addcdiv(input: Array, tensor1: Array, tensor2: Array, *, value: Scalar = 1) -> Array:
    """``input + value * tensor1 / tensor2``."""
    return input + (tensor1 if value == 1 else number_in(value, input) * tensor1) / tensor2


addcdiv.vjp(
    input=lambda g: g,
    tensor1=lambda g, tensor2, value: g * (value / tensor2).conj(),
    tensor2=lambda g, tensor1, tensor2, value: -g * (value * tensor1 / (tensor2 * tensor2)).conj(),
)


# -- interpolation ------------------------------------------------------------------------------------------------
@pointwise(
    public=False, grad_fn="LerpBackward0", numbers=(), supports="fc", kernel_name="lerp_kernel_scalar",
    scratch=2.5,
)  # fmt: skip
def lerp_number(input: Array, end: Array, weight: Scalar) -> Array:
    """From ``input`` towards ``end`` by a number."""
    return interpolate(input, end, number_in(weight, input))


lerp_number.vjp(
    input=lambda g, weight: _times(g, 1 - weight),
    end=lambda g, weight: _times(g, weight),
)


@pointwise(
    public=False, grad_fn="LerpBackward1", numbers=(), supports="fc", kernel_name="lerp_kernel_tensor",
    scratch=3,
)  # fmt: skip
def lerp_tensor(input: Array, end: Array, weight: Array) -> Array:
    """From ``input`` towards ``end`` by ``weight``."""
    return interpolate(input, end, weight)


lerp_tensor.vjp(
    input=lambda g, weight: g * (1 - weight).conj(),
    end=lambda g, weight: g * weight.conj(),
    weight=lambda g, input, end: g * (end - input).conj(),
)


def interpolate(start: Array, end: Array, weight: Array) -> Array:
    """``start + weight * (end - start)``, from the nearer end so that weight 1 gives ``end`` exactly."""
    distance = end - start
    return np.where(np.abs(weight) < 0.5, start + weight * distance, end - distance * (1 - weight))


@overloaded
def lerp(input: Tensor, end: Tensor, weight: Any) -> Any:
    """``input + weight * (end - input)``; operands of one dtype, but for a weight without dimensions."""
    for name, operand in (("end", end), ("weight", weight)):
        is_number = name == "weight" and not (isinstance(operand, Tensor) and operand.array.ndim)
        if not is_number and operand.dtype is not input.dtype:
            raise OpError(f"expected dtype {input.dtype.c_name} for `{name}` but got dtype {operand.dtype.c_name}")
    return lerp_tensor if isinstance(weight, Tensor) else lerp_number, (input, end, weight)
