"""Compile a recorded run of a pure graph to straight-line kernel calls, which a plan replays on other values.

How a caller (``app.evaluate.run``) uses it. The first request of a program runs eagerly under a recorder; what it
returned beside values (shapes, dtypes, ``grad_fn`` names) is the same for every replay, and the caller keeps it::

    key = (program, tuple((name, array.shape, array.dtype.str, requires_grad), ...))
    entry = cache.get(key)
    if isinstance(entry, Plan):
        with modes.use(state):
            arrays = entry(*inputs)  # the outputs and gradients asked for, as arrays of their own
    else:
        leaves = [from_array(array, requires_grad) for ...]
        with modes.use(state), Recorder([leaf.array for leaf in leaves]) as recorder:
            outputs = run(program, leaves)
            arrays = [tensor.array for tensor in (*outputs, *gradients)]
        if entry is None:
            cache.put(key, planned(recorder, arrays))

``planned`` gives a ``Plan``, or ``Eager`` with the reason why there is none: random numbers, shapes that depend on
values, values that Python looked at, writes to what was there before, or more time than a budget gives for planning.
Input arrays belong to the caller and must not be written to while a plan runs; a plan may run in several threads at
once.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from types import TracebackType
from typing import Any, NoReturn

import numpy as np

from engine import modes
from engine.errors import ArgumentValueError, BudgetError, OpError
from engine.op.signature import Array
from engine.plan.codegen import Source, last_uses
from engine.plan.fusion import fused
from engine.plan.recorder import CLOCK, Recorder, Step, Value, copy_of
from engine.plan.simplify import Simplifier, without_dead_code, without_repetition

FILE = "<plan>"
TICK_ELEMENTS = 100_000  # how much work there is between two looks at the clock
STEP_BYTES = 1_000  # about what a compiled step occupies
PLACE_BYTES = 500  # about what an input or an output does
KERNEL_ERRORS = (ValueError, IndexError, TypeError, OverflowError, np.linalg.LinAlgError, ZeroDivisionError)


@dataclass(frozen=True, slots=True)
class Eager:
    """Why a graph has no plan."""

    reason: str
    nbytes: int = 100


def _nothing() -> None:
    """The clock of a run without a deadline."""


def planned(recorder: Recorder, outputs: Sequence[Array], budget: modes.Budget | None = None) -> Plan | Eager:
    """Optimise and compile a recorded run; returns the plan that computes ``outputs``, arrays of it, from other inputs.

    ``budget`` says how long planning may take; raises ``BudgetError`` only if somebody stops it.
    """
    values = [] if recorder.is_eager else [recorder.value_of(array) for array in outputs]
    if recorder.is_eager:
        return Eager(recorder.reason)
    tick = _nothing if budget is None else budget.check_time
    try:
        return Plan(optimized(recorder, values, tick), tick)
    except BudgetError:
        if budget is None or budget.is_stopped:
            raise
        return Eager(f"planning takes longer than {budget.seconds:g} s")


@dataclass(slots=True)
class Graph:
    """A pure graph of steps, in order. ``copied``: which outputs must be copies; ``spent``: bytes of all results."""

    inputs: list[Value]
    steps: list[Step]
    outputs: list[Value]
    copied: list[bool]
    spent: int = 0


def optimized(recorder: Recorder, outputs: Sequence[Value], tick: Callable[[], None] = _nothing) -> Graph:
    """Return the recorded steps after every pass but fusion."""
    simple = Simplifier()
    with modes.use(modes.State(warnings=[])):  # what kernels say here they have said while recorded
        for step in recorder.steps:
            tick()
            simple.add(step)
    wanted = [simple.resolve(value) for value in outputs]
    copied = _not_owned(wanted, simple, set(recorder.inputs))
    steps = without_repetition(without_dead_code(simple.steps, wanted))
    return Graph(recorder.inputs, steps, wanted, copied, recorder.spent)


class Plan:
    """Call it with arrays of the recorded specs. ``elements`` and ``len()`` say how much work it is."""

    def __init__(self, graph: Graph, tick: Callable[[], None] = _nothing) -> None:
        self.graph = graph
        self._specs = [(value.shape, value.dtype, value.strides) for value in graph.inputs]
        self._spent = graph.spent
        self.elements = sum(value.size for step in graph.steps for value in step.results)
        self._largest = max((value.size for step in graph.steps for value in step.results), default=0)
        self.steps = fused(graph.steps, graph.outputs, tick)
        writer = _Writer(graph.inputs, self.steps)
        self._run = writer.compiled(graph.outputs, graph.copied, tick)
        self._lines = writer.origins
        places = len(graph.inputs) + len(graph.outputs)
        self.nbytes = writer.constant_bytes + STEP_BYTES * len(graph.steps) + PLACE_BYTES * places

    def __len__(self) -> int:
        return len(self.steps)

    def __call__(self, *inputs: Array) -> tuple[Array, ...]:
        """Return the outputs, as eager execution would give them; raises what it would raise."""
        arrays = [self._checked(*pair) for pair in zip(inputs, self._specs, strict=True)]
        budget = modes.current().budget
        tick: Callable[[], None] = _nothing
        if budget is not None:
            budget.reserve(self._largest, 0)
            budget.spend(self._spent)
            tick = budget.check_time
        return self.replay(arrays, tick)

    def fits(self, arrays: Sequence[Array], place: int = 0) -> bool:
        """Return whether arrays, for the inputs from ``place`` on, are laid out as the recorded ones were."""
        found = [(array.shape, array.dtype, array.strides) for array in arrays]
        return found == self._specs[place:]

    def replay(self, arrays: Sequence[Array], tick: Callable[[], None] = _nothing) -> tuple[Array, ...]:
        """Return the outputs for arrays that are known to be laid out as the recorded ones were; asks no budget."""
        try:
            return self._run(tick, *arrays)
        except KERNEL_ERRORS as error:
            self._refuse(error)

    @staticmethod
    def _checked(array: Array, spec: tuple[Any, ...]) -> Array:
        """Return ``array``, laid out as the recorded one was."""
        shape, dtype, strides = spec
        if array.shape != shape or array.dtype != dtype:
            raise ArgumentValueError(f"a plan for {dtype}{list(shape)} got {array.dtype}{list(array.shape)}")
        if array.strides == strides:
            return array
        return laid_out(array, strides)

    def _refuse(self, error: Exception) -> NoReturn:
        """Raise what the call path makes of an error in a kernel."""
        op = self._lines.get(_line_of(error.__traceback__))
        if op is None:
            raise error
        raise OpError(f"{op.signature.name}(): {error}") from error


def laid_out(array: Array, strides: tuple[int, ...]) -> Array:
    """Return a copy of ``array`` with these strides, none of which is negative."""
    memory = np.empty(reach(array.shape, strides, array.dtype), np.uint8)
    copy: Array = np.ndarray(array.shape, array.dtype, memory, strides=strides)
    copy[...] = array
    return copy


def reach(shape: tuple[int, ...], strides: tuple[int, ...], dtype: np.dtype[Any]) -> int:
    """Return how many bytes an array of that layout spans."""
    if 0 in shape:
        return 0
    return dtype.itemsize + sum((extent - 1) * step for extent, step in zip(shape, strides, strict=True))


def _line_of(traceback: TracebackType | None) -> int:
    """Return the line of the generated source that an error comes from, or 0."""
    while traceback is not None:
        if traceback.tb_frame.f_code.co_filename == FILE:
            return traceback.tb_lineno
        traceback = traceback.tb_next
    return 0


def _not_owned(outputs: list[Value], simple: Simplifier, inputs: set[Value]) -> list[bool]:
    """Return which outputs are views of an input, a constant or an output before them, and so must be copied."""
    seen: set[Value] = set()
    found = []
    for value in outputs:
        root = simple.root(value)
        found.append(root in inputs or not value.depends or root in seen)
        seen.add(root)
    return found


class _Writer:
    """Generates straight-line Python for steps."""

    def __init__(self, inputs: list[Value], steps: list[Step]) -> None:
        self.inputs, self.steps = inputs, steps
        self.origins: dict[int, Any] = {}  # which op a line belongs to
        self.constant_bytes = 0
        self._source = Source(FILE, asarray=np.asarray, copy_of=copy_of)
        self._lines = self._source.lines
        self._locals: dict[Value, str] = {}

    def compiled(
        self, outputs: list[Value], copies: list[bool], tick: Callable[[], None]
    ) -> Callable[..., tuple[Array, ...]]:
        """Return the function of the clock and the inputs that returns ``outputs``."""
        for number, value in enumerate(self.inputs):
            self._locals[value] = f"x{number}"
        self._lines.append(f"def replay({', '.join(['tick', *self._locals.values()])}):")
        self._write_steps(last_uses(self.steps, outputs), tick)
        returned = (
            f"copy_of({self._text(v)}, 'K')" if c else self._text(v) for v, c in zip(outputs, copies, strict=True)
        )
        self._lines.append(f" return ({', '.join([*returned, ''])})" if outputs else " return ()")
        return self._source.function("replay")

    def _write_steps(self, dying: list[list[Value]], tick: Callable[[], None]) -> None:
        work = 0
        for step, dead in zip(self.steps, dying, strict=True):
            tick()
            self._write(step)
            names = [self._locals[value] for value in dead if value.constant is None]
            if names:
                self._lines.append(f" del {', '.join(names)}")
            work += sum(value.size for value in step.results)
            if work >= TICK_ELEMENTS:
                work = 0
                self._lines.append(" tick()")

    def _write(self, step: Step) -> None:
        for value in step.results:
            self._locals[value] = f"v{len(self._locals)}"
        names = [self._locals[value] for value in step.results]
        named = [f"{name}={self._text(arg)}" for name, arg in step.named.items()]
        call = f"{self._source.bind(step.call)}({', '.join([*map(self._text, step.args), *named])})"
        if not step.many and not step.results[0].shape:
            call = f"asarray({call})"
        self.origins[len(self._lines) + 1] = step.op
        self._lines.append(f" {', '.join(names)}{',' if step.many else ''} = {call}")
        self._lines.extend(
            f" {name} = asarray({name})" for name, value in zip(names, step.results, strict=True)
            if step.many and not value.shape
        )  # fmt: skip

    def _text(self, argument: Any) -> str:
        if argument is CLOCK:
            return "tick"
        if isinstance(argument, Value):
            return self._constant(argument) if argument.constant is not None else self._locals[argument]
        return f"[{', '.join(map(self._text, argument))}]" if type(argument) is list else self._source.bind(argument)

    def _constant(self, value: Value) -> str:
        owner: Any = value.constant
        while isinstance(owner.base, np.ndarray):
            owner = owner.base
        if not self._source.is_bound(owner):
            self.constant_bytes += owner.nbytes
            self._source.bind(owner)
        return self._source.bind(value.constant)
