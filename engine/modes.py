"""What PyTorch keeps per process and this engine per session: modes, defaults, random numbers, budget, journal.

One ``State`` is current in every context (thread, task); a service makes one for each session. A context that was
copied from another starts with its modes, and changes its own only; what else a state holds, both share.
"""

from __future__ import annotations

import traceback
import warnings
import weakref
from collections import deque
from collections.abc import Callable, Iterable, MutableSequence
from contextlib import AbstractContextManager, nullcontext
from contextvars import Context, ContextVar, copy_context
from math import inf
from pathlib import Path
from time import monotonic
from typing import Any, TypeAlias

import numpy as np

from engine import dtypes, homes
from engine.dtypes import DType
from engine.errors import ArgumentTypeError, BudgetError
from engine.printing import PrintOptions
from engine.random import Generator
from engine.storage import Overwritten, Storage

TENSOR_BYTES = 400  # of a tensor beside its elements: objects, shapes, the journal of its storage
VIEW_BYTES = 400
NODE_BYTES = 800  # of a recorded call: node, edges, what it keeps of the arguments
UNASKED = 2**14  # elements of a result (at most) up to which it is enough to count it afterwards
OPERATIONS_A_SECOND = 1e11


class Budget:
    """What a request may use: elements in one tensor, bytes of all results together, steps of Python, and time.

    ``deadline`` is a value of ``time.monotonic()``. Asked before the work; raises ``BudgetError``.
    """

    __slots__ = ("deadline", "elements", "nbytes", "seconds", "spent", "steps", "taken", "unasked")

    def __init__(self, elements: float = inf, nbytes: float = inf, seconds: float = inf, steps: float = inf) -> None:
        self.elements, self.nbytes, self.seconds, self.steps = elements, nbytes, seconds, steps
        self.deadline = monotonic() + seconds
        self.spent = self.taken = 0
        self.unasked = min(elements, UNASKED)

    def reserve(self, elements: int, nbytes: int, work: float = 0.0, op: str | None = None) -> None:
        """Ask for a result of ``elements``, for the ``nbytes`` that it takes on the way, and for the time.

        ``work`` is in floating-point operations. It is refused if no machine does as many in the time that is left.
        """
        if elements > self.elements:
            raise BudgetError("elements", self.elements, elements, op)
        if self.spent + nbytes > self.nbytes:
            raise BudgetError("bytes", self.nbytes, self.spent + nbytes, op)
        if work > OPERATIONS_A_SECOND:
            left = self.deadline - monotonic()
            if work > OPERATIONS_A_SECOND * left:
                raise BudgetError("seconds", self.seconds, self.seconds - left + work / OPERATIONS_A_SECOND, op)

    def spend(self, nbytes: int) -> None:
        """Count ``nbytes`` of results, and the time."""
        self.spent = spent = self.spent + nbytes
        if spent > self.nbytes:
            raise BudgetError("bytes", self.nbytes, spent)
        if monotonic() > self.deadline:
            self.check_time()

    def take(self, steps: int, nbytes: int = 0) -> None:
        """Count ``steps`` that Python is about to take (an item visited, a digit multiplied), and ``nbytes`` made."""
        self.taken += steps
        if self.taken > self.steps:
            raise BudgetError("steps", self.steps, self.taken)
        self.spend(nbytes)

    def stop(self) -> None:
        """Let the work end at its next step, as if its time were over; from any thread."""
        self.deadline = -inf

    @property
    def is_stopped(self) -> bool:
        """Whether somebody stopped the work."""
        return self.deadline == -inf

    def check_time(self) -> None:
        """Stop work that has used up its time."""
        now = monotonic()
        if now > self.deadline:
            raise BudgetError("seconds", self.seconds, self.seconds + now - self.deadline)


