"""Small parameters that are moved as one end where each ends by itself, to the bit."""

from __future__ import annotations

from typing import Any

import pytest

import engine
from engine import Tensor
from engine.optim import joining

OPTIMIZERS: dict[str, dict[str, Any]] = {
    "Adam": {"lr": 0.05, "weight_decay": 0.1, "amsgrad": True}, "AdamW": {"lr": 0.05}, "Adamax": {}, "NAdam": {},
    "RAdam": {"lr": 0.1}, "SGD": {"lr": 0.1}, "Adagrad": {}, "Adadelta": {},
    "RMSprop": {"momentum": 0.5, "centered": True},
}  # fmt: skip
MORE: tuple[tuple[str, dict[str, Any]], ...] = (
    ("SGD", {"lr": 0.1, "momentum": 0.9, "nesterov": True, "maximize": True}),
    ("SGD", {"lr": 0.1, "momentum": 0.5, "dampening": 0.2, "weight_decay": 0.01}),
    ("AdamW", {"lr": 0.01, "amsgrad": True, "maximize": True}),
)


def bits(tensor: Tensor) -> tuple[Any, ...]:
    return tensor.numpy().tobytes(), tensor.shape, str(tensor.dtype), tensor._version


def trained(name: str, settings: dict[str, Any], change: str) -> list[Any]:
    """Parameters and what is remembered of them after some steps."""
    engine.manual_seed(0)
    params = [engine.randn(shape).requires_grad_() for shape in ((3, 5), (5,), (), (2, 2, 2), (130, 130), (0,))]
    params.append(engine.randn(4, dtype=engine.float64).requires_grad_())
    params.append(engine.randn(5, 3).t().detach().requires_grad_())
    optimizer: Any = getattr(engine.optim, name)(params, **settings)
    for step in range(6):
        optimizer.zero_grad()
        used = params if change != "some without gradients" or step % 2 else params[:2]
        loss: Any = sum((one.double() ** 2 * (step + 1)).sum() for one in used)
        loss.backward()
        if change == "a state of its own" and step == 3:
            optimizer.state.pop(params[1], None)
        optimizer.step()
    found: list[Any] = [bits(one.detach()) for one in params]
    for param in params:
        state = optimizer.state.get(param, {})
        found.append({key: bits(one) if isinstance(one, Tensor) else one for key, one in state.items()})
    return found


@pytest.mark.parametrize("change", ["nothing", "some without gradients", "a state of its own"])
@pytest.mark.parametrize(("name", "settings"), [*OPTIMIZERS.items(), *MORE])
def test_a_joined_step_has_the_bits_of_single_ones(
    name: str, settings: dict[str, Any], change: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    joined: list[int] = []
    move = joining._move

    def noted(optimizer: Any, group: Any, together: Any) -> None:
        joined.append(len(together))
        move(optimizer, group, together)

    monkeypatch.setattr(joining, "_move", noted)
    found = trained(name, settings, change)
    assert joined
    monkeypatch.setattr(joining, "SMALL", -1)
    joined.clear()
    assert trained(name, settings, change) == found
    assert not joined


def test_what_a_journal_has_to_put_back_is_moved_singly(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(joining, "_move", lambda *args: pytest.fail("joined"))
    journal = engine.modes.Journal()
    param, other = engine.ones(2, requires_grad=True), engine.ones(3, requires_grad=True)
    optimizer: Any = engine.optim.SGD([param, other], lr=1.0)
    with engine.modes.use(engine.modes.State(journal=journal)):
        (param.sum() + other.sum()).backward()
        optimizer.step()
        assert param.tolist() == [0.0, 0.0]
        journal.rollback()
    assert param.tolist() == [1.0, 1.0]


def test_operators_named_elementwise_are_all_tried() -> None:
    kinds = {name for name in dir(engine.optim) if getattr(getattr(engine.optim, name), "_is_elementwise", False)}
    assert kinds == set(OPTIMIZERS)
