"""What is done with sessions. Commands are read to the end before they claim a key or begin a transaction."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import partial
from typing import Any, TypeVar

from app.evaluate.execution import Run, numbered, refuse_batch
from app.operations.operation import Exchange, operation
from app.sessions.directory import Description
from app.sessions.repeating import Again
from app.sessions.session import Session
from app.wire import codec
from app.wire.messages import BackwardRequest, SessionRequest, ZeroGradRequest
from app.wire.reply import Reply

Command = TypeVar("Command")


def change(
    exchange: Exchange, sid: str, read: Callable[[], Command], work: Callable[[Session, int, Command], Reply],
    again: Callable[[Command], Again | None] = lambda _: None, name: str | None = None,
) -> Reply:  # fmt: skip
    """Return the answer to a command.

    ``read`` makes the command of the request, once; ``work`` carries it out, again after a lost race. ``again`` tells
    which commands are the same. ``name`` is the tensor that it is about, if it is about one: then its tag may be the
    condition.
    """
    directory, owner = exchange.directory, exchange.owner
    codec.answer_format(exchange.request.accept)  # nothing runs for an answer that could not be written
    try:
        request = read()
    except Exception:
        directory.find(owner, sid)  # that there is none comes first
        raise

    wanted, tags = exchange.precondition, exchange.request.tags if name is not None else frozenset()

    def command(session: Session, version: int) -> Reply:
        if tags and name is not None:
            session.check_tag(name, tags, version - 1, wanted.versions)
        return work(session, version, request)

    condition = replace(wanted, versions=None) if tags else wanted
    repeated = again(request)
    carry_out = partial(directory.command, owner, sid, command, condition, repeated)
    if repeated is not None and not repeated.inputs and wanted.key is None:
        exchange.again = carry_out
    return carry_out()


def show(exchange: Exchange, sid: str, work: Callable[[Session, Description], Reply]) -> Reply:
    """Return the answer to a question about a session."""
    return exchange.directory.read(exchange.owner, sid, work)


def _opened(exchange: Exchange) -> Callable[[Description], Reply]:
    """Writes the answer to who opened a session."""

    def write(made: Description) -> Reply:
        return exchange.reply(made, 201, made["version"], Location=f"/v1/sessions/{made['id']}")

    return write


@operation
def create_session(exchange: Exchange) -> Reply:
    """Open an empty session."""
    codec.answer_format(exchange.request.accept)
    request = exchange.parse(SessionRequest)
    return exchange.directory.create(
        exchange.owner, request.ttl_seconds, _opened(exchange), exchange.precondition.key
    )  # fmt: skip


@operation
def list_sessions(exchange: Exchange, size: int, cursor: str | None) -> Reply:
    """Return one page of the owner's sessions."""
    sessions, following = exchange.directory.page(exchange.owner, cursor, size)
    return exchange.reply({"sessions": sessions, "next": following})


@operation
def import_session(exchange: Exchange, ttl_seconds: float | None) -> Reply:
    """Open a session from an exported one."""
    codec.answer_format(exchange.request.accept)
    live = exchange.directory.imported(exchange.owner, exchange.document(), ttl_seconds)
    return exchange.directory.restore(live, _opened(exchange), exchange.precondition.key)


@operation
def export_session(exchange: Exchange, sid: str) -> Reply:
    """Return a session as a document."""
    form = codec.answer_format(exchange.request.accept, (codec.MSGPACK,))
    return Reply(200, exchange.directory.export(exchange.owner, sid), form.value)


@operation
def get_session(exchange: Exchange, sid: str) -> Reply:
    """Return the session and the names in it."""

    def work(session: Session, found: Description) -> Reply:
        return exchange.reply({**found, "tensors": session.tensors()}, 200, found["version"])

    return show(exchange, sid, work)


@operation
def delete_session(exchange: Exchange, sid: str) -> Reply:
    """Drop a session."""
    return exchange.directory.remove(exchange.owner, sid, exchange.precondition, Reply(204))


@operation
def run_in_session(exchange: Exchange, sid: str) -> Reply:
    """Run nodes or code in a session."""

    def work(session: Session, version: int, run: Run) -> Reply:
        if run.request.runs is not None:
            return exchange.reply({**_several(exchange, session, run), "version": version}, tag=version)
        return session.reply(run, exchange.data_encoding(run.request.encoding), exchange.answer_format, version)

    def read() -> Run:
        run = exchange.run()
        refuse_batch(run.request)
        return run

    def again(run: Run) -> Again | None:
        return Again.of(run, exchange.data_encoding(run.request.encoding), exchange.answer_format)

    return change(exchange, sid, read, work, again)


def _one(exchange: Exchange, session: Session, run: Run) -> dict[str, Any]:
    return session.run(run, exchange.data_encoding(run.request.encoding))


def _several(exchange: Exchange, session: Session, run: Run) -> dict[str, Any]:
    """Carry out several runs; each answer is written at once, for the next may change what it looks into."""
    form, answers = exchange.answer_format, []
    for number, part in enumerate(run.parts):
        with numbered(number):
            answers.append(codec.written(codec.encode(_one(exchange, session, part), form), form))
    return {"outputs": {}, "grads": {}, "runs": answers}


@operation
def backward_in_session(exchange: Exchange, sid: str) -> Reply:
    """Sweep backward from a tensor of a session."""

    def work(session: Session, version: int, request: BackwardRequest) -> Reply:
        result = session.backward(request, exchange.data_encoding(request.encoding))
        return exchange.reply({**result, "version": version}, tag=version)

    return change(exchange, sid, lambda: exchange.parse(BackwardRequest), work)


@operation
def zero_grad_in_session(exchange: Exchange, sid: str) -> Reply:
    """Reset gradients of a session."""

    def work(session: Session, version: int, request: ZeroGradRequest) -> Reply:
        return exchange.reply({**session.zero_grad(request), "version": version}, tag=version)

    return change(exchange, sid, lambda: exchange.parse(ZeroGradRequest), work)


@operation
def sweep_store(exchange: Exchange) -> Reply:
    """Drop what has expired: a chore of the service."""
    exchange.directory.sweep()
    return Reply(204)
