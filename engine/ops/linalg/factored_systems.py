"""Systems whose matrix comes factored: by Cholesky, triangular, or as ``L D L^H``."""

from __future__ import annotations

from typing import Any

import numpy as np

from engine import modes, ops
from engine.errors import OpError
from engine.kernels import pivoting
from engine.kernels.triangular import substituted
from engine.named_results import named_result
from engine.op import Array, Index, broadcast_pair, composite, primitive, wrap_dim
from engine.ops.linalg.factorizations import check_floating, check_kernel, check_square, cubic, refuse
from engine.ops.linalg.solving import NO_INVERSE, system_size
from engine.tensor import Tensor


def _adjoint(array: Array) -> Array:
    return np.conj(np.swapaxes(array, -2, -1))


def _check_pair(name: str, b: Tensor, A: Tensor) -> None:
    """Refuse a right side that does not go with square matrices."""
    if A.dtype is not b.dtype:
        raise OpError(
            f"Expected b and A to have the same dtype, but found b of type {b.dtype.scalar_type} and A of type "
            f"{A.dtype.scalar_type} instead."
        )
    a_rows, a_columns = A.array.shape[-2:]
    if a_rows != a_columns:
        raise OpError(f"A must be batches of square matrices, but they are {a_rows} by {a_columns} matrices")
    wrap_dim(-2, b.array.ndim)
    if b.array.shape[-2] != a_rows:
        rows, columns = b.array.shape[-2:]
        raise OpError(
            f"Incompatible matrix sizes for {name}: each A matrix is {a_rows} by {a_columns} but each b matrix is "
            f"{rows} by {columns}"
        )
    broadcast_pair(b.array.shape[:-2], A.array.shape[:-2])


# -- by Cholesky --------------------------------------------------------------------------------------------------
def _check_cholesky_inverse(input: Tensor) -> None:
    check_square("cholesky_inverse", input)
    check_kernel("cholesky_inverse_out_cpu", input)


@primitive(check=_check_cholesky_inverse, layout="columns", scratch=6, work=lambda input: 3 * cubic(input))
def cholesky_inverse(input: Array, upper: bool = False) -> Array:
    """``(L L^H)^-1``, of which one triangle is read, or ``(U^H U)^-1``."""
    diagonal = np.diagonal(input, axis1=-2, axis2=-1)
    singular = np.where((diagonal == 0).any(-1), (diagonal == 0).argmax(-1) + 1 if input.size else 0, 0)
    refuse(singular, "cholesky_inverse", NO_INVERSE)
    eye = np.eye(input.shape[-1], dtype=input.dtype)
    root = substituted(_adjoint(input) if upper else input, eye, False, False)
    return np.asarray(np.matmul(_adjoint(root), root))


def _inverse_input(g: Any, input: Any, out: Any, upper: Any) -> Any:
    """``-S (g + g^H) S L`` with ``S`` the inverse; over the whole matrix, as in PyTorch."""
    core = ops.matmul(out, ops.matmul(g + ops.adjoint(g), out))
    return -(ops.matmul(input, core) if upper else ops.matmul(core, input))


cholesky_inverse.vjp(input=_inverse_input)


def _check_cholesky_solve(input: Tensor, input2: Tensor) -> None:
    for name, tensor in (("b", input), ("u", input2)):
        if tensor.array.ndim < 2:
            raise OpError(f"{name} should have at least 2 dimensions, but has {tensor.array.ndim} dimensions instead")
    _check_pair("cholesky_solve", input, input2)
    check_kernel("cholesky_solve_cpu", input)


@primitive(
    check=_check_cholesky_solve, layout="columns", grows=lambda input, input2: system_size(input2, input),
    scratch=lambda input, input2: 4 * system_size(input2, input) + 3 * input2.size,
    work=lambda input, input2: 2 * system_size(input2, input) * input2.shape[-1],
)  # fmt: skip
def cholesky_solve(input: Array, input2: Array, upper: bool = False) -> Array:
    """``X`` with ``L L^H X = B``, or ``U^H U X = B``."""
    lower = _adjoint(input2) if upper else input2
    return substituted(_adjoint(lower), substituted(lower, input, False, False), True, False)


def _cholesky_solve_inputs(g: Any, input: Any, input2: Any, out: Any, upper: Any, needs: Any) -> Any:
    g_B = cholesky_solve(g, input2, upper)
    if not needs[1]:
        return g_B, None
    core = ops.matmul(g_B, ops.adjoint(out))
    core = core + ops.adjoint(core)
    return g_B, -(ops.matmul(input2, core) if upper else ops.matmul(core, input2))


cholesky_solve.vjp_joint(_cholesky_solve_inputs)


# -- triangular ---------------------------------------------------------------------------------------------------
DEPRECATED = (
    "torch.triangular_solve is deprecated in favor of torch.linalg.solve_triangularand will be removed in a future "
    "PyTorch release.\ntorch.linalg.solve_triangular has its arguments reversed and does not return a copy of one of "
    "the inputs.\nX = torch.triangular_solve(B, A).solution\nshould be replaced with\n"
    "X = torch.linalg.solve_triangular(A, B)."
)


def _check_triangular_solve(input: Tensor, A: Tensor) -> None:
    for name, tensor in (("b", input), ("A", A)):
        if tensor.array.ndim < 2:
            raise OpError(
                f"torch.triangular_solve: Expected {name} to have at least 2 dimensions, but it has "
                f"{tensor.array.ndim} dimensions instead"
            )
    _check_pair("triangular_solve", input, A)
    modes.warn_once(DEPRECATED)
    check_kernel("triangular_solve_cpu", input)


