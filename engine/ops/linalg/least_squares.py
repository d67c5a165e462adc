"""Least squares, pseudo-inverses, ranks and condition numbers.

Rules after G. Golub and V. Pereyra, "The differentiation of pseudo-inverses and nonlinear least squares problems whose
variables separate" (1973), equation 4.12: ``dP = -P dA P + P P^H dA^H (I - A P) + (I - P A) dA^H P^H P``.
"""

from __future__ import annotations

from math import inf, prod
from typing import Any

import numpy as np
import scipy  # loads what is used of it when it is

from engine import dtypes, ops, strides
from engine.errors import OpError
from engine.kernels import lapack
from engine.named_results import named_result
from engine.op import Array, Operand, broadcast_pair, composite, primitive
from engine.ops.linalg.factorizations import check_finite, check_square, cubic, svdvals
from engine.ops.linalg.matrix_norms import matrix_norm
from engine.ops.linalg.solving import inv_ex, takes_vectors
from engine.tensor import Tensor

NO_EPSILON = "This function doesn't handle types other than float and double"


# -- which singular values count ----------------------------------------------------------------------------------
def _bounds(name: str, input: Tensor, atol: Any, rtol: Any) -> tuple[Any, Any]:
    """``atol`` and ``rtol`` as tensors; ``rtol`` is 0 where only a positive ``atol`` is given."""
    for which, bound in (("atol", atol), ("rtol", rtol)):
        if isinstance(bound, Tensor) and bound.dtype.is_complex:
            raise OpError(f"{name}: {which} tensor of complex type is not supported. Got {bound.dtype.scalar_type}")
    default = epsilon(input) * max(input.array.shape[-2:])
    if rtol is None and isinstance(atol, Tensor):
        rtol = ops.where(ops.gt(atol, 0), 0.0, default)
    elif rtol is None:
        rtol = 0.0 if atol is not None and atol > 0 else default
    atol = 0.0 if atol is None else atol
    if not all(isinstance(bound, Tensor | int | float) for bound in (atol, rtol)):
        raise TypeError("a bound is a number or a tensor")
    return tuple(bound if isinstance(bound, Tensor) else Tensor(np.asarray(float(bound))) for bound in (atol, rtol))  # type: ignore[return-value]


def epsilon(tensor: Tensor) -> float:
    """The distance from 1 to the next number of the precision of ``tensor``."""
    if not tensor.dtype.is_differentiable or tensor.dtype.opmath is not tensor.dtype:
        raise OpError(NO_EPSILON)
    return float(np.finfo(tensor.array.dtype).eps)


def _decomposed(A: Array, hermitian: bool) -> tuple[Array, ...]:
    """``U``, sizes of singular values and ``V^H``; of Hermitian matrices by eigenvalues."""
    check_finite(A)
    if not hermitian:
        return lapack.svd(A, False)
    values, vectors = lapack.eigh(A)
    signs = np.where(values < 0, -1, 1).astype(values.dtype)
    return vectors * signs[..., None, :], np.abs(values), np.conj(np.swapaxes(vectors, -2, -1))


def _counting(values: Array, atol: Array, rtol: Array) -> Array:
    """Which of the singular values are above the bounds."""
    largest = values.max(-1, keepdims=True, initial=0)
    return np.asarray(values > np.maximum(atol[..., None], rtol[..., None] * largest))


def _check_bounded(input: Tensor, hermitian: bool) -> None:
    if hermitian:
        check_square("linalg.eigh", input)


# -- pseudo-inverse -----------------------------------------------------------------------------------------------
@primitive(
    public=False, grad_fn="LinalgPinvBackward0", nondifferentiable=("atol", "rtol"), check=_check_bounded, scratch=8,
    work=lambda input: 150 * cubic(input),
)  # fmt: skip
def pseudo_inverse(input: Array, atol: Array, rtol: Array, hermitian: bool) -> Array:
    """Moore and Penrose's inverse ``P``, in which singular values up to ``max(atol, rtol * largest)`` are 0."""
    left, values, right = _decomposed(input, hermitian)
    counts = _counting(values, atol, rtol)
    inverted = np.where(counts, 1 / np.where(counts, values, 1), 0).astype(values.dtype)
    back = np.conj(np.swapaxes(right, -2, -1)) * inverted[..., None, :]
    return np.asarray(np.matmul(back, np.conj(np.swapaxes(left, -2, -1))))


