"""Functions that a graph defines by two lists of nodes, as clients call them; PyTorch's own say what they give."""

from __future__ import annotations

from typing import Any

import pytest

from app.limits import Limits
from tests.app.conftest import Client, Serve

CUBE: dict[str, Any] = {
    "function": "Cube",
    "inputs": ["x"],
    "outputs": ["y"],
    "forward": [
        {"id": "square", "op": "mul", "args": ["$x", "$x"]},
        {"id": "y", "op": "mul", "args": ["$square", "$x"]},
    ],
    "backward": [
        {"id": "slope", "op": "mul", "args": ["$square", 3]},
        {"id": "grad_x", "op": "mul", "args": ["$grad_y", "$slope"]},
    ],
}
X = {"x": {"data": [1.0, 2.0, 3.0], "requires_grad": True}}
SUM = {"id": "total", "op": "sum", "args": ["$z"]}
CALL = {"id": "z", "op": "Cube", "args": ["$x"]}


def evaluated(client: Client, *nodes: Any, **more: Any) -> Any:
    answer = client("POST", "/v1/evaluate", json={"inputs": X, "nodes": list(nodes), **more})
    assert answer.status_code == 200, answer.text
    return answer.json()


def refused(client: Client, *nodes: Any, **more: Any) -> Any:
    answer = client("POST", "/v1/evaluate", json={"inputs": X, "nodes": list(nodes), **more})
    assert answer.status_code == 422, answer.text
    return answer.json()


def with_(**fields: Any) -> dict[str, Any]:
    return {name: value for name, value in {**CUBE, **fields}.items() if value is not ...}


def test_forward_and_backward_are_those_of_its_nodes(client: Client) -> None:
    for _ in range(3):  # the first time, and when the graph is known
        answer = evaluated(client, CUBE, CALL, SUM, backward=[{"tensor": "total"}], outputs=["z", "total"])
        assert answer["outputs"]["z"]["data"] == [1.0, 8.0, 27.0]
        assert answer["outputs"]["z"]["grad_fn"] == "CubeBackward"
        assert answer["grads"]["x"]["data"] == [3.0, 12.0, 27.0]


def test_backward_need_not_be_the_derivative(client: Client) -> None:
    straight = with_(forward=[{"id": "y", "op": "round", "args": ["$x"]}],
                     backward=[{"id": "grad_x", "op": "clone", "args": ["$grad_y"]}])  # fmt: skip
    answer = evaluated(client, straight, CALL, SUM, backward=[{"tensor": "total"}])
    assert answer["grads"]["x"]["data"] == [1.0, 1.0, 1.0]


def test_second_derivatives_go_through_backward(client: Client) -> None:
    first = {"id": "first", "op": "autograd.grad", "args": ["$total", "$x"], "kwargs": {"create_graph": True}}
    saved_input = with_(backward=[
        {"id": "s", "op": "mul", "args": ["$x", "$x"]}, {"id": "s3", "op": "mul", "args": ["$s", 3]},
        {"id": "grad_x", "op": "mul", "args": ["$grad_y", "$s3"]},
    ])  # fmt: skip
    again = {"id": "loss", "op": "sum", "args": ["$first.0"]}
    answer = evaluated(client, saved_input, CALL, SUM, first, again, backward=[{"tensor": "loss"}])
    assert answer["grads"]["x"]["data"] == [6.0, 12.0, 18.0]


def test_several_inputs_and_outputs(client: Client) -> None:
    both = {
        "function": "SumAndProduct", "inputs": ["a", "b", "scale"], "outputs": ["s", "p"],
        "forward": [{"id": "s", "op": "add", "args": ["$a", "$b"]}, {"id": "ab", "op": "mul", "args": ["$a", "$b"]},
                    {"id": "p", "op": "mul", "args": ["$ab", "$scale"]}],
        "backward": [
            {"id": "gp", "op": "mul", "args": ["$grad_p", "$scale"]}, {"id": "ga", "op": "mul", "args": ["$gp", "$b"]},
            {"id": "grad_a", "op": "add", "args": ["$ga", "$grad_s"]}, {"id": "gb", "op": "mul", "args": ["$gp", "$a"]},
            {"id": "grad_b", "op": "add", "args": ["$gb", "$grad_s"]},
        ],
    }  # fmt: skip
    call = {"id": "r", "op": "SumAndProduct", "args": ["$x"], "kwargs": {"scale": 2, "b": "$x"}}
    total = {"id": "total", "op": "dot", "args": ["$r.0", "$r.1"]}
    answer = evaluated(client, both, call, total, backward=[{"tensor": "total"}], outputs=["total"])
    assert answer["outputs"]["total"]["data"] == sum(2 * v * 2 * v * v for v in (1.0, 2.0, 3.0))
    assert answer["grads"]["x"]["data"] == [12.0 * v * v for v in (1.0, 2.0, 3.0)]


def test_a_session_keeps_function_and_graph(client: Client) -> None:
    sid = client.open()
    client.run(sid, inputs=X, nodes=[CUBE, CALL, SUM])
    exported = client("GET", f"/v1/sessions/{sid}/export")
    headers = {"Content-Type": exported.headers["content-type"]}
    copy = client("POST", "/v1/sessions/import", content=exported.content, headers=headers).json()["id"]
    client("DELETE", f"/v1/sessions/{sid}")
    answer = client.run(copy, nodes=[{"op": "backward", "args": ["$total"]}], grads=["x"])
    assert answer["grads"]["x"]["data"] == [3.0, 12.0, 27.0]
    answer = client.run(copy, nodes=[{"id": "w", "op": "Cube", "args": ["$x"]}], outputs=["w"])
    assert answer["outputs"]["w"]["data"] == [1.0, 8.0, 27.0]
    assert client.run(copy, code="print(Cube.apply(x))")["prints"] == [
        "tensor([ 1.,  8., 27.], grad_fn=<CubeBackward>)"
    ]


