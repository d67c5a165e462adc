"""Who is next: a queue that is fair to owners, runs the tasks of one turn one after another, and is bounded.

Owners take turns; what waits for its own turn (a session that is being changed) holds nothing that others could use.
"""

from __future__ import annotations

from collections import OrderedDict, deque
from dataclasses import dataclass
from typing import Generic, Protocol, TypeVar

from app.errors import Overloaded
from app.limits import OverLimit


class Queued(Protocol):
    """A task: whose it is, and in which turn it stands, if in any."""

    owner: str
    turn: str | None


Entry = TypeVar("Entry", bound=Queued)


@dataclass(frozen=True, slots=True)
class Room:
    """How many tasks may wait: in all, of one owner, and of one turn."""

    tasks: int = 256
    owner_tasks: int = 128
    turn_tasks: int = 32


class FairQueue(Generic[Entry]):
    """Tasks that wait. A turn is taken when a task becomes ready, and passed on when the task has ended."""

    def __init__(self, room: Room) -> None:
        self._room = room
        self._ready: OrderedDict[str, deque[Entry]] = OrderedDict()  # by owner; whoever was served last comes last
        self._turns: dict[str, deque[Entry]] = {}  # by turn that is taken: who waits for it
        self._counts: dict[str, int] = {}  # of what is here, by owner
        self.waiting = 0

    @property
    def is_full(self) -> bool:
        """Whether nobody else may wait."""
        return self.waiting >= self._room.tasks

    def put(self, entry: Entry, *, begins: bool) -> None:
        """Let an entry wait; ``begins``: somebody is free, and takes it at once unless it has to wait for its turn.

        Raises ``Overloaded`` and ``OverLimit``.
        """
        others = self._turns.get(entry.turn) if entry.turn is not None else None
        if others is not None or not begins:
            self._check_room(entry, others)
        if others is not None:
            others.append(entry)
        else:
            if entry.turn is not None:
                self._turns[entry.turn] = deque()
            self._ready.setdefault(entry.owner, deque()).append(entry)
        self._counts[entry.owner] = self._counts.get(entry.owner, 0) + 1
        self.waiting += 1

    def passes(self, entry: Entry) -> bool:
        """Return whether an entry may begin without waiting, for somebody is free; then it has taken its turn."""
        turn = entry.turn
        if self._ready or turn in self._turns:
            return False
        if turn is not None:
            self._turns[turn] = deque()
        return True

    def _check_room(self, entry: Entry, others: deque[Entry] | None) -> None:
        room = self._room
        if others is not None and len(others) >= room.turn_tasks:
            raise OverLimit("session_queue", allowed=room.turn_tasks, asked=len(others) + 1)
        if self.is_full:
            raise Overloaded("every process is busy and the queue is full; try again later")
        count = self._counts.get(entry.owner, 0)
        if count >= room.owner_tasks:
            raise OverLimit("owner_queue", allowed=room.owner_tasks, asked=count + 1)

    def take(self) -> Entry | None:
        """Return the next one that may begin, or ``None``."""
        if not self._ready:
            return None
        owner, entries = next(iter(self._ready.items()))
        entry = entries.popleft()
        if entries:
            self._ready.move_to_end(owner)
        else:
            del self._ready[owner]
        self._forget(entry)
        return entry

    def give_back(self, turn: str | None) -> None:
        """The task that had the turn has ended: whoever waits for it first is ready now."""
        if turn is None:
            return
        waiting = self._turns[turn]
        if waiting:
            first = waiting.popleft()
            self._ready.setdefault(first.owner, deque()).append(first)
        else:
            del self._turns[turn]

    def remove(self, entry: Entry) -> bool:
        """Take out an entry that nobody waits for any more; whether it was here."""
        ready = self._ready.get(entry.owner)
        if ready is not None and entry in ready:
            ready.remove(entry)
            if not ready:
                del self._ready[entry.owner]
            self._forget(entry)
            self.give_back(entry.turn)
            return True
        waiting = self._turns.get(entry.turn) if entry.turn is not None else None
        if waiting is not None and entry in waiting:
            waiting.remove(entry)
            self._forget(entry)
            return True
        return False

    def entries(self) -> list[Entry]:
        """Return all that wait."""
        return [entry for place in (*self._ready.values(), *self._turns.values()) for entry in place]

    def _forget(self, entry: Entry) -> None:
        self.waiting -= 1
        self._counts[entry.owner] -= 1
        if not self._counts[entry.owner]:
            del self._counts[entry.owner]
