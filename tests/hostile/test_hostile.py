"""A part of the hostile requests, for every run of the tests: the right status and type, and a service that is well.

Nothing here asserts a time, and every wait has an end. What the whole suite looks at beside answers, it says itself.
"""

from __future__ import annotations

import json
import os
import random
import subprocess
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest

from scripts import soak
from scripts.soak import Point
from tests.hostile import processes
from tests.hostile.case import ANY, LATE, NO_ANSWER, OK, OVER, Case, Outcomes, Request, Step, Weight, problem
from tests.hostile.cases import CASES, SAMPLES, is_quick
from tests.hostile.client import Seen
from tests.hostile.pending import EXPECTED_TO_FAIL
from tests.hostile.prober import PERIOD_S, Notes
from tests.hostile.server import Own
from tests.hostile.suite import in_order, judge, play, well

QUICK = [case for case in CASES if is_quick(case)]
LIGHT = [case for case in QUICK if case.weight is Weight.LIGHT and case.id not in EXPECTED_TO_FAIL]
SAMPLED = [case for case in QUICK if case.weight is not Weight.LIGHT and case.id not in EXPECTED_TO_FAIL]
PENDING = [case for case in QUICK if case.id in EXPECTED_TO_FAIL]
LITTLE_PATIENCE_S = 5.0  # with what is known not to end


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Own]:
    """The server of all light ones."""
    own = Own(tmp_path_factory.mktemp("hostile"))
    yield own
    assert own.stop() == []


@pytest.fixture(scope="module")
def fragile(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Own]:
    """The server of those that it does not withstand yet; begins anew when it is not well."""
    own = Own(tmp_path_factory.mktemp("fragile"))
    yield own
    own.kill()


@pytest.fixture
def fresh(tmp_path: Path) -> Iterator[Own]:
    """A server for one that is not light."""
    own = Own(tmp_path)
    yield own
    own.kill()


@pytest.mark.parametrize("case", LIGHT, ids=lambda case: case.id)
def test_a_light_one_gets_the_right_answer(server: Own, case: Case) -> None:
    assert play(case, server.place("hostile"))[1] == []


def test_the_service_is_well_after_all_of_them(server: Own) -> None:
    assert well(server.place("prober")) == ""
    assert server.restarts == 0


@pytest.mark.parametrize("case", SAMPLED, ids=lambda case: case.id)
def test_a_heavy_one_gets_the_right_answer_and_the_service_is_well_after_it(fresh: Own, case: Case) -> None:
    assert play(case, fresh.place("hostile"))[1] == []
    assert well(fresh.place("prober")) == ""


@pytest.mark.parametrize("case", PENDING, ids=lambda case: case.id)
def test_what_is_expected_to_fail_does_fail(fragile: Own, case: Case) -> None:
    wrong = play(case, fragile.place("hostile"), LITTLE_PATIENCE_S)[1]
    if well(fragile.place("prober"), LITTLE_PATIENCE_S):
        fragile.restart()
    assert wrong, f"{case.id} is right by now: take it out of the table"


# -- the suite itself ---------------------------------------------------------------------------------------------
def test_names_are_of_one_case_each() -> None:
    names = [case.id for case in CASES]
    assert len(names) == len(set(names)) >= 150
    assert set(names) >= SAMPLES | EXPECTED_TO_FAIL.keys()


def test_nobody_accepts_a_fault_of_the_service() -> None:
    accepted = {outcome for case in CASES for step in case.steps for outcome in step.accepted | step.some}
    assert not {status for status, _ in accepted} & {NO_ANSWER, 500, 502}


def test_known_failures_come_last_and_light_ones_first() -> None:
    failing = CASES[0].id
    ordered = in_order(CASES, [failing])
    assert ordered[-1].id == failing
    weights = [list(Weight).index(case.weight) for case in ordered[:-1]]
    assert weights == sorted(weights)


def seen(status: int, kind: str = "", *, headers: dict[str, str] | None = None, more: int = 0, **facts: Any) -> Seen:
    """An answer; a problem if it has a kind."""
    said = facts.pop("status_said", status)
    body = json.dumps({"type": f"/problems/{kind}", "status": said, **facts}).encode() if kind else b"fine"
    media = "application/problem+json" if kind else "text/plain"
    return Seen(status, 0.0, {"content-type": media, **(headers or {})}, body, len(body), more)


