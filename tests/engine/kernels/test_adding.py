"""Slices that a sparse matrix adds up are those that ``np.add.at`` adds, to the bit."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from engine.kernels import adding

CASES = [((0,), (200,)), ((1,), (20, 10)), ((0, 1), (100,)), ((0, 2), (100,)), ((1, 2), (7, 9)), ((2,), (33,))]


@pytest.mark.parametrize(("dims", "size"), CASES)
def test_sums_of_slices(dims: tuple[int, ...], size: tuple[int, ...]) -> None:
    rng, shape = np.random.default_rng(0), (50, 40, 30)
    indices = [rng.integers(-shape[dim], shape[dim], size) for dim in dims]
    key: Any = tuple(indices[dims.index(dim)] if dim in dims else slice(None) for dim in range(3))
    expected = np.zeros(shape, np.float32)
    values = rng.standard_normal(expected[key].shape).astype(np.float32)
    np.add.at(expected, key, values)
    np.testing.assert_array_equal(adding.summed_at(shape, dims, indices, values), expected)
