"""Sessions without HTTP: programs run in directories over stores, and what a session is, as bytes to compare."""

from __future__ import annotations

import ast
from typing import Any

from app.evaluate.execution import prepare
from app.limits import Limits
from app.sessions.directory import Directory, Precondition
from app.sessions.live import Live
from app.sessions.program_kinds import kinds
from app.sessions.session import Session
from app.stores.base import Head, SessionStore
from app.wire.messages import RunRequest
from app.wire.reply import Reply

LIMITS = Limits()
KINDS = kinds(LIMITS)
OWNER = "owner"


def directory_over(store: SessionStore, limits: Limits = LIMITS, cache_bytes: int = 2**28) -> Directory:
    """A directory as a process has one: with a cache of its own."""
    return Directory(store, limits, cache_bytes)


def opened(directory: Directory) -> str:
    """The id of a new session."""
    return directory.create(OWNER, None, lambda made: Reply(201, made["id"].encode())).body.decode()


def run_code(directory: Directory, sid: str, code: str, precondition: Precondition | None = None) -> list[str]:
    """Run a program in a session; what it prints."""
    return run_warned(directory, sid, code, precondition)[0]


def run_warned(
    directory: Directory, sid: str, code: str, precondition: Precondition | None = None
) -> tuple[list[str], list[str]]:
    """Run a program in a session; what it prints, and its warnings."""
    result: dict[str, Any] = {}

    def change(session: Session, version: int) -> Reply:
        result.update(session.run(prepare(RunRequest(code=code, outputs=[]), LIMITS), "json"))
        return Reply(200, str(version).encode())

    directory.command(OWNER, sid, change, precondition or Precondition())
    return result["prints"], result["warnings"]


def fresh(names: dict[str, Any] | None = None) -> Live:
    """A session that no store knows."""
    return Live(Head("id", OWNER, 0, 0.0, 0.0, 1.0), KINDS, names or {})


def picture(live: Live) -> bytes:
    """All that a session is, numbered in the order in which it is found."""
    return Live(live.head, KINDS, live.names, live.state).export()


def picture_in(directory: Directory, sid: str) -> bytes:
    """All that a session is where this directory sees it."""
    live = directory._current(OWNER, sid)
    directory.cache.put(live)
    return picture(live)


def statements_of(code: str) -> list[str]:
    """The outermost statements of a program, each on the lines on which it stands in the whole."""
    lines = code.splitlines(keepends=True)
    try:
        body = ast.parse(code).body
    except SyntaxError:  # whoever runs it says what is wrong
        return [code]
    spans = [(_first_line(statement) - 1, statement.end_lineno) for statement in body]
    return ["\n" * start + "".join(lines[start:end]) for start, end in spans]


def _first_line(statement: ast.stmt) -> int:
    """Where a statement begins: with its decorators."""
    first: int = min([statement.lineno, *(one.lineno for one in getattr(statement, "decorator_list", ()))])
    return first
