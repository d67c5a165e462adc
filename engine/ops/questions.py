"""What a tensor is, asked by functions: the answers are no tensors. The methods of these names are in ``methods``."""

from __future__ import annotations

from typing import Any

from engine.errors import OpError
from engine.op import composite
from engine.tensor import Tensor


@composite
def is_tensor(obj: Any) -> bool:
    """Whether ``obj`` is a tensor."""
    return isinstance(obj, Tensor)


@composite(method=False)
def numel(input: Tensor) -> int:
    """The number of elements."""
    return input.array.size


@composite(method=False)
def is_floating_point(input: Tensor) -> bool:
    """Whether elements are real floating-point numbers."""
    return input.dtype.is_floating_point


@composite(method=False)
def is_complex(input: Tensor) -> bool:
    """Whether elements are complex numbers."""
    return input.dtype.is_complex


@composite
def is_conj(input: Tensor) -> bool:
    """Whether a conjugation is pending: never here."""
    return False


@composite
def is_neg(input: Tensor) -> bool:
    """Whether a negation is pending: never here."""
    return False


@composite
def is_nonzero(input: Tensor) -> bool:
    """Whether the only element is not zero."""
    size = input.array.size
    if size != 1:
        raise OpError(f"Boolean value of Tensor with {'no values' if not size else 'more than one value'} is ambiguous")
    return bool(input.array)


@composite(function=False)
def is_same_size(input: Tensor, other: Tensor) -> bool:
    """Whether both have the same shape."""
    return input.array.shape == other.array.shape


@composite(function=False)
def is_set_to(input: Tensor, tensor: Tensor) -> bool:
    """Whether both show the same elements of the same storage in the same way."""
    return input.storage.root is tensor.storage.root and input.geometry == tensor.geometry
