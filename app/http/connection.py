"""Connections: uvicorn's HTTP/1.1, and a short cut for small requests that can be answered where they are read.

A request for a path with a short cut is held until all of it has come. If it can be answered at once, the answer goes
out without the task, the scope and the messages of ASGI, which cost more than the answer. Every other request, and one
that is held for too long, goes uvicorn's way as if nothing had been held.
"""

from __future__ import annotations

from asyncio import TimerHandle
from collections.abc import Callable, Mapping
from typing import Any, Final, NamedTuple

from uvicorn.protocols.http.httptools_impl import STATUS_LINE, HttpToolsProtocol

HELD_BYTES: Final = 2**14  # of a body; nobody answers a longer one at once
IN_A_ROW: Final = 8  # requests of one piece of data that are answered before others get their turn
HOLD_S: Final = 0.05  # how long the rest of a request may take; many clients send head and body apart

Headers = list[tuple[bytes, bytes]]
HeadersByName = dict[bytes, bytes]  # headers of a request by name


class Answer(NamedTuple):
    """All of an answer, ready to be sent."""

    status: int
    headers: Headers
    body: bytes


Shortcut = Callable[[Headers, bytes], Answer | None]  # None: this request takes longer


def by_name(headers: Headers) -> HeadersByName:
    """Headers by name; of several with one name the first, as frameworks have it."""
    return dict(reversed(headers))


class Connection(HttpToolsProtocol):
    """One connection. ``shortcuts`` of the application are looked up by method and path, both as they are sent."""

    def __init__(self, *args: Any, **named: Any) -> None:
        super().__init__(*args, **named)
        self._shortcuts: Mapping[tuple[bytes, bytes], Shortcut] = getattr(self.app, "shortcuts", {})
        self._shortcut: Shortcut | None = None  # of the request that is held
        self._held = b""  # its body so far
        self._timer: TimerHandle | None = None
        self._answered = 0  # of the data that came last

    # -- what the parser says ---------------------------------------------------------------------------------------
    def on_headers_complete(self) -> None:
        shortcut = self._shortcuts.get((self.parser.get_method(), self.url))
        if shortcut is not None and self._is_plain():
            self._shortcut, self._held = shortcut, b""
        else:
            super().on_headers_complete()

    def on_body(self, body: bytes) -> None:
        if self._shortcut is None:
            super().on_body(body)
            return
        self._held += body
        if len(self._held) > HELD_BYTES:
            self._let_go()

    def on_message_complete(self) -> None:
        if self._shortcut is not None:
            answer = self._shortcut(self.headers, self._held)
            if answer is not None:
                self._shortcut = None
                self._send(answer)
                return
            self._let_go()
        super().on_message_complete()

    def _is_plain(self) -> bool:
        """Return whether nothing is in progress here, and nothing but an answer is asked for."""
        is_free = self.cycle is None or self.cycle.response_complete
        parser = self.parser
        return (
            is_free
            and self._answered < IN_A_ROW
            and parser.get_http_version() == "1.1"
            and parser.should_keep_alive()
            and not parser.should_upgrade()
            and not self.expect_100_continue
            and not self.flow.write_paused
        )

    # -- what the transport and the server say ----------------------------------------------------------------------
    def data_received(self, data: bytes) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        self._answered = 0
        super().data_received(data)
        if self._shortcut is not None:
            self._timer = self.loop.call_later(HOLD_S, self._let_go)

    def connection_lost(self, exc: Exception | None) -> None:
        self._let_go()  # so that it is counted as any other
        super().connection_lost(exc)

    def shutdown(self) -> None:
        self._let_go()
        super().shutdown()

    def _let_go(self) -> None:
        """Let a request that is held go uvicorn's way."""
        if self._shortcut is not None:
            self._shortcut = None
            super().on_headers_complete()
            super().on_body(self._held)

    def _send(self, answer: Answer) -> None:
        """Write an answer, and leave the connection as uvicorn does after one."""
        lines = [b"%b: %b\r\n" % header for header in (*self.server_state.default_headers, *answer.headers)]
        self._answered += 1
        self.transport.write(b"".join([STATUS_LINE[answer.status], *lines, b"\r\n", answer.body]))
        self.on_response_complete()
