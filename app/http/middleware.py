"""The outermost layer of every request: an id, a count, and a problem for what nobody expected."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final, Protocol

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from app.http.answering import response_to
from app.http.connection import Answer, Later
from app.http.edge import HeadersByName, by_name, lines
from app.http.problems import refuse
from app.observe import logs
from app.observe.facts import Facts, Observer
from app.wire.reply import Reply

METHODS: Final = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})


class Observation:
    """ASGI middleware. What is found out about a request stands in ``scope["facts"]``."""

    def __init__(self, app: ASGIApp, observer: Observer) -> None:
        self.app, self._observer = app, observer

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        observer, method = self._observer, scope["method"]
        scope["facts"] = facts = Facts(by_name(scope["headers"]), method if method in METHODS else "other")
        facts.scheme, facts.client = scope.get("scheme", "http"), (scope.get("client") or ("",))[0]
        observer.begin(facts, scope["path"])
        answer = _Sender(send, facts.request_id)
        observer.metrics.in_flight += 1
        token = logs.bind(facts.request_id, facts.trace_id)
        try:
            await self._answer(scope, receive, answer, facts)
        finally:
            logs.unbind(token)
            observer.metrics.in_flight -= 1
            observer.end(facts, _route(scope), answer.status, answer.nbytes)

    async def _answer(self, scope: Scope, receive: Receive, answer: _Sender, facts: Facts) -> None:
        try:
            await self.app(scope, receive, answer)
        except Exception as error:
            if answer.status:
                raise  # half an answer is out: all that is left is to break the connection
            await response_to(error, facts)(scope, receive, answer)


class _Sender:
    """``send``, with status and size noted and the request's id added."""

    def __init__(self, send: Send, request_id: str) -> None:
        self.send, self.request_id, self.status, self.nbytes = send, request_id, 0, 0

    async def __call__(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self.status = message["status"]
            message["headers"] = [*message.get("headers", ()), (b"x-request-id", self.request_id.encode())]
        else:
            self.nbytes += len(message.get("body", b""))
        await self.send(message)


Done = Callable[[Reply | Exception], None]


class ShortcutRoute(Protocol):
    """A route whose requests may be answered where they are read."""

    @property
    def path(self) -> str:
        """The template of its path."""

    @property
    def url_path(self) -> str:
        """Its path."""

    def begin(self, given: HeadersByName, body: bytes, facts: Facts, done: Done) -> Reply | Later | None:
        """Return the answer to a request with the headers ``given``, or see that ``done`` gets it later.

        ``None``: the request has to go the usual way. Raises what ``app.http.problems`` knows.
        """


class ObservedShortcut:
    """A short cut to a route (``app.http.connection``), with what ``Observation`` adds."""

    def __init__(self, method: str, route: ShortcutRoute, observer: Observer) -> None:
        self._method, self._route, self._observer = method, route, observer

    def __call__(self, given: HeadersByName, body: bytes, later: Callable[[Answer], None]) -> Answer | Later | None:
        facts = Facts(given, self._method)
        facts.bytes_in = len(body)
        if self._observer.spans is not None:
            self._observer.begin(facts, self._route.url_path)
        is_here = True  # this call has not returned

        def done(outcome: Reply | Exception) -> None:
            if not is_here:
                self._observer.metrics.in_flight -= 1
            later(self._answer(outcome, facts))

        try:
            reply = self._route.begin(given, body, facts, done)
        except Exception as error:
            return self._answer(error, facts)
        if reply is None:
            return None
        if isinstance(reply, Reply):
            return self._answer(reply, facts)
        is_here = False
        self._observer.metrics.in_flight += 1
        return reply

    def _answer(self, outcome: Reply | Exception, facts: Facts) -> Answer:
        reply = refuse(outcome, facts) if isinstance(outcome, Exception) else outcome
        self._observer.end(facts, self._route.path, reply.status, len(reply.body))
        return Answer(reply.status, head_of(reply, facts.request_id), reply.body)


def head_of(reply: Reply, request_id: str) -> bytes:
    """Return the lines of the headers that every reply of a hot route has, and of its own."""
    media_type, body = reply.media_type.encode(), reply.body
    head = b"content-length: %d\r\ncontent-type: %b\r\nx-request-id: %b\r\n" % (
        len(body), media_type, request_id.encode(),
    )  # fmt: skip
    if not reply.headers:
        return head
    return head + lines([(name.lower().encode(), value.encode("latin-1")) for name, value in reply.headers.items()])


def _route(scope: Scope) -> str:
    """Return the template of the path, ``/v1/sessions/{sid}``."""
    return getattr(scope.get("route"), "path", "other")
