"""Convolutions in one to three dimensions, and transposed ones."""

from __future__ import annotations

from collections.abc import Sequence
from math import prod
from operator import index
from typing import Any, TypeAlias

import numpy as np

from engine import modes, ops
from engine.dtypes import DType
from engine.errors import ArgumentTypeError, OpError, UnsupportedError
from engine.kernels import convolution as kernels
from engine.kernels import gathered, windows
from engine.kernels.convolution import Geometry
from engine.op import Array, Size, composite, primitive
from engine.ops.math.complex_histories import refuse_complex_history
from engine.tensor import Tensor

Padding: TypeAlias = Any  # what Size takes, or a string
EVEN_KERNEL = (
    "Using padding='same' with even kernel lengths and odd dilation may require a zero-padded copy of the input be "
    "created"
)


# -- the map and its adjoints -------------------------------------------------------------------------------------
def _columns(channels: int, counts: Any, kernel: Any, batch: int) -> int:
    return kernels.column_size(channels, counts, kernel, batch)


def _framed(batch: int, channels: int, counts: Any, kernel: Any, stride: Any, dilation: Any) -> int:
    return batch * channels * prod(windows.reach(counts, kernel, stride, dilation))


@primitive(
    public=False, grad_fn="ConvolutionBackwardBackward0",
    grows=lambda input, weight, counts: input.shape[0] * weight.shape[0] * prod(counts),
    scratch=lambda input, weight, counts, stride, dilation: _taken(
        input.shape[0], input.shape[1], weight, counts, stride, dilation
    ),
    work=lambda input, weight, counts: 2 * input.shape[0] * weight.size * prod(counts),
)  # fmt: skip
def conv_output(
    input: Array, weight: Array, counts: Size, stride: Size, padding: Size, dilation: Size, groups: int
) -> Array:
    """The convolution, as many windows as ``counts`` says."""
    return kernels.output(input, weight, counts, Geometry(stride, padding, dilation, groups))


@primitive(
    public=False, grad_fn="ConvolutionBackwardBackward0",
    grows=lambda grad, weight, extents, groups: grad.shape[0] * groups * weight.shape[1] * prod(extents),
    scratch=lambda grad, weight, extents, stride, dilation, groups: _taken(
        grad.shape[0], groups * weight.shape[1], weight, grad.shape[2:], stride, dilation
    ) + grad.shape[0] * groups * weight.shape[1] * prod(extents),
    work=lambda grad, weight: 2 * grad.shape[0] * weight.size * prod(grad.shape[2:]),
)  # fmt: skip
def conv_input(
    grad: Array, weight: Array, extents: Size, stride: Size, padding: Size, dilation: Size, groups: int
) -> Array:
    """The adjoint of ``conv_output`` in its input, of ``extents``."""
    return kernels.input_of(grad, weight, extents, Geometry(stride, padding, dilation, groups))


@primitive(
    public=False, grad_fn="ConvolutionBackwardBackward0",
    grows=lambda grad, input, kernel, groups: _weight_size(grad, input, kernel, groups),
    scratch=lambda grad, input, kernel, stride, dilation, groups: (
        3 * _weight_size(grad, input, kernel, groups) + 2 * grad.size
        + _framed(input.shape[0], input.shape[1], grad.shape[2:], kernel, stride, dilation)
        + 2 * _columns(input.shape[1], grad.shape[2:], kernel, input.shape[0])
        + _gathered(input.shape[0], input.shape[1], grad.shape[2:], kernel, stride, dilation)
    ),
    work=lambda grad, input, kernel, groups: 2 * grad.size * input.shape[1] // groups * prod(kernel),
)  # fmt: skip
def conv_weight(
    grad: Array, input: Array, kernel: Size, stride: Size, padding: Size, dilation: Size, groups: int
) -> Array:
    """The adjoint of ``conv_output`` in its weight, of extents ``kernel``."""
    return kernels.weight_of(grad, input, kernel, Geometry(stride, padding, dilation, groups))


