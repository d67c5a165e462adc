"""Activations: rectifiers and their smooth relatives.

The ops that PyTorch keeps in ``nn.functional`` alone have a primitive of their plain name here and a composite, with an
underscore, of the public one.
"""

from __future__ import annotations

from math import pi, sqrt
from typing import Any

import numpy as np
import scipy  # loads what is used of it when it is

from engine import dtypes, ops, registry
from engine.errors import ArgumentValueError, OpError, UnsupportedError
from engine.kernels.where import select
from engine.op import Array, Dim, Mask, Scalar, composite, pointwise, primitive
from engine.ops.creation.factories import number_in
from engine.ops.math.complex_histories import refuse_complex_history
from engine.ops.math.special import first_order
from engine.tensor import Tensor

THRESHOLD = "ThresholdBackwardBackward0"
SELU_ALPHA = 1.6732632423543772  # Klambauer et al., Self-Normalizing Neural Networks, 2017, eq. 14
SELU_SCALE = 1.0507009873554805
GELU_CUBIC = 0.044715  # Hendrycks and Gimpel, Gaussian Error Linear Units, 2016, sec. 2


def _run(op: Any, inplace: bool, *args: Any) -> Any:
    return op.inplace(*args) if inplace else op(*args)


# -- piecewise linear ---------------------------------------------------------------------------------------------
@pointwise(public=False, total=True, numbers=())
def slope_backward(grad: Array, input: Array, mask: Mask, inside: Scalar, outside: Scalar, grad_fn: str) -> Array:
    """``grad`` times a slope that is ``inside`` where ``mask`` holds and ``outside`` elsewhere.

    The slope is a step function of ``input``, whose own derivative is therefore zero.
    """
    return select(mask, _times(grad, inside), _times(grad, outside))


def _times(grad: Array, slope: Any) -> Array:
    """``grad * slope``; exactly 0 for slope 0, whatever the cotangent."""
    if slope == 0:
        return np.zeros((), grad.dtype)
    return grad if slope == 1 else grad * np.asarray(slope).astype(grad.dtype)


slope_backward.vjp(
    grad=lambda g, input, mask, inside, outside, grad_fn: slope_backward(g, input, mask, inside, outside, grad_fn),
    input=lambda g: ops.zeros_of(g),
)


@pointwise(public=False, total=True, numbers=())
def sloped(grad: Array, slope: Array, grad_fn: str) -> Array:
    """``grad`` times a derivative that is there, which PyTorch computes in one node of the name ``grad_fn``."""
    return grad * slope


sloped.vjp(
    grad=lambda g, slope, grad_fn: sloped(g, slope.conj(), grad_fn), slope=lambda g, grad: g * grad.conj()
)  # fmt: skip


def _refuse_complex_clamp(input: Array) -> None:
    if input.dtype.kind == "c":
        raise UnsupportedError("clamp is not supported for complex types")


def _check_relu(input: Tensor) -> None:
    if input.array.dtype == np.bool_:
        raise OpError("Boolean inputs not supported for relu")
    _refuse_complex_clamp(input.array)


@pointwise(check=_check_relu)
def relu(input: Array) -> Array:
    """The larger of ``input`` and 0."""
    return np.maximum(input, 0)


# The subgradient at 0 is 0: what is not above the threshold does not pass.
relu.vjp(input=lambda g, out: slope_backward(g, out, out <= 0, 0, 1, THRESHOLD))


@composite(name="nn.functional.relu")
def _relu(input: Tensor, inplace: bool = False) -> Tensor:
    """The larger of ``input`` and 0."""
    return _run(relu, inplace, input)


