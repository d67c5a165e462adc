"""The application: ``create_app(settings)`` puts it together. Importing this module does nothing."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import cache
from typing import Any

from fastapi import FastAPI, Response
from fastapi.responses import HTMLResponse, RedirectResponse

from app import docs, openapi, problems
from app.dependencies import Services
from app.observation import Observation
from app.routers import catalog, evaluate, health, sessions, tensors
from app.settings import Settings

SWEEP_INTERVAL_S = 60.0
VERSION = "0.1.0"
SUMMARY = "PyTorch's autograd as an HTTP computation API: graphs in, values and gradients out."


def create_app(settings: Settings | None = None) -> FastAPI:
    """A new application; what it holds lives from its startup to its shutdown."""
    services = Services(settings or Settings())

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        sweeping = asyncio.create_task(_sweep(services))
        yield
        sweeping.cancel()
        services.workers.close()

    app = FastAPI(
        title="gradserve", version=VERSION, summary=SUMMARY, lifespan=lifespan, docs_url=None, redoc_url=None,
        separate_input_output_schemas=False,
    )  # fmt: skip
    app.state.services = services
    for module in (evaluate, sessions, tensors, catalog, health):
        app.include_router(module.router)
    app.add_middleware(Observation, metrics=services.metrics)
    problems.install(app)
    _document(app)
    return app


async def _sweep(services: Services) -> None:
    """Let go of expired sessions now and then, also while nobody opens new ones."""
    while True:
        await asyncio.sleep(SWEEP_INTERVAL_S)
        await asyncio.to_thread(services.directory.sweep)


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
