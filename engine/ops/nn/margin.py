"""Losses that are zero once a score, a distance or an angle is right by some margin."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from engine import dtypes, ops
from engine.errors import ArgumentValueError, DimensionError, OpError, UnsupportedError
from engine.op import Array, Index, composite, primitive
from engine.ops.math.special import first_order
from engine.ops.nn import reduction as reductions
from engine.ops.nn.reduction import reduced, refuse_grad, share
from engine.tensor import Tensor

SQUARES_FLOOR = 1e-12  # added to squared lengths before cosine_embedding_loss divides by them


# -- margins between classes --------------------------------------------------------------------------------------
def _check_multi_margin(input: Tensor, target: Tensor, weight: Tensor | None) -> None:
    shape, own = input.array.shape, target.array.shape
    if len(shape) > 2 or 0 in shape[-1:]:
        raise OpError(f"Expected non-empty vector or matrix with optional 0-dim batch size, but got: {list(shape)}")
    count = shape[0] if len(shape) == 2 else 1
    if len(own) > 1 or target.array.size != count:
        raise OpError(
            "multi_margin_loss: target tensor should be 1-D with size equal to the number of input samples (batch "
            f"size). Expected target size [{count}], but got {list(own)}. Input has shape {list(shape)}."
        )
    classes = shape[-1] if shape else 1
    if weight is not None and weight.array.size != classes:
        raise OpError(f"inconsistent weight size, expected {classes} but got {list(weight.array.shape)}")


def _check_kernel(name: str, input: Tensor) -> None:
    if not input.dtype.is_floating_point or input.dtype.opmath is not input.dtype:
        raise UnsupportedError(f"\"{name}\" not implemented for '{input.dtype.scalar_type}'")


@primitive(public=False, nondifferentiable=("weight",), scratch=2.5)
def multi_margin_loss(
    input: Array, target: Index, weight: Array | None, p: int, margin: float, reduction: str
) -> Array:
    """The mean over classes of what they miss of the margin to the target class, to the power ``p``."""
    input = np.atleast_1d(input)
    if target.dtype != np.int64:
        raise OpError(f"expected scalar type Long but found {dtypes.of(target).scalar_type}")
    if np.any((target < 0) | (target >= input.shape[-1])):
        raise OpError("target out of range")
    classes = target.reshape(input.shape[:-1])[..., None]
    misses = np.maximum(margin - np.take_along_axis(input, classes, -1) + input, 0)
    np.put_along_axis(misses, classes, 0, -1)
    weighted = misses**p if weight is None else misses**p * weight[classes]
    losses = np.sum(weighted, axis=-1, dtype=input.dtype) / input.shape[-1]
    return reduced(np.asarray(losses), reduction)


def _multi_margin_input(g: Any, input: Any, target: Any, weight: Any, p: int, margin: float, reduction: str) -> Any:
    shape = input.shape
    input = input if shape else ops.reshape(input, (1,))
    classes = input.shape[-1]
    target = ops.reshape(target, input.shape[:-1])
    hot = ops.cast(ops.one_hot(target, classes), input.dtype)
    misses = margin - (input * hot).sum(-1, True) + input
    active = (misses > 0).logical_and(hot == 0)
    slopes = ops.cast(active, input.dtype) if p == 1 else ops.where(active, misses * 2, 0)
    if weight is not None:
        slopes = slopes * (weight * hot).sum(-1, True)
    slopes = (slopes - hot * slopes.sum(-1, True)) / classes
    pulled = ops.reshape(ops.unsqueeze(share(g, reduction, target.shape), -1) * slopes, shape)
    return first_order(pulled, input, "derivative for aten::multi_margin_loss_backward is not implemented")


multi_margin_loss.vjp(input=_multi_margin_input)


@composite(name="nn.functional.multi_margin_loss")
def _multi_margin_loss(
    input: Tensor, target: Tensor, p: int = 1, margin: float = 1.0, weight: Tensor | None = None,
    size_average: bool | None = None, reduce: bool | None = None, reduction: str = "mean",
) -> Tensor:  # fmt: skip
    """The mean over classes of what they miss of the margin to the target class, to the power ``p`` (1 or 2)."""
    chosen = reductions.chosen(reduction, size_average, reduce)
    if p not in (1, 2):
        raise ArgumentValueError("only p == 1 and p == 2 supported")
    if weight is not None and weight.array.ndim != 1:
        raise ArgumentValueError("weight must be one-dimensional")
    refuse_grad("multi_margin_loss", weight=weight)
    _check_multi_margin(input, target, weight)
    _check_kernel("multi_margin_loss_cpu_kernel", input)
    return multi_margin_loss(input, target, weight, p, margin, chosen)


# -- margins between classes and targets, of which there may be several -------------------------------------------
def _misses(input: Array, target: Array) -> tuple[Array, Array]:
    """How much class ``j`` misses the margin to target number ``k``, shaped ``(N, k, j)``, and the targets.

    Targets end at the first negative one.
    """
    classes = input.shape[-1]
    scores, targets = input.reshape(-1, classes), target.reshape(-1, classes)
    if np.any((targets < -1) | (targets >= classes)):
        raise OpError("argument #2 'target' is out of range")
    listed = np.cumprod(targets >= 0, axis=1).astype(bool)
    safe = np.where(listed, targets, 0)
    is_target = np.zeros(scores.shape, bool)
    rows, columns = np.nonzero(listed)
    is_target[rows, safe[rows, columns]] = True
    misses = np.maximum(1 - np.take_along_axis(scores, safe, 1)[:, :, None] + scores[:, None, :], 0)
    return np.where(listed[:, :, None] & ~is_target[:, None, :], misses, 0).astype(input.dtype), safe


@primitive(
    public=False, nondifferentiable=("target",),
    scratch=lambda input: 4 * input.size * (input.shape or (1,))[-1],
)  # fmt: skip
def multilabel_margin_loss(input: Array, target: Index, reduction: str) -> Array:
    """The mean over classes of what those that are no target miss of the margin 1 to each that is."""
    input = np.atleast_1d(input)
    misses, _ = _misses(input, target)
    losses = np.sum(misses, axis=(1, 2)) / input.shape[-1]
    return reduced(losses.reshape(input.shape[:-1]), reduction)


@primitive(
    public=False, nondifferentiable=("input",),
    scratch=lambda input: 4 * input.size * (input.shape or (1,))[-1],
)  # fmt: skip
def multilabel_margin_slope(input: Array, target: Index) -> Array:
    """The derivative of each sample's ``multilabel_margin_loss`` by its scores, which is a step function of them."""
    classes = (input.shape or (1,))[-1]
    misses, safe = _misses(input.reshape(-1, classes), target)
    active = misses > 0
    slopes = np.sum(active, axis=1, dtype=input.dtype)
    rows = np.arange(len(safe))[:, None]
    np.subtract.at(slopes, (rows, safe), np.sum(active, axis=2, dtype=input.dtype))
    return (slopes / classes).reshape(input.shape)


