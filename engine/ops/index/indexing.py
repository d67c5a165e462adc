"""Square brackets: ``x[key]`` and ``x[key] = value``, and reading and writing at index tensors.

Integers, slices, ``None`` and ``...`` of a key make views, one after the other. Index tensors, masks and lists are
collected on the way and applied to the last view at once. ``places`` tells which dimension each of them begins at; a
mask covers as many dimensions as it has.
"""

from __future__ import annotations

from math import prod
from operator import index as as_index
from typing import Any

import numpy as np

from engine import dtypes, modes, ops, strides
from engine.autograd import inplace
from engine.errors import ArgumentTypeError, ArgumentValueError, DimensionError, OpError
from engine.kernels import adding
from engine.op import Array, Arrays, Mask, Scalar, Size, composite, overloaded, primitive
from engine.ops.creation.factories import check_fits
from engine.ops.creation.literals import made_of
from engine.tensor import Tensor, read

BYTE_INDEX = "indexing with dtype torch.uint8 is now deprecated, please use a dtype torch.bool instead."
DTYPE_INDEX = "tensors used as indices must be long, int, byte or bool tensors"
LIST_INDEX = (
    "Using a non-tuple sequence for multidimensional indexing is deprecated and will be changed in pytorch 2.9; use "
    "x[tuple(seq)] instead of x[seq]. In pytorch 2.9 this will be interpreted as tensor index, x[torch.tensor(seq)], "
    "which will result either in an error or a different result"
)
NO_INDEX = "only integers, slices (`:`), ellipsis (`...`), None and long or byte Variables are valid indices (got {})"
ZERO_DIM = (
    "invalid index of a 0-dim tensor. Use `tensor.item()` in Python or `tensor.item<T>()` in C++ to convert a 0-dim "
    "tensor to a number"
)
_MASKS = (dtypes.bool_, dtypes.uint8)
_INDICES = (dtypes.int64, dtypes.int32)


# -- reading and writing at index tensors -------------------------------------------------------------------------
def _located(shape: tuple[int, ...], indices: list[Array], places: tuple[int, ...]) -> tuple[Any, ...]:
    """The NumPy key of ``indices`` at ``places``: masks resolved, everything in bounds."""
    key: list[Any] = [slice(None)] * len(shape)
    found: list[Array] = []
    for index, place in zip(indices, places, strict=True):
        parts = np.nonzero(index) if index.dtype in (np.bool_, np.uint8) else (index,)
        if place + len(parts) > len(shape):
            raise DimensionError(f"too many indices for tensor of dimension {len(shape)}")
        key[place : place + len(parts)] = parts
        found.extend(parts)
    _check_broadcastable(found)
    extents = [extent for extent, part in zip(shape, key, strict=True) if not isinstance(part, slice)]
    for position, (part, extent) in enumerate(zip(found, extents, strict=True)):
        _check_bounds(part, position, extent)  # PyTorch counts what has an index, not the dimensions
    return tuple(key)


def _check_broadcastable(indices: list[Array]) -> None:
    if len(indices) < 2:
        return
    try:
        np.broadcast_shapes(*[index.shape for index in indices])
    except ValueError:
        shapes = ", ".join(str(list(index.shape)) for index in indices)
        raise DimensionError(
            f"shape mismatch: indexing tensors could not be broadcast together with shapes {shapes}"
        ) from None


def _picked_shape(shape: tuple[int, ...], key: tuple[Any, ...]) -> tuple[int, ...]:
    """That of what is at ``key``, of slices of everything and index arrays, in ``shape``."""
    at = [dim for dim, part in enumerate(key) if not isinstance(part, slice)]
    if not at:
        return shape
    common = key[at[0]].shape if len(at) == 1 else np.broadcast_shapes(*[key[dim].shape for dim in at])
    front = at[0] if at[-1] - at[0] == len(at) - 1 else 0
    rest = [extent for dim, extent in enumerate(shape) if dim not in at]
    return (*rest[:front], *common, *rest[front:])


