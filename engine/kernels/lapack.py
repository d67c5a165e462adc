"""Factorisations of one matrix by SciPy's LAPACK, in half the time that NumPy's takes; those of a batch by NumPy's.

Each gives what NumPy's function of the same name does. SciPy's says by a number what went wrong; then NumPy's is asked,
which raises its own error.
"""

from __future__ import annotations

from typing import Any, Literal, TypeAlias

import numpy as np
import scipy  # loads what is used of it when it is

Array: TypeAlias = np.ndarray[Any, Any]


def routine(name: str, *arrays: Array) -> Any:
    """The routine for the dtype of the arrays."""
    return scipy.linalg.lapack.get_lapack_funcs(name, arrays)


def _is_one(*matrices: Array) -> bool:
    """Whether each is one matrix that has elements."""
    return all(one.ndim == 2 and one.size for one in matrices)


def _workspace(name: str, matrix: Array, *sizes: Any, **flags: Any) -> int:
    """How much memory, in elements, makes a routine fastest."""
    return int(routine(f"{name}_lwork", matrix)(*sizes, **flags)[0].real)


def svd(A: Array, full_matrices: bool) -> tuple[Array, ...]:
    """``U``, ``S`` and ``Vh``."""
    if _is_one(A):
        lwork = _workspace("gesdd", A, *A.shape, full_matrices=full_matrices)
        *found, info = routine("gesdd", A)(A, full_matrices=full_matrices, lwork=lwork)
        if not info:
            return tuple(found)
    return tuple(np.linalg.svd(A, full_matrices))


def eigh(A: Array, UPLO: Literal["L", "U"] = "L") -> tuple[Array, ...]:
    """Eigenvalues and eigenvectors of the Hermitian matrix that one triangle says."""
    if _is_one(A):
        values, vectors, info = routine("heevd" if A.dtype.kind == "c" else "syevd", A)(A, lower=UPLO == "L")
        if not info:
            return values, vectors
    return tuple(np.linalg.eigh(A, UPLO))


def solve(A: Array, B: Array) -> Array:
    """``X`` with ``A X = B``; ``B`` has columns."""
    if _is_one(A, B):
        result, info = routine("gesv", A, B)(A, B)[2:]
        if not info:
            return result  # type: ignore[no-any-return]
    return np.linalg.solve(A, B)


def cholesky(A: Array) -> Array:
    """The lower triangular factor of the Hermitian matrix that the lower triangle says."""
    if _is_one(A):
        factor, info = routine("potrf", A)(A, lower=True, clean=True)
        if not info:
            return factor  # type: ignore[no-any-return]
    return np.linalg.cholesky(A)


def inv(A: Array) -> Array:
    """The inverse."""
    if _is_one(A):
        factors, pivots, info = routine("getrf", A)(A)
        if not info:
            inverse, info = routine("getri", A)(
                factors, pivots, lwork=_workspace("getri", A, len(A)), overwrite_lu=True
            )
        if not info:
            return inverse  # type: ignore[no-any-return]
    return np.linalg.inv(A)
