"""What the service can do: its ops and its limits."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Path, Response

from app.http.dependencies import ReadDep
from app.program import catalog
from app.routers.declaration import answer, problems

router = APIRouter(tags=["catalog"])


@router.get("/v1/ops", operation_id="listOps", summary="List every op", responses={**answer("OpPage"), **problems()})
async def list_ops(arrival: ReadDep) -> Response:
    """Names are PyTorch's, so PyTorch's documentation holds."""
    return arrival.reply({"ops": catalog.summaries()})


@router.get(
    "/v1/ops/{op}",
    operation_id="getOp",
    summary="Read about an op",
    responses={**answer("OpAnswer"), **problems("not-found")},
)
async def get_op(
    arrival: ReadDep, op: Annotated[str, Path(description="`add`, `linalg.solve`.", max_length=128)]
) -> Response:
    """Signature, what it does, which arguments are differentiable, and its grad_fn."""
    return arrival.reply(catalog.describe(op))


@router.get(
    "/v1/limits", operation_id="getLimits", summary="Every limit in force",
    responses={**answer("Limits"), **problems()},
)  # fmt: skip
async def get_limits(arrival: ReadDep) -> Response:
    """A request over one of them is refused before the work, where that can be known."""
    return arrival.reply(arrival.services.limits.model_dump())
