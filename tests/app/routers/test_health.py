"""Operations: the service answers while it computes, finishes what it began, and counts."""

import json
import os
import re
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pytest

from app.http.services import share_processors
from app.limits import Limits
from app.settings import Settings
from engine import Tensor, tensors
from tests.app.conftest import Client, Serve

# The loop runs long enough on any machine; the limit of seconds ends it.
LONG = {"code": "x = torch.ones(600, 600)\nfor i in range(100000):\n    y = x @ x\n"}


WAIT_S = 30.0


def until(condition: Callable[[], bool]) -> None:
    """Wait for ``condition``; for a bounded time."""
    end = time.monotonic() + WAIT_S
    while not condition():
        assert time.monotonic() < end, "it never came true"
        time.sleep(0.01)


def test_a_full_service_refuses_and_stays_healthy(
    serve: Serve, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    go_on = tmp_path / "go on"

    def slow(*_: Any) -> dict[str, Any]:
        until(go_on.exists)
        return {}

    monkeypatch.setattr("app.evaluate.evaluator.answer_to", slow)
    client = serve(queue=1)
    answers: list[httpx.Response] = []

    def ask() -> None:
        answers.append(client("POST", "/v1/evaluate", json={"nodes": []}))

    threads = [threading.Thread(target=ask) for _ in range(2)]
    threads[0].start()
    until(lambda: client.services.front.running == 1)
    threads[1].start()
    until(lambda: client("GET", "/readyz").status_code == 503)  # the second one waits in the queue
    refused = client("POST", "/v1/evaluate", json={"nodes": []})
    assert (refused.status_code, refused.json()["type"]) == (503, "/problems/overloaded")
    assert refused.headers["retry-after"]
    assert client("GET", "/healthz").status_code == 200
    go_on.touch()
    for thread in threads:
        thread.join()
    assert [answer.status_code for answer in answers] == [200, 200]
    assert client("GET", "/readyz").status_code == 200


def test_an_op_that_does_not_end_is_not_waited_for(serve: Serve, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("app.evaluate.evaluator.answer_to", lambda *_: time.sleep(10 * WAIT_S))
    client = serve(Limits(seconds=0.05))
    answer = client("POST", "/v1/evaluate", json={"nodes": []})
    assert (answer.status_code, answer.json()["type"]) == (504, "/problems/time-limit")
    assert client.services.front.events["kills"] == 1


def test_a_command_that_ends_too_late_changes_nothing(serve: Serve, monkeypatch: pytest.MonkeyPatch) -> None:
    def late(*_: Any) -> Tensor:
        time.sleep(1.1)
        return tensors.from_array(np.ones(1))

    monkeypatch.setattr("app.sessions.session.decode_tensor", late)
    client = serve(Limits(seconds=1.0))
    sid = client.open()
    answer = client("PUT", f"/v1/sessions/{sid}/tensors/x", json=1.0)
    assert (answer.status_code, answer.json()["limit"]) == (504, "seconds")
    assert client("GET", f"/v1/sessions/{sid}").json()["version"] == 0


def test_requests_are_counted_by_route(serve: Serve) -> None:
    client = serve()
    sid = client.open()
    client("GET", f"/v1/sessions/{sid}")
    client("GET", "/nowhere")
    text = client("GET", "/metrics").text
    assert 'gradserve_requests_total{route="/v1/sessions",method="POST",status="201"} 1' in text
    assert 'gradserve_requests_total{route="/v1/sessions/{sid}",method="GET",status="200"} 1' in text
    assert 'gradserve_request_seconds_count{route="/v1/sessions/{sid}"} 1' in text
    assert 'route="other"' in text
    assert "gradserve_requests_in_flight 1" in text
    assert sid not in text


def test_every_answer_has_a_request_id(client: Client) -> None:
    assert client("GET", "/healthz", headers={"X-Request-Id": "abc-1"}).headers["x-request-id"] == "abc-1"
    assert client("GET", "/healthz", headers={"X-Request-Id": "a b\t"}).headers["x-request-id"] != "a b"
    ids = {client("GET", "/nowhere").headers["x-request-id"] for _ in range(3)}
    assert len(ids) == 3
    assert all(re.fullmatch(r"[0-9a-f]{12}-[0-9]+", one) for one in ids)


@contextmanager
def server(**settings: str) -> Iterator[tuple[str, subprocess.Popen[bytes]]]:
    """A real server on a free port of this machine."""
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port = probe.getsockname()[1]
    given = {"STORE": "memory", "WORKERS": "2", **settings}
    environment = {**os.environ, **{f"GRADSERVE_{name}": value for name, value in given.items()}}
    command = [sys.executable, "-m", "uvicorn", "--factory", "app.main:create_app", "--port", str(port)]
    process = subprocess.Popen([*command, "--log-level", "warning"], env=environment)
    try:
        url = f"http://127.0.0.1:{port}"
        _wait(url, process)
        yield url, process
    finally:
        process.kill()
        process.wait()


def _wait(url: str, process: subprocess.Popen[bytes]) -> None:
    for _ in range(300):
        assert process.poll() is None, "the server ended"
        try:
            httpx.get(f"{url}/healthz")
        except httpx.TransportError:
            time.sleep(0.1)
        else:
            return
    pytest.fail("the server did not start")


@pytest.mark.slow
def test_health_answers_in_100_ms_while_a_graph_of_5_seconds_runs() -> None:
    with server(LIMITS__SECONDS="5", LIMITS__INTERMEDIATE_BYTES="1000000000000") as (url, _), httpx.Client() as http:
        answers: list[httpx.Response] = []
        thread = threading.Thread(
            target=lambda: answers.append(httpx.post(f"{url}/v1/evaluate", json=LONG, timeout=60))
        )
        thread.start()
        http.get(f"{url}/healthz")
        durations: list[float] = []
        while thread.is_alive() and len(durations) < 60:
            started = time.perf_counter()
            assert http.get(f"{url}/healthz").status_code == 200
            durations.append(time.perf_counter() - started)
            time.sleep(0.08)
        thread.join()
    problem = answers[0].json()
    assert (answers[0].status_code, problem["limit"], problem["allowed"]) == (504, "seconds", 5.0)
    assert len(durations) > 20
    assert sorted(durations)[int(0.9 * len(durations))] < 0.1, sorted(durations)


@pytest.mark.slow
def test_a_running_request_is_finished_when_the_server_is_told_to_stop() -> None:
    code = "x = torch.ones(500, 500)\nfor i in range(60):\n    y = x @ x\nprint('done')\n"
    with server() as (url, process):
        answers: list[httpx.Response] = []
        body = json.dumps({"code": code, "outputs": []})
        thread = threading.Thread(
            target=lambda: answers.append(httpx.post(f"{url}/v1/evaluate", content=body, timeout=60))
        )
        thread.start()
        time.sleep(0.2)
        process.send_signal(signal.SIGTERM)
        thread.join()
        assert process.wait(30) is not None
    assert answers[0].json()["prints"] == ["done"]


def test_workers_share_the_processors(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[tuple[int, str]] = []
    monkeypatch.setattr("app.http.services.threadpool_limits", lambda count, api: asked.append((count, api)))
    monkeypatch.setattr("app.http.services.os.cpu_count", lambda: 8)
    for workers in (1, 3, 16):
        share_processors(Settings(workers=workers))
    share_processors(Settings(workers=4, blas_threads=5))
    assert asked == [(8, "blas"), (2, "blas"), (1, "blas"), (5, "blas")]
