"""Carries out requests in a compute process: finds the operation, holds it to its time, writes down what it gave."""

from __future__ import annotations

import os
from collections.abc import Callable
from importlib import import_module
from time import monotonic
from typing import Final, NamedTuple

from app.compute.frames import Body, Packet, Page
from app.evaluate.cancellation import Cancellation
from app.evaluate.evaluator import Evaluator
from app.evaluate.execution import PROGRAM_BYTES, Programs
from app.evaluate.plan_cache import PlanCache
from app.observe import logs
from app.observe.trace_context import trace_of
from app.operations import evaluate, sessions, tensors  # each registers what it has
from app.operations.exchange import ENCODER, HEADS, REQUESTS, Answer, Head
from app.operations.operation import Exchange, Tools, operation_of
from app.operations.timed_store import TimedStore
from app.sessions.directory import Directory
from app.settings import Settings
from app.stores.base import SessionStore
from app.wire.messages import BackwardRequest, RunRequest, SessionRequest, TensorPatch, ZeroGradRequest
from app.wire.reply import Refusal, Reply, compressed
from engine import methods

MODULES: Final = (evaluate, sessions, tensors)
BODIES: Final = (BackwardRequest, RunRequest, SessionRequest, TensorPatch, ZeroGradRequest)  # that operations read
KNOWN, KNOWN_BYTES = 256, 2**22  # requests that are remembered, and their bytes
CONNECTIONS: Final = 2  # to the store: the command's, and that of what renews its claim


def warm_up() -> None:
    """Load what most programs need, once for all processes that carry requests out."""
    for name in ("fft", "linalg", "special"):
        import_module(f"scipy.{name}")
    methods.write_operators()
    for message in BODIES:
        message.model_rebuild()


class _Known(NamedTuple):
    """A request that came before: what carries it out without reading it."""

    call: Callable[[], Reply]
    accept_encoding: str | None
    nbytes: int


class RequestHandler:
    """A ``Handler`` of compute processes. ``refuse`` makes the reply of an exception and a request's id."""

    def __init__(
        self,
        settings: Settings,
        make_store: Callable[[int], SessionStore],
        page: Page,
        refuse: Callable[[Exception, str], Refusal],
    ) -> None:
        self._refuse = refuse
        store, self._store_times = TimedStore.over(make_store(CONNECTIONS))
        directory = Directory(store, settings.limits, settings.cache_bytes, lambda stage: _note(page, stage))
        limits = settings.limits
        self._tools = Tools(limits, directory, Evaluator(limits), Programs(limits), settings.dot, refuse)
        self._known: PlanCache[_Known] = PlanCache(KNOWN, KNOWN_BYTES, KNOWN_BYTES // 4)
        self._current: Cancellation | None = None

    def carry_out(self, packet: Packet) -> tuple[bytes, Body]:
        """Return the answer to a request, or the problem that it met."""
        started = monotonic()
        self._store_times.begin()
        head = HEADS.decode(packet.head)
        token = logs.bind(head.request_id, _trace_id(head.traceparent))
        try:
            reply, plan = self._carry_out(head, packet.body)
        finally:
            logs.unbind(token)
        answer = self._answer(plan, reply, started)
        if head.traceparent is not None:  # else nobody asks for them one by one
            answer.store_calls = [(name, at - started, seconds) for name, at, seconds in self._store_times.calls]
        return ENCODER.encode(answer), reply.body

    def _carry_out(self, head: Head, body: Body | None) -> tuple[Reply, bytes | None]:
        """Return the reply, and the plan that the front should have."""
        key = (bytes(head.request), body) if type(body) is bytes else None
        known = None if key is None else self._known.get(key)
        if known is not None:
            return compressed(self._reply(head, known.call), known.accept_encoding), None
        request = REQUESTS.decode(head.request)
        exchange = Exchange(self._tools, request, head.request_id, body or b"")

        def work() -> Reply:
            if body is None:
                raise MemoryError
            return operation_of(request.operation)(exchange, **request.arguments)

        reply = compressed(self._reply(head, work), request.accept_encoding)
        again, exchange.again = exchange.again, None  # they know each other
        if again is not None and key is not None:
            self._known.put(key, _Known(again, request.accept_encoding, PROGRAM_BYTES * len(key[1])))
        return reply, exchange.plan

    def _reply(self, head: Head, work: Callable[[], Reply]) -> Reply:
        self._current = cancellation = Cancellation(head.deadline)
        try:
            try:
                return cancellation.run(work)
            finally:
                self._current = None
        except Exception as error:
            return self._refuse(error, head.request_id)

    def _answer(self, plan: bytes | None, reply: Reply, started: float) -> Answer:
        """Return all of a reply but its body, and the facts of how it was made."""
        directory, times = self._tools.directory, self._store_times
        answer = Answer(
            reply.status, reply.media_type, reply.headers, plan, monotonic() - started, directory.new_events(),
            process=os.getpid(), live_sessions=len(directory.cache), live_bytes=directory.cache.nbytes,
        )  # fmt: skip
        if isinstance(reply, Refusal):
            answer.problem, answer.limit = reply.problem, reply.limit
        if times.count:
            answer.store_seconds = times.seconds
        return answer

    def cancel(self) -> None:
        """End the request that is being carried out."""
        if self._current is not None:
            self._current.cancel()

    def cached_bytes(self) -> int:
        """How much of the memory is live sessions and plans."""
        return self._tools.directory.cache.nbytes + self._tools.evaluator.plans.nbytes


def _trace_id(traceparent: str | None) -> str | None:
    trace = None if traceparent is None else trace_of(traceparent.encode())
    return None if trace is None else trace.trace_id


def _note(page: Page, stage: int) -> None:
    page.stage = stage
