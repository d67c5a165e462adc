"""The hot route: ``POST /v1/evaluate`` without the framework's router, dependencies and response classes.

It answers as the documented route of the same path, over the same core; requests with a query go that way. Keys,
limits, request ids, metrics, cancellation and problems are the same pieces, called directly.
"""

from __future__ import annotations

from typing import Final

from starlette.types import Receive, Scope, Send

from app.core.evaluator import Call
from app.core.replies import Reply
from app.core.stopping import Stop
from app.dependencies import Services, owner_for
from app.receiving import Watch, read_body

HEADERS: Final = frozenset((b"authorization", b"accept", b"content-type", b"content-encoding", b"content-length"))


class EvaluateRoute:
    """An ASGI application; what it raises, ``app.observation`` answers."""

    path = "/v1/evaluate"  # for the metrics

    def __init__(self, services: Services) -> None:
        self._services = services

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        scope["route"] = self
        reply = await self._reply(scope, receive)
        length, media_type = str(len(reply.body)).encode(), reply.media_type.encode()
        headers = [(b"content-length", length), (b"content-type", media_type)]
        await send({"type": "http.response.start", "status": reply.status, "headers": headers})
        await send({"type": "http.response.body", "body": reply.body})

    async def _reply(self, scope: Scope, receive: Receive) -> Reply:
        services = self._services
        given = {name: value.decode("latin-1") for name, value in scope["headers"] if name in HEADERS}
        owner_for(services, given.get(b"authorization", ""))
        body = await read_body(receive, given.get(b"content-length"), services.limits)
        call = Call(body, given.get(b"content-type"), given.get(b"content-encoding"), given.get(b"accept"))
        reply = services.evaluator.quick(call)
        if reply is not None:
            return reply
        stop = Stop()
        with Watch(receive, stop):
            return await services.workers.run(lambda: stop.under(lambda: services.evaluator.answer(call)))
