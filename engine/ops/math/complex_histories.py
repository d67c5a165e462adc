"""Functions that PyTorch computes of complex numbers, but does not record."""

from __future__ import annotations

from engine import modes
from engine.errors import OpError
from engine.tensor import Tensor


def refuse_complex_history(function: str, *tensors: Tensor) -> None:
    """Refuse to record what ``tensors``, operands or a result, are complex in."""
    is_recorded = modes.is_grad_enabled() and any(tensor.requires_grad for tensor in tensors)
    if is_recorded and any(tensor.dtype.is_complex for tensor in tensors):
        raise OpError(f"{function} does not support automatic differentiation for outputs with complex dtype.")
