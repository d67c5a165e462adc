"""The file of SQLite: what it gives back, and who waits for the disk."""

import sqlite3
import threading
from contextlib import closing
from pathlib import Path

from app.stores import sql
from app.stores.base import Block, SessionStore
from app.stores.postgres import PostgresStore
from app.stores.sqlite import FILE, LOG_BYTES, SqliteStore
from tests.app.stores.store_cases import BOUNDS, NOW, change, contents, head, rows, whole

LARGE = [Block(1, number, b"x" * 16_384) for number in range(2_000)]


def test_a_sweep_finds_what_is_over_by_an_index(tmp_path: Path) -> None:
    store = SqliteStore(tmp_path)
    store.open()
    for condition in (
        f"sessions WHERE {sql._IS_OVER}",
        "expired WHERE expired_at <= ?",
        "answers WHERE created_at <= ?",
    ):
        asked, values = f"EXPLAIN QUERY PLAN DELETE FROM {condition}", [NOW] * condition.count("?")
        plan = store._read(lambda cursor, asked=asked, values=values: rows(cursor, asked, *values))  # type: ignore[misc]
        assert not [step for *_, step in plan if step.startswith("SCAN")], plan
    store.close()


def test_what_a_sweep_drops_leaves_the_file(tmp_path: Path) -> None:
    store, file = SqliteStore(tmp_path), tmp_path / FILE
    store.open()
    store.add(head(), whole("a", *LARGE), None)
    store.close()
    assert file.stat().st_size > 32_000_000
    store.open()
    store.sweep(NOW + 60, BOUNDS)
    store.close()
    assert file.stat().st_size < 10_000_000  # some pages stay for what comes next


def test_a_file_that_could_not_shrink_is_packed_when_it_is_mostly_empty(tmp_path: Path) -> None:
    file = tmp_path / FILE
    with closing(sqlite3.connect(file)) as connection:
        connection.execute("CREATE TABLE first (one)")  # from here on its mode is fixed
    store = SqliteStore(tmp_path)
    store.open()
    store.add(head(), whole("a", *LARGE), None)
    store.add(head("other"), whole("b"), None)
    store.remove("s", None, None)
    store.sweep(NOW, BOUNDS)
    store.close()
    assert file.stat().st_size > 32_000_000
    store.open()
    assert contents(store.load("other")) == ([b"b"], [], True)
    store.close()
    assert file.stat().st_size < 1_000_000
    with closing(sqlite3.connect(file)) as connection:
        assert connection.execute("PRAGMA auto_vacuum").fetchone() == (2,)


def test_a_long_log_is_folded_into_the_file_beside_the_commits(tmp_path: Path) -> None:
    store, log = SqliteStore(tmp_path), tmp_path / f"{FILE}-wal"
    store.open()
    store.add(head(), whole("a", *LARGE), None)
    assert store._folding is not None
    store._folding.join()
    assert (tmp_path / FILE).stat().st_size > 32_000_000
    store.commit(head(version=1), 0, change("b"), None)  # the log begins anew
    assert log.stat().st_size <= LOG_BYTES
    store.close()


def test_a_folded_log_is_folded_again_once_it_is_long_again(tmp_path: Path) -> None:
    """Not by its size alone, which only the next commit changes."""
    store = SqliteStore(tmp_path)
    store.open()
    store.add(head(), whole("a", *LARGE), None)
    first = store._folding
    assert first is not None
    first.join()
    for version in range(1, 100):
        store.commit(head(version=version), version - 1, change("b"), None)
    assert store._folding is first
    for version in range(100, 102):
        store.commit(head(version=version), version - 1, change("c", *LARGE), None)
    assert store._folding is not first
    store.close()


def test_what_is_deleted_is_not_written_once_more(tmp_path: Path) -> None:
    store, log = SqliteStore(tmp_path), tmp_path / f"{FILE}-wal"
    store.open()
    store.add(head(), whole("a", *LARGE), None)
    assert store._folding is not None
    store._folding.join()
    store.commit(head(version=1), 0, change("b"), None)  # the log begins anew
    store.remove("s", None, None)
    assert log.stat().st_size <= LOG_BYTES  # of 32 MB
    store.close()


def test_a_file_of_old_keeps_its_pages(tmp_path: Path) -> None:
    with closing(sqlite3.connect(tmp_path / FILE, isolation_level=None)) as connection:
        connection.execute("PRAGMA page_size = 4096")
        connection.execute("PRAGMA auto_vacuum = INCREMENTAL")
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("CREATE TABLE first (one)")
    store = SqliteStore(tmp_path)
    store.open()
    store.add(head(), whole("a", *LARGE), None)
    store.remove("s", None, None)
    store.sweep(NOW, BOUNDS)
    store.close()
    assert (tmp_path / FILE).stat().st_size < 10_000_000
    with closing(sqlite3.connect(tmp_path / FILE)) as connection:
        assert connection.execute("PRAGMA page_size").fetchone() == (4096,)


def test_a_store_that_is_not_open_holds_nothing(tmp_path: Path) -> None:
    """Processes are forked from one that has made it."""
    threads = threading.enumerate()
    stores: list[SessionStore] = [
        SqliteStore(tmp_path / "none"),
        PostgresStore("postgresql://nobody@127.0.0.1:1/none", 4),
    ]
    assert threading.enumerate() == threads
    assert not (tmp_path / "none").exists()
    for store in stores:
        store.close()
