"""Tensors taken for matrices: their inverses and systems; Vandermonde matrices, and diagonals of matrices."""

from __future__ import annotations

from math import prod

import numpy as np

from engine import dtypes, ops
from engine.dtypes import BOOL, INTEGER
from engine.errors import OpError
from engine.op import Ints, composite
from engine.ops.linalg.solving import inverse_and_info, solve
from engine.tensor import Tensor


@composite(name="linalg.diagonal")
def diagonal(A: Tensor, *, offset: int = 0, dim1: int = -2, dim2: int = -1) -> Tensor:
    """The diagonals of matrices, as a view."""
    return ops.diagonal(A, offset, dim1, dim2)


def _check_split(rows: int, columns: int, shown: str) -> None:
    """Refuse a tensor that is no square matrix when it is split there."""
    if rows != columns:
        raise OpError(
            f"Expected self to satisfy the requirement prod(self.shape[{shown}:]) == prod(self.shape[:{shown}]), but "
            f"got {columns} != {rows}"
        )


@composite(name="linalg.tensorinv")
def tensorinv(input: Tensor, ind: int = 2) -> Tensor:
    """The inverse of the matrix whose rows are the first ``ind`` dimensions, as a tensor."""
    shape = input.array.shape
    if ind <= 0:
        raise OpError(f"Expected a strictly positive integer for 'ind', but got {ind}")
    if ind > len(shape):
        raise OpError(f"ArrayRef: invalid slice, N = {ind}; size = {len(shape)}")
    _check_split(prod(shape[:ind]), prod(shape[ind:]), "ind")
    extent = prod(shape[ind:])
    inverse = inverse_and_info(ops.reshape(input, (extent, extent)), "inv")[0]
    return ops.reshape(inverse, (*shape[ind:], *shape[:ind]))


@composite(name="linalg.tensorsolve")
def tensorsolve(input: Tensor, other: Tensor, dims: Ints | None = None) -> Tensor:
    """``X`` with ``tensordot(A, X, X.ndim) = B``; ``dims`` of ``A`` are moved to its end first."""
    ndim = input.array.ndim
    moved = input
    if dims is not None:
        moved = ops.movedim(input, dims, tuple(range(ndim - len(dims), ndim)))
    shape = moved.array.shape
    extent = prod(shape[other.array.ndim :])
    _check_split(other.array.size, extent, "other.ndim")
    solution = solve(ops.reshape(moved, (extent, extent)), ops.reshape(other, (extent,)))
    return ops.reshape(solution, shape[other.array.ndim :])


@composite(name="linalg.vander")
def vander(x: Tensor, *, N: int | None = None) -> Tensor:
    """The powers of vectors, from 0 up to ``N - 1``: ``(*, n) -> (*, n, N)``."""
    dtype = x.dtype
    if dtype.category == BOOL or dtype.opmath is not dtype:
        raise OpError(
            f"linalg.vander supports floating point, complex, and integer tensors, but got {dtype.scalar_type}"
        )
    size = x.array.shape
    count = (size[-1] if size else 1) if N is None else N
    if count <= 1:
        raise OpError("N must be greater than 1.")
    size = size or (1,)
    powers = ops.cumprod(ops.expand(ops.unsqueeze(x, -1), (*size, count - 1)), -1)
    return ops.cat([Tensor(np.ones((*size, 1), x.array.dtype)), powers], -1)


@composite(name="vander", method=False)
def vander_of_vector(x: Tensor, N: int | None = None, increasing: bool = False) -> Tensor:
    """The powers of a vector, from ``N - 1`` down to 0, or up to it."""
    if x.array.ndim != 1:
        raise OpError("x must be a one-dimensional tensor.")
    count = x.array.shape[0] if N is None else N
    if count < 0:
        raise OpError("N must be non-negative.")
    wide = x.to(dtypes.int64) if x.dtype.category <= INTEGER else x
    ones = Tensor(np.ones((x.array.shape[0], min(count, 1)), wide.array.dtype))
    if count <= 1:
        return ones
    rising = Tensor(np.ones((x.array.shape[0], count), wide.array.dtype))
    rising[:, 1:].copy_(ops.cumprod(ops.expand(ops.unsqueeze(wide, -1), (x.array.shape[0], count - 1)), -1))
    return rising if increasing else ops.flip(rising, (-1,))
