"""Factorisations of matrices and of batches of them: singular values, Cholesky, QR, eigenvalues of Hermitian ones.

The rules are those of M. Giles, "Collected matrix derivative results for forward and reverse mode algorithmic
differentiation" (2008), with transposes made adjoints for complex matrices. Inner products are ``Re tr(X^H Y)``.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from math import prod
from typing import Any

import numpy as np
import scipy  # loads what is used of it when it is

from engine import modes, ops
from engine.errors import LinAlgError, OpError, UnsupportedError
from engine.kernels import lapack
from engine.kernels.triangular import substituted
from engine.named_results import named_result
from engine.op import Array, composite, extents, primitive
from engine.tensor import Tensor


# -- what the matrices have to be ---------------------------------------------------------------------------------
def check_matrix(name: str, tensor: Tensor) -> None:
    """Refuse vectors and scalars."""
    if tensor.array.ndim < 2:
        raise OpError(f"{name}: The input tensor A must have at least 2 dimensions.")


def check_square(name: str, tensor: Tensor) -> None:
    """Refuse all but square matrices."""
    check_matrix(name, tensor)
    rows, columns = tensor.array.shape[-2:]
    if rows != columns:
        raise OpError(f"{name}: A must be batches of square matrices, but they are {rows} by {columns} matrices")


def check_floating(name: str, tensor: Tensor) -> None:
    """Refuse integers and bools."""
    if not tensor.dtype.is_differentiable:
        raise OpError(f"{name}: Expected a floating point or complex tensor as input. Got {tensor.dtype.scalar_type}")


CHOLESKY_DEPRECATED = (
    "torch.cholesky is deprecated in favor of torch.linalg.cholesky and will be removed in a future PyTorch release.\n"
    "L = torch.cholesky(A)\nshould be replaced with\nL = torch.linalg.cholesky(A)\nand\n"
    "U = torch.cholesky(A, upper=True)\nshould be replaced with\nU = torch.linalg.cholesky(A).mH\n"
    "This transform will produce equivalent results for all valid (symmetric positive definite) inputs."
)
QR_DEPRECATED = (
    "torch.qr is deprecated in favor of torch.linalg.qr and will be removed in a future PyTorch release.\n"
    "The boolean parameter 'some' has been replaced with a string parameter 'mode'.\nQ, R = torch.qr(A, some)\n"
    "should be replaced with\nQ, R = torch.linalg.qr(A, 'reduced' if some else 'complete')"
)
UNREACHED = ("cholesky_cpu", "ldl_factor_kernel_cpu", "linalg_eigh_cpu", "linalg_svd_cpu", "lu_cpu")  # by no elements


def check_kernel(kernel_name: str, tensor: Tensor) -> None:
    """Refuse dtypes that LAPACK does not compute in, where it has anything to compute."""
    dtype = tensor.dtype
    if not tensor.array.size and kernel_name in UNREACHED:
        return
    if not dtype.is_differentiable or dtype.opmath is not dtype:
        raise UnsupportedError(f"\"{kernel_name}\" not implemented for '{dtype.scalar_type}'")


def check_precision(name: str, tensor: Tensor) -> None:
    """Refuse integers, bools and 16-bit numbers."""
    check_floating(name, tensor)
    if tensor.dtype.opmath is not tensor.dtype:
        raise OpError(f"{name}: Low precision dtypes not supported. Got {tensor.dtype.scalar_type}")


def cubic(A: Array) -> int:
    """What the work of a factorisation is a multiple of: the elements times the smaller extent of a matrix."""
    return A.size * min(A.shape[-2:])


def square_sizes(A: Array) -> list[int]:
    """How many elements as many square matrices have, for either extent of the matrices."""
    return [prod(A.shape[:-2]) * extent**2 for extent in A.shape[-2:]]


def identity(n: int, like: Any) -> Tensor:
    """The real identity matrix of the precision of ``like``."""
    return Tensor(np.eye(n, dtype=like.array.dtype.type(0).real.dtype))


def each(kernel: Callable[..., tuple[Array, int]], matrices: Array) -> tuple[Array, Array]:
    """``kernel`` over a batch one by one: its results and LAPACK's codes, 0 where all went well."""
    result = np.empty_like(matrices)
    info = np.zeros(matrices.shape[:-2], np.int32)
    for place in np.ndindex(info.shape):
        result[place], info[place] = kernel(matrices[place])
    return result, info


