"""PostgreSQL: who waits for whom, what is tried again, and what lies between."""

import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from threading import Event
from typing import Any

import psycopg
import pytest

from app.stores import postgres as postgres_store
from app.stores.base import Answer, Block, Conflict, KeyRecord, Loaded, StoreError
from app.stores.postgres import PostgresStore
from tests import postgres as servers
from tests.app.stores.store_cases import BOUNDS, NOW, NUMBERS, change, claim, contents, head, rows, whole


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


def test_a_removal_sees_the_commit_that_it_waited_for(committing: Any) -> None:
    store, beside = committing
    with pytest.raises(Conflict) as caught:
        beside(lambda: store.remove("s", 0, None))
    assert caught.value.version == 1
    assert contents(store.load("s")) == ([b"a", b"b"], [], True)


def test_a_sweep_leaves_what_is_being_used_at_its_very_end(committing: Any) -> None:
    store, beside = committing
    assert beside(lambda: store.sweep(NOW + 60, BOUNDS)).sessions == 0
    assert contents(store.load("s")) == ([b"a", b"b"], [], True)


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


@pytest.mark.parametrize("state", ["40P01", "40001"])
def test_a_transaction_that_met_another_is_tried_again(opened: PostgresStore, state: str) -> None:
    asked: list[int] = []

    def work(cursor: Any) -> int:
        asked.append(1)
        if len(asked) < 3:
            cursor.execute(f"DO $$ BEGIN RAISE EXCEPTION SQLSTATE '{state}'; END $$")
        return len(asked)

    assert opened._write(work) == 3


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


def test_an_address_may_say_otherwise(postgres: servers.Server) -> None:
    url = postgres.database(f"says{next(NUMBERS)}")
    store = PostgresStore(f"{url}?options=-c%20statement_timeout%3D9s&connect_timeout=3", 4)
    store.open()
    assert store._read(lambda cursor: rows(cursor, "SHOW statement_timeout")) == [("9s",)]
    assert store._read(lambda cursor: rows(cursor, "SHOW lock_timeout")) == [("5s",)]
    assert not store._settings
    store.close()


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
