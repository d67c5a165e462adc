"""``torch.nn.init``: fill tensors, unrecorded; random numbers are drawn in PyTorch's order."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from math import ceil, erf, prod, sqrt
from typing import Any

from engine import modes, ops, registry
from engine.errors import ArgumentValueError
from engine.tensor import Tensor

_LINEAR = ("linear", "conv1d", "conv2d", "conv3d", "conv_transpose1d", "conv_transpose2d", "conv_transpose3d")
_GAINS = {**dict.fromkeys((*_LINEAR, "sigmoid"), 1), "tanh": 5.0 / 3, "relu": sqrt(2.0), "selu": 3.0 / 4}
_MODES = ["fan_in", "fan_out"]
_PEAKED = 0.3  # of the normal distribution within the bounds: above, samples are drawn from it


def _unrecorded(function: Callable[..., Any]) -> Callable[..., Any]:
    """``function`` without recording, as ``torch.nn.init.<its name>``."""

    @wraps(function)
    def run(*args: Any, **kwargs: Any) -> Any:
        with modes.no_grad():
            return function(*args, **kwargs)

    registry.add_function(f"nn.init.{function.__name__}", run)
    return run


# -- constants ----------------------------------------------------------------------------------------------------
@_unrecorded
def constant_(tensor: Tensor, val: float) -> Any:
    """Fill with ``val``."""
    return tensor.fill_(val)


@_unrecorded
def ones_(tensor: Tensor) -> Any:
    """Fill with ones."""
    return tensor.fill_(1.0)


@_unrecorded
def zeros_(tensor: Tensor) -> Any:
    """Fill with zeros."""
    return tensor.zero_()


@_unrecorded
def eye_(tensor: Tensor) -> Any:
    """Fill a matrix with the identity, as far as it goes."""
    if tensor.ndim != 2:
        raise ArgumentValueError("Only tensors with 2 dimensions are supported")
    return tensor.copy_(ops.eye(*tensor.shape))


@_unrecorded
def dirac_(tensor: Tensor, groups: int = 1) -> Any:
    """Fill a convolution's weight so that channels stay what they are, in each of ``groups``."""
    if tensor.ndim not in (3, 4, 5):
        raise ArgumentValueError("Only tensors with 3, 4, or 5 dimensions are supported")
    channels, *extents = tensor.shape[1:]
    if tensor.shape[0] % groups:
        raise ArgumentValueError("dim 0 must be divisible by groups")
    out = tensor.shape[0] // groups
    tensor.zero_()
    for group in range(groups):
        for channel in range(min(out, channels)):
            tensor[(group * out + channel, channel, *(extent // 2 for extent in extents))] = 1
    return tensor


# -- samples ------------------------------------------------------------------------------------------------------
@_unrecorded
def uniform_(tensor: Tensor, a: float = 0.0, b: float = 1.0, generator: Any = None) -> Any:
    """Draw uniformly from ``[a, b)``."""
    return tensor.uniform_(a, b, generator=generator)


@_unrecorded
def normal_(tensor: Tensor, mean: float = 0.0, std: float = 1.0, generator: Any = None) -> Any:
    """Draw from a normal distribution."""
    return tensor.normal_(mean, std, generator=generator)


@_unrecorded
def trunc_normal_(
    tensor: Tensor, mean: float = 0.0, std: float = 1.0, a: float = -2.0, b: float = 2.0, generator: Any = None
) -> Any:
    """Draw from a normal distribution cut off at ``a`` and ``b``: what lies outside is drawn again."""
    if mean < a - 2 * std or mean > b + 2 * std:
        modes.warn(
            "mean is more than 2 std from [a, b] in nn.init.trunc_normal_. The distribution of values may be incorrect."
        )
    if _below((b - mean) / std) - _below((a - mean) / std) > _PEAKED:
        return _redrawn(tensor, mean, std, a, b, generator)
    return _accepted(tensor, mean, std, a, b, generator)


def _below(x: float) -> float:
    """The standard normal distribution function."""
    return (1.0 + erf(x / sqrt(2.0))) / 2.0


def _redrawn(tensor: Tensor, mean: float, std: float, a: float, b: float, generator: Any) -> Any:
    low, high = (tensor.new_tensor(bound).item() for bound in (a, b))
    drawn = tensor.normal_(mean, std, generator=generator)
    outside = (drawn < low) | (drawn > high)
    while outside.any():
        drawn = ops.where(outside, ops.empty_like(drawn).normal_(mean, std, generator=generator), drawn)
        outside = (drawn < low) | (drawn > high)
    return tensor if drawn is tensor else tensor.copy_(drawn)


def _accepted(tensor: Tensor, mean: float, std: float, a: float, b: float, generator: Any) -> Any:
    """Uniform proposals, each accepted with its density over the highest within the bounds."""
    peak = -0.5 * ((max(a, min(mean, b)) - mean) / std) ** 2

    def refused(proposals: Any) -> Any:
        density = proposals.sub(mean).div_(std).pow_(2).mul_(-0.5).sub_(peak)
        return ops.empty_like(tensor).uniform_(generator=generator).log_().gt(density)

    drawn = tensor.uniform_(a, b, generator=generator)
    pending = refused(drawn)
    while pending.any():
        proposals = ops.empty_like(tensor).uniform_(a, b, generator=generator)
        drawn = ops.where(pending, proposals, drawn)
        pending = pending & refused(proposals)
    return tensor if drawn is tensor else tensor.copy_(drawn)


# -- by the number of inputs and outputs --------------------------------------------------------------------------
def calculate_gain(nonlinearity: str, param: float | None = None) -> float:
    """The factor by which standard deviations make up for what a nonlinearity takes away."""
    if nonlinearity in _GAINS:
        return _GAINS[nonlinearity]
    if nonlinearity != "leaky_relu":
        raise ArgumentValueError(f"Unsupported nonlinearity {nonlinearity}")
    slope = 0.01 if param is None else param
    if isinstance(slope, bool) or not isinstance(slope, int | float):
        raise ArgumentValueError(f"negative_slope {param} not a valid number")
    return sqrt(2.0 / (1 + slope**2))


def fans(tensor: Tensor) -> tuple[int, int]:
    """How many numbers go into each output of a layer with this weight, and into how many outputs each input goes."""
    if tensor.ndim < 2:
        raise ArgumentValueError("Fan in and fan out can not be computed for tensor with fewer than 2 dimensions")
    field = prod(tensor.shape[2:])
    return tensor.shape[1] * field, tensor.shape[0] * field


def _deviation(tensor: Tensor, a: float, mode: str, nonlinearity: str) -> float:
    """The standard deviation that keeps variances on the way in or back (He et al., 2015)."""
    if mode.lower() not in _MODES:
        raise ArgumentValueError(f"Mode {mode.lower()} not supported, please use one of {_MODES}")
    return calculate_gain(nonlinearity, a) / sqrt(fans(tensor)[_MODES.index(mode.lower())])


def _is_empty(tensor: Tensor) -> bool:
    if 0 in tensor.shape:
        modes.warn("Initializing zero-element tensors is a no-op")
        return True
    return False


@_unrecorded
def xavier_uniform_(tensor: Tensor, gain: float = 1.0, generator: Any = None) -> Any:
    """Draw uniformly, with a variance for both directions (Glorot and Bengio, 2010)."""
    bound = sqrt(3.0) * (gain * sqrt(2.0 / sum(fans(tensor))))
    return tensor.uniform_(-bound, bound, generator=generator)


@_unrecorded
def xavier_normal_(tensor: Tensor, gain: float = 1.0, generator: Any = None) -> Any:
    """Draw from a normal distribution, with a variance for both directions (Glorot and Bengio, 2010)."""
    return tensor.normal_(0.0, gain * sqrt(2.0 / sum(fans(tensor))), generator=generator)


@_unrecorded
def kaiming_uniform_(
    tensor: Tensor, a: float = 0, mode: str = "fan_in", nonlinearity: str = "leaky_relu", generator: Any = None
) -> Any:
    """Draw uniformly, with the variance for rectifiers (He et al., 2015)."""
    if _is_empty(tensor):
        return tensor
    bound = sqrt(3.0) * _deviation(tensor, a, mode, nonlinearity)
    return tensor.uniform_(-bound, bound, generator=generator)


@_unrecorded
def kaiming_normal_(
    tensor: Tensor, a: float = 0, mode: str = "fan_in", nonlinearity: str = "leaky_relu", generator: Any = None
) -> Any:
    """Draw from a normal distribution, with the variance for rectifiers (He et al., 2015)."""
    if _is_empty(tensor):
        return tensor
    return tensor.normal_(0, _deviation(tensor, a, mode, nonlinearity), generator=generator)


@_unrecorded
def orthogonal_(tensor: Tensor, gain: float = 1, generator: Any = None) -> Any:
    """Fill with a matrix of orthonormal rows or columns, drawn uniformly (Saxe et al., 2013; Mezzadri, 2006)."""
    if tensor.ndim < 2:
        raise ArgumentValueError("Only tensors with 2 or more dimensions are supported")
    if not tensor.numel():
        return tensor
    rows = tensor.shape[0]
    columns = tensor.numel() // rows
    drawn = tensor.new_empty((rows, columns)).normal_(0, 1, generator=generator)
    q, r = ops.qr(drawn.t() if rows < columns else drawn)
    q = q * ops.diagonal(r).sign()
    return tensor.copy_((q.t() if rows < columns else q).reshape(tensor.shape)).mul_(gain)


@_unrecorded
def sparse_(tensor: Tensor, sparsity: float, std: float = 0.01, generator: Any = None) -> Any:
    """Fill a matrix from a normal distribution, with zeros in part of each column (Martens, 2010)."""
    if tensor.ndim != 2:
        raise ArgumentValueError("Only tensors with 2 dimensions are supported")
    rows, columns = tensor.shape
    tensor.normal_(0, std, generator=generator)
    for column in range(columns):
        tensor[ops.randperm(rows)[: ceil(sparsity * rows)], column] = 0
    return tensor


def within_fan_in(bias: Tensor | None, weight: Tensor) -> None:
    """Draw a bias uniformly within the root of one over the number of inputs, as linear layers and convolutions do."""
    if bias is not None:
        fan_in = fans(weight)[0]
        bound = 1 / sqrt(fan_in) if fan_in > 0 else 0
        uniform_(bias, -bound, bound)


registry.add_function("nn.init.calculate_gain", calculate_gain)


def _deprecated(name: str) -> None:
    """Let the in-place function be found under its name of old, with a warning."""
    current: Any = registry.function(f"nn.init.{name}_")

    def run(*args: Any, **kwargs: Any) -> Any:
        modes.warn(f"nn.init.{name} is now deprecated in favor of nn.init.{name}_.")
        return current(*args, **kwargs)

    registry.add_function(f"nn.init.{name}", run)


for _name in (
    "uniform", "normal", "constant", "eye", "dirac", "xavier_uniform", "xavier_normal", "kaiming_uniform",
    "kaiming_normal", "orthogonal", "sparse",
):  # fmt: skip
    _deprecated(_name)