def refuse(info: Array, name: str, problem: str) -> None:
    """Raise ``problem``, filled in with the first code that is not 0."""
    if not info.any():
        return
    place = int(np.flatnonzero(info)[0])
    batch = f"(Batch element {place}): " if info.ndim else ""
    raise LinAlgError(f"{name}: {batch}{problem.format(info.ravel()[place])}")


# -- singular values ----------------------------------------------------------------------------------------------
def _check_svd(A: Tensor, driver: str | None) -> None:
    if driver is not None:
        raise OpError(
            "torch.linalg.svd: keyword argument `driver=` is only supported on CUDA inputs with cuSOLVER backend."
        )
    check_matrix("linalg.svd", A)
    check_floating("linalg.svd", A)
    check_kernel("linalg_svd_cpu", A)


@primitive(
    name="linalg.svd", grad_fn="LinalgSvdBackward0", outputs=("U", "S", "Vh"), check=_check_svd,
    result=named_result("linalg_svd", "U", "S", "Vh"), layout=("columns", "contiguous", "columns"),
    grows=lambda A, full_matrices: max([A.size, *(square_sizes(A) if full_matrices else ())]),
    scratch=lambda A, full_matrices: 8 * extents(A) + (sum(square_sizes(A)) if full_matrices else 0),
    work=lambda A: 150 * cubic(A),
)  # fmt: skip
def linalg_svd(A: Array, full_matrices: bool = True, *, driver: str | None = None) -> tuple[Array, ...]:
    """``A = U diag(S) Vh``, singular values descending: ``(m, n) -> (m, k), (k,), (k, n)``; ``k`` is ``min(m, n)``.

    ``full_matrices`` completes ``U`` and ``Vh`` to square ones.
    """
    check_finite(A)
    return lapack.svd(A, full_matrices)


def check_finite(A: Array) -> None:
    """Refuse what has no singular values, and say which matrix of a batch has not."""
    is_finite = np.isfinite(A).all((-2, -1))
    if not is_finite.all():
        element = f"(Batch element {np.argmin(is_finite.reshape(-1))}): " if A.ndim > 2 else ""
        raise LinAlgError(
            f"linalg.svd: {element}The algorithm failed to converge because the input matrix contained non-finite "
            "values."
        )


def _svd_input(cotangents: Any, U: Any, S: Any, Vh: Any) -> Any:
    g_U, g_S, g_Vh = cotangents
    k = S.array.shape[-1]
    m, n = U.array.shape[-2], Vh.array.shape[-1]
    U, Vh = ops.narrow(U, -1, 0, k), ops.narrow(Vh, -2, 0, k)
    if g_U is None and g_Vh is None:
        return None if g_S is None else ops.matmul(U, ops.unsqueeze(g_S, -1) * Vh)
    left = None if g_U is None else ops.narrow(g_U, -1, 0, k)
    right = None if g_Vh is None else ops.adjoint(ops.narrow(g_Vh, -2, 0, k))
    core = _svd_core(left, g_S, right, U, S, Vh)
    back = ops.matmul(U, ops.matmul(core, Vh))
    if left is not None and m > k:
        beyond = left - ops.matmul(U, ops.matmul(ops.adjoint(U), left))
        back = back + ops.matmul(beyond / ops.unsqueeze(S, -2), Vh)
    if right is not None and n > k:
        beyond = right - ops.matmul(ops.adjoint(Vh), ops.matmul(Vh, right))
        back = back + ops.matmul(U, ops.adjoint(beyond / ops.unsqueeze(S, -2)))
    return back


def _svd_core(left: Any, g_S: Any, right: Any, U: Any, S: Any, Vh: Any) -> Any:
    """The cotangent of ``U^H A V``. Phases of complex singular vectors, left open by ``A``, are fixed by ``V``."""
    inverse = inverse_gaps(S, ops.unsqueeze(S, -2) + ops.unsqueeze(S, -1))
    core = None if g_S is None else ops.diag_embed(g_S)
    if left is not None:
        turned = ops.matmul(ops.adjoint(U), left)
        part = (turned - ops.adjoint(turned)) * inverse * ops.unsqueeze(S, -2)
        if turned.dtype.is_complex:
            part = part + ops.diag_embed(1j * ops.imag(ops.diagonal(turned, 0, -2, -1)) / S)
        core = part if core is None else core + part
    if right is not None:
        turned = ops.matmul(Vh, right)
        part = ops.unsqueeze(S, -1) * ((turned - ops.adjoint(turned)) * inverse)
        core = part if core is None else core + part
    return core


