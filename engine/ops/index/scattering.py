"""Writing elements by position: along a dimension, into the flattened tensor, behind a mask, through a view.

Ops whose operands must agree in dtype are chosen by an overload: it sees the dtypes before 16-bit floats are widened.
"""

from __future__ import annotations

from typing import Any, TypeAlias

import numpy as np

from engine import dtypes, modes, ops, registry, strides
from engine.errors import ArgumentTypeError, DimensionError, OpError
from engine.op import Array, Dim, Index, Mask, Operand, Scalar, broadcast_pair, overloaded, primitive, weak, wrap_dim
from engine.ops.creation.casts import converted
from engine.ops.creation.factories import check_fits, number_in
from engine.ops.index.gathering import add_at, are_inside, check_inside, flat_places, wrapped_places
from engine.ops.math.complex_histories import refuse_complex_history
from engine.ops.shape.strided import strided
from engine.ops.shape.views import expanded_size
from engine.tensor import Tensor, read

REDUCE_SCATTER = (
    "The reduce argument of torch.scatter with Tensor src is deprecated and will be removed in a future PyTorch "
    "release. Use torch.scatter_reduce instead for more reduction options."
)


# -- along a dimension --------------------------------------------------------------------------------------------
def check_operands(op_name: str, input: Tensor, dim: int, index: Tensor, src: Tensor | None = None) -> None:
    """Refuse a wrong dimension, wrong dtypes and wrong shapes, in the words of the ``scatter`` family."""
    dim = wrap_dim(dim, input.array.ndim)
    if index.dtype not in (dtypes.int64, dtypes.int32) and index.array.size:
        raise OpError(f"{op_name}(): Expected dtype int32/int64 for index")
    if src is not None and src.dtype is not input.dtype:
        raise OpError(f"{op_name}(): Expected self.dtype to be equal to src.dtype")
    if index.array.size:
        _check_shapes(input.array.shape, dim, index.array.shape, None if src is None else src.array.shape)


Shape: TypeAlias = tuple[int, ...]


def _check_shapes(input: Shape, dim: int, index: Shape, src: Shape | None) -> None:
    for name, shape in (("self", input), ("src", src)):
        if shape is not None and max(len(index), 1) != max(len(shape), 1):
            raise OpError(f"Index tensor must have the same number of dimensions as {name} tensor")
    too_large = any(index[axis] > input[axis] for axis in range(len(input)) if axis != dim)
    if too_large or (src is not None and any(n > m for n, m in zip(index, src or (1,), strict=False))):
        beyond = "" if src is None else f" and to be no larger size than src {list(src)}"
        raise OpError(
            f"Expected index {list(index)} to be no larger than self {list(input)} apart from dimension {dim}{beyond}"
        )


def covered(src: Array, index: Array) -> Array:
    """The part of ``src`` that an ``index`` smaller than it reaches."""
    if not index.size:  # whatever its shape
        return src.reshape(-1)[:0]
    return src[tuple(slice(extent) for extent in index.shape or (1,) * src.ndim)] if src.ndim else src


def places_of(input: Array, dim: int, index: Array) -> Array:
    """Where in the flattened ``input`` an ``index`` of a fitting shape points to."""
    if not index.size:
        return np.zeros(0, np.int64)
    check_inside(index, dim, input.shape[dim] if input.ndim else 1)
    return flat_places(input.shape, index, dim).reshape(-1)


@primitive(public=False, grad_fn="ScatterBackward0", overlap="any")
def scatter_src(input: Array, dim: Dim, index: Index, src: Array) -> Array:
    """``input`` with the elements of ``src`` at the positions ``index`` along ``dim``."""
    result = np.array(input, order="C")
    result.reshape(-1)[places_of(input, dim, index)] = covered(src, index).reshape(-1)
    return result


scatter_src.vjp(
    input=lambda g, dim, index: ops.scatter_number(g, dim, index, 0),
    src=lambda g, dim, index, src_shape: gathered(g, dim, index, src_shape, "ScatterBackward0", 1),
)


