"""Normalisation: of layers, groups, batches, instances, by root mean squares and by neighbouring channels.

All but the last two are one map: values minus their mean, over their standard deviation, along some dimensions.
"""

from __future__ import annotations

from math import prod
from typing import Any

import numpy as np

from engine import dtypes, modes, ops
from engine.errors import ArgumentTypeError, ArgumentValueError, OpError, UnsupportedError
from engine.kernels import normalization as kernels
from engine.op import Array, Dims, Size, composite, extents, primitive, type_name
from engine.ops.nn.reduction import refuse_grad
from engine.tensor import Tensor, from_array


# -- standardisation ----------------------------------------------------------------------------------------------
# What a recorded derivative consists of; one that is not recorded is a kernel for all inputs together.
@primitive(public=False, total=True, nondifferentiable=("mean", "rstd"))
def standardized(input: Array, mean: Array, rstd: Array, dims: Dims, eps: float) -> Array:
    """``(input - mean) * rstd``. Both are functions of ``input``, known to the caller already."""
    return np.asarray((input - mean) * rstd)


standardized.vjp(
    input=lambda g, input, mean, rstd, dims, eps: ops.standardized_backward(g, input, mean, rstd, dims, eps)
)


@primitive(public=False, total=True, nondifferentiable=("mean", "rstd"))
def standardized_backward(grad: Array, input: Array, mean: Array, rstd: Array, dims: Dims, eps: float) -> Array:
    """``grad`` pulled back through ``standardized``: what is left of it beside the constant and ``input`` itself."""
    normal = (input - mean) * rstd
    count = grad.dtype.type(max(prod(input.shape[dim] for dim in dims), 1))
    along_one = np.sum(grad, axis=dims, keepdims=True) / count
    along_normal = np.sum(grad * normal, axis=dims, keepdims=True) / count
    return np.asarray(rstd * (grad - along_one - normal * along_normal))


def _standardized_curvature(g: Any, grad: Any, input: Any, dims: Any, eps: float) -> Any:
    """The cotangent of ``input``, from the product of ``g`` with the map above, which is symmetric.

    That product is ``n rstd (<g grad> - <g> <grad> - <g x> <grad x>)``, with ``x`` for ``input`` standardised and
    ``<>`` for means over ``n`` elements.
    """
    mean = input.mean(dims, True)
    centred = input - mean
    rstd = ops.reciprocal(ops.sqrt((centred * centred).mean(dims, True) + eps))
    normal = centred * rstd
    first, second = (grad * normal).mean(dims, True), (g * normal).mean(dims, True)
    product = (g * grad).mean(dims, True) - g.mean(dims, True) * grad.mean(dims, True) - first * second
    through_grad = standardized_backward(grad, input, mean, rstd, dims, eps)
    through_g = standardized_backward(g, input, mean, rstd, dims, eps)
    return -(rstd * rstd * normal * product) - rstd * (second * through_grad + first * through_g)


standardized_backward.vjp(
    grad=lambda g, input, mean, rstd, dims, eps: standardized_backward(g, input, mean, rstd, dims, eps),
    input=_standardized_curvature,
)


def _require_floating(dtype: dtypes.DType, kernel: str) -> None:
    if not dtype.is_floating_point:
        raise UnsupportedError(f"\"{kernel}\" not implemented for '{dtype.scalar_type}'")


def _check_mixed(input: Tensor, *parameters: Tensor | None) -> None:
    """Parameters are of the input's dtype, or all float32 beside an input of 16 bits."""
    given = [one for one in parameters if one is not None]
    own = input.array.dtype
    for one in given:
        if one.array.dtype is not own:
            break
    else:
        return
    if all(one.dtype is input.dtype for one in given):
        return
    if given[0].dtype is input.dtype:
        other = next(one.dtype for one in given if one.dtype is not input.dtype)
        raise OpError(f"expected scalar type {input.dtype.scalar_type} but found {other.scalar_type}")
    if any(one.dtype is not dtypes.float32 for one in given):
        raise OpError("mixed dtype (CPU): expect parameter to have scalar type of Float")
    if input.dtype.opmath is input.dtype:
        raise OpError("mixed dtype (CPU): all inputs must share same datatype.")


