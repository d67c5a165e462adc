"""What a session costs: small runs, in memory and durable and beside a dict; a cold reload; bytes written.

And runs in a session of 100 MB: one that changes an element, and one that makes a grad as large.
"""

from __future__ import annotations

import json
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from functools import partial
from pathlib import Path
from typing import Any

import msgspec
import numpy as np

from app import allocator
from app.evaluate.execution import prepare
from app.limits import Limits
from app.sessions.directory import Directory, Precondition
from app.sessions.session import Session
from app.stores.base import SessionStore
from app.stores.memory import MemoryStore
from app.stores.sqlite import SqliteStore
from app.wire.messages import RunRequest
from app.wire.reply import Reply
from bench.measure import OURS, Comparison, Fact, Sampler, compare
from bench.server_small import INPUTS, X, program, values_of, values_of_diy
from bench.serving import MSGPACK, OURS_SERVER, UVICORN, Client, server, settled

RUNS = 100  # per sample
TENSORS, RELOADS, LARGE, WRITES, CHANGES, GRADS = 100, 21, 12_500_000, 20, 51, 11
STEP = json.dumps({"nodes": [{"op": "add_", "args": ["$s", 1]}], "outputs": ["s"]}).encode()
TUTORIAL = json.dumps(program()).encode()


def opened(client: Client, request: dict[str, object]) -> str:
    """The path of runs in a new session in which ``request`` was run."""
    sid = json.loads(client.post("/v1/sessions", b"{}"))["id"]
    client.post(f"/v1/sessions/{sid}/run", msgspec.msgpack.encode(request), MSGPACK)
    return f"/v1/sessions/{sid}/run"


def runs(seconds: float) -> list[Comparison]:
    with tempfile.TemporaryDirectory() as folder, ExitStack() as stack:
        durable = stack.enter_context(server(*OURS_SERVER, GRADSERVE_STORE="sqlite", GRADSERVE_DATA=folder))
        memory = stack.enter_context(server(*OURS_SERVER))
        diy = stack.enter_context(server(*UVICORN, "bench.peers:diy"))

        def step(client: Client) -> Sampler:
            path = opened(client, {"inputs": {"s": [1.0, 2.0]}, "nodes": [], "outputs": []})
            return client.sampler(partial(client.post, path, STEP), RUNS)

        ours = partial(durable.post, opened(durable, {"inputs": INPUTS, "nodes": [], "outputs": []}), TUTORIAL)
        session = json.loads(diy.post("/sessions", json.dumps({"x": X}).encode()))["id"]
        theirs = partial(diy.post, f"/sessions/{session}/run", b"")
        for _ in range(2):
            one, other = values_of(json.loads(ours())), values_of_diy(json.loads(theirs()))
            if one != other:
                raise RuntimeError(f"these differ: {one}, {other}")
        return [
            *compare(
                "session run that changes one small tensor, SQLite, server CPU per run",
                {OURS: step(durable), "the same in memory": step(memory)},
                seconds / 2,
            ),
            *compare(
                "session run of the tutorial graph and its gradient, SQLite, server CPU per run",
                {OURS: durable.sampler(ours, RUNS), "FastAPI + torch, sessions in a dict": diy.sampler(theirs, RUNS)},
                seconds / 2,
            ),
        ]


def growth() -> Fact:
    """Bytes that a run writes which changes a scalar beside 100 MB."""
    zeros = np.zeros(LARGE)
    leaf = {"data": zeros.data.cast("B"), "dtype": "float64", "shape": [LARGE]}
    with (
        tempfile.TemporaryDirectory() as folder,
        server(*OURS_SERVER, GRADSERVE_STORE="sqlite", GRADSERVE_DATA=folder) as client,
    ):
        path = opened(client, {"inputs": {"large": leaf, "s": 1.0}, "nodes": [], "outputs": []})
        client.post(path, STEP)
        before = settled(client.written)  # the store's log, with the large one in it, is folded meanwhile
        for _ in range(WRITES):
            client.post(path, STEP)
        each = (client.written() - before) / WRITES
    return Fact("bytes written by a run that changes a scalar beside 100 MB, answer included", f"{each:,.0f}")


class Local:
    """A session in this process, without HTTP."""

    def __init__(self, store: SessionStore) -> None:
        self._store, self._limits = store, Limits()
        self._directory = Directory(store, self._limits, 2**30)
        self._sid = self._directory.create("bench", None, lambda made: Reply(201, made["id"].encode())).body.decode()

    def run(self, **request: Any) -> None:
        """Run a program, and commit what it changed."""
        program = prepare(RunRequest(outputs=[], **request), self._limits)

        def work(session: Session, version: int) -> Reply:
            session.run(program, "raw")
            return Reply(200)

        self._directory.command("bench", self._sid, work, Precondition())

    def load(self) -> None:
        """Read the session as a process does that has not got it."""
        Directory(self._store, self._limits).read("bench", self._sid, lambda session, head: None)


def median_ms(times: int, call: Callable[[], object], before: Callable[[], object] = lambda: None) -> str:
    """Milliseconds that ``call`` takes, each time after ``before``."""
    seconds = []
    for _ in range(times):
        before()
        start = time.perf_counter()
        call()
        seconds.append(time.perf_counter() - start)
    return f"{statistics.median(seconds) * 1e3:.2f} ms"


def reload() -> Fact:
    """How long until a session of many small tensors, which nobody has in memory, has been read."""
    with sqlite() as store:
        session = Local(store)
        session.run(inputs={f"x{i}": [float(i)] * 16 for i in range(TENSORS)}, nodes=[])
        return Fact(f"cold reload of a session of {TENSORS} small tensors", median_ms(RELOADS, session.load))


@contextmanager
def sqlite() -> Iterator[SessionStore]:
    with tempfile.TemporaryDirectory() as folder:
        store = SqliteStore(Path(folder))
        store.open()
        yield store
        store.close()


def large() -> list[Fact]:
    """A session of 100 MB: one element changed, and a new grad as large; of the grad, what is not the store's doing."""
    allocator.keep_freed()  # as in compute processes
    facts = []
    memory = MemoryStore()
    with sqlite() as durable:
        for name, store in (("SQLite", durable), ("in memory", memory)):
            session = Local(store)
            session.run(code=f"x = torch.rand({LARGE}, dtype=torch.float64, requires_grad=True)")
            write = partial(session.run, code="with torch.no_grad():\n    x[1000] += 1.0")
            graph = partial(session.run, code="x.grad = None\ny = (x * x).sum()")
            sweep = partial(session.run, code="y.backward()")
            facts += [
                Fact(f"one element changed in a 100 MB session, {name}", median_ms(CHANGES, write)),
                Fact(f"new grad of 100 MB, sweep included, {name}", median_ms(GRADS, sweep, graph)),
            ]
    return facts


def run(seconds: float) -> list[Comparison | Fact]:
    return [*runs(seconds), reload(), growth(), *large()]
