"""How values that modules give (counters, generators of random numbers, dtypes) stand in a session's records."""

from __future__ import annotations

import re
from collections import ChainMap, Counter, OrderedDict, defaultdict
from collections.abc import Callable
from typing import Any, Final

import numpy as np

from app.program.failures import PythonError
from app.program.modules import kept
from app.program.modules.io import Buffer
from app.program.modules.numpy.arguments import dtype_of
from app.program.modules.numpy.random import Draws
from app.program.modules.progress import Progress
from app.program.modules.random import Random
from app.program.modules.re import PATTERN_CHARS
from app.program.modules.string import Template
from app.sessions.value_kinds import InlineKind, Malformed, Parts, SharedKind


def _pairs(mapping: dict[Any, Any]) -> Parts:
    return [part for item in mapping.items() for part in item]


def _refill(target: Any, parts: list[Any]) -> None:
    if len(parts) % 2:
        raise Malformed("a mapping of no pairs")
    target.clear()
    target.update(dict(zip(parts[::2], parts[1::2], strict=True)))


def _refill_default(target: defaultdict[Any, Any], parts: list[Any]) -> None:
    if parts[0] is not None and not callable(parts[0]):
        raise Malformed("a dict without a factory")
    target.default_factory = parts[0]
    _refill(target, parts[1:])


def _refill_chain(target: ChainMap[Any, Any], parts: list[Any]) -> None:
    if not parts or not all(isinstance(one, (dict, ChainMap)) for one in parts):
        raise Malformed("a chain of no dicts")
    target.maps[:] = parts


def _sound(load: Callable[[list[Any]], Any], parts: list[Any]) -> Any:
    try:
        return load(parts)
    except (kept.Unusable, TypeError, ValueError):
        raise Malformed("a generator in no possible state") from None


def _fill_random(generator: Random, parts: list[Any]) -> None:
    generator.source.setstate(_sound(kept.load_random, parts).source.getstate())


def _fill_draws(draws: Draws, parts: list[Any]) -> None:
    found = _sound(kept.load_draws, parts)
    if type(found) is not type(draws):
        raise Malformed("a generator of another sort")
    draws.source = found.source


def _load_dtype(parts: list[Any]) -> Any:
    try:
        return dtype_of(parts[0])
    except PythonError:
        raise Malformed("a dtype that does not exist") from None


def _load_template(parts: list[Any]) -> Template:
    if not isinstance(parts[0], str):
        raise Malformed("a template without a text")
    return Template(parts[0])


def _load_pattern(parts: list[Any]) -> re.Pattern[str]:
    text, flags = parts
    if not isinstance(text, str) or len(text) > PATTERN_CHARS or type(flags) is not int:
        raise Malformed("a pattern without a text")
    try:
        return re.compile(text, flags)
    except (re.error, ValueError):
        raise Malformed("a pattern that cannot be read") from None


def _dump_buffer(buffer: Buffer) -> Parts:
    return [buffer.place, buffer.size, buffer.closed, *_pairs(buffer.values)]


def _fill_buffer(buffer: Buffer, parts: list[Any]) -> None:
    place, size, closed, *pairs = parts
    is_sound = type(place) is int and type(size) is int and type(closed) is bool and len(pairs) % 2 == 0
    if not is_sound or not all(type(one) is int for one in pairs[::2]):
        raise Malformed("a buffer in no possible state")
    buffer.place, buffer.size, buffer.closed = place, size, closed
    buffer.values = dict(zip(pairs[::2], pairs[1::2], strict=True))


def _fill_progress(bar: Progress, parts: list[Any]) -> None:
    if len(parts) != len(Progress.__slots__):
        raise Malformed("a bar in no possible state")
    for name, part in zip(Progress.__slots__, parts, strict=True):
        setattr(bar, name, part)


OF_MODULES: Final = (
    SharedKind(
        "progress", Progress, lambda one: [getattr(one, name) for name in Progress.__slots__],
        lambda raw: Progress(), _fill_progress,
    ),
    SharedKind("buffer", Buffer, _dump_buffer, lambda raw: Buffer(), _fill_buffer),
    SharedKind("Counter", Counter, _pairs, lambda raw: Counter(), _refill),
    SharedKind("OrderedDict", OrderedDict, _pairs, lambda raw: OrderedDict(), _refill),
    SharedKind(
        "defaultdict", defaultdict, lambda one: (one.default_factory, *_pairs(one)), lambda raw: defaultdict(),
        _refill_default,
    ),
    SharedKind("ChainMap", ChainMap, lambda one: one.maps, lambda raw: ChainMap(), _refill_chain),
    SharedKind("random", Random, kept.dump_random, lambda raw: Random(0), _fill_random),
    SharedKind("draws", Draws, kept.dump_draws, lambda raw: _sound(kept.load_draws, raw), _fill_draws),
)  # fmt: skip
OF_MODULES_INLINE: Final = (
    InlineKind("pattern", re.Pattern, lambda one: (one.pattern, one.flags), _load_pattern),
    InlineKind("numpy_dtype", np.dtype, lambda one: (one.name,), _load_dtype),
    InlineKind("template", Template, lambda one: (one.source.template,), _load_template),
)
