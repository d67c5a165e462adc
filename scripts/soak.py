"""Sends many mixed requests to a server, some of them hostile, and looks at what it holds meanwhile: ``make soak``.

    python -m scripts.soak [--requests 200000] [--clients 8] [--hostile 0.01] [--workers N] [--seed 0]

Known and new programs, random numbers, refused ones, runs and readings of sessions, and now and then one of the light
cases of ``tests/hostile``. At regular points it notes the memory and the number of all processes of the server. Exit
status 1 if memory is not flat (the median of the last quarter over that of the second by more than ``--most``), if
there are more processes at the end than before, if one was left behind, or if a hostile request got a wrong answer.
"""

from __future__ import annotations

import argparse
import http.client
import json
import random
import statistics
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path
from threading import Lock
from typing import Any, Final, NamedTuple

from app.wire.messages import TUTORIAL_GRAPH
from tests.hostile import processes
from tests.hostile.case import Case, Weight
from tests.hostile.cases import CASES
from tests.hostile.client import Place
from tests.hostile.pending import EXPECTED_TO_FAIL
from tests.hostile.server import Own
from tests.hostile.suite import play

SESSIONS: Final = 20
POINTS: Final = 40  # at which memory is looked at
GROWTH: Final = 1.1
PATIENCE_S: Final = 60.0
SHOWN: Final = 20  # wrong answers that are printed
LIGHT: Final = [case for case in CASES if case.weight is Weight.LIGHT and case.id not in EXPECTED_TO_FAIL]


class Point(NamedTuple):
    """What the server held after so many requests."""

    requests: int
    mib: float
    processes: int


@dataclass
class Record:
    """What the clients saw, in bounded memory."""

    statuses: Counter[int] = field(default_factory=Counter)
    wrong: Counter[str] = field(default_factory=Counter)
    hostile: int = 0
    lock: Lock = field(default_factory=Lock)

    def note(self, status: int) -> None:
        """Count an answer."""
        with self.lock:
            self.statuses[status] += 1

    def note_hostile(self, statuses: Sequence[int], wrong: Sequence[str], case: Case) -> None:
        """Count the answers to a hostile case."""
        with self.lock:
            self.hostile += 1
            self.statuses.update(statuses)
            self.wrong.update(f"{case.id}: {text}" for text in wrong)


class Client:
    """One client with a connection that it keeps."""

    def __init__(self, place: Place, record: Record) -> None:
        self._place, self._record = place, record
        self._http = http.client.HTTPConnection(place.host, place.port, timeout=PATIENCE_S)
        self._headers = {"Content-Type": "application/json", "Authorization": f"Bearer {place.key}"}

    def __call__(self, method: str, path: str, body: Any = None) -> Any:
        sent = None if body is None else json.dumps(body)
        try:
            self._http.request(method, path, sent, self._headers)
            answer = self._http.getresponse()
            content = answer.read()
        except (OSError, http.client.HTTPException):
            self._http.close()
            self._record.note(0)
            return None
        self._record.note(answer.status)
        return json.loads(content or b"null")

    def attack(self, case: Case) -> None:
        """Be hostile."""
        answers, wrong = play(case, self._place)
        self._record.note_hostile([seen.status for seen in answers], wrong, case)


def request(chance: random.Random, number: int, sids: Sequence[str]) -> tuple[str, str, Any]:
    """The next request: most programs are known, every seventh is new."""
    value, session = chance.random(), f"/v1/sessions/{chance.choice(sids)}"
    known = {**TUTORIAL_GRAPH, "inputs": {"x": {"data": [[value, 1.0], [1.0, value]], "requires_grad": True}}}
    fresh = {"inputs": {"x": [1.5, value]}, "nodes": [{"id": f"y{number}", "op": "mul", "args": ["$x", number]}]}
    drawn = {
        "code": f"x = torch.rand({1 + number % 3000}, requires_grad=True)\n(x * x).sum().backward()\nprint(x.grad)"
    }
    choices: list[tuple[float, tuple[str, str, Any]]] = [
        (0.60, ("POST", "/v1/evaluate", known)),
        (0.75, ("POST", "/v1/evaluate", fresh)),
        (0.80, ("POST", "/v1/evaluate", drawn)),
        (0.85, ("POST", "/v1/evaluate", {"nodes": [{"id": "y", "op": "no_such_op"}]})),
        (0.95, ("POST", f"{session}/run", {"code": "y = (x * 2).sum()\ny.backward()", "outputs": ["y"]})),
        (1.00, ("GET", f"{session}/tensors/x", None)),
    ]
    kind = chance.random()
    return next(one for bound, one in choices if kind <= bound)