def gathered(g: Tensor, dim: int, index: Tensor, src_shape: Any, node: str, position: int) -> Any:
    """The cotangent of a ``src`` of the shape of ``index``; PyTorch has none for a larger one."""
    shape = index.array.shape
    if shape != src_shape and index.array.size:
        raise OpError(
            f"Function {node} returned an invalid gradient at index {position} - got {list(shape)} but expected shape "
            f"compatible with {list(src_shape)}"
        )
    return ops.gather(g, dim, index) if shape == src_shape else ops.filled(src_shape, 0, g.dtype)


@primitive(public=False, grad_fn="ScatterBackward1", overlap="any")
def scatter_number(input: Array, dim: Dim, index: Index, value: Scalar) -> Array:
    """``input`` with a number at the positions ``index`` along ``dim``."""
    result = np.array(input, order="C")
    places = places_of(input, dim, index)
    if places.size:
        check_fits(value, dtypes.of(input))
        result.reshape(-1)[places] = value
    return result


scatter_number.vjp(input=lambda g, dim, index: scatter_number(g, dim, index, 0))


@primitive(public=False, underivable=True, shown_as="scatter", overlap="any")
def scatter_reduced(input: Array, dim: Dim, index: Index, src: Array, reduce: str) -> Array:
    """``input`` with ``src`` added to, or multiplied into, the positions ``index`` along ``dim``."""
    result = np.array(input, order="C")
    places = places_of(input, dim, index)
    ufunc = np.add if reduce == "add" else np.multiply
    ufunc.at(result.reshape(-1), places, covered(src, index).reshape(-1))
    return result


@overloaded
def scatter(
    input: Tensor, dim: int, index: Tensor, src: Any = None, *, value: Any = None, reduce: str | None = None
) -> Any:
    """The tensor with elements of ``src``, or one value, at the positions ``index`` along ``dim``."""
    given = value if src is None else src
    operand = given if isinstance(given, Tensor) else None
    if given is None or (operand is None and dtypes.python_type(given) is None):
        raise ArgumentTypeError("scatter() received an invalid combination of arguments")
    check_operands("scatter", input, dim, index, operand)
    if reduce is not None:
        return _scatter_reducing(input, dim, index, given, reduce)
    return (scatter_number if operand is None else scatter_src), (input, dim, index, given)


def _scatter_reducing(input: Tensor, dim: int, index: Tensor, given: Any, reduce: str) -> Any:
    if reduce not in ("add", "multiply"):
        raise OpError("reduce argument must be either add or multiply.")
    if isinstance(given, Tensor):
        modes.warn(REDUCE_SCATTER)
    else:
        places_of(input.array, dim, read(index))  # which are looked at first
        check_fits(given, input.dtype)
        given = ops.filled(index.array.shape, given, input.dtype)
    return scatter_reduced, (input, dim, index, given, reduce)


def _check_added(input: Tensor, dim: int, index: Tensor, src: Tensor) -> None:
    check_operands("scatter", input, dim, index, src)


@primitive(writes=True, overlap="any", check=_check_added)
def scatter_add(input: Array, dim: Dim, index: Index, src: Array) -> Array:
    """``input`` with ``src`` added at the positions ``index`` along ``dim``."""
    result = np.array(input, order="C")
    add_at(result, places_of(input, dim, index), covered(src, index))
    return result


scatter_add.vjp(
    input=lambda g: g,
    src=lambda g, dim, index, src_shape: gathered(g, dim, index, src_shape, "ScatterAddBackward0", 1),
)


