"""Servers to measure, each on loopback with one BLAS thread, and what the system tells of all their processes."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from http.client import HTTPConnection
from pathlib import Path
from typing import TypeVar

import psutil

from bench.measure import Sampler

JSON, MSGPACK = "application/json", "application/msgpack"
START_S, STOP_S, ANSWER_S = 90.0, 10.0, 120.0
SETTLED_S, SETTLED_PART = 2.0, 0.01  # what changes by less in that time stands still
OURS_SERVER = ("app.cli", "serve")
UVICORN = ("uvicorn", "--loop=uvloop", "--http=httptools", "--no-access-log", "--log-level=warning")
DEFAULTS = {
    "GRADSERVE_LOG_LEVEL": "warning",
    "GRADSERVE_STORE": "memory",
    "OPENBLAS_NUM_THREADS": "1",
    "OMP_NUM_THREADS": "1",
}
Measured = TypeVar("Measured")


class Client:
    """One kept-alive connection, and what the system knows of the processes at its other end: one and its offspring."""

    def __init__(self, port: int, pid: int) -> None:
        self.port, self._process = port, psutil.Process(pid)
        self._http = HTTPConnection("127.0.0.1", port, timeout=ANSWER_S)

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

    def reconnect(self) -> None:
        """Begin a new connection: servers end those that were idle for some seconds, as ours is while peers work."""
        self._http.close()
        self._http.connect()

    def cpu(self) -> float:
        """CPU seconds that the server has used, its threads and its kernel work included."""
        return sum(self._each(_cpu))

    def memory(self) -> int:
        """Bytes of memory that the server holds; what its processes share counts once."""
        own, of_files = zip(*self._each(_memory), strict=True)
        return sum(own) + max(of_files)

    def written(self) -> int:
        """Bytes that the server has handed to the system, answers included."""
        return sum(self._each(lambda process: int(process.io_counters().write_chars)))

    def _each(self, measure: Callable[[psutil.Process], Measured]) -> list[Measured]:
        """Of every process. Where one ends meanwhile, once more: its parent has what it used from then on."""
        while True:
            tree = [self._process, *self._process.children(recursive=True)]
            with suppress(psutil.NoSuchProcess):
                return [measure(process) for process in tree]

    def sampler(self, request: Callable[[], object], count: int) -> Sampler:
        """Server CPU seconds of one ``request``, of ``count`` in a row."""

        def sample() -> float:
            self.reconnect()
            start = self.cpu()
            for _ in range(count):
                request()
            return (self.cpu() - start) / count

        sample()
        return sample

    def close(self) -> None:
        self._http.close()


def _cpu(process: psutil.Process) -> float:
    """CPU seconds of a process, and of what it has outlived of its offspring (which /proc counts in steps of 10 ms)."""
    try:
        own = time.clock_gettime((~process.pid << 3) | 2)  # its clock, as clock_getcpuclockid(3) makes it
    except OSError:
        raise psutil.NoSuchProcess(process.pid) from None
    times = process.cpu_times()
    return float(own + times.children_user + times.children_system)


def _memory(process: psutil.Process) -> tuple[int, int]:
    """Proportional set size of a process without pages of files, and all its pages of files.

    The proportional share of these would depend on who else on the machine has opened the same libraries.
    """
    folder = Path(f"/proc/{process.pid}")
    try:
        share, status = _kilobytes(folder / "smaps_rollup"), _kilobytes(folder / "status")
    except OSError:  # it has ended
        return 0, 0
    return (share["Pss_Anon"] + share["Pss_Shmem"]) * 1024, status["RssFile"] * 1024


def _kilobytes(file: Path) -> dict[str, int]:
    words = (line.split() for line in file.read_text().splitlines())
    return {found[0].rstrip(":"): int(found[1]) for found in words if found[-1:] == ["kB"]}


class Load:
    """Kept-alive connections that ask at the same time, each request sent whole, at little cost at this end.

    ``steps`` make the requests, one for each connection; a round takes all steps one after another.
    """

    def __init__(self, client: Client, connections: int, *steps: Callable[[], bytes]) -> None:
        self._client, self._steps, self._connections = client, steps, connections
        self._sockets: list[socket.socket] = []

    def reconnect(self) -> None:
        """Begin new connections, as ``Client.reconnect`` does."""
        self.close()
        address = ("127.0.0.1", self._client.port)
        self._sockets = [socket.create_connection(address, timeout=ANSWER_S) for _ in range(self._connections)]

    def round(self) -> None:
        """Every connection takes every step."""
        for step in self._steps:
            for one in self._sockets:
                one.sendall(step())
            for one in self._sockets:
                _read_answer(one)

    def _sampler(self, clock: Callable[[], float], rounds: int) -> Sampler:
        def sample() -> float:
            self.reconnect()
            self.round()  # what a new connection costs does not count
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
    received = _received(connection)
    while (end := received.find(b"\r\n\r\n")) < 0:
        received += _received(connection)
    head = received[:end].lower()
    if not head.startswith(b"http/1.1 200"):
        raise RuntimeError(f"the server answered {received[:300]!r}")
    length = int(head.partition(b"content-length:")[2].split(b"\r\n", 1)[0])
    missing = end + 4 + length - len(received)
    while missing > 0:
        missing -= len(_received(connection))


def _received(connection: socket.socket) -> bytes:
    received = connection.recv(2**16)
    if not received:
        raise RuntimeError("the server ended the connection")
    return received


def settled(measure: Callable[[], float]) -> float:
    """What ``measure`` says of a server once it stands still: what follows a start or a request has ended then."""
    before, found = -1.0, measure()
    while abs(found - before) > SETTLED_PART * found:
        time.sleep(SETTLED_S)
        before, found = found, measure()
    return found


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