# -- layers -------------------------------------------------------------------------------------------------------
def _check_shape(shape: tuple[int, ...], normalized: Any, comma: str) -> None:
    if not normalized:
        raise OpError(
            "Expected normalized_shape to be at least 1-dimensional, i.e., containing at least one element, but got "
            "normalized_shape = []"
        )
    if shape[-len(normalized) :] != tuple(normalized):
        extents = ", ".join(str(extent) for extent in normalized)
        raise OpError(
            f"Given normalized_shape={list(normalized)}, expected input with shape [*{comma}{extents}], but got input "
            f"of size{list(shape)}"
        )


def _check_affine(normalized: Any, **tensors: Tensor | None) -> None:
    wanted = tuple(normalized)
    for name, tensor in tensors.items():
        if tensor is not None and tensor.array.shape != wanted:
            raise OpError(
                f"Expected {name} to be of same shape as normalized_shape, but got {name} of shape "
                f"{list(tensor.array.shape)} and normalized_shape = {list(normalized)}"
            )


def _check_layer(input: Tensor, normalized_shape: Any, weight: Tensor | None, bias: Tensor | None) -> None:
    if not normalized_shape:
        _check_shape((), normalized_shape, ", ")
    _check_affine(normalized_shape, weight=weight, bias=bias)
    _check_shape(input.array.shape, normalized_shape, ", ")
    _check_mixed(input, weight, bias)


def _layer_dims(shape: Any, normalized_shape: Any) -> tuple[int, ...]:
    return tuple(range(len(shape) - len(normalized_shape), len(shape)))


@primitive(
    public=False,
    total=True,
    outputs=("out", "mean", "rstd"),
    grad_fn="NativeLayerNormBackward0",
    check=_check_layer,
    scratch=3,
)
def layer_norm_stats(
    input: Array, normalized_shape: Size, weight: Array | None, bias: Array | None, eps: float
) -> tuple[Array, Array, Array]:
    """The last dimensions standardised, then scaled and shifted; and the statistics."""
    _require_floating(dtypes.of(input), "LayerNormKernelImpl")
    scale, shift = (None if t is None else t.reshape(-1) for t in (weight, bias))
    return kernels.of_rows(input, len(normalized_shape), scale, shift, eps)


@primitive(
    public=False, total=True, outputs=("input_grad", "weight_grad", "bias_grad"),
    nondifferentiable=("grad", "input", "weight", "mean", "rstd"),
)  # fmt: skip
def layer_norm_backward(
    grad: Array, input: Array, weight: Array | None, mean: Array, rstd: Array, normalized_shape: Size
) -> tuple[Array, Array, Array]:
    """The cotangents of what ``layer_norm_stats`` takes."""
    scale = None if weight is None else weight.reshape(-1)
    result, by_weight, by_bias = kernels.rows_adjoint(grad, input, scale, mean, rstd)
    if len(normalized_shape) > 1:
        return result, by_weight.reshape(normalized_shape), by_bias.reshape(normalized_shape)
    return result, by_weight, by_bias


def _layer_input(g: Any, input: Any, weight: Any, mean: Any, rstd: Any, normalized_shape: Any, eps: float) -> Any:
    scaled = g if weight is None else g * weight
    return standardized_backward(scaled, input, mean, rstd, _layer_dims(input.shape, normalized_shape), eps)


def _layer_weight(g: Any, input: Any, mean: Any, rstd: Any, normalized_shape: Any, eps: float) -> Any:
    return g * standardized(input, mean, rstd, _layer_dims(input.shape, normalized_shape), eps)


def _layer_grads(
    g: Any, input: Any, weight: Any, mean: Any, rstd: Any, normalized_shape: Any, eps: float, needs: Any
) -> tuple[Any, Any, Any]:
    if not modes.is_grad_enabled():
        return layer_norm_backward(g, input, weight, mean, rstd, normalized_shape)
    return (
        _layer_input(g, input, weight, mean, rstd, normalized_shape, eps) if needs[0] else None,
        _layer_weight(g, input, mean, rstd, normalized_shape, eps) if needs[1] else None,
        g if needs[2] else None,
    )


layer_norm_stats.vjp_joint(_layer_grads)


