"""The hot routes: without the framework's router, dependencies and response classes.

They answer as the documented routes of the same paths, over the same core; requests with a query, a precondition or a
key of idempotency go that way. Keys, limits, request ids, metrics, cancellation and problems are the same pieces,
called directly. Small requests do not even get here by ASGI (``app.http.connection``).
"""

from __future__ import annotations

import re
from functools import lru_cache, partial
from typing import Final, NamedTuple

import msgspec
from starlette.types import Receive, Scope, Send

from app.evaluate.call import Call
from app.evaluate.replay import Sighting
from app.http.connection import Later, Shortcut
from app.http.dependencies import Arrival, is_python
from app.http.edge import HeadersByName
from app.http.middleware import Done, ObservedShortcut
from app.http.receiving import fill_of, read_body
from app.http.services import EVALUATE, Services
from app.observe.facts import Facts
from app.operations import exchange
from app.wire.reply import Reply

_SESSIONS: Final = b"/v1/sessions/"
_NAME: Final = re.compile(rb"[\w-]{1,64}")
PATHS, LONGEST_PATH = 1_000, 100  # of sessions, that are remembered, and how long they are
_CONDITIONS: Final = (b"if-match", b"idempotency-key")


class _Written(NamedTuple):
    """What the headers of a request say, and that as it is sent."""

    request: exchange.Request
    text: bytes

    @classmethod
    def of(cls, request: exchange.Request) -> _Written:
        return cls(request, exchange.ENCODER.encode(request))


class _Asked(NamedTuple):
    """What the headers of an evaluation say: of a program that comes first, and of another one."""

    first: _Written
    again: _Written
    is_python: bool


class EvaluateRoute:
    """``POST /v1/evaluate``, as an ASGI application and as a short cut."""

    path = url_path = "/v1/evaluate"  # for the metrics

    def __init__(self, services: Services) -> None:
        self._services = services

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """What this raises, ``app.http.middleware`` answers."""
        scope["route"] = self
        services, facts = self._services, scope["facts"]
        headers = facts.given
        facts.owner = owner = services.owner_for(_text(headers, b"authorization") or "")
        length = _text(headers, b"content-length")
        body = await read_body(receive, length, services.limits, services.settings.bodies_bytes, fill_of(scope))
        facts.bytes_in = len(body)
        arrival = Arrival(
            services, owner, facts, "", _text(headers, b"accept"), _text(headers, b"content-type"),
            _text(headers, b"content-encoding"), receive, body, _text(headers, b"accept-encoding"),
        )  # fmt: skip
        await (await arrival.reads_python().evaluate())(scope, receive, send)

    def begin(self, given: HeadersByName, body: bytes, facts: Facts, done: Done) -> Reply | Later | None:
        """Return the answer of a known plan, or have a compute process make it."""
        asked = given.asked
        if not isinstance(asked, _Asked):
            asked = given.asked = self._asked(given)
        if asked.is_python:
            return None
        services = self._services
        request = asked.first.request
        facts.owner = request.owner
        known = services.replayer.reply_to(Call(body, request.content_type, request.content_encoding, request.accept))
        if isinstance(known, Reply):
            return known
        request, written = asked.again if known is None or known.came_before else asked.first
        return _sent(services, request, body, done, facts, known=known, written=written)

    def _asked(self, given: HeadersByName) -> _Asked:
        """Return what a head asks for. Raises ``Unauthorized``."""
        request = _request(self._services, EVALUATE, given)
        again = msgspec.structs.replace(request, came_before=True)
        return _Asked(_Written.of(request), _Written.of(again), is_python(request.content_type))


class SessionRoute:
    """One session's short cut to an operation."""

    def __init__(self, services: Services, path: str, url_path: str, operation: str, sid: str) -> None:
        self.path, self.url_path = path, url_path
        self._services, self._operation, self._sid = services, operation, sid

    def begin(self, given: HeadersByName, body: bytes, facts: Facts, done: Done) -> Reply | Later | None:
        """Have a compute process make the answer."""
        asked = given.asked
        if not isinstance(asked, _Written):
            if any(name in given for name in _CONDITIONS) or is_python(_text(given, b"content-type")):
                return None
            request = _request(self._services, self._operation, given)
            request.arguments = {"sid": self._sid}
            asked = given.asked = _Written.of(request)
        facts.owner = asked.request.owner
        return _sent(self._services, asked.request, body, done, facts, turn=self._sid, written=asked.text)


class Shortcuts:
    """Which requests may take a short cut, by method and path."""

    OPERATIONS: Final = {b"run": "run_in_session", b"backward": "backward_in_session"}

    def __init__(self, services: Services, evaluate: EvaluateRoute) -> None:
        self._services = services
        self._evaluate = ObservedShortcut("POST", evaluate, services.observer)
        self._of_session = lru_cache(PATHS)(self._find_of_session)

    def find(self, method: bytes, path: bytes) -> Shortcut | None:
        """Return the short cut for requests of that method and path."""
        if method != b"POST":
            return None
        if path == b"/v1/evaluate":
            return self._evaluate
        return self._of_session(path) if path.startswith(_SESSIONS) and len(path) <= LONGEST_PATH else None

    def _find_of_session(self, path: bytes) -> Shortcut | None:
        sid, _, verb = path[len(_SESSIONS) :].partition(b"/")
        operation = self.OPERATIONS.get(verb)
        if operation is None or not _NAME.fullmatch(sid):
            return None
        template = f"/v1/sessions/{{sid}}/{verb.decode()}"
        route = SessionRoute(self._services, template, path.decode(), operation, sid.decode())
        return ObservedShortcut("POST", route, self._services.observer)


def _request(services: Services, operation: str, given: HeadersByName) -> exchange.Request:
    owner = services.owner_for(_text(given, b"authorization") or "")
    return exchange.Request(
        operation, owner, _text(given, b"accept"), _text(given, b"content-type"), _text(given, b"content-encoding"),
        accept_encoding=_text(given, b"accept-encoding"),
    )  # fmt: skip


def _sent(
    services: Services,
    request: exchange.Request,
    body: bytes,
    done: Done,
    facts: Facts,
    turn: str | None = None,
    known: Sighting | None = None,
    written: bytes | None = None,
) -> Later:
    task = services.send(request, body, done, facts, turn, known, written)
    return Later(partial(services.front.leave, task))


def _text(headers: HeadersByName, name: bytes) -> str | None:
    value = headers.get(name)
    return None if value is None else value.decode("latin-1")
