"""Nodes that are carried out before all of them were read: answers and refusals are those of a program read ahead."""

from typing import Any

import msgspec
import pytest

from app.evaluate.call import Call
from app.evaluate.evaluator import Evaluator
from app.evaluate.run import evaluate
from app.limits import Limits, OverLimit
from app.wire import codec
from app.wire.messages import RunRequest

X = {"data": [[1.0, 2.0], [3.0, 4.0]], "requires_grad": True}
MUL = {"id": "y", "op": "mul", "args": ["$x", 2.5]}
FAILS = {"id": "bad", "op": "mm", "args": ["$x", 3]}
PROGRAMS: list[list[dict[str, Any]]] = [
    [MUL, {"id": "z", "op": "sum", "args": ["$y"]}],
    [],
    [{"op": "mul", "args": ["$x", 2.0]}, MUL],
    [{"id": None, "op": "mul", "args": ["$x", 2.0]}],
    [MUL, {"id": "z", "op": "sum", "args": ["$y"], "kwargs": {"dim": 0}}, {"id": "w", "op": "exp", "args": ["$z"]}],
    [MUL, {"id": "z", "op": "reshape", "args": ["$y", [4]]}, {"id": "w", "op": "exp", "args": ["$z"]}],
    [{"id": "g", "op": "sum", "args": ["$x.T"]}, {"id": "t", "op": "torch.exp", "args": ["$g"]}],
    [{"id": "q", "op": "max", "args": ["$x", 0]}, {"id": "v", "op": "exp", "args": ["$q.0"]}],
    [MUL, {"id": "v", "op": "__getitem__", "args": ["$y", 0]}],
    [MUL, {"id": "y", "op": "add", "args": ["$y", True]}, {"id": "c", "op": "clamp", "args": ["$y", None, 4.0]}],
    [{"id": "n", "op": "relu_", "args": ["$c"]}],
    [{"id": "n", "op": "linalg.norm", "args": ["$x"]}],
    [{"id": "n", "op": "to", "args": ["$x", "float64"]}],
    # -- what is refused
    [FAILS],
    [MUL, FAILS, {"id": "w", "op": "exp", "args": ["$z"]}],  # nothing has the name: said first
    [MUL, FAILS, {"id": "w", "op": "no_such_op", "args": ["$y"]}],
    [MUL, FAILS, {"id": "not a name", "op": "exp", "args": ["$y"]}],
    [{"id": "w", "op": "exp", "args": ["$y"]}, MUL],
    [MUL, {"id": "w", "op": "y", "args": ["$x"]}],
    [MUL, {"id": "w", "op": "mul", "args": ["$x"]}],
    [MUL, {"id": "w", "op": "mul", "args": ["$x", 1, 2, 3]}],
    [MUL, {"id": "", "op": "exp", "args": ["$y"]}],
    [MUL, {"op": "a" * 200, "args": ["$y"]}],
    [MUL, {"op": "", "args": ["$y"]}],
    [MUL, {"op": "exp", "args": ["$$y"]}],
    [MUL, {"op": "exp", "args": ["y"]}],
    [MUL, {"op": "exp", "args": [["$y", {"float": "nan"}]]}],
    [MUL, {"op": "backward", "args": ["$y"]}],
    [{"id": "big", "op": "zeros", "args": [2**40]}],
]


def outcome(call: Any) -> Any:
    try:
        return call()
    except Exception as error:
        places = [getattr(error, name, None) for name in ("node_id", "node_index", "place", "op", "hint", "limit")]
        return type(error), str(error), places


@pytest.mark.parametrize("nodes", PROGRAMS, ids=str)
def test_they_do_what_a_program_read_ahead_does(nodes: list[dict[str, Any]]) -> None:
    inputs = {"x": X, "c": {"data": [-1.0, 1.0]}}
    body = {"inputs": inputs, "nodes": nodes, "outputs": None, "grads": ["x"]}
    evaluator, limits = Evaluator(Limits()), Limits()
    text = msgspec.json.encode(body)
    found = outcome(lambda: evaluator.answer(Call(text), came_before=False)[0].body)
    request = RunRequest.model_validate(body)
    wanted = outcome(lambda: codec.encode(evaluate(request, limits, "json"), codec.JSON))
    assert found == wanted


def test_too_many_are_refused_before_any_runs() -> None:
    limits = Limits(nodes=2)
    text = msgspec.json.encode({"inputs": {"x": X}, "nodes": [FAILS, MUL, MUL]})
    with pytest.raises(OverLimit, match="nodes"):
        Evaluator(limits).answer(Call(text), came_before=False)
