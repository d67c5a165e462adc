"""Word to work in progress that nobody waits for it any more."""

from __future__ import annotations

from collections.abc import Callable
from contextvars import ContextVar
from typing import TypeVar

from app.errors import ClientGone
from app.limits import over_budget
from engine import errors, modes

Result = TypeVar("Result")


class Stop:
    """Ends the work that runs under it, between two of its steps. It may be told from any thread, also beforehand."""

    def __init__(self) -> None:
        self.is_told = False
        self._budgets: list[modes.Budget] = []

    def tell(self) -> None:
        """End the work."""
        self.is_told = True
        for budget in self._budgets:
            budget.stop()

    def watch(self, budget: modes.Budget) -> None:
        """The work asks ``budget`` between its steps."""
        self._budgets.append(budget)
        if self.is_told:  # after the budget is in the list: whoever comes second, tells it
            budget.stop()

    def under(self, work: Callable[[], Result]) -> Result:
        """What ``work`` makes. Raises ``ClientGone`` where it was stopped."""
        if self.is_told:
            raise ClientGone
        token = _current.set(self)
        try:
            return work()
        except errors.BudgetError as error:
            raise (ClientGone() if self.is_told else over_budget(error)) from None
        finally:
            _current.reset(token)


_current: ContextVar[Stop | None] = ContextVar("gradserve_stop", default=None)


def watch(budget: modes.Budget) -> modes.Budget:
    """``budget``, which the stop in force here now ends."""
    stop = _current.get()
    if stop is not None:
        stop.watch(budget)
    return budget
