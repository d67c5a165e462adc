"""Binomial counts from uniform numbers, drawn as PyTorch draws them, one element after another."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np

Uniform = Callable[[], float]
TAILS = (
    0.0810614667953272, 0.0413406959554092, 0.0276779256849983, 0.02079067210376509, 0.0166446911898211,
    0.0138761288230707, 0.0118967099458917, 0.0104112652619720, 0.00925546218271273, 0.00833056343336287,
)  # fmt: skip
BY_REJECTION = 10  # the mean from which on numbers are proposed and rejected


def samples(
    counts: np.ndarray[Any, Any], probabilities: np.ndarray[Any, Any], uniform: Uniform
) -> np.ndarray[Any, Any]:
    """A count for each number of trials and probability of success."""
    pairs = zip(counts.ravel().tolist(), probabilities.ravel().tolist(), strict=True)
    drawn = [_sample(count, probability, uniform) for count, probability in pairs]
    return np.array(drawn, counts.dtype).reshape(counts.shape)


def _sample(count: float, probability: float, uniform: Uniform) -> float:
    if count <= 0 or probability <= 0:
        return 0
    if probability >= 1:
        return count
    if math.isnan(probability):
        return math.nan
    rarer = min(probability, 1 - probability)
    draw = _by_rejection if count * rarer >= BY_REJECTION else _by_gaps
    found = draw(count, rarer, uniform)
    return found if probability <= 0.5 else count - found


def _by_gaps(count: float, probability: float, uniform: Uniform) -> int:
    """By the geometric gaps between successes (Devroye, 1986, chapter X, section 4.3)."""
    scale, trials, successes = math.log1p(-probability), 0, 0
    while True:
        u = uniform()
        trials += math.ceil(math.log(u) / scale) if u else math.inf  # type: ignore[assignment]
        if trials > count:
            return successes
        successes += 1


def _tail(k: float) -> float:
    """What Stirling's formula leaves of the logarithm of ``k!``."""
    if k <= 9:
        return TAILS[int(k)]
    square = (k + 1) ** 2
    return (1 / 12 - (1 / 360 - 1 / 1260 / square) / square) / (k + 1)


def _by_rejection(count: float, probability: float, uniform: Uniform) -> int:
    """By transformed rejection with squeeze (Hoermann, 1993, algorithm BTRS)."""
    deviation = math.sqrt(count * probability * (1 - probability))
    b = 1.15 + 2.53 * deviation
    a = -0.0873 + 0.0248 * b + 0.01 * probability
    c = count * probability + 0.5
    v_r = 0.92 - 4.2 / b
    odds = probability / (1 - probability)
    alpha = (2.83 + 5.1 / b) * deviation
    m = math.floor((count + 1) * probability)
    while True:
        u = uniform() - 0.5
        v = uniform()
        us = 0.5 - abs(u)
        k = math.floor((2 * a / us + b) * u + c) if us else -1
        if k < 0 or k > count:
            continue
        if us >= 0.07 and v <= v_r:
            return k
        bound = (
            (m + 0.5) * math.log((m + 1) / (odds * (count - m + 1)))
            + (count + 1) * math.log((count - m + 1) / (count - k + 1))
            + (k + 0.5) * math.log(odds * (count - k + 1) / (k + 1))
            + _tail(m) + _tail(count - m) - _tail(k) - _tail(count - k)
        )  # fmt: skip
        height = v * alpha / (a / (us * us) + b)
        if height == 0 or math.log(height) <= bound:
            return k
