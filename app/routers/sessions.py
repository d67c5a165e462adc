"""Sessions: durable namespaces of tensors with their autograd graph."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Path, Query, Response
from pydantic.json_schema import SkipJsonSchema

from app.http.dependencies import (
    ChangeDep,
    EncodingQuery,
    GradsQuery,
    IncludeQuery,
    LimitQuery,
    LookDep,
    OpenDep,
    OutputsQuery,
)
from app.routers.declaration import (
    CHANGED,
    CHANGING,
    ENDING,
    OPENING,
    READING,
    STORED,
    answer,
    empty,
    problems,
    request_body,
    unchanged,
)
from app.wire import codec
from app.wire.messages import CURSOR, Positive

router = APIRouter(tags=["sessions"])
DOCUMENT: dict[str, Any] = {codec.MSGPACK.value: {"schema": {"type": "string", "format": "binary"}}}
DOCUMENT_BODY: dict[str, Any] = {
    "requestBody": {"required": True, "content": {**DOCUMENT, codec.OCTETS: DOCUMENT[codec.MSGPACK.value]}}
}
SessionId = Annotated[str, Path(description="Id of the session.", max_length=64)]


@router.post(
    "/v1/sessions",
    operation_id="createSession",
    summary="Open a session",
    status_code=201,
    responses={**answer("SessionHead", 201, more=CHANGED), **problems(*OPENING)},
    openapi_extra=request_body("SessionRequest", required=False),
)
async def create_session(arrival: OpenDep) -> Response:
    """An empty namespace with an engine state of its own: grad mode, default dtype, print options, random numbers."""
    return await arrival.compute("create_session", f"sessions of {arrival.owner}")


@router.get(
    "/v1/sessions",
    operation_id="listSessions",
    summary="List your sessions",
    responses={**unchanged(), **answer("SessionPage", more=["ETag"]), **problems(*STORED)},
)
async def list_sessions(
    arrival: LookDep,
    limit: LimitQuery = 50,
    cursor: Annotated[
        str | SkipJsonSchema[None],
        Query(description="`next` of the page before.", json_schema_extra={"pattern": CURSOR}),
    ] = None,
) -> Response:
    """Oldest first."""
    size = min(limit, arrival.services.limits.page_size)
    return await arrival.compute("list_sessions", size=size, cursor=cursor)


@router.post(
    "/v1/sessions/import",
    operation_id="importSession",
    summary="Open a session from an exported one",
    status_code=201,
    responses={**answer("SessionHead", 201, more=CHANGED), **problems(*OPENING)},
    openapi_extra=DOCUMENT_BODY,
)
async def import_session(
    arrival: OpenDep,
    ttl_seconds: Annotated[
        Positive | SkipJsonSchema[None],
        Query(json_schema_extra={"format": "double"}, description="Life after the last use; else as exported."),
    ] = None,
) -> Response:
    """A new session of yours with a new id, with everything that the exported one had."""
    turn = f"sessions of {arrival.owner}"
    return await arrival.compute("import_session", turn, ttl_seconds=ttl_seconds)


@router.get(
    "/v1/sessions/{sid}/export",
    operation_id="exportSession",
    summary="Export a session",
    response_class=Response,  # not one of JSON
    responses={**unchanged(), 200: {**empty(200, ["ETag"])[200], "content": DOCUMENT}, **problems(*READING)},
)
async def export_session(arrival: LookDep, sid: SessionId) -> Response:
    """Names, tensors and graph as one msgpack document, which any gradserve of this version or a later one imports."""
    codec.answer_format(arrival.accept, (codec.MSGPACK,))
    return await arrival.compute("export_session", sid, sid=sid)


@router.get(
    "/v1/sessions/{sid}",
    operation_id="getSession",
    summary="Read a session",
    responses={**unchanged(), **answer("SessionAnswer", more=["ETag"]), **problems(*READING)},
)
async def get_session(arrival: LookDep, sid: SessionId) -> Response:
    """The session and the names in it."""
    return await arrival.compute("get_session", sid, sid=sid)


@router.delete(
    "/v1/sessions/{sid}",
    operation_id="deleteSession",
    summary="Close a session",
    status_code=204,
    responses={**empty(204, ["Idempotency-Replayed"]), **problems(*ENDING)},
)
async def delete_session(arrival: ChangeDep, sid: SessionId) -> Response:
    """Drops the session with all its tensors."""
    return await arrival.compute("delete_session", sid, sid=sid)


@router.post(
    "/v1/sessions/{sid}/run",
    operation_id="runInSession",
    summary="Run a graph in a session",
    responses={**answer("RunAnswer", more=CHANGED), **problems(*CHANGING)},
    openapi_extra=request_body("SessionRunRequest", or_python=True),
)
async def run_in_session(
    arrival: ChangeDep,
    sid: SessionId,
    encoding: EncodingQuery = None,
    outputs: OutputsQuery = None,
    grads: GradsQuery = None,
    include: IncludeQuery = None,
) -> Response:
    """Names persist. A run is atomic: when anything in it fails, the session is as it was before."""
    arrival = arrival.reads_python(outputs=outputs, grads=grads, include=include)
    return await arrival.compute("run_in_session", sid, encoding, sid=sid)


@router.post(
    "/v1/sessions/{sid}/backward",
    operation_id="backwardInSession",
    summary="Sweep backward from a tensor",
    responses={**answer("BackwardAnswer", more=CHANGED), **problems(*CHANGING)},
    openapi_extra=request_body("BackwardRequest"),
)
async def backward_in_session(arrival: ChangeDep, sid: SessionId, encoding: EncodingQuery = None) -> Response:
    """Gradients accumulate into the leaves, as `tensor.backward(gradient)` does."""
    return await arrival.compute("backward_in_session", sid, encoding, sid=sid)


@router.post(
    "/v1/sessions/{sid}/zero_grad",
    operation_id="zeroGradInSession",
    summary="Reset gradients",
    responses={**answer("ZeroGradAnswer", more=CHANGED), **problems(*CHANGING)},
    openapi_extra=request_body("ZeroGradRequest", required=False),
)
async def zero_grad_in_session(arrival: ChangeDep, sid: SessionId) -> Response:
    """Of the named tensors, or of all."""
    return await arrival.compute("zero_grad_in_session", sid, sid=sid)
