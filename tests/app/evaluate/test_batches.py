"""Many answers to one request: a program over many inputs, and several runs of a session."""

from typing import Any

import httpx
import msgspec
import pytest

from app.limits import Limits
from tests.app.conftest import Client, Serve

MSGPACK = "application/msgpack"
LEAF = {"requires_grad": True}
SQUARE = [{"id": "y", "op": "mul", "args": ["$x", "$w"]}, {"id": "s", "op": "sum", "args": ["$y"]}]


def decoded(answer: httpx.Response) -> Any:
    assert answer.status_code == 200, answer.text
    is_packed = answer.headers["content-type"] == MSGPACK
    return msgspec.msgpack.decode(answer.content) if is_packed else answer.json()


def entries(*data: Any) -> list[dict[str, Any]]:
    return [{"inputs": {"x": {"data": one, **LEAF}}} for one in data]


@pytest.mark.parametrize("encoding", ["json", "base64"])
@pytest.mark.parametrize("form", ["application/json", MSGPACK])
def test_a_batch_is_answered_as_its_entries_are(client: Client, form: str, encoding: str) -> None:
    shared: dict[str, Any] = {
        "inputs": {"w": [2.0, 3.0]}, "nodes": SQUARE, "outputs": ["y"], "encoding": encoding,
        "backward": [{"tensor": "y", "gradient": [1.0, 10.0]}],
    }  # fmt: skip
    batch = entries(*([float(n), n + 0.5] for n in range(6)), [[1.0, 2.0]], [[3.0, 4.0]], [[5.0, 6.0]])
    headers = {"Accept": form}
    answer = client("POST", "/v1/evaluate", json={**shared, "backward": [], "batch": batch}, headers=headers)
    got = decoded(answer)
    assert (got["outputs"], got["grads"], len(got["batch"])) == ({}, {}, len(batch))
    for entry, one in zip(batch, got["batch"], strict=True):
        alone = {**shared, "backward": [], "inputs": {**shared["inputs"], **entry["inputs"]}}
        assert decoded(client("POST", "/v1/evaluate", json=alone, headers=headers)) == one
    swept = client("POST", "/v1/evaluate", json={**shared, "batch": batch[:6]}, headers=headers)
    grads = [one["grads"]["x"] for one in decoded(swept)["batch"]]
    assert all(grad == grads[0] for grad in grads)


def test_an_entry_that_is_refused_has_a_problem_and_the_others_an_answer(client: Client) -> None:
    batch = entries([1.0, 2.0], [1.0, 2.0, 3.0], [[1.0], [2.0, 3.0]], [3.0, 4.0])
    batch.append({"inputs": {"v": [1.0]}})
    first, shape, ragged, last, unknown = client.evaluate(inputs={"w": [1.0, 1.0]}, nodes=SQUARE, batch=batch)["batch"]
    assert (first["outputs"]["s"]["data"], last["outputs"]["s"]["data"]) == (3.0, 7.0)
    assert (shape["type"], shape["node"]) == ("/problems/refused", {"id": "y", "index": 0})
    assert (ragged["type"], ragged["errors"][0]["loc"]) == (
        "/problems/invalid-tensor",
        ["batch", 2, "inputs", "x", "data", 1],
    )
    assert (unknown["type"], unknown["status"]) == ("/problems/invalid-program", 422)


@pytest.mark.parametrize("program", [{"nodes": [{"no_grad": False}]}, {"code": "x ="}])
def test_a_program_that_cannot_be_read_is_refused_once(client: Client, program: Any) -> None:
    answer = client("POST", "/v1/evaluate", json={**program, "batch": [{"inputs": {"x": [1.0]}}, {"inputs": {}}]})
    assert (answer.status_code, answer.json()["type"]) == (422, "/problems/invalid-program")


def test_entries_do_not_see_each_other(client: Client) -> None:
    code = "n = torch.is_grad_enabled()\ntorch.set_grad_enabled(False)\nx.add_(1)\nw.add_(x)\nprint(w)"
    batch = [{"inputs": {"x": [1.0]}} for _ in range(4)]
    answers = client.evaluate(inputs={"w": [1.0]}, code=code, batch=batch)["batch"]
    assert [one.get("prints") for one in answers] == [["tensor([3.])"]] * 4, answers
    assert [one["values"] for one in answers] == [{"n": True}] * 4


