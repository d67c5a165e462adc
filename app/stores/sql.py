"""The session store in SQL, as SQLite and PostgreSQL both understand it.

What differs (connections, locks, names of types) is the dialect's; the statements are here. Each piece of work is one
transaction and may be repeated as it stands: a commit whose outcome got lost is recognised by its stamp.
"""

from __future__ import annotations

import os
import secrets
from abc import abstractmethod
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from itertools import count
from typing import Any, ClassVar, Final, Protocol, TypeVar

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
    StoreError,
    Swept,
    Usage,
)

Result = TypeVar("Result")
Row = tuple[Any, ...]

# Each entry brings the schema from the version before to its own, counted from 1. Never change one that was released.
MIGRATIONS: Final[tuple[tuple[str, ...], ...]] = (
    (
        """CREATE TABLE sessions (
            id TEXT PRIMARY KEY, owner TEXT NOT NULL, created_at {real} NOT NULL, expires_at {real} NOT NULL,
            ttl_seconds {real} NOT NULL
        ){options}""",
        "CREATE INDEX sessions_of_owner ON sessions (owner, created_at, id)",
        """CREATE TABLE changes (
            sid TEXT NOT NULL, version {integer} NOT NULL, whole {integer} NOT NULL, expires_at {real} NOT NULL,
            nbytes {integer} NOT NULL, stamp {blob} NOT NULL, record {blob} NOT NULL, PRIMARY KEY (sid, version)
        ){options}""",
        """CREATE TABLE blocks (
            sid TEXT NOT NULL, memory {integer} NOT NULL, number {integer} NOT NULL, version {integer} NOT NULL,
            data {blob} NOT NULL, PRIMARY KEY (sid, memory, number)
        )""",
        "CREATE TABLE expired (sid TEXT PRIMARY KEY, owner TEXT NOT NULL, expired_at {real} NOT NULL){options}",
        """CREATE TABLE answers (
            owner TEXT NOT NULL, key TEXT NOT NULL, fingerprint {blob} NOT NULL, holder {blob} NOT NULL,
            held_until {real} NOT NULL, created_at {real} NOT NULL, size {integer} NOT NULL, body {blob},
            PRIMARY KEY (owner, key)
        )""",
        "CREATE INDEX answers_by_age ON answers (owner, created_at, size)",
    ),
    (  # extents lie below the blocks; the indexes are for the sweep
        """CREATE TABLE extents (
            sid TEXT NOT NULL, memory {integer} NOT NULL, number {integer} NOT NULL, version {integer} NOT NULL,
            data {blob} NOT NULL, PRIMARY KEY (sid, memory, number)
        )""",
        "CREATE INDEX sessions_by_end ON sessions (expires_at)",
        "CREATE INDEX answers_by_time ON answers (created_at)",
        "CREATE INDEX expired_by_time ON expired (expired_at)",
    ),
)

# A commit is one row of ``changes``: what it changes of the head (version, end, bytes) is read from the last row. The
# end in ``sessions`` is moved by readings only.
_LAST = "c.version = (SELECT MAX(version) FROM changes WHERE sid = s.id)"
_ENDS = "CASE WHEN c.expires_at > s.expires_at THEN c.expires_at ELSE s.expires_at END"
_HEADS = (
    f"SELECT s.id, s.owner, c.version, s.created_at, {_ENDS}, s.ttl_seconds, c.nbytes"
    f" FROM sessions s JOIN changes c ON c.sid = s.id AND {_LAST}"
)
_HEAD = f"{_HEADS} WHERE s.id = ?"
_KEEP_CHANGE = "INSERT INTO changes (sid, version, whole, expires_at, nbytes, stamp, record)"
_KEEP_NEXT = f"{_KEEP_CHANGE} SELECT ?, ?, ?, ?, ?, ?, ? WHERE (SELECT MAX(version) FROM changes WHERE sid = ?) = ?"
_IS_OVER = (
    "expires_at <= ? AND (SELECT expires_at FROM changes WHERE sid = sessions.id ORDER BY version DESC LIMIT 1) <= ?"
)
_KEEP_BLOCK = (
    "INSERT INTO {} (sid, memory, number, version, data) VALUES (?, ?, ?, ?, ?)"
    " ON CONFLICT (sid, memory, number) DO UPDATE SET version = excluded.version, data = excluded.data"
)
_DROP_COVERED = "DELETE FROM blocks WHERE sid = ? AND memory = ? AND number >= ? AND number < ?"
PARTS: Final = ("extents", "blocks")  # of memories, the lower ones first
_EXCESS = (
    "SELECT owner, key FROM (SELECT owner, key, ROW_NUMBER() OVER w AS place, SUM(size) OVER w AS total FROM answers"
    " WHERE body IS NOT NULL WINDOW w AS (PARTITION BY owner ORDER BY created_at DESC, key)) AS ranked"
    " WHERE place > ? OR (total > ? AND place > 1)"
)