class Journal:
    """What a run changed, so that it can be undone as a whole.

    An object is touched before its first change; a memento knows how to put it back: a shallow copy of its attributes.
    Of a memory the pages are kept that something is written to.
    """

    __slots__ = ("_mementos", "_memories")
    keeps = True  # whether it can put back what changes

    def __init__(self) -> None:
        self._mementos: dict[int, tuple[Any, Callable[[], None]]] = {}
        self._memories: dict[int, Overwritten] = {}

    def touch(self, target: Any) -> None:
        """Remember ``target`` as it is now, unless it is remembered already."""
        if id(target) not in self._mementos:
            self._mementos[id(target)] = (target, _memento(target))

    def overwrite(self, storage: Storage, written: np.ndarray[Any, Any]) -> None:
        """Remember the version of ``storage``, and what is in its memory where ``written`` shows it."""
        self.touch(storage)
        root = storage.root
        memory = self._memories.get(id(root))
        if memory is None:
            memory = self._memories[id(root)] = Overwritten(root)
        memory.keep(written)

    def stepping(self) -> AbstractContextManager[None]:
        """What holds while an optimiser takes a step."""
        return nullcontext()

    def touched(self) -> Iterable[Any]:
        """The objects that were about to change, in the order of their first touch."""
        return (target for target, _ in self._mementos.values())

    def overwritten(self) -> Iterable[Overwritten]:
        """The memories that were about to change."""
        return self._memories.values()

    def rollback(self) -> None:
        """Put every touched object and every memory back."""
        for _, restore in self._mementos.values():
            restore()
        for memory in self._memories.values():
            memory()
        self._mementos.clear()
        self._memories.clear()


def _memento(target: Any) -> Callable[[], None]:
    if hasattr(type(target), "memento"):
        return target.memento()  # type: ignore[no-any-return]
    if isinstance(target, list):
        items = list(target)
        return lambda: target.__setitem__(slice(None), items)
    if isinstance(target, (set, deque)):
        held = target.copy()
        return lambda: _refill_items(target, held)
    if isinstance(target, dict):
        entries = dict(target)
        return lambda: _refill(target, entries)
    attributes = dict(vars(target))
    return lambda: _refill(vars(target), attributes)


def _refill(target: dict[Any, Any], entries: dict[Any, Any]) -> None:
    target.clear()
    target.update(entries)


def _refill_items(target: set[Any] | deque[Any], items: set[Any] | deque[Any]) -> None:
    target.clear()
    if isinstance(target, set):
        target.update(items)
    else:
        target.extend(items)


_HERE = str(Path(__file__).parent)
_PRINTING = PrintOptions()
_new = object.__new__
Warnings: TypeAlias = MutableSequence[str]


class Shared:
    """What all contexts of a session have in common: the defaults, the random numbers, the warnings.

    ``modules`` is for what others keep per process (Python's ``random``, NumPy's): whoever runs programs fills it.
    """

    __slots__ = ("default_dtype", "generator", "modules", "observed", "print_options", "trace", "warnings")

    def __init__(
        self, default_dtype: DType, print_options: PrintOptions, generator: Generator, warnings: Warnings | None
    ) -> None:
        self.default_dtype, self.print_options = default_dtype, print_options
        self.generator, self.warnings = generator, warnings
        self.trace: Callable[[], list[str]] | None = None
        self.observed: weakref.WeakSet[Any] | None = None
        self.modules: dict[str, Any] = {}


