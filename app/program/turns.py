"""Loops whose turns come again: the same kernels over the same tensors, as in a training, run by plans.

The first turn tells whether a loop is worth it: it made nodes. The next ones are carried out under a recorder, which
tells that what they do depends on no elements but through kernels, and beside it that they print, warn and change
nothing but tensors, gradients and names. Such a turn is known wherever the names that it read have the values that
they had: a plan gives what it writes to tensors that stay, and their new gradients. What else it leaves (the names that
it bound, with their graphs) is made when somebody asks for it: the last turn is then undone and carried out.

From the first recorded turn to the end of the run a journal, ``Watch``, is told before anything changes. What a turn
depends on beside its names was not changed as long as the count of changes stands still.
"""

from __future__ import annotations

import re
from collections import OrderedDict
from collections.abc import Callable, Iterable, Iterator, MutableMapping
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from typing import Any, Final

import numpy as np

from app.program.classes import ClassMethod, HostMember, HostType, ProgramClass, Property, StaticMethod
from app.program.functions import UNBOUND, Cell, Function
from app.program.instances import Instance, Special
from app.program.operations import Module, Routine
from app.program.runtime import Run
from engine import Tensor, dtypes, errors, methods, modes, registry, storage, tape, tensors
from engine import plan as plans

FEWEST_NODES: Final = 4  # that a turn makes which is worth it
TRACES: Final = 8  # that one loop may have
TRIES: Final = 12  # turns that are recorded at most
STANDING: Final = 2_000  # objects that are looked through for tensors
LARGEST: Final = 2**22  # bytes of tensors that turns write to: they are copied each time
PLANNING_S: Final = 0.3
CHANCE: Final = re.compile(r"\b(import|from)\b[^\n]*\b(numpy|random|time|datetime|itertools)\b|DataLoader")
"""In a text: what may be another value each time without anybody being told."""
PLAIN: Final = frozenset({
    int, float, complex, str, bool, type(None), type(...), range, slice, dtypes.DType, tensors.Size, Module,
    HostType, methods.Device,
})  # fmt: skip
"""Values that nothing can change."""

_MODULE: Final[Any] = registry.function("nn.Module")
_OPTIMIZER: Final[Any] = registry.function("optim.Optimizer")
States: Final[Any] = dict(registry.kinds())["optim.state"]
_SLOTS: Final = tuple([
    name for name in Tensor.__slots__ if name not in ("__weakref__", "_accumulator", "_grad", "seen_version")
])  # fmt: skip
_ABSENT: Final = object()
Array = np.ndarray[Any, Any]


# -- what is watched ------------------------------------------------------------------------------------------------
class Watch(modes.Journal):
    """Is told of changes: it counts those after which a turn may not be what it was."""

    __slots__ = ("changes", "is_apart", "nodes_from", "pending", "recorder", "seen")
    keeps = False

    def __init__(self) -> None:
        super().__init__()
        self.changes = 0
        self.recorder: Any = None
        self.is_apart = False  # whether what changes is known
        self.nodes_from = 0
        self.pending: Pending | None = None
        self.seen: dict[int, tuple[Tensor, tuple[Any, ...], Tensor | None]] | None = None  # tensors, before a turn

    def touch(self, target: Any) -> None:
        """Note what is about to change."""
        if self.is_apart:
            return
        if self.pending is not None:
            self.pending.settle()
        if isinstance(target, tape.Node):
            self.changes += target.sequence < self.nodes_from
        elif isinstance(target, Tensor) and self.seen is not None:
            if id(target) not in self.seen:
                self.seen[id(target)] = target, tuple([getattr(target, one) for one in _SLOTS]), target._grad
        elif not isinstance(target, storage.Storage):
            self.changes += 1

    def overwrite(self, storage: storage.Storage, written: Array) -> None:
        """Elements are about to change, which each turn reads anew."""
        if self.pending is not None and not self.is_apart:
            self.pending.settle()

    @contextmanager
    def stepping(self) -> Iterator[None]:
        """What an optimiser does with what it remembers concerns no turn: each takes its step anew."""
        if self.pending is not None and not self.is_apart:
            self.pending.settle()
        outer, self.is_apart = self.is_apart, True
        try:
            yield
        finally:
            self.is_apart = outer

    def changed_gradients(self) -> list[tuple[Tensor, Tensor | None]]:
        """The tensors whose gradient is another object now, with what it was; what else changed is counted."""
        found = []
        for tensor, slots, grad in (self.seen or {}).values():
            if any(getattr(tensor, name) is not value for name, value in zip(_SLOTS, slots, strict=True)):
                self.changes += 1
            if tensor._grad is not grad:
                found.append((tensor, grad))
        return found


