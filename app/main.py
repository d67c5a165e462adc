"""The application: ``create_app(settings)`` puts it together. Importing this module does nothing."""

from __future__ import annotations

import asyncio
import logging
import os
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from functools import cache
from typing import Any

from fastapi import FastAPI, Response
from fastapi.responses import HTMLResponse, RedirectResponse
from starlette.types import ASGIApp, Receive, Scope, Send
from threadpoolctl import threadpool_limits

from app import allocator
from app.http import cors, docs, methods, openapi, problems
from app.http.connection import Shortcut
from app.http.dependencies import Services
from app.http.edge import Edge
from app.http.hot import EvaluateRoute
from app.http.middleware import Observation, ObservedShortcut
from app.routers import evaluate, health, ops, sessions, tensors
from app.sessions.idempotency import RENEWAL_S
from app.settings import Settings
from app.stores.base import StoreError

log = logging.getLogger("gradserve")
SWEEP_INTERVAL_S = 60.0
VERSION = "0.1.0"
SUMMARY = "PyTorch's autograd as an HTTP computation API: graphs in, values and gradients out."


class Application(FastAPI):
    """FastAPI, but for the hot routes: these are looked up before the middleware and the router."""

    hot: Mapping[tuple[str, str], ASGIApp] = {}
    shortcuts: Mapping[tuple[bytes, bytes], Shortcut] = {}  # for app.http.connection
    edge: Edge | None = None  # for the same

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http" and not scope["query_string"]:
            route = self.hot.get((scope["method"], scope["path"]))
            if route is not None:
                await route(scope, receive, send)
                return
        await super().__call__(scope, receive, send)


def create_app(settings: Settings | None = None) -> FastAPI:
    """Return a new application; what it holds lives from its startup to its shutdown."""
    services = Services(settings or Settings())

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        directory = services.directory
        allocator.keep_freed()
        share_processors(services.settings)
        await asyncio.to_thread(directory.store.open)
        chores = [
            asyncio.create_task(_regularly(allocator.INTERVAL_S, allocator.give_back)),
            asyncio.create_task(_regularly(SWEEP_INTERVAL_S, directory.sweep)),
            asyncio.create_task(_regularly(RENEWAL_S, directory.replies.renew)),
        ]
        yield
        for chore in chores:
            chore.cancel()
        services.workers.close()
        directory.store.close()

    app = Application(
        title="gradserve", version=VERSION, summary=SUMMARY, lifespan=lifespan, docs_url=None, redoc_url=None,
        separate_input_output_schemas=False, redirect_slashes=False,
    )  # fmt: skip
    app.state.services = services
    hot = EvaluateRoute(services)
    app.hot = {("POST", hot.path): Observation(hot, services.metrics)}
    app.shortcuts = {(b"POST", hot.path.encode()): ObservedShortcut("POST", hot, services.metrics)}
    app.edge = Edge(services.limits, services.metrics.refused)
    for module in (evaluate, sessions, tensors, ops, health):
        app.include_router(module.router)
    app.add_middleware(methods.HeadAsGet)
    app.add_middleware(Observation, metrics=services.metrics)
    if services.settings.cors_origins:
        cors.install(app, services.settings.origins)
    problems.install(app)
    _document(app)
    return app


def share_processors(settings: Settings) -> None:
    """Let workers and the threads that each uses for matrix products be as many as there are processors."""
    threadpool_limits(settings.blas_threads or max(1, (os.cpu_count() or 1) // settings.workers), "blas")


async def _regularly(seconds: float, chore: Callable[[], object]) -> None:
    """Do a chore in the background; one that the store refuses is done the next time."""
    while True:
        await asyncio.sleep(seconds)
        try:
            await asyncio.to_thread(chore)
        except StoreError as error:
            log.warning("store: %s", error)


def _document(app: FastAPI) -> None:
    """``/openapi.json`` with our schemas, ``/docs`` made of it, and a root that leads there."""

    @cache
    def document() -> dict[str, Any]:
        return openapi.document(app)

    app.openapi = document  # type: ignore[method-assign]

    @app.get("/docs", include_in_schema=False)
    async def read_docs() -> Response:
        return HTMLResponse(docs.render(document()), headers=docs.HEADERS)

    @app.get("/", include_in_schema=False)
    async def read_root() -> Response:
        return RedirectResponse("/docs")
