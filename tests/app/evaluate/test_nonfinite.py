"""``include: ["nan"]``: which node first gave what is not finite, and which gradient first was not."""

from typing import Any

import pytest

from tests.app.conftest import Client

X = {"x": {"data": [4.0, 0.0], "requires_grad": True}}
ROOT = [{"op": "log", "args": ["$x"], "id": "y"}, {"op": "sum", "args": ["$y"], "id": "out"}]


@pytest.mark.parametrize(
    ("program", "value", "gradient"),
    [
        (
            {"nodes": [*ROOT, {"op": "div", "args": ["$y", 0], "id": "z"}], "backward": [{"tensor": "out"}]},
            {"name": "y", "op": "log"}, {"name": "x", "grad_fn": "LogBackward0"},
        ),
        (
            {"code": "s = x.sqrt()\nout = (s * 2).sum()\nout.backward()"},
            None, {"name": "x", "grad_fn": "SqrtBackward0"},
        ),
        ({"code": "y = x + 1\nz = (y / 0).exp()"}, {"name": "z", "op": "div"}, None),
        ({"code": "y = x.detach().clone()\ny.div_(0)\nz = y + 1"}, {"name": "y", "op": "div"}, None),
        ({"nodes": [{"op": "mul", "args": ["$x", 2], "id": "y"}]}, None, None),
        ({"code": "c = torch.tensor(float('inf'))"}, {"name": "c", "op": None}, None),
        ({"code": "y = x * 1", "inputs": {"x": ["NaN"]}}, {"name": "x", "op": None}, None),
        (
            {"code": "a = (x - 4).abs().sqrt()\nb = a.sum()\ng = torch.autograd.grad(b, a)\nb.backward()"},
            None, {"name": None, "grad_fn": "SqrtBackward0"},
        ),
    ],
)  # fmt: skip
def test_the_first_of_each_is_named(client: Client, program: dict[str, Any], value: Any, gradient: Any) -> None:
    for _ in range(3):  # no plan answers the second
        answer = client.evaluate(**{"inputs": X, **program, "include": ["nan"]})
        assert answer["nan"] == {"value": value, "gradient": gradient}


def test_a_session_keeps_the_names(client: Client) -> None:
    sid = client.open()
    answer = client.run(sid, inputs=X, code="y = x.log()\nw = 1\ndel w", include=["nan", "timings"])
    assert answer["nan"]["value"] == {"name": "y", "op": "log"}
    assert "run" in answer["timings"]
    again = client.run(sid, code="z = y.sum()\nz.backward()", include=["nan"])
    assert again["nan"] == {"value": {"name": "y", "op": None}, "gradient": {"name": "x", "grad_fn": "LogBackward0"}}
    assert client("GET", f"/v1/sessions/{sid}/tensors/z").status_code == 200
