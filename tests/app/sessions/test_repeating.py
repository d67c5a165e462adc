"""A run that comes again is as if it had been carried out: its answer, its record, and the session that it leaves."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from time import monotonic
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from app.errors import VersionConflict
from app.evaluate.cancellation import Cancellation
from app.evaluate.execution import prepare
from app.limits import OverLimit
from app.program.tree import ProgramError
from app.sessions import live
from app.sessions.directory import Directory, Precondition
from app.sessions.repeating import Again
from app.sessions.session import Session
from app.stores.base import Conflict, StoreError
from app.stores.memory import MemoryStore
from app.stores.sqlite import SqliteStore
from app.wire import codec
from app.wire.messages import RunRequest
from app.wire.reply import Reply
from tests.app.session_cases import LIMITS, OWNER, directory_over, opened, picture_in
from tests.app.sessions.test_atomic import START, STATEMENTS

LEAF = "x = torch.tensor([[1.0, 2.0], [3.0, 4.0]], requires_grad=True)"
KNOWN_FROM = 5  # the run that is the first not to be carried out: one as it is, one rehearsed, one to confirm it
RUNS = 9


@dataclass
class Kept:
    """A session in a directory of its own, and how many of its runs were carried out."""

    directory: Directory = field(default_factory=lambda: directory_over(MemoryStore()))
    is_keyed: bool = True
    carried_out: int = 0
    sid: str = ""

    def __post_init__(self) -> None:
        self.sid = self.sid or opened(self.directory)

    def run(
        self, code: str, form: codec.Format = codec.JSON, precondition: Precondition | None = None, **inputs: Any
    ) -> Reply:
        run = replace(prepare(RunRequest(code=code, inputs=inputs), LIMITS), key=code)

        def change(session: Session, version: int) -> Reply:
            self.carried_out += 1
            return session.reply(run, "json" if form is codec.JSON else "raw", form, version)

        again = Again.of(run, form) if self.is_keyed else None
        return self.directory.command(OWNER, self.sid, change, precondition or Precondition(), again)

    def try_to(self, code: str) -> Reply | str:
        try:
            return self.run(code)
        except ProgramError as error:
            return str(error)

    @property
    def picture(self) -> bytes:
        return picture_in(self.directory, self.sid)


def pair(start: str) -> tuple[Kept, Kept]:
    """Two sessions that began alike: one whose runs may be known, and one that carries all of them out."""
    one, other = Kept(), Kept(is_keyed=False)
    for session in (one, other):
        session.run(f"torch.manual_seed(0)\n{start}")
        session.carried_out = 0
    return one, other


KNOWN = {
    "a gradient that adds up": (LEAF, "y = x + 2\nout = (y * y * 3).mean()\nout.backward()"),
    "a step of descent": (
        LEAF, "loss = (x * x).sum()\nloss.backward()\nwith torch.no_grad():\n    x -= 0.1 * x.grad\n    x.grad.zero_()"
    ),
    "a new grad each time": (
        LEAF, "x.grad = None\n(x * x).sum().backward()\nwith torch.no_grad():\n    x -= 0.1 * x.grad"
    ),
    "other data each time": (LEAF, "(x * x).sum().backward()\nx.data = x.data - 0.1 * x.grad\nx.grad = None"),
    "a name bound to what it was made of": ("s = torch.ones(3)", "s = s + 1"),
    "a tensor written to": ("s = torch.ones(3)", "s += 1"),
    "a graph that is kept": (LEAF, "y = (x * x).sum()\ny.backward(retain_graph=True)"),
    "two names of one tensor": ("s = torch.ones(3)", "s = s * 2\nt = s\nu = s.detach()"),
    "nothing but numbers": ("s = torch.ones(3)", "n = 5\nt = 'text'"),
    "a list made anew": ("s = torch.ones(3)", "k = [s, s * 2]\nd = {'a': k}"),
    "an optimiser": (
        f"{LEAF}\no = torch.optim.SGD([x], lr=0.1, momentum=0.9)", "o.zero_grad()\n(x * x).sum().backward()\no.step()"
    ),
}  # fmt: skip
NOT_KNOWN = {
    "a version that is looked at": ("s = torch.ones(3)", "s += 1\nn = s._version > 7"),
    "a value read": ("s = torch.ones(3)", "s += 1\nn = s[0].item()"),
    "a counter": ("n = 0", "n = n + 1"),
    "a counter as fast as numbers": ("n = 0\ns = torch.ones(3)", "n = n + 2\ns = s * 2"),
    "a list that grows": ("k = []\ns = torch.ones(2)", "k.append(s * 2)"),
    "a graph that grows": (LEAF + "\ny = x * 1", "y = y + x"),
    "a chain of tuples": ("s = torch.ones(2)\nh = ()", "h = (h, s)"),
    "random numbers": ("s = torch.ones(2)", "s = s + torch.rand(2)"),
    "a shape of values": ("s = torch.tensor([1.0, 0.0])", "s = s - 0.2\nn = s.nonzero()"),
    "what is printed": ("s = torch.ones(2)", "s += 1\nprint(s)"),
    "a write through a view": ("s = torch.ones(3)\nv = s[1:]", "v.mul_(2)"),
    "a function": ("s = torch.ones(3)\nf = lambda t: t * 2", "s = f(s)"),
    "a hook": (f"{LEAF}\nh = x.register_hook(lambda g: g * 2)\ndel h", "(x * x).sum().backward()"),
    "a seed": ("s = torch.ones(3)", "s = s * (torch.Generator().seed() % 1 + 1)"),
    "a module": ("s = torch.ones(3)", "import time\ns = s * (time.time_ns() % 1 + 1)"),
    "a module that is there": ("import time\ns = torch.ones(3)", "s = s * (time.time_ns() % 1 + 1)"),
    "an array": ("s = torch.ones(2)", "s = s + 1\na = s.numpy()"),
}


@pytest.mark.parametrize("name", KNOWN)
@pytest.mark.parametrize("form", [codec.JSON, codec.MSGPACK])
def test_a_run_that_is_known_is_as_one_that_is_carried_out(name: str, form: codec.Format) -> None:
    start, program = KNOWN[name]
    one, other = pair(start)
    for _ in range(RUNS):
        assert one.run(program, form) == other.run(program, form)
    assert one.carried_out < KNOWN_FROM <= other.carried_out == RUNS
    assert one.picture == other.picture
    assert Kept(directory_over(one.directory.store), sid=one.sid).picture == other.picture
    assert one.run("z = 1") == other.run("z = 1")
    for _ in range(2):
        assert one.run(program) == other.run(program)
    assert one.picture == other.picture


TRAINING = """
loss = ((b @ w - t) ** 2).mean()
loss.backward()
with torch.no_grad():
    w -= 0.1 * w.grad
    w.grad.zero_()
