"""Layers that learn their number of inputs from the first input."""

from __future__ import annotations

from typing import Any, ClassVar

from engine import modes, ops
from engine.dtypes import DType
from engine.errors import ArgumentValueError, OpError
from engine.nn import convolutions, linears, norms
from engine.nn.layer import layer
from engine.nn.module import Module
from engine.nn.parameter import UninitializedBuffer, UninitializedParameter, is_lazy

NEW = (
    "Lazy modules are a new feature under heavy development so changes to the API or functionality can happen at any "
    "moment."
)


class LazyModuleMixin(Module):
    """Parameters get their shapes at the first call; then the module is one of the class ``_becomes``."""

    _becomes: ClassVar[Any] = None

    def has_uninitialized_params(self) -> bool:
        """Whether the first call is yet to come."""
        return any(is_lazy(one) for table in (self._parameters, self._buffers) for one in table.values())

    def initialize_parameters(self, *args: Any, **kwargs: Any) -> None:
        """Give the parameters their shapes; subclasses say how."""
        raise OpError(f"initialize_parameters is not implemented for {self._get_name()}")

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        if self.has_uninitialized_params():
            self.initialize_parameters(*args, **kwargs)
            if self.has_uninitialized_params():
                raise OpError(f"module {self._get_name()} has not been fully initialized")
            modes.touch(self)
            if "_becomes" in vars(type(self)):
                self.__class__ = self._becomes
        return Module.__call__(self, *args, **kwargs)

    def _await(self, *names: str, dtype: DType | None = None) -> None:
        """Let parameters have no shape yet."""
        modes.warn(NEW)
        for name in names:
            setattr(self, name, UninitializedParameter(dtype=dtype))


@layer("linear")
class LazyLinear(LazyModuleMixin, linears.Linear):
    """``Linear`` for inputs of any size."""

    _becomes = linears.Linear

    def __init__(self, out_features: int, bias: bool = True, device: Any = None, dtype: Any = None) -> None:
        linears.Linear.__init__(self, 0, 0, False)
        self._await("weight", *(("bias",) if bias else ()), dtype=dtype)
        self.out_features = out_features

    def reset_parameters(self) -> None:
        """Draw the parameters, once they have shapes."""
        if not self.has_uninitialized_params() and self.in_features:
            super().reset_parameters()

    def initialize_parameters(self, input: Any) -> None:
        """The last dimension of the input is that of the inputs."""
        self.in_features = input.shape[-1]
        self.weight.materialize((self.out_features, self.in_features))
        if self.bias is not None:
            self.bias.materialize((self.out_features,))
        self.reset_parameters()