def _check_bounds(index: Array, dim: int, extent: int) -> None:
    if index.dtype == np.int64 and np.maximum.reduce(index.view(np.uint64), axis=None, initial=0) < extent:
        return  # as most are: negative ones are large here
    if extent == 0 and index.size:
        raise DimensionError("index is out of bounds for dimension with size 0")
    outside = (index < -extent) | (index >= extent)
    if outside.any():
        raise DimensionError(f"index {index[outside][0]} is out of bounds for dimension {dim} with size {extent}")


def _growth(input: Array, indices: list[Array], places: tuple[int, ...]) -> int:
    """An upper bound of the number of elements at ``indices``."""
    covered = 1
    for index, place in zip(indices, places, strict=True):
        is_mask = index.dtype in (np.bool_, np.uint8)
        for extent in input.shape[place : place + (index.ndim if is_mask else 1)]:
            covered *= max(extent, 1)
    try:
        picked = np.broadcast(*[np.empty(_picked(index), np.bool_) for index in indices]).size
    except ValueError:
        return 0  # the kernel says what is wrong
    return input.size // covered * picked


def _picked(index: Array) -> tuple[int, ...]:
    return (int(np.count_nonzero(index)),) if index.dtype in (np.bool_, np.uint8) else index.shape


@primitive(
    public=False, nondifferentiable=("indices",), grows=_growth, data_dependent=lambda indices: _has_mask(indices),
    layout="kernel",
)  # fmt: skip
def index(input: Array, indices: Arrays, places: Size) -> Array:
    """The elements at ``indices``."""
    key = _located(input.shape, indices, places)
    picked = input[key]
    return strides.relaid(picked, _steps_of_picked(input, key, picked.shape))


def _steps_of_picked(input: Array, key: tuple[Any, ...], size: tuple[int, ...]) -> tuple[int, ...]:
    """The strides of ``input[key]``: it is a pointwise op of ``input``, which stands still along the dimensions that
    indices give, and of the indices, which stand still along the others."""
    at = [dim for dim, part in enumerate(key) if not isinstance(part, slice)]
    indices = [key[at[0]]] if len(at) == 1 else np.broadcast_arrays(*[key[dim] for dim in at])
    if input.flags.c_contiguous and all(one.flags.c_contiguous for one in indices):
        return strides.contiguous(size)
    steps, ndim = strides.steps_of(input), indices[0].ndim
    front = at[0] if at == list(range(at[0], at[-1] + 1)) else 0
    rest = [step for dim, step in enumerate(steps) if dim not in at]
    still = (0,) * front, (0,) * (len(rest) - front)
    operands = [(*rest[:front], *(0,) * ndim, *rest[front:])]
    operands += [(*still[0], *strides.steps_of(one), *still[1]) for one in indices]
    return strides.of_pointwise(size, tuple([(size, one) for one in operands]))


index.vjp(input=lambda g, input_shape, indices, places: ops.added_at(g, indices, places, input_shape))


@primitive(public=False, nondifferentiable=("indices",), linear=True, grows=lambda size: int(np.prod(size)))
def added_at(input: Array, indices: Arrays, places: Size, size: Size) -> Array:
    """Zeros of shape ``size`` with ``input`` added at ``indices``: the adjoint of ``index``."""
    key = _located(size, indices, places)
    if _is_sum(size, key, input, indices):
        return _summed(size, key, input)
    result = np.zeros(size, input.dtype)
    _add_at(result, key, input, indices)
    return result


def _has_mask(indices: list[Array]) -> bool:
    """Whether how many elements are meant is in the values of ``indices``."""
    return any(index.dtype in (np.bool_, np.uint8) for index in indices)


def _add_at(target: Array, key: tuple[Any, ...], values: Array, indices: list[Array]) -> None:
    if len(indices) == 1 and indices[0].dtype in (np.bool_, np.uint8):
        target[key] += values  # a mask names no element twice
    elif _is_sum(target.shape, key, values, indices):
        target += _summed(target.shape, key, values)
    else:
        np.add.at(target, key, values)


