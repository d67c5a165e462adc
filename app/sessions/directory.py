"""The sessions of all owners: make, find, list, change, move and drop them.

A command runs on a live session in one transaction: the engine's journal undoes what it did to tensors if it fails, and
the store takes the change, with the answer to its Idempotency-Key, only at the version the command began with. Whoever
loses that race begins again from the new state.
"""

from __future__ import annotations

import logging
import random
import re
import secrets
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from math import inf
from typing import Any, Final, TypeVar

import msgspec
from msgspec.structs import replace

from app.errors import Gone, InvalidRequest, NotFound, Overloaded, Unreadable, VersionConflict
from app.evaluate.cancellation import deadline_of
from app.limits import Limits, OverLimit
from app.sessions import schema, vetting
from app.sessions.idempotency import Key, Replies, answer_for
from app.sessions.live import Cache, Live
from app.sessions.program_kinds import kinds
from app.sessions.records import Draft
from app.sessions.repeating import Again, Repetition
from app.sessions.session import Session, check_size, transaction
from app.sessions.value_kinds import Malformed, NotStorable
from app.stores.base import Bounds, Change, Claim, Conflict, Head, KeyLost, Loaded, SessionStore, Swept
from app.wire.messages import CURSOR
from app.wire.reply import Reply
from engine import errors as engine_errors
from engine import modes

Result = TypeVar("Result")
Description = dict[str, Any]  # of a session, for its owner
_CURSOR: Final = re.compile(CURSOR)
_ID: Final = re.compile(r"[\w-]{1,64}", re.ASCII)
RENEWAL: Final = 0.05  # reading renews a session's time when this part of it is over
_UNSOUND: Final = (
    ArithmeticError, AssertionError, AttributeError, BufferError, LookupError, Malformed, NameError, NotStorable,
    RuntimeError, StopIteration, SystemError, TypeError, ValueError, engine_errors.EngineError,
)  # fmt: skip
_LAST: Final = datetime(9999, 12, 31, tzinfo=UTC).timestamp()
PAUSE_S: Final = 0.02  # the longest wait of a loser before it begins again, at first

log = logging.getLogger("gradserve")


@dataclass(frozen=True, slots=True)
class Precondition:
    """What a request asks to hold, and the key that makes it safe to repeat.

    ``versions``: the session must be at one of them; ``None`` allows any.
    """

    versions: frozenset[int] | None = None
    key: Key | None = None


class Export(msgspec.Struct, tag="gradserve.session", tag_field="format"):
    """A session as a document: its life, and everything in it as one record."""

    ttl_seconds: float
    record: bytes