@pointwise(public=False, layout="input")
def hardtanh(input: Array, min_val: Scalar = -1.0, max_val: Scalar = 1.0) -> Array:
    """``input`` clamped to an interval."""
    if input.dtype == np.bool_:
        raise OpError("Bool inputs not supported for hardtanh")
    _refuse_complex_clamp(input)
    if input.dtype.kind == "u" and min(int(min_val), int(max_val)) < 0:
        raise OpError("cannot do hardtanh on an unsigned type with negative limits")
    low, high = (number_in(limit, input) for limit in (min_val, max_val))
    return np.minimum(np.maximum(input, low), high)


# The subgradient at the limits is 0.
hardtanh.vjp(
    input=lambda g, input, min_val, max_val: slope_backward(
        g, input, (input <= min_val).logical_or(input >= max_val), 0, 1, "HardtanhBackwardBackward0"
    )
)


@composite(name="nn.functional.hardtanh")
def _hardtanh(input: Tensor, min_val: float = -1.0, max_val: float = 1.0, inplace: bool = False) -> Tensor:
    """``input`` clamped to ``[min_val, max_val]``."""
    if min_val > max_val:
        raise ArgumentValueError("min_val cannot be greater than max_val")
    return _run(hardtanh, inplace, input, min_val, max_val)


@composite(name="nn.functional.relu6")
def _relu6(input: Tensor, inplace: bool = False) -> Tensor:
    """``input`` clamped to ``[0, 6]``."""
    return _run(hardtanh, inplace, input, 0, 6)


@pointwise(public=False, supports="f", kernel_name="leaky_relu_cpu", inplace_grad_fn="LeakyReluBackward1")
def leaky_relu(input: Array, negative_slope: Scalar = 0.01) -> Array:
    """``input`` above 0, ``negative_slope * input`` below."""
    return np.where(input > 0, input, input * number_in(negative_slope, input))


# The subgradient at 0 is ``negative_slope``.
leaky_relu.vjp(
    input=lambda g, input, negative_slope: slope_backward(
        g, input, input > 0, 1, negative_slope, "LeakyReluBackwardBackward0"
    )
)


@composite(name="nn.functional.leaky_relu")
def _leaky_relu(input: Tensor, negative_slope: float = 0.01, inplace: bool = False) -> Tensor:
    """``input`` above 0, ``negative_slope * input`` below."""
    return _run(leaky_relu, inplace, input, negative_slope)


@pointwise(method=False, supports="if", kernel_name="threshold_cpu", inplace_grad_fn="ThresholdBackward1")
def threshold(input: Array, threshold: Scalar, value: Scalar) -> Array:
    """``input`` above ``threshold``, ``value`` elsewhere."""
    return np.where(input <= threshold, np.asarray(value, input.dtype), input)


threshold.vjp(input=lambda g, input, threshold: slope_backward(g, input, input <= threshold, 0, 1, THRESHOLD))


@composite(name="nn.functional.threshold")
def _threshold(input: Tensor, threshold: float, value: float, inplace: bool = False) -> Tensor:
    """``input`` above ``threshold``, ``value`` elsewhere."""
    return _run(registry.op("threshold"), inplace, input, threshold, value)


@pointwise(public=False, supports="f", kernel_name="hardsigmoid_cpu")
def hardsigmoid(input: Array) -> Array:
    """``input / 6 + 1 / 2`` clamped to ``[0, 1]``."""
    return np.minimum(np.maximum(input + 3, 0), 6) / 6


def _hardsigmoid_input(g: Tensor, input: Tensor) -> Any:
    """The slope is a sixth as float32 has it, whatever the dtype."""
    inside = (input > -3).logical_and(input < 3)
    slope = slope_backward(g, input, inside, float(np.float32(1 / 6)), 0, "HardsigmoidBackwardBackward0")
    return first_order(slope, input, "derivative for aten::hardsigmoid_backward is not implemented")


hardsigmoid.vjp(input=_hardsigmoid_input)


@composite(name="nn.functional.hardsigmoid")
def _hardsigmoid(input: Tensor, inplace: bool = False) -> Tensor:
    """``input / 6 + 1 / 2`` clamped to ``[0, 1]``."""
    return _run(hardsigmoid, inplace, input)


