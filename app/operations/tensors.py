"""What is done with the tensors of a session, one by one, and with their backward graphs."""

from __future__ import annotations

from typing import Any
from urllib.parse import quote

from app.evaluate.execution import check_name
from app.operations.operation import Exchange, operation
from app.operations.sessions import change, show
from app.program import graphs
from app.sessions.directory import Description
from app.sessions.session import Session
from app.wire.messages import GRAPH_TYPES, GraphFormat, TensorPatch
from app.wire.reply import Reply


@operation
def put_tensor(exchange: Exchange, sid: str, name: str) -> Reply:
    """Create or replace a leaf."""

    def read() -> Any:
        check_name(name, ("name",))
        return exchange.parse_tensor()

    def work(session: Session, version: int, raw: Any) -> Reply:
        is_new, record = session.put(name, raw, exchange.data_encoding())
        place = {"Location": f"/v1/sessions/{sid}/tensors/{quote(name)}"} if is_new else {}
        answer = {**record, "version": version}
        return exchange.reply(answer, 201 if is_new else 200, session.tag(name), **place)

    return change(exchange, sid, read, work, name=name)


@operation
def get_tensor(exchange: Exchange, sid: str, name: str) -> Reply:
    """Return value, grad and grad_fn."""

    def work(session: Session, found: Description) -> Reply:
        return exchange.reply(session.get(name, exchange.data_encoding()), 200, session.tag(name))

    return show(exchange, sid, work)


@operation
def patch_tensor(exchange: Exchange, sid: str, name: str) -> Reply:
    """Change requires_grad, data or grad."""

    def work(session: Session, version: int, changes: TensorPatch) -> Reply:
        record = session.patch(name, changes, exchange.data_encoding())
        return exchange.reply({**record, "version": version}, tag=session.tag(name))

    return change(exchange, sid, lambda: exchange.parse(TensorPatch), work, name=name)


@operation
def delete_tensor(exchange: Exchange, sid: str, name: str) -> Reply:
    """Drop a name."""

    def work(session: Session, version: int, _: None) -> Reply:
        session.drop(name)
        return Reply(204, headers={"ETag": f'"{version}"'})

    return change(exchange, sid, lambda: None, work, name=name)


@operation
def get_graph(exchange: Exchange, sid: str, tensor: str, form: GraphFormat) -> Reply:
    """Return the backward graph of a tensor."""
    return show(exchange, sid, lambda session, _: _write(exchange, session.graph(tensor), form))


def _write(exchange: Exchange, graph: graphs.Graph, form: GraphFormat) -> Reply:
    if form == "json":
        return exchange.reply(graphs.as_json(graph))
    if form == "svg":
        body = graphs.as_svg(graph, exchange.tools.dot, exchange.limits.svg_seconds)
    else:
        body = (graphs.as_dot(graph) if form == "dot" else graphs.as_mermaid(graph)).encode()
    return Reply(200, body, GRAPH_TYPES[form])
