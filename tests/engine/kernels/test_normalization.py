"""Channels are standardised as by double precision: few or many, and however far their means are from zero."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from engine.kernels import normalization as kernels
from engine.kernels.rows import BLOCK

Array = np.ndarray[Any, Any]
SHORT, LONG = (3, 2, 3, 5), (6, 2, 4, BLOCK // 32)


def drawn(shape: tuple[int, ...], offset: float) -> list[Array]:
    """Cotangents, inputs, scales and shifts."""
    rng = np.random.default_rng(0)
    own = (1, *shape[1:3], 1)
    values = [rng.standard_normal(size).astype(np.float32) for size in (shape, shape, own, own)]
    values[1] += np.float32(offset)
    return values


def expected(grad: Array, input: Array, weight: Array, bias: Array, pooled: int) -> tuple[Array, ...]:
    """Results and cotangents from their formulas."""
    g, x, w = grad.astype(np.float64), input.astype(np.float64), weight.astype(np.float64)
    axes = (pooled, 3)
    rstd = 1 / np.sqrt(x.var(axes, keepdims=True) + 1e-5)
    normal = (x - x.mean(axes, keepdims=True)) * rstd
    along = [(g * w * one).mean(axes, keepdims=True) for one in (1, normal)]
    pulled = rstd * (g * w - along[0] - normal * along[1])
    return normal * w + bias, pulled, (g * normal).sum((0, 3)), g.sum((0, 3))


@pytest.mark.parametrize("pooled", [0, 2])
@pytest.mark.parametrize("shape", [SHORT, LONG])
@pytest.mark.parametrize("offset", [0.0, 3.0, 300.0])
def test_channels_and_their_adjoint(shape: tuple[int, ...], pooled: int, offset: float) -> None:
    grad, input, weight, bias = drawn(shape, offset)
    out, mean, rstd = kernels.of_channels(input, weight, bias, pooled, 1e-5)
    pulled, by_weight, by_bias = kernels.channels_adjoint(grad, input, weight, mean, rstd, pooled)
    size = shape[0] * shape[3]
    digits = 1e-5 * max(offset, 1)  # those that the input has
    for found, wanted, scale in zip(
        (out, pulled, by_weight, by_bias), expected(grad, input, weight, bias, pooled), (1, 1, size, size), strict=True
    ):
        np.testing.assert_allclose(found, wanted, rtol=1e-4, atol=digits * np.sqrt(scale))


@pytest.mark.parametrize("pooled", [0, 2])
def test_what_is_not_finite_stays_in_its_channel(pooled: int) -> None:
    _, input, weight, bias = drawn(LONG, 0)
    input[0, 0, 0, 0] = np.inf
    out, _, _ = kernels.of_channels(input, weight, bias, pooled, 1e-5)
    spoilt = np.isnan(out).any((0, 3) if pooled == 0 else (2, 3))
    assert spoilt.flat[0]
    assert spoilt.sum() == 1


def test_expanded_cotangents_are_those_of_copies() -> None:
    grad, input, weight, bias = drawn(LONG, 0)
    grad = np.broadcast_to(grad[:1, :1, :1, :1], input.shape)
    _, mean, rstd = kernels.of_channels(input, weight, bias, 2, 1e-5)
    for one, other in zip(
        kernels.channels_adjoint(grad, input, weight, mean, rstd, 2),
        kernels.channels_adjoint(grad.copy(), input, weight, mean, rstd, 2),
        strict=True,
    ):
        np.testing.assert_array_equal(one, other)
