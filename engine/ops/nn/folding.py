"""Windows laid out as columns and added up again; channels and pixels exchanged."""

from __future__ import annotations

from collections.abc import Sequence
from math import prod
from typing import Any

import numpy as np

from engine.errors import DimensionError, OpError, UnsupportedError
from engine.kernels import windows
from engine.op import Array, Size, composite, primitive
from engine.ops.nn.window_checks import each
from engine.tensor import Tensor

Sizes = Sequence[int]


# -- columns ------------------------------------------------------------------------------------------------------
def _check_numbers(**settings: Sizes) -> None:
    for name, values in settings.items():
        if len(values) not in (1, 2):
            raise OpError(f"It is expected {name} equals to 2, but got size {len(values)}")
    words = {"kernel_size": ("kernel size", "kernel"), "dilation": ("dilation", "dilation"),
             "padding": ("padding", "pad"), "stride": ("stride", "stride")}  # fmt: skip
    for name in ("kernel_size", "dilation", "padding", "stride"):
        values, (what, short) = each(settings[name], 2), words[name]
        is_padding = name == "padding"
        if any(value < (not is_padding) for value in values):
            bound = "non-negative" if is_padding else "greater than zero"
            raise OpError(f"{what} should be {bound}, but got {short}_height: {values[0]} {short}_width: {values[1]}")


def _pair(values: Sizes) -> str:
    return f"({values[0]}, {values[1]})"


def _blocks(extents: Sizes, kernel: Sizes, dilation: Sizes, padding: Sizes, stride: Sizes) -> tuple[int, ...]:
    return windows.count(extents, kernel, stride, padding, dilation)


def _check_columns(input: Tensor, kernel_size: Any, dilation: Any, padding: Any, stride: Any) -> None:
    shape = input.array.shape
    _check_numbers(kernel_size=kernel_size, dilation=dilation, padding=padding, stride=stride)
    if len(shape) not in (3, 4) or 0 in shape[len(shape) - 3 :]:
        raise OpError(
            "Expected 3D or 4D (batch mode) tensor with possibly 0 batch size and other non-zero dimensions for input, "
            f"but got: {list(shape)}"
        )
    counts = _blocks(shape[-2:], kernel_size, dilation, padding, stride)
    if any(count < 1 for count in counts):
        raise OpError(
            f"Given input with spatial size {_pair(shape[-2:])}, kernel_size={_pair(kernel_size)}, "
            f"dilation={_pair(dilation)}, padding={_pair(padding)}, calculated shape of the array of sliding blocks as "
            f"{_pair(counts)}, but its components must be at least one."
        )
    _refuse_integers(input, "im2col_out_cpu")


def _refuse_integers(input: Tensor, kernel: str) -> None:
    if not (input.dtype.is_floating_point or input.dtype.is_complex or input.dtype.name == "bool"):
        raise UnsupportedError(f"\"{kernel}\" not implemented for '{input.dtype.scalar_type}'")


def _columns_size(input: Array, kernel_size: Any, dilation: Any, padding: Any, stride: Any) -> int:
    counts = _blocks(input.shape[-2:], kernel_size, dilation, padding, stride)
    return prod(input.shape[:-2]) * prod(kernel_size) * prod(counts)


def _frame_size(shape: Sizes, counts: Sizes, kernel_size: Any, dilation: Any, stride: Any) -> int:
    return prod(shape) * prod(windows.reach(counts, kernel_size, stride, dilation))


@primitive(
    public=False, linear=True, grad_fn="Im2ColBackward0", check=_check_columns, grows=_columns_size,
    scratch=lambda input, kernel_size, dilation, padding, stride: (
        _frame_size(
            input.shape[:-2], _blocks(input.shape[-2:], kernel_size, dilation, padding, stride), kernel_size, dilation,
            stride,
        ) + 1.5 * _columns_size(input, kernel_size, dilation, padding, stride)
    ),
)  # fmt: skip
def im2col(input: Array, kernel_size: Size, dilation: Size, padding: Size, stride: Size) -> Array:
    """Windows of the last two dimensions as columns: ``(*, channels * taps, windows)``."""
    counts = _blocks(input.shape[-2:], kernel_size, dilation, padding, stride)
    frame = windows.framed(input, padding, windows.reach(counts, kernel_size, stride, dilation))
    view = windows.windows(frame, counts, kernel_size, stride, dilation)
    return view.reshape(*input.shape[:-3], input.shape[-3] * prod(kernel_size), prod(counts))


