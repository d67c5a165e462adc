"""Inverses, determinants, linear systems and powers of matrices, and of batches of them.

Rules after M. Giles, "Collected matrix derivative results for forward and reverse mode algorithmic differentiation"
(2008), with transposes made adjoints for complex matrices.
"""

from __future__ import annotations

from math import prod
from typing import Any

import numpy as np
import scipy  # loads what is used of it when it is

from engine import modes, ops, strides
from engine.errors import OpError
from engine.kernels import lapack
from engine.kernels.triangular import substituted
from engine.named_results import named_result
from engine.op import Array, broadcast_pair, composite, extents, primitive
from engine.ops.linalg.factorizations import (
    check_floating,
    check_kernel,
    check_precision,
    check_square,
    cubic,
    each,
    refuse,
)
from engine.tensor import Tensor

NO_INVERSE = (
    "The diagonal element {} is zero, the inversion could not be completed because the input matrix is singular."
)
NO_SOLUTION = "The solver failed because the input matrix is singular."


def _transposed(array: Array) -> Array:
    return np.swapaxes(array, -2, -1)


# -- inverse ------------------------------------------------------------------------------------------------------
def _inverse_one(matrix: Array) -> tuple[Array, int]:
    """The inverse, or what dividing by a pivot that is 0 leaves and the place of the first."""
    packed, pivots, info = lapack.routine("getrf", matrix)(matrix)
    if not info:
        return lapack.inv(matrix), info
    return lapack.routine("getrs", packed)(packed, pivots, np.eye(len(matrix), dtype=matrix.dtype))[0], info


def _inverses(matrices: Array) -> tuple[Array, Array]:
    try:
        return lapack.inv(matrices), np.zeros(matrices.shape[:-2], np.int32)
    except np.linalg.LinAlgError:
        return each(_inverse_one, matrices)


def _check_inverse(A: Tensor) -> None:
    check_square("linalg.inv", A)
    check_precision("linalg.inv", A)


@primitive(
    public=False, grad_fn="LinalgInvExBackward0", outputs=("inverse", "info"), check=_check_inverse,
    layout=("columns", "contiguous"), scratch=3, work=lambda A: 2 * cubic(A),
)  # fmt: skip
def inverse_and_info(A: Array, refused_as: str | None = None) -> tuple[Array, ...]:
    """``inv_ex``, which refuses singular matrices in the name of ``refused_as``."""
    inverse, info = _inverses(A)
    if refused_as is not None:
        refuse(info, refused_as, NO_INVERSE)
    return inverse, info


def _inverse_input(g: Any, inverse: Any) -> Any:
    back = ops.adjoint(inverse)
    return -ops.matmul(back, ops.matmul(g, back))


inverse_and_info.vjp(A=_inverse_input)


@composite(name="linalg.inv")
def inv(A: Tensor) -> Tensor:
    """The inverse."""
    return inverse_and_info(A, "linalg.inv")[0]


@composite
def inverse(input: Tensor) -> Tensor:
    """The inverse."""
    return inv(input)


INV_EX = named_result("linalg_inv_ex", "inverse", "info")


@composite(name="linalg.inv_ex")
def inv_ex(A: Tensor, *, check_errors: bool = False) -> Any:
    """The inverse, and the place of the first pivot that is 0 instead of an error."""
    return INV_EX(*inverse_and_info(A, "linalg.inv_ex" if check_errors else None))


# -- determinant --------------------------------------------------------------------------------------------------
def _check_det(A: Tensor) -> None:
    check_square("linalg.det", A)
    check_floating("linalg.det", A)
    check_kernel("lu_cpu", A)


@primitive(name="linalg.det", grad_fn="LinalgDetBackward0", check=_check_det, work=lambda A: 0.5 * cubic(A))
def linalg_det(A: Array) -> Array:
    """The determinant: the product of the pivots, not NumPy's ``exp`` of a sum of logarithms, which rounds integers."""
    return np.asarray(scipy.linalg.det(A, check_finite=False), A.dtype)