def _pseudo_input(g: Any, input: Any, out: Any) -> Any:
    back, seen = ops.adjoint(out), ops.adjoint(g)
    inner = ops.matmul(out, seen)  # P g^H
    turned = ops.matmul(inner, out)  # P g^H P
    across = ops.matmul(seen, ops.matmul(out, back))  # g^H P P^H
    across = across - ops.matmul(input, ops.matmul(out, across))
    along = ops.matmul(back, inner) - ops.matmul(ops.matmul(back, turned), input)  # P^H P g^H (I - P A)
    return across + along - ops.adjoint(turned)


pseudo_inverse.vjp(input=_pseudo_input)


def _check_inverted(input: Tensor) -> None:
    dtype, shape = input.dtype, list(input.array.shape)
    if len(shape) < 2 or not dtype.is_differentiable or dtype.opmath is not dtype:
        raise OpError(
            f"linalg.pinv({dtype.scalar_type}{{{shape}}}): expected a tensor with 2 or more dimensions of float, "
            "double, cfloat or cdouble types"
        )


@composite(name="linalg.pinv")
def pinv(
    input: Tensor,
    rcond: Operand | None = None,
    hermitian: bool = False,
    *,
    atol: Operand | None = None,
    rtol: Operand | None = None,
) -> Tensor:
    """Moore and Penrose's inverse; singular values up to ``max(atol, rtol * largest)`` count as 0."""
    _check_inverted(input)
    if rcond is not None:
        if atol is not None or rtol is not None:
            raise TypeError("two bounds")
        atol, rtol = 0.0, rcond
    bounds = _bounds("torch.linalg.pinv", input, atol, rtol)
    return pseudo_inverse(input, *bounds, hermitian)


@composite
def pinverse(input: Tensor, rcond: float = 1e-15) -> Tensor:
    """``linalg.pinv`` with a bound that hardly any singular value is below."""
    return pinv(input, rcond)


# -- rank ---------------------------------------------------------------------------------------------------------
@primitive(public=False, nondifferentiable=("input", "atol", "rtol"), check=_check_bounded, scratch=8,
           work=lambda input: 60 * cubic(input))  # fmt: skip
def counted_rank(input: Array, atol: Array, rtol: Array, hermitian: bool) -> Array:
    """How many singular values are above ``max(atol, rtol * largest)``."""
    return np.asarray(_counting(_decomposed(input, hermitian)[1], atol, rtol).sum(-1, dtype=np.int64))


@composite(name="linalg.matrix_rank")
def matrix_rank(
    input: Tensor,
    tol: Operand | None = None,
    hermitian: bool = False,
    *,
    atol: Operand | None = None,
    rtol: Operand | None = None,
) -> Tensor:
    """The number of singular values above ``max(atol, rtol * largest)``, or above ``tol``."""
    name = "torch.linalg.matrix_rank"
    if input.array.ndim < 2:
        raise OpError(f"{name}: The input tensor input must have at least 2 dimensions.")
    epsilon(input)
    if tol is not None:
        if atol is not None or rtol is not None:
            raise TypeError("two bounds")
        atol, rtol = tol, 0.0
    return counted_rank(input, *_bounds(name, input, atol, rtol), hermitian)


# -- least squares ------------------------------------------------------------------------------------------------
MANY = 4  # times its columns: as many systems are solved faster together than one by one by LAPACK
DRIVERS = ("gels", "gelsy", "gelsd", "gelss")


