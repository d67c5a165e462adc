"""Tensors that take another size in place."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

import engine
from engine import modes
from engine.errors import ArgumentTypeError, OpError

torch: Any = engine


@pytest.fixture(autouse=True)
def state() -> Iterator[None]:
    with modes.use(modes.State(warnings=[])):
        yield


def counted() -> Any:
    return torch.arange(6.0).reshape(2, 3)


def test_resize_shows_the_storage_in_c_order_from_the_tensors_offset() -> None:
    assert counted().resize_(2, 2).tolist() == [[0, 1], [2, 3]]
    assert counted().t().resize_(2, 3).tolist() == [[0, 1, 2], [3, 4, 5]]
    row = counted()[1:].resize_((1, 2))
    assert (row.tolist(), row.storage_offset(), row._is_view(), row._version) == ([[3, 4]], 3, True, 1)


def test_resize_to_its_own_size_changes_nothing() -> None:
    same = counted().t().resize_(3, 2)
    assert (same.stride(), same._version) == ((1, 3), 0)


def test_resize_beyond_the_storage_moves_to_a_larger_one() -> None:
    grown = counted().resize_(3, 3)
    assert (grown.tolist(), grown._version) == ([[0, 1, 2], [3, 4, 5], [0, 0, 0]], 1)


def test_views_share_what_is_written_after_a_resize_within_the_storage() -> None:
    base = counted()
    base[0].resize_(4).fill_(9)
    assert base.tolist() == [[9, 9, 9], [9, 4, 5]]


@pytest.mark.parametrize(
    ("call", "text"),
    [
        (lambda: counted().requires_grad_().resize_(2, 3), "cannot resize variables that require grad"),
        (lambda: counted().resize_(-1), "numel: integer multiplication overflow"),
        (lambda: torch.ones(2, 2, 3).fill_diagonal_(1), "all dimensions of input must be of equal length"),
        (lambda: torch.ones(3).fill_diagonal_(1), "dimensions must larger than 1"),
        (lambda: torch.ones(2, 2).fill_diagonal_(1j), "value cannot be converted to type float without overflow"),
        (lambda: torch.ones(2, 2, 2).t_(), "t_\\(\\) expects a tensor with <= 2 dimensions, but self is 3D"),
    ],
)
def test_refusals_are_pytorchs(call: Any, text: str) -> None:
    with pytest.raises(OpError, match=f"^{text}$"):
        call()


@pytest.mark.parametrize(
    ("call", "text"),
    [
        (lambda: counted().resize_("a"), "resize_(): argument 'size' (position 1) must be tuple of ints, not str"),
        (lambda: counted().fill_diagonal_("a"), "argument 'fill_value' (position 1) must be Number, not str"),
        (lambda: counted().fill_diagonal_(1, 2), "argument 'wrap' (position 2) must be bool, not int"),
    ],
)
def test_composites_check_what_they_are_given(call: Any, text: str) -> None:
    with pytest.raises(ArgumentTypeError) as caught:
        call()
    assert str(caught.value).endswith(text)


def test_fill_diagonal_wraps_in_tall_matrices() -> None:
    assert torch.zeros(4, 2).fill_diagonal_(1, wrap=True).tolist() == [[1, 0], [0, 1], [0, 0], [1, 0]]
    assert torch.zeros(2, 2, 2).fill_diagonal_(1).tolist() == [[[1, 0], [0, 0]], [[0, 0], [0, 1]]]


def test_fill_diagonal_takes_the_gradient_of_what_it_covers() -> None:
    x = torch.ones(2, 2, requires_grad=True)
    (x * 2).fill_diagonal_(5).sum().backward()
    assert x.grad.tolist() == [[0, 2], [2, 0]]
