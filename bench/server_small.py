"""The tutorial's graph over HTTP: CPU that the server spends on a request, its threads and its kernel work included."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from http.client import HTTPConnection
from typing import Any

from bench.measure import OURS, Comparison, Sampler, compare

CASE = "tutorial graph over HTTP, server CPU per request"
REQUESTS = 200  # per sample
START_S, STOP_S = 60.0, 10.0
X = [[1.0, 1.0], [1.0, 1.0]]
GRAPH = {
    "inputs": {"x": {"data": X, "requires_grad": True}},
    "nodes": [
        {"id": "y", "op": "add", "args": ["$x", 2]},
        {"id": "yy", "op": "mul", "args": ["$y", "$y"]},
        {"id": "z", "op": "mul", "args": ["$yy", 3]},
        {"id": "out", "op": "mean", "args": ["$z"]},
    ],
    "outputs": ["y", "out"],
    "backward": [{"tensor": "out"}],
    "grads": ["x"],
}
UVICORN = ("uvicorn", "--loop=uvloop", "--http=httptools", "--no-access-log", "--log-level=warning")


class Client:
    """One kept-alive connection, and the CPU clock of the process at its other end."""

    def __init__(self, port: int, pid: int) -> None:
        self._http = HTTPConnection("127.0.0.1", port, timeout=START_S)
        # The clock of another process, as clock_getcpuclockid(3) makes it; /proc counts in steps of 10 ms.
        self._clock = (~pid << 3) | 2

    def post(self, path: str, body: bytes) -> Any:
        self._http.request("POST", path, body, {"Content-Type": "application/json"})
        response = self._http.getresponse()
        text = response.read()
        if response.status != 200:
            raise RuntimeError(f"{path} answered {response.status}: {text[:300]!r}")
        return json.loads(text)

    def sampler(self, path: str, body: bytes) -> Sampler:
        """Server CPU seconds a request."""

        def sample() -> float:
            start = time.clock_gettime(self._clock)
            for _ in range(REQUESTS):
                self.post(path, body)
            return (time.clock_gettime(self._clock) - start) / REQUESTS

        sample()
        return sample

    def close(self) -> None:
        self._http.close()


@contextmanager
def server(*module: str) -> Iterator[Client]:
    """``python -m module ... --port PORT`` on loopback, ended with the block."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    command = [sys.executable, "-m", *module, f"--port={port}", "--host=127.0.0.1"]
    process = subprocess.Popen(command, env=os.environ | {"GRADSERVE_LOG_LEVEL": "warning"})
    client = Client(port, process.pid)
    try:
        _wait(lambda: process.poll() is None, port)
        yield client
    finally:
        client.close()
        _stop(process)


def _wait(is_alive: Callable[[], bool], port: int) -> None:
    end = time.monotonic() + START_S
    while time.monotonic() < end and is_alive():
        try:
            socket.create_connection(("127.0.0.1", port), timeout=1).close()
        except OSError:
            time.sleep(0.05)
        else:
            return
    raise RuntimeError(f"no server on port {port}")


def _stop(process: subprocess.Popen[bytes]) -> None:
    process.terminate()
    try:
        process.wait(STOP_S)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


def check(ours: Client, diy: Client, graph: bytes, numbers: bytes) -> None:
    """Both answer the same, or the comparison means nothing."""
    one, other = ours.post("/v1/evaluate", graph), diy.post("/async", numbers)
    got = [one["outputs"]["y"]["data"], one["outputs"]["out"]["data"], one["grads"]["x"]["data"]]
    if got != [other["y"], other["out"], other["x_grad"]]:
        raise RuntimeError(f"{one} is not {other}")


def run(seconds: float) -> list[Comparison]:
    graph, numbers = json.dumps(GRAPH).encode(), json.dumps({"x": X}).encode()
    with ExitStack() as stack:
        ours = stack.enter_context(server("app.cli", "serve"))
        diy = stack.enter_context(server(*UVICORN, "bench.peers:diy"))
        echo = stack.enter_context(server(*UVICORN, "bench.peers:echo"))
        check(ours, diy, graph, numbers)
        contenders = {
            OURS: ours.sampler("/v1/evaluate", graph),
            "FastAPI + torch, async": diy.sampler("/async", numbers),
            "FastAPI + torch, sync": diy.sampler("/sync", numbers),
            "raw ASGI echo": echo.sampler("/", graph),
        }
        return compare(CASE, contenders, seconds)