def _is_sum(shape: tuple[int, ...], key: tuple[Any, ...], values: Array, indices: list[Array]) -> bool:
    """Whether slices are added up best by themselves."""
    whole = prod([extent for extent, part in zip(shape, key, strict=True) if isinstance(part, slice)])
    return len(indices) > 0 and not _has_mask(indices) and adding.is_worth(values, whole)


def _summed(shape: tuple[int, ...], key: tuple[Any, ...], values: Array) -> Array:
    at = [dim for dim, part in enumerate(key) if not isinstance(part, slice)]
    return adding.summed_at(shape, at, np.broadcast_arrays(*[key[dim] for dim in at]), values)


added_at.vjp(input=lambda g, indices, places: index(g, indices, places))


def _check_index(tensor: Tensor) -> None:
    if tensor.dtype is dtypes.uint8:
        modes.warn(BYTE_INDEX)
    elif tensor.dtype not in (dtypes.bool_, *_INDICES):
        raise DimensionError(DTYPE_INDEX)


def _width(tensor: Tensor) -> int:
    """How many dimensions an index tensor covers."""
    return tensor.array.ndim if tensor.dtype in _MASKS else 1


def _check_indices(input: Tensor, tensors: list[Tensor], places: tuple[int, ...]) -> None:
    """Refuse index tensors of a wrong dtype, and masks of a wrong shape."""
    for tensor in tensors:
        _check_index(tensor)
    _check_masks(input, tensors, places)


def _check_masks(input: Tensor, tensors: list[Tensor], places: tuple[int, ...]) -> None:
    shape = input.array.shape
    if any(place + _width(tensor) > len(shape) for tensor, place in zip(tensors, places, strict=True)):
        raise DimensionError(f"too many indices for tensor of dimension {len(shape)}")
    for tensor, place in zip(tensors, places, strict=True):
        mask = tensor.array.shape
        if tensor.dtype in _MASKS and mask != shape[place : place + len(mask)]:
            at = next(i for i, extent in enumerate(mask) if extent != shape[place + i])
            raise DimensionError(
                f"The shape of the mask {list(mask)} at index {at} does not match the shape of the indexed tensor "
                f"{list(shape)} at index {place + at}"
            )


def _fits(input: Tensor, values: Tensor, tensors: list[Tensor], places: tuple[int, ...]) -> bool:
    """Whether ``values`` broadcast to what is indexed; of masks that is not known here."""
    if any(tensor.dtype in _MASKS for tensor in tensors):
        return True
    key: list[Any] = [slice(None)] * input.array.ndim
    for tensor, place in zip(tensors, places, strict=True):
        key[place] = tensor.array
    try:
        shape = _picked_shape(input.array.shape, tuple(key))
        return values.array.shape == shape or np.broadcast_shapes(values.array.shape, shape) == shape
    except ValueError:
        return False


def _fills(values: Tensor, tensors: list[Tensor]) -> bool:
    """Whether one number is written behind one mask: what ``masked_fill`` does."""
    return values.array.size == 1 and len(tensors) == 1 and tensors[0].dtype in _MASKS


def _check_put(input: Tensor, values: Tensor, indices: list[Tensor], places: tuple[int, ...], accumulate: bool) -> None:
    """Refuse values of another dtype; a single one behind a mask is converted, as by ``masked_fill``."""
    _check_indices(input, indices, places)
    fits = values.array.size == 1 or _fits(input, values, indices, places)
    fills = not accumulate and _fills(values, indices)
    if values.dtype is not input.dtype and not fills and fits:  # else the shapes are refused
        raise OpError(
            "Index put requires the source and destination dtypes match, got "
            f"{input.dtype.scalar_type} for the destination and {values.dtype.scalar_type} for the source."
        )