@primitive(
    outputs=("solution", "cloned_coefficient"), check=_check_triangular_solve, layout=("columns", "columns"),
    result=named_result("triangular_solve", "solution", "cloned_coefficient"),
    grows=lambda input, A: _system_and_copy(input, A), work=lambda input, A: system_size(A, input) * A.shape[-1],
    scratch=lambda input, A: 3 * _system_and_copy(input, A) + 2 * A.size,
)  # fmt: skip
def triangular_solve(
    input: Array, A: Array, upper: bool = True, transpose: bool = False, unitriangular: bool = False
) -> tuple[Array, ...]:
    """``X`` with ``A X = B``, or ``A^T X = B``, of which one triangle is read; and ``A`` itself."""
    batch = np.broadcast_shapes(input.shape[:-2], A.shape[:-2])
    matrices = np.swapaxes(A, -2, -1) if transpose else A
    solution = substituted(matrices, input, upper is not transpose, unitriangular)
    return solution, np.broadcast_to(A, (*batch, *A.shape[-2:])).copy()


def _system_and_copy(input: Array, A: Array) -> int:
    size = system_size(A, input)
    return max(size, size // max(input.shape[-1], 1) * A.shape[-1])


def _triangular_solve_inputs(
    cotangents: Any, A: Any, solution: Any, upper: Any, transpose: Any, unitriangular: Any, needs: Any
) -> Any:  # fmt: skip
    g, g_copy = cotangents
    if g is None:
        return None, g_copy
    g_B = triangular_solve(g, ops.conj(A), upper, not transpose, unitriangular)[0]
    if not needs[1]:
        return g_B, None
    if transpose:
        g_A = -ops.matmul(ops.conj(solution), ops.transpose(g_B, -2, -1))
    else:
        g_A = -ops.matmul(g_B, ops.adjoint(solution))
    beside = int(unitriangular)
    g_A = ops.triu(g_A, beside) if upper else ops.tril(g_A, -beside)
    return g_B, g_A if g_copy is None else g_A + g_copy


triangular_solve.vjp_joint(_triangular_solve_inputs)


# -- symmetric and Hermitian --------------------------------------------------------------------------------------
def _check_ldl(input: Tensor) -> None:
    name = "torch.linalg.ldl_factor_ex"
    check_square(name, input)
    check_floating(name, input)
    check_kernel("ldl_factor_kernel_cpu", input)


@primitive(
    public=False, underivable=True, shown_as="linalg_ldl_factor_ex", outputs=("LD", "pivots", "info"), check=_check_ldl,
    layout=("columns", "contiguous", "contiguous"), scratch=3, work=lambda input: cubic(input),
)  # fmt: skip
def ldl_and_info(input: Array, hermitian: bool, refused_as: str | None) -> tuple[Array, ...]:
    """``ldl_factor_ex``, which refuses singular matrices in the name of ``refused_as``."""
    packed, pivots, info = pivoting.ldl(input, hermitian)
    if refused_as is not None and info.any():
        raise OpError(f"{refused_as}: Unknown error code: {info[info != 0].ravel()[0]}.")
    return packed, pivots, info


LDL_FACTOR = named_result("linalg_ldl_factor", "LD", "pivots")
LDL_FACTOR_EX = named_result("linalg_ldl_factor_ex", "LD", "pivots", "info")


@composite(name="linalg.ldl_factor_ex")
def ldl_factor_ex(input: Tensor, *, hermitian: bool = False, check_errors: bool = False) -> Any:
    """``L`` and ``D`` of a symmetric or Hermitian matrix in one, exchanges of rows, and where ``D`` is singular."""
    return LDL_FACTOR_EX(*ldl_and_info(input, hermitian, "torch.linalg.ldl_factor_ex" if check_errors else None))


@composite(name="linalg.ldl_factor")
def ldl_factor(input: Tensor, *, hermitian: bool = False) -> Any:
    """``L`` and ``D`` of a symmetric or Hermitian matrix in one, and the exchanges of rows."""
    return LDL_FACTOR(*ldl_and_info(input, hermitian, "torch.linalg.ldl_factor")[:2])


def _check_ldl_solve(LD: Tensor, pivots: Tensor, B: Tensor) -> None:
    name = "torch.linalg.ldl_solve"
    check_square(name, LD)
    check_floating(name, LD)
    _check_pair(name, B, LD)
    if pivots.array.shape != LD.array.shape[:-1]:
        raise OpError(
            f"{name}: Expected LD.shape[:-1] and pivots.shape to be the same, but got pivots with shape "
            f"{list(pivots.array.shape)} instead"
        )
    if pivots.array.dtype.kind not in "iu":
        raise OpError(f"{name}: Expected pivots to be integers. Got {pivots.dtype.scalar_type}")
    check_kernel("ldl_solve_kernel_cpu", LD)


@primitive(
    name="linalg.ldl_solve", underivable=True, check=_check_ldl_solve, layout="columns",
    grows=lambda LD, B: system_size(LD, B), work=lambda LD, B: 2 * system_size(LD, B) * LD.shape[-1],
    scratch=lambda LD, B: 4 * system_size(LD, B) + 3 * LD.size,
)  # fmt: skip
def ldl_solve(LD: Array, pivots: Index, B: Array, *, hermitian: bool = False) -> Array:
    """``X`` with ``A X = B``, of the factors of ``A``."""
    n = LD.shape[-1]
    if pivots.size and not (np.abs(pivots).min() >= 1 and np.abs(pivots).max() <= n):
        raise OpError("torch.linalg.ldl_solve: pivots have to be those that linalg.ldl_factor returned")
    return pivoting.ldl_solution(LD, pivots, B, hermitian)
