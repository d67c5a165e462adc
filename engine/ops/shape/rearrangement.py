"""Rearranging: flattening, flipping, rolling, diagonals, triangles, windows, padding. Views proper are in ``views``."""

from __future__ import annotations

from collections.abc import Callable
from math import prod
from typing import Any

import numpy as np

from engine import dtypes, modes, ops, registry, strides
from engine.autograd import inplace
from engine.dtypes import DType
from engine.errors import DimensionError, OpError, UnsupportedError
from engine.op import (
    Array,
    Composite,
    Dim,
    Extents,
    Ints,
    NewDim,
    Scalar,
    Size,
    Tensors,
    composite,
    overloaded,
    primitive,
    wrap_dim,
)
from engine.ops.index.gathering import add_at
from engine.ops.shape.views import infer_size, unviewed
from engine.tensor import CONJ, LAZY, Tensor


# -- other shapes -------------------------------------------------------------------------------------------------
@composite
def flatten(input: Tensor, start_dim: int = 0, end_dim: int = -1) -> Tensor:
    """The dimensions from ``start_dim`` to ``end_dim`` as one; a view where the strides allow one."""
    shape = input.array.shape
    start, end = wrap_dim(start_dim, len(shape)), wrap_dim(end_dim, len(shape))
    if start > end:
        raise OpError("flatten() has invalid args: start_dim cannot come after end_dim")
    if not shape:
        return ops.reshape(input, (1,))
    if start == end:
        return input
    return ops.reshape(input, (*shape[:start], prod(shape[start : end + 1]), *shape[end + 1 :]))


@composite
def unflatten(input: Tensor, dim: int, sizes: Ints) -> Tensor:
    """Dimension ``dim`` as several; one extent may be ``-1``. A view."""
    shape = input.array.shape
    dim = wrap_dim(dim, len(shape))
    if not sizes:
        raise OpError("unflatten: sizes must be non-empty")
    if not shape:
        raise OpError(f"unflatten got an unexpected error:\nDimension specified as {dim} but tensor has no dimensions")
    try:
        inferred = infer_size(sizes, shape[dim])
    except OpError as error:
        if "is invalid for input" not in str(error):
            raise OpError(f"unflatten got an unexpected error:\n{error}") from None
        raise OpError(
            f"unflatten: Provided sizes {list(sizes)} don't multiply up to the size of dim {dim} ({shape[dim]}) in the "
            "input tensor"
        ) from None
    return ops.view(input, (*shape[:dim], *inferred, *shape[dim + 1 :]))


@composite
def ravel(input: Tensor) -> Tensor:
    """All elements as a vector; a view where they are in order."""
    return ops.view(ops.contiguous(input), (-1,))


@composite(function=False)
def view_as(input: Tensor, other: Tensor) -> Tensor:
    """A view of the shape of ``other``."""
    return ops.view(input, other.array.shape)


@composite(function=False)
def reshape_as(input: Tensor, other: Tensor) -> Tensor:
    """The elements in the shape of ``other``."""
    return ops.reshape(input, other.array.shape)


@composite(function=False)
def expand_as(input: Tensor, other: Tensor) -> Tensor:
    """Expanded to the shape of ``other``."""
    return ops.expand(input, other.array.shape)


@composite
def broadcast_to(input: Tensor, size: Extents) -> Tensor:
    """Expanded to the shape ``size``."""
    return ops.expand(input, size)


def _each(function: Callable[[Tensor], Tensor], tensors: tuple[Tensor, ...]) -> Any:
    """``function`` of one tensor, or of each of several."""
    return function(tensors[0]) if len(tensors) == 1 else tuple(map(function, tensors))


@composite(method=False)
def atleast_1d(*tensors: Tensors) -> Any:
    """With at least one dimension."""
    return _each(lambda one: one if one.array.ndim else ops.reshape(one, (1,)), tensors)


@composite(method=False)
def atleast_2d(*tensors: Tensors) -> Any:
    """With at least two dimensions; new ones come first."""
    return _each(_with_two_dims, tensors)


def _with_two_dims(one: Tensor) -> Any:
    if one.array.ndim == 0:
        return ops.reshape(one, (1, 1))
    return ops.unsqueeze(one, 0) if one.array.ndim == 1 else one


@composite(method=False)
def atleast_3d(*tensors: Tensors) -> Any:
    """With at least three dimensions; a vector lies along the second, a matrix along the first two."""
    return _each(_with_three_dims, tensors)