def _check_least_squares(input: Tensor, b: Tensor, driver: str | None) -> None:
    name = "torch.linalg.lstsq"
    a_shape, b_shape = input.array.shape, b.array.shape
    if len(a_shape) < 2:
        raise OpError(f"{name}: input must have at least 2 dimensions.")
    if not b_shape:
        raise OpError(f"{name}: other must have at least 1 dimension.")
    if not 0 <= len(a_shape) - len(b_shape) <= 1:
        raise OpError(
            f"{name}: input.dim() must be greater or equal to other.dim() and (input.dim() - other.dim()) <= 1"
        )
    side = -1 if takes_vectors(a_shape, b_shape) else -2
    if a_shape[-2] != b_shape[side]:
        raise OpError(f"{name}: input.size(-2) should match other.size({side})")
    if input.dtype is not b.dtype:
        raise OpError(
            f"{name}: Expected input and other to have the same dtype, but got input's dtype "
            f"{input.dtype.scalar_type} and other's dtype {b.dtype.scalar_type}"
        )
    epsilon(input)
    if driver is not None and driver not in DRIVERS:
        raise OpError(f"{name}: parameter `driver` should be one of (gels, gelsy, gelsd, gelss)")
    broadcast_pair(a_shape[:-2], _as_columns(b_shape, a_shape)[:-2])


def _as_columns(b_shape: tuple[int, ...], a_shape: tuple[int, ...]) -> tuple[int, ...]:
    return (*b_shape, 1) if len(b_shape) < len(a_shape) else b_shape


def _solution_size(input: Array, b: Array) -> int:
    columns = _as_columns(b.shape, input.shape)
    return prod(broadcast_pair(input.shape[:-2], columns[:-2])) * max(input.shape[-2:]) * columns[-1]


@primitive(
    name="linalg.lstsq", grad_fn="LinalgLstsqBackward0",
    outputs=("solution", "residuals", "rank", "singular_values"), constant=("singular_values",),
    check=_check_least_squares, layout=("kernel", *["contiguous"] * 3),
    result=named_result("linalg_lstsq", "solution", "residuals", "rank", "singular_values"),
    grows=lambda input, b: _solution_size(input, b),
    work=lambda input, b: 60 * (cubic(input) + _solution_size(input, b)),
    scratch=lambda input, b: 8 * _solution_size(input, b) + 8 * input.size,
)  # fmt: skip
def lstsq(input: Array, b: Array, rcond: float | None = None, *, driver: str | None = None) -> tuple[Array, ...]:
    """``X`` that minimises ``|A X - B|``, the shortest of several; what a driver does not compute is empty."""
    m, n = input.shape[-2:]
    given = b[..., None] if b.ndim < input.ndim else b
    batch = np.broadcast_shapes(input.shape[:-2], given.shape[:-2])
    given = np.broadcast_to(given, (*batch, *given.shape[-2:]))
    solution = np.zeros((*batch, n, given.shape[-1]), input.dtype)
    rank = np.zeros(input.shape[:-2], np.int64)
    values = np.zeros((*input.shape[:-2], min(m, n)), input.real.dtype)
    bound = np.finfo(input.dtype).eps * max(m, n) if rcond is None else rcond
    has_values = driver in ("gelsd", "gelss")
    solver: Any = scipy.linalg.lstsq
    if prod(batch) > MANY * n and input.size and given.size:
        solution, rank, values = _solved_together(input, given, bound)
        batch = (0,)
    for place in np.ndindex(batch if input.size and given.size else (0,)):
        own = tuple(min(index, extent - 1) for index, extent in zip(place, rank.shape, strict=True))
        found = solver(input[own], given[place], bound, lapack_driver=driver if has_values else "gelsy")
        solution[place], rank[own] = found[0], found[2]
        if has_values:
            values[own] = found[3]
    none = np.empty((0,), input.real.dtype)
    residuals = none
    if m > n and (driver == "gels" or (has_values and (rank == n).all())):
        residuals = (np.abs(np.matmul(input, solution) - given) ** 2).sum(-2)
    return (
        solution[..., 0] if b.ndim < input.ndim else strides.relaid(solution, strides.columns(solution.shape)),
        residuals, none.astype(np.int64) if driver == "gels" else rank, values if has_values else none,
    )  # fmt: skip


