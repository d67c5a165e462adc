"""How a limit is told: in full, with its unit, and never as a power of ten."""

import pytest

from app.limits import Limits, OverLimit, over_budget, unit_of
from engine.errors import BudgetError
from tests.app.conftest import Client


@pytest.mark.parametrize(
    ("error", "text"),
    [
        (OverLimit("tensor_elements", allowed=2**27, asked=10**12),
         "over the limit tensor_elements: 134217728 elements allowed, 1000000000000 asked"),
        (OverLimit("seconds", allowed=60.0, asked=60.0123456),
         "over the limit seconds: 60 seconds allowed, 60.012 asked"),
        (OverLimit("svg_seconds", allowed=0.00001, asked=1e22),
         "over the limit svg_seconds: 0.00001 seconds allowed, 10000000000000000000000 asked"),
        (OverLimit("rank", allowed=64, asked=65), "over the limit rank: 64 dimensions allowed, 65 asked"),
        (OverLimit("tensor_elements", allowed=1, asked=10**9999),
         "over the limit tensor_elements: 1 elements allowed, more than 2**33215 asked"),
        (over_budget(BudgetError("bytes", 2**31, 2**31 + 1)),
         "over the limit intermediate_bytes: 2147483648 bytes allowed, 2147483649 asked"),
    ],
)  # fmt: skip
def test_a_limit_is_told_in_full_and_with_its_unit(error: OverLimit, text: str) -> None:
    assert str(error) == text


def test_every_limit_has_a_unit() -> None:
    units = {unit_of(name) for name in Limits.model_fields}
    assert units == {
        "bits", "bytes", "bytes a second", "characters", "connections", "dimensions", "elements", "entries", "headers",
        "items", "iterations", "keys", "levels", "names", "nodes", "prints", "seconds", "sessions", "steps", "values",
    }  # fmt: skip


@pytest.mark.parametrize("extent", [10**6, 10**60, 10**4000])
def test_a_shape_of_any_size_is_over_the_limit(client: Client, extent: int) -> None:
    shape = f"[{', '.join([str(extent)] * 64)}]"
    body = f'{{"inputs": {{"x": {{"data": [], "shape": {shape}}}}}, "nodes": []}}'
    answer = client("POST", "/v1/evaluate", content=body, headers={"Content-Type": "application/json"})
    problem = answer.json()
    assert (answer.status_code, problem["limit"], problem["allowed"]) == (413, "tensor_elements", 2**27)
    assert problem["errors"][0]["loc"] == ["inputs", "x", "shape"]


@pytest.mark.parametrize("code", ["y = x.sum()", "y = x.sum(1)", "y = x.T.mean(0)", "y = x.amax(1)", "y = x.prod()"])
def test_reductions_of_nothing_take_nothing(client: Client, code: str) -> None:
    assert client.evaluate(code=f"x = torch.ones(0, 2**40)\n{code}")["outputs"]["y"]["shape"] in ([], [0])


def test_results_of_nothing_are_counted(client: Client) -> None:
    program = {"code": "x = torch.ones(0, 2**40)\ny = x.sum(0)"}
    refused = client("POST", "/v1/evaluate", json=program).json()
    assert (refused["limit"], refused["asked"]) == ("tensor_elements", 2**40)
