"""What tensors are and what dtypes promote to: functions of tensors whose answers are none, so no ops."""

from __future__ import annotations

from typing import Any

from engine import dtypes, modes, registry
from engine.dtypes import DType
from engine.errors import ArgumentTypeError, OpError
from engine.op import weak
from engine.ops.creation.casts import dtype_named
from engine.tensor import CONJ, NEG, Tensor, read


def is_tensor(obj: Any) -> bool:
    """Whether ``obj`` is a tensor."""
    return isinstance(obj, Tensor)


def numel(input: Tensor) -> int:
    """The number of elements."""
    return input.array.size


def is_floating_point(input: Tensor) -> bool:
    """Whether elements are real floating-point numbers."""
    return input.dtype.is_floating_point


def is_complex(input: Tensor) -> bool:
    """Whether elements are complex numbers."""
    return input.dtype.is_complex


def is_conj(input: Tensor) -> bool:
    """Whether what is in memory are the conjugates of the elements."""
    return bool(input.bits & CONJ)


def is_neg(input: Tensor) -> bool:
    """Whether what is in memory are the opposites of the elements."""
    return bool(input.bits & NEG)


def is_nonzero(input: Tensor) -> bool:
    """Whether the only element is not zero."""
    size = input.array.size
    if size != 1:
        raise OpError(f"Boolean value of Tensor with {'no values' if not size else 'more than one value'} is ambiguous")
    return bool(read(input))


def is_same_size(input: Tensor, other: Tensor) -> bool:
    """Whether both have the same shape."""
    return input.array.shape == other.array.shape


def is_set_to(input: Tensor, tensor: Tensor) -> bool:
    """Whether both show the same elements of the same storage in the same way."""
    is_same = input.storage.root is tensor.storage.root and input.geometry == tensor.geometry
    return is_same and not input.bits and not tensor.bits


def is_signed(input: Tensor) -> bool:
    """Whether there are negative numbers of its dtype."""
    return input.dtype.is_signed


def is_inference(input: Tensor) -> bool:
    """Whether it was made under inference mode."""
    return input.inference


def is_distributed(input: Tensor) -> bool:
    """Whether it lies on several machines: never."""
    return False


def get_device(input: Tensor) -> int:
    """The number of its device: -1 for a processor."""
    return -1


def detach(input: Tensor) -> Tensor:
    """The same memory without a history."""
    return input.detach()


# -- what dtypes promote to ---------------------------------------------------------------------------------------
def _operand(value: Any) -> Tensor:
    return value if isinstance(value, Tensor) else weak(value)


def result_type(tensor1: Any, tensor2: Any) -> DType:
    """The dtype that two operands, tensors or numbers, promote to."""
    operands = [_operand(value) for value in (tensor1, tensor2)]
    ranks = tuple((one.dtype, dtypes.rank_of(one.array.ndim, one.is_weak)) for one in operands)
    return dtypes.result_type(ranks, modes.current().default_dtype)


def promote_types(type1: Any, type2: Any) -> DType:
    """The smallest dtype that both convert to."""
    return dtypes.promote_types(_dtype_of("promote_types", 1, type1), _dtype_of("promote_types", 2, type2))


def can_cast(from_: Any, to: Any) -> bool:
    """Whether results of the first dtype may be written into tensors of the second."""
    return dtypes.can_cast(_dtype_of("can_cast", 1, from_), _dtype_of("can_cast", 2, to))


def _dtype_of(name: str, position: int, value: Any) -> DType:
    found = dtype_named(value)
    if found is None:
        argument = {"promote_types": "type", "can_cast": ("from_", "to")[position - 1]}[name]
        raise ArgumentTypeError(
            f"{name}(): argument '{argument}' (position {position}) must be torch.dtype, not {type(value).__name__}"
        )
    return found


FUNCTIONS = (
    is_tensor, numel, is_floating_point, is_complex, is_conj, is_neg, is_nonzero, result_type, promote_types, can_cast,
    is_same_size, is_signed, is_inference, is_distributed, get_device, detach,
)  # fmt: skip
for _function in FUNCTIONS:
    registry.add_function(_function.__name__, _function)
for _method in (
    is_conj, is_neg, is_nonzero, is_same_size, is_set_to, is_signed, is_inference, is_distributed, get_device, detach,
):  # fmt: skip
    registry.add_method(_method.__name__, _method)
