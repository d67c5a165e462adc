"""Connections: uvicorn's HTTP/1.1, with limits, and a short cut for small requests.

A request for a path with a short cut is held until all of it has come. Its answer, made at once or by a compute process
later, goes out without the task, the scope and the messages of ASGI, which cost more than the answer. Every other
request, and one that is held for too long, goes uvicorn's way as if nothing had been held.

What is not to reach an application is refused here, with a problem as any other: heads that are no HTTP, are too large
or could be understood in two ways, clients that are too slow, connections too many. Time is looked after by a look at
each connection now and then, which costs requests nothing; uvicorn's own timer for idle connections is not used.
"""

from __future__ import annotations

import re
from asyncio import Future, TimerHandle, Transport
from collections.abc import Callable
from typing import Any, Final, NamedTuple

import httptools
from uvicorn.protocols.http.flow_control import FlowControl
from uvicorn.protocols.http.httptools_impl import STATUS_LINE, HttpToolsProtocol

from app.compute.frames import SharedBody
from app.errors import InvalidHttp, UnsupportedHttp, UnsupportedVersion
from app.http.answering import response_to
from app.http.edge import LINGER_S, Edge, Headers, HeadersByName, Pace, Turns, by_name, check_head, is_host, lines
from app.http.filling import EXTENSION, Filling, Moved
from app.limits import Limits, OverLimit
from app.observe.facts import Facts

HELD_BYTES: Final = 2**14  # of a body; nobody answers a longer one at once
IN_A_ROW: Final = 8  # requests of one piece of data that are answered before others get their turn
HOLD_S: Final = 0.05  # how long the rest of a request may take; many clients send head and body apart
VERSIONS: Final = ("1.1", "1.0")
SOME: Final = -1
END: Final = b"\r\n\r\n"  # of a head
LENGTH: Final = re.compile(rb"\r\ncontent-length:[ \t]*(\d+)(?=[ \t]*\r\n)", re.IGNORECASE)
DIGITS: Final = len(str(HELD_BYTES))
NO_HTTP: Final = "what came is not HTTP/1.1"


class Answer(NamedTuple):
    """All of an answer, ready to be sent."""

    status: int
    head: bytes  # the lines of its headers, each with its end
    body: bytes


class Later(NamedTuple):
    """An answer that is being made. ``leave`` says that nobody waits for it any more."""

    leave: Callable[[], None]


# Given headers, body and what takes an answer later. ``None``: this request goes uvicorn's way.
Shortcut = Callable[[HeadersByName, bytes, Callable[[Answer], None]], Answer | Later | None]
Find = Callable[[bytes, bytes], Shortcut | None]  # by method and path, both as they are sent


class _Before(NamedTuple):
    """A request that came whole and took a short cut: its head, as it was sent, up to the body's length and behind it.

    What else its headers say, those of others like it do.
    """

    start: bytes
    rest: bytes
    shortcut: Shortcut
    given: HeadersByName

    @classmethod
    def of(cls, data: bytes, body: bytes, shortcut: Shortcut, given: HeadersByName) -> _Before | None:
        """Return what ``data`` is, if it is one head that states its body's length, that body, and nothing else."""
        head = data[: len(data) - len(body)]
        lengths = list(LENGTH.finditer(head))
        if len(lengths) != 1 or not head.endswith(END) or head.count(END) != 1 or not data.endswith(body):
            return None
        first, last = lengths[0].span(1)
        return cls(head[:first], head[last:], shortcut, given)

    def parts(self, data: bytes) -> tuple[int, int] | None:
        """Return where the body of a request with such a head begins, and how long it is to be."""
        if not data.startswith(self.start):
            return None
        first = len(self.start)
        last = data.find(self.rest, first, first + DIGITS + len(self.rest))
        digits = data[first:last] if last >= 0 else b""
        return (last + len(self.rest), int(digits)) if digits.isdigit() else None


def _find_none(method: bytes, path: bytes) -> None:
    """Of an application without short cuts."""


class _Event:
    """What the protocol sets for a request that waits."""

    def set(self) -> None:
        """Nobody waits here."""


