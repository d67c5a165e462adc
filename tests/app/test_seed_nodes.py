"""The tutorial, step by step, as JSON nodes in one session; each step is compared with what PyTorch recorded."""

import gzip
import json
import math
from collections.abc import Iterator
from typing import Any

import pytest

from tests.app.conftest import Client
from tests.paths import GOLDEN

RECORDED = GOLDEN / "seed.json.gz"
Node = dict[str, Any]
LEAF = {"requires_grad": True}


def op(name: str, *args: Any, into: str | None = None, **kwargs: Any) -> Node:
    """One node; ``into`` names its result."""
    node = {"op": name, "args": list(args), "kwargs": kwargs}
    return node if into is None else {"id": into, **node}


def tensor(name: str, data: Any, requires_grad: bool = False) -> Node:
    return op("tensor", data, into=name, requires_grad=requires_grad)


def rows(name: str, into: str, start: int) -> Node:
    return op("__getitem__", f"${name}", {"slice": [start, start + 2]}, into=into)


def plain_prediction(pred: str, area: str, age: str) -> list[Node]:
    """``w_area * area + w_age * age + b``."""
    return [
        op("mul", "$w_area", area, into="t1"),
        op("mul", "$w_age", age, into="t2"),
        op("add", "$t1", "$t2", into="t3"),
        op("add", "$t3", "$b", into=pred),
    ]


def mean_square(pred: str, target: str, into: str, halved: bool = False) -> list[Node]:
    half = [op("div", "$t5", 2, into="t5")] if halved else []
    return [
        op("sub", f"${pred}", target, into="t4"),
        op("pow", "$t4", 2, into="t5"),
        *half,
        op("mean", "$t5", into=into),
    ]


def descent(*names: str, zeroing: bool = True) -> Node:
    """Every parameter a step downhill, then its gradient to zero."""
    steps = [op("sub_", f"${name}", f"${name}.grad", alpha=0.1) for name in names]
    zeros = [op("zero_", f"${name}.grad") for name in names] if zeroing else []
    return {"no_grad": steps + zeros}


def plain_batch(start: int) -> list[Node]:
    return [
        rows("area", "area_rows", start), rows("age", "age_rows", start), rows("price", "price_rows", start),
        *plain_prediction("pred", "$area_rows", "$age_rows"),
        *mean_square("pred", "$price_rows", "loss"),
        op("backward", "$loss"),
        descent("w_area", "w_age", "b"),
    ]  # fmt: skip


def plain_loss() -> list[Node]:
    return [*plain_prediction("whole", "$area", "$age"), *mean_square("whole", "$price", "full")]


def vector_prediction(x: str, weight: str, bias: str, into: str) -> list[Node]:
    return [op("matmul", x, weight, into="t1"), op("add", "$t1", bias, into=into)]


def vector_batch(start: int) -> list[Node]:
    return [
        rows("X", "X_rows", start), rows("Y", "Y_rows", start),
        *vector_prediction("$X_rows", "$W", "$c", "pred"),
        *mean_square("pred", "$Y_rows", "loss", halved=True),
        op("backward", "$loss"),
        descent("W", "c"),
    ]  # fmt: skip


def optimiser_batch(start: int) -> list[Node]:
    """What ``opt.zero_grad(); …; opt.step()`` does."""
    return [
        *(op("__setattr__", f"${name}", "grad", None) for name in ("W2", "c2")),
        rows("X", "X_rows", start), rows("Y", "Y_rows", start),
        *vector_prediction("$X_rows", "$W2", "$c2", "pred2"),
        *mean_square("pred2", "$Y_rows", "loss", halved=True),
        op("backward", "$loss"),
        descent("W2", "c2", zeroing=False),
    ]  # fmt: skip


def ratio(name: str, into: str) -> list[Node]:
    """``a = (a * 3) / (a - 1)``; ``a.requires_grad_(True)``; ``b = (a * a).sum()``."""
    return [
        op("mul", f"${name}", 3, into="t1"), op("sub", f"${name}", 1, into="t2"), op("div", "$t1", "$t2", into=name),
        op("requires_grad_", f"${name}", True),
        op("mul", f"${name}", f"${name}", into="t3"), op("sum", "$t3", into=into),
    ]  # fmt: skip


def square_mean(leaf: str, into: str) -> list[Node]:
    """``((p + 2) * (p + 2) * 3).mean()``."""
    return [
        op("add", f"${leaf}", 2, into="t1"), op("mul", "$t1", "$t1", into="t2"), op("mul", "$t2", 3, into="t3"),
        op("mean", "$t3", into=into),
    ]  # fmt: skip


