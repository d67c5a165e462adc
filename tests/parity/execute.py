"""Runs a program on PyTorch or on the engine, statement by statement, and records what can be seen of it.

A program is text. Every statement runs whatever became of those before it: what is refused, and in which state the
refusal leaves everything, is part of the record.
"""

from __future__ import annotations

import re
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from types import CodeType
from typing import Any

from tests.parity.observe import observe, refusal
from tests.parity.program import Program

TRIGGERED = re.compile(r" \(Triggered internally at .*\)$", re.DOTALL)


@dataclass
class Step:
    """What one statement did: its refusal, its warnings, and the names that look different since (``None``: gone)."""

    error: str | None
    warnings: list[str]
    changes: dict[str, Any]


def execute(program: Program, torch: Any) -> list[Step]:
    """One step for every statement. Unless the program is watched, only the last one looks at the values."""
    scope: dict[str, Any] = {"torch": torch, "F": torch.nn.functional}
    given = set(scope)
    last: dict[str, Any] = {}
    steps = []
    for position, code in enumerate(program.compiled()):
        with collected(torch) as texts:
            error = _run(code, scope)
        seen = last
        if program.watched or position == len(program.statements) - 1:
            seen = _look({name: scope[name] for name in scope if name not in given and name[0] != "_"}, torch)
        steps.append(Step(error, sorted(set(texts)), _changes(last, seen)))
        last = seen
    return steps


def _run(code: CodeType, scope: dict[str, Any]) -> str | None:
    try:
        exec(code, scope)
    except Exception as error:  # whatever is raised is what is compared
        return refusal(error)
    return None


def _look(live: dict[str, Any], torch: Any) -> dict[str, Any]:
    names = {id(value): name for name, value in reversed(live.items())}
    with collected(torch):
        return {name: observe(value, torch, names) for name, value in live.items()}


def _changes(before: dict[str, Any], after: dict[str, Any]) -> dict[str, Any]:
    changed = {name: seen for name, seen in after.items() if before.get(name) != seen}
    return changed | {name: None for name in before if name not in after}


@contextmanager
def collected(torch: Any) -> Iterator[list[str]]:
    """The texts of the warnings inside, each as often as it is given."""
    texts: list[str] = []
    with warnings.catch_warnings(record=True) as caught, state(torch, texts):
        warnings.simplefilter("always")
        yield texts
    texts.extend(TRIGGERED.sub("", str(warning.message)) for warning in caught)


@contextmanager
def state(torch: Any, texts: list[str]) -> Iterator[None]:
    """The engine in a state of its own, which collects warnings; PyTorch told to repeat itself."""
    if not hasattr(torch, "modes"):
        torch.set_warn_always(True)
        yield
    else:
        with torch.modes.use(torch.modes.State(warnings=texts)):
            yield
