"""The outermost layer of every request: an id, a count, and a problem for what nobody expected."""

from __future__ import annotations

import re
import secrets
from itertools import count
from time import perf_counter
from typing import Final

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from app.metrics import Metrics
from app.problems import response_to

_ID: Final = re.compile(r"[\w.-]{1,64}")
_PROCESS: Final = secrets.token_hex(6)
_NUMBERS: Final = count(1)
METHODS: Final = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})


class Observation:
    """ASGI middleware. An ``X-Request-Id`` of the client is kept, so that both logs can be joined."""

    def __init__(self, app: ASGIApp, metrics: Metrics) -> None:
        self.app, self.metrics = app, metrics

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        started, answer = perf_counter(), _Answer(send, _request_id(scope))
        scope["request_id"] = answer.request_id
        self.metrics.in_flight += 1
        try:
            await self._answer(scope, receive, answer)
        finally:
            self.metrics.in_flight -= 1
            method = scope["method"] if scope["method"] in METHODS else "other"
            self.metrics.observe(_route(scope), method, answer.status, perf_counter() - started)

    async def _answer(self, scope: Scope, receive: Receive, answer: _Answer) -> None:
        try:
            await self.app(scope, receive, answer)
        except Exception as error:
            if answer.status:
                raise  # half an answer is out: all that is left is to break the connection
            await response_to(error, answer.request_id)(scope, receive, answer)


class _Answer:
    """``send``, with the status noted and the request's id added."""

    def __init__(self, send: Send, request_id: str) -> None:
        self.send, self.request_id, self.status = send, request_id, 0

    async def __call__(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self.status = message["status"]
            message["headers"] = [*message.get("headers", ()), (b"x-request-id", self.request_id.encode())]
        await self.send(message)


def _request_id(scope: Scope) -> str:
    for name, value in scope["headers"]:
        if name == b"x-request-id":
            given = value.decode("latin-1")
            return given if _ID.fullmatch(given) else _next_id()
    return _next_id()


def _next_id() -> str:
    """An id that no other request has: a number behind the process's own random word."""
    return f"{_PROCESS}-{next(_NUMBERS)}"


def _route(scope: Scope) -> str:
    """The template of the path, ``/v1/sessions/{sid}``."""
    return getattr(scope.get("route"), "path", "other")