def _multilabel_margin_input(g: Any, input: Any, target: Any, reduction: str) -> Any:
    each = ops.unsqueeze(share(g, reduction, input.shape[:-1]), -1)
    pulled = ops.reshape(each * multilabel_margin_slope(input, target), input.shape)
    return first_order(pulled, input, "derivative for aten::multilabel_margin_loss_backward is not implemented")


multilabel_margin_loss.vjp(input=_multilabel_margin_input)


@composite(name="nn.functional.multilabel_margin_loss")
def _multilabel_margin_loss(
    input: Tensor, target: Tensor, size_average: bool | None = None, reduce: bool | None = None,
    reduction: str = "mean",
) -> Tensor:  # fmt: skip
    """The mean over classes of what those that are no target miss of the margin 1 to each that is.

    ``target`` lists classes; what follows a negative number does not count.
    """
    if input.array.shape != target.array.shape:
        raise OpError(
            f"inconsistent target size: {list(target.array.shape)} for input of size: {list(input.array.shape)}"
        )
    _check_kernel("multilabel_margin_loss_forward_out_frame", input)
    return multilabel_margin_loss(input, target, reductions.chosen(reduction, size_average, reduce))


@composite(name="nn.functional.multilabel_soft_margin_loss")
def _multilabel_soft_margin_loss(
    input: Tensor, target: Tensor, weight: Tensor | None = None, size_average: bool | None = None,
    reduce: bool | None = None, reduction: str = "mean",
) -> Tensor:  # fmt: skip
    """The mean over classes of ``binary_cross_entropy_with_logits``."""
    if not input.array.ndim:
        raise DimensionError("Dimension specified as -1 but tensor has no dimensions")
    losses: Any = -(target * ops.log_sigmoid(input) + (1 - target) * ops.log_sigmoid(-input))
    if weight is not None:
        losses = losses * weight
    losses = losses.sum(-1) / input.array.shape[-1]
    if size_average is None and reduce is None and reduction not in reductions.REDUCTIONS:
        raise ArgumentValueError(f"{reduction} is not valid")
    return reductions.apply(losses, reductions.chosen(reduction, size_average, reduce))


# -- margins between scores, distances, angles --------------------------------------------------------------------
@composite(name="nn.functional.margin_ranking_loss")
def _margin_ranking_loss(
    input1: Tensor, input2: Tensor, target: Tensor, margin: float = 0, size_average: bool | None = None,
    reduce: bool | None = None, reduction: str = "mean",
) -> Tensor:  # fmt: skip
    """What ``input1`` misses of being larger (``target`` 1) or smaller (-1) than ``input2`` by ``margin``."""
    chosen = reductions.chosen(reduction, size_average, reduce)
    if not input1.array.ndim == input2.array.ndim == target.array.ndim:
        raise OpError(
            "margin_ranking_loss : All input tensors should have same dimension but got sizes: "
            f"input1: {input1.shape}, input2: {input2.shape}, target: {target.shape} "
        )
    return reductions.apply(ops.clamp_min(ops.add_number(-target * (input1 - input2), margin), 0), chosen)