def _spread(g: Any) -> Any:
    """A number per matrix, made to multiply it."""
    return ops.unsqueeze(ops.unsqueeze(g, -1), -1)


linalg_det.vjp(A=lambda g, A, out: _spread(g) * ops.cofactors(A))  # ``out`` must not change


@primitive(public=False, scratch=8, work=lambda A: 150 * cubic(A))
def cofactors(A: Array) -> Array:
    """The conjugated cofactors, ``conj(det(A)) A^-H``, of singular matrices too: ``A = U diag(s) Vh`` gives
    ``conj(det(U) det(Vh)) U diag(prod of the other s) Vh``.
    """
    u, s, vh = lapack.svd(A, True)
    others = np.broadcast_to(s[..., None, :], (*s.shape, s.shape[-1])).copy()
    np.einsum("...ii->...i", others)[...] = 1
    unit = np.conj(np.linalg.det(u) * np.linalg.det(vh))[..., None, None]
    return np.asarray(unit * np.matmul(u * np.prod(others, axis=-1)[..., None, :], vh))


def _cofactors_input(g: Any, A: Any, out: Any) -> Any:
    """From ``d(conj(det) A^-H)``; exists for invertible matrices only."""
    back = ops.adjoint(inverse_and_info(A)[0])
    along = ops.sum(ops.conj(g) * out, (-2, -1))
    return _spread(along) * back - ops.matmul(out, ops.matmul(ops.adjoint(g), back))


cofactors.vjp(A=_cofactors_input)


@composite
def det(input: Tensor) -> Tensor:
    """The determinant."""
    return linalg_det(input)


def _check_log_det(A: Tensor, name: str) -> None:
    check_square(name, A)
    check_precision(name, A)


@primitive(
    public=False, grad_fn="LinalgSlogdetBackward0", outputs=("sign", "logabsdet"),
    check=lambda A, refused_as: _check_log_det(A, refused_as), work=lambda A: 0.5 * cubic(A),
)  # fmt: skip
def sign_and_log_det(A: Array, refused_as: str) -> tuple[Array, ...]:
    """Sign (or phase) of the determinant and the logarithm of its size."""
    return tuple(np.linalg.slogdet(A))


def _log_det_input(cotangents: Any, A: Any, sign: Any) -> Any:
    """``d log det(A) = tr(A^-1 dA)``; its real part is the logarithm's, its imaginary part turns the phase."""
    g_sign, g_log = cotangents
    if A.dtype.is_complex and g_sign is not None:
        turn = 1j * ops.imag(ops.conj(g_sign) * sign)
        g_log = -turn if g_log is None else g_log - turn
    if g_log is None:
        return None
    if modes.is_grad_enabled():  # recorded, it is a system that has to have a solution
        return ops.solve(ops.adjoint(A), _spread(g_log) * ops.eye(A.shape[-1], dtype=A.dtype))
    return _spread(g_log) * ops.adjoint(inverse_and_info(A)[0])


sign_and_log_det.vjp(A=_log_det_input)
LINALG_SLOGDET = named_result("linalg_slogdet", "sign", "logabsdet")
SLOGDET = named_result("slogdet", "sign", "logabsdet")


@composite(name="linalg.slogdet")
def linalg_slogdet(A: Tensor) -> Any:
    """Sign (or phase) of the determinant and the logarithm of its size."""
    return LINALG_SLOGDET(*sign_and_log_det(A, "linalg.slogdet"))


@composite
def slogdet(input: Tensor) -> Any:
    """Sign (or phase) of the determinant and the logarithm of its size."""
    return SLOGDET(*sign_and_log_det(input, "linalg.slogdet"))


@composite
def logdet(input: Tensor) -> Tensor:
    """The logarithm of the determinant; NaN where that is negative."""
    sign, log = sign_and_log_det(input, "logdet")
    if input.dtype.is_complex:
        return ops.log(sign) + log
    return ops.where(ops.eq(sign, -1), float("nan"), log)


