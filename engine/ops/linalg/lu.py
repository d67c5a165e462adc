"""The factorisation ``A = P L U`` of matrices of any extents, packed and unpacked, and systems solved with it.

Rules after F. de Hoog, R. Anderssen and M. Lukas, "Differentiation of matrix functionals using triangular
factorization" (2011), with transposes made adjoints; those of oblong matrices follow block by block.
"""

from __future__ import annotations

from math import prod
from typing import Any

import numpy as np

from engine import dtypes, modes, ops, strides
from engine.errors import LinAlgError, OpError
from engine.kernels import pivoting
from engine.kernels.triangular import substituted
from engine.named_results import named_result
from engine.op import Array, Index, composite, extents, primitive, wrap_dim
from engine.ops.linalg.factorizations import check_floating, check_kernel, check_square, cubic, refuse
from engine.ops.linalg.solving import check_system, system_size
from engine.tensor import Tensor

SINGULAR = (
    "U[{0},{0}] is zero and using it on lu_solve would result in a division by zero. If you still want to perform the "
    "factorization, consider calling linalg.lu(A, pivot) or linalg.lu_factor_ex(A, pivot)"
)

DEPRECATED = (
    "torch.lu is deprecated in favor of torch.linalg.lu_factor / torch.linalg.lu_factor_ex and will be removed in a "
    "future PyTorch release.\nLU, pivots = torch.lu(A, compute_pivots)\nshould be replaced with\n"
    "LU, pivots = torch.linalg.lu_factor(A, compute_pivots)\nand\n"
    "LU, pivots, info = torch.lu(A, compute_pivots, get_infos=True)\nshould be replaced with\n"
    "LU, pivots, info = torch.linalg.lu_factor_ex(A, compute_pivots)"
)
SOLVE_DEPRECATED = (
    "torch.lu_solve is deprecated in favor of torch.linalg.lu_solveand will be removed in a future PyTorch release.\n"
    "Note that torch.linalg.lu_solve has its arguments reversed.\nX = torch.lu_solve(B, LU, pivots)\n"
    "should be replaced with\nX = torch.linalg.lu_solve(LU, pivots, B)"
)


def _check_factored(name: str, A: Tensor, pivot: bool) -> None:
    if A.array.ndim < 2:
        raise OpError(f"{name}: Expected tensor with 2 or more dimensions. Got size: {list(A.array.shape)} instead")
    if not pivot and A.array.size:
        raise OpError("linalg.lu_factor: LU without pivoting is not implemented on the CPU")
    check_kernel("lu_cpu", A)


# -- packed -------------------------------------------------------------------------------------------------------
@primitive(
    public=False, grad_fn="LinalgLuFactorExBackward0", outputs=("LU", "pivots", "info"), scratch=3,
    check=lambda A, pivot: _check_factored("torch.lu_factor", A, pivot),
    layout=("columns", "contiguous", "contiguous"), work=lambda A: cubic(A),
)  # fmt: skip
def lu_and_info(A: Array, pivot: bool, refused_as: str | None) -> tuple[Array, ...]:
    """``lu_factor_ex``, which refuses singular matrices in the name of ``refused_as``."""
    packed, pivots, info = pivoting.lu(A)
    if refused_as is not None:
        try:
            refuse(info, refused_as, SINGULAR)
        except LinAlgError as error:
            raise OpError(str(error)) from None
    return packed, pivots, info


def _packed_input(g: Any, LU: Any, pivots: Any) -> Any:
    P, L, U = lu_unpack(LU, pivots)
    k = min(LU.array.shape[-2:])
    return _lu_input(ops.tril(ops.narrow(g, -1, 0, k), -1), ops.triu(ops.narrow(g, -2, 0, k)), P, L, U)


