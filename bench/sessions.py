"""What a session costs: small runs, in memory and durable and beside a dict; a cold reload; bytes written."""

from __future__ import annotations

import json
import statistics
import tempfile
import time
from contextlib import ExitStack
from functools import partial
from pathlib import Path

import msgspec
import numpy as np

from app.evaluate.execution import Run, prepare
from app.limits import Limits
from app.sessions.directory import Description, Directory, Precondition
from app.sessions.session import Session
from app.stores.sqlite import SqliteStore
from app.wire.messages import RunRequest
from app.wire.reply import Reply
from bench.measure import OURS, Comparison, Fact, Sampler, compare
from bench.server_small import INPUTS, X, program, values_of, values_of_diy
from bench.serving import MSGPACK, OURS_SERVER, UVICORN, Client, server

RUNS = 100  # per sample
TENSORS, RELOADS, LARGE, WRITES = 100, 21, 12_500_000, 20
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
        before = client.written()
        for _ in range(WRITES):
            client.post(path, STEP)
        each = (client.written() - before) / WRITES
    return Fact("bytes written by a run that changes a scalar beside 100 MB, answer included", f"{each:,.0f}")


def reload() -> Fact:
    """Milliseconds until a session of many small tensors, which nobody has in memory, has been read and run."""
    with tempfile.TemporaryDirectory() as folder:
        store = SqliteStore(Path(folder))
        store.open()
        limits = Limits()
        made: list[str] = []

        def write(session: Description) -> Reply:
            made.append(session["id"])
            return Reply(201)

        def work(run: Run, session: Session, version: int) -> Reply:
            session.run(run, "raw")
            return Reply(200)

        inputs = {f"x{i}": [float(i)] * 16 for i in range(TENSORS)}
        first = partial(work, prepare(RunRequest(inputs=inputs, nodes=[], outputs=[]), limits))
        look = partial(work, prepare(RunRequest(nodes=[], outputs=["x0"]), limits))
        Directory(store, limits).create("bench", None, write)
        Directory(store, limits).command("bench", made[0], first, Precondition())
        seconds = []
        for _ in range(RELOADS):
            directory = Directory(store, limits)
            start = time.perf_counter()
            directory.read("bench", made[0], lambda session, head: look(session, 0))
            seconds.append(time.perf_counter() - start)
        store.close()
    return Fact(f"cold reload of a session of {TENSORS} small tensors", f"{statistics.median(seconds) * 1e3:.2f} ms")


def run(seconds: float) -> list[Comparison | Fact]:
    return [*runs(seconds), reload(), growth()]