def faults(answer: Seen, accepted: Outcomes, **options: bytes) -> list[str]:
    return list(judge(Step(Request(), accepted, **options), [answer]))  # type: ignore[arg-type]


def test_right_answers_have_no_faults() -> None:
    assert faults(seen(200), OK, says=b"fine") == []
    assert faults(seen(413, "over-limit"), OVER) == []
    assert faults(seen(418, "teapot"), problem(418)) == []
    assert faults(seen(503, "overloaded", headers={"retry-after": "1"}), problem(503)) == []


@pytest.mark.parametrize(
    ("answer", "accepted", "fault"),
    [
        (seen(500, "internal"), OK, "500 internal, not 200"),
        (seen(413, "else"), OVER | LATE, "413 else, not"),
        (seen(400), problem(400), "400 is no problem+json"),
        (seen(422, "a", status_said=400), problem(422), "does not say its own status"),
        (seen(422, "a", detail="a" * 5000), problem(422), "a problem of"),
        (seen(422, "a", detail='File "x'), problem(422), "shows what is inside"),
        (seen(503, "a"), problem(503), "without Retry-After"),
        (seen(405, "a"), problem(405), "without Allow"),
        (seen(200, more=1), OK, "something followed"),
        (seen(200, headers={"location": "//a"}), OK, "a redirect"),
        (Seen(200, 1.0, size=2**30), OK, "an answer of 1024 MiB"),
        (Seen(NO_ANSWER, 1.0), OK, "no answer, not 200"),
    ],
)
def test_the_judge_sees(answer: Seen, accepted: Outcomes, fault: str) -> None:
    assert any(fault in text for text in faults(answer, accepted))


def test_the_judge_misses_a_text_and_an_outcome_that_somebody_has_to_get() -> None:
    assert faults(seen(200), OK, says=b"other") == ["an answer without b'other'"]
    step = Step(Request(), OK | OVER, clients=2, some=OK)
    assert list(judge(step, [seen(413, "over-limit")] * 2)) == ["nobody got 200"]
    assert ANY not in {slug for _, slug in OK}


def test_a_late_answer_counts_for_those_that_waited_behind_it() -> None:
    notes = Notes()
    notes.put("plan", 3.5 * PERIOD_S, PERIOD_S, "")
    notes.put("plan", 0.0, PERIOD_S, "plan: 500")
    taken = notes.take()
    assert sorted(taken.seconds["plan"]) == pytest.approx(
        [0.0, 0.5 * PERIOD_S, 1.5 * PERIOD_S, 2.5 * PERIOD_S, 3.5 * PERIOD_S]
    )
    assert taken.wrong == {"plan: 500": 1}
    assert notes.take().seconds == {}


def test_a_child_is_of_its_parents_tree_and_has_memory() -> None:
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as child:
        found = {process.pid for process in processes.tree(os.getpid())}
        assert {os.getpid(), child.pid} <= found
        assert child.pid not in {process.pid for process in processes.tree(1 << 30)}
        assert processes.memory([os.getpid()]) > 5
    assert processes.memory([child.pid]) == 0
    assert child.pid not in {process.pid for process in processes.tree(os.getpid())}


# -- the soak -----------------------------------------------------------------------------------------------------
def points(mib: Sequence[float], many: Sequence[int] = (3, 3, 3, 3)) -> list[Point]:
    """Two points of each quarter."""
    return [Point(i, mib[i // 2], many[i // 2]) for i in range(8)]


def test_flat_memory_is_flat_however_it_began() -> None:
    assert soak.faults(points([50, 100, 140, 109]), 1.1) == []


def test_memory_and_processes_that_grow_are_seen() -> None:
    assert soak.faults(points([50, 100, 105, 111]), 1.1) == ["memory grew from 100.0 to 111.0 MiB"]
    assert soak.faults(points([1, 1, 1, 1], [3, 4, 4, 5]), 1.1) == ["processes grew from 4 to 5"]


def test_the_mix_of_the_soak_has_every_kind_of_request() -> None:
    chance = random.Random(0)
    asked = {soak.request(chance, number, ["s"])[:2] for number in range(500)}
    assert asked == {("POST", "/v1/evaluate"), ("POST", "/v1/sessions/s/run"), ("GET", "/v1/sessions/s/tensors/x")}
    assert len(soak.LIGHT) > 500
