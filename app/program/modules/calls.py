"""How modules are written down: functions with their costs, types with tables of methods, objects that have attributes.

Iterables that a function would walk through by itself are either held in a list first, within the limits, or walked
through by an iterator that pays a step for each item: so nothing in C consumes an endless one.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator, Mapping
from functools import partial
from typing import Any, Final

from app.program.builtins import HOSTS, METHODS, STATICS, Getter, Routine, members_of
from app.program.classes import HostType
from app.program.costs import LITTLE, CostOf, length, little, made, pay
from app.program.failures import python, translated
from app.program.operations import Metered, iterate
from app.program.operations import held as kept
from engine import modes

Priced = tuple[Callable[..., object], CostOf, *tuple[int, ...]]  # and the places of iterables that have to be held
CHANGEABLE: Final = (list, dict, set, deque)


PRINTING: Final[list[Callable[..., None]]] = []  # how texts are printed: see ``app.program.calls``


# -- functions ----------------------------------------------------------------------------------------------------
def priced(function: Callable[..., object], cost: CostOf, *held_at: int) -> Callable[..., Any]:
    """``function`` of a library, paid for before it runs."""
    if cost is little:
        return partial(_cheap, function)

    def call(*args: Any, **kwargs: Any) -> object:
        if held_at:
            args = tuple(_held(one) if i in held_at else one for i, one in enumerate(args))
            kwargs = {key: _held(one) if isinstance(one, (range, Iterator)) else one for key, one in kwargs.items()}
        pay(asked(cost, *args, **kwargs))
        return python(function, *args, **kwargs)

    return call


def asked(cost: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
    """What a call costs. Arguments of which that cannot be said are refused."""
    try:
        return cost(*args, **kwargs)
    except (ArithmeticError, AttributeError, LookupError, TypeError, ValueError) as error:
        raise translated(error) from None


def _cheap(function: Callable[..., object], /, *args: Any, **kwargs: Any) -> object:
    pay(LITTLE)
    return python(function, *args, **kwargs)


def _held(value: Any) -> Any:
    """``value`` held, unless it is none to walk through: what the function says of that is better."""
    return held(value) if hasattr(type(value), "__iter__") else value


def routines(table: Mapping[str, Priced]) -> dict[str, Any]:
    """The functions of a module, by name."""
    return {name: Routine(name, priced(*entry)) for name, entry in table.items()}


def constants(source: Any, *names: str) -> dict[str, Any]:
    """Constants of a module of Python's."""
    return {name: getattr(source, name) for name in names}


# -- types --------------------------------------------------------------------------------------------------------
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


def host(
    kind: type[Any], name: str, call: Callable[..., Any], table: Mapping[str, Getter], *bases: type[Any],
    statics: Mapping[str, Callable[..., Any]] | None = None,
) -> HostType:  # fmt: skip
    """A type as programs know it: what a call of it means, what its values have, what it has itself (``statics``)."""
    METHODS[kind] = dict(table)
    if statics:
        STATICS[kind] = dict(statics)
    mro = tuple(one for base in bases for one in HOSTS[base].mro)
    found = HOSTS[kind] = HostType(kind, name, call, members_of, mro=mro or (HOSTS[object],))
    return found


def touch(*values: Any) -> None:
    """Let the journal know containers that are about to change; the engine sees to its tensors itself."""
    for value in values:
        if isinstance(value, CHANGEABLE):
            modes.touch(value)


def unrepeatable(reason: str) -> None:
    """Let no plan be made of what runs now: another run finds another value here."""
    recorder = modes.current().recorder
    if recorder is not None:
        recorder.give_up(reason)


# -- iterables ----------------------------------------------------------------------------------------------------
def held(value: Any) -> Any:
    """A container of the items of a value: itself if it is one, within the limit of a list if it is none."""
    if type(value) is range:
        pay(made(length(value)))
        return list(value)
    return kept(value)


def metered(value: Any) -> Iterator[Any]:
    """The items of a value, each of which costs a step when it is asked for."""
    return value if isinstance(value, Metered) else Metered(iterate(value))
