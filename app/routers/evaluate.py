"""Stateless evaluation."""

from __future__ import annotations

from fastapi import APIRouter, Response

from app.core.evaluate import evaluate
from app.core.replies import Reply
from app.dependencies import ComputeDep
from app.routers.declaration import COMPUTING, answer, problems, request_body
from app.wire.messages import RunRequest

router = APIRouter(tags=["evaluate"])


@router.post(
    "/v1/evaluate",
    operation_id="evaluate",
    summary="Run a graph, keep nothing",
    responses={**answer("EvaluateAnswer"), **problems(*COMPUTING)},
    openapi_extra=request_body("RunRequest"),
)
async def evaluate_graph(exchange: ComputeDep) -> Response:
    """Runs nodes or code in a fresh namespace; returns values, grad_fn names and gradients."""

    def work() -> Reply:
        request = exchange.parse(RunRequest)
        encoding = exchange.data_encoding(request.encoding)
        return exchange.reply(evaluate(request, exchange.limits, encoding))

    return await exchange.compute(work)