def test_a_batch_has_bounds(serve: Serve) -> None:
    client = serve(Limits(batch_size=2, nodes=1))
    problem = client("POST", "/v1/evaluate", json={"nodes": [], "batch": [{}] * 3}).json()
    assert (problem["limit"], problem["allowed"], problem["asked"]) == ("batch_size", 2, 3)
    long = {"nodes": [{"op": "ones", "args": [1]}] * 2, "batch": [{}, {}]}
    many = client("POST", "/v1/evaluate", json=long).json()
    assert (many["status"], many["limit"]) == (413, "nodes")
    assert client.evaluate(nodes=[], batch=[])["batch"] == []


def test_what_needs_a_session_is_refused_without_one_and_a_batch_in_one(client: Client) -> None:
    refused = client("POST", "/v1/evaluate", json={"runs": [{"nodes": []}]})
    assert (refused.status_code, refused.json()["detail"]) == (422, "several runs need a session")
    sid = client.open()
    bodies: list[dict[str, Any]] = [
        {"nodes": [], "batch": []},
        {"runs": [{"nodes": [], "batch": []}]},
        {"runs": [{"runs": []}]},
        {"runs": [], "encoding": "json"},
    ]
    for body in bodies:
        assert client("POST", f"/v1/sessions/{sid}/run", json=body).status_code == 422


# -- several runs of a session ----------------------------------------------------------------------------------------
def test_several_runs_are_one_version_and_each_has_its_answer(client: Client) -> None:
    sid = client.open()
    code = "w.grad = None\nloss = (w * w).sum()\nloss.backward()\nwith torch.no_grad():\n    w -= 0.25 * w.grad"
    step = {"code": code, "outputs": ["loss", "w"]}
    begin = {"inputs": {"w": {"data": [1.0, 2.0], **LEAF}}, "nodes": []}
    answer = client.run(sid, runs=[begin, step, step, {**step, "encoding": "base64"}])
    assert (answer["version"], answer["outputs"], len(answer["runs"])) == (1, {}, 4)
    assert [one["outputs"]["loss"]["data"] for one in answer["runs"][1:3]] == [5.0, 1.25]
    assert [one["outputs"]["w"]["data"] for one in answer["runs"][1:3]] == [[0.5, 1.0], [0.25, 0.5]]
    assert answer["runs"][3]["outputs"]["w"]["encoding"] == "base64"
    assert client("GET", f"/v1/sessions/{sid}/tensors/w").json()["data"] == [0.125, 0.25]


def test_where_one_of_several_runs_fails_none_has_happened(client: Client) -> None:
    sid = client.open()
    client.run(sid, code="w = torch.ones(2)\ntorch.manual_seed(3)")
    for bad, kind in (({"code": "w = w.view(3)"}, "refused"), ({"code": "exec(1)"}, "invalid-program"),
                      ({"inputs": {"x": ["a"]}, "nodes": []}, "invalid-tensor")):  # fmt: skip
        problem = client("POST", f"/v1/sessions/{sid}/run", json={"runs": [{"code": "w += 1\nv = 2"}, bad]}).json()
        assert (problem["type"], problem["run"]) == (f"/problems/{kind}", 1), problem
    seen = client("GET", f"/v1/sessions/{sid}").json()
    assert (seen["version"], [one["name"] for one in seen["tensors"]]) == (1, ["w"])
    assert client("GET", f"/v1/sessions/{sid}/tensors/w").json()["data"] == [1.0, 1.0]


def test_warnings_and_prints_are_those_of_each_run(client: Client) -> None:
    warn = {"code": "x = torch.ones(1, requires_grad=True)\n(x * x).sum().backward(create_graph=True)\nprint(1)"}
    answers = client.run(client.open(), runs=[warn, {"code": "y = 1"}])["runs"]
    assert [(len(one["warnings"]), one["prints"]) for one in answers] == [(1, ["1"]), (0, [])]


def test_a_batch_that_takes_too_long_is_refused_as_a_whole(serve: Serve) -> None:
    client = serve(Limits(seconds=1.0))
    code = "x = torch.ones(200, 200)\nfor i in range(10000):\n    x = x @ x * 0.001"
    problem = client("POST", "/v1/evaluate", json={"code": code, "batch": [{}, {}]}).json()
    assert (problem["type"], problem["status"]) == ("/problems/time-limit", 504)
