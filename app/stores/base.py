"""What a store of sessions promises. One suite of tests runs over every implementation."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

from engine import modes


class Conflict(Exception):
    """The stored version is not the expected one; ``version`` is the stored one, ``None`` if the session is gone."""

    def __init__(self, version: int | None) -> None:
        super().__init__(version)
        self.version = version


@dataclass(frozen=True, slots=True)
class Head:
    """What is known of a session without its tensors. Times are seconds of the epoch."""

    id: str
    owner: str
    version: int
    created_at: float
    expires_at: float
    ttl_seconds: float
    nbytes: int = 0


@dataclass(frozen=True, slots=True)
class Stored:
    """A session: its head, its names, and the engine state that belongs to it."""

    head: Head
    namespace: dict[str, Any] = field(default_factory=dict)
    state: modes.State = field(default_factory=modes.State)


class SessionStore(Protocol):
    """Sessions by id. Every method is one transaction and may be called from any thread.

    A ``Stored`` that was got may share tensors with the store: change them under a journal, then ``commit`` or roll
    back. A durable store writes ``app.stores.records`` of it; the one in memory keeps it as it is.
    """

    def add(self, session: Stored) -> None:
        """Keep a new session."""

    def get(self, sid: str) -> Stored | None:
        """The session, expired or not, or ``None``."""

    def commit(self, session: Stored, expected: int) -> None:
        """Replace the session whose version is ``expected``. Raises ``Conflict``."""

    def remove(self, sid: str) -> bool:
        """Forget a session; whether it was there."""

    def count(self, owner: str) -> int:
        """How many sessions the owner has, expired ones left out."""

    def page(self, owner: str, after: tuple[float, str] | None, size: int) -> Sequence[Head]:
        """Heads in the order of ``(created_at, id)``, from behind ``after``, expired ones left out."""

    def expire(self, now: float) -> int:
        """Drop what has expired by ``now`` but remember the ids for a while; how many were dropped."""

    def expired(self, sid: str) -> str | None:
        """The owner of a session that was dropped by ``expire``, or ``None``."""
