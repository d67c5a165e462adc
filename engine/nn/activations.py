"""Activations: layers that apply one function to every element, or along a dimension."""

from __future__ import annotations

from dataclasses import InitVar
from typing import Any

from engine import modes, ops
from engine.errors import ArgumentValueError, AssertedError
from engine.nn import init
from engine.nn.layer import F, Layer, layer
from engine.tensor import Tensor

HOME = "activation"


@layer(HOME, "threshold value inplace?", F.threshold)
class Threshold(Layer):
    """Replaces what is not above ``threshold`` by ``value``."""

    threshold: float
    value: float
    inplace: bool = False


@layer(HOME, "inplace?", F.relu)
class ReLU(Layer):
    """The positive part."""

    inplace: bool = False


@layer(HOME, "lower upper inplace?", F.rrelu, passes="training")
class RReLU(Layer):
    """Random slopes for what is negative while training (Xu et al., 2015), their mean otherwise."""

    lower: float = 1.0 / 8
    upper: float = 1.0 / 3
    inplace: bool = False


@layer(HOME, "min_val max_val inplace?", F.hardtanh)
class Hardtanh(Layer):
    """The identity, cut off at both ends."""

    min_val: float = -1.0
    max_val: float = 1.0
    inplace: bool = False
    min_value: InitVar[float | None] = None
    max_value: InitVar[float | None] = None

    def __post_init__(self, min_value: float | None = None, max_value: float | None = None) -> None:
        super().__post_init__()
        for name, old in (("min_val", min_value), ("max_val", max_value)):
            if old is not None:
                modes.warn(f"keyword argument `{name}ue` is deprecated and renamed to `{name}`")
                setattr(self, name, old)
        if not self.max_val > self.min_val:
            raise AssertedError(f"max_val ({self.max_val}) must be greater than min_val ({self.min_val})")


@layer(HOME, "inplace?")
class ReLU6(Hardtanh):
    """``ReLU``, cut off at 6."""

    def __init__(self, inplace: bool = False) -> None:
        super().__init__(0.0, 6.0, inplace)


@layer(HOME, "", ops.sigmoid)
class Sigmoid(Layer):
    """The logistic function."""


@layer(HOME, "", F.hardsigmoid)
class Hardsigmoid(Layer):
    """A sigmoid of three straight lines."""

    inplace: bool = False


@layer(HOME, "", ops.tanh)
class Tanh(Layer):
    """The hyperbolic tangent."""


@layer(HOME, "inplace?", F.silu)
class SiLU(Layer):
    """The sigmoid linear unit, also called swish."""

    inplace: bool = False


@layer(HOME, "inplace?", F.mish)
class Mish(Layer):
    """A smooth relative of ``SiLU`` (Misra, 2019)."""

    inplace: bool = False


@layer(HOME, "", F.hardswish)
class Hardswish(Layer):
    """``SiLU`` with a ``Hardsigmoid``."""

    inplace: bool = False


@layer(HOME, "alpha inplace?", F.elu)
class ELU(Layer):
    """The exponential linear unit (Clevert et al., 2015)."""

    alpha: float = 1.0
    inplace: bool = False


@layer(HOME, "alpha inplace?", F.celu)
class CELU(Layer):
    """A continuously differentiable ``ELU`` (Barron, 2017)."""

    alpha: float = 1.0
    inplace: bool = False


@layer(HOME, "inplace?", F.selu)
class SELU(Layer):
    """A scaled ``ELU`` that keeps mean and variance (Klambauer et al., 2017)."""

    inplace: bool = False


@layer(HOME, "dim", F.glu)
class GLU(Layer):
    """The gated linear unit: one half along ``dim`` gates the other."""

    dim: int = -1


@layer(HOME, "approximate!", F.gelu)
class GELU(Layer):
    """The Gaussian error linear unit (Hendrycks and Gimpel, 2016)."""

    approximate: str = "none"


@layer(HOME, ":lambd", F.hardshrink)
class Hardshrink(Layer):
    """Sets what is near zero to zero."""

    lambd: float = 0.5


@layer(HOME, "negative_slope inplace?", F.leaky_relu)
class LeakyReLU(Layer):
    """``ReLU`` with a small slope for what is negative."""

    negative_slope: float = 1e-2
    inplace: bool = False


@layer(HOME, "", F.logsigmoid)
class LogSigmoid(Layer):
    """The logarithm of the sigmoid."""


@layer(HOME, "beta threshold", F.softplus)
class Softplus(Layer):
    """A smooth ``ReLU``, linear above ``threshold``."""

    beta: float = 1.0
    threshold: float = 20.0


@layer(HOME, ":lambd", F.softshrink)
class Softshrink(Layer):
    """Moves everything towards zero."""

    lambd: float = 0.5


@layer(HOME, "num_parameters", F.prelu, passes="weight")
class PReLU(Layer):
    """``LeakyReLU`` with slopes that are learnt, one or one a channel (He et al., 2015)."""

    def __init__(self, num_parameters: int = 1, init: float = 0.25, device: Any = None, dtype: Any = None) -> None:
        super().__init__()
        self.num_parameters, self.init = num_parameters, init
        self._weights(dtype, device, weight=(num_parameters,))
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """The slopes as at first."""
        init.constant_(self.weight, self.init)


@layer(HOME, "", F.softsign)
class Softsign(Layer):
    """A sigmoid without exponentials."""


@layer(HOME, "", F.tanhshrink)
class Tanhshrink(Layer):
    """What ``Tanh`` takes away."""


@layer(HOME, "dim", F.softmin)
class Softmin(Layer):
    """``Softmax`` of the opposite."""

    dim: int | None = None


@layer(HOME, "dim", F.softmax)
class Softmax(Layer):
    """Positive numbers that add up to one along ``dim``."""

    dim: int | None = None


@layer(HOME)
class Softmax2d(Layer):
    """``Softmax`` over channels, at every place of an image."""

    def forward(self, input: Tensor) -> Any:
        """``softmax(input, -3)``."""
        if input.ndim not in (3, 4):
            raise ArgumentValueError(f"Softmax2d: expected input to be 3D or 4D, got {input.ndim}D instead")
        return F.softmax(input, -3)


@layer(HOME, "dim", F.log_softmax)
class LogSoftmax(Layer):
    """The logarithm of ``Softmax``."""

    dim: int | None = None
