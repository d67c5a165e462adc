"""Blocks: a group of fused elementwise steps as one call, executed piece by piece in scratch registers.

A piece's intermediate results stay in registers that fit into the cache, handed out by a linear scan and written to
with ``out=``. Each element is computed by the ufuncs that eager execution calls, so results are the same to the bit.
Sums, too: pieces are the leaves of the tree in which NumPy adds up a whole array pair by pair, and their sums are added
up along that tree. Pieces of large arrays are shared among threads, for NumPy lets others run meanwhile.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor, wait
from contextvars import copy_context
from functools import cache
from itertools import pairwise
from typing import Any

import numpy as np

from engine.op.signature import Array
from engine.plan.codegen import Source, last_uses
from engine.plan.recorder import Step, Value, cast_to, copy_of
from engine.plan.tracing import total_of

BLOCK_BYTES = 128 << 10  # of a register; a handful of them stay in the second-level cache
SHARED_ELEMENTS = 1_000_000  # from here on a second thread pays: it makes float64 1.9 and float32 1.4 times as fast
THREADS = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
FILE = "<block>"
Span = tuple[int, int]


# -- how arrays are cut -------------------------------------------------------------------------------------------
def layout_of(shape: tuple[int, ...], inputs: list[Value], block: int) -> Flat | Rows | None:
    """Choose how to cut: flat where every operand is whole or a number, else by small enough slices, else ``None``.

    ``block`` is how many elements a piece should have.
    """
    if all(is_number(value) or (value.shape == shape and value.is_contiguous) for value in inputs):
        return Flat(shape, block)
    axis = next((axis for axis, extent in enumerate(shape) if extent > 1), 0)
    row = int(np.prod(shape[axis + 1 :], dtype=np.int64))
    return Rows(shape, axis, max(1, block // row)) if row <= 2 * block else None


def is_number(value: Value) -> bool:
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


class Flat:
    """Arrays as one row of elements, cut where NumPy's sum of the whole would cut it."""

    axis = 0

    def __init__(self, shape: tuple[int, ...], block: int) -> None:
        self.shape, self.block = shape, block
        self.count = int(np.prod(shape, dtype=np.int64))
        self.spans = list(_leaves(0, self.count, block))
        self.register: tuple[int, ...] = (max(stop - start for start, stop in self.spans),)

    def cut(self, array: Array) -> list[Array]:
        """Return the pieces of an array."""
        flat = array.reshape(-1)
        return [flat[start:stop] for start, stop in self.spans]

    def varies(self, value: Value) -> bool:
        """Whether pieces see different parts of ``value``."""
        return not is_number(value)

    def total(self, sums: list[Any]) -> Any:
        """Return the sum of the whole from the sums of its pieces."""
        return _added(self.count, self.block, iter(sums))


def _half(count: int) -> int:
    half = count // 2
    return half - half % 8


def _leaves(start: int, count: int, block: int) -> Iterator[Span]:
    """Yield where NumPy's pairwise sum cuts ``count`` elements, down to pieces of ``block``."""
    if count <= block:
        yield start, start + count
    else:
        half = _half(count)
        yield from _leaves(start, half, block)
        yield from _leaves(start + half, count - half, block)


def _added(count: int, block: int, sums: Iterator[Any]) -> Any:
    if count <= block:
        return next(sums)
    half = _half(count)
    left = _added(half, block, sums)
    return left + _added(count - half, block, sums)


