"""Blocks of statements as closures. Which closure a statement becomes is entered by the modules that know it.

Each gives a signal: ``None``, ``BREAK``, ``CONTINUE``, or a tuple with what is returned.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

from app.program import tree
from app.program.compiling.environment import Environment
from app.program.failures import locate
from app.program.functions import Frame, Signal
from app.program.tree import Place, Statement

Executor = Callable[[Frame], Signal]
BREAK: Final = "break"
CONTINUE: Final = "continue"
STATEMENTS: Final[dict[type, Callable[[Environment, Any], Executor]]] = {}


def statement(env: Environment, node: Statement) -> Executor:
    """Compile one statement."""
    return STATEMENTS[type(node)](env, node)


def block(env: Environment, statements: tuple[Statement, ...]) -> Executor:
    """Compile statements, one after another."""
    return in_order([
        statement(env, one) for one in statements if not (isinstance(one, tree.Jump) and one.kind == "pass")
    ])  # fmt: skip


def in_order(steps: list[Executor]) -> Executor:
    """Statements, one after another."""
    if not steps:
        return lambda frame: None
    if len(steps) == 1:
        return steps[0]
    if len(steps) == 2:
        first, second = steps

        def both(frame: Frame) -> Signal:
            signal = first(frame)
            return second(frame) if signal is None else signal

        return both

    def run(frame: Frame) -> Signal:
        for step in steps:
            signal = step(frame)
            if signal is not None:
                return signal
        return None

    return run


def located(step: Callable[[Frame], Any], place: Place) -> Executor:
    """``step``, whose errors know where they were raised; it gives no signal."""

    def run(frame: Frame) -> None:
        try:
            step(frame)
        except Exception as error:
            locate(error, place)
            raise

    return run
