"""Fuse elementwise steps over one shape, and sums of what they give, into blocks."""

from __future__ import annotations

import heapq
from collections.abc import Callable, Iterable, Iterator
from graphlib import TopologicalSorter

import numpy as np

from engine.plan.blocks import BLOCK_BYTES, Block, Rows, is_number, layout_of
from engine.plan.recorder import CLOCK, Step, Value
from engine.plan.tracing import total_of

LEAST_BYTES = 2 * BLOCK_BYTES  # smaller arrays gain nothing
FAR = 1_000  # how many ways out of a group are followed before another one is begun: bounds the time of all steps


class Unit:
    """What is executed as a whole: one step, or a group of elementwise steps over one shape.

    ``level`` is above that of every unit in ``before``, so who is needed by a unit is never above it.
    """

    def __init__(self, number: int, steps: list[Step], shape: tuple[int, ...] | None = None) -> None:
        self.number, self.steps, self.shape = number, steps, shape
        self.level = 0
        self.before: set[Unit] = set()  # units that have to run first
        self.after: list[Unit] = []  # units that have to run later
        self.sums: set[Value] = set()  # there only once the unit has run

    def __lt__(self, other: Unit) -> bool:
        return self.number < other.number


def fused(steps: list[Step], outputs: Iterable[Value], tick: Callable[[], None]) -> list[Step]:
    """Return the steps, each group of them fused into one. ``tick`` is called now and then, and may raise."""
    grouping = _Grouping()
    for step in steps:
        tick()
        grouping.add(step)
    needed = _needed_outside(grouping.units, outputs)
    found: list[Step] = []
    for unit in _in_order(grouping.units):
        tick()
        found += _as_steps(unit, needed)
    return found


# -- which steps run together -------------------------------------------------------------------------------------
class _Grouping:
    """Puts each step into the newest group of its shape, unless a way leads out of that group and back to the step."""

    def __init__(self) -> None:
        self.units: list[Unit] = []
        self._home: dict[Value, Unit] = {}
        self._groups: dict[tuple[int, ...], Unit] = {}
        self._last_kept: Unit | None = None  # steps that may raise keep their order

    def add(self, step: Step) -> None:
        """Put a step into its unit."""
        shape = _fusible_shape(step)
        unit = self._unit(step, shape)
        unit.steps.append(step)
        for needed in self._needs(step, unit) - unit.before:
            unit.before.add(needed)
            needed.after.append(unit)
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
        unit.level = _level_above(self._needs(step, unit))
        self.units.append(unit)
        if shape is not None:
            self._groups[shape] = unit
        return unit

    def _may_join(self, step: Step, group: Unit) -> bool:
        if any(value in group.sums for value in step.operands()):
            return False
        return _lifted(group, self._needs(step, group))


def _level_above(units: Iterable[Unit]) -> int:
    return 1 + max((unit.level for unit in units), default=-1)


def _lifted(group: Unit, needed: set[Unit]) -> bool:
    """Lift ``group``, and what has to run after it, above ``needed``; ``False`` if some of these have to run after it.

    After *Pearce and Kelly* (2006): only units between the old level and the new one are looked at. Where these are too
    many, the answer is ``False``, too.
    """
    levels = {group: _level_above(needed)}
    waiting = [(group.level, group)] if group.level < levels[group] else []
    seen = 0
    while waiting:
        unit = heapq.heappop(waiting)[1]  # by old levels: whoever lifts it has been here
        level = levels[unit] + 1
        seen += len(unit.after)
        if seen > FAR:
            return False
        for later in unit.after:
            if later.level < level and levels.get(later, 0) < level:
                if later in needed:
                    return False
                if later not in levels:
                    heapq.heappush(waiting, (later.level, later))
                levels[later] = level
    for unit, level in levels.items():
        unit.level = max(unit.level, level)
    return True


def _fusible_shape(step: Step) -> tuple[int, ...] | None:
    """Return the shape over which a step can run block by block, or ``None``."""
    if step.call is total_of:
        value = step.args[0]
        return value.shape if value.dtype.char in "fd" and value.is_contiguous and value.nbytes >= LEAST_BYTES else None
    if not step.elementwise or step.keep or step.many or not step.results[0].shape:
        return None  # a single complex number is rounded otherwise where ``out`` is given
    if not isinstance(step.call, np.ufunc) and all(map(is_number, step.operands())):
        return None  # without ``out`` one number comes out
    result = step.results[0]
    return result.shape if result.is_contiguous and result.nbytes >= LEAST_BYTES else None


def _needed_outside(units: list[Unit], outputs: Iterable[Value]) -> set[Value]:
    """Return the values that leave the unit they are made in."""
    made = {value: unit for unit in units for step in unit.steps for value in step.results}
    users = ((value, unit) for unit in units for step in unit.steps for value in step.operands())
    return {value for value, unit in users if made.get(value) is not unit} | set(outputs)


def _in_order(units: list[Unit]) -> Iterator[Unit]:
    """Yield units in topological order, otherwise as they come."""
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
    inside, apart = unit.steps, []
    if isinstance(layout, Rows):
        inside = [step for step in unit.steps if step.call is not total_of]
        apart = [step for step in unit.steps if step.call is total_of]
    summed = {value for step in apart for value in step.operands()}
    outputs = [v for s in inside for v in s.results if (v in needed or v in summed) and v not in unit.sums]
    block = Block(inside, inputs, outputs, layout)
    results = (*outputs, *(step.results[0] for step in inside if step.call is total_of))
    return [Step(block, (CLOCK, *inputs), results, {}, many=True), *apart]
