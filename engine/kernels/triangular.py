"""Systems of triangular matrices, and of batches of them, by substitution."""

from __future__ import annotations

from typing import Any, TypeAlias

import numpy as np

from engine.kernels.lapack import routine

Array: TypeAlias = np.ndarray[Any, Any]


def substituted(A: Array, B: Array, upper: bool, unitriangular: bool) -> Array:
    """``X`` with ``A X = B``: one matrix by LAPACK, a batch row by row of all its matrices."""
    batch = np.broadcast_shapes(A.shape[:-2], B.shape[:-2])
    if not batch and A.size and B.size:
        by_rows = A.flags.c_contiguous  # LAPACK reads columns
        given = A.T if by_rows else A
        X, info = routine("trtrs", A, B)(given, B, lower=upper == by_rows, trans=by_rows, unitdiag=unitriangular)
        if not info:  # else there is a 0 on the diagonal
            return X  # type: ignore[no-any-return]
    n = A.shape[-1]
    result = np.array(np.broadcast_to(B, (*batch, *B.shape[-2:])), order="C")
    for i in reversed(range(n)) if upper else range(n):
        known = slice(i + 1, n) if upper else slice(0, i)
        row = result[..., i, :] - np.matmul(A[..., i, None, known], result[..., known, :])[..., 0, :]
        result[..., i, :] = row if unitriangular else row / A[..., i, i, None]
    return result
