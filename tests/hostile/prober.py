"""Another client of the service, in a process of its own: does it notice what the hostile ones do?

It asks ``/healthz`` and a known plan all the time, and now and then a program that nobody has sent before. A question
that is answered late keeps those behind it waiting that should have been asked meanwhile: they count too, each with
what was left of the wait. Without that, a service that stands still for ten seconds would show one late answer.
"""

from __future__ import annotations

import http.client
import json
import time
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from itertools import count
from multiprocessing import get_context
from multiprocessing.connection import Connection
from threading import Event, Lock, Thread
from types import TracebackType
from typing import Any, Final

from app.wire.messages import TUTORIAL_GRAPH
from tests.hostile.client import Place

PERIOD_S: Final = 0.01
COLD_PERIOD_S: Final = 0.25
PATIENCE_S: Final = 20.0
ASKS: Final = 50  # over one connection: several processes may listen
TIMES: Final = 3  # that a program is sent until it is a plan


@dataclass
class Probes:
    """What was asked meanwhile: seconds by question, and answers that were not as they had to be."""

    seconds: dict[str, list[float]] = field(default_factory=dict)
    wrong: Counter[str] = field(default_factory=Counter)

    def add(self, other: Probes) -> None:
        """Take in what another one has."""
        for name, values in other.seconds.items():
            self.seconds.setdefault(name, []).extend(values)
        self.wrong += other.wrong

    def quantile(self, part: float, *names: str) -> float:
        """Return the time within which ``part`` of the answers to these questions came."""
        values = sorted(value for name in names for value in self.seconds.get(name, ()))
        return values[min(int(part * len(values)), len(values) - 1)] if values else 0.0


KNOWN: Final = ("health", "plan")  # what has to be answered whatever else runs


class _Question:
    """One thing to ask, over connections of its own."""

    def __init__(self, place: Place, name: str, method: str, path: str, bodies: Iterator[bytes], says: bytes) -> None:
        self.name, self._place, self._method, self._path = name, place, method, path
        self._bodies, self._says = bodies, says
        self._headers = {"Content-Type": "application/json"}
        if place.key:
            self._headers["Authorization"] = f"Bearer {place.key}"
        self._http: http.client.HTTPConnection | None = None
        self._asked = 0

    def ask(self) -> tuple[float, str]:
        """Return the seconds that it took, and what was wrong with the answer."""
        body, started = next(self._bodies), time.monotonic()
        try:
            wrong = self._ask(body)
        except (OSError, http.client.HTTPException) as error:
            wrong = f"{self.name}: {type(error).__name__}"
        if wrong or self._asked % ASKS == 0:
            self.close()
        return time.monotonic() - started, wrong

    def _ask(self, body: bytes) -> str:
        if self._http is None:
            self._http = http.client.HTTPConnection(self._place.host, self._place.port, timeout=PATIENCE_S)
        self._asked += 1
        self._http.request(self._method, self._path, body or None, self._headers)
        answer = self._http.getresponse()
        content = answer.read()
        if answer.status != 200:
            return f"{self.name}: {answer.status}"
        return "" if self._says in content else f"{self.name}: another answer"

    def close(self) -> None:
        if self._http is not None:
            self._http.close()
            self._http = None


def _same(body: bytes) -> Iterator[bytes]:
    while True:
        yield body


def _fresh() -> Iterator[bytes]:
    """Programs that nobody has sent before, too long for a short cut."""
    start = time.time_ns()
    for number in count(start):
        y, out = f"y{number}", f"out{number}"
        nodes = [{"id": y, "op": "full", "args": [[5000], 2.0]}, {"id": out, "op": "sum", "args": [f"${y}"]}]
        yield json.dumps({"nodes": nodes}).encode()


def questions(place: Place) -> tuple[_Question, _Question, _Question]:
    """Return what is asked: the process, a known plan, a new program."""
    graph = json.dumps(TUTORIAL_GRAPH).encode()
    return (
        _Question(place, "health", "GET", "/healthz", _same(b""), b"ok"),
        _Question(place, "plan", "POST", "/v1/evaluate", _same(graph), b'"data":[[4.5,4.5],[4.5,4.5]]'),
        _Question(place, "cold", "POST", "/v1/evaluate", _fresh(), b'"data":10000.0'),
    )


class Notes:
    """Where the asking threads write and the answering one reads."""

    def __init__(self) -> None:
        self._lock, self._probes = Lock(), Probes()

    def put(self, name: str, seconds: float, period: float, wrong: str) -> None:
        waits = [seconds - late * period for late in range(1 + int(seconds / period))]
        with self._lock:
            self._probes.seconds.setdefault(name, []).extend(waits)
            if wrong:
                self._probes.wrong[wrong] += 1

    def take(self) -> Probes:
        with self._lock:
            taken, self._probes = self._probes, Probes()
            return taken


def _ask_all(asked: tuple[_Question, ...], period: float, notes: Notes, stop: Event) -> None:
    while not stop.is_set():
        began = time.monotonic()
        for question in asked:
            seconds, wrong = question.ask()
            notes.put(question.name, seconds, period, wrong)
        stop.wait(max(period - (time.monotonic() - began), 0.001))
    for question in asked:
        question.close()


def _probe(pipe: Connection, place: Place) -> None:
    """In the prober's process: ask until told to stop; each message asks for what was noted since the last."""
    health, plan, cold = questions(place)
    for _ in range(TIMES):
        plan.ask()
    notes, stop = Notes(), Event()
    threads = [
        Thread(target=_ask_all, args=((health, plan), PERIOD_S, notes, stop), daemon=True),
        Thread(target=_ask_all, args=((cold,), COLD_PERIOD_S, notes, stop), daemon=True),
    ]
    for thread in threads:
        thread.start()
    while pipe.recv():
        pipe.send(notes.take())
    stop.set()


class Prober:
    """The process, as a context manager."""

    def __init__(self, place: Place) -> None:
        self._place = place

    def __enter__(self) -> Prober:
        context = get_context("spawn")  # nothing of this process is shared with it
        self._pipe, theirs = context.Pipe()
        start: Callable[..., Any] = context.Process
        self._process = start(target=_probe, args=(theirs, self._place), daemon=True)
        self._process.start()
        return self

    def take(self) -> Probes:
        """Return what was asked since this was called last."""
        self._pipe.send(True)
        taken: Probes = self._pipe.recv()
        return taken

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._pipe.send(False)
        self._process.join(2 * PATIENCE_S)
        if self._process.is_alive():
            self._process.kill()