class _Names(MutableMapping[str, Any]):
    """The names of a run during one turn: which it reads before it binds them, and which it binds."""

    def __init__(self, names: dict[str, Any]) -> None:
        self.names = names
        self.read: dict[str, Any] = {}
        self.bound: dict[str, None] = {}

    def __getitem__(self, name: str) -> Any:
        value = self.names.get(name, _ABSENT)
        if name not in self.bound:
            self.read[name] = value
        if value is _ABSENT:
            raise KeyError(name)
        return value

    def __setitem__(self, name: str, value: Any) -> None:
        self.bound[name] = None
        self.names[name] = value

    def __delitem__(self, name: str) -> None:
        self.bound[name] = None
        del self.names[name]

    def __iter__(self) -> Iterator[str]:
        self.read[""] = None  # whoever looks at all of them depends on all
        return iter(self.names)

    def __len__(self) -> int:
        return len(self.names)


# -- tensors that stay ----------------------------------------------------------------------------------------------
Standing = dict[int, tuple[Tensor, Tensor | None]]


def standing_tensors(values: Any) -> Standing | None:
    """The tensors that are reached from ``values``, by their arrays, each with the one whose gradient it is.

    ``None`` where there is too much to look through, or something of which nobody knows what changes it.
    """
    found: Standing = {}
    seen: set[int] = set()
    stack = list(values)
    while stack:
        value = stack.pop()
        if type(value) in PLAIN or id(value) in seen:
            continue
        seen.add(id(value))
        if isinstance(value, Tensor):
            if value.hooks is not None:
                return None
            found.setdefault(id(value.array), (value, None))
            if value._grad is not None:
                found[id(value._grad.array)] = value._grad, value
            continue
        parts = _parts_of(value)
        if parts is None or len(seen) > STANDING:
            return None
        stack += parts
    return found


def _parts_of(value: Any) -> list[Any] | None:
    """What a value holds, if that is known."""
    kind = type(value)
    if kind in (list, tuple, set, frozenset):
        return list(value)
    if kind in (dict, States, OrderedDict):
        return [*value.keys(), *value.values()]
    if kind is Function:
        return [*value.cells, *value.defaults, *(value.keyword_defaults or {}).values(), *value.attributes.values()]
    if kind is Cell:
        return [value.value]
    if kind is Routine:
        return [value.owner]
    if kind is ProgramClass:
        return [*value.attributes.values(), *value.bases]
    if kind in (StaticMethod, ClassMethod):
        return [value.function]
    if kind is Property:
        return [value.fget, value.fset, value.fdel]
    if value is UNBOUND or kind is HostMember:
        return []
    if isinstance(value, (_MODULE, _OPTIMIZER)):
        own = [value.program_class, value.attributes] if isinstance(value, Special) else []
        return [*own, *vars(value).values()]
    return [value.program_class, value.attributes] if kind is Instance else None


# -- turns ----------------------------------------------------------------------------------------------------------
@dataclass(slots=True)
class Trace:
    """A turn that is known: where it holds, and what it does."""

    names: dict[str, Any]
    changes: int
    modes: tuple[Any, ...]
    recorder: plans.BodyRecorder
    outputs: list[Array]
    sources: list[tuple[Tensor, Tensor | None]]
    held: list[tuple[Tensor, Tensor]]  # leaves with the gradients that they had
    written: list[Tensor]  # whose arrays the first results become; the others are gradients of ``leaves``
    leaves: list[Tensor]
    cleared: list[Tensor]  # that have no gradient afterwards
    empty: list[Tensor]  # that had none before
    full: list[Tensor]  # that had one
    rises: list[tuple[storage.Storage, int]]
    optimizers: list[Any]
    moved: list[Tensor]  # by optimisers
    bound: list[str]
    last: str | None
    ticks: int
    steps: int
    nbytes: int

    plan: plans.Plan | None = None
    times: int = 0  # that it came again

    def planned(self) -> bool:
        """Make the plan; whether there is one."""
        plan = plans.planned(self.recorder, self.outputs, modes.Budget(seconds=PLANNING_S))
        self.plan = plan if isinstance(plan, plans.Plan) else None
        return self.plan is not None

    def holds(self, names: dict[str, Any], now: tuple[Any, ...], changes: int) -> bool:
        """Whether the next turn is this one."""
        if changes != self.changes or now != self.modes:
            return False
        for name, value in self.names.items():
            found = names.get(name, _ABSENT)
            if found is not value and not _is_same(found, value):
                return False
        for leaf, grad in self.held:
            if leaf._grad is not grad:
                return False
        return not any([one._grad is None for one in self.full] + [one._grad is not None for one in self.empty])


