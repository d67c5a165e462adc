"""What Python numbers, nested lists, arrays and other tensors become: ``tensor`` and the constructors like it."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from functools import reduce
from itertools import chain
from math import prod
from typing import Any

import numpy as np

from engine import dtypes, modes, ops, registry
from engine.dtypes import COMPLEX, FLOATING, INTEGER, DType
from engine.errors import ArgumentTypeError, ArgumentValueError, ModuleError, OpError
from engine.op import Array, composite
from engine.ops.creation.factories import checked_size, dtype_of_number, factory, filled, fits
from engine.storage import make_storage, of_array, owner_of, share
from engine.tensor import Size, Tensor, from_array, read

COPY_CONSTRUCT = (
    "To copy construct from a tensor, it is recommended to use sourceTensor.detach().clone() or "
    "sourceTensor.detach().clone().requires_grad_(True), rather than torch.tensor(sourceTensor)."
)
ARRAY_DTYPE = (
    "can't convert np.ndarray of type numpy.{}. The only supported types are: float64, float32, float16, complex64, "
    "complex128, int64, int32, int16, int8, uint64, uint32, uint16, uint8, and bool."
)
NEGATIVE_STRIDES = (
    "At least one stride in the given numpy array is negative, and tensors with negative strides are not currently "
    "supported. (You can probably work around this by making a copy of your array  with array.copy().) "
)
MOST_DIMENSIONS = 64  # of NumPy's arrays


# -- what Python numbers and lists become -------------------------------------------------------------------------
@factory
def tensor(data: Any, *, dtype: DType | None = None) -> Tensor:
    """A copy of ``data``: a number, nested lists of numbers or 0-d tensors, an array or a tensor."""
    if isinstance(data, Tensor):
        modes.warn(COPY_CONSTRUCT)
    return made_of(data, dtype)


def made_of(data: Any, dtype: DType | None) -> Tensor:
    """A new tensor with the values of ``data``, in PyTorch's choice of dtype unless one is given."""
    if isinstance(data, Tensor):
        target = dtype or data.dtype
        values = read(data) if target.is_complex else read(data).real
        return from_array(values.astype(target.numpy, order="K"))
    if isinstance(data, np.ndarray):
        return from_array(np.array(data, (dtype or _array_dtype(data)).numpy, order="C"))
    if isinstance(data, str):
        raise ArgumentTypeError("new(): invalid data type 'str'")
    sizes = _sizes_of(data)
    target = _inferred(data) if dtype is None else dtype
    _reserve(sizes, target)
    return from_array(_stored(_flattened(data, sizes), target).reshape(sizes))


def _reserve(sizes: list[int], dtype: DType) -> None:
    budget = modes.current().budget
    if budget is not None:
        budget.reserve(prod(sizes), prod(sizes) * dtype.itemsize)


def _is_sequence(data: Any) -> bool:
    return isinstance(data, list | tuple | range | deque | np.ndarray)


def _sizes_of(data: Any) -> list[int]:
    """The shape, by the first element of every list."""
    sizes: list[int] = []
    while _is_sequence(data) or isinstance(data, str):
        if isinstance(data, str):
            raise ArgumentValueError("too many dimensions 'str'")
        if len(sizes) == MOST_DIMENSIONS:
            raise ArgumentValueError(f"too many dimensions '{type(data).__name__}'")
        sizes.append(len(data))
        if not len(data):
            break
        data = data[0]
    return sizes


def _inferred(data: Any) -> DType:
    """The dtype that everything in ``data`` promotes to; floats have the default one."""
    pending, kinds = [data], set()
    while pending:
        one = pending.pop()
        if not _is_sequence(one):
            kinds.add(_kind_of(one))
        elif not len(one):
            kinds.add(modes.current().default_dtype)
        elif all(type(element) in _NUMBERS for element in one):
            kinds.update(_kind_of(kind()) for kind in set(map(type, one)))
        else:
            pending.extend(one)
    return reduce(dtypes.promote_types, kinds)


_NUMBERS = (bool, int, float, complex)


def _kind_of(value: Any) -> DType:
    if isinstance(value, np.generic):  # some of which are Python's numbers as well
        return dtypes.from_numpy(value.dtype)
    if isinstance(value, _NUMBERS):
        return dtype_of_number(value)
    if isinstance(value, Tensor):
        return value.dtype
    if isinstance(value, str):
        raise ArgumentTypeError("new(): invalid data type 'str'")
    raise OpError(f"Could not infer dtype of {type(value).__name__}")


def _flattened(data: Any, sizes: list[int]) -> list[Any]:
    """The numbers in order. Raises where the lists are ragged."""
    level: list[Any] = [data]
    for dim, extent in enumerate(sizes):
        for element in level:
            if not _is_sequence(element):
                raise ArgumentTypeError("not a sequence")
            if len(element) != extent:
                raise ArgumentValueError(f"expected sequence of length {extent} at dim {dim} (got {len(element)})")
        level = list(chain.from_iterable(level))
    return level


def _stored(scalars: list[Any], dtype: DType) -> Array:
    """A flat array of ``dtype``. Raises where a number does not convert."""
    kinds = set(map(type, scalars))
    if not kinds <= set(_NUMBERS):
        scalars = [_plain(value, dtype) for value in scalars]
        kinds = set(map(type, scalars))
    if complex in kinds and dtype.category < COMPLEX and dtype is not dtypes.bool_:
        raise ArgumentTypeError(_not_convertible(dtype, "complex"))
    if dtype.category == INTEGER:
        return _stored_integers(scalars, dtype, kinds)
    with np.errstate(all="ignore"):
        wide = np.complex128 if complex in kinds else np.float64
        return np.array(scalars, np.bool_ if dtype is dtypes.bool_ else wide).astype(dtype.numpy)


