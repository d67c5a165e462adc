"""Sessions in one SQLite file: the embedded default. Several processes of one machine may share it."""

from __future__ import annotations

import os
import sqlite3
from collections import deque
from collections.abc import Callable, Sequence
from contextlib import closing, suppress
from pathlib import Path
from threading import Lock, Thread, get_native_id
from time import monotonic, sleep
from typing import Any, ClassVar, Final, Literal, TypeVar

from app.stores.base import Answer, Bounds, Change, Head, StoreError, Swept
from app.stores.sql import Cursor, SqlStore

Result = TypeVar("Result")
Sync = Literal["off", "normal", "full"]  # when the system is asked to write to the disk
FILE: Final = "gradserve.sqlite"
PATIENCE_S: Final = 5.0  # how long another process may hold the write lock
PAGE_BYTES: Final = 2**14  # of a new file: each page of a commit is written by itself, so large tensors want large ones
LOG_BYTES: Final = 4 * 2**20  # of the log: more is folded into the file
FULL_BYTES: Final = 2**30  # of the log, that a commit folds itself (for seconds): so far behind is who folds it
LOOK_EVERY: Final = 16  # writes of one small row each, after which the log is looked at
SPARE_BYTES: Final = 4 * 2**20  # that stay in the file without use, and at most so many leave it at a time
PATIENT: Final = 19  # the niceness of folding


class SqliteStore(SqlStore):
    """A ``SessionStore`` in a file. A commit survives a killed process; with ``sync`` full, a loss of power too."""

    types: ClassVar = {"integer": "INTEGER", "real": "REAL", "blob": "BLOB", "options": " WITHOUT ROWID"}
    locks_rows: ClassVar = False  # there is one writer at a time

    def __init__(self, folder: Path, sync: Sync = "normal") -> None:
        self._file, self._sync = folder / FILE, sync
        self._idle: deque[sqlite3.Connection] = deque()
        self._writing = Lock()  # threads of this process queue here, and not in SQLite, which polls
        self._folding: Thread | None = None
        self._since_fold = LOG_BYTES  # bytes written, about; first those that others may have
        self._log = self._file.with_name(f"{FILE}-wal")
        self._unseen = 0  # writes since the log was looked at

    def open(self) -> None:
        """Make the file, or bring its schema up to date."""
        try:
            self._file.parent.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise StoreError(f"cannot make the folder {self._file.parent}: {error.strerror}") from None
        self._migrate()
        self._transact(None, _pack)

    def close(self) -> None:
        """Let go of every connection; the last one of all processes folds the log into the file."""
        if self._folding is not None:
            self._folding.join()
        while self._idle:
            self._idle.pop().close()

    def before_fork(self) -> None:
        """Let go of every connection: SQLite finds the locks of its process by the file, also where they are not."""
        self.close()

    def _connect(self) -> sqlite3.Connection:
        connection = sqlite3.connect(
            self._file, PATIENCE_S, isolation_level=None, check_same_thread=False, cached_statements=64
        )
        connection.execute(f"PRAGMA page_size = {PAGE_BYTES}")  # of a new file, as the next
        connection.execute("PRAGMA auto_vacuum = INCREMENTAL")
        _write_ahead(connection)
        connection.execute("PRAGMA secure_delete = FAST")  # else what is deleted is written once more, as zeros
        connection.execute(f"PRAGMA synchronous = {self._sync}")
        connection.execute(f"PRAGMA journal_size_limit = {LOG_BYTES}")
        connection.execute(f"PRAGMA wal_autocheckpoint = {FULL_BYTES // _ask(connection.cursor(), 'page_size')}")
        return connection

    def _take(self) -> sqlite3.Connection:
        try:
            return self._idle.pop()
        except IndexError:
            return self._connect()

    def _write(self, work: Callable[[Cursor], Result], *, several: bool = True) -> Result:
        with self._writing:
            result = self._transact("BEGIN IMMEDIATE" if several else None, work)
            self._note_write(LOOK_EVERY if several else 1)
        return result

    def commit(self, head: Head, expected: int, change: Change, answer: Answer | None) -> None:
        """Change the session whose version is ``expected``."""
        self._count(change)
        super().commit(head, expected, change, answer)

    def add(self, head: Head, change: Change, answer: Answer | None) -> None:
        """Keep a new session, and with it the answer to its request."""
        self._count(change)
        super().add(head, change, answer)

    def _count(self, change: Change) -> None:
        self._since_fold += len(change.record) + sum(len(block.data) for block in change.blocks)

    def _change(self, statement: str, values: Sequence[Any]) -> int:
        with self._writing:
            try:
                connection = self._take()
                try:
                    count = connection.execute(statement, values).rowcount
                finally:
                    self._give_back(connection)
            except sqlite3.Error as error:
                raise _refusal(error) from error
            self._note_write(1)
        return count

    def _note_write(self, weight: int) -> None:
        self._unseen += weight
        self._since_fold += PAGE_BYTES
        if self._unseen >= LOOK_EVERY:
            self._unseen = 0
            self._fold_if_long()

    def _fold_if_long(self) -> None:
        """Fold a long log into the file, in a thread: this waits for the disk, which no commit has to.

        A log that was folded is cut by what is written next, so its size alone does not tell how much is to be folded.
        """
        if self._since_fold < LOG_BYTES:
            return
        try:
            size = self._log.stat().st_size
        except OSError:
            return
        if size > LOG_BYTES and (self._folding is None or not self._folding.is_alive()):
            self._since_fold = 0
            self._folding = Thread(target=self._fold, name="gradserve-fold", daemon=True)
            self._folding.start()

    def _fold(self) -> None:
        with suppress(OSError):  # of this thread alone: requests go first
            os.setpriority(os.PRIO_PROCESS, get_native_id(), PATIENT)
        with suppress(sqlite3.Error), closing(self._connect()) as connection:
            connection.execute("PRAGMA wal_checkpoint").fetchall()

    def sweep(self, now: float, bounds: Bounds) -> Swept:
        """Drop what has expired, and what is too much; and give its space back."""
        swept = super().sweep(now, bounds)
        while self._write(_shrink):
            pass
        return swept

    def _read(self, work: Callable[[Cursor], Result], *, several: bool = False) -> Result:
        return self._transact("BEGIN" if several else None, work)  # one statement is a transaction of its own

    def _transact(self, begin: str | None, work: Callable[[Cursor], Result]) -> Result:
        """Run ``work`` on a connection that nobody else uses meanwhile."""
        try:
            connection = self._take()
            try:
                cursor = connection.cursor()
                if begin is None:
                    return work(cursor)
                cursor.execute(begin)
                result = work(cursor)
                cursor.execute("COMMIT")
                return result
            finally:
                self._give_back(connection)
        except sqlite3.Error as error:
            raise _refusal(error) from error

    def _give_back(self, connection: sqlite3.Connection) -> None:
        """Keep a connection for later, without what was not committed; one that cannot roll back is closed."""
        if connection.in_transaction:
            with suppress(sqlite3.Error):  # a full disk has rolled back by itself
                connection.execute("ROLLBACK")
        if connection.in_transaction:
            connection.close()
        else:
            self._idle.append(connection)

    def _lock_schema(self, cursor: Cursor) -> None:
        """The transaction itself is the lock: there is one writer at a time."""