def _with_three_dims(one: Tensor) -> Any:
    if one.array.ndim == 0:
        return ops.reshape(one, (1, 1, 1))
    if one.array.ndim == 1:
        return ops.unsqueeze(ops.unsqueeze(one, 0), -1)
    return ops.unsqueeze(one, -1) if one.array.ndim == 2 else one


# -- flips and rolls ----------------------------------------------------------------------------------------------
@primitive(linear=True, layout="input")
def flip(input: Array, dims: Extents) -> Array:
    """Reversed along ``dims``."""
    wrapped = tuple(wrap_dim(dim, input.ndim) for dim in dims)
    for dim in wrapped:
        if wrapped.count(dim) > 1:
            raise OpError(f"dim {dim} appears multiple times in the list of dims")
    return np.flip(input, wrapped) if input.ndim else input.copy()


flip.vjp(input=lambda g, dims: ops.flip(g, dims))


@composite
def fliplr(input: Tensor) -> Tensor:
    """Reversed along the second dimension."""
    if input.array.ndim < 2:
        raise OpError("Input must be >= 2-d.")
    return ops.flip(input, (1,))


@composite
def flipud(input: Tensor) -> Tensor:
    """Reversed along the first dimension."""
    if input.array.ndim < 1:
        raise OpError("Input must be >= 1-d.")
    return ops.flip(input, (0,))


@primitive(linear=True)
def roll(input: Array, shifts: Size, dims: Size = ()) -> Array:
    """Shifted along ``dims``, what leaves at one end coming in at the other; without ``dims``, as one vector."""
    if not shifts:
        raise OpError("`shifts` required")
    if len(shifts) != len(dims) and (dims or len(shifts) != 1):
        raise OpError(f"shifts and dimensions must align. shifts: {len(shifts)}, dims:{len(dims)}")
    if not dims:
        return np.roll(input, shifts[0])
    if not input.size:
        return input
    if not input.ndim:
        raise DimensionError(f"Dimension specified as {dims[0]} but tensor has no dimensions")
    return np.roll(input, shifts, [wrap_dim(dim, input.ndim) for dim in dims])


roll.vjp(input=lambda g, shifts, dims: ops.roll(g, tuple(-shift for shift in shifts), dims))


@primitive(linear=True, layout="kernel")
def rot90(input: Array, k: int = 1, dims: Ints = (0, 1)) -> Array:
    """Turned ``k`` times by 90 degrees, from the first of ``dims`` towards the second."""
    if len(dims) != 2:
        raise OpError(f"expected total rotation dims == 2, but got dims = {len(dims)}")
    if input.ndim < 2:
        raise OpError(f"expected total dims >= 2, but got total dims = {input.ndim}")
    first, second = (wrap_dim(dim, input.ndim) for dim in dims)
    if first == second:
        raise OpError(f"expected rotation dims to be different, but got dim0 = {dims[0]} and dim1 = {dims[1]}")
    steps = list(strides.preserved(input.shape, strides.steps_of(input)))
    if k % 2:
        steps[first], steps[second] = steps[second], steps[first]
    turned = np.rot90(input, k, (first, second))
    return strides.copied(turned, tuple(steps) if k % 4 else strides.contiguous(turned.shape))


rot90.vjp(input=lambda g, k, dims: ops.rot90(g, -k, dims))


# -- diagonals and triangles --------------------------------------------------------------------------------------
@primitive(
    linear=True, grows=lambda input, offset: prod(input.shape[:-1]) * ((input.shape or (1,))[-1] + abs(offset)) ** 2,
)  # fmt: skip
def diag_embed(input: Array, offset: int = 0, dim1: NewDim = -2, dim2: NewDim = -1) -> Array:
    """Matrices, spanned by ``dim1`` and ``dim2``, with the last dimension as their diagonals."""
    wrap_dim(-2, max(input.ndim, 0) + 1)
    if dim1 == dim2:
        raise OpError(f"diagonal dimensions cannot be identical {dim1}, {dim2}")
    extent = input.shape[-1] + abs(offset)
    result = np.zeros((*input.shape[:-1], extent, extent), input.dtype)
    ops.diagonal.kernel(result, offset, input.ndim - 1, input.ndim)[...] = input
    return np.moveaxis(result, (-2, -1), (dim1, dim2))


diag_embed.vjp(input=lambda g, offset, dim1, dim2: ops.diagonal(g, offset, dim1, dim2))


