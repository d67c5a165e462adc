"""What modules keep for a session (their generators, clock and settings) as plain data, and back.

Nothing in it depends on the program: a session stores it beside its other settings.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

import numpy as np

from app.program.builtins import EXCEPTIONS
from app.program.modules.numpy import printing
from app.program.modules.numpy.random import Draws, Legacy
from app.program.modules.random import Random
from app.program.modules.warnings import ACTIONS, FILTERS, pattern

WORDS: Final = 624
Plain = Any


class Unusable(Exception):
    """Data that no module has kept."""


def _require(condition: Any) -> None:
    if not condition:
        raise Unusable


# -- generators ---------------------------------------------------------------------------------------------------
def dump_random(generator: Random) -> list[Plain]:
    """Words, place, and the second of two normals."""
    _, words, spare = generator.source.getstate()
    return [np.asarray(words[:-1], "<u4").tobytes(), words[-1], spare]


def load_random(parts: list[Plain]) -> Random:
    """Return the generator that ``dump_random`` saw."""
    key, place, spare = parts
    _require(_is_key(key) and type(place) is int and 0 <= place <= WORDS and isinstance(spare, float | None))
    made = Random(0)
    made.source.setstate((3, (*np.frombuffer(key, "<u4").tolist(), place), spare))
    return made


def _is_key(key: Any) -> bool:
    return isinstance(key, bytes) and len(key) == 4 * WORDS and any(key)


def dump_draws(draws: Draws) -> list[Plain]:
    """The name of the algorithm and its state."""
    state = draws.state
    inner = state["state"]
    if state["bit_generator"] == "MT19937":
        rest = [state["has_gauss"], state["gauss"]] if isinstance(draws, Legacy) else []
        return ["MT19937", inner["key"].astype("<u4").tobytes(), inner["pos"], *rest]
    return ["PCG64", hex(inner["state"]), hex(inner["inc"]), state["has_uint32"], state["uinteger"]]


def load_draws(parts: list[Plain]) -> Draws:
    """Return the generator that ``dump_draws`` saw."""
    name, *rest = parts
    if name == "MT19937":
        key, place, *gauss = rest
        _require(_is_key(key) and type(place) is int and 0 <= place <= WORDS and len(gauss) in (0, 2))
        state: dict[str, Any] = {
            "bit_generator": name, "state": {"key": np.frombuffer(key, "<u4").astype(np.uint32), "pos": place},
        }  # fmt: skip
        if not gauss:
            bits = np.random.MT19937(0)
            bits.state = state  # type: ignore[assignment]
            return Draws(np.random.Generator(bits))
        _require(gauss[0] in (0, 1) and isinstance(gauss[1], float))
        made = Legacy(np.random.RandomState(0))
        made.state = state | {"has_gauss": gauss[0], "gauss": gauss[1]}
        return made
    _require(name == "PCG64" and len(rest) == 4 and all(isinstance(one, str) and len(one) < 40 for one in rest[:2]))
    whole, step = (int(one, 16) for one in rest[:2])
    _require(0 <= whole < 2**128 and 0 <= step < 2**128 and step % 2 and rest[2] in (0, 1))
    _require(type(rest[3]) is int and 0 <= rest[3] < 2**32)
    modern = np.random.PCG64(0)
    modern.state = {
        "bit_generator": name, "state": {"state": whole, "inc": step}, "has_uint32": rest[2], "uinteger": rest[3],
    }  # fmt: skip
    return Draws(np.random.Generator(modern))


# -- settings -----------------------------------------------------------------------------------------------------
def _load_ticks(ticks: Plain) -> int:
    _require(type(ticks) is int and 0 <= ticks < 2**62)
    return int(ticks)


def _dump_pairs(settings: dict[str, Any]) -> list[Plain]:
    return [[name, value] for name, value in settings.items()]


def _load_printing(parts: list[Plain]) -> dict[str, Any]:
    found = printing.options({str(name): value for name, value in parts})
    with np.printoptions(**found):  # it refuses what it does not know
        return found


def _load_errors(parts: list[Plain]) -> dict[str, str]:
    found = dict(parts)
    _require(found.keys() <= set(printing.KINDS) and set(found.values()) <= {"ignore", "warn", "raise"})
    return found


def _dump_filters(filters: tuple[Any, ...]) -> list[Plain]:
    """Those of Python's own categories: what a program's class means is gone with the names it had."""
    names = {host: name for name, host in EXCEPTIONS.items()} | {host.type: name for name, host in EXCEPTIONS.items()}
    return [[action, names[kind], start] for action, kind, start in filters if kind in names]


def _load_filters(parts: list[Plain]) -> tuple[Any, ...]:
    for action, name, start in parts:
        _require(action in ACTIONS and name in EXCEPTIONS and pattern(start) == start)
    return tuple([(action, EXCEPTIONS[name], start) for action, name, start in parts])


_KINDS: Final[dict[str, tuple[Callable[[Any], Plain], Callable[[Any], Any]]]] = {
    "random": (dump_random, load_random), "numpy.random": (dump_draws, load_draws), "time": (int, _load_ticks),
    printing.PRINTED: (_dump_pairs, _load_printing), printing.ERRORS: (_dump_pairs, _load_errors),
    FILTERS: (_dump_filters, _load_filters),
}  # fmt: skip


def dump(modules: dict[str, Any]) -> dict[str, Plain]:
    """What modules have kept, as plain data."""
    return {name: _KINDS[name][0](value) for name, value in modules.items() if value}


def load(plain: Any) -> dict[str, Any]:
    """Return what modules had kept. Raises ``Unusable``."""
    try:
        return {name: _KINDS[name][1](value) for name, value in plain.items()}
    except Unusable:
        raise
    except Exception as error:  # of whatever sort: it comes from outside
        raise Unusable from error
