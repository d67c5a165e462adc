"""Runs a program over a namespace: compiles it, once for a text, and says what is left of it, or what it ended in.

Values are the engine's and Python's own; expressions raise what PyTorch and Python raise, and the innermost statement
of the program that they stand in turns that into a ``ProgramError`` with its place.
"""

from __future__ import annotations

import sys
from collections import OrderedDict
from collections.abc import Callable, Sequence
from contextlib import nullcontext
from dataclasses import dataclass
from typing import Any, Final, NoReturn

from app.limits import Limits, OverLimit
from app.program import libraries as libraries
from app.program import names, pytorch, runtime
from app.program import node_functions as node_functions
from app.program.autograd import trace
from app.program.classes import ProgramClass
from app.program.compiling import calling as calling
from app.program.compiling import comprehensions as comprehensions
from app.program.compiling import definitions as definitions
from app.program.compiling import imports as imports
from app.program.compiling import matching as matching
from app.program.compiling import nodes
from app.program.compiling import statements as statements
from app.program.compiling.blocks import block
from app.program.compiling.environment import Environment
from app.program.failures import PythonError, caught, locate
from app.program.from_nodes import check_references, parse_nodes
from app.program.functions import UNBOUND, BoundMethod, Frame, Function, Source
from app.program.instances import Instance
from app.program.modules import surroundings
from app.program.operations import type_name
from app.program.runtime import Run
from app.program.stack import roomily
from app.program.tree import AbsentError, GraphError, Place, Program, ProgramError, Statement, quoted
from app.wire.plain import Node
from engine import Tensor, errors, modes

Scope = dict[str, Any]
FRAMES: Final = 12_000  # of Python, within each other: those of programs' calls are counted by themselves
KEPT: Final = 64  # programs whose closures are kept
KEPT_CHARACTERS, KEPT_OF_ONE = 2**16, 2**13  # of their texts together and of one: some take 700 bytes for each


@dataclass(slots=True)  # not frozen: that takes three times as long to make
class Outcome:
    """What a run leaves beside its namespace: a text per print, the names bound in order, and the last one bound."""

    prints: list[str]
    named: list[str]
    last: str | None
    unended: Sequence[int] = ()  # the prints that no newline followed


def check(program: Program, namespace: Scope) -> None:
    """Raise ``GraphError`` for references and ops of a nodes program that do not exist."""
    check_references(program, namespace)
    for op, place in program.ops:
        if names.find_op(op) is None and op.partition(".")[0] not in namespace:
            try:
                pytorch.refuse_op(op)
            except GraphError as error:
                locate(error, place)
                raise
            unknown = GraphError(f"unknown op {quoted(op)}", node_id=place.node_id, node_index=place.node_index)
            unknown.op = op
            raise unknown


class Compiled_:
    """A program as closures."""

    __slots__ = ("blank", "source", "steps")

    def __init__(self, program: Program) -> None:
        self.source = Source(program.text)
        env = Environment("module", self.source)
        self.steps: list[tuple[Callable[[Frame], Any], Place]] = [
            (block(env, (statement,)), statement.place) for statement in program.statements
        ]
        self.blank = [UNBOUND] * (env.size - 1)


_COMPILED: Final[OrderedDict[str, Compiled_]] = OrderedDict()


def compiled(program: Program) -> Compiled_:
    """A program as closures; those of texts that came before are kept."""
    found = _COMPILED.get(program.text)
    if found is not None:
        _COMPILED.move_to_end(program.text)
        return found
    made = Compiled_(program)
    if len(program.text) <= KEPT_OF_ONE:
        _COMPILED[program.text] = made
        while len(_COMPILED) > KEPT or sum(map(len, _COMPILED)) > KEPT_CHARACTERS:
            _COMPILED.popitem(last=False)
    return made


def run(program: Program, namespace: Scope, *, limits: Limits) -> Outcome:
    """Run ``program`` over ``namespace``, which it changes.

    Raises ``GraphError`` where the program is outside the language and ``ProgramError`` where PyTorch would raise;
    limits (``OverLimit``, ``BudgetError``) pass through.
    """
    check(program, namespace)
    if sys.getrecursionlimit() < FRAMES:
        sys.setrecursionlimit(FRAMES)
    started = Run(namespace, limits)
    modes.current().trace = trace
    with runtime.within(started):
        try:
            with surroundings.in_force() if _is_surrounded(program, namespace) else nullcontext():
                if program.spelling == "nodes":
                    _perform_nodes(program.statements, started)
                else:
                    _perform(program, started)
            started.settle()
        finally:
            _end_watch(started)
    return Outcome(started.prints, list(started.named), started.last, started.unended)


