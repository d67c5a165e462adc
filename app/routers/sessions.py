"""Sessions: durable namespaces of tensors with their autograd graph."""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated, Any, TypeVar

from fastapi import APIRouter, Path, Query, Response

from app.evaluate.execution import Run, prepare
from app.http.dependencies import ChangeDep, Exchange, ReadDep
from app.routers.declaration import CHANGING, ENDING, OPENING, READING, answer, problems, request_body
from app.sessions.directory import Description
from app.sessions.session import Session
from app.wire import codec
from app.wire.messages import BackwardRequest, RunRequest, SessionRequest, ZeroGradRequest
from app.wire.reply import Reply

Request = TypeVar("Request")
router = APIRouter(tags=["sessions"])
DOCUMENT: dict[str, Any] = {codec.MSGPACK.value: {"schema": {"type": "string", "format": "binary"}}}
DOCUMENT_BODY: dict[str, Any] = {"requestBody": {"required": True, "content": DOCUMENT}}
SessionId = Annotated[str, Path(description="Id of the session.", max_length=64)]


def opening(exchange: Exchange) -> Callable[[Description], Reply]:
    """Writes the answer to who opened a session."""

    def write(made: Description) -> Reply:
        return exchange.reply(made, 201, made["version"], Location=f"/v1/sessions/{made['id']}")

    return write


async def change(
    exchange: Exchange, sid: str, read: Callable[[], Request], work: Callable[[Session, int, Request], Reply]
) -> Response:
    """Return the answer to a command; commands on one session run one after another.

    ``read`` makes the command of the request, once; ``work`` carries it out, again after a lost race.
    """
    directory, owner = exchange.services.directory, exchange.owner
    try:
        request = await exchange.prepare(read)
    except Exception:
        await exchange.services.workers.run(lambda: directory.find(owner, sid))  # that there is none comes first
        raise

    def command(session: Session, version: int) -> Reply:
        return work(session, version, request)

    return await exchange.compute(lambda: directory.command(owner, sid, command, exchange.precondition), turn=sid)


async def show(exchange: Exchange, sid: str, work: Callable[[Session, Description], Reply]) -> Response:
    """Return the answer to a question about a session."""
    return await exchange.compute(lambda: exchange.services.directory.read(exchange.owner, sid, work), turn=sid)


@router.post(
    "/v1/sessions",
    operation_id="createSession",
    summary="Open a session",
    status_code=201,
    responses={**answer("SessionHead", 201), **problems(*OPENING)},
    openapi_extra=request_body("SessionRequest", required=False),
)
async def create_session(exchange: ChangeDep) -> Response:
    """An empty namespace with an engine state of its own: grad mode, default dtype, print options, random numbers."""
    directory, owner = exchange.services.directory, exchange.owner
    request = await exchange.prepare(lambda: exchange.parse(SessionRequest))

    def work() -> Reply:
        return directory.create(owner, request.ttl_seconds, opening(exchange), exchange.precondition.key)

    return await exchange.compute(work, turn=f"sessions of {owner}")


@router.get(
    "/v1/sessions",
    operation_id="listSessions",
    summary="List your sessions",
    responses={**answer("SessionPage"), **problems("invalid-request")},
)
async def list_sessions(
    exchange: ReadDep,
    limit: Annotated[int, Query(ge=1, description="Entries of this page; the service may give fewer.")] = 50,
    cursor: Annotated[str | None, Query(description="`next` of the page before.", max_length=128)] = None,
) -> Response:
    """Oldest first."""

    def work() -> Reply:
        size = min(limit, exchange.limits.page_size)
        sessions, following = exchange.services.directory.page(exchange.owner, cursor, size)
        return exchange.reply({"sessions": sessions, "next": following})

    return await exchange.compute(work)


