"""Connections: uvicorn's HTTP/1.1, and a short cut for small requests.

A request for a path with a short cut is held until all of it has come. Its answer, made at once or by a compute process
later, goes out without the task, the scope and the messages of ASGI, which cost more than the answer. Every other
request, and one that is held for too long, goes uvicorn's way as if nothing had been held.
"""

from __future__ import annotations

from asyncio import TimerHandle
from collections.abc import Callable
from functools import partial
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


class Later(NamedTuple):
    """An answer that is being made. ``leave`` says that nobody waits for it any more."""

    leave: Callable[[], None]


# Given headers, body and what takes an answer later. ``None``: this request goes uvicorn's way.
Shortcut = Callable[[Headers, bytes, Callable[[Answer], None]], Answer | Later | None]
Find = Callable[[bytes, bytes], Shortcut | None]  # by method and path, both as they are sent


def _find_none(method: bytes, path: bytes) -> None:
    """Of an application without short cuts."""


def by_name(headers: Headers) -> HeadersByName:
    """Headers by name; of several with one name the first, as frameworks have it."""
    return dict(reversed(headers))


class _Event:
    """What the protocol sets for a request that waits."""

    def set(self) -> None:
        """Nobody waits here."""


class _Cycle:
    """A request whose answer is being made, in place of uvicorn's: what comes behind it in the connection waits."""

    def __init__(self, keep_alive: bool) -> None:
        self.response_complete = self.disconnected = False
        self.keep_alive = keep_alive
        self.message_event = _Event()
        self.leave: Callable[[], None] = self.message_event.set


class Connection(HttpToolsProtocol):
    """One connection. The application's ``find_shortcut`` is asked by method and path."""

    def __init__(self, *args: Any, **named: Any) -> None:
        super().__init__(*args, **named)
        self._find: Find = getattr(self.app, "find_shortcut", _find_none)
        self._waiting: _Cycle | None = None  # the request whose answer comes later
        self._shortcut: Shortcut | None = None  # of the request that is held
        self._held = b""  # its body so far
        self._timer: TimerHandle | None = None
        self._answered = 0  # of the data that came last

    # -- what the parser says ---------------------------------------------------------------------------------------
    def on_headers_complete(self) -> None:
        shortcut = self._find(self.parser.get_method(), self.url)
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
            cycle = _Cycle(keep_alive=True)
            answer = self._shortcut(self.headers, self._held, partial(self._finish, cycle))
            if answer is not None:
                self._shortcut = None
                if isinstance(answer, Later):
                    cycle.leave = answer.leave
                    self.cycle = self._waiting = cycle  # type: ignore[assignment]
                else:
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
        if self._waiting is not None:
            self._waiting.disconnected = True
            self._waiting.leave()
            self._waiting = None
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

    def _finish(self, cycle: _Cycle, answer: Answer) -> None:
        """Send an answer that was waited for."""
        if cycle.disconnected:
            return
        cycle.response_complete = True
        self._waiting = None
        self._send(answer)
        if not cycle.keep_alive:
            self.transport.close()

    def _send(self, answer: Answer) -> None:
        """Write an answer, and leave the connection as uvicorn does after one."""
        lines = [b"%b: %b\r\n" % header for header in (*self.server_state.default_headers, *answer.headers)]
        self._answered += 1
        self.transport.write(b"".join([STATUS_LINE[answer.status], *lines, b"\r\n", answer.body]))
        self.on_response_complete()