@composite
def diag(input: Tensor, diagonal: int = 0) -> Tensor:
    """A matrix with this vector as its diagonal, or the diagonal of this matrix."""
    if input.array.ndim not in (1, 2):
        raise OpError(f"diag(): Supports 1D or 2D tensors. Got {input.array.ndim}D")
    op = ops.diag_embed if input.array.ndim == 1 else ops.diagonal_copy
    return op(input, diagonal)


@composite
def diagflat(input: Tensor, offset: int = 0) -> Tensor:
    """A matrix with all elements as its diagonal."""
    return ops.diag_embed(ops.view(ops.contiguous(input), (-1,)), offset)


def _check_matrices(name: str, input: Array) -> None:
    if input.ndim < 2:
        raise OpError(f"{name}: input tensor must have at least 2 dimensions")


@primitive(linear=True, writes=True, repeats=True)
def tril(input: Array, diagonal: int = 0) -> Array:
    """Zeros above the given diagonal of every matrix."""
    _check_matrices("tril", input)
    return np.tril(input, diagonal)


tril.vjp(input=lambda g, diagonal: ops.tril(g, diagonal))


@primitive(linear=True, writes=True, repeats=True)
def triu(input: Array, diagonal: int = 0) -> Array:
    """Zeros below the given diagonal of every matrix."""
    _check_matrices("triu", input)
    return np.triu(input, diagonal)


triu.vjp(input=lambda g, diagonal: ops.triu(g, diagonal))


@primitive(linear=True)
def trace(input: Array) -> Array:
    """The sum of the diagonal of a matrix."""
    if input.dtype == np.bool_:
        raise UnsupportedError("\"trace\" not implemented for 'Bool'")
    if input.ndim != 2:
        raise OpError(f"trace: expected a matrix, but got tensor with dim {input.ndim}")
    return np.trace(input, dtype=np.int64 if input.dtype.kind in "iu" else input.dtype)


trace.vjp(input=lambda g, input_shape: unviewed(ops.expand(g, (min(input_shape),)), "diagonal", input_shape, (0, 0, 1)))


# -- windows ------------------------------------------------------------------------------------------------------
def _windows_size(input: Array, dimension: int, size: int, step: int) -> int:
    extent = input.shape[dimension] if input.ndim else 1
    return input.size // max(extent, 1) * ((extent - size) // max(step, 1) + 1) * size


@primitive(view=True, function=False, grows=_windows_size)
def unfold(input: Array, dimension: Dim, size: int, step: int) -> Array:
    """Windows of ``size`` elements along ``dimension``, ``step`` apart, as a new last dimension."""
    extent = input.shape[dimension] if input.ndim else 1
    if size < 0:
        raise OpError(f"size is {size} but must be >= 0")
    if size > extent:
        raise OpError(f"maximum size for tensor at dimension {dimension} is {extent} but size is {size}")
    if step < 1:
        raise OpError(f"step is {step} but must be > 0")
    if input.ndim == 0:
        return strides.placed(input, (size,), (1,))
    shape, steps = list(input.shape), list(strides.steps_of(input))
    apart = steps[dimension]
    shape[dimension] = (extent - size) // step + 1
    steps[dimension] *= step
    return strides.placed(input, (*shape, size), (*steps, apart))


unfold.vjp(input=lambda g, input_shape, dimension, size, step: ops.windows_added(g, input_shape, dimension, size, step))


@primitive(
    public=False, linear=True, grad_fn="UnfoldBackwardBackward0", grows=lambda shape: prod(shape),
    scratch=lambda input, shape: 4 * prod(shape) + 8 * input.size,
)  # fmt: skip
def windows_added(input: Array, shape: Size, dimension: int, size: int, step: int) -> Array:
    """Zeros of ``shape`` with all windows added where they came from: the adjoint of ``unfold``."""
    result = np.zeros(shape, input.dtype)
    places = np.arange(result.size).reshape(shape)
    add_at(result, unfold.kernel(places, dimension, size, step), np.asarray(input))
    return result


windows_added.vjp(input=lambda g, dimension, size, step: ops.unfold(g, dimension, size, step))


# -- padding ------------------------------------------------------------------------------------------------------
def _padding(ndim: int, pad: tuple[int, ...]) -> list[tuple[int, int]]:
    """What to add before and after each dimension; ``pad`` has them from the last dimension on."""
    if len(pad) % 2:
        raise OpError(f"Length of pad must be even but instead it equals {len(pad)}")
    if len(pad) > 2 * ndim:
        raise OpError(
            "Length of pad should be no more than twice the number of dimensions of the input. Pad length is "
            f"{len(pad)}while the input has {ndim}dimensions."
        )
    pairs = [(pad[i], pad[i + 1]) for i in range(0, len(pad), 2)]
    return [(0, 0)] * (ndim - len(pairs)) + pairs[::-1]