@primitive(
    public=False, nondifferentiable=("indices",), grad_fn="IndexPutBackward0", overlap="any", repeats="index_put_",
    overlap_first=True, layout="input", check=_check_put,
    scratch=lambda input, indices, places: 3 * max(input.size, _growth(input, indices, places)),
)  # fmt: skip
def put_at(input: Array, values: Array, indices: Arrays, places: Size, accumulate: bool) -> Array:
    """``input`` with ``values`` written, or added, at ``indices``."""
    result = input.copy(order="K")
    key = _located(input.shape, indices, places)
    shape = _picked_shape(input.shape, key)
    try:
        values = values if values.shape == shape else np.broadcast_to(values, shape)
    except ValueError:
        raise OpError(
            f"shape mismatch: value tensor of shape {list(values.shape)} cannot be broadcast to indexing result of "
            f"shape {list(shape)}"
        ) from None
    if accumulate:
        _add_at(result, key, values, indices)
    else:
        result[key] = values
    return result


put_at.vjp(
    input=lambda g, indices, places, accumulate: g if accumulate else put_at(g, _zero(g), indices, places, False),
    values=lambda g, indices, places: index(g, indices, places),
)


def _zero(g: Tensor) -> Any:
    return ops.filled((), 0, g.dtype)


def _tensors_at(op_name: str, indices: Any) -> tuple[list[Tensor], tuple[int, ...]]:
    """Index tensors, and the dimensions they begin at."""
    if not isinstance(indices, list | tuple):
        raise ArgumentTypeError(
            f"{op_name}(): argument 'indices' (position 2) must be tuple of Tensors, not {type(indices).__name__}"
        )
    places, dim = [], 0
    for position, tensor in enumerate(indices):
        if not isinstance(tensor, Tensor):
            raise ArgumentTypeError(
                f"expected Tensor as element {position} in argument 1, but got {type(tensor).__name__}"
            )
        places.append(dim)
        dim += _width(tensor)
    return list(indices), tuple(places)


@overloaded
def index_put(input: Tensor, indices: Any, values: Tensor, accumulate: bool = False) -> Any:
    """The tensor with ``values`` written, or added, at a tuple of index tensors, one a dimension."""
    tensors, places = _tensors_at("index_put", indices)
    covered = sum(map(_width, tensors))
    if covered > input.array.ndim:
        raise DimensionError(f"too many indices for tensor of dimension {input.array.ndim} (got {covered})")
    return put_at, (input, values, tensors, places, accumulate)


# -- behind a mask ------------------------------------------------------------------------------------------------
def _clamped(shape: tuple[int, ...], indices: list[Array]) -> tuple[Array, ...]:
    return tuple(np.clip(index, 0, extent - 1) for index, extent in zip(indices, shape, strict=False))


@primitive(nondifferentiable=("indices",), method=False, grad_fn="UnsafeMaskedIndexBackward0")
def _unsafe_masked_index(input: Array, mask: Mask, indices: Arrays, fill: Scalar) -> Array:
    """The elements at ``indices``, which may point outside where ``mask`` is false: there is ``fill``."""
    picked = input[_clamped(input.shape, indices)]
    return np.where(mask, picked, np.asarray(fill).astype(input.dtype))


def _unmasked(g: Tensor, mask: Tensor, indices: Any, input_shape: Any) -> Any:
    zeros = ops.filled(input_shape, 0, g.dtype)
    return ops._unsafe_masked_index_put_accumulate(zeros, mask, indices, g)


_unsafe_masked_index.vjp(input=_unmasked)


@primitive(
    nondifferentiable=("indices",), method=False, grad_fn="UnsafeMaskedIndexPutAccumulateBackward0", layout="input",
)  # fmt: skip
def _unsafe_masked_index_put_accumulate(input: Array, mask: Mask, indices: Arrays, values: Array) -> Array:
    """``input`` with ``values`` added at ``indices`` where ``mask`` is true; elsewhere these may point outside."""
    result = input.copy(order="K")
    np.add.at(result, _clamped(input.shape, indices), np.where(mask, values, 0))
    return result


_unsafe_masked_index_put_accumulate.vjp(
    input=lambda g: g, values=lambda g, mask, indices: ops._unsafe_masked_index(g, mask, indices, 0)
)


