"""Sessions: names and gradients that stay, atomic runs, versions, repeated requests, owners and expiry."""

import base64
import json
import sqlite3
import threading
import time
from contextlib import closing
from pathlib import Path
from typing import Any

import httpx
import pytest
from anyio.from_thread import BlockingPortal
from msgspec import Raw

from app.compute.frames import Packet, Page
from app.http.dependencies import LONG_BYTES
from app.http.problems import reply_to
from app.limits import Limits
from app.operations.exchange import ANSWERS, ENCODER, Head, Request
from app.operations.handler import RequestHandler
from app.program.from_code import parse_code
from app.sessions.idempotency import Key, Replies
from app.settings import Settings
from app.stores.base import Conflict
from app.stores.memory import MemoryStore
from app.stores.sqlite import FILE
from tests.app.conftest import Client, Serve, served
from tests.app.session_cases import OWNER, directory_over, opened

LEAF = {"data": [1.0, 2.0], "requires_grad": True}
TUTORIAL = [
    {"id": "y", "op": "add", "args": ["$x", 2]},
    {"id": "yy", "op": "mul", "args": ["$y", "$y"]},
    {"id": "z", "op": "mul", "args": ["$yy", 3]},
    {"id": "out", "op": "mean", "args": ["$z"]},
]
SQUARE = {"id": "y", "op": "mul", "args": ["$x", "$x"]}
ONES = [1.0, 1.0]


def url(sid: str, path: str = "") -> str:
    return f"/v1/sessions/{sid}{path}"


def grad(client: Client, sid: str, name: str = "x") -> Any:
    record = client("GET", url(sid, f"/tensors/{name}")).json()["grad"]
    return record and record["data"]


def version(client: Client, sid: str) -> int:
    return int(client("GET", url(sid)).json()["version"])


def test_the_same_run_again_and_again_adds_up(client: Client) -> None:
    sid = client.open()
    client.run(sid, inputs={"x": {"data": [[1.0, 1.0], [1.0, 1.0]], "requires_grad": True}}, nodes=[], outputs=[])
    again = {"nodes": TUTORIAL, "outputs": ["out"], "backward": [{"tensor": "out"}], "grads": ["x"]}
    for number in range(1, 12):
        answer = client.run(sid, **again)
        assert answer["grads"]["x"]["data"] == [[4.5 * number] * 2] * 2
        assert (answer["outputs"]["out"]["data"], answer["version"]) == (27.0, number + 1)
    first, second = (
        client("POST", url(sid, "/run"), json=again, headers={"Idempotency-Key": "once", "If-Match": f'"{number + 1}"'})
        for _ in range(2)
    )
    assert first.json() == second.json()
    assert second.headers["Idempotency-Replayed"] == "true"
    assert client("POST", url(sid, "/run"), json=again, headers={"If-Match": '"3"'}).status_code == 412
    assert (grad(client, sid), version(client, sid)) == ([[4.5 * 12] * 2] * 2, 13)
    client.run(sid, code="x.grad = None\nx.data *= 2")
    assert client.run(sid, **again)["outputs"]["out"]["data"] == 48.0
    assert grad(client, sid) == [[6.0] * 2] * 2


def test_names_stay_and_gradients_accumulate(client: Client) -> None:
    sid = client.open()
    client.run(sid, inputs={"x": {"data": [[1.0, 1.0], [1.0, 1.0]], "requires_grad": True}}, nodes=TUTORIAL)
    answer = client("POST", url(sid, "/backward"), json={"tensor": "out"}).json()
    assert answer["grads"]["x"]["data"] == [[4.5, 4.5], [4.5, 4.5]]
    client.run(sid, nodes=[{"id": "out2", "op": "sum", "args": ["$x"]}])
    client("POST", url(sid, "/backward"), json={"tensor": "out2"})
    assert grad(client, sid) == [[5.5, 5.5], [5.5, 5.5]]
    assert client("POST", url(sid, "/zero_grad"), json={"tensors": ["x"]}).json()["zeroed"] == 1
    assert grad(client, sid) is None


