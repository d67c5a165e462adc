"""Losses that compare two tensors element by element."""

from __future__ import annotations

from math import log, pi
from typing import Any

import numpy as np

from engine import modes, ops
from engine.autograd import inplace
from engine.dtypes import COMPLEX, FLOATING, DType, of
from engine.errors import ArgumentTypeError, ArgumentValueError, MissingAttributeError, OpError, UnsupportedError
from engine.op import Array, Scalar, composite, pointwise, primitive
from engine.ops.math.complex_histories import refuse_complex_history
from engine.ops.nn import reduction as reductions
from engine.ops.nn.activation import sloped
from engine.ops.nn.reduction import reduced, refuse_grad, refuse_mixed, share
from engine.tensor import Tensor, read

LEAST_LOG = -100.0  # what binary_cross_entropy takes for the logarithm of zero
LEAST_VARIANCE = 1e-12  # of a Bernoulli variable, in the derivative of binary_cross_entropy


# -- what they share ----------------------------------------------------------------------------------------------
def _broadcast(input: Tensor, target: Any) -> tuple[Tensor, Tensor]:
    """Both with one shape; other than equal shapes are probably a mistake, of which the user is told."""
    if not isinstance(target, Tensor):
        raise MissingAttributeError(f"'{type(target).__name__}' object has no attribute 'size'")
    if input.array.shape == target.array.shape:
        return input, target
    modes.warn(
        f"Using a target size ({target.shape}) that is different to the input size ({input.shape}). This will likely "
        "lead to incorrect results due to broadcasting. Please ensure they have the same size."
    )
    first, second = ops.broadcast_tensors(input, target)
    return first, second


def _weighted(losses: Tensor, weight: Tensor, reduction: str, by_weight: bool) -> Tensor:
    """Losses times weights, reduced; the mean ``by_weight`` divides by the sum of the weights."""
    if reduction not in reductions.REDUCTIONS:
        raise ArgumentValueError(f"Invalid reduction mode: {reduction}. Expected one of 'none', 'mean', 'sum'.")
    weighted = losses * weight
    if reduction == "mean" and by_weight:
        return ops.sum(weighted) / ops.sum(weight)
    return reductions.apply(weighted, reduction)


def _check_weight(input: Tensor, weight: Tensor) -> None:
    if weight.array.shape != input.array.shape:
        raise ArgumentValueError("Weights and input must have the same size.")


# -- distances between input and target ---------------------------------------------------------------------------
@primitive(public=False, promote="default", supports="f", kernel_name="mse_cpu", layout="operands")
def mse_loss(input: Array, target: Array, reduction: str) -> Array:
    """Squared differences."""
    return reduced(np.square(input - target), reduction)


def _mse_slope(g: Any, input: Any, target: Any, reduction: str) -> Any:
    return sloped(share(g, reduction, input.shape), (input - target) * 2, "MseLossBackwardBackward0")


mse_loss.vjp(
    input=_mse_slope,
    target=lambda g, input, target, reduction: _mse_slope(g, target, input, reduction),
)


@composite(name="nn.functional.mse_loss")
def _mse_loss(
    input: Tensor, target: Any, size_average: bool | None = None, reduce: bool | None = None,
    reduction: str = "mean", weight: Tensor | None = None,
) -> Tensor:  # fmt: skip
    """Squared differences; weighted, their mean is divided by the sum of the weights."""
    first, second = _broadcast(input, target)
    if weight is not None:
        _check_weight(input, weight)
        return _weighted(ops.pow(first - second, 2), weight, reduction, True)
    return mse_loss(first, second, reductions.chosen(reduction, size_average, reduce))


@composite(name="nn.functional.l1_loss")
def _l1_loss(
    input: Tensor, target: Any, size_average: bool | None = None, reduce: bool | None = None,
    reduction: str = "mean", weight: Tensor | None = None,
) -> Tensor:  # fmt: skip
    """Absolute differences; weighted, their mean is divided by the sum of the weights."""
    first, second = _broadcast(input, target)
    if weight is not None:
        _check_weight(input, weight)
        return _weighted(ops.abs(first - second), weight, reduction, True)
    return reductions.apply(ops.abs(first - second), reductions.chosen(reduction, size_average, reduce))


