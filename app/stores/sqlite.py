"""Sessions in one SQLite file: the embedded default. Several processes of one machine may share it."""

from __future__ import annotations

import sqlite3
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from threading import Lock
from time import monotonic, sleep
from typing import ClassVar, Final, Literal, TypeVar

from app.stores.base import StoreError
from app.stores.sql import Cursor, SqlStore

Result = TypeVar("Result")
Sync = Literal["off", "normal", "full"]  # when the system is asked to write to the disk
FILE: Final = "gradserve.sqlite"
PATIENCE_S: Final = 5.0  # how long another process may hold the write lock


class SqliteStore(SqlStore):
    """A ``SessionStore`` in a file. A commit survives a killed process; with ``sync`` full, a loss of power too."""

    types: ClassVar = {"integer": "INTEGER", "real": "REAL", "blob": "BLOB", "options": " WITHOUT ROWID"}
    locks_rows: ClassVar = False  # there is one writer at a time

    def __init__(self, folder: Path, sync: Sync = "normal") -> None:
        self._file, self._sync = folder / FILE, sync
        self._idle: deque[sqlite3.Connection] = deque()
        self._writing = Lock()  # threads of this process queue here, and not in SQLite, which polls

    def open(self) -> None:
        """Make the file, or bring its schema up to date."""
        try:
            self._file.parent.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise StoreError(f"cannot make the folder {self._file.parent}: {error.strerror}") from None
        self._migrate()

    def close(self) -> None:
        """Let go of every connection; the last one of all processes folds the log into the file."""
        while self._idle:
            self._idle.pop().close()

    def _connect(self) -> sqlite3.Connection:
        connection = sqlite3.connect(
            self._file, PATIENCE_S, isolation_level=None, check_same_thread=False, cached_statements=64
        )
        _write_ahead(connection)
        connection.execute(f"PRAGMA synchronous = {self._sync}")
        return connection

    def _take(self) -> sqlite3.Connection:
        try:
            return self._idle.pop()
        except IndexError:
            return self._connect()

    def _write(self, work: Callable[[Cursor], Result], *, several: bool = True) -> Result:
        with self._writing:
            return self._transact("BEGIN IMMEDIATE" if several else None, work)

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
            raise StoreError(f"{type(error).__name__}: {error}") from error

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
