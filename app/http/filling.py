"""A long body, received where it is going to lie, past the parser of HTTP."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Final, Protocol

from starlette.requests import ClientDisconnect

from app.compute.frames import SharedBody
from app.http.edge import Turns

LITTLE_BYTES: Final = 2**14  # of a body, that come although its turn is over
EXTENSION: Final = "gradserve.body"  # of ASGI, where a connection can do it
Moved = Callable[[int], None]  # told of each part; may refuse the rest by raising

# Given the body so far, how much is missing, and who is told of what comes.
Fill = Callable[[SharedBody, int, Moved], "asyncio.Future[None]"]


class Host(Protocol):
    """The connection that the rest of a body is received for."""

    transport: asyncio.Transport

    def connection_lost(self, exc: Exception | None) -> None:
        """As of any protocol."""

    def pause_writing(self) -> None:
        """As of any protocol."""

    def resume_writing(self) -> None:
        """As of any protocol."""

    def filled(self) -> None:
        """The body has come; what comes next is for the parser again."""


class Filling(asyncio.BufferedProtocol):
    """In a connection's place until the rest of a body has come.

    If nobody wants the rest any more, it is received all the same: only by counting is it told from what follows.
    """

    def __init__(self, host: Host, body: SharedBody, missing: int, moved: Moved, turns: Turns) -> None:
        self._host, self._missing, self._moved, self._turns = host, missing, moved, turns
        self._body: SharedBody | None = body
        self._nowhere: bytearray | None = None
        self.done: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self.done.add_done_callback(self._let_go)

    def get_buffer(self, sizehint: int) -> memoryview | bytearray:
        most = min(self._missing, LITTLE_BYTES) if self._turns.is_over else self._missing
        if self._body is not None:
            return self._body.room(most)
        if self._nowhere is None:
            self._nowhere = bytearray(sizehint)
        return memoryview(self._nowhere)[:most]

    def buffer_updated(self, nbytes: int) -> None:
        self._missing -= nbytes
        if self._body is not None:
            try:
                self._moved(nbytes)
                self._body.fill(nbytes)
            except Exception as error:
                self._settle(error)
        self._turns.moved(nbytes)
        if not self._missing:
            self._settle(None)
            self._host.filled()
        elif self._turns.is_over:
            self._host.transport.pause_reading()
            self._turns.wait(self._resume)

    def _resume(self) -> None:
        if not self._host.transport.is_closing():
            self._host.transport.resume_reading()

    def connection_lost(self, exc: Exception | None) -> None:
        self._settle(ClientDisconnect())
        self._host.connection_lost(exc)

    def pause_writing(self) -> None:
        self._host.pause_writing()

    def resume_writing(self) -> None:
        self._host.resume_writing()

    def _settle(self, error: Exception | None) -> None:
        self._body = None
        if self.done.done():
            return
        if error is None:
            self.done.set_result(None)
        else:
            self.done.set_exception(error)

    def _let_go(self, _: asyncio.Future[None]) -> None:
        self._body = None  # whoever waited may have given up