@primitive(
    public=False, promote="default", supports="f", kernel_name="smooth_l1_cpu", grad_fn="SmoothL1LossBackward0",
    layout="operands",
)  # fmt: skip
def smooth_l1_loss(input: Array, target: Array, reduction: str, beta: float) -> Array:
    """Absolute differences, rounded off to a parabola below ``beta`` (Girshick, Fast R-CNN, 2015, eq. 3)."""
    distance = np.abs(input - target)
    return reduced(np.where(distance < beta, 0.5 * distance * distance / beta, distance - 0.5 * beta), reduction)


def _smooth_l1_slope(g: Any, input: Any, target: Any, reduction: str, beta: float) -> Any:
    difference = input - target
    slope = ops.where(ops.abs(difference) >= beta, ops.sign(difference), difference / beta)
    return sloped(share(g, reduction, input.shape), slope, "SmoothL1LossBackwardBackward0")


smooth_l1_loss.vjp(
    input=_smooth_l1_slope,
    target=lambda g, input, target, reduction, beta: _smooth_l1_slope(g, target, input, reduction, beta),
)


@composite(name="nn.functional.smooth_l1_loss")
def _smooth_l1_loss(
    input: Tensor, target: Any, size_average: bool | None = None, reduce: bool | None = None,
    reduction: str = "mean", beta: float = 1.0,
) -> Tensor:  # fmt: skip
    """Absolute differences, rounded off to a parabola below ``beta``."""
    chosen = reductions.chosen(reduction, size_average, reduce)
    first, second = _broadcast(input, target)
    if beta < 0:
        raise OpError("smooth_l1_loss does not support negative values for beta.")
    if beta == 0:
        return reductions.apply(ops.abs(first - second), chosen)
    return smooth_l1_loss(first, second, chosen, beta)


@primitive(public=False, promote="default", supports="f", kernel_name="huber_cpu", layout="input")
def huber_loss(input: Array, target: Array, reduction: str, delta: float) -> Array:
    """Half the squared difference up to ``delta``, linear beyond (Huber, 1964)."""
    distance = np.abs(input - target)
    losses = np.where(distance <= delta, 0.5 * distance * distance, delta * (distance - 0.5 * delta))
    return reduced(losses, reduction)


def _huber_slope(g: Any, input: Any, target: Any, reduction: str, delta: float) -> Any:
    difference = input - target
    slope = ops.where(ops.abs(difference) >= delta, ops.sign(difference) * delta, difference)
    return sloped(share(g, reduction, input.shape), slope, "HuberLossBackwardBackward0")


def _huber_input(g: Any, input: Any, target: Any, reduction: str, delta: float) -> Any:
    refuse_mixed(input, target)
    return _huber_slope(g, input, target, reduction, delta)


def _huber_target(g: Any, input: Any, target: Any, reduction: str, delta: float) -> Any:
    refuse_mixed(input, target)
    return _huber_slope(g, target, input, reduction, delta)


huber_loss.vjp(input=_huber_input, target=_huber_target)


@composite(name="nn.functional.huber_loss")
def _huber_loss(
    input: Tensor, target: Any, reduction: str = "mean", delta: float = 1.0, weight: Tensor | None = None
) -> Tensor:
    """Half the squared difference up to ``delta``, linear beyond."""
    first, second = _broadcast(input, target)
    if weight is not None:
        _check_weight(input, weight)
    chosen = reductions.chosen(reduction) if weight is None else "none"
    if delta <= 0:
        raise OpError("huber_loss does not support non-positive values for delta.")
    losses = huber_loss(first, second, chosen, delta)
    return losses if weight is None else _weighted(losses, weight, reduction, False)