def _check_fold(input: Tensor, output_size: Any, kernel_size: Any, dilation: Any, padding: Any, stride: Any) -> None:
    shape = input.array.shape
    if len(output_size) not in (1, 2):
        raise OpError(f"It is expected output_size equals to 2, but got size {len(output_size)}")
    _check_numbers(kernel_size=kernel_size, dilation=dilation, padding=padding, stride=stride)
    if len(shape) not in (2, 3) or 0 in shape[len(shape) - 2 :]:
        raise OpError(
            "Expected 2D or 3D (batch mode) tensor for input with possibly 0 batch size and non-zero dimensions for "
            f"input, but got: {list(shape)}"
        )
    if shape[-2] % prod(kernel_size):
        raise OpError(
            "Expected size of input's dimension 1 to be divisible by the product of kernel_size, but got "
            f"input.size(1)={shape[-2]} and kernel_size={_pair(kernel_size)}."
        )
    counts = _blocks(output_size, kernel_size, dilation, padding, stride)
    if shape[-1] != prod(counts):
        raise OpError(
            f"Given output_size={_pair(output_size)}, kernel_size={_pair(kernel_size)}, dilation={_pair(dilation)}, "
            f"padding={_pair(padding)}, stride={_pair(stride)}, expected size of input's dimension 2 to match the "
            f"calculated number of sliding blocks {counts[0]} * {counts[1]} = {prod(counts)}, but got "
            f"input.size(2)={shape[-1]}."
        )
    if any(extent < 1 for extent in (*output_size, *counts)):
        raise OpError(
            f"Given output_size={_pair(output_size)}, kernel_size={_pair(kernel_size)}, dilation={_pair(dilation)}, "
            f"padding={_pair(padding)}, stride={_pair(stride)}, calculated shape of the array of sliding blocks as "
            f"{_pair(counts)}, which is too small (non-positive)"
        )
    _refuse_integers(input, "col2im_out_cpu")


def _planes(input: Array, kernel_size: Any) -> int:
    return prod(input.shape[:-1]) // max(prod(kernel_size), 1)


@primitive(
    public=False, linear=True, grad_fn="Col2ImBackward0", check=_check_fold,
    grows=lambda input, output_size, kernel_size: _planes(input, kernel_size) * prod(output_size),
    scratch=lambda input, output_size, kernel_size, dilation, padding, stride: (
        input.size + _planes(input, kernel_size) * (
            2 * prod(output_size) + prod(size + 2 * pad for size, pad in zip(output_size, padding, strict=True))
        )
    ),
)  # fmt: skip
def col2im(input: Array, output_size: Size, kernel_size: Size, dilation: Size, padding: Size, stride: Size) -> Array:
    """Columns added up where the windows are that ``im2col`` makes them of."""
    counts = _blocks(output_size, kernel_size, dilation, padding, stride)
    channels = input.shape[-2] // prod(kernel_size)
    parts = input.reshape(*input.shape[:-2], channels, *kernel_size, *counts)
    extents = [size + 2 * pad for size, pad in zip(output_size, padding, strict=True)]
    total: Any = np.zeros((*input.shape[:-2], channels, *extents), input.dtype)
    windows.add_windows(total, parts, kernel_size, stride, dilation)
    inner = tuple(slice(pad, pad + size) for pad, size in zip(padding, output_size, strict=True))
    return np.ascontiguousarray(total[(Ellipsis, *inner)])


im2col.vjp(
    input=lambda g, input_shape, kernel_size, dilation, padding, stride: col2im(
        g, input_shape[-2:], kernel_size, dilation, padding, stride
    )
)
col2im.vjp(input=lambda g, kernel_size, dilation, padding, stride: im2col(g, kernel_size, dilation, padding, stride))


def _each(*settings: Sizes) -> list[tuple[int, ...]]:
    return [each(one, 2) for one in settings]


@composite(name="nn.functional.unfold")
def _unfold(input: Tensor, kernel_size: Size, dilation: Size = (1,), padding: Size = (0,), stride: Size = (1,)) -> Any:
    """Windows of ``(*, channels, height, width)`` as columns: ``(*, channels * taps, windows)``."""
    if input.array.ndim == 2:
        raise DimensionError("Dimension out of range (expected to be in range of [-2, 1], but got 2)")
    return im2col(input, *_each(kernel_size, dilation, padding, stride))