def _lu_input(g_L: Any, g_U: Any, P: Any, L: Any, U: Any) -> Any:
    """``P L1^-H M U1^-H`` for the leading square of the matrices, ``M`` strictly lower from ``L``, upper from ``U``."""
    m, n = L.array.shape[-2], U.array.shape[-1]
    k = min(m, n)
    L1, U1 = ops.narrow(L, -2, 0, k), ops.narrow(U, -1, 0, k)
    lower = upper = beyond = None
    if g_L is not None:
        lower = ops.matmul(ops.adjoint(L1), ops.narrow(g_L, -2, 0, k))
        if m > k:
            beyond = ops.narrow(g_L, -2, k, m - k)
            upper = -ops.matmul(ops.adjoint(ops.narrow(L, -2, k, m - k)), beyond)
    if g_U is not None:
        inner = ops.matmul(ops.narrow(g_U, -1, 0, k), ops.adjoint(U1))
        upper = inner if upper is None else upper + inner
        if n > k:
            beyond = ops.narrow(g_U, -1, k, n - k)
            across = -ops.matmul(beyond, ops.adjoint(ops.narrow(U, -1, k, n - k)))
            lower = across if lower is None else lower + across
    parts = [part for part in (_strict(lower), None if upper is None else ops.triu(upper)) if part is not None]
    core = parts[0] if len(parts) == 1 else parts[0] + parts[1]
    core = _from_right(U1, ops.solve_triangular(ops.adjoint(L1), core, upper=True, unitriangular=True))
    if m > k:
        below = ops.zeros_like(ops.narrow(L, -2, k, m - k)) if beyond is None else _from_right(U1, beyond)
        core = ops.cat([core, below], -2)
    if n > k:
        beside = ops.zeros_like(ops.narrow(U, -1, k, n - k)) if beyond is None else beyond
        core = ops.cat([core, ops.solve_triangular(ops.adjoint(L1), beside, upper=True, unitriangular=True)], -1)
    return ops.matmul(P, core)


def _strict(lower: Any) -> Any:
    return None if lower is None else ops.tril(lower, -1)


def _from_right(U: Any, g: Any) -> Any:
    return ops.solve_triangular(ops.adjoint(U), g, upper=False, left=False)


lu_and_info.vjp(A=_packed_input)
LU_FACTOR = named_result("linalg_lu_factor", "LU", "pivots")
LU_FACTOR_EX = named_result("linalg_lu_factor_ex", "LU", "pivots", "info")
WITH_INFO = named_result("_lu_with_info", "LU", "pivots", "info")


@composite(name="linalg.lu_factor_ex")
def lu_factor_ex(A: Tensor, *, pivot: bool = True, check_errors: bool = False) -> Any:
    """``L`` and ``U`` in one matrix, the exchanges of rows, and the place of the first pivot that is 0."""
    return LU_FACTOR_EX(*lu_and_info(A, pivot, "torch.linalg.lu_factor_ex" if check_errors else None))


@composite(name="linalg.lu_factor")
def lu_factor(A: Tensor, *, pivot: bool = True) -> Any:
    """``L`` and ``U`` in one matrix, and the exchanges of rows."""
    return LU_FACTOR(*lu_and_info(A, pivot, "torch.linalg.lu_factor")[:2])


@composite(name="lu", method=True)
def packed_lu(A: Tensor, pivot: bool = True, get_infos: bool = False, out: None = None) -> Any:
    """``linalg.lu_factor`` of singular matrices, too; ``get_infos`` adds the places of pivots that are 0."""
    modes.warn_once(DEPRECATED)
    packed = lu_and_info(A, pivot, None)
    return WITH_INFO(*packed) if get_infos else tuple(packed[:2])


# -- unpacked -----------------------------------------------------------------------------------------------------
def _unpacked_sizes(A: Array) -> int:
    *batch, m, n = A.shape
    k = min(m, n)
    return prod(batch) * (m * m + m * k + k * n)


