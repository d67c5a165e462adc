"""What comes over a connection: a body, and word that the client has gone."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Generator, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from math import inf
from typing import Any, Final

from starlette.requests import ClientDisconnect
from starlette.types import Message, Receive, Scope

from app.compute.frames import INLINE_BYTES, SharedBody
from app.errors import Overloaded
from app.http.edge import Pace, Turns
from app.http.filling import EXTENSION, Fill, Moved
from app.limits import Limits, OverLimit
from app.wire.msgpack_values import place_of_long_bytes

ALIGNED_BYTES: Final = 64  # for the widest instructions
_NOTHING: Final[Message] = {"type": "http.request"}
UNWATCHED_S: Final = 0.05  # work that takes no longer is not worth a watch


async def read_body(
    receive: Receive, length: str | None, limits: Limits, held_bytes: float = inf, fill: Fill | None = None
) -> bytes | SharedBody:
    """Return the body, no more of it than allowed; a long one in memory that compute processes can map.

    ``length`` is what the client declares; all long bodies together hold ``held_bytes`` at most. ``fill`` receives the
    rest of a body of declared length without messages.

    Raises ``OverLimit``, also for a body that comes too slowly, ``Overloaded`` or ``ClientDisconnect``.
    """
    declared = int(length) if length and length.isdecimal() and len(length) < 20 else 0
    _check_size(declared, limits)
    first = _Started(receive())
    if first.done:  # all has come already, as nearly always: no need of a clock
        message = _checked(first.message)
        if not message.get("more_body"):
            return _bounded(message.get("body", b""), limits)
    started = asyncio.get_running_loop().time()
    try:
        async with asyncio.timeout(limits.read_seconds) as patience:
            message = _checked(await first)
            if not message.get("more_body"):
                return _bounded(message.get("body", b""), limits)
            meter = _Meter(Pace(started, limits), patience, limits, held_bytes)
            body = await _rest(message, receive, declared, meter.moved, fill)
    except TimeoutError:
        asked = asyncio.get_running_loop().time() - started
        raise OverLimit("read_seconds", allowed=limits.read_seconds, asked=asked) from None
    return body if len(body) > INLINE_BYTES else bytes(body.view)


@dataclass(slots=True)
class _Meter:
    """What a body is held to while it comes."""

    pace: Pace
    patience: asyncio.Timeout
    limits: Limits
    held_bytes: float
    size: int = 0

    def moved(self, nbytes: int) -> None:
        """Note that so much has come. Raises ``OverLimit`` and ``Overloaded``."""
        self.size += nbytes
        _check_size(self.size, self.limits)
        if SharedBody.held + nbytes > self.held_bytes:
            raise Overloaded("the bodies of other requests take all the room that there is; try again later")
        self.pace.moved(nbytes, asyncio.get_running_loop().time())
        self.patience.reschedule(self.pace.deadline)


async def _rest(message: Message, receive: Receive, declared: int, moved: Moved, fill: Fill | None) -> SharedBody:
    """Return the body that begins with ``message``."""
    body = _room(message.get("body", b""), declared)
    try:
        while True:
            part = message.get("body", b"")
            moved(len(part))
            with _in_memory():
                body.write(part)
            if not message.get("more_body"):
                return body
            if fill is not None and declared > INLINE_BYTES:
                with _in_memory():
                    await fill(body, declared - len(body), moved)
                return body
            message = _checked(await receive())
    except BaseException:
        body.close()  # now: what was raised may be kept for a while, and all of this with it
        raise


def fill_of(scope: Scope) -> Fill | None:
    """Return what receives long bodies for the connection that a request came by."""
    fill: Fill | None = scope.get("extensions", {}).get(EXTENSION, {}).get("fill")
    return fill


def turns_of(scope: Scope) -> Turns:
    """Return what the connections of a server share, or by itself a connection that shares nothing."""
    turns: Turns | None = scope.get("extensions", {}).get(EXTENSION, {}).get("turns")
    return Turns() if turns is None else turns


class _Started:
    """A coroutine that has run as far as it could without waiting; what it gives, if it is ``done``. Else await it."""

    def __init__(self, waiting: Awaitable[Message]) -> None:
        self._steps = waiting.__await__()
        self.done, self.message = False, _NOTHING
        try:
            self._first = next(self._steps)
        except StopIteration as end:
            self.done, self.message = True, end.value

    def __await__(self) -> Generator[Any, Any, Message]:
        if not self.done:
            yield self._first
            self.message = yield from self._steps
        return self.message


def _checked(message: Message) -> Message:
    if message["type"] == "http.disconnect":
        raise ClientDisconnect
    return message


def _bounded(body: bytes, limits: Limits) -> bytes | SharedBody:
    _check_size(len(body), limits)
    if len(body) <= INLINE_BYTES:
        return body
    with _in_memory():
        return SharedBody.of(body)


def _room(first: bytes, expected: int) -> SharedBody:
    """Return memory in which the bytes that the body is mostly made of will lie aligned."""
    place = place_of_long_bytes(first, expected)
    with _in_memory():
        return SharedBody(-place % ALIGNED_BYTES, expected)


@contextmanager
def _in_memory() -> Iterator[None]:
    """Let a lack of memory, or of descriptors, be something that passes."""
    try:
        yield
    except (MemoryError, OSError):
        raise Overloaded("there is no room for another body; try again later") from None


def _check_size(size: int, limits: Limits) -> None:
    if size > limits.body_bytes:
        raise OverLimit("body_bytes", allowed=limits.body_bytes, asked=size)


class ClientWatch:
    """While it is open, calls ``on_leave`` once the client has gone. The body must have been read."""

    def __init__(self, receive: Receive, on_leave: Callable[[], None]) -> None:
        self._receive, self._on_leave = receive, on_leave
        self._task: asyncio.Task[None] | None = None

    def __enter__(self) -> None:
        self._timer = asyncio.get_running_loop().call_later(UNWATCHED_S, self._begin)

    def __exit__(self, *exc_info: object) -> None:
        self._timer.cancel()
        if self._task is not None:
            self._task.cancel()

    def _begin(self) -> None:
        self._task = asyncio.get_running_loop().create_task(self._wait())

    async def _wait(self) -> None:
        while (await self._receive())["type"] != "http.disconnect":
            pass
        self._on_leave()
