"""Losses of scores for classes: negative log-likelihood, cross entropy, and the margins between classes."""

from __future__ import annotations

from math import prod
from typing import Any

import numpy as np

from engine import dtypes, ops
from engine.errors import ArgumentValueError, DimensionError, OpError, UnsupportedError
from engine.op import Array, Index, composite, primitive
from engine.ops.nn import reduction as reductions
from engine.ops.nn.reduction import refuse_grad
from engine.ops.reduce.sums import add_up
from engine.tensor import Tensor

IGNORED = -100  # the target that counts for nothing, unless told otherwise


_all: Any = np.logical_and.reduce
_largest: Any = np.maximum.reduce


# -- negative log-likelihood: kernels -----------------------------------------------------------------------------
def _class_axis(ndim: int) -> int:
    return 1 if ndim > 1 else 0


def _weights_of(
    target: Array, weight: Array | None, ignore_index: int, count: int, dtype: Any
) -> tuple[Array, Array | None]:
    """For each target a class that exists, and the weight of the target: 0 where it is ignored; none if all are 1."""
    if weight is None and target.dtype == np.int64 and not 0 <= ignore_index < count and _are_below(target, count):
        return target, None
    kept = target != ignore_index
    is_whole = bool(_all(kept, axis=None))
    classes = (target if is_whole else np.where(kept, target, 0)).astype(np.int64, copy=False)
    if not _are_below(classes, count):
        outside = (classes < 0) | (classes >= count)
        raise DimensionError(f"Target {classes[outside].flat[0]} is out of bounds.")
    if weight is None:
        return classes, None if is_whole else kept.astype(dtype)
    return classes, np.where(kept, weight[classes], np.zeros((), dtype))


def _are_below(classes: Array, count: int) -> bool:
    """Whether all are from 0 to below ``count``."""
    return bool(_largest(classes.view(np.uint64), None, None, None, False, 0) < count)


def _places(classes: Array, shape: tuple[int, ...]) -> Array:
    """Where the scores of ``classes`` stand among those of ``shape``, flat."""
    if len(shape) == 1:
        return classes
    extent = prod(shape[2:])
    if len(shape) == 2:
        return np.arange(0, len(classes) * shape[1], max(shape[1], 1)) + classes
    firsts = np.arange(len(classes)) * (shape[1] * extent)
    others = np.arange(extent).reshape(shape[2:])
    return classes * extent + others + firsts.reshape(-1, *(1,) * others.ndim)


def _nll(input: Array, target: Array, weight: Array | None, reduction: str, ignore_index: int) -> tuple[Array, Array]:
    _check_nll_dtypes(input, target, weight)
    count = input.shape[_class_axis(input.ndim)]
    classes, weights = _weights_of(target, weight, ignore_index, count, input.dtype)
    picked = input.reshape(-1)[_places(classes, input.shape)]
    losses = np.negative(picked)
    if weights is not None:
        losses = np.where(weights == 0, np.zeros((), input.dtype), losses * weights)
    if reduction == "none":
        return losses, np.zeros((), input.dtype)
    total = add_up(losses, axis=None)
    total_weight = input.dtype.type(losses.size) if weights is None else add_up(weights, axis=None)
    return np.asarray(total / total_weight if reduction == "mean" else total), np.asarray(total_weight)


def _check_nll_dtypes(input: Array, target: Array, weight: Array | None) -> None:
    if input.dtype.kind != "f":
        raise UnsupportedError(f"\"nll_loss_out_frame\" not implemented for '{dtypes.of(input).scalar_type}'")
    if target.dtype not in (np.int64, np.uint8):
        raise OpError(f"expected target dtype to be Long or Byte, but got {dtypes.of(target).scalar_type}")
    if weight is not None and weight.dtype != input.dtype:
        expected, found = dtypes.of(input).scalar_type, dtypes.of(weight).scalar_type
        raise OpError(f"expected scalar type {expected} but found {found}")


def _nll_pulled(
    grad: Array, input: Array, target: Array, weight: Array | None, total_weight: Array, reduction: str,
    ignore_index: int,
) -> Array:  # fmt: skip
    count = input.shape[_class_axis(input.ndim)]
    classes, weights = _weights_of(target, weight, ignore_index, count, grad.dtype)
    scaled = grad / total_weight if reduction == "mean" else grad
    result = np.empty(input.shape, grad.dtype)  # memory that was in use, where zeros are new pages
    result.fill(0)
    values = -scaled if weights is None else np.where(weights == 0, np.zeros((), grad.dtype), -weights * scaled)
    result.reshape(-1)[_places(classes, input.shape)] = values
    return result