class Soak:
    """A server, its clients, and what was noted."""

    def __init__(self, server: Own, arguments: argparse.Namespace) -> None:
        self._server, self._arguments = server, arguments
        self.record, self.points = Record(), list[Point]()
        self._numbers, self._done, self._lock = count(1), 0, Lock()
        opener = Client(server.place("prober"), self.record)
        self._sids = [opener("POST", "/v1/sessions", {})["id"] for _ in range(SESSIONS)]
        for sid in self._sids:
            opener("POST", f"/v1/sessions/{sid}/run", {"code": "x = torch.ones(4, requires_grad=True)"})

    def run(self) -> None:
        """Let all clients send until enough was sent."""
        with ThreadPoolExecutor(self._arguments.clients) as pool:
            list(pool.map(self._send, range(self._arguments.clients)))

    def _send(self, number: int) -> None:
        chance = random.Random(f"{self._arguments.seed}-{number}")
        kind, hostile = (
            Client(self._server.place("prober"), self.record),
            Client(self._server.place("hostile"), self.record),
        )
        while (number := next(self._numbers)) <= self._arguments.requests:
            if chance.random() < self._arguments.hostile:
                hostile.attack(chance.choice(LIGHT))
            else:
                kind(*request(chance, number, self._sids))
            self._note()

    def _note(self) -> None:
        with self._lock:
            self._done += 1
            if self._done % max(self._arguments.requests // POINTS, 1) == 0:
                pids = self._server.pids
                self.points.append(Point(self._done, processes.memory(pids), len(pids)))
                point = self.points[-1]
                statuses = dict(sorted(self.record.statuses.items()))
                print(f"{point.requests:>8}  {point.mib:7.1f} MiB  {point.processes} processes  {statuses}", flush=True)


def faults(points: Sequence[Point], most: float) -> list[str]:
    """What is wrong with how memory and processes went."""
    quarter = len(points) // 4
    second, last = points[quarter : 2 * quarter], points[3 * quarter :]
    found = []
    before, after = (statistics.median(point.mib for point in part) for part in (second, last))
    if after > most * before:
        found.append(f"memory grew from {before:.1f} to {after:.1f} MiB")
    many, more = (max(point.processes for point in part) for part in (second, last))
    if more > many:
        found.append(f"processes grew from {many} to {more}")
    return found


def _arguments(argv: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--requests", type=int, default=200_000)
    parser.add_argument("--clients", type=int, default=8)
    parser.add_argument("--hostile", type=float, default=0.01, help="part of the requests that are hostile")
    parser.add_argument("--workers", help="of the server")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--most", type=float, default=GROWTH, help="factor that memory may grow by")
    arguments = parser.parse_args(argv)
    if arguments.requests < POINTS:
        parser.error(f"at least {POINTS} requests")
    return arguments


def main(argv: Sequence[str] | None = None) -> int:
    """Run from the command line."""
    arguments = _arguments(argv)
    with tempfile.TemporaryDirectory() as folder:
        server = Own(Path(folder), **({"workers": arguments.workers} if arguments.workers else {}))
        try:
            soak, started = Soak(server, arguments), time.monotonic()
            soak.run()
        finally:
            left = server.stop()
    record = soak.record
    found = faults(soak.points, arguments.most)
    found += [f"{text} ({times} times)" for text, times in record.wrong.most_common(SHOWN)]
    found += [f"{len(left)} processes left behind"] if left else []
    found += [f"{record.statuses[500]} answers of 500"] if record.statuses[500] else []
    print(f"{arguments.requests} requests, {record.hostile} of them hostile, in {time.monotonic() - started:.0f} s")
    print("\n".join(found) or "flat")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