class State:
    """Everything that outlives a call and is not a tensor, as one context sees it.

    Grad modes belong to the context: entering one makes another state current, and leaves this one, which other
    contexts may hold, as it is. ``budget``, ``journal`` and ``recorder`` are those of one run; assign the first two
    before the state is made current. The rest is shared by all states that were made from one. ``recorder`` notes what
    kernels run on, while a plan is made; ``watch`` is told of new nodes (``engine.autograd.watch``).
    """

    __slots__ = ("_origin", "budget", "grad_enabled", "in_rule", "inference", "journal", "recorder", "shared", "watch")

    def __init__(
        self, *, default_dtype: DType = dtypes.float32, print_options: PrintOptions = _PRINTING,
        generator: Generator | None = None, warnings: Warnings | None = None, budget: Budget | None = None,
        journal: Journal | None = None,
    ) -> None:  # fmt: skip
        self.grad_enabled, self.inference = True, False
        self.in_rule = False  # whether a rule runs that is recorded: what PyTorch has in C++
        self.budget, self.journal = budget, journal
        self.recorder: Any = None
        self.watch: Any = None
        self._origin: State | None = None  # itself: a state that knew itself would wait to be collected
        self.shared = Shared(default_dtype, print_options, generator or Generator.from_entropy(), warnings)

    def but(self, grad_enabled: bool, inference: bool, recorder: Any, watch: Any) -> State:
        """This state with other modes, recorder and watch; the origin itself, where that is the same."""
        origin = self.origin
        is_same = origin.grad_enabled is grad_enabled and origin.inference is inference
        if is_same and origin.recorder is recorder and origin.watch is watch:
            return origin
        state = _new(State)
        state.grad_enabled, state.inference, state.recorder = grad_enabled, inference, recorder
        state.watch = watch
        state.budget, state.journal = self.budget, self.journal
        state.in_rule = self.in_rule
        state._origin, state.shared = origin, self.shared
        return state

    @property
    def origin(self) -> State:
        """The state that ``use`` made current; the others of this context were made from it."""
        return self if self._origin is None else self._origin

    @property
    def default_dtype(self) -> DType:
        """The dtype that Python floats become."""
        return self.shared.default_dtype

    @default_dtype.setter
    def default_dtype(self, dtype: DType) -> None:
        self.shared.default_dtype = dtype

    @property
    def print_options(self) -> PrintOptions:
        """How tensors print."""
        return self.shared.print_options

    @print_options.setter
    def print_options(self, options: PrintOptions) -> None:
        self.shared.print_options = options

    @property
    def generator(self) -> Generator:
        """Where random numbers come from, unless a call names another generator."""
        return self.shared.generator

    @generator.setter
    def generator(self, generator: Generator) -> None:
        self.shared.generator = generator

    def observe(self, one: Any) -> None:
        """Note hooks that can tell in which order a sweep reaches leaves, for as long as they live."""
        if self.shared.observed is None:
            self.shared.observed = weakref.WeakSet()
        self.shared.observed.add(one)

    @property
    def trace(self) -> Callable[[], list[str]] | None:
        """What says where the program is: lines of text for anomaly detection, if anybody can tell."""
        return self.shared.trace

    @trace.setter
    def trace(self, trace: Callable[[], list[str]] | None) -> None:
        self.shared.trace = trace

    @property
    def modules(self) -> dict[str, Any]:
        """What modules beside this engine keep for the session, by their names."""
        return self.shared.modules

    @property
    def warnings(self) -> Warnings | None:
        """Where warnings are collected, if they are."""
        return self.shared.warnings

    @warnings.setter
    def warnings(self, warnings: Warnings | None) -> None:
        self.shared.warnings = warnings


_state: ContextVar[State | None] = ContextVar("gradserve_state", default=None)


peek = _state.get  # the state in force here, or ``None`` where nobody asked for one yet


def current() -> State:
    """The state in force here; a context without one gets its own at the first question."""
    state = _state.get()
    if state is None:
        state = State()
        state.trace = _stack  # nobody's secret: the program is whoever imported the engine
        _state.set(state)
    return state


def _stack() -> list[str]:
    """The lines of the Python program that called, as its tracebacks show them."""
    frames = traceback.extract_stack()
    ours = (_HERE, "<written by engine.op")
    inner = next((n for n, frame in enumerate(frames) if frame.filename.startswith(ours)), len(frames))
    return traceback.format_list(frames[:inner])


class use:
    """Make ``state`` current; floating-point exceptions stay silent inside, as IEEE results do in PyTorch."""

    __slots__ = ("_silence", "_state", "_token")

    def __init__(self, state: State) -> None:
        self._state = state
        self._silence = np.errstate(all="ignore")

    def __enter__(self) -> State:
        self._token = _state.set(self._state)
        self._silence.__enter__()
        return self._state

    def __exit__(self, *exc_info: object) -> None:
        self._silence.__exit__(None, None, None)
        _state.reset(self._token)


def standing(state: State) -> Context:
    """Return a context in which ``state`` is in force: what is ``run`` there does not pay for ``use`` each time."""
    context = copy_context()
    context.run(use(state).__enter__)
    return context


def warn(text: str, category: type[Warning] = UserWarning) -> None:
    """Tell the user: collected where the state collects, else a Python warning."""
    collected = current().warnings
    if collected is None:
        warnings.warn(text, category, stacklevel=3)
    else:
        collected.append(text)


def warn_once(text: str) -> None:
    """Tell the user what PyTorch says once a process: here once a collection of warnings."""
    if text not in (current().warnings or ()):
        warn(text)


def touch(target: Any) -> None:
    """Let the journal in force remember ``target`` before it changes."""
    journal = current().journal
    if journal is not None:
        journal.touch(target)


def overwrite(storage: Storage, written: np.ndarray[Any, Any]) -> None:
    """Let the journal in force remember what ``written`` shows of ``storage`` before it changes."""
    journal = current().journal
    if journal is not None:
        journal.overwrite(storage, written)


