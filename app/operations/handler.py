"""Carries out requests in a compute process: finds the operation, holds it to its time, writes down what it gave."""

from __future__ import annotations

from collections.abc import Callable
from time import perf_counter
from typing import Final

from app.compute.frames import Body, Packet, Page, Stage
from app.evaluate.cancellation import Cancellation
from app.evaluate.evaluator import Evaluator
from app.evaluate.execution import Programs
from app.operations import evaluate, sessions, tensors  # each registers what it has
from app.operations.exchange import ENCODER, REQUESTS, Answer, Exchange, Tools, operation_of
from app.sessions.directory import Directory
from app.settings import Settings
from app.stores.base import SessionStore
from app.wire.reply import Reply

MODULES: Final = (evaluate, sessions, tensors)
CONNECTIONS: Final = 2  # to the store: the command's, and that of what renews its claim


class RequestHandler:
    """A ``Handler`` of compute processes. ``refuse`` makes the reply of an exception and a request's id."""

    def __init__(
        self,
        settings: Settings,
        make_store: Callable[[int], SessionStore],
        page: Page,
        refuse: Callable[[Exception, str], Reply],
    ) -> None:
        self._refuse = refuse
        directory = Directory(
            make_store(CONNECTIONS), settings.limits, settings.cache_bytes, lambda stage: _note(page, stage)
        )
        limits = settings.limits
        self._tools = Tools(limits, directory, Evaluator(limits), Programs(limits), settings.dot)
        self._current: Cancellation | None = None

    def carry_out(self, packet: Packet) -> tuple[bytes, Body]:
        """Return the answer to a request, or the problem that it met."""
        started = perf_counter()
        request = REQUESTS.decode(packet.head)
        exchange = Exchange(self._tools, request, packet.body or b"")
        self._current = cancellation = Cancellation(request.deadline)
        try:
            try:
                if packet.body is None:
                    raise MemoryError
                reply = cancellation.run(lambda: operation_of(request.operation)(exchange, **request.arguments))
            finally:
                self._current = None
        except Exception as error:
            reply = self._refuse(error, request.request_id)
        events = self._tools.directory.new_events()
        answer = Answer(
            reply.status, reply.media_type, reply.headers, exchange.plan, perf_counter() - started, events
        )  # fmt: skip
        return ENCODER.encode(answer), reply.body

    def cancel(self) -> None:
        """End the request that is being carried out."""
        if self._current is not None:
            self._current.cancel()

    def cached_bytes(self) -> int:
        """How much of the memory is live sessions and plans."""
        return self._tools.directory.cache.nbytes + self._tools.evaluator.plans.nbytes


def _note(page: Page, stage: int) -> None:
    page.stage = Stage(stage)
