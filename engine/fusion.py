"""Runs of elementwise steps over one shape, and sums of what they give, executed block by block.

A block's intermediate results stay in registers: scratch arrays that fit into the cache, handed out by a linear scan
and written to with ``out=``. Each element is computed by the ufuncs that eager execution calls, so results are the same
to the bit. Sums, too: blocks are the leaves of the tree in which NumPy adds up a whole array pair by pair, and their
sums are added up along that tree.
"""

from __future__ import annotations

import heapq
from collections.abc import Callable, Iterable, Iterator
from typing import Any

import numpy as np

from engine.binding import Array
from engine.recorder import CLOCK, Step, Value, cast_to, copy_of
from engine.tracing import total_of

BLOCK = 16_384  # elements; a handful of registers of this size stay in the second-level cache
LEAST = 2 * BLOCK  # smaller arrays gain nothing
FILE = "<block>"
Span = tuple[int, int]


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
            if shape is not None and value.shape != shape:
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
        return value.shape if value.dtype.char in "fd" and value.is_contiguous and value.size >= LEAST else None
    if not step.elementwise or step.keep or step.many:
        return None
    result = step.results[0]
    return result.shape if result.is_contiguous and result.size >= LEAST else None


def _needed_outside(units: list[Unit], outputs: Iterable[Value]) -> set[Value]:
    """The values that leave the unit they are made in."""
    made = {value: unit for unit in units for step in unit.steps for value in step.results}
    users = ((value, unit) for unit in units for step in unit.steps for value in step.operands())
    return {value for value, unit in users if made.get(value) is not unit} | set(outputs)


def _in_order(units: list[Unit]) -> Iterator[Unit]:
    """Units after those they need, otherwise as they come."""
    waiting = {unit: len(unit.before) for unit in units}
    after: dict[Unit, list[Unit]] = {unit: [] for unit in units}
    for unit in units:
        for one in unit.before:
            after[one].append(unit)
    ready = [unit for unit in units if not unit.before]
    heapq.heapify(ready)
    while ready:
        unit = heapq.heappop(ready)
        yield unit
        for one in after[unit]:
            waiting[one] -= 1
            if not waiting[one]:
                heapq.heappush(ready, one)


def _as_steps(unit: Unit, needed: set[Value]) -> list[Step]:
    if len(unit.steps) == 1 or unit.shape is None:
        return unit.steps
    made = {value for step in unit.steps for value in step.results}
    inputs = list(dict.fromkeys(v for step in unit.steps for v in step.operands() if v not in made))
    layout = _layout(unit.shape, inputs)
    if layout is None:
        return unit.steps
    sums = [step for step in unit.steps if step.call is total_of]
    apart = sums if isinstance(layout, _Rows) else []
    inside = [step for step in unit.steps if step not in apart]
    leaving = needed.union(*(step.operands() for step in apart))
    outputs = [v for step in inside for v in step.results if v in leaving and v not in unit.sums]
    block = Block(inside, inputs, outputs, layout)
    results = (*outputs, *(step.results[0] for step in inside if step.call is total_of))
    return [Step(block, (CLOCK, *inputs), results, {}, many=True), *apart]


