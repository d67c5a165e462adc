"""Optimisers: every one descends, refuses what PyTorch refuses, and steps back when a run is undone."""

from __future__ import annotations

from typing import Any

import pytest

import engine
from engine import modes
from engine.errors import ArgumentTypeError, ArgumentValueError

torch: Any = engine
NAMES = ["SGD", "Adam", "AdamW", "Adamax", "NAdam", "Adagrad", "Adadelta", "RMSprop"]


def loss_of(w: Any) -> Any:
    return ((w - 3.0) ** 2).sum()


@pytest.mark.parametrize("name", NAMES)
def test_every_optimiser_descends(name: str) -> None:
    w = torch.tensor([1.0, -2.0], requires_grad=True)
    optimiser = getattr(torch.optim, name)([w])
    start = loss_of(w).item()
    for _ in range(5):
        optimiser.zero_grad()
        loss_of(w).backward()
        optimiser.step()
    assert loss_of(w).item() < start
    assert w.is_leaf


@pytest.mark.parametrize("name", NAMES)
def test_a_step_is_undone_with_its_run(name: str) -> None:
    w = torch.tensor([1.0, -2.0], requires_grad=True)
    optimiser = getattr(torch.optim, name)([w])
    loss_of(w).backward()
    optimiser.step()
    values = w.tolist()
    state = modes.current()
    state.journal = modes.Journal()
    optimiser.step()
    optimiser.zero_grad()
    state.journal.rollback()
    state.journal = None
    assert w.tolist() == values
    again = getattr(torch.optim, name)([twin := torch.tensor([1.0, -2.0], requires_grad=True)])
    for one, tensor in ((optimiser, w), (again, twin)):
        for _ in range(1 if one is optimiser else 2):
            tensor.grad = torch.tensor([-4.0, -10.0])  # the same for both: that of the start
            one.step()
    assert w.tolist() == twin.tolist()


@pytest.mark.parametrize(
    ("make", "error", "message"),
    [
        (lambda w: torch.optim.SGD([], lr=0.1), ArgumentValueError, "optimizer got an empty parameter list"),
        (lambda w: torch.optim.SGD([w], lr=-1.0), ArgumentValueError, "Invalid learning rate: -1.0"),
        (lambda w: torch.optim.SGD([w * 2]), ArgumentValueError, "can't optimize a non-leaf Tensor"),
        (lambda w: torch.optim.SGD(w), ArgumentTypeError, "should be an iterable of Tensors or dicts, but got torch.F"),
        (lambda w: torch.optim.SGD([1.0]), ArgumentTypeError, "one of the params is float"),
        (lambda w: torch.optim.Adam([w], betas=(1.0, 0.9)), ArgumentValueError, "Invalid beta parameter at index 0"),
    ],
)
def test_wrong_settings_are_refused(make: Any, error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        make(torch.tensor([1.0], requires_grad=True))


def test_a_schedule_changes_the_rate() -> None:
    optimiser = torch.optim.SGD([torch.tensor([1.0], requires_grad=True)], lr=1.0)
    schedule = torch.optim.lr_scheduler.StepLR(optimiser, step_size=2, gamma=0.5)
    rates = []
    for _ in range(4):
        schedule.step()
        rates += schedule.get_last_lr()
    assert rates == [1.0, 0.5, 0.5, 0.25]


def test_gradients_are_clipped_together() -> None:
    w = torch.tensor([3.0, 4.0], requires_grad=True)
    w.grad = torch.tensor([3.0, 4.0])
    assert torch.nn.utils.clip_grad_norm_([w], 1.0).item() == 5.0
    assert sum(g * g for g in w.grad.tolist()) == pytest.approx(1.0, rel=1e-5)