"""


def batch(number: int) -> dict[str, Any]:
    """Other numbers each time."""
    rows = [[number + 0.5, -1.0 * number], [0.25, 1.0 + number]]
    return {"b": rows, "t": {"data": [0.5 * number, 1.0], "dtype": "float32"}}


@pytest.mark.parametrize("form", [codec.JSON, codec.MSGPACK])
def test_a_run_that_is_known_takes_other_inputs(form: codec.Format) -> None:
    one, other = pair("w = torch.zeros(2, requires_grad=True)")
    for number in range(RUNS):
        assert one.run(TRAINING, form, **batch(number)) == other.run(TRAINING, form, **batch(number))
    assert one.carried_out < KNOWN_FROM
    assert one.picture == other.picture
    assert Kept(directory_over(one.directory.store), sid=one.sid).picture == other.picture


@pytest.mark.parametrize(
    "b",
    [
        [[1.0, 2.0]] * 3, [[1, 2], [3, 4]], [[1.0, "NaN"], [1.0, 2.0]], [[1.0, 2.0], [3.0]], [1.0],
        {"data": [[1.0, 2.0]] * 2, "requires_grad": True}, {"data": [[1.0, 2.0]] * 2, "dtype": "float64"},
        [[10**400, 1.0], [1.0, 1.0]],
    ],
)  # fmt: skip
def test_inputs_of_another_kind_are_carried_out(b: Any) -> None:
    def attempt(kept: Kept, given: dict[str, Any]) -> object:
        try:
            return kept.run(TRAINING, **given)
        except Exception as error:
            return type(error), str(error)

    one, other = pair("w = torch.zeros(2, requires_grad=True)")
    for number in range(RUNS):
        given = batch(number) | ({"b": b} if number == KNOWN_FROM else {})
        assert attempt(one, given) == attempt(other, given)
    assert one.picture == other.picture


@pytest.mark.parametrize("name", NOT_KNOWN)
def test_a_run_that_may_be_another_the_next_time_is_carried_out(name: str) -> None:
    start, program = NOT_KNOWN[name]
    one, other = pair(start)
    for _ in range(RUNS):
        assert one.run(program) == other.run(program)
    assert one.carried_out == RUNS
    if name != "a hook":  # the handles of a process are numbered in one row
        assert one.picture == other.picture


@settings(max_examples=250, deadline=None)
@given(
    program=st.lists(st.sampled_from(STATEMENTS), min_size=1, max_size=4),
    between=st.dictionaries(st.integers(0, RUNS), st.sampled_from([*STATEMENTS, "look", "load", "fail"]), max_size=2),
)
def test_whatever_comes_again_and_between(program: list[str], between: dict[int, str]) -> None:
    one, other = pair(START)
    code = "\n".join(program)
    for number in range(RUNS):
        assert one.try_to(code) == other.try_to(code)
        match between.get(number):
            case "look":
                assert one.picture == other.picture
            case "load":  # as another process would
                one = Kept(directory_over(one.directory.store), sid=one.sid)
            case "fail":
                assert one.try_to("x = nothing") == other.try_to("x = nothing")
            case str(statement):
                assert one.try_to(statement) == other.try_to(statement)
    assert one.picture == other.picture
    assert Kept(directory_over(one.directory.store), sid=one.sid).picture == other.picture


@pytest.fixture
def store(tmp_path: Path) -> Iterator[SqliteStore]:
    made = SqliteStore(tmp_path)
    made.open()
    yield made
    made.close()


STEP = KNOWN["a gradient that adds up"]


def known(store: SqliteStore | MemoryStore) -> Kept:
    """A session whose next run is known."""
    kept = Kept(directory_over(store))
    kept.run(STEP[0])
    for _ in range(KNOWN_FROM):
        kept.run(STEP[1])
    kept.carried_out = 0
    return kept


def test_processes_take_turns(store: SqliteStore) -> None:
    one = known(store)
    other = Kept(directory_over(store), sid=one.sid)
    for number in range(30):
        (one if number % 7 < 5 else other).run(STEP[1])
    assert one.picture == other.picture
    assert one.carried_out > 0


def test_many_runs_are_compacted_without_being_carried_out(store: SqliteStore, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(live, "TAIL_RECORDS", 0)
    one = known(store)
    for _ in range(200):
        one.run(STEP[1])
    assert one.carried_out == 0
    loaded = store.load(one.sid)
    assert loaded is not None
    assert len(loaded.records) < 60
    assert Kept(directory_over(store), sid=one.sid).picture == one.picture


@pytest.mark.parametrize("is_whole", [False, True])
@pytest.mark.parametrize("error", [StoreError("out of reach"), Conflict(None)])
def test_what_the_store_does_not_take_has_not_happened(
    error: Exception, is_whole: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = MemoryStore()
    one = known(store)
    if is_whole:
        monkeypatch.setattr(live, "TAIL_RECORDS", -1000)
    before = Kept(directory_over(store), sid=one.sid).picture
    commit = store.commit

    def fail(*args: object) -> None:
        monkeypatch.setattr(store, "commit", commit)
        raise error

    monkeypatch.setattr(store, "commit", fail)
    if isinstance(error, Conflict):
        one.run(STEP[1])  # begins again, from what the store has
        assert one.picture != before
    else:
        with pytest.raises(StoreError):
            one.run(STEP[1])
        assert one.picture == before
        one.run(STEP[1])
    assert Kept(directory_over(store), sid=one.sid).picture == one.picture


def test_a_version_that_is_asked_for_holds() -> None:
    one = known(MemoryStore())
    version = one.directory.find(OWNER, one.sid).version
    asked = Precondition(frozenset({version}))
    assert one.run(STEP[1], precondition=asked).headers["ETag"] == f'"{version + 1}"'
    assert one.carried_out == 0
    with pytest.raises(VersionConflict):
        one.run(STEP[1], precondition=asked)


def test_a_run_without_time_changes_nothing() -> None:
    one = known(MemoryStore())
    before = one.picture
    for seconds in (0.0, 1.0):
        stopped = Cancellation(monotonic() + seconds)
        if seconds:
            stopped.run(lambda: one.run(STEP[1]))
        else:
            with pytest.raises(OverLimit):
                stopped.run(lambda: one.run(STEP[1]))
            assert one.picture == before
    assert one.picture != before
