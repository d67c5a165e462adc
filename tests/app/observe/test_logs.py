"""Lines of the log, as text and as JSON, of the front and of compute processes."""

from __future__ import annotations

import json
import logging
import os
import re
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import httpx
import pytest

from app.observe import log_writer, logs
from app.operations import operation
from tests.app.conftest import Serve
from tests.processes import ROOT, Server

TRACE = "4bf92f3577b34da6a3ce929d0e0e4736"
PARENT = f"00-{TRACE}-00f067aa0ba902b7-01"
TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}\+00:00")
CODE = "x = torch.ones(2, requires_grad=True)\nx.sum().backward()"


def record(message: str, *args: object, error: bool = False, **extra: object) -> logging.LogRecord:
    """What a logger would make of it."""
    try:
        raise ValueError("why")
    except ValueError as found:
        info = (type(found), found, found.__traceback__) if error else None
        made = logging.getLogger("gradserve").makeRecord("gradserve", 30, "x.py", 1, message, args, info, extra=extra)
    return made


@contextmanager
def bound(request_id: str, trace_id: str | None) -> Iterator[None]:
    token = logs.bind(request_id, trace_id)
    try:
        yield
    finally:
        logs.unbind(token)


def test_a_line_of_json_has_all_that_is_known() -> None:
    with bound("r-1", TRACE):
        line = json.loads(logs.JsonFormatter().format(record("it is %d\n", 3, error=True)))
    assert TIME.fullmatch(line.pop("time"))
    assert "ValueError: why" in line.pop("exception")
    assert line == {
        "level": "warning", "logger": "gradserve", "process": os.getpid(), "message": "it is 3\n", "request_id": "r-1",
        "trace_id": TRACE,
    }  # fmt: skip


def test_a_line_of_json_without_a_request() -> None:
    line = json.loads(logs.JsonFormatter().format(record("plain")))
    assert list(line) == ["time", "level", "logger", "process", "message"]


def test_what_json_cannot_hold_is_written_all_the_same() -> None:
    text = logs.JsonFormatter().format(record("half \ud800", fields={"path": Path("x"), "half": "\udfff"}))
    line = json.loads(text)
    assert (line["message"], line["path"], line["half"]) == ("half \\ud800", "x", "\\udfff")


def test_a_line_of_text_ends_with_the_request_and_has_the_traceback_below() -> None:
    with bound("r-1", None):
        first, *rest = logs.TextFormatter().format(record("it is %d", 3, error=True)).splitlines()
    time, text = first.split(" ", 1)
    assert TIME.fullmatch(time)
    assert text == f"WARNING gradserve[{os.getpid()}] it is 3 request_id=r-1"
    assert rest[-1] == "ValueError: why"


