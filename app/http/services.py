"""What lives as long as the application, and the way of a request to a compute process and back."""

from __future__ import annotations

import asyncio
import base64
import binascii
import logging
import os
from collections import Counter
from collections.abc import Callable
from functools import partial
from importlib import import_module
from pathlib import Path
from tempfile import TemporaryDirectory
from time import monotonic
from typing import Final, cast

import msgspec
from threadpoolctl import threadpool_limits

from app import allocator
from app.compute.frames import Body, Packet, Page, SharedBody
from app.compute.front import Front, Patience, Task
from app.compute.queue import Room
from app.compute.worker import Handler, Worker, share_of_memory
from app.errors import Unauthorized
from app.evaluate.replay import Replayer, Sighting
from app.http.health_check import HealthCheck
from app.http.problems import reply_to
from app.http.unread import Unread
from app.observe.access import write_line
from app.observe.facts import Facts, Observer
from app.observe.metrics import Metrics
from app.operations import exchange
from app.sessions.idempotency import InFlight
from app.settings import Settings, key_digest
from app.stores.base import SessionStore
from app.stores.factory import store_for
from app.wire.reply import Reply
from engine import plan as plans

LOCAL_OWNER: Final = "local"
EVALUATE: Final = "evaluate"
HANDLER: Final = "app.operations.handler"  # what compute processes load
log = logging.getLogger("gradserve")
Done = Callable[[Reply | Exception], None]


