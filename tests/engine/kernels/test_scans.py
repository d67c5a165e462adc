"""Running sums in two levels are those of one, along every axis, from either end."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from engine.kernels import scans


def expected(values: np.ndarray[Any, Any], axis: int, reverse: bool) -> np.ndarray[Any, Any]:
    if reverse:
        return np.flip(np.cumsum(np.flip(values, axis), axis, np.float64), axis)
    return np.cumsum(values, axis, np.float64)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("reverse", [False, True])
@pytest.mark.parametrize(("shape", "axis"), [((70, 100), 1), ((3, 1000, 7), 1), ((5000,), 0), ((400, 33), 0)])
def test_sums_along_an_axis(shape: tuple[int, ...], axis: int, reverse: bool, dtype: Any) -> None:
    values = np.random.default_rng(0).standard_normal(shape).astype(dtype)
    found = scans.sums(values, axis, reverse)
    assert found.dtype == dtype
    np.testing.assert_allclose(found, expected(values, axis, reverse), rtol=1e-6, atol=1e-5)


@pytest.mark.parametrize("reverse", [False, True])
def test_what_is_not_finite_stays_where_it_is(reverse: bool) -> None:
    values = np.ones((80, 100), np.float32)
    values[3, 50], values[70, 20] = np.inf, np.nan
    np.testing.assert_array_equal(scans.sums(values, 1, reverse), expected(values, 1, reverse).astype(np.float32))


def test_nothing_has_no_sums() -> None:
    assert scans.sums(np.zeros((0, 100)), 1).shape == (0, 100)
    assert scans.products(np.zeros((4, 0)), 1).shape == (4, 0)
