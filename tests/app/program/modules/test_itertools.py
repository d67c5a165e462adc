"""``itertools``: what Python's give, and nothing endless inside of a function that does not pay."""

from __future__ import annotations

import itertools
import operator
from collections import deque
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from app.program.modules.calls import held
from app.program.values import attribute
from tests.app.program.modules.using import SMALL, entry, outcome, refused, running

ITEMS = st.lists(st.integers(0, 3), max_size=4)
CALLS: dict[str, Any] = {
    "accumulate": lambda make, one, two: make(one),
    "accumulate by a function": lambda make, one, two: make(one, operator.mul, initial=2),
    "chain": lambda make, one, two: make(one, "ab", two),
    "combinations": lambda make, one, two: make(one, 2),
    "combinations_with_replacement": lambda make, one, two: make(one, r=2),
    "compress": lambda make, one, two: make(data=one, selectors=two),
    "count": lambda make, one, two: zip(one, make(2, 0.5), strict=False),
    "cycle": lambda make, one, two: zip(one, make(two), strict=False),
    "dropwhile": lambda make, one, two: make(lambda item: item < 2, one),
    "filterfalse": lambda make, one, two: make(None, one),
    "groupby": lambda make, one, two: [(key, list(group)) for key, group in make(one, key=lambda item: item % 2)],
    "islice": lambda make, one, two: make(one, 1, None, 2),
    "pairwise": lambda make, one, two: make(one),
    "permutations": lambda make, one, two: make(one),
    "product": lambda make, one, two: make(one, two, repeat=2),
    "repeat": lambda make, one, two: make("a", 3),
    "starmap": lambda make, one, two: make(pow, [(item, 2) for item in one]),
    "takewhile": lambda make, one, two: make(lambda item: item < 2, one),
    "tee": lambda make, one, two: [list(part) for part in make(one, 3)],
    "zip_longest": lambda make, one, two: make(one, two, fillvalue="-"),
}


@pytest.mark.parametrize("name", CALLS)
@settings(max_examples=25)
@given(one=ITEMS, two=ITEMS)
def test_an_iterator_gives_what_pythons_gives(name: str, one: list[int], two: list[int]) -> None:
    function = name.split()[0]
    with running():
        ours = list(CALLS[name](entry(f"itertools.{function}"), one, two))
    assert ours == list(CALLS[name](getattr(itertools, function), one, two))


def test_a_chain_of_one_iterable_is_lazy() -> None:
    with running():
        chained = entry("itertools.chain")([1], entry("itertools.count")(2))
        assert [next(chained) for _ in range(3)] == [1, 2, 3]


@pytest.mark.parametrize(
    "call", [("islice", 1, 2), ("pairwise", 3), ("product", 1), ("count", "a"), ("repeat",)], ids=str
)
def test_a_wrong_call_is_refused_in_pythons_words(call: Any) -> None:
    name, *args = call
    with running():
        ours, theirs = outcome(entry(f"itertools.{name}"), *args), outcome(getattr(itertools, name), *args)
    assert ours == theirs


def _count() -> Any:
    return entry("itertools.count")()


def _chained(parts: Any) -> Any:
    function: Any = attribute(entry("itertools.chain"), "from_iterable")
    return function(parts)


def test_a_chain_of_parts_is_that_of_its_items() -> None:
    with running():
        assert list(_chained(iter(["ab", [1]]))) == ["a", "b", 1]


ENDLESS: dict[str, Any] = {
    "a list of a count": lambda: held(_count()),
    "a sum of a count": lambda: sum(_count()),
    "a maximum of a cycle": lambda: max(entry("itertools.cycle")([1])),
    "what is not in a repeat": lambda: 2 in entry("itertools.repeat")(1),
    "a deque that keeps nothing": lambda: deque(_count(), maxlen=0),
    "a slice far out": lambda: list(entry("itertools.islice")(range(10**18), 10**17, None)),
    "a slice far out of a count": lambda: next(entry("itertools.islice")(_count(), 10**12, None)),
    "a filter that lets nothing through": lambda: next(
        entry("itertools.filterfalse")(lambda item: True, range(10**18))
    ),
    "a selection of nothing": lambda: next(
        entry("itertools.compress")(data=_count(), selectors=entry("itertools.repeat")(0))
    ),
    "endlessly many empty parts": lambda: next(_chained(entry("itertools.repeat")([]))),
    "long tuples": lambda: entry("itertools.product")([1, 2], repeat=10**9),
    "long choices": lambda: entry("itertools.combinations")([1, 2], 10**9),
    "a permutation of a count": lambda: entry("itertools.permutations")(_count()),
    "all permutations": lambda: sum(1 for _ in entry("itertools.permutations")(range(12))),
    "many iterators": lambda: entry("itertools.tee")([1], 10**9),
    "a count in many places": lambda: [held(one) for one in entry("itertools.tee")(_count())],
    "groups": lambda: [key for key, _ in entry("itertools.groupby")(_count())],
    "an endless argument": lambda: next(entry("itertools.starmap")(max, [_count()])),
    "an accumulation": lambda: sum(entry("itertools.accumulate")(_count(), lambda left, right: 0)),
}


@pytest.mark.parametrize("name", ENDLESS)
def test_what_would_not_end_is_refused(name: str) -> None:
    with running(SMALL):
        assert refused(ENDLESS[name]) in ("steps", "list_items", "intermediate_bytes")