def _weight_size(grad: Array, input: Array, kernel: Any, groups: int) -> int:
    return grad.shape[1] * (input.shape[1] // max(groups, 1)) * prod(kernel)


def _taken(batch: int, channels: int, weight: Array, counts: Any, stride: Any, dilation: Any) -> float:
    """What a frame takes, and what the columns and products of the samples at hand do."""
    kernel = weight.shape[2:]
    columns = _columns(channels, counts, kernel, batch)
    products = columns * weight.shape[0] // max(channels * prod(kernel), 1)
    result = batch * weight.shape[0] * prod(counts)
    frame = _framed(batch, channels, counts, kernel, stride, dilation)
    few = _gathered(batch, max(channels, weight.shape[0]), counts, kernel, stride, dilation)
    return frame + few + 2 * (columns + products + result + weight.size)


def _gathered(batch: int, channels: int, counts: Any, kernel: Any, stride: Any, dilation: Any) -> int:
    extent = max(prod(counts), prod(windows.reach(counts, kernel, stride, dilation)))
    return gathered.most_taken(batch, channels, prod(kernel), extent)


conv_output.vjp(
    input=lambda g, weight, input_shape, stride, padding, dilation, groups: conv_input(
        g, weight, input_shape[2:], stride, padding, dilation, groups
    ),
    weight=lambda g, input, weight_shape, stride, padding, dilation, groups: conv_weight(
        g, input, weight_shape[2:], stride, padding, dilation, groups
    ),
)
conv_input.vjp(
    grad=lambda g, weight, grad_shape, stride, padding, dilation, groups: conv_output(
        g, weight, grad_shape[2:], stride, padding, dilation, groups
    ),
    weight=lambda g, grad, weight_shape, stride, padding, dilation, groups: conv_weight(
        grad, g, weight_shape[2:], stride, padding, dilation, groups
    ),
)
conv_weight.vjp(
    grad=lambda g, input, grad_shape, stride, padding, dilation, groups: conv_output(
        input, g, grad_shape[2:], stride, padding, dilation, groups
    ),
    input=lambda g, grad, input_shape, stride, padding, dilation, groups: conv_input(
        grad, g, input_shape[2:], stride, padding, dilation, groups
    ),
)


# -- the op -------------------------------------------------------------------------------------------------------
def _counts(
    extents: Any, kernel: Any, stride: Any, padding: Any, dilation: Any, transposed: bool, output_padding: Any
) -> tuple[int, ...]:
    """The extents of the result."""
    if not transposed:
        return windows.count(extents, kernel, stride, padding, dilation)
    full = windows.reach(extents, kernel, stride, dilation)
    return tuple(all_ - 2 * pad + more for all_, pad, more in zip(full, padding, output_padding, strict=True))


def _shape(
    input: Array, weight: Array, stride: Any, padding: Any, dilation: Any, transposed: bool, output_padding: Any,
    groups: int,
) -> tuple[int, ...]:  # fmt: skip
    counts = _counts(input.shape[2:], weight.shape[2:], stride, padding, dilation, transposed, output_padding)
    return (input.shape[0], groups * weight.shape[1] if transposed else weight.shape[0], *counts)


def _by_cross(extents: Sequence[int]) -> str:
    return f"({' x '.join(map(str, extents))})"


def _check_numbers(stride: Any, padding: Any, dilation: Any, output_padding: Any, groups: int) -> None:
    if any(pad < 0 for pad in padding):
        raise OpError("negative padding is not supported")
    if any(pad < 0 for pad in output_padding):
        raise OpError("negative output_padding is not supported")
    if any(step <= 0 for step in stride):
        raise OpError("non-positive stride is not supported")
    if any(apart < 0 for apart in dilation):
        raise OpError("dilation should be greater than zero")
    if any(apart <= 0 for apart in dilation):
        raise OpError(f"dilation should be greater than zero, but got {list(dilation)}")
    if groups <= 0:
        raise OpError("non-positive groups is not supported")


def _check_weight(weight: Sequence[int], groups: int) -> None:
    if weight[0] < groups:
        raise OpError(
            f"Given groups={groups}, expected weight to be at least {groups} at dimension 0, but got weight of size "
            f"{list(weight)} instead"
        )
    if weight[0] % groups:
        raise OpError(
            f"Given groups={groups}, expected weight to be divisible by {groups} at dimension 0, but got weight of "
            f"size [{list(weight)}] instead"
        )


def _check_channels(
    input: Sequence[int], weight: Sequence[int], bias: Sequence[int] | None, transposed: bool, groups: int
) -> None:
    given = f"transposed={int(transposed)}" if transposed else f"groups={groups}"
    channels = weight[0] if transposed else weight[1] * groups
    outputs = weight[1] * groups if transposed else weight[0]
    if input[1] != channels:
        raise OpError(
            f"Given {given}, weight of size {list(weight)}, expected input{list(input)} to have {channels} channels, "
            f"but got {input[1]} channels instead"
        )
    if bias is not None and tuple(bias) != (outputs,):
        words = f"{given}, weight of size" if transposed else "weight of size"
        raise OpError(
            f"Given {words} {list(weight)}, expected bias to be 1-dimensional with {outputs} elements, but got bias "
            f"of size {list(bias)} instead"
        )


def _check_kernel(input: Sequence[int], weight: Sequence[int], padding: Any, dilation: Any) -> None:
    padded = [extent + 2 * pad for extent, pad in zip(input[2:], padding, strict=True)]
    spans = [windows.span(taps, apart) for taps, apart in zip(weight[2:], dilation, strict=True)]
    if any(extent < taps for extent, taps in zip(padded, spans, strict=True)):
        raise OpError(
            f"Calculated padded input size per channel: {_by_cross(padded)}. Kernel size: {_by_cross(spans)}. Kernel "
            "size can't be greater than actual input size"
        )


_AXES = {1: ("width",), 2: ("height", "width"), 3: ("depth", "height", "width")}


def _named(what: str, values: Any) -> str:
    return " ".join(f"{what}_{axis}: {value}" for axis, value in zip(_AXES[len(values)], values, strict=True))


def _check_transposed(
    input: Sequence[int], weight: Sequence[int], stride: Any, padding: Any, dilation: Any, output_padding: Any
) -> None:
    if any(m >= s and m >= d for m, s, d in zip(output_padding, stride, dilation, strict=True)):
        raise OpError(
            "output padding must be smaller than either stride or dilation, but got "
            f"{_named('output_padding', output_padding)} {_named('stride', stride)} {_named('dilation', dilation)}"
        )
    counts = _counts(input[2:], weight[2:], stride, padding, dilation, True, output_padding)
    if any(count < 1 for count in counts):
        raise OpError(
            f"Given input size per channel: {_by_cross(input[2:])}. Calculated output size per channel: "
            f"{_by_cross(counts)}. Output size is too small"
        )


def _check_exact(dtype: DType, ndim: int, dilation: Any, transposed: bool) -> None:
    """Integers but for int64 have kernels for the plainest convolutions alone; bools and complex numbers have none."""
    if dtype.is_floating_point or dtype.name == "int64":
        return
    kernel = "compute_columns3d" if ndim == 3 else "slow_conv2d_cpu"
    if transposed:
        kernel = f"slow_conv_transpose{max(ndim, 2)}d_out_cpu"
    elif any(step != 1 for step in dilation):
        kernel = "slow_conv_dilated<>"
    elif not (dtype.is_complex or dtype.name == "bool"):
        return
    raise UnsupportedError(f"\"{kernel}\" not implemented for '{dtype.scalar_type}'")


def _check_operands(input: DType, weight: DType, bias: DType | None) -> None:
    """Refuse dtypes that are refused before shapes."""
    if bias is not None and bias is not input:
        raise OpError(f"Input type ({input.c_name}) and bias type ({bias.c_name}) should be the same")
    if input is not weight and input.is_complex:
        raise OpError(
            f"Input type (CPU{input.scalar_type}Type) and weight type (torch.{weight.scalar_type}Tensor) should be the "
            "same"
        )


def _check_dtypes(input: DType, weight: DType, bias: DType | None) -> None:
    if input is not weight and not input.is_complex:
        raise OpError(f"expected scalar type {input.scalar_type} but found {weight.scalar_type}")
    _check_operands(input, weight, bias)


def _check(
    input: Tensor, weight: Tensor, bias: Tensor | None, stride: Any, padding: Any, dilation: Any, transposed: bool,
    output_padding: Any, groups: int,
) -> None:  # fmt: skip
    own, shape, ndim = input.array.shape, weight.array.shape, weight.array.ndim - 2
    _check_numbers(stride, padding, dilation, output_padding, groups)
    if len(own) != len(shape):
        raise OpError(
            f"Expected {len(shape)}-dimensional input for {len(shape)}-dimensional weight {list(shape)}, but got "
            f"{len(own)}-dimensional input of size {list(own)} instead"
        )
    _check_weight(shape, groups)
    _check_channels(own, shape, None if bias is None else bias.array.shape, transposed, groups)
    if not transposed:
        _check_kernel(own, shape, padding, dilation)
    if ndim in _AXES and 0 in shape[2:]:
        raise OpError(f"kernel size should be greater than zero, but got {_named('kernel', shape[2:])}")
    if transposed:
        _check_transposed(own, shape, stride, padding, dilation, output_padding)
    if own[0] and own[1] and 0 in own[2:]:
        shown = [*own[:2], *[1] * (ndim == 1), *own[2:]]
        raise OpError(f"Only zero batch or zero channel inputs are supported, but got input shape: {shown}")
    _check_dtypes(input.dtype, weight.dtype, None if bias is None else bias.dtype)
    _check_exact(input.dtype, ndim, dilation, transposed)


@primitive(
    public=False, check=_check, grad_fn="ConvolutionBackward0", shown_as="convolution",
    grows=lambda input, weight, stride, padding, dilation, transposed, output_padding, groups: prod(
        _shape(input, weight, stride, padding, dilation, transposed, output_padding, groups)
    ),
    scratch=lambda input, weight, stride, padding, dilation, transposed, output_padding, groups: _asked(
        input, weight, stride, padding, dilation, transposed, output_padding, groups
    ),
    work=lambda input, weight, stride, padding, dilation, transposed, output_padding, groups: _work(
        input, weight, stride, padding, dilation, transposed, output_padding, groups
    ),
)  # fmt: skip
def convolve(
    input: Array, weight: Array, bias: Array | None, stride: Size, padding: Size, dilation: Size, transposed: bool,
    output_padding: Size, groups: int,
) -> Array:  # fmt: skip
    """What ``convolution`` is, with a number for each dimension."""
    geometry = Geometry(stride, padding, dilation, groups)
    counts = _shape(input, weight, stride, padding, dilation, transposed, output_padding, groups)[2:]
    compute = kernels.input_of if transposed else kernels.output
    result = compute(input, weight, counts, geometry)
    if bias is not None:
        result += bias.reshape(-1, *(1,) * len(counts))
    return result


def _asked(
    input: Array, weight: Array, stride: Any, padding: Any, dilation: Any, transposed: bool, output_padding: Any,
    groups: int,
) -> float:  # fmt: skip
    result = _shape(input, weight, stride, padding, dilation, transposed, output_padding, groups)
    if transposed:
        taken = _taken(input.shape[0], result[1], weight, input.shape[2:], stride, dilation)
        return taken + 2 * prod(result)
    return _taken(input.shape[0], input.shape[1], weight, result[2:], stride, dilation)


def _work(
    input: Array, weight: Array, stride: Any, padding: Any, dilation: Any, transposed: bool, output_padding: Any,
    groups: int,
) -> float:  # fmt: skip
    if transposed:
        return 2.0 * input.shape[0] * weight.size * prod(input.shape[2:])
    result = _shape(input, weight, stride, padding, dilation, transposed, output_padding, groups)
    return 2.0 * input.shape[0] * weight.size * prod(result[2:])


def _conv_grad(
    g: Any, input: Any, weight: Any, stride: Any, padding: Any, dilation: Any, transposed: bool,
    groups: int, needs: Any,
) -> tuple[Any, Any, Any]:  # fmt: skip
    geometry = (stride, padding, dilation, groups)
    by_input = by_weight = by_bias = None
    if needs[0]:
        back = conv_output if transposed else conv_input
        by_input = back(g, weight, input.shape[2:], *geometry)
    if needs[1]:
        pair = (input, g) if transposed else (g, input)
        by_weight = conv_weight(*pair, weight.shape[2:], *geometry)
    if needs[2]:
        by_bias = ops.sum(g, (0, *range(2, g.array.ndim)))
    return by_input, by_weight, by_bias


convolve.vjp_joint(_conv_grad)


# -- as they are called -------------------------------------------------------------------------------------------
def _full(name: str, values: Any, ndim: int) -> tuple[int, ...]:
    """One number for all dimensions as one for each."""
    if len(values) not in (1, ndim):
        raise OpError(
            f"expected {name} to be a single integer value or a list of {ndim} values to match the convolution "
            f"dimensions, but got {name}={list(values)}"
        )
    return _each(tuple(values), ndim)


@composite(method=False)
def convolution(
    input: Tensor, weight: Tensor, bias: Tensor | None, stride: Size, padding: Size, dilation: Size, transposed: bool,
    output_padding: Size, groups: int,
) -> Tensor:  # fmt: skip
    """The convolution of ``(batch, channels, *extents)`` with ``(outputs, channels / groups, *kernel)``, or if
    ``transposed`` its adjoint, whose weight is ``(channels, outputs / groups, *kernel)``."""
    ndim = weight.array.ndim - 2
    if ndim <= 0:
        raise OpError("weight should have at least three dimensions")
    given = {"stride": stride, "padding": padding, "dilation": dilation, "output_padding": output_padding}
    stride, padding, dilation, more = [_full(name, values, ndim) for name, values in given.items()]
    return convolve(input, weight, bias, stride, padding, dilation, transposed, more, groups)


def _batched(input: Tensor, ndim: int, name: str) -> tuple[Tensor, bool]:
    """``input`` as a batch, and whether it was one."""
    if input.array.ndim not in (ndim + 1, ndim + 2):
        raise OpError(
            f"Expected {ndim + 1}D (unbatched) or {ndim + 2}D (batched) input to {name}, but got input of size: "
            f"{list(input.array.shape)}"
        )
    is_batch = input.array.ndim == ndim + 2
    return (input if is_batch else ops.unsqueeze(input, 0)), is_batch


def _convolved(input: Tensor, weight: Tensor, bias: Tensor | None, *settings: Any) -> Any:
    """Of complex operands, three real convolutions (Gauss): of real parts, imaginary parts, and their sums."""
    if not (input.dtype.is_complex and weight.dtype is input.dtype):
        return convolution(input, weight, bias, *settings)
    real, imag = ops.real(input), ops.imag(input)
    weight_real, weight_imag = ops.real(weight), ops.imag(weight)
    biases = (None, None) if bias is None else (ops.real(bias), ops.real(bias) + ops.imag(bias))
    first = convolution(real, weight_real, biases[0], *settings)
    second = convolution(imag, weight_imag, None, *settings)
    third = convolution(real + imag, weight_real + weight_imag, biases[1], *settings)
    return first - second + ops.mul_number(third - first - second, ops.filled((), 1j, input.dtype))


def _named_padding(input: Any, weight: Tensor, stride: Any, padding: str, dilation: Any) -> tuple[Any, tuple[int, ...]]:
    """``valid`` is none; ``same`` keeps the extents, and pads at the end first where that takes an odd number."""
    ndim = weight.array.ndim - 2
    if padding == "valid":
        return input, (0,) * ndim
    if padding != "same":
        raise OpError(f"Invalid padding string: '{padding}'")
    if any(step != 1 for step in stride):
        raise OpError("padding='same' is not supported for strided convolutions")
    totals = [
        apart * (taps - 1)
        for taps, apart in zip(weight.array.shape[2:], _full("dilation", dilation, ndim), strict=True)
    ]
    if any(total % 2 for total in totals):
        modes.warn(EVEN_KERNEL)
        around = [side for total in reversed(totals) for side in (0, total % 2)]
        input = ops.constant_pad_nd(input, around, 0)
    return input, tuple(total // 2 for total in totals)


def _each(values: tuple[int, ...], ndim: int) -> tuple[int, ...]:
    return values * ndim if len(values) == 1 else values


def _sizes(padding: Any) -> tuple[int, ...]:
    values = padding if isinstance(padding, list | tuple) else (padding,)
    if any(isinstance(value, bool) for value in values):
        raise ArgumentTypeError  # which overload fits is said where they are listed
    return tuple(index(value) for value in values)


def _conv(
    name: str, ndim: int, input: Tensor, weight: Tensor, bias: Tensor | None, stride: Any, padding: Any,
    dilation: Any, groups: int,
) -> Any:  # fmt: skip
    if not isinstance(padding, str):
        _check_operands(input.dtype, weight.dtype, None if bias is None else bias.dtype)
    batch, is_batch = _batched(input, ndim, name)
    if isinstance(padding, str):
        batch, padding = _named_padding(batch, weight, stride, padding, dilation)
    settings = (_each(one, ndim) for one in (stride, _sizes(padding), dilation))
    result = _convolved(batch, weight, bias, *settings, False, (0,), groups)
    return result if is_batch else ops.squeeze(result, 0)


def _conv_transpose(
    name: str, ndim: int, input: Tensor, weight: Tensor, bias: Tensor | None, stride: Any, padding: Any,
    output_padding: Any, groups: int, dilation: Any,
) -> Any:  # fmt: skip
    batch, is_batch = _batched(input, ndim, name)
    settings = (_each(one, ndim) for one in (stride, padding, dilation))
    result = _convolved(batch, weight, bias, *settings, True, _each(output_padding, ndim), groups)
    return result if is_batch else ops.squeeze(result, 0)


@composite(aliases=("nn.functional.conv1d",), method=False)
def conv1d(
    input: Tensor, weight: Tensor, bias: Tensor | None = None, stride: Size = (1,), padding: Padding = 0,
    dilation: Size = (1,), groups: int = 1,
) -> Tensor:  # fmt: skip
    """Products of ``weight`` with every window of ``input`` (``(batch, channels, width)``), summed.

    ``padding``: how many zeros on both sides, or ``"valid"`` (none) or ``"same"`` (as many as keep the extents).
    """
    return _conv("conv1d", 1, input, weight, bias, stride, padding, dilation, groups)


@composite(aliases=("nn.functional.conv2d",), method=False)
def conv2d(
    input: Tensor, weight: Tensor, bias: Tensor | None = None, stride: Size = (1,), padding: Padding = 0,
    dilation: Size = (1,), groups: int = 1,
) -> Tensor:  # fmt: skip
    """``conv1d`` in two dimensions."""
    return _conv("conv2d", 2, input, weight, bias, stride, padding, dilation, groups)


@composite(aliases=("nn.functional.conv3d",), method=False)
def conv3d(
    input: Tensor, weight: Tensor, bias: Tensor | None = None, stride: Size = (1,), padding: Padding = 0,
    dilation: Size = (1,), groups: int = 1,
) -> Tensor:  # fmt: skip
    """``conv1d`` in three dimensions."""
    return _conv("conv3d", 3, input, weight, bias, stride, padding, dilation, groups)


@composite(aliases=("nn.functional.conv_transpose1d",), method=False)
def conv_transpose1d(
    input: Tensor, weight: Tensor, bias: Tensor | None = None, stride: Size = (1,), padding: Size = (0,),
    output_padding: Size = (0,), groups: int = 1, dilation: Size = (1,),
) -> Tensor:  # fmt: skip
    """The adjoint of ``conv1d`` in its input; ``output_padding`` says how much larger the result is at its end."""
    return _conv_transpose(
        "conv_transpose1d", 1, input, weight, bias, stride, padding, output_padding, groups, dilation
    )


@composite(aliases=("nn.functional.conv_transpose2d",), method=False)
def conv_transpose2d(
    input: Tensor, weight: Tensor, bias: Tensor | None = None, stride: Size = (1,), padding: Size = (0,),
    output_padding: Size = (0,), groups: int = 1, dilation: Size = (1,),
) -> Tensor:  # fmt: skip
    """``conv_transpose1d`` in two dimensions."""
    return _conv_transpose(
        "conv_transpose2d", 2, input, weight, bias, stride, padding, output_padding, groups, dilation
    )


@composite(aliases=("nn.functional.conv_transpose3d",), method=False)
def conv_transpose3d(
    input: Tensor, weight: Tensor, bias: Tensor | None = None, stride: Size = (1,), padding: Size = (0,),
    output_padding: Size = (0,), groups: int = 1, dilation: Size = (1,),
) -> Tensor:  # fmt: skip
    """``conv_transpose1d`` in three dimensions."""
    return _conv_transpose(
        "conv_transpose3d", 3, input, weight, bias, stride, padding, output_padding, groups, dilation
    )


# -- time first ---------------------------------------------------------------------------------------------------
def _check_tbc(input: Tensor, weight: Tensor, bias: Tensor) -> None:
    own, shape = input.array.shape, weight.array.shape
    if len(own) != 3:
        raise OpError("Input must have 3 dims: time, batch, in_channel")
    if len(shape) != 3:
        raise OpError("Weight tensor must have 3 dims: kernel_width, in_channels, out_channels.")
    if bias.array.ndim != 1:
        raise OpError("Bias must be 1-D")
    if own[2] != shape[1]:
        raise OpError("Input dim 2 (input channels) is not == dim 1 in the weight tensor")
    if shape[2] != bias.array.shape[0]:
        raise OpError("Bias size must equal dim 2 in the weight tensor (output channels).")
    refuse_complex_history("conv_tbc", input, weight, bias)


def _tbc_counts(input: Array, weight: Array, pad: int) -> tuple[int, ...]:
    return (max(windows.count(input.shape[:1], weight.shape[:1], (1,), (pad,), (1,))[0], 0),)


@primitive(
    method=False, aliases=("nn.functional.conv_tbc",), check=_check_tbc,
    grows=lambda input, weight, pad: input.shape[1] * weight.shape[2] * _tbc_counts(input, weight, pad)[0],
    scratch=lambda input, weight, pad: input.size + weight.size + _taken(
        input.shape[1], input.shape[2], weight.transpose(2, 1, 0), _tbc_counts(input, weight, pad), (1,), (1,)
    ),
    work=lambda input, weight, pad: 2 * input.shape[1] * weight.size * _tbc_counts(input, weight, pad)[0],
)  # fmt: skip
def conv_tbc(input: Array, weight: Array, bias: Array, pad: int = 0) -> Array:
    """``conv1d`` of ``(time, batch, channels)`` with ``(taps, channels, outputs)``."""
    counts = _tbc_counts(input, weight, pad)
    turned = kernels.output(
        np.ascontiguousarray(input.transpose(1, 2, 0)), np.ascontiguousarray(weight.transpose(2, 1, 0)), counts,
        Geometry((1,), (pad,), (1,), 1),
    )  # fmt: skip
    return turned.transpose(2, 0, 1) + bias


def _tbc_grad(g: Any, input: Any, weight: Any, pad: int, needs: Any) -> tuple[Any, Any, Any]:
    own, taps, by_input, by_weight = g.permute(1, 2, 0), weight.permute(2, 1, 0), None, None
    geometry = ((1,), (pad,), (1,), 1)
    if needs[0]:
        by_input = conv_input(own, taps, input.shape[:1], *geometry).permute(2, 0, 1)
    if needs[1]:
        by_weight = conv_weight(own, input.permute(1, 2, 0), weight.shape[:1], *geometry).permute(2, 1, 0)
    return by_input, by_weight, ops.sum(g, (0, 1)) if needs[2] else None


conv_tbc.vjp_joint(_tbc_grad)