@composite(name="nn.functional.hinge_embedding_loss")
def _hinge_embedding_loss(
    input: Tensor, target: Tensor, margin: float = 1.0, size_average: bool | None = None, reduce: bool | None = None,
    reduction: str = "mean",
) -> Tensor:  # fmt: skip
    """The distance ``input`` itself where ``target`` is 1, what it misses of ``margin`` where it is -1."""
    chosen = reductions.chosen(reduction, size_average, reduce)
    apart = ops.where(target != 1, ops.clamp_min(ops.full_like(input, margin) - input, 0), 0)
    return reductions.apply(apart + ops.where(target != -1, input, 0), chosen)


def _check_cosine(input1: Tensor, input2: Tensor, target: Tensor) -> None:
    first, second, own = input1.array.shape, input2.array.shape, target.array.ndim
    if own > 1:
        raise OpError("0D or 1D target tensor expected, multi-target not supported")
    expected = own + 1
    if len(first) != expected or len(second) != expected:
        raise OpError(
            f"{own}D target tensor expects {expected}D input tensors, but found inputs with sizes {list(first)} and "
            f"{list(second)}."
        )


@composite(name="nn.functional.cosine_embedding_loss")
def _cosine_embedding_loss(
    input1: Tensor, input2: Tensor, target: Tensor, margin: float = 0, size_average: bool | None = None,
    reduce: bool | None = None, reduction: str = "mean",
) -> Tensor:  # fmt: skip
    """1 minus the cosine between the inputs where ``target`` is 1, what it is above ``margin`` where it is -1."""
    chosen = reductions.chosen(reduction, size_average, reduce)
    _check_cosine(input1, input2, target)
    squares = ((input1 * input1).sum(-1) + SQUARES_FLOOR) * ((input2 * input2).sum(-1) + SQUARES_FLOOR)
    cosine = (input1 * input2).sum(-1) / ops.sqrt(squares)
    alike = ops.where(target == 1, ops.sub(1, cosine), 0)
    apart = ops.where(target == -1, ops.clamp_min(ops.sub_number(cosine, margin), 0), 0)
    return reductions.apply(alike + apart, chosen)


@composite(name="nn.functional.triplet_margin_loss")
def _triplet_margin_loss(
    anchor: Tensor, positive: Tensor, negative: Tensor, margin: float = 1.0, p: float = 2, eps: float = 1e-6,
    swap: bool = False, size_average: bool | None = None, reduce: bool | None = None, reduction: str = "mean",
) -> Tensor:  # fmt: skip
    """What ``negative`` misses of being further from ``anchor`` than ``positive`` by ``margin``."""
    chosen = reductions.chosen(reduction, size_average, reduce)
    _check_margin(margin)
    _check_triplet(anchor, positive, negative)
    return _triplet(
        anchor, positive, negative, lambda a, b: ops.pairwise_distance(a, b, p, eps),
        lambda near: ops.add_number(near, margin), swap, chosen,
    )  # fmt: skip


@composite(name="nn.functional.triplet_margin_with_distance_loss")
def _triplet_margin_with_distance_loss(
    anchor: Tensor, positive: Tensor, negative: Tensor, *, distance_function: Callable[..., Any] | None = None,
    margin: float = 1.0, swap: bool = False, reduction: str = "mean",
) -> Tensor:  # fmt: skip
    """``triplet_margin_loss`` with a distance of the caller's."""
    chosen = reductions.chosen(reduction)
    _check_margin(margin)
    _check_triplet(anchor, positive, negative)
    distance = distance_function or ops.pairwise_distance
    return _triplet(anchor, positive, negative, distance, lambda near: margin + near, swap, chosen)


def _triplet(
    anchor: Any,
    positive: Any,
    negative: Any,
    distance: Callable[..., Any],
    behind: Callable[..., Any],
    swap: bool,
    reduction: str,
) -> Tensor:
    """``swap`` takes the smaller of the distances of ``negative`` from the two others (Balntas et al., 2016).

    ``behind`` adds the margin to the distance that it is a margin behind.
    """
    near, far = distance(anchor, positive), distance(anchor, negative)
    if swap:
        far = ops.minimum(far, distance(positive, negative))
    return reductions.apply(ops.clamp_min(behind(near) - far, 0), reduction)


def _check_margin(margin: float) -> None:
    if margin <= 0:
        raise ArgumentValueError(f"margin must be greater than 0, got {margin}")


def _check_triplet(anchor: Tensor, positive: Tensor, negative: Tensor) -> None:
    first, second, third = anchor.array.ndim, positive.array.ndim, negative.array.ndim
    if not first == second == third:
        raise OpError(
            "The anchor, positive, and negative tensors are expected to have the same number of dimensions, but got: "
            f"anchor {first}D, positive {second}D, and negative {third}D inputs"
        )
