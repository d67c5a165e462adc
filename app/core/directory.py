"""The sessions of all owners: make, find, list, change and drop them.

A command runs in one transaction: the engine's journal undoes what it did to tensors if it fails, the store takes the
result only at the version the command began with, and the answer to its Idempotency-Key is kept with it.
"""

from __future__ import annotations

import re
import secrets
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import TypeVar

from app.core.errors import Gone, InvalidRequest, NotFound, TooMany, VersionConflict
from app.core.execution import fresh_state
from app.core.limits import Limits
from app.core.replies import Claim, Replies, Reply
from app.core.session import Session, transaction
from app.stores.base import Conflict, Head, SessionStore, Stored

Result = TypeVar("Result")
_CURSOR = re.compile(r"(\d{1,12}\.\d{1,9})_([\w-]{1,64})")


@dataclass(frozen=True, slots=True)
class Precondition:
    """What a request asks to hold, and the key that makes it safe to repeat."""

    version: int | None = None
    claim: Claim | None = None


class Directory:
    """Use cases over a store. Commands on one session must come one at a time."""

    def __init__(self, store: SessionStore, limits: Limits) -> None:
        self.store, self.limits = store, limits
        self.replies = Replies(limits)

    def create(
        self, owner: str, ttl_seconds: float | None, write: Callable[[Head], Reply], claim: Claim | None = None
    ) -> Reply:
        """A new, empty session."""
        replay = self.replies.find(owner, claim)
        if replay is not None:
            return _replayed(replay)
        self.sweep()
        if self.store.count(owner) >= self.limits.sessions:
            raise TooMany("sessions", self.limits.sessions)
        ttl = min(ttl_seconds or self.limits.session_ttl_seconds, self.limits.session_ttl_seconds)
        now = time.time()
        head = Head(secrets.token_urlsafe(18), owner, 0, now, now + ttl, ttl)
        reply = write(head)
        self.store.add(Stored(head, {}, fresh_state()))
        self.replies.keep(owner, claim, reply)
        return reply

    def sweep(self) -> int:
        """Drop what has expired; how many that were."""
        return self.store.expire(time.time())

    def find(self, owner: str, sid: str) -> Stored:
        """The session. Raises ``NotFound``, also for another owner's, or ``Gone``."""
        stored = self.store.get(sid)
        if stored is None:
            if self.store.expired(sid) == owner:
                raise Gone("this session has expired")
            raise NotFound("session")
        if stored.head.owner != owner:
            raise NotFound("session")
        if stored.head.expires_at <= time.time():
            raise Gone("this session has expired")
        return stored

    def page(self, owner: str, cursor: str | None, size: int) -> tuple[Sequence[Head], str | None]:
        """One page of heads, and the cursor of the next."""
        heads = self.store.page(owner, None if cursor is None else _read_cursor(cursor), size + 1)
        if len(heads) <= size:
            return heads, None
        last = heads[size - 1]
        return heads[:size], f"{last.created_at:.9f}_{last.id}"

    def read(self, owner: str, sid: str, look: Callable[[Session, Head], Result]) -> Result:
        """What ``look`` sees. Its use renews the session's time; its version stays."""
        stored = self.find(owner, sid)
        with transaction(stored, self.limits) as session:
            result = look(session, stored.head)
        with suppress(Conflict):  # dropped meanwhile: the look was still true
            self.store.commit(replace(stored, head=_used(stored.head)), stored.head.version)
        return result

    def command(
        self, owner: str, sid: str, change: Callable[[Session, int], Reply], precondition: Precondition
    ) -> Reply:
        """Change a session; ``change`` is told the version that it makes, and writes the reply."""
        replay = self.replies.find(owner, precondition.claim)
        if replay is not None:
            return _replayed(replay)
        stored = self.find(owner, sid)
        _check_version(stored.head, precondition.version)
        version = stored.head.version + 1
        with transaction(stored, self.limits) as session:
            reply = change(session, version)
            head = replace(_used(stored.head), version=version, nbytes=session.measure())
            session.check_time()  # past it the caller has been told, or will be, that nothing happened
            self._commit(Stored(head, session.namespace, stored.state))
        self.replies.keep(owner, precondition.claim, reply)
        return reply

    def _commit(self, stored: Stored) -> None:
        try:
            self.store.commit(stored, stored.head.version - 1)
        except Conflict as conflict:
            if conflict.version is None:
                raise NotFound("session") from None
            raise VersionConflict(conflict.version) from None

    def remove(self, owner: str, sid: str, precondition: Precondition, reply: Reply) -> Reply:
        """Drop a session with all its tensors."""
        replay = self.replies.find(owner, precondition.claim)
        if replay is not None:
            return _replayed(replay)
        _check_version(self.find(owner, sid).head, precondition.version)
        self.store.remove(sid)
        self.replies.keep(owner, precondition.claim, reply)
        return reply


def _check_version(head: Head, wanted: int | None) -> None:
    if wanted is not None and wanted != head.version:
        raise VersionConflict(head.version)


def _used(head: Head) -> Head:
    return replace(head, expires_at=time.time() + head.ttl_seconds)


def _replayed(reply: Reply) -> Reply:
    return replace(reply, headers={**reply.headers, "Idempotency-Replayed": "true"})


def _read_cursor(cursor: str) -> tuple[float, str]:
    found = _CURSOR.fullmatch(cursor)
    if found is None:
        raise InvalidRequest("not a cursor of this listing", [(("query", "cursor"), "take it from 'next'")])
    return float(found[1]), found[2]
