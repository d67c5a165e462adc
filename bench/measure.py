"""Interleaved measurement: all contenders take turns in one run, so that a slow minute of the machine hits them alike.

CPU seconds are counted, not wall time: with one thread a contender they are the same on an idle machine, and on a busy
one they leave out what others use.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass

import scipy.linalg  # noqa: F401 (its BLAS is one of its own, and limits hold for what is loaded)
import torch
from threadpoolctl import threadpool_limits  # type: ignore[import-not-found]

SAMPLE_S = 0.01  # a sample repeats a call until it lasts about this long
FEWEST_ROUNDS = 5
OURS = "gradserve"

Clock = Callable[[], float]
Sampler = Callable[[], float]  # one measurement: CPU seconds per call, or wall time where a case says so


@dataclass(frozen=True)
class Comparison:
    """One contender against ours; a ratio above 1 says that ours needs less."""

    case: str
    peer: str
    ours_s: float
    peer_s: float
    ratio: float
    low: float  # quartiles of the ratio over all rounds
    high: float


@dataclass(frozen=True)
class Fact:
    """A measurement that has no peer."""

    case: str
    value: str


@contextmanager
def single_threaded() -> Iterator[None]:
    """One thread for BLAS and for the peer."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        with threadpool_limits(1):
            yield
    finally:
        torch.set_num_threads(before)


def timed(call: Callable[[], object], clock: Clock = time.process_time) -> Sampler:
    """Samples ``call``, as often per sample as its first runs suggest."""
    call()
    repeats = max(1, round(SAMPLE_S / max(_seconds(call, 3, clock), 1e-9)))
    return lambda: _seconds(call, repeats, clock)


def _seconds(call: Callable[[], object], repeats: int, clock: Clock) -> float:
    start = clock()
    for _ in range(repeats):
        call()
    return (clock() - start) / repeats


def compare(case: str, contenders: Mapping[str, Sampler], seconds: float) -> list[Comparison]:
    """Rounds in which everyone is measured once, for ``seconds``; ``contenders`` has ours among them."""
    samples: dict[str, list[float]] = {name: [] for name in contenders}
    end = time.monotonic() + seconds
    while time.monotonic() < end or len(samples[OURS]) < FEWEST_ROUNDS:
        for name, sample in contenders.items():
            samples[name].append(sample())
    return [_comparison(case, peer, samples[OURS], samples[peer]) for peer in contenders if peer != OURS]


def _comparison(case: str, peer: str, ours: list[float], theirs: list[float]) -> Comparison:
    ratios = [one / other for one, other in zip(theirs, ours, strict=True)]
    low, middle, high = statistics.quantiles(ratios, n=4)
    return Comparison(case, peer, statistics.median(ours), statistics.median(theirs), middle, low, high)
