"""Bodies as they come over a connection, and clients that go: against a real server, by hand-written HTTP."""

import asyncio
import contextlib
import errno
import json
import os
import socket
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import httpx
import msgspec
import numpy as np
import pytest

from app.compute.frames import INLINE_BYTES
from app.errors import ClientGone, Overloaded
from app.evaluate import cancellation
from app.evaluate.execution import budget_of
from app.http.receiving import read_body
from app.limits import Limits, OverLimit
from tests.app.http.serving import WAIT_S, Server, read_answer, serving, until

pytestmark = pytest.mark.slow
LONG = "y = torch.zeros(3)\nfor i in range(100000):\n    y = y + torch.ones(1000).sum()\n"


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    limits = {"read_seconds": 0.5, "body_bytes": 20_000_000, "seconds": 50}
    with serving(workers=2, **{f"limits__{name}": value for name, value in limits.items()}) as server:
        yield server


def program() -> tuple[bytes, np.ndarray[Any, Any]]:
    """A body of 8 MB, and the numbers in it."""
    x = np.random.default_rng(0).standard_normal(10**6)
    tensor = {"data": x.tobytes(), "dtype": "float64", "shape": [x.size]}
    nodes = [{"id": "y", "op": "neg", "args": ["$x"]}]
    return msgspec.msgpack.encode({"inputs": {"x": tensor}, "nodes": nodes}), x


@pytest.mark.parametrize("length", ["declared", "chunked"])
def test_large_bodies_arrive_whole(server: Server, length: str) -> None:
    body, x = program()
    parts = (body[start : start + 100_003] for start in range(0, len(body), 100_003))
    headers = {"Content-Type": "application/msgpack", "Accept": "application/msgpack"}
    answer = server.http.post("/v1/evaluate", content=body if length == "declared" else parts, headers=headers)
    y = np.frombuffer(msgspec.msgpack.decode(answer.content)["outputs"]["y"]["data"])
    np.testing.assert_array_equal(y, -x)


def negation(x: np.ndarray[Any, Any], code: str = "y = -x") -> bytes:
    tensor = {"data": x.tobytes(), "dtype": str(x.dtype), "shape": [x.size]}
    return msgspec.msgpack.encode({"inputs": {"x": tensor}, "code": code, "outputs": ["y"]})


def y_of(answer: httpx.Response) -> np.ndarray[Any, Any]:
    assert answer.status_code == 200, answer.text
    return np.frombuffer(msgspec.msgpack.decode(answer.content)["outputs"]["y"]["data"])


def test_bodies_that_follow_one_another_do_not_mix(server: Server) -> None:
    """Long and short ones, on one connection and then on several at once, all into memory that had others before."""
    headers = {"Content-Type": "application/msgpack", "Accept": "application/msgpack"}
    random = np.random.default_rng(1)
    arrays = [random.standard_normal(size) for size in (10**5, 10, 3 * 10**5, 10**5, 10**4, 2 * 10**5, 3 * 10**5)]

    def ask(x: np.ndarray[Any, Any], code: str = "y = -x") -> np.ndarray[Any, Any]:
        return y_of(server.http.post("/v1/evaluate", content=negation(x, code), headers=headers))

    for x in arrays:
        np.testing.assert_array_equal(ask(x), -x)
        np.testing.assert_array_equal(ask(x, "x.neg_()\ny = x"), -x)
    with ThreadPoolExecutor(4) as pool:
        for x, y in zip(4 * arrays, pool.map(ask, 4 * arrays), strict=True):
            np.testing.assert_array_equal(y, -x)


def test_what_a_session_keeps_of_a_body_is_not_overwritten_by_the_next(server: Server) -> None:
    binary = {"Content-Type": "application/msgpack", "Accept": "application/msgpack"}
    sid = server.http.post("/v1/sessions", json={}).json()["id"]
    x = np.random.default_rng(2).standard_normal(10**5)
    for name in ("a", "b"):
        body = msgspec.msgpack.encode({"data": x.tobytes(), "dtype": "float64", "shape": [x.size]})
        assert server.http.put(f"/v1/sessions/{sid}/tensors/{name}", content=body, headers=binary).status_code == 201
        code = f"{name}2 = x\ny = x"
        server.http.post(f"/v1/sessions/{sid}/run", content=negation(x, code), headers=binary).raise_for_status()
        for value in (1.0, 2.0):
            y_of(server.http.post("/v1/evaluate", content=negation(np.full(10**5, value)), headers=binary))
    for name in ("a", "a2", "b", "b2"):
        answer = server.http.get(f"/v1/sessions/{sid}/tensors/{name}", headers=binary)
        np.testing.assert_array_equal(np.frombuffer(msgspec.msgpack.decode(answer.content)["data"]), x)