def test_null_is_a_body_that_was_left_out(client: Client) -> None:
    headers = {"Content-Type": "application/json"}
    for path in ("/v1/sessions", url(client.open(), "/zero_grad")):
        assert client("POST", path, content=b"null", headers=headers).is_success


def test_zero_grad_can_fill_with_zeros_and_takes_all_when_none_is_named(client: Client) -> None:
    sid = client.open()
    client.run(sid, inputs={"x": LEAF}, nodes=[SQUARE], backward=[{"tensor": "y", "gradient": ONES}])
    assert client("POST", url(sid, "/zero_grad"), json={"set_to_none": False}).json()["zeroed"] == 1
    assert grad(client, sid) == [0.0, 0.0]


def test_a_run_answers_what_it_made_and_the_version(client: Client) -> None:
    sid = client.open()
    answer = client.run(sid, inputs={"x": LEAF}, nodes=[SQUARE])
    assert set(answer) == {"outputs", "grads", "values", "prints", "warnings", "version"}
    assert (answer["version"], answer["grads"]) == (1, {"x": None})
    assert answer["outputs"]["y"]["grad_fn"] == "MulBackward0"


def test_code_and_nodes_share_the_names(client: Client) -> None:
    sid = client.open()
    client.run(sid, inputs={"x": LEAF}, nodes=[SQUARE])
    answer = client.run(sid, code="z = y.sum()\nz.backward()\nprint(x.grad)\nk = 3")
    assert answer["prints"] == ["tensor([2., 4.])"]
    assert (set(answer["outputs"]), answer["values"]) == ({"z"}, {"k": 3})
    assert "grad" in answer["outputs"]["z"]


def test_the_engine_state_belongs_to_the_session(client: Client) -> None:
    one, other = client.open(), client.open()
    client.run(one, code="torch.set_default_dtype(torch.float64)\ntorch.set_grad_enabled(False)")
    assert client.run(one, code="a = torch.tensor(1.5)")["outputs"]["a"]["dtype"] == "float64"
    assert client.run(other, code="a = torch.tensor(1.5)")["outputs"]["a"]["dtype"] == "float32"
    assert client.run(one, inputs={"x": LEAF}, nodes=[SQUARE])["outputs"]["y"]["grad_fn"] is None


# -- atomic runs ----------------------------------------------------------------------------------------------------
FAILING = [
    {"id": "y", "op": "mul", "args": ["$x", 3]},
    {"op": "backward", "args": ["$s"]},
    {"op": "zero_", "args": ["$x.data"]},
    {"op": "__setattr__", "args": ["$x", "requires_grad", False]},
    {"id": "fresh", "op": "neg", "args": ["$x"]},
    {"id": "bad", "op": "mul", "args": ["$x"]},
]


def test_a_run_that_fails_changes_nothing(client: Client) -> None:
    sid = client.open()
    client.run(sid, inputs={"x": LEAF}, nodes=[SQUARE, {"id": "s", "op": "sum", "args": ["$y"]}])
    paths = ("/tensors/x", "/tensors/y", "/tensors/s", "/graph?tensor=s")
    before = [client("GET", url(sid, path)).json() for path in paths]
    answer = client("POST", url(sid, "/run"), json={"nodes": FAILING})
    assert (answer.status_code, answer.json()["node"]) == (422, {"id": "bad", "index": 5})
    assert [client("GET", url(sid, path)).json() for path in paths] == before
    assert client("GET", url(sid, "/tensors/fresh")).status_code == 404
    assert version(client, sid) == 1
    assert client("POST", url(sid, "/backward"), json={"tensor": "s"}).status_code == 200


