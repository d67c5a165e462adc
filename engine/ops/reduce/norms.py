"""Vector norms, the distance they define, and ``renorm``. Norms of matrices are with the linear algebra."""

from __future__ import annotations

from math import inf
from typing import Any

import numpy as np

from engine import dtypes, ops
from engine.dtypes import BOOL, FLOATING, DType
from engine.errors import OpError
from engine.op import Array, Dim, Dims, Scalar, check_broadcast, composite, primitive
from engine.ops.math.arithmetic import A_BOOL, TWO_BOOLS
from engine.ops.reduce.sums import axes_of, summands, unreduced
from engine.tensor import Tensor


# -- vector norms -------------------------------------------------------------------------------------------------
def _check_norm_dtypes(found: DType, asked: DType | None) -> None:
    name = "linalg.vector_norm"
    if found.category < FLOATING:
        raise OpError(f"{name}: Expected a floating point or complex tensor as input. Got {found.scalar_type}")
    if asked is None:
        return
    if asked.category < FLOATING:
        raise OpError(f"{name}: dtype should be floating point or complex, but got {asked.scalar_type}")
    if asked.category != found.category:
        kind = "complex" if found.is_complex else "real"
        raise OpError(f"{name}: dtype should be {kind} for {kind} inputs, but got {asked.scalar_type}")
    if dtypes.promote_types(found, asked) is not asked:
        raise OpError(
            f"{name}: the dtype of the input ({found.scalar_type}) should be convertible without narrowing to the "
            f"specified dtype ({asked.scalar_type})"
        )


def _check_identity(input: Array, ord: float, dim: Any) -> None:
    """Norms of negative and infinite order have no value for nothing."""
    if input.size or (ord >= 0 and ord != inf):
        return
    problem = "because this dimension is empty and the operation does not have an identity"
    if not dim:
        raise OpError(
            f"linalg.vector_norm cannot compute the {ord:g} norm on an empty tensor because the operation does not "
            "have an identity"
        )
    for axis in dim:
        if input.shape[axis] == 0:
            raise OpError(f"linalg.vector_norm cannot compute the {ord:g} norm on the dimension {axis}{problem}")


def norm_of(input: Array, ord: float, axes: tuple[int, ...], keepdim: bool) -> Array:
    """The norm over ``axes``; the root is taken last, so that order 0 counts and infinite orders take extremes."""
    sizes = np.abs(input)
    options: dict[str, Any] = {"axis": axes, "keepdims": keepdim}
    if ord in (inf, -inf):
        return (np.max if ord > 0 else np.min)(sizes, **options)
    if ord == 0:
        return np.sum(sizes != 0, **options).astype(sizes.dtype)
    if ord == 1:
        return np.sum(sizes, **options)
    if ord == 2:
        return np.sqrt(np.sum(sizes * sizes, **options))
    return np.power(np.sum(np.power(sizes, ord), **options), sizes.dtype.type(1 / ord))


@primitive(
    name="linalg.vector_norm", grad_fn="LinalgVectorNormBackward0",
    check=lambda input, dtype: _check_norm_dtypes(input.dtype, dtype),
    scratch=2.5,
)  # fmt: skip
def linalg_vector_norm(
    input: Array, ord: Scalar = 2, dim: Dims | None = None, keepdim: bool = False, *, dtype: DType | None = None
) -> Array:
    """The ``ord``-norm over ``dim``, computed in ``dtype``."""
    _check_identity(input, ord, dim)
    return norm_of(summands(input, dtype), ord, axes_of(input, dim), keepdim)


def _no_gradient(g: Any, input: Any, norm: Any, axes: Any) -> Any:
    """A count moves in jumps: no cotangent at all, as in PyTorch."""
    return None


def _signs(g: Any, input: Any, norm: Any, axes: Any) -> Any:
    return ops.sgn(input) * g


def _directions(g: Any, input: Any, norm: Any, axes: Any) -> Any:
    return g * (input / norm).masked_fill(norm == 0, 0)


def _largest(g: Any, input: Any, norm: Any, axes: Any) -> Any:
    """Equal elements share the cotangent, as do NaN."""
    sizes = ops.abs(input.detach())
    mask = ops.logical_or(ops.eq(sizes, norm.detach()), ops.isnan(sizes))
    count = ops.sum(mask, axes, True) if axes else mask
    return ops.sgn(input) * (g / count * mask)


def _powers(order: float) -> Any:
    """``sgn(x) |x|^(p-1) norm^(1-p)``, with 0 where that has no limit."""

    def rule(g: Any, input: Any, norm: Any, axes: Any) -> Any:
        if order < 1:
            sizes = ops.pow(ops.abs(input), order - 1).masked_fill(input == 0, 0)
            return ops.sgn(input) * sizes * g * ops.pow(norm, 1 - order)
        scaled = (g / ops.pow(norm, order - 1)).masked_fill(norm == 0, 0)
        if order < 2:
            return ops.sgn(input) * ops.pow(ops.abs(input), order - 1) * scaled
        return input * ops.pow(ops.abs(input), order - 2) * scaled

    return rule