class Rows:
    """Arrays cut along their first axis with more than one element; operands that broadcast there stay whole."""

    def __init__(self, shape: tuple[int, ...], axis: int, rows: int) -> None:
        self.shape, self.axis = shape, axis
        count = -(-shape[axis] // rows)
        cuts = [shape[axis] * number // count for number in range(count + 1)]
        self.spans = list(pairwise(cuts))  # of nearly equal length
        self.register = (*shape[:axis], max(stop - start for start, stop in self.spans), *shape[axis + 1 :])

    def cut(self, array: Array) -> list[Array]:
        """Return the pieces of an array."""
        lead = (slice(None),) * (self.axis - len(self.shape) + array.ndim)
        return [array[(*lead, slice(start, stop))] for start, stop in self.spans]

    def varies(self, value: Value) -> bool:
        """Whether pieces see different parts of ``value``."""
        axis = self.axis - len(self.shape) + len(value.shape)
        return axis >= 0 and value.shape[axis] > 1


# -- what runs ----------------------------------------------------------------------------------------------------
class Block:
    """A group of steps as one call: arrays in, arrays (and sums) out, piece by piece."""

    def __init__(self, steps: list[Step], inputs: list[Value], outputs: list[Value], layout: Flat | Rows) -> None:
        self._layout = layout
        self._varying = [number for number, value in enumerate(inputs) if layout.varies(value)]
        self._fixed = [number for number, value in enumerate(inputs) if not layout.varies(value)]
        self._numbers = [is_number(value) for value in inputs]
        self._outputs = [value.dtype for value in outputs]
        order = [inputs[number] for number in (*self._varying, *self._fixed)]
        writer = _Writer(order, outputs)
        self._run = writer.compiled(steps, len(self._varying))
        self._registers = writer.registers
        self._has_sums = writer.has_sums
        self._is_shared = int(np.prod(layout.shape, dtype=np.int64)) >= SHARED_ELEMENTS and THREADS > 1

    def __call__(self, tick: Callable[[], None], *inputs: Array) -> tuple[Any, ...]:
        outputs = [np.empty(self._layout.shape, dtype) for dtype in self._outputs]
        fixed = [self._whole(number, inputs[number]) for number in self._fixed]
        varying = [self._layout.cut(array) for array in (*(inputs[n] for n in self._varying), *outputs)]
        count = len(self._layout.spans)
        if self._is_shared:
            rest = (tick, varying, fixed, range(count // 2, count))
            other = _other_thread(self._pieces, *rest)
            try:
                sums = self._pieces(tick, varying, fixed, range(count // 2))
            finally:
                is_idle = other.cancel()  # no thread was free for it
                if not is_idle:
                    wait([other])
            sums += self._pieces(*rest) if is_idle else other.result()
        else:
            sums = self._pieces(tick, varying, fixed, range(count))
        return (*outputs, *self._totals(sums))

    def _pieces(
        self, tick: Callable[[], None], varying: list[list[Array]], fixed: list[Any], positions: range
    ) -> list[tuple[Any, ...]]:
        """Run some of the pieces; returns the sums of each."""
        layout, run = self._layout, self._run
        registers = [np.empty(layout.register, dtype) for dtype in self._registers]
        sums = []
        for position in positions:
            tick()
            start, stop = layout.spans[position]
            parts = [pieces[position] for pieces in varying]
            sums.append(run(*parts, *fixed, *self._fitting(registers, stop - start)))
        return sums

    def _whole(self, number: int, array: Array) -> Any:
        """Return an operand that every piece sees; one number without its axes."""
        return array[(0,) * array.ndim + (...,)] if self._numbers[number] else array

    def _fitting(self, registers: list[Array], extent: int) -> list[Array]:
        """Return the registers, cut to a piece of ``extent``."""
        axis = self._layout.axis
        if extent == self._layout.register[axis]:
            return registers
        return [register[(*(slice(None),) * axis, slice(extent))] for register in registers]

    def _totals(self, sums: list[tuple[Any, ...]]) -> list[Array]:
        if not self._has_sums or isinstance(self._layout, Rows):
            return []
        return [np.asarray(self._layout.total(list(column))) for column in zip(*sums, strict=True)]


@cache
def _pool() -> ThreadPoolExecutor:
    """Return the threads that share the work of large blocks with those that call."""
    return ThreadPoolExecutor(max(1, THREADS - 1), "blocks")


def _other_thread(function: Callable[..., Any], *args: Any) -> Future[Any]:
    """Submit ``function`` to another thread, in the state and with the floating-point settings of this one."""
    return _pool().submit(copy_context().run, function, *args)


class _Writer:
    """Generates the Python for one piece; a linear scan allocates registers, free after a value's last use."""

    def __init__(self, inputs: list[Value], outputs: list[Value]) -> None:
        self.registers: list[np.dtype[Any]] = []
        self.has_sums = False
        self._inputs, self._outputs = inputs, outputs
        self._names = {value: f"i{number}" for number, value in enumerate(inputs)}
        self._names |= {value: f"o{number}" for number, value in enumerate(outputs)}
        self._free: dict[np.dtype[Any], list[str]] = {}
        self._held: dict[Value, str] = {}
        self._source = Source(FILE, copyto=np.copyto)
        self._lines = self._source.lines

    def compiled(self, steps: list[Step], varying: int) -> Callable[..., tuple[Any, ...]]:
        """Return the function of varying inputs, outputs, other inputs and registers that returns sums."""
        returned = [self._write(step, dead) for step, dead in zip(steps, last_uses(steps, self._outputs), strict=True)]
        sums = [name for name in returned if name]
        self.has_sums = bool(sums)
        names = [self._names[value] for value in self._inputs]
        outputs = [f"o{number}" for number in range(len(self._outputs))]
        registers = [f"r{number}" for number in range(len(self.registers))]
        head = f"def block({', '.join([*names[:varying], *outputs, *names[varying:], *registers])}):"
        tail = f" return ({', '.join([*sums, ''])})" if sums else " return ()"
        self._lines.insert(0, head)
        self._lines.append(tail)
        return self._source.function("block")

    def _write(self, step: Step, dead: list[Value]) -> str:
        """Write the line of a step; returns the name of its sum, if it is one."""
        args = ", ".join(map(self._text, step.args))
        named = "".join(f", {name}={self._text(arg)}" for name, arg in step.named.items())
        result = step.results[0]
        if step.call is total_of:
            name = f"s{len(self._lines)}"
            self._lines.append(f" {name} = {self._source.bind(total_of)}({args})")
            self._release(dead)
            return name
        if step.call in (cast_to, copy_of):
            self._lines.append(f" copyto({self._target(result)}, {self._text(step.args[0])}, casting='unsafe')")
        elif isinstance(step.call, np.ufunc):
            self._free_registers(dead)  # before: an elementwise result may take the place of an operand
            self._lines.append(f" {self._source.bind(step.call)}({args}{named}, out={self._target(result)})")
        else:
            self._call(f"{self._source.bind(step.call)}({args}{named})", result)
        self._release(dead)
        return ""

    def _call(self, call: str, result: Value) -> None:
        """Write the call of a function that makes its own array."""
        if result in self._names:
            self._lines.append(f" copyto({self._names[result]}, {call})")
        else:
            self._names[result] = f"t{len(self._lines)}"
            self._lines.append(f" {self._names[result]} = {call}")

    def _target(self, value: Value) -> str:
        """Return where a result goes: an output, or a register."""
        if value not in self._names:
            free = self._free.setdefault(value.dtype, [])
            if not free:
                free.append(f"r{len(self.registers)}")
                self.registers.append(value.dtype)
            self._names[value] = self._held[value] = free.pop()
        return self._names[value]

    def _free_registers(self, dead: list[Value]) -> None:
        for value in dead:
            name = self._held.pop(value, None)
            if name is not None:
                self._free[value.dtype].append(name)

    def _release(self, dead: list[Value]) -> None:
        self._free_registers(dead)
        self._lines += [f" del {self._names[value]}" for value in dead if self._names.get(value, "").startswith("t")]

    def _text(self, argument: Any) -> str:
        return self._names[argument] if isinstance(argument, Value) else self._source.bind(argument)
