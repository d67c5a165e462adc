"""Programs as people write them: loops beside CPython, trainings beside PyTorch, and what a first run takes."""

from __future__ import annotations

import itertools
import statistics
import time
from collections.abc import Callable
from functools import partial
from types import CodeType
from typing import Any

import torch

from app.evaluate.execution import budget_of
from app.limits import Limits
from app.program import interpret
from app.program.from_code import parse_code
from app.program.tree import Program
from bench.measure import OURS, Comparison, Fact, compare, single_threaded, timed
from engine import modes

LIMITS = Limits()
LOOPS = {
    "for": "t = 0\nfor i in range(10000):\n    t = t + i * 2\n",
    "while": "i = 0\nt = 0\nwhile i < 10000:\n    t += i\n    i += 1\n",
    "calls": "def f(a, b):\n    return a + b\nt = 0\nfor i in range(10000):\n    t = f(t, i)\n",
    "methods": """
class A:
    def __init__(self):
        self.n = 0
    def add(self, k):
        self.n += k
        return self.n
a = A()
for i in range(10000):
    t = a.add(i)
""",
    "lists": "xs = []\nt = 0\nfor i in range(10000):\n    xs.append(i)\n    t += xs[i]\n",
    "a dict": "d = {}\nfor i in range(10000):\n    k = i % 100\n    d[k] = t = d.get(k, 0) + 1\n",
    "f-strings": 'for i in range(10000):\n    t = f"{i}: {i * 0.5:.2f}"\n',
    "a comprehension": "t = [i * i for i in range(10000) if i % 2 == 0]\n",
    "a function": """
def g(n):
    t = 0
    for i in range(n):
        if i % 3 == 0:
            t += i
        else:
            t -= 1
    return t
t = g(10000)
""",
}
REGRESSION = """
import torch
area = torch.tensor([0.5, 0.8, 1.0, 1.2, 1.5, 2.0])
age = torch.tensor([1.0, 0.2, 2.0, 0.5, 3.0, 1.5])
price = torch.tensor([2.0, 3.3, 3.0, 4.35, 4.0, 6.25])
w_area = torch.tensor(0.0, requires_grad=True)
w_age = torch.tensor(0.0, requires_grad=True)
b = torch.tensor(0.0, requires_grad=True)
lr = 0.1
for epoch in range(100):
    for i in range(0, 6, 2):
        pred = w_area * area[i:i + 2] + w_age * age[i:i + 2] + b
        loss = ((pred - price[i:i + 2]) ** 2).mean()
        loss.backward()
        with torch.no_grad():
            w_area -= lr * w_area.grad
            w_age -= lr * w_age.grad
            b -= lr * b.grad
            w_area.grad.zero_()
            w_age.grad.zero_()
            b.grad.zero_()
t = [w_area.item(), w_age.item(), b.item()]
"""
CLASSIFIER = """
import torch
from torch import nn
torch.manual_seed(0)
class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.fc1 = nn.Linear(16, 64)
        self.fc2 = nn.Linear(64, 4)
    def forward(self, x):
        return self.fc2(torch.relu(self.fc1(x)))
net = Net()
opt = torch.optim.Adam(net.parameters(), lr=1e-2)
loss_fn = nn.CrossEntropyLoss()
x = torch.randn(32, 16)
y = torch.randint(0, 4, (32,))
for step in range(100):
    opt.zero_grad()
    loss = loss_fn(net(x), y)
    loss.backward()
    opt.step()
t = [loss.item()]
"""
SHORT = """
import torch
from torch import nn

class Shape:
    def __init__(self, name, *sides):
        self.name = name
        self.sides = sides
    @property
    def area(self):
        first, second = self.sides
        return first * second
    def __repr__(self):
        return f"{self.name}: {self.area:.1f}"

def scaled(shape, factor=2):
    return Shape(shape.name, *[side * factor for side in shape.sides])

shapes = [Shape("square", 2, 2), Shape("oblong", 3, 1.5)]
for shape in shapes:
    print(shape, scaled(shape))
names = {shape.name: len(shape.name) for shape in shapes}
longest = max(names, key=names.get)
assert longest in names

torch.manual_seed({seed})
x = torch.randn(8, 3)
y = x.sum(1, keepdim=True)

class Net(nn.Module):
    def __init__(self, width):
        super().__init__()
        self.first = nn.Linear(3, width)
        self.last = nn.Linear(width, 1)
    def forward(self, x):
        return self.last(torch.tanh(self.first(x)))

net = Net(4)
print(net)
opt = torch.optim.SGD(net.parameters(), lr=0.1)
for step in range(3):
    opt.zero_grad()
    loss = ((net(x) - y) ** 2).mean()
    loss.backward()
    opt.step()
    if step % 2 == 0:
        print(f"{step} {loss.item():.4f}")

w = torch.tensor([1.0, 2.0], requires_grad=True)
with torch.no_grad():
    shift = w * 2
try:
    shift.backward()
except RuntimeError as error:
    print(type(error).__name__)
total = 0.0
while total < 3:
    total += 0.5
print(total, [n for n in names if n != longest])
t = [total]
"""


def ours(program: Program) -> Any:
    """Run a program, as a request does, and return what it calls ``t``."""
    names: dict[str, Any] = {}
    with modes.use(modes.State(warnings=[], budget=budget_of(LIMITS))):
        interpret.run(program, names, limits=LIMITS)
    return names["t"]


def theirs(code: CodeType) -> Any:
    """Run it with CPython, and with PyTorch where it imports that."""
    names: dict[str, Any] = {"__name__": "program"}
    exec(code, names)
    return names["t"]


def contenders(text: str, peer: str) -> dict[str, Callable[[], Any]]:
    """Both, once they are known to give the same."""
    both = {OURS: partial(ours, parse_code(text, LIMITS)), peer: partial(theirs, compile(text, "program", "exec"))}
    found, expected = (run() for run in both.values())
    if isinstance(expected, list) and isinstance(expected[0], float):
        torch.testing.assert_close(found, expected, rtol=1e-3, atol=1e-5)
    else:
        assert found == expected, text
    return both


def first_run(seconds: float) -> Fact:
    """What a program takes that nobody has sent before: it is read, compiled and run."""
    numbers, samples = itertools.count(), []
    end = time.monotonic() + seconds
    while time.monotonic() < end or len(samples) < 10:
        text = SHORT.replace("{seed}", str(next(numbers)))
        start = time.process_time()
        ours(parse_code(text, LIMITS))
        samples.append(time.process_time() - start)
    lines = len(SHORT.strip().splitlines())
    return Fact(
        f"first run of a program of {lines} lines, read and compiled", f"{statistics.median(samples) * 1e3:.1f} ms"
    )


def run(seconds: float) -> list[Comparison | Fact]:
    share = seconds / (len(LOOPS) + 3)
    found: list[Comparison | Fact] = []
    with single_threaded():
        for name, text in LOOPS.items():
            samplers = {who: timed(call) for who, call in contenders(text, "CPython").items()}
            found += compare(f"10,000 iterations in Python alone: {name}", samplers, share)
        for case, text in (
            ("linear regression, 300 mini-batches in one program", REGRESSION),
            ("MLP 16-64-4 by nn.Module, batch 32, 100 steps of Adam in one program", CLASSIFIER),
        ):
            samplers = {who: timed(call) for who, call in contenders(text, "torch").items()}
            found += compare(case, samplers, share)
        found.append(first_run(share))
    return found
