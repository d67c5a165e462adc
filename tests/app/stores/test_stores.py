"""What every store promises, over memory, SQLite and a real PostgreSQL server."""

import itertools
import sqlite3
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, closing
from dataclasses import replace
from pathlib import Path
from threading import Event
from typing import Any

import psycopg
import pytest

from app.stores import postgres as postgres_store
from app.stores import sql
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
    SessionStore,
    StoreError,
    Usage,
)
from app.stores.memory import MemoryStore
from app.stores.postgres import PostgresStore
from app.stores.sql import MIGRATIONS, SqlStore
from app.stores.sqlite import FILE, LOG_BYTES, SqliteStore
from tests import postgres as servers

NOW = 1_000_000.0
BOUNDS = Bounds(keys_seconds=100.0, keys=3, keys_bytes=1_000, expired_seconds=1_000.0)
NUMBERS = itertools.count()
Open = Callable[[], SessionStore]
SQL = ["sqlite", pytest.param("postgres", marks=pytest.mark.xdist_group("postgres"))]


@pytest.fixture(params=["memory", *SQL])
def open_store(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Open]:
    """Opens one and the same store again, as further processes would; memory is there once."""
    with ExitStack() as stack:
        make = maker(request, tmp_path)

        def open_again() -> SessionStore:
            store = make()
            store.open()
            stack.callback(store.close)
            return store

        yield open_again


def maker(request: pytest.FixtureRequest, folder: Path) -> Open:
    if request.param == "memory":
        memory = MemoryStore()
        return lambda: memory
    if request.param == "sqlite":
        return lambda: SqliteStore(folder)
    server: servers.Server = request.getfixturevalue("postgres")
    url = server.database(f"contract{next(NUMBERS)}")
    return lambda: PostgresStore(url, 4)


@pytest.fixture
def store(open_store: Open) -> SessionStore:
    return open_store()


def head(sid: str = "s", version: int = 0, **others: object) -> Head:
    made = Head(sid, "ann", version, NOW, NOW + 60, 60.0, 10)
    return replace(made, **others)  # type: ignore[arg-type]


def whole(text: str, *blocks: Block, abandoned: tuple[int, ...] = ()) -> Change:
    return Change(text.encode(), True, blocks, abandoned)


def change(text: str, *blocks: Block, abandoned: tuple[int, ...] = ()) -> Change:
    return Change(text.encode(), False, blocks, abandoned)


def claim(key: str = "k", holder: bytes = b"one", fingerprint: bytes = b"print", owner: str = "ann") -> Claim:
    return Claim(owner, key, fingerprint, holder)


def contents(loaded: Loaded | None) -> tuple[list[bytes], list[tuple[int, int, bytes]], bool]:
    assert loaded is not None
    blocks = [(block.memory, block.number, bytes(block.data)) for block in loaded.blocks]
    return [bytes(record) for record in loaded.records], sorted(blocks), loaded.is_whole


# -- sessions -------------------------------------------------------------------------------------------------------
def test_a_session_is_kept_changed_and_dropped(open_store: Open) -> None:
    store = open_store()
    store.add(head(), whole("a", Block(1, 0, b"00"), Block(1, 1, b"11")), None)
    store.commit(head(version=1, nbytes=20), 0, change("b", Block(1, 1, memoryview(b"22"))), None)
    for one in (store, open_store()):
        assert one.head("s") == head(version=1, nbytes=20)
        assert contents(one.load("s")) == ([b"a", b"b"], [(1, 0, b"00"), (1, 1, b"22")], True)
        assert contents(one.load("s", 0)) == ([b"b"], [(1, 1, b"22")], False)
        assert contents(one.load("s", 1)) == ([], [], False)
    store.remove("s", None, None)
    assert (store.head("s"), store.load("s"), store.expired("s")) == (None, None, None)
    store.add(head(), whole("c"), None)
    assert contents(store.load("s")) == ([b"c"], [], True)


def test_a_whole_record_replaces_what_came_before(store: SessionStore) -> None:
    store.add(head(), whole("a", Block(1, 0, b"0"), Block(2, 0, b"0")), None)
    store.commit(head(version=1), 0, change("b"), None)
    store.commit(head(version=2), 1, whole("c", Block(3, 0, b"3"), abandoned=(2,)), None)
    store.commit(head(version=3), 2, change("d"), None)
    everything = ([b"c", b"d"], [(1, 0, b"0"), (3, 0, b"3")], True)
    assert contents(store.load("s")) == everything
    assert contents(store.load("s", 1)) == everything
    assert contents(store.load("s", 2)) == ([b"d"], [], False)