# -- how arrays are cut -------------------------------------------------------------------------------------------
def _layout(shape: tuple[int, ...], inputs: list[Value]) -> _Flat | _Rows | None:
    """Flat where every operand is whole or a number, else by slices of the first axis, if these are small enough."""
    if all(_is_number(value) or (value.shape == shape and value.is_contiguous) for value in inputs):
        return _Flat(shape)
    axis = next(axis for axis, extent in enumerate(shape) if extent > 1)
    row = int(np.prod(shape[axis + 1 :], dtype=np.int64))
    return _Rows(shape, axis, max(1, BLOCK // row)) if row <= 2 * BLOCK else None


def _is_number(value: Value) -> bool:
    """Whether all elements are one."""
    if value.strides is None or not value.size:
        return False
    if all(step == 0 or extent == 1 for extent, step in zip(value.shape, value.strides, strict=True)):
        return True
    return value.constant is not None and _repeats(value.constant)


def _repeats(array: Array) -> bool:
    """Whether an array holds one number everywhere, to the bit."""
    rows = np.ascontiguousarray(array).reshape(-1).view(np.uint8).reshape(array.size, -1)
    return bool((rows == rows[0]).all())


class _Flat:
    """Arrays as one row of elements, cut where NumPy's sum of the whole would cut it."""

    def __init__(self, shape: tuple[int, ...]) -> None:
        self.shape = shape
        self.count = int(np.prod(shape, dtype=np.int64))
        self.spans = list(_leaves(0, self.count))
        self.register: tuple[int, ...] = (max(stop - start for start, stop in self.spans),)

    def cut(self, array: Array) -> list[Array]:
        """The blocks of an array."""
        flat = array.reshape(-1)
        return [flat[start:stop] for start, stop in self.spans]

    def varies(self, value: Value) -> bool:
        """Whether blocks see different parts of ``value``."""
        return not _is_number(value)

    def total(self, sums: list[Any]) -> Any:
        """The sum of the whole from the sums of its blocks."""
        return _added(self.count, iter(sums))


def _half(count: int) -> int:
    half = count // 2
    return half - half % 8


def _leaves(start: int, count: int) -> Iterator[Span]:
    """Where NumPy's pairwise sum cuts ``count`` elements, down to blocks."""
    if count <= BLOCK:
        yield start, start + count
    else:
        half = _half(count)
        yield from _leaves(start, half)
        yield from _leaves(start + half, count - half)


def _added(count: int, sums: Iterator[Any]) -> Any:
    if count <= BLOCK:
        return next(sums)
    half = _half(count)
    left = _added(half, sums)
    return left + _added(count - half, sums)


class _Rows:
    """Arrays cut along their first axis with more than one element; operands that broadcast there stay whole."""

    def __init__(self, shape: tuple[int, ...], axis: int, rows: int) -> None:
        self.shape, self.axis = shape, axis
        self.spans = [(start, min(start + rows, shape[axis])) for start in range(0, shape[axis], rows)]
        self.register = (*shape[:axis], min(rows, shape[axis]), *shape[axis + 1 :])

    def cut(self, array: Array) -> list[Array]:
        """The blocks of an array."""
        lead = (slice(None),) * (self.axis - len(self.shape) + array.ndim)
        return [array[(*lead, slice(start, stop))] for start, stop in self.spans]

    def varies(self, value: Value) -> bool:
        """Whether blocks see different parts of ``value``."""
        axis = self.axis - len(self.shape) + len(value.shape)
        return axis >= 0 and value.shape[axis] > 1


# -- what runs ----------------------------------------------------------------------------------------------------
class Block:
    """A group of steps as one call: arrays in, arrays (and sums) out, block by block."""

    def __init__(self, steps: list[Step], inputs: list[Value], outputs: list[Value], layout: _Flat | _Rows) -> None:
        self._layout = layout
        self._varying = [number for number, value in enumerate(inputs) if layout.varies(value)]
        self._fixed = [number for number, value in enumerate(inputs) if not layout.varies(value)]
        self._numbers = [_is_number(value) for value in inputs]
        self._outputs = [value.dtype for value in outputs]
        order = [inputs[number] for number in (*self._varying, *self._fixed)]
        writer = _Writer(order, outputs)
        self._run = writer.compiled(steps, len(self._varying))
        self._registers = writer.registers
        self._sums = writer.sums

    def __call__(self, tick: Callable[[], None], *inputs: Array) -> tuple[Any, ...]:
        layout = self._layout
        outputs = [np.empty(layout.shape, dtype) for dtype in self._outputs]
        registers = [np.empty(layout.register, dtype) for dtype in self._registers]
        fixed = [self._whole(number, inputs[number]) for number in self._fixed]
        varying = [layout.cut(array) for array in (*(inputs[n] for n in self._varying), *outputs)]
        sums = []
        for position, (start, stop) in enumerate(layout.spans):
            tick()
            parts = [blocks[position] for blocks in varying]
            sums.append(self._run(*parts, *fixed, *self._fitting(registers, stop - start)))
        return (*outputs, *(self._total(blocks) for blocks in zip(*sums, strict=True) if self._sums))

    def _whole(self, number: int, array: Array) -> Any:
        """An operand that every block sees; one number without its axes."""
        return array[(0,) * array.ndim] if self._numbers[number] else array

    def _fitting(self, registers: list[Array], extent: int) -> list[Array]:
        """The registers for a block of ``extent``."""
        layout = self._layout
        axis = layout.axis if isinstance(layout, _Rows) else 0
        if extent == layout.register[axis]:
            return registers
        return [register[(*(slice(None),) * axis, slice(extent))] for register in registers]

    def _total(self, sums: tuple[Any, ...]) -> Array:
        assert isinstance(self._layout, _Flat)
        return np.asarray(self._layout.total(list(sums)))


class _Writer:
    """Python for one block: local names for operands, outputs and registers; a register is free again after the last
    use of what it holds."""

    def __init__(self, inputs: list[Value], outputs: list[Value]) -> None:
        self.registers: list[np.dtype[Any]] = []
        self.sums = 0
        self._inputs, self._outputs = inputs, outputs
        self._names = {value: f"i{number}" for number, value in enumerate(inputs)}
        self._names |= {value: f"o{number}" for number, value in enumerate(outputs)}
        self._free: dict[np.dtype[Any], list[str]] = {}
        self._held: dict[Value, str] = {}
        self._bound: dict[int, str] = {}
        self._namespace: dict[str, Any] = {"copyto": np.copyto}
        self._lines: list[str] = []

    def compiled(self, steps: list[Step], varying: int) -> Callable[..., tuple[Any, ...]]:
        """The function of varying inputs, outputs, other inputs and registers that returns sums."""
        returned = [self._write(step, dead) for step, dead in zip(steps, _last_uses(steps, self._outputs), strict=True)]
        sums = [name for name in returned if name]
        self.sums = len(sums)
        names = [self._names[value] for value in self._inputs]
        outputs = [f"o{number}" for number in range(len(self._outputs))]
        registers = [f"r{number}" for number in range(len(self.registers))]
        head = f"def block({', '.join([*names[:varying], *outputs, *names[varying:], *registers])}):"
        tail = f" return ({', '.join([*sums, ''])})" if sums else " return ()"
        exec(compile("\n".join([head, *self._lines, tail]), FILE, "exec"), self._namespace)
        return self._namespace["block"]  # type: ignore[no-any-return]

    def _write(self, step: Step, dead: list[Value]) -> str:
        """Add the line of a step; the name of its sum, if it is one."""
        args = ", ".join(map(self._text, step.args))
        named = "".join(f", {name}={self._text(arg)}" for name, arg in step.named.items())
        result = step.results[0]
        if step.call is total_of:
            name = f"s{len(self._lines)}"
            self._lines.append(f" {name} = {self._bind(total_of)}({args})")
            self._release(dead)
            return name
        if step.call in (cast_to, copy_of):
            self._lines.append(f" copyto({self._target(result)}, {self._text(step.args[0])}, casting='unsafe')")
        elif isinstance(step.call, np.ufunc):
            self._lines.append(f" {self._bind(step.call)}({args}{named}, out={self._target(result)})")
        else:
            self._call(f"{self._bind(step.call)}({args}{named})", result)
        self._release(dead)
        return ""

    def _call(self, call: str, result: Value) -> None:
        """A function that makes its own array."""
        if result in self._names:
            self._lines.append(f" copyto({self._names[result]}, {call})")
        else:
            self._names[result] = f"t{len(self._lines)}"
            self._lines.append(f" {self._names[result]} = {call}")

    def _target(self, value: Value) -> str:
        """Where a result goes: an output, or a register."""
        if value not in self._names:
            free = self._free.setdefault(value.dtype, [])
            if not free:
                free.append(f"r{len(self.registers)}")
                self.registers.append(value.dtype)
            self._names[value] = self._held[value] = free.pop()
        return self._names[value]

    def _release(self, dead: list[Value]) -> None:
        for value in dead:
            name = self._held.pop(value, None)
            if name is not None:
                self._free[value.dtype].append(name)
            elif value in self._names and self._names[value].startswith("t"):
                self._lines.append(f" del {self._names[value]}")

    def _text(self, argument: Any) -> str:
        return self._names[argument] if isinstance(argument, Value) else self._bind(argument)

    def _bind(self, item: Any) -> str:
        """A global name for ``item``."""
        if id(item) not in self._bound:
            self._bound[id(item)] = f"k{len(self._bound)}"
            self._namespace[self._bound[id(item)]] = item
        return self._bound[id(item)]


def _last_uses(steps: list[Step], outputs: list[Value]) -> list[list[Value]]:
    """After which step each value is not needed any more."""
    seen = set(outputs)
    dying: list[list[Value]] = []
    for step in reversed(steps):
        here = [value for value in dict.fromkeys((*step.operands(), *step.results)) if value not in seen]
        seen.update(here)
        dying.append(here)
    return dying[::-1]