def _stored_integers(scalars: list[Any], dtype: DType, kinds: set[type]) -> Array:
    for value in scalars if float in kinds else {min(scalars, default=0), max(scalars, default=0)}:
        if isinstance(value, int) and not -(2**63) <= value < 2**63:
            raise ArgumentValueError("Overflow when unpacking long long")
        if not fits(value, dtype):
            raise OpError(f"value cannot be converted to type {dtype.name} without overflow")
    whole = [value if isinstance(value, int) else np.float64(value).astype(np.int64) for value in scalars]
    return np.array(whole, np.int64).astype(dtype.numpy)


def _plain(value: Any, dtype: DType) -> Any:
    """A Python number. Raises ``ArgumentTypeError`` for anything else."""
    if isinstance(value, Tensor):
        if value.array.size != 1:
            raise ArgumentValueError("only one element tensors can be converted to Python scalars")
        return value.item()
    if isinstance(value, np.generic):
        return value.item()
    if not isinstance(value, _NUMBERS):
        raise ArgumentTypeError(_not_convertible(dtype, type(value).__name__))
    return value


def _not_convertible(dtype: DType, name: str) -> str:
    if dtype.category >= FLOATING:
        return f"must be real number, not {name}"
    return f"'{name}' object cannot be interpreted as an integer"


@factory(method=True, function=False)
def new_tensor(self: Tensor, data: Any, *, dtype: DType | None = None) -> Tensor:
    """A copy of ``data``, in the dtype of this tensor unless told otherwise."""
    if isinstance(data, Tensor):
        modes.warn(COPY_CONSTRUCT.replace("torch.tensor", "tensor.new_tensor"))
    return made_of(data, dtype or (data.dtype if isinstance(data, Tensor) else self.dtype))


@factory
def asarray(obj: Any, *, dtype: DType | None = None, copy: bool | None = None) -> Tensor:
    """``obj`` itself where it is a tensor of the right dtype already, unless a ``copy`` is asked for."""
    if not isinstance(obj, Tensor) or not copy:
        return as_tensor(obj, dtype=dtype)
    return ops.clone(ops.to(obj, dtype) if dtype else obj)


@factory
def as_tensor(data: Any, *, dtype: DType | None = None) -> Tensor:
    """``data`` itself where it is a tensor of the right dtype already; an array shares its memory."""
    if isinstance(data, Tensor):
        return data if dtype is None else ops.to(data, dtype)
    if isinstance(data, np.ndarray) and (dtype is None or data.dtype == dtype.numpy):
        return from_numpy(data)
    return made_of(data, dtype)


@composite
def from_numpy(ndarray: Any) -> Tensor:
    """A tensor over the memory of an array."""
    if not isinstance(ndarray, np.ndarray):
        raise ArgumentTypeError(f"expected np.ndarray (got {type(ndarray).__name__})")
    _array_dtype(ndarray)
    if any(step < 0 for step in ndarray.strides):
        raise ArgumentValueError(NEGATIVE_STRIDES)
    owner = ndarray
    while isinstance(owner.base, np.ndarray) and not owner.flags.forc:
        owner = owner.base
    known = of_array(owner) if owner_of(owner) is owner else make_storage(owner)
    storage = known if known.array is owner else make_storage(owner)
    share(storage)
    return Tensor(ndarray, storage)


def _array_dtype(array: Array) -> DType:
    try:
        return dtypes.from_numpy(array.dtype)
    except KeyError:
        raise ArgumentTypeError(ARRAY_DTYPE.format(array.dtype.type.__name__)) from None


# -- the constructors of old --------------------------------------------------------------------------------------
def _legacy(name: str, dtype: DType | None) -> Callable[..., Tensor]:
    """The constructor of a tensor type: of a list its values, of integers a size."""

    def body(data: Any = (), *more: int) -> Tensor:
        target = dtype or modes.current().default_dtype
        if isinstance(data, Tensor):
            return ops.alias(data.detach())
        if isinstance(data, Size | int):
            size = data if isinstance(data, Size) else (data, *more)
            return filled(checked_size(size), 0, target)
        if not _is_sequence(data):
            raise ArgumentTypeError(f"new(): data must be a sequence (got {type(data).__name__})")
        return made_of(data, target)

    body.__doc__ = f"A tensor of {dtype or 'the default dtype'}: of a list its values, of integers a size, zero-filled."
    return composite(body, name=name, method=False)


_legacy("Tensor", None)
_BY_TYPE: dict[Any, DType] = {}
for _type in dtypes.ALL:
    if not _type.is_complex:
        _BY_TYPE[_legacy(f"{_type.scalar_type}Tensor", _type)] = _type
_BY_NAME = {f"torch.{dtype.scalar_type}Tensor": dtype for dtype in _BY_TYPE.values()}


def set_default_tensor_type(t: Any) -> None:
    """Make Python floats become the dtype of a type of tensors, or of one of that name."""
    found = _BY_NAME.get(t) if isinstance(t, str) else _BY_TYPE.get(t) if callable(t) else None
    if found is None and isinstance(t, str):
        raise ModuleError(f"No module named '{t.rpartition('.')[0] or t}'")
    if found is None or not found.is_floating_point:
        raise ArgumentTypeError("invalid type object: only floating-point types are supported as the default type")
    modes.set_default_dtype(found)


registry.add_function("set_default_tensor_type", set_default_tensor_type)
