"""The largest elements of windows: regular ones, adaptive ones, fractional ones; and back to where they stood."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from math import prod
from typing import Any

import numpy as np

from engine import ops
from engine.errors import ArgumentTypeError, ArgumentValueError, DimensionError, OpError, UnsupportedError
from engine.kernels import pooling as kernels
from engine.kernels import windows
from engine.op import Array, Index, Primitive, Size, composite, primitive
from engine.ops.nn import window_checks as checks
from engine.tensor import Tensor


# -- by places ----------------------------------------------------------------------------------------------------
# A plane is what the last dimensions of an array are together.
def _planes(shape: Sequence[int], ndim: int) -> int:
    return prod(shape[: len(shape) - ndim])


def _flat_places(indices: Array, ndim: int, size: int) -> Array:
    """``indices`` of planes of ``size`` elements, in the flattened array."""
    planes = indices.reshape(_planes(indices.shape, ndim), prod(indices.shape[-ndim:]))
    return planes + np.arange(len(planes))[:, None] * size


@primitive(
    public=False, linear=True, grows=lambda grad, extents: _planes(grad.shape, len(extents)) * prod(extents),
    scratch=lambda grad, extents: 4 * grad.size + 2 * _planes(grad.shape, len(extents)) * prod(extents),
)  # fmt: skip
def scatter_planes(grad: Array, indices: Index, extents: Size) -> Array:
    """``grad`` added up at ``indices`` of planes of ``extents``."""
    ndim = len(extents)
    places = _flat_places(indices, ndim, prod(extents)).reshape(-1)
    total = np.zeros((*grad.shape[:-ndim], *extents), grad.dtype)
    np.add.at(total.reshape(-1), places, grad.reshape(-1))
    return total


@primitive(
    public=False, linear=True, grows=lambda grad, indices: indices.size,
    scratch=lambda grad, indices: 4 * indices.size + grad.size,
)  # fmt: skip
def gather_planes(grad: Array, indices: Index, ndim: int) -> Array:
    """The elements of ``grad`` at ``indices`` of its planes."""
    places = _flat_places(indices, ndim, prod(grad.shape[-ndim:]))
    return grad.reshape(-1)[places].reshape(indices.shape)


@primitive(
    public=False, layout_only=("input",), scratch=lambda grad, input: 4 * grad.size + 2 * input.size,
    grows=lambda input: input.size,
)  # fmt: skip
def max_pool_backward(grad: Array, input: Array, indices: Index, ndim: int, grad_fn: str = "") -> Array:
    """``scatter_planes`` into planes like those of ``input``, whose values do not count."""
    return np.asarray(scatter_planes.kernel(grad, indices, input.shape[-ndim:]))


max_pool_backward.vjp(
    grad=lambda g, indices, ndim: gather_planes(g, indices, ndim), input=lambda g, input: ops.zeros_of(input)
)
scatter_planes.vjp(grad=lambda g, indices, extents: gather_planes(g, indices, len(extents)))
gather_planes.vjp(grad=lambda g, indices, grad_shape, ndim: scatter_planes(g, indices, grad_shape[-ndim:]))


def _name_of_backward(grad_fn: str) -> str:
    """The node of the derivative of the op with such nodes."""
    return f"{grad_fn.removesuffix('0')}Backward0"


def _declared(name: str, body: Callable[..., Any], ndim: int, kernel: str, **flags: Any) -> Primitive:
    """An op that gives elements of planes and their places."""
    body.__name__ = name
    op: Primitive = primitive(
        public=False, outputs=("out", "indices"), promote="default", supports="f", kernel_name=kernel, shown_as=name,
        **flags,
    )(body)  # fmt: skip
    name_of_backward = _name_of_backward(op.grad_fn)
    op.vjp(**{
        param.name: lambda g, input, indices: max_pool_backward(g, input, indices, ndim, name_of_backward)
        for param in op.differentiable
    })  # fmt: skip
    return op


# -- regular windows ----------------------------------------------------------------------------------------------
def _counts(input: Array, kernel: Any, stride: Any, padding: Any, dilation: Any, ceil_mode: bool) -> tuple[int, ...]:
    return windows.pooled(input.shape[-len(kernel) :], kernel, stride, padding, dilation, ceil_mode)


def _pooled_size(input: Array, kernel: Any, stride: Any, padding: Any, dilation: Any, ceil_mode: bool) -> int:
    counts = _counts(input, kernel, stride, padding, dilation, ceil_mode)
    return _planes(input.shape, len(kernel)) * prod(counts)


def _max_pool_scratch(input: Array, kernel: Any, stride: Any, padding: Any, dilation: Any, ceil_mode: bool) -> int:
    counts = _counts(input, kernel, stride, padding, dilation, ceil_mode)
    planes = _planes(input.shape, len(kernel))
    return (
        planes * (6 * prod(counts) + prod(windows.reach(counts, kernel, stride, dilation)))
        + 3 * prod(counts)
        + 2 * prod(kernel)
    )


def _declare_max_pool(ndim: int) -> Primitive:
    def check(input: Tensor, kernel: Any, stride: Any, padding: Any, dilation: Any, ceil_mode: bool) -> None:
        checks.check_pool(input, f"max_pool{ndim}d", kernel, stride, padding, dilation, ceil_mode)

    def body(
        input: Array, kernel: Size, stride: Size, padding: Size, dilation: Size, ceil_mode: bool
    ) -> tuple[Array, Array]:
        """The largest element of each window, and its place in the plane."""
        counts = _counts(input, kernel, stride, padding, dilation, ceil_mode)
        return kernels.max_windows(input, counts, kernel, stride, padding, dilation)

    body.__name__ = f"max_pool{ndim}d_with_places"
    op: Primitive = primitive(
        public=False, outputs=("out", "indices"), grad_fn=f"MaxPool{ndim}DWithIndicesBackward0", check=check,
        promote="default", supports="if", kernel_name=f"max_pool{ndim}d", shown_as=f"max_pool{ndim}d",
        grows=_pooled_size, scratch=_max_pool_scratch,
        work=lambda input, kernel, stride, padding, dilation, ceil_mode: 10 * prod(kernel) * _pooled_size(
            input, kernel, stride, padding, dilation, ceil_mode
        ),
    )(body)  # fmt: skip
    name_of_backward = _name_of_backward(op.grad_fn)
    op.vjp(input=lambda g, input, indices: max_pool_backward(g, input, indices, ndim, name_of_backward))
    return op


_MAX_POOLS = {ndim: _declare_max_pool(ndim) for ndim in (2, 3)}


def _max_pool(
    ndim: int, input: Tensor, kernel_size: Any, stride: Any, padding: Any, dilation: Any, ceil_mode: bool
) -> tuple[Any, Any]:
    """The largest elements and their places; in one dimension of planes of one row."""
    if ndim > 1:
        settings = checks.pool_settings(f"max_pool{ndim}d", ndim, kernel_size, stride, padding, dilation)
        return _MAX_POOLS[ndim](input, *settings, ceil_mode)
    checks.check_lone_dimension(
        input, "max_pool1d", kernel_size=kernel_size, stride=stride or (), padding=padding, dilation=dilation
    )
    flat = [(1, *kernel_size), (1, *(stride or kernel_size)), (0, *padding), (1, *dilation)]
    out, indices = _MAX_POOLS[2](ops.unsqueeze(input, -2), *flat, ceil_mode)
    return ops.squeeze(out, -2), ops.squeeze(indices, -2)


def _declare_functions(ndim: int) -> None:
    name = f"max_pool{ndim}d"

    def with_indices(
        input: Tensor, kernel_size: Size, stride: Size | None = None, padding: Size = (0,), dilation: Size = (1,),
        ceil_mode: bool = False, return_indices: bool = False,
    ) -> Any:  # fmt: skip
        """The largest element of each window of the last dimensions; with ``return_indices`` their places, too.

        Windows are ``kernel_size`` long unless their taps lie ``dilation`` apart, and as far apart unless ``stride``
        says it. Padding counts as lower than everything.
        """
        if return_indices:
            return _max_pool(ndim, input, kernel_size, stride, padding, dilation, ceil_mode)
        return plain(input, kernel_size, stride, padding, dilation, ceil_mode)

    def plain(
        input: Tensor, kernel_size: Size, stride: Size | None = None, padding: Size = (0,), dilation: Size = (1,),
        ceil_mode: bool = False,
    ) -> Any:  # fmt: skip
        """The largest element of each window of the last dimensions, as ``nn.functional`` has it."""
        if ndim == 1:
            checks.check_max_pool1d(input, kernel_size, stride, padding, dilation, ceil_mode)
        out = _max_pool(ndim, input, kernel_size, stride, padding, dilation, ceil_mode)[0]
        if ndim == 1 and not input.dtype.is_floating_point:  # whose kernel is one of its own without places
            raise UnsupportedError(f"\"max_pool1d_impl\" not implemented for '{input.dtype.scalar_type}'")
        return out

    def places(
        input: Tensor, kernel_size: Size, stride: Size | None = None, padding: Size = (0,), dilation: Size = (1,),
        ceil_mode: bool = False, return_indices: bool = False,
    ) -> Any:  # fmt: skip
        """The largest element of each window of the last dimensions, and its place in them."""
        return _max_pool(ndim, input, kernel_size, stride, padding, dilation, ceil_mode)

    composite(name=f"nn.functional.{name}", method=False)(with_indices)
    composite(name=name, method=False)(plain)
    composite(name=f"nn.functional.{name}_with_indices", method=False)(places)


for _ndim in (1, 2, 3):
    _declare_functions(_ndim)


@composite(method=False)
def max_pool1d_with_indices(
    input: Tensor, kernel_size: Size, stride: Size | None = None, padding: Size = (0,), dilation: Size = (1,),
    ceil_mode: bool = False,
) -> Any:  # fmt: skip
    """The largest element of each window of the last dimension, and its place in it."""
    return _max_pool(1, input, kernel_size, stride, padding, dilation, ceil_mode)


# -- adaptive -----------------------------------------------------------------------------------------------------
def _longest(extent: int, count: int) -> int:
    """The longest of ``count`` windows: a cost, so none of them is written down."""
    if not count:
        return 1
    whole, rest = divmod(extent, count)
    return max(whole + (0 if not rest else 1 if count % rest == 0 else 2), 1)


def _listed_scratch(input: Array, counts: Any, longest: Any) -> int:
    return 5 * _planes(input.shape, len(counts)) * prod(counts) + input.size + 8 * prod(counts) + prod(longest)


def _declare_adaptive(ndim: int) -> Primitive:
    name = f"adaptive_max_pool{ndim}d"

    def check(input: Tensor, output_size: Any) -> None:
        if len(output_size) != ndim:
            raise OpError(f"{name}(): internal error: output_size.size() must be {ndim}")
        checks.check_adaptive(input, name, ndim, ":")
        if any(size < 0 for size in output_size):
            shape = [*input.array.shape[:-ndim], *output_size]
            negative = next(size for size in output_size if size < 0)
            raise OpError(f"Trying to create tensor with negative dimension {negative}: {shape}")

    def body(input: Array, output_size: Size) -> tuple[Array, Array]:
        """The largest element of each of ``output_size`` windows that share the extents evenly, and its place."""
        bounds = [windows.adaptive(*pair) for pair in zip(input.shape[-ndim:], output_size, strict=True)]
        longest = [int((ends - starts).max(initial=1)) for starts, ends in bounds]
        return kernels.max_listed(input, [one[0] for one in bounds], [one[1] for one in bounds], longest)

    return _declared(
        name, body, ndim, name if ndim < 3 else f"{name}_cpu", grad_fn=f"AdaptiveMaxPool{ndim}DBackward0", check=check,
        grows=lambda input, output_size: _planes(input.shape, ndim) * prod(output_size),
        scratch=lambda input, output_size: _listed_scratch(
            input, output_size, map(_longest, input.shape[-ndim:], output_size)
        ),
        work=lambda input, output_size: (
            20 * _planes(input.shape, ndim) * prod(output_size)
            * prod(map(_longest, input.shape[-ndim:], output_size))
        ),
    )  # fmt: skip


_ADAPTIVE = {ndim: _declare_adaptive(ndim) for ndim in (2, 3)}


def _adaptive(ndim: int, input: Tensor, output_size: Any) -> tuple[Any, Any]:
    if ndim > 1:
        return _ADAPTIVE[ndim](input, checks.adaptive_size(input, output_size, ndim))
    checks.check_sizes("adaptive_max_pool1d", output_size)
    sizes = (output_size,) if isinstance(output_size, int) else tuple(output_size)
    checks.check_lone_dimension(input, "adaptive_max_pool1d", output_size=sizes)
    if any(size < 0 for size in sizes):
        shape = [*input.array.shape[:-1], 1, *sizes]
        raise OpError(f"Trying to create tensor with negative dimension {sizes[0]}: {shape}")
    checks.check_adaptive(input, "adaptive_max_pool1d", 1)
    out, indices = _ADAPTIVE[2](ops.unsqueeze(input, -2), (1, *sizes))
    return ops.squeeze(out, -2), ops.squeeze(indices, -2)


def _declare_adaptive_functions(ndim: int) -> None:
    name = f"adaptive_max_pool{ndim}d"

    def function(input: Tensor, output_size: Any, return_indices: bool = False) -> Any:
        """The largest elements of ``output_size`` windows that share the last dimensions evenly.

        ``None`` among the sizes is that of the input; with ``return_indices`` their places, too.
        """
        out, indices = _adaptive(ndim, input, output_size)
        return (out, indices) if return_indices else out

    def places(input: Tensor, output_size: Any, return_indices: bool = False) -> Any:
        """The largest elements of ``output_size`` windows that share the last dimensions evenly, and their places."""
        return _adaptive(ndim, input, output_size)

    composite(name=f"nn.functional.{name}", method=False)(function)
    composite(name=f"nn.functional.{name}_with_indices", method=False)(places)


for _ndim in (1, 2, 3):
    _declare_adaptive_functions(_ndim)


@composite(method=False)
def adaptive_max_pool1d(input: Tensor, output_size: Any) -> Any:
    """The largest elements of windows that share the last dimension evenly, and their places."""
    return _adaptive(1, input, output_size)


# -- fractional (Graham, 2014, 3) ---------------------------------------------------------------------------------
def _fractional_starts(samples: Array, extent: int, count: int, taps: int) -> Array:
    """Where windows begin: at steps of one length or the next, as a number in [0, 1) for each plane decides."""
    dtype = samples.dtype.type
    alpha = dtype(extent - taps) / dtype(max(count - 1, 1))
    numbers = np.arange(count, dtype=samples.dtype)
    starts = ((numbers + samples[..., None]) * alpha).astype(np.int64) - (samples * alpha).astype(np.int64)[..., None]
    starts[..., count - 1 :] = extent - taps
    return starts


def _check_samples(input: Tensor, samples: Tensor, ndim: int) -> None:
    own, shape = input.array.shape, samples.array.shape
    if samples.dtype is not input.dtype:
        raise OpError("Expect _random_samples to have the same dtype as input")
    if len(shape) != 3:
        raise OpError(f"Expect _random_samples to have 3 dimensions, got {len(shape)}")
    batch = own[0] if len(own) == ndim + 2 else 1
    if shape[0] < batch:
        raise OpError("Expect _random_samples.size(0) no less then input batch size.")
    if shape[1] != own[-ndim - 1]:
        raise OpError("Expect _random_samples.size(1) equals to input channel size.")
    if shape[2] != ndim:
        raise OpError(f"Expect _random_samples.size(2) equals to {ndim}; got {shape[2]}.")


def _declare_fractional(ndim: int) -> Primitive:
    name = f"fractional_max_pool{ndim}d"

    def check(input: Tensor, kernel_size: Any, output_size: Any, random_samples: Tensor) -> None:
        for what, values in (("kernel_size", kernel_size), ("output_size", output_size)):
            if len(values) != ndim:
                raise OpError(f"{name}: {what} must either be a single Int or tuple of Ints")
        if input.array.ndim not in (ndim + 1, ndim + 2):
            raise OpError(f"{name}(): Expected {ndim + 1}D or {ndim + 2}D tensor, but got: {list(input.array.shape)}")
        own = input.array.shape[-ndim:]
        shown = name if ndim == 2 else f"{name}_out"
        for axis in range(input.array.ndim - ndim - 1, input.array.ndim):
            if not input.array.shape[axis]:
                raise OpError(
                    f"{shown}(): Expected input to have non-zero size for non-batch dimensions, but "
                    f"got{list(input.array.shape)} with dimension {axis} being empty."
                )
        for side, extent, taps, count in zip(checks.SIDES[ndim], own, kernel_size, output_size, strict=True):
            if count + taps - (ndim == 2) > extent:
                raise OpError(f"{shown}(): pool {side} {taps} too large relative to input {side} {extent}")
        _check_samples(input, random_samples, ndim)
        shape = [*input.array.shape[:-ndim], *output_size]
        for count in output_size:
            if count < 0:
                raise OpError(f"Trying to create tensor with negative dimension {count}: {shape}")

    def body(input: Array, kernel_size: Size, output_size: Size, random_samples: Array) -> tuple[Array, Array]:
        """The largest element of each window, and its place; windows begin where ``random_samples`` say."""
        samples = random_samples[: input.shape[0] if input.ndim == ndim + 2 else 1]
        samples = samples.reshape(*input.shape[:-ndim], ndim)
        order = range(ndim) if ndim == 3 else (1, 0)  # the width's comes first in two dimensions
        sizes = zip(input.shape[-ndim:], output_size, kernel_size, strict=True)
        starts = [_fractional_starts(samples[..., one], *size) for one, size in zip(order, sizes, strict=True)]
        return kernels.max_listed(input, starts, [None] * ndim, kernel_size)

    return _declared(
        name, body, ndim, f"{name}_out_frame", grad_fn=f"FractionalMaxPool{ndim}DBackward0", check=check,
        nondifferentiable=("random_samples",),
        grows=lambda input, output_size: _planes(input.shape, ndim) * prod(output_size),
        scratch=lambda input, kernel_size, output_size: (
            8 * _planes(input.shape, ndim) * prod(output_size) + input.size + prod(kernel_size)
        ),
        work=lambda input, kernel_size, output_size: (
            20 * _planes(input.shape, ndim) * prod(output_size) * prod(kernel_size)
        ),
    )  # fmt: skip


_FRACTIONAL = {ndim: _declare_fractional(ndim) for ndim in (2, 3)}


def _fractional(
    ndim: int, input: Tensor, kernel_size: Any, output_size: Any, output_ratio: Any, samples: Tensor | None
) -> tuple[Any, Any]:
    name, own = f"fractional_max_pool{ndim}d", input.array.shape
    if output_size is None and output_ratio is None:
        raise ArgumentValueError(f"{name} requires specifying either an output_size or an output_ratio")
    if output_size is None:
        if not isinstance(output_ratio, list | tuple):
            raise ArgumentTypeError(f"object of type '{type(output_ratio).__name__}' has no len()")
        checks.check_sizes(name, output_ratio, (int, float))
        if len(output_ratio) != ndim:
            raise OpError(f"{name}: output_ratio must be {ndim} numbers")
        output_size = [int(extent * ratio) for extent, ratio in zip(own[-ndim:], output_ratio, strict=True)]
    if samples is None:
        if len(own) < ndim + 1:
            raise DimensionError(
                f"Dimension out of range (expected to be in range of [{-len(own)}, {len(own) - 1}], but got "
                f"{-ndim - 1})"
            )
        batch = 1 if len(own) == ndim + 1 else own[0]
        samples = ops.rand((batch, own[-ndim - 1], ndim), dtype=input.dtype)
    for one in (kernel_size, output_size):
        checks.check_sizes(name, one)
    sizes = [(one,) * ndim if isinstance(one, int) else tuple(one) for one in (kernel_size, output_size)]
    return _FRACTIONAL[ndim](input, *sizes, samples)


def _declare_fractional_functions(ndim: int) -> None:
    name = f"fractional_max_pool{ndim}d"

    def function(
        input: Tensor, kernel_size: Any, output_size: Any = None, output_ratio: Any = None,
        return_indices: bool = False, _random_samples: Tensor | None = None,
    ) -> Any:  # fmt: skip
        """The largest elements of windows that begin at random steps of two lengths.

        As many as ``output_size`` says, or as ``output_ratio`` of the extents; with ``return_indices`` their places.
        """
        out, indices = _fractional(ndim, input, kernel_size, output_size, output_ratio, _random_samples)
        return (out, indices) if return_indices else out

    def places(
        input: Tensor, kernel_size: Any, output_size: Any = None, output_ratio: Any = None,
        return_indices: bool = False, _random_samples: Tensor | None = None,
    ) -> Any:  # fmt: skip
        """The largest elements of windows that begin at random steps of two lengths, and their places."""
        return _fractional(ndim, input, kernel_size, output_size, output_ratio, _random_samples)

    composite(name=f"nn.functional.{name}", method=False)(function)
    composite(name=f"nn.functional.{name}_with_indices", method=False)(places)


for _ndim in (2, 3):
    _declare_fractional_functions(_ndim)


# -- and back -----------------------------------------------------------------------------------------------------
def _check_unpool(input: Tensor, indices: Tensor, output_size: Any) -> None:
    ndim, own, shape = len(output_size), input.array.shape, indices.array.shape
    if indices.dtype.name != "int64":
        got = f" but got: {indices.dtype.scalar_type}" if ndim == 2 else ""
        raise OpError(f"elements in indices should be type int64{got}")
    if len(own) not in (ndim + 1, ndim + 2):
        raise OpError(
            f"Input to max_unpooling{ndim}d should be a {ndim + 1}d or {ndim + 2}d Tensor, but got a tensor with "
            f"{len(own)} dimensions."
        )
    if own != shape:
        raise OpError(
            f"Expected shape of indices to be same as that of the input tensor ({list(own)}) but got indices tensor "
            f"with shape: {list(shape)}"
        )
    if 0 in own[1:]:
        raise OpError(
            f"max_unpooling{ndim}d_forward_out_cpu(): Expected input to have non-zero size for non-batch dimensions, "
            f"but got {list(own)} with dimension {own.index(0, 1)} being empty."
        )
    if not input.dtype.is_floating_point:
        raise UnsupportedError(f"\"max_unpool{ndim}d\" not implemented for '{input.dtype.scalar_type}'")


def _declare_unpool(ndim: int) -> Primitive:
    def body(input: Array, indices: Index, output_size: Size) -> Array:
        """``input`` at ``indices`` of planes of ``output_size``, zeros elsewhere; the last of several counts."""
        size = prod(output_size)
        outside = indices[(indices < 0) | (indices >= size)]
        if outside.size:
            shown = "x".join(map(str, output_size))
            raise OpError(f"Found an invalid max index: {outside[-1]} (output volumes are of size {shown})")
        result = np.zeros((*input.shape[:-ndim], *output_size), input.dtype)
        result.reshape(-1)[_flat_places(indices, ndim, size)] = input.reshape(_planes(input.shape, ndim), -1)
        return result

    body.__name__ = f"max_unpool{ndim}d_to"
    op: Primitive = primitive(
        public=False, linear=True, grad_fn=f"MaxUnpool{ndim}DBackward0", check=_check_unpool,
        grows=lambda input, output_size: _planes(input.shape, ndim) * prod(output_size),
        scratch=lambda input, output_size: 4 * input.size + 2 * _planes(input.shape, ndim) * prod(output_size),
    )(body)  # fmt: skip
    op.vjp(input=lambda g, indices: gather_planes(g, indices, ndim))
    return op


_UNPOOLS = {ndim: _declare_unpool(ndim) for ndim in (2, 3)}


def _unpooled_size(own: Any, kernel: Any, stride: Any, padding: Any, output_size: Any) -> tuple[int, ...]:
    default = [
        (extent - 1) * step + taps - 2 * pad
        for extent, taps, step, pad in zip(own[-len(kernel) :], kernel, stride, padding, strict=False)
    ]  # too few extents are refused behind
    if output_size is None:
        return tuple(default)
    if len(output_size) == len(kernel) + 2:
        output_size = output_size[2:]
    if len(output_size) != len(kernel):
        raise ArgumentValueError(
            f"output_size should be a sequence containing {len(kernel)} or {len(kernel) + 2} elements, but it has a "
            f"length of '{len(output_size)}'"
        )
    for dim, (size, usual, step) in enumerate(zip(output_size, default, stride, strict=True)):
        if not usual - step < size < usual + step:
            shown = str(tuple(output_size)) if isinstance(output_size, tuple) else str(list(output_size))
            raise ArgumentValueError(
                f'invalid output_size "{shown}" (dim {dim} must be between {usual - step} and {usual + step})'
            )
    return tuple(output_size)


def _declare_unpool_function(ndim: int) -> None:
    def function(
        input: Tensor, indices: Tensor, kernel_size: Size, stride: Size | None = None, padding: Size = (0,),
        output_size: Any = None,
    ) -> Any:  # fmt: skip
        """The elements that ``max_pool`` gave, back where ``indices`` say they stood, among zeros."""
        kernel, steps, pads = (checks.each(one, ndim) for one in (kernel_size, stride or kernel_size, padding))
        size = _unpooled_size(input.array.shape, kernel, steps, pads, output_size)
        if ndim == 1:
            rows = _UNPOOLS[2](ops.unsqueeze(input, -1), ops.unsqueeze(indices, -1), (*size, 1))
            return ops.squeeze(rows, -1)
        if ndim == 3 and any(step <= 0 for step in steps):
            raise OpError(f"strides should be greater than zero, but got stride: {list(steps)}")
        return _UNPOOLS[ndim](input, indices, size)

    composite(name=f"nn.functional.max_unpool{ndim}d", method=False)(function)


for _ndim in (1, 2, 3):
    _declare_unpool_function(_ndim)
