"""The service when its processes are killed: what a client is told, and what stays."""

from __future__ import annotations

import os
import signal
import threading
from pathlib import Path
from typing import Any

import httpx
import msgspec
import numpy as np
import pytest

from app.evaluate import evaluator as evaluators
from app.limits import Limits
from app.program import interpret
from engine.op.primitive import Primitive
from tests.app.compute.serving import children, is_alive
from tests.app.conftest import Client, Serve
from tests.app.routers.test_evaluate import TUTORIAL
from tests.app.routers.test_health import until

ENDLESS = {"code": "y = max(range(10**18))"}
SLOW = {"code": "y = torch.zeros(3)\nfor i in range(90000):\n    y = y + torch.ones(1000).sum()\n"}
MSGPACK = {"Content-Type": "application/msgpack", "Accept": "application/msgpack"}


def begin(client: Client, path: str, request: Any, **options: Any) -> tuple[threading.Thread, list[httpx.Response]]:
    """Ask, and wait until a process has the task."""
    answers: list[httpx.Response] = []
    asking = threading.Thread(target=lambda: answers.append(client("POST", path, json=request, **options)))
    asking.start()
    until(lambda: client.services.front.running == 1)
    return asking, answers


def test_everything_goes_on_when_the_nursery_died(serve: Serve, tmp_path: Path) -> None:
    client = serve(workers=2, store="sqlite", data=tmp_path)
    front = client.services.front
    sid = client.open()
    for number in range(3):
        assert client.run(sid, code=f"x{number} = torch.ones(2)")["version"] == number + 1
        assert client("GET", "/readyz").status_code == 200  # the front has a connection to the store, too
        nursery, before = front.nursery_pid, front.pids()
        os.kill(nursery, signal.SIGKILL)
        until(lambda nursery=nursery: front.nursery_pid != nursery)  # type: ignore[misc]
        until(lambda before=before: len(set(front.pids()) - set(before)) == 2)  # type: ignore[misc]
        assert not any(map(is_alive, before))
    assert client.run(sid, code="y = x0 + x1 + x2")["outputs"]["y"]["data"] == [3.0, 3.0]
    assert client("GET", "/readyz").status_code == 200
    assert front.nursery_pid in children(os.getpid())


def test_a_run_in_a_session_whose_process_is_killed_changed_nothing(serve: Serve) -> None:
    client = serve()
    sid = client.open()
    client.run(sid, code="x = torch.ones(2)")
    asking, answers = begin(client, f"/v1/sessions/{sid}/run", {"code": "x.mul_(2)\n" + SLOW["code"]})
    until(lambda: bool(client.services.front.pids()))
    os.kill(client.services.front.pids()[0], signal.SIGKILL)
    asking.join()
    assert (answers[0].status_code, answers[0].json()["type"]) == (503, "/problems/interrupted")
    assert "retry-after" in answers[0].headers
    assert client("GET", f"/v1/sessions/{sid}").json()["version"] == 1
    assert client("GET", f"/v1/sessions/{sid}/tensors/x").json()["data"] == [1.0, 1.0]


def test_an_evaluation_whose_process_is_killed_is_done_by_another(serve: Serve) -> None:
    client = serve()
    code = "y = torch.zeros(3)\nfor i in range(3000):\n    y = y + torch.ones(1000).sum()\n"
    asking, answers = begin(client, "/v1/evaluate", {"code": code})
    until(lambda: bool(client.services.front.pids()))
    os.kill(client.services.front.pids()[0], signal.SIGKILL)
    asking.join()
    assert (answers[0].status_code, answers[0].json()["outputs"]["y"]["data"]) == (200, [3e6] * 3)
    assert client.services.front.events["retries"] == 1


def test_an_evaluation_that_kills_every_process_is_given_up(serve: Serve, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(evaluators, "answer_to", lambda *_: os.kill(os.getpid(), signal.SIGSEGV))
    client = serve(workers=2)
    answer = client("POST", "/v1/evaluate", json=TUTORIAL)
    assert (answer.status_code, answer.json()["type"]) == (503, "/problems/interrupted")
    assert client.services.front.events["deaths"] == 2
    assert client("GET", "/readyz").status_code == 200


def test_memory_beyond_what_a_process_may_have_is_a_413(serve: Serve) -> None:
    client = serve(Limits(intermediate_bytes=2**40, tensor_elements=2**40), memory_bytes=2**28)
    for code in (
        "y = torch.ones(2**27)",
        "y = torch.ones(2**13, 2**13, dtype=torch.float64) @ torch.ones(2**13, 2**13)",
    ):
        problem = client("POST", "/v1/evaluate", json={"code": code, "outputs": []})
        assert (problem.status_code, problem.json()["type"]) == (413, "/problems/over-limit"), problem.text
        assert problem.json()["limit"] == "memory_bytes"
    assert client.evaluate(code="y = torch.ones(2)")["outputs"]["y"]["data"] == [1.0, 1.0]
    assert client.services.front.events["deaths"] == 0


def test_a_body_beyond_what_a_process_may_have_is_a_413(serve: Serve) -> None:
    client = serve(memory_bytes=2**24)
    x = np.zeros(2**23, np.float32)
    leaf = {"data": x.tobytes(), "dtype": "float32", "shape": [x.size]}
    body = msgspec.msgpack.encode({"inputs": {"x": leaf}, "code": "y = x.sum()", "outputs": ["y"]})
    answer = client("POST", "/v1/evaluate", content=body, headers=MSGPACK)
    assert (answer.status_code, msgspec.json.decode(answer.content)["limit"]) == (413, "memory_bytes")
    assert client.services.front.events["deaths"] == 0


def test_the_front_answers_known_programs_without_anything_that_runs_programs(
    serve: Serve, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Patched when the processes have been forked: only the front's own code is."""
    client = serve()
    sid = client.open()
    until(lambda: len(client.services.front.pids()) == 1)

    def never(*_: Any, **__: Any) -> None:
        raise AssertionError("a program runs in the front")

    for place in (
        "app.program.interpret.run", "app.evaluate.execution.execute", "app.evaluate.execution.prepare",
        "app.evaluate.execution.parse_code", "app.evaluate.execution.parse_nodes", "app.evaluate.run.answer_to",
        "app.evaluate.evaluator.evaluate", "app.sessions.directory.Directory.command",
        "app.operations.handler.RequestHandler.carry_out",
    ):  # fmt: skip
        monkeypatch.setattr(place, never)
    monkeypatch.setattr(Primitive, "__call__", never)
    with pytest.raises(AssertionError, match="in the front"):
        interpret.run(None, {}, limits=Limits())  # type: ignore[arg-type]
    first, *others = (client.evaluate(**TUTORIAL) for _ in range(4))
    assert all(one == first for one in others)
    assert len(client.services.replayer.plans) == 1
    assert client.evaluate(code="y = torch.rand(3).sum()")["outputs"]["y"]["shape"] == []
    assert client.run(sid, code="x = torch.ones(2)\nprint(x)")["prints"] == ["tensor([1., 1.])"]
    assert client("POST", "/v1/evaluate", json={"code": "nothing"}).status_code == 422
    assert client("PUT", f"/v1/sessions/{sid}/tensors/w", json=[1.0]).status_code == 201
    assert client("GET", f"/v1/sessions/{sid}/tensors/x").json()["data"] == [1.0, 1.0]
    assert client("GET", f"/v1/sessions/{sid}/export", headers={"Accept": "application/msgpack"}).status_code == 200
    assert client("DELETE", f"/v1/sessions/{sid}").status_code == 204
    assert client("GET", "/v1/ops").status_code == client("GET", "/metrics").status_code == 200
