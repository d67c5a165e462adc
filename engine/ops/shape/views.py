"""Views: the same storage seen otherwise. Here too what undoes a view, and the functional writes through one."""

from __future__ import annotations

from math import prod
from typing import Any

import numpy as np

from engine import dtypes, modes, ops, registry, strides
from engine.errors import ArgumentTypeError, DimensionError, OpError
from engine.op import (
    Array,
    Dim,
    Dims,
    Extents,
    NewDim,
    Real,
    Size,
    composite,
    primitive,
    type_name,
    wrap_dim,
)
from engine.tensor import Tensor

IDENTITY = "Tensor.{} is deprecated on 0-D tensors. This function is the identity in these cases."
CONJUGATED = "{} is deprecated on 0-D tensors. Consider using x.conj()."
REVERSED = (
    "The use of `x.T` on tensors of dimension other than 2 to reverse their shape is deprecated and it will throw an "
    "error in a future release. Consider `x.mT` to transpose batches of matrices or `x.permute(*torch.arange(x.ndim - "
    "1, -1, -1))` to reverse the dimensions of a tensor."
)
INCOMPATIBLE = (
    "view size is not compatible with input tensor's size and stride (at least one dimension spans across two "
    "contiguous subspaces). Use .reshape(...) instead."
)


# -- the adjoint of a view ----------------------------------------------------------------------------------------
@primitive(public=False, linear=True, grows=lambda size: prod(size))
def scatter_view(input: Array, view: str, size: Size, arguments: Any, grad_fn: str) -> Array:
    """Zeros of shape ``size`` with ``input`` written through the view op called ``view``: the adjoint of that view."""
    base = np.zeros(size, input.dtype)
    registry.op(view).kernel(base, *arguments)[...] = input
    return base


scatter_view.vjp(input=lambda g, view, arguments: registry.op(view)(g, *arguments))


def unviewed(g: Tensor, view: str, size: tuple[int, ...], arguments: Any) -> Any:
    """The cotangent of what the view op called ``view`` was taken of."""
    grad_fn = registry.op(view).grad_fn.replace("Backward0", "BackwardBackward0")
    return scatter_view(g, view, size, arguments, grad_fn)


@primitive(public=False)
def write_view(input: Array, src: Array, view: str, arguments: Any) -> Array:
    """``input`` with ``src`` written through the view op called ``view``."""
    base = input.copy()
    registry.op(view).kernel(base, *arguments)[...] = src
    return base


def _unwritten(g: Tensor, view: str, arguments: Any) -> Any:
    return write_view(g, ops.zeros_of(registry.op(view)(g, *arguments)), view, arguments)


write_view.vjp(input=_unwritten, src=lambda g, view, arguments: registry.op(view)(g, *arguments))