@composite(name="nn.functional.fold")
def _fold(
    input: Tensor, output_size: Size, kernel_size: Size, dilation: Size = (1,), padding: Size = (0,),
    stride: Size = (1,),
) -> Any:  # fmt: skip
    """The sum of windows, given as columns, in ``(*, channels, *output_size)``: what is adjoint to ``unfold``."""
    return col2im(input, *_each(output_size, kernel_size, dilation, padding, stride))


# -- channels and pixels ------------------------------------------------------------------------------------------
def _check_pixels(input: Tensor, name: str, what: str, factor: int) -> tuple[int, ...]:
    shape = input.array.shape
    if len(shape) < 3:
        raise OpError(
            f"{name} expects input to have at least 3 dimensions, but got input with {len(shape)} dimension(s)"
        )
    if factor <= 0:
        raise OpError(f"{name} expects a positive {what}, but got {factor}")
    return shape


def _check_shuffle(input: Tensor, upscale_factor: int) -> None:
    channels = _check_pixels(input, "pixel_shuffle", "upscale_factor", upscale_factor)[-3]
    if channels % upscale_factor**2:
        raise OpError(
            "pixel_shuffle expects its input's 'channel' dimension to be divisible by the square of upscale_factor, "
            f"but input.size(-3)={channels} is not divisible by {upscale_factor**2}"
        )


@primitive(method=False, aliases=("nn.functional.pixel_shuffle",), linear=True, check=_check_shuffle)
def pixel_shuffle(input: Array, upscale_factor: int) -> Array:
    """``(*, channels * r * r, height, width)`` as ``(*, channels, height * r, width * r)``."""
    *lead, channels, height, width = input.shape
    r = upscale_factor
    parts = input.reshape(*lead, channels // r**2, r, r, height, width)
    ordered = np.moveaxis(np.moveaxis(parts, -4, -2), -4, -1)
    return ordered.reshape(*lead, channels // r**2, height * r, width * r)


def _check_unshuffle(input: Tensor, downscale_factor: int) -> None:
    shape = _check_pixels(input, "pixel_unshuffle", "downscale_factor", downscale_factor)
    for side, place in (("height", -2), ("width", -1)):
        if shape[place] % downscale_factor:
            raise OpError(
                f"pixel_unshuffle expects {side} to be divisible by downscale_factor, but "
                f"input.size({place})={shape[place]} is not divisible by {downscale_factor}"
            )


@primitive(method=False, aliases=("nn.functional.pixel_unshuffle",), linear=True, check=_check_unshuffle)
def pixel_unshuffle(input: Array, downscale_factor: int) -> Array:
    """``(*, channels, height * r, width * r)`` as ``(*, channels * r * r, height, width)``."""
    *lead, channels, height, width = input.shape
    r = downscale_factor
    parts = input.reshape(*lead, channels, height // r, r, width // r, r)
    ordered = np.moveaxis(np.moveaxis(parts, -3, -4), -1, -3)
    return ordered.reshape(*lead, channels * r**2, height // r, width // r)


pixel_shuffle.vjp(input=lambda g, upscale_factor: pixel_unshuffle(g, upscale_factor))
pixel_unshuffle.vjp(input=lambda g, downscale_factor: pixel_shuffle(g, downscale_factor))


def check_channels(input: Tensor, groups: int) -> None:
    shape = input.array.shape
    if len(shape) <= 2:
        raise OpError(f"channel_shuffle expects input with > 2 dims, but got input with sizes {list(shape)}")
    if groups <= 0:
        raise OpError(f"Number of groups to divide channels in must be positive. Value of groups:{groups}")
    if shape[1] % groups:
        raise OpError(f"Number of channels must be divisible by groups. Got {shape[1]} channels and {groups} groups.")


@primitive(method=False, aliases=("nn.functional.channel_shuffle",), linear=True, check=check_channels)
def channel_shuffle(input: Array, groups: int) -> Array:
    """Channels (dimension 1) dealt out: the first of each group, then the second of each."""
    batch, channels, *rest = input.shape
    return input.reshape(batch, groups, channels // groups, *rest).swapaxes(1, 2).reshape(input.shape)


channel_shuffle.vjp(input=lambda g, input_shape, groups: channel_shuffle(g, input_shape[1] // groups))