# -- negative log-likelihood: ops ---------------------------------------------------------------------------------
@primitive(public=False, nondifferentiable=("weight",), outputs=("out", "total_weight"))
def nll_loss(
    input: Array, target: Index, weight: Array | None, reduction: str, ignore_index: int
) -> tuple[Array, Array]:
    """Minus the score of the target class, weighted, and the sum of the weights; scores ``(C)`` or ``(N, C)``."""
    return _nll(input, target, weight, reduction, ignore_index)


@primitive(public=False, nondifferentiable=("weight",), outputs=("out", "total_weight"), grad_fn="NllLoss2DBackward0")
def nll_loss2d(
    input: Array, target: Index, weight: Array | None, reduction: str, ignore_index: int
) -> tuple[Array, Array]:
    """The same for scores ``(N, C, H, W)`` and targets ``(N, H, W)``."""
    return _nll(input, target, weight, reduction, ignore_index)


@primitive(public=False, nondifferentiable=("weight", "total_weight"))
def nll_loss_backward(
    grad: Array, input: Array, target: Index, weight: Array | None, total_weight: Array, reduction: str,
    ignore_index: int,
) -> Array:  # fmt: skip
    """``grad`` pulled back to the scores: all of it goes to the target classes, whatever the scores."""
    return _nll_pulled(grad, input, target, weight, total_weight, reduction, ignore_index)


nll_loss_backward.vjp(
    grad=lambda g, target, weight, reduction, ignore_index: nll_loss(g, target, weight, reduction, ignore_index)[0],
    input=lambda g: ops.zeros_of(g),
)
for _op in (nll_loss, nll_loss2d):
    _op.vjp(
        input=lambda g, input, target, weight, total_weight, reduction, ignore_index: nll_loss_backward(
            g, input, target, weight, total_weight, reduction, ignore_index
        )
    )


@composite(name="nn.functional.nll_loss")
def _nll_loss(
    input: Tensor, target: Tensor, weight: Tensor | None = None, size_average: bool | None = None,
    ignore_index: int = IGNORED, reduce: bool | None = None, reduction: str = "mean",
) -> Tensor:  # fmt: skip
    """Minus the score (log-probability) of class ``target``, in dimension 1 if there is a batch.

    The mean is weighted by the ``weight`` of the classes.
    """
    return _nll_of(input, target, weight, reductions.chosen(reduction, size_average, reduce), ignore_index)


def _nll_of(input: Tensor, target: Tensor, weight: Tensor | None, reduction: str, ignore_index: int) -> Tensor:
    """PyTorch computes more than two dimensions as four; what it reshapes shows in the graph."""
    _check_batch(input, target)
    refuse_grad("nll_loss_forward", weight=weight)
    shape = input.array.shape
    if len(shape) <= 2:
        _check_targets(input, target)
        _check_class_weight(weight, shape[-1], "")
        return nll_loss(input, _as_listed(input, target), weight, reduction, ignore_index)[0]
    if len(shape) != 4:
        return _nll_flattened(input, target, weight, reduction, ignore_index)
    _check_spatial(input, target)
    _check_class_weight(weight, shape[1], "")
    return nll_loss2d(input, target, weight, reduction, ignore_index)[0]


def _as_listed(input: Tensor, target: Tensor) -> Tensor:
    """A single target for scores of a single sample as a number."""
    if input.array.ndim == 1 and target.array.ndim == 1:
        return ops.reshape(target, ())
    return target


def _nll_flattened(input: Tensor, target: Tensor, weight: Tensor | None, reduction: str, ignore_index: int) -> Tensor:
    batch, classes, *rest = input.array.shape
    if target.array.shape[1:] != tuple(rest):
        raise OpError(f"Expected target size {[batch, *rest]}, got {list(target.array.shape)}")
    _check_class_weight(weight, classes, "")
    extent = prod(rest)
    flat = ops.reshape(input, (batch, classes, 1, extent))
    losses = nll_loss2d(flat, ops.reshape(target, (batch, 1, extent)), weight, reduction, ignore_index)[0]
    return ops.reshape(losses, (batch, *rest)) if reduction == "none" else losses


