"""Linear layers: affine and bilinear maps, and the map that changes nothing."""

from __future__ import annotations

from math import sqrt
from typing import Any

from engine.errors import ArgumentValueError
from engine.nn import init
from engine.nn.layer import F, Layer, layer
from engine.tensor import Tensor

HOME = "linear"


@layer(HOME)
class Identity(Layer):
    """What comes in."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__()

    def forward(self, input: Tensor) -> Any:
        """``input``."""
        return input


@layer(HOME, calls=F.linear, passes="weight bias")
class Linear(Layer):
    """``input @ weight.T + bias``."""

    def __init__(
        self, in_features: int, out_features: int, bias: bool = True, device: Any = None, dtype: Any = None
    ) -> None:
        super().__init__()
        self.in_features, self.out_features = in_features, out_features
        self._weights(dtype, device, weight=(out_features, in_features), bias=(out_features,) if bias else None)
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """Draw weight and bias, uniformly within the root of ``1 / in_features``."""
        init.kaiming_uniform_(self.weight, a=sqrt(5))
        init.within_fan_in(self.bias, self.weight)

    def extra_repr(self) -> str:
        """The sizes, and whether there is a bias."""
        return f"in_features={self.in_features}, out_features={self.out_features}, bias={self.bias is not None}"


@layer(HOME)
class NonDynamicallyQuantizableLinear(Linear):
    """The linear map after an attention."""


@layer(HOME, calls=F.bilinear, takes="input1 input2", passes="weight bias")
class Bilinear(Layer):
    """``input1 @ weight @ input2 + bias``, with a matrix for each output."""

    def __init__(
        self, in1_features: int, in2_features: int, out_features: int, bias: bool = True, device: Any = None,
        dtype: Any = None,
    ) -> None:  # fmt: skip
        super().__init__()
        if in1_features <= 0:
            raise ArgumentValueError(f"in1_features must be > 0, but got (in1_features={in1_features})")
        self.in1_features, self.in2_features, self.out_features = in1_features, in2_features, out_features
        shape = (out_features, in1_features, in2_features)
        self._weights(dtype, device, weight=shape, bias=(out_features,) if bias else None)
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """Draw weight and bias, uniformly within the root of ``1 / in1_features``."""
        bound = 1 / sqrt(self.weight.size(1))
        init.uniform_(self.weight, -bound, bound)
        if self.bias is not None:
            init.uniform_(self.bias, -bound, bound)

    def extra_repr(self) -> str:
        """The sizes, and whether there is a bias."""
        sizes = f"in1_features={self.in1_features}, in2_features={self.in2_features}"
        return f"{sizes}, out_features={self.out_features}, bias={self.bias is not None}"
