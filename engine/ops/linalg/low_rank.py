"""Factors of low rank by random projections, and a few eigenpairs of large symmetric matrices."""

from __future__ import annotations

from typing import Any

from engine import dtypes, ops
from engine.errors import ArgumentValueError, AssertedError
from engine.op import composite
from engine.ops.linalg.factorizations import cholesky_and_info
from engine.tensor import Tensor


def _adjoint(matrix: Any) -> Any:
    return matrix.mH


# -- by random projections (Halko et al., 2011, algorithms 4.4 and 5.1) -----------------------------------------------
def _product(matrix: Tensor, mean: Tensor | None, right: Tensor) -> Any:
    product = ops.matmul(matrix, right)
    return product if mean is None else product - ops.matmul(mean, right)


def _basis(matrix: Tensor, mean: Tensor | None, q: int, niter: int) -> Any:
    """An orthonormal basis of most of the range."""
    dtype = matrix.dtype if matrix.dtype.category >= dtypes.FLOATING else dtypes.float32
    start = ops.randn(matrix.array.shape[-1], q, dtype=dtype)
    basis = ops.qr(_product(matrix, mean, start))[0]
    adjoint, mean_adjoint = _adjoint(matrix), None if mean is None else _adjoint(mean)
    for _ in range(niter):
        basis = ops.qr(_product(adjoint, mean_adjoint, basis))[0]
        basis = ops.qr(_product(matrix, mean, basis))[0]
    return basis


def _matrix_shape(matrix: Tensor) -> tuple[int, int]:
    shape = matrix.array.shape[-2:]
    if len(shape) < 2:
        raise ArgumentValueError(f"not enough values to unpack (expected 2, got {len(shape)})")
    return shape[0], shape[1]


@composite(method=False)
def svd_lowrank(A: Tensor, q: int | None = 6, niter: int | None = 2, M: Tensor | None = None) -> Any:
    """``q`` singular values of ``A - M`` with their vectors, about the largest: ``(*, m, n) -> U, S, V``."""
    m, n = _matrix_shape(A)
    mean = None if M is None else ops.broadcast_to(M, A.array.shape)
    if m < n:
        A, mean = _adjoint(A), None if mean is None else _adjoint(mean)
    basis = _basis(A, mean, 6 if q is None else q, 2 if niter is None else niter)
    adjoint = _adjoint(basis)
    small = ops.matmul(adjoint, A)
    small = small if mean is None else small - ops.matmul(adjoint, mean)
    left, values, right = ops.svd(small, False)
    left, right = ops.matmul(basis, left), _adjoint(right)
    return (right, values, left) if m < n else (left, values, right)


@composite(method=False)
def pca_lowrank(A: Tensor, q: int | None = None, center: bool = True, niter: int = 2) -> Any:
    """``q`` principal components of the rows of ``A``, by ``svd_lowrank`` of what their mean leaves."""
    m, n = _matrix_shape(A)
    if q is None:
        q = min(6, m, n)
    elif not 0 <= q <= min(m, n):
        raise ArgumentValueError(f"q(={q}) must be non-negative integer and not greater than min(m, n)={min(m, n)}")
    if niter < 0:
        raise ArgumentValueError(f"niter(={niter}) must be non-negative integer")
    return svd_lowrank(A - ops.mean(A, (-2,), True) if center else A, q, niter)


# -- eigenpairs ---------------------------------------------------------------------------------------------------
def _check_lobpcg(A: Tensor, B: Tensor | None, n: int) -> None:
    shape = A.array.shape
    if len(shape) < 2 or shape[-1] != shape[-2]:
        raise AssertedError(f"A must be square, got shape torch.Size({list(shape)})")
    if B is not None and B.array.shape != shape:
        raise AssertedError(
            f"A and B must have same shape, got torch.Size({list(shape)}) vs torch.Size({list(B.array.shape)})"
        )
    if shape[-1] < 3 * n:
        raise ArgumentValueError(
            f"LOBPCG algorithm is not applicable when the number of A rows (={shape[-1]}) is smaller than 3 x the "
            f"number of requested eigenpairs (={n})"
        )


@composite(method=False)
def lobpcg(
    A: Tensor, k: int | None = None, B: Tensor | None = None, X: Tensor | None = None, n: int | None = None,
    iK: Any = None, niter: int | None = None, tol: float | None = None, largest: bool | None = None,
    method: Any = None, tracker: Any = None, ortho_iparams: Any = None, ortho_fparams: Any = None,
    ortho_bparams: Any = None,
) -> Any:  # fmt: skip
    """The ``k`` largest (or smallest) solutions of ``A x = B x w`` for symmetric ``A`` and positive definite ``B``.

    A dense matrix is factored as a whole, which gives what the iterations of PyTorch converge to.
    """
    columns = X.array.shape[-1] if X is not None else 1
    count = columns if k is None else k
    _check_lobpcg(A, B, n if n is not None else columns if X is not None else count)
    lower = None
    if B is not None:
        lower = cholesky_and_info(B, False, "linalg.cholesky")[0]
        half = ops.solve_triangular(lower, A, upper=False)
        A = _adjoint(ops.solve_triangular(lower, _adjoint(half), upper=False))
    values, vectors = ops.eigh(A)
    if largest is None or largest:
        values, vectors = ops.flip(values, (-1,)), ops.flip(vectors, (-1,))
    values, vectors = ops.narrow(values, -1, 0, count), ops.narrow(vectors, -1, 0, count)
    if lower is not None:
        vectors = ops.solve_triangular(_adjoint(lower), vectors, upper=True)
    return values, vectors