_RULES = {0.0: _no_gradient, 1.0: _signs, 2.0: _directions, inf: _largest, -inf: _largest}


def norm_input(g: Any, input: Any, norm: Any, order: float, axes: tuple[int, ...]) -> Any:
    """The cotangent of ``input``, whose norm over ``axes`` is ``norm``; that and ``g`` broadcast against it."""
    rule = _RULES.get(float(order)) or _powers(float(order))
    return rule(g, input, norm, axes)


def _vector_norm_input(g: Any, input: Tensor, out: Any, ord: float, dim: Any, keepdim: bool, dtype: Any) -> Any:
    shape, axes = input.array.shape, axes_of(input.array, dim)
    wide = input if dtype is None or dtype is input.dtype else ops.cast(input, dtype)
    norm, back = unreduced(out, shape, dim, keepdim), unreduced(g, shape, dim, keepdim)
    return norm_input(back, wide, norm, ord, axes)


linalg_vector_norm.vjp(input=_vector_norm_input)


@composite
def norm(
    input: Tensor,
    p: float | str | None = "fro",
    dim: Dims | None = None,
    keepdim: bool = False,
    dtype: DType | None = None,
) -> Any:
    """The ``p``-norm over ``dim``: of vectors if ``p`` is a number or ``"fro"``, of matrices otherwise."""
    dims: Any = (dim,) if isinstance(dim, int) else dim
    if p == "fro" and (dims is None or len(dims) <= 2):
        return ops.vector_norm(input, 2, dims, keepdim, dtype=dtype)
    if isinstance(p, str):
        over = tuple(range(input.array.ndim)) if dims is None else dims
        return ops.matrix_norm(input, p, over, keepdim, dtype=dtype)
    return ops.vector_norm(input, 2.0 if p is None else p, dims, keepdim, dtype=dtype)


# -- distance -----------------------------------------------------------------------------------------------------
def _check_dist(input: Tensor, other: Tensor) -> None:
    bools = [tensor.dtype.category == BOOL for tensor in (input, other)]
    if any(bools):
        raise OpError(TWO_BOOLS if all(bools) else A_BOOL)


@primitive(promote="default", check=_check_dist)
def dist(input: Array, other: Array, p: Scalar = 2) -> Array:
    """The ``p``-norm of the difference."""
    check_broadcast([input, other])
    difference = np.subtract(input, other)
    if difference.dtype.kind not in "fc":
        found = dtypes.of(difference).scalar_type
        raise OpError(f"norm(): input dtype should be either floating point or complex. Got {found} instead.")
    _check_identity(difference, p, None)
    return norm_of(difference, p, tuple(range(difference.ndim)), False)


def _dist_input(g: Any, input: Any, other: Any, out: Any, p: float) -> Any:
    difference = input - other
    return norm_input(g, difference, out, p, tuple(range(difference.array.ndim)))


def _dist_other(g: Any, input: Any, other: Any, out: Any, p: float) -> Any:
    back = _dist_input(g, input, other, out, p)
    return None if back is None else -back


dist.vjp(input=_dist_input, other=_dist_other)


# -- renorm -------------------------------------------------------------------------------------------------------
TINY = 1e-7  # added to a norm before it divides, as PyTorch does


def _check_renorm(input: Array, p: float, maxnorm: float) -> None:
    if isinstance(p, complex) or p <= 0:
        raise OpError("renorm: non-positive-norm not supported")
    if maxnorm < 0:
        raise OpError(f"renorm: expected maxnorm to be >= 0 but got {maxnorm:g}")
    if input.ndim < 2:
        raise OpError(f"renorm: input needs at least 2 dimensions, got {input.ndim} dimensions")


@primitive(writes=True)
def renorm(input: Array, p: Scalar, dim: Dim, maxnorm: Scalar) -> Array:
    """The slices along ``dim``, scaled down to ``p``-norm ``maxnorm`` where theirs is larger."""
    _check_renorm(input, p, maxnorm)
    _check_norm_dtypes(dtypes.of(input), None)
    norm = norm_of(input, p, _others(input.ndim, dim), True)
    scale = np.where(norm > maxnorm, maxnorm / (norm + TINY), 1)
    return input * scale.astype(norm.dtype)


def _others(ndim: int, dim: int) -> tuple[int, ...]:
    return tuple(axis for axis in range(ndim) if axis != dim)


def _renorm_input(g: Any, input: Any, p: float, dim: int, maxnorm: float) -> Any:
    """The derivative of ``x * maxnorm / norm(x)`` where the norm is too large."""
    axes = _others(input.array.ndim, dim)
    norm = ops.vector_norm(input, p, axes, True)
    inverse = ops.reciprocal(norm + TINY)
    along = ops.sum(ops.conj(input) * g, axes, True)
    along = ops.real(along) if along.dtype.is_complex else along
    scaled = maxnorm * inverse * (g - inverse * norm_input(along, input, norm, p, axes))
    return ops.where(norm > maxnorm, scaled, g)


renorm.vjp(input=_renorm_input)