# -- slices along a dimension -------------------------------------------------------------------------------------
def check_slices(op_name: str, input: Tensor, dim: int, index: Tensor, source: Tensor) -> None:
    """Refuse operands that do not fit, in the words of ``index_add`` and ``index_reduce``."""
    dim = wrap_dim(dim, input.array.ndim)
    kind, size = index.dtype, list(index.array.shape)
    if index.array.ndim > 1:
        raise DimensionError(
            f"{op_name}_(): Index is supposed to be a vector, but got dim: {len(size)} with type: {kind.scalar_type} "
            f"and size: {size}"
        )
    if kind not in (dtypes.int64, dtypes.int32):
        raise OpError(f"{op_name}_(): Expected dtype int32/int64 for index but got: {kind.scalar_type}")
    if source.dtype is not input.dtype:
        raise OpError(
            f"{op_name}_(): self ({input.dtype.scalar_type}) and source ({source.dtype.scalar_type}) must have the "
            "same scalar type"
        )
    _check_slice_shapes(op_name, input.array, dim, index.array, source.array)


def _check_slice_shapes(op_name: str, input: Array, dim: int, index: Array, source: Array) -> None:
    extent = source.shape[dim] if source.ndim > dim else 1
    if index.size != extent and not source.ndim:
        raise DimensionError(f"Dimension specified as {dim} but tensor has no dimensions")
    if index.size != extent:
        raise OpError(
            f"{op_name}_(): Number of indices ({index.size}) should be equal to source.size(dim): ({extent}), for dim: "
            f"{dim}"
        )
    ours, theirs = list(input.shape), list(source.shape)
    if ours[:dim] + ours[dim + 1 :] != theirs[:dim] + theirs[dim + 1 :] or len(ours) != len(theirs):
        raise OpError(
            "source tensor shape must match self tensor shape, excluding the specified dimension. Got self.shape = "
            f"{ours} source.shape = {theirs}"
        )


def slices_at(array: Array, dim: int, index: Array) -> Any:
    """The NumPy key of the slices ``index`` along ``dim``."""
    return (slice(None),) * dim + (index.reshape(-1),) if array.ndim else ...


def _check_index_add(input: Tensor, dim: int, index: Tensor, source: Tensor) -> None:
    check_slices("index_add", input, dim, index, source)


def _check_added_slices(input: Array, dim: int, index: Array) -> None:
    """PyTorch adds along the first and the last dimension by ``scatter_add``, and otherwise slice by slice."""
    extent = input.shape[dim] if input.ndim else 1
    if input.ndim > 1 and dim in (0, input.ndim - 1):
        check_inside(index, dim, extent)
    elif index.size and not are_inside(index, extent):
        raise DimensionError("index out of range in self")


@primitive(writes=True, overlap="any", check=_check_index_add)
def index_add(input: Array, dim: Dim, index: Index, source: Array, *, alpha: Scalar = 1) -> Array:
    """``input`` with ``alpha`` times the slices of ``source`` added at the positions ``index`` along ``dim``."""
    result = input.copy(order="K")
    if input.ndim > 1 and not input.size:
        return result
    _check_added_slices(input, dim, index)
    scaled = source if alpha == 1 else source * number_in(alpha, source)
    if input.ndim:
        np.add.at(result, slices_at(input, dim, index), scaled)
    else:
        result += scaled
    return result


def _picked_slices(g: Tensor, dim: int, index: Tensor, alpha: Any, source: Tensor) -> Any:
    picked = ops.index_select(g, dim, index)
    scaled = picked if alpha == 1 else ops.mul(picked, alpha.conjugate() if isinstance(alpha, complex) else alpha)
    return ops.reshape(scaled, source.array.shape)


index_add.vjp(input=lambda g: g, source=_picked_slices)


