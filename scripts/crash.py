"""Kills a server with SIGKILL at random moments, again and again, and looks for what got lost, halved or doubled.

    python -m scripts.crash [--store sqlite|postgres] [--kills 100] [--workers 1] [--seed 1] [--kill-postgres]

Clients post runs to a few sessions, some with an Idempotency-Key, until the server dies under them, sometimes while it
is still starting. Each run leaves five marks of its own (a name, an entry of a list, a gradient that ``backward`` adds
up, a write through a view, a node of a graph that grows). After the restart every session is read, by a backward over
that graph, and compared with what the clients know: a run that was acknowledged is there exactly once; one that was not
is there wholly or not at all, and stays so; one with a key is repeated until it is acknowledged, and then counts once.
The version of a session is the number of its runs. One more client counts in a session of its own by one and the same
run, which the server comes to know beforehand: it must have counted every one that was acknowledged, and no more than
were posted. Most kills hit a compute process, or the process that these are
forked from, and the server has to go on by itself; the others hit the server as a whole. ``--kill-postgres`` kills the
PostgreSQL server instead, and with it now and then the server too. Prints one table of counts; exit status 1 if a
session was not as it had to be.
"""

from __future__ import annotations

import argparse
import os
import random
import signal
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, suppress
from dataclasses import dataclass, field
from pathlib import Path
from threading import Event, Lock
from typing import Any, ClassVar, Final

import httpx

from tests import postgres
from tests.processes import Server

SLOTS: Final = 150  # runs of one session: each has an element of the vectors to itself
STRIDE: Final = 32  # between these elements, so that the vectors take several blocks of the store
CLIENTS, SESSIONS = 6, 3
KEYED: Final = 0.6  # part of the runs that have a key
INSIDE: Final = 0.6  # part of the other kills that hit one process of a server, and of these: the nursery
NURSERY: Final = 0.1
AT_START: Final = 0.2  # part of the kills that hit a server that is starting
BOTH: Final = 0.3  # part of PostgreSQL's kills that hit our server too
LONG: Final = 0.1  # part of them after which it stays away for longer than the server waits
PATIENCE_S: Final = 60.0
DAMAGE: Final = ("in part", "doubled", "lost", "late")
PAUSE_S: Final = 0.3  # before a key that is still held is tried again
LOG_CHARS: Final = 6000  # of the log of a server that failed, told with the failure
SETUP: Final = f"""\
log = []
x = torch.zeros({SLOTS}, dtype=torch.float64, requires_grad=True)
w = torch.zeros({SLOTS}, dtype=torch.float64, requires_grad=True)
base = torch.zeros({SLOTS * STRIDE}, dtype=torch.float64)
view = base.view({SLOTS}, {STRIDE})
chain = w.sum() * 0
"""
LOOK: Final = {
    "code": "back, = torch.autograd.grad(chain, w, retain_graph=True)\nmarks = view.sum(1)",
    "outputs": ["log", "x.grad", "marks", "back"],
}


@dataclass(slots=True)
class Run:
    """One run, and what is known of it. ``present`` is what the last look at the session saw of one without answer."""

    slot: int
    value: int
    key: str | None
    version: int | None = None  # that its answer named
    present: bool | None = None
    damaged: str = ""
    busy: bool = False
    not_before: float = 0.0

    @property
    def body(self) -> dict[str, Any]:
        """The program: five marks."""
        slot, value = self.slot, self.value
        code = f"""\
mark_{value} = torch.tensor({value})
log.append({value})
x[{slot}].backward()
view[{slot}, {slot % STRIDE}] += {value}
chain = chain + w[{slot}] * {value}
"""
        return {"code": code, "outputs": []}


