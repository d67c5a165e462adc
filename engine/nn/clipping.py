"""Gradients kept within bounds: by their norm, or each element."""

from __future__ import annotations

from collections.abc import Iterable
from math import inf
from typing import Any

from engine import modes, ops, registry
from engine.errors import ArgumentTypeError, MissingAttributeError, OpError
from engine.op.signature import type_name
from engine.tensor import Tensor


def _gradients(parameters: Any) -> list[Any]:
    return [param.grad for param in _listed(parameters) if param.grad is not None]


def _listed(parameters: Any) -> list[Any]:
    if isinstance(parameters, Tensor):
        return [parameters]
    if not isinstance(parameters, Iterable):
        raise ArgumentTypeError(f"'{type_name(parameters)}' object is not iterable")
    listed = list(parameters)
    for one in listed:
        if not isinstance(one, Tensor):
            raise MissingAttributeError(f"'{type_name(one)}' object has no attribute 'grad'")
    return listed


def get_total_norm(
    tensors: Any, norm_type: float = 2.0, error_if_nonfinite: bool = False, foreach: bool | None = None
) -> Any:
    """The norm of all tensors together, as if they were one vector."""
    listed = [tensors] if isinstance(tensors, Tensor) else list(tensors)
    if not listed:
        return ops.tensor(0.0)
    with modes.no_grad():
        norms = [ops.vector_norm(one, norm_type) for one in listed]
        total = ops.vector_norm(ops.stack(norms), norm_type)
        if error_if_nonfinite and not (abs(total.item()) < inf):
            raise OpError(
                f"The total norm of order {norm_type} for gradients from `parameters` is non-finite, so it cannot be "
                "clipped. To disable this error and scale the gradients by the non-finite norm anyway, set "
                "`error_if_nonfinite=False`"
            )
    return total


def clip_grads_with_norm_(parameters: Any, max_norm: float, total_norm: Tensor, foreach: bool | None = None) -> None:
    """Scale all gradients together so that ``total_norm``, their norm, becomes at most ``max_norm``."""
    gradients = _gradients(parameters)
    with modes.no_grad():
        factor = ops.clamp(float(max_norm) / (total_norm + 1e-6), max=1.0)
        for gradient in gradients:
            gradient.mul_(factor)


def clip_grad_norm_(
    parameters: Any, max_norm: float, norm_type: float = 2.0, error_if_nonfinite: bool = False,
    foreach: bool | None = None,
) -> Any:  # fmt: skip
    """Scale all gradients together so that their norm is at most ``max_norm``; returns the norm they had."""
    listed = _listed(parameters)
    total = get_total_norm(_gradients(listed), norm_type, error_if_nonfinite)
    clip_grads_with_norm_(listed, max_norm, total)
    return total


def clip_grad_value_(parameters: Any, clip_value: float, foreach: bool | None = None) -> None:
    """Clamp every element of the gradients to ``[-clip_value, clip_value]``."""
    with modes.no_grad():
        for gradient in _gradients(parameters):
            gradient.clamp_(-clip_value, clip_value)


for _function in (clip_grad_norm_, clip_grad_value_, clip_grads_with_norm_, get_total_norm):
    registry.add_function(f"nn.utils.{_function.__name__}", _function)
