"""The application: ``create_app(settings)`` puts it together. Importing this module does nothing."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping
from contextlib import asynccontextmanager
from functools import cache
from importlib import import_module
from typing import Any

from fastapi import FastAPI, Request, Response
from fastapi.responses import HTMLResponse, RedirectResponse
from starlette.routing import BaseRoute
from starlette.types import ASGIApp, Receive, Scope, Send

from app import VERSION, allocator
from app.compute.frames import SharedBody
from app.errors import Overloaded
from app.http import answering, cors, docs, methods, problem_pages, scrape
from app.http.connection import Find
from app.http.edge import Edge
from app.http.hot import EvaluateRoute, Shortcuts
from app.http.middleware import Observation
from app.http.services import Services
from app.limits import OverLimit
from app.routers import evaluate, health, ops, sessions, tensors
from app.settings import Settings

log = logging.getLogger("gradserve")
SWEEP_INTERVAL_S = 60.0
SUMMARY = "PyTorch's autograd as an HTTP computation API: graphs in, values and gradients out."


class Application(FastAPI):
    """FastAPI, but for the hot routes: these are looked up before the middleware and the router."""

    hot: Mapping[tuple[str, str], ASGIApp] = {}
    find_shortcut: Find  # for app.http.connection
    edge: Edge  # for the same

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http" and not scope["query_string"]:
            route = self.hot.get((scope["method"], scope["path"]))
            if route is not None:
                await route(scope, receive, send)
                return
        await super().__call__(scope, receive, send)


def create_app(settings: Settings | None = None, services: Services | None = None) -> FastAPI:
    """Return a new application; what it holds, new services if none are given, lives until its shutdown."""
    services = services or Services(settings or Settings())
    spans: Any = None
    if services.settings.otel:
        spans = import_module("app.observe.spans").OpenTelemetry()
        services.observer.observe_with(spans)

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        services.front.prepare()  # before there is a thread
        allocator.keep_freed()
        await asyncio.to_thread(services.store.open)
        services.front.start()
        if spans is not None:
            spans.start()
        chores = [
            asyncio.create_task(_regularly(allocator.INTERVAL_S, _give_back)),
            asyncio.create_task(_regularly(SWEEP_INTERVAL_S, services.sweep)),
        ]
        async with scrape.serving(services):
            yield
        for chore in chores:
            chore.cancel()
        await services.front.close()
        if spans is not None:
            await asyncio.to_thread(spans.close)
        services.close()

    app = Application(
        title="gradserve", version=VERSION, summary=SUMMARY, lifespan=lifespan, docs_url=None, redoc_url=None,
        separate_input_output_schemas=False, redirect_slashes=False, routes=list(_routes()),
    )  # fmt: skip
    app.state.services = services
    hot = EvaluateRoute(services)
    app.hot = {("POST", hot.path): Observation(hot, services.observer)}
    app.find_shortcut = Shortcuts(services, hot).find
    app.edge = Edge(services.limits, services.observer.refused)
    app.add_middleware(methods.HeadAsGet)
    app.add_middleware(Observation, observer=services.observer)
    if services.settings.cors_origins:
        cors.install(app, services.settings.origins)
    answering.install(app)
    _document(app)
    return app


def _routes() -> Iterator[BaseRoute]:
    """The routes as their modules made them: a router that is included makes each once more, at the first request."""
    for module in (evaluate, sessions, tensors, ops, health):
        yield from module.router.routes


async def _give_back() -> None:
    """Return to the system what is kept for requests that may come."""
    dropped = SharedBody.old_spare()
    await asyncio.to_thread(dropped.clear)
    await asyncio.to_thread(allocator.give_back)


async def _regularly(seconds: float, chore: Callable[[], Awaitable[None]]) -> None:
    """Do a chore in the background; one that cannot be done now is done the next time."""
    while True:
        await asyncio.sleep(seconds)
        try:
            await chore()
        except (Overloaded, OverLimit) as error:
            log.warning("a chore was put off: %s", error)


def _document(app: FastAPI) -> None:
    """``/openapi.json`` with our schemas, ``/docs`` made of it, and a root that leads there."""

    @cache
    def document() -> dict[str, Any]:
        made: dict[str, Any] = import_module("app.http.openapi").document(app)  # loaded when somebody asks for it
        return made

    app.openapi = document  # type: ignore[method-assign]

    @cache
    def page() -> str:
        return docs.render(document())

    @app.get("/docs", include_in_schema=False)
    async def read_docs() -> Response:
        return HTMLResponse(page(), headers=docs.HEADERS)

    @app.get("/problems/{slug}", include_in_schema=False)
    async def read_problem(request: Request, slug: str) -> Response:
        return problem_pages.answer(slug, request.headers.get("accept"))

    @app.get("/", include_in_schema=False)
    async def read_root() -> Response:
        return RedirectResponse("/docs")