@dataclass(frozen=True, slots=True)
class Seen:
    """What a look at a session saw."""

    version: int
    names: frozenset[str]
    log: Sequence[int]
    grad: Sequence[float]
    marks: Sequence[float]
    back: Sequence[float]

    def times(self, run: Run) -> set[float]:
        """How often the run's effect is there, by each of its marks; one number if all agree."""
        slot, value = run.slot, run.value
        log = self.log.count(value)
        name = log if (f"mark_{value}" in self.names) == (log > 0) else -1
        return {float(log), self.grad[slot], self.marks[slot] / value, self.back[slot] / value, float(name)}


@dataclass(slots=True)
class Model:
    """A session as its clients know it."""

    sid: str
    runs: list[Run] = field(default_factory=list)
    looks: int = 1  # runs that left no marks: the set-up, and every look

    def judge(self, seen: Seen, counts: Counter[str]) -> list[str]:
        """What is wrong with what was seen. What the runs without an answer came to is noted in them."""
        wrong: list[str] = []
        found = 0.0
        for run in self.runs:
            times = seen.times(run)
            found += min(times)
            damage, text = self._judge_run(run, times)
            if damage and not run.damaged:  # each run once, however often it is seen again
                counts[damage] += 1
                wrong.append(f"run {run.value} {text}")
                run.damaged = damage
        if extra := set(seen.log) - {run.value for run in self.runs}:
            wrong.append(f"runs that nobody posted: {sorted(extra)}")
        if seen.version != self.looks + found:
            wrong.append(f"version {seen.version} after {self.looks} looks and {found:g} runs")
        return [f"session {self.sid}: {text}" for text in wrong]

    @staticmethod
    def _judge_run(run: Run, times: set[float]) -> tuple[str, str]:
        """The damage, under the name that it is counted by, and in words; two empty texts if there is none."""
        if len(times) > 1:
            return "in part", f"is there in part: {sorted(times)} times"
        (count,) = times
        if count > 1:
            return "doubled", f"is there {count:g} times"
        if count == 0 and (run.version is not None or run.present):
            return "lost", "was there and is gone"
        if count == 1 and run.present is False and run.version is None and run.key is None:
            return "late", "was not there and now is, though nobody posted it again"
        run.present = count == 1
        return "", ""


@dataclass(slots=True)
class Tally:
    """A session in which one client counts, by the same run again and again."""

    sid: str
    certain: int = 0  # runs that were acknowledged
    posted: int = 0
    last: float = 0.0  # the count that the last answer told

    BODY: ClassVar = {"code": "with torch.no_grad():\n    t += 1\ny = (t * t).sum()", "outputs": ["t"]}

    def note(self, count: float) -> str:
        """An answer came; what is wrong with it."""
        before, self.last = self.last, count
        self.certain += 1
        return "" if before < count <= self.posted else f"a count of {count:g} after {before:g}, {self.posted} posted"

    def judge(self, version: int, count: float) -> str:
        """What is wrong with what a look saw."""
        if version - 1 == count and max(self.certain, self.last) <= count <= self.posted:
            return ""
        return f"a count of {count:g} at version {version}: {self.certain} acknowledged, {self.posted} posted"


