"""Statements that make tensors: literals of small exact values, in every dtype, some of them not contiguous."""

from __future__ import annotations

from tests.parity.scope import COMPLEX, FLOATS, INTEGERS, SHAPES, Guess, Scope, Shape, product

DTYPES = ("float32",) * 8 + ("float64",) * 6 + FLOATS + COMPLEX + ("complex64", "bool", "int64", "int64") + INTEGERS

LONGEST = 48
USUAL = ("float32", "float32", "float64", "float64", "complex64", *DTYPES[14:])  # for the first


def statement(scope: Scope) -> str:
    """``a = torch.tensor(...)`` and its kin."""
    rng = scope.rng
    dtype, shape = rng.choice(DTYPES if scope.tensors else USUAL), rng.choice(SHAPES)
    differentiable = dtype in FLOATS or dtype in COMPLEX
    requires_grad = rng.random() < (0.02 if not differentiable else 0.75 if scope.tensors else 0.97)
    text = rng.choice(FORMS if len(shape) == 2 and product(shape) else FORMS[:3])(scope, shape, dtype)
    if requires_grad:
        text = f"{text}.requires_grad_()" if "requires_grad" not in text else text
    guess = Guess(scope.new(), shape, dtype, requires_grad, True)
    return f"{scope.bind(guess)} = {text}"


def literal(scope: Scope, shape: Shape, dtype: str) -> str:
    """Nested lists of numbers that every dtype of the kind holds exactly, no two of them equal."""
    count = product(shape)
    if dtype == "bool":
        return _nested([str(scope.chance(0.5)) for _ in range(count)], shape)
    steps = scope.rng.sample(range(-24, 48), count)
    if dtype in INTEGERS:
        return _nested([str(abs(step) if dtype == "uint8" else step // 3) for step in steps], shape)
    if dtype in COMPLEX:
        return _nested([f"{step / 8}{scope.rng.choice('+-')}{abs(step) / 16 + 0.25}j" for step in steps], shape)
    return _nested([str(step / 16) for step in steps], shape)


def _nested(words: list[str], shape: Shape) -> str:
    if not shape:
        return words[0]
    size = product(shape[1:])
    inner = [_nested(words[row * size : (row + 1) * size], shape[1:]) for row in range(shape[0])]
    return f"[{', '.join(inner)}]"


def tensor(scope: Scope, shape: Shape, dtype: str) -> str:
    """A tensor expression; one of many elements is not spelled out."""
    if product(shape) > LONGEST:
        return f"torch.ones({shape}, dtype=torch.{dtype})"
    return f"torch.tensor({literal(scope, shape, dtype)}, dtype=torch.{dtype})"


def _plain(scope: Scope, shape: Shape, dtype: str) -> str:
    return tensor(scope, shape, dtype)


def _arange(scope: Scope, shape: Shape, dtype: str) -> str:
    if dtype in COMPLEX or dtype == "bool":
        return tensor(scope, shape, dtype)
    return f"torch.arange({product(shape)}, dtype=torch.{dtype}).reshape({shape})"


def _transposed(scope: Scope, shape: Shape, dtype: str) -> str:
    return f"{tensor(scope, shape[::-1], dtype)}.t()"


def _cloned(scope: Scope, shape: Shape, dtype: str) -> str:
    return f"{tensor(scope, shape[::-1], dtype)}.t().clone()"


def _stepped(scope: Scope, shape: Shape, dtype: str) -> str:
    return f"{tensor(scope, (shape[0], 2 * shape[1]), dtype)}[:, ::2]"


def _expanded(scope: Scope, shape: Shape, dtype: str) -> str:
    return f"{tensor(scope, (1, shape[1]), dtype)}.expand({shape[0]}, {shape[1]})"


FORMS = (_plain, _plain, _arange, _transposed, _cloned, _stepped, _expanded)