@composite(method=False)
def native_layer_norm(
    input: Tensor, normalized_shape: Any, weight: Tensor | None, bias: Tensor | None, eps: float
) -> tuple[Tensor, Tensor, Tensor]:
    """``layer_norm`` with the means and reciprocal standard deviations, which carry no graph."""
    out, mean, rstd = layer_norm_stats(input, normalized_shape, weight, bias, eps)
    return out, mean.detach(), rstd.detach()


@composite(name="nn.functional.layer_norm", aliases=("layer_norm",), method=False)
def _layer_norm(
    input: Tensor, normalized_shape: Any, weight: Tensor | None = None, bias: Tensor | None = None, eps: float = 1e-5
) -> Tensor:
    """The last dimensions, of extents ``normalized_shape``, standardised, then scaled and shifted."""
    return layer_norm_stats(input, _listed("layer_norm", normalized_shape), weight, bias, eps)[0]


def _listed(name: str, normalized_shape: Any) -> Any:
    if not isinstance(normalized_shape, list | tuple):
        raise ArgumentTypeError(
            f"{name}(): argument 'normalized_shape' (position 2) must be tuple of ints, not "
            f"{type(normalized_shape).__name__}"
        )
    return normalized_shape


@composite(name="nn.functional.rms_norm", aliases=("rms_norm",), method=False)
def _rms_norm(input: Tensor, normalized_shape: Any, weight: Tensor | None = None, eps: float | None = None) -> Tensor:
    """The last dimensions over the root of their mean square, then scaled (Zhang and Sennrich, 2019, eq. 4)."""
    if not input.dtype.is_differentiable:
        raise UnsupportedError(f"\"rms_norm\" not implemented for '{input.dtype.scalar_type}'")
    normalized = _listed("rms_norm", normalized_shape)
    if normalized:
        _check_affine(normalized, weight=weight)
    _check_shape(input.array.shape, normalized, "")
    wide: Any = _cast(input, input.dtype.opmath)
    if eps is None:
        eps = float(np.finfo(dtypes.to_real(input.dtype.opmath).numpy).eps)
    squares = ops.mean(ops.pow(wide, 2), _layer_dims(input.array.shape, normalized), True)
    result = wide * ops.rsqrt(ops.add_number(squares, eps))
    if weight is not None:
        result = result * _cast(weight, input.dtype.opmath)
    return _cast(result, input.dtype)


def _cast(input: Tensor, dtype: dtypes.DType) -> Tensor:
    return input if input.dtype is dtype else ops.cast(input, dtype)


# -- groups -------------------------------------------------------------------------------------------------------
UNEQUAL = (
    "Expected X.numel() == N * C * HxW to be true, but got false.  (Could this error message be improved?  If so, "
    "please report an enhancement request to PyTorch.)"
)


def _check_group(
    input: Tensor, weight: Tensor | None, bias: Tensor | None, N: int, C: int, HxW: int, group: int
) -> None:  # fmt: skip
    shape = list(input.array.shape)
    if group <= 0:
        raise OpError(f"Expected num groups to be greater than 0, got {group}")
    if C % group:
        raise OpError(
            "Expected number of channels in input to be divisible by num_groups, but got input of shape "
            f"{shape} and num_groups={group}"
        )
    for name, tensor in (("weight", weight), ("bias", bias)):
        if tensor is not None and tensor.array.shape != (C,):
            raise OpError(
                f"Expected {name} to be a vector of size equal to the number of channels in input, but got {name} of "
                f"shape {list((tensor if weight is None else weight).array.shape)} and input of shape {shape}"
            )  # PyTorch shows the shape of the weight for both
    _check_mixed(input, weight, bias)
    _require_floating(input.dtype, "GroupNormKernelImpl")
    if input.array.size != N * C * HxW:
        raise OpError(UNEQUAL)


def _channels(ndim: int) -> tuple[int, ...]:
    """The shape of one number for each channel, for ``reshape``."""
    return (1, -1) + (1,) * (ndim - 2)