def _refusal(error: sqlite3.Error) -> StoreError:
    return StoreError(f"{type(error).__name__}: {error}")


def _write_ahead(connection: sqlite3.Connection) -> None:
    """Switch to a write-ahead log. For the lock that the first switch takes, SQLite itself does not wait."""
    end = monotonic() + PATIENCE_S
    while True:
        try:
            connection.execute("PRAGMA journal_mode = WAL")
        except sqlite3.OperationalError as error:
            if error.sqlite_errorcode != sqlite3.SQLITE_BUSY or monotonic() > end:
                raise
            sleep(0.01)
        else:
            return


def _pack(cursor: Cursor) -> None:
    """Write a file anew that was made without a way to give space back, and is mostly empty."""
    mode, free, pages, spare = _room(cursor)
    if mode == 0 and free > max(pages // 2, spare):
        cursor.execute("PRAGMA auto_vacuum = INCREMENTAL")
        cursor.execute("VACUUM")


def _shrink(cursor: Cursor) -> bool:
    """Cut some unused pages off the file; whether there are more than it should keep."""
    mode, free, pages, spare = _room(cursor)
    excess = free - max(pages // 4, spare)
    if mode == 0 or excess <= 0:
        return False
    cursor.execute(f"PRAGMA incremental_vacuum({min(excess, spare)})")
    cursor.fetchall()  # it works as it is read
    return excess > spare


def _room(cursor: Cursor) -> tuple[int, int, int, int]:
    """Return how the file gives space back, its unused pages, all of them, and how many may stay unused."""
    mode, free, pages, size = (
        _ask(cursor, name) for name in ("auto_vacuum", "freelist_count", "page_count", "page_size")
    )
    return mode, free, pages, SPARE_BYTES // size


def _ask(cursor: Cursor, pragma: str) -> int:
    cursor.execute(f"PRAGMA {pragma}")
    row = cursor.fetchone()
    assert row is not None  # these always answer
    return int(row[0])
