"""The hot route: ``POST /v1/evaluate`` without the framework's router, dependencies and response classes.

It answers as the documented route of the same path, over the same core; requests with a query go that way. Keys,
limits, request ids, metrics, cancellation and problems are the same pieces, called directly. What can be answered at
once does not even get here by ASGI (``app.http.connection``).
"""

from __future__ import annotations

from starlette.types import Receive, Scope, Send

from app.evaluate.call import Call
from app.http.connection import HeadersByName, by_name
from app.http.dependencies import Arrival
from app.http.receiving import read_body
from app.http.services import Services
from app.wire.codec import Body
from app.wire.reply import Reply


class EvaluateRoute:
    """An ASGI application; what it raises, ``app.http.middleware`` answers."""

    path = "/v1/evaluate"  # for the metrics

    def __init__(self, services: Services) -> None:
        self._services = services

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        scope["route"] = self
        services, headers = self._services, by_name(scope["headers"])
        owner = services.owner_for(_text(headers, b"authorization") or "")
        body = await read_body(receive, _text(headers, b"content-length"), services.limits)
        arrival = Arrival(
            services, owner, scope["request_id"], "", _text(headers, b"accept"), None, _text(headers, b"content-type"),
            _text(headers, b"content-encoding"), receive, body,
        )  # fmt: skip
        await (await arrival.evaluate())(scope, receive, send)

    def at_once(self, headers: HeadersByName, body: bytes) -> Reply | None:
        """Return the answer to a small request, if it takes next to no time. Raises what an answer would tell."""
        self._services.owner_for(_text(headers, b"authorization") or "")
        known = self._services.replayer.reply_to(_call(headers, body))
        return known if isinstance(known, Reply) else None


def _call(headers: HeadersByName, body: Body) -> Call:
    return Call(body, _text(headers, b"content-type"), _text(headers, b"content-encoding"), _text(headers, b"accept"))


def _text(headers: HeadersByName, name: bytes) -> str | None:
    value = headers.get(name)
    return None if value is None else value.decode("latin-1")
