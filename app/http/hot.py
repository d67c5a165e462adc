"""The hot route: ``POST /v1/evaluate`` without the framework's router, dependencies and response classes.

It answers as the documented route of the same path, over the same core; requests with a query go that way. Keys,
limits, request ids, metrics, cancellation and problems are the same pieces, called directly. What can be answered at
once does not even get here by ASGI (``app.http.connection``).
"""

from __future__ import annotations

from starlette.types import Receive, Scope, Send

from app.evaluate.evaluator import Call
from app.http.dependencies import Services, owner_for
from app.http.edge import HeadersByName, by_name
from app.http.middleware import headers_of
from app.http.receiving import read_body
from app.wire.codec import Body
from app.wire.reply import Reply


class EvaluateRoute:
    """An ASGI application; what it raises, ``app.http.middleware`` answers."""

    path = "/v1/evaluate"  # for the metrics

    def __init__(self, services: Services) -> None:
        self._services = services

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        scope["route"] = self
        reply = await self._reply(scope, receive)
        await send({"type": "http.response.start", "status": reply.status, "headers": headers_of(reply)})
        await send({"type": "http.response.body", "body": reply.body})

    def at_once(self, headers: HeadersByName, body: bytes) -> Reply | None:
        """Return the answer to a small request, if it takes next to no time. Raises what an answer would tell."""
        self._admit(headers)
        return self._services.evaluator.quick(_call(headers, body))

    async def _reply(self, scope: Scope, receive: Receive) -> Reply:
        services, headers = self._services, by_name(scope["headers"])
        self._admit(headers)
        call = _call(headers, await read_body(receive, _text(headers, b"content-length"), services.limits))
        reply = services.evaluator.quick(call)
        if reply is not None:
            return reply
        return await services.compute(receive, lambda: services.evaluator.answer(call))

    def _admit(self, headers: HeadersByName) -> None:
        owner_for(self._services, _text(headers, b"authorization") or "")


def _call(headers: HeadersByName, body: Body) -> Call:
    return Call(body, _text(headers, b"content-type"), _text(headers, b"content-encoding"), _text(headers, b"accept"))


def _text(headers: HeadersByName, name: bytes) -> str | None:
    value = headers.get(name)
    return None if value is None else value.decode("latin-1")
