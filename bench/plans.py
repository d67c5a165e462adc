"""The cases of the engine again, replayed as plans: what repeated requests of one program cost."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any
from unittest.mock import patch

import numpy as np
import torch

import engine
from bench import eager_small, elementwise, mlp
from bench.measure import OURS, Comparison, compare, single_threaded, timed
from engine import modes
from engine.plan import Plan, blocks, planned
from engine.plan.recorder import Recorder

Tensors = Sequence[Any]


def plan_of(function: Callable[[], Any], inputs: Tensors, leaves: Tensors) -> Callable[[], object]:
    """A replay of ``function``, which returns a loss, and of its gradient by ``leaves``."""
    arrays = [tensor.array for tensor in inputs]
    with modes.use(modes.State()), Recorder(arrays) as recorder:
        loss = function()
        loss.backward()
    expected = [tensor.array for tensor in (loss, *(leaf.grad for leaf in leaves))]
    plan = planned(recorder, expected)
    assert isinstance(plan, Plan), plan
    for one, other in zip(plan(*arrays), expected, strict=True):
        np.testing.assert_array_equal(one, other)
    return partial(plan, *arrays)


def small(seconds: float) -> list[Comparison]:
    x, peer = eager_small.leaf(engine), eager_small.leaf(torch)
    replay = plan_of(lambda: eager_small.chain(engine, x).sum(), [x], [x])
    samplers = {OURS: timed(replay), "torch eager": timed(partial(eager_small.backward, torch, peer))}
    return compare("50-op chain on 4 elements, forward + backward, as a plan", samplers, seconds)


def large(seconds: float) -> list[Comparison]:
    found = []
    for dtype in ("float64", "float32"):
        replay, peer = _contenders(dtype)
        samplers = {OURS: timed(replay), "torch": timed(peer)}
        found += compare(f"11-op chain on 1e6 {dtype}, forward + backward, as a plan", samplers, seconds / 2)
    return found


def shared(seconds: float) -> list[Comparison]:
    """Large arrays once more, as a server computes them: pieces shared among all processors. Wall time."""
    found = []
    for dtype in ("float64", "float32"):
        replay, peer = _contenders(dtype)
        threads = torch.get_num_threads()
        samplers = {
            f"torch, {threads} threads": timed(partial(_with_threads, threads, peer), time.perf_counter),
            "torch, 1 thread": timed(partial(_with_threads, 1, peer), time.perf_counter),
            OURS: timed(replay, time.perf_counter),  # last: torch's threads spin for a while after their work
        }
        case = f"11-op chain on 1e6 {dtype}, forward + backward, as a plan, all processors, wall time"
        found += compare(case, samplers, seconds / 2)
        torch.set_num_threads(threads)
    return found


def _contenders(dtype: str) -> tuple[Callable[[], object], Callable[[], object]]:
    """The gradient of the chain as a plan, and by torch."""
    leaves = elementwise.leaves(dtype)
    x, (_, peer) = leaves[OURS][1], leaves["torch"]
    return plan_of(partial(_total, x), [x], [x]), partial(elementwise.gradient, torch, peer)


def _with_threads(count: int, call: Callable[[], object]) -> None:
    torch.set_num_threads(count)
    call()


def _total(x: Any) -> Any:
    return elementwise.chain(engine, x).sum()


def classifier(seconds: float) -> list[Comparison]:
    x, labels, layers = mlp.network(engine)
    leaves = [leaf for layer in layers for leaf in layer]
    replay = plan_of(lambda: mlp.loss(engine, x, labels, layers), [x, labels, *leaves], leaves)
    samplers = {OURS: timed(replay), "torch": timed(partial(mlp.gradient, torch, *mlp.network(torch)))}
    return compare("MLP 784-512-512-10, batch 256, gradient, as a plan", samplers, seconds)


def run(seconds: float) -> list[Comparison]:
    with np.errstate(all="ignore"):
        with single_threaded(), patch.object(blocks, "THREADS", 1):
            found = [*small(seconds / 4), *large(seconds / 3), *classifier(seconds / 4)]
        return [*found, *shared(seconds / 6)]
