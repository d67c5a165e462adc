"""What the reference keeps per process and this engine per session: modes, defaults, random numbers, budget, journal.

One ``State`` is current in every context (thread, task); a service makes one for each session. Modes are changed by
context managers and restored in ``finally``.
"""

from __future__ import annotations

import time
import warnings
from collections.abc import Callable, Iterable
from contextvars import ContextVar
from dataclasses import dataclass, field
from math import inf
from typing import Any

import numpy as np

from engine import dtypes
from engine.dtypes import DType
from engine.errors import ArgumentTypeError, BudgetError
from engine.printing import PrintOptions
from engine.random import Generator


class Budget:
    """What a request may use: elements in one tensor, bytes of all results together, and time.

    ``deadline`` is a value of ``time.monotonic()``. Asked before the work; raises ``BudgetError``.
    """

    __slots__ = ("deadline", "elements", "nbytes", "seconds", "spent")

    def __init__(self, elements: float = inf, nbytes: float = inf, seconds: float = inf) -> None:
        self.elements, self.nbytes, self.seconds = elements, nbytes, seconds
        self.deadline = time.monotonic() + seconds
        self.spent = 0

    def reserve(self, elements: int, itemsize: int) -> None:
        """Ask for a result of ``elements`` before it is allocated."""
        if elements > self.elements:
            raise BudgetError("elements", self.elements, elements)
        if self.spent + elements * itemsize > self.nbytes:
            raise BudgetError("bytes", self.nbytes, self.spent + elements * itemsize)

    def spend(self, nbytes: int) -> None:
        """Count ``nbytes`` of results, and the time."""
        self.spent += nbytes
        if self.spent > self.nbytes:
            raise BudgetError("bytes", self.nbytes, self.spent)
        self.check_time()

    def stop(self) -> None:
        """Let the work end at its next step, as if its time were over; from any thread."""
        self.deadline = -inf

    def check_time(self) -> None:
        """Stop work that has used up its time."""
        now = time.monotonic()
        if now > self.deadline:
            raise BudgetError("seconds", self.seconds, self.seconds + now - self.deadline)


class Journal:
    """What a run changed, so that it can be undone as a whole.

    An object is touched before its first change; a memento knows how to put it back. Storages keep a copy of their
    bytes, everything else a shallow copy of its attributes.
    """

    __slots__ = ("_mementos",)

    def __init__(self) -> None:
        self._mementos: dict[int, tuple[Any, Callable[[], None]]] = {}

    def touch(self, target: Any) -> None:
        """Remember ``target`` as it is now, unless it is remembered already."""
        if id(target) not in self._mementos:
            self._mementos[id(target)] = (target, _memento(target))

    def touched(self) -> Iterable[tuple[Any, Callable[[], None]]]:
        """The objects that were about to change, each with its memento, in the order of their first touch."""
        return self._mementos.values()

    def rollback(self) -> None:
        """Put every touched object back."""
        for _, restore in reversed(self._mementos.values()):  # aliases of one memory: the oldest copy has the last word
            restore()
        self._mementos.clear()


def _memento(target: Any) -> Callable[[], None]:
    if isinstance(target, list):
        items = list(target)
        return lambda: target.__setitem__(slice(None), items)
    if isinstance(target, dict):
        entries = dict(target)
        return lambda: _refill(target, entries)
    return target.memento()  # type: ignore[no-any-return]


def _refill(target: dict[Any, Any], entries: dict[Any, Any]) -> None:
    target.clear()
    target.update(entries)


_PRINTING = PrintOptions()


@dataclass(slots=True)
class State:
    """Everything that outlives a call and is not a tensor."""

    grad_enabled: bool = True
    inference: bool = False
    default_dtype: DType = dtypes.float32
    print_options: PrintOptions = _PRINTING
    generator: Generator = field(default_factory=Generator.from_entropy)
    warnings: list[str] | None = None
    budget: Budget | None = None
    journal: Journal | None = None
    recorder: Any = None  # notes what kernels run on, while a plan is made


_state: ContextVar[State | None] = ContextVar("gradserve_state", default=None)


peek = _state.get  # the state in force here, or ``None`` where nobody asked for one yet


def current() -> State:
    """The state in force here; a context without one gets its own at the first question."""
    state = _state.get()
    if state is None:
        state = State()
        _state.set(state)
    return state


class use:
    """Make ``state`` current; floating-point exceptions stay silent inside, as IEEE results do in the reference."""

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


def warn(text: str) -> None:
    """Tell the user: collected where the state collects, else a Python warning."""
    collected = current().warnings
    if collected is None:
        warnings.warn(text, UserWarning, stacklevel=3)
    else:
        collected.append(text)


def warn_once(text: str) -> None:
    """Tell the user what the reference says once a process: here once a collection of warnings."""
    if text not in (current().warnings or ()):
        warn(text)


def touch(target: Any) -> None:
    """Let the journal in force remember ``target`` before it changes."""
    journal = current().journal
    if journal is not None:
        journal.touch(target)


class _Mode:
    """A context manager over one grad mode setting; it may be entered again, also nested."""

    def __init__(self, grad_enabled: bool, inference: bool | None = None) -> None:
        self._setting = (grad_enabled, inference)
        self._outer: list[tuple[bool, bool]] = []

    def __enter__(self) -> None:
        state = current()
        self._outer.append((state.grad_enabled, state.inference))
        grad_enabled, inference = self._setting
        state.grad_enabled = grad_enabled
        if inference is not None:
            state.inference = inference

    def __exit__(self, *exc_info: object) -> None:
        state = current()
        state.grad_enabled, state.inference = self._outer.pop()


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
        state = current()
        self._before = (state.grad_enabled, state.inference)
        state.grad_enabled = mode

    def __enter__(self) -> None:
        super().__enter__()
        self._outer[-1] = self._before


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