def _check_batch(input: Tensor, target: Tensor) -> None:
    shape, own = input.array.shape, target.array.shape
    if not shape:
        raise ArgumentValueError("Expected 1 or more dimensions (got 0)")
    if len(shape) != 1 and shape[0] != (own[0] if own else 1):
        raise ArgumentValueError(
            f"Expected input batch_size ({shape[0]}) to match target batch_size ({own[0] if own else 1})."
        )
    if len(shape) == 1 and len(own) == 1 and own[0] != 1:
        raise ArgumentValueError(f"For 1D input, 1D target must have size 1, but got target size: {own[0]}")


def _check_targets(input: Tensor, target: Tensor) -> None:
    if target.array.ndim > 1:
        raise OpError("0D or 1D target tensor expected, multi-target not supported")


def _check_spatial(input: Tensor, target: Tensor) -> None:
    shape, own = input.array.shape, target.array.shape
    if len(own) != 3:
        raise OpError(
            f"only batches of spatial targets supported (3D tensors) but got targets of dimension: {len(own)}"
        )
    if (shape[0], *shape[2:]) != own:
        raise OpError(f"size mismatch (got input: {list(shape)} , target: {list(own)}")


def _check_class_weight(weight: Tensor | None, classes: int, prefix: str) -> None:
    if weight is not None and weight.array.shape != (classes,):
        raise OpError(
            f"{prefix}weight tensor should be defined either for all {classes} classes or no classes but got weight "
            f"tensor of shape: {list(weight.array.shape)}"
        )


# -- cross entropy ------------------------------------------------------------------------------------------------
@composite(name="nn.functional.cross_entropy")
def _cross_entropy(
    input: Tensor, target: Tensor, weight: Tensor | None = None, size_average: bool | None = None,
    ignore_index: int = IGNORED, reduce: bool | None = None, reduction: str = "mean", label_smoothing: float = 0.0,
) -> Tensor:  # fmt: skip
    """Negative log-likelihood of ``target`` under ``softmax(input)``; classes in dimension 1 if there is a batch.

    ``target`` holds classes, or, shaped as ``input``, probabilities of the classes. ``label_smoothing`` is the
    share of the target that is spread evenly over all classes.
    """
    chosen = reductions.chosen(reduction, size_average, reduce)
    if input.array.shape == target.array.shape:
        _check_probabilities(target, ignore_index, label_smoothing)
        return _against_probabilities(input, target, weight, chosen, label_smoothing)
    if not 0 <= label_smoothing <= 1:
        raise OpError(f"label_smoothing must be between 0.0 and 1.0. Got: {label_smoothing:g}")
    scores = ops.log_softmax(input, _class_axis(input.array.ndim))
    losses = _nll_of(scores, target, weight, chosen, ignore_index)
    if label_smoothing == 0:
        return losses
    smooth = _smooth_loss(scores, target, weight, chosen, ignore_index)
    share = label_smoothing / scores.shape[_class_axis(input.array.ndim)]
    return ops.mul_number(losses, 1 - label_smoothing) + ops.mul_number(smooth, share)


def _smooth_loss(scores: Any, target: Any, weight: Any, reduction: str, ignore_index: int) -> Any:
    """The loss against equal probabilities of all classes, once for each of them."""
    axis = _class_axis(scores.ndim)
    weighted = scores if weight is None else scores * _along(weight, axis, scores.ndim)
    if scores.ndim == 1 and target.ndim == 1:
        target = ops.reshape(target, ())
    ignored = target == ignore_index
    losses = ops.masked_fill(-weighted.sum(axis), ignored, 0)
    if reduction != "mean":
        return reductions.apply(losses, reduction)
    return losses.sum() / _kept_weight(target, ignored, weight, ignore_index)


def _kept_weight(target: Any, ignored: Any, weight: Any, ignore_index: int) -> Any:
    """What a mean over targets divides by: their number, or the sum of their weights."""
    if weight is None:
        return ops.sum(ops.logical_not(ignored))
    classes = ops.masked_fill(target, ignored, 0)
    picked = ops.reshape(ops.index_select(weight, 0, ops.reshape(classes, (-1,))), classes.shape)
    return ops.sum(ops.masked_fill(picked, ignored, 0))


