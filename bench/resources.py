"""Start-up, memory, what another worker brings, and how long others wait beside a long job.

Memory is the proportional set size of all processes of a server, as if nobody else had opened the same libraries.
"""

from __future__ import annotations

import json
import statistics
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, closing, contextmanager, suppress
from http.client import HTTPConnection
from tempfile import TemporaryDirectory

import msgspec
import numpy as np

from bench.measure import OURS, Comparison, Fact, compare
from bench.server_large import gradient_request
from bench.server_small import graph
from bench.serving import MSGPACK, OURS_SERVER, UVICORN, Client, Load, request, server, settled

ELEMENTS, GRADIENTS, CLIENTS, JOB_S = 10_000_000, 20, 8, 6.0
FREED_S = 30  # longer than free memory is kept, and looked at
PEERS = {OURS: OURS_SERVER, "FastAPI + torch": (*UVICORN, "bench.peers:diy")}
# About 50 ms of one processor, in steps too small for another thread; no plan can be made of what reads a value.
JOB = """
for i in range(4500):
    x = torch.sin(x) + 0.5
mean = x.mean().item()
"""


def start(module: tuple[str, ...]) -> Callable[[], float]:
    """Seconds from the command to the first answer."""

    def sample() -> float:
        begun = time.perf_counter()
        with server(*module) as client:
            client.send("GET", "/healthz")  # waits: whoever listens may not be ready
            return time.perf_counter() - begun

    return sample


def memory() -> list[Fact]:
    facts = []
    for name, module in PEERS.items():
        with server(*module) as client:
            facts.append(Fact(f"memory of {name}, idle", megabytes(settled(client.memory))))
            if name == OURS:
                x = np.zeros(ELEMENTS, "float32")
                body = msgspec.msgpack.encode(gradient_request(x, x.tobytes()))
                case = f"memory of gradserve, {GRADIENTS} gradients of 1e7 float32 (40 MB) over msgpack"
                facts.append(Fact(f"{case}, at most", megabytes(most(client, body))))
                time.sleep(FREED_S)
                facts.append(Fact(f"{case}, after them", megabytes(client.memory())))
    with workers(2) as client:
        facts.append(Fact("memory of gradserve, idle, 2 workers", megabytes(settled(client.memory))))
    return facts


@contextmanager
def workers(count: int) -> Iterator[Client]:
    """Our server with that many workers, which share a store."""
    with TemporaryDirectory() as folder:
        settings = {"GRADSERVE_STORE": "sqlite", "GRADSERVE_DATA": folder, "GRADSERVE_BLAS_THREADS": "1"}
        with server(*OURS_SERVER, GRADSERVE_WORKERS=str(count), **settings) as client:
            yield client


def most(client: Client, body: bytes) -> float:
    """Bytes of memory held at most over some gradients, as often as one can look meanwhile."""
    with ThreadPoolExecutor(1) as pool:
        gradients = pool.submit(lambda: [client.post("/v1/evaluate", body, MSGPACK) for _ in range(GRADIENTS)])
        held = []
        while not gradients.done():
            held.append(client.memory())
        gradients.result()
    return max(held)


def megabytes(nbytes: int) -> str:
    return f"{nbytes / 1e6:,.0f} MB"


def throughput(seconds: float) -> list[Comparison]:
    """How many jobs a second worker does beside the first."""
    body = json.dumps({"inputs": {"x": [0.1, 0.4, 0.7, 1.0]}, "code": JOB, "outputs": ["x"]}).encode()
    with ExitStack() as stack:
        samplers = {}
        for name, count in {OURS: 2, "1 worker": 1}.items():
            client = stack.enter_context(workers(count))
            settled(client.memory)
            load = stack.enter_context(closing(Load(client, CLIENTS, lambda: request("/v1/evaluate", body))))
            samplers[name] = load.wall(1)
        case = f"jobs of 50 ms by {CLIENTS} clients at once, 2 workers, wall time per job"
        return compare(case, samplers, seconds)


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
    begun = compare("start-up, wall time to the first answer, to GET /healthz", samplers, seconds / 4)
    return [*begun, *throughput(seconds / 4), *memory(), *latency()]