def test_settings_of_a_run_that_fails_are_put_back(client: Client) -> None:
    sid = client.open()
    code = "torch.manual_seed(7)\nr = torch.randn(2)\ntorch.set_default_dtype(torch.float64)\n"
    client.run(sid, code="torch.manual_seed(3)")
    assert client("POST", url(sid, "/run"), json={"code": code + "nothing"}).status_code == 422
    first = client.run(sid, code="r = torch.randn(2)")["outputs"]["r"]
    assert first["dtype"] == "float32"
    client.run(sid, code="torch.manual_seed(3)")
    assert client.run(sid, code="r = torch.randn(2)")["outputs"]["r"]["data"] == first["data"]


def test_lists_of_a_run_that_fails_are_put_back(client: Client) -> None:
    sid = client.open()
    client.run(sid, code="kept = [1, 2]")
    assert client("POST", url(sid, "/run"), json={"code": "kept.append(3)\nnothing"}).status_code == 422
    assert client.run(sid, code="again = kept")["values"]["again"] == [1, 2]


def test_a_session_over_its_bytes_stays_as_it_was(serve: Serve) -> None:
    client = serve(Limits(session_bytes=20_000))
    sid = client.open()
    client.run(sid, inputs={"x": [0.0] * 1000}, nodes=[])
    answer = client("PUT", url(sid, "/tensors/z"), json=[0.0] * 4000)
    assert (answer.status_code, answer.json()["limit"]) == (413, "session_bytes")
    assert [one["name"] for one in client("GET", url(sid)).json()["tensors"]] == ["x"]


# -- tensors --------------------------------------------------------------------------------------------------------
def test_a_tensor_is_put_read_changed_and_dropped(client: Client) -> None:
    path = url(client.open(), "/tensors/x")
    created = client("PUT", path, json=LEAF)
    assert (created.status_code, created.json()["version"]) == (201, 1)
    assert client("PUT", path, json=[1.5]).status_code == 200
    assert client("GET", path).json() == {
        "data": [1.5], "dtype": "float32", "shape": [1], "requires_grad": False, "is_leaf": True, "grad_fn": None,
        "grad": None,
    }  # fmt: skip
    patched = client("PATCH", path, json={"requires_grad": True, "data": [2.0, 3.0], "grad": [4.0, 5.0]}).json()
    assert (patched["requires_grad"], patched["data"], patched["grad"]["data"]) == (True, [2.0, 3.0], [4.0, 5.0])
    assert client("PATCH", path, json={"grad": None}).json()["grad"] is None
    assert client("DELETE", path).status_code == 204
    assert client("GET", path).status_code == client("DELETE", path).status_code == 404


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({}, "nothing to change"),
        ({"grad": [1.0]}, "attempting to assign a gradient of size '[1]'"),
        ({"grad": {"data": [1.0, 2.0], "dtype": "float64"}}, "attempting to assign a gradient with dtype"),
        ({"requires_grad": 1}, "requires_grad"),
        ({"data": [[1], []]}, "expected sequence of length 1"),
        ({"dtype": "float64"}, "dtype"),
    ],
)
def test_a_change_that_pytorch_refuses_is_refused(client: Client, changes: Any, words: str) -> None:
    sid = client.open()
    client("PUT", url(sid, "/tensors/x"), json=LEAF)
    answer = client("PATCH", url(sid, "/tensors/x"), json=changes)
    assert (answer.status_code, words in answer.json()["detail"]) == (422, True), answer.text
    assert "node" not in answer.json()
    assert version(client, sid) == 1


NOT_REAL = "data set to a tensor that requires gradients must be floating point or complex dtype"