def test_requests_behind_a_long_body_in_one_connection_are_read(server: Server) -> None:
    body, x = program()
    form = b"Content-Type: application/msgpack\r\nAccept: application/msgpack\r\n"
    long = b"POST /v1/evaluate HTTP/1.1\r\nHost: h\r\n%bContent-Length: %d\r\n\r\n%b" % (form, len(body), body)
    last = b"GET /healthz HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n"
    with socket.create_connection(("127.0.0.1", server.port), timeout=WAIT_S) as connection:
        sender = threading.Thread(target=connection.sendall, args=(long + long + last,))
        sender.start()
        received = b"".join(iter(lambda: connection.recv(2**20), b""))
        sender.join()
    answers = received.split(b"HTTP/1.1 200 OK\r\n")[1:]
    assert len(answers) == 3
    for answer in answers[:2]:
        body = answer.partition(b"\r\n\r\n")[2]
        np.testing.assert_array_equal(np.frombuffer(msgspec.msgpack.decode(body)["outputs"]["y"]["data"]), -x)


def test_a_body_for_which_there_is_no_room_any_more_is_read_to_its_end() -> None:
    with serving(workers=1, bodies_bytes=2**20) as server:
        for size in (2**16, 2**19, 2**16):
            answer = server.http.post("/v1/evaluate", content=negation(np.zeros(size)), headers={
                "Content-Type": "application/msgpack", "Accept": "application/json", "Expect": "100-continue",
            })  # fmt: skip
            assert answer.status_code == (503 if size == 2**19 else 200)


@pytest.mark.parametrize(
    "framing", [{"Content_Length": "1000"}, {"Content_Length": "1000000"}, {"Transfer_Encoding": "chunked"}]
)
def test_a_body_that_does_not_come_is_a_408_and_the_connection_is_closed(
    server: Server, framing: dict[str, str]
) -> None:
    with server.connection("/v1/evaluate", b"5\r\n12345\r\n", **framing) as connection:
        head, body = read_answer(connection)
    assert head.startswith(b"HTTP/1.1 408 ")
    assert b"connection: close" in head.lower()
    problem = json.loads(body)
    assert (problem["type"], problem["limit"], problem["allowed"]) == ("/problems/too-slow", "read_seconds", 0.5)


def test_a_body_that_comes_drop_by_drop_is_a_408(server: Server) -> None:
    with server.connection("/v1/evaluate", Content_Length="1000") as connection:
        with contextlib.suppress(OSError):
            for _ in range(300):
                connection.sendall(b" ")
                time.sleep(0.05)
        with contextlib.suppress(ConnectionResetError):  # what was sent after the answer resets the connection
            assert read_answer(connection)[0].startswith(b"HTTP/1.1 408 ")
    until(lambda: server.metric('gradserve_requests_total{route="/v1/evaluate",method="POST",status="408"}') >= 1)


def test_a_chunked_body_over_the_limit_is_a_413(server: Server) -> None:
    chunk = b"%x\r\n%b\r\n" % (10**6, b" " * 10**6)
    with server.connection("/v1/evaluate", Transfer_Encoding="chunked") as connection:
        with contextlib.suppress(OSError):
            for _ in range(25):
                connection.sendall(chunk)
        assert connection.recv(100).startswith(b"HTTP/1.1 413 ")


def test_a_client_that_goes_while_it_sends_costs_nothing(server: Server) -> None:
    asked = server.metric('gradserve_request_seconds_count{route="/v1/evaluate"}')
    for _ in range(20):
        with server.connection("/v1/evaluate", b"{" * 1000, Content_Length="19000000"):
            pass
    until(lambda: server.metric('gradserve_request_seconds_count{route="/v1/evaluate"}') >= asked + 20)
    assert server.metric("gradserve_requests_in_flight") == 1  # the question itself
    assert server.http.post("/v1/evaluate", json={"code": "y = 1"}).status_code == 200


def gone(server: Server, path: str) -> float:
    return server.metric(f'gradserve_requests_total{{route="{path}",method="POST",status="499"}}')


def test_an_evaluation_whose_client_goes_is_stopped(server: Server) -> None:
    body = json.dumps({"code": LONG}).encode()
    with server.connection("/v1/evaluate", body, Content_Length=str(len(body))):
        until(lambda: server.metric("gradserve_requests_in_flight") == 2)
        time.sleep(0.2)
    until(lambda: gone(server, "/v1/evaluate") == 1)


