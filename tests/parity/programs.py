"""Random programs as text: straight-line statements in PyTorch's Python, made from a number alone.

No tensor library is needed to make one. What a ``Scope`` knows of its names (shape, dtype, part in the graph) is a
guess that keeps most statements valid; where it is wrong the statement is refused, which is compared like any result.
"""

from __future__ import annotations

from random import Random

from tests.parity import autograd, catalogue, inplace, leaves, operations, views
from tests.parity.program import Program
from tests.parity.scope import Maker, Scope

LEAVES = (1, 1, 2, 2, 3)
BODY = range(3, 13)
KINDS: tuple[tuple[int, Maker], ...] = (
    (24, views.statement),
    (24, inplace.statement),
    (26, operations.statement),
    (16, autograd.statement),
    (4, leaves.statement),
    (14, catalogue.statement),
)
# In front of a statement that stands alone on its line.
MODES = ("torch.no_grad()", "torch.no_grad()", "torch.no_grad()", "torch.enable_grad()", "torch.inference_mode()")


def generate(seed: int) -> Program:
    """The program of this number, the same in every process."""
    rng = Random(seed)
    scope = Scope(rng)
    statements = [leaves.statement(scope) for _ in range(rng.choice(LEAVES))]
    statements += [_statement(scope) for _ in range(rng.choice(BODY))]
    statements += [autograd.ending(scope) for _ in range(rng.choice((0, 1, 1, 2)))]
    return Program(seed, rng.random() < 0.5, tuple(statements))


def _statement(scope: Scope) -> str:
    rng = scope.rng
    mode = rng.choice(MODES) if rng.random() < 0.12 else None
    scope.recording = mode in (None, "torch.enable_grad()")
    maker = rng.choices([maker for _, maker in KINDS], [weight for weight, _ in KINDS])[0]
    statement = maker(scope)
    scope.recording = True
    return statement if mode is None or statement.startswith("with ") else f"with {mode}: {statement}"
