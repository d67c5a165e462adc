"""The cache of plans: bounded by count and bytes, the last used stay."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from app.evaluate.plan_cache import PlanCache
from engine.plan import Eager, Plan, Recorder, planned
from engine.tensor import Tensor, from_array

THREE = np.array([0.1, 0.4, 0.7])


def plan_of(function: Callable[[Tensor], Tensor], value: np.ndarray[Any, Any]) -> Plan | Eager:
    with Recorder([value]) as notes:
        out = function(from_array(value, True))
    return planned(notes, [out.array])


def test_a_hundred_thousand_keys_leave_little_behind() -> None:
    plan = plan_of(lambda x: x * 2, THREE)
    cache: PlanCache[Plan | Eager] = PlanCache(count=100, nbytes=1 << 20)
    for number in range(100_000):
        cache.put((b"program", number), plan)
    assert len(cache) == 100
    assert cache.nbytes <= 1 << 20
    assert cache.get((b"program", 0)) is None
    assert cache.get((b"program", 99_999)) is plan


def test_the_cache_counts_constants_and_keys() -> None:
    constant = from_array(np.arange(10_000.0))
    large = plan_of(lambda x: (x * constant).sum(), THREE[:1])
    assert large.nbytes > constant.array.nbytes
    cache: PlanCache[Plan | Eager] = PlanCache(nbytes=100_000)
    cache.put("large", large)
    cache.put(b"x" * 90_000, Eager("random numbers"))
    assert cache.get("large") is None
    cache.put(b"x" * 200_000, Eager("random numbers"))
    assert len(cache) == 1


def test_what_was_used_last_stays() -> None:
    cache: PlanCache[Plan | Eager] = PlanCache(count=2)
    for key in "ab":
        cache.put(key, Eager(key))
    cache.get("a")
    cache.put("c", Eager("c"))
    assert [cache.get(key) is not None for key in "abc"] == [True, False, True]


@pytest.mark.parametrize("number", [1.5, -0.0, float("nan")])
def test_a_constant_that_repeats_a_number_takes_no_room(number: float) -> None:
    constant, ones = from_array(np.full(100_000, number)), np.ones(100_000)
    plan = plan_of(lambda x: x * constant, ones)
    assert isinstance(plan, Plan)
    assert plan.nbytes < 10_000
    assert plan(ones)[0].tobytes() == constant.array.tobytes()
