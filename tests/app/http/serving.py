"""A real server, and connections to it that send what they like."""

import contextlib
import os
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from typing import Any

import httpx

WAIT_S = 30.0


class Server:
    """A real server, and connections to it that send what they like."""

    def __init__(self, port: int) -> None:
        self.port = port
        self.http = httpx.Client(base_url=f"http://127.0.0.1:{port}", timeout=WAIT_S)

    @contextlib.contextmanager
    def connection(self, path: str, *parts: bytes, **headers: str) -> Iterator[socket.socket]:
        """A connection on which a POST with ``headers`` has begun, and ``parts`` of its body are sent."""
        lines = [
            f"POST {path} HTTP/1.1",
            "Host: test",
            *(f"{name.replace('_', '-')}: {value}" for name, value in headers.items()),
        ]
        with socket.create_connection(("127.0.0.1", self.port), timeout=WAIT_S) as connection:
            connection.sendall("\r\n".join([*lines, "", ""]).encode() + b"".join(parts))
            yield connection

    def metric(self, text: str) -> float:
        """The value of a line of ``/metrics``; 0 if it is not there yet."""
        lines = [line for line in self.http.get("/metrics").text.splitlines() if line.startswith(text)]
        return float(lines[0].rpartition(" ")[2]) if lines else 0.0


def until(condition: Callable[[], bool]) -> None:
    """Wait for ``condition``; for a bounded time."""
    end = time.monotonic() + WAIT_S
    while not condition():
        assert time.monotonic() < end, "it never came true"
        time.sleep(0.02)


def read_answer(connection: socket.socket) -> tuple[bytes, bytes]:
    """Head and body of an answer after which the server closes the connection."""
    received = b""
    while part := connection.recv(65536):
        received += part
    head, _, body = received.partition(b"\r\n\r\n")
    return head, body


@contextlib.contextmanager
def serving(**settings: Any) -> Iterator[Server]:
    """A server of its own, with sessions in memory."""
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port = probe.getsockname()[1]
    given = {f"GRADSERVE_{name.upper()}": str(value) for name, value in {"store": "memory", **settings}.items()}
    command = [sys.executable, "-m", "app.cli", "serve", "--port", str(port)]
    process = subprocess.Popen(command, env={**os.environ, **given})
    try:
        server = Server(port)
        until(lambda: process.poll() is None and is_open(port))
        with server.http:
            yield server
    finally:
        process.kill()
        process.wait()


def is_open(port: int) -> bool:
    try:
        socket.create_connection(("127.0.0.1", port), timeout=1).close()
    except OSError:
        return False
    return True