def _check_index_copy(input: Tensor, dim: int, index: Tensor, source: Tensor) -> None:
    ours, theirs = input.array.shape, source.array.shape
    if index.array.ndim > 1:
        raise DimensionError(f"index_copy_(): Index should have dimension 1 or 0 (got {index.array.ndim})")
    if not theirs and index.array.size != 1:
        raise DimensionError(
            f"index_copy_(): When source is scalar, index should have one element (got {index.array.size})"
        )
    if ours and theirs and len(ours) != len(theirs):
        raise DimensionError(
            "index_copy_(): When source and destination are not scalars, their dimensionality must match. Source "
            f"dimensionality ({len(theirs)}), destination dimensionality ({len(ours)})"
        )
    if index.dtype is not dtypes.int64:
        raise OpError(f"index_copy_(): Expected a long tensor for index, but got {index.dtype.scalar_type}")
    if source.dtype is not input.dtype:
        raise OpError(
            "index_copy_(): self and source expected to have the same dtype, but got (self) "
            f"{input.dtype.scalar_type} and (source) {source.dtype.scalar_type}"
        )
    _check_copied_extents(ours, theirs, dim, index.array.size)


def _check_copied_extents(ours: Shape, theirs: Shape, dim: int, count: int) -> None:
    slices = [shape[:dim] + shape[dim + 1 :] for shape in (ours, theirs)]
    if slices[0] != slices[1]:
        mine, other = (" ".join(map(str, shape)) for shape in slices)
        raise OpError(
            f"index_copy_(): Source/destination tensor must have same slice shapes. Destination slice shape: {mine} at "
            f"dimension {dim} and source slice shape: {other} at dimension 0."
        )
    extent = theirs[dim] if theirs else 1
    if count != extent:
        raise DimensionError(
            f"index_copy_(): Number of indices ({count}) should be equal to source.size(dim) ({extent})"
        )


@primitive(writes=True, overlap="any", overlap_first=True, check=_check_index_copy)
def index_copy(input: Array, dim: Dim, index: Index, source: Array) -> Array:
    """``input`` with the slices of ``source`` at the positions ``index`` along ``dim``."""
    limit = input.shape[dim] if input.ndim else 1
    outside = index[(index < 0) | (index >= limit)]
    if outside.size:
        raise DimensionError(
            f"index_copy_(): index {outside.flat[0]} is out of bounds for dimension {dim} with size {limit}"
        )
    result = input.copy(order="K")
    np.atleast_1d(result)[slices_at(np.atleast_1d(input), dim, index)] = source
    return result


index_copy.vjp(
    input=lambda g, dim, index: ops.index_filled(g, dim, index, 0),
    source=lambda g, dim, index, source: _picked_slices(g, dim, index, 1, source),
)


def _filled_slices(input: Array, dim: int, index: Array, value: Any) -> Array:
    if index.dtype != np.int64:
        raise DimensionError("index_fill_(): Expected dtype int64 for index.")
    if index.ndim > 1:
        raise OpError("Index has to be a vector/scalar")
    extent = input.shape[dim] if input.ndim else 1
    if not input.size and index.size:  # PyTorch asks for a view of as many slices, and then no more
        steps = strides.steps_of(input)
        size = tuple([index.size if axis == dim else own for axis, own in enumerate(input.shape)])
        strided(input.reshape(-1), size, tuple([0 if axis == dim else step for axis, step in enumerate(steps)]), 0)
        return input.copy(order="K")
    outside = index[(index < -extent) | (index >= extent)]
    if outside.size:
        raise DimensionError(f"index {outside.flat[0]} is out of bounds for dimension {dim} with size {extent}")
    result = input.copy(order="K")
    if index.size:
        result[slices_at(input, dim, index)] = value
    return result


@primitive(public=False, grad_fn="IndexFillBackward0", overlap="none", repeats="index_fill_", layout="input")
def index_filled(input: Array, dim: Dim, index: Index, value: Scalar) -> Array:
    """``input`` with a number in the slices at the positions ``index`` along ``dim``."""
    return _filled_slices(input, dim, index, value)


index_filled.vjp(input=lambda g, dim, index: index_filled(g, dim, index, 0))