class Cursor(Protocol):
    """What both drivers' cursors can do."""

    @property
    def rowcount(self) -> int: ...
    def execute(self, statement: str, values: Sequence[Any] = ..., /) -> Any: ...
    def executemany(self, statement: str, rows: Iterable[Sequence[Any]], /) -> Any: ...
    def fetchone(self) -> Row | None: ...
    def fetchall(self) -> list[Row]: ...


class SqlStore:
    """A ``SessionStore`` over a SQL database."""

    types: ClassVar[Mapping[str, str]]
    locks_rows: ClassVar[bool]  # whether writers to one session have to be told to wait for each other

    _stamps: tuple[int, Iterator[int]] = (0, iter(()))

    def _stamp(self) -> bytes:
        """Return what no other change has: numbers in a row from a random one on, drawn once in each process."""
        pid, stamps = self._stamps
        if pid != os.getpid():
            stamps = count(secrets.randbits(64))
            self._stamps = os.getpid(), stamps
        return (next(stamps) % 2**64).to_bytes(8, "big")

    # -- the dialect ----------------------------------------------------------------------------------------------
    @abstractmethod
    def _write(self, work: Callable[[Cursor], Result], *, several: bool = True) -> Result:
        """Run ``work`` in a transaction; one statement is one by itself. Raises ``StoreError``.

        It may be run again after the connection was lost.
        """

    @abstractmethod
    def _read(self, work: Callable[[Cursor], Result], *, several: bool = False) -> Result:
        """Run ``work``; ``several`` statements see one state of the database. Raises ``StoreError``."""

    @abstractmethod
    def _lock_schema(self, cursor: Cursor) -> None:
        """Wait until no other process changes the schema."""

    def _lock(self, cursor: Cursor, condition: str, values: Sequence[Any]) -> None:
        """Wait for who writes to these sessions. A statement by itself: the next ones see what was written."""
        if self.locks_rows:
            cursor.execute(f"SELECT 1 FROM sessions WHERE {condition} ORDER BY id FOR UPDATE", values)

    def _change(self, statement: str, values: Sequence[Any]) -> int:
        """Run one statement, which is a transaction by itself; how many rows it changed. Raises ``StoreError``."""

        def work(cursor: Cursor) -> int:
            cursor.execute(statement, values)
            return cursor.rowcount

        return self._write(work, several=False)

    def _migrate(self) -> None:
        self._write(self._bring_up_to_date)

    def _bring_up_to_date(self, cursor: Cursor) -> None:
        self._lock_schema(cursor)
        cursor.execute("CREATE TABLE IF NOT EXISTS schema_version (version INTEGER NOT NULL)")
        cursor.execute("SELECT MAX(version) FROM schema_version")
        found = cursor.fetchone()
        version = (found and found[0]) or 0
        if version > len(MIGRATIONS):
            raise StoreError(f"the store has the schema {version}; this version knows {len(MIGRATIONS)}")
        for number, statements in enumerate(MIGRATIONS[version:], version + 1):
            for statement in statements:
                cursor.execute(statement.format_map(self.types))
            cursor.execute("INSERT INTO schema_version (version) VALUES (?)", (number,))

    def before_fork(self) -> None:
        """Nothing, where connections are no more than descriptors."""

    def check(self) -> None:
        """Raise ``StoreError`` unless the store can be asked now."""
        self._read(lambda cursor: _one(cursor, "SELECT MAX(version) FROM schema_version", ()))  # not without the file

    # -- sessions -------------------------------------------------------------------------------------------------
    def add(self, head: Head, change: Change, answer: Answer | None) -> None:
        """Keep a new session."""
        stamp = self._stamp()

        def work(cursor: Cursor) -> None:
            cursor.execute(
                "INSERT INTO sessions (id, owner, created_at, expires_at, ttl_seconds) VALUES (?, ?, ?, ?, ?)"
                " ON CONFLICT (id) DO NOTHING",
                (head.id, head.owner, head.created_at, head.expires_at, head.ttl_seconds),
            )
            if cursor.rowcount != 1:
                return _refuse_other(cursor, head.id, stamp)
            cursor.execute(f"{_KEEP_CHANGE} VALUES (?, ?, ?, ?, ?, ?, ?)", _row(head, change, stamp))
            _keep_blocks(cursor, head, change)
            return _keep_answer(cursor, answer)

        self._write(work)

    def head(self, sid: str) -> Head | None:
        """Return the head of the session, or ``None``."""
        row = self._read(lambda cursor: _one(cursor, _HEAD, (sid,)))
        return None if row is None else Head(*row)

    def load(self, sid: str, after: int | None = None) -> Loaded | None:
        """Return the session, or what was committed ``after`` a version."""

        def work(cursor: Cursor) -> Loaded | None:
            row = _one(cursor, _HEAD, (sid,))
            if row is None:
                return None
            head = Head(*row)
            return _load_since(cursor, head, after) or _load_since(cursor, head, -1)

        return self._read(work, several=True)

    def commit(self, head: Head, expected: int, change: Change, answer: Answer | None) -> None:
        """Change the session whose version is ``expected``."""
        stamp = self._stamp()
        values = (*_row(head, change, stamp), head.id, expected)
        if not (change.whole or change.blocks or change.abandoned or answer or self.locks_rows):
            if self._change(_KEEP_NEXT, values) != 1:
                self._read(lambda cursor: _refuse_other(cursor, head.id, stamp))
            return

        def work(cursor: Cursor) -> None:
            self._lock(cursor, "id = ?", (head.id,))
            cursor.execute(_KEEP_NEXT, values)
            if cursor.rowcount != 1:
                return _refuse_other(cursor, head.id, stamp)
            return _keep_rest(cursor, head, change, answer)

        self._write(work)

    def renew(self, sid: str, expires_at: float) -> None:
        """Let a session live until then."""
        statement = "UPDATE sessions SET expires_at = ? WHERE id = ? AND expires_at < ?"
        self._change(statement, (expires_at, sid, expires_at))

    def remove(self, sid: str, expected: int | None, answer: Answer | None) -> None:
        """Forget a session."""

        def work(cursor: Cursor) -> None:
            self._lock(cursor, "id = ?", (sid,))
            row = _one(cursor, _HEAD, (sid,))
            if row is not None and expected is not None and row[2] != expected:
                raise Conflict(row[2])
            _forget(cursor, [sid])
            _keep_answer(cursor, answer)

        self._write(work)

    def usage(self, owner: str, now: float) -> Usage:
        """Return what the owner has."""
        statement = f"SELECT COUNT(*), SUM(nbytes) FROM ({_HEADS} WHERE s.owner = ? AND {_ENDS} > ?) AS living"
        row = self._read(lambda cursor: _one(cursor, statement, (owner, now)))
        count, nbytes = row or (0, 0)
        return Usage(count, int(nbytes or 0))

    def page(self, owner: str, now: float, after: tuple[float, str] | None, size: int) -> Sequence[Head]:
        """Heads in the order of ``(created_at, id)``, from behind ``after``."""
        statement = (
            f"{_HEADS} WHERE s.owner = ? AND {_ENDS} > ? AND (s.created_at, s.id) > (?, ?)"
            " ORDER BY s.created_at, s.id LIMIT ?"
        )
        values = (owner, now, *(after or (-1.0, "")), size)
        return [Head(*row) for row in self._read(lambda cursor: _all(cursor, statement, values))]

    def expired(self, sid: str) -> str | None:
        """Return the owner of a session that a sweep took away, or ``None``."""
        row = self._read(lambda cursor: _one(cursor, "SELECT owner FROM expired WHERE sid = ?", (sid,)))
        return None if row is None else row[0]

    # -- answers ----------------------------------------------------------------------------------------------------
    def claim(self, claim: Claim, now: float, until: float) -> KeyRecord | None:
        """Take the key, unless it is taken."""

        def work(cursor: Cursor) -> KeyRecord | None:
            cursor.execute(
                "INSERT INTO answers (owner, key, fingerprint, holder, held_until, created_at, size)"
                " VALUES (?, ?, ?, ?, ?, ?, 0) ON CONFLICT (owner, key) DO UPDATE SET fingerprint ="
                " excluded.fingerprint, holder = excluded.holder, held_until = excluded.held_until,"
                " created_at = excluded.created_at"
                " WHERE answers.body IS NULL AND (answers.held_until <= ? OR answers.holder = excluded.holder)",
                (claim.owner, claim.key, claim.fingerprint, claim.holder, until, now, now),
            )
            if cursor.rowcount == 1:
                return None
            statement = "SELECT fingerprint, body FROM answers WHERE owner = ? AND key = ?"
            row = _one(cursor, statement, (claim.owner, claim.key))
            return None if row is None else KeyRecord(*row)

        return self._write(work)

    def prolong(self, claims: Sequence[Claim], until: float) -> None:
        """Hold keys for longer."""
        statement = "UPDATE answers SET held_until = ? WHERE owner = ? AND key = ? AND holder = ?"
        rows = [(until, claim.owner, claim.key, claim.holder) for claim in claims]
        self._write(lambda cursor: cursor.executemany(statement, rows))

    def release(self, claim: Claim) -> None:
        """Give a key back that got no answer."""
        statement = "DELETE FROM answers WHERE owner = ? AND key = ? AND holder = ? AND body IS NULL"
        self._change(statement, (claim.owner, claim.key, claim.holder))

    def sweep(self, now: float, bounds: Bounds) -> Swept:
        """Drop what has expired, and what is too much."""
        too_many = "SELECT owner FROM answers GROUP BY owner HAVING COUNT(*) > ? OR SUM(size) > ?"
        limits = bounds.keys, bounds.keys_bytes
        is_over = bool(self._read(lambda cursor: _all(cursor, too_many, limits)))

        def work(cursor: Cursor) -> Swept:
            self._lock(cursor, _IS_OVER, (now, now))  # one may be in use at its very end
            gone = _all(cursor, f"DELETE FROM sessions WHERE {_IS_OVER} RETURNING id, owner", (now, now))
            _forget(cursor, [sid for sid, _ in gone])
            remember = "INSERT INTO expired (sid, owner, expired_at) VALUES (?, ?, ?) ON CONFLICT DO NOTHING"
            cursor.executemany(remember, [(sid, owner, now) for sid, owner in gone])
            cursor.execute("DELETE FROM expired WHERE expired_at <= ?", (now - bounds.expired_seconds,))
            cursor.execute("DELETE FROM answers WHERE created_at <= ?", (now - bounds.keys_seconds,))
            keys = cursor.rowcount
            excess = _all(cursor, _EXCESS, limits) if is_over else []
            cursor.executemany("DELETE FROM answers WHERE owner = ? AND key = ?", excess)
            return Swept(len(gone), keys + len(excess))

        return self._write(work)