def test_exceptions_in_compute_processes_are_logged_with_their_request(
    serve: Serve, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    def broken(*_: object, **__: object) -> None:
        raise ZeroDivisionError("of ours")

    monkeypatch.setitem(operation._OPERATIONS, "evaluate", broken)
    with open(2, "w", closefd=False) as stderr:
        handler = logging.StreamHandler(stderr)
        handler.setFormatter(logs.JsonFormatter())
        log = logging.getLogger("gradserve")
        log.addHandler(handler)
        try:
            client = serve(workers=1)
            headers = {"X-Request-Id": "lost", "traceparent": PARENT}
            answer = client("POST", "/v1/evaluate", json={}, headers=headers)
        finally:
            log.removeHandler(handler)
    assert (answer.status_code, answer.json()["request_id"]) == (500, "lost")
    (line,) = [json.loads(line) for line in capfd.readouterr().err.splitlines() if '"request lost failed"' in line]
    assert (line["request_id"], line["trace_id"], line["level"]) == ("lost", TRACE, "error")
    assert line["process"] in client.services.front.pids()
    assert "ZeroDivisionError: of ours" in line["exception"]


# -- a line for each request ----------------------------------------------------------------------------------------
Lines = Callable[[], list[dict[str, Any]]]


@pytest.fixture
def lines(caplog: pytest.LogCaptureFixture) -> Lines:
    """The fields of lines about requests so far, oldest first."""
    caplog.set_level(logging.INFO, logs.ACCESS)
    return lambda: [one.__dict__["fields"] for one in caplog.records if one.name == logs.ACCESS]


def test_no_line_unless_asked(serve: Serve, lines: Lines) -> None:
    serve()("GET", "/healthz")
    assert not lines()


def test_a_line_tells_where_the_time_went(serve: Serve, lines: Lines) -> None:
    client = serve(access_log=True, api_keys="me:sesame,opensesame")
    key = {"Authorization": "Bearer sesame"}
    sid = client("POST", "/v1/sessions", json={}, headers=key).json()["id"]
    path = f"/v1/sessions/{sid}/run"
    answer = client("POST", path, json={"code": CODE}, headers={**key, "traceparent": PARENT, "X-Request-Id": "r-2"})
    line = lines()[-1]
    queued, computed, stored = (line.pop(f"{part}_seconds") for part in ("queue", "compute", "store"))
    assert 0 < stored < computed < queued + computed < line.pop("seconds")
    assert line.pop("compute_process") in client.services.front.pids()
    assert line == {
        "request_id": "r-2", "trace_id": TRACE, "method": "POST", "route": "/v1/sessions/{sid}/run", "status": 200,
        "owner": "me", "bytes_in": len(answer.request.content), "bytes_out": len(answer.content),
    }  # fmt: skip


def test_a_line_names_the_problem_and_never_a_key(serve: Serve, lines: Lines) -> None:
    client, key = serve(access_log=True, api_keys="opensesame"), {"Authorization": "Bearer opensesame"}
    client("POST", "/v1/evaluate", json={"nodes": []}, headers={"Authorization": "Bearer wrong"})
    client("GET", "/v1/sessions/nothing", headers=key)
    client("GET", "/nowhere")
    client("POST", "/v1/evaluate", json={"code": "x = torch.ones(2**40)"}, headers=key)
    found = [(line["route"], line["status"], line["problem"], line.get("limit"), line.get("owner")) for line in lines()]
    owner = next(iter(client.services.owners.values()))
    assert found == [
        ("/v1/evaluate", 401, "unauthorized", None, None),
        ("/v1/sessions/{sid}", 404, "not-found", None, owner),
        ("other", 404, "not-found", None, None),
        ("/v1/evaluate", 413, "over-limit", "tensor_elements", owner),
    ]
    assert "sesame" not in str(lines())


@pytest.mark.slow
def test_a_server_logs_in_json_whatever_way_a_request_takes(tmp_path: Path) -> None:
    settings = {"access_log": "1", "log_format": "json", "log_level": "info", "store": "memory"}
    with Server(tmp_path, **settings) as server, httpx.Client(base_url=server.url, trust_env=False) as http:
        for number in range(4):  # eager, recorded, and twice by its plan
            headers = {"X-Request-Id": f"small-{number}", "traceparent": PARENT}
            assert http.post("/v1/evaluate", json={"code": CODE}, headers=headers).is_success
        sid = http.post("/v1/sessions", json={}, headers={"X-Request-Id": "open"}).json()["id"]
        http.post(f"/v1/sessions/{sid}/run", json={"code": CODE}, headers={"X-Request-Id": "run"})
        large = {"code": f"{CODE}  #{'x' * 40_000}"}
        http.post("/v1/evaluate", json=large, headers={"X-Request-Id": "large"})
        server.stop()
    every = [json.loads(line) for line in server.log.read_text().splitlines()]
    found = {line["request_id"]: line for line in every if line["logger"] == logs.ACCESS}
    assert [found[f"small-{number}"].get("compute_process", 0) > 0 for number in range(4)] == [True, True, False, False]
    assert {found[f"small-{number}"]["trace_id"] for number in range(4)} == {TRACE}
    assert found["run"]["route"] == "/v1/sessions/{sid}/run"
    assert found["run"]["store_seconds"] > 0
    assert found["large"]["bytes_in"] > 40_000
    assert "trace_id" not in found["large"]
    assert {line["status"] for line in found.values()} == {200, 201}


@pytest.mark.slow
def test_nobody_waits_for_a_slow_reader_of_the_log(tmp_path: Path) -> None:
    server = Server(tmp_path, access_log="1", store="memory")
    os.mkfifo(server.log)
    reader = os.open(server.log, os.O_RDONLY | os.O_NONBLOCK)
    with server, httpx.Client(base_url=server.url, trust_env=False, timeout=30) as http:
        for number in range(600):  # more than a pipe holds
            assert http.get("/healthz", headers={"X-Request-Id": f"line-{number}-{'x' * 50}"}).is_success
        text, end = b"", time.monotonic() + 30
        while b"line-599" not in text and time.monotonic() < end:
            with suppress(BlockingIOError):
                text += os.read(reader, 2**16)
        server.stop()
    os.close(reader)
    named = re.findall(rb"request_id=line-(\d+)", text)
    assert named == [b"%d" % number for number in range(600)]


def test_lines_that_nobody_takes_are_counted() -> None:
    queued = log_writer.Queued(logging.Formatter("%(message)s"))
    for number in range(log_writer.LINES + 3):
        queued.handle(record(f"line {number}"))
    assert (queued.queue.qsize(), queued.dropped, queued.queue.get()) == (log_writer.LINES, 3, "line 0\n")


FORKED = """
import logging, os
from app.observe import log_writer
logging.basicConfig(format="%(message)s")
with log_writer.in_background():
    if not os.fork():
        logging.warning("the child's")
        os._exit(0)
    os.wait()
    logging.warning("the parent's")
logging.warning("the last")
"""


def test_a_process_that_is_forked_writes_for_itself() -> None:
    command = [sys.executable, "-W", "ignore", "-c", FORKED]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True, timeout=60)
    assert done.stderr == "the child's\nthe parent's\nthe last\n"
