"""What comes over a connection: a body, and word that the client has gone."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Generator, Iterator
from contextlib import contextmanager
from math import inf
from typing import Any, Final

from starlette.requests import ClientDisconnect
from starlette.types import Message, Receive

from app.compute.frames import INLINE_BYTES, SharedBody
from app.errors import Overloaded
from app.http.edge import Pace
from app.limits import Limits, OverLimit

_NOTHING: Final[Message] = {"type": "http.request"}
UNWATCHED_S: Final = 0.05  # work that takes no longer is not worth a watch


async def read_body(
    receive: Receive, length: str | None, limits: Limits, held_bytes: float = inf
) -> bytes | SharedBody:
    """Return the body, no more of it than allowed; a long one in memory that compute processes can map.

    ``length`` is what the client declares; all long bodies together hold ``held_bytes`` at most.

    Raises ``OverLimit``, also for a body that comes too slowly, ``Overloaded`` or ``ClientDisconnect``.
    """
    declared = int(length) if length and length.isdecimal() and len(length) < 20 else 0
    _check_size(declared, limits)
    first = _Started(receive())
    if first.done:  # all has come already, as nearly always: no need of a clock
        message = _checked(first.message)
        if not message.get("more_body"):
            return _bounded(message.get("body", b""), limits)
    loop = asyncio.get_running_loop()
    started = loop.time()
    pace = Pace(started, limits)
    try:
        async with asyncio.timeout(limits.read_seconds) as patience:
            message = _checked(await first)
            if not message.get("more_body"):
                return _bounded(message.get("body", b""), limits)
            body = _room()
            while True:
                part = message.get("body", b"")
                _check_size(len(body) + len(part), limits)
                if SharedBody.held + len(part) > held_bytes:
                    raise Overloaded("the bodies of other requests take all the room that there is; try again later")
                with _in_memory():
                    body.write(part)
                if not message.get("more_body"):
                    break
                pace.moved(len(part), loop.time())
                patience.reschedule(pace.deadline)
                message = _checked(await receive())
    except TimeoutError:
        raise OverLimit("read_seconds", allowed=limits.read_seconds, asked=loop.time() - started) from None
    return body if len(body) > INLINE_BYTES else bytes(body.view)


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


def _room() -> SharedBody:
    with _in_memory():
        return SharedBody()


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
