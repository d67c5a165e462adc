"""Entries of modules, called as a program's run calls them."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import pytest

from app.limits import Allowance, Limits, OverLimit, over_budget
from app.program.modules.importable import MODULES
from engine import errors, modes

if TYPE_CHECKING:
    from collections.abc import Iterator

SMALL = Limits(steps=2 * 10**5, intermediate_bytes=2**24, list_items=10**4)


@contextmanager
def running(limits: Limits | None = None) -> Iterator[modes.State]:
    """A run: nothing but warnings and the budget is kept."""
    limits = limits or Limits()
    with modes.use(modes.State(warnings=[], budget=Allowance(limits))) as state:
        yield state


def entry(path: str) -> Any:
    """What ``module.name`` is; functions as Python may call them."""
    module, _, name = path.rpartition(".")
    found: Any = MODULES[module][name]
    return found


def outcome(function: Any, *args: Any, **kwargs: Any) -> Any:
    """What a call gives, or how it is refused."""
    try:
        return function(*args, **kwargs)
    except Exception as error:
        kind = getattr(error, "kind", type(error))
        return kind.__name__, str(error)


def refused(function: Any, *args: Any, **kwargs: Any) -> str:
    """The limit that a call is over."""
    with pytest.raises((OverLimit, errors.BudgetError)) as caught:
        function(*args, **kwargs)
    error: Any = caught.value
    return (over_budget(error) if isinstance(error, errors.BudgetError) else error).limit