def inverse_gaps(values: Any, factor: Any = 1) -> Any:
    """``1 / (values[j] - values[i])`` over ``factor``, 0 on the diagonal."""
    diagonal = identity(values.array.shape[-1], values)
    gaps = (ops.unsqueeze(values, -2) - ops.unsqueeze(values, -1)) * factor
    return (1 - diagonal) / (gaps + diagonal * (1 - gaps))


linalg_svd.vjp(A=_svd_input)


@composite(name="linalg.svdvals")
def svdvals(A: Tensor, *, driver: str | None = None) -> Tensor:
    """The singular values, descending: ``(m, n) -> (k,)``."""
    return linalg_svd(A, False, driver=driver)[1]


SVD = named_result("svd", "U", "S", "V")


@composite
def svd(input: Tensor, some: bool = True, compute_uv: bool = True) -> Any:
    """``input = U diag(S) V^H``. Without ``compute_uv`` the factors are zeros."""
    if input.array.ndim < 2:
        raise OpError(
            f"linalg.svd: input should have at least 2 dimensions, but has {input.array.ndim} dimensions instead"
        )
    if compute_uv:
        U, S, Vh = linalg_svd(input, not some)
        return SVD(U, S, ops.adjoint(Vh))
    *batch, m, n = input.array.shape
    sizes = [(*batch, m, m), (*batch, n, n)]
    left, right = (Tensor(np.zeros(size, input.array.dtype)) for size in sizes)
    return SVD(left, svdvals(input), right)


# -- Cholesky -----------------------------------------------------------------------------------------------------
INDEFINITE = (
    "The factorization could not be completed because the input is not positive-definite (the leading minor of order "
    "{} is not positive-definite)."
)


def _cholesky_one(matrix: Array) -> tuple[Array, int]:
    potrf: Any = scipy.linalg.lapack.get_lapack_funcs("potrf", (matrix,))
    factor, info = potrf(matrix, lower=True, clean=True)
    undefined = np.flatnonzero(np.isnan(np.diagonal(factor)))  # which not every LAPACK reports
    return factor, info or (int(undefined[0]) + 1 if undefined.size else 0)


def _lower_factors(matrices: Array) -> tuple[Array, Array]:
    if not np.isnan(matrices).any():
        with suppress(np.linalg.LinAlgError):
            return lapack.cholesky(matrices), np.zeros(matrices.shape[:-2], np.int32)
    return each(_cholesky_one, matrices)


def cholesky_of(input: Array, upper: bool) -> tuple[Array, Array]:
    """The factors and where they do not exist, from one triangle of each matrix."""
    if not upper:
        return _lower_factors(input)
    factor, info = _lower_factors(np.conj(np.swapaxes(input, -2, -1)))
    return np.conj(np.swapaxes(factor, -2, -1)), info


def _check_cholesky(input: Tensor) -> None:
    check_square("linalg.cholesky", input)
    check_floating("linalg.cholesky", input)
    check_kernel("cholesky_cpu", input)


@primitive(
    public=False, grad_fn="LinalgCholeskyExBackward0", outputs=("L", "info"), check=_check_cholesky,
    layout=("columns", "contiguous"), scratch=3, work=lambda input: cubic(input),
)  # fmt: skip
def cholesky_and_info(input: Array, upper: bool, refused_as: str | None) -> tuple[Array, ...]:
    """``cholesky_ex``, which refuses indefinite matrices in the name of ``refused_as``."""
    factor, info = cholesky_of(input, upper)
    if refused_as is not None:
        refuse(info, refused_as, INDEFINITE)
    return factor, info


@primitive(public=False, nondifferentiable=("grad", "L"), layout="columns", scratch=6, work=lambda L: 4 * cubic(L))
def cholesky_backward(grad: Array, L: Array, upper: bool) -> Array:
    """What ``_cholesky_input`` gives, where nobody differentiates it."""
    lower, back = (np.conj(np.swapaxes(one, -2, -1)) if upper else one for one in (L, grad))
    transposed = np.conj(np.swapaxes(lower, -2, -1))
    half = np.tril(np.matmul(transposed, back))
    half *= 0.5
    half += np.conj(np.swapaxes(np.tril(half, -1), -2, -1))
    solved = substituted(transposed, half, True, False)
    return np.swapaxes(substituted(np.swapaxes(lower, -2, -1), np.swapaxes(solved, -2, -1), True, False), -2, -1)


