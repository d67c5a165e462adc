"""``random`` and ``numpy.random``: the streams of the originals, undone with a run, never those of the process."""

from __future__ import annotations

import random
from typing import Any

import numpy as np
import pytest

from app.program.modules.importable import MODULES
from app.program.modules.numpy.random import Legacy
from app.program.modules.random import Random
from app.program.values import attribute
from engine import modes
from tests.app.program.modules.using import SMALL, entry, outcome, refused, running

CALLS: dict[str, tuple[tuple[Any, ...], dict[str, Any]]] = {
    "betavariate": ((2, 3), {}), "choice": (([1, 2, 3],), {}), "choices": (("abc", [1, 2, 3]), {"k": 4}),
    "expovariate": ((2.0,), {}), "gammavariate": ((2.5, 1.0), {}), "gauss": ((0, 1), {}), "getrandbits": ((70,), {}),
    "lognormvariate": ((0, 1), {}), "normalvariate": ((), {"mu": 1.0}), "paretovariate": ((3,), {}),
    "randint": ((1, 6), {}), "random": ((), {}), "randrange": ((0, 100, 7), {}),
    "sample": (([1, 2], 3), {"counts": [2, 3]}), "triangular": ((0, 1), {}), "uniform": ((2, 5), {}),
    "vonmisesvariate": ((0, 4), {}), "weibullvariate": ((1, 2), {}),
}  # fmt: skip


@pytest.mark.parametrize("name", CALLS)
@pytest.mark.parametrize("seed", [0, 42, 1.5, "text"])
def test_a_seed_gives_pythons_numbers(name: str, seed: Any) -> None:
    args, kwargs = CALLS[name]
    theirs = random.Random(seed)
    with running():
        entry("random.seed")(seed)
        own = entry("random.Random")(seed)
        for _ in range(3):
            expected = getattr(theirs, name)(*args, **kwargs)
            assert entry(f"random.{name}")(*args, **kwargs) == expected
            assert attribute(own, name)(*args, **kwargs) == expected


def test_a_list_is_shuffled_as_python_does() -> None:
    theirs, ours = list(range(9)), list(range(9))
    random.Random(3).shuffle(theirs)
    with running():
        entry("random.seed")(3)
        entry("random.shuffle")(ours)
        state = entry("random.getstate")()
        first = entry("random.random")()
        entry("random.setstate")(state)
        assert entry("random.random")() == first
    assert ours == theirs


@pytest.mark.parametrize(
    "call", [("randint", 5, 1), ("choice", []), ("sample", {1}, 1), ("seed", [1]), ("shuffle", 3)], ids=str
)
def test_a_wrong_call_is_refused_in_pythons_words(call: Any) -> None:
    name, *args = call
    with running():
        assert outcome(entry(f"random.{name}"), *args) == outcome(getattr(random.Random(1), name), *args)


def test_the_generators_of_the_process_are_left_alone() -> None:
    before = random.getstate(), np.random.get_state()[1].tolist()  # type: ignore[index]
    with running():
        for path in ("random.random", "numpy.random.rand", "numpy.random.default_rng"):
            entry(path)()
        entry("random.seed")(1)
        entry("numpy.random.seed")(1)
    assert (random.getstate(), np.random.get_state()[1].tolist()) == before  # type: ignore[index]


def test_what_a_run_drew_is_undone_with_it() -> None:
    with running() as state:
        for module, draw in (("random", "random.random"), ("numpy.random", "numpy.random.rand")):
            entry(f"{module}.seed")(5)
            state.journal = journal = modes.Journal()
            with modes.use(state):
                first, items = entry(draw)(), [1, 2, 3]
                entry(f"{module}.shuffle")(items)
            journal.rollback()
            state.journal = None
            assert entry(draw)() == first
            assert items == [1, 2, 3]


