"""Several processes over one store: races, lost connections, restarts, starts at once, and a store that is away."""

from __future__ import annotations

import json
import random
import resource
import socket
import sqlite3
import subprocess
import sys
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from itertools import chain, count, cycle
from pathlib import Path
from threading import Barrier
from typing import Any, Final
from urllib.parse import urlsplit

import httpx
import psycopg
import pytest

from app.stores.base import SessionStore, StoreError
from app.stores.postgres import PostgresStore
from app.stores.sql import MIGRATIONS
from app.stores.sqlite import FILE, SqliteStore
from tests import postgres as servers
from tests.processes import ROOT, Server

CLIENTS, SWEEPS = 8, 50
DROPPED: Final = 0.25  # part of the requests whose connection is cut
DATABASES = count()
STORES = ["sqlite", "postgres"]


@pytest.fixture
def place(request: pytest.FixtureRequest) -> dict[str, str]:
    """The settings that mean an empty store."""
    if request.param == "sqlite":
        return {"store": "sqlite"}
    server: servers.Server = request.getfixturevalue("postgres")
    return {"store": server.database(f"processes{next(DATABASES)}")}


def client_of(server: Server) -> httpx.Client:
    return httpx.Client(base_url=server.url, timeout=60, trust_env=False)


def ok(answer: httpx.Response) -> Any:
    assert answer.is_success, answer.text
    return answer.json()


def opened(http: httpx.Client, code: str) -> str:
    """A new session in which this has run."""
    sid: str = ok(http.post("/v1/sessions", json={}))["id"]
    ok(http.post(f"/v1/sessions/{sid}/run", json={"code": code, "outputs": []}))
    return sid


# -- races and cut connections -------------------------------------------------------------------------------------
def post_and_hang_up(url: str, path: str, body: bytes, key: str, chance: random.Random) -> None:
    """Post, and cut the connection: within the request, at once after it, or a little later; read nothing."""
    head = f"POST {path} HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nIdempotency-Key: {key}\r\n"
    request = f"{head}Content-Length: {len(body)}\r\n\r\n".encode() + body
    address = urlsplit(url)
    with socket.create_connection((address.hostname, address.port or 80), timeout=60) as connection:
        way = chance.choice(("within", "at once", "later"))
        connection.sendall(request[: chance.randrange(len(request))] if way == "within" else request)
        if way == "later":
            time.sleep(chance.uniform(0, 0.1))
        linger = b"\1\0\0\0\0\0\0\0"  # on, with no seconds: a reset, and not an orderly end
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)


def sweep_under_key(http: httpx.Client, path: str, key: str, chance: random.Random) -> str:
    """One backward, retried under its key until there is an answer; what that says of a replay."""
    body = json.dumps({"tensor": "out", "retain_graph": True}).encode()
    while True:
        if chance.random() < DROPPED:
            post_and_hang_up(str(http.base_url), path, body, key, chance)
        headers = {"Idempotency-Key": key, "Content-Type": "application/json"}
        answer = http.post(path, content=body, headers=headers)
        if answer.status_code == 200:
            return str(answer.headers.get("Idempotency-Replayed", ""))
        assert answer.json()["type"] in ("/problems/in-progress", "/problems/overloaded"), answer.text
        time.sleep(float(answer.headers["Retry-After"]) / 4)  # a client may be more eager


def accumulate(urls: Sequence[str], sid: str) -> int:
    """All clients' backwards on one session; how many answers were replayed."""

    def work(number: int) -> int:
        chance = random.Random(number)
        with httpx.Client(base_url=urls[number % len(urls)], timeout=60, trust_env=False) as http:
            path = f"/v1/sessions/{sid}/backward"
            replays = [sweep_under_key(http, path, f"{number}-{i}", chance) for i in range(SWEEPS)]
        return replays.count("true")

    with ThreadPoolExecutor(CLIENTS) as pool:
        return sum(pool.map(work, range(CLIENTS)))