def switch(grad_enabled: bool, inference: bool | None = None) -> tuple[bool, bool]:
    """Record from here on or not, in this context alone; returns the modes that were in force, to switch back to."""
    state = current()
    outer = state.grad_enabled, state.inference
    if inference is None:
        inference = state.inference
    if outer != (grad_enabled, inference):
        _state.set(state.but(grad_enabled, inference, state.recorder, state.watch))
    return outer


def report_to(recorder: Any) -> None:
    """Let ``recorder`` note what kernels run on in this context; ``None`` ends that."""
    state = current()
    _state.set(state.but(state.grad_enabled, state.inference, recorder, state.watch))


def watch_by(watch: Any) -> Any:
    """Let ``watch`` be told of new nodes in this context, or nobody; returns who was told, to switch back to."""
    state = current()
    outer = state.watch
    _state.set(state.but(state.grad_enabled, state.inference, state.recorder, watch))
    return outer


def settle() -> None:
    """Let the modes in force here be those of the state that ``use`` made current: its next use begins with them."""
    state = current()
    state.origin.grad_enabled, state.origin.inference = state.grad_enabled, state.inference
    state.origin.watch = state.watch


class _Mode:
    """A context manager over one grad mode setting; it may be entered again, also nested."""

    def __init__(self, grad_enabled: bool, inference: bool | None = None) -> None:
        self._setting = (grad_enabled, inference)
        self._outer: list[tuple[bool, bool]] = []

    def __enter__(self) -> None:
        self._outer.append(switch(*self._setting))

    def __exit__(self, *exc_info: object) -> None:
        switch(*self._outer.pop())


class no_grad(_Mode):
    """Nothing inside is recorded."""

    def __init__(self) -> None:
        super().__init__(False)


class enable_grad(_Mode):
    """Everything inside is recorded, also within ``no_grad``."""

    def __init__(self) -> None:
        super().__init__(True)


class inference_mode(_Mode):
    """Nothing inside is recorded, and tensors made inside can never be."""

    def __init__(self, mode: bool = True) -> None:
        super().__init__(not mode, mode)


class set_grad_enabled(_Mode):
    """Switches recording at once; as a context manager, until its end."""

    def __init__(self, mode: bool) -> None:
        if not isinstance(mode, bool):
            raise ArgumentTypeError(
                f"set_grad_enabled(): argument 'enabled' (position 1) must be bool, not {type(mode).__name__}"
            )
        super().__init__(mode)
        self._before = switch(mode)

    def __enter__(self) -> None:
        super().__enter__()
        self._outer[-1] = self._before

    def __repr__(self) -> str:
        return f"torch.autograd.grad_mode.set_grad_enabled(mode={self._setting[0]})"


homes.keep("torch.autograd.grad_mode", no_grad, enable_grad, inference_mode, set_grad_enabled)


class set_multithreading_enabled:
    """Takes what PyTorch takes; a sweep has one thread here anyhow."""

    def __init__(self, mode: bool) -> None:
        self.mode = mode

    def __enter__(self) -> None:
        """Nothing changes."""

    def __exit__(self, *exc_info: object) -> None:
        """Nothing changes back."""


def is_grad_enabled() -> bool:
    """Whether operations are being recorded here."""
    return current().grad_enabled


def is_inference_mode_enabled() -> bool:
    """Whether inference mode is on here."""
    return current().inference


def get_default_dtype() -> DType:
    """The dtype that Python floats become."""
    return current().default_dtype


def set_default_dtype(d: DType) -> None:
    """Make Python floats become ``d``, a floating dtype."""
    if not isinstance(d, DType):
        raise ArgumentTypeError("invalid dtype object")
    if not d.is_floating_point:
        raise ArgumentTypeError("only floating-point types are supported as the default type")
    current().default_dtype = d


def set_printoptions(
    precision: int | None = None, threshold: int | None = None, edgeitems: int | None = None,
    linewidth: int | None = None, profile: str | None = None, sci_mode: bool | None = None,
) -> None:  # fmt: skip
    """Change how tensors print; what is not given stays, but for ``sci_mode``."""
    for name, value in (("precision", precision), ("threshold", threshold), ("edgeitems", edgeitems),
                        ("linewidth", linewidth)):  # fmt: skip
        if value is not None and (isinstance(value, bool) or not isinstance(value, int | float)):
            raise ArgumentTypeError(f"set_printoptions(): {name} must be a number, not {type(value).__name__}")
    state = current()
    state.print_options = state.print_options.updated(precision, threshold, edgeitems, linewidth, profile, sci_mode)