@pytest.mark.parametrize("dtype", ["int64", "bool"])
def test_a_leaf_that_requires_grad_takes_no_data_without_gradients(client: Client, dtype: str) -> None:
    sid = client.open()
    client("PUT", url(sid, "/tensors/x"), json=LEAF)
    changes = {"data": {"data": [1, 0], "dtype": dtype}, "requires_grad": False}
    answer = client("PATCH", url(sid, "/tensors/x"), json=changes)
    problem = answer.json()
    assert (answer.status_code, problem["type"], problem["detail"]) == (422, "/problems/refused", NOT_REAL)
    assert problem["exception"] == "RuntimeError"
    kept = client("GET", url(sid, "/tensors/x")).json()
    assert (kept["data"], kept["dtype"], kept["requires_grad"]) == (LEAF["data"], "float32", True)
    code = f"x.data = torch.tensor([1, 0], dtype=torch.{dtype})"
    again = client("POST", url(sid, "/run"), json={"code": code}).json()
    assert again["detail"] == NOT_REAL


def test_elements_and_attributes_have_names_too(client: Client) -> None:
    sid = client.open()
    client.run(sid, inputs={"x": LEAF}, nodes=[SQUARE], backward=[{"tensor": "y", "gradient": ONES}])
    client.run(sid, code="parts = [x, y]")
    assert client("GET", url(sid, "/tensors/x.grad")).json()["data"] == [2.0, 4.0]
    assert client("GET", url(sid, "/tensors/parts.1")).json()["grad_fn"] == "MulBackward0"
    assert client("GET", url(sid, "/tensors/parts")).status_code == 404


def test_put_refuses_what_is_no_name(client: Client) -> None:
    assert client("PUT", url(client.open(), "/tensors/a.b"), json=1.0).status_code == 422


def test_backward_takes_inputs_and_keeps_the_graph_when_asked(client: Client) -> None:
    sid = client.open()
    client.run(sid, inputs={"x": LEAF, "w": LEAF}, nodes=[{"id": "y", "op": "mul", "args": ["$x", "$w"]}])
    request = {"tensor": "y", "gradient": ONES, "inputs": ["w"], "retain_graph": True}
    answer = client("POST", url(sid, "/backward"), json=request).json()
    assert {name: record["data"] for name, record in answer["grads"].items()} == {"w": [1.0, 2.0]}
    assert grad(client, sid, "x") is None
    assert client("POST", url(sid, "/backward"), json=request).status_code == 200
    assert grad(client, sid, "w") == [2.0, 4.0]


# -- versions -------------------------------------------------------------------------------------------------------
def test_a_version_that_has_moved_on_fails_the_precondition(client: Client) -> None:
    sid = client.open()
    run = {"inputs": {"x": LEAF}, "nodes": []}
    first = client("POST", url(sid, "/run"), json=run, headers={"If-Match": '"0"'})
    assert (first.status_code, first.headers["etag"]) == (200, '"1"')
    late = client("POST", url(sid, "/run"), json=run, headers={"If-Match": '"0"'})
    assert (late.status_code, late.json()["type"], late.json()["version"]) == (412, "/problems/version-conflict", 1)
    assert client("DELETE", url(sid), headers={"If-Match": '"0"'}).status_code == 412
    assert client("PUT", url(sid, "/tensors/x"), json=LEAF, headers={"If-Match": '"0"'}).status_code == 412
    assert client("DELETE", url(sid), headers={"If-Match": '"1"'}).status_code == 204
    assert client("DELETE", url(sid), headers={"If-Match": '"1"'}).status_code == 404


@pytest.mark.parametrize(
    ("header", "status"),
    [("*", 200), (" * ", 200), ('"0"', 200), ('"7", "0"', 200), ('W/"0" ,"0"', 200), ('W/"0"', 412), ('"7"', 412),
     ('"00"', 412), ('"other"', 412), ('""', 412), ('"1", W/"0"', 412), ("0", 422), ("", 422), ('"0', 422),
     ('*, "0"', 422), ('"0" "1"', 422), ('w/"0"', 422)],
)  # fmt: skip
def test_if_match_takes_strong_tags_or_any(client: Client, header: str, status: int) -> None:
    run = {"inputs": {"x": LEAF}, "nodes": []}
    answer = client("POST", url(client.open(), "/run"), json=run, headers={"If-Match": header})
    assert answer.status_code == status


