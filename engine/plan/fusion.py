"""Which steps run together: elementwise ones over one shape, and sums of what they give, become blocks."""

from __future__ import annotations

import heapq
from collections.abc import Iterable, Iterator
from graphlib import TopologicalSorter

import numpy as np

from engine.plan.blocks import BLOCK_BYTES, Block, Rows, is_number, layout_of
from engine.plan.recorder import CLOCK, Step, Value
from engine.plan.tracing import total_of

LEAST_BYTES = 2 * BLOCK_BYTES  # smaller arrays gain nothing


class Unit:
    """What is executed as a whole: one step, or a group of elementwise steps over one shape."""

    def __init__(self, number: int, steps: list[Step], shape: tuple[int, ...] | None = None) -> None:
        self.number, self.steps, self.shape = number, steps, shape
        self.before: set[Unit] = set()  # units that have to run first
        self.sums: set[Value] = set()  # there only once the unit has run

    def __lt__(self, other: Unit) -> bool:
        return self.number < other.number


def fused(steps: list[Step], outputs: Iterable[Value]) -> list[Step]:
    """The steps with groups of them replaced by one step each."""
    grouping = _Grouping()
    for step in steps:
        grouping.add(step)
    needed = _needed_outside(grouping.units, outputs)
    return [step for unit in _in_order(grouping.units) for step in _as_steps(unit, needed)]


# -- which steps run together -------------------------------------------------------------------------------------
class _Grouping:
    """Puts each step into the newest group of its shape, unless a way leads out of that group and back to the step."""

    def __init__(self) -> None:
        self.units: list[Unit] = []
        self._home: dict[Value, Unit] = {}
        self._groups: dict[tuple[int, ...], Unit] = {}
        self._last_kept: Unit | None = None  # steps that may raise keep their order

    def add(self, step: Step) -> None:
        """Find the unit of a step."""
        shape = _fusible_shape(step)
        unit = self._unit(step, shape)
        unit.steps.append(step)
        unit.before.update(self._needs(step, unit))
        for value in step.results:
            self._home[value] = unit
            if step.call is total_of and shape is not None:
                unit.sums.add(value)
        if step.keep:
            self._last_kept = unit

    def _needs(self, step: Step, unit: Unit) -> set[Unit]:
        units = {self._home[value] for value in step.operands() if value in self._home}
        if step.keep and self._last_kept is not None:
            units.add(self._last_kept)
        return units - {unit}

    def _unit(self, step: Step, shape: tuple[int, ...] | None) -> Unit:
        group = self._groups.get(shape) if shape is not None else None
        if group is not None and self._may_join(step, group):
            return group
        unit = Unit(len(self.units), [], shape)
        self.units.append(unit)
        if shape is not None:
            self._groups[shape] = unit
        return unit

    def _may_join(self, step: Step, group: Unit) -> bool:
        if any(value in group.sums for value in step.operands()):
            return False
        return not any(_leads_to(unit, group) for unit in self._needs(step, group))


def _leads_to(unit: Unit, target: Unit) -> bool:
    """Whether ``target`` has to run before ``unit``."""
    seen, stack = {unit}, [unit]
    while stack:
        for one in stack.pop().before - seen:
            if one is target:
                return True
            seen.add(one)
            stack.append(one)
    return False


def _fusible_shape(step: Step) -> tuple[int, ...] | None:
    """The shape over which a step can run block by block, or ``None``."""
    if step.call is total_of:
        value = step.args[0]
        return value.shape if value.dtype.char in "fd" and value.is_contiguous and value.nbytes >= LEAST_BYTES else None
    if not step.elementwise or step.keep or step.many:
        return None
    if not isinstance(step.call, np.ufunc) and all(map(is_number, step.operands())):
        return None  # without ``out`` one number comes out
    result = step.results[0]
    return result.shape if result.is_contiguous and result.nbytes >= LEAST_BYTES else None


def _needed_outside(units: list[Unit], outputs: Iterable[Value]) -> set[Value]:
    """The values that leave the unit they are made in."""
    made = {value: unit for unit in units for step in unit.steps for value in step.results}
    users = ((value, unit) for unit in units for step in unit.steps for value in step.operands())
    return {value for value, unit in users if made.get(value) is not unit} | set(outputs)


def _in_order(units: list[Unit]) -> Iterator[Unit]:
    """Units after those they need, otherwise as they come."""
    sorter = TopologicalSorter({unit: unit.before for unit in units})
    sorter.prepare()
    ready: list[Unit] = []
    while sorter.is_active():
        for unit in sorter.get_ready():
            heapq.heappush(ready, unit)
        unit = heapq.heappop(ready)
        yield unit
        sorter.done(unit)


def _as_steps(unit: Unit, needed: set[Value]) -> list[Step]:
    if len(unit.steps) == 1 or unit.shape is None:
        return unit.steps
    made = {value for step in unit.steps for value in step.results}
    inputs = list(dict.fromkeys(v for step in unit.steps for v in step.operands() if v not in made))
    itemsize = max(value.dtype.itemsize for value in (*inputs, *made) if value not in unit.sums)
    layout = layout_of(unit.shape, inputs, BLOCK_BYTES // itemsize)
    if layout is None:
        return unit.steps
    sums = [step for step in unit.steps if step.call is total_of]
    apart = sums if isinstance(layout, Rows) else []
    inside = [step for step in unit.steps if step not in apart]
    leaving = needed.union(*(step.operands() for step in apart))
    outputs = [v for step in inside for v in step.results if v in leaving and v not in unit.sums]
    block = Block(inside, inputs, outputs, layout)
    results = (*outputs, *(step.results[0] for step in inside if step.call is total_of))
    return [Step(block, (CLOCK, *inputs), results, {}, many=True), *apart]