class Services:
    """The parts of the application. Everything that takes time is done by the processes of ``front``."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.limits = settings.limits
        self.owners = settings.owners_by_key_digest
        self._temporary = TemporaryDirectory(prefix="gradserve-") if settings.store == "memory" else None
        folder = settings.data if self._temporary is None else Path(self._temporary.name)
        make_store = partial(store_for, settings.store, folder, settings.sync)
        memory_bytes = settings.memory_bytes or share_of_memory(settings.workers)
        self.store = make_store(1)  # to bring it up to date, and to ask whether it is there
        self.front = Front(
            Worker(lambda page: _handler(settings, make_store, page, memory_bytes), memory_bytes), settings.workers,
            Room(settings.queue, settings.owner_queue, settings.session_queue), Patience(), self.store.before_fork,
            _load,
        )  # fmt: skip
        self.health_check = HealthCheck(self.store.check)
        self.replayer = Replayer(settings.limits)
        self.in_flight = InFlight()
        self.unread = Unread(settings.answers_bytes)
        self.metrics = Metrics()
        self.is_draining = False  # the server is about to end
        self.observer = Observer(self.metrics)
        if settings.access_log:
            self.observer.listeners.append(write_line)
        self.events: Counter[str] = Counter()  # in sessions, as compute processes tell
        self.plans_adopted = 0
        self.at_hand: dict[int, tuple[int, int]] = {}  # by process: how many sessions it has at hand, and their bytes

    def owner_for(self, authorization: str) -> str:
        """Return the owner of the key in an Authorization header. Raises ``Unauthorized``."""
        if not self.owners:
            return LOCAL_OWNER
        owner = self.owners.get(key_digest(_key(authorization)))
        if owner is None:
            raise Unauthorized("name a key: 'Authorization: Bearer KEY', or KEY as the password of HTTP Basic")
        return owner

    def send(
        self,
        request: exchange.Request,
        body: Body | SharedBody,
        done: Done,
        facts: Facts,
        turn: str | None = None,
        known: Sighting | None = None,
        written: bytes | None = None,
    ) -> Task:
        """Have a request answered by a compute process; ``done`` gets the reply, or why there is none.

        Requests of one ``turn`` are answered one after another. A plan that comes back for what is ``known`` is kept.
        ``written`` is the request as it is sent, where that is known.
        Raises ``Overloaded`` and ``OverLimit``.
        """

        def finish(outcome: Packet | Exception) -> None:
            answer = None
            reply: Reply | Exception
            try:
                if isinstance(outcome, Exception):
                    reply = outcome
                else:
                    self.unread.note(request.owner, outcome.body)
                    answer = exchange.ANSWERS.decode(outcome.head)
                    reply = self._reply(answer, outcome.body, known)
            except Exception as error:  # whoever waits must not wait for ever
                reply = error
            self._note(facts, task, request.operation, answer)
            done(reply)

        self.unread.check(request.owner)
        deadline = monotonic() + self.limits.seconds
        trace = None if facts.trace is None else facts.trace.parent
        asked = msgspec.Raw(written or exchange.ENCODER.encode(request))
        head = exchange.Head(facts.request_id, deadline, asked, trace)
        home = known.home if known is not None else None if turn is None else hash(turn)
        task = Task(
            exchange.ENCODER.encode(head), body, finish, owner=request.owner, deadline=deadline,
            seconds=self.limits.seconds, turn=turn, home=home, repeatable=request.operation == EVALUATE,
        )  # fmt: skip
        self.front.submit(task)
        return task

    def _reply(self, answer: exchange.Answer, body: Body | None, known: Sighting | None) -> Reply:
        if body is None:
            raise MemoryError
        if answer.plan is not None and known is not None:
            try:
                self.replayer.adopt(known, answer.plan)
                self.plans_adopted += 1
            except plans.MalformedPlan:  # the answer does not depend on it
                log.exception("a compute process shipped what is no plan")
        return Reply(answer.status, cast(bytes, body), answer.media_type, answer.headers)

    def _note(self, facts: Facts, task: Task, operation: str, answer: exchange.Answer | None) -> None:
        """Note what became of a task."""
        began = task.started_at or monotonic()  # or never did
        facts.queued_at, facts.queue_seconds = task.submitted_at, began - task.submitted_at
        if answer is None:
            self.metrics.worked(operation, facts.queue_seconds, None, None)
            return
        self.metrics.worked(operation, facts.queue_seconds, answer.seconds, answer.store_seconds)
        facts.computed_at, facts.compute_seconds, facts.compute_process = began, answer.seconds, answer.process
        facts.store_seconds, facts.store_calls = answer.store_seconds or 0.0, answer.store_calls
        facts.problem, facts.limit = answer.problem, answer.limit
        if answer.events:
            self.events.update(answer.events)
        self.at_hand[answer.process] = (answer.live_sessions, answer.live_bytes)
        if len(self.at_hand) > 2 * self.settings.workers:
            alive = set(self.front.pids())
            self.at_hand = {pid: found for pid, found in self.at_hand.items() if pid in alive}

    def may_read_metrics(self, authorization: str) -> bool:
        """Whether a request with that header gets the metrics: with their own key, or else with any key."""
        wanted = self.settings.metrics_key
        if wanted:
            return key_digest(_key(authorization)) == key_digest(wanted)
        return not self.owners or key_digest(_key(authorization)) in self.owners

    def close(self) -> None:
        """Give up what is outside of this process."""
        self.store.close()
        if self._temporary is not None:
            self._temporary.cleanup()

    async def sweep(self) -> None:
        """Have a compute process drop what has expired from the store."""
        done: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        facts = Facts({}, "")
        facts.request_id = "sweep"

        def finish(outcome: Reply | Exception) -> None:
            if not done.done():
                done.set_result(None)

        self.send(exchange.Request("sweep_store", ""), b"", finish, facts)
        await done


def _load() -> None:
    """Load what carries requests out: in the process that compute processes are forked from, never in the front."""
    import_module(HANDLER).warm_up()


def _handler(settings: Settings, make_store: Callable[[int], SessionStore], page: Page, memory_bytes: int) -> Handler:
    """Return what carries requests out: called in each compute process."""
    share_processors(settings)
    allocator.keep_freed(memory_bytes)
    made: Handler = import_module(HANDLER).RequestHandler(settings, make_store, page, reply_to)
    return made


def share_processors(settings: Settings) -> None:
    """Let workers and the threads that each uses for matrix products be as many as there are processors."""
    threadpool_limits(settings.blas_threads or max(1, (os.cpu_count() or 1) // settings.workers), "blas")


def _key(authorization: str) -> str:
    scheme, _, credentials = authorization.partition(" ")
    if scheme.lower() == "bearer":
        return credentials.strip()
    if scheme.lower() == "basic":
        try:
            return base64.b64decode(credentials, validate=True).decode().partition(":")[2]
        except (binascii.Error, ValueError):
            return ""
    return ""
