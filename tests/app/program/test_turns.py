"""Turns of loops that come again leave to the bit what they leave when each is carried out."""

from __future__ import annotations

from typing import Any

import pytest

from app.evaluate.execution import budget_of
from app.limits import Limits, OverLimit
from app.program import interpret, turns
from app.program.from_code import parse_code
from engine import Tensor, errors, modes

LIMITS = Limits()
HEAD = """
import torch
from torch import nn
torch.manual_seed(0)
x = torch.linspace(-1, 1, 12).reshape(6, 2)
y = x[:, 0:1] * 2 - x[:, 1:2]
w = torch.tensor([[0.5], [-0.25]], requires_grad=True)
b = torch.zeros(1, requires_grad=True)
lr = 0.1
"""
STEP = """
    loss = ((x @ w + b - y) ** 2).mean()
    loss.backward()
    with torch.no_grad():
        w -= lr * w.grad
        b -= lr * b.grad
        w.grad.zero_()
        b.grad.zero_()
"""
NET = """
net = nn.Sequential(nn.Linear(2, 8), nn.Tanh(), nn.Linear(8, 1))
opt = torch.optim.{}
for step in range(12):
    opt.zero_grad()
    loss = nn.functional.mse_loss(net(x), y)
    loss.backward()
    opt.step()
"""
REPEATING = {
    "a training by hand": f"for step in range(9):{STEP}",
    "what is read after the loop": f"for step in range(9):{STEP}print(loss, loss.grad_fn.name(), w._version, w.grad)\n",
    "names that turns bind, bound elsewhere": f"for step in range(9):{STEP}loss = 3\nprint(loss)\n",
    "a name that is gone": f"for step in range(9):{STEP}del loss\n",
    "prints now and then": f"for step in range(9):{STEP}    if step % 4 == 1:\n        print(step, loss, w)\n",
    "batches in epochs": """
for epoch in range(6):
    for i in range(0, 6, 2):
        loss = ((x[i:i + 2] @ w + b - y[i:i + 2]) ** 2).mean()
        loss.backward()
        with torch.no_grad():
            for p in (w, b):
                p -= lr * p.grad
                p.grad = None
    print(epoch, loss)
""",
    "a rate that falls": f"""
for epoch in range(3):
    lr = lr / 2
    for step in range(5):{STEP.replace(chr(10), chr(10) + "    ")}
""",
    "a write between turns": f"""
for step in range(12):{STEP}
    if step == 7:
        with torch.no_grad():
            x.mul_(0.5)
            w.add_(1)
""",
    "a list that changes": f"""
rates = [0.1]
for step in range(12):{STEP.replace("lr *", "rates[0] *")}
    if step % 5 == 4:
        rates[0] = rates[0] / 2
print(loss)
""",
    "gradients that add up": """
for step in range(9):
    loss = ((x @ w + b - y) ** 2).mean()
    loss.backward()
print(w.grad, b.grad, w.grad._version)
""",
    "functions and closures": """
def scaled(factor):
    def inner(t):
        return t * factor
    return inner
half = scaled(0.5)
def loss_of(t):
    return (half(t) ** 2).sum()
for step in range(8):
    loss = loss_of(x @ w + b - y)
    w.grad = b.grad = None
    loss.backward()
    with torch.no_grad():
        w.sub_(w.grad, alpha=lr)
print(loss, w)
""",
    "modes around": f"torch.set_grad_enabled(True)\nfor step in range(8):{STEP}with torch.no_grad():\n    print(w)\n",
    "momentum by hand": """
velocity = torch.zeros_like(w)
for step in range(8):
    loss = ((x @ w + b - y) ** 2).mean()
    loss.backward()
    with torch.no_grad():
        velocity.mul_(0.9).add_(w.grad)
        w -= lr * velocity
        w.grad = None
        b.grad = None
print(velocity, loss)
""",
    "steps of Python": f"for step in range(9):\n    n = len([one * 2 for one in range(50)])\n{STEP}",
    "Adam": NET.format("Adam(net.parameters(), lr=0.05)"),
    "AdamW": NET.format("AdamW(net.parameters(), lr=0.05, weight_decay=0.1)")
    + "print(loss.item(), opt.state_dict())\n",
    "SGD": NET.format("SGD(net.parameters(), lr=0.05, momentum=0.9, nesterov=True)") + "print(net[0].weight.grad)\n",
    "a program's module": """
class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.one = nn.Linear(2, 4)
        self.two = nn.Linear(4, 1)
    def forward(self, t):
        return self.two(torch.relu(self.one(t)))
net = Net()
opt = torch.optim.Adam(net.parameters())
for step in range(9):
    loss = ((net(x) - y) ** 2).mean()
    opt.zero_grad()
    loss.backward()
    opt.step()
    if step % 3 == 0:
        print(f"{step}: {loss.item():.6f}")
""",
}
OTHER = {
    "chance": f"for step in range(6):\n    x = torch.randn(6, 2)\n{STEP}",
    "numbers that are read": f"total = 0.0\nfor step in range(6):{STEP}    total += loss.item()\nprint(total)\n",
    "tensors in a list": f"losses = []\nfor step in range(6):{STEP}    losses.append(loss)\nprint(losses)\n",
    "the number of the turn": f"for step in range(6):\n    lr = 0.1 / (step + 1)\n{STEP}",
    "a generator": f"rates = (r / 10 for r in range(20))\nfor step in range(6):\n    lr = next(rates)\n{STEP}",
    "a graph that goes on": """
h = w
for step in range(6):
    h = h * 2 + x.sum() * 3 - b
h.sum().backward()
print(w.grad, h)
""",
    "hooks": f"seen = []\nw.register_hook(lambda g: seen.append(1))\nfor step in range(6):{STEP}print(len(seen))\n",
    "prints": f"for step in range(6):{STEP}    print(loss)\n",
    "versions": f"for step in range(6):{STEP}    v = w._version\nprint(v)\n",
    "gradients now and then": """
for step in range(12):
    loss = ((x @ w + b - y) ** 2).mean()
    loss.backward()
    if step % 3 == 2:
        with torch.no_grad():
            w -= lr * w.grad
        w.grad = b.grad = None
print(w, b.grad)
""",
    "objects": f"""
class Meter:
    def __init__(self):
        self.count = 0
meter = Meter()
for step in range(6):{STEP}    meter.count += 1
print(meter.count)
""",
    "a schedule": NET.format("SGD(net.parameters(), lr=0.5)\ns = torch.optim.lr_scheduler.StepLR(opt, 2)")
    + "    s.step()\nprint(loss, s.get_last_lr())\n",
    "seeds": f"""
for step in range(12):
    torch.manual_seed(3){STEP}
    if step % 3 == 2:
        print(torch.rand(2))
""",
    "a method of a generator": f"""
def rates():
    lr = 0.1
    while True:
        yield lr
        lr = lr / 2
def following():
    made = rates()
    made.send(None)
    return made.send
following = following()
for step in range(6):
    lr = following(None){STEP}print(lr)
""",
    "dropout": NET.format("Adam(net.parameters())").replace("nn.Tanh()", "nn.Dropout(0.5)"),
    "batch norm": NET.format("Adam(net.parameters())").replace("nn.Tanh()", "nn.BatchNorm1d(8)")
    + "print(list(net.buffers()))\n",
    "a parameter that is let go": f"""
for step in range(9):{STEP}
    if step == 5:
        b.requires_grad_(False)
        b.grad = torch.zeros(1)
""",
    "a write to a view": f"""
v = x[0]
for step in range(6):{STEP}
    with torch.no_grad():
        v += 1
print(x, loss)
""",
    "an error": f"for step in range(6):{STEP}print(loss.missing)\n",
    "an error within": f"for step in range(6):{STEP}    if step == 4:\n        loss.backward()\n",
}  # fmt: skip