# -- two classes --------------------------------------------------------------------------------------------------
@primitive(public=False, nondifferentiable=("weight",), layout="input")
def binary_cross_entropy(input: Array, target: Array, weight: Array | None, reduction: str) -> Array:
    """``-weight * (target * log(input) + (1 - target) * log(1 - input))``; a logarithm is never below -100."""
    if input.dtype.kind != "f":
        raise UnsupportedError(f"\"binary_cross_entropy\" not implemented for '{of(input).scalar_type}'")
    if np.any((input < 0) | (input > 1)):
        raise OpError("all elements of input should be between 0 and 1")
    if np.any((target < 0) | (target > 1)):
        raise OpError("all elements of target should be between 0 and 1")
    weight = _as_real(weight, input)
    of_one, of_zero = np.maximum(np.log(input), LEAST_LOG), np.maximum(np.log1p(-input), LEAST_LOG)
    losses = (target - 1) * of_zero - target * of_one
    return reduced(losses if weight is None else losses * weight, reduction)


def _bce_share(g: Any, input: Any, weight: Any, reduction: str) -> Any:
    cotangent = share(g, reduction, input.shape)
    return cotangent if weight is None else cotangent * weight


def _bce_input(g: Any, input: Any, target: Any, weight: Any, reduction: str) -> Any:
    variance = ops.clamp_min((1 - input) * input, LEAST_VARIANCE)
    cotangent = _bce_share(g, input, weight, reduction)
    return sloped(cotangent, (input - target) / variance, "BinaryCrossEntropyBackwardBackward0")


def _bce_target(g: Any, input: Any, weight: Any, reduction: str) -> Any:
    return _bce_share(g, input, weight, reduction) * (ops.log1p(-input) - ops.log(input))


binary_cross_entropy.vjp(input=_bce_input, target=_bce_target)


@composite(name="nn.functional.binary_cross_entropy")
def _binary_cross_entropy(
    input: Tensor, target: Tensor, weight: Tensor | None = None, size_average: bool | None = None,
    reduce: bool | None = None, reduction: str = "mean",
) -> Tensor:  # fmt: skip
    """Cross entropy of probabilities ``input`` against probabilities ``target`` of a second class."""
    chosen = reductions.chosen(reduction, size_average, reduce)
    if target.array.shape != input.array.shape:
        raise ArgumentValueError(
            f"Using a target size ({target.shape}) that is different to the input size ({input.shape}) is deprecated. "
            "Please ensure they have the same size."
        )
    refuse_grad("binary_cross_entropy", weight=weight)
    refuse_mixed(input, target)
    return binary_cross_entropy(input, target, _spread_weight(input, weight), chosen)


def _spread_weight(input: Tensor, weight: Tensor | None) -> Tensor | None:
    if weight is None or weight.array.shape == input.array.shape:
        return weight
    spread = ops.expand(weight, ops.broadcast_shapes(input.array.shape, weight.array.shape))
    inplace.check_result(input, spread.array.shape, input.array.dtype)  # the losses are weighed in place
    return spread


@primitive(public=False, nondifferentiable=("weight", "pos_weight"), layout="operands")
def binary_cross_entropy_with_logits(
    input: Array, target: Array, weight: Array | None, pos_weight: Array | None, reduction: str
) -> Array:
    """``binary_cross_entropy`` of ``sigmoid(input)``; ``pos_weight`` weighs what ``target`` has of the class."""
    _check_logits(of(input), of(target))
    log_sigmoid = np.minimum(input, 0) - np.log1p(np.exp(-np.abs(input)))
    weight, pos_weight = (_as_real(one, target) for one in (weight, pos_weight))
    emphasis = 1 if pos_weight is None else (pos_weight - 1) * target + 1
    losses = (1 - target) * input - emphasis * log_sigmoid
    losses = losses.astype(target.dtype, copy=False)  # PyTorch computes in place of ``1 - target``
    return reduced(losses if weight is None else losses * weight, reduction)


def _as_real(weight: Array | None, like: Array) -> Array | None:
    """Weights that are integers as numbers of the other dtype, which they do not widen."""
    return weight.astype(like.dtype) if weight is not None and weight.dtype.kind in "biu" else weight


def _check_logits(input: DType, target: DType) -> None:
    if not input.is_floating_point:
        raise UnsupportedError(f"\"log_sigmoid_cpu\" not implemented for '{input.scalar_type}'")
    if target.category < FLOATING:
        raise OpError(f"result type {input.scalar_type} can't be cast to the desired output type {target.scalar_type}")


