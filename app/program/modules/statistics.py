"""``statistics``: Python's own, over data held in a list; it reckons with exact fractions."""

from __future__ import annotations

import statistics
from typing import Any, Final

from app.program.builtins import exception_type
from app.program.costs import ITEM_BYTES, OBJECT_BYTES, Cost, weight
from app.program.modules.calls import Priced, routines

_STEPS_OF_A_FRACTION: Final = 20


def _summed(*values: Any, n: Any = 0, **named: Any) -> Cost:
    """To go over the data with fractions; long integers meet each other digit by digit."""
    data = [one for one in (*values, *named.values()) if isinstance(one, (list, tuple, dict))]
    count = sum(map(len, data))
    digits = sum(map(weight, data)) - count
    parts = n if isinstance(n, int) and n > 0 else 0
    return Cost(
        1 + _STEPS_OF_A_FRACTION * (count + parts) + digits * (1 + digits // max(count, 1)),
        (ITEM_BYTES + OBJECT_BYTES) * (count + parts), items=parts,
    )  # fmt: skip


def _one(name: str) -> Priced:
    return getattr(statistics, name), _summed, 0


def _two(name: str) -> Priced:
    return getattr(statistics, name), _summed, 0, 1


STATISTICS: Final[dict[str, Any]] = routines({
    name: _one(name)
    for name in (
        "geometric_mean", "mean", "median", "median_grouped", "median_high", "median_low", "mode", "multimode",
        "pstdev", "pvariance", "quantiles", "stdev", "variance",
    )
} | {name: _two(name) for name in ("correlation", "covariance", "fmean", "harmonic_mean", "linear_regression")}) | {
    "StatisticsError": exception_type(statistics.StatisticsError, "statistics.StatisticsError")
}  # fmt: skip
