"""The store's part of a request's time."""

from __future__ import annotations

from threading import Thread
from time import monotonic

import pytest

from app.operations.timed_store import KEPT, TimedStore
from app.stores.base import SessionStore, StoreError
from app.stores.memory import MemoryStore


class Away(MemoryStore):
    """A store that cannot be asked."""

    def check(self) -> None:
        raise StoreError("away")


def test_every_method_of_a_store_is_there_and_timed() -> None:
    store, times = TimedStore.over(MemoryStore())
    started = monotonic()
    store.open()
    assert store.head("nothing") is None
    assert [name for name, _, _ in times.calls] == ["open", "head"]
    assert all(started <= at <= at + seconds <= monotonic() for _, at, seconds in times.calls)
    assert times.seconds == sum(seconds for _, _, seconds in times.calls)
    assert {name for name in vars(SessionStore) if not name.startswith("_")} <= set(vars(store))


def test_a_call_that_fails_took_its_time_too() -> None:
    store, times = TimedStore.over(Away())
    with pytest.raises(StoreError):
        store.check()
    assert [name for name, _, _ in times.calls] == ["check"]


def test_what_other_threads_do_is_not_counted() -> None:
    store, times = TimedStore.over(MemoryStore())
    thread = Thread(target=store.check)
    thread.start()
    thread.join()
    assert (times.count, times.seconds) == (0, 0.0)


def test_many_calls_are_added_up_and_the_first_ones_told() -> None:
    store, times = TimedStore.over(MemoryStore())
    for _ in range(KEPT + 5):
        store.check()
    assert (len(times.calls), times.count) == (KEPT, KEPT + 5)
    assert times.seconds > sum(seconds for _, _, seconds in times.calls)
    times.begin()
    assert (times.calls, times.count, times.seconds) == ([], 0, 0.0)