FIRST: list[list[Node]] = [
    [op("ones", 2, 2, into="x", **LEAF)],
    [op("add", "$x", 2, into="y")],
    [],
    [op("mul", "$y", "$y", into="yy"), op("mul", "$yy", 3, into="z"), op("mean", "$z", into="out")],
    [op("randn", 2, 2, into="a"), *ratio("a", "b")],
    [op("backward", "$out")],
    [op("sum", "$x", into="out2"), op("backward", "$out2")],
    [op("sum", "$x", into="out3"), op("zero_", "$x.grad.data"), op("backward", "$out3")],
    [tensor("x", [1.0, 2.0, 3.0, 4.0], True), op("mul", 2, "$x", into="y"), op("view", "$y", 2, 2, into="z")],
    [tensor("v", [[1.0, 0.1], [0.01, 0.001]]), op("backward", "$z", "$v")],
    [
        tensor("x", 1.0, True), op("pow", "$x", 2, into="y1"), {"no_grad": [op("pow", "$x", 3, into="y2")]},
        op("add", "$y1", "$y2", into="y3"),
    ],
    [op("backward", "$y2")],
    [op("backward", "$y3")],
    [op("ones", 1, into="x", **LEAF)],
    [op("mul", 2, "$x", into="y"), op("mul_", "$x.data", 100), op("backward", "$y")],
    [op("ones", 2, 2, into="p", **LEAF), *square_mean("p", "q"), op("backward", "$q", {"tensor": 1.0})],
    [
        tensor("x", [1.0, 2.0, 3.0, 4.0], True), op("mul", 2, "$x", into="y"), tensor("w", [1.0, 0.1, 0.01, 0.001]),
        op("backward", "$y", "$w"),
    ],
    [
        op("clone", "$x.grad", into="g"), op("zero_", "$x.grad"), op("mul", 2, "$x", into="y"),
        op("mul", "$y", "$w", into="t1"), op("sum", "$t1", into="l"), op("backward", "$l"),
    ],
    [tensor("a2", [[0.5, 2.0], [-1.0, 3.0]]), *ratio("a2", "b2"), op("backward", "$b2")],
    [],  # del a, b: two DELETE requests
    [
        tensor("area", [0.5, 0.8, 1.0, 1.2, 1.5, 2.0]), tensor("age", [1.0, 0.2, 2.0, 0.5, 3.0, 1.5]),
        tensor("price", [2.0, 3.3, 3.0, 4.35, 4.0, 6.25]), tensor("w_area", 0.0, True), tensor("w_age", 0.0, True),
        tensor("b", 0.0, True),
    ],
    plain_loss(),
]  # fmt: skip
LAST: list[list[Node]] = [
    [
        op("stack", ["$area", "$age"], into="X", dim=1), op("view", "$price", -1, 1, into="Y"),
        op("zeros", 2, 1, into="W", **LEAF), op("zeros", 1, into="c", **LEAF),
    ],
]  # fmt: skip
WITHOUT_GRAD = {"no_grad": plain_loss()}
VECTOR_LOSS = [*vector_prediction("$X", "$W", "$c", "whole"), *mean_square("whole", "$Y", "full", halved=True)]
OPTIMISER = [op("zeros", 2, 1, into="W2", **LEAF), op("zeros", 1, into="c2", **LEAF)]


def programs() -> Iterator[list[Node]]:
    """The nodes of every step."""
    yield from FIRST
    for _ in range(3):
        yield from (plain_batch(0), plain_batch(2), plain_batch(4), [WITHOUT_GRAD])
    yield from LAST
    for _ in range(2):
        yield from (vector_batch(0), vector_batch(2), vector_batch(4), [{"no_grad": VECTOR_LOSS}])
    yield OPTIMISER
    for _ in range(2):
        yield from (optimiser_batch(0), optimiser_batch(2), optimiser_batch(4))
    yield [op("allclose", "$W", "$W2", into="same")]


def close(got: Any, want: Any) -> bool:
    if isinstance(want, list):
        return len(got) == len(want) and all(map(close, got, want))
    return math.isclose(got, want, rel_tol=1e-5, abs_tol=1e-6)


def check(got: Any, want: Any, where: str) -> None:
    if want is None or got is None:
        assert got is want, where
        return
    for field in ("dtype", "shape", "requires_grad", "is_leaf", "grad_fn"):
        assert got[field] == want[field], f"{where}: {field}"
    if want["data"] is not None:
        assert close(got["data"], want["data"]), f"{where}: {got['data']}, want {want['data']}"
        if "grad" in want:
            check(got["grad"], want["grad"], f"{where}.grad")


@pytest.fixture(scope="module")
def steps() -> list[Any]:
    with gzip.open(RECORDED, "rt") as file:
        return list(json.load(file)["steps"])


def test_the_seed_as_nodes_gives_what_pytorch_gives(client: Client, steps: list[Any]) -> None:
    sid = client.open()
    translated = list(programs())
    assert len(translated) == len(steps) == 51
    for number, (nodes, step) in enumerate(zip(translated, steps, strict=True)):
        answer = client("POST", f"/v1/sessions/{sid}/run", json={"nodes": nodes, "outputs": []})
        if step["error"]:
            assert (answer.status_code, answer.json()["detail"]) == (422, step["error"]["message"])
        else:
            assert answer.status_code == 200, f"step {number}: {answer.text}"
        if step["code"].startswith("del"):
            for name in ("a", "b"):
                assert client("DELETE", f"/v1/sessions/{sid}/tensors/{name}").status_code == 204
        for name, want in step["expect"].items():
            got = client("GET", f"/v1/sessions/{sid}/tensors/{name}")
            check(got.json(), want, f"step {number} ({step['section']}): {name}")