# -- linear systems -----------------------------------------------------------------------------------------------
def takes_vectors(A_shape: tuple[int, ...], B_shape: tuple[int, ...]) -> bool:
    """Whether the right sides are vectors: one, or a batch of as many as there are matrices."""
    return len(B_shape) == 1 or (len(A_shape) - 1 == len(B_shape) and B_shape == A_shape[:-1])


def check_system(name: str, a: tuple[int, ...], b: tuple[int, ...], left: bool) -> None:
    """Refuse a right side that does not go with the square matrices."""
    if len(b) < 2:
        raise OpError(f"{name}: The input tensor B must have at least 2 dimensions.")
    if a[-2 if left else -1] != b[-2 if left else -1]:
        equation = "AX = B" if left else "XA = B"
        raise OpError(
            f"{name}: Incompatible shapes of A and B for the equation {equation} ({a[-2]}x{a[-1]} and {b[-2]}x{b[-1]})"
        )
    broadcast_pair(b[:-2], a[:-2])


def _check_same_dtype(name: str, A: Tensor, B: Tensor) -> None:
    if A.dtype is not B.dtype:
        raise OpError(
            f"{name}: Expected A and B to have the same dtype, but found A of type {A.dtype.scalar_type} and B of "
            f"type {B.dtype.scalar_type} instead"
        )


def _check_solve(A: Tensor, B: Tensor, left: bool) -> None:
    name = "linalg.solve"
    check_floating(name, A)
    _check_same_dtype(name, A, B)
    check_square(name, A)
    vectors = takes_vectors(A.array.shape, B.array.shape)
    check_system(name, A.array.shape, (*B.array.shape, 1) if vectors else B.array.shape, left)
    check_kernel("lu_cpu", A)


def system_size(A: Array, B: Array) -> int:
    """How many elements the solution has."""
    rows = (*B.shape, 1) if takes_vectors(A.shape, B.shape) else B.shape
    return prod((*broadcast_pair(A.shape[:-2], rows[:-2]), *rows[-2:]))


@primitive(
    public=False, grad_fn="LinalgSolveExBackward0", outputs=("result", "info"), check=_check_solve,
    grows=lambda A, B: max(system_size(A, B), prod(A.shape[:-2])), layout=("kernel", "contiguous"),
    work=lambda A: 0.5 * cubic(A), scratch=lambda A, B: 3 * system_size(A, B) + 2 * extents(A),
)  # fmt: skip
def solution_and_info(A: Array, B: Array, left: bool, refused_as: str | None) -> tuple[Array, ...]:
    """``solve_ex``, which refuses singular matrices in the name of ``refused_as``."""
    vectors = takes_vectors(A.shape, B.shape)
    given = B[..., None] if vectors else B
    matrices, given = (A, given) if left else (_transposed(A), _transposed(given))
    info = np.zeros(A.shape[:-2], np.int32)
    try:
        result = lapack.solve(matrices, given)
    except np.linalg.LinAlgError:
        inverses, info = _inverses(matrices)
        if refused_as is not None:
            refuse(info, refused_as, NO_SOLUTION)
        result = np.matmul(inverses, given)
    if vectors:  # of which PyTorch lays out a batch as if it were a matrix
        return _columns(result[..., 0]) if left else np.ascontiguousarray(result[..., 0]), info
    result = _columns(result)
    return result if left else _transposed(result), info


def _columns(array: Array) -> Array:
    return strides.relaid(array, strides.columns(array.shape))


def _solution_inputs(g: Any, A: Any, B: Any, result: Any, left: Any, needs: Any) -> Any:
    """``g_B`` solves the adjoint system; ``g_A`` is ``-g_B X^H`` (``-X^H g_B`` from the right)."""
    vectors = takes_vectors(A.array.shape, B.array.shape)
    given, solved = (ops.unsqueeze(t, -1) if vectors else t for t in (g, result))
    g_B = solution_and_info(ops.adjoint(A), given, left, None)[0]
    g_A = _system_input(g_B, solved, left) if needs[0] else None
    return g_A, (ops.squeeze(g_B, -1) if vectors else g_B)