def test_nodes_call_what_code_has_defined(client: Client) -> None:
    sid = client.open()
    client.run(
        sid, inputs=X, code="def twice(x, k=2): return x * k\nclass Scale:\n  @staticmethod\n  def by(x): return x * 5"
    )
    nodes = [
        {"id": "a", "op": "twice", "args": ["$x"], "kwargs": {"k": 3}},
        {"id": "b", "op": "Scale.by", "args": ["$x"]},
    ]
    answer = client.run(sid, nodes=nodes, outputs=["a", "b"])
    assert [answer["outputs"][name]["data"] for name in "ab"] == [[3.0, 6.0, 9.0], [5.0, 10.0, 15.0]]
    answer = client("POST", f"/v1/sessions/{sid}/run", json={"nodes": [{"op": "x", "args": [1]}]})
    assert (answer.status_code, answer.json()["detail"]) == (422, "'Tensor' object is not callable")


def test_without_backward_it_has_no_gradient(client: Client) -> None:
    problem = refused(client, with_(backward=...), CALL, SUM, backward=[{"tensor": "total"}])
    assert problem["detail"].startswith("You must implement either the backward or vjp method")
    answer = evaluated(client, with_(backward=[]), CALL, SUM, backward=[{"tensor": "total"}])
    assert answer["grads"] == {"x": None}


def test_a_wrong_gradient_is_refused_as_pytorch_refuses_it(client: Client) -> None:
    narrow = with_(backward=[{"id": "grad_x", "op": "sum", "args": ["$grad_y"], "kwargs": {"dim": 0, "keepdim": True}},
                             {"id": "grad_x", "op": "cat", "args": [["$grad_x", "$grad_x"]]}])  # fmt: skip
    problem = refused(client, narrow, CALL, SUM, backward=[{"tensor": "total"}])
    assert problem["detail"] == (
        "Function CubeBackward returned an invalid gradient at index 0 - got [2] but expected shape compatible with [3]"
    )


FIELDS = "a function has backward, forward, function, inputs, outputs; it may be without backward"
MALFORMED: dict[str, tuple[dict[str, Any], str]] = {
    "fields": (with_(outputs=...), FIELDS),
    "more": (with_(doc="x"), FIELDS),
    "name": (with_(function="a-b"), "function: expected a name of up to"),
    "inputs": (with_(inputs=["x", "x"]), "inputs: expected a list of different names"),
    "no outputs": (with_(outputs=[]), "outputs: expected a list of different names"),
    "unknown output": (with_(outputs=["q"]), "outputs: 'q' is no input, and no node of forward has this id"),
    "an outer name": (with_(forward=[{"id": "y", "op": "mul", "args": ["$x", "$outside"]}]),
                      "unknown reference '$outside': a function's nodes see its own names only"),
    "backward's": (with_(backward=[{"id": "grad_x", "op": "mul", "args": ["$grad_x", "$x"]}]),
                   "unknown reference '$grad_x'"),
    "not a list": (with_(forward={"id": "y"}), "nodes: expected a list"),
    "an op of PyTorch's": (with_(function="mul"), "'mul' is an op of PyTorch's"),
    "within": (with_(forward=[CUBE, {"id": "y", "op": "Cube", "args": ["$x"]}]), "a function is defined outside of"),
    "in a block": ({"no_grad": [CUBE]}, "a function is defined outside of"),
    "unknown op": (with_(forward=[{"id": "y", "op": "nothing_like_it", "args": ["$x"]}], backward=[]),
                   "unknown op 'nothing_like_it'"),
    "itself": (with_(forward=[{"id": "y", "op": "Cube", "args": ["$x"]}], backward=[]), "unknown op 'Cube'"),
}  # fmt: skip


@pytest.mark.parametrize("case", MALFORMED)
def test_what_is_no_function_is_refused(client: Client, case: str) -> None:
    node, detail = MALFORMED[case]
    problem = refused(client, node)
    assert problem["type"] == "/problems/invalid-program"
    assert problem["detail"].startswith(detail)


@pytest.mark.parametrize("call", [
    {"op": "Cube", "args": []}, {"op": "Cube", "args": ["$x", "$x"]},
    {"op": "Cube", "args": ["$x"], "kwargs": {"x": 1}},
    {"op": "Cube", "kwargs": {"y": "$x"}},
])  # fmt: skip
def test_a_call_that_does_not_fit_is_refused(client: Client, call: Any) -> None:
    problem = refused(client, CUBE, call)
    assert (problem["exception"], problem["node"]["index"]) == ("TypeError", 5)
    assert problem["detail"].startswith("Cube() takes the inputs x; given:")


def test_a_node_in_it_that_fails_is_named(client: Client) -> None:
    bad = with_(
        forward=[{"id": "square", "op": "mul", "args": ["$x", "$x"]}, {"id": "y", "op": "matmul", "args": ["$x", 3]}]
    )
    problem = refused(client, bad, CALL)
    assert problem["node"] == {"id": "y", "index": 2}


def test_its_nodes_count(serve: Serve) -> None:
    answer = serve(Limits(nodes=4))("POST", "/v1/evaluate", json={"inputs": X, "nodes": [CUBE, CALL]})
    assert (answer.status_code, answer.json()["limit"]) == (413, "nodes")