GRAPH = "x = torch.zeros(3, dtype=torch.float64, requires_grad=True)\nout = (x * torch.tensor([1., 2., 3.])).sum()\n"


def check_accumulated(servers: Sequence[Server]) -> None:
    with client_of(servers[0]) as http:
        sid = opened(http, GRAPH)
        replays = accumulate([server.url for server in servers], sid)
    for server in servers:
        with client_of(server) as http:
            x = ok(http.get(f"/v1/sessions/{sid}/tensors/x"))
            assert x["grad"]["data"] == [CLIENTS * SWEEPS * factor for factor in (1.0, 2.0, 3.0)]
            assert ok(http.get(f"/v1/sessions/{sid}"))["version"] == 1 + CLIENTS * SWEEPS
    assert replays > 0  # else no connection was cut at a moment that matters


@pytest.mark.slow
def test_backwards_of_many_clients_over_four_workers_add_up_exactly(tmp_path: Path) -> None:
    with Server(tmp_path, workers="4") as server:
        check_accumulated([server])


@pytest.mark.slow
@pytest.mark.parametrize("place", ["postgres"], indirect=True)
def test_backwards_of_many_clients_over_two_replicas_add_up_exactly(place: dict[str, str], tmp_path: Path) -> None:
    with Server(tmp_path, **place) as first, Server(tmp_path, **place) as second:
        check_accumulated([first, second])


# -- one session, several processes --------------------------------------------------------------------------------
STEPS = [
    "torch.manual_seed(7)\nw = torch.randn(4, 4, requires_grad=True)\nx = torch.rand(4)\nlosses = []",
    "h = torch.tanh(w @ x)\nalias = h",
    "loss = (h * h).sum()\nlosses.append(float(loss))",
    "loss.backward(retain_graph=True)",
    "view = w.data[1]\nwith torch.no_grad():\n    w -= 0.1 * w.grad",
    "view.mul_(2)\nfirst = w.grad.clone()",
    "alias2 = alias.sum()\nalias2.backward(retain_graph=True)\nr = torch.randn(3)",
    "w.grad = None\nloss2 = (torch.tanh(w @ x) ** 2).sum()\nloss2.backward()\nprint(losses, w.grad)",
]
WANTED = ["w", "w.grad", "h", "loss", "first", "alias2", "r", "loss2"]


def run_alternating(clients: Sequence[httpx.Client]) -> list[Any]:
    """What the steps answer, each asked of the next process; then all tensors, bit for bit."""
    sid = ok(clients[0].post("/v1/sessions", json={}))["id"]
    path = f"/v1/sessions/{sid}/run"
    turns = cycle(clients)
    answers = [ok(next(turns).post(path, json={"code": code, "encoding": "base64"})) for code in STEPS]
    last = {"nodes": [], "outputs": WANTED, "encoding": "base64"}
    return [*answers, ok(next(turns).post(path, json=last))]


@pytest.mark.slow
@pytest.mark.parametrize("place", ["postgres"], indirect=True)
def test_runs_that_alternate_between_replicas_equal_one_process(place: dict[str, str], tmp_path: Path) -> None:
    with ExitStack() as stack:
        replicas = [stack.enter_context(Server(tmp_path, **place)) for _ in range(2)]
        clients = [stack.enter_context(client_of(server)) for server in replicas]
        assert run_alternating(clients) == run_alternating(clients[:1])


BEFORE, AFTER = "".join(f"{code}\n" for code in STEPS[:3]), "loss.backward(retain_graph=True)\n"


@pytest.mark.slow
@pytest.mark.parametrize("place", STORES, indirect=True)
def test_backward_after_a_restart_gives_the_same_bits(place: dict[str, str], tmp_path: Path) -> None:
    def grad(http: httpx.Client, path: str, code: str) -> Any:
        return ok(http.post(path, json={"code": code, "outputs": ["w.grad"], "encoding": "base64"}))["outputs"]

    server = Server(tmp_path, **place)
    with server, client_of(server) as http:
        sid = opened(http, BEFORE)
        whole = grad(http, "/v1/evaluate", BEFORE + AFTER)
        twice = grad(http, "/v1/evaluate", BEFORE + 2 * AFTER)
    with server, client_of(server) as http:  # killed, and started again
        assert grad(http, f"/v1/sessions/{sid}/run", AFTER) == whole
    with server, client_of(server) as http:
        assert grad(http, f"/v1/sessions/{sid}/run", AFTER) == twice


