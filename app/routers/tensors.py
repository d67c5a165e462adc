"""The tensors of a session, one by one, and their backward graphs."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Path, Query, Response

from app.http.dependencies import ChangeDep, EncodingQuery, LookDep
from app.routers.declaration import (
    CHANGED,
    CHANGING,
    DRAWING,
    ENDING,
    READING,
    answer,
    empty,
    problems,
    request_body,
    unchanged,
)
from app.routers.sessions import SessionId
from app.wire.messages import GRAPH_TYPES, GraphFormat

router = APIRouter(tags=["tensors"])
TensorName = Annotated[
    str, Path(description="Name of the tensor; reading takes `q.0` and `x.grad` too.", max_length=512)
]


@router.put(
    "/v1/sessions/{sid}/tensors/{name}",
    operation_id="putTensor",
    summary="Create or replace a leaf",
    responses={
        **answer("TensorAnswer", more=CHANGED),
        **answer("TensorAnswer", 201, more=CHANGED),
        **problems(*CHANGING),
    },
    openapi_extra=request_body("TensorInput"),
)
async def put_tensor(arrival: ChangeDep, sid: SessionId, name: TensorName, encoding: EncodingQuery = None) -> Response:
    """The body is a tensor in any of its spellings."""
    return await arrival.compute("put_tensor", sid, encoding, sid=sid, name=name)


@router.get(
    "/v1/sessions/{sid}/tensors/{name}",
    operation_id="getTensor",
    summary="Read a tensor",
    responses={**unchanged(), **answer("TensorWithGrad", more=["ETag"]), **problems(*READING)},
)
async def get_tensor(arrival: LookDep, sid: SessionId, name: TensorName, encoding: EncodingQuery = None) -> Response:
    """Value, grad and grad_fn."""
    return await arrival.compute("get_tensor", sid, encoding, sid=sid, name=name)


@router.patch(
    "/v1/sessions/{sid}/tensors/{name}",
    operation_id="patchTensor",
    summary="Change requires_grad, data or grad",
    responses={**answer("TensorAnswer", more=CHANGED), **problems(*CHANGING)},
    openapi_extra=request_body("TensorPatch"),
)
async def patch_tensor(
    arrival: ChangeDep, sid: SessionId, name: TensorName, encoding: EncodingQuery = None
) -> Response:
    """As the assignments `x.data = …`, `x.requires_grad = …`, `x.grad = …`, in this order."""
    return await arrival.compute("patch_tensor", sid, encoding, sid=sid, name=name)


@router.delete(
    "/v1/sessions/{sid}/tensors/{name}",
    operation_id="deleteTensor",
    summary="Drop a name",
    status_code=204,
    responses={**empty(204, CHANGED), **problems(*ENDING)},
)
async def delete_tensor(arrival: ChangeDep, sid: SessionId, name: TensorName) -> Response:
    """The tensor stays alive as long as a graph needs it."""
    return await arrival.compute("delete_tensor", sid, sid=sid, name=name)


@router.get(
    "/v1/sessions/{sid}/graph",
    operation_id="getGraph",
    summary="Read the backward graph of a tensor",
    responses={
        **unchanged(),
        **answer("BackwardGraph", more=["ETag"], others=GRAPH_TYPES.values()),
        **problems(*DRAWING),
    },
)
async def get_graph(
    arrival: LookDep,
    sid: SessionId,
    tensor: Annotated[str, Query(description="Name of the tensor.", max_length=512)],
    format: Annotated[GraphFormat, Query(description="How to write it.")] = "json",
) -> Response:
    """Nodes, grad_fn names, next_functions, saved tensors and leaves."""
    return await arrival.compute("get_graph", sid, sid=sid, tensor=tensor, form=format)