def test_reading_does_not_make_a_version(client: Client) -> None:
    sid = client.open()
    client("PUT", url(sid, "/tensors/x"), json=LEAF)
    for path in ("", "/tensors/x", "/graph?tensor=x"):
        client("GET", url(sid, path))
    assert version(client, sid) == 1


# -- repeated requests ----------------------------------------------------------------------------------------------
def test_a_repeated_key_gets_the_first_answer_and_runs_nothing(client: Client) -> None:
    sid = client.open()
    client.run(sid, inputs={"x": LEAF}, nodes=[SQUARE])
    request = {"tensor": "y", "gradient": ONES, "retain_graph": True}
    answers = [client("POST", url(sid, "/backward"), json=request, headers={"Idempotency-Key": "k1"}) for _ in range(2)]
    assert answers[0].content == answers[1].content
    assert [answer.headers.get("idempotency-replayed") for answer in answers] == [None, "true"]
    assert (grad(client, sid), version(client, sid)) == ([2.0, 4.0], 2)


def test_a_key_of_another_request_is_a_conflict(client: Client) -> None:
    sid = client.open()
    headers = {"Idempotency-Key": "k2"}
    assert client("PUT", url(sid, "/tensors/x"), json=LEAF, headers=headers).status_code == 201
    for path, body in (("/tensors/x", [1.0]), ("/tensors/z", LEAF)):
        answer = client("PUT", url(sid, path), json=body, headers=headers)
        assert (answer.status_code, answer.json()["type"]) == (409, "/problems/idempotency-key-reused")


def test_a_key_tells_long_bodies_apart_too(client: Client) -> None:
    """Their digests are made in a thread."""
    sid, count = client.open(), LONG_BYTES
    headers = {"Idempotency-Key": "long"}
    answers = [client("PUT", url(sid, "/tensors/x"), json=[1.5] * count, headers=headers) for _ in range(2)]
    assert answers[0].content == answers[1].content
    assert [answer.headers.get("idempotency-replayed") for answer in answers] == [None, "true"]
    other = client("PUT", url(sid, "/tensors/x"), json=[1.5] * (count - 1) + [2.5], headers=headers)
    assert (other.status_code, other.json()["type"]) == (409, "/problems/idempotency-key-reused")
    assert version(client, sid) == 1


@pytest.mark.parametrize(
    ("method", "path", "body"),
    [
        ("POST", "/run", {"nodes": [SQUARE]}),
        ("POST", "/zero_grad", {}),
        ("PUT", "/tensors/z", [1.0]),
        ("PATCH", "/tensors/x", {"grad": [1.0, 1.0]}),
        ("DELETE", "/tensors/x", None),
        ("DELETE", "", None),
    ],
)
def test_every_change_can_be_repeated(client: Client, method: str, path: str, body: Any) -> None:
    sid = client.open()
    client("PUT", url(sid, "/tensors/x"), json=LEAF)
    headers = {"Idempotency-Key": f"{method} {path} {sid}"}
    options = {} if body is None else {"json": body}
    first, second = (client(method, url(sid, path), headers=headers, **options) for _ in range(2))
    assert first.status_code < 300
    assert (second.status_code, second.content) == (first.status_code, first.content)
    assert second.headers["idempotency-replayed"] == "true"