def _is_same(one: Any, other: Any) -> bool:
    kind = type(one)
    if kind is not type(other) or kind not in (int, float, str, bool):
        return False
    return bool(one == other) and (kind is not float or repr(one) == repr(other))


@dataclass(slots=True)
class Pending:
    """The last turn, whose names nobody has asked for yet."""

    loop: Loop
    trace: Trace
    frame: Any
    before: list[tuple[Tensor, Array, int]]  # tensors that were written to, what they held, and their versions
    grads: list[tuple[Tensor, Tensor | None]]

    def settle(self) -> None:
        """Make what the turn left: undo it, and carry it out."""
        watch, run, trace = self.loop.watch, self.loop.run, self.trace
        watch.pending = None
        names, state = run.namespace, modes.current()
        now = [(one, one.array.copy()) for one, _, _ in self.before]
        versions = [(one, one.version) for one in {id(s): s for s, _ in trace.rises}.values()]
        versions += [(one.storage, one.storage.version) for one, _, _ in self.before]
        grads = [(leaf, leaf._grad) for leaf, _ in self.grads]
        rebound = {name: names[name] for name in trace.bound if name in names}
        others = {name: names.get(name, _ABSENT) for name in trace.names if name not in rebound}
        budget, counts = run.budget, (run.left, run.iterations, run.last)
        spent = (budget.spent, budget.taken) if budget is not None else (0, 0)
        was_apart, outer, recorder = watch.is_apart, (state.grad_enabled, state.inference), state.recorder
        for storage_, rise in trace.rises:
            storage_.version -= rise
        for tensor, old, version in self.before:
            np.copyto(tensor.array, old)
            tensor.storage.version = version
        for leaf, grad in self.grads:
            leaf._grad = grad
        _put(names, trace.names)
        watch.is_apart = True
        modes.switch(*trace.modes[:2])
        modes.report_to(plans.Bystander() if trace.optimizers else None)
        try:
            self.loop.body(self.frame)
        finally:
            modes.report_to(recorder)
            modes.switch(*outer)
            watch.is_apart = was_apart
            for tensor, held in now:
                np.copyto(tensor.array, held)
            for one, version in versions:
                one.version = version
            for leaf, grad in grads:
                leaf._grad = grad
            _put(names, others)
            names.update(rebound)
            run.left, run.iterations, run.last = counts
            if budget is not None:
                budget.spent, budget.taken = spent


def _put(names: dict[str, Any], values: dict[str, Any]) -> None:
    for name, value in values.items():
        if value is _ABSENT:
            names.pop(name, None)
        else:
            names[name] = value