class _LazyConvolution(LazyModuleMixin, convolutions.Convolution):
    def _make_lazy(self, out_channels: int, bias: bool, dtype: Any, **settings: Any) -> None:
        self._becomes.__init__(self, 0, 0, bias=False, **settings)
        self._await("weight", *(("bias",) if bias else ()), dtype=dtype)
        self.out_channels = out_channels

    def reset_parameters(self) -> None:
        """Draw the parameters, once they have shapes."""
        if not self.has_uninitialized_params() and self.in_channels:
            super().reset_parameters()

    def initialize_parameters(self, input: Any, *args: Any, **kwargs: Any) -> None:
        """The channels of the input are those of the layer."""
        dims = self._dims
        if input.ndim not in (dims + 1, dims + 2):
            raise OpError(
                f"Expected {dims + 1}D (unbatched) or {dims + 2}D (batched) input to {self._get_name()}, but got "
                f"input of size: {input.shape}"
            )
        self.in_channels = input.shape[1] if input.ndim == dims + 2 else input.shape[0]
        if self.in_channels % self.groups:
            raise ArgumentValueError("in_channels must be divisible by groups")
        channels = (self.in_channels, self.out_channels)
        first, second = channels if self._transposed else channels[::-1]
        self.weight.materialize((first, second // self.groups, *self.kernel_size))
        if self.bias is not None:
            self.bias.materialize((self.out_channels,))
        self.reset_parameters()


class _LazyConv(_LazyConvolution):
    def __init__(
        self, out_channels: int, kernel_size: Any, stride: Any = 1, padding: Any = 0, dilation: Any = 1,
        groups: int = 1, bias: bool = True, padding_mode: str = "zeros", device: Any = None, dtype: Any = None,
    ) -> None:  # fmt: skip
        self._make_lazy(
            out_channels, bias, dtype, kernel_size=kernel_size, stride=stride, padding=padding, dilation=dilation,
            groups=groups, padding_mode=padding_mode,
        )  # fmt: skip


class _LazyTranspose(_LazyConvolution):
    def __init__(
        self, out_channels: int, kernel_size: Any, stride: Any = 1, padding: Any = 0, output_padding: Any = 0,
        groups: int = 1, bias: bool = True, dilation: Any = 1, padding_mode: str = "zeros", device: Any = None,
        dtype: Any = None,
    ) -> None:  # fmt: skip
        self._make_lazy(
            out_channels, bias, dtype, kernel_size=kernel_size, stride=stride, padding=padding,
            output_padding=output_padding, groups=groups, dilation=dilation, padding_mode=padding_mode,
        )  # fmt: skip


class _LazyNorm(LazyModuleMixin, norms._Tracking):
    def _make_lazy(
        self, eps: float, momentum: float | None, affine: bool, track_running_stats: bool, dtype: Any, bias: bool
    ) -> None:
        self._becomes.__init__(self, 0, eps, momentum, False, False)
        self.affine, self.track_running_stats = affine, track_running_stats
        self._await(*(("weight",) if affine else ()), *(("bias",) if affine and bias else ()), dtype=dtype)
        if track_running_stats:
            self.running_mean = UninitializedBuffer(dtype=dtype)
            self.running_var = UninitializedBuffer(dtype=dtype)
            self.num_batches_tracked = ops.tensor(0)

    def reset_parameters(self) -> None:
        """Parameters that change nothing, once they have shapes."""
        if not self.has_uninitialized_params() and self.num_features:
            super().reset_parameters()

    def initialize_parameters(self, input: Any) -> None:
        """The channels of the input are those of the layer."""
        self.num_features = input.shape[1]
        for name in ("weight", "bias", "running_mean", "running_var"):
            one = getattr(self, name)
            if one is not None:
                one.materialize((self.num_features,))
        self.reset_parameters()


def _norm_init(track: bool) -> Any:
    def __init__(
        self: Any, eps: float = 1e-5, momentum: float | None = 0.1, affine: bool = True,
        track_running_stats: bool = track, device: Any = None, dtype: Any = None, *, bias: bool = True,
    ) -> None:  # fmt: skip
        self._make_lazy(eps, momentum, affine, track_running_stats, dtype, bias)

    return __init__


def _declare() -> None:
    """The lazy forms of convolutions, their transposes and norms, over one, two and three dimensions."""
    rows: tuple[tuple[str, Any, str, Any, dict[str, Any]], ...] = (
        ("conv", convolutions, "Conv", _LazyConv, {}),
        ("conv", convolutions, "ConvTranspose", _LazyTranspose, {}),
        ("batchnorm", norms, "BatchNorm", _LazyNorm, {"__init__": _norm_init(True)}),
        ("instancenorm", norms, "InstanceNorm", _LazyNorm, {"__init__": _norm_init(True)}),
    )
    for home, room, name, base, more in rows:
        for dims in (1, 2, 3):
            becomes = getattr(room, f"{name}{dims}d")
            doc = f"``{name}{dims}d`` for inputs of any number of channels."
            space = {"__doc__": doc, "__module__": __name__, "_becomes": becomes, **more}
            kind = type(f"Lazy{name}{dims}d", (base, becomes), space)
            globals()[kind.__name__] = layer(home)(kind)


_declare()