def _solved_together(A: Array, B: Array, bound: float) -> tuple[Array, Array, Array]:
    """Solutions, ranks and singular values of many small systems."""
    left, values, right = lapack.svd(A, False)
    counts = values > bound * values[..., :1]
    inverted = np.where(counts, 1 / np.where(counts, values, 1), 0).astype(values.dtype)
    seen = np.matmul(np.conj(np.swapaxes(left, -2, -1)), B) * inverted[..., None]
    return np.matmul(np.conj(np.swapaxes(right, -2, -1)), seen), counts.sum(-1, dtype=np.int64), values


def _least_squares_inputs(cotangents: Any, input: Any, b: Any, solution: Any, needs: Any) -> Any:
    """``X = P B``; what is left over, ``|A X - B|^2``, does not change with ``X`` to first order."""
    g_X, g_left = cotangents[:2]
    is_vector = b.array.ndim < input.array.ndim
    B, X = (ops.unsqueeze(t, -1) if is_vector else t for t in (b, solution))
    g_A = g_B = None
    if g_X is not None:
        g_X = ops.unsqueeze(g_X, -1) if is_vector else g_X
        P = pinv(input)
        g_A = _pseudo_input(ops.matmul(g_X, ops.adjoint(B)), input, P) if needs[0] else None
        g_B = ops.matmul(ops.adjoint(P), g_X) if needs[1] else None
    if g_left is not None and g_left.array.size:
        beyond = 2 * (ops.matmul(input, X) - B) * ops.unsqueeze(g_left, -2)
        if needs[0]:
            through = ops.matmul(beyond, ops.adjoint(X))
            g_A = through if g_A is None else g_A + through
        if needs[1]:
            g_B = -beyond if g_B is None else g_B - beyond
    return g_A, (ops.squeeze(g_B, -1) if is_vector and g_B is not None else g_B)


lstsq.vjp_joint(_least_squares_inputs)


# -- condition ----------------------------------------------------------------------------------------------------
def _check_condition(input: Tensor, p: Any) -> None:
    if input.array.ndim < 2:
        raise OpError("linalg.cond: The input tensor must have at least 2 dimensions.")
    if isinstance(p, complex):
        raise OpError("value cannot be converted to type double without overflow")
    if p is not None and not isinstance(p, str | int | float):
        raise TypeError("an order is a number or a name")
    if isinstance(p, str):
        check_square(f"linalg.cond(ord={p})", input)
    if p not in (None, "fro", "nuc", 1, -1, 2, -2, inf, -inf):
        raise OpError(f"linalg.cond got an invalid norm type: {p}")
    if p not in (None, 2, -2):
        check_square(f"linalg.cond(ord={p})", input)


@composite(name="linalg.cond")
def cond(input: Tensor, p: Any = None) -> Tensor:
    """The norm of a matrix times that of its inverse, infinite where there is none; by default the 2-norm."""
    _check_condition(input, p)
    if not input.array.size:
        return Tensor(np.zeros(input.array.shape[:-2], dtypes.to_real(input.dtype).numpy))
    if p in (None, 2, -2):
        values = svdvals(input)
        ends = [ops.narrow(values, -1, 0, 1), ops.narrow(values, -1, values.array.shape[-1] - 1, 1)]
        least, largest = ends if p == -2 else reversed(ends)
        return ops.squeeze(largest / least, -1)
    if p == "nuc":
        return ops.sum(svdvals(input), (-1,)) * ops.sum(ops.reciprocal(svdvals(input)), (-1,))
    inverse, info = inv_ex(input)
    inverse = ops.masked_fill(inverse, ops.unsqueeze(ops.unsqueeze(ops.gt(info, 0), -1), -1), inf)
    product = matrix_norm(input, p) * matrix_norm(inverse, p)
    return ops.nan_to_num(product, inf, inf, -inf)
