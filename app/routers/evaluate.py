"""Stateless evaluation."""

from __future__ import annotations

from fastapi import APIRouter, Response

from app.http.dependencies import ComputeDep, EncodingQuery, GradsQuery, IncludeQuery, OutputsQuery
from app.routers.declaration import COMPUTING, answer, problems, request_body

router = APIRouter(tags=["evaluate"])


@router.post(
    "/v1/evaluate",
    operation_id="evaluate",
    summary="Run a graph, keep nothing",
    responses={**answer("EvaluateAnswer"), **problems(*COMPUTING)},
    openapi_extra=request_body("EvaluateRequest", or_python=True),
)
async def evaluate_graph(
    arrival: ComputeDep,
    encoding: EncodingQuery = None,
    outputs: OutputsQuery = None,
    grads: GradsQuery = None,
    include: IncludeQuery = None,
) -> Response:
    """Runs nodes or code in a fresh namespace; returns values, grad_fn names and gradients."""
    return await arrival.reads_python(outputs=outputs, grads=grads, include=include).evaluate(encoding)