def _row(head: Head, change: Change, stamp: bytes) -> Row:
    return head.id, head.version, int(change.whole), head.expires_at, head.nbytes, stamp, change.record


def _one(cursor: Cursor, statement: str, values: Sequence[Any]) -> Row | None:
    cursor.execute(statement, values)
    return cursor.fetchone()


def _all(cursor: Cursor, statement: str, values: Sequence[Any]) -> list[Row]:
    cursor.execute(statement, values)
    return cursor.fetchall()


def _refuse_other(cursor: Cursor, sid: str, stamp: bytes) -> None:
    """Nothing, if the stored version is the very one that was to be written; else raise ``Conflict``."""
    last = "SELECT version, stamp FROM changes WHERE sid = ? ORDER BY version DESC LIMIT 1"
    row = _one(cursor, last, (sid,))
    if row is None or bytes(row[1]) != stamp:
        raise Conflict(None if row is None else row[0])


def _load_since(cursor: Cursor, head: Head, after: int | None) -> Loaded | None:
    """Return what came after that version; ``None`` if some of it is no longer there by itself."""
    if after is None:
        return None
    changes = "SELECT version, whole, record FROM changes WHERE sid = ? AND version > ? ORDER BY version"
    rows = _all(cursor, changes, (head.id, after))
    if after >= 0 and (len(rows) != head.version - after or any(whole for _, whole, _ in rows)):
        return None
    blocks = "SELECT memory, number, data FROM {} WHERE sid = ? AND version > ? ORDER BY memory, number"
    found = [Block(*row) for table in PARTS for row in _all(cursor, blocks.format(table), (head.id, after))]
    return Loaded(head, [record for _, _, record in rows], found, after < 0)