def test_a_key_whose_first_request_still_runs_is_a_conflict(serve: Serve) -> None:
    client = serve(workers=2)
    sid = client.open()
    client.run(sid, inputs={"x": LEAF}, nodes=[])
    slow = {"code": "for i in range(30000):\n    y = x * i\ny.sum().backward()", "outputs": []}
    headers = {"Idempotency-Key": "slow"}
    first: list[httpx.Response] = []
    running = threading.Thread(
        target=lambda: first.append(client("POST", url(sid, "/run"), json=slow, headers=headers))
    )
    running.start()
    while client.services.front.running == 0 and running.is_alive():
        time.sleep(0.001)
    again = client("POST", url(sid, "/run"), json=slow, headers=headers)
    other = client("POST", url(sid, "/run"), json={"code": "z = 1"}, headers=headers)
    assert running.is_alive(), "the first request was too quick for this test"
    running.join()
    assert (again.status_code, again.json()["type"], again.headers["retry-after"]) == (
        409,
        "/problems/in-progress",
        "1",
    )
    assert (other.status_code, other.json()["type"]) == (409, "/problems/idempotency-key-reused")
    replayed = client("POST", url(sid, "/run"), json=slow, headers=headers)
    assert (first[0].status_code, replayed.content) == (200, first[0].content)
    assert grad(client, sid) == [29999.0, 29999.0]


def test_a_repeated_opening_opens_one_session(client: Client) -> None:
    ids = {client("POST", "/v1/sessions", json={}, headers={"Idempotency-Key": "open"}).json()["id"] for _ in range(3)}
    assert len(ids) == 1


def test_a_refused_request_may_be_repeated_with_its_key(client: Client) -> None:
    sid = client.open()
    headers = {"Idempotency-Key": "k3"}
    assert client("POST", url(sid, "/run"), json={"nodes": [SQUARE]}, headers=headers).status_code == 422
    client("PUT", url(sid, "/tensors/x"), json=LEAF)
    assert client("POST", url(sid, "/run"), json={"nodes": [SQUARE]}, headers=headers).status_code == 200


@pytest.mark.parametrize(
    ("method", "path", "options"),
    [
        ("POST", "/run", {"json": {"nodes": [{"op": "frob nicate"}]}}),
        ("POST", "/run", {"json": {"code": "x = "}}),
        ("POST", "/run", {"json": {}}),
        ("POST", "/run", {"json": {"nodes": [], "inputs": {"a.b": 1.0}}}),
        ("POST", "/run", {"json": {"nodes": [], "encoding": "hex"}}),
        ("POST", "/run", {"content": b"{"}),
        ("POST", "/run", {"content": b"{}", "headers": {"Content-Type": "text/plain"}}),
        ("POST", "/run", {"json": {"code": "x = 1\n" * 2000 + "async def f(): pass"}}),
        ("POST", "/backward", {"json": {}}),
        ("POST", "/zero_grad", {"json": {"tensors": "x"}}),
        ("PUT", "/tensors/a.b", {"json": 1.0}),
        ("PATCH", "/tensors/x", {"json": {}}),
    ],
)
def test_a_malformed_request_claims_no_key_and_begins_nothing(
    serve: Serve, monkeypatch: pytest.MonkeyPatch, method: str, path: str, options: Any
) -> None:
    once = Replies.once

    def checked(self: Replies, owner: str, key: Key | None, work: Any) -> Any:
        assert key is None or key.key != "malformed"
        return once(self, owner, key, work)

    monkeypatch.setattr(Replies, "once", checked)
    client = serve()
    sid = client.open()
    headers = {"Idempotency-Key": "malformed", **options.get("headers", {})}
    answer = client(method, url(sid, path), **{**options, "headers": headers})
    assert answer.status_code in (400, 415, 422)
    assert client(method, url("none", path), **options).status_code == 404
    good = client("PUT", url(sid, "/tensors/x"), json=1.0, headers={"Idempotency-Key": "malformed"})
    assert good.status_code == 500  # else nothing looks