class Experiment:
    """A server, its sessions, and what is counted."""

    def __init__(self, server: Server, seed: int) -> None:
        self.server, self.seed = server, seed
        self.random = random.Random(seed)
        self.counts: Counter[str] = Counter()
        self.wrong: list[str] = []
        self.models: list[Model] = []
        self._lock = Lock()
        self._values = 0
        self.tally: Tally | None = None

    # -- clients ----------------------------------------------------------------------------------------------------
    def open_sessions(self, http: httpx.Client) -> None:
        """Have as many sessions with room as there should be."""
        while len(self._open()) < SESSIONS:
            sid = _expect(http.post("/v1/sessions", json={}), 201)["id"]
            _expect(http.post(f"/v1/sessions/{sid}/run", json={"code": SETUP, "outputs": []}), 200)
            self.models.append(Model(sid))
        if self.tally is None:
            sid = _expect(http.post("/v1/sessions", json={}), 201)["id"]
            start = {"code": "t = torch.zeros(1, dtype=torch.float64, requires_grad=True)", "outputs": []}
            _expect(http.post(f"/v1/sessions/{sid}/run", json=start), 200)
            self.tally = Tally(sid)

    def count_until(self, stop: Event) -> None:
        """The client that counts."""
        tally = self.tally
        assert tally is not None
        with httpx.Client(base_url=self.server.url, timeout=PATIENCE_S, trust_env=False) as http:
            while not stop.is_set():
                tally.posted += 1
                try:
                    answer = http.post(f"/v1/sessions/{tally.sid}/run", json=Tally.BODY)
                except httpx.TransportError:
                    stop.wait(0.02)
                    continue
                if answer.status_code == 200:
                    self._note_wrong(tally.note(answer.json()["outputs"]["t"]["data"][0]))
                elif answer.status_code != 503 and answer.json()["type"] != "/problems/outcome-unknown":
                    self._note_wrong(f"answered {answer.status_code}: {answer.text[:200]}")

    def _note_wrong(self, text: str) -> None:
        if text:
            self.wrong.append(f"the session that counts: {text}")

    def _open(self) -> list[Model]:
        return [model for model in self.models if len(model.runs) < SLOTS]

    def _next(self, chance: random.Random) -> tuple[Model, Run] | None:
        """A run to post: one that waits to be repeated, or a new one."""
        now = time.monotonic()
        with self._lock:
            for model, run in self._unanswered():
                if not run.busy and run.not_before <= now:
                    run.busy = True
                    return model, run
            rooms = self._open()
            if not rooms:
                return None
            model = chance.choice(rooms)
            self._values += 1
            key = f"{self.seed}-{self._values}" if chance.random() < KEYED else None
            run = Run(len(model.runs), self._values, key, busy=True)
            model.runs.append(run)
            return model, run

    def _unanswered(self) -> list[tuple[Model, Run]]:
        return [(model, run) for model in self.models for run in model.runs if run.version is None and run.key]

    def post_until(self, stop: Event, chance: random.Random) -> None:
        """One client."""
        with httpx.Client(base_url=self.server.url, timeout=PATIENCE_S, trust_env=False) as http:
            while not stop.is_set():
                chosen = self._next(chance)
                if chosen is None:
                    return
                model, run = chosen
                try:
                    self._post(http, model, run)
                except httpx.TransportError:
                    stop.wait(0.02)
                finally:
                    run.busy = False

    def _post(self, http: httpx.Client, model: Model, run: Run) -> None:
        headers = {"Idempotency-Key": run.key} if run.key else {}
        answer = http.post(f"/v1/sessions/{model.sid}/run", json=run.body, headers=headers)
        if answer.status_code == 200:
            run.version = answer.json()["version"]
            self.counts["replayed answers"] += answer.headers.get("Idempotency-Replayed") == "true"
        elif answer.status_code in (409, 503) or answer.json()["type"] == "/problems/outcome-unknown":
            self.counts[f"answers {answer.status_code}"] += 1
            run.not_before = time.monotonic() + PAUSE_S
        else:
            log = self.server.log.read_text(errors="replace")[-LOG_CHARS:]
            self.wrong.append(f"run {run.value} was answered {answer.status_code}: {answer.text[:200]}\n{log}")

    # -- looks ------------------------------------------------------------------------------------------------------
    def look_at(self, http: httpx.Client, models: Sequence[Model]) -> None:
        """Compare these sessions with what is known of them. No client may be at work."""
        if self.tally is not None:
            seen = _expect(http.get(f"/v1/sessions/{self.tally.sid}/tensors/t"), 200)
            head = _expect(http.get(f"/v1/sessions/{self.tally.sid}"), 200)
            self._note_wrong(self.tally.judge(head["version"], seen["data"][0]))
        for model in models:
            answer = self._look(http, model)
            names = _expect(http.get(f"/v1/sessions/{model.sid}"), 200)["tensors"]
            outputs = answer["outputs"]
            vectors = [_data(outputs.get(name)) for name in ("x.grad", "marks", "back")]
            model.looks += 1
            version, log = answer["version"], answer["values"]["log"]
            seen = Seen(version, frozenset(one["name"] for one in names), log, *vectors)
            self.wrong += model.judge(seen, self.counts)
            versions = [run.version for run in model.runs if run.version is not None]
            if len(set(versions)) < len(versions) or max(versions, default=0) > version:
                self.wrong.append(f"session {model.sid}: answers named impossible versions")

    def _look(self, http: httpx.Client, model: Model) -> Any:
        """Once, whatever happens on the way: a look is a run too."""
        headers = {"Idempotency-Key": f"{self.seed}-{model.sid}-{model.looks}"}
        end = time.monotonic() + PATIENCE_S
        while True:
            answer = http.post(f"/v1/sessions/{model.sid}/run", json=LOOK, headers=headers)
            if answer.status_code not in (409, 503, 504) or time.monotonic() > end:
                return _expect(answer, 200)
            time.sleep(PAUSE_S)

    def finish(self, http: httpx.Client) -> None:
        """Repeat until every key has its answer, then look at all sessions."""
        end = time.monotonic() + PATIENCE_S
        while (waiting := self._unanswered()) and time.monotonic() < end:
            for model, run in waiting:
                self._post(http, model, run)
            time.sleep(0.05)
        self.wrong += [f"run {run.value} never got its answer" for _, run in waiting]
        self.look_at(http, self.models)

    def table(self) -> dict[str, int]:
        """All counts, the zeros that matter too."""
        runs = [run for model in self.models for run in model.runs]
        answered = [run for run in runs if run.version is not None]
        silent = [run for run in runs if run.version is None]
        kills = {name: count for name, count in self.counts.items() if name.startswith("kills")}
        return {
            **dict(sorted(kills.items())),
            "sessions": len(self.models),
            "runs acknowledged": len(answered),
            "found exactly once": sum(run.present is True for run in answered),
            "unacknowledged, whole": sum(run.present is True for run in silent),
            "unacknowledged, absent": sum(run.present is False for run in silent),
            "counted, acknowledged": 0 if self.tally is None else self.tally.certain,
            "counted": 0 if self.tally is None else int(self.tally.last),
            **{name: self.counts[name] for name in DAMAGE},
            **{name: self.counts[name] for name in ("replayed answers", "answers 409", "answers 503", "answers 504")},
            "other violations": len(self.wrong) - sum(self.counts[name] for name in DAMAGE),
        }


