"""``random``: Python's Mersenne Twister, with a state that belongs to the session and never to the process."""

from __future__ import annotations

import random
from collections.abc import Callable
from typing import Any, Final

from app.program.builtins import Getter, Routine
from app.program.costs import ITEM_BYTES, LITTLE, OBJECT_BYTES, Cost, length, little, pay
from app.program.failures import python
from app.program.modules.calls import Priced, bound, held, host, priced, touch, unrepeatable
from engine import modes


class _Source(random.Random):
    """Python's generator, where each draw is a step: some distributions draw until a draw fits."""

    def random(self) -> float:
        pay(LITTLE)
        return super().random()

    def getrandbits(self, k: int, /) -> int:
        pay(Cost(1 + k // 32, k // 8, bits=k) if isinstance(k, int) and k > 32 else LITTLE)
        drawn: int = python(super().getrandbits, k)
        return drawn


class Random:
    """A generator of a program's; ``memento`` lets a journal undo what it drew."""

    __slots__ = ("__weakref__", "source")

    def __init__(self, x: Any = None) -> None:
        self.source = _Source(x)

    def memento(self) -> Callable[[], None]:
        """A function that brings this moment back."""
        state = self.source.getstate()
        return lambda: self.source.setstate(state)

    def __repr__(self) -> str:
        return f"<random.Random object at {id(self):#x}>"


def default() -> Random:
    """The generator of the session, seeded by the operating system when it is first asked for."""
    kept = modes.current().modules
    if "random" not in kept:
        kept["random"] = Random()
    found: Random = kept["random"]
    return found


def _sample(source: _Source, population: Any, k: Any, *, counts: Any = None) -> Any:
    return source.sample(population, k, counts=counts if counts is None else held(counts))


def _choices(source: _Source, population: Any, weights: Any = None, *, cum_weights: Any = None, k: Any = 1) -> Any:
    given = {"weights": weights, "cum_weights": cum_weights}
    return source.choices(population, k=k, **{name: one if one is None else held(one) for name, one in given.items()})


def _drawn(_: Any, population: Any = (), *args: Any, k: Any = 0, **__: Any) -> Cost:
    count = max((one for one in (k, *args) if isinstance(one, int)), default=0)
    return Cost(1, ITEM_BYTES * length(population) + (ITEM_BYTES + OBJECT_BYTES) * max(count, 0), items=max(count, 0))


def _seeded(_: Any, a: Any = None, *__: Any, **___: Any) -> Cost:
    return Cost(1 + (a.bit_length() // 16 if isinstance(a, int) else length(a)))


def _state(*_: Any, **__: Any) -> Cost:
    return Cost(625, 625 * OBJECT_BYTES)


_SIMPLE: Final[dict[str, Priced]] = {
    name: (getattr(_Source, name), little)
    for name in (
        "betavariate",
        "choice",
        "expovariate",
        "gammavariate",
        "gauss",
        "getrandbits",
        "lognormvariate",
        "normalvariate",
        "paretovariate",
        "randint",
        "random",
        "randrange",
        "shuffle",
        "triangular",
        "uniform",
        "vonmisesvariate",
        "weibullvariate",
    )
}
_METHODS: Final[dict[str, Priced]] = _SIMPLE | {
    "choices": (_choices, _drawn), "sample": (_sample, _drawn), "seed": (_Source.seed, _seeded),
    "getstate": (_Source.getstate, _state), "setstate": (_Source.setstate, _state),
}  # fmt: skip


def _drawing(name: str, entry: Priced) -> Callable[..., Any]:
    """A method that draws: the journal knows the generator as it was, and what is shuffled."""
    call = priced(*entry)

    def draw(generator: Random, *args: Any, **kwargs: Any) -> Any:
        unrepeatable("random numbers")
        modes.touch(generator)
        if name == "shuffle":
            touch(*args, *kwargs.values())
        return call(generator.source, *args, **kwargs)

    return draw


_CALLS: Final = {name: _drawing(name, entry) for name, entry in _METHODS.items()}


def _of_session(name: str) -> Routine:
    return Routine(name, lambda *args, **kwargs: _CALLS[name](default(), *args, **kwargs))


GENERATOR: Final[dict[str, Getter]] = {name: bound(name, call) for name, call in _CALLS.items()}
RANDOM: Final[dict[str, Any]] = {name: _of_session(name) for name in _CALLS} | {
    "Random": host(Random, "random.Random", priced(Random, lambda *given, **_: _seeded(None, *given)), GENERATOR)
}
