"""The exponential of matrices: one by SciPy (A. Al-Mohy and N. Higham, 2009), many small ones together."""

from __future__ import annotations

from typing import Any, TypeAlias

import numpy as np
import scipy  # loads what is used of it when it is

from engine.kernels import lapack

Array: TypeAlias = np.ndarray[Any, Any]
MANY = 4  # times its extent: as many matrices are faster together than one by one
# Degree and bound of the norm of N. Higham, "The scaling and squaring method for the matrix exponential revisited"
# (2005), table 2.3; coefficients of equation 2.2, of the numerator from the lowest.
BOUND = 5.371920351148152
COEFFICIENTS = (
    64764752532480000.0, 32382376266240000.0, 7771770303897600.0, 1187353796428800.0, 129060195264000.0,
    10559470521600.0, 670442572800.0, 33522128640.0, 1323241920.0, 40840800.0, 960960.0, 16380.0, 182.0, 1.0,
)  # fmt: skip


def exponential(matrices: Array) -> Array:
    """``exp`` of finite square matrices."""
    n = matrices.shape[-1]
    if not matrices.size:
        return matrices.copy()
    if matrices.size <= MANY * n**3:
        return np.asarray(scipy.linalg.expm(matrices), matrices.dtype)
    wide = matrices.astype(np.result_type(matrices.dtype, np.float64))
    return _together(wide).astype(matrices.dtype, copy=False)


def _together(matrices: Array) -> Array:
    norms = np.abs(matrices).sum(-2).max(-1)
    halvings = np.ceil(np.log2(np.maximum(norms / BOUND, 1)))
    A = matrices / np.exp2(halvings)[..., None, None]
    eye = np.eye(A.shape[-1], dtype=A.dtype)
    powers = [eye, A @ A]
    powers += [powers[1] @ powers[1]]
    powers += [powers[1] @ powers[2]]
    odd, even = (
        powers[3] @ _sum(COEFFICIENTS[start + 8 :: 2], powers[1:]) + _sum(COEFFICIENTS[start : start + 8 : 2], powers)
        for start in (1, 0)
    )
    odd = A @ odd
    result = lapack.solve(even - odd, even + odd)
    for squaring in range(int(halvings.max())):
        todo = halvings > squaring
        result[todo] = result[todo] @ result[todo]
    return np.asarray(result)


def _sum(coefficients: tuple[float, ...], powers: list[Array]) -> Any:
    return sum(factor * power for factor, power in zip(coefficients, powers, strict=True))