@primitive(public=False, grad_fn="IndexFillBackward1", overlap="none", repeats="index_fill_", layout="input")
def index_filled_tensor(input: Array, dim: Dim, index: Index, value: Array) -> Array:
    """``input`` with the 0-d ``value`` in the slices at the positions ``index`` along ``dim``."""
    if value.ndim:
        raise OpError(
            f"index_fill_ only supports a 0-dimensional value tensor, but got tensor with {value.ndim} dimension(s)."
        )
    return _filled_slices(input, dim, index, converted(value, input.dtype))


index_filled_tensor.vjp(
    input=lambda g, dim, index: index_filled(g, dim, index, 0),
    value=lambda g, dim, index: ops.sum(g - index_filled(g, dim, index, 0)),  # a slice named twice counts once
)


@overloaded
def index_fill(input: Tensor, dim: int, index: Tensor, value: Operand) -> Any:
    """The tensor with ``value``, a number or a 0-d tensor, in the slices at the positions ``index`` along ``dim``."""
    is_complex = value.dtype.is_complex if isinstance(value, Tensor) else isinstance(value, complex)
    if is_complex and not input.dtype.is_complex:
        raise OpError("index_fill_(): Converting complex Scalar to non-complex type is not supported")
    if not isinstance(value, Tensor):
        check_fits(weak(value).array.item(), input.dtype)
        return index_filled, (input, dim, index, value)
    if value.array.ndim == 0:
        check_fits(read(value).item(), input.dtype)
    return index_filled_tensor, (input, dim, index, value)


# -- into the flattened tensor ------------------------------------------------------------------------------------
def _check_put(input: Tensor, index: Tensor, source: Tensor) -> None:
    if index.dtype is not dtypes.int64:
        raise OpError(f"put_(): Expected a long tensor for index, but got {index.dtype.scalar_type}")
    if source.dtype is not input.dtype:
        raise OpError(
            "put_(): self and source expected to have the same dtype, but got self.dtype = "
            f"{input.dtype.scalar_type} and source.dtype = {source.dtype.scalar_type}"
        )
    if not input.array.size and index.array.size:
        raise DimensionError("put_(): Tried to put elements into an empty tensor")


@primitive(writes=True, overlap="any", layout="input", check=_check_put)
def put(input: Array, index: Index, source: Array, accumulate: bool = False) -> Array:
    """``input`` with ``source`` written, or added, at the positions ``index`` of the flattened tensor."""
    if index.size != source.size:
        raise DimensionError(
            "put_(): Expected source and index to have the same number of elements, but got source.numel() = "
            f"{source.size}, index.numel() = {index.size}"
        )
    places = wrapped_places("put_", input, index)
    result = np.array(input, order="C")
    if accumulate:
        add_at(result, places, source)
    else:
        result.reshape(-1)[places.reshape(-1)] = source.reshape(-1)
    return result


def _unput(g: Tensor, index: Tensor, accumulate: bool) -> Any:
    return g if accumulate else put(g, index, ops.filled(index.array.shape, 0, g.dtype), False)


put.vjp(
    input=_unput,
    source=lambda g, index, source_shape: ops.reshape(ops.take(g, index), source_shape),
)


# -- behind a mask ------------------------------------------------------------------------------------------------
def _check_masked_scatter(input: Tensor, mask: Tensor, source: Tensor) -> None:
    if source.dtype is not input.dtype:
        raise OpError(
            f"masked_scatter: expected self and source to have same dtypes but got{input.dtype.scalar_type} and "
            f"{source.dtype.scalar_type}"
        )
    if mask.dtype is not dtypes.bool_:
        raise OpError(f"masked_scatter_ only supports boolean masks, but got mask with dtype {mask.dtype.scalar_type}")


def _check_scattered_in_place(input: Tensor, mask: Tensor, source: Tensor) -> None:
    _check_masked_scatter(input, mask, source)
    expanded_size(mask.array, input.array.shape)


def _check_scattered(input: Tensor, mask: Tensor, source: Tensor) -> None:
    broadcast_pair(mask.array.shape, input.array.shape)  # a copy of which is written to
    _check_masked_scatter(input, mask, source)


