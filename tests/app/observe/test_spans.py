"""Spans: one of each request below its client's, with parts that fit into it."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any

import httpx
import pytest
from pydantic import ValidationError

from app import cli, settings
from app.settings import Settings
from tests.app.conftest import Client
from tests.processes import ROOT, Server

pytest.importorskip("opentelemetry.sdk", reason="the extra gradserve[otel] is not installed")

from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.trace import SpanKind, StatusCode

from app.observe.spans import OpenTelemetry

TRACE, SPAN = "4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7"
CODE = {"code": "x = torch.ones(2, requires_grad=True)\nx.sum().backward()"}


class Traced:
    """A service whose spans are at hand."""

    def __init__(self, client: Client) -> None:
        self.client, self.exporter = client, InMemorySpanExporter()
        spans = OpenTelemetry(lambda: SimpleSpanProcessor(self.exporter))
        spans.start()
        client.services.observer.observe_with(spans)

    def spans(self) -> dict[str, ReadableSpan]:
        """What has ended since this was asked last, by name."""
        found = {span.name: span for span in self.exporter.get_finished_spans()}
        self.exporter.clear()
        return found


@pytest.fixture(scope="module")
def traced(client: Client) -> Traced:
    return Traced(client)


def context_of(span: ReadableSpan) -> Any:
    assert span.context is not None
    return span.context


def check_parts(above: ReadableSpan, *parts: ReadableSpan) -> None:
    """Parts belong to a span, and lie within it."""
    for part in parts:
        assert part.parent is not None
        assert part.parent.span_id == context_of(above).span_id
        times = (above.start_time, part.start_time, part.end_time, above.end_time)
        assert list(times) == sorted(time for time in times if time is not None)


def test_a_command_of_a_session(traced: Traced) -> None:
    sid = traced.client.open()
    traced.spans()
    headers = {"traceparent": f"00-{TRACE}-{SPAN}-01", "tracestate": "a=b", "User-Agent": "me", "X-Request-Id": "r-1"}
    path = f"/v1/sessions/{sid}/run"
    answer = traced.client("POST", path, json=CODE, headers=headers)
    found = traced.spans()
    server = found.pop("POST /v1/sessions/{sid}/run")
    assert (server.kind, server.status.status_code) == (SpanKind.SERVER, StatusCode.UNSET)
    assert server.parent is not None
    assert (f"{context_of(server).trace_id:032x}", f"{server.parent.span_id:016x}") == (TRACE, SPAN)
    assert context_of(server).trace_state.to_header() == "a=b"
    assert dict(server.attributes or {}) == {
        "http.request.method": "POST", "url.scheme": "http", "url.path": path, "server.address": "test",
        "client.address": "127.0.0.1", "user_agent.original": "me", "gradserve.request_id": "r-1",
        "http.response.status_code": 200, "http.request.body.size": len(answer.request.content),
        "http.response.body.size": len(answer.content), "http.route": "/v1/sessions/{sid}/run", "enduser.id": "local",
    }  # fmt: skip
    assert set(found) == {"queue", "compute", "store"}
    check_parts(server, found["queue"], found["compute"])
    check_parts(found["compute"], found["store"])
    assert (found["compute"].attributes or {})["process.pid"] in traced.client.services.front.pids()
    assert (found["store"].attributes or {})["db.operation.name"] == "commit"
    assert all(context_of(span).trace_id == int(TRACE, 16) for span in found.values())


def test_a_trace_is_made_where_there_is_none_and_a_plan_needs_no_process(traced: Traced) -> None:
    for _ in range(3):
        traced.client.evaluate(**CODE)
    traced.spans()
    traced.client.evaluate(**CODE)
    ((name, span),) = traced.spans().items()
    assert (name, span.parent) == ("POST /v1/evaluate", None)
    assert context_of(span).trace_id


def test_a_refusal_is_no_error_of_the_service_and_a_failure_is(traced: Traced, monkeypatch: pytest.MonkeyPatch) -> None:
    traced.client("GET", "/nowhere")
    monkeypatch.setattr(type(traced.client.services.replayer), "reply_to", lambda self, call: 1 // 0)
    assert traced.client("POST", "/v1/evaluate", json=CODE).status_code == 500
    found = traced.spans()
    refused, failed = found["GET"], found["POST /v1/evaluate"]
    assert (refused.status.status_code, failed.status.status_code) == (StatusCode.UNSET, StatusCode.ERROR)
    assert (refused.attributes or {})["gradserve.problem"] == "not-found"
    assert (failed.attributes or {})["error.type"] == "internal"


def test_what_the_client_does_not_sample_is_not_recorded(traced: Traced) -> None:
    traced.client("GET", "/healthz", headers={"traceparent": f"00-{TRACE}-{SPAN}-00"})
    assert not traced.spans()


# -- the setting ----------------------------------------------------------------------------------------------------
def test_without_the_extra_the_setting_is_refused_in_one_line(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(settings, "OTEL", ("opentelemetry_that_nobody_has.sdk",))
    with pytest.raises(ValidationError, match=r"pip install 'gradserve\[otel\]'"):
        Settings(otel=True)
    monkeypatch.setenv("GRADSERVE_OTEL", "1")
    with pytest.raises(SystemExit, match=r"^gradserve: GRADSERVE_OTEL: .*gradserve\[otel\]'$"):
        cli.main(["serve"])


def test_the_sdk_is_not_loaded_unless_asked_for() -> None:
    code = "import sys, app.main, app.server; print([name for name in sys.modules if 'opentelemetry.sdk' in name])"
    ended = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=ROOT)
    assert ended.stdout == "[]\n"


@contextmanager
def collector() -> Iterator[tuple[str, list[ExportTraceServiceRequest]]]:
    """A collector's address, and what it was sent."""
    received: list[ExportTraceServiceRequest] = []

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            received.append(ExportTraceServiceRequest.FromString(body))
            self.send_response(200)
            self.end_headers()

        def log_message(self, *args: object) -> None:
            """Nothing."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = Thread(target=server.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}", received
        server.shutdown()
        thread.join()


@pytest.mark.slow
def test_a_server_sends_its_spans_to_a_collector(tmp_path: Path) -> None:
    with collector() as (address, received):
        server = Server(tmp_path, otel="1", store="memory", workers="1")
        server.environment |= {"OTEL_EXPORTER_OTLP_ENDPOINT": address, "OTEL_SERVICE_NAME": "mine"}
        with server:
            for _ in range(4):
                httpx.post(f"{server.url}/v1/evaluate", json=CODE, headers={"traceparent": f"00-{TRACE}-{SPAN}-01"})
            server.stop()
    resources = [resource for request in received for resource in request.resource_spans]
    named = {pair.key: pair.value.string_value for one in resources for pair in one.resource.attributes}
    assert named["service.name"] == "mine"
    spans = [span for one in resources for scope in one.scope_spans for span in scope.spans]
    asked = [span for span in spans if span.name == "POST /v1/evaluate"]
    assert {(span.trace_id.hex(), span.parent_span_id.hex()) for span in asked} == {(TRACE, SPAN)}
    assert len(asked) == 4
    assert sum(span.name == "compute" for span in spans) == 2  # plans answered the others