def _logits_share(g: Any, input: Any, weight: Any, reduction: str) -> Any:
    cotangent = share(g, reduction, input.shape)
    return cotangent if weight is None else cotangent * weight


def _logits_input(g: Any, input: Any, target: Any, weight: Any, pos_weight: Any, reduction: str) -> Any:
    probability = ops.sigmoid(input)
    if pos_weight is None:
        slope = probability - target
    else:
        positive = pos_weight * target
        slope = (positive + 1 - target) * probability - positive
    return slope * _logits_share(g, input, weight, reduction)


def _logits_target(g: Any, input: Any, weight: Any, pos_weight: Any, reduction: str) -> Any:
    slope = -input
    if pos_weight is not None:
        slope = (1 - pos_weight) * ops.log_sigmoid(input) - input
    return slope * _logits_share(g, input, weight, reduction)


binary_cross_entropy_with_logits.vjp(input=_logits_input, target=_logits_target)


@composite(name="nn.functional.binary_cross_entropy_with_logits")
def _binary_cross_entropy_with_logits(
    input: Tensor, target: Tensor, weight: Tensor | None = None, size_average: bool | None = None,
    reduce: bool | None = None, reduction: str = "mean", pos_weight: Tensor | None = None,
) -> Tensor:  # fmt: skip
    """``binary_cross_entropy`` of ``sigmoid(input)``; ``pos_weight`` weighs what ``target`` has of the class."""
    chosen = reductions.chosen(reduction, size_average, reduce)
    if target.array.shape != input.array.shape:
        raise ArgumentValueError(f"Target size ({target.shape}) must be the same as input size ({input.shape})")
    refuse_grad("binary_cross_entropy_with_logits", weight=weight, pos_weight=pos_weight)
    return binary_cross_entropy_with_logits(input, target, weight, pos_weight, chosen)


@primitive(public=False, nondifferentiable=("target",), layout="operands")
def soft_margin_loss(input: Array, target: Array, reduction: str) -> Array:
    """``log(1 + exp(-target * input))`` for targets 1 and -1."""
    if input.dtype.kind in "iu":
        raise OpError(f"result type Float can't be cast to the desired output type {of(input).scalar_type}")
    losses = np.log1p(np.exp(-input * target))
    if losses.dtype.kind == "c" and input.dtype.kind != "c":
        found, wanted = of(losses).scalar_type, of(input).scalar_type
        raise OpError(f"result type {found} can't be cast to the desired output type {wanted}")
    return reduced(losses.astype(input.dtype, copy=False), reduction)


def _soft_margin_input(g: Any, input: Any, target: Any, reduction: str) -> Any:
    slope = -target * ops.sigmoid(-target * input)
    return sloped(share(g, reduction, input.shape), slope, "SoftMarginLossBackwardBackward0")


soft_margin_loss.vjp(input=_soft_margin_input)


@composite(name="nn.functional.soft_margin_loss")
def _soft_margin_loss(
    input: Tensor, target: Tensor, size_average: bool | None = None, reduce: bool | None = None,
    reduction: str = "mean",
) -> Tensor:  # fmt: skip
    """``log(1 + exp(-target * input))`` for targets 1 and -1."""
    chosen = reductions.chosen(reduction, size_average, reduce)
    refuse_grad("soft_margin_loss", target=target)
    loss = soft_margin_loss(input, target, chosen)
    refuse_complex_history("soft_margin_loss", loss)
    return loss


# -- distributions ------------------------------------------------------------------------------------------------
@composite(name="nn.functional.kl_div")
def _kl_div(
    input: Tensor, target: Tensor, size_average: bool | None = None, reduce: bool | None = None,
    reduction: str = "mean", log_target: bool = False,
) -> Tensor:  # fmt: skip
    """Kullback-Leibler divergence of log-probabilities ``input`` from probabilities ``target``."""
    legacy = size_average is not None or reduce is not None
    if not legacy and reduction == "mean":
        modes.warn(
            "reduction: 'mean' divides the total loss by both the batch size and the support size."
            "'batchmean' divides only by the batch size, and aligns with the KL div math definition."
            "'mean' will be changed to behave the same as 'batchmean' in the next major release."
        )
    by_batch = not legacy and reduction == "batchmean"
    chosen = "sum" if by_batch else reductions.chosen(reduction, size_average, reduce)
    total = reductions.apply(_divergence(input, target, log_target), chosen)
    by_batch = by_batch and input.array.ndim > 0
    return total / input.array.shape[0] if by_batch else total


