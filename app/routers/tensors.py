"""The tensors of a session, one by one, and their backward graphs."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from fastapi import APIRouter, Path, Query, Response

from app.evaluate.execution import check_name
from app.http.dependencies import ChangeDep, Exchange, ReadDep
from app.program import graphs
from app.routers.declaration import CHANGING, DRAWING, ENDING, READING, answer, problems, request_body
from app.routers.sessions import SessionId, change, show
from app.sessions.directory import Description
from app.sessions.session import Session
from app.wire.messages import TensorPatch
from app.wire.reply import Reply

router = APIRouter(tags=["tensors"])
TensorName = Annotated[
    str, Path(description="Name of the tensor; reading takes `q.0` and `x.grad` too.", max_length=512)
]
GraphFormat = Literal["json", "dot", "mermaid", "svg"]
GRAPH_TYPES = {"dot": "text/vnd.graphviz", "mermaid": "text/vnd.mermaid", "svg": "image/svg+xml"}


@router.put(
    "/v1/sessions/{sid}/tensors/{name}",
    operation_id="putTensor",
    summary="Create or replace a leaf",
    responses={**answer("TensorAnswer"), **answer("TensorAnswer", 201), **problems(*CHANGING)},
    openapi_extra=request_body("TensorInput"),
)
async def put_tensor(exchange: ChangeDep, sid: SessionId, name: TensorName) -> Response:
    """The body is a tensor in any of its spellings."""

    def read() -> Any:
        check_name(name, ("name",))
        return exchange.parse_tensor()

    def work(session: Session, version: int, raw: Any) -> Reply:
        is_new, record = session.put(name, raw, exchange.data_encoding())
        return exchange.reply({**record, "version": version}, 201 if is_new else 200, version)

    return await change(exchange, sid, read, work)


@router.get(
    "/v1/sessions/{sid}/tensors/{name}",
    operation_id="getTensor",
    summary="Read a tensor",
    responses={**answer("TensorWithGrad"), **problems(*READING)},
)
async def get_tensor(exchange: ReadDep, sid: SessionId, name: TensorName) -> Response:
    """Value, grad and grad_fn."""

    def work(session: Session, found: Description) -> Reply:
        return exchange.reply(session.get(name, exchange.data_encoding()), 200, found["version"])

    return await show(exchange, sid, work)


@router.patch(
    "/v1/sessions/{sid}/tensors/{name}",
    operation_id="patchTensor",
    summary="Change requires_grad, data or grad",
    responses={**answer("TensorAnswer"), **problems(*CHANGING)},
    openapi_extra=request_body("TensorPatch"),
)
async def patch_tensor(exchange: ChangeDep, sid: SessionId, name: TensorName) -> Response:
    """As the assignments `x.data = …`, `x.requires_grad = …`, `x.grad = …`, in this order."""

    def work(session: Session, version: int, changes: TensorPatch) -> Reply:
        record = session.patch(name, changes, exchange.data_encoding())
        return exchange.reply({**record, "version": version}, version=version)

    return await change(exchange, sid, lambda: exchange.parse(TensorPatch), work)


@router.delete(
    "/v1/sessions/{sid}/tensors/{name}",
    operation_id="deleteTensor",
    summary="Drop a name",
    status_code=204,
    responses=problems(*ENDING),
)
async def delete_tensor(exchange: ChangeDep, sid: SessionId, name: TensorName) -> Response:
    """The tensor stays alive as long as a graph needs it."""

    def work(session: Session, version: int, _: None) -> Reply:
        session.drop(name)
        return Reply(204, headers={"ETag": f'"{version}"'})

    return await change(exchange, sid, lambda: None, work)


@router.get(
    "/v1/sessions/{sid}/graph",
    operation_id="getGraph",
    summary="Read the backward graph of a tensor",
    responses={**answer("BackwardGraph", others=GRAPH_TYPES.values()), **problems(*DRAWING)},
)
async def get_graph(
    exchange: ReadDep,
    sid: SessionId,
    tensor: Annotated[str, Query(description="Name of the tensor.", max_length=512)],
    format: Annotated[GraphFormat, Query(description="How to write it.")] = "json",
) -> Response:
    """Nodes, grad_fn names, next_functions, saved tensors and leaves."""
    return await show(exchange, sid, lambda session, _: _write(exchange, session.graph(tensor), format))


def _write(exchange: Exchange, graph: graphs.Graph, form: GraphFormat) -> Reply:
    if form == "json":
        return exchange.reply(graphs.as_json(graph))
    if form == "svg":
        body = graphs.as_svg(graph, exchange.services.settings.dot, exchange.limits.svg_seconds)
    else:
        body = (graphs.as_dot(graph) if form == "dot" else graphs.as_mermaid(graph)).encode()
    return Reply(200, body, GRAPH_TYPES[form])
