"""The crash script: that its judge sees every kind of damage, and a few kills of each kind."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace

import pytest

from scripts import crash
from scripts.crash import Model, Run, Seen, Tally

ABSENT, ONCE, TWICE = 0, 1, 2
VALUE, SLOT = 17, 3


def seen(log: int = ONCE, name: bool = True, grad: int = ONCE, marks: int = ONCE, back: int = ONCE) -> Seen:
    """A session at the version that the log tells, with so many of each mark of one run."""

    def vector(element: float) -> list[float]:
        return [element if slot == SLOT else 0.0 for slot in range(crash.SLOTS)]

    names = frozenset({f"mark_{VALUE}"} if name else ())
    return Seen(1 + log, names, [VALUE] * log, vector(grad), vector(marks * VALUE), vector(back * VALUE))


WHOLE, NOTHING = seen(), seen(ABSENT, False, ABSENT, ABSENT, ABSENT)
DOUBLE = seen(TWICE, True, TWICE, TWICE, TWICE)


def judge(one: Seen, *, acknowledged: bool = False, present: bool | None = None) -> tuple[list[str], Counter[str]]:
    run = Run(SLOT, VALUE, None, version=2 if acknowledged else None, present=present)
    counts: Counter[str] = Counter()
    return Model("s", [run]).judge(one, counts), counts


@pytest.mark.parametrize(
    ("version", "count", "is_right"),
    [(4, 3.0, True), (6, 5.0, True), (3, 2.0, False), (7, 6.0, False), (5, 3.0, False)],
)
def test_what_was_counted_is_what_was_acknowledged_or_posted(version: int, count: float, is_right: bool) -> None:
    assert (Tally("s", certain=3, posted=5, last=3.0).judge(version, count) == "") is is_right


@pytest.mark.parametrize(("count", "is_right"), [(4.0, True), (5.0, True), (3.0, False), (6.0, False)])
def test_a_count_goes_up_and_no_further_than_was_posted(count: float, is_right: bool) -> None:
    assert (Tally("s", certain=3, posted=5, last=3.0).note(count) == "") is is_right


@pytest.mark.parametrize("one", [WHOLE, NOTHING])
def test_a_run_without_an_answer_is_there_or_not(one: Seen) -> None:
    assert judge(one) == ([], Counter())


def test_an_acknowledged_run_is_there() -> None:
    assert judge(WHOLE, acknowledged=True) == ([], Counter())
    assert judge(NOTHING, acknowledged=True)[1] == {"lost": 1}


@pytest.mark.parametrize("acknowledged", [False, True])
def test_a_run_that_is_there_twice_is_seen(acknowledged: bool) -> None:
    assert judge(DOUBLE, acknowledged=acknowledged)[1] == {"doubled": 1}


@pytest.mark.parametrize(
    "one",
    [seen(log=ABSENT), seen(name=False), seen(grad=ABSENT), seen(grad=TWICE), seen(marks=ABSENT), seen(back=TWICE),
     seen(ABSENT, True, ABSENT, ABSENT, ABSENT)],
)  # fmt: skip
@pytest.mark.parametrize("acknowledged", [False, True])
def test_a_run_that_is_there_in_part_is_seen(one: Seen, acknowledged: bool) -> None:
    assert judge(one, acknowledged=acknowledged)[1] == {"in part": 1}


def test_what_was_seen_once_stays() -> None:
    assert judge(NOTHING, present=True)[1] == {"lost": 1}
    assert judge(WHOLE, present=False)[0]
    assert judge(WHOLE, present=True)[0] == judge(NOTHING, present=False)[0] == []


def test_versions_that_do_not_count_the_runs_are_seen() -> None:
    assert judge(replace(WHOLE, version=3))[0]
    assert judge(replace(WHOLE, log=[VALUE, VALUE + 1]))[0]


@pytest.mark.slow
@pytest.mark.parametrize("workers", [1, 2])
def test_nothing_is_lost_with_sqlite(workers: int) -> None:
    check(crash.run("sqlite", 6 if workers == 1 else 3, workers, seed=5))


@pytest.mark.slow
@pytest.mark.usefixtures("postgres")
@pytest.mark.parametrize("kill_postgres", [False, True])
def test_nothing_is_lost_with_postgres(kill_postgres: bool) -> None:
    check(crash.run("postgres", 6, 1, seed=5, kill_postgres=kill_postgres))


def check(experiment: crash.Experiment) -> None:
    table = experiment.table()
    assert not experiment.wrong
    assert table["in part"] == table["doubled"] == table["lost"] == 0
    assert table["runs acknowledged"] == table["found exactly once"] > 20
