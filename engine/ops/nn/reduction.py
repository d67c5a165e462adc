"""What losses share: the ``reduction`` argument and its older forms, and refusals in PyTorch's words."""

from __future__ import annotations

from math import prod
from typing import Any

import numpy as np

from engine import modes, ops
from engine.errors import ArgumentTypeError, ArgumentValueError, OpError
from engine.op import Array, type_name
from engine.tensor import Tensor

REDUCTIONS = ("none", "mean", "sum")


def chosen(reduction: str, size_average: bool | None = None, reduce: bool | None = None) -> str:
    """``"none"``, ``"mean"`` or ``"sum"``; the two older arguments override ``reduction``, with a warning."""
    if size_average is not None or reduce is not None:
        reduction = "none" if reduce is False else "sum" if size_average is False else "mean"
        modes.warn(f"size_average and reduce args will be deprecated, please use reduction='{reduction}' instead.")
    if reduction == "elementwise_mean":
        modes.warn("reduction='elementwise_mean' is deprecated. Please use reduction='mean' instead.")
        return "mean"
    if reduction not in REDUCTIONS:
        raise ArgumentValueError(f"{reduction} is not a valid value for reduction")
    return reduction


def check(reduction: str, words: str) -> None:
    """Refuse a reduction that there is not; ``words`` are what Python adds to its name."""
    if not isinstance(reduction, str):
        raise ArgumentTypeError(f"unsupported operand type(s) for +: '{type_name(reduction)}' and 'str'")
    if reduction not in REDUCTIONS:
        raise ArgumentValueError(f"{reduction}{words}")


def reduced(losses: Array, reduction: str) -> Array:
    """Kernel: the losses themselves, their mean or their sum."""
    if reduction == "none":
        return losses
    total = np.sum(losses)
    return np.asarray(total / total.dtype.type(losses.size) if reduction == "mean" else total)


def apply(losses: Tensor, reduction: str) -> Tensor:
    """The losses themselves, their mean or their sum, as recorded ops."""
    if reduction == "none":
        return losses
    return ops.mean(losses) if reduction == "mean" else ops.sum(losses)


def share(g: Tensor, reduction: str, shape: Any) -> Tensor:
    """Rule: what the cotangent of a reduced loss is for each of the losses, which have ``shape``."""
    return ops.div(g, max(prod(shape), 1)) if reduction == "mean" else g


def refuse_grad(function: str, **arguments: Tensor | None) -> None:
    """Refuse tensors that require grad where PyTorch has no rule for them."""
    if not modes.is_grad_enabled():
        return
    for name, tensor in arguments.items():
        if tensor is not None and tensor.requires_grad:
            raise OpError(
                f"The function '{function}' is not differentiable with respect to argument '{name}'. This input "
                "cannot have requires_grad True."
            )


def refuse_mixed(input: Tensor, target: Tensor) -> None:
    """Refuse two dtypes where PyTorch does not promote."""
    if input.dtype is not target.dtype:
        raise OpError(f"Found dtype {target.dtype.scalar_type} but expected {input.dtype.scalar_type}")