def described(value: Any) -> Any:
    """A value to the bit."""
    if not isinstance(value, Tensor):
        return repr(value) if isinstance(value, (int, float, str, list)) else type(value)
    grad = None if value._grad is None else described(value._grad)
    name = None if value.grad_fn is None else value.grad_fn.name()
    array = value.array
    return (
        array.tobytes(),
        array.shape,
        array.strides,
        str(array.dtype),
        value._version,
        name,
        value.requires_grad,
        grad,
    )


def outcome(code: str, limits: Limits = LIMITS) -> tuple[Any, ...]:
    """All that a program leaves, and what it took."""
    budget = budget_of(limits)
    names: dict[str, Any] = {}
    warnings: list[str] = []
    with modes.use(modes.State(warnings=warnings, budget=budget)):
        try:
            found = interpret.run(parse_code(HEAD + code, limits), names, limits=limits)
            ended: Any = (found.prints, found.named, found.last)
        except Exception as error:
            return type(error), str(error), getattr(error, "line", None), getattr(error, "prints", None)
        parts = [p for v in names.values() for p in (v.parameters() if hasattr(v, "parameters") else [v])]
        assert modes.current().journal is None
    values = {name: described(value) for name, value in names.items()}
    return ended, values, [described(one) for one in parts], warnings, budget.spent, budget.taken


@pytest.fixture
def replays(monkeypatch: pytest.MonkeyPatch) -> list[bool]:
    """Whether turns were not carried out, one after another."""
    found: list[bool] = []
    replay = turns.Loop._replay

    def noted(self: turns.Loop, trace: Any, frame: Any) -> bool:
        found.append(replay(self, trace, frame))
        return found[-1]

    monkeypatch.setattr(turns.Loop, "_replay", noted)
    return found


def carried_out(code: str, monkeypatch: pytest.MonkeyPatch, limits: Limits = LIMITS) -> tuple[Any, ...]:
    """What a program leaves when every turn is carried out."""
    with monkeypatch.context() as patched:
        patched.setattr(turns.Turns, "begin", lambda self, run: self.body)
        return outcome(code, limits)


@pytest.mark.parametrize("name", REPEATING)
def test_turns_that_come_again_are_replayed(name: str, replays: list[bool], monkeypatch: pytest.MonkeyPatch) -> None:
    code = REPEATING[name]
    expected = carried_out(code, monkeypatch)
    assert not replays
    assert outcome(code) == expected
    assert replays
    assert all(replays)


@pytest.mark.parametrize("name", OTHER)
def test_whatever_a_turn_does_it_does_each_time(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    assert outcome(OTHER[name]) == carried_out(OTHER[name], monkeypatch)


def test_limits_hold_for_turns_that_are_replayed(replays: list[bool], monkeypatch: pytest.MonkeyPatch) -> None:
    code = f"for step in range(10 ** 5):{STEP}"
    limits = Limits(loop_iterations=500)
    found = outcome(code, limits)
    assert replays
    assert found[0] is OverLimit
    assert found == carried_out(code, monkeypatch, limits)
    limits = Limits(intermediate_bytes=300_000)
    found = outcome(code, limits)
    assert found[0] is errors.BudgetError
    assert carried_out(code, monkeypatch, limits)[0] is errors.BudgetError


def test_turns_of_sessions_are_carried_out(replays: list[bool]) -> None:
    """Their journal has to know what they write over."""
    with modes.use(modes.State(warnings=[], budget=budget_of(LIMITS), journal=modes.Journal())):
        interpret.run(parse_code(HEAD + REPEATING["a training by hand"], LIMITS), {}, limits=LIMITS)
    assert not replays
