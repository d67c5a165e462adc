"""Numerical checks of derivatives: random projections and central differences, in double precision."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import compress
from typing import Any

import numpy as np

from engine import modes
from engine.autograd import sweep
from engine.tensor import Tensor, from_array, values

STEPS = 1e-6, 1e-8  # the second one for what is near a pole
RTOL, ATOL = 2e-5, 2e-6


def flat_tensors(value: Any) -> list[Tensor]:
    """The tensors in nested lists, tuples and dicts, in order."""
    if isinstance(value, Tensor):
        return [value]
    if isinstance(value, tuple | list):
        return [tensor for item in value for tensor in flat_tensors(item)]
    return [tensor for item in value.values() for tensor in flat_tensors(item)] if isinstance(value, dict) else []


def differentiable(value: Any) -> list[Tensor]:
    """Those of them that require grad."""
    return [tensor for tensor in flat_tensors(value) if tensor.requires_grad]


def _random_like(array: np.ndarray[Any, Any], rng: np.random.Generator) -> np.ndarray[Any, Any]:
    noise = rng.standard_normal(array.shape)
    if np.iscomplexobj(array):
        noise = noise + 1j * rng.standard_normal(array.shape)
    return np.asarray(noise, array.dtype)


def _inner(left: np.ndarray[Any, Any], right: np.ndarray[Any, Any]) -> float:
    """The real inner product in which PyTorch's gradients are gradients."""
    return float(np.real(np.vdot(left.ravel(), right.ravel())))


Gradients = Callable[[], Sequence[Tensor | None]]


def projected(function: Callable[[], Any], leaves: list[Tensor], rng: np.random.Generator) -> tuple[Any, Gradients]:
    """The function's outputs against random cotangents: the scalar, and its gradients as a differentiable call."""
    tracked = [out.requires_grad for out in flat_tensors(function())]
    cotangents = [_random_like(out.array, rng) for out in differentiable(function())]

    def scalar() -> float:
        with modes.no_grad():
            outputs = list(compress(flat_tensors(function()), tracked))
        return sum(_inner(c, values(out)) for c, out in zip(cotangents, outputs, strict=True))

    def gradients() -> Sequence[Tensor | None]:
        outputs = differentiable(function())
        return sweep.grad(outputs, leaves, [from_array(c) for c in cotangents], create_graph=True, allow_unused=True)

    return scalar, gradients


def assert_derivative(scalar: Callable[[], float], gradients: Sequence[Tensor | None], leaves: list[Tensor]) -> None:
    """Compare the gradients with a central difference along one random direction."""
    rng = np.random.default_rng(7)
    directions = [_random_like(leaf.array, rng) for leaf in leaves]
    analytic = sum(_inner(values(g), d) for g, d in zip(gradients, directions, strict=True) if g is not None)
    found = []
    for step in STEPS:
        numeric = _central_difference(scalar, leaves, directions, step)
        if abs(analytic - numeric) <= (ATOL + RTOL) * max(abs(analytic), abs(numeric), 1.0):
            return
        found.append(numeric)
    raise AssertionError(f"gradient {analytic}, difference quotients {found}")


def _central_difference(
    scalar: Callable[[], float], leaves: list[Tensor], directions: list[np.ndarray[Any, Any]], step: float
) -> float:
    originals = [leaf.array.copy() for leaf in leaves]
    found = []
    for sign in (1.0, -1.0):
        for leaf, original, direction in zip(leaves, originals, directions, strict=True):
            leaf.array[...] = original + sign * step * direction
        found.append(scalar())
    for leaf, original in zip(leaves, originals, strict=True):
        leaf.array[...] = original
    return (found[0] - found[1]) / (2 * step)


def gradcheck(function: Callable[[], Any], leaves: list[Tensor]) -> None:
    """First derivatives of ``function`` with respect to ``leaves`` against difference quotients."""
    scalar, gradients = projected(function, leaves, np.random.default_rng(3))
    assert_derivative(scalar, gradients(), leaves)


def gradgradcheck(function: Callable[[], Any], leaves: list[Tensor]) -> None:
    """Second derivatives: the gradients' own gradients against difference quotients of the gradients."""
    _, first = projected(function, leaves, np.random.default_rng(3))
    scalar, second = projected(lambda: [g for g in first() if g is not None], leaves, np.random.default_rng(5))
    if differentiable([g for g in first() if g is not None]):
        assert_derivative(_reprojected(first, scalar), second(), leaves)


def _reprojected(first: Gradients, scalar: Callable[[], float]) -> Callable[[], float]:
    """The scalar of the gradients; they need a tape of their own although the projection is taken without one."""
    rng = np.random.default_rng(5)
    cotangents = [_random_like(g.array, rng) for g in first() if g is not None and g.requires_grad]

    def value() -> float:
        tracked = [g for g in first() if g is not None]
        pairs = zip(cotangents, [g for g in tracked if g.requires_grad], strict=True)
        return sum(_inner(c, values(g)) for c, g in pairs)

    return value