class Loop:
    """The turns of one loop of a run."""

    def __init__(self, run: Run, watch: Watch, body: Callable[[Any], Any]) -> None:
        self.run, self.watch, self.body = run, watch, body
        self.traces: list[Trace] = []
        self.tries = 0

    def turn(self, frame: Any) -> Any:
        """The next turn; its signal."""
        watch, run = self.watch, self.run
        state = modes.current()
        is_within = watch.recorder is not None and not watch.recorder.is_eager  # another turn, which is recorded
        if state.journal is not watch or is_within or watch.is_apart:
            return self.body(frame)
        now = _modes_of(state)
        names = run.namespace
        trace = next((one for one in self.traces if one.holds(names, now, watch.changes)), None)
        if trace is not None and self._is_planned(trace) and self._replay(trace, frame):
            return None
        if watch.pending is not None:
            watch.pending.settle()
        if self.tries >= TRIES or trace is not None:
            return self._watched(frame)
        return self._recorded(frame, now)

    def _is_planned(self, trace: Trace) -> bool:
        """Whether there is a plan of a turn; it is made when the turn comes for the third time."""
        trace.times += 1
        if trace.plan is None and trace.times > 1 and not trace.planned():
            self.tries, self.traces = TRIES, [one for one in self.traces if one is not trace]
        return trace.plan is not None

    def _watched(self, frame: Any) -> Any:
        """A turn that is carried out, and nothing else."""
        watch = self.watch
        outer = watch.seen, watch.nodes_from
        watch.seen, watch.nodes_from = {}, tape.next_number()
        try:
            return self.body(frame)
        finally:
            watch.changes += any((grad is None) != (one._grad is None) for one, grad in watch.changed_gradients())
            watch.seen, watch.nodes_from = outer

    # -- turns that are recorded ------------------------------------------------------------------------------------
    def _recorded(self, frame: Any, now: tuple[Any, ...]) -> Any:
        run, watch = self.run, self.watch
        self.tries += 1
        self.traces = [trace for trace in self.traces if trace.changes == watch.changes]
        names = run.namespace
        standing = standing_tensors(names.values())
        if standing is None or len(self.traces) >= TRACES:
            self.tries = TRIES
            return self._watched(frame)
        storages = {id(one.storage): one.storage for one, _ in standing.values()}
        arrays = [one.array for one, _ in standing.values()]
        recorder = plans.BodyRecorder(arrays, [one.array for one in storages.values() if one.root is one])
        seen = _Names(names)
        changes, began = watch.changes, _Mark(run, storages.values())
        steps: list[_Mark] = []

        @contextmanager
        def around() -> Iterator[None]:
            steps.append(_Mark(run, storages.values()))
            with watch.stepping():
                yield
            steps.append(_Mark(run, storages.values()))

        recorder.around = around
        outer = watch.seen, watch.nodes_from
        recorder_before, watch.recorder = watch.recorder, recorder
        watch.seen, watch.nodes_from = {}, tape.next_number()
        run.namespace = seen  # type: ignore[assignment]
        try:
            with recorder:
                signal = self.body(frame)
        finally:
            run.namespace = names
            grads = watch.changed_gradients()
            touched = watch.seen or {}
            watch.seen, watch.nodes_from = outer
            watch.recorder = recorder_before
        self.tries += 3 * recorder.is_eager
        marks = [began, *steps, _Mark(run, storages.values())]
        empty = [one for one, _, grad in touched.values() if grad is None]
        full = [one for one, _, grad in touched.values() if grad is not None]
        is_known = watch.changes == changes and not recorder.is_eager and _modes_of(modes.current()) == now
        watch.changes += any((grad is None) != (one._grad is None) for one, grad in grads)
        is_known = is_known and watch.changes == changes and marks[0].said == marks[-1].said
        if signal not in (None, "continue") or not is_known or not _is_kept(seen):
            return signal
        trace = self._trace(recorder, standing, grads, (empty, full), now, seen)
        if trace is not None:
            for start, end in zip(marks[::2], marks[1::2], strict=True):  # but for what optimisers do
                trace.ticks += end.ticks - start.ticks
                trace.steps += end.steps - start.steps
                trace.nbytes += end.nbytes - start.nbytes
                trace.rises += [(one, end.versions[one] - before) for one, before in start.versions.items()]
            trace.rises = [(one, rise) for one, rise in trace.rises if rise]
            self.traces.append(trace)
        return signal

    def _trace(
        self, recorder: Any, standing: Standing, grads: list[tuple[Tensor, Tensor | None]],
        had: tuple[list[Tensor], list[Tensor]], now: tuple[Any, ...], seen: _Names,
    ) -> Trace | None:  # fmt: skip
        """What a recorded turn does."""
        moved = [
            one for optimizer in recorder.optimizers for group in optimizer.param_groups for one in group["params"]
        ]
        targets = [standing[id(array)] for array in recorder.written.values()]
        written = [one for one, _ in targets]
        held = [(leaf, one) for one, leaf in targets if leaf is not None]
        leaves = [leaf for leaf, _ in grads if leaf._grad is not None]
        fresh: list[Any] = [leaf._grad for leaf in leaves]
        outputs = [one.array for one in (*written, *fresh)]
        if any(one.base is not None for one in written) or not all(map(recorder.knows, outputs)):
            return None
        if sum(array.nbytes for array in outputs) + sum(one.array.nbytes for one in moved) > LARGEST:
            return None
        bound = [name for name in seen.bound if seen.read.get(name, _ABSENT) is not seen.names.get(name, _ABSENT)]
        sources = [standing[id(array)] for array in recorder.sources]
        full = had[1] + [leaf for _, leaf in sources if leaf is not None]
        return Trace(
            dict(seen.read), self.watch.changes, now, recorder, outputs, sources, held, written,
            leaves, [leaf for leaf, _ in grads if leaf._grad is None], had[0], full, [],
            list(recorder.optimizers), moved, bound, self.run.last, 0, 0, 0,
        )  # fmt: skip

    def _charge(self, trace: Trace) -> None:
        """Count what a turn takes, whoever carries it out."""
        run = self.run
        if run.budget is not None:
            run.budget.take(trace.steps, trace.nbytes)
        run.left -= trace.ticks
        while run.left < 0:
            missing = run.left + 1
            run.refill()
            run.left += missing

    # -- turns that are not carried out -----------------------------------------------------------------------------
    def _replay(self, trace: Trace, frame: Any) -> bool:
        """Let a turn have its effect; whether it has."""
        run, watch = self.run, self.watch
        assert trace.plan is not None
        sources: list[Any] = [one if leaf is None else leaf._grad for one, leaf in trace.sources]
        arrays = [one.array for one in sources]
        budget = run.budget
        try:
            results = trace.plan.replay(arrays, *(() if budget is None else (budget.check_time,)))
        except errors.BudgetError:
            raise
        except errors.EngineError:  # whoever carries it out finds the words
            self.tries, self.traces = TRIES, []
            return False
        self._charge(trace)
        if watch.pending is not None and not set(watch.pending.trace.bound) <= set(trace.bound):
            watch.pending.settle()
        before = [(one, one.array.copy(), one.storage.version) for one in (*trace.written, *trace.moved)]
        grads = [(leaf, leaf._grad) for leaf in (*trace.leaves, *trace.cleared)]
        for tensor, result in zip(trace.written, results, strict=False):
            np.copyto(tensor.array, result)
        for leaf, result in zip(trace.leaves, results[len(trace.written) :], strict=True):
            leaf._grad = tensors.from_array(result)
        for leaf in trace.cleared:
            leaf._grad = None
        watch.is_apart = True
        try:
            for optimizer in trace.optimizers:
                optimizer.step()
        finally:
            watch.is_apart = False
        for one, rise in trace.rises:
            one.version += rise
        for name in trace.bound:
            run.namespace.pop(name, None)
        run.last = trace.last
        watch.pending = Pending(self, trace, frame, before, grads)
        return True


