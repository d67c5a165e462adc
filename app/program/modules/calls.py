"""How functions of libraries are called for programs: paid for before they run, refusals told from faults of ours.

Iterables that a function would walk through by itself are either held in a list first, within the limits, or walked
through by an iterator that pays a step for each item: so nothing in C consumes an endless one.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from types import TracebackType
from typing import Any, Final

import numpy as np

from app.limits import Allowance, Limits, OverLimit
from app.program.builtins import Getter, Routine, type_name
from app.program.costs import ITEM_BYTES, LITTLE, OBJECT_BYTES, Cost, CostOf, pay
from app.program.failures import PythonError
from app.program.tree import GraphError
from engine import Tensor, errors, modes

Priced = tuple[Callable[..., object], CostOf, *tuple[int, ...]]  # and the places of iterables that have to be held
CHANGEABLE: Final = (list, dict, set, deque)
_OURS: Final = ("app.", "engine.")
_PASSING: Final = (PythonError, OverLimit, GraphError, errors.EngineError, MemoryError, RecursionError)
_DEFAULTS: Final = Limits()


@dataclass(frozen=True, slots=True, eq=False)
class Class(Routine):
    """A class of a library that programs may call and ask for: ``isinstance`` means ``kind``."""

    kind: Any = None
    members: Mapping[str, object] = field(default_factory=dict)  # what the class itself has under a name

    @property
    def dtype(self) -> np.dtype[Any]:
        """The dtype that it is among NumPy's: so it compares equal to one."""
        if isinstance(self.kind, type) and issubclass(self.kind, np.generic):
            return np.dtype(self.kind)
        raise AttributeError(self.name)

    def __repr__(self) -> str:
        return f"<class '{self.kind.__module__}.{self.kind.__name__}'>"


# -- calls --------------------------------------------------------------------------------------------------------
def library(function: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
    """Call a function of a library. What it raises is the program's doing, unless a frame of ours raised it."""
    try:
        return function(*args, **kwargs)
    except _PASSING:
        raise
    except Exception as error:
        trace = error.__traceback__
        assert trace is not None
        if trace.tb_next is not None and _is_ours(trace.tb_next):
            raise
        raise PythonError(type(error), str(error)) from None


def _is_ours(trace: TracebackType) -> bool:
    while trace.tb_next is not None:
        trace = trace.tb_next
    return str(trace.tb_frame.f_globals.get("__name__")).startswith(_OURS)


def priced(function: Callable[..., object], cost: CostOf, *held_at: int) -> Callable[..., Any]:
    """``function`` of a library, paid for before it runs."""

    def call(*args: Any, **kwargs: Any) -> object:
        if held_at:
            args = tuple(_held(one) if i in held_at else one for i, one in enumerate(args))
            kwargs = {key: _held(one) if isinstance(one, (range, Iterator)) else one for key, one in kwargs.items()}
        pay(library(cost, *args, **kwargs))
        return library(function, *args, **kwargs)

    return call


def _held(value: Any) -> Any:
    """``value`` held, unless it is none to walk through: what the function says of that is better."""
    return held(value) if hasattr(type(value), "__iter__") else value


def routines(table: Mapping[str, Priced]) -> dict[str, Any]:
    """The functions of a module, by name."""
    return {name: Routine(name, priced(*entry)) for name, entry in table.items()}


def own(*functions: Callable[..., object]) -> dict[str, Any]:
    """Functions written here, which pay for themselves, by their names without what keeps them apart from Python's."""
    return {function.__name__.rstrip("_"): Routine(function.__name__.rstrip("_"), function) for function in functions}


def methods(table: Mapping[str, Priced], *, changing: bool = False) -> dict[str, Getter]:
    """Methods by name; those that are ``changing`` their object are what a journal may have to undo."""
    return {name: bound(name, priced(*entry), changing) for name, entry in table.items()}


def bound(name: str, call: Callable[..., Any], changing: bool = False) -> Getter:
    """A getter of ``call`` as the method ``name`` of a value."""

    def get(value: Any) -> Routine:
        def method(*args: Any, **kwargs: Any) -> Any:
            if changing:
                modes.touch(value)
            return call(value, *args, **kwargs)

        return Routine(name, method, owner=value)

    return get


def touch(*values: Any) -> None:
    """Let the journal know containers that are about to change; the engine sees to its tensors itself."""
    for value in values:
        if isinstance(value, CHANGEABLE):
            modes.touch(value)


# -- iterables ----------------------------------------------------------------------------------------------------
_KNOWN: Final = (list, tuple, dict, str, set, frozenset)


def iterate(value: Any) -> Iterator[Any]:
    """The items of a value, as Python walks through them."""
    if isinstance(value, (*_KNOWN, range, Tensor, np.ndarray)) or hasattr(type(value), "__iter__"):
        return iter(library(iter, value))
    raise PythonError(TypeError, f"'{type_name(value)}' object is not iterable")


def metered(value: Any, weight: int = 1) -> Iterator[Any]:
    """The items of a value, each of which costs a step (``weight`` of them) when it is asked for."""
    if isinstance(value, Metered):
        return value
    return Metered(iterate(value), weight=weight)


class Metered:
    """An iterator that pays for each item; ``name`` is that of the iterator in Python."""

    __slots__ = ("_iterator", "_weight", "name")

    def __init__(self, iterator: Iterator[Any], name: str = "iterator", weight: int = 1) -> None:
        self._iterator, self.name, self._weight = iterator, name, weight

    def __iter__(self) -> Iterator[Any]:
        return self

    def __next__(self) -> Any:
        budget = modes.current().budget
        if budget is not None:
            budget.take(self._weight, ITEM_BYTES * self._weight)
        return next(self._iterator)

    def __repr__(self) -> str:
        return f"<{self.name} object at {id(self):#x}>"


def held(value: Any) -> Any:
    """``value`` itself if it is a container, else its items in a list, within the limit of one."""
    if isinstance(value, _KNOWN):
        return value
    budget = modes.current().budget
    allowed = (budget.limits if isinstance(budget, Allowance) else _DEFAULTS).list_items
    items: list[Any] = []
    for item in metered(value):
        items.append(item)
        if len(items) > allowed:
            raise OverLimit("list_items", allowed=allowed, asked=len(items))
    pay(Cost(0, (ITEM_BYTES + OBJECT_BYTES) * len(items)))
    return items


def free(*_: Any, **__: Any) -> Cost:
    """Nothing: the function pays for itself."""
    return LITTLE


def constants(source: Any, *names: str) -> dict[str, Any]:
    """Constants of a module of Python's."""
    return {name: getattr(source, name) for name in names}
