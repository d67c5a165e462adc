"""Sessions in this process's memory: for tests, and for a service whose sessions may end with it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import accumulate
from threading import RLock

from msgspec.structs import replace

from app.stores.base import (
    Answer,
    Block,
    Bounds,
    Change,
    Claim,
    Conflict,
    Head,
    KeyLost,
    KeyRecord,
    Loaded,
    Swept,
    Usage,
)


@dataclass(slots=True)
class _Session:
    head: Head
    records: dict[int, bytes] = field(default_factory=dict)  # by version
    whole: int = 0  # the version of the whole record
    extents: dict[tuple[int, int], tuple[int, bytes]] = field(default_factory=dict)  # with their version
    blocks: dict[tuple[int, int], tuple[int, bytes]] = field(default_factory=dict)  # later than the extents below them


@dataclass(slots=True)
class _Key:
    claim: Claim
    held_until: float
    created_at: float
    body: bytes | None = None


class MemoryStore:
    """A ``SessionStore`` without a disk."""

    def __init__(self) -> None:
        self._sessions: dict[str, _Session] = {}
        self._expired: dict[str, tuple[str, float]] = {}  # owner and time
        self._keys: dict[tuple[str, str], _Key] = {}
        self._lock = RLock()

    def open(self) -> None:
        """Nothing to connect to."""

    def close(self) -> None:
        """Nothing to let go of."""

    def before_fork(self) -> None:
        """Nothing."""

    def check(self) -> None:
        """Memory is always there."""

    # -- sessions -------------------------------------------------------------------------------------------------
    def add(self, head: Head, change: Change, answer: Answer | None) -> None:
        """Keep a new session."""
        with self._lock:
            self._check_held(answer)
            self._sessions[head.id] = _Session(head)
            self._keep(self._sessions[head.id], head, change, answer)

    def _keep(self, session: _Session, head: Head, change: Change, answer: Answer | None) -> None:
        session.head = head
        if change.whole:
            session.records.clear()
            session.whole = head.version
        session.records[head.version] = change.record
        for block in change.blocks:
            if block.is_extent:
                session.extents[block.memory, block.number] = head.version, bytes(block.data)
                for number in range(block.number, block.end):
                    session.blocks.pop((block.memory, number), None)
            else:
                session.blocks[block.memory, block.number] = head.version, bytes(block.data)
        for kept in (session.extents, session.blocks):
            for place in [place for place in kept if place[0] in change.abandoned]:
                del kept[place]
        self._keep_answer(answer)

    def head(self, sid: str) -> Head | None:
        """Return the head of the session, or ``None``."""
        session = self._sessions.get(sid)
        return None if session is None else session.head

    def load(self, sid: str, after: int | None = None) -> Loaded | None:
        """Return the session, or what was committed ``after`` a version."""
        with self._lock:
            session = self._sessions.get(sid)
            if session is None:
                return None
            since = -1 if after is None or after < session.whole else after
            records = [record for version, record in session.records.items() if version > since]
            blocks = [
                Block(memory, number, data)
                for kept in (session.extents, session.blocks)
                for (memory, number), (version, data) in kept.items()
                if version > since
            ]
            return Loaded(session.head, records, blocks, since < 0)

    def commit(self, head: Head, expected: int, change: Change, answer: Answer | None) -> None:
        """Change the session whose version is ``expected``."""
        with self._lock:
            session = self._expect(head.id, expected)
            self._check_held(answer)
            self._keep(session, head, change, answer)

    def _expect(self, sid: str, version: int) -> _Session:
        session = self._sessions.get(sid)
        if session is None or session.head.version != version:
            raise Conflict(None if session is None else session.head.version)
        return session

    def renew(self, sid: str, expires_at: float) -> None:
        """Let a session live until then."""
        with self._lock:
            session = self._sessions.get(sid)
            if session is not None and session.head.expires_at < expires_at:
                session.head = replace(session.head, expires_at=expires_at)

    def remove(self, sid: str, expected: int | None, answer: Answer | None) -> None:
        """Forget a session."""
        with self._lock:
            if sid in self._sessions and expected is not None:
                self._expect(sid, expected)
            self._check_held(answer)
            self._sessions.pop(sid, None)
            self._keep_answer(answer)

    def usage(self, owner: str, now: float) -> Usage:
        """Return what the owner has."""
        heads = self._living(owner, now)
        return Usage(len(heads), sum(head.nbytes for head in heads))

    def page(self, owner: str, now: float, after: tuple[float, str] | None, size: int) -> Sequence[Head]:
        """Heads in the order of ``(created_at, id)``, from behind ``after``."""
        heads = sorted(self._living(owner, now), key=_order)
        return [head for head in heads if after is None or _order(head) > after][:size]

    def expired(self, sid: str) -> str | None:
        """Return the owner of a session that a sweep took away, or ``None``."""
        found = self._expired.get(sid)
        return None if found is None else found[0]

    def _living(self, owner: str, now: float) -> list[Head]:
        with self._lock:
            heads = [session.head for session in self._sessions.values()]
        return [head for head in heads if head.owner == owner and head.expires_at > now]

    # -- answers --------------------------------------------------------------------------------------------------
    def claim(self, claim: Claim, now: float, until: float) -> KeyRecord | None:
        """Take the key, unless it is taken."""
        with self._lock:
            known = self._keys.get((claim.owner, claim.key))
            is_held = known is not None and known.held_until > now and known.claim.holder != claim.holder
            if known is not None and (known.body is not None or is_held):
                return KeyRecord(known.claim.fingerprint, known.body)
            self._keys[claim.owner, claim.key] = _Key(claim, until, now)
            return None

    def prolong(self, claims: Sequence[Claim], until: float) -> None:
        """Hold keys for longer."""
        with self._lock:
            for claim in filter(self._holds, claims):
                self._keys[claim.owner, claim.key].held_until = until

    def release(self, claim: Claim) -> None:
        """Give a key back that got no answer."""
        with self._lock:
            if self._holds(claim):
                del self._keys[claim.owner, claim.key]

    def _holds(self, claim: Claim) -> bool:
        known = self._keys.get((claim.owner, claim.key))
        return known is not None and known.claim.holder == claim.holder and known.body is None

    def _check_held(self, answer: Answer | None) -> None:
        if answer is not None and not self._holds(answer.claim):
            raise KeyLost(answer.claim.key)

    def _keep_answer(self, answer: Answer | None) -> None:
        if answer is not None:
            self._keys[answer.claim.owner, answer.claim.key].body = answer.body

    def sweep(self, now: float, bounds: Bounds) -> Swept:
        """Drop what has expired, and what is too much."""
        with self._lock:
            gone = [session.head for session in self._sessions.values() if session.head.expires_at <= now]
            for head in gone:
                del self._sessions[head.id]
                self._expired[head.id] = head.owner, now
            old = now - bounds.expired_seconds
            self._expired = {sid: entry for sid, entry in self._expired.items() if entry[1] > old}
            keys = [key for key, one in self._keys.items() if one.created_at <= now - bounds.keys_seconds]
            for owner in {owner for owner, _ in self._keys}:
                keys += self._excess(owner, bounds)
            for key in keys:
                self._keys.pop(key, None)
            return Swept(len(gone), len(keys))

    def _excess(self, owner: str, bounds: Bounds) -> list[tuple[str, str]]:
        """Return the oldest answers of an owner, as far as they are too many or too large."""
        kept = [(key, one) for key, one in self._keys.items() if key[0] == owner and one.body is not None]
        kept.sort(key=lambda pair: -pair[1].created_at)
        totals = accumulate(len(one.body or b"") for _, one in kept)
        ranked = zip(kept, totals, strict=True)
        return [
            key
            for place, ((key, _), total) in enumerate(ranked)
            if place >= bounds.keys or (total > bounds.keys_bytes and place > 0)
        ]


def _order(head: Head) -> tuple[float, str]:
    return head.created_at, head.id