def test_a_run_that_loses_a_race_is_not_read_again(monkeypatch: pytest.MonkeyPatch) -> None:
    store = MemoryStore()
    sid = opened(directory_over(store))
    commit, losses, read = store.commit, iter(range(2)), []

    def commit_late(*given: Any) -> None:
        for _ in losses:
            raise Conflict(0)
        commit(*given)

    def count(*given: Any) -> Any:
        read.append(given)
        return parse_code(*given)

    monkeypatch.setattr(store, "commit", commit_late)
    monkeypatch.setattr("app.evaluate.execution.parse_code", count)
    handler = RequestHandler(Settings(), lambda connections: store, Page(), reply_to)
    request = ENCODER.encode(Request("run_in_session", OWNER, arguments={"sid": sid}))
    body = json.dumps({"inputs": {"x": LEAF}, "code": "y = x * 2"}).encode()
    head, answer = handler.carry_out(Packet(ENCODER.encode(Head("r", time.monotonic() + 60, Raw(request))), body))
    assert json.loads(bytes(answer))["version"] == 1
    assert ANSWERS.decode(head).events["conflicts"] == 2
    assert len(read) == 1


def test_concurrent_commands_on_one_session_run_one_after_another(client: Client) -> None:
    sid = client.open()
    client.run(sid, inputs={"x": LEAF}, nodes=[SQUARE])
    request = {"tensor": "y", "gradient": ONES, "retain_graph": True}
    answers: list[httpx.Response] = []
    threads = [
        threading.Thread(target=lambda: answers.append(client("POST", url(sid, "/backward"), json=request)))
        for _ in range(12)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(answer.json()["version"] for answer in answers) == list(range(2, 14))
    assert grad(client, sid) == [24.0, 48.0]


# -- owners, listing, expiry ----------------------------------------------------------------------------------------
def test_ids_cannot_be_guessed(client: Client) -> None:
    ids = {client.open() for _ in range(20)}
    assert len(ids) == 20
    assert all(len(sid) >= 22 for sid in ids)


def basic(key: str) -> dict[str, str]:
    return {"Authorization": "Basic " + base64.b64encode(f"any:{key}".encode()).decode()}


def bearer(key: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {key}"}


def test_a_key_is_needed_where_keys_are_configured(serve: Serve) -> None:
    client = serve(api_keys="ann:one, two")
    for headers in ({}, bearer("three"), basic("three"), {"Authorization": "Basic !"}, {"Authorization": "one"}):
        answer = client("POST", "/v1/sessions", json={}, headers=headers)
        assert (answer.status_code, answer.json()["type"]) == (401, "/problems/unauthorized")
        assert "Bearer" in answer.headers["www-authenticate"]
    for path in ("/healthz", "/readyz", "/docs", "/openapi.json"):
        assert client("GET", path).status_code == 200
    assert client("GET", "/metrics").status_code == 401


def test_sessions_of_others_do_not_exist(serve: Serve) -> None:
    client = serve(api_keys="ann:one,bob:two")
    sid = client("POST", "/v1/sessions", json={}, headers=basic("one")).json()["id"]
    assert client("GET", url(sid), headers=bearer("one")).status_code == 200
    for method, path in (("GET", ""), ("DELETE", ""), ("POST", "/run"), ("GET", "/tensors/x"), ("PUT", "/tensors/x")):
        assert client(method, url(sid, path), headers=bearer("two"), json=1.0).status_code == 404
    assert client("GET", "/v1/sessions", headers=bearer("two")).json()["sessions"] == []


def test_sessions_are_listed_in_pages(serve: Serve) -> None:
    client = serve()
    ids = [client.open() for _ in range(5)]
    seen: list[str] = []
    query: dict[str, Any] = {"limit": 2}
    while True:
        page = client("GET", "/v1/sessions", params=query).json()
        seen += [one["id"] for one in page["sessions"]]
        if page["next"] is None:
            break
        query["cursor"] = page["next"]
    assert seen == ids
    for bad in ({"cursor": "x"}, {"limit": 0}, {"limit": "x"}):
        assert client("GET", "/v1/sessions", params=bad).status_code == 422


def test_an_expired_session_is_gone(serve: Serve) -> None:
    client = serve()
    sid = client.open(ttl_seconds=0.2)
    client("PUT", url(sid, "/tensors/x"), json=LEAF)
    assert client("GET", url(sid)).status_code == 200
    time.sleep(0.25)
    for _ in range(2):  # before and after the sweep that the next opening makes
        answer = client("GET", url(sid))
        assert (answer.status_code, answer.json()["type"]) == (410, "/problems/gone")
        client.open()
    assert sid not in [one["id"] for one in client("GET", "/v1/sessions").json()["sessions"]]


def test_use_renews_the_time_of_a_session(client: Client) -> None:
    sid = client.open()
    before = client("GET", url(sid)).json()["expires_at"]
    client("PUT", url(sid, "/tensors/x"), json=LEAF)
    assert client("GET", url(sid)).json()["expires_at"] > before


def test_the_number_of_sessions_is_limited(serve: Serve) -> None:
    client = serve(Limits(sessions=2))
    sid = client.open()
    client.open()
    answer = client("POST", "/v1/sessions", json={})
    assert (answer.status_code, answer.json()["limit"], "retry-after" in answer.headers) == (429, "sessions", True)
    client("DELETE", url(sid))
    client.open()


def test_a_session_that_cannot_be_read_is_no_reason_to_try_again(
    portal: BlockingPortal, serve: Serve, tmp_path: Path
) -> None:
    with served(portal, store="sqlite", data=tmp_path) as client:
        sid = client.open()
    with closing(sqlite3.connect(tmp_path / FILE)) as connection, connection:
        connection.execute("UPDATE changes SET record = ? WHERE sid = ?", (b"no record", sid))
    client = serve(store="sqlite", data=tmp_path)  # its process has seen nothing of the session
    for method, rest, body in (("GET", "", None), ("GET", "/export", None), ("POST", "/run", {"nodes": []})):
        answer = client(method, url(sid, rest), **({} if body is None else {"json": body}))
        assert (answer.status_code, answer.json()["type"]) == (501, "/problems/unreadable-session")
        assert "again" not in answer.text
        assert "retry-after" not in answer.headers
    assert client("DELETE", url(sid)).status_code == 204


def test_a_view_that_may_not_be_asked_for_its_history_is_listed_and_not_drawn(client: Client) -> None:
    sid = client.open()
    code = "x = torch.ones(3, requires_grad=True)\ny = x * 1\nwith torch.no_grad():\n    v = y.view(3, 1)\ny.mul_(2)"
    client.run(sid, code=code, outputs=[])
    listed = {one["name"]: one["is_leaf"] for one in client("GET", url(sid)).json()["tensors"]}
    assert listed == {"x": True, "y": False, "v": False}
    drawn = client("GET", url(sid, "/graph?tensor=v"))
    assert (drawn.status_code, drawn.json()["type"]) == (422, "/problems/refused")
    assert drawn.json()["detail"].startswith("A view was created in no_grad mode")


def test_texts_and_lists_count_towards_the_bytes_of_a_session(serve: Serve) -> None:
    client = serve(Limits(session_bytes=2_000_000))
    sid = client.open()
    client.run(sid, code="t = 'x' * 600000\nl = ['y' * 100000, ['z' * 100000]]", outputs=[])
    held = client("GET", f"/v1/sessions/{sid}").json()["bytes"]
    assert 800_000 < held < 900_000
    for _ in range(20):  # what is written again counts once
        client.run(sid, code="l.append(1)", outputs=[])
    assert client("GET", f"/v1/sessions/{sid}").json()["bytes"] < held + 10_000
    code = "u = [t + 'a', t]\nv = t + '!'"
    problem = client("POST", f"/v1/sessions/{sid}/run", json={"code": code, "outputs": []})
    assert (problem.status_code, problem.json()["limit"]) == (413, "session_bytes")
    for code in ("t = l = 0", "t = 1"):  # what a run lets go of counts until the next one
        client.run(sid, code=code, outputs=[])
    assert client("GET", f"/v1/sessions/{sid}").json()["bytes"] < 10_000
