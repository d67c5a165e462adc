"""Connectionist temporal classification: likelihoods of label sequences, and their gradients.

Graves et al., Connectionist Temporal Classification, 2006. Samples are worked on together; ``labels`` are the targets
with blanks between and around them, ``(N, 2 S + 1)``; all probabilities are logarithms.
"""

from __future__ import annotations

from typing import Any

import numpy as np

Array = np.ndarray[Any, Any]


def padded_targets(targets: Array, lengths: Array) -> Array:
    """``(N, S)`` from targets one after the other, or from those that are shaped so already."""
    longest = int(np.max(lengths, initial=0))
    if targets.ndim == 2:
        return targets[:, :longest]
    result = np.zeros((len(lengths), longest), targets.dtype)
    result[np.arange(longest) < lengths[:, None]] = targets
    return result


def with_blanks(targets: Array, blank: int) -> Array:
    """``(N, 2 S + 1)``: a blank before, between and after the labels."""
    labels = np.full((len(targets), 2 * targets.shape[1] + 1), blank, np.int64)
    labels[:, 1::2] = targets.real
    return labels


def _emissions(log_probs: Array, labels: Array) -> Array:
    """``(T, N, 2 S + 1)``: the probability of each label at each time."""
    places = np.broadcast_to(labels, (len(log_probs), *labels.shape))
    return np.take_along_axis(log_probs, places, 2)


def _may_skip(labels: Array, blank: int) -> Array:
    """Where a path may come from two places back: labels that differ from the one before."""
    result = np.zeros(labels.shape, bool)
    result[:, 2:] = (labels[:, 2:] != blank) & (labels[:, 2:] != labels[:, :-2])
    return result


def _shifted(row: Array, steps: int) -> Array:
    """Each row moved right, with impossible places before it."""
    result = np.full_like(row, -np.inf)
    result[:, steps:] = row[:, : row.shape[1] - steps]
    return result


def forward(log_probs: Array, labels: Array, blank: int) -> Array:
    """``(T, N, 2 S + 1)``: the probability of all ways to be at a label at a time (eq. 6 and 7)."""
    emissions, skips = _emissions(log_probs, labels), _may_skip(labels, blank)
    alpha = np.full(emissions.shape, -np.inf, log_probs.dtype)
    alpha[:1, :, :2] = emissions[:1, :, :2]
    for time in range(1, len(alpha)):
        stay = np.logaddexp(alpha[time - 1], _shifted(alpha[time - 1], 1))
        skip = np.where(skips, _shifted(alpha[time - 1], 2), -np.inf)
        alpha[time] = np.logaddexp(stay, skip) + emissions[time]
    return alpha


def backward(log_probs: Array, labels: Array, lengths: Array, target_lengths: Array, blank: int) -> Array:
    """The same for all ways to go on from there to the end (eq. 9 and 10), which each sample has at its own time."""
    emissions, skips = _emissions(log_probs, labels), _may_skip(labels, blank)
    places = np.arange(labels.shape[1])
    ends = (places == 2 * target_lengths[:, None]) | (places == 2 * target_lengths[:, None] - 1)
    beta = np.full(emissions.shape, -np.inf, log_probs.dtype)
    following = np.full(labels.shape, -np.inf, log_probs.dtype)
    for time in reversed(range(len(beta))):
        come = np.logaddexp(following, _shifted(following[:, ::-1], 1)[:, ::-1])
        jump = _shifted(np.where(skips, following, -np.inf)[:, ::-1], 2)[:, ::-1]
        start = np.where(ends, 0.0, -np.inf)
        row = np.where(np.equal(lengths, time + 1)[:, None], start, np.logaddexp(come, jump)) + emissions[time]
        following = beta[time] = np.where(np.less(time, lengths)[:, None], row, -np.inf)
    return beta


def losses(alpha: Array, lengths: Array, target_lengths: Array) -> Array:
    """``(N,)``: minus the log-likelihood of the targets (eq. 8)."""
    samples = np.arange(len(lengths))
    last = alpha[np.maximum(lengths - 1, 0), samples]
    at_blank, at_label = last[samples, 2 * target_lengths], last[samples, np.maximum(2 * target_lengths - 1, 0)]
    total = np.logaddexp(at_blank, np.where(target_lengths > 0, at_label, -np.inf))
    nothing = np.where(target_lengths == 0, 0.0, -np.inf)
    return -np.where(lengths > 0, total, nothing).astype(alpha.dtype)


def gradients(
    log_probs: Array, labels: Array, lengths: Array, target_lengths: Array, blank: int
) -> tuple[Array, Array]:
    """``(T, N, C)``: derivatives of the losses by the scores before a log_softmax (eq. 16), and the losses."""
    alpha = forward(log_probs, labels, blank)
    loss = losses(alpha, lengths, target_lengths)
    paths = alpha + backward(log_probs, labels, lengths, target_lengths, blank)
    through = np.full(log_probs.shape, -np.inf, log_probs.dtype)
    for place in range(labels.shape[1]):
        index = np.broadcast_to(labels[:, place, None], (len(log_probs), len(labels), 1))
        seen = np.take_along_axis(through, index, 2)
        np.put_along_axis(through, index, np.logaddexp(seen, paths[:, :, place, None]), 2)
    result = np.exp(log_probs) - np.exp(through + loss[:, None] - log_probs)
    within = np.arange(len(log_probs))[:, None] < lengths
    return np.where(within[:, :, None], result, 0).astype(log_probs.dtype), loss
