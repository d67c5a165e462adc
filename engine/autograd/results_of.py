"""What ``grad`` gives beside what a sweep finds: gradients of each row of weights, and zeros."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from engine import registry, strides
from engine.tensor import Tensor, from_array

Gradients = tuple[Tensor | None, ...]


def rows(captured: Callable[[Any, bool], Gradients], weights: tuple[Any, ...], keep: bool) -> Gradients:
    """What ``captured`` gives for each row of the weights, in rows; only the last frees the graph, unless ``keep``."""
    count = max((weight.shape[0] for weight in weights if isinstance(weight, Tensor) and weight.ndim), default=0)
    found = [
        captured([one[row] if isinstance(one, Tensor) else one for one in weights], keep or row < count - 1)
        for row in range(count)
    ]
    return tuple(
        None if any(one is None for one in column) else registry.call("stack", list(column))
        for column in zip(*found, strict=True)
    )


def zeros(tensor: Tensor, requires_grad: bool) -> Tensor:
    """Zeros laid out as ``tensor``."""
    array = tensor.array
    filled = strides.new(array.shape, array.dtype, strides.preserved(array.shape, strides.steps_of(array)))
    filled.fill(0)
    made = from_array(filled)
    made._requires_grad = requires_grad
    return made
