"""What a call is going to take: asked of the budget before operands are cast and the kernel runs.

The declaration says it (``traits.Costs``); what it leaves open follows from the shapes and dtypes of the operands.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import wraps
from math import prod
from typing import Any

import numpy as np

from engine.dtypes import DType
from engine.modes import Budget
from engine.op.dispatch import NATIVE, extent
from engine.op.rules import AskedByName
from engine.shapes import extents

Arrays = Sequence[np.ndarray[Any, Any]]
TOO_MUCH = 2**200  # more than any budget has, and far from the largest float
WIDEST = 8  # bytes of an element that is cast, or counted into an integer


class Forecast:
    """The questions that calls of one op ask: ``None`` where its declaration leaves them open."""

    def __init__(self, op: Any) -> None:
        costs = op.costs
        self.name = op.name
        self.is_pointwise = op.nature.pointwise
        self.is_view, self.is_product = op.nature.view, costs.is_product
        self.grows = _asked(costs.grows) or _kept(op)
        self._is_told = costs.grows is None or not _asked(costs.grows).names  # type: ignore[union-attr]
        self.scratch = _asked(costs.scratch) if callable(costs.scratch) else None
        self.factor = 1.5 if callable(costs.scratch) else costs.scratch
        self.work = _asked(costs.work)

    @property
    def is_open(self) -> bool:
        """Whether sizes of operands say it all, so that nothing need be asked where they are small."""
        return self.is_product or (self._is_told and self.scratch is None and self.work is None)

    def ask(
        self, budget: Budget, arrays: Arrays, grows: int | None = None, scratch: float | None = None,
        work: float = 0.0, dtype: DType | None = None,
    ) -> None:  # fmt: skip
        """Ask ``budget`` for a call with these operands; the rest is what the declaration's functions say of it."""
        elements = None if grows is None else int(grows)  # NumPy's integers overflow
        if self.is_view:
            budget.reserve(elements or 0, 0, work, self.name)
            return
        if elements is None and self.is_pointwise:
            elements = extent(arrays)
        if scratch is None:
            measure = _size if self._is_told and self.grows is not None else extents  # a reduction's is known
            others = 0 if self.is_pointwise and elements else sum(map(measure, arrays))
            scratch = self.factor * max(elements or 0, others)
        widths = [_width(array.dtype) for array in arrays]
        if dtype is not None:
            widths.append(dtype.itemsize)
        width = max(widths, default=WIDEST)
        budget.reserve(elements or 0, int(scratch * width), work, self.name)


def _size(array: np.ndarray[Any, Any]) -> int:
    return array.size


def _kept(op: Any) -> AskedByName | None:
    """How many elements a reduction leaves, which its dimensions say."""
    names = [param.name for param in op.tensors]
    if names != ["input"] or not {"dim", "keepdim"} <= op.static_names:
        return None

    def kept(input: np.ndarray[Any, Any], dim: Any) -> int:
        dims = range(input.ndim) if dim is None else (dim,) if isinstance(dim, int) else dim
        return prod(extent for axis, extent in enumerate(input.shape) if axis not in dims)

    return AskedByName(kept)


def _width(dtype: np.dtype[Any]) -> int:
    """Bytes of an element on its way through a kernel: integers are counted and cast, 16-bit floats are cast."""
    return dtype.itemsize if dtype.kind in "fc" and dtype in NATIVE else WIDEST


def _asked(function: Callable[..., Any] | None) -> AskedByName | None:
    return None if function is None else AskedByName(_finite(function))


def _finite(function: Callable[..., Any]) -> Callable[..., Any]:
    """A function of costs that has an answer also where numbers of arguments are too large for its arithmetic."""

    @wraps(function)
    def cost(*args: Any) -> Any:
        try:
            return function(*args)
        except OverflowError:
            return TOO_MUCH

    return cost
