"""Layers over windows: pooling, unpooling, unfolding and folding; and what is put around an input (padding)."""

from __future__ import annotations

from dataclasses import InitVar
from typing import Any

from engine.errors import ArgumentValueError
from engine.nn.layer import F, Layer, extents, layer
from engine.tensor import Tensor

POOLING, PADDING, FOLD = "pooling", "padding", "fold"


class _Windows(Layer):
    """A layer whose windows follow each other without a gap unless told otherwise."""

    kernel_size: Any
    stride: Any

    def __post_init__(self, *rest: Any) -> None:
        super().__post_init__()
        if self.stride is None:
            self.stride = self.kernel_size


# -- the largest of each window -----------------------------------------------------------------------------------
@layer(None, "kernel_size stride padding dilation ceil_mode")
class _MaxPool(_Windows):
    kernel_size: Any
    stride: Any = None
    padding: Any = 0
    dilation: Any = 1
    return_indices: bool = False
    ceil_mode: bool = False


@layer(POOLING, calls=F.max_pool1d)
class MaxPool1d(_MaxPool):
    """The largest element of each window of ``(N, C, L)`` or ``(C, L)``."""


@layer(POOLING, calls=F.max_pool2d)
class MaxPool2d(_MaxPool):
    """The largest element of each window of ``(N, C, H, W)`` or ``(C, H, W)``."""


@layer(POOLING, calls=F.max_pool3d)
class MaxPool3d(_MaxPool):
    """The largest element of each window of ``(N, C, D, H, W)`` or ``(C, D, H, W)``."""


@layer(None, "kernel_size stride padding")
class _MaxUnpool(Layer):
    _dims = 0
    kernel_size: Any
    stride: Any = None
    padding: Any = 0

    def __post_init__(self, *rest: Any) -> None:
        super().__post_init__()
        self.kernel_size = extents(self.kernel_size, self._dims)
        self.stride = extents(self.stride, self._dims) if self.stride is not None else self.kernel_size
        self.padding = extents(self.padding, self._dims)


_PLACES = "input indices output_size=None"


@layer(POOLING, calls=F.max_unpool1d, takes=_PLACES)
class MaxUnpool1d(_MaxUnpool):
    """Puts the results of ``MaxPool1d`` back to where they came from."""

    _dims = 1


@layer(POOLING, calls=F.max_unpool2d, takes=_PLACES)
class MaxUnpool2d(_MaxUnpool):
    """Puts the results of ``MaxPool2d`` back to where they came from."""

    _dims = 2


@layer(POOLING, calls=F.max_unpool3d, takes=_PLACES)
class MaxUnpool3d(_MaxUnpool):
    """Puts the results of ``MaxPool3d`` back to where they came from."""

    _dims = 3


@layer(None, "")
class _FractionalMaxPool(Layer):
    _dims = 0
    kernel_size: Any
    output_size: Any = None
    output_ratio: Any = None
    return_indices: bool = False
    _random_samples: InitVar[Any] = None

    def __post_init__(self, samples: Any = None) -> None:
        super().__post_init__()
        self.kernel_size = extents(self.kernel_size, self._dims)
        self.register_buffer("_random_samples", samples)
        if self.output_size is None and self.output_ratio is None:
            name = f"FractionalMaxPool{self._dims}d"
            raise ArgumentValueError(f"{name} requires specifying either an output size, or a pooling ratio")
        if self.output_size is not None and self.output_ratio is not None:
            raise ArgumentValueError("only one of output_size and output_ratio may be specified")
        if self.output_size is not None:
            self.output_size = extents(self.output_size, self._dims)
        else:
            given, self.output_ratio = self.output_ratio, extents(self.output_ratio, self._dims)
            if not all(0 < ratio < 1 for ratio in self.output_ratio):
                raise ArgumentValueError(f"output_ratio must be between 0 and 1 (got {given})")


@layer(POOLING, calls=F.fractional_max_pool2d, passes="_random_samples")
class FractionalMaxPool2d(_FractionalMaxPool):
    """The largest element of windows at random places (Graham, 2014)."""

    _dims = 2


@layer(POOLING, calls=F.fractional_max_pool3d, passes="_random_samples")
class FractionalMaxPool3d(_FractionalMaxPool):
    """The largest element of windows at random places (Graham, 2014)."""

    _dims = 3


@layer(None, "output_size")
class _AdaptiveMaxPool(Layer):
    output_size: Any
    return_indices: bool = False


@layer(POOLING, calls=F.adaptive_max_pool1d)
class AdaptiveMaxPool1d(_AdaptiveMaxPool):
    """The largest element of each of as many windows as the output has elements."""


@layer(POOLING, calls=F.adaptive_max_pool2d)
class AdaptiveMaxPool2d(_AdaptiveMaxPool):
    """The largest element of each of as many windows as the output has elements."""


@layer(POOLING, calls=F.adaptive_max_pool3d)
class AdaptiveMaxPool3d(_AdaptiveMaxPool):
    """The largest element of each of as many windows as the output has elements."""


