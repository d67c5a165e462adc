"""Elements of another dtype, and copies into what is there."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from engine import dtypes, memory_formats, modes, ops
from engine.dtypes import DType
from engine.errors import ArgumentTypeError, ArgumentValueError, OpError
from engine.op import Array, check_broadcast, composite, primitive, weak
from engine.ops.creation.factories import check_device
from engine.tensor import Tensor

DISCARDED = "Casting complex values to real discards the imaginary part"


# -- conversion ---------------------------------------------------------------------------------------------------
def converted(array: Array, dtype: np.dtype[Any]) -> Array:
    """A copy of ``array`` with elements of ``dtype``; of complex numbers a real type keeps the real part."""
    if array.dtype.kind == "c" and dtype.kind not in "cb":
        array = array.real
    return array.astype(dtype)


@primitive(public=False, linear=True, grad_fn="ToCopyBackward0", layout="input")
def cast(input: Array, dtype: DType) -> Array:
    """A copy with elements of ``dtype``."""
    return converted(input, dtype.numpy)


cast.vjp(input=lambda g: g)


def _check_copied(input: Tensor, src: Tensor) -> None:
    shape = check_broadcast([input.array, src.array])
    if shape != input.array.shape:
        raise OpError(f"output with shape {list(input.array.shape)} doesn't match the broadcast shape {list(shape)}")
    if input.array.size:
        warn_of_discarding(src, input.dtype)


@primitive(
    public=False, inplace_grad_fn="torch::autograd::CopyBackwards", total=True, layout_only=("input",),
    check=_check_copied, overlap="same", overlap_first=True,
)  # fmt: skip
def copy(input: Array, src: Array) -> Array:
    """``src`` in the shape and dtype of ``input``."""
    return converted(np.broadcast_to(src, input.shape), input.dtype)


copy.vjp(input=lambda g: ops.zeros_of(g), src=lambda g: g)


def warn_of_discarding(source: Tensor, target: DType) -> None:
    """Tell that the imaginary parts of ``source`` go."""
    if source.array.size and source.dtype.is_complex and not target.is_complex and target is not dtypes.bool_:
        modes.warn_once(DISCARDED)


def _cast_to(input: Tensor, dtype: DType, copy: bool = False) -> Tensor:
    """``input`` itself if it has that dtype already."""
    if input.dtype is dtype and not copy:
        return input
    warn_of_discarding(input, dtype)
    return cast(input, dtype)


@composite(function=False)
def copy_(input: Tensor, other: Any, non_blocking: bool = False) -> Tensor:
    """Write the elements of ``other``, broadcast and cast."""
    if not isinstance(other, Tensor):
        other = _number_operand(other)
    return copy.inplace(input, other)


def _number_operand(value: Any) -> Tensor:
    if dtypes.python_type(value) is None:
        raise ArgumentTypeError(f"copy_(): argument 'other' (position 1) must be Tensor, not {type(value).__name__}")
    return weak(value)


# -- by name ------------------------------------------------------------------------------------------------------
@composite(function=False)
def to(
    input: Tensor, target: Any = None, dtype: Any = None, non_blocking: bool = False, copy: bool = False, *,
    device: Any = None, other: Any = None, memory_format: Any = None,
) -> Tensor:  # fmt: skip
    """The tensor with another dtype, or itself where nothing changes; ``target`` is a dtype, a device or a tensor."""
    target = other if target is None else target
    if isinstance(target, bool | int | float):
        raise ArgumentTypeError(INVALID_TO.format(type(target).__name__))
    found = target.dtype if isinstance(target, Tensor) else dtype_named(target)
    wanted = memory_formats.wanted("to", memory_format)
    if found is None:
        check_device(target)
        check_device(device)
        made = _cast_to(input, dtype_named(dtype) or input.dtype, copy)
    else:
        copies = copy or (isinstance(dtype, bool) and non_blocking)  # one argument less than with a device
        made = _cast_to(input, found, copies)
    return made if wanted is None else made.contiguous(memory_format=wanted)


INVALID_TO = "to() received an invalid combination of arguments - got ({}), but expected one of:"


def dtype_named(value: Any) -> DType | None:
    """The dtype that an object or a string names, or ``None``."""
    if isinstance(value, DType):
        return value
    try:
        return dtypes.by_name(value) if isinstance(value, str) else None
    except KeyError:
        return None


@composite(name="type", function=False)
def type_(input: Tensor, dtype: Any = None, non_blocking: bool = False) -> Any:
    """The name of the legacy type of the tensor; given one, or a dtype, the tensor with elements of it."""
    if dtype is None:
        return f"torch.{input.dtype.scalar_type}Tensor"
    name = dtype if isinstance(dtype, str) else f"torch.{getattr(dtype, 'name', '')}"  # of a constructor of old
    found = dtype_named(dtype) or _LEGACY.get(name)
    if found is None:
        raise ArgumentValueError(f"invalid type: '{dtype}'")
    return _cast_to(input, found)


_LEGACY = {f"torch.{dtype.scalar_type}Tensor": dtype for dtype in dtypes.ALL}


@composite(function=False)
def type_as(input: Tensor, other: Tensor) -> Tensor:
    """The tensor with elements of the dtype of ``other``."""
    return _cast_to(input, other.dtype)


_METHODS = {
    "bool": dtypes.bool_, "byte": dtypes.uint8, "char": dtypes.int8, "short": dtypes.int16, "int": dtypes.int32,
    "long": dtypes.int64, "half": dtypes.float16, "bfloat16": dtypes.bfloat16, "float": dtypes.float32,
    "double": dtypes.float64, "cfloat": dtypes.complex64, "cdouble": dtypes.complex128,
}  # fmt: skip


def _caster(dtype: DType) -> Callable[..., Tensor]:
    def body(input: Tensor, memory_format: Any = None) -> Tensor:
        wanted = memory_formats.wanted(dtype.name, memory_format)
        made = _cast_to(input, dtype)
        return made if wanted is None else made.contiguous(memory_format=wanted)

    body.__doc__ = f"The tensor with elements of {dtype}; itself if it has them."
    return body


for _name, _dtype in _METHODS.items():
    composite(_caster(_dtype), name=_name, function=False)
