"""Systems of triangular matrices, and of batches of them, by substitution."""

from __future__ import annotations

from typing import Any, TypeAlias

import numpy as np
import scipy  # loads what is used of it when it is

Array: TypeAlias = np.ndarray[Any, Any]


def substituted(A: Array, B: Array, upper: bool, unitriangular: bool) -> Array:
    """``X`` with ``A X = B``: one matrix by LAPACK, a batch row by row of all its matrices."""
    batch = np.broadcast_shapes(A.shape[:-2], B.shape[:-2])
    if not batch and A.size and B.size and (unitriangular or not _is_singular(A)):
        trtrs: Any = scipy.linalg.lapack.get_lapack_funcs("trtrs", (A, B))
        return np.ascontiguousarray(trtrs(A, B, lower=not upper, unitdiag=unitriangular)[0])
    n = A.shape[-1]
    result = np.array(np.broadcast_to(B, (*batch, *B.shape[-2:])), order="C")
    for i in reversed(range(n)) if upper else range(n):
        known = slice(i + 1, n) if upper else slice(0, i)
        row = result[..., i, :] - np.matmul(A[..., i, None, known], result[..., known, :])[..., 0, :]
        result[..., i, :] = row if unitriangular else row / A[..., i, i, None]
    return result


def _is_singular(A: Array) -> bool:
    return not np.diagonal(A).all()
