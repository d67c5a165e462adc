"""Stateless evaluation: what is returned, by which name, and that nothing is kept."""

from typing import Any

import pytest

from app.evaluate.run import run_code
from tests.app.conftest import Client

TUTORIAL: dict[str, Any] = {
    "inputs": {"x": {"data": [[1.0, 1.0], [1.0, 1.0]], "requires_grad": True}},
    "nodes": [
        {"id": "y", "op": "add", "args": ["$x", 2]},
        {"id": "yy", "op": "mul", "args": ["$y", "$y"]},
        {"id": "z", "op": "mul", "args": ["$yy", 3]},
        {"id": "out", "op": "mean", "args": ["$z"]},
    ],
    "outputs": ["y", "out"],
    "backward": [{"tensor": "out"}],
    "grads": ["x"],
}
VECTOR = {"x": {"data": [1.0, 2.0], "requires_grad": True}}
SQUARE = {"id": "y", "op": "mul", "args": ["$x", "$x"]}


def record(data: Any, shape: list[int], grad_fn: str | None, requires_grad: bool) -> dict[str, Any]:
    return {
        "data": data, "dtype": "float32", "shape": shape, "requires_grad": requires_grad, "is_leaf": grad_fn is None,
        "grad_fn": grad_fn,
    }  # fmt: skip


def test_the_example_of_the_contract_gives_its_answer(client: Client) -> None:
    assert client.evaluate(**TUTORIAL) == {
        "outputs": {
            "y": record([[3.0, 3.0], [3.0, 3.0]], [2, 2], "AddBackward0", True),
            "out": record(27.0, [], "MeanBackward0", True),
        },
        "grads": {"x": record([[4.5, 4.5], [4.5, 4.5]], [2, 2], None, False)},
    }


def test_without_outputs_the_last_named_result_is_returned(client: Client) -> None:
    answer = client.evaluate(inputs=VECTOR, nodes=[SQUARE, {"op": "zero_", "args": ["$x.data"]}])
    assert list(answer["outputs"]) == ["y"]
    assert client.evaluate(nodes=[])["outputs"] == {}


def test_without_grads_those_of_every_input_that_requires_grad_are_returned(client: Client) -> None:
    inputs = {**VECTOR, "unused": VECTOR["x"], "plain": [1.0]}
    answer = client.evaluate(inputs=inputs, nodes=[SQUARE], backward=[{"tensor": "y", "gradient": [1.0, 10.0]}])
    assert answer["grads"]["x"]["data"] == [2.0, 40.0]
    assert (set(answer["grads"]), answer["grads"]["unused"]) == ({"x", "unused"}, None)


def test_the_grad_of_an_input_is_returned_though_its_name_was_bound_again(client: Client) -> None:
    nodes = [{"id": "x", "op": "mul", "args": ["$x", "$x"]}]
    answer = client.evaluate(inputs=VECTOR, nodes=nodes, backward=[{"tensor": "x", "gradient": [1.0, 1.0]}])
    assert answer["grads"]["x"]["data"] == [2.0, 4.0]


def test_roots_are_swept_together(client: Client) -> None:
    nodes = [SQUARE, {"id": "s", "op": "mul", "args": ["$x", 3]}]
    roots = [{"tensor": "y", "gradient": [1.0, 1.0]}, {"tensor": "s", "gradient": [1.0, 1.0]}]
    assert client.evaluate(inputs=VECTOR, nodes=nodes, backward=roots)["grads"]["x"]["data"] == [5.0, 7.0]


def test_multi_output_results_are_numbered(client: Client) -> None:
    nodes = [SQUARE, {"id": "g", "op": "autograd.grad", "args": [["$y"], ["$x", "$u"], {"tensor": [1.0, 1.0]}],
                      "kwargs": {"allow_unused": True}}]  # fmt: skip
    inputs = {**VECTOR, "u": VECTOR["x"]}
    assert list(client.evaluate(inputs=inputs, nodes=nodes)["outputs"]) == ["g.0"]
    assert client.evaluate(inputs=inputs, nodes=nodes, outputs=["g.0"])["outputs"]["g.0"]["data"] == [2.0, 4.0]


