"""Start-up, memory, and how long others wait beside a long job."""

from __future__ import annotations

import json
import statistics
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from http.client import HTTPConnection

import msgspec
import numpy as np

from bench.measure import OURS, Comparison, Fact, compare
from bench.server_large import gradient_request
from bench.server_small import graph
from bench.serving import MSGPACK, OURS_SERVER, UVICORN, Client, server

ELEMENTS, CLIENTS, JOB_S = 10_000_000, 8, 6.0
PEERS = {OURS: OURS_SERVER, "FastAPI + torch": (*UVICORN, "bench.peers:diy")}


def start(module: tuple[str, ...]) -> Callable[[], float]:
    """Seconds from the command to the first connection."""

    def sample() -> float:
        begun = time.perf_counter()
        with server(*module):
            return time.perf_counter() - begun

    return sample


def memory() -> list[Fact]:
    facts = []
    for name, module in PEERS.items():
        with server(*module) as client:
            facts.append(Fact(f"memory of {name}, idle", megabytes(client.memory())))
            if name == OURS:
                x = np.zeros(ELEMENTS, "float32")
                client.post("/v1/evaluate", msgspec.msgpack.encode(gradient_request(x, x.tobytes())), MSGPACK)
                case = "memory of gradserve, gradient of 1e7 float32 (40 MB) over msgpack"
                facts.append(Fact(f"{case}, at most", megabytes(client.memory("VmHWM"))))
                time.sleep(12)  # longer than free memory is kept
                facts.append(Fact(f"{case}, after it", megabytes(client.memory())))
    return facts


def megabytes(nbytes: int) -> str:
    return f"{nbytes / 1e6:,.0f} MB"


def latency() -> list[Fact]:
    """Of small requests by many clients, and of ``/healthz``, while one job runs."""
    job = json.dumps({"code": "y = torch.ones(300, 300)\nfor i in range(90000):\n    y = (y @ y) * 0.003"}).encode()
    with server(
        *OURS_SERVER, GRADSERVE_LIMITS__SECONDS=str(JOB_S), GRADSERVE_LIMITS__INTERMEDIATE_BYTES=str(2**50)
    ) as client:
        end = time.monotonic() + JOB_S - 1
        worker = threading.Thread(target=lambda: _quietly(client, job))
        worker.start()
        time.sleep(0.5)
        times: dict[str, list[float]] = {"/healthz": [], "/v1/evaluate": []}
        clients = [threading.Thread(target=_ask, args=(client.port, end, path, times[path]))
                   for path in ["/healthz", *["/v1/evaluate"] * (CLIENTS - 1)]]  # fmt: skip
        for thread in clients:
            thread.start()
        for thread in (*clients, worker):
            thread.join()
    case = f"{CLIENTS} clients beside a long job: {{}}, median and 95th percentile"
    return [Fact(case.format(path), _spread(found)) for path, found in times.items()]


def _quietly(client: Client, job: bytes) -> None:
    with suppress(RuntimeError):  # it ends over its time
        client.post("/v1/evaluate", job)


def _ask(port: int, end: float, path: str, times: list[float]) -> None:
    connection = HTTPConnection("127.0.0.1", port, timeout=60)
    body = graph()
    while time.monotonic() < end:
        begun = time.perf_counter()
        if path == "/healthz":
            connection.request("GET", path)
        else:
            connection.request("POST", path, body, {"Content-Type": "application/json"})
        connection.getresponse().read()
        times.append(time.perf_counter() - begun)
        time.sleep(0.005)
    connection.close()


def _spread(seconds: list[float]) -> str:
    return f"{statistics.median(seconds) * 1e3:.1f} ms, {statistics.quantiles(seconds, n=20)[-1] * 1e3:.1f} ms"


def run(seconds: float) -> list[Comparison | Fact]:
    samplers = {name: start(module) for name, module in PEERS.items()}
    return [*compare("start-up, wall time to the first connection", samplers, seconds / 4), *memory(), *latency()]
