"""Statements that call any op of the catalogue: recorded calls and variations of them, among the names of a program."""

from __future__ import annotations

from functools import cache

from tests.parity.calls import Call, expression, recorded, tensor
from tests.parity.scope import COMPLEX, FLOATS, LARGEST, Guess, Scope
from tests.parity.variations import varied

LEFT_OUT = ("matrix_exp", "cholesky_inverse")  # of most operands their numbers say little
SHARE = 0.5  # of the operands that are tensors of the program, where one fits


def statement(scope: Scope) -> str:
    """``a = torch.tensor(...); b = torch.nn.functional.softplus(a)``."""
    op = scope.rng.choice(sorted(_plain()))
    call = varied(scope.rng.choice(_plain()[op]), scope.rng, scope.rng.choice((0, 0, 1, 1, 2)))
    statements, names = [], {}
    for name, operand in call.operands.items():
        known = [guess for guess in scope.tensors if guess.shape == operand.shape and guess.dtype == operand.dtype]
        if known and scope.chance(SHARE):
            names[name] = scope.rng.choice(known)
            continue
        names[name] = Guess(scope.new(), operand.shape, operand.dtype, operand.requires_grad, True)
        statements.append(f"{scope.bind(names[name])} = {tensor(operand)}")
    tracked = any(guess.requires_grad for guess in names.values()) and call.dtype in (*FLOATS, *COMPLEX)
    text = expression(call.renamed({name: guess.name for name, guess in names.items()}), call.place)
    result = Guess(scope.new(), call.shape, call.dtype, tracked and scope.recording)
    return "; ".join([*statements, f"{scope.bind(result)} = {text}"])


@cache
def _plain() -> dict[str, list[Call]]:
    """Calls that stand alone, of few elements, whose results are not fixed up to a choice."""
    found = {
        op: [call for call in calls if len(call.nodes) == 1 and not call.gauge and _size(call) <= LARGEST]
        for op, calls in recorded().items()
        if op not in LEFT_OUT and not op.startswith("_unsafe")
    }
    return {op: calls for op, calls in found.items() if calls}


def _size(call: Call) -> int:
    return max((operand.values.size for operand in call.operands.values()), default=0)
