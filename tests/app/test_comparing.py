"""The comparison itself: what is wrong in an answer is seen, and what PyTorch leaves open is not."""

from __future__ import annotations

from copy import deepcopy
from typing import Any

import pytest

from tests.app.comparing import Answer, Record, faults, requests, values

TOLERANCE = {"rtol": 1e-7, "atol": 1e-9, "grads2": {"rtol": 1e-5, "atol": 1e-7}}


def tensor(data: Any, dtype: str = "float64", **facts: Any) -> Record:
    return {"data": data, "dtype": dtype, "shape": [len(data)], **facts}


def case(**output: Any) -> Record:
    """The square of a leaf; the output's facts can be others."""
    shown = tensor([4.0, 9.0], name="y", requires_grad=True, grad_fn="PowBackward0") | output
    node = {"id": "y", "op": "square", "args": ["$x"]}
    root = {"tensor": "y", "gradient": tensor([1.0, 1.0])}
    return {
        "request": {"inputs": {"x": tensor([2.0, 3.0])}, "nodes": [node], "outputs": ["y"], "backward": [root]},
        "expect": {"outputs": [shown], "grads": {"x": tensor([4.0, 6.0])}, "grads2": {"x": tensor([2.0, 2.0])}},
        "second_order": {"vectors": {"x": tensor([1.0, 1.0])}},
        "tolerance": TOLERANCE,
    }


def perfect(of: Record) -> list[Answer]:
    """Answers that say what the case wants, of which a test may spoil one."""
    expect = deepcopy(of["expect"])
    first = {"outputs": {output["name"]: output for output in expect["outputs"]}, "grads": expect["grads"]}
    second = {"outputs": {f"second.{place}": grad for place, grad in enumerate(expect["grads2"].values())}}
    return [Answer(200, first), Answer(200, second)]


def test_a_perfect_answer_has_no_fault() -> None:
    assert not list(faults(case(), perfect(case())))


@pytest.mark.parametrize(
    ("fact", "value"),
    [
        ("data", [4.0, 9.1]), ("data", [4.0, "NaN"]), ("data", ["Infinity", 9.0]), ("dtype", "float32"),
        ("shape", [2, 1]), ("grad_fn", "MulBackward0"), ("grad_fn", None), ("requires_grad", False),
    ],
)  # fmt: skip
def test_a_wrong_output_is_seen(fact: str, value: Any) -> None:
    answers = perfect(case())
    answers[0].body["outputs"]["y"][fact] = value
    assert len(list(faults(case(), answers))) == 1


@pytest.mark.parametrize("place", [0, 1])
def test_a_wrong_gradient_of_either_order_is_seen(place: int) -> None:
    answers = perfect(case())
    gradient = answers[0].body["grads"]["x"] if place == 0 else answers[1].body["outputs"]["second.0"]
    gradient["data"][0] += 1e-3
    assert len(list(faults(case(), answers))) == 1


def test_a_missing_gradient_and_one_too_many_are_seen() -> None:
    answers = perfect(case())
    answers[0].body["grads"]["x"] = None
    assert list(faults(case(), answers)) == ["gradient of x: null"]
    wanted = case()
    wanted["expect"]["grads"]["x"] = None
    assert list(faults(wanted, perfect(case()))) == ["gradient of x: there is one, want null"]


def test_zeros_stand_for_none_in_the_second_order_only() -> None:
    wanted, answers = case(), perfect(case())
    wanted["expect"]["grads2"]["x"] = None
    answers[1].body["outputs"]["second.0"] = tensor([0.0, 0.0])
    assert not list(faults(wanted, answers))
    wanted["expect"]["grads"]["x"] = None
    answers[0].body["grads"]["x"] = tensor([0.0, 0.0])
    assert list(faults(wanted, answers)) == ["gradient of x: there is one, want null"]


def test_a_failed_request_is_seen() -> None:
    answers = [perfect(case())[0], Answer(422, {"detail": "no such op"})]
    assert list(faults(case(), answers)) == ["status 422: no such op"]


def test_nan_and_infinity_have_to_stand_where_they_stand() -> None:
    wanted = case(data=["NaN", "-Infinity"])
    assert not list(faults(wanted, perfect(wanted)))
    answers = perfect(wanted)
    answers[0].body["outputs"]["y"]["data"] = ["NaN", "Infinity"]
    assert len(list(faults(wanted, answers))) == 1


def test_the_tolerance_grows_with_the_largest_finite_element() -> None:
    wanted = case(data=[1e6, 0.0])
    answers = perfect(wanted)
    answers[0].body["outputs"]["y"]["data"] = [1e6, 5e-4]
    assert not list(faults(wanted, answers))
    answers[0].body["outputs"]["y"]["data"] = [1e6, 5e-3]
    assert len(list(faults(wanted, answers))) == 1


def test_factors_of_a_decomposition_are_free_in_sign_or_phase() -> None:
    wanted = case(data=[[3.0, 4.0], [0.0, 1.0]], dtype="complex128", compare="abs")
    answers = perfect(wanted)
    answers[0].body["outputs"]["y"]["data"] = [[5.0, 0.0], [-1.0, 0.0]]
    assert not list(faults(wanted, answers))
    assert len(list(faults(case(data=[[3.0, 4.0], [0.0, 1.0]], dtype="complex128"), answers))) == 1
    answers[0].body["outputs"]["y"]["data"] = [[7.0, 0.0], [-1.0, 0.0]]
    assert len(list(faults(wanted, answers))) == 1
    assert not list(faults(wanted | {"expect": _skipping(wanted)}, answers))


def _skipping(of: Record) -> Record:
    expect: Record = deepcopy(of["expect"])
    expect["outputs"][0]["compare"] = "skip"
    return expect


def test_integers_are_exact() -> None:
    assert values(tensor([2**62 + 1], "int64"))[0] == 2**62 + 1
    wanted = case(data=[2**62, 1], dtype="int64")
    answers = perfect(wanted)
    answers[0].body["outputs"]["y"]["data"] = [2**62 + 1, 1]
    assert len(list(faults(wanted, answers))) == 1


@pytest.mark.parametrize(
    ("status", "exception", "detail", "count"),
    [
        (422, "RuntimeError", "no", 0),
        (422, "ValueError", "no", 1),
        (422, "RuntimeError", "No", 1),
        (200, None, None, 1),
    ],
)
def test_a_refusal_has_the_status_the_class_and_the_words(
    status: int, exception: str | None, detail: str | None, count: int
) -> None:
    wanted = {"expect": {"error": {"type": "RuntimeError", "message": "no"}}, "tolerance": TOLERANCE}
    answer = Answer(status, {"exception": exception, "detail": detail})
    assert len(list(faults(wanted, [answer]))) == count


def test_a_second_request_is_made_only_where_there_is_a_second_order() -> None:
    constant = case()
    constant["expect"]["grads2"] = None
    assert len(requests(case())) == 2
    assert requests(constant) == [constant["request"]]