@primitive(writes=True, overlap="none", check=_check_scattered, check_in_place=_check_scattered_in_place)
def masked_scatter(input: Array, mask: Mask, source: Array) -> Array:
    """``input`` with the elements of ``source``, in order, where ``mask`` is true."""
    shape = broadcast_pair(input.shape, mask.shape)
    full = np.broadcast_to(mask, shape)
    count = int(np.count_nonzero(full))
    if source.size < count:
        raise OpError("Number of elements of source < number of ones in mask")
    result = np.array(np.broadcast_to(input, shape))
    result[full] = source.reshape(-1)[:count]
    return result


def _taken_in_order(g: Tensor, mask: Tensor, source_shape: Any) -> Any:
    taken = ops.masked_select(g, mask)
    total = int(np.prod(source_shape))
    rest = ops.filled((total - taken.array.size,), 0, g.dtype)
    return ops.reshape(ops.cat([taken, rest], 0), source_shape)


masked_scatter.vjp(input=lambda g, mask: ops.masked_fill(g, mask, 0), source=_taken_in_order)


# -- through a view -----------------------------------------------------------------------------------------------
def _written(input: Array, src: Array, view: str, *arguments: Any) -> Array:
    """A copy of ``input`` with ``src`` in the region that the view op called ``view`` shows."""
    result = np.array(input, order="C")
    region = registry.op(view).kernel(result, *arguments)
    if region.shape != src.shape:
        raise OpError(
            f"expected src to have a size equal to the slice of self. src size = {list(src.shape)}, slice size = "
            f"{list(region.shape)}"
        )
    region[...] = converted(src, input.dtype)
    return result


def _check_selected(input: Tensor, src: Tensor, dim: int, index: int) -> None:
    registry.op("select").kernel(input.array, dim, index)  # that there is no such slice is said first
    refuse_complex_history("select_scatter", input, src)


@primitive(layout="input", check=_check_selected)
def select_scatter(input: Array, src: Array, dim: Dim, index: int) -> Array:
    """``input`` with ``src`` as the slice at ``index`` of dimension ``dim``."""
    return _written(input, src, "select", dim, index)


select_scatter.vjp(
    input=lambda g, src_shape, dim, index: ops.select_scatter(g, _blank(g, src_shape), dim, index),
    src=lambda g, dim, index: ops.select(g, dim, index),
)


def _blank(g: Tensor, shape: Any) -> Any:
    return ops.filled(shape, 0, g.dtype)


@primitive(layout="input", check=lambda input, src: refuse_complex_history("slice_scatter", input, src))
def slice_scatter(
    input: Array, src: Array, dim: Dim = 0, start: int | None = None, end: int | None = None, step: int = 1
) -> Array:
    """``input`` with ``src`` as the elements ``start`` to ``end`` (exclusive) of ``dim``, every ``step``-th."""
    if step < 1:
        raise OpError("slice step must be positive")
    return _written(input, src, "slice_dim", dim, start, end, step)


slice_scatter.vjp(
    input=lambda g, src_shape, dim, start, end, step: ops.slice_scatter(g, _blank(g, src_shape), dim, start, end, step),
    src=lambda g, dim, start, end, step: ops.slice_dim(g, dim, start, end, step),
)


@primitive(layout="input")
def diagonal_scatter(input: Array, src: Array, offset: int = 0, dim1: Dim = 0, dim2: Dim = 1) -> Array:
    """``input`` with ``src`` as its diagonals in the matrices spanned by ``dim1`` and ``dim2``."""
    return _written(input, src, "diagonal", offset, dim1, dim2)


diagonal_scatter.vjp(
    input=lambda g, src_shape, offset, dim1, dim2: ops.diagonal_scatter(g, _blank(g, src_shape), offset, dim1, dim2),
    src=lambda g, offset, dim1, dim2: ops.diagonal(g, offset, dim1, dim2),
)
