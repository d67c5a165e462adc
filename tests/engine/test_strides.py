"""Strides and offsets of what ops make: each rule against what PyTorch 2.13 answers."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

import engine
from engine import strides
from engine.errors import OpError
from engine.plan import Plan, planned
from engine.plan.recorder import Recorder

torch: Any = engine
Case = tuple[Callable[[], Any], tuple[int, ...]]


def matrix() -> Any:
    return torch.arange(6.0).reshape(2, 3)


def column() -> Any:
    """One column, seen twice."""
    return torch.ones(3, 1).expand(3, 2)


def cube() -> Any:
    return torch.zeros(2, 3, 4).permute(2, 0, 1)


POINTWISE: dict[str, Case] = {
    "the order of one operand": (lambda: matrix().t() * 2, (1, 3)),
    "the order of the first operand before that of the second": (lambda: cube() + torch.zeros(4, 2, 3), (1, 12, 4)),
    "or the other way round": (lambda: torch.zeros(4, 2, 3) + cube(), (6, 3, 1)),
    "what is broadcast decides nothing": (lambda: torch.zeros(3) + cube(), (1, 12, 4)),
    "what is expanded decides nothing": (lambda: column() * 2, (2, 1)),
    "nor transposed": (lambda: column().t() * 2, (3, 1)),
    "nor cast to the common dtype": (lambda: column() + column().int(), (2, 1)),
    "equal strides are kept": (lambda: cube() + cube(), (1, 12, 4)),
    "a number to a power is in C order": (lambda: 2 ** torch.zeros(2, 3, dtype=torch.int16).t(), (2, 1)),
    "extents of 1 beside a number": (lambda: torch.zeros(1, 3).t() * 1, (1, 3)),
    "extents of 1 alone": (lambda: torch.zeros(1, 3).t().sin(), (1, 1)),
    "a number that is no operand": (lambda: torch.zeros(1, 3).t().clamp(min=1), (1, 1)),
    "no elements": (lambda: matrix()[2:].t() * 2, (1, 3)),
    "an op that makes its result in C order": (lambda: matrix().t().masked_fill(matrix().t() > 1, 0.0), (2, 1)),
}
COPIES: dict[str, Case] = {
    "clone keeps strides": (lambda: matrix().t().clone(), (1, 3)),
    "and those of extents of 1": (lambda: torch.zeros(1, 3).t().clone(), (1, 3)),
    "so does a cast": (lambda: torch.zeros(1, 3).t().long(), (1, 3)),
    "a clone of what is expanded": (lambda: column().clone(), (2, 1)),
    "a cast of what is expanded": (lambda: column().long(), (2, 1)),
    "zeros like what is expanded": (lambda: torch.zeros_like(column()), (2, 1)),
    "zeros like what is transposed": (lambda: torch.zeros_like(matrix().t()), (1, 3)),
    "of what has gaps the order": (lambda: torch.zeros(4, 6)[:, ::2].t().clone(), (1, 3)),
    "a sorted copy": (lambda: matrix().t().sort()[0], (1, 3)),
    "a flipped copy": (lambda: matrix().t().flip(0), (1, 3)),
    "a filled copy": (lambda: matrix().t().index_fill(0, torch.tensor([0]), 1.0), (1, 3)),
}
CONTIGUOUS: dict[str, Case] = {
    "a reshaped copy": (lambda: torch.zeros(20).as_strided((2, 2, 2, 1), (4, 3, 1, 3)).reshape(-1, 1), (1, 1)),
    "a scan": (lambda: matrix().t().cumsum(0), (2, 1)),
    "a reduction": (lambda: cube().sum(0, keepdim=True), (6, 3, 1)),
    "no elements": (lambda: torch.zeros(3, 0).sum(0, keepdim=True), (1, 1)),
}
OTHERS: dict[str, Case] = {
    "nonzero": (lambda: torch.eye(9).nonzero(), (1, 9)),
    "nonzero of nothing": (lambda: torch.zeros(3).nonzero(), (1, 0)),
    "an orthogonal factor": (lambda: torch.linalg.qr(torch.eye(3))[0], (1, 3)),
    "inverses": (lambda: torch.linalg.inv(torch.eye(3).repeat(2, 1, 1)), (9, 1, 3)),
}
VIEWS: dict[str, Case] = {
    "a new tensor without elements": (lambda: torch.tensor([]), (1,)),
    "with extents beside that of 0": (lambda: torch.zeros(2, 0, 3), (3, 3, 1)),
    "a dimension is added": (lambda: torch.zeros(1, 3).t().unsqueeze(0), (3, 1, 3)),
    "at the end": (lambda: matrix().t().unsqueeze(2), (1, 3, 1)),
    "leading extents of 1": (lambda: torch.zeros(3).expand(1, 1, 3), (3, 3, 1)),
    "of a number": (lambda: torch.zeros(()).expand(1, 1), (0, 0)),
    "a view of what has extents of 1": (lambda: torch.zeros(2, 8)[:, :1].view(2, 1, 1), (8, 1, 1)),
    "a view without elements": (lambda: torch.zeros(0, 3).view(2, 0), (1, 1)),
    "parts of nothing": (lambda: torch.view_as_real(torch.zeros(0, 2, dtype=torch.complex64)), (4, 2, 1)),
    "a diagonal beyond the end": (lambda: matrix().diagonal(5), (4,)),
}


@pytest.mark.parametrize(
    "case",
    [case for table in (POINTWISE, COPIES, CONTIGUOUS, OTHERS, VIEWS) for case in table.values()],
    ids=[name for table in (POINTWISE, COPIES, CONTIGUOUS, OTHERS, VIEWS) for name in table],
)
def test_a_result_has_the_strides_that_it_has_in_pytorch(case: Case) -> None:
    make, expected = case
    assert make().stride() == expected


def test_channels_stay_last() -> None:
    assert strides.of_pointwise((2, 1, 4, 5), (((2, 1, 4, 5), (20, 1, 5, 1)),)) == (20, 20, 5, 1)
    assert strides.of_pointwise((2, 3, 4, 5), (((2, 3, 4, 5), (60, 1, 15, 3)),)) == (60, 1, 15, 3)


@pytest.mark.parametrize(
    ("view", "offset"),
    [
        (lambda: matrix()[2:], 6),
        (lambda: matrix()[1:1], 3),
        (lambda: matrix()[2:, 1:], 7),
        (lambda: matrix()[:, 3:][1], 6),
        (lambda: matrix()[2:].t().reshape(0), 6),
        (lambda: matrix().split([2, 0])[1], 6),
        (lambda: matrix().diagonal(5), 0),
    ],
)
def test_a_view_without_elements_knows_its_place(view: Callable[[], Any], offset: int) -> None:
    assert view().storage_offset() == offset


def test_as_strided_goes_on_from_the_place_of_a_view_without_elements() -> None:
    with pytest.raises(OpError, match=r"storage offset 6, and itemsize 4 requiring a storage size of 32"):
        matrix()[2:].as_strided((2,), (1,))


def test_a_reinterpreted_view_needs_strides_that_divide() -> None:
    with pytest.raises(OpError, match=r"self\.stride\(0\) must be divisible by 2 to view Bool as Short"):
        torch.zeros(2, 3, dtype=torch.bool)[:, :2].view(torch.int16)


# -- gradients ----------------------------------------------------------------------------------------------------
def test_a_gradient_lies_as_its_leaf_does() -> None:
    leaf = matrix().t().requires_grad_()
    (leaf * torch.ones(3, 2)).sum().backward()
    assert leaf.grad.stride() == (1, 3)


def test_a_gradient_of_a_leaf_with_gaps_is_contiguous() -> None:
    leaf = torch.zeros(3, 2)[:, ::2].requires_grad_()
    (leaf * 2).sum().backward()
    assert leaf.grad.stride() == (1, 1)


def test_a_gradient_with_a_graph_lies_as_its_leaf_does() -> None:
    leaf = matrix().t().requires_grad_()
    (leaf * leaf * torch.ones(3, 2)).sum().backward(create_graph=True)
    assert leaf.grad.stride() == (1, 3)


def test_a_retained_gradient_is_contiguous() -> None:
    inner = matrix().requires_grad_().t() * 1
    inner.retain_grad()
    (inner * torch.ones(2, 3).t()).sum().backward()
    assert inner.grad.stride() == (2, 1)


def test_zeros_for_an_unused_input_lie_as_it_does() -> None:
    used, unused = torch.ones(1, requires_grad=True), matrix().t().requires_grad_()
    (zeros,) = torch.autograd.grad(used.sum(), [unused], materialize_grads=True)
    assert zeros.stride() == (1, 3)


# -- plans --------------------------------------------------------------------------------------------------------
def replayed(run: Callable[[Any], Any], leaf: Any) -> tuple[Any, Any]:
    """What a run gives, and what its plan gives for the same values."""
    with Recorder([leaf.array]) as recorder:
        result = run(leaf)
    plan = planned(recorder, [result.array])
    assert isinstance(plan, Plan)
    return result.array, plan(leaf.array.copy(order="K"))[0]


def gradient_of(leaf: Any) -> Any:
    (leaf * torch.ones(3, 2)).sum().backward()
    return leaf.grad


@pytest.mark.parametrize(
    "run",
    [
        gradient_of,
        lambda leaf: leaf[:, :1].expand(3, 2) * 2,
        lambda leaf: leaf[:, :1].expand(3, 2).clone(),
        lambda leaf: torch.zeros(3, 2) + leaf,
        lambda leaf: leaf.masked_fill(leaf > 1, 0.0),
        lambda leaf: leaf[:, :1].t().clone(),
        lambda leaf: torch.linalg.qr(leaf)[0],
    ],
)
def test_a_plan_lays_out_what_it_gives_as_the_run_did(run: Callable[[Any], Any]) -> None:
    eager, again = replayed(run, matrix().t().clone().requires_grad_())
    assert again.tolist() == eager.tolist()
    assert again.strides == eager.strides


def test_elements_at_indices_lie_as_the_dimensions_around_them() -> None:
    source = torch.arange(6).view(3, 2).t().unsqueeze(0)
    assert source[[0, 0]].stride() == (6, 1, 2)
