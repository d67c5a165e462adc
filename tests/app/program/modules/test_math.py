"""``math`` and ``cmath``: Python's own results and refusals, and nothing that grows without bound."""

from __future__ import annotations

import cmath
import math
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from app.program.modules.importable import MODULES
from tests.app.program.modules.using import SMALL, entry, outcome, refused, running

NUMBERS = st.one_of(st.integers(-40, 40), st.floats(), st.sampled_from([-(10**30), "1", None, 1j]))
FUNCTIONS = [
    (source, name)
    for source in (math, cmath)
    for name, one in MODULES[source.__name__].items()
    if not isinstance(one, (int, float, complex)) and name != "prod"
]


@pytest.mark.parametrize(("source", "name"), FUNCTIONS, ids=[f"{source.__name__}.{name}" for source, name in FUNCTIONS])
@settings(max_examples=25)
@given(args=st.lists(NUMBERS, max_size=3))
def test_a_function_does_what_pythons_does(source: Any, name: str, args: list[Any]) -> None:
    with running():
        ours, theirs = outcome(entry(f"{source.__name__}.{name}"), *args), outcome(getattr(source, name), *args)
    assert repr(ours) == repr(theirs)


def test_constants_are_pythons() -> None:
    for source in (math, cmath):
        constants = {name: one for name, one in MODULES[source.__name__].items() if isinstance(one, (float, complex))}
        assert len(constants) >= 5
        assert all(repr(getattr(source, name)) == repr(one) for name, one in constants.items())


def test_a_product_is_that_of_its_items() -> None:
    with running():
        assert entry("math.prod")(range(1, 6)) == 120
        assert entry("math.prod")([[1], 3]) == [1, 1, 1]
        assert entry("math.prod")([], start=7) == 7


HOSTILE: list[tuple[str, tuple[Any, ...], str]] = [
    ("math.factorial", (10**6,), "integer_bits"),
    ("math.comb", (10**9, 10**8), "integer_bits"),
    ("math.perm", (10**9,), "integer_bits"),
    ("math.perm", (10**9, 10**7), "integer_bits"),
    ("math.lcm", tuple(range(1, 70_000)), "integer_bits"),
    ("math.prod", (range(1, 10**18),), "intermediate_bytes"),
    ("math.prod", (range(10**18),), "steps"),
    ("math.prod", (["a" * 5000, 9, 9],), "list_items"),
    ("math.fsum", (range(10**18),), "list_items"),
    ("math.dist", (range(10**18), [1]), "list_items"),
]


@pytest.mark.parametrize(
    ("path", "args", "limit"), HOSTILE, ids=[f"{path}{number}" for number, (path, *_) in enumerate(HOSTILE)]
)
def test_what_would_take_too_long_is_refused(path: str, args: Any, limit: str) -> None:
    with running(SMALL):
        assert refused(entry(path), *args) == limit
