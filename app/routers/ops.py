"""What the service can do: its ops and its limits."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Path, Query, Response
from pydantic.json_schema import SkipJsonSchema

from app.http.dependencies import LimitQuery, LookDep
from app.program import catalog
from app.routers.declaration import answer, problems, unchanged

router = APIRouter(tags=["catalog"])


Text = str | SkipJsonSchema[None]
NAME = r"^[A-Za-z0-9_.]{1,128}$"


def _name(description: str) -> Any:
    """A name in the query; pydantic says nothing of the pattern where it is not the only choice."""
    return Query(description=description, pattern=NAME, json_schema_extra={"pattern": NAME})


@router.get(
    "/v1/ops",
    operation_id="listOps",
    summary="List every op",
    responses={**unchanged(), **answer("OpPage", more=["ETag"]), **problems()},
)
async def list_ops(
    arrival: LookDep,
    q: Annotated[Text, Query(description="Text that the name or the summary has.", max_length=128)] = None,
    family: Annotated[Text, _name("Module: `torch`, `linalg`, `nn.functional`, `optim`.")] = None,
    differentiable: Annotated[
        bool | SkipJsonSchema[None], Query(description="Those that gradients flow through, or the others.")
    ] = None,
    limit: LimitQuery = 5000,
    cursor: Annotated[Text, _name("`next` of the page before.")] = None,
) -> Response:
    """By name: ops, and what else a node may call. Names are PyTorch's, so PyTorch's documentation holds."""
    ops, following = catalog.select(q, family, differentiable, cursor, limit)
    return arrival.reply({"ops": ops, "next": following})


@router.get(
    "/v1/ops/{op}",
    operation_id="getOp",
    summary="Read about an op",
    responses={**unchanged(), **answer("OpAnswer", more=["ETag"]), **problems("not-found")},
)
async def get_op(
    arrival: LookDep,
    op: Annotated[str, Path(description="`add`, `linalg.solve`; aliases do, too.", max_length=128)],
) -> Response:
    """Signature, what it computes, differentiable arguments, grad_fn, shapes, and a request that runs."""
    return arrival.reply(catalog.describe(op))


@router.get(
    "/v1/limits", operation_id="getLimits", summary="Every limit in force",
    responses={**unchanged(), **answer("Limits", more=["ETag"]), **problems()},
)  # fmt: skip
async def get_limits(arrival: LookDep) -> Response:
    """A request over one of them is refused before the work, where that can be known."""
    return arrival.reply(arrival.services.limits.model_dump())
