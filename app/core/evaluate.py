"""Stateless evaluation: a fresh namespace and a fresh engine state, and nothing is kept."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from app.core import interpret
from app.core.execution import budget_of, execute, fresh_state
from app.core.limits import Limits
from app.wire.arrays import Encoding
from app.wire.code import parse_code
from app.wire.messages import RunRequest
from engine import modes

Answer = dict[str, Any]
Run = Callable[[RunRequest], Answer]


def evaluate(request: RunRequest, limits: Limits, encoding: Encoding) -> Answer:
    """The answer to ``request``. Encode it at once: its data may look into tensors."""
    return evaluate_into(request, limits, encoding, lambda request, run: run(request))


def evaluate_into(
    request: RunRequest, limits: Limits, encoding: Encoding, around: Callable[[RunRequest, Run], Answer]
) -> Answer:
    """The answer to ``request``, by a run that ``around`` starts and may watch."""
    state = fresh_state()
    state.warnings, state.budget = [], budget_of(limits)
    with modes.use(state):
        answer = around(request, lambda request: execute(request, {}, limits, encoding))
    if request.code is None:  # what a list of nodes seldom has is there when it has it
        for name in ("values", "prints", "warnings"):
            if not answer[name]:
                del answer[name]
    return answer


def run_code(text: str, limits: Limits | None = None) -> interpret.Outcome:
    """Run a program by itself: for the command line."""
    limits = limits or Limits()
    state = fresh_state()
    state.budget = budget_of(limits)
    with modes.use(state):
        return interpret.run(parse_code(text, limits), {}, limits=limits)
