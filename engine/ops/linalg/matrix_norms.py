"""Norms of matrices, and the public norm that chooses between theirs and those of vectors."""

from __future__ import annotations

from math import inf
from typing import Any

from engine import dtypes, ops
from engine.dtypes import DType
from engine.errors import ArgumentTypeError, OpError
from engine.op import Dims, composite, type_name, wrap_dim
from engine.ops.linalg.factorizations import check_floating, check_matrix, svdvals
from engine.tensor import Tensor

NAME = "linalg.matrix_norm"


def _check(A: Tensor, ord: Any, dim: tuple[int, ...], dtype: DType | None) -> None:
    if not isinstance(ord, str | int | float | complex):
        raise ArgumentTypeError(f"an order of type {type_name(ord)}")  # shown as all overloads
    check_matrix(NAME, A)
    if ord not in ("fro", "nuc", 1, -1, 2, -2, inf, -inf):
        raise OpError(f"{NAME}: Order {ord} not supported.")
    if len(dim) != 2:
        raise OpError(f"{NAME}: dim must be a 2-tuple. Got {' '.join(map(str, dim))}")
    check_floating(NAME, A)
    if dtype is not None:
        _check_dtype(A.dtype, dtype)


def _check_dtype(found: DType, asked: DType) -> None:
    if not asked.is_differentiable:
        raise OpError(f"{NAME}: dtype should be floating point or complex, but got {asked.scalar_type}")
    if asked.is_complex != found.is_complex:
        kind = "complex" if found.is_complex else "real"
        raise OpError(f"{NAME}: dtype should be {kind} for {kind} inputs, but got {asked.scalar_type}")
    if dtypes.promote_types(found, asked) is not asked:
        raise OpError(
            f"{NAME}: the dtype of the input ({found.scalar_type}) should be convertible without narrowing to the "
            f"specified dtype ({asked.scalar_type})"
        )


@composite(name="linalg.matrix_norm")
def matrix_norm(
    A: Tensor, ord: Any = "fro", dim: Any = (-2, -1), keepdim: bool = False, *, dtype: DType | None = None
) -> Tensor:
    """``"fro"``, ``"nuc"``, the largest (least, if negative) singular value (2), column sum (1) or row sum (inf)."""
    listed = tuple(dim) if isinstance(dim, list | tuple) else (dim,)
    _check(A, ord, listed, dtype)
    rows, columns = (wrap_dim(axis, A.array.ndim) for axis in listed)
    if rows == columns:
        raise OpError(f"{NAME}: dims must be different. Got ({rows}, {columns})")
    if ord == "fro":
        return ops.vector_norm(A, 2, listed, keepdim, dtype=dtype)
    if ord == "nuc" or abs(ord) == 2:
        return _spectral_norm(A, ord, rows, columns, keepdim, dtype)
    if abs(ord) == inf:
        rows, columns = columns, rows
    sums = ops.vector_norm(A, 1, [rows], keepdim, dtype=dtype)
    return _extreme(sums, ord, columns - (0 if keepdim or columns < rows else 1), keepdim)


def _spectral_norm(A: Tensor, ord: Any, rows: int, columns: int, keepdim: bool, dtype: DType | None) -> Tensor:
    """A function of the singular values, which are computed with the matrices in the last dimensions."""
    wide = A if dtype is None or dtype is A.dtype else ops.cast(A, dtype)
    order = [axis for axis in range(A.array.ndim) if axis not in (rows, columns)] + [rows, columns]
    values = svdvals(ops.permute(wide, order))
    result = ops.sum(values, -1, keepdim) if ord == "nuc" else _extreme(values, ord, -1, keepdim)
    if not keepdim:
        return result
    return ops.permute(ops.unsqueeze(result, -1), [order.index(axis) for axis in range(A.array.ndim)])


def _extreme(values: Tensor, ord: float, dim: int, keepdim: bool) -> Tensor:
    """The largest value, 0 of none, or the least."""
    if ord < 0:
        return ops.amin(values, dim, keepdim)
    if values.array.shape[dim]:
        return ops.amax(values, dim, keepdim)
    return ops.sum(values.detach(), dim, keepdim)


@composite(method=False)
def nuclear_norm(input: Tensor, dim: Any = (-2, -1), keepdim: bool = False) -> Tensor:
    """The sum of the singular values."""
    return matrix_norm(input, "nuc", dim, keepdim)


@composite(name="linalg.norm")
def norm(
    A: Tensor, ord: Any = None, dim: Dims | None = None, keepdim: bool = False, *, dtype: DType | None = None
) -> Tensor:
    """The 2-norm of all elements, or the ``ord``-norm of vectors (one dimension) or of matrices (two)."""
    dims: Any = (dim,) if isinstance(dim, int) else dim
    if dims is not None and len(dims) not in (1, 2):
        raise OpError(f"linalg.norm: If dim is specified, it must be of length 1 or 2. Got {list(dims)}")
    if dims is None and ord is not None and A.array.ndim not in (1, 2):
        raise OpError(
            f"linalg.norm: If dim is not specified but ord is, the input must be 1D or 2D. Got {A.array.ndim}D."
        )
    over = tuple(range(A.array.ndim)) if dims is None else tuple(dims)
    if isinstance(ord, str) or (ord is not None and len(over) == 2):
        return matrix_norm(A, ord, over, keepdim, dtype=dtype)
    return ops.vector_norm(A, 2 if ord is None else ord, dims, keepdim, dtype=dtype)