@primitive(
    name="linalg.lu", grad_fn="LinalgLuBackward0", outputs=("P", "L", "U"), constant=("P",),
    result=named_result("linalg_lu", "P", "L", "U"), check=lambda A, pivot: _check_factored("linalg.lu", A, pivot),
    grows=lambda A: _unpacked_sizes(A), scratch=lambda A: 3 * extents(A) + 2 * _unpacked_sizes(A),
    work=lambda A: cubic(A),
)  # fmt: skip
def linalg_lu(A: Array, *, pivot: bool = True) -> tuple[Array, ...]:
    """``A = P L U``: a permutation, ones on the diagonal of ``L``: ``(m, n) -> (m, m), (m, k), (k, n)``."""
    packed, pivots, _ = pivoting.lu(A)
    return pivoting.permutations(pivots, A.shape[-2], A.dtype), *pivoting.unpacked(packed)


def _unpacked_input(cotangents: Any, P: Any, L: Any, U: Any) -> Any:
    _, g_L, g_U = cotangents
    return None if g_L is None and g_U is None else _lu_input(g_L, g_U, P, L, U)


linalg_lu.vjp(A=_unpacked_input)


def _check_pivots(LU_data: Tensor, LU_pivots: Tensor, unpack_pivots: bool) -> None:
    wrap_dim(-2, LU_data.array.ndim)
    if unpack_pivots and LU_pivots.dtype is not dtypes.int32:
        raise OpError(
            "torch.lu_unpack: LU_pivots is expected to be a contiguous tensor of torch.int32 dtype.\nNote: this "
            "function is intended to be used with the output produced by torch.linalg.lu_factor"
        )


@primitive(
    outputs=("P", "L", "U"), constant=("P",), result=named_result("lu_unpack", "P", "L", "U"), check=_check_pivots,
    grows=lambda LU_data: _unpacked_sizes(LU_data),
    scratch=lambda LU_data: 2 * extents(LU_data) + 2 * _unpacked_sizes(LU_data),
)  # fmt: skip
def lu_unpack(
    LU_data: Array, LU_pivots: Index, unpack_data: bool = True, unpack_pivots: bool = True
) -> tuple[Array, ...]:
    """``P``, ``L`` and ``U`` from the packed form; what is not asked for is empty."""
    m = LU_data.shape[-2]
    none = np.empty((0,), LU_data.dtype)
    permutation = none
    if unpack_pivots:
        if LU_pivots.size and (LU_pivots.min() < 1 or LU_pivots.max() > m):
            raise OpError(
                "pivots passed to lu_unpack must be between 1 and LU.size(-2) inclusive.Did you properly pass the "
                "result of lu_factor?"
            )
        pivots = np.broadcast_to(LU_pivots, (*LU_data.shape[:-2], LU_pivots.shape[-1]))
        permutation = pivoting.permutations(pivots, m, LU_data.dtype)
    return permutation, *(pivoting.unpacked(LU_data) if unpack_data else (none, none))


def _packed_cotangent(cotangents: Any, LU_data_shape: Any, unpack_data: Any) -> Any:
    _, g_L, g_U = cotangents
    if not unpack_data or (g_L is None and g_U is None):
        return None
    m, n = LU_data_shape[-2:]
    lower = None if g_L is None else ops.tril(g_L, -1)
    upper = None if g_U is None else ops.triu(g_U)
    if lower is not None and n > m:
        lower = ops.constant_pad_nd(lower, (0, n - m))
    if upper is not None and m > n:
        upper = ops.constant_pad_nd(upper, (0, 0, 0, m - n))
    return lower if upper is None else upper if lower is None else lower + upper


lu_unpack.vjp(LU_data=_packed_cotangent)


# -- systems ------------------------------------------------------------------------------------------------------
def _check_lu_solve(LU: Tensor, pivots: Tensor, B: Tensor, left: bool) -> None:
    name = "linalg.lu_solve"
    check_floating(f"torch.{name}", LU)
    if LU.dtype is not B.dtype:
        raise OpError(
            f"{name}: Expected LU and B to have the same dtype, but found LU of type {LU.dtype.scalar_type} and B of "
            f"type {B.dtype.scalar_type} instead"
        )
    if pivots.dtype is not dtypes.int32:
        raise OpError(f"{name}: pivots should be a Tensor of scalar type torch.int32")
    check_square(f"torch.{name}", LU)
    check_system(name, LU.array.shape, B.array.shape, left)
    if LU.array.shape[-1] != (pivots.array.shape or (1,))[-1]:
        raise OpError(f"{name}: Number of pivots per batch should be same as the dimension of the matrix")
    if LU.array.shape[:-1] != pivots.array.shape:
        raise OpError(
            f"{name}: Expected LU.shape[:-1] and pivots.shape to be the same, but got pivots with shape "
            f"{list(pivots.array.shape)} instead"
        )
    check_kernel("linalg.lu_solve_cpu", LU)


