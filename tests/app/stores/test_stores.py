"""What every store promises, over memory, SQLite and a real PostgreSQL server."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from app.stores import sql
from app.stores.base import (
    BLOCK_BYTES,
    Answer,
    Block,
    Conflict,
    KeyLost,
    KeyRecord,
    SessionStore,
    StoreError,
    Usage,
)
from app.stores.memory import MemoryStore
from app.stores.postgres import PostgresStore
from app.stores.sql import MIGRATIONS, SqlStore
from app.stores.sqlite import SqliteStore
from tests import postgres as servers
from tests.app.stores.store_cases import BOUNDS, NOW, NUMBERS, change, claim, contents, head, rows, whole

Open = Callable[[], SessionStore]
SQL = ["sqlite", "postgres"]


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


def test_an_extent_replaces_the_blocks_that_it_covers(store: SessionStore) -> None:
    long, longer = b"l" * BLOCK_BYTES + b"l", b"m" * 2 * BLOCK_BYTES + b"m"
    store.add(head(), whole("a", Block(1, 0, b"0"), Block(1, 2, b"2"), Block(2, 0, long)), None)
    store.commit(head(version=1), 0, change("b", Block(2, 1, b"1"), Block(1, 0, long)), None)
    assert contents(store.load("s"))[1] == [(1, 0, long), (1, 2, b"2"), (2, 0, long), (2, 1, b"1")]
    loaded = store.load("s")
    assert loaded is not None
    assert [len(block.data) > 1 for block in loaded.blocks] == [True, True, False, False]  # later ones hold
    assert contents(store.load("s", 0))[1] == [(1, 0, long), (2, 1, b"1")]
    store.commit(head(version=2), 1, change("c", Block(1, 0, longer), Block(2, 0, long)), None)
    assert contents(store.load("s"))[1] == [(1, 0, longer), (2, 0, long)]
    store.commit(head(version=3), 2, whole("d", abandoned=(1,)), None)
    assert contents(store.load("s"))[1] == [(2, 0, long)]
    store.remove("s", None, None)
    store.add(head(), whole("a"), None)
    assert contents(store.load("s"))[1] == []


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