def _expect(answer: httpx.Response, status: int) -> Any:
    if answer.status_code != status:
        raise RuntimeError(f"{answer.request.method} {answer.request.url}: {answer.status_code} {answer.text[:300]}")
    return answer.json()


def _data(record: dict[str, Any] | None) -> Sequence[float]:
    """The vector; of a leaf without a gradient, zeros."""
    return [0.0] * SLOTS if record is None else record["data"]


# -- the ways to die --------------------------------------------------------------------------------------------------
def kill_at_start(experiment: Experiment, start_s: float) -> None:
    """A server that is starting dies."""
    experiment.server.begin()
    time.sleep(experiment.random.uniform(0, start_s))
    experiment.server.kill()
    experiment.counts["kills at start"] += 1


def kill_at_work(experiment: Experiment, database: postgres.Server | None) -> None:
    """What works dies under its clients: the server, or the database (``None``: leave it alone) and perhaps both."""
    chance, stop = experiment.random, Event()
    with ThreadPoolExecutor(CLIENTS + 1) as pool:
        clients = [pool.submit(experiment.post_until, stop, random.Random(chance.random())) for _ in range(CLIENTS)]
        clients.append(pool.submit(experiment.count_until, stop))
        time.sleep(chance.uniform(0.01, 0.8))
        try:
            if database is not None:
                _kill_database(experiment, database)
                time.sleep(chance.uniform(0.1, 0.5))  # the server finds its way back, with the clients still there
            elif chance.random() < INSIDE:
                _kill_inside(experiment)
                time.sleep(chance.uniform(0.05, 0.3))  # it goes on, with the clients still there
            else:
                experiment.server.kill()
                experiment.counts["kills of the server"] += 1
        finally:
            stop.set()
    for client in clients:
        client.result()


