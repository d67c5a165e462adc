"""Which pages of other origins may call this service: none, or those that a setting names."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Final

from starlette.middleware.cors import CORSMiddleware

from app.http.connection import Answer, Later, Shortcut
from app.http.edge import HeadersByName

SENT: Final = ("Accept", "Authorization", "Content-Encoding", "Content-Type", "Idempotency-Key", "If-Match",
               "If-None-Match", "X-Request-Id", "traceparent", "tracestate")  # fmt: skip
SHOWN: Final = ("Allow", "ETag", "Idempotency-Replayed", "Location", "Retry-After", "WWW-Authenticate", "X-Request-Id")
METHODS: Final = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE")


def install(app: Any, origins: Sequence[str]) -> None:
    """Let pages of ``origins`` use all that the application answers, its hot routes and its problems too.

    Credentials are not allowed: a key is a header that a page knows, never something that a browser adds by itself.
    """
    options: dict[str, Any] = {
        "allow_origins": origins,
        "allow_methods": METHODS,
        "allow_headers": SENT,
        "expose_headers": SHOWN,
    }
    app.add_middleware(CORSMiddleware, **options)
    app.hot = {key: CORSMiddleware(route, **options) for key, route in app.hot.items()}
    find = app.find_shortcut
    app.find_shortcut = lambda method, path: _without_origin(find(method, path))


def _without_origin(shortcut: Shortcut | None) -> Shortcut | None:
    """Let requests of pages go the usual way: there the middleware adds what their browsers ask for."""
    if shortcut is None:
        return None

    def begin(given: HeadersByName, body: bytes, later: Callable[[Answer], None]) -> Answer | Later | None:
        return None if b"origin" in given else shortcut(given, body, later)

    return begin