def _keep_rest(cursor: Cursor, head: Head, change: Change, answer: Answer | None) -> None:
    """What there may be beside the row of a change."""
    if change.whole:
        cursor.execute("DELETE FROM changes WHERE sid = ? AND version < ?", (head.id, head.version))
    _keep_blocks(cursor, head, change)
    _keep_answer(cursor, answer)


def _keep_blocks(cursor: Cursor, head: Head, change: Change) -> None:
    for table, is_extent in zip(PARTS, (True, False), strict=True):
        parts = [block for block in change.blocks if block.is_extent is is_extent]
        if parts:
            rows = ((head.id, part.memory, part.number, head.version, part.data) for part in parts)
            cursor.executemany(_KEEP_BLOCK.format(table), rows)
        if parts and is_extent:
            covered = [(head.id, part.memory, part.number, part.end) for part in parts]
            cursor.executemany(
                "DELETE FROM blocks WHERE sid = ? AND memory = ? AND number >= ? AND number < ?", covered
            )
    if change.abandoned:
        gone = [(head.id, memory) for memory in change.abandoned]
        for table in PARTS:
            cursor.executemany(f"DELETE FROM {table} WHERE sid = ? AND memory = ?", gone)


def _keep_answer(cursor: Cursor, answer: Answer | None) -> None:
    if answer is None:
        return
    claim = answer.claim
    cursor.execute(
        "UPDATE answers SET body = ?, size = ? WHERE owner = ? AND key = ? AND holder = ?",
        (answer.body, len(answer.body), claim.owner, claim.key, claim.holder),
    )
    if cursor.rowcount != 1:
        raise KeyLost(claim.key)


def _forget(cursor: Cursor, sids: Sequence[str]) -> None:
    for table, column in (("sessions", "id"), *((table, "sid") for table in ("changes", *PARTS))):
        cursor.executemany(f"DELETE FROM {table} WHERE {column} = ?", [(sid,) for sid in sids])
