"""Which pages of other origins may call this service: none, or those that a setting names."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

from starlette.middleware.cors import CORSMiddleware

SENT: Final = ("Accept", "Authorization", "Content-Encoding", "Content-Type", "Idempotency-Key", "If-Match",
               "X-Request-Id", "traceparent", "tracestate")  # fmt: skip
SHOWN: Final = ("Allow", "ETag", "Location", "Retry-After", "WWW-Authenticate", "X-Request-Id")
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
    app.shortcuts = {key: _without_origin(shortcut) for key, shortcut in app.shortcuts.items()}


def _without_origin(shortcut: Any) -> Any:
    """Leave requests of pages to the routes."""
    return lambda given, body: None if b"origin" in given else shortcut(given, body)
