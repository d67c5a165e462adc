"""Numbers as languages write them that have no integers, no infinities or no NaN of their own."""

import math
from typing import Any

import msgspec
import pytest

from tests.app.conftest import Client

MSGPACK = "application/msgpack"
PROGRAMS = {
    "floats": "t = torch.tensor([[1.0, float('nan')], [float('inf'), -0.0]])",
    "a scalar": "t = torch.tensor(2.5, requires_grad=True)",
    "integers": "t = torch.arange(3)",
    "booleans": "t = torch.tensor([True, False])",
    "complex numbers": "t = torch.tensor([1 + 2j, complex(float('nan'), 0)])",
    "bfloat16": "t = torch.tensor([1.0, 3.5], dtype=torch.bfloat16)",
    "nothing": "t = torch.ones(2, 0, 3)",
    "no leaf": "x = torch.ones(2, requires_grad=True)\nt = x * 2\nt.sum().backward()",
    "float64": "t = torch.tensor([0.1], dtype=torch.float64, requires_grad=True)",
}


def sent(client: Client, request: Any, media_type: str, path: str = "/v1/evaluate", method: str = "POST") -> Any:
    codec = msgspec.msgpack if media_type == MSGPACK else msgspec.json
    headers = {"Content-Type": media_type, "Accept": media_type}
    answer = client(method, path, content=codec.encode(request), headers=headers)
    assert answer.status_code < 300, answer.text
    return codec.decode(answer.content)


@pytest.mark.parametrize("encoding", ["json", "base64"])
@pytest.mark.parametrize("media_type", ["application/json", MSGPACK])
@pytest.mark.parametrize("program", list(PROGRAMS))
def test_a_tensor_of_an_answer_can_be_sent_back(client: Client, program: str, media_type: str, encoding: str) -> None:
    request = {"code": PROGRAMS[program], "outputs": ["t"], "encoding": encoding}
    record = sent(client, request, media_type)["outputs"]["t"]
    back = {"inputs": {"t": record}, "nodes": [], "outputs": ["t"], "encoding": encoding}
    for _ in range(3):  # run, recorded, replayed
        again = sent(client, back, media_type)["outputs"]["t"]
        assert {**again, "is_leaf": 0, "grad_fn": 0} == {
            name: 0 if name in ("is_leaf", "grad_fn") else value for name, value in record.items() if name != "grad"
        }


def test_the_answer_to_a_put_can_be_put(client: Client) -> None:
    path = f"/v1/sessions/{client.open()}/tensors/x"
    for encoding in ("json", "base64"):
        record = sent(
            client, {"data": [1.5], "requires_grad": True}, "application/json", f"{path}?encoding={encoding}", "PUT"
        )
        again = sent(client, record, "application/json", f"{path}?encoding={encoding}", "PUT")
        assert {**again, "version": 0} == {**record, "version": 0}
        assert ("encoding" in record) == (encoding == "base64")


@pytest.mark.parametrize(("word", "number"), [("Infinity", math.inf), ("-Infinity", -math.inf), ("NaN", math.nan)])
def test_words_for_numbers_are_understood_in_arguments_as_in_data(client: Client, word: str, number: float) -> None:
    nodes = [
        {"id": "a", "op": "full", "args": [[2], word]},
        {"id": "b", "op": "clamp", "args": ["$x"], "kwargs": {"max": word}},
        {"id": "c", "op": "tensor", "args": [[word, 1.0]]},
    ]
    answer = client.evaluate(inputs={"x": [1.0, word]}, nodes=nodes, outputs=["a", "c"])
    assert answer["outputs"]["a"]["data"] == [word, word]
    assert answer["outputs"]["c"]["data"] == [word, 1.0]


@pytest.mark.parametrize(
    ("request_", "hint"),
    [
        ({"inputs": {"x": [1, 2]}, "code": "y = x.mean()"}, "x"),
        ({"inputs": {"x": [1, 2], "w": [[1.0], [2.0]]}, "code": "y = x.view(1, 2) @ w"}, "x"),
        ({"inputs": {"x": [1, 2]}, "code": "y = x.softmax(0)"}, "x"),
        ({"inputs": {"x": [1.0, 2.0]}, "code": "y = x.view(3)"}, None),
        ({"inputs": {"x": [1, 2]}, "code": "y = x.view(3)"}, None),
    ],
)
def test_refusals_of_dtypes_say_how_numbers_become_floats(
    client: Client, request_: dict[str, Any], hint: str | None
) -> None:
    for _ in range(3):
        problem = client("POST", "/v1/evaluate", json=request_).json()
        assert problem["type"] == "/problems/refused", problem
        wanted = None if hint is None else f'inputs that are whole numbers are int64 ({hint}): add "dtype": "float32"'
        assert problem.get("hint") == wanted, problem
