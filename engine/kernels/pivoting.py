"""Factorisations with exchanged rows: LU, and LDL^H by Bunch and Kaufman, and what their pivots mean.

Pivots are LAPACK's: row ``i`` was exchanged with row ``pivots[i]``, counted from 1, one after another.
"""

from __future__ import annotations

from math import prod
from typing import Any, TypeAlias

import numpy as np
import scipy  # loads what is used of it when it is

Array: TypeAlias = np.ndarray[Any, Any]
Factors: TypeAlias = tuple[Array, Array, Array]  # packed matrices, pivots, and LAPACK's codes
MANY = 4  # times its extent: as many matrices are eliminated faster together than one by one by LAPACK


def lu(matrices: Array) -> Factors:
    """``L`` below the diagonal, ``U`` above and on it; the code is the place of the first pivot that is 0."""
    *batch, m, n = matrices.shape
    packed = matrices.reshape(prod(batch), m, n).copy()
    pivots = np.empty((len(packed), min(m, n)), np.int32)
    info = np.zeros(len(packed), np.int32)
    if len(packed) > MANY * min(m, n):
        _eliminate(packed, pivots, info)
    elif packed.size:
        getrf: Any = scipy.linalg.lapack.get_lapack_funcs("getrf", (packed,))
        for place, matrix in enumerate(packed):
            packed[place], pivots[place], info[place] = getrf(matrix)
        pivots += 1
    return packed.reshape(matrices.shape), pivots.reshape(*batch, min(m, n)), info.reshape(batch)


def _eliminate(packed: Array, pivots: Array, info: Array) -> None:
    """Gauss' elimination of all matrices at once. As in LAPACK, sizes of complex numbers are those of their parts."""
    every = np.arange(len(packed))
    for j in range(pivots.shape[1]):
        column = packed[:, j:, j]
        sizes = np.abs(column.real) + np.abs(column.imag) if np.iscomplexobj(packed) else np.abs(column)
        chosen = sizes.argmax(-1) + j
        pivots[:, j] = chosen + 1
        packed[every, j], packed[every, chosen] = packed[every, chosen], packed[every, j]
        pivot = packed[:, j, j, None]
        is_zero = pivot[:, 0] == 0
        info[is_zero & (info == 0)] = j + 1
        packed[:, j + 1 :, j] /= np.where(pivot == 0, 1, pivot)
        packed[:, j + 1 :, j + 1 :] -= packed[:, j + 1 :, j, None] * packed[:, None, j, j + 1 :]


def order_of(pivots: Array, rows: int) -> Array:
    """Which row of ``A`` each row of ``L U`` is."""
    *batch, count = pivots.shape
    exchanged = pivots.reshape(prod(batch), count).astype(np.intp) - 1
    order = np.broadcast_to(np.arange(rows), (len(exchanged), rows)).copy()
    if len(exchanged) <= MANY:
        for row, others in zip(order, exchanged.tolist(), strict=True):
            row[:] = _exchanged(list(range(rows)), others)
        return order.reshape(*batch, rows)
    every = np.arange(len(exchanged))
    for i in range(min(count, rows)):
        other = exchanged[:, i]
        order[every, i], order[every, other] = order[every, other], order[every, i]
    return order.reshape(*batch, rows)


def _exchanged(order: list[int], others: list[int]) -> list[int]:
    for i, other in zip(range(len(order)), others, strict=False):
        order[i], order[other] = order[other], order[i]
    return order


def inverse_order(order: Array) -> Array:
    """The permutation that takes back ``order``."""
    return np.argsort(order, axis=-1, kind="stable")


def permutations(pivots: Array, rows: int, dtype: np.dtype[Any]) -> Array:
    """The matrices ``P`` with ``A = P L U``."""
    return np.swapaxes(np.eye(rows, dtype=dtype)[order_of(pivots, rows)], -2, -1)


def unpacked(packed: Array) -> tuple[Array, Array]:
    """``L`` and ``U``."""
    m, n = packed.shape[-2:]
    k = min(m, n)
    lower = np.tril(packed[..., :k], -1) + np.eye(m, k, dtype=packed.dtype)
    return lower, np.triu(packed[..., :k, :])


# -- symmetric and Hermitian matrices -----------------------------------------------------------------------------
def ldl(matrices: Array, hermitian: bool) -> Factors:
    """``L`` and the blocks of ``D`` in the lower triangle; negative pivots mark blocks of two."""
    packed = np.tril(matrices)
    pivots = np.empty(matrices.shape[:-1], np.int32)
    info = np.zeros(matrices.shape[:-2], np.int32)
    name = _for("trf", packed, hermitian)
    factor: Any = scipy.linalg.lapack.get_lapack_funcs(name, (packed,))
    size: Any = scipy.linalg.lapack.get_lapack_funcs(f"{name}_lwork", (packed,))
    if packed.size:
        lwork = int(np.real(size(packed.shape[-1], lower=1)[0]))
        for place in np.ndindex(info.shape):
            factored, pivots[place], info[place] = factor(packed[place], lower=1, lwork=lwork)
            packed[place] = np.tril(factored)
    return packed, pivots, info


def ldl_solution(packed: Array, pivots: Array, B: Array, hermitian: bool) -> Array:
    """``X`` with ``L D L^H X = B``, or ``L D L^T`` if not ``hermitian``."""
    batch = np.broadcast_shapes(packed.shape[:-2], B.shape[:-2])
    result = np.array(np.broadcast_to(B, (*batch, *B.shape[-2:])), order="C")
    factors = np.broadcast_to(packed, (*batch, *packed.shape[-2:]))
    exchanged = np.broadcast_to(pivots, (*batch, pivots.shape[-1]))
    solve: Any = scipy.linalg.lapack.get_lapack_funcs(_for("trs", packed, hermitian), (packed,))
    if result.size:
        for place in np.ndindex(batch):
            result[place] = solve(factors[place], exchanged[place], result[place], lower=1)[0]
    return result


def _for(routine: str, matrices: Array, hermitian: bool) -> str:
    return f"{'he' if hermitian and np.iscomplexobj(matrices) else 'sy'}{routine}"
