"""Cotangents whose memory a sweep uses again: only those that nobody else can see."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import engine
from engine import modes
from engine.autograd import reuse, tape
from engine.op import dispatch
from engine.tensor import make_tensor

torch: Any = engine


def shares(one: Any, other: Any) -> bool:
    return np.may_share_memory(one.array, other.array)


def leaf() -> Any:
    return torch.tensor([1.0, 2.0], requires_grad=True)


@pytest.fixture(autouse=True, params=["short", "long"])
def length(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of what is long enough to be added to in its place: two elements, too."""
    if request.param == "long":
        monkeypatch.setattr(reuse, "LONG", 0)


def test_the_first_gradient_is_taken_over_where_nobody_else_has_it(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> Any:
        raise AssertionError("copied")

    monkeypatch.setattr(tape, "_own", refuse)
    x = leaf()
    (x * x * 3).sum().backward()
    assert x.grad.tolist() == [6.0, 12.0]


def test_leaves_that_get_one_cotangent_have_gradients_of_their_own() -> None:
    a, b = leaf(), leaf()
    ((a + b) * 2).sum().backward()
    assert not shares(a.grad, b.grad)
    a.grad.mul_(10)
    assert b.grad.tolist() == [2.0, 2.0]


def test_a_cotangent_that_a_program_has_is_copied() -> None:
    x, weights = leaf(), torch.tensor([5.0, 7.0])
    x.clone().backward(weights)
    assert not shares(x.grad, weights)
    y = leaf()
    y.backward(weights)
    assert not shares(y.grad, weights)


def test_what_hooks_keep_is_no_gradient() -> None:
    x = leaf()
    kept: list[Any] = []
    x.register_hook(kept.append)
    (x * 3).sum().backward()
    x.grad.zero_()
    assert kept[0].tolist() == [3.0, 3.0]


def test_what_hooks_of_nodes_keep_is_not_added_to() -> None:
    x = leaf()
    kept: list[Any] = []
    y = x * 1
    first, second = y * 2, y * 3
    for one in (first, second):
        one.grad_fn.register_hook(lambda grad_inputs, grad_outputs: kept.append(grad_inputs[0]))
    (first + second).sum().backward()
    assert [one.tolist() for one in kept] == [[3.0, 3.0], [2.0, 2.0]]
    assert x.grad.tolist() == [5.0, 5.0]


def test_a_saved_tensor_is_not_added_to() -> None:
    x = leaf()
    y = x.exp()
    (y * y + y).sum().backward(retain_graph=True)
    once = x.grad.tolist()
    x.grad = None
    (y * y + y).sum().backward()
    assert x.grad.tolist() == once


def test_a_gradient_of_another_layout_is_copied_into_that_of_its_leaf() -> None:
    x = torch.zeros(2, 3).t().detach().requires_grad_()
    (x * torch.ones(3, 2)).sum().backward()
    assert x.grad.stride() == x.stride()


def test_captured_cotangents_are_not_taken_over() -> None:
    x = leaf()
    y = x * 2
    (captured,) = torch.autograd.grad((y * 3).sum(), y, retain_graph=True)
    (y * 3).sum().backward()
    x.grad.zero_()
    assert captured.tolist() == [3.0, 3.0]


def test_what_nobody_has_is_added_to_in_its_place(monkeypatch: pytest.MonkeyPatch) -> None:
    x = leaf()
    places: list[int] = []
    y = x * 1
    original = reuse.add

    def add(row: list[Any], number: int, cotangent: Any) -> None:
        places.append(row[number].array.ctypes.data)
        original(row, number, cotangent)
        places.append(row[number].array.ctypes.data)

    monkeypatch.setattr(reuse, "add", add)
    monkeypatch.setattr(reuse, "LONG", 0)
    (y * y).sum().backward()
    assert places[0] == places[1]
    assert x.grad.tolist() == [2.0, 4.0]


def alone(make: Callable[[], Any]) -> bool:
    """Whether nobody else has what is made, nor its memory."""
    return reuse.is_alone([make_tensor(make())], 0, modes.current())


def test_memory_in_another_shape_belongs_to_all_that_show_it() -> None:
    kept = np.empty((2, 3))
    row = np.empty((2, 3))[0]
    assert alone(lambda: np.empty((2, 3)).reshape(6))
    assert not alone(lambda: kept.reshape(6))
    assert not alone(lambda: row.base.reshape(6))


def test_a_part_of_memory_is_not_taken_over() -> None:
    assert not alone(lambda: np.empty((2, 3))[0])


def test_results_that_show_memory_of_operands_are_copied() -> None:
    source = np.arange(6.0)
    own = source * 2
    for sources in ([source], [source.reshape(2, 3)], [own, source]):
        assert dispatch.owned(own.reshape(3, 2)[...], [source]).base is own
        assert not np.may_share_memory(dispatch.owned(source.reshape(3, 2), sources), source)
        assert not np.may_share_memory(dispatch.owned(source, [*sources, source]), source)
    assert dispatch.owned(own.reshape(2, 3)[:, :2], [source]).flags.c_contiguous
