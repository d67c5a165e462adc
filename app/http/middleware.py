"""The outermost layer of every request: an id, a count, and a problem for what nobody expected."""

from __future__ import annotations

from collections.abc import Callable
from time import perf_counter
from typing import Final, Protocol

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from app.http.connection import Answer, Later
from app.http.edge import Headers, HeadersByName
from app.http.metrics import Metrics
from app.http.problems import reply_to, response_to
from app.http.request_ids import accepted
from app.wire.reply import Reply

METHODS: Final = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})


class Observation:
    """ASGI middleware. An ``X-Request-Id`` of the client is kept, so that both logs can be joined."""

    def __init__(self, app: ASGIApp, metrics: Metrics) -> None:
        self.app, self.metrics = app, metrics

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        started, answer = perf_counter(), _Sender(send, _request_id(scope["headers"]))
        scope["request_id"] = answer.request_id
        self.metrics.in_flight += 1
        try:
            await self._answer(scope, receive, answer)
        finally:
            self.metrics.in_flight -= 1
            method = scope["method"] if scope["method"] in METHODS else "other"
            self.metrics.observe(_route(scope), method, answer.status, perf_counter() - started)

    async def _answer(self, scope: Scope, receive: Receive, answer: _Sender) -> None:
        try:
            await self.app(scope, receive, answer)
        except Exception as error:
            if answer.status:
                raise  # half an answer is out: all that is left is to break the connection
            await response_to(error, answer.request_id)(scope, receive, answer)


class _Sender:
    """``send``, with the status noted and the request's id added."""

    def __init__(self, send: Send, request_id: str) -> None:
        self.send, self.request_id, self.status = send, request_id, 0

    async def __call__(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self.status = message["status"]
            message["headers"] = [*message.get("headers", ()), (b"x-request-id", self.request_id.encode())]
        await self.send(message)


Done = Callable[[Reply | Exception], None]


class ShortcutRoute(Protocol):
    """A route whose requests may be answered where they are read."""

    @property
    def path(self) -> str:
        """The template of its path."""

    def begin(self, given: HeadersByName, body: bytes, request_id: str, done: Done) -> Reply | Later | None:
        """Return the answer to a request with the headers ``given``, or see that ``done`` gets it later.

        ``None``: the request has to go the usual way. Raises what ``app.http.problems`` knows.
        """


class ObservedShortcut:
    """A short cut to a route (``app.http.connection``), with what ``Observation`` adds."""

    def __init__(self, method: str, route: ShortcutRoute, metrics: Metrics) -> None:
        self._method, self._route, self._metrics = method, route, metrics

    def __call__(self, given: HeadersByName, body: bytes, later: Callable[[Answer], None]) -> Answer | Later | None:
        started = perf_counter()
        request_id = accepted(given.get(b"x-request-id"))
        is_here = True  # this call has not returned

        def done(outcome: Reply | Exception) -> None:
            if not is_here:
                self._metrics.in_flight -= 1
            later(self._answer(outcome, request_id, started))

        try:
            reply = self._route.begin(given, body, request_id, done)
        except Exception as error:
            return self._answer(error, request_id, started)
        if reply is None:
            return None
        if isinstance(reply, Reply):
            return self._answer(reply, request_id, started)
        is_here = False
        self._metrics.in_flight += 1
        return reply

    def _answer(self, outcome: Reply | Exception, request_id: str, started: float) -> Answer:
        reply = reply_to(outcome, request_id) if isinstance(outcome, Exception) else outcome
        self._metrics.observe(self._route.path, self._method, reply.status, perf_counter() - started)
        return Answer(reply.status, [*headers_of(reply), (b"x-request-id", request_id.encode())], reply.body)


def headers_of(reply: Reply) -> Headers:
    """Return the headers that every reply of a hot route has."""
    given = [(name.lower().encode(), value.encode("latin-1")) for name, value in reply.headers.items()]
    return [(b"content-length", b"%d" % len(reply.body)), (b"content-type", reply.media_type.encode()), *given]


def _request_id(headers: Headers) -> str:
    return accepted(next((value for name, value in headers if name == b"x-request-id"), None))


def _route(scope: Scope) -> str:
    """Return the template of the path, ``/v1/sessions/{sid}``."""
    return getattr(scope.get("route"), "path", "other")
