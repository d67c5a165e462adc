"""``itertools``: Python's own iterators over iterators that pay for each item.

What makes items of nothing (``count``, ``repeat``, ``product``) pays for what comes out; what passes items on or skips
them, for what goes in.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator
from typing import Any, Final

from app.program.builtins import Routine, binary
from app.program.costs import ITEM_BYTES, Cost, length, pay
from app.program.failures import python
from app.program.modules.calls import held, host, metered
from app.program.operations import Metered


def _passing(name: str, *places: int) -> Routine:
    """An iterator over the arguments at ``places``, or over all of them."""
    make = getattr(itertools, name)

    def call(*args: Any, **kwargs: Any) -> Any:
        chosen = places or range(len(args))
        given = [metered(one) if i in chosen else one for i, one in enumerate(args)]
        named = {key: metered(one) for key, one in kwargs.items()}
        return Metered(python(make, *given, **named), f"itertools.{name}", weight=0)

    return Routine(name, call)


def _chain_from(iterable: Any, /) -> Any:
    parts = (metered(part) for part in metered(iterable))
    return Metered(itertools.chain.from_iterable(parts), "itertools.chain", weight=0)


def _making(name: str, size: Callable[..., int]) -> Routine:
    """An iterator that holds its arguments and makes tuples of ``size`` items of them."""
    make = getattr(itertools, name)

    def call(*args: Any, **kwargs: Any) -> Any:
        given = [_kept(one) for one in args]
        named = {key: _kept(one) for key, one in kwargs.items()}
        count = max(python(size, *given, **named), 0)
        pay(Cost(1 + count, ITEM_BYTES * count, items=count))
        return Metered(python(make, *given, **named), f"itertools.{name}", weight=1 + count)

    return Routine(name, call)


def _kept(value: Any) -> Any:
    return value if value is None or isinstance(value, int) else held(value)


def _pools(*iterables: Any, repeat: Any = 1) -> int:
    return max(len(iterables), sum(map(length, iterables))) * repeat if isinstance(repeat, int) else 0


def _chosen(iterable: Any, r: Any = None) -> int:
    return length(iterable) if r is None else max(r, 0) if isinstance(r, int) else 0


def _count(start: Any = 0, step: Any = 1) -> Any:
    return _Shown(python(itertools.count, start, step), "itertools.count")


def _repeat(*args: Any, **kwargs: Any) -> Any:
    return _Shown(python(itertools.repeat, *args, **kwargs), "itertools.repeat")


class _Shown(Metered):
    """An iterator that prints as what it repeats or counts."""

    __slots__ = ()

    def __repr__(self) -> str:
        return repr(self._iterator)


def _cycle(iterable: Any, /) -> Any:
    return Metered(itertools.cycle(metered(iterable)), "itertools.cycle")


def _accumulate(iterable: Any, func: Any = None, *, initial: Any = None) -> Any:
    function = func if func is not None else lambda left, right: binary("+", left, right)
    return Metered(
        python(itertools.accumulate, metered(iterable), function, initial=initial), "itertools.accumulate", weight=0
    )


def _starmap(function: Any, iterable: Any, /) -> Any:
    arguments = (tuple(held(one)) for one in metered(iterable))
    return Metered(itertools.starmap(function, arguments), "itertools.starmap", weight=0)


def _tee(iterable: Any, n: Any = 2, /) -> Any:
    pay(Cost(1 + n if isinstance(n, int) else 1, items=n if isinstance(n, int) else 0))
    parts = python(itertools.tee, metered(iterable), n)
    return tuple(Metered(part, "itertools._tee") for part in parts)


def _groupby(iterable: Any, key: Any = None) -> Any:
    return Metered(_groups(python(itertools.groupby, metered(iterable), key)), "itertools.groupby", weight=0)


def _groups(groups: Any) -> Iterator[Any]:
    return ((key, Metered(group, "itertools._grouper", weight=0)) for key, group in groups)


def _zip_longest(*iterables: Any, fillvalue: Any = None) -> Any:
    zipped = itertools.zip_longest(*map(metered, iterables), fillvalue=fillvalue)
    return Metered(zipped, "itertools.zip_longest", weight=0)


_CHAIN: Final = _passing("chain")
ITERTOOLS: Final[dict[str, Any]] = {
    one.name: one
    for one in (
        _passing("compress"), _passing("dropwhile", 1), _passing("filterfalse", 1),
        _passing("islice", 0), _passing("pairwise"), _passing("takewhile", 1), _making("product", _pools),
        _making("permutations", _chosen), _making("combinations", _chosen),
        _making("combinations_with_replacement", _chosen),
    )
} | {
    "accumulate": Routine("accumulate", _accumulate),
    "chain": host(
        itertools.chain, "itertools.chain", _CHAIN.function, {}, statics={"from_iterable": _chain_from}
    ), "count": Routine("count", _count),
    "cycle": Routine("cycle", _cycle), "groupby": Routine("groupby", _groupby), "repeat": Routine("repeat", _repeat),
    "starmap": Routine("starmap", _starmap), "tee": Routine("tee", _tee),
    "zip_longest": Routine("zip_longest", _zip_longest),
}  # fmt: skip
