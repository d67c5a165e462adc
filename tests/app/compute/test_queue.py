"""The queue against a model of it that is as plain as can be: bounded, fair, in order, and nothing is lost."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from itertools import count

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from app.compute.queue import FairQueue, Room
from app.errors import Overloaded
from app.limits import OverLimit

OWNERS = st.sampled_from(["ann", "bob", "cy"])
TURNS = st.none() | st.sampled_from(["s1", "s2"])


@dataclass(eq=False)
class Entry:
    """A task."""

    owner: str
    turn: str | None = None
    number: int = field(default_factory=count().__next__)


class Queue(RuleBasedStateMachine):
    """Tasks come, begin, end, and are given up, in any order; ``free`` processes take them."""

    @initialize(
        tasks=st.integers(0, 6), owner_tasks=st.integers(0, 4), turn_tasks=st.integers(0, 3), free=st.integers(1, 3)
    )
    def begin(self, tasks: int, owner_tasks: int, turn_tasks: int, free: int) -> None:
        self.room = Room(tasks, owner_tasks, turn_tasks)
        self.queue: FairQueue[Entry] = FairQueue(self.room)
        self.free = free
        self.waiting: list[Entry] = []
        self.running: list[Entry] = []
        self.passed: dict[str, Counter[str]] = {}  # how often others were served while an owner was ready

    def turns_taken(self) -> set[str]:
        """Turns of which a task runs, or is the first that could."""
        return {entry.turn for entry in (*self.running, *self.waiting) if entry.turn is not None}

    def ready(self) -> list[Entry]:
        """What could begin: the first of each turn that is not running, and all without a turn."""
        busy = {entry.turn for entry in self.running}
        found = []
        for entry in self.waiting:
            if entry.turn is None or entry.turn not in busy:
                found.append(entry)
                busy.add(entry.turn)
        return [entry for entry in self.waiting if entry.turn is None or entry in found]

    def hand_out(self) -> None:
        """Every process that is free takes a task, if one may begin."""
        while self.free:
            ready = self.ready()
            entry = self.queue.take()
            assert (entry is None) == (not ready)
            if entry is None:
                return
            assert entry in ready
            ahead = [other for other in ready if other.owner == entry.owner and other.turn == entry.turn]
            assert ahead[0] is entry  # in order
            self.note_service(entry.owner, {other.owner for other in ready})
            self.waiting.remove(entry)
            self.running.append(entry)
            self.free -= 1

    def note_service(self, served: str, ready: set[str]) -> None:
        """Nobody is served twice while another one could have been."""
        for owner in list(self.passed):
            if owner == served or owner not in ready:
                del self.passed[owner]
        for owner in ready - {served}:
            self.passed.setdefault(owner, Counter())[served] += 1
            assert self.passed[owner][served] == 1

    @rule(owner=OWNERS, turn=TURNS)
    def put(self, owner: str, turn: str | None) -> None:
        entry = Entry(owner, turn)
        is_taken = turn is not None and turn in self.turns_taken()
        others = sum(one.turn == turn for one in self.waiting) - (turn not in {one.turn for one in self.running})
        begins = self.free > 0
        refusal: type[Exception] | None = None
        if is_taken or not begins:
            if is_taken and others >= self.room.turn_tasks:
                refusal = OverLimit
            elif len(self.waiting) >= self.room.tasks:
                refusal = Overloaded
            elif sum(one.owner == owner for one in self.waiting) >= self.room.owner_tasks:
                refusal = OverLimit
        if refusal is None:
            self.queue.put(entry, begins=begins)
            self.waiting.append(entry)
            self.hand_out()
        else:
            with pytest.raises(refusal):
                self.queue.put(entry, begins=begins)

    @precondition(lambda self: self.free)
    @rule(owner=OWNERS, turn=TURNS)
    def put_where_somebody_is_free(self, owner: str, turn: str | None) -> None:
        """What need not wait passes, and else nothing has happened."""
        entry = Entry(owner, turn)
        passes = not self.ready() and (turn is None or turn not in self.turns_taken())
        assert self.queue.passes(entry) is passes
        if passes:
            self.running.append(entry)
            self.free -= 1

    @precondition(lambda self: self.running)
    @rule(data=st.data())
    def end(self, data: st.DataObject) -> None:
        entry = data.draw(st.sampled_from(self.running))
        self.running.remove(entry)
        self.free += 1
        self.queue.give_back(entry.turn)
        self.hand_out()

    @precondition(lambda self: self.waiting)
    @rule(data=st.data())
    def give_up(self, data: st.DataObject) -> None:
        entry = data.draw(st.sampled_from(self.waiting))
        assert self.queue.remove(entry)
        self.waiting.remove(entry)
        self.passed.pop(entry.owner, None)  # it may have lost its place
        assert not self.queue.remove(entry)
        self.hand_out()

    @precondition(lambda self: self.running)
    @rule(data=st.data())
    def give_up_what_runs(self, data: st.DataObject) -> None:
        assert not self.queue.remove(data.draw(st.sampled_from(self.running)))

    @invariant()
    def who_is_not_ready_is_passed_by_nobody(self) -> None:
        if hasattr(self, "queue"):
            ready = {entry.owner for entry in self.ready()}
            self.passed = {owner: counts for owner, counts in self.passed.items() if owner in ready}

    @invariant()
    def nothing_is_lost(self) -> None:
        if not hasattr(self, "queue"):
            return
        assert Counter(entry.number for entry in self.queue.entries()) == Counter(one.number for one in self.waiting)
        assert self.queue.waiting == len(self.waiting)
        assert self.queue.is_full == (len(self.waiting) >= self.room.tasks)
        for turn in self.turns_taken():
            assert sum(entry.turn == turn for entry in self.running) <= 1

    def teardown(self) -> None:
        """When all has ended, nothing is remembered of it."""
        if not hasattr(self, "queue"):
            return
        while self.running:
            entry = self.running.pop()
            self.free += 1
            self.queue.give_back(entry.turn)
            self.hand_out()
        assert not self.waiting
        assert (self.queue._ready, self.queue._turns, self.queue._counts) == ({}, {}, {})


TestQueue = Queue.TestCase
TestQueue.settings = settings(max_examples=200, stateful_step_count=40, deadline=None)


def taken(queue: FairQueue[Entry]) -> list[Entry]:
    """All that may begin, one after another; each turn is given back at once."""
    found = []
    while (entry := queue.take()) is not None:
        found.append(entry)
        queue.give_back(entry.turn)
    return found


def test_owners_take_turns_however_much_each_asks_for() -> None:
    queue: FairQueue[Entry] = FairQueue(Room())
    for owner, number in (("ann", 20), ("bob", 3), ("cy", 1)):
        for _ in range(number):
            queue.put(Entry(owner), begins=False)
    owners = [entry.owner for entry in taken(queue)]
    assert owners[:7] == ["ann", "bob", "cy", "ann", "bob", "ann", "bob"]
    assert owners[7:] == ["ann"] * 17


def test_who_was_served_comes_last_also_with_other_tasks() -> None:
    queue: FairQueue[Entry] = FairQueue(Room())
    for owner in ("ann", "ann", "bob"):
        queue.put(Entry(owner), begins=False)
    first = queue.take()
    assert first is not None
    assert first.owner == "ann"
    queue.put(Entry("ann"), begins=False)
    assert [entry.owner for entry in taken(queue)] == ["bob", "ann", "ann"]


def test_one_session_does_not_hold_others_of_its_owner() -> None:
    queue: FairQueue[Entry] = FairQueue(Room())
    mine = [Entry("ann", "s1") for _ in range(10)]
    for entry in (*mine, Entry("ann", "s2"), Entry("ann")):
        queue.put(entry, begins=False)
    begun = [queue.take() for _ in range(4)]
    assert [entry and entry.turn for entry in begun] == ["s1", "s2", None, None]
    assert begun[3] is None
    queue.give_back("s1")
    assert queue.take() is mine[1]


@pytest.mark.parametrize(
    ("room", "entries", "limit"),
    [
        (Room(turn_tasks=2), [Entry("ann", "s")] * 4, "session_queue"),
        (Room(owner_tasks=2), [Entry("ann")] * 3, "owner_queue"),
    ],
)
def test_a_bound_is_told_with_its_numbers(room: Room, entries: list[Entry], limit: str) -> None:
    queue: FairQueue[Entry] = FairQueue(room)
    for entry in entries[:-1]:
        queue.put(Entry(entry.owner, entry.turn), begins=False)
    with pytest.raises(OverLimit) as refused:
        queue.put(entries[-1], begins=limit == "session_queue")
    assert (refused.value.limit, refused.value.allowed, refused.value.asked) == (limit, 2, 3)
