"""Runs cases one by one and says what was not as it should be: answers, memory, processes, and what others noticed."""

from __future__ import annotations

import secrets
import time
from collections.abc import Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Final

from app.wire.messages import TUTORIAL_GRAPH
from tests.hostile import processes
from tests.hostile.case import (
    ANY,
    CLOSED,
    JSON,
    LEFT,
    NO_ANSWER,
    Case,
    Outcomes,
    Request,
    Step,
    Weight,
    evaluate,
    json_body,
    run,
)
from tests.hostile.client import Place, Seen, talk
from tests.hostile.prober import Prober, Probes
from tests.hostile.server import Target

PATIENCE_S: Final = 20.0  # that a hostile client has
WELL_S: Final = 10.0  # that the service may take to be well again
SETTLE_S: Final = 11.0  # that memory and processors may take to be as before: what is freed is given back every 10 s
IDLE: Final = 0.7  # processors; a service with nothing but the prober's questions to answer never uses as much
WINDOW_S: Final = {Weight.LIGHT: 0.1, Weight.SLOW: 0.4, Weight.HEAVY: 0.4}  # in which processor time is counted
GROWTH, MARGIN_MIB = 1.1, 24.0
PROBLEM_BYTES: Final = 4096
ANSWER_BYTES: Final = 2**28
INTERNALS: Final = (b"Traceback", b"site-packages", b"/app/", b"/engine/", b'File \\"', b".py")
KNOWN_GRAPH: Final = Request(body=json_body(TUTORIAL_GRAPH), headers=JSON)
NAMES: Final = {NO_ANSWER: "no answer", CLOSED: "closed", LEFT: "left"}


def named(status: int, slug: str) -> str:
    """An outcome in words."""
    return NAMES.get(status) or f"{status} {slug}".strip()


def is_among(seen: Seen, outcomes: Outcomes) -> bool:
    """Whether what came is one of ``outcomes``."""
    return (seen.status, seen.type) in outcomes or (bool(seen.problem) and (seen.status, ANY) in outcomes)


# -- answers --------------------------------------------------------------------------------------------------------
def play(case: Case, place: Place, patience_s: float = PATIENCE_S) -> tuple[list[Seen], list[str]]:
    """Send the requests of a case; what came of the last step, and what was wrong with any."""
    sid, nonce, wrong = "", secrets.token_hex(6), list[str]()
    if case.session is not None:
        sid, wrong = _session(case.session, place)
    answers: list[list[Seen]] = []
    for number, step in enumerate(case.steps if not wrong else ()):
        of = sid if step.session_from is None else answers[step.session_from][0].session
        seen = _send(step, place, patience_s, {"sid": of, "nonce": nonce})
        answers.append(seen)
        label = f"step {number + 1}: " if len(case.steps) > 1 else ""
        wrong += [label + text for text in dict.fromkeys(judge(step, seen))]
    for made in {one.session for seen in answers for one in seen if one.status == 201} | {sid} - {""}:
        talk(Request("DELETE", f"/v1/sessions/{made}"), place, WELL_S)
    return (answers[-1] if answers else []), wrong


def _session(code: str, place: Place) -> tuple[str, list[str]]:
    made = talk(Request(path="/v1/sessions", body=b"{}", headers=JSON), place, WELL_S)
    ran = talk(run(code), place, WELL_S, {"sid": made.session}) if made.status == 201 else made
    return made.session, [] if ran.status == 200 else [f"no session to begin with: {named(ran.status, ran.type)}"]


def _send(step: Step, place: Place, patience_s: float, names: Mapping[str, str]) -> list[Seen]:
    def one(_: int) -> Seen:
        return talk(step.request, place, patience_s, names, alone=step.alone)

    if step.clients == 1:
        return [one(0)]
    with ThreadPoolExecutor(step.clients) as pool:
        return list(pool.map(one, range(step.clients)))


def judge(step: Step, answers: Iterable[Seen]) -> Iterator[str]:
    """What is wrong with the answers to one step."""
    answers = list(answers)
    for seen in answers:
        if not is_among(seen, step.accepted):
            yield f"{named(seen.status, seen.type)}, not {_listed(step.accepted)}"
        if seen.status >= 400:
            yield from _faults(seen)
        elif step.says and seen.status >= 200 and step.says not in seen.body:
            yield f"an answer without {step.says!r}"
        if seen.size > ANSWER_BYTES:
            yield f"an answer of {seen.size // 2**20} MiB"
        if _names_a_host(seen.headers.get("location", "")):
            yield "a redirect that takes its host from the request"
        if seen.more:
            yield "something followed the answer"
    if step.some and not any(is_among(seen, step.some) for seen in answers):
        yield f"nobody got {_listed(step.some)}"


def _names_a_host(location: str) -> bool:
    return "evil.example" in location or location.startswith("//")


def _listed(outcomes: Outcomes) -> str:
    return " or ".join(sorted(named(*outcome) for outcome in outcomes))