def test_a_commit_needs_the_version_it_began_with(store: SessionStore) -> None:
    store.add(head(), whole("a"), None)
    store.commit(head(version=1), 0, change("b"), None)
    for expected, sid, version in ((0, "s", 1), (2, "s", 1), (0, "nobody", None)):
        with pytest.raises(Conflict) as caught:
            store.commit(head(sid, version=expected + 1), expected, change("x", Block(1, 0, b"x")), None)
        assert caught.value.version == version
    with pytest.raises(Conflict):
        store.remove("s", 0, None)
    assert contents(store.load("s")) == ([b"a", b"b"], [], True)
    store.remove("s", 1, None)
    store.remove("s", 1, None)  # gone is gone


def test_renewing_moves_the_end_and_nothing_else(store: SessionStore) -> None:
    store.add(head(), whole("a"), None)
    store.renew("s", NOW + 90)
    store.renew("s", NOW + 80)
    assert store.head("s") == head(expires_at=NOW + 90)
    store.renew("nobody", NOW)
    assert store.head("nobody") is None


def test_owners_see_their_own_in_the_order_of_making(store: SessionStore) -> None:
    for number in range(5):
        store.add(head(f"s{4 - number}", created_at=NOW + number // 2), whole("a"), None)
    store.add(head("other", owner="bob"), whole("a"), None)
    store.add(head("old", expires_at=NOW), whole("a"), None)
    first = store.page("ann", NOW, None, 3)
    assert [one.id for one in first] == ["s3", "s4", "s1"]
    rest = store.page("ann", NOW, (first[-1].created_at, first[-1].id), 3)
    assert [one.id for one in rest] == ["s2", "s0"]
    assert store.usage("ann", NOW) == Usage(5, 50)
    assert store.usage("nobody", NOW) == Usage(0, 0)


def test_a_sweep_takes_expired_sessions_and_remembers_whose_they_were(store: SessionStore) -> None:
    store.add(head(), whole("a", Block(1, 0, b"0")), None)
    store.add(head("young", expires_at=NOW + 99), whole("a"), None)
    assert store.sweep(NOW + 60, BOUNDS).sessions == 1
    assert (store.head("s"), store.load("s")) == (None, None)
    assert (store.expired("s"), store.expired("young"), store.expired("nobody")) == ("ann", None, None)
    assert store.head("young") is not None
    assert store.sweep(NOW + 60, BOUNDS).sessions == 0
    store.sweep(NOW + 1_060, BOUNDS)
    assert store.expired("s") is None


# -- answers --------------------------------------------------------------------------------------------------------
def test_a_key_is_held_by_one_until_it_is_answered(store: SessionStore) -> None:
    assert store.claim(claim(), NOW, NOW + 5) is None
    assert store.claim(claim(), NOW, NOW + 5) is None  # the same holder, asking again
    assert store.claim(claim(holder=b"two", fingerprint=b"other"), NOW + 4, NOW + 9) == KeyRecord(b"print", None)
    store.add(head(), whole("a"), Answer(claim(), b"answer"))
    for now in (NOW, NOW + 50):
        assert store.claim(claim(holder=b"two"), now, now + 5) == KeyRecord(b"print", b"answer")
    store.release(claim())
    assert store.claim(claim(holder=b"two"), NOW, NOW + 5) == KeyRecord(b"print", b"answer")
    assert store.claim(claim(owner="bob", holder=b"two"), NOW, NOW + 5) is None


def test_a_key_that_is_given_back_is_free(store: SessionStore) -> None:
    store.claim(claim(), NOW, NOW + 5)
    store.release(claim(holder=b"two"))
    assert store.claim(claim(holder=b"two"), NOW, NOW + 5) == KeyRecord(b"print", None)
    store.release(claim())
    assert store.claim(claim(holder=b"two"), NOW, NOW + 5) is None


def test_a_key_that_ran_out_is_free_and_its_first_holder_cannot_commit(store: SessionStore) -> None:
    store.add(head(), whole("a"), None)
    store.claim(claim(), NOW, NOW + 5)
    store.prolong([claim(), claim("unknown")], NOW + 7)
    assert store.claim(claim(holder=b"two"), NOW + 6, NOW + 11) == KeyRecord(b"print", None)
    assert store.claim(claim(holder=b"two"), NOW + 7, NOW + 12) is None
    store.prolong([claim()], NOW + 99)
    late = Answer(claim(), b"x")
    with pytest.raises(KeyLost):
        store.commit(head(version=1), 0, change("b", Block(1, 0, b"0")), late)
    with pytest.raises(KeyLost):
        store.add(head("other"), whole("a"), late)
    with pytest.raises(KeyLost):
        store.remove("s", None, late)
    assert (store.head("other"), contents(store.load("s"))) == (None, ([b"a"], [], True))
    store.commit(head(version=1), 0, change("c"), Answer(claim(holder=b"two"), b"answer"))
    assert store.claim(claim(holder=b"three"), NOW + 50, NOW + 55) == KeyRecord(b"print", b"answer")


def test_a_key_that_was_taken_over_is_remembered_from_then_on(store: SessionStore) -> None:
    store.claim(claim(), NOW, NOW + 5)
    second = claim(holder=b"two")
    assert store.claim(second, NOW + 90, NOW + 95) is None
    store.add(head(), whole("a"), Answer(second, b"answer"))
    assert store.sweep(NOW + 101, BOUNDS).keys == 0
    assert store.claim(claim(holder=b"three"), NOW + 101, NOW + 106) == KeyRecord(b"print", b"answer")


def test_answers_are_forgotten_by_age_number_and_size(store: SessionStore) -> None:
    def answered(key: str, now: float, size: int = 1, owner: str = "ann") -> None:
        one = claim(key, holder=f"{key}{now}".encode(), owner=owner)
        assert store.claim(one, now, now + 5) is None, key
        store.remove("nobody", None, Answer(one, b"x" * size))

    def known(key: str, owner: str = "ann") -> bool:
        one = claim(key, holder=b"asks", owner=owner)
        kept = store.claim(one, NOW, NOW + 5)
        store.release(one)
        return kept is not None

    for place, key in enumerate("abcd"):
        answered(key, NOW + place)
    answered("z", NOW, owner="bob")
    assert store.sweep(NOW + 10, BOUNDS).keys == 1  # four are one too many
    assert [known(key) for key in "abcd"] == [False, True, True, True]
    answered("large", NOW + 20, size=2_000)
    store.sweep(NOW + 21, BOUNDS)
    assert [known(key) for key in ("b", "c", "d", "large")] == [False, False, False, True]
    assert store.sweep(NOW + 100, BOUNDS).keys == 1
    assert (known("z", "bob"), known("large")) == (False, True)


# -- the databases --------------------------------------------------------------------------------------------------
@pytest.mark.parametrize("open_store", SQL, indirect=True)
def test_a_store_of_a_later_schema_is_refused(open_store: Open) -> None:
    store = open_store()
    assert isinstance(store, SqlStore)
    later = len(MIGRATIONS) + 1
    store._write(lambda cursor: cursor.execute("INSERT INTO schema_version (version) VALUES (?)", (later,)))
    with pytest.raises(StoreError, match=f"schema {later}"):
        open_store()


@pytest.mark.parametrize("open_store", SQL, indirect=True)
def test_what_fails_within_a_transaction_leaves_nothing(open_store: Open) -> None:
    store = open_store()
    assert isinstance(store, SqlStore)
    store.add(head(), whole("a"), None)

    class Broken(Exception):
        pass

    def work(cursor: object) -> None:
        cursor.execute("DELETE FROM changes")  # type: ignore[attr-defined]
        raise Broken

    with pytest.raises(Broken):
        store._write(work)
    assert contents(store.load("s")) == ([b"a"], [], True)


@pytest.mark.parametrize("open_store", SQL, indirect=True)
def test_a_commit_that_is_repeated_unawares_counts_once(open_store: Open, monkeypatch: pytest.MonkeyPatch) -> None:
    """The connection was lost while the commit was being acknowledged: the same work runs again."""
    store = open_store()
    assert isinstance(store, SqlStore)
    original = store._write

    def twice(work: Any, **options: Any) -> Any:
        original(work, **options)
        return original(work, **options)

    monkeypatch.setattr(store, "_write", twice)
    one = claim()
    assert store.claim(one, NOW, NOW + 5) is None
    store.add(head(), whole("a"), None)
    store.commit(head(version=1), 0, change("b"), Answer(one, b"answer"))
    with pytest.raises(Conflict):
        store.commit(head(version=1), 0, change("x"), None)
    assert contents(store.load("s")) == ([b"a", b"b"], [], True)
    store.remove("s", 1, None)


@pytest.mark.parametrize("open_store", SQL, indirect=True)
def test_a_store_of_the_first_schema_is_brought_up_to_date(open_store: Open, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sql, "MIGRATIONS", MIGRATIONS[:1])
    open_store().add(head(), whole("a"), None)
    monkeypatch.undo()
    store = open_store()
    assert isinstance(store, SqlStore)
    assert contents(store.load("s")) == ([b"a"], [], True)
    (version,) = store._read(lambda cursor: rows(cursor, "SELECT MAX(version) FROM schema_version"))[0]
    assert version == len(MIGRATIONS)


def rows(cursor: Any, statement: str, *values: object) -> list[Any]:
    cursor.execute(statement, values)
    return cursor.fetchall()  # type: ignore[no-any-return]


# -- SQLite ---------------------------------------------------------------------------------------------------------
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


# -- PostgreSQL -----------------------------------------------------------------------------------------------------
@pytest.fixture
def committing(postgres: servers.Server) -> Iterator[tuple[PostgresStore, Callable[[Callable[[], Any]], Any]]]:
    """A store, and how to do something in it while a replica's commit, which began before, still runs."""
    url = postgres.database(f"committing{next(NUMBERS)}")
    store, replica = PostgresStore(url, 4), PostgresStore(url, 4)
    store.open()
    replica.open()
    store.add(head(), whole("a"), None)

    def beside(work: Callable[[], Any]) -> Any:
        written, may_end = Event(), Event()
        original = replica._write

        def slowly(commit: Any, **options: Any) -> Any:
            def held(cursor: Any) -> None:
                commit(cursor)
                written.set()
                may_end.wait(20)

            return original(held, **options)

        replica._write = slowly  # type: ignore[method-assign, assignment]
        with ThreadPoolExecutor(2) as pool:
            late = head(version=1, expires_at=NOW + 999)
            commit = pool.submit(replica.commit, late, 0, change("b"), None)
            assert written.wait(20)
            other = pool.submit(work)
            time.sleep(0.3)  # it waits for the commit by now
            assert not other.done()
            may_end.set()
            commit.result()
            return other.result()

    yield store, beside
    store.close()
    replica.close()


@pytest.mark.xdist_group("postgres")
def test_a_removal_sees_the_commit_that_it_waited_for(committing: Any) -> None:
    store, beside = committing
    with pytest.raises(Conflict) as caught:
        beside(lambda: store.remove("s", 0, None))
    assert caught.value.version == 1
    assert contents(store.load("s")) == ([b"a", b"b"], [], True)


@pytest.mark.xdist_group("postgres")
def test_a_sweep_leaves_what_is_being_used_at_its_very_end(committing: Any) -> None:
    store, beside = committing
    assert beside(lambda: store.sweep(NOW + 60, BOUNDS)).sessions == 0
    assert contents(store.load("s")) == ([b"a", b"b"], [], True)


@pytest.mark.xdist_group("postgres")
def test_what_postgres_itself_refuses_is_not_asked_again(postgres: servers.Server) -> None:
    store = PostgresStore(postgres.database(f"refuses{next(NUMBERS)}"), 4)
    store.open()
    asked: list[int] = []

    def work(cursor: Any) -> None:
        asked.append(1)
        cursor.execute("DO $$ BEGIN RAISE EXCEPTION SQLSTATE '53100'; END $$")  # a full disk

    with pytest.raises(StoreError, match="DiskFull"):
        store._write(work)
    assert len(asked) == 1
    store.close()


@pytest.mark.xdist_group("postgres")
def test_postgres_is_found_again_after_it_was_killed(postgres: servers.Server) -> None:
    store = PostgresStore(postgres.database(f"killed{next(NUMBERS)}"), 4)
    store.open()
    store.add(head(), whole("a"), None)
    postgres.kill()
    began = time.monotonic()
    with pytest.raises(StoreError):
        store.commit(head(version=1), 0, change("b"), None)
    assert time.monotonic() - began < 30
    postgres.start()
    store.commit(head(version=1), 0, change("b"), None)
    assert contents(store.load("s")) == ([b"a", b"b"], [], True)
    store.close()


@pytest.fixture
def opened(postgres: servers.Server) -> Iterator[PostgresStore]:
    """A store in a database of its own."""
    store = PostgresStore(postgres.database(f"opened{next(NUMBERS)}"), 4)
    store.open()
    yield store
    store.close()


@pytest.mark.xdist_group("postgres")
@pytest.mark.parametrize("state", ["40P01", "40001"])
def test_a_transaction_that_met_another_is_tried_again(opened: PostgresStore, state: str) -> None:
    asked: list[int] = []

    def work(cursor: Any) -> int:
        asked.append(1)
        if len(asked) < 3:
            cursor.execute(f"DO $$ BEGIN RAISE EXCEPTION SQLSTATE '{state}'; END $$")
        return len(asked)

    assert opened._write(work) == 3


@pytest.mark.xdist_group("postgres")
def test_two_transactions_that_wait_for_each_other_both_end(opened: PostgresStore) -> None:
    for sid in ("a", "b"):
        opened.add(head(sid), whole("x"), None)
    both = threading.Barrier(2)

    def rename(first: str, second: str) -> Callable[[Any], None]:
        tries: list[int] = []

        def work(cursor: Any) -> None:
            cursor.execute("UPDATE sessions SET owner = ? WHERE id = ?", (f"{first}{second}", first))
            tries.append(1)
            if len(tries) == 1:
                both.wait(20)
            cursor.execute("UPDATE sessions SET owner = ? WHERE id = ?", (f"{first}{second}", second))

        return work

    with ThreadPoolExecutor(2) as pool:
        for done in [pool.submit(opened._write, rename(*pair)) for pair in ("ab", "ba")]:
            done.result(30)
    owners = opened._read(lambda cursor: rows(cursor, "SELECT DISTINCT owner FROM sessions"))
    assert owners in ([("ab",)], [("ba",)])


@pytest.mark.xdist_group("postgres")
def test_a_statement_that_takes_too_long_ends_and_is_not_repeated(
    postgres: servers.Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(postgres_store.SETTINGS, "statement_timeout", "200ms")
    store = PostgresStore(postgres.database(f"slow{next(NUMBERS)}"), 4)
    store.open()
    asked: list[int] = []

    def work(cursor: Any) -> None:
        asked.append(1)
        cursor.execute("SELECT pg_sleep(60)")

    with pytest.raises(StoreError, match="QueryCanceled"):
        store._read(work)
    assert len(asked) == 1
    assert store.head("nobody") is None
    store.close()


@pytest.mark.xdist_group("postgres")
def test_an_address_may_say_otherwise(postgres: servers.Server) -> None:
    url = postgres.database(f"says{next(NUMBERS)}")
    store = PostgresStore(f"{url}?options=-c%20statement_timeout%3D9s&connect_timeout=3", 4)
    store.open()
    assert store._read(lambda cursor: rows(cursor, "SHOW statement_timeout")) == [("9s",)]
    assert store._read(lambda cursor: rows(cursor, "SHOW lock_timeout")) == [("5s",)]
    assert not store._settings
    store.close()


@pytest.mark.xdist_group("postgres")
def test_connections_that_were_cut_while_idle_are_not_given_out(
    opened: PostgresStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(postgres_store, "IDLE_S", 0.0)
    opened.add(head(), whole("a"), None)
    cut = "SELECT COUNT(pg_terminate_backend(pid)) FROM pg_stat_activity WHERE pid <> pg_backend_pid()"
    cut += " AND datname = current_database()"
    with psycopg.connect(opened._url, autocommit=True) as other:
        assert other.execute(cut.encode()).fetchone() != (0,)
    asked: list[int] = []
    opened._write(lambda cursor: asked.append(1))
    assert asked == [1]
    assert contents(opened.load("s")) == ([b"a"], [], True)


@pytest.mark.xdist_group("postgres")
@pytest.mark.parametrize("settings", [(), ("ignore_startup_parameters = options",)], ids=["refused", "ignored"])
def test_a_store_behind_a_pooler_of_transactions_keeps_its_promises(
    postgres: servers.Server, pgbouncer: str, settings: tuple[str, ...]
) -> None:
    url = postgres.database(f"pooled{next(NUMBERS)}")
    with servers.pooler(postgres, url, pgbouncer, *settings) as address:
        store = PostgresStore(address, 8)
        store.open()
        assert store._settings
        for name, value in postgres_store.SETTINGS.items():
            assert store._read(lambda cursor, name=name: rows(cursor, f"SHOW {name}")) == [(value,)]  # type: ignore[misc]
        sids = [f"s{number}" for number in range(6)]

        def live(sid: str) -> Loaded | None:
            one = claim(sid)
            assert store.claim(one, NOW, NOW + 5) is None
            store.add(head(sid), whole("0", Block(1, 0, b"0")), Answer(one, b"answer"))
            for version in range(1, 12):  # a driver prepares what it has run five times
                store.commit(head(sid, version=version), version - 1, change(str(version), Block(1, 0, b"1")), None)
            assert store.claim(claim(sid, holder=b"two"), NOW, NOW + 5) == KeyRecord(b"print", b"answer")
            return store.load(sid)

        with ThreadPoolExecutor(len(sids)) as pool:
            for loaded in pool.map(live, sids):
                assert contents(loaded) == ([str(version).encode() for version in range(12)], [(1, 0, b"1")], True)
        assert store.usage("ann", NOW).sessions == len(sids)
        assert store.sweep(NOW + 60, BOUNDS).sessions == len(sids)
        store.close()
