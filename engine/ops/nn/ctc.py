"""The loss of connectionist temporal classification."""

from __future__ import annotations

from typing import Any

import numpy as np

from engine import dtypes, ops
from engine.errors import ArgumentTypeError, OpError, UnsupportedError
from engine.kernels import label_paths
from engine.op import Array, Index, composite, primitive, type_name
from engine.ops.nn import reduction as reductions
from engine.tensor import Tensor, read

WHERE = "(while checking arguments for ctc_loss_allocate_outputs)"


def _lengths(name: str, given: Any, batch: int) -> Tensor:
    """One length for each sample, as a tensor."""
    if isinstance(given, Tensor) and given.dtype.category > dtypes.INTEGER:
        raise OpError(f"{name} must be integral")
    if not isinstance(given, Tensor | list | tuple):
        raise ArgumentTypeError(f"ctc_loss(): argument '{name}' must be tuple of ints, not {type_name(given)}")
    for position, length in enumerate(given if isinstance(given, list | tuple) else ()):
        if not isinstance(length, int):
            raise ArgumentTypeError(
                f"ctc_loss(): argument '{name}' failed to unpack the object at pos {position + 1} with error "
                f'"type must be tuple of ints,but got {type_name(length)}"'
            )
    array = read(given) if isinstance(given, Tensor) else np.asarray(given)
    if array.size != batch:
        raise OpError(f"{name} must be of size batch_size")
    return Tensor(array.reshape(batch).astype(np.int64))


def _check_ctc(log_probs: Tensor, targets: Tensor, input_lengths: Tensor, target_lengths: Tensor, blank: int) -> None:
    steps, _, classes = log_probs.array.shape
    if not 0 <= blank < classes:
        raise OpError("blank must be in label range")
    for name, lengths in (("input_lengths", input_lengths), ("target_lengths", target_lengths)):
        for length in read(lengths):
            if length < 0:
                raise OpError(f"Expected {name} to have value at least 0, but got value {length} {WHERE}")
    for length in read(input_lengths):
        if length > steps:
            raise OpError(f"Expected input_lengths to have value at most {steps}, but got value {length} {WHERE}")
    _check_target_size(targets.array, read(target_lengths))


def _check_target_size(targets: Array, lengths: Array) -> None:
    longest = int(np.max(lengths, initial=0))
    if targets.ndim == 2 and targets.shape[1] < longest:
        raise OpError(
            f"Expected tensor to have size at least {longest} at dimension 1, but got size {targets.shape[1]} for "
            f"argument #2 'targets' {WHERE}"
        )
    total = int(np.sum(lengths))
    if targets.ndim == 1 and len(targets) != total:
        raise OpError(
            f"Expected tensor to have size {total} at dimension 0, but got size {len(targets)} for argument #2 "
            f"'targets' {WHERE}"
        )


def _check_kernel(log_probs: Tensor) -> None:
    if not log_probs.dtype.is_floating_point or log_probs.dtype.opmath is not log_probs.dtype:
        raise UnsupportedError(f"\"ctc_loss_cpu\" not implemented for '{log_probs.dtype.scalar_type}'")


@primitive(public=False, grad_fn="CtcLossBackward0", check=_check_ctc, scratch=4)
def ctc_losses(
    log_probs: Array, targets: Index, input_lengths: Index, target_lengths: Index, blank: int, zero_infinity: bool
) -> Array:
    """Minus the log-likelihood of each sample's targets."""
    labels = label_paths.with_blanks(label_paths.padded_targets(targets, target_lengths), blank)
    return label_paths.losses(label_paths.forward(log_probs, labels, blank), input_lengths, target_lengths)


@primitive(public=False, scratch=6)
def ctc_losses_backward(
    grad: Array, log_probs: Array, targets: Index, input_lengths: Index, target_lengths: Index, blank: int,
    zero_infinity: bool,
) -> Array:  # fmt: skip
    """``grad`` of each sample's loss at its probabilities; 0 for an infinite loss if ``zero_infinity``.

    As in PyTorch this is the derivative before the log_softmax that the probabilities are taken to come from.
    """
    labels = label_paths.with_blanks(label_paths.padded_targets(targets, target_lengths), blank)
    slopes, losses = label_paths.gradients(log_probs, labels, input_lengths, target_lengths, blank)
    scaled = slopes * grad[:, None]
    return np.where(np.isinf(losses)[:, None], 0, scaled).astype(slopes.dtype) if zero_infinity else scaled


ctc_losses.vjp(
    log_probs=lambda g, log_probs, targets, input_lengths, target_lengths, blank, zero_infinity: ctc_losses_backward(
        g, log_probs, targets, input_lengths, target_lengths, blank, zero_infinity
    )
)


def _refuse_second(g: Tensor) -> Any:
    raise OpError("derivative for aten::_ctc_loss_backward is not implemented")


ctc_losses_backward.vjp(grad=_refuse_second, log_probs=_refuse_second)


@composite(name="nn.functional.ctc_loss")
def _ctc_loss(
    log_probs: Tensor, targets: Tensor, input_lengths: Any, target_lengths: Any, blank: int = 0,
    reduction: str = "mean", zero_infinity: bool = False,
) -> Tensor:  # fmt: skip
    """Minus the log-likelihood of label sequences under ``log_probs``, ``(T, N, C)`` or ``(T, C)``.

    Labels may last, and blanks stand between them. The mean is of losses over the lengths of their targets;
    ``zero_infinity`` leaves out targets that do not fit into the input.
    """
    chosen = reductions.chosen(reduction)
    is_batch = log_probs.array.ndim == 3
    batched: Any = log_probs if is_batch else ops.unsqueeze(log_probs, 1)
    listed = targets if is_batch or targets.array.ndim == 2 else ops.reshape(targets, (-1,))
    sizes = [
        _lengths(name, given, batched.shape[1])
        for name, given in (("input_lengths", input_lengths), ("target_lengths", target_lengths))
    ]
    _check_kernel(batched)
    losses = ctc_losses(batched, listed, *sizes, blank, zero_infinity)
    if zero_infinity:
        losses = ops.where(losses == float("inf"), 0, losses)
    if chosen == "mean":
        losses = losses / ops.cast(ops.clamp_min(sizes[1], 1), log_probs.dtype)
    return reductions.apply(losses if is_batch or chosen != "none" else ops.squeeze(losses, 0), chosen)