# -- the mean of each window --------------------------------------------------------------------------------------
@layer(POOLING, "kernel_size stride padding", F.avg_pool1d)
class AvgPool1d(Layer):
    """The mean of each window of ``(N, C, L)`` or ``(C, L)``."""

    kernel_size: Any
    stride: Any = None
    padding: Any = 0
    ceil_mode: bool = False
    count_include_pad: bool = True

    def __post_init__(self, *rest: Any) -> None:
        super().__post_init__()
        self.kernel_size = extents(self.kernel_size, 1)
        self.stride = extents(self.stride, 1) if self.stride is not None else self.kernel_size
        self.padding = extents(self.padding, 1)


@layer(None, "kernel_size stride padding")
class _AvgPool(_Windows):
    kernel_size: Any
    stride: Any = None
    padding: Any = 0
    ceil_mode: bool = False
    count_include_pad: bool = True
    divisor_override: int | None = None


@layer(POOLING, calls=F.avg_pool2d)
class AvgPool2d(_AvgPool):
    """The mean of each window of ``(N, C, H, W)`` or ``(C, H, W)``."""


@layer(POOLING, calls=F.avg_pool3d)
class AvgPool3d(_AvgPool):
    """The mean of each window of ``(N, C, D, H, W)`` or ``(C, D, H, W)``."""


@layer(None, "output_size")
class _AdaptiveAvgPool(Layer):
    output_size: Any


@layer(POOLING, calls=F.adaptive_avg_pool1d)
class AdaptiveAvgPool1d(_AdaptiveAvgPool):
    """The mean of each of as many windows as the output has elements."""


@layer(POOLING, calls=F.adaptive_avg_pool2d)
class AdaptiveAvgPool2d(_AdaptiveAvgPool):
    """The mean of each of as many windows as the output has elements."""


@layer(POOLING, calls=F.adaptive_avg_pool3d)
class AdaptiveAvgPool3d(_AdaptiveAvgPool):
    """The mean of each of as many windows as the output has elements."""


@layer(None, "norm_type kernel_size stride ceil_mode")
class _LPPool(Layer):
    norm_type: float
    kernel_size: Any
    stride: Any = None
    ceil_mode: bool = False


@layer(POOLING, calls=F.lp_pool1d)
class LPPool1d(_LPPool):
    """The norm of each window of ``(N, C, L)`` or ``(C, L)``."""


@layer(POOLING, calls=F.lp_pool2d)
class LPPool2d(_LPPool):
    """The norm of each window of ``(N, C, H, W)`` or ``(C, H, W)``."""


@layer(POOLING, calls=F.lp_pool3d)
class LPPool3d(_LPPool):
    """The norm of each window of ``(N, C, D, H, W)`` or ``(C, D, H, W)``."""


# -- windows as columns -------------------------------------------------------------------------------------------
@layer(FOLD, "output_size kernel_size dilation padding stride", F.fold)
class Fold(Layer):
    """Adds up windows, given as columns, to images."""

    output_size: Any
    kernel_size: Any
    dilation: Any = 1
    padding: Any = 0
    stride: Any = 1


@layer(FOLD, "kernel_size dilation padding stride", F.unfold)
class Unfold(Layer):
    """The windows of images, as columns."""

    kernel_size: Any
    dilation: Any = 1
    padding: Any = 0
    stride: Any = 1


# -- padding ------------------------------------------------------------------------------------------------------
class _Pad(Layer):
    """Extends an input by ``padding``, before and after the last dimension, then the one before it."""

    _dims = 0
    _mode = ""
    padding: Any

    def __post_init__(self, *rest: Any) -> None:
        super().__post_init__()
        self.padding = extents(self.padding, 2 * self._dims)

    def forward(self, input: Tensor) -> Any:
        """``input`` with what ``_mode`` says around it."""
        return F.pad(input, self.padding, self._mode)


@layer(None, ":padding")
class _ReflectionPad(_Pad):
    _mode = "reflect"
    padding: Any


@layer(None, ":padding")
class _ReplicationPad(_Pad):
    _mode = "replicate"
    padding: Any


@layer(None, ":padding")
class _CircularPad(_Pad):
    _mode = "circular"
    padding: Any


@layer(None, "padding value")
class _ConstantPad(_Pad):
    padding: Any
    value: float

    def forward(self, input: Tensor) -> Any:
        """``input`` with ``value`` around it."""
        return F.pad(input, self.padding, "constant", self.value)


class _ZeroPad(_ConstantPad):
    def __init__(self, padding: Any) -> None:
        super().__init__(padding, 0.0)


def _pads(base: Any, name: str, shows: str | None = None) -> None:
    """The three layers of a sort of padding: ``<name>1d``, ``<name>2d``, ``<name>3d``."""
    for dims in (1, 2, 3):
        doc = f"Extends the last {dims} dimensions: {base._mode if hasattr(base, '_mode') else 'constant'}."
        space = {"__doc__": doc, "__module__": __name__, "_dims": dims}
        globals()[f"{name}{dims}d"] = layer(PADDING, shows)(type(f"{name}{dims}d", (base,), space))


_pads(_ReflectionPad, "ReflectionPad")
_pads(_ReplicationPad, "ReplicationPad")
_pads(_CircularPad, "CircularPad")
_pads(_ConstantPad, "ConstantPad")
_pads(_ZeroPad, "ZeroPad", ":padding")
