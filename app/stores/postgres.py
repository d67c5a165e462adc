"""Sessions in PostgreSQL, for several replicas that serve one set of sessions."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterable, Sequence
from time import monotonic, sleep
from typing import Any, ClassVar, Final, TypeVar
from weakref import WeakKeyDictionary

import psycopg
from psycopg.conninfo import conninfo_to_dict
from psycopg_pool import ConnectionPool, PoolTimeout

from app.stores.base import StoreError
from app.stores.sql import Cursor, SqlStore

Result = TypeVar("Result")
PATIENCE_S: Final = 5.0  # how long to wait for a connection, and to try again after one was lost
PAUSE_S: Final = 0.05  # before a transaction is tried again that met another one, at most
IDLE_S: Final = 1.0  # a connection that was idle for longer is asked whether it still is one
SCHEMA_LOCK: Final = 0x67726164  # of an advisory lock; every replica has to ask for the same
SETTINGS: Final = {  # a stuck replica stops nobody, and no statement runs for ever
    "lock_timeout": "5s", "statement_timeout": "30s", "idle_in_transaction_session_timeout": "10s",
}  # fmt: skip
OWN: Final = "gradserve.own"  # a setting that means nothing to the server, and tells if options reach it
CONNECTION: Final[dict[str, Any]] = {  # what an address may say otherwise; a peer that vanished is noticed in 10 s
    "connect_timeout": int(PATIENCE_S), "keepalives_idle": 5, "keepalives_interval": 2, "keepalives_count": 3,
    "tcp_user_timeout": 10_000,
}  # fmt: skip
NO_OPTIONS: Final = "unsupported startup parameter"  # what pgbouncer says of options that it was not told to ignore
# Connections that got lost, servers that shut down or start, transactions that met another one.
PASSING: Final = ("08", "57P", "25P03", "40001", "40P01")
MET: Final = "40"
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
        self._url, self._connections = url, connections
        self._pool: ConnectionPool[Any] | None = None
        self._settings = ""  # what each transaction has to set, where the session has not got it
        self._asked: WeakKeyDictionary[psycopg.Connection[Any], float] = WeakKeyDictionary()  # and when

    def open(self) -> None:
        """Connect, and bring the schema up to date."""
        arguments = self._try_address()
        self._pool = ConnectionPool(
            self._url,
            min_size=1,
            max_size=self._connections,
            timeout=PATIENCE_S,
            reconnect_timeout=PATIENCE_S,
            check=self._check_idle,
            open=True,
            kwargs=arguments,
        )
        try:
            self._migrate()
        except StoreError:
            self.close()
            raise

    def _try_address(self) -> dict[str, Any]:
        """Connect once, to learn how: this also says what is wrong, where a pool only tries again."""
        try:
            arguments = _arguments(self._url)
            try:
                connection = psycopg.connect(self._url, **arguments)
            except psycopg.OperationalError as error:
                if NO_OPTIONS not in str(error):
                    raise
                del arguments["options"]
                connection = psycopg.connect(self._url, **arguments)
            with connection:
                if not _is_own(connection):
                    arguments["prepare_threshold"] = None
                    self._settings = "".join(_missing(connection))
        except psycopg.OperationalError as error:
            raise StoreError(" ".join(str(error).split())) from error
        except psycopg.Error:  # it would show the address, and that may hold a password
            raise StoreError("not an address of a PostgreSQL database") from None
        return arguments

    def _check_idle(self, connection: psycopg.Connection[Any]) -> None:
        if monotonic() - self._asked.get(connection, -IDLE_S) > IDLE_S:
            ConnectionPool.check_connection(connection)

    def close(self) -> None:
        """Let go of every connection."""
        if self._pool is not None:
            self._pool.close()

    def _write(self, work: Callable[[Cursor], Result], *, several: bool = True) -> Result:
        return self._transact("BEGIN" if several else "", work)

    def _read(self, work: Callable[[Cursor], Result], *, several: bool = False) -> Result:
        return self._transact(READ if several else "", work)

    def _transact(self, begin: str, work: Callable[[Cursor], Result]) -> Result:
        """Run ``work``, again if the connection gets lost (a pool may hold some that a restart of the server cut).

        Also if it met another transaction in a way that only one of them can go on.
        """
        if self._pool is None:
            raise StoreError("the store is not open")
        end = monotonic() + PATIENCE_S
        while True:
            try:
                return self._attempt(self._pool, begin, work)
            except psycopg.Error as error:
                if monotonic() > end or not _is_passing(error):
                    raise StoreError(f"{type(error).__name__}: {error}") from error
                if (error.sqlstate or "").startswith(MET):
                    sleep(random.uniform(0, PAUSE_S))
                else:
                    self._pool.check()

    def _attempt(self, pool: ConnectionPool[Any], begin: str, work: Callable[[Cursor], Result]) -> Result:
        with pool.connection() as connection:
            cursor = _Cursor(connection.cursor())
            if begin or self._settings:
                result = self._within(connection, cursor, begin or "BEGIN", work)
            else:
                result = work(cursor)
            self._asked[connection] = monotonic()
            return result

    def _within(
        self, connection: psycopg.Connection[Any], cursor: Cursor, begin: str, work: Callable[[Cursor], Result]
    ) -> Result:
        connection.execute((begin + self._settings).encode())
        try:
            result = work(cursor)
            cursor.execute("COMMIT")
        except BaseException:
            if not connection.closed:
                connection.rollback()
            raise
        return result

    def _lock_schema(self, cursor: Cursor) -> None:
        for name in (
            "lock_timeout",
            "statement_timeout",
        ):  # another replica's migration, and one's own, take their time
            cursor.execute(f"SET LOCAL {name} = 0")
        cursor.execute("SELECT pg_advisory_xact_lock(?)", (SCHEMA_LOCK,))


def _arguments(url: str) -> dict[str, Any]:
    """Return what connections are made with beside the address, which may say otherwise. Raises ``psycopg.Error``."""
    given = conninfo_to_dict(url)
    options = [f"-c {name}={value}" for name, value in {**SETTINGS, OWN: "yes"}.items()]
    return {
        "autocommit": True,
        **{name: value for name, value in CONNECTION.items() if name not in given},
        "options": " ".join([*options, str(given.get("options") or "")]),
    }


def _is_own(connection: psycopg.Connection[Any]) -> bool:
    """Tell whether the server's session got our options, and so is ours; behind a pooler each transaction has another.

    Then statements are prepared, which takes a third off a commit.
    """
    return connection.execute("SELECT current_setting(%s, true)", (OWN,)).fetchone() == ("yes",)


def _missing(connection: psycopg.Connection[Any]) -> list[str]:
    """Return the statements for what the sessions behind a pooler have not got."""
    rows = {name: connection.execute(f"SHOW {name}".encode()).fetchone() for name in SETTINGS}
    return [f"; SET LOCAL {name} = '{SETTINGS[name]}'" for name, row in rows.items() if row and row[0] == "0"]


def _is_passing(error: psycopg.Error) -> bool:
    """Tell whether it is worth another try: not if the server itself says no (a full disk, a statement too slow)."""
    if error.sqlstate is None:
        is_lost = isinstance(error, psycopg.OperationalError | psycopg.InterfaceError)
        return is_lost and not isinstance(error, PoolTimeout)
    return error.sqlstate.startswith(PASSING)
