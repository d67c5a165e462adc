"""Makes a program that shows a difference shorter, as long as it shows the same kind of difference."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from tests.parity.program import Program

Shows = Callable[[Program], bool]


def shrink(program: Program, shows: Shows) -> Program:
    """Leave out statements, and modes around them, until none can go without the difference."""
    candidates = _shorter(program)
    while (candidate := next(candidates, None)) is not None:
        if shows(candidate):
            program = candidate
            candidates = _shorter(program)
    return program


def _shorter(program: Program) -> Iterator[Program]:
    for position in reversed(range(len(program.statements))):
        yield program.without(position)
    for position, statement in enumerate(program.statements):
        if statement.startswith("with "):
            yield program.replaced(position, statement.partition(": ")[2])
