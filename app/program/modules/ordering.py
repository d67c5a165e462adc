"""``heapq`` and ``bisect``: lists in an order, by Python's own comparisons."""

from __future__ import annotations

import bisect
import heapq
from collections.abc import Callable
from typing import Any, Final

from app.program import costs
from app.program.builtins import Routine
from app.program.costs import Cost, length
from app.program.modules.calls import held, priced, routines, touch


def _few(*values: Any, **_: Any) -> Cost:
    """As many comparisons as the length has digits."""
    return Cost(1 + 2 * length(values[0]).bit_length() if values else 1, 0)


def _all(*values: Any, **_: Any) -> Cost:
    return Cost(1 + 2 * length(values[0]) if values else 1, 0)


def _chosen(n: Any = 0, iterable: Any = (), *_: Any, **__: Any) -> Cost:
    return costs.ordered(iterable)


def _changing(name: str, function: Callable[..., Any], cost: costs.CostOf) -> Routine:
    call = priced(function, cost)

    def change(*args: Any, **kwargs: Any) -> Any:
        touch(*args[:1])
        return call(*args, **kwargs)

    return Routine(name, change)


def _merged(*iterables: Any, key: Any = None, reverse: Any = False) -> Any:
    call = priced(lambda *lists: iter(list(heapq.merge(*lists, key=key, reverse=reverse))), costs.chosen)
    return call(*map(held, iterables))


HEAPQ: Final[dict[str, Any]] = {
    name: _changing(name, getattr(heapq, name), cost)
    for name, cost in (
        ("heapify", _all), ("heappop", _few), ("heappush", costs.grown), ("heappushpop", _few), ("heapreplace", _few),
    )
} | routines({name: (getattr(heapq, name), _chosen, 1) for name in ("nlargest", "nsmallest")}) | {
    "merge": Routine("merge", _merged),
}  # fmt: skip
BISECT: Final[dict[str, Any]] = routines({
    name: (getattr(bisect, name), _few) for name in ("bisect", "bisect_left", "bisect_right")
}) | {
    name: _changing(name, getattr(bisect, name), costs.moved) for name in ("insort", "insort_left", "insort_right")
}  # fmt: skip