@pointwise(public=False, supports="f", kernel_name="hardswish_cpu")
def hardswish(input: Array) -> Array:
    """``input`` times its ``hardsigmoid``."""
    return input * np.minimum(np.maximum(input + 3, 0), 6) / 6


def _hardswish_input(g: Tensor, input: Tensor) -> Any:
    inner = ops.where((input > -3).logical_and(input < 3), g * (input / 3 + 0.5), g)
    return ops.masked_fill(inner, input <= -3, 0)


hardswish.vjp(input=_hardswish_input)


@composite(name="nn.functional.hardswish")
def _hardswish(input: Tensor, inplace: bool = False) -> Tensor:
    """``input`` times its ``hardsigmoid``."""
    return _run(hardswish, inplace, input)


# -- shrinkage ----------------------------------------------------------------------------------------------------
def _within(input: Any, lambd: Any) -> Any:
    return (input >= -lambd).logical_and(input <= lambd)


@pointwise(writes=False, supports="f", kernel_name="hardshrink_cpu", aliases=("nn.functional.hardshrink",))
def hardshrink(input: Array, lambd: Scalar = 0.5) -> Array:
    """0 within ``[-lambd, lambd]``, ``input`` elsewhere."""
    return np.where((input >= -lambd) & (input <= lambd), np.zeros((), input.dtype), input)


hardshrink.vjp(
    input=lambda g, input, lambd: slope_backward(g, input, _within(input, lambd), 0, 1, "HardshrinkBackwardBackward0")
)


@pointwise(name="nn.functional.softshrink", supports="f", kernel_name="softshrink_check", scratch=2.5)
def softshrink(input: Array, lambd: Scalar = 0.5) -> Array:
    """``input`` moved towards 0 by ``lambd``, and 0 where that would change its sign."""
    limits = np.finfo(input.dtype)
    if not 0 <= lambd <= limits.max:
        raise OpError(
            f"lambda must be in range [0, {float(limits.max):g}] for input dtype {dtypes.of(input).scalar_type}, but "
            f"found {lambd:g}"
        )
    step = np.asarray(lambd).astype(input.dtype)
    return np.where(input > step, input - step, np.where(input < -step, input + step, input * 0))


softshrink.vjp(
    input=lambda g, input, lambd: slope_backward(g, input, _within(input, lambd), 0, 1, "SoftshrinkBackwardBackward0")
)


@composite(name="nn.functional.tanhshrink")
def _tanhshrink(input: Tensor) -> Tensor:
    """``input - tanh(input)``."""
    return input - ops.tanh(input)


@composite(name="nn.functional.softsign")
def _softsign(input: Tensor) -> Tensor:
    """``input / (1 + |input|)``."""
    return input / (ops.abs(input) + 1)


# -- exponential linear units -------------------------------------------------------------------------------------
def _elu_kernel(input: Array, alpha: Any, scale: Any, input_scale: Any) -> Array:
    bent = np.expm1(np.minimum(input, 0) * input_scale) * (alpha * scale)
    return np.where(input < 0, bent, input * scale)


def _elu_input(g: Any, input: Any, alpha: Any, scale: Any, input_scale: Any) -> Any:
    """The exponential is taken of negative elements alone, so that its overflow reaches no derivative."""
    negative = ops.where(input < 0, input, 0)
    bent = ops.exp(negative * input_scale) * (g * (alpha * scale * input_scale))
    return ops.where(input <= 0, bent, g * scale)


@pointwise(public=False, supports="f", kernel_name="elu_cpu", inplace_grad_fn="EluBackward1")
def elu(input: Array, alpha: Scalar = 1.0, scale: Scalar = 1.0) -> Array:
    """``scale * input`` above 0, ``scale * alpha * (exp(input) - 1)`` below."""
    return _elu_kernel(input, alpha, scale, 1)


