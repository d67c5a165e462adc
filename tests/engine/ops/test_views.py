"""Views and in-place writes: shared storage, versions, rebased histories, refusals that change nothing."""

from __future__ import annotations

from typing import Any

import pytest

import engine
from engine import modes
from engine.errors import OpError

torch: Any = engine


def tracked(count: int = 4) -> tuple[Any, Any]:
    x = torch.arange(float(count), requires_grad=True)
    return x, x * 1


def test_a_write_through_a_view_of_a_view_rebases_the_base() -> None:
    x, y = tracked(8)
    view = y.view(2, 4)[:, 1:3]
    view.zero_()
    assert y.grad_fn.name() == "torch::autograd::CopySlices"
    assert view.grad_fn.name() == "AsStridedBackward0"
    y.sum().backward()
    assert x.grad.tolist() == [1, 0, 0, 1, 1, 0, 0, 1]


def test_a_view_taken_before_a_write_to_its_base_gets_its_history_back() -> None:
    x, y = tracked()
    view = y[2:]
    y.mul_(3)
    assert view.grad_fn.name() == "AsStridedBackward0"
    view.sum().backward()
    assert x.grad.tolist() == [0, 0, 3, 3]


def test_a_write_to_a_transposed_intermediate_goes_to_the_right_elements() -> None:
    x = torch.arange(6.0, requires_grad=True)
    y = x.view(2, 3).t() * 1.0  # memory order of the transposed operand
    y[0, 1] = 10.0
    weights = torch.arange(6.0).view(3, 2)
    (y * weights).sum().backward()
    assert x.grad.tolist() == [0, 2, 4, 0, 3, 5]


def test_second_derivatives_go_through_a_written_view() -> None:
    x = torch.tensor([1.0, 2.0, 3.0], requires_grad=True)
    y = x * x
    y[0:2] = (y[0:2] * 1) * x[0:2]
    (g,) = torch.autograd.grad(y.sum(), x, create_graph=True)
    assert g.tolist() == [3.0, 12.0, 6.0]
    (h,) = torch.autograd.grad(g.sum(), x)
    assert h.tolist() == [6.0, 12.0, 2.0]


def test_a_saved_tensor_changed_in_place_is_refused_by_name_and_version() -> None:
    x = torch.tensor([1.0, 2.0], requires_grad=True)
    y = x.exp()
    y.add_(1)
    with pytest.raises(OpError, match=r"\[torch.FloatTensor \[2\]\], which is output 0 of Exp, is at version 1; exp"):
        y.sum().backward()


def test_versions_are_shared_by_detach_and_not_by_data() -> None:
    x = torch.tensor([1.0, 2.0])
    x.detach().add_(1)
    x.data.add_(1)
    assert x._version == 1
    assert x.tolist() == [3.0, 4.0]


@pytest.mark.parametrize(
    ("write", "message"),
    [
        (lambda x: x.add_(1), "a leaf Variable that requires grad is being used in an in-place operation."),
        (lambda x: x.view(2, 2).add_(1), "a view of a leaf Variable that requires grad is being used"),
        (lambda x: (x * 1).chunk(2)[0].add_(1), "Output 0 of Split is a view and is being modified inplace. This view"),
        (lambda x: x.detach().expand(2, 4).add_(1), "more than one element of the written-to tensor refers to"),
        (lambda x: x.detach().add_(torch.ones(2, 4)), r"output with shape \[4\] doesn't match the broadcast shape"),
        (lambda x: torch.arange(4).add_(0.5), "result type Float can't be cast to the desired output type Long"),
    ],
)
def test_refused_writes_change_nothing(write: Any, message: str) -> None:
    x = torch.arange(4.0, requires_grad=True)
    with pytest.raises(OpError, match=message):
        write(x)
    assert x.tolist() == [0.0, 1.0, 2.0, 3.0]
    assert x._version == 0


def test_a_view_made_without_recording_must_not_be_written_while_recording() -> None:
    _, y = tracked()
    with torch.no_grad():
        view = y[:2]
    with pytest.raises(OpError, match="A view was created in no_grad mode and is being modified inplace with grad"):
        view.add_(1)


def test_inplace_ops_remember_what_was_there() -> None:
    x = torch.tensor([0.5, 1.0], dtype=torch.float64, requires_grad=True)
    y = x * 1
    y.sin_()
    y.sum().backward()
    assert x.grad.tolist() == x.detach().cos().tolist()


def test_rolling_back_a_journal_undoes_values_histories_and_gradients() -> None:
    x, y = tracked()
    view, kept = y[1:], y.tolist()
    state = modes.current()
    state.journal = modes.Journal()
    view.mul_(5)
    y.sum().backward()
    x.requires_grad_(True)
    state.journal.rollback()
    state.journal = None
    assert y.tolist() == kept
    assert y._version == 0
    untouched = x.grad is None
    assert untouched
    assert y.grad_fn.name() == "MulBackward0"
    y.sum().backward()
    assert x.grad.tolist() == [1, 1, 1, 1]
