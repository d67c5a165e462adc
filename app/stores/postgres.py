"""Sessions in PostgreSQL, for several replicas that serve one set of sessions."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from time import monotonic
from typing import Any, ClassVar, Final, TypeVar

import psycopg
from psycopg_pool import ConnectionPool, PoolTimeout

from app.stores.base import StoreError
from app.stores.sql import Cursor, SqlStore

Result = TypeVar("Result")
PATIENCE_S: Final = 5.0  # how long to wait for a connection, and to try again after one was lost
SCHEMA_LOCK: Final = 0x67726164  # of an advisory lock; every replica has to ask for the same
LOST: Final = (psycopg.OperationalError, psycopg.InterfaceError)
OPTIONS: Final = "-c lock_timeout=5s -c idle_in_transaction_session_timeout=10s"  # a stuck replica stops nobody
CONNECTION: Final[dict[str, Any]] = {"autocommit": True, "connect_timeout": int(PATIENCE_S), "options": OPTIONS}
UNREACHABLE: Final = ("08", "57")  # classes of SQLSTATE: connection exceptions, and a server that shuts down
READ: Final = "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY"


class _Cursor:
    """The driver's cursor, for statements with the placeholders that ``sql`` has."""

    def __init__(self, cursor: psycopg.Cursor[Any]) -> None:
        self._cursor = cursor
        self.fetchone, self.fetchall = cursor.fetchone, cursor.fetchall

    @property
    def rowcount(self) -> int:
        return self._cursor.rowcount

    def execute(self, statement: str, values: Sequence[Any] = (), /) -> None:
        self._cursor.execute(statement.replace("?", "%s").encode(), values)

    def executemany(self, statement: str, rows: Iterable[Sequence[Any]], /) -> None:
        self._cursor.executemany(statement.replace("?", "%s").encode(), rows)


class PostgresStore(SqlStore):
    """A ``SessionStore`` in a PostgreSQL database, reached over a pool of connections."""

    locks_rows: ClassVar = True
    types: ClassVar = {"integer": "BIGINT", "real": "DOUBLE PRECISION", "blob": "BYTEA", "options": ""}

    def __init__(self, url: str, connections: int) -> None:
        self._url = url
        self._pool = ConnectionPool(
            url,
            min_size=1,
            max_size=connections,
            timeout=PATIENCE_S,
            reconnect_timeout=PATIENCE_S,
            open=False,
            kwargs=CONNECTION,
        )

    def open(self) -> None:
        """Connect, and bring the schema up to date."""
        self._try_address()
        self._pool.open()
        try:
            self._migrate()
        except StoreError:
            self.close()
            raise

    def _try_address(self) -> None:
        """Connect once: this says what is wrong, where a pool only tries again."""
        try:
            psycopg.connect(self._url, **CONNECTION).close()
        except psycopg.OperationalError as error:
            raise StoreError(" ".join(str(error).split())) from error
        except psycopg.Error:  # it would show the address, and that may hold a password
            raise StoreError("not an address of a PostgreSQL database") from None

    def close(self) -> None:
        """Let go of every connection."""
        self._pool.close()

    def _write(self, work: Callable[[Cursor], Result], *, several: bool = True) -> Result:
        return self._transact("BEGIN" if several else "", work)

    def _read(self, work: Callable[[Cursor], Result], *, several: bool = False) -> Result:
        return self._transact(READ if several else "", work)

    def _transact(self, begin: str, work: Callable[[Cursor], Result]) -> Result:
        """Run ``work``, again if the connection gets lost: a pool may hold some that a restart of the server cut."""
        end = monotonic() + PATIENCE_S
        while True:
            try:
                return self._attempt(begin, work)
            except LOST as error:
                if monotonic() > end or isinstance(error, PoolTimeout) or _was_refused(error):
                    raise StoreError(f"{type(error).__name__}: {error}") from error
                self._pool.check()
            except psycopg.Error as error:
                raise StoreError(f"{type(error).__name__}: {error}") from error

    def _attempt(self, begin: str, work: Callable[[Cursor], Result]) -> Result:
        with self._pool.connection() as connection:
            cursor = _Cursor(connection.cursor())
            if not begin:
                return work(cursor)
            cursor.execute(begin)
            try:
                result = work(cursor)
                cursor.execute("COMMIT")
            except BaseException:
                if not connection.closed:
                    connection.rollback()
                raise
            return result

    def _lock_schema(self, cursor: Cursor) -> None:
        cursor.execute("SELECT pg_advisory_xact_lock(?)", (SCHEMA_LOCK,))


def _was_refused(error: psycopg.Error) -> bool:
    """Tell whether the server itself says no (a full disk, a lock that is not free), and is not merely out of reach."""
    return error.sqlstate is not None and error.sqlstate[:2] not in UNREACHABLE