elu.vjp(input=lambda g, input, alpha, scale: _elu_input(g, input, alpha, scale, 1))


@pointwise(public=False, supports="f", kernel_name="elu_cpu", inplace_grad_fn="CeluBackward1")
def celu(input: Array, alpha: Scalar = 1.0) -> Array:
    """``input`` above 0, ``alpha * (exp(input / alpha) - 1)`` below."""
    return _elu_kernel(input, alpha, 1, 1 / alpha)


celu.vjp(input=lambda g, input, alpha: _elu_input(g, input, alpha, 1, 1 / alpha))


@composite(name="nn.functional.elu")
def _elu(input: Tensor, alpha: float = 1.0, inplace: bool = False) -> Tensor:
    """``input`` above 0, ``alpha * (exp(input) - 1)`` below."""
    return _run(elu, inplace, input, alpha)


def _check_celu(alpha: Any) -> None:
    if alpha == 0:
        raise OpError("ZeroDivisionError: alpha cannot be 0 for CELU")


@composite(name="nn.functional.celu", aliases=("celu",), method=False)
def _celu(input: Tensor, alpha: float = 1.0, inplace: bool = False) -> Tensor:
    """``elu`` with a continuous derivative for every ``alpha``."""
    _check_celu(alpha)
    return _run(celu, inplace, input, alpha)


@composite(name="nn.functional.selu", aliases=("selu",), method=False)
def _selu(input: Tensor, inplace: bool = False) -> Tensor:
    """``elu`` scaled to keep zero mean and unit variance."""
    return _run(elu, inplace, input, SELU_ALPHA, SELU_SCALE)


# -- smooth -------------------------------------------------------------------------------------------------------
@pointwise(name="nn.functional.softplus", supports="f", kernel_name="softplus_cpu")
def softplus(input: Array, beta: Scalar = 1, threshold: Scalar = 20) -> Array:
    """``log(1 + exp(beta * input)) / beta``, and ``input`` itself where ``beta * input`` is above ``threshold``."""
    scaled = input * np.asarray(beta).astype(input.dtype)
    bent = np.log1p(np.exp(np.minimum(scaled, threshold))) / np.asarray(beta).astype(input.dtype)
    return np.where(scaled > threshold, input, bent)


@pointwise(public=False, supports="f", grad_fn="SoftplusBackwardBackward0", numbers=())
def softplus_backward(grad: Array, input: Array, beta: Scalar, threshold: Scalar) -> Array:
    """The derivative of ``softplus`` times ``grad``."""
    scaled = input * np.asarray(beta).astype(input.dtype)
    return np.where(scaled > threshold, grad, grad / (1 + np.exp(-scaled)))


def _softplus_backward_input(g: Tensor, grad: Tensor, input: Tensor, beta: Any, threshold: Any) -> Any:
    scaled = input * beta
    bent = ops.sigmoid_backward(g * grad, ops.sigmoid(scaled))
    return bent * ops.cast(scaled < threshold, g.dtype) * beta


softplus.vjp(input=lambda g, input, beta, threshold: softplus_backward(g, input, beta, threshold))
softplus_backward.vjp(
    grad=lambda g, input, beta, threshold: softplus_backward(g, input, beta, threshold), input=_softplus_backward_input
)


@pointwise(public=False, supports="f", kernel_name="log_sigmoid_cpu", layout="contiguous")
def log_sigmoid(input: Array) -> Array:
    """``log(sigmoid(input))``."""
    return np.minimum(input, 0) - np.log1p(np.exp(-np.abs(input)))


@pointwise(public=False, total=True, grad_fn="LogSigmoidBackwardBackward0")
def log_sigmoid_backward(grad: Array, input: Array) -> Array:
    """``grad`` times the derivative of ``log_sigmoid``."""
    return grad * scipy.special.expit(-input)


