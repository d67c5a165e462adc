"""Spans of OpenTelemetry: one of each request, and below it those of its queueing, its computing and the store.

Imported only where the setting ``otel`` is on, for it needs the extra ``gradserve[otel]``. Where spans go, which are
kept and what the service is called there, the standard's ``OTEL_*`` variables say.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Final

from opentelemetry import trace
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import OTELResourceDetector, Resource
from opentelemetry.sdk.trace import SpanProcessor, TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor
from opentelemetry.trace import NonRecordingSpan, Span, SpanContext, SpanKind, Status, StatusCode, TraceFlags
from opentelemetry.trace.span import TraceState
from opentelemetry.util.types import AttributeValue

from app import VERSION
from app.observe.facts import Facts
from app.observe.trace_context import Trace

FLUSH_S: Final = 5.0  # that an end of the service waits for the last spans to go out
NS: Final = 1_000_000_000
SERVER_ERROR: Final = 500


def _to_collector() -> SpanProcessor:
    return BatchSpanProcessor(OTLPSpanExporter())


class OpenTelemetry:
    """Makes spans (``app.observe.facts.Spans``). ``make_processor``: of what takes them; it may begin threads."""

    def __init__(self, make_processor: Callable[[], SpanProcessor] = _to_collector) -> None:
        named = Resource.create({"service.name": "gradserve", "service.version": VERSION})
        self._provider = TracerProvider(resource=named.merge(OTELResourceDetector().detect()), shutdown_on_exit=False)
        self._tracer = self._provider.get_tracer("gradserve", VERSION)
        self._make_processor = make_processor
        self._clock = 0  # nanoseconds of the epoch when the clock of ``Facts`` was at 0

    def start(self) -> None:
        """Begin to take spans: from here on there may be threads."""
        self._clock = time.time_ns() - int(time.monotonic() * NS)
        self._provider.add_span_processor(self._make_processor())

    def close(self) -> None:
        """Send what is there, and end."""
        self._provider.force_flush(int(FLUSH_S * 1000))
        self._provider.shutdown()

    def begin(self, facts: Facts) -> None:
        """Begin the span of a request, below its client's, if that names one."""
        above = None if facts.trace is None else trace.set_span_in_context(NonRecordingSpan(_context_of(facts.trace)))
        span = self._tracer.start_span(
            facts.method, above, SpanKind.SERVER, _of_request(facts), start_time=self._moment(facts.started)
        )
        here = span.get_span_context()
        facts.span = span
        facts.trace = Trace(
            trace.format_trace_id(here.trace_id), trace.format_span_id(here.span_id), int(here.trace_flags),
            here.trace_state.to_header(),
        )  # fmt: skip

    def end(self, facts: Facts) -> None:
        """End it, with those below it."""
        span = facts.span
        if not isinstance(span, Span) or not span.is_recording():
            return
        span.update_name(f"{facts.method} {facts.route}" if facts.route != "other" else facts.method)
        span.set_attributes(_of_answer(facts))
        if facts.status >= SERVER_ERROR or not facts.status:
            span.set_status(Status(StatusCode.ERROR))
        self._end_parts(span, facts)
        span.end(self._moment(facts.started + facts.seconds))

    def _end_parts(self, span: Span, facts: Facts) -> None:
        if facts.queued_at is None:
            return
        self._part("queue", span, facts.queued_at, facts.queue_seconds)
        begun = facts.computed_at
        if begun is None:
            return
        compute = self._part(
            "compute", span, begun, facts.compute_seconds, {"process.pid": facts.compute_process}
        )  # fmt: skip
        for name, at, seconds in facts.store_calls:
            self._part("store", compute, begun + at, seconds, {"db.operation.name": name}, SpanKind.CLIENT)

    def _part(
        self,
        name: str,
        above: Span,
        started: float,
        seconds: float,
        attributes: dict[str, AttributeValue] | None = None,
        kind: SpanKind = SpanKind.INTERNAL,
    ) -> Span:
        context = trace.set_span_in_context(above)
        span = self._tracer.start_span(name, context, kind, attributes, start_time=self._moment(started))
        span.end(self._moment(started + seconds))
        return span

    def _moment(self, moment: float) -> int:
        return self._clock + int(moment * NS)


def _context_of(caller: Trace) -> SpanContext:
    state = TraceState.from_header([caller.state]) if caller.state else TraceState()
    flags = TraceFlags(caller.flags)
    return SpanContext(int(caller.trace_id, 16), int(caller.span_id, 16), is_remote=True, trace_flags=flags,
                       trace_state=state)  # fmt: skip


def _of_request(facts: Facts) -> dict[str, AttributeValue]:
    """Attributes by the semantic conventions for HTTP servers, version 1.23 and later."""
    host, _, port = facts.given.get(b"host", b"").decode("latin-1").rpartition(":")
    agent = facts.given.get(b"user-agent", b"").decode("latin-1")
    found: dict[str, AttributeValue] = {
        "http.request.method": facts.method if facts.method != "other" else "_OTHER",
        "url.scheme": facts.scheme,
        "url.path": facts.path,
        "server.address": host or port,
        "client.address": facts.client,
        "user_agent.original": agent,
        "gradserve.request_id": facts.request_id,
    }
    if host and port.isdecimal():
        found["server.port"] = int(port)
    return {name: value for name, value in found.items() if value != ""}


def _of_answer(facts: Facts) -> dict[str, AttributeValue]:
    found: dict[str, AttributeValue] = {
        "http.response.status_code": facts.status,
        "http.request.body.size": facts.bytes_in,
        "http.response.body.size": facts.bytes_out,
        "http.route": facts.route if facts.route != "other" else "",
        "gradserve.problem": facts.problem,
        "gradserve.limit": facts.limit,
        "enduser.id": facts.owner or "",
    }
    if facts.status >= SERVER_ERROR:
        found["error.type"] = facts.problem or str(facts.status)
    return {name: value for name, value in found.items() if value != ""}
