"""Sessions in this process's memory: for tests, and for a service whose sessions may end with it."""

from __future__ import annotations

import time
from collections import OrderedDict
from collections.abc import Sequence
from threading import Lock

from app.stores.base import Conflict, Head, Stored

REMEMBERED = 100_000  # ids of expired sessions: an id and an owner each


class MemoryStore:
    """A ``SessionStore`` without a disk."""

    def __init__(self) -> None:
        self._sessions: dict[str, Stored] = {}
        self._expired: OrderedDict[str, str] = OrderedDict()
        self._lock = Lock()

    def add(self, session: Stored) -> None:
        """Keep a new session."""
        with self._lock:
            self._sessions[session.head.id] = session

    def get(self, sid: str) -> Stored | None:
        """The session, expired or not, or ``None``."""
        return self._sessions.get(sid)

    def commit(self, session: Stored, expected: int) -> None:
        """Replace the session whose version is ``expected``. Raises ``Conflict``."""
        with self._lock:
            stored = self._sessions.get(session.head.id)
            if stored is None or stored.head.version != expected:
                raise Conflict(None if stored is None else stored.head.version)
            self._sessions[session.head.id] = session

    def remove(self, sid: str) -> bool:
        """Forget a session; whether it was there."""
        with self._lock:
            return self._sessions.pop(sid, None) is not None

    def count(self, owner: str) -> int:
        """How many sessions the owner has, expired ones left out."""
        return len(self._living(owner))

    def page(self, owner: str, after: tuple[float, str] | None, size: int) -> Sequence[Head]:
        """Heads in the order of ``(created_at, id)``, from behind ``after``, expired ones left out."""
        heads = sorted(self._living(owner), key=_order)
        return [head for head in heads if after is None or _order(head) > after][:size]

    def expire(self, now: float) -> int:
        """Drop what has expired by ``now`` but remember the ids for a while; how many were dropped."""
        with self._lock:
            over = [stored.head for stored in self._sessions.values() if stored.head.expires_at <= now]
            for head in over:
                del self._sessions[head.id]
                self._expired[head.id] = head.owner
            while len(self._expired) > REMEMBERED:
                self._expired.popitem(last=False)
        return len(over)

    def expired(self, sid: str) -> str | None:
        """The owner of a session that was dropped by ``expire``, or ``None``."""
        return self._expired.get(sid)

    def _living(self, owner: str) -> list[Head]:
        now = time.time()
        with self._lock:
            heads = [stored.head for stored in self._sessions.values()]
        return [head for head in heads if head.owner == owner and head.expires_at > now]


def _order(head: Head) -> tuple[float, str]:
    return head.created_at, head.id