def _cholesky_input(g: Any, L: Any, upper: Any) -> Any:
    """``L^-H P L^-1`` with ``P`` the Hermitian matrix of the lower triangle of ``L^H g`` (I. Murray, 2016)."""
    if not modes.is_grad_enabled():
        return cholesky_backward(g, L, upper)
    lower, back = (ops.adjoint(L), ops.adjoint(g)) if upper else (L, g)
    product = ops.matmul(ops.adjoint(lower), back)
    hermitian = 0.5 * (ops.tril(product) + ops.adjoint(ops.tril(product, -1)))
    transposed = ops.adjoint(lower)
    solved = ops.solve_triangular(transposed, hermitian, upper=True)
    return ops.solve_triangular(lower, solved, upper=False, left=False)


cholesky_and_info.vjp(input=_cholesky_input)


@composite(name="linalg.cholesky")
def linalg_cholesky(input: Tensor, *, upper: bool = False) -> Tensor:
    """The triangular ``L`` with ``input = L L^H``, or ``U = L^H``."""
    return cholesky_and_info(input, upper, "linalg.cholesky")[0]


CHOLESKY_EX = named_result("linalg_cholesky_ex", "L", "info")


@composite(name="linalg.cholesky_ex")
def cholesky_ex(input: Tensor, *, upper: bool = False, check_errors: bool = False) -> Any:
    """``linalg.cholesky``, and the order of the first minor that is not positive, instead of an error."""
    return CHOLESKY_EX(*cholesky_and_info(input, upper, "linalg.cholesky_ex" if check_errors else None))


def _check_plain_cholesky(input: Tensor) -> None:
    modes.warn_once(CHOLESKY_DEPRECATED)
    check_square("cholesky", input)
    check_kernel("cholesky_cpu", input)


@primitive(check=_check_plain_cholesky, layout="columns", scratch=3, work=lambda input: cubic(input))
def cholesky(input: Array, upper: bool = False) -> Array:
    """The triangular ``L`` with ``input = L L^H``, or ``U = L^H``."""
    factor, info = cholesky_of(input, upper)
    refuse(info, "cholesky", INDEFINITE)
    return factor


cholesky.vjp(input=lambda g, out, upper: _cholesky_input(g, out, upper))


# -- QR -----------------------------------------------------------------------------------------------------------
def _check_qr(A: Tensor, mode: str) -> None:
    check_matrix("linalg.qr", A)
    check_floating("linalg.qr", A)
    if mode not in ("reduced", "complete", "r"):
        raise OpError(
            f"qr received unrecognized mode '{mode}' but expected one of 'reduced' (default), 'r', or 'complete'"
        )
    check_kernel("geqrf_cpu", A)


@primitive(
    name="linalg.qr", grad_fn="LinalgQrBackward0", outputs=("Q", "R"), check=_check_qr,
    result=named_result("linalg_qr", "Q", "R"), layout=("columns", "columns"),
    grows=lambda A, mode: max(A.size, square_sizes(A)[0] if mode == "complete" else 0),
    scratch=lambda A, mode: 4 * extents(A) + (2 * square_sizes(A)[0] if mode == "complete" else 0),
    work=lambda A, mode: 10 * (cubic(A) + (square_sizes(A)[0] * min(A.shape[-2:]) if mode == "complete" else 0)),
)  # fmt: skip
def linalg_qr(A: Array, mode: str = "reduced") -> tuple[Array, ...]:
    """``A = Q R``, columns of ``Q`` orthonormal, ``R`` upper triangular; in mode ``"r"`` ``Q`` is left out."""
    if mode == "r":
        triangular: Any = np.linalg.qr(A, "r")
        return np.zeros((0,), A.dtype), triangular
    return tuple(np.linalg.qr(A, "complete" if mode == "complete" else "reduced"))