def _faults(seen: Seen) -> Iterator[str]:
    """What every problem has to keep to."""
    problem = seen.problem
    if not problem:
        if seen.size:  # an answer to HEAD has none
            yield f"{seen.status} is no problem+json"
        return
    if problem.get("status") != seen.status or not str(problem.get("type", "")).startswith("/problems/"):
        yield "the problem does not say its own status and type"
    if seen.size > PROBLEM_BYTES:
        yield f"a problem of {seen.size} bytes"
    if any(word in seen.body for word in INTERNALS):
        yield "a problem that shows what is inside"
    if seen.status in (429, 503) and "retry-after" not in seen.headers:
        yield f"{seen.status} without Retry-After"
    if seen.status == 405 and "allow" not in seen.headers:
        yield "405 without Allow"


# -- the service, beside them ---------------------------------------------------------------------------------------
@dataclass(slots=True)
class Result:
    """What came of a case."""

    case: Case
    outcome: str
    seconds: float
    wrong: list[str]  # with answers
    harm: list[str] = field(default_factory=list)  # done to the service
    probes: Probes = field(default_factory=Probes)
    before_mib: float = 0.0
    after_mib: float = 0.0
    lost: int = 0  # processes
    is_settled: bool = True  # whether the next case finds the service as this one did

    @property
    def is_right(self) -> bool:
        """Whether all was as it should be."""
        return not self.wrong and not self.harm


def _new_program() -> Request:
    """One that nobody has sent before, and that is too long for a short cut."""
    name = f"y{secrets.token_hex(6)}"
    return evaluate(f"{name} = torch.ones(5000).sum()", {"outputs": [name]})


def well(place: Place, within_s: float = WELL_S) -> str:
    """Wait until the service is alive, ready, right and computing; returns what it still is not after a while."""
    asked = {
        "alive": (Request("GET", "/healthz"), b"ok"),
        "ready": (Request("GET", "/readyz"), b"ready"),
        "right": (KNOWN_GRAPH, b'"data":[[4.5,4.5],[4.5,4.5]]'),
        "computing": (_new_program(), b'"data":5000.0'),
    }
    end = time.monotonic() + within_s
    for name, (request, says) in asked.items():
        while True:
            seen = talk(request, place, max(0.5, end - time.monotonic()))
            if seen.status == 200 and says in seen.body:
                break
            if time.monotonic() > end:
                return f"not {name} afterwards ({named(seen.status, seen.type)})"
            time.sleep(0.1)
    return ""


class Suite:
    """Cases against one server, each beside the prober."""

    def __init__(self, target: Target, prober: Prober) -> None:
        self.target, self._prober = target, prober

    def run(self, case: Case) -> Result:
        """Run a case, look at what it left, and begin anew where that would spoil the next one."""
        target, place = self.target, self.target.place("hostile")
        before, memory = target.pids, processes.memory(target.pids)
        self._prober.take()
        started = time.monotonic()
        answers, wrong = play(case, place)
        seconds = time.monotonic() - started
        result = Result(case, _outcome(answers), seconds, wrong, before_mib=memory)
        unwell = well(place)
        if not unwell:
            self._settle(result)
        result.probes = self._prober.take()
        result.lost = len(before - target.pids)
        self._note_harm(result, unwell)
        if unwell or not result.is_settled:
            target.restart()
            self._warm()
        return result

    def _settle(self, result: Result) -> None:
        """Wait for memory and processors to be as before, and note what is not."""
        end = time.monotonic() + SETTLE_S
        allowed = GROWTH * result.before_mib + MARGIN_MIB
        busy, result.after_mib, window_s = IDLE + 1, allowed + 1, WINDOW_S[result.case.weight]
        while (busy > IDLE or result.after_mib > allowed) and time.monotonic() < end:
            used = self.target.processor_s
            time.sleep(window_s)
            busy = (self.target.processor_s - used) / window_s
            result.after_mib = processes.memory(self.target.pids)
        if busy > IDLE:
            result.harm.append("it still computes")
            result.is_settled = False
        if result.after_mib > allowed:
            result.harm.append(f"memory {result.before_mib:.0f} -> {result.after_mib:.0f} MiB")
            result.is_settled = False

    def _note_harm(self, result: Result, unwell: str) -> None:
        if unwell:
            result.harm.append(unwell)
        if result.lost and not result.case.kills:
            result.harm.append(f"{result.lost} processes lost")
        result.harm += [f"the prober got {text} ({times} times)" for text, times in result.probes.wrong.items()]

    def _warm(self) -> None:
        """Let the prober's program be a plan again."""
        for _ in range(4):
            talk(KNOWN_GRAPH, self.target.place("prober"), WELL_S)


def _outcome(answers: list[Seen]) -> str:
    """What came, the most frequent first where several clients asked."""
    texts = [named(seen.status, seen.type) for seen in answers]
    return ", ".join(sorted(set(texts), key=lambda text: -texts.count(text))) or "nothing"


def in_order(cases: Iterable[Case], failing: Iterable[str] = ()) -> list[Case]:
    """Light ones first; those that are known to fail last, so that they spoil nothing for the others."""
    weights, known = list(Weight), frozenset(failing)
    return sorted(cases, key=lambda case: (case.id in known, weights.index(case.weight)))
