"""A client that sends what no library would, and reads whatever comes, within its patience and little memory."""

from __future__ import annotations

import io
import json
import select
import socket
import time
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from http.client import HTTPException, HTTPResponse
from typing import Any, Final

from tests.hostile.case import CLOSED, LEFT, NO_ANSWER, Body, Request

KEPT_BYTES: Final = 2**16  # of an answer
NAMELESS: Final[Mapping[str, str]] = {}
AFTERWARDS_S: Final = 0.3  # how long something may still follow an answer
RESET: Final = b"\1\0\0\0\0\0\0\0"  # linger for no seconds: an end that is no orderly one


@dataclass(frozen=True, slots=True)
class Place:
    """Where requests go, and as whom."""

    host: str
    port: int
    key: str = ""

    @property
    def authorization(self) -> str:
        """The line of the head, with its end, or nothing."""
        return f"Authorization: Bearer {self.key}\r\n" if self.key else ""


@dataclass(frozen=True, slots=True)
class Seen:
    """What came of a request. ``status`` is one of HTTP, or what stands in its place in ``case``."""

    status: int
    seconds: float
    headers: dict[str, str] = field(default_factory=dict)
    body: bytes = b""  # its beginning
    size: int = 0
    more: int = 0  # bytes that followed the answer

    @property
    def type(self) -> str:
        """The slug of the problem that it is, or nothing."""
        return str(self.problem.get("type", "?")).removeprefix("/problems/") if self.status >= 400 else ""

    @property
    def problem(self) -> dict[str, Any]:
        """The body of a problem; empty where it is none."""
        if not self.headers.get("content-type", "").startswith("application/problem+json"):
            return {}
        with suppress(ValueError):
            value = json.loads(self.body)
            return value if isinstance(value, dict) else {}
        return {}

    @property
    def session(self) -> str:
        """The session that it says was made."""
        return self.headers.get("location", "").rpartition("/")[2]


def made(body: Body) -> bytes:
    """The bytes themselves."""
    return body if isinstance(body, bytes) else body()


def on_the_wire(request: Request, place: Place, names: Mapping[str, str]) -> bytes:
    """All bytes of a request, with ``names`` in the place of what stands in braces in its path and headers."""
    host = f"{place.host}:{place.port}"
    if request.raw is not None:
        raw = made(request.raw).replace(b"%HOST%", host.encode())
        return raw.replace(b"%AUTH%\r\n", place.authorization.encode())
    body = made(request.body)
    headers = {"Host": host, "Content-Length": str(len(body)), "Connection": "close", **request.headers}
    lines = "".join(f"{name}: {_filled(value, names)}\r\n" for name, value in headers.items())
    authorization = "" if "Authorization" in request.headers else place.authorization
    head = f"{request.method} {_filled(request.path, names)} HTTP/1.1\r\n{lines}{authorization}\r\n"
    return head.encode("utf-8") + body


def _filled(text: str, names: Mapping[str, str]) -> str:
    for name, value in names.items():
        text = text.replace(f"{{{name}}}", value)
    return text


def talk(
    request: Request, place: Place, patience_s: float, names: Mapping[str, str] = NAMELESS, *, alone: bool = False
) -> Seen:
    """Send a request as it wants to be sent; never raises for what the server does."""
    data = on_the_wire(request, place, names)
    started = time.monotonic()
    end = started + patience_s
    try:
        with socket.create_connection((place.host, place.port), patience_s) as connection:
            _deliver(connection, data, request, end)
            if request.manner.leave_after_s is not None:
                time.sleep(request.manner.leave_after_s)
                connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET)
                return Seen(LEFT, time.monotonic() - started)
            return _answer(connection, request.method, started, end, alone)
    except TimeoutError:
        return Seen(NO_ANSWER, time.monotonic() - started)
    except (OSError, HTTPException):
        return Seen(CLOSED, time.monotonic() - started)


def _deliver(connection: socket.socket, data: bytes, request: Request, end: float) -> None:
    """Send until all has gone, or an answer comes, or the other side ends."""
    manner, view = request.manner, memoryview(data)[: request.manner.stop_after]
    while view:
        readable, writable, _ = select.select([connection], [connection], [], max(0.0, end - time.monotonic()))
        if readable:
            return
        if not writable:
            raise TimeoutError
        view = view[_sent(connection, view[: manner.piece]) :]
        if manner.every_s and select.select([connection], [], [], manner.every_s)[0]:
            return
    if manner.half_close:
        connection.shutdown(socket.SHUT_WR)


def _sent(connection: socket.socket, piece: memoryview) -> int:
    try:
        return connection.send(piece)
    except (BrokenPipeError, ConnectionResetError):  # it has answered, and reads no more
        return len(piece)


class _Connection:
    """A socket for ``HTTPResponse`` whose reader goes on after the first answer, and ends with its patience."""

    def __init__(self, connection: socket.socket, end: float) -> None:
        self._connection, self._end = connection, end
        self._reader = io.BufferedReader(_Reader(connection, self))

    def makefile(self, mode: str) -> io.BufferedIOBase:
        return _Kept(self._reader)

    def wait(self) -> None:
        """Let the next reading take what is left of the patience."""
        left = self._end - time.monotonic()
        if left <= 0:
            raise TimeoutError
        self._connection.settimeout(left)

    def followed(self) -> int:
        """How much came after the answer."""
        self._end = time.monotonic() + AFTERWARDS_S
        with suppress(OSError):
            return len(self._reader.read(1))
        return 0


class _Reader(io.RawIOBase):
    def __init__(self, connection: socket.socket, owner: _Connection) -> None:
        self._connection, self._owner = connection, owner

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        self._owner.wait()
        return self._connection.recv_into(buffer)


class _Kept(io.BufferedIOBase):
    """A reader that its user may close without an effect."""

    def __init__(self, reader: io.BufferedReader[Any]) -> None:
        self._reader = reader

    def read(self, size: int | None = -1) -> bytes:
        return self._reader.read(size)

    def readline(self, size: int | None = -1) -> bytes:
        return self._reader.readline(-1 if size is None else size)

    def readinto(self, buffer: Any) -> int:
        return self._reader.readinto(buffer)


def _answer(connection: socket.socket, method: str, started: float, end: float, alone: bool) -> Seen:
    stream = _Connection(connection, end)
    response = HTTPResponse(stream, method=method)  # type: ignore[arg-type]
    response.begin()
    kept, size = bytearray(), 0
    while part := response.read(2**18):
        size += len(part)
        kept += part[: KEPT_BYTES - len(kept)]
    seconds = time.monotonic() - started
    headers = {name.lower(): value for name, value in response.getheaders()}
    return Seen(response.status, seconds, headers, bytes(kept), size, stream.followed() if alone else 0)