# -- keys ---------------------------------------------------------------------------------------------------------
class _Walk:
    """A key on its way through the dimensions: the view so far, and the index tensors met."""

    def __init__(self, input: Tensor, entries: tuple[Any, ...]) -> None:
        self.view = input
        self.dim = 0
        self.tensors: list[Tensor] = []
        self.places: list[int] = []
        skipped = input.array.ndim - sum(_covered(entry) for entry in entries)
        if skipped < 0 and len(entries) == 1 and isinstance(entries[0], slice):
            raise DimensionError("slice() cannot be applied to a 0-dim tensor.")
        if skipped < 0:
            raise DimensionError(f"too many indices for tensor of dimension {input.array.ndim}")
        for position, entry in enumerate(entries):
            if entry is ...:
                self.dim += skipped
            else:
                self.step(entry, position)

    def step(self, entry: Any, position: int) -> None:
        """Take the entry at ``position`` of the key."""
        if entry is None:
            self.view = ops.unsqueeze(self.view, self.dim)
            self.dim += 1
        elif isinstance(entry, slice):
            extent = self.view.array.shape[self.dim]
            bounds = _bounds(entry, extent)
            if not _is_whole(entry, extent):
                self.view = ops.slice_dim(self.view, self.dim, *bounds)
            self.dim += 1
        elif isinstance(entry, bool):
            self.take(entry)
        elif isinstance(entry, Tensor):
            self.step_tensor(entry, position)
        else:
            self.view = selected(self.view, self.dim, entry, position)

    def step_tensor(self, entry: Tensor, position: int) -> None:
        """Take an index tensor: one number selects, others are collected."""
        if entry.array.ndim == 0 and entry.dtype in _MASKS:
            self.take(bool(read(entry)))
        elif entry.array.ndim == 0 and entry.dtype.category == dtypes.INTEGER:
            self.view = selected(self.view, self.dim, int(read(entry)), position)
        else:
            self.collect(entry)

    def take(self, flag: bool) -> None:
        """A bool makes a new dimension, of extent 1 or 0."""
        self.view = ops.unsqueeze(self.view, self.dim)
        self.collect(ops.filled((int(flag),), 0, dtypes.int64))

    def collect(self, tensor: Tensor) -> None:
        """Keep an index tensor for the end."""
        self.tensors.append(tensor)
        self.places.append(self.dim)
        self.dim += _width(tensor)


def _covered(entry: Any) -> int:
    """How many dimensions of the tensor an entry of a key uses up."""
    if entry is None or entry is ... or isinstance(entry, bool):
        return 0
    return _width(entry) if isinstance(entry, Tensor) else 1


def _entries(key: Any) -> tuple[Any, ...]:
    """The key as a tuple, lists in it as index tensors."""
    if isinstance(key, tuple):
        return tuple(map(_entry, key))
    if isinstance(key, list) and _is_tuple_like(key):
        modes.warn(LIST_INDEX)
        return tuple(map(_entry, key))
    return (_entry(key),)


def _is_tuple_like(key: list[Any]) -> bool:
    """Whether PyTorch still takes a list for a tuple of indices."""
    compound = (list, tuple, slice, Tensor, range, np.ndarray)
    return len(key) < 32 and any(entry is None or entry is ... or isinstance(entry, compound) for entry in key)


def _entry(entry: Any) -> Any:
    if entry is None or entry is ... or isinstance(entry, bool | int | slice | Tensor):
        return entry
    if isinstance(entry, list | tuple | range | np.ndarray):
        return _index_tensor(entry)
    if isinstance(entry, str):
        raise ArgumentTypeError("new(): invalid data type 'str'")
    try:
        return as_index(entry)
    except TypeError:
        raise DimensionError(NO_INDEX.format(type(entry).__name__)) from None


def _index_tensor(values: Any) -> Tensor:
    """A list as an index tensor; numbers that are no integers are cut off, as in PyTorch."""
    tensor = made_of(values, None)
    return tensor if tensor.dtype in _MASKS or tensor.dtype in _INDICES else made_of(values, dtypes.int64)


