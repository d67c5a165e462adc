"""Choices between elements by a mask."""

from __future__ import annotations

from typing import Any

import numpy as np

from engine import dtypes, modes, ops
from engine.errors import OpError
from engine.kernels.where import select
from engine.op import Array, Mask, Operand, Scalar, broadcast_pair, composite, overloaded, pointwise
from engine.ops.creation.factories import check_fits
from engine.tensor import Tensor

UINT8_CONDITION = (
    "where received a uint8 condition tensor. This behavior is deprecated and will be removed in a future version of "
    "PyTorch. Use a boolean condition instead."
)


@pointwise(public=False, total=True, grad_fn="WhereBackward0", numbers=("input", "other"))
def choose(condition: Mask, input: Array, other: Array) -> Array:
    """``input`` where ``condition`` holds, ``other`` elsewhere."""
    return select(condition, input, other)


choose.vjp(
    input=lambda g, condition: ops.choose(condition, g, 0),
    other=lambda g, condition: ops.choose(condition, 0, g),
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
        found = condition.dtype.scalar_type
        raise OpError(f"where expected condition to be a boolean tensor, but got a tensor with dtype {found}")
    if condition.dtype is dtypes.uint8:
        modes.warn(UINT8_CONDITION)
        condition = ops.ne(condition, 0)
    return choose(condition, input, other)


def _check_mask(mask: Array) -> None:
    if mask.dtype != np.bool_:
        name = dtypes.of(mask).c_name
        raise OpError(f"masked_fill_ only supports boolean masks, but got mask with dtype {name}")


def _check_filled(input: Tensor, mask: Tensor, value: Any) -> None:
    broadcast_pair(mask.array.shape, input.array.shape)  # a copy of which is filled
    _check_number(value, input)


def _check_filled_in_place(input: Tensor, mask: Tensor, value: Any) -> None:
    broadcast_pair(input.array.shape, mask.array.shape)
    _check_number(value, input)


def _check_number(value: Any, input: Tensor) -> None:
    if not isinstance(value, Tensor):
        check_fits(value, input.dtype)


@pointwise(
    public=False, grad_fn="MaskedFillBackward0", overlap="none", repeats="masked_fill_", layout="contiguous",
    check=_check_filled, check_in_place=_check_filled_in_place,
)  # fmt: skip
def masked_fill_number(input: Array, mask: Mask, value: Scalar) -> Array:
    """``input`` with a number where ``mask`` holds."""
    _check_mask(mask)
    return select(mask, np.asarray(value).astype(input.dtype), input)


masked_fill_number.vjp(input=lambda g, mask: g.masked_fill(mask, 0))


@pointwise(
    public=False, grad_fn="MaskedFillBackward1", numbers=(), overlap="none", repeats="masked_fill_",
    layout="contiguous", check=_check_filled, check_in_place=_check_filled_in_place,
)  # fmt: skip
def masked_fill_tensor(input: Array, mask: Mask, value: Array) -> Array:
    """``input`` with the 0-d ``value`` where ``mask`` holds."""
    _check_mask(mask)
    return select(mask, value, input)


masked_fill_tensor.vjp(
    input=lambda g, mask: g.masked_fill(mask, 0),
    value=lambda g, mask: ops.choose(mask, g, 0),
)


def _check_value(value: Tensor, input: Tensor) -> None:
    if value.array.ndim:
        raise OpError(
            "masked_fill_ only supports a 0-dimensional value tensor, but got tensor with "
            f"{value.array.ndim} dimension(s)."
        )
    check_fits(value.item(), input.dtype)


@overloaded
def masked_fill(input: Tensor, mask: Tensor, value: Operand) -> Any:
    """``input`` with ``value`` where ``mask`` holds."""
    if isinstance(value, Tensor):
        _check_value(value, input)
        return masked_fill_tensor, (input, mask, value if value.dtype is input.dtype else ops.cast(value, input.dtype))
    return masked_fill_number, (input, mask, value)