# -- sizes --------------------------------------------------------------------------------------------------------
def infer_size(size: tuple[int, ...], count: int) -> tuple[int, ...]:
    """``size`` with a ``-1`` replaced by what ``count`` elements leave for it."""
    if prod(size) == count and (not size or min(size) >= 0):
        return size
    if any(extent < -1 for extent in size):
        place, extent = next((place, extent) for place, extent in enumerate(size) if extent < -1)
        raise OpError(f"invalid shape dimension {extent} at index {place} of shape {list(size)}")
    if size.count(-1) > 1:
        raise OpError("only one dimension can be inferred")
    known = prod(extent for extent in size if extent != -1)
    if -1 in size and known == 0 and count == 0:
        raise OpError(
            f"cannot reshape tensor of 0 elements into shape {list(size)} because the unspecified dimension size -1 "
            "can be any value and is ambiguous"
        )
    if (-1 in size and (known == 0 or count % known)) or (-1 not in size and known != count):
        raise OpError(f"shape '{list(size)}' is invalid for input of size {count}")
    return tuple(count // known if extent == -1 else extent for extent in size)


@primitive(view=True, public=False)
def view(input: Array, size: Extents) -> Array:
    """The same elements in the same order with shape ``size``; one extent may be ``-1``."""
    found = reshaped(input, infer_size(size, input.size))
    if found is None:
        raise OpError(INCOMPATIBLE)
    return found


def reshaped(array: Array, size: tuple[int, ...]) -> Array | None:
    """A view of that shape, or ``None`` where the strides allow none."""
    if array.size and 1 not in array.shape and 1 not in size:
        try:
            return array.reshape(size, copy=False)
        except ValueError:
            return None
    stride = strides.of_view(array.shape, strides.steps_of(array), size)
    return None if stride is None else strides.placed(array, size, stride)


view.vjp(input=lambda g, input_shape: ops.reshape(g, input_shape))


@primitive(public=False, linear=True, grad_fn="UnsafeViewBackward0", layout="kernel")
def unsafe_view(input: Array, size: Size) -> Array:
    """``input`` with shape ``size``, as no view: for a fresh intermediate that nobody else sees."""
    size = infer_size(size, input.size)
    found = reshaped(input, size)
    if found is None:
        return np.reshape(input, size)
    return strides.copied(found, strides.preserved(size, strides.steps_of(found)))


unsafe_view.vjp(input=lambda g, input_shape: ops.reshape(g, input_shape))


@primitive(public=False, view=True)
def reshape_alias(input: Array, size: Size) -> Array:
    """``view`` of a tensor that is not contiguous, where its strides allow one."""
    found = reshaped(input, size)
    if found is None:
        raise OpError(INCOMPATIBLE)
    return found


reshape_alias.vjp(input=lambda g, input_shape: ops.reshape(g, input_shape))


@composite
def reshape(input: Tensor, shape: Extents) -> Tensor:
    """A view with the given shape where the strides allow one, else a copy."""
    size = infer_size(reshape.signature.params[1].static("reshape", shape, 0), input.array.size)
    if input.array.flags.c_contiguous:
        return ops.view(input, size)
    if reshaped(input.array, size) is not None:
        return reshape_alias(input, size)
    return ops.unsafe_view(ops.clone_contiguous(input), size)


@primitive(view=True)
def permute(input: Array, dims: Extents) -> Array:
    """The dimensions in the order ``dims``."""
    return input.transpose(_permutation(dims, input.ndim))


def _permutation(dims: tuple[int, ...], ndim: int) -> tuple[int, ...]:
    if len(dims) != ndim:
        raise OpError(
            "permute(sparse_coo): number of dimensions in the tensor input does not match the length of the desired "
            f"ordering of dimensions i.e. input.dim() = {ndim} is not equal to len(dims) = {len(dims)}"
        )
    if sorted(dims) == list(range(ndim)):
        return dims
    order = tuple([wrap_dim(dim, ndim) for dim in dims])
    if len(set(order)) != ndim:
        raise OpError("permute(): duplicate dims are not allowed.")
    return order


def _unpermute(g: Tensor, dims: tuple[int, ...]) -> Any:
    ndim = g.array.ndim
    inverse = [0] * ndim
    for place, dim in enumerate(dims):
        inverse[dim % ndim] = place
    return ops.permute(g, tuple(inverse)) if dims else g


permute.vjp(input=_unpermute)


@primitive(view=True, aliases=("swapaxes", "swapdims"), writes=True, inplace_grad_fn="TransposeBackward1")
def transpose(input: Array, dim0: Dim, dim1: Dim) -> Array:
    """The dimensions ``dim0`` and ``dim1`` exchanged."""
    return np.swapaxes(input, dim0, dim1) if input.ndim else input


transpose.vjp(input=lambda g, dim0, dim1: ops.transpose(g, dim0, dim1))


def _check_matrix(name: str, input: Tensor) -> None:
    if input.array.ndim > 2:
        raise OpError(f"{name}() expects a tensor with <= 2 dimensions, but self is {input.array.ndim}D")


@primitive(view=True, grad_fn="TBackward0", inplace_grad_fn="TBackward1", check=lambda input: _check_matrix("t", input))
def t(input: Array) -> Array:
    """The transpose of a matrix; a vector or number is itself."""
    return input.T


@composite(name="t_", function=False)
def _t_inplace(input: Tensor) -> Tensor:
    """``t`` of the tensor itself."""
    _check_matrix("t_", input)
    return t.inplace(input)


t.vjp(input=lambda g: ops.t(g))


@composite(name="T", function=False, attribute=True)
def reverse_dims(input: Tensor) -> Tensor:
    """All dimensions in reverse order."""
    if input.array.ndim == 0:
        modes.warn_once(IDENTITY.format("T"))
    elif input.array.ndim != 2:
        modes.warn_once(REVERSED)
    return ops.permute(input, tuple(reversed(range(input.array.ndim))))


@composite(name="mT", function=False, attribute=True)
def matrix_transpose(input: Tensor) -> Tensor:
    """The last two dimensions exchanged."""
    if input.array.ndim == 0:
        modes.warn_once(IDENTITY.format("mT"))
        return input
    if input.array.ndim < 2:
        raise OpError(
            f"tensor.mT is only supported on matrices or batches of matrices. Got {input.array.ndim}-D tensor."
        )
    return ops.transpose(input, -2, -1)


@composite(name="H", function=False, attribute=True)
def conjugate_transpose(input: Tensor) -> Tensor:
    """The matrix transposed, and every element conjugated; a 0-d tensor is itself."""
    ndim = input.array.ndim
    if ndim not in (0, 2):
        batches = " For batches of matrices, consider using tensor.mH" if ndim > 2 else ""
        raise OpError(f"tensor.H is only supported on matrices (2-D tensors). Got {ndim}-D tensor.{batches}")
    if ndim == 0:
        modes.warn_once(CONJUGATED.format("Tensor.H"))
        return ops.conj(input)
    return adjoint_matrix(input)


@composite(name="mH", function=False, attribute=True)
def adjoint_matrix(input: Tensor) -> Tensor:
    """The last two dimensions exchanged, and every element conjugated."""
    return _adjoint(input, "tensor.mH", "Tensor.mH")


def _adjoint(input: Tensor, name: str, warned_as: str) -> Tensor:
    if input.array.ndim == 0:
        modes.warn_once(CONJUGATED.format(warned_as))
        return ops.conj(input)
    if input.array.ndim < 2:
        raise OpError(f"{name} is only supported on matrices or batches of matrices. Got {input.array.ndim}-D tensor.")
    transposed = ops.transpose(input, -2, -1)
    return ops.conj(transposed) if input.dtype.is_complex else transposed


@composite
def adjoint(input: Tensor) -> Tensor:
    """The last two dimensions exchanged, and every element conjugated."""
    return _adjoint(input, "tensor.adjoint()", "adjoint()")


@composite(aliases=("moveaxis",))
def movedim(input: Tensor, source: Dims, destination: Dims) -> Tensor:
    """The dimensions ``source`` moved to the places ``destination``, the others kept in order."""
    ndim = input.array.ndim
    if isinstance(source, int) != isinstance(destination, int):
        raise ArgumentTypeError("one dimension, and a list of them")  # shown as all overloads
    sources, destinations = _listed("source", source), _listed("destination", destination)
    from_dims = [wrap_dim(dim, ndim) for dim in sources]
    to_dims = [wrap_dim(dim, ndim) for dim in destinations]
    if len(from_dims) != len(to_dims):
        raise OpError(
            f"movedim: Invalid source or destination dims: source ({sources} dims) should contain the same "
            f"number of dims as destination ({destinations} dims)"
        )
    for side, dims, given in (("source", from_dims, sources), ("destination", to_dims, destinations)):
        if len(set(dims)) < len(dims):
            raise OpError(f"movedim: repeated dim in `{side}` ({given})")
    if ndim == 0:
        return ops.alias(input)
    rest = iter(dim for dim in range(ndim) if dim not in from_dims)
    order = [from_dims[to_dims.index(i)] if i in to_dims else next(rest) for i in range(ndim)]
    return ops.permute(input, order)


def _listed(name: str, dims: Any) -> list[int]:
    """One dimension, or several, as a list. Raises ``ArgumentTypeError`` for anything else."""
    if not isinstance(dims, int | list | tuple):
        raise ArgumentTypeError(f"movedim(): dims must be tuple of ints, not {type_name(dims)}")
    listed = [dims] if isinstance(dims, int) else list(dims)
    for place, dim in enumerate(listed):
        if not isinstance(dim, int):
            raise ArgumentTypeError(
                f"movedim(): argument '{name}' failed to unpack the object at pos {place + 1} with error "
                f'"type must be tuple of ints,but got {type_name(dim)}"'
            )
    return listed


@primitive(view=True, function=False, grows=lambda input, size: prod(expanded_size(input, size)))
def expand(input: Array, size: Extents) -> Array:
    """Dimensions of extent 1 repeated to ``size`` without copying; ``-1`` keeps an extent."""
    if input.shape == size:
        return input[...]
    size = expanded_size(input, size)
    lead = len(size) - input.ndim
    own = zip(size[lead:], input.shape, input.strides, strict=True)
    steps = [step if extent == had else 0 for extent, had, step in own]
    for extent in reversed(size[:lead]):
        steps.insert(0, size[-len(steps)] * steps[0] if extent == 1 and steps else 0)
    if input.flags.c_contiguous:
        return np.ndarray(size, input.dtype, input, 0, tuple(steps))
    return strides.placed(input, size, tuple([step // input.itemsize for step in steps]))  # takes ten times as long


def expanded_size(input: Array, size: tuple[int, ...]) -> tuple[int, ...]:
    """The shape that ``expand(size)`` gives ``input``."""
    shape = input.shape
    if not shape and min(size, default=0) >= 0:  # one number fits everywhere
        return size
    missing = len(size) - len(shape)
    if missing < 0:
        kind = dtypes.of(input).tensor_type
        raise OpError(
            f"expand({kind}{{{list(shape)}}}, size={list(size)}): the number of sizes provided ({len(size)}) must be "
            f"greater or equal to the number of dimensions in the tensor ({len(shape)})"
        )
    target = list(size)
    for dim in reversed(range(len(size))):
        own = shape[dim - missing] if dim >= missing else 1
        if size[dim] != own:
            _check_expansion(dim, size[dim], own, dim < missing, shape, size)
            if size[dim] == -1:
                target[dim] = own
    return tuple(target)


def _check_expansion(
    dim: int, extent: int, own: int, is_new: bool, shape: tuple[int, ...], size: tuple[int, ...]
) -> None:
    if extent == -1 and is_new:
        raise OpError(
            f"The expanded size of the tensor ({extent}) isn't allowed in a leading, non-existing dimension {dim}"
        )
    if extent not in (-1, own) and own != 1:
        raise OpError(
            f"The expanded size of the tensor ({extent}) must match the existing size ({own}) at non-singleton "
            f"dimension {dim}.  Target sizes: {list(size)}.  Tensor sizes: {list(shape)}"
        )


expand.vjp(input=lambda g, input_shape: sum_to(g, input_shape))


def sum_to(input: Tensor, size: tuple[int, ...]) -> Any:
    """The sum over what broadcasting added to ``size``: the adjoint of ``expand``.

    One kernel, unless the steps that PyTorch takes are recorded.
    """
    if not (modes.current().grad_enabled and input.requires_grad):
        return summed_to(input, size)
    if not size:
        return ops.sum(input)
    lead = input.array.ndim - len(size)
    spread = [
        dim for dim, extent in enumerate(input.array.shape) if dim < lead or (extent != 1 and size[dim - lead] == 1)
    ]
    summed = ops.sum(input, spread, True) if spread else input
    return ops.view(summed, size) if lead else summed


registry.add_op("sum_to", sum_to)


@primitive(public=False, linear=True, grad_fn="SumBackward1")
def summed_to(input: Array, size: Size) -> Array:
    """``sum_to`` at once."""
    lead = input.ndim - len(size)
    kept = tuple(lead + dim for dim, extent in enumerate(size) if extent == 1 and input.shape[lead + dim] != 1)
    total = np.sum(input, axis=tuple(range(lead)) + kept, keepdims=True, dtype=input.dtype)
    return total.reshape(size)


summed_to.vjp(input=lambda g, input_shape: ops.expand(g, input_shape))


@primitive(view=True, public=False, shown_as="squeeze", grad_fn="SqueezeBackward0", inplace_grad_fn="SqueezeBackward3")
def squeeze_all(input: Array) -> Array:
    """Without the dimensions of extent 1."""
    return np.squeeze(input)


squeeze_all.vjp(input=lambda g, input_shape: ops.reshape(g, input_shape))


@primitive(view=True, public=False, shown_as="squeeze", grad_fn="SqueezeBackward1", inplace_grad_fn="SqueezeBackward4")
def squeeze_dim(input: Array, dim: Dim) -> Array:
    """Without dimension ``dim``, if its extent is 1."""
    return np.squeeze(input, axis=dim) if input.ndim and input.shape[dim] == 1 else input[...]


squeeze_dim.vjp(input=lambda g, input_shape: ops.reshape(g, input_shape))


@primitive(view=True, public=False, shown_as="squeeze", grad_fn="SqueezeBackward2", inplace_grad_fn="SqueezeBackward5")
def squeeze_dims(input: Array, dim: Dims) -> Array:
    """Without those of the dimensions ``dim`` whose extent is 1."""
    return np.squeeze(input, axis=tuple(d for d in dim if input.ndim and input.shape[d] == 1))


squeeze_dims.vjp(input=lambda g, input_shape: ops.reshape(g, input_shape))


def _squeezer(dim: Any) -> Any:
    if dim is None:
        return squeeze_all
    return squeeze_dims if isinstance(dim, list | tuple) else squeeze_dim


@composite
def squeeze(input: Tensor, dim: Any = None) -> Tensor:
    """Without the dimensions of extent 1: all of them, or those among ``dim``."""
    return _squeezer(dim)(input) if dim is None else _squeezer(dim)(input, dim)


@composite(name="squeeze_", function=False)
def squeeze_(input: Tensor, dim: Any = None) -> Tensor:
    """``squeeze`` of the tensor itself."""
    return _squeezer(dim).inplace(input) if dim is None else _squeezer(dim).inplace(input, dim)


@primitive(view=True, writes=True, inplace_grad_fn="UnsqueezeBackward1")
def unsqueeze(input: Array, dim: NewDim) -> Array:
    """With a dimension of extent 1 at ``dim``."""
    if input.size and input.flags.c_contiguous and 1 not in input.shape:
        return input.reshape((*input.shape[:dim], 1, *input.shape[dim:]))
    size, steps = list(input.shape), list(strides.steps_of(input))
    steps.insert(dim, size[dim] * steps[dim] if dim < len(size) else 1)
    size.insert(dim, 1)
    return strides.placed(input, tuple(size), tuple(steps))


unsqueeze.vjp(input=lambda g, dim: ops.squeeze(g, dim))


@primitive(view=True)
def select(input: Array, dim: int, index: int) -> Array:
    """The slice at ``index`` of dimension ``dim``, which goes."""
    if input.ndim == 0:
        raise DimensionError("select() cannot be applied to a 0-dim tensor.")
    axis = wrap_dim(dim, input.ndim)
    extent = input.shape[axis]
    if not -extent <= index < extent:
        raise DimensionError(
            f"select(): index {index} out of range for tensor of size {list(input.shape)} at dimension {axis}"
        )
    return input[(slice(None),) * axis + (index, ...)]


select.vjp(input=lambda g, input_shape, dim, index: unviewed(g, "select", input_shape, (dim, index)))


@primitive(view=True, public=False, grad_fn="SliceBackward0")
def slice_dim(input: Array, dim: Dim, start: int | None, end: int | None, step: int) -> Array:
    """The elements ``start`` to ``end`` (exclusive) of dimension ``dim``, every ``step``-th."""
    return sliced(input, dim, slice(start, end, step))


def sliced(array: Array, dim: int, part: slice) -> Array:
    """A slice of dimension ``dim``."""
    view = array[(slice(None),) * dim + (part,)]
    if view.size or view.shape[dim]:
        return view
    start, _, step = part.indices(array.shape[dim])  # NumPy forgets where a slice without elements begins
    steps = list(strides.steps_of(array))
    offset = start * steps[dim]
    steps[dim] *= step
    return strides.placed(array, view.shape, tuple(steps), offset)


slice_dim.vjp(
    input=lambda g, input_shape, dim, start, end, step: unviewed(g, "slice_dim", input_shape, (dim, start, end, step))
)


@composite
def narrow(input: Tensor, dim: int, start: Real, length: int) -> Tensor:
    """``length`` elements of dimension ``dim`` from ``start`` on."""
    shape = input.array.shape
    dim = wrap_dim(dim, len(shape)) if shape else 0
    begin, end = narrowed(shape, dim, int(start.item()) if isinstance(start, Tensor) else start, length)
    return slice_dim(input, dim, begin, end, 1)


def narrowed(shape: tuple[int, ...], dim: int, start: int, length: int) -> tuple[int, int]:
    """Where ``length`` elements of ``dim`` from ``start`` on begin and end. Raises where they do not exist."""
    if not shape:
        raise OpError("narrow() cannot be applied to a 0-dim tensor.")
    extent = shape[dim]
    if length < 0:
        raise OpError("narrow(): length must be non-negative.")
    if not -extent <= start <= extent:
        raise DimensionError(f"start out of range (expected to be in range of [{-extent}, {extent}], but got {start})")
    begin = start + extent if start < 0 else start
    if begin + length > extent:
        raise OpError(f"start ({begin}) + length ({length}) exceeds dimension size ({extent}).")
    return begin, begin + length


@primitive(view=True)
def diagonal(input: Array, offset: int = 0, dim1: int = 0, dim2: int = 1) -> Array:
    """The diagonals of the matrices spanned by ``dim1`` and ``dim2``, as the last dimension."""
    first, second = wrap_dim(dim1, input.ndim), wrap_dim(dim2, input.ndim)
    if first == second:
        raise OpError(f"diagonal dimensions cannot be identical {dim1}, {dim2}")
    row, column = max(-offset, 0), max(offset, 0)
    planes = np.moveaxis(input, (first, second), (-2, -1))
    *steps, down, right = strides.steps_of(planes)
    count = max(min(planes.shape[-2] - row, planes.shape[-1] - column), 0)
    begin = row * down + column * right if count else 0
    return strides.placed(planes, (*planes.shape[:-2], count), (*steps, down + right), begin)


diagonal.vjp(
    input=lambda g, input_shape, offset, dim1, dim2: unviewed(g, "diagonal", input_shape, (offset, dim1, dim2))
)


@primitive(view=True, public=False, grad_fn="AliasBackward0")
def alias(input: Array) -> Array:
    """All of ``input``."""
    return input[...]


alias.vjp(input=lambda g: g)