def _qr_input(cotangents: Any, Q: Any, R: Any, mode: Any) -> Any:
    """Walter and Lehmann (2018); of wide matrices the leading square is factored and the rest is ``Q^H A``."""
    g_Q, g_R = cotangents
    m, n = Q.array.shape[-2] if mode != "r" else 0, R.array.shape[-1]
    if mode == "r":
        raise OpError(
            "The derivative of linalg.qr depends on Q, which is not computed when mode='r'. Please use "
            "linalg.qr(A, mode='reduced') if you are going to differentiate through linalg.qr."
        )
    if mode == "complete" and m > n:
        raise OpError("The QR decomposition is not differentiable when mode='complete' and nrows > ncols.")
    if g_Q is None and g_R is None:
        return None
    if m >= n:
        return _tall_qr_input(g_Q, g_R, Q, R)
    square, rest = ops.narrow(R, -1, 0, m), ops.narrow(R, -1, m, n - m)
    if g_R is None:
        first, beyond = _tall_qr_input(g_Q, None, Q, square), ops.zeros_like(ops.matmul(Q, rest))
        return ops.cat([first, beyond], -1)
    g_rest = ops.narrow(g_R, -1, m, n - m)
    through = ops.matmul(ops.matmul(Q, rest), ops.adjoint(g_rest))
    first = _tall_qr_input(through if g_Q is None else g_Q + through, ops.narrow(g_R, -1, 0, m), Q, square)
    return ops.cat([first, ops.matmul(Q, g_rest)], -1)


def _tall_qr_input(g_Q: Any, g_R: Any, Q: Any, R: Any) -> Any:
    inner = None if g_R is None else ops.matmul(g_R, ops.adjoint(R))
    if g_Q is not None:
        turned = ops.matmul(ops.adjoint(Q), g_Q)
        inner = -turned if inner is None else inner - turned
    upper = ops.triu(inner)
    both = upper + ops.adjoint(upper)
    hermitian = both - 0.5 * ops.diag_embed(ops.diagonal(both, 0, -2, -1))
    back = ops.matmul(Q, hermitian)
    return ops.solve_triangular(ops.adjoint(R), back if g_Q is None else g_Q + back, upper=False, left=False)


linalg_qr.vjp(A=_qr_input)
QR = named_result("qr", "Q", "R")


@composite
def qr(input: Tensor, some: bool = True) -> Any:
    """``linalg.qr``, reduced or complete."""
    modes.warn_once(QR_DEPRECATED)
    return QR(*linalg_qr(input, "reduced" if some else "complete"))


# -- eigenvalues of Hermitian matrices ----------------------------------------------------------------------------
def _check_eigh(A: Tensor, UPLO: str) -> None:
    check_square("linalg.eigh", A)
    if UPLO.upper() not in ("L", "U"):
        raise OpError(f"Expected UPLO argument to be 'L' or 'U', but got {UPLO}")
    check_kernel("linalg_eigh_cpu", A)


@primitive(
    name="linalg.eigh", grad_fn="LinalgEighBackward0", outputs=("eigenvalues", "eigenvectors"), check=_check_eigh,
    result=named_result("linalg_eigh", "eigenvalues", "eigenvectors"), layout=("contiguous", "columns"), scratch=4,
    work=lambda A: 40 * cubic(A),
)  # fmt: skip
def linalg_eigh(A: Array, UPLO: str = "L") -> tuple[Array, ...]:
    """Eigenvalues, ascending, and eigenvectors of the Hermitian matrix of which one triangle is read."""
    return lapack.eigh(A, "U" if UPLO in "Uu" else "L")


def _eigh_input(cotangents: Any, eigenvalues: Any, eigenvectors: Any) -> Any:
    g_values, g_vectors = cotangents
    if g_vectors is None:
        if g_values is None:
            return None
        return ops.matmul(eigenvectors * ops.unsqueeze(g_values, -2), ops.adjoint(eigenvectors))
    turned = ops.matmul(ops.adjoint(eigenvectors), g_vectors)
    core = 0.5 * (turned - ops.adjoint(turned)) * inverse_gaps(eigenvalues)
    if g_values is not None:
        core = core + ops.diag_embed(g_values)
    return ops.matmul(eigenvectors, ops.matmul(core, ops.adjoint(eigenvectors)))


linalg_eigh.vjp(A=_eigh_input)


@composite(name="linalg.eigvalsh")
def eigvalsh(A: Tensor, UPLO: str = "L") -> Tensor:
    """The eigenvalues of a Hermitian matrix, ascending."""
    return linalg_eigh(A, UPLO)[0]
