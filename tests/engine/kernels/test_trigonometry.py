"""The quick sine and cosine of many numbers, against those of the wider float where there is one."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from engine.kernels import trigonometry

Array = np.ndarray[Any, Any]
RNG = np.random.default_rng(0)
COUNT = 100_000
ARGUMENTS = {
    "small": RNG.uniform(-4, 4, COUNT),
    "large": RNG.uniform(-1e6, 1e6, COUNT),
    "huge": RNG.uniform(-1e18, 1e18, COUNT),
    "tiny": RNG.standard_normal(COUNT) * 1e-8,
    "near zeros": np.pi / 2 * RNG.integers(-6, 7, COUNT) + RNG.standard_normal(COUNT) * 1e-6,
}
WIDER = pytest.mark.skipif(np.finfo(np.longdouble).nmant <= 52, reason="long double is no wider than double")
PAIRS = [(trigonometry.sine_by_tangent, np.sin), (trigonometry.cosine_by_tangent, np.cos)]


@WIDER
@pytest.mark.parametrize("arguments", ARGUMENTS)
@pytest.mark.parametrize(("ours", "exact"), PAIRS)
def test_errors_are_below_four_units_in_the_last_place(
    arguments: str, ours: Callable[[Array], Array], exact: Callable[[Array], Array]
) -> None:
    values = ARGUMENTS[arguments]
    expected = exact(values.astype(np.longdouble))
    unit = np.spacing(np.abs(expected.astype(np.float64)))
    assert np.max(np.abs(ours(values) - expected) / unit) < 4


@pytest.mark.parametrize(("ours", "exact"), PAIRS)
def test_special_values_are_numpys(ours: Callable[[Array], Array], exact: Callable[[Array], Array]) -> None:
    values = np.array([0.0, -0.0, np.inf, -np.inf, np.nan, np.pi, -np.pi / 2, 1e22])
    with np.errstate(invalid="ignore"):
        np.testing.assert_allclose(ours(values), exact(values), rtol=1e-15, atol=0)
        np.testing.assert_array_equal(np.signbit(ours(values))[:2], np.signbit(exact(values))[:2])


@pytest.mark.parametrize("function", [trigonometry.sine, trigonometry.cosine])
def test_the_layout_changes_nothing(function: Callable[[Array], Array]) -> None:
    values = RNG.standard_normal((300, 200))
    np.testing.assert_array_equal(function(values.T), function(values).T)
    np.testing.assert_array_equal(function(values[:, ::2]), function(values)[:, ::2])


@pytest.mark.parametrize("function", [trigonometry.sine_by_tangent, trigonometry.cosine_by_tangent])
def test_neighbours_change_nothing(function: Callable[[Array], Array]) -> None:
    values = np.concatenate([ARGUMENTS["small"], ARGUMENTS["near zeros"], [np.pi, -np.pi, np.nan, np.inf]])
    near = np.abs(values) <= np.pi
    with np.errstate(invalid="ignore"):
        np.testing.assert_array_equal(function(values[near]), function(values)[near])