@router.post(
    "/v1/sessions/import",
    operation_id="importSession",
    summary="Open a session from an exported one",
    status_code=201,
    responses={**answer("SessionHead", 201), **problems(*OPENING)},
    openapi_extra=DOCUMENT_BODY,
)
async def import_session(
    exchange: ChangeDep,
    ttl_seconds: Annotated[float | None, Query(gt=0, description="Life after the last use; else as exported.")] = None,
) -> Response:
    """A new session of yours with a new id, with everything that the exported one had."""
    directory, owner = exchange.services.directory, exchange.owner
    live = await exchange.services.workers.run(lambda: directory.imported(owner, exchange.document(), ttl_seconds))

    def work() -> Reply:
        return directory.restore(live, opening(exchange), exchange.precondition.key)

    return await exchange.compute(work, turn=f"sessions of {owner}")


@router.get(
    "/v1/sessions/{sid}/export",
    operation_id="exportSession",
    summary="Export a session",
    responses={200: {"description": "OK", "content": DOCUMENT}, **problems(*READING)},
)
async def export_session(exchange: ReadDep, sid: SessionId) -> Response:
    """Names, tensors and graph as one msgpack document, which any gradserve of this version or a later one imports."""
    form = codec.answer_format(exchange.accept, (codec.MSGPACK,))
    directory, owner = exchange.services.directory, exchange.owner
    return await exchange.compute(lambda: Reply(200, directory.export(owner, sid), form.value), turn=sid)


@router.get(
    "/v1/sessions/{sid}",
    operation_id="getSession",
    summary="Read a session",
    responses={**answer("SessionAnswer"), **problems(*READING)},
)
async def get_session(exchange: ReadDep, sid: SessionId) -> Response:
    """The session and the names in it."""

    def work(session: Session, found: Description) -> Reply:
        return exchange.reply({**found, "tensors": session.tensors()}, 200, found["version"])

    return await show(exchange, sid, work)


@router.delete(
    "/v1/sessions/{sid}",
    operation_id="deleteSession",
    summary="Close a session",
    status_code=204,
    responses=problems(*ENDING),
)
async def delete_session(exchange: ChangeDep, sid: SessionId) -> Response:
    """Drops the session with all its tensors."""
    directory, owner = exchange.services.directory, exchange.owner
    return await exchange.compute(lambda: directory.remove(owner, sid, exchange.precondition, Reply(204)), turn=sid)


@router.post(
    "/v1/sessions/{sid}/run",
    operation_id="runInSession",
    summary="Run a graph in a session",
    responses={**answer("RunAnswer"), **problems(*CHANGING)},
    openapi_extra=request_body("RunRequest"),
)
async def run_in_session(exchange: ChangeDep, sid: SessionId) -> Response:
    """Names persist. A run is atomic: when anything in it fails, the session is as it was before."""

    def read() -> Run:
        return prepare(exchange.parse(RunRequest), exchange.limits)

    def work(session: Session, version: int, run: Run) -> Reply:
        result = session.run(run, exchange.data_encoding(run.request.encoding))
        return exchange.reply({**result, "version": version}, version=version)

    return await change(exchange, sid, read, work)


@router.post(
    "/v1/sessions/{sid}/backward",
    operation_id="backwardInSession",
    summary="Sweep backward from a tensor",
    responses={**answer("BackwardAnswer"), **problems(*CHANGING)},
    openapi_extra=request_body("BackwardRequest"),
)
async def backward_in_session(exchange: ChangeDep, sid: SessionId) -> Response:
    """Gradients accumulate into the leaves, as `tensor.backward(gradient)` does."""

    def work(session: Session, version: int, request: BackwardRequest) -> Reply:
        result = session.backward(request, exchange.data_encoding(request.encoding))
        return exchange.reply({**result, "version": version}, version=version)

    return await change(exchange, sid, lambda: exchange.parse(BackwardRequest), work)


@router.post(
    "/v1/sessions/{sid}/zero_grad",
    operation_id="zeroGradInSession",
    summary="Reset gradients",
    responses={**answer("ZeroGradAnswer"), **problems(*CHANGING)},
    openapi_extra=request_body("ZeroGradRequest", required=False),
)
async def zero_grad_in_session(exchange: ChangeDep, sid: SessionId) -> Response:
    """Of the named tensors, or of all."""

    def work(session: Session, version: int, request: ZeroGradRequest) -> Reply:
        return exchange.reply({**session.zero_grad(request), "version": version}, version=version)

    return await change(exchange, sid, lambda: exchange.parse(ZeroGradRequest), work)