def run_plain(raw: list[Node], namespace: Scope, *, limits: Limits) -> Outcome:
    """Run nodes that nobody has looked at yet, one by one as they are.

    Most are plain, and come once: reading them first takes longer than carrying them out. At the first that is not, or
    that fails, all are read, and the rest is carried out, or refused, as ``run`` does it.
    """
    known = namespace.copy()
    if sys.getrecursionlimit() < FRAMES:
        sys.setrecursionlimit(FRAMES)
    started, done = Run(namespace, limits), 0
    modes.current().trace = trace
    with runtime.within(started):
        try:
            if len(raw) <= limits.nodes:
                for node in raw:
                    if not nodes.perform_plain(started, node):
                        break
                    done += 1
        except BaseException as error:
            _end(error, _read(raw, known, limits)[done].place, started)
        if done < len(raw):
            _perform_nodes(_read(raw, known, limits)[done:], started)
    return Outcome(started.prints, list(started.named), started.last, started.unended)


def _read(raw: list[Node], known: Scope, limits: Limits) -> tuple[Statement, ...]:
    """Read nodes that run over ``known``. Raises what is wrong with any of them."""
    program = parse_nodes(raw, limits)
    check(program, known)
    return program.statements


def _end_watch(started: Run) -> None:
    """Let nobody watch any more."""
    if started.watch is not None:
        state = modes.current()
        state.journal = state.origin.journal = None


def _is_surrounded(program: Program, namespace: Scope) -> bool:
    """Whether a program may come upon settings and warnings of NumPy's, which take long to put into force.

    It may by a module that it names, and by whatever is there already and no plain value: a module, what holds one.
    """
    state, text = modes.current(), program.text
    if program.spelling == "code" and ("numpy" in text or "warning" in text or state.warnings is None):
        return True
    return bool(state.modules) or any(type(one) not in _PLAIN for one in namespace.values())


_PLAIN: Final = frozenset({Tensor, int, float, complex, bool, str, type(None)})


def _calls_functions(program: Program, namespace: Scope) -> bool:
    """Whether functions of programs may be called, in others of them."""
    return "def " in program.text or any(type(one) in _WITH_FUNCTIONS for one in namespace.values())


_WITH_FUNCTIONS: Final = frozenset({Function, BoundMethod, ProgramClass, Instance})


def _perform(program: Program, started: Run) -> None:
    if _calls_functions(program, started.namespace):
        roomily(lambda: _perform_code(compiled(program), started))
    else:
        _perform_code(compiled(program), started)


def _perform_code(program: Compiled_, started: Run) -> None:
    frame = [started, *program.blank]
    for step, place in program.steps:
        try:
            if started.budget is not None:
                started.budget.spend(0)
            step(frame)
        except BaseException as error:
            _end(error, place, started)


def _perform_nodes(statements: Sequence[Statement], started: Run) -> None:
    for statement in statements:
        try:
            if started.budget is not None:
                started.budget.spend(0)
            nodes.perform(started, statement)
        except BaseException as error:
            _end(error, statement.place, started)


def _end(error: BaseException, place: Place, started: Run) -> NoReturn:
    """Raise what one of the outermost statements ended in, as the client is to see it."""
    if isinstance(error, errors.BudgetError):
        error.place = error.place or place
        raise error
    if isinstance(error, (OverLimit, GraphError)):
        locate(error, place)
        raise error
    refusal = None if isinstance(error, MemoryError) else as_refusal(error, place, started)
    if refusal is None:
        raise error
    raise refusal from error


def as_refusal(error: BaseException, place: Place, started: Run) -> ProgramError | None:
    """What an exception that nobody caught is for the client; ``None`` for faults of ours."""
    found = caught(error)
    if found is None:
        return None
    is_engines = isinstance(error, errors.EngineError) and not isinstance(error, PythonError)
    kind = error.exception if is_engines else type_name(found)  # type: ignore[attr-defined]
    try:
        detail = str(found)
    except Exception as second:  # a program's own text of it failed in turn
        if caught(second) is None:
            raise
        detail = "<exception str() failed>"
    hint: str | None = getattr(found, "hint", None)
    refusal = (AbsentError if hint else ProgramError)(kind, detail, found.place or place, started.prints, found.op)
    refusal.hint = hint
    refusal.unended = started.unended
    return refusal


__all__ = ["Outcome", "PythonError", "as_refusal", "check", "run", "run_plain"]