HOSTILE: list[tuple[str, tuple[Any, ...], dict[str, Any], str]] = [
    ("random.choices", ([1],), {"k": 10**9}, "list_items"),
    ("random.sample", (range(10**18), 10**9), {}, "list_items"),
    ("random.sample", ([1, 2], 1), {"counts": range(10**18)}, "list_items"),
    ("random.choices", ([1, 2],), {"cum_weights": range(10**18)}, "list_items"),
    ("random.getrandbits", (10**9,), {}, "integer_bits"),
    ("random.gammavariate", (float("nan"), 1.0), {}, "steps"),
    ("numpy.random.rand", (10**5, 10**5), {}, "tensor_elements"),
    ("numpy.random.normal", (), {"size": 10**11}, "tensor_elements"),
    ("numpy.random.normal", (0, 1, (10**6, 10**6)), {}, "tensor_elements"),
    ("numpy.random.choice", (10**12, 3, False), {}, "tensor_elements"),
    ("numpy.random.permutation", (10**12,), {}, "tensor_elements"),
    ("numpy.random.multinomial", (3, [0.5, 0.5], 10**10), {}, "tensor_elements"),
]


@pytest.mark.parametrize(
    ("path", "args", "kwargs", "limit"), HOSTILE, ids=[f"{path}{number}" for number, (path, *_) in enumerate(HOSTILE)]
)
def test_what_would_take_too_much_is_refused(path: str, args: Any, kwargs: Any, limit: str) -> None:
    with running(SMALL):
        assert refused(entry(path), *args, **kwargs) == limit


LEGACY: dict[str, tuple[Any, ...]] = {
    "rand": (2, 3), "randn": (4,), "randint": (0, 10, (2, 2)), "choice": (5, 3), "permutation": (6,),
    "normal": (1.0, 2.0, 3), "uniform": (-1, 1, (2,)), "random": (3,), "beta": (2, 3, 4), "binomial": (10, 0.3, 5),
    "poisson": (4, 3), "exponential": (2.0, 2), "multivariate_normal": ([0, 0], [[1, 0], [0, 1]], 3),
    "dirichlet": ([1, 2], 2), "multinomial": (10, [0.2, 0.8], 2), "standard_normal": ((2, 2),), "gamma": (2.0,),
}  # fmt: skip


@pytest.mark.parametrize("name", LEGACY)
def test_a_seed_gives_numpys_numbers(name: str) -> None:
    theirs = np.random.RandomState(7)
    with running():
        entry("numpy.random.seed")(7)
        own = entry("numpy.random.RandomState")(7)
        for _ in range(2):
            expected = getattr(theirs, name)(*LEGACY[name])
            assert np.array_equal(entry(f"numpy.random.{name}")(*LEGACY[name]), expected)
            assert np.array_equal(attribute(own, name)(*LEGACY[name]), expected)


MODERN: dict[str, tuple[Any, ...]] = {
    name: args for name, args in LEGACY.items() if name not in ("rand", "randn", "randint")
} | {"integers": (0, 10, 4), "choice": (5, 3, False), "permuted": ([1, 2, 3],), "standard_normal": (3, "float32")}


@pytest.mark.parametrize("name", MODERN)
def test_a_generator_gives_numpys_numbers(name: str) -> None:
    theirs: Any = np.random.default_rng(7)
    with running():
        own = entry("numpy.random.default_rng")(7)
        expected = getattr(theirs, name)(*MODERN[name])
        assert np.array_equal(attribute(own, name)(*MODERN[name]), expected)
        assert [str(one) for one in attribute(own, "spawn")(2)] == ["Generator(PCG64)"] * 2


def test_a_generator_goes_on_where_its_state_says() -> None:
    with running():
        for made in (Random(3), entry("numpy.random.RandomState")(3), entry("numpy.random.default_rng")(3)):
            restore = made.memento()
            first = made.source.random()
            restore()
            assert made.source.random() == first


def test_every_generator_of_the_session_is_found_by_its_module() -> None:
    with running() as state:
        entry("random.random")()
        entry("numpy.random.rand")()
        assert {type(one) for one in state.modules.values()} == {Random, Legacy}
        assert set(state.modules) < set(MODULES)