# -- to start ------------------------------------------------------------------------------------------------------
@pytest.mark.slow
@pytest.mark.parametrize("place", STORES, indirect=True)
def test_two_processes_start_at_once_over_an_empty_store(place: dict[str, str], tmp_path: Path) -> None:
    both = [Server(tmp_path, **place) for _ in range(2)]
    try:
        with ThreadPoolExecutor(2) as pool:
            list(pool.map(Server.start, both))
        with client_of(both[0]) as first, client_of(both[1]) as second:
            sid = opened(first, "x = torch.ones(2)")
            assert ok(second.get(f"/v1/sessions/{sid}/tensors/x"))["data"] == [1.0, 1.0]
    finally:
        for server in both:
            server.kill()


@pytest.mark.parametrize("place", STORES, indirect=True)
def test_many_openings_at_once_of_an_empty_store(
    place: dict[str, str], tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    for attempt in range(5):
        if place["store"] == "sqlite":
            stores: list[SessionStore] = [SqliteStore(tmp_path / str(attempt)) for _ in range(8)]
        else:
            url = request.getfixturevalue("postgres").database(f"at_once{next(DATABASES)}")
            stores = [PostgresStore(url, 1) for _ in range(8)]
        barrier = Barrier(len(stores))

        def start(store: SessionStore, barrier: Barrier = barrier) -> None:
            barrier.wait()
            store.open()

        with ThreadPoolExecutor(len(stores)) as pool:
            list(pool.map(start, stores))
        for store in stores:
            store.check()
            store.close()


def raise_schema(place: dict[str, str], folder: Path) -> None:
    """Make it a store of a later version."""
    statement = f"INSERT INTO schema_version (version) VALUES ({len(MIGRATIONS) + 1})"
    if place["store"] == "sqlite":
        with sqlite3.connect(folder / FILE) as connection:
            connection.execute(statement)
        connection.close()
    else:
        with psycopg.connect(place["store"]) as session:
            session.execute(statement.encode())


@pytest.mark.parametrize("place", STORES, indirect=True)
def test_a_store_of_a_later_schema_is_refused_in_one_line(place: dict[str, str], tmp_path: Path) -> None:
    store = SqliteStore(tmp_path) if place["store"] == "sqlite" else PostgresStore(place["store"], 1)
    store.open()
    store.close()
    raise_schema(place, tmp_path)
    ended = serve_in_vain(tmp_path, **place)
    known = len(MIGRATIONS)
    assert (
        ended == f"gradserve: cannot open the store: the store has the schema {known + 1}; this version knows {known}\n"
    )


def test_an_address_where_nobody_listens_is_refused_in_one_line(tmp_path: Path) -> None:
    with socket.socket() as taken:  # bound, but not listening
        taken.bind(("127.0.0.1", 0))
        ended = serve_in_vain(tmp_path, store=f"postgresql://me:secret@127.0.0.1:{taken.getsockname()[1]}/x")
    assert ended.startswith("gradserve: cannot open the store: connection failed")
    assert ended.count("\n") == 1
    assert "secret" not in ended


def serve_in_vain(folder: Path, **settings: str) -> str:
    """What a server says that cannot start; it must end with status 1."""
    server = Server(folder, workers="2", **settings)
    ended = subprocess.run(
        [sys.executable, "-m", "app.cli", "serve"], capture_output=True, text=True, timeout=60, check=False,
        cwd=ROOT, env=server.environment,
    )  # fmt: skip
    assert (ended.returncode, ended.stdout) == (1, "")
    return ended.stderr


# -- a store that is away ------------------------------------------------------------------------------------------
@pytest.mark.slow
@pytest.mark.skipif(not hasattr(resource, "prlimit"), reason="no limits for other processes on this system")
def test_a_full_disk_refuses_changes_until_there_is_room(tmp_path: Path) -> None:
    """No file of any process may grow: what a full disk is to SQLite."""
    big = {"code": "a = torch.ones(100000)", "outputs": []}
    with Server(tmp_path) as server, client_of(server) as http:
        sid = opened(http, GRAPH)
        before = ok(http.get(f"/v1/sessions/{sid}"))

        def post(key: str) -> httpx.Response:
            return http.post(f"/v1/sessions/{sid}/run", json=big, headers={"Idempotency-Key": key})

        size = max(path.stat().st_size for path in tmp_path.iterdir())
        pids = [server.pid, *chain.from_iterable(server.descendants())]
        assert len(pids) >= 3  # with the one that others come from, and those that write
        unlimited = [resource.prlimit(pid, resource.RLIMIT_FSIZE, (size, resource.RLIM_INFINITY)) for pid in pids]
        for key in ("first", "second", "third"):
            answer = post(key)
            assert (answer.status_code, answer.json()["type"]) == (503, "/problems/store-unavailable")
            after = ok(http.get(f"/v1/sessions/{sid}"))
            assert (after["version"], after["tensors"]) == (before["version"], before["tensors"])
        for pid, limit in zip(pids, unlimited, strict=True):
            resource.prlimit(pid, resource.RLIMIT_FSIZE, limit)

        while (answer := post("first")).status_code == 409:  # its claim could not be given back: it has to run out
            time.sleep(0.5)
        assert ok(answer)["version"] == before["version"] + 1
        assert "Idempotency-Replayed" not in answer.headers


@pytest.mark.slow
def test_a_database_that_is_away_and_comes_back(postgres: servers.Server, tmp_path: Path) -> None:
    url = postgres.database(f"away{next(DATABASES)}")
    with Server(tmp_path, store=url) as server, client_of(server) as http:
        sid = opened(http, GRAPH)
        sweep = f"/v1/sessions/{sid}/backward"
        body = {"tensor": "out", "retain_graph": True}
        assert http.get("/readyz").status_code == 200

        with psycopg.connect(postgres.url, autocommit=True) as admin:
            admin.execute("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE pid <> pg_backend_pid()")
        assert ok(http.post(sweep, json=body))["version"] == 2  # a new connection was made

        postgres.kill()
        try:
            check_away(http, sweep, body)
        finally:
            postgres.start()
        end = time.monotonic() + 20
        while http.get("/readyz").status_code != 200:
            assert time.monotonic() < end
            time.sleep(0.1)
        answer = ok(http.post(sweep, json=body))
        assert answer["version"] == 3
        assert answer["grads"]["x"]["data"] == [2.0, 4.0, 6.0]


def check_away(http: httpx.Client, sweep: str, body: dict[str, Any]) -> None:
    """Readiness says so in time, the loop goes on, and a change is refused."""
    with ThreadPoolExecutor(4) as pool:
        begun = time.monotonic()
        asked = [pool.submit(http.get, "/readyz") for _ in range(3)]
        while not all(future.done() for future in asked):
            sent = time.monotonic()
            assert http.get("/healthz").status_code == 200
            assert time.monotonic() - sent < 1
            time.sleep(0.02)
        assert time.monotonic() - begun < 2.5
    assert {future.result().json()["type"] for future in asked} == {"/problems/store-unavailable"}
    refused = http.post(sweep, json=body)
    assert (refused.status_code, refused.json()["type"]) == (503, "/problems/store-unavailable")


def test_the_check_of_a_file_that_is_gone_fails(tmp_path: Path) -> None:
    store = SqliteStore(tmp_path)
    store.open()
    store.check()
    store.close()
    (tmp_path / FILE).unlink()
    with pytest.raises(StoreError):
        store.check()
    store.close()
