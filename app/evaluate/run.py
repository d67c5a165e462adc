"""Stateless evaluation: a fresh namespace and a fresh engine state, and nothing is kept."""

from __future__ import annotations

from time import perf_counter
from typing import Any

from app.evaluate.execution import Asked, budget_of, carry_out, prepare, program_ahead
from app.limits import Limits, over_budget
from app.program import interpret
from app.wire.arrays import Encoding
from app.wire.messages import RunRequest
from engine import errors, modes

Answer = dict[str, Any]


def evaluate(request: RunRequest, limits: Limits, encoding: Encoding, budget: modes.Budget | None = None) -> Answer:
    """Return the answer to ``request``. Encode it at once: its data may look into tensors.

    ``budget`` is what the run may use, where it is less than the limits allow.
    """
    with fresh(limits, budget):
        return answer_to(request, limits, encoding)


def fresh(limits: Limits, budget: modes.Budget | None = None) -> modes.use:
    """Within it, the engine is as a program finds it that has just started, with what one request may use."""
    return modes.use(modes.State(warnings=[], budget=budget or budget_of(limits)))


def answer_to(request: Asked, limits: Limits, encoding: Encoding) -> Answer:
    """Return the answer to ``request`` under the state in force."""
    started = perf_counter()
    program = program_ahead(request, limits)
    answer = carry_out(request, program, {}, limits, encoding, perf_counter() - started)
    if request.code is None:  # what a list of nodes seldom has is there when it has it
        for name in ("values", "prints", "warnings"):
            if not answer[name]:
                del answer[name]
    return answer


def run_code(text: str, limits: Limits | None = None) -> interpret.Outcome:
    """Run a program by itself: for the command line."""
    limits = limits or Limits()
    try:
        with modes.use(modes.State(budget=budget_of(limits))):
            return interpret.run(prepare(RunRequest(code=text), limits).program, {}, limits=limits)
    except errors.BudgetError as error:
        raise over_budget(error) from None
