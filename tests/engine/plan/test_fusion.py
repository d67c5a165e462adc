"""Fusion: which steps may run together, and that finding out takes time in proportion to the number of steps."""

from __future__ import annotations

import random
import sys
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import engine
from engine.plan import Plan, Recorder, fusion, planned
from engine.plan.fusion import Unit
from engine.tensor import Tensor, from_array

torch: Any = engine
Array = np.ndarray[Any, Any]
WIDE = np.linspace(0.5, 1.5, 36_000).reshape(300, 120)
Program = Callable[..., tuple[Tensor, ...]]


def recorded(program: Program, *inputs: Array) -> tuple[Recorder, list[Array]]:
    leaves = [from_array(array.copy()) for array in inputs]
    with Recorder([leaf.array for leaf in leaves]) as recorder:
        outputs = program(*leaves)
    return recorder, [tensor.array for tensor in outputs]


def scaled(count: int) -> Program:
    """A chain of small arrays, every one of which goes into a chain of large ones."""

    def program(x: Tensor, s: Tensor) -> tuple[Tensor, ...]:
        for _ in range(count):
            s = s * 1.0001
            x = x * s
        return (x,)

    return program


def normalised(count: int) -> Program:
    """Groups between steps that stand alone."""

    def program(x: Tensor, s: Tensor) -> tuple[Tensor, ...]:
        for _ in range(count):
            x = ((x * 2).exp() + x).cumsum(0)[:]
        return (x,)

    return program


def fanning(count: int) -> Program:
    """A group that many need, and that needs a later step again and again."""

    def program(x: Tensor, s: Tensor) -> tuple[Tensor, ...]:
        d, first = s, x * 2
        for _ in range(count):
            d = d + first.cumsum(1)[0, 0]
            s = s.cumsum(0)
            x = x * s
        return x, d

    return program


def calls_made(function: Callable[[], object]) -> int:
    """How many calls Python makes in ``function``, its own and those to built-in functions."""
    count = 0

    def note(frame: object, event: str, argument: object) -> None:
        nonlocal count
        count += event in ("call", "c_call")

    sys.setprofile(note)
    try:
        function()
    finally:
        sys.setprofile(None)
    return count


@pytest.mark.parametrize("program", [scaled, normalised, fanning])
def test_planning_takes_time_in_proportion_to_the_steps(program: Callable[[int], Program]) -> None:
    counts = []
    for length in (300, 1_200):
        notes = recorded(program(length), WIDE, np.ones(1))
        counts.append(calls_made(lambda notes=notes: planned(*notes)))  # type: ignore[misc]
    assert counts[1] < 4.5 * counts[0]


def leads_to(unit: Unit, target: Unit) -> bool:
    """Whether ``target`` has to run before ``unit``, by looking at all that has."""
    seen, stack = {unit}, [unit]
    while stack:
        new = stack.pop().before - seen
        seen |= new
        stack += new
    return target in seen


def random_program(seed: int) -> Program:
    def program(x: Tensor, y: Tensor, s: Tensor) -> tuple[Tensor, ...]:
        generator = random.Random(seed)
        choose = generator.choice
        xs, ys, ss = [x], [y], [s]
        for _ in range(40):
            match generator.randrange(7):
                case 0 | 1:
                    xs.append(torch.sin(choose(xs) + choose(xs)))
                case 2:
                    ys.append(torch.cos(choose(ys) - choose(ys)))
                case 3:
                    xs.append(choose(xs) * choose(ss))
                case 4:
                    ys.append(choose(ys) * torch.tanh(choose([*xs, *ys]).sum()))
                case 5:
                    ss.append(torch.tanh(choose([*xs, *ys]).sum() * choose(ss)))
                case 6:
                    first, second = choose([(xs, ys), (ys, xs)])
                    second.append(choose(first).t().cumsum(0).contiguous())
        return xs[-1], ys[-1], ss[-1]

    return program


@pytest.mark.parametrize("seed", range(25))
def test_a_step_joins_a_group_unless_a_way_leads_out_of_it_and_back(seed: int, monkeypatch: pytest.MonkeyPatch) -> None:
    lifted = fusion._lifted

    def checked(group: Unit, needed: set[Unit]) -> bool:
        answer = lifted(group, needed)
        assert answer is not any(leads_to(unit, group) for unit in needed)
        return answer

    monkeypatch.setattr(fusion, "_lifted", checked)
    program = random_program(seed)
    inputs = WIDE, WIDE.T.copy(), np.array(0.5)
    plan = planned(*recorded(program, *inputs))
    assert isinstance(plan, Plan)
    others = [array - 0.25 for array in inputs]
    for one, other in zip(plan(*others), program(*map(from_array, others)), strict=True):
        np.testing.assert_array_equal(one, other.array)


@pytest.mark.parametrize("far", [0, 5])
def test_who_gives_up_the_search_begins_another_group(far: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fusion, "FAR", far)
    program = fanning(20)
    plan = planned(*recorded(program, WIDE, np.ones(1)))
    assert isinstance(plan, Plan)
    others = WIDE / 3, np.full(1, 0.5)
    for one, other in zip(plan(*others), program(*map(from_array, others)), strict=True):
        np.testing.assert_array_equal(one, other.array)