def test_attributes_can_be_asked_for(client: Client) -> None:
    request = {"inputs": VECTOR, "nodes": [SQUARE], "backward": [{"tensor": "y", "gradient": [1.0, 1.0]}]}
    assert client.evaluate(**request, outputs=["x.grad"])["outputs"]["x.grad"]["data"] == [2.0, 4.0]


def test_results_that_are_no_tensors_are_values(client: Client) -> None:
    answer = client.evaluate(inputs=VECTOR, nodes=[{"id": "n", "op": "numel", "args": ["$x"]}])
    assert (answer["outputs"], answer["values"]) == ({}, {"n": 2})


def test_code_returns_every_tensor_it_bound_and_the_other_variables(client: Client) -> None:
    code = "y = x * x\nk = [1, 'a', y]\nf = lambda v: v\ndel y\nz = k[2] + 1\nprint(z)"
    answer = client.evaluate(inputs=VECTOR, code=code)
    assert set(answer) == {"outputs", "grads", "values", "prints", "warnings"}
    assert list(answer["outputs"]) == ["z"]
    assert answer["outputs"]["z"]["grad"] is None
    assert answer["values"]["k"][:2] == [1, "a"]
    assert answer["values"]["k"][2]["tensor"]["data"] == [1.0, 4.0]
    assert answer["prints"] == ["tensor([2., 5.], grad_fn=<AddBackward0>)"]


def test_code_outputs_carry_the_grad_after_the_sweep(client: Client) -> None:
    code = "w = torch.tensor([1.0, 2.0], requires_grad=True)\ns = (w * w).sum()"
    answer = client.evaluate(code=code, backward=[{"tensor": "s"}])
    assert answer["outputs"]["w"]["grad"]["data"] == [2.0, 4.0]


def test_nothing_is_kept_between_evaluations(client: Client) -> None:
    client.evaluate(code="torch.set_default_dtype(torch.float64)\nkept = 1")
    assert client.evaluate(code="a = torch.tensor(1.5)")["outputs"]["a"]["dtype"] == "float32"
    assert client("POST", "/v1/evaluate", json={"code": "kept"}).status_code == 422


def test_nan_and_infinity_are_words(client: Client) -> None:
    answer = client.evaluate(inputs={"x": ["NaN", "Infinity", 0.5]}, nodes=[{"id": "y", "op": "neg", "args": ["$x"]}])
    assert answer["outputs"]["y"]["data"] == ["NaN", "-Infinity", -0.5]


def test_create_graph_lets_gradients_have_gradients(client: Client) -> None:
    nodes = [
        {"id": "y", "op": "pow", "args": ["$x", 3]},
        {"id": "g", "op": "autograd.grad", "args": [["$y"], ["$x"]], "kwargs": {"create_graph": True}},
        {"id": "h", "op": "autograd.grad", "args": [["$g.0"], ["$x"]]},
    ]
    answer = client.evaluate(inputs={"x": {"data": 2.0, "requires_grad": True}}, nodes=nodes, outputs=["g", "h"])
    assert [answer["outputs"][name]["data"] for name in ("g.0", "h.0")] == [12.0, 12.0]


def test_warnings_are_pytorchs(client: Client) -> None:
    inputs = {"x": {"data": 2.0, "requires_grad": True}}
    answer = client.evaluate(inputs=inputs, nodes=[SQUARE], backward=[{"tensor": "y"}], create_graph=True)
    assert answer["warnings"][0].startswith("Using backward() with create_graph=True")


@pytest.mark.parametrize("code", ["print(1)\nprint('a', 2)", "print(1)\nprint('a', 2)\n"])
def test_a_program_can_be_run_by_itself(code: str) -> None:
    assert run_code(code).prints == ["1", "a 2"]
