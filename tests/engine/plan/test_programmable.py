"""Plans of what programs define: a plan has the kernels that hooks and functions ran, not the calls."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import engine
from engine import Tensor
from engine.plan import Eager, Plan, planned
from engine.plan.recorder import Recorder
from engine.tensor import from_array

torch: Any = engine
Array = np.ndarray[Any, Any]
hooks = torch.autograd.graph.saved_tensors_hooks


class Square(torch.autograd.Function):  # type: ignore[misc]
    @staticmethod
    def forward(ctx: Any, x: Tensor) -> Any:
        ctx.save_for_backward(x)
        return x * x

    @staticmethod
    def backward(ctx: Any, g: Tensor) -> Any:
        (x,) = ctx.saved_tensors
        return g * 3 * x.exp()


class Peeking(Square):
    @staticmethod
    def backward(ctx: Any, g: Tensor) -> Any:
        (x,) = ctx.saved_tensors
        return g * float(x.detach().max())


class Doubling(torch.autograd.Function):  # type: ignore[misc]
    @staticmethod
    def forward(ctx: Any, x: Tensor) -> Any:
        ctx.mark_dirty(x)
        return x.mul_(2)

    @staticmethod
    def backward(ctx: Any, g: Tensor) -> Any:
        return g.sin()


def packed(x: Tensor) -> Any:
    with hooks(lambda tensor: tensor.exp(), lambda tensor: tensor * 2):
        return (x * x).sin()


def hooked(hook: Callable[[Tensor], Any]) -> Callable[[Tensor], Any]:
    def function(x: Tensor) -> Any:
        y = x.exp()
        y.register_hook(hook)
        return y * x

    return function


def with_node_hooks(x: Tensor) -> Any:
    y = x.exp()
    y.grad_fn.register_hook(lambda gi, go: (gi[0] * go[0],))
    y.grad_fn.register_prehook(lambda go: (go[0].cos(),))
    return y * x


def checkpointed(x: Tensor) -> Any:
    return torch.utils.checkpoint.checkpoint(lambda x: (x.sin() * x).exp(), x, use_reentrant=False)


def recomputed(x: Tensor) -> Any:
    return torch.utils.checkpoint.checkpoint(lambda x: (x.sin() * x).exp(), x, use_reentrant=True)


def with_anomalies(x: Tensor) -> Any:
    with torch.autograd.set_detect_anomaly(True):
        return (x * x).sin()


def both(function: Callable[[Tensor], Any], x: Tensor) -> list[Array]:
    out = function(x)
    if function is with_anomalies:
        with torch.autograd.set_detect_anomaly(True):
            out.sum().backward()
    else:
        out.sum().backward()
    assert x.grad is not None
    return [out.array, x.grad.array]


def recorded(function: Callable[[Tensor], Any], values: Array) -> Plan | Eager:
    x = from_array(values.copy(), True)
    with Recorder([x.array]) as recorder:
        outputs = both(function, x)
    return planned(recorder, outputs)


PLANNED: dict[str, Callable[[Tensor], Any]] = {
    "a function": Square.apply,
    "a function that writes": lambda x: Doubling.apply(x.clone()),
    "a hook": hooked(lambda g: g * g),
    "a hook that changes nothing": hooked(lambda g: None),
    "hooks of a node": with_node_hooks,
    "hooks on what is saved": packed,
    "a checkpoint": checkpointed,
    "a checkpoint with reentrance": recomputed,
}
THREE = np.array([0.5, 1.0, 1.5])


@pytest.mark.parametrize("name", PLANNED)
@settings(max_examples=20, deadline=None)
@given(values=st.lists(st.floats(-3, 3, width=32), min_size=3, max_size=3))
def test_what_hooks_and_functions_ran_is_replayed_to_the_bit(name: str, values: list[float]) -> None:
    plan = recorded(PLANNED[name], THREE)
    assert isinstance(plan, Plan), plan
    other = np.array(values)
    for found, expected in zip(plan(other), both(PLANNED[name], from_array(other.copy(), True)), strict=True):
        np.testing.assert_array_equal(found, expected, strict=True)


@pytest.mark.parametrize(
    "function",
    [
        Peeking.apply,
        hooked(lambda g: g * g.max().item()),
        hooked(lambda g: g if g.sum() > 0 else -g),
        hooked(lambda g: torch.rand(3, dtype=torch.float64)),
        lambda x: torch.utils.checkpoint.checkpoint(lambda x: x * torch.rand(3), x, use_reentrant=False),
        with_anomalies,
    ],
)  # fmt: skip
def test_what_looks_at_values_or_draws_numbers_stays_eager(function: Callable[[Tensor], Any]) -> None:
    assert isinstance(recorded(function, THREE), Eager)


def test_gradcheck_stays_eager() -> None:
    x = from_array(THREE.copy(), True)
    with Recorder([x.array]) as recorder:
        assert torch.autograd.gradcheck(lambda x: x * x, x)
    assert recorder.is_eager