def _divergence(input: Tensor, target: Tensor, log_target: bool) -> Tensor:
    for category, word in ((COMPLEX, "Complex"), (FLOATING, "Integral")):
        if any(
            (t.dtype.category == COMPLEX) if word == "Complex" else (t.dtype.category < category)
            for t in (input, target)
        ):
            raise OpError(f"kl_div: {word} inputs not supported.")
    if log_target:
        return ops.exp(target) * (target - input)
    return ops.xlogy(target, target) - target * input


@composite(name="nn.functional.poisson_nll_loss")
def _poisson_nll_loss(
    input: Tensor, target: Tensor, log_input: bool = True, full: bool = False, size_average: bool | None = None,
    eps: float = 1e-8, reduce: bool | None = None, reduction: str = "mean",
) -> Tensor:  # fmt: skip
    """Negative log-likelihood of counts ``target`` under rates ``input`` (or their logarithms).

    ``full`` adds Stirling's approximation of ``log(target!)`` for targets above 1.
    """
    if size_average is None and reduce is None:
        reductions.check(reduction, " is not a valid value for reduction")
    chosen = reductions.chosen(reduction, size_average, reduce)
    expected = ops.exp(input) if log_input else input
    losses = expected - target * (input if log_input else ops.log(ops.add_number(input, eps)))
    if full:
        losses = losses + _stirling(target)
    return reductions.apply(losses, chosen)


def _stirling(target: Any) -> Any:
    approximation = target * ops.log(target) - target + ops.mul_number(ops.log(target * (2 * pi)), 0.5)
    return ops.masked_fill(approximation, target <= 1, 0)


@composite(name="nn.functional.gaussian_nll_loss")
def _gaussian_nll_loss(
    input: Tensor, target: Tensor, var: Any, full: bool = False, eps: float = 1e-6, reduction: str = "mean"
) -> Tensor:
    """Negative log-likelihood of ``target`` under normal distributions; ``full`` adds the constant term."""
    variance = _variance(input, var)
    reductions.check(reduction, " is not valid")
    if not variance.dtype.is_floating_point:
        raise OpError(f"result type Float can't be cast to the desired output type {variance.dtype.c_name}")
    variance = floored(variance, eps)
    losses = (ops.log(variance) + (input - target) ** 2 / variance) * 0.5
    return reductions.apply(losses + 0.5 * log(2 * pi) if full else losses, reduction)


@pointwise(public=False, grad_fn="CloneBackward0")
def floored(input: Array, least: Scalar) -> Array:
    """``input``, at least ``least``; the derivative passes as if nothing had been cut off."""
    return np.maximum(input, np.asarray(least).astype(input.dtype))


floored.vjp(input=lambda g: g)


def _variance(input: Tensor, var: Any) -> Tensor:
    """``var`` as a tensor that broadcasts against ``input``."""
    if isinstance(var, float):
        _refuse_negative(var < 0)
        return ops.ones_like(input) * var
    if not isinstance(var, Tensor):
        raise ArgumentTypeError(f"gaussian_nll_loss(): var must be a Tensor or a float, not {type(var).__name__}")
    if var.dtype.is_complex:
        raise UnsupportedError(f"\"lt_cpu\" not implemented for '{var.dtype.scalar_type}'")
    _refuse_negative(bool(np.any(read(var) < 0)))
    shape, own = input.array.shape, var.array.shape
    if own == shape:
        return var
    if own == shape[:-1]:
        return ops.unsqueeze(var, -1)
    if len(own) == len(shape) and sum(b for a, b in zip(shape, own, strict=True) if a != b) == 1:
        return var
    raise ArgumentValueError("var is of incorrect size")


def _refuse_negative(found: bool) -> None:
    if found:
        raise ArgumentValueError("var has negative entry/entries")
