"""What is known of one request, and who wants to know it once the request is over."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from time import monotonic
from typing import Protocol

from app.observe.metrics import Metrics
from app.observe.request_ids import accepted
from app.observe.trace_context import Trace, trace_of

HeadersByName = Mapping[bytes, bytes]


class Facts:
    """Filled in by whoever learns something while the request is answered. Times are of ``time.monotonic()``.

    What most requests leave as it is stands in the class: a request that a plan answers pays for what it sets.
    """

    owner: str | None = None  # once a key was accepted
    trace: Trace | None = None
    span: object = None  # of ``Spans``
    path = ""
    scheme = "http"
    client = ""  # address
    # -- what a compute process says
    queued_at: float | None = None
    computed_at: float | None = None  # when it was handed out
    queue_seconds = compute_seconds = store_seconds = 0.0
    store_calls: Sequence[tuple[str, float, float]] = ()  # of the store: what, how long after the beginning, seconds
    compute_process = 0
    # -- the answer
    bytes_in = bytes_out = 0
    route = "other"
    status = 0
    seconds = 0.0
    problem = limit = ""

    def __init__(self, given: HeadersByName, method: str) -> None:
        """``given``: the headers."""
        self.given, self.method = given, method
        self.started = monotonic()
        self.request_id = accepted(given.get(b"x-request-id"))
        parent = given.get(b"traceparent")
        if parent is not None:
            self.trace = trace_of(parent, given.get(b"tracestate"))

    @property
    def trace_id(self) -> str | None:
        """The trace that the request belongs to, if any."""
        return None if self.trace is None else self.trace.trace_id


class Spans(Protocol):
    """What makes spans of requests (``app.observe.spans``)."""

    def begin(self, facts: Facts) -> None:
        """Begin the span of a request; from here on it has a trace."""

    def end(self, facts: Facts) -> None:
        """End it."""


class Observer:
    """Sees every request begin and end. For the event loop's thread only."""

    def __init__(self, metrics: Metrics) -> None:
        self.metrics = metrics
        self.spans: Spans | None = None
        self.listeners: list[Callable[[Facts], None]] = []  # told of each request when it is over

    def observe_with(self, spans: Spans) -> None:
        """From now on make spans."""
        self.spans = spans
        self.listeners.append(spans.end)

    def begin(self, facts: Facts, path: str) -> None:
        """See a request begin."""
        if self.spans is not None:
            facts.path = path
            self.spans.begin(facts)

    def end(self, facts: Facts, route: str, status: int, bytes_out: int) -> None:
        """See it end. ``route`` is the template of the path, so that ids do not become labels."""
        facts.seconds = seconds = monotonic() - facts.started
        self.metrics.observe(route, facts.method, status, seconds)
        if facts.problem:
            self.metrics.note_problem(facts.problem, facts.limit)
        if self.listeners:
            facts.route, facts.status, facts.bytes_out = route, status, bytes_out
            for listener in self.listeners:
                listener(facts)

    def refused(self, facts: Facts, status: int, bytes_out: int) -> None:
        """See a request that no route got to see."""
        self.end(facts, "connection", status, bytes_out)
