"""Matrices of lines, with their zeros and without: the same sums, and what is not finite in its own sums alone."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from engine.kernels import resampling

LINES = [
    ("average", 9, 5, 3, 2, 1, 0.0), ("adaptive", 9, 4), ("nearest", 9, 12, 0.0, False), ("linear", 9, 18, 2.0, False),
    ("cubic", 9, 7, 0.0, True), ("filtered", 9, 4, 0.0, False, "linear"),
]  # fmt: skip


@pytest.mark.parametrize("line", LINES, ids=lambda line: line[0])
@pytest.mark.parametrize("adjoint", [False, True])
def test_both_products_give_the_same_sums(line: Any, adjoint: bool) -> None:
    lines = (line, ("adaptive", 6, 3))
    extents = [one[2] if adjoint else one[1] for one in lines]
    array = np.random.default_rng(0).standard_normal((2, 3, *extents))
    assert all(map(resampling.is_dense, lines))
    found = resampling.apply(array, lines, adjoint)
    np.testing.assert_allclose(found, resampling._sparse(array, lines, adjoint).reshape(found.shape), rtol=1e-12)


def test_what_is_not_finite_shows_in_its_own_sums() -> None:
    array = np.ones((1, 8, 8), np.float32)
    array[0, 0, 0], array[0, 7, 7] = np.nan, np.inf
    found = resampling.apply(array, (("adaptive", 8, 2), ("adaptive", 8, 2)))
    np.testing.assert_array_equal(found, [[[np.nan, 1], [1, np.inf]]])


def test_matrices_of_mostly_zeros_are_not_multiplied_with_them() -> None:
    line = ("nearest", 1000, 1000, 0.0, False)
    assert not resampling.is_dense(line)
    array = np.random.default_rng(0).standard_normal((2, 1000)).astype(np.float32)
    np.testing.assert_array_equal(resampling.apply(array, (line,)), array)