@primitive(
    method=False, total=True, outputs=("out", "mean", "rstd"), check=_check_group,
    scratch=lambda input, N, group: 3 * extents(input) + 4 * N * group,
)  # fmt: skip
def native_group_norm(
    input: Array, weight: Array | None, bias: Array | None, N: int, C: int, HxW: int, group: int, eps: float
) -> tuple[Array, Array, Array]:
    """Groups of channels standardised, then scaled and shifted by channel; and the statistics."""
    _require_floating(dtypes.of(input), "GroupNormKernelImpl")
    scale, shift = [None if t is None else t.reshape(1, group, C // group, 1) for t in (weight, bias)]
    out, mean, rstd = kernels.of_channels(input.reshape(N, group, C // group, HxW), scale, shift, 2, eps)
    return out.reshape(input.shape), mean.reshape(N, group), rstd.reshape(N, group)


@primitive(
    public=False, total=True, outputs=("input_grad", "weight_grad", "bias_grad"),
    nondifferentiable=("grad", "input", "weight", "mean", "rstd"), scratch=3,
)  # fmt: skip
def channel_norm_backward(
    grad: Array, input: Array, weight: Array | None, mean: Array, rstd: Array, groups: int
) -> tuple[Array, Array, Array]:
    """The cotangents of what is standardised in ``groups`` of channels, or, with 0 of these, over the batch."""
    batch, channels, *extents = input.shape
    shape = (batch, max(groups, 1), channels // max(groups, 1), prod(extents))
    own = (batch, groups, 1, 1) if groups else (1, 1, channels, 1)
    scale = None if weight is None else weight.reshape(1, *shape[1:3], 1)
    result, by_weight, by_bias = kernels.channels_adjoint(
        grad.reshape(shape), input.reshape(shape), scale, mean.reshape(own), rstd.reshape(own), 2 if groups else 0
    )
    return result.reshape(input.shape), by_weight.reshape(channels), by_bias.reshape(channels)


def _grouped(tensor: Any, mean: Any) -> Any:
    batch, groups = mean.shape
    extent = tensor.array.size // (batch * groups) if batch * groups else 0
    return ops.reshape(tensor, (batch, groups, extent))


def _group_input(cotangents: Any, g: Any, input: Any, weight: Any, mean: Any, rstd: Any, eps: float) -> Any:
    scaled = g if weight is None else g * ops.reshape(weight, _channels(input.ndim))
    wide, own = _grouped(scaled, mean), _grouped(input, mean)
    means, rstds = ops.unsqueeze(mean.detach(), 2), ops.unsqueeze(rstd.detach(), 2)
    pulled = standardized_backward(wide, own, means, rstds, (2,), eps)
    count = max(own.shape[2], 1)
    if cotangents[1] is not None:
        pulled = pulled + ops.unsqueeze(cotangents[1], 2) / count
    if cotangents[2] is not None:
        slopes = standardized(own, means, rstds, (2,), eps) * (ops.unsqueeze(rstd * rstd, 2) / count)
        pulled = pulled - ops.unsqueeze(cotangents[2], 2) * slopes
    return ops.reshape(pulled, input.shape)


def _group_weight(g: Any, input: Any, mean: Any, rstd: Any, eps: float) -> Any:
    statistic = (ops.unsqueeze(mean.detach(), 2), ops.unsqueeze(rstd.detach(), 2))
    return _by_channel(g * ops.reshape(standardized(_grouped(input, mean), *statistic, (2,), eps), input.shape))


def _group_grads(
    cotangents: Any, g: Any, input: Any, weight: Any, mean: Any, rstd: Any, eps: float, group: int, needs: Any
) -> tuple[Any, Any, Any]:
    if not (modes.is_grad_enabled() or any(one is not None for one in cotangents[1:]) or input.array.ndim < 2):
        return channel_norm_backward(g, input, weight, mean, rstd, group)
    return (
        _group_input(cotangents, g, input, weight, mean, rstd, eps) if needs[0] else None,
        _group_weight(g, input, mean, rstd, eps) if needs[1] else None,
        _by_channel(g) if needs[2] else None,
    )


def _by_channel(values: Any) -> Any:
    """Sums over all but the channels."""
    return ops.sum(values, tuple(dim for dim in range(values.ndim) if dim != 1))


native_group_norm.vjp_joint(_group_grads)


@composite(name="nn.functional.group_norm", aliases=("group_norm",), method=False)
def _group_norm(
    input: Tensor, num_groups: int, weight: Tensor | None = None, bias: Tensor | None = None, eps: float = 1e-5
) -> Tensor:
    """Groups of channels (dimension 1) standardised, then scaled and shifted by channel."""
    shape = input.array.shape
    if len(shape) < 2:
        raise OpError(f"Expected at least 2 dimensions for input tensor but received {len(shape)}")
    if num_groups <= 0:
        raise OpError(f"Expected num groups to be greater than 0, got {num_groups}")
    _check_batch_size([shape[0] * shape[1] // num_groups, num_groups, *shape[2:]])
    sizes = (shape[0], shape[1], prod(shape[2:]))
    return native_group_norm(input, weight, bias, *sizes, num_groups, eps)[0]


def _check_batch_size(shape: Any) -> None:
    if prod([shape[0], *shape[2:]]) == 1:
        raise ArgumentValueError(f"Expected more than 1 value per channel when training, got input size {shape}")


# -- batches ------------------------------------------------------------------------------------------------------
def _batch_dims(ndim: int) -> tuple[int, ...]:
    return tuple(dim for dim in range(ndim) if dim != 1)


def _batch_norm(input: Array, weight: Array | None, bias: Array | None, eps: float) -> tuple[Array, Array, Array]:
    _require_floating(dtypes.of(input), "batch_norm")
    batch, channels, *extents = input.shape
    scale, shift = [None if t is None else t.reshape(1, 1, channels, 1) for t in (weight, bias)]
    out, mean, rstd = kernels.of_channels(input.reshape(batch, 1, channels, prod(extents)), scale, shift, 0, eps)
    return out.reshape(input.shape), mean.reshape(channels), rstd.reshape(channels)


def _batch_norm_by(
    input: Array, weight: Array | None, bias: Array | None, mean: Array, variance: Array, eps: float
) -> Array:
    _require_floating(dtypes.of(input), "batch_norm")
    by_channel = [None if t is None else t.reshape(_channels(input.ndim)) for t in (weight, bias)]
    normal = (input - mean.reshape(_channels(input.ndim))) / np.sqrt(variance + eps).reshape(_channels(input.ndim))
    weight, bias = by_channel
    scaled = normal if weight is None else normal * weight
    return (scaled if bias is None else scaled + bias).astype(input.dtype, copy=False)


@primitive(public=False, total=True, outputs=("out", "mean", "rstd"), grad_fn="NativeBatchNormBackward0", scratch=3)
def batch_norm_train(input: Array, weight: Array | None, bias: Array | None, eps: float) -> tuple[Array, Array, Array]:
    """Channels standardised over the batch, then scaled and shifted; and the statistics."""
    return _batch_norm(input, weight, bias, eps)


@primitive(public=False, total=True, outputs=("out", "mean", "rstd"), grad_fn="NativeBatchNormLegitBackward0")
def batch_norm_train_legit(
    input: Array, weight: Array | None, bias: Array | None, eps: float
) -> tuple[Array, Array, Array]:
    """The same under PyTorch's other name."""
    return _batch_norm(input, weight, bias, eps)


@primitive(
    public=False, total=True, nondifferentiable=("mean", "variance"), grad_fn="NativeBatchNormBackward0",
    scratch=2.5,
)  # fmt: skip
def batch_norm_eval(
    input: Array, weight: Array | None, bias: Array | None, mean: Array, variance: Array, eps: float
) -> Array:
    """Channels standardised by statistics given, then scaled and shifted."""
    return _batch_norm_by(input, weight, bias, mean, variance, eps)


@primitive(
    public=False, total=True, nondifferentiable=("mean", "variance"), grad_fn="NativeBatchNormLegitBackward0",
    scratch=2.5,
)  # fmt: skip
def batch_norm_eval_legit(
    input: Array, weight: Array | None, bias: Array | None, mean: Array, variance: Array, eps: float
) -> Array:
    """The same under PyTorch's other name."""
    return _batch_norm_by(input, weight, bias, mean, variance, eps)


def _channel_shaped(tensor: Any, ndim: int) -> Any:
    return ops.reshape(tensor, _channels(ndim))


def _train_input(g: Any, input: Any, weight: Any, mean: Any, rstd: Any, eps: float) -> Any:
    scaled = g if weight is None else g * _channel_shaped(weight, input.ndim)
    statistic = (_channel_shaped(mean.detach(), input.ndim), _channel_shaped(rstd.detach(), input.ndim))
    return standardized_backward(scaled, input, *statistic, _batch_dims(input.ndim), eps)


def _train_weight(g: Any, input: Any, mean: Any, rstd: Any, eps: float) -> Any:
    statistic = (_channel_shaped(mean.detach(), input.ndim), _channel_shaped(rstd.detach(), input.ndim))
    return _by_channel(g * standardized(input, *statistic, _batch_dims(input.ndim), eps))


def _eval_input(g: Any, input: Any, weight: Any, variance: Any, eps: float) -> Any:
    """``input`` has no part in it, but for the zeros it gets as its second derivative."""
    rstd = ops.rsqrt(variance + eps)
    slope = rstd if weight is None else rstd * weight
    return g * _channel_shaped(slope, input.ndim)


def _eval_weight(g: Any, input: Any, mean: Any, variance: Any, eps: float) -> Any:
    rstd = _channel_shaped(ops.rsqrt(variance + eps), input.ndim)
    return _by_channel(g * ((input - _channel_shaped(mean, input.ndim)) * rstd))


def _train_grads(g: Any, input: Any, weight: Any, mean: Any, rstd: Any, eps: float, needs: Any) -> tuple[Any, Any, Any]:
    if not modes.is_grad_enabled():
        return channel_norm_backward(g, input, weight, mean, rstd, 0)
    return (
        _train_input(g, input, weight, mean, rstd, eps) if needs[0] else None,
        _train_weight(g, input, mean, rstd, eps) if needs[1] else None,
        _by_channel(g) if needs[2] else None,
    )


for _op in (batch_norm_train, batch_norm_train_legit):
    _op.vjp_joint(_train_grads)
for _op in (batch_norm_eval, batch_norm_eval_legit):
    _op.vjp(input=_eval_input, weight=_eval_weight, bias=lambda g: _by_channel(g))


def _check_channels(input: Tensor, **tensors: Tensor | None) -> None:
    channels = input.array.shape[1] if input.array.ndim > 1 else 0
    for name, tensor in tensors.items():
        if tensor is not None and not isinstance(tensor, Tensor):
            raise ArgumentTypeError(f"batch_norm(): argument '{name}' must be Tensor, not {type_name(tensor)}")
        if tensor is not None and tensor.array.size != channels:
            raise OpError(f"{name} should contain {channels} elements not {tensor.array.size}")


def _update_running(running: Tensor | None, fresh: Any, momentum: float) -> None:
    if running is not None:
        version = running.storage.version
        with modes.no_grad():
            running.copy_(fresh() * momentum + running * (1 - momentum))
        running.storage.version = version  # PyTorch counts no write here


def _batch(
    train: Any, evaluate: Any, input: Any, weight: Any, bias: Any, mean: Any, variance: Any, training: bool,
    momentum: float, eps: float,
) -> tuple[Tensor, Tensor, Tensor]:  # fmt: skip
    """One batch; while training its statistics count, and go into the running ones."""
    _check_running(input, mean, variance, weight, bias, training)
    name = "_native_batch_norm_legit" if train is batch_norm_train_legit else "native_batch_norm"
    refuse_grad(name, running_mean=mean, running_var=variance)
    if input.dtype.is_floating_point:  # of others there is no kernel
        _check_mixed(input, weight, bias, mean, variance)
    if not training:
        nothing = [from_array(np.empty(0, input.array.dtype)) for _ in range(2)]
        return evaluate(input, weight, bias, mean, variance, eps), *nothing
    out, own_mean, rstd = train(input, weight, bias, eps)
    _update_running(mean, lambda: own_mean, momentum)
    _update_running(variance, lambda: ops.var(input, _batch_dims(input.ndim), correction=1), momentum)
    return out, own_mean, rstd


def _check_running(
    input: Tensor, mean: Tensor | None, variance: Tensor | None, weight: Tensor | None, bias: Tensor | None,
    training: bool,
) -> None:  # fmt: skip
    for name, tensor in (("running_mean", mean), ("running_var", variance)):
        if tensor is None and not training:
            raise OpError(f"{name} must be defined in evaluation mode")
    _check_channels(input, running_mean=mean, running_var=variance, weight=weight, bias=bias)


@composite(method=False)
def native_batch_norm(
    input: Tensor, weight: Tensor | None, bias: Tensor | None, running_mean: Tensor | None,
    running_var: Tensor | None, training: bool, momentum: float, eps: float,
) -> tuple[Tensor, Tensor, Tensor]:  # fmt: skip
    """``batch_norm`` with the statistics of the batch, which carry no graph."""
    _require_floating(input.dtype, "batch_norm")
    settings: Any = (running_mean, running_var, training, momentum, eps)
    return _detached(*_batch(batch_norm_train, batch_norm_eval, input, weight, bias, *settings))


@composite(method=False)
def _native_batch_norm_legit(
    input: Tensor, weight: Tensor | None, bias: Tensor | None, running_mean: Any, running_var: Any, training: Any,
    momentum: float | None = None, eps: float | None = None,
) -> tuple[Tensor, Tensor, Tensor]:  # fmt: skip
    """The same; without running statistics: ``(input, weight, bias, training, momentum, eps)``."""
    if momentum is None:
        running_mean, running_var, training, momentum, eps = None, None, running_mean, running_var, training
    settings: Any = (running_mean, running_var, training, momentum, eps)
    return _detached(*_batch(batch_norm_train_legit, batch_norm_eval_legit, input, weight, bias, *settings))


def _detached(out: Tensor, mean: Tensor, rstd: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """The results of a batch with statistics that carry no graph."""
    return out, mean.detach(), rstd.detach()


@composite(name="nn.functional.batch_norm")
def _functional_batch_norm(
    input: Tensor, running_mean: Tensor | None, running_var: Tensor | None, weight: Tensor | None = None,
    bias: Tensor | None = None, training: bool = False, momentum: float = 0.1, eps: float = 1e-5,
) -> Tensor:  # fmt: skip
    """Channels (dimension 1) standardised over the batch, or by running statistics, then scaled and shifted.

    While ``training``, the running statistics move towards those of the batch by ``momentum``.
    """
    if training and input.array.ndim:
        _check_batch_size_of(input)
    if training and eps <= 0:
        raise ArgumentValueError(f"batch_norm eps must be positive during training, but got {eps}")
    if eps < 0:
        raise ArgumentValueError(f"batch_norm eps must be non-negative, but got {eps}")
    if input.array.size == 0:
        return _empty_batch(input, weight, bias)
    settings: Any = (running_mean, running_var, training, momentum, eps)
    return _batch(batch_norm_train, batch_norm_eval, input, weight, bias, *settings)[0]


def _check_batch_size_of(input: Tensor) -> None:
    shape = input.array.shape
    if prod([shape[0], *shape[2:]]) == 1:
        raise ArgumentValueError(f"Expected more than 1 value per channel when training, got input size {input.shape}")


def _empty_batch(input: Tensor, weight: Any, bias: Any) -> Tensor:
    out = ops.clone(input)
    out = out if weight is None else out * weight[0]
    return out if bias is None else out + bias[0]


# -- instances ----------------------------------------------------------------------------------------------------
@composite(name="nn.functional.instance_norm")
def _instance_norm(
    input: Tensor, running_mean: Tensor | None = None, running_var: Tensor | None = None,
    weight: Tensor | None = None, bias: Tensor | None = None, use_input_stats: bool = True, momentum: float = 0.1,
    eps: float = 1e-5,
) -> Tensor:  # fmt: skip
    """Every channel of every sample standardised by itself, then scaled and shifted by channel."""
    shape = input.array.shape
    if use_input_stats and prod(shape[2:]) == 1:
        raise ArgumentValueError(f"Expected more than 1 spatial element when training, got input size {input.shape}")
    if not use_input_stats and (running_mean is None or running_var is None):
        raise OpError("Expected running_mean and running_var to be defined when use_input_stats is false")
    batch, channels, *rest = shape
    repeated = [None if t is None else ops.repeat(t, (batch,)) for t in (weight, bias, running_mean, running_var)]
    flat = ops.view(ops.contiguous(input), (1, batch * channels, *rest))
    out = native_batch_norm(flat, *repeated, use_input_stats, momentum, eps)[0]
    for running, moved in ((running_mean, repeated[2]), (running_var, repeated[3])):
        if running is not None and use_input_stats:
            with modes.no_grad():
                running.copy_(ops.mean(ops.view(moved, (batch, channels)), (0,)))
    return ops.view(out, shape)