def _bounds(entry: slice, extent: int) -> tuple[int, int, int]:
    try:
        step = 1 if entry.step is None else as_index(entry.step)
        if step == 0:
            raise ArgumentValueError("slice step cannot be zero")
        start, stop, _ = slice(entry.start, entry.stop, 1).indices(extent)
    except ArgumentTypeError:
        raise
    except TypeError as error:
        raise ArgumentTypeError(str(error)) from None
    if step < 0:
        raise ArgumentValueError("step must be greater than zero")
    return start, max(start, stop), step


def _is_whole(entry: slice, extent: int) -> bool:
    """Whether a slice, as it is written, begins at 0 and leaves nothing out: it then makes no view."""
    start = 0 if entry.start is None else as_index(entry.start)
    stop = extent if entry.stop is None else as_index(entry.stop)
    return start == 0 and stop >= extent and entry.step in (None, 1)


def selected(view: Tensor, dim: int, place: int, position: int = 0) -> Tensor:
    """The slice at ``place`` of dimension ``dim``, which goes; ``position`` is that of the entry in the key."""
    shape = view.array.shape
    if not shape and place == 0:
        raise DimensionError(ZERO_DIM)
    if not -(2**63) <= place < 2**63:
        raise ArgumentValueError("Overflow when unpacking long long")
    extent = shape[dim] if shape else 0
    if not -extent <= place < extent:
        raise DimensionError(f"index {place} is out of bounds for dimension {position} with size {extent}")
    return ops.select(view, dim, place)


@composite(name="__getitem__", function=False, method=True)
def getitem(input: Tensor, key: Any) -> Tensor:
    """``input[key]``."""
    if type(key) is int:
        return selected(input, 0, key)
    if isinstance(key, slice):
        return _sliced(input, key)
    walk = _Walk(input, _entries(key))
    if walk.tensors:
        places = tuple(walk.places)
        _check_indices(walk.view, walk.tensors, places)
        return index(walk.view, walk.tensors, places)
    return ops.alias(input) if walk.view is input else walk.view


def _sliced(input: Tensor, key: slice) -> Tensor:
    if input.array.ndim == 0:
        raise DimensionError("slice() cannot be applied to a 0-dim tensor.")
    return ops.slice_dim(input, 0, *_bounds(key, input.array.shape[0]))


@composite(name="__setitem__", function=False, method=True)
def setitem(input: Tensor, key: Any, value: Any) -> None:
    """``input[key] = value``: a write through the view that the key names, or at its index tensors."""
    values = _values(input, value)
    if key is False:
        return
    if type(key) is int:
        _copy_into(selected(input, 0, key), values)
        return
    walk = _Walk(input, _entries(None if key is True else key))
    if not walk.tensors:
        _copy_into(walk.view, values)
        return
    put_at.inplace(walk.view, _without_leading_ones(values), walk.tensors, tuple(walk.places), False)
    if _fills(values, walk.tensors) and inplace.overlaps_itself(walk.view):
        inplace.warn_expanded("masked_fill_")


def _values(input: Tensor, value: Any) -> Tensor:
    if isinstance(value, Tensor):
        return value
    if not isinstance(value, bool | int | float | complex):
        kind = f"torch.{input.dtype.scalar_type}Tensor"
        raise ArgumentTypeError(f"can't assign a {type(value).__name__} to a {kind}")
    check_fits(value, input.dtype)
    return ops.filled((), value, input.dtype)


def _leading_ones(values: Tensor) -> int:
    shape = values.array.shape
    return next((dim for dim, extent in enumerate(shape) if extent != 1), len(shape))


def _without_leading_ones(values: Tensor) -> Any:
    count = _leading_ones(values)
    return ops.view(values, values.array.shape[count:]) if count else values


def _copy_into(view: Tensor, values: Tensor) -> None:
    """Copy in the way PyTorch does, which shows in the names of the nodes."""
    if values.array.shape == view.array.shape:
        ops.copy.inplace(view, values)
    elif values.array.ndim == 0:
        ops.fill_tensor.inplace(view, values)
    else:
        trailing = ops.view(values, values.array.shape[_leading_ones(values) :])
        if trailing.array.shape != view.array.shape:
            trailing = ops.expand(trailing, view.array.shape)
        ops.copy.inplace(view, trailing)