def _along(weight: Any, axis: int, ndim: int) -> Any:
    """One number for each class, shaped to go along ``axis``."""
    return ops.reshape(weight, tuple(-1 if dim == axis else 1 for dim in range(ndim)))


def _check_probabilities(target: Tensor, ignore_index: int, label_smoothing: float) -> None:
    if not target.dtype.is_floating_point:
        raise OpError(
            f"Expected floating point type for target with class probabilities, got {target.dtype.scalar_type}"
        )
    if ignore_index >= 0:
        raise OpError("ignore_index is not supported for floating point target")
    if not 0 <= label_smoothing <= 1:
        raise OpError(f"label_smoothing must be between 0.0 and 1.0. Got: {label_smoothing:g}")


def _against_probabilities(
    input: Tensor, target: Any, weight: Tensor | None, reduction: str, label_smoothing: float
) -> Tensor:
    axis = _class_axis(input.array.ndim)
    classes = input.array.shape[axis]
    _check_class_weight(weight, classes, "cross_entropy: ")
    scores = ops.log_softmax(input, axis)
    if label_smoothing > 0:
        target = ops.add_number(ops.mul_number(target, 1 - label_smoothing), label_smoothing / classes)
    products = scores * target
    if weight is not None:
        products = products * _along(weight, axis, input.array.ndim)
    if reduction == "none":
        return -products.sum(axis)
    total = -products.sum()
    return total if reduction == "sum" else div_by(total, input.array.size // max(classes, 1))


@primitive(public=False, linear=True, grad_fn="DivBackward1")
def div_by(input: Array, divisor: int) -> Array:
    """``input`` over a number: what PyTorch's own composites divide by."""
    return input / input.dtype.type(divisor)


div_by.vjp(input=lambda g, divisor: ops.div(g, divisor))


@composite(name="nn.functional.linear_cross_entropy")
def _linear_cross_entropy(
    input: Tensor, linear_weight: Tensor, target: Tensor, *, linear_bias: Tensor | None = None,
    weight: Tensor | None = None, reduction: str = "mean", ignore_index: int | None = None,
    label_smoothing: float = 0.0, options: Any = None,
) -> Tensor:  # fmt: skip
    """``cross_entropy`` of a linear map to class scores; ``linear_weight`` is ``(classes, *, features)``.

    PyTorch's ``options`` change how it computes in pieces, not the result.
    """
    _check_linear(input, linear_weight, linear_bias)
    classes, *positions = linear_weight.array.shape[:-1]
    if target.array.shape == (*input.array.shape[:-1], classes, *positions) and ignore_index is not None:
        raise OpError("ignore_index cannot be specified when target contains probabilities")
    scores = _linear_scores(input, linear_weight, linear_bias)
    ignored = IGNORED if ignore_index is None else ignore_index
    return _cross_entropy(scores, target, weight, None, ignored, None, reduction, label_smoothing)


def _linear_scores(input: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
    *outputs, features = weight.array.shape
    if len(outputs) > 1:
        weight = ops.reshape(weight, (prod(outputs), features))
        bias = None if bias is None else ops.reshape(bias, (prod(outputs),))
    return ops.reshape(ops.linear(input, weight, bias), (*input.array.shape[:-1], *outputs))


def _check_linear(input: Tensor, weight: Tensor, bias: Tensor | None) -> None:
    shape, own = input.array.shape, weight.array.shape
    if not 1 <= len(shape) <= 2:
        raise OpError(f"expected input with dimensionality 1 or 2, got {len(shape)}")
    if len(own) < 2:
        raise OpError(f"expected linear_weight with dimensionality at least 2, got {len(own)}")
    if shape[-1] != own[-1]:
        raise OpError(
            "expected equal input and linear_weight last dimensions (in_features), got "
            f"{shape[-1]} and {own[-1]}, respectively"
        )
    if bias is not None and bias.array.shape != own[:-1]:
        raise OpError(f"expected linear_bias shape {own[:-1]}, got {bias.array.shape}")
    if len(own) > 2 and len(shape) == 1:
        raise OpError(
            f"K-dimensional loss defined by linear_weight shape {own} requires batched input, (N, {shape[-1]}), got "
            f"unbatched input with shape {shape}"
        )