def _log_sigmoid_backward_input(g: Any, grad: Any, input: Any) -> Any:
    gate = ops.sigmoid(input)
    return g * grad * gate * (gate - 1)


log_sigmoid.vjp(input=lambda g, input: log_sigmoid_backward(g, input))
log_sigmoid_backward.vjp(grad=lambda g, input: log_sigmoid_backward(g, input), input=_log_sigmoid_backward_input)


@composite(name="nn.functional.logsigmoid")
def _logsigmoid(input: Tensor) -> Tensor:
    """``log(sigmoid(input))``."""
    return log_sigmoid(input)


@pointwise(public=False, supports="fc", kernel_name="silu_cpu")
def silu(input: Array) -> Array:
    """``input * sigmoid(input)``."""
    return input / (1 + np.exp(-input)) if input.dtype.kind == "c" else input * scipy.special.expit(input)


def _silu_input(g: Any, input: Any) -> Any:
    gate = ops.sigmoid(input)
    return g * gate * (1 + input * (1 - gate))


silu.vjp(input=_silu_input)


@composite(name="nn.functional.silu")
def _silu(input: Tensor, inplace: bool = False) -> Tensor:
    """``input * sigmoid(input)``."""
    result = _run(silu, inplace, input)
    refuse_complex_history("silu", result)
    return result


@pointwise(public=False, supports="f", kernel_name="mish_cpu")
def mish(input: Array) -> Array:
    """``input * tanh(softplus(input))``."""
    return input * np.tanh(np.logaddexp(input, 0))


def _mish_input(g: Any, input: Any) -> Any:
    gate = ops.tanh(ops.softplus(input))
    return g * (gate + input * ops.sigmoid(input) * (1 - gate * gate))


mish.vjp(input=_mish_input)


@composite(name="nn.functional.mish")
def _mish(input: Tensor, inplace: bool = False) -> Tensor:
    """``input * tanh(softplus(input))``."""
    return _run(mish, inplace, input)


@pointwise(name="nn.functional.gelu", supports="f", kernel_name="GeluKernelImpl")
def gelu(input: Array, *, approximate: str = "none") -> Array:
    """``input`` times the standard normal distribution function of it, or its approximation by ``"tanh"``."""
    if approximate not in ("none", "tanh"):
        raise OpError("approximate argument must be either none or tanh.")
    if approximate == "tanh":
        return input * 0.5 * (1 + np.tanh(sqrt(2 / pi) * (input + GELU_CUBIC * input * input * input)))
    return input * 0.5 * (1 + scipy.special.erf(input * sqrt(0.5)))


def _gelu_input(g: Any, input: Any, approximate: str) -> Any:
    slope = _gelu_slope_by_tanh(input) if approximate == "tanh" else _gelu_slope(input)
    return sloped(g, slope, "GeluBackwardBackward0")


def _gelu_slope(input: Any) -> Any:
    density = ops.exp(input * input * -0.5) * (1 / sqrt(2 * pi))
    return (ops.erf(input * sqrt(0.5)) + 1) * 0.5 + input * density


def _gelu_slope_by_tanh(input: Any) -> Any:
    squared = input * input
    bend = ops.tanh((input + input * squared * GELU_CUBIC) * sqrt(2 / pi))
    inner_slope = (squared * (3 * GELU_CUBIC) + 1) * sqrt(2 / pi)
    return (bend + 1) * 0.5 + input * (1 - bend * bend) * inner_slope * 0.5


gelu.vjp(input=_gelu_input)


# -- gated --------------------------------------------------------------------------------------------------------
@primitive(name="nn.functional.glu", supports="f", kernel_name="glu_cpu", promote="default")
def glu(input: Array, dim: Dim = -1) -> Array:
    """The first half of ``input`` along ``dim`` times the sigmoid of the second."""
    if input.ndim == 0:
        raise OpError("glu does not support scalars because halving size must be even")
    if input.shape[dim] % 2:
        raise OpError(f"Halving dimension must be even, but dimension {dim} is size {input.shape[dim]}")
    value, gate = np.split(input, 2, axis=dim)
    return value * scipy.special.expit(gate)


