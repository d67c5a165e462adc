"""Modes: what one context sets, others do not see; what a session shares, they do."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from contextvars import copy_context
from typing import Any

import pytest

import engine
from engine import modes
from engine.plan import Recorder

torch: Any = engine


def leaf(*values: float) -> Any:
    return torch.tensor(list(values), dtype=torch.float64, requires_grad=True)


MODES: list[Callable[[], Any]] = [torch.no_grad, torch.inference_mode, lambda: torch.set_grad_enabled(False)]


@pytest.mark.parametrize("mode", MODES)
def test_a_mode_holds_in_its_own_task_and_in_no_other(mode: Callable[[], Any]) -> None:
    inside, done = threading.Event(), threading.Event()
    x = leaf(1.0)

    def stop_recording() -> bool:
        with mode():
            inside.set()
            assert done.wait(10)
            return bool((x * 2).requires_grad)

    def record() -> bool:
        assert inside.wait(10)
        try:
            return bool((x * 2).requires_grad)
        finally:
            done.set()

    async def both() -> list[bool]:
        return list(await asyncio.gather(asyncio.to_thread(stop_recording), asyncio.to_thread(record)))

    assert asyncio.run(both()) == [False, True]


def test_a_switch_for_good_is_one_of_the_context() -> None:
    copy_context().run(torch.set_grad_enabled, False)
    assert torch.is_grad_enabled()
    torch.set_grad_enabled(False)
    assert not copy_context().run(torch.is_grad_enabled)


def test_a_sweep_stops_recording_in_its_own_context_only() -> None:
    seen: list[bool] = []
    x = leaf(1.0)
    y = x * 2
    other = copy_context()
    pull_back = y.grad_fn.op.pull_back

    class Watched:
        """The op of the node, which looks at the modes of another context while a sweep runs."""

        name = "watched"

        @staticmethod
        def pull_back(*args: Any) -> Any:
            seen.append(other.run(torch.is_grad_enabled))
            seen.append(torch.is_grad_enabled())
            return pull_back(*args)

    y.grad_fn.op = Watched
    y.backward()
    assert seen == [True, False]
    assert torch.is_grad_enabled()


def test_defaults_and_random_numbers_are_the_sessions() -> None:
    """PyTorch has one of each for all its threads."""
    with torch.no_grad():
        copy_context().run(torch.set_default_dtype, torch.float64)
        copy_context().run(torch.set_printoptions, precision=2)
        copy_context().run(torch.manual_seed, 3)
    first = torch.rand(2).tolist()
    assert torch.get_default_dtype() is torch.float64
    assert str(torch.tensor(0.12345)) == "tensor(0.12)"
    torch.manual_seed(3)
    assert torch.rand(2).tolist() == first


def test_modes_nest_and_are_restored_after_errors(state: modes.State) -> None:
    for mode in MODES:
        with pytest.raises(ZeroDivisionError), mode(), torch.enable_grad(), torch.no_grad():
            1 / 0  # noqa: B018
        assert (torch.is_grad_enabled(), torch.is_inference_mode_enabled()) == (True, False)
    assert modes.current() is state


def test_a_mode_object_may_be_entered_again_within_itself() -> None:
    mode = torch.no_grad()
    with mode, torch.enable_grad(), mode:
        assert not torch.is_grad_enabled()
    assert torch.is_grad_enabled()


def test_what_is_settled_holds_at_the_next_use() -> None:
    state = modes.State()
    for is_settled in (False, True):
        with modes.use(state):
            torch.set_grad_enabled(False)
            if is_settled:
                modes.settle()
        assert state.grad_enabled is not is_settled
    assert torch.is_grad_enabled()


def test_a_recorder_is_left_by_every_mode_at_once() -> None:
    x = leaf(1.0)
    with torch.no_grad(), Recorder([x.array]) as recorder:
        with torch.enable_grad(), torch.inference_mode():
            recorder.give_up("enough")
            assert modes.current().recorder is None
        assert modes.current().recorder is None
    with Recorder([x.array]):
        torch.set_grad_enabled(False)
        assert copy_context().run(modes.current).recorder is not None
    assert modes.current().recorder is None
    assert not torch.is_grad_enabled()