class Directory:
    """Use cases over a store. Commands on one session must come one at a time.

    ``announce`` is told the stage of each change before and after the store takes it: 0, 1 (it may have it), 2.
    """

    def __init__(
        self,
        store: SessionStore,
        limits: Limits,
        cache_bytes: int = 2**28,
        announce: Callable[[int], None] = lambda stage: None,
    ) -> None:
        self.store, self.limits, self._announce = store, limits, announce
        self.replies = Replies(store)
        self.cache = Cache(cache_bytes)
        self.events: Counter[str] = Counter()
        self._kinds = kinds(limits)

    # -- to begin and to end ----------------------------------------------------------------------------------------
    def create(
        self, owner: str, ttl_seconds: float | None, write: Callable[[Description], Reply], key: Key | None = None
    ) -> Reply:
        """Open a new, empty session."""
        return self.replies.once(
            owner, key, lambda claim: self._add(owner, Live(self._head(owner, ttl_seconds), self._kinds), write, claim)
        )

    def _head(self, owner: str, ttl_seconds: float | None) -> Head:
        ttl = min(ttl_seconds or self.limits.session_ttl_seconds, self.limits.session_ttl_seconds)
        now = time.time()
        return Head(secrets.token_urlsafe(18), owner, 0, now, now + ttl, ttl)

    def _add(self, owner: str, live: Live, write: Callable[[Description], Reply], claim: Claim | None) -> Reply:
        draft = live.draft(modes.Journal(), live.names, self.limits.session_bytes)
        existing = self.store.usage(owner, time.time()).sessions
        if existing >= self.limits.sessions:
            raise OverLimit("sessions", allowed=self.limits.sessions, asked=existing + 1)
        self._check_growth(owner, 0, draft)
        head = replace(live.head, nbytes=draft.nbytes)
        reply = write(describe(head))
        with self._committing():
            self.store.add(head, draft.change, answer_for(claim, reply))
        live.accept(draft, head, live.names)
        self.cache.put(live)
        return reply

    def remove(self, owner: str, sid: str, precondition: Precondition, reply: Reply) -> Reply:
        """Drop a session with all its tensors."""

        def work(claim: Claim | None) -> Reply:
            head = self.find(owner, sid)
            _check_version(head, precondition.versions)
            expected = None if precondition.versions is None else head.version
            try:
                with self._committing():
                    self.store.remove(sid, expected, answer_for(claim, reply))
            except Conflict as conflict:
                raise VersionConflict(conflict.version or 0) from None
            self.cache.take(sid)
            return reply

        return self.replies.once(owner, precondition.key, work)

    def _committing(self) -> _Committing:
        """While the store takes a change: until it has it, or is known not to."""
        return _Committing(self._announce)

    def new_events(self) -> dict[str, int]:
        """Return how often sessions were loaded, caught up with or raced for since this was asked last."""
        if not self.events:
            return {}
        found = dict(self.events)
        self.events.clear()
        return found

    def sweep(self) -> Swept:
        """Drop what has expired."""
        limits = self.limits
        bounds = Bounds(limits.idempotency_seconds, limits.idempotency_keys, limits.idempotency_bytes)
        return self.store.sweep(time.time(), bounds)

    # -- to look ----------------------------------------------------------------------------------------------------
    def find(self, owner: str, sid: str) -> Head:
        """Return the session's head. Raises ``NotFound``, also for another owner's, or ``Gone``."""
        head = self.store.head(sid) if _ID.fullmatch(sid) else None
        if head is None:
            if _ID.fullmatch(sid) and self.store.expired(sid) == owner:
                raise Gone("this session has expired")
            raise NotFound("session")
        if head.owner != owner:
            raise NotFound("session")
        if head.expires_at <= time.time():
            raise Gone("this session has expired")
        return head

    def page(self, owner: str, cursor: str | None, size: int) -> tuple[list[Description], str | None]:
        """Return one page of sessions, and the cursor of the next."""
        after = None if cursor is None else _read_cursor(cursor)
        heads = self.store.page(owner, time.time(), after, size + 1)
        if len(heads) <= size:
            return list(map(describe, heads)), None
        last = heads[size - 1]
        return list(map(describe, heads[:size])), f"{last.created_at:.9f}_{last.id}"

    def read(self, owner: str, sid: str, look: Callable[[Session, Description], Result]) -> Result:
        """Return what ``look`` sees. This renews the session's time; its version stays, nothing it does is kept."""
        live = self._current(owner, sid)
        head = live.head
        try:
            looking = transaction(live.state, live.names, self.limits, live.digests, keep=False)
            with looking as (session, _), _refuse_unsound(live):
                result = look(session, describe(head))
        finally:
            self.cache.put(live)
        renewed = _used(head)
        if renewed.expires_at - head.expires_at > RENEWAL * head.ttl_seconds:
            self.store.renew(sid, renewed.expires_at)
        return result

    def export(self, owner: str, sid: str) -> bytes:
        """Return the session as a document for ``restore``."""
        live = self._current(owner, sid)
        try:
            with _refuse_unsound(live):
                return msgspec.msgpack.encode(Export(live.head.ttl_seconds, live.export()))
        finally:
            self.cache.put(live)

    # -- to change --------------------------------------------------------------------------------------------------
    def command(
        self, owner: str, sid: str, change: Callable[[Session, int], Reply], precondition: Precondition,
        again: Again | None = None,
    ) -> Reply:  # fmt: skip
        """Change a session; ``change`` is told the version that it makes, and writes the reply.

        It runs again, from the new state, when another process was faster; and not at all where ``again`` says that it
        is the run before once more, and what that does is known.
        """

        wanted, key = precondition.versions, precondition.key
        if key is None:
            return self._command(owner, sid, change, wanted, again, None)
        return self.replies.once(owner, key, lambda claim: self._command(owner, sid, change, wanted, again, claim))

    def _command(
        self, owner: str, sid: str, change: Callable[[Session, int], Reply], wanted: frozenset[int] | None,
        again: Again | None, claim: Claim | None,
    ) -> Reply:  # fmt: skip
        end, pause = deadline_of(self.limits), PAUSE_S
        live = self._at_hand(owner, sid)
        while True:
            try:
                live = live or self._current(owner, sid)
                return self._attempt(live, change, wanted, claim, again)
            except Conflict:
                live = None
                self.events["conflicts"] += 1
            if time.monotonic() > end:
                raise Overloaded("others keep changing this session; try again later")
            time.sleep(random.uniform(0, pause))  # so that those who race do not meet again at once
            pause = min(2 * pause, 1.0)

    def _attempt(
        self, live: Live, change: Callable[[Session, int], Reply], wanted: frozenset[int] | None, claim: Claim | None,
        again: Again | None,
    ) -> Reply:  # fmt: skip
        before = live.head
        known = live.repeats.known(again)
        if again is not None and known is not None and (wanted is None or before.version in wanted):
            repeated = self._repeat(live, known, again.inputs, claim)
            if repeated is not None:
                return repeated
        try:
            with transaction(live.state, live.names, self.limits, live.digests) as (session, journal):
                session.rehearsal = rehearsal = live.repeats.rehearsal(
                    again, live.names, before.version + 1, self.limits
                )
                try:
                    _check_version(before, wanted)
                    with _refuse_unsound(live):
                        reply = change(session, before.version + 1)
                        draft = self._draft(live, session, journal)
                    session.check_time()  # past it the caller has been told, or will be, that nothing happened
                except Exception:
                    self._check_current(before)
                    raise
                head = _changed(before, draft.nbytes)
                with self._committing():
                    self.store.commit(head, before.version, draft.change, answer_for(claim, reply))
        except BaseException:
            live.repeats.forget()
            self.cache.put(live)  # as it was before
            raise
        live.accept(draft, head, session.namespace)
        live.digests.forget(journal)
        live.repeats.note(again, draft, reply, rehearsal, self.limits)
        self.cache.put(live)
        return reply

    def _repeat(self, live: Live, known: Repetition, inputs: dict[str, Any], claim: Claim | None) -> Reply | None:
        """Commit the run before once more, without carrying it out; ``None`` where it may be another."""
        before, repeats, draft = live.head, live.repeats, None
        try:
            step = known.step(inputs, before.version + 1)
            if step is None:
                repeats.forget()
                return None
            head, change = _changed(before, known.nbytes), Change(step.record, False)
        except BaseException:
            self.cache.put(live)  # as it was before
            raise
        if live.is_due:
            known.apply(step)
            draft = live.draft_of_all()
            change = draft.change
        try:
            with self._committing():
                self.store.commit(head, before.version, change, answer_for(claim, step.reply))
        except BaseException:
            if draft is None:  # else it is no more as it was, and nobody needs it
                self.cache.put(live)
            raise
        if draft is None:
            known.apply(step)
            live.repeated(head, step.record)
        else:
            live.accept(draft, head, live.names)
            live.digests.clear()
        self.cache.put(live)
        return step.reply

    def _draft(self, live: Live, session: Session, journal: modes.Journal) -> Draft:
        """Return the change, if the session and its owner may have it."""
        try:
            draft = live.draft(journal, session.namespace, self.limits.session_bytes)
        except NotStorable as error:
            raise InvalidRequest(f"a session cannot keep a value of the type {error.kind}") from None
        except RecursionError:
            raise InvalidRequest("a session cannot keep values that are in each other so deeply") from None
        check_size(self.limits, draft.nbytes, len(session.namespace))
        self._check_growth(live.head.owner, live.head.nbytes, draft)
        return draft

    def _check_growth(self, owner: str, before: int, draft: Draft) -> None:
        growth, allowed = draft.nbytes - before, self.limits.owner_bytes
        asked = self.store.usage(owner, time.time()).nbytes + growth if growth > 0 else 0
        if asked > allowed:
            raise OverLimit("owner_bytes", allowed=allowed, asked=asked)

    def _check_current(self, head: Head) -> None:
        """Raise ``Conflict`` unless the session is still as it was seen: else nothing can be refused on its account."""
        stored = self.find(head.owner, head.id)
        if stored.version != head.version:
            raise Conflict(stored.version) from None

    # -- live sessions ----------------------------------------------------------------------------------------------
    def _at_hand(self, owner: str, sid: str) -> Live | None:
        """Take the live session as this process saw it last; ``_check_current``, or the commit, tells if it changed."""
        live = self.cache.take(sid)
        if live is None or (live.head.owner == owner and live.head.expires_at > time.time()):
            return live
        self.cache.put(live)
        return None

    def _current(self, owner: str, sid: str) -> Live:
        """Return the live session at the stored version. It has to be put back into the cache."""
        head = self.find(owner, sid)
        live = self.cache.take(sid)
        if live is not None and live.head.version == head.version:
            live.head = head
            return live
        if live is not None and live.head.version < head.version and self._catch_up(live):
            return live
        loaded = self.store.load(sid)
        if loaded is None:
            raise NotFound("session")
        self.events["loads"] += 1
        return self._load(loaded)

    def _catch_up(self, live: Live) -> bool:
        """Bring a live session up to what others committed; whether that was possible."""
        loaded = self.store.load(live.head.id, live.head.version)
        if loaded is None or loaded.is_whole:
            return False
        try:
            live.catch_up(loaded)
        except (Malformed, schema.SchemaError):  # a change refers to something that has died here, or worse: all of it
            return False
        self.events["catch_ups"] += 1
        return True

    def _load(self, loaded: Loaded) -> Live:
        try:
            return Live.load(loaded, self._kinds)
        except schema.LaterSchema as error:
            raise Unreadable(f"this session was stored by a later version of the service: {error}") from None
        except (Malformed, schema.SchemaError):
            log.exception("session %s cannot be read", loaded.head.id)
            raise Unreadable("what is stored of this session is damaged; it can only be deleted") from None

    def imported(self, owner: str, document: bytes, ttl_seconds: float | None) -> Live:
        """Return a live session from a document that ``export`` made, or that claims so, for ``restore``.

        Raises ``InvalidRequest``.
        """
        try:
            export = msgspec.msgpack.decode(document, type=Export)
            _check_ttl(export.ttl_seconds)
            vetting.check_count(export.record, self.limits)
            vetting.vet(schema.decode(export.record), self.limits, self._kinds)
            head = self._head(owner, ttl_seconds or export.ttl_seconds)
            imported = Live.load(Loaded(head, [export.record], [], True), self._kinds)
        except schema.LaterSchema as error:
            raise InvalidRequest(f"the document is of a later version of the service: {error}") from None
        except (msgspec.MsgspecError, schema.SchemaError, *_UNSOUND) as error:
            log.info("a document that is none", exc_info=error)
            raise InvalidRequest("not the document of a session", [(("body",), str(error)[:200])]) from None
        check_size(self.limits, imported.ledger.total_bytes, len(imported.names))
        return Live(head, self._kinds, imported.names, imported.state, imported=True)  # numbered anew

    def restore(self, live: Live, write: Callable[[Description], Reply], key: Key | None = None) -> Reply:
        """Keep an imported session. Raises ``InvalidRequest``."""

        def work(claim: Claim | None) -> Reply:
            with _refuse_unsound(live):
                return self._add(live.head.owner, live, write, claim)

        return self.replies.once(live.head.owner, key, work)