def _glu_input(g: Any, input: Any, dim: int) -> Any:
    half = input.shape[dim] // 2
    value, gate = ops.narrow(input, dim, 0, half), ops.sigmoid(ops.narrow(input, dim, half, half))
    return ops.cat([g * gate, g * value * gate * (1 - gate)], dim)


glu.vjp(input=_glu_input)


@pointwise(public=False, supports="f", kernel_name="prelu_cpu", numbers=())
def prelu_kernel(input: Array, weight: Array) -> Array:
    """``input`` above 0, ``weight * input`` below."""
    return np.where(input > 0, input, input * weight)


prelu_kernel.vjp(
    input=lambda g, input, weight: ops.prelu_backward(g, input, weight),
    weight=lambda g, input: ops.where(input > 0, 0, g * input),
)


@pointwise(public=False, numbers=())
def prelu_backward(grad: Array, input: Array, weight: Array) -> Array:
    """``grad`` pulled back through ``prelu`` to its input."""
    return np.where(input > 0, grad, grad * weight)


prelu_backward.vjp(
    grad=lambda g, input, weight: prelu_backward(g, input, weight),
    input=lambda g: ops.zeros_of(g),
    weight=lambda g, grad, input: ops.where(input > 0, 0, g * grad),
)


@composite(aliases=("nn.functional.prelu",))
def prelu(input: Tensor, weight: Tensor) -> Tensor:
    """``input`` above 0, ``weight * input`` below; ``weight`` is one number, or one for each channel (dimension 1)."""
    _check_prelu(input, weight)
    ndim, count = input.array.ndim, weight.array.size
    if weight.array.ndim != ndim:
        weight = ops.reshape(weight, [count if dim == 1 else 1 for dim in range(ndim)] if ndim > 1 else [1] * ndim)
    return prelu_kernel(input, weight)


def _check_prelu(input: Tensor, weight: Tensor) -> None:
    shape, count = input.array.shape, weight.array.size
    if input.dtype is not weight.dtype:
        raise OpError(
            f"prelu: Type promoting not supported. Got {input.dtype.scalar_type} and {weight.dtype.scalar_type}"
        )
    if count != 1 and not shape:
        raise OpError("Not allow zero-dim input tensor.")
    channels = shape[1] if len(shape) > 1 else 1
    if count not in (1, channels):
        raise OpError(
            f"Mismatch of parameter numbers and input channel size. Found parameter numbers = {count} and channel size "
            f"= {channels}."
        )
    if weight.array.ndim > 1:
        raise OpError(f"prelu: Expected `weight` to be a scalar or 1D tensor, but got: ndim = {weight.array.ndim}")


# -- in-place functions -------------------------------------------------------------------------------------------
@composite(name="nn.functional.celu_", aliases=("celu_",))
def _celu_(input: Tensor, alpha: float = 1.0) -> Tensor:
    """``celu`` of the tensor itself."""
    _check_celu(alpha)
    return celu.inplace(input, alpha)


@composite(name="nn.functional.selu_", aliases=("selu_",))
def _selu_(input: Tensor) -> Tensor:
    """``selu`` of the tensor itself."""
    return elu.inplace(input, SELU_ALPHA, SELU_SCALE)


for _name, _op in (("elu", elu), ("hardtanh", hardtanh), ("leaky_relu", leaky_relu)):
    registry.add_function(f"nn.functional.{_name}_", _op.inplace)
for _name, _op in (("relu", relu), ("threshold", registry.op("threshold"))):
    registry.add_function(f"{_name}_", _op.inplace)
    registry.add_function(f"nn.functional.{_name}_", _op.inplace)
