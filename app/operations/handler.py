"""Carries out requests in a compute process: finds the operation, holds it to its time, writes down what it gave."""

from __future__ import annotations

import os
from collections.abc import Callable
from importlib import import_module
from time import monotonic
from typing import Final

from app.compute.frames import Body, Packet, Page, Stage
from app.evaluate.cancellation import Cancellation
from app.evaluate.evaluator import Evaluator
from app.evaluate.execution import Programs
from app.observe import logs
from app.observe.trace_context import trace_of
from app.operations import evaluate, sessions, tensors  # each registers what it has
from app.operations.exchange import ENCODER, REQUESTS, Answer, Exchange, Request, Tools, operation_of
from app.operations.timed_store import TimedStore
from app.sessions.directory import Directory
from app.settings import Settings
from app.stores.base import SessionStore
from app.wire.reply import Refusal, Reply, compressed
from engine import methods

MODULES: Final = (evaluate, sessions, tensors)
CONNECTIONS: Final = 2  # to the store: the command's, and that of what renews its claim


def warm_up() -> None:
    """Load what most programs need, once for all processes that carry requests out."""
    for name in ("fft", "linalg", "special"):
        import_module(f"scipy.{name}")
    methods.write_operators()


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
        self._current: Cancellation | None = None

    def carry_out(self, packet: Packet) -> tuple[bytes, Body]:
        """Return the answer to a request, or the problem that it met."""
        started = monotonic()
        self._store_times.begin()
        request = REQUESTS.decode(packet.head)
        token = logs.bind(request.request_id, _trace_id(request))
        try:
            exchange = Exchange(self._tools, request, packet.body or b"")
            reply = compressed(self._reply(exchange, is_whole=packet.body is not None), request.accept_encoding)
        finally:
            logs.unbind(token)
        return ENCODER.encode(self._answer(exchange, reply, started)), reply.body

    def _reply(self, exchange: Exchange, *, is_whole: bool) -> Reply:
        request = exchange.request
        self._current = cancellation = Cancellation(request.deadline)
        try:
            try:
                if not is_whole:
                    raise MemoryError
                return cancellation.run(lambda: operation_of(request.operation)(exchange, **request.arguments))
            finally:
                self._current = None
        except Exception as error:
            return self._refuse(error, request.request_id)

    def _answer(self, exchange: Exchange, reply: Reply, started: float) -> Answer:
        """Return all of a reply but its body, and the facts of how it was made."""
        directory, times = self._tools.directory, self._store_times
        answer = Answer(
            reply.status, reply.media_type, reply.headers, exchange.plan, monotonic() - started, directory.new_events(),
            process=os.getpid(), live_sessions=len(directory.cache), live_bytes=directory.cache.nbytes,
        )  # fmt: skip
        if isinstance(reply, Refusal):
            answer.problem, answer.limit = reply.problem, reply.limit
        if times.count:
            answer.store_seconds = times.seconds
            answer.store_calls = [(name, at - started, seconds) for name, at, seconds in times.calls]
        return answer

    def cancel(self) -> None:
        """End the request that is being carried out."""
        if self._current is not None:
            self._current.cancel()

    def cached_bytes(self) -> int:
        """How much of the memory is live sessions and plans."""
        return self._tools.directory.cache.nbytes + self._tools.evaluator.plans.nbytes


def _trace_id(request: Request) -> str | None:
    trace = None if request.traceparent is None else trace_of(request.traceparent.encode())
    return None if trace is None else trace.trace_id


def _note(page: Page, stage: int) -> None:
    page.stage = Stage(stage)