class _Committing:
    """Announces how far a commit has come. A class: what makes one of a generator takes 2 us."""

    __slots__ = ("_announce",)

    def __init__(self, announce: Callable[[int], None]) -> None:
        self._announce = announce

    def __enter__(self) -> None:
        self._announce(1)

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> None:
        if error is None:
            self._announce(2)
        elif isinstance(error, Conflict | KeyLost):
            self._announce(0)


class _refuse_unsound:
    """What goes wrong inside is our fault, but not where a session came from a document: that may be made up."""

    __slots__ = ("_live",)

    def __init__(self, live: Live) -> None:
        self._live = live

    def __enter__(self) -> None:
        """Nothing to prepare."""

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> None:
        is_unsound = isinstance(error, _UNSOUND) and not isinstance(error, engine_errors.BudgetError)
        if not self._live.imported or not is_unsound:
            return
        log.info("an imported session is unsound", exc_info=error)
        raise InvalidRequest("this session was imported from a document that does not fit together") from None


def describe(head: Head) -> Description:
    """Return what its owner sees of a session."""
    return {
        "id": head.id,
        "version": head.version,
        "created_at": _written(head.created_at),
        "expires_at": _written(head.expires_at),
        "ttl_seconds": head.ttl_seconds,
        "bytes": head.nbytes,
    }


def _written(seconds: float) -> str:
    """Return a time as RFC 3339 has it; what lies beyond is the last one that it has."""
    return datetime.fromtimestamp(min(seconds, _LAST), UTC).isoformat(timespec="microseconds").replace("+00:00", "Z")


def _check_ttl(seconds: float) -> None:
    if not 0 < seconds < inf:
        raise Malformed("a session must live for some seconds, and not for ever")


def _check_version(head: Head, wanted: frozenset[int] | None) -> None:
    if wanted is not None and head.version not in wanted:
        raise VersionConflict(head.version)


def _used(head: Head) -> Head:
    return replace(head, expires_at=time.time() + head.ttl_seconds)


def _changed(head: Head, nbytes: int) -> Head:
    """Return the head after one more change. Spelled out: ``replace`` takes longer than all else that a head costs."""
    expires_at = time.time() + head.ttl_seconds
    return Head(head.id, head.owner, head.version + 1, head.created_at, expires_at, head.ttl_seconds, nbytes)


def _read_cursor(cursor: str) -> tuple[float, str]:
    found = _CURSOR.fullmatch(cursor)
    if found is None:
        raise InvalidRequest("not a cursor of this listing", [(("query", "cursor"), "take it from 'next'")])
    return float(found[1]), found[2]