def _system_input(g_B: Any, X: Any, left: bool) -> Any:
    return -(ops.matmul(g_B, ops.adjoint(X)) if left else ops.matmul(ops.adjoint(X), g_B))


solution_and_info.vjp_joint(_solution_inputs)


@composite(name="linalg.solve")
def solve(A: Tensor, B: Tensor, *, left: bool = True) -> Tensor:
    """``X`` with ``A X = B``, or ``X A = B`` if not ``left``; ``B`` may be a vector, or a batch of them."""
    return solution_and_info(A, B, left, "torch.linalg.solve")[0]


SOLVE_EX = named_result("linalg_solve_ex", "result", "info")


@composite(name="linalg.solve_ex")
def solve_ex(A: Tensor, B: Tensor, *, left: bool = True, check_errors: bool = False) -> Any:
    """``linalg.solve``, and the place of the first pivot that is 0 instead of an error."""
    return SOLVE_EX(*solution_and_info(A, B, left, "torch.linalg.solve_ex" if check_errors else None))


def _check_triangular(A: Tensor, B: Tensor, left: bool) -> None:
    name = "linalg.solve_triangular"
    _check_same_dtype(name, A, B)
    check_square(name, A)
    if B.array.ndim < 2:
        raise OpError(f"{name}: The input tensor B must have at least 2 dimensions.")
    check_system(name, A.array.shape, B.array.shape, left)
    check_kernel("triangular_solve_cpu", A)


@primitive(
    name="linalg.solve_triangular", grad_fn="LinalgSolveTriangularBackward0", check=_check_triangular,
    grows=lambda A, B: system_size(A, B), layout="columns", work=lambda A, B: system_size(A, B) * A.shape[-1],
    scratch=lambda A, B: 3 * system_size(A, B) + 2 * extents(A),
)  # fmt: skip
def solve_triangular(
    A: Array, B: Array, *, upper: bool, left: bool = True, unitriangular: bool = False
) -> Array:  # fmt: skip
    """``X`` with ``A X = B`` by substitution; of ``A`` one triangle is read, or that without its diagonal of ones."""
    if not left:
        return _transposed(substituted(_transposed(A), _transposed(B), not upper, unitriangular))
    return substituted(A, B, upper, unitriangular)


def _triangular_inputs(g: Any, A: Any, out: Any, upper: Any, left: Any, unitriangular: Any, needs: Any) -> Any:
    g_B = solve_triangular(ops.adjoint(A), g, upper=not upper, left=left, unitriangular=unitriangular)
    if not needs[0]:
        return None, g_B
    read = ops.triu if upper else ops.tril
    beside = (1 if upper else -1) if unitriangular else 0
    return read(_system_input(g_B, out, left), beside), g_B


solve_triangular.vjp_joint(_triangular_inputs)


# -- powers -------------------------------------------------------------------------------------------------------
@composite(name="linalg.matrix_power")
def linalg_matrix_power(A: Tensor, n: int) -> Tensor:
    """``A`` times itself, ``n`` times, by repeated squaring; negative powers are those of the inverse."""
    check_square("linalg.matrix_power", A)
    if n == 0:
        return ops.clone(A).copy_(Tensor(np.eye(A.array.shape[-1], dtype=A.array.dtype)))
    if n in (1, -1):
        return ops.clone(A) if n == 1 else inv(A)
    square, power = (inv(A) if n < 0 else A), None
    n = abs(n)
    if n == 3:
        return ops.matmul(ops.matmul(square, square), square)
    while n:
        if n & 1:
            power = square if power is None else ops.matmul(power, square)
        n >>= 1
        square = ops.matmul(square, square) if n else square
    assert power is not None
    return power


@composite
def matrix_power(input: Tensor, n: int) -> Tensor:
    """``input`` times itself, ``n`` times."""
    return linalg_matrix_power(input, n)
