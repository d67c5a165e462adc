"""Convolutions and their transposes, over one, two or three dimensions."""

from __future__ import annotations

from collections.abc import Sequence
from math import sqrt
from typing import Any, ClassVar

from engine.errors import ArgumentValueError
from engine.nn import init
from engine.nn.layer import F, Layer, extents, layer
from engine.tensor import Tensor

HOME = "conv"
PADDINGS = ("same", "valid")
MODES = ("zeros", "reflect", "replicate", "circular")


class Convolution(Layer):
    """What convolutions have in common: ``_dims`` dimensions, or as many for a transpose."""

    _dims: ClassVar[int]
    _transposed: ClassVar[bool] = False

    def _make(
        self, in_channels: int, out_channels: int, kernel_size: Any, stride: Any, padding: Any, dilation: Any,
        output_padding: Any, groups: int, bias: bool, padding_mode: str, device: Any, dtype: Any,
    ) -> None:  # fmt: skip
        super().__init__()
        self.in_channels, self.out_channels = in_channels, out_channels
        self.kernel_size, self.stride = extents(kernel_size, self._dims), extents(stride, self._dims)
        self.padding = padding if isinstance(padding, str) else extents(padding, self._dims)
        self.dilation, self.transposed = extents(dilation, self._dims), self._transposed
        self.output_padding, self.groups = extents(output_padding, self._dims), groups
        self.padding_mode = padding_mode
        self._check()
        channels = (in_channels, out_channels) if self._transposed else (out_channels, in_channels)
        shape = (channels[0], channels[1] // groups, *self.kernel_size)
        self._weights(dtype, device, weight=shape, bias=(out_channels,) if bias else None)
        self.reset_parameters()

    def _check(self) -> None:
        if self.groups <= 0:
            raise ArgumentValueError("groups must be a positive integer")
        for name in ("in_channels", "out_channels"):
            if getattr(self, name) % self.groups:
                raise ArgumentValueError(f"{name} must be divisible by groups")
        if isinstance(self.padding, str):
            if self.padding not in PADDINGS:
                listed = ", ".join(map(repr, PADDINGS))
                raise ArgumentValueError(f"Invalid padding string {self.padding!r}, should be one of {{{listed}}}")
            if self.padding == "same" and any(step != 1 for step in self.stride):
                raise ArgumentValueError("padding='same' is not supported for strided convolutions")
        if self.padding_mode not in MODES:
            listed = ", ".join(map(repr, MODES))
            raise ArgumentValueError(
                f"padding_mode must be one of {{{listed}}}, but got padding_mode='{self.padding_mode}'"
            )

    def reset_parameters(self) -> None:
        """Draw weight and bias, uniformly within the root of one over the number of inputs."""
        init.kaiming_uniform_(self.weight, a=sqrt(5))
        init.within_fan_in(self.bias, self.weight)

    def extra_repr(self) -> str:
        """Channels, kernel and stride, and what is not as usual."""
        text = f"{self.in_channels}, {self.out_channels}, kernel_size={self.kernel_size}, stride={self.stride}"
        for name, usual in (("padding", (0,)), ("dilation", (1,)), ("output_padding", (0,))):
            value = getattr(self, name)
            text += f", {name}={value}" if value != usual * len(value) else ""
        text += f", groups={self.groups}" if self.groups != 1 else ""
        text += ", bias=False" if self.bias is None else ""
        return text + (f", padding_mode={self.padding_mode}" if self.padding_mode != "zeros" else "")

    def _on_every_side(self) -> list[int]:
        """Padding for ``F.pad``: the last dimension first, before and after."""
        if isinstance(self.padding, str):
            totals = [step * (size - 1) for step, size in zip(self.dilation, self.kernel_size, strict=False)]
            totals = totals if self.padding == "same" else [0] * len(totals)
            sides = [(total // 2, total - total // 2) for total in totals]
        else:
            sides = [(extent, extent) for extent in self.padding]
        return [extent for side in reversed(sides) for extent in side]


class _Convolution(Convolution):
    def __init__(
        self, in_channels: int, out_channels: int, kernel_size: Any, stride: Any = 1, padding: Any = 0,
        dilation: Any = 1, groups: int = 1, bias: bool = True, padding_mode: str = "zeros", device: Any = None,
        dtype: Any = None,
    ) -> None:  # fmt: skip
        self._make(
            in_channels, out_channels, kernel_size, stride, padding, dilation, 0, groups, bias, padding_mode, device,
            dtype,
        )  # fmt: skip

    def forward(self, input: Tensor) -> Any:
        """The convolution of ``input`` with the weight, plus the bias."""
        padding = self.padding
        if self.padding_mode != "zeros":
            input = F.pad(input, self._on_every_side(), mode=self.padding_mode)
            padding = (0,) * self._dims
        call = getattr(F, f"conv{self._dims}d")
        return call(input, self.weight, self.bias, self.stride, padding, self.dilation, self.groups)


@layer(HOME)
class Conv1d(_Convolution):
    """Over ``(N, C, L)`` or ``(C, L)``."""

    _dims = 1


@layer(HOME)
class Conv2d(_Convolution):
    """Over ``(N, C, H, W)`` or ``(C, H, W)``."""

    _dims = 2


@layer(HOME)
class Conv3d(_Convolution):
    """Over ``(N, C, D, H, W)`` or ``(C, D, H, W)``."""

    _dims = 3


# -- transposes ---------------------------------------------------------------------------------------------------
class _Transpose(Convolution):
    _transposed = True

    def __init__(
        self, in_channels: int, out_channels: int, kernel_size: Any, stride: Any = 1, padding: Any = 0,
        output_padding: Any = 0, groups: int = 1, bias: bool = True, dilation: Any = 1, padding_mode: str = "zeros",
        device: Any = None, dtype: Any = None,
    ) -> None:  # fmt: skip
        if padding_mode != "zeros":
            raise ArgumentValueError(f'Only "zeros" padding mode is supported for {self._get_name()}')
        self._make(
            in_channels, out_channels, kernel_size, stride, padding, dilation, output_padding, groups, bias,
            padding_mode, device, dtype,
        )  # fmt: skip

    def forward(self, input: Tensor, output_size: Sequence[int] | None = None) -> Any:
        """The gradient of the convolution by its input, plus the bias; of several possible sizes ``output_size``."""
        beyond = self.output_padding if output_size is None else self._beyond(input, list(output_size))
        call = getattr(F, f"conv_transpose{self._dims}d")
        return call(input, self.weight, self.bias, self.stride, self.padding, beyond, self.groups, self.dilation)

    def _beyond(self, input: Tensor, wanted: list[int]) -> list[int]:
        """By how much the wanted size is over the least."""
        dims = self._dims
        others = 2 if input.ndim == dims + 2 else 1
        if len(wanted) == others + dims:
            wanted = wanted[others:]
        if len(wanted) != dims:
            raise ArgumentValueError(
                f"ConvTranspose{dims}D: for {input.ndim}D input, output_size must have {dims} or {others + dims} "
                f"elements (got {len(wanted)})"
            )
        least = [
            (input.shape[others + d] - 1) * self.stride[d] - 2 * self.padding[d]
            + self.dilation[d] * (self.kernel_size[d] - 1) + 1
            for d in range(dims)
        ]  # fmt: skip
        most = [low + step - 1 for low, step in zip(least, self.stride, strict=True)]
        if not all(low <= size <= high for low, size, high in zip(least, wanted, most, strict=True)):
            raise ArgumentValueError(
                f"requested an output size of {wanted}, but valid sizes range from {least} to {most} (for an input of "
                f"{input.shape[2:]})"
            )
        return [size - low for size, low in zip(wanted, least, strict=True)]


@layer(HOME)
class ConvTranspose1d(_Transpose):
    """Over ``(N, C, L)`` or ``(C, L)``."""

    _dims = 1


@layer(HOME)
class ConvTranspose2d(_Transpose):
    """Over ``(N, C, H, W)`` or ``(C, H, W)``."""

    _dims = 2


@layer(HOME)
class ConvTranspose3d(_Transpose):
    """Over ``(N, C, D, H, W)`` or ``(C, D, H, W)``."""

    _dims = 3
