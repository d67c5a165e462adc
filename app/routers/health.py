"""Operations: is it alive, does it take requests, what has it done."""

from __future__ import annotations

from fastapi import APIRouter, Depends, Response

from app.errors import Overloaded
from app.http.dependencies import ServicesDep, owner_of
from app.http.metrics import MEDIA_TYPE
from app.http.services import gauges_of
from app.routers.declaration import Responses, problems, reference

router = APIRouter(tags=["operations"])
HEALTHY: Responses = {200: {"description": "OK", "content": {"application/json": {"schema": reference("Health")}}}}


@router.get("/healthz", operation_id="health", summary="Is the process alive", responses={**HEALTHY})
async def health() -> Response:
    """Answers whatever else is running."""
    return Response(b'{"status":"ok"}', media_type="application/json")


@router.get("/readyz", operation_id="readiness", summary="Does it take requests", responses={**HEALTHY, **problems()})
async def readiness(services: ServicesDep) -> Response:
    """Not while every process is busy and the queue is full, while the store is away, or while it shuts down."""
    if services.is_draining:
        raise Overloaded("the service is shutting down")
    if services.front.is_full:
        raise Overloaded("every process is busy and the queue is full")
    await services.health_check.run()
    return Response(b'{"status":"ready"}', media_type="application/json")


@router.get(
    "/metrics", operation_id="metrics", summary="Counters for Prometheus", dependencies=[Depends(owner_of)],
    responses={200: {"description": "OK", "content": {"text/plain": {"schema": {"type": "string"}}}}, **problems()},
)  # fmt: skip
async def metrics(services: ServicesDep) -> Response:
    """In Prometheus' text format."""
    return Response(services.metrics.render(gauges_of(services)), media_type=MEDIA_TYPE)
