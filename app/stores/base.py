"""What a store of sessions promises. One suite of tests runs over every implementation.

A store knows nothing of tensors: a session is a head, records (``app.sessions.schema``), and blocks of memory.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, NamedTuple, Protocol

import msgspec


class StoreError(Exception):
    """The store cannot do its work now: it is out of reach, out of space or out of order. Nothing is half done."""


class Conflict(Exception):
    """The stored version is not the expected one; ``version`` is the stored one, ``None`` if the session is gone."""

    def __init__(self, version: int | None) -> None:
        super().__init__(version)
        self.version = version


class KeyLost(Exception):
    """The claim on an Idempotency-Key ran out and another request took it: this one must not commit."""


class Head(msgspec.Struct, frozen=True):  # a dataclass that is frozen takes 1 us to make, and every commit makes one
    """What is known of a session without its tensors. Times are seconds of the epoch."""

    id: str
    owner: str
    version: int
    created_at: float
    expires_at: float
    ttl_seconds: float
    nbytes: int = 0


BLOCK_BYTES: Final = 16 * 1024


class Block(NamedTuple):
    """A part of a memory that is too large for a record: bytes from ``number * BLOCK_BYTES`` on.

    One that is longer than ``BLOCK_BYTES`` is an extent: it replaces all blocks that it covers. Extents of a memory do
    not overlap.
    """

    memory: int
    number: int
    data: bytes | memoryview

    @property
    def is_extent(self) -> bool:
        """Whether it is longer than a block."""
        return len(self.data) > BLOCK_BYTES

    @property
    def end(self) -> int:
        """The number of the first block behind it."""
        return self.number - (-len(self.data) // BLOCK_BYTES)


class Change(msgspec.Struct, frozen=True):
    """What one commit writes. A ``whole`` record replaces all before it; of ``abandoned`` memories the blocks go."""

    record: bytes
    whole: bool
    blocks: Sequence[Block] = ()
    abandoned: Sequence[int] = ()


@dataclass(frozen=True, slots=True)
class Loaded:
    """A session, or what came after a version of it. Of blocks over each other, the later one holds."""

    head: Head
    records: Sequence[bytes]
    blocks: Sequence[Block]
    is_whole: bool  # the first record is a whole one


@dataclass(frozen=True, slots=True)
class Claim:
    """An Idempotency-Key of an owner, the digest of the request that came with it, and who holds it."""

    owner: str
    key: str
    fingerprint: bytes
    holder: bytes


@dataclass(frozen=True, slots=True)
class KeyRecord:
    """What a store knows of an Idempotency-Key: the digest of its request, and the answer once it is made."""

    fingerprint: bytes
    answer: bytes | None


@dataclass(frozen=True, slots=True)
class Answer:
    """What a commit keeps for a key."""

    claim: Claim
    body: bytes


@dataclass(frozen=True, slots=True)
class Usage:
    """What an owner has: sessions that have not expired, and their bytes."""

    sessions: int
    nbytes: int


@dataclass(frozen=True, slots=True)
class Swept:
    """What a sweep took away."""

    sessions: int = 0
    keys: int = 0


@dataclass(frozen=True, slots=True)
class Bounds:
    """For how long, and how much of it, is remembered. Seconds, a number and bytes; of each owner."""

    keys_seconds: float
    keys: int
    keys_bytes: int
    expired_seconds: float = 7 * 86_400.0


class SessionStore(Protocol):
    """Sessions by id, and answers by Idempotency-Key.

    Every method is one transaction, may be called from any thread, and raises ``StoreError`` where the store fails:
    then nothing of it has happened, or (a connection lost during a commit, and not to be had again) all of it.
    Expired sessions are as good as gone for all but ``head`` and ``load``.
    """

    def open(self) -> None:
        """Connect, and bring the schema up to date. Raises ``StoreError``, also for a schema of a later version."""

    def close(self) -> None:
        """Let go of every connection."""

    def before_fork(self) -> None:
        """Let go of what a forked process must not have, which opens the store by itself; the next use connects."""

    def check(self) -> None:
        """Raise ``StoreError`` unless the store can be asked now."""

    def add(self, head: Head, change: Change, answer: Answer | None) -> None:
        """Keep a new session, and with it the answer to its request. Raises ``KeyLost``."""

    def head(self, sid: str) -> Head | None:
        """Return the head of the session, or ``None``."""

    def load(self, sid: str, after: int | None = None) -> Loaded | None:
        """Return the session, or what was committed ``after`` a version; ``None`` if there is no such session."""

    def commit(self, head: Head, expected: int, change: Change, answer: Answer | None) -> None:
        """Change the session whose version is ``expected``. Raises ``Conflict`` and ``KeyLost``."""

    def renew(self, sid: str, expires_at: float) -> None:
        """Let a session live until then; one that is gone stays gone."""

    def remove(self, sid: str, expected: int | None, answer: Answer | None) -> None:
        """Forget a session; with ``expected``, only at that version. Raises ``Conflict`` and ``KeyLost``."""

    def usage(self, owner: str, now: float) -> Usage:
        """Return what the owner has."""

    def page(self, owner: str, now: float, after: tuple[float, str] | None, size: int) -> Sequence[Head]:
        """Heads in the order of ``(created_at, id)``, from behind ``after``."""

    def expired(self, sid: str) -> str | None:
        """Return the owner of a session that a sweep took away, or ``None``."""

    def claim(self, claim: Claim, now: float, until: float) -> KeyRecord | None:
        """Take the key until then: ``None``. Unless somebody else holds it, or it has an answer: that."""

    def prolong(self, claims: Sequence[Claim], until: float) -> None:
        """Hold keys for longer."""

    def release(self, claim: Claim) -> None:
        """Give a key back that got no answer."""

    def sweep(self, now: float, bounds: Bounds) -> Swept:
        """Drop sessions and keys that have expired, and of an owner's answers the oldest that are too many."""