def _padded_size(input: Array, pad: tuple[int, ...]) -> int:
    pairs = _padding(input.ndim, pad)
    return prod(max(extent + sum(pair), 0) for extent, pair in zip(input.shape, pairs, strict=True))


@primitive(method=False, linear=False, grows=_padded_size)
def constant_pad_nd(input: Array, pad: Ints, value: Scalar = 0) -> Array:
    """``value`` added around the last dimensions; what ``pad`` has negative is cut off."""
    pairs = _padding(input.ndim, pad)
    for extent, (before, after) in zip(input.shape, pairs, strict=True):
        if extent + min(before, 0) + min(after, 0) < 0:
            raise OpError("narrow(): length must be non-negative.")
    if input.ndim == 0:
        return input.copy()
    ends = [extent + min(after, 0) for extent, (_, after) in zip(input.shape, pairs, strict=True)]
    kept = tuple(slice(max(-before, 0), end) for end, (before, _) in zip(ends, pairs, strict=True))
    added = [(max(before, 0), max(after, 0)) for before, after in pairs]
    return np.pad(input[kept], added, constant_values=np.asarray(value).astype(input.dtype))


constant_pad_nd.vjp(input=lambda g, pad: ops.constant_pad_nd(g, tuple(-amount for amount in pad), 0))


# -- the same bytes -----------------------------------------------------------------------------------------------
def _check_reinterpretable(input: Tensor, dtype: DType) -> None:
    if input.bits & LAZY and input.dtype is not dtype:
        kind = "conjugate view tensors" if input.bits & CONJ else "tensors with negative bit set"
        raise OpError(f"torch.Tensor.view is not supported for {kind} when converting to a different dtype.")
    ratio = dtype.itemsize // input.dtype.itemsize
    if ratio < 2 or not input.array.ndim:
        return
    names = _different_sizes(input.dtype, dtype)
    for what, number in (("size(-1)", input.array.shape[-1]), ("storage_offset()", input.geometry.offset)):
        if number % ratio:
            raise OpError(f"self.{what} must be divisible by {ratio} {names}, but got {number}")


def _different_sizes(source: DType, target: DType) -> str:
    return f"to view {source.scalar_type} as {target.scalar_type} (different element sizes)"


@primitive(
    public=False, view=True, nondifferentiable=("input",), check=_check_reinterpretable,
    grows=lambda input, dtype: input.nbytes // dtype.itemsize,
)  # fmt: skip
def view_dtype(input: Array, dtype: DType) -> Array:
    """The same bytes read as elements of another dtype; the last dimension grows or shrinks where sizes differ."""
    source, target = dtypes.of(input), dtype
    if source.itemsize != target.itemsize:
        _check_reinterpreted(input, source, target)
    return input.view(target.numpy)


def _check_reinterpreted(input: Array, source: DType, target: DType) -> None:
    names = _different_sizes(source, target)
    if input.ndim == 0:
        raise OpError(f"self.dim() cannot be 0 {names}")
    ratio = target.itemsize // source.itemsize
    *outer, last = strides.steps_of(input)
    if last != 1:
        raise OpError(f"self.stride(-1) must be 1 {names}, but got {last}")
    for dim, step in enumerate(outer):
        if ratio > 1 and step % ratio:
            raise OpError(f"self.stride({dim}) must be divisible by {ratio} {names}, but got {step}")


def _same_bytes(input: Tensor) -> Tensor:
    """The same elements outside the graph: what PyTorch makes of a view as the dtype that is there."""
    view = input.detach()
    if modes.current().inference and not input.inference:
        inplace.own_by_mode(view, input)
    return view


_SAME_BYTES = Composite(_same_bytes, "view")


@overloaded(name="view", function=False, writes=False)
def view_as_asked(input: Tensor, size: Extents = (), *, dtype: Any = None) -> Any:
    """A view of another shape, or of the same bytes as another dtype."""
    first: Any = size[0] if len(size) == 1 else None
    asked = first if isinstance(first, DType | str) else dtype
    if asked is None:
        return registry.op("view"), (input, size)
    if str(asked).removeprefix("torch.") == input.dtype.name:
        return _SAME_BYTES, (input,)
    return view_dtype, (input, asked)
