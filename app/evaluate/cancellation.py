"""One request's work: when it has to end, and the end of it when nobody waits for it any more."""

from __future__ import annotations

from collections.abc import Callable
from contextvars import ContextVar
from time import monotonic
from typing import TypeVar

from app.errors import ClientGone
from app.limits import Limits, over_budget
from engine import errors, modes

Result = TypeVar("Result")


class Cancellation:
    """Ends the work that runs under it, between two of its steps. A signal handler may cancel, also beforehand.

    ``deadline`` (of ``time.monotonic()``) is the end of everything the request does: waiting, attempts, and the work.
    """

    def __init__(self, deadline: float) -> None:
        self.deadline = deadline
        self.is_cancelled = False
        self._budgets: list[modes.Budget] = []

    def cancel(self) -> None:
        """End the work."""
        self.is_cancelled = True
        for budget in self._budgets:
            budget.stop()

    def attach(self, budget: modes.Budget) -> None:
        """Stop ``budget``, which the work asks between its steps, on cancellation, and no later than the deadline."""
        budget.deadline = min(budget.deadline, self.deadline)
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


def deadline_of(limits: Limits) -> float:
    """Return when the request in work here has to end; one that came by no request has its time from now on."""
    cancellation = _current.get()
    return monotonic() + limits.seconds if cancellation is None else cancellation.deadline