def _kill_inside(experiment: Experiment) -> None:
    """One process of the server dies: a compute process, or the one that they are forked from."""
    chance = experiment.random
    nursery, *others = experiment.server.descendants()
    compute = others[0] if others else []
    victims, name = (nursery, "the nursery") if not compute or chance.random() < NURSERY else (compute, "a process")
    with suppress(ProcessLookupError):
        os.kill(chance.choice(victims), signal.SIGKILL)
    experiment.counts[f"kills of {name}"] += 1


def _kill_database(experiment: Experiment, database: postgres.Server) -> None:
    chance = experiment.random
    database.kill()
    experiment.counts["kills of PostgreSQL"] += 1
    if chance.random() < BOTH:
        experiment.server.kill()
        experiment.counts["kills of the server"] += 1
    time.sleep(chance.uniform(0, 0.5) if chance.random() > LONG else chance.uniform(6, 9))
    database.start()


def torment(experiment: Experiment, kills: int, database: postgres.Server | None) -> None:
    """Kill, restart and look, until there were so many kills."""
    server, start_s, done = experiment.server, 1.0, 0
    while done < kills:
        if server.runs:
            pass  # it outlived the database
        elif database is None and experiment.random.random() < AT_START:
            kill_at_start(experiment, start_s)
            done += 1
            continue
        else:
            started = time.monotonic()
            server.start()
            start_s = time.monotonic() - started
        with _client(server) as http:
            experiment.look_at(http, _some(experiment))
            experiment.open_sessions(http)
        kill_at_work(experiment, database)
        done += 1
    if not server.runs:
        server.start()
    with _client(server) as http:
        experiment.finish(http)


def _client(server: Server) -> httpx.Client:
    return httpx.Client(base_url=server.url, timeout=PATIENCE_S, trust_env=False)


def _some(experiment: Experiment) -> list[Model]:
    """The sessions that the clients used last, and one that is done."""
    models = experiment.models
    done = models[: -SESSIONS - 1]
    return [*models[-SESSIONS - 1 :], *([experiment.random.choice(done)] if done else [])]


def run(store: str, kills: int, workers: int, seed: int, *, kill_postgres: bool = False) -> Experiment:
    """One experiment over a fresh store."""
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="gradserve-crash-")))
        database = stack.enter_context(postgres.server()) if store == "postgres" else None
        server = Server(folder, store=database.url if database else store, workers=str(workers))
        stack.callback(server.kill)
        experiment = Experiment(server, seed)
        torment(experiment, kills, database if kill_postgres else None)
        return experiment


def main() -> int:
    """Read the options, run, print the table."""
    assert __doc__
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--store", choices=("sqlite", "postgres"), default="sqlite")
    parser.add_argument("--kills", type=int, default=100)
    parser.add_argument("--workers", type=int, default=1)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--kill-postgres", action="store_true", help="kill PostgreSQL, not only what uses it")
    given = parser.parse_args()
    if given.kill_postgres and given.store != "postgres":
        parser.error("--kill-postgres needs --store postgres")
    experiment = run(given.store, given.kills, given.workers, given.seed, kill_postgres=given.kill_postgres)
    print(f"store {given.store}, {given.workers} worker(s), seed {given.seed}")
    for name, count in experiment.table().items():
        print(f"  {name:<24}{count:>7}")
    for text in experiment.wrong[:20]:
        print(f"  {text}", file=sys.stderr)
    return 1 if experiment.wrong else 0


if __name__ == "__main__":
    sys.exit(main())