def _modes_of(state: modes.State) -> tuple[Any, ...]:
    return state.grad_enabled, state.inference, state.default_dtype, state.watch


class _Mark:
    """What a run has said and used up to now, and the versions of what stands."""

    def __init__(self, run: Run, storages: Iterable[storage.Storage]) -> None:
        budget = run.budget
        self.said = run.printed, len(run.prints), len(modes.current().warnings or ())
        self.ticks = run.iterations - run.left
        self.steps, self.nbytes = (
            (0, 0) if budget is None else (budget.taken - run.iterations, budget.spent)
        )  # no ticks
        self.versions = {one: one.version for one in storages}


def _is_kept(seen: _Names) -> bool:
    """Whether names that a turn reads before it binds them are afterwards what they were."""
    return "" not in seen.read and all(seen.names.get(name, _ABSENT) is value for name, value in seen.read.items())


class Turns:
    """The turns of a loop in the text. Its ``parts`` are statements that a turn may consist of, and others."""

    def __init__(self, parts: list[tuple[bool, Callable[[Any], Any]]], body: Callable[[Any], Any], text: str) -> None:
        self.parts, self.body, self.is_open = parts, body, CHANCE.search(text) is None

    def begin(self, run: Run) -> Callable[[Any], Any] | int:
        """What carries out the next turns; before the first one, the number of the nodes that it makes."""
        known = run.loops.get(self)
        if known is not None:
            return known  # type: ignore[no-any-return]
        return tape.next_number() if self.is_open and type(run.namespace) is dict else self.body

    def after(self, run: Run, number: int) -> Callable[[Any], Any]:
        """What carries out the turns after the first one, which tells whether they may be known."""
        state = modes.current()
        is_worth_it = tape.next_number() - number > FEWEST_NODES and state.recorder is None
        if not is_worth_it or (run.watch is None and state.journal is not None):
            return self.body
        if run.watch is None:
            state.journal = state.origin.journal = run.journal = run.watch = Watch()
        parts = [Loop(run, run.watch, part).turn if may_recur else part for may_recur, part in self.parts]
        found: Callable[[Any], Any] = parts[0] if len(parts) == 1 else partial(_in_order, parts)
        run.loops[self] = found
        return found


def _in_order(parts: list[Callable[[Any], Any]], frame: Any) -> Any:
    for part in parts:
        signal = part(frame)
        if signal is not None:
            return signal
    return None
