"""Methods that paths have without a route of their own: HEAD wherever there is GET, and which ones ``Allow`` names."""

from __future__ import annotations

from typing import Any, Final

from starlette.requests import Request
from starlette.routing import Match
from starlette.types import ASGIApp, Message, Receive, Scope, Send

ROUTED: Final = ("GET", "POST", "PUT", "PATCH", "DELETE")


class HeadAsGet:
    """ASGI middleware: HEAD is answered as GET would be, without the body."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or scope["method"] != "HEAD":
            await self.app(scope, receive, send)
            return

        async def send_head(message: Message) -> None:
            await send({**message, "body": b""} if message["type"] == "http.response.body" else message)

        as_get = {**scope, "method": "GET"}
        try:
            await self.app(as_get, receive, send_head)
        finally:
            scope.update({name: as_get[name] for name in as_get.keys() - scope.keys()})  # the route, for the metrics


def allowed(request: Request) -> list[str]:
    """Return the methods of the path that a request names; one that is listed as such is no value of a parameter."""
    routes: Any = request.app.router.routes
    scope = request.scope
    listed = request.app.openapi()["paths"].get(scope["path"])
    found = [
        method
        for method in ROUTED
        if any(route.matches({**scope, "method": method})[0] is Match.FULL for route in routes)
        and (listed is None or method.lower() in listed)
    ]
    return [*found[:1], "HEAD", *found[1:]] if "GET" in found else found