class _Cycle:
    """A request whose answer is being made, in place of uvicorn's: what comes behind it in the connection waits."""

    response_complete = disconnected = False
    keep_alive = True
    message_event = _Event()

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self.leave: Callable[[], None] = self.message_event.set

    def finish(self, answer: Answer) -> None:
        """Send the answer."""
        self._connection._finish(self, answer)


class _Flow(FlowControl):
    """uvicorn's, where reading goes on when it is this connection's turn."""

    def __init__(self, transport: Transport, turns: Turns) -> None:
        super().__init__(transport)
        self._turns, self._waits = turns, False

    def pause_reading(self) -> None:
        self._waits = False
        super().pause_reading()

    def resume_reading(self) -> None:
        if not self.read_paused or not self._turns.is_over:
            super().resume_reading()
        elif not self._waits:
            self._waits = True
            self._turns.wait(self._resume)

    def _resume(self) -> None:
        if self._waits and not self._transport.is_closing():
            self._waits = False
            super().resume_reading()


class Connection(HttpToolsProtocol):
    """One connection.

    The application's ``find_shortcut`` is asked by method and path; its ``edge`` has what all connections share.
    """

    def __init__(self, *args: Any, **named: Any) -> None:
        super().__init__(*args, **named)
        self._find: Find = getattr(self.app, "find_shortcut", _find_none)
        self._waiting: _Cycle | None = None  # the request whose answer comes later
        self._shortcut: Shortcut | None = None  # of the request that is held
        self._given = HeadersByName()  # of that: its headers
        self._held = b""  # its body so far
        self._held_since = 0  # counts the requests that were held
        self._taken: Shortcut | None = None  # by the last of these, in the data that came last
        self._timer: TimerHandle | None = None
        self._answered = 0  # of the data that came last
        self._edge: Edge = getattr(self.app, "edge", None) or Edge(Limits())
        self._longest = self._edge.limits.header_bytes
        self._most = self._edge.limits.headers
        self._known: Headers | None = None  # headers of the request whose head came last
        self._is_whole = True  # nothing of that request is still to come
        self._has_long_data = False  # a head may be longer than allowed
        self._bare = 0  # bytes of a head, or since the last of a body, while one comes; ``SOME``: a body just came
        self._partial: Headers | None = None  # headers of which a part came before
        self._over: OverLimit | None = None  # why this connection is one too many
        self._parting: bytes | None = None  # the refusal that ends this connection
        self._has_parted = False  # it has been sent
        self._watch = _Watch(self)
        self._before: _Before | None = None  # a request like which others may come
        self._raw = b""  # what has come of the request that is held, from its head on
        self._ahead = b""  # a head like its own, whose body has not come

    # -- what the parser says ---------------------------------------------------------------------------------------
    def on_message_begin(self) -> None:
        """As uvicorn's, without the scope: only an application needs one."""
        self.url = b""
        self.expect_100_continue = False
        self.headers = []

    def on_headers_complete(self) -> None:
        headers = self._known = self.headers
        given = HeadersByName(headers)
        count = len(headers)
        if (
            count != len(given)
            or count > self._most
            or not is_host(given.get(b"host", b" "))
            or b"transfer-encoding" in given
            or self._has_long_data
        ):
            check_head(headers, self.parser.get_http_version(), len(self.url), self._edge.limits)
            given = by_name(headers)
        shortcut = self._find(self.parser.get_method(), self.url)
        if shortcut is not None and self._is_plain():
            self._shortcut, self._given, self._held = shortcut, given, b""
            self._held_since += 1
            return
        if self.parser.get_http_version() not in VERSIONS:
            raise UnsupportedVersion("HTTP/1.1 is spoken here")
        if self.parser.get_method() == b"CONNECT":
            raise UnsupportedHttp("this is no proxy")
        if not self.parser.should_upgrade():
            self._begin()

    def on_body(self, body: bytes) -> None:
        self._bare = SOME
        if self._shortcut is None:
            if len(body) > HELD_BYTES:
                self._edge.turns.moved(len(body))
            super().on_body(body)
            return
        self._held += body
        if len(self._held) > HELD_BYTES:
            self._let_go()

    def on_message_complete(self) -> None:
        if self._shortcut is not None:
            cycle = _Cycle(self)
            answer = self._shortcut(self._given, self._held, cycle.finish)
            if answer is not None:
                self._taken, self._shortcut = self._shortcut, None
                self._answer(answer, cycle)
                return
            self._let_go()
        elif self.parser.should_upgrade():
            return  # it is to be read once more
        self._is_whole = True
        super().on_message_complete()

    def _answer(self, answer: Answer | Later, cycle: _Cycle) -> None:
        """Send the answer of a short cut, or wait for it."""
        if isinstance(answer, Later):
            cycle.leave = answer.leave
            self.cycle = self._waiting = cycle  # type: ignore[assignment]
        else:
            self._send(answer)

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

    def _begin(self) -> None:
        """Let the application have the request whose head has come."""
        url, headers, expects = self.url, self.headers, self.expect_100_continue
        super().on_message_begin()
        self.url, self.headers, self.expect_100_continue = url, headers, expects
        self.scope["headers"] = headers
        self.scope["extensions"] = {EXTENSION: {"fill": self.fill, "turns": self._edge.turns}}
        super().on_headers_complete()
        self._is_whole = False
        self.headers = self._known = self.headers.copy()  # what comes behind a body is nothing that the scope tells

    def fill(self, body: SharedBody, missing: int, moved: Moved) -> Future[None]:
        """Receive the rest of the body of the request that is read now; all that has come of it has been taken."""
        filling = Filling(self, body, missing, moved, self._edge.turns)
        self.transport.set_protocol(filling)
        self.flow.resume_reading()
        return filling.done

    def filled(self) -> None:
        """Go on with what follows a body that the parser has not seen."""
        self.parser = httptools.HttpRequestParser(self)
        self.transport.set_protocol(self)
        self._bare = SOME
        self.on_message_complete()

    # -- what the transport and the server say ----------------------------------------------------------------------
    def connection_made(self, transport: Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        self.flow = _Flow(transport, self._edge.turns)
        self._over = self._edge.enter(self._address)
        if self._over is not None and self._edge.is_crowded:
            transport.abort()
        else:
            self._watch.begin()

    def data_received(self, data: bytes) -> None:
        if self._parting is not None:
            return
        self._answered = 0
        if self._before is not None:
            if self._ahead:
                data, self._ahead = self._ahead + data, b""
            if self._is_like(data, self._before):
                return
        if len(data) > self._longest:
            self._has_long_data = True
        before = self._held_since
        self._read(data)
        self._note_like(data if self._held_since != before else self._raw + data)
        if self._shortcut is None or self._held_since != before:
            self._stop_timer()
        if self._shortcut is not None and self._timer is None:  # from its head on, however its body comes
            self._timer = self.loop.call_later(HOLD_S, self._let_go)

    def _note_like(self, data: bytes) -> None:
        """Note what took a short cut, or may take one once all of it is here; ``data`` from the head of that on."""
        taken, self._taken = self._taken, None
        self._raw = b"" if self._shortcut is None else data
        if taken is not None and self.headers is self._known:
            self._before = _Before.of(data, self._held, taken, self._given)

    def _is_like(self, data: bytes, before: _Before) -> bool:
        """Answer a request with the head of one before, but for the length, without reading it; whether it is one.

        Of one whose body has not come, the head is kept back; what waits for it looks after it now and then.
        """
        parts = before.parts(data)
        if parts is None or parts[1] > HELD_BYTES or len(data) not in (parts[0], sum(parts)):
            return False
        if not (self.headers is self._known and self._is_whole and self._shortcut is None and self._over is None):
            return False
        if self._is_busy or self.flow.write_paused:
            return False
        if len(data) < sum(parts):
            self._ahead = data
            return True
        cycle = _Cycle(self)
        answer = before.shortcut(before.given, data[parts[0] :], cycle.finish)
        if answer is None:
            return False
        self.headers = self._known = self.headers.copy()  # each request has its own, which the watch looks at
        self._answer(answer, cycle)
        return True

    def _stop_timer(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def connection_lost(self, exc: Exception | None) -> None:
        self._let_go()  # so that it is counted as any other
        self._watch.end()
        if self._waiting is not None:
            self._waiting.disconnected = True
            self._waiting.leave()
            self._waiting = None
        self._edge.leave(self._address, self._over)
        super().connection_lost(exc)

    def shutdown(self) -> None:
        self._let_go()
        super().shutdown()

    def pause_writing(self) -> None:
        self._watch.paused()
        super().pause_writing()

    def resume_writing(self) -> None:
        self._watch.resumed()
        super().resume_writing()

    def on_response_complete(self) -> None:
        """As uvicorn's, without its timer."""
        self.server_state.total_requests += 1
        if self.transport.is_closing():
            return
        self.flow.resume_reading()
        if self.pipeline:
            self._start_asgi_task(*self.pipeline.pop())
        elif self._parting is not None:
            self._part()

    @property
    def _address(self) -> str | None:
        return self.client[0] if self.client else None

    # -- reading ----------------------------------------------------------------------------------------------------
    def _read(self, data: bytes | memoryview) -> None:
        """Give data to the parser, and answer what it or ``on_headers_complete`` refuses."""
        try:
            if self._over is not None:
                raise self._over
            self._feed(data)
            if self.headers is not self._known or not self._is_whole or self._shortcut is not None:
                self._check_bare(len(data))
        except httptools.HttpParserCallbackError as error:
            cause = error.__context__
            is_theirs = isinstance(cause, (httptools.HttpParserError, UnicodeError)) or cause is None
            self.refuse(InvalidHttp(NO_HTTP) if is_theirs or not isinstance(cause, Exception) else cause)
        except httptools.HttpParserError:
            self.refuse(InvalidHttp(NO_HTTP))
        except OverLimit as error:
            self.refuse(error)

    def _feed(self, data: bytes | memoryview) -> None:
        """Give data to the parser.

        It takes all that follows a head with ``Upgrade`` for another protocol, the body too. Nobody here speaks another
        one, so such a head is read once more without that word, as HTTP asks of servers that do not upgrade.
        """
        while True:
            try:
                self.parser.feed_data(data)
            except httptools.HttpParserUpgrade as upgrade:
                data = memoryview(data)[upgrade.args[0] :]
                self.parser.feed_data(self._head_without_upgrade())
            else:
                return

    def _head_without_upgrade(self) -> bytes:
        lines = [b"%b: %b\r\n" % header for header in self.headers if header[0] != b"upgrade"]
        version = self.parser.get_http_version().encode()
        return b"%b %b HTTP/%b\r\n%b\r\n" % (self.parser.get_method(), self.url, version, b"".join(lines))

    def _check_bare(self, nbytes: int) -> None:
        """Refuse a head, or what else is no body, before it is too long, when not all of it has come."""
        if self._bare == SOME:
            self._bare = 0
        elif self.headers is self._known or self._partial is self.headers:
            self._bare += nbytes
        else:  # a head that began in these data, nobody knows where
            self._partial, self._bare, self._has_long_data = self.headers, 0, True  # pieces add up
        if self._bare > self._longest:
            raise OverLimit("header_bytes", allowed=self._longest, asked=self._bare)

    # -- answers that no application makes --------------------------------------------------------------------------
    def _let_go(self) -> None:
        """Let a request that is held go uvicorn's way."""
        if self._ahead:
            data, self._ahead = self._ahead, b""
            self._read(data)
        self._timer = None
        if self._shortcut is not None:
            self._shortcut = None
            self._begin()
            super().on_body(self._held)

    def _finish(self, cycle: _Cycle, answer: Answer) -> None:
        """Send an answer that was waited for, and go on with what came behind its request."""
        if cycle.disconnected:
            return
        cycle.response_complete = True
        self._waiting = None
        self.transport.write(self._written(answer))
        self.on_response_complete()
        if not cycle.keep_alive:
            self.transport.close()

    def _send(self, answer: Answer) -> None:
        """Write an answer, and leave the connection as uvicorn does after one."""
        self._answered += 1
        self.transport.write(self._written(answer))
        self.server_state.total_requests += 1

    def _written(self, answer: Answer) -> bytes:
        defaults = self._edge.lines_of(self.server_state.default_headers)
        return b"".join((STATUS_LINE[answer.status], defaults, answer.head, b"\r\n", answer.body))

    def refuse(self, error: Exception) -> None:
        """Answer a request that no application gets to see, once those before it have their answers; then part."""
        self._shortcut = None
        self.flow.pause_reading()
        facts = Facts({} if self.headers is None else by_name(self.headers), "other")
        response = response_to(error, facts)
        headers = [*response.raw_headers, (b"x-request-id", facts.request_id.encode())]
        self._parting = self._written(Answer(response.status_code, lines(headers), bytes(response.body)))
        self._edge.refused(facts, response.status_code, len(response.body))
        if self._is_whole:
            if not self._is_busy:
                self._part()
        elif self.pipeline:
            self.pipeline.popleft()  # the request that cannot be read has not begun
        else:
            self._abandon()

    @property
    def _is_busy(self) -> bool:
        return self.cycle is not None and not self.cycle.response_complete

    def _abandon(self) -> None:
        """Answer instead of the application, which may wait for the rest of a body that cannot be read."""
        has_answered = self.cycle.response_started
        self.cycle.disconnected = True
        self.cycle.message_event.set()
        if has_answered:
            self.transport.close()
        else:
            self._part()

    def _part(self) -> None:
        """Send the refusal, and wait a little for the client to read it: closing now might take it away."""
        assert self._parting is not None
        self._has_parted = True
        self.transport.write(self._parting)
        if self.transport.can_write_eof():
            self.transport.write_eof()
            self.flow.resume_reading()
        else:
            self.transport.close()

    # -- time -------------------------------------------------------------------------------------------------------
    @property
    def waits_for(self) -> str:
        """What has to come next."""
        if self._has_parted:
            return "end"
        if self._shortcut is not None or self._is_busy:
            return "application"
        if self.headers is not self._known or self._over is not None:
            return "head"
        return "request" if self._is_whole else "rest"

    def expire(self, what: str, limits: Limits) -> None:
        """End a connection that has waited for ``what`` for as long as it may."""
        if what == "end":
            self.transport.abort()
        elif what == "head":
            late = OverLimit("header_seconds", allowed=limits.header_seconds, asked=limits.header_seconds)
            self.refuse(self._over or late)
        else:
            self.transport.close()


class _Watch:
    """A look at a connection now and then: what it has waited for too long, and an answer that is not fetched."""

    def __init__(self, connection: Connection) -> None:
        self._connection, self._edge = connection, connection._edge
        limits = self._edge.limits
        self._allowed = {
            "end": LINGER_S, "head": limits.header_seconds, "request": limits.idle_seconds, "rest": limits.read_seconds,
        }  # fmt: skip
        self._timer: TimerHandle | None = None
        self._state: tuple[str, Headers | None] = ("", None)  # at the last look; each request has its own headers
        self._since = 0.0
        self._pace: Pace | None = None  # of what is written, while it is not fetched at once
        self._unsent = 0  # bytes, at the last look
        self._paused_at = 0
        self._fetched = 0  # bytes, from a pause of writing to its end, since the last look

    def begin(self) -> None:
        """Look the first time, and later again."""
        self._look()

    def end(self) -> None:
        """Look no more."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def paused(self) -> None:
        """Note that much is to be fetched."""
        self._paused_at = self._connection.transport.get_write_buffer_size()

    def resumed(self) -> None:
        """Note that it has been."""
        self._fetched += self._paused_at - self._connection.transport.get_write_buffer_size()

    def _look(self) -> None:
        self._timer = self._connection.loop.call_later(self._edge.look_s, self._look)
        now = self._connection.loop.time()
        if self._is_overdue(now):
            self._connection.transport.abort()
            return
        if self._connection._ahead:
            self._connection._let_go()
        what, headers = self._connection.waits_for, self._connection.headers
        if what != self._state[0] or headers is not self._state[1]:
            self._state, self._since = (what, headers), now
        elif now - self._since >= self._allowed.get(what, now):
            self._connection.expire(what, self._edge.limits)

    def _is_overdue(self, now: float) -> bool:
        """Return whether the client fetches its answers too slowly."""
        unsent = self._connection.transport.get_write_buffer_size()
        fetched, self._fetched = self._fetched + max(0, self._unsent - unsent), 0
        self._unsent = unsent
        if not unsent:
            self._pace = None
            return False
        if self._pace is None:
            self._pace = Pace(now, self._edge.limits)
        self._pace.moved(fetched, now)
        return now > self._pace.deadline