def test_a_run_whose_client_goes_is_stopped_and_undone(server: Server) -> None:
    sid = server.http.post("/v1/sessions", json={}).json()["id"]
    server.http.post(f"/v1/sessions/{sid}/run", json={"inputs": {"x": [1.0, 2.0]}, "nodes": []})
    body = json.dumps({"code": f"x.mul_(2)\n{LONG}"}).encode()
    with server.connection(f"/v1/sessions/{sid}/run", body, Content_Length=str(len(body))):
        until(lambda: server.metric("gradserve_requests_in_flight") == 2)
        time.sleep(0.2)
    until(lambda: gone(server, "/v1/sessions/{sid}/run") == 1)
    assert server.http.get(f"/v1/sessions/{sid}/tensors/x").json()["data"] == [1.0, 2.0]
    assert server.http.get(f"/v1/sessions/{sid}").json()["version"] == 1


def test_a_long_evaluation_whose_client_stays_is_answered(server: Server) -> None:
    code = "y = torch.zeros(3)\nfor i in range(3000):\n    y = y + torch.ones(1000).sum()\n"
    assert (
        server.http.post("/v1/evaluate", json={"code": code, "outputs": ["y"]}).json()["outputs"]["y"]["data"]
        == [3000000.0] * 3
    )


def test_a_key_whose_client_goes_from_the_queue_may_be_used_again(server: Server) -> None:
    sid = server.http.post("/v1/sessions", json={}).json()["id"]
    path, key = f"/v1/sessions/{sid}/run", {"Idempotency-Key": "left"}
    slow, quick = (json.dumps({"code": code}).encode() for code in (LONG, "z = 1"))
    with server.connection(path, slow, Content_Length=str(len(slow))):
        until(lambda: server.metric("gradserve_requests_in_flight") == 2)
        with server.connection(path, quick, Content_Length=str(len(quick)), Idempotency_Key="left"):
            until(lambda: server.metric("gradserve_requests_in_flight") == 3)  # it waits for its turn
            time.sleep(0.2)
        until(lambda: server.metric("gradserve_requests_in_flight") == 2)
    answer = server.http.post(path, content=quick, headers=key)
    assert (answer.status_code, answer.json()["version"]) == (200, 1)


# -- without a server -----------------------------------------------------------------------------------------------
@pytest.mark.parametrize("when", ["before", "during"])
def test_work_ends_at_its_next_step_when_it_is_told(when: str) -> None:
    cancelled = cancellation.Cancellation(time.monotonic() + WAIT_S)
    steps = []

    def work() -> None:
        budget = budget_of(Limits())
        for step in range(3):
            steps.append(step)
            if step == 1:
                cancelled.cancel()
            budget.check_time()

    if when == "before":
        cancelled.cancel()
    with pytest.raises(ClientGone):
        cancelled.run(work)
    assert steps == ([] if when == "before" else [0, 1])


@pytest.mark.parametrize(("seconds", "left"), [(1e-9, WAIT_S), (WAIT_S, 0.0)], ids=["its own", "the request's"])
def test_work_that_runs_out_of_time_is_not_called_stopped(seconds: float, left: float) -> None:
    deadline = time.monotonic() + left
    with pytest.raises(OverLimit):
        cancellation.Cancellation(deadline).run(lambda: budget_of(Limits(seconds=seconds)).check_time())


def test_a_budget_outside_of_any_work_is_nobodys_to_stop() -> None:
    cancelled = cancellation.Cancellation(time.monotonic() + WAIT_S)
    cancelled.run(lambda: None)
    budget = budget_of(Limits())
    cancelled.cancel()
    budget.check_time()


@pytest.mark.parametrize("failing", ["memfd_create", "pwrite"])
def test_a_body_that_finds_no_room_is_to_be_sent_again(monkeypatch: pytest.MonkeyPatch, failing: str) -> None:
    def refuse(*_: object) -> int:
        raise OSError(errno.ENOMEM, os.strerror(errno.ENOMEM))

    messages = iter([b"a" * INLINE_BYTES, b"b", b""])

    async def receive() -> dict[str, Any]:
        await asyncio.sleep(0)
        part = next(messages)
        return {"type": "http.request", "body": part, "more_body": bool(part)}

    monkeypatch.setattr(os, failing, refuse)
    with pytest.raises(Overloaded, match="no room for another body"):
        asyncio.run(read_body(receive, None, Limits()))
