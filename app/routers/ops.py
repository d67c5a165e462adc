"""What the service can do: its ops and its limits."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Path, Response

from app.http.dependencies import LookDep
from app.program import catalog
from app.routers.declaration import answer, problems, unchanged

router = APIRouter(tags=["catalog"])


@router.get(
    "/v1/ops",
    operation_id="listOps",
    summary="List every op",
    responses={**unchanged(), **answer("OpPage", more=["ETag"]), **problems()},
)
async def list_ops(arrival: LookDep) -> Response:
    """Names are PyTorch's, so PyTorch's documentation holds."""
    return arrival.reply({"ops": catalog.summaries()})


@router.get(
    "/v1/ops/{op}",
    operation_id="getOp",
    summary="Read about an op",
    responses={**unchanged(), **answer("OpAnswer", more=["ETag"]), **problems("not-found")},
)
async def get_op(
    arrival: LookDep, op: Annotated[str, Path(description="`add`, `linalg.solve`.", max_length=128)]
) -> Response:
    """Signature, what it does, which arguments are differentiable, and its grad_fn."""
    return arrival.reply(catalog.describe(op))


@router.get(
    "/v1/limits", operation_id="getLimits", summary="Every limit in force",
    responses={**unchanged(), **answer("Limits", more=["ETag"]), **problems()},
)  # fmt: skip
async def get_limits(arrival: LookDep) -> Response:
    """A request over one of them is refused before the work, where that can be known."""
    return arrival.reply(arrival.services.limits.model_dump())
