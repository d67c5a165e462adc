"""Servers to measure, each a process on loopback with one BLAS thread, and what the system tells of them."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.client import HTTPConnection
from pathlib import Path

from bench.measure import Sampler

JSON, MSGPACK = "application/json", "application/msgpack"
START_S, STOP_S, ANSWER_S = 90.0, 10.0, 120.0
OURS_SERVER = ("app.cli", "serve")
UVICORN = ("uvicorn", "--loop=uvloop", "--http=httptools", "--no-access-log", "--log-level=warning")
DEFAULTS = {
    "GRADSERVE_LOG_LEVEL": "warning",
    "GRADSERVE_STORE": "memory",
    "OPENBLAS_NUM_THREADS": "1",
    "OMP_NUM_THREADS": "1",
}


class Client:
    """One kept-alive connection, and what the system knows of the process at its other end."""

    def __init__(self, port: int, pid: int) -> None:
        self.port, self._process = port, Path(f"/proc/{pid}")
        self._http = HTTPConnection("127.0.0.1", port, timeout=ANSWER_S)
        # The clock of another process, as clock_getcpuclockid(3) makes it; /proc counts in steps of 10 ms.
        self._clock = (~pid << 3) | 2

    def send(self, method: str, path: str, body: bytes = b"", form: str = JSON) -> bytes:
        """The body of the answer, which comes in the format of the request."""
        self._http.request(method, path, body, {"Content-Type": form, "Accept": form})
        response = self._http.getresponse()
        answer = response.read()
        if response.status >= 300:
            raise RuntimeError(f"{path} answered {response.status}: {answer[:300]!r}")
        return answer

    def post(self, path: str, body: bytes, form: str = JSON) -> bytes:
        return self.send("POST", path, body, form)

    def cpu(self) -> float:
        """CPU seconds that the server has used, its threads and its kernel work included."""
        return time.clock_gettime(self._clock)

    def memory(self, fact: str = "VmRSS") -> int:
        """Bytes of memory that the server holds (``VmRSS``), or held at most (``VmHWM``)."""
        lines = (self._process / "status").read_text().splitlines()
        return next(int(line.split()[1]) for line in lines if line.startswith(f"{fact}:")) * 1024

    def written(self) -> int:
        """Bytes that the server has handed to the system, answers included."""
        lines = (self._process / "io").read_text().splitlines()
        return next(int(line.split()[1]) for line in lines if line.startswith("wchar:"))

    def sampler(self, request: Callable[[], object], count: int) -> Sampler:
        """Server CPU seconds of one ``request``, of ``count`` in a row."""

        def sample() -> float:
            start = self.cpu()
            for _ in range(count):
                request()
            return (self.cpu() - start) / count

        sample()
        return sample

    def close(self) -> None:
        self._http.close()


class Load:
    """Kept-alive connections that ask at the same time, each request sent whole, at little cost at this end.

    ``steps`` make the requests, one for each connection; a round takes all steps one after another.
    """

    def __init__(self, client: Client, connections: int, *steps: Callable[[], bytes]) -> None:
        address = ("127.0.0.1", client.port)
        self._client, self._steps = client, steps
        self._sockets = [socket.create_connection(address, timeout=ANSWER_S) for _ in range(connections)]

    def round(self) -> None:
        """Every connection takes every step."""
        for step in self._steps:
            for one in self._sockets:
                one.sendall(step())
            for one in self._sockets:
                _read_answer(one)

    def _sampler(self, clock: Callable[[], float], rounds: int) -> Sampler:
        def sample() -> float:
            start = clock()
            for _ in range(rounds):
                self.round()
            return (clock() - start) / rounds / len(self._sockets)

        sample()
        return sample

    def cpu(self, rounds: int) -> Sampler:
        """Server CPU seconds for all steps of one connection."""
        return self._sampler(self._client.cpu, rounds)

    def wall(self, rounds: int) -> Sampler:
        """Seconds on the wall for the same: the inverse of how many the server does in a second."""
        return self._sampler(time.perf_counter, rounds)

    def close(self) -> None:
        for one in self._sockets:
            one.close()


def request(path: str, body: bytes) -> bytes:
    """A POST of JSON as it is sent."""
    head = f"POST {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: {JSON}\r\nContent-Length: {len(body)}\r\n\r\n"
    return head.encode() + body


def _read_answer(connection: socket.socket) -> None:
    received = connection.recv(2**16)
    while (end := received.find(b"\r\n\r\n")) < 0:
        received += connection.recv(2**16)
    head = received[:end].lower()
    if not head.startswith(b"http/1.1 200"):
        raise RuntimeError(f"the server answered {received[:300]!r}")
    length = int(head.partition(b"content-length:")[2].split(b"\r\n", 1)[0])
    missing = end + 4 + length - len(received)
    while missing > 0:
        missing -= len(connection.recv(2**16))


@contextmanager
def server(*module: str, logs: int | None = None, folder: str | None = None, **environment: str) -> Iterator[Client]:
    """``python -m module ... --port PORT`` on loopback, ended with the block.

    ``logs`` is where its stderr goes, ``folder`` where it may leave files.
    """
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    command = [sys.executable, "-m", *module, f"--port={port}", "--host=127.0.0.1"]
    settings = os.environ | DEFAULTS | environment
    process = subprocess.Popen(command, env=settings, stdout=subprocess.DEVNULL, stderr=logs, cwd=folder)
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
            time.sleep(0.01)
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