@primitive(
    name="linalg.lu_solve", grad_fn="LinalgLuSolveBackward0", check=_check_lu_solve, layout="kernel",
    grows=lambda LU, B: system_size(LU, B), work=lambda LU, B: system_size(LU, B) * LU.shape[-1],
    scratch=lambda LU, B: 4 * max(system_size(LU, B), extents(B)) + 2 * LU.size,
)  # fmt: skip
def linalg_lu_solve(LU: Array, pivots: Index, B: Array, *, left: bool = True, adjoint: bool = False) -> Array:
    """``X`` with ``A X = B``, or ``X A = B`` if not ``left``, of the packed form of ``A``; ``adjoint``: of ``A^H``."""
    if pivots.size and not 1 <= pivots.min() <= pivots.max() <= LU.shape[-2]:
        bound = "greater or equal to 1" if pivots.min() < 1 else "smaller or equal to LU.size(-2)"
        raise OpError(f"Pivots given to lu_solve must all be {bound}. Did you properly pass the result of lu_factor?")
    order = pivoting.order_of(pivots, LU.shape[-1])
    if left:
        return _columns(_lu_solution(LU, order, B, adjoint))
    solved = _lu_solution(LU, order, np.conj(np.swapaxes(B, -2, -1)), not adjoint)
    return np.swapaxes(_columns(np.conj(solved)), -2, -1)


def _columns(result: Array) -> Array:
    return strides.relaid(result, strides.columns(result.shape))


def _lu_solution(LU: Array, order: Array, B: Array, adjoint: bool) -> Array:
    if adjoint:
        back = np.conj(np.swapaxes(LU, -2, -1))
        inner = substituted(back, B, False, False)
        return _reordered(substituted(back, inner, True, True), pivoting.inverse_order(order))
    return substituted(LU, substituted(LU, _reordered(B, order), False, True), True, False)


def _reordered(B: Array, order: Array) -> Array:
    batch = np.broadcast_shapes(order.shape[:-1], B.shape[:-2])
    rows = np.broadcast_to(order, (*batch, order.shape[-1]))[..., None]
    return np.take_along_axis(np.broadcast_to(B, (*batch, *B.shape[-2:])), rows, -2)


def _lu_solve_inputs(
    g: Any, LU: Any, pivots: Any, B: Any, out: Any, left: Any, adjoint: Any, needs: Any
) -> Any:  # fmt: skip
    """``g_B`` solves the adjoint system; ``g_A`` is ``-g_B X^H`` or its mirror image, and ``A = P L U``."""
    g_B = linalg_lu_solve(LU, pivots, g, left=left, adjoint=not adjoint)
    if not needs[0]:
        return None, g_B
    g_A = ops.matmul(g_B, ops.adjoint(out)) if left else ops.matmul(ops.adjoint(out), g_B)
    P, L, U = lu_unpack(LU, pivots)
    core = -ops.matmul(ops.adjoint(P), ops.adjoint(g_A) if adjoint else g_A)
    lower = ops.tril(ops.matmul(core, ops.adjoint(U)), -1)
    return lower + ops.triu(ops.matmul(ops.adjoint(L), core)), g_B


linalg_lu_solve.vjp_joint(_lu_solve_inputs)


@composite(name="lu_solve")
def lu_solve(input: Tensor, LU_data: Tensor, LU_pivots: Tensor) -> Tensor:
    """``linalg.lu_solve`` with the right side first."""
    modes.warn_once(SOLVE_DEPRECATED)
    return linalg_lu_solve(LU_data, LU_pivots, input)
