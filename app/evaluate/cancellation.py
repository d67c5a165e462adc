"""Cancellation of work in progress that nobody waits for any more."""

from __future__ import annotations

from collections.abc import Callable
from contextvars import ContextVar
from typing import TypeVar

from app.errors import ClientGone
from app.limits import over_budget
from engine import errors, modes

Result = TypeVar("Result")


class Cancellation:
    """Ends the work that runs under it, between two of its steps. Any thread may cancel, also beforehand."""

    def __init__(self) -> None:
        self.is_cancelled = False
        self._budgets: list[modes.Budget] = []

    def cancel(self) -> None:
        """End the work."""
        self.is_cancelled = True
        for budget in self._budgets:
            budget.stop()

    def attach(self, budget: modes.Budget) -> None:
        """Stop ``budget``, which the work asks between its steps, on cancellation."""
        self._budgets.append(budget)
        if self.is_cancelled:  # after the budget is in the list: whoever comes second, stops it
            budget.stop()

    def run(self, work: Callable[[], Result]) -> Result:
        """Return what ``work`` makes. Raises ``ClientGone`` where it was cancelled."""
        if self.is_cancelled:
            raise ClientGone
        token = _current.set(self)
        try:
            return work()
        except errors.BudgetError as error:
            raise (ClientGone() if self.is_cancelled else over_budget(error)) from None
        finally:
            _current.reset(token)


_current: ContextVar[Cancellation | None] = ContextVar("gradserve_cancellation", default=None)


def cancellable(budget: modes.Budget) -> modes.Budget:
    """Return ``budget``, which the cancellation in force here now ends."""
    cancellation = _current.get()
    if cancellation is not None:
        cancellation.attach(budget)
    return budget
