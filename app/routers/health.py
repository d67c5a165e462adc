"""Operations: is it alive, does it take requests, what has it done."""

from __future__ import annotations

from fastapi import APIRouter, Request, Response
from fastapi.responses import PlainTextResponse

from app.errors import NotFound, Overloaded, Unauthorized
from app.http import scrape
from app.http.dependencies import ServicesDep
from app.observe.exposition import MEDIA_TYPE
from app.routers.declaration import EDGE, Responses, empty, examples, problems, reference

router = APIRouter(tags=["operations"])


def _healthy(status: str) -> Responses:
    content = {"application/json": {"schema": reference("Health"), "examples": examples(status)}}
    return {200: {**empty(200)[200], "content": content}}


@router.get(
    "/healthz", operation_id="health", summary="Is the process alive",
    responses={**_healthy("ok"), **problems(anywhere=EDGE)},
)  # fmt: skip
async def health() -> Response:
    """Answers whatever else is running."""
    return Response(b'{"status":"ok"}', media_type="application/json")


@router.get(
    "/readyz", operation_id="readiness", summary="Does it take requests",
    responses={**_healthy("ready"), **problems("store-unavailable", anywhere=EDGE)},
)  # fmt: skip
async def readiness(services: ServicesDep) -> Response:
    """Not while every process is busy and the queue is full, while the store is away, or while it shuts down."""
    if services.is_draining:
        raise Overloaded("the service is shutting down")
    if services.front.is_full:
        raise Overloaded("every process is busy and the queue is full")
    await services.health_check.run()
    return Response(b'{"status":"ready"}', media_type="application/json")


@router.get(
    "/metrics", operation_id="metrics", summary="Counters for Prometheus",
    responses={
        200: {**empty(200)[200], "content": {"text/plain": {"schema": {"type": "string"}}}},
        **problems("unauthorized", "not-found", anywhere=EDGE),
    },
    response_class=PlainTextResponse,
)  # fmt: skip
async def metrics(services: ServicesDep, request: Request) -> Response:
    """In Prometheus' text format. They may have a key or a port of their own."""
    if services.settings.metrics_port:
        raise NotFound("path on this port")
    if not services.may_read_metrics(request.headers.get("authorization", "")):
        raise Unauthorized("name the key of the metrics: 'Authorization: Bearer KEY'")
    return Response(await scrape.text(services), media_type=MEDIA_TYPE)
