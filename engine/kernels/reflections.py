"""Products of Householder reflections, ``Q = H_1 H_2 ... H_k`` with ``H_i = I - tau_i v_i v_i^H``.

``v_i`` has a 1 in its place ``i``, zeros before, and after it what stands below the diagonal of a matrix. The product
is ``I - V T V^H`` (R. Schreiber and C. Van Loan, "A storage-efficient WY representation for products of Householder
transformations", 1989) with ``T = (I + D S)^-1 D``, ``D = diag(tau)`` and ``S`` what stands above the diagonal of
``V^H V`` (C. Puglisi, "Modification of the Householder method based on the compact WY representation", 1992): matrix
products, also over a batch.
"""

from __future__ import annotations

from typing import Any, TypeAlias

import numpy as np

from engine.kernels.triangular import substituted

Array: TypeAlias = np.ndarray[Any, Any]


def vectors(packed: Array, count: int) -> Array:
    """``V``, of the first ``count`` columns."""
    below = np.tril(packed[..., :count], -1)
    return np.asarray(below + np.eye(*below.shape[-2:], dtype=packed.dtype))


def reflected(packed: Array, tau: Array, C: Array, adjoint: bool) -> Array:
    """``Q C``, or ``Q^H C`` if ``adjoint``."""
    count = tau.shape[-1]
    V = vectors(packed, count)
    back = np.conj(np.swapaxes(V, -2, -1))
    inner = np.matmul(back, C)
    D = tau[..., None]
    coupling = np.eye(count, dtype=packed.dtype) + D * np.triu(np.matmul(back, V), 1)
    if adjoint:
        inner = np.conj(D) * substituted(np.conj(np.swapaxes(coupling, -2, -1)), inner, False, True)
    else:
        inner = substituted(coupling, D * inner, True, True)
    return np.asarray(C - np.matmul(V, inner))
