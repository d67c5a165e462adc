"""Distances and angles between vectors, and vectors scaled to length one."""

from __future__ import annotations

from typing import Any

import numpy as np

from engine import ops
from engine.errors import DimensionError, OpError, UnsupportedError
from engine.op import Array, Dim, Dims, Scalar, Size, broadcast_pair, composite, extents, primitive, wrap_dim
from engine.ops.math.powers import common_dtype
from engine.ops.math.special import first_order
from engine.ops.reduce.norms import norm_input, norm_of
from engine.tensor import Tensor


@primitive(public=False, grad_fn="NormBackward1")
def norm_along(input: Array, p: Scalar, dim: Dim, keepdim: bool) -> Array:
    """The ``p``-norm along one dimension."""
    return norm_of(input, p, (dim,) if input.ndim else (), keepdim)


def _norm_along_input(g: Any, input: Any, out: Any, p: float, dim: int, keepdim: bool) -> Any:
    if not keepdim and input.array.ndim:
        g, out = ops.unsqueeze(g, dim), ops.unsqueeze(out, dim)
    return norm_input(g, input, out, p, (dim,))


norm_along.vjp(input=_norm_along_input)


@primitive(public=False, grad_fn="NormBackward1")
def norm_over(input: Array, p: Scalar, dim: Dims, keepdim: bool) -> Array:
    """The ``p``-norm over several dimensions."""
    return norm_of(input, p, dim, keepdim)


def _norm_over_input(g: Any, input: Any, out: Any, p: float, dim: tuple[int, ...], keepdim: bool) -> Any:
    for place in () if keepdim else sorted(dim):
        g, out = ops.unsqueeze(g, place), ops.unsqueeze(out, place)
    return norm_input(g, input, out, p, dim)


norm_over.vjp(input=_norm_over_input)


@primitive(public=False, grad_fn="NormBackward0")
def norm_of_all(input: Array, p: Scalar) -> Array:
    """The ``p``-norm of all elements."""
    return norm_of(input, p, tuple(range(input.ndim)), False)


norm_of_all.vjp(input=lambda g, input, out, p: norm_input(g, input, out, p, tuple(range(input.array.ndim))))


@composite(method=False)
def frobenius_norm(input: Tensor, dim: Size, keepdim: bool = False) -> Tensor:
    """The square root of the sum of squares along one or two dimensions, or of everything."""
    if len(dim) > 2:
        raise OpError(f"Expected at most 2 dimensions, but got {len(dim)} dimensions instead.")
    return norm_over(input, 2, tuple(dim) or tuple(range(input.array.ndim)), keepdim)


@composite(method=False)
def norm_except_dim(v: Tensor, pow: int = 2, dim: int = 0) -> Tensor:
    """The norm of all slices along ``dim``, which stay; of everything for -1. Used by weight normalisation."""
    if dim == -1:
        return norm_of_all(v, pow)
    if not v.array.ndim:
        raise DimensionError(f"Dimension specified as {dim} but tensor has no dimensions")
    rank, extent = v.array.ndim, v.array.shape[wrap_dim(dim, v.array.ndim)]
    if dim not in (0, rank - 1):
        return ops.transpose(norm_except_dim(ops.transpose(v, 0, dim), pow, 0), 0, dim)
    rows = ops.view(ops.contiguous(v), (extent, -1) if dim == 0 else (-1, extent))
    shape = [extent if place == dim else 1 for place in range(rank)]
    return ops.view(norm_over(rows, pow, 0 if dim else 1, False), shape)


@composite(name="pairwise_distance", aliases=("nn.functional.pairwise_distance",), method=False)
def pairwise_distance(x1: Tensor, x2: Tensor, p: float = 2.0, eps: float = 1e-6, keepdim: bool = False) -> Tensor:
    """The ``p``-norm of ``x1 - x2 + eps`` along the last dimension."""
    return norm_along(ops.add_number(x1 - x2, eps), p, -1, keepdim)


@composite(name="cosine_similarity", aliases=("nn.functional.cosine_similarity",), method=False)
def cosine_similarity(x1: Tensor, x2: Tensor, dim: int = 1, eps: float = 1e-8) -> Tensor:
    """The cosine of the angle between ``x1`` and ``x2`` along ``dim``; a length is never below ``eps``."""
    target = common_dtype(x1, x2)
    if not target.is_floating_point:
        raise OpError(f"expected common dtype to be floating point, yet common dtype is {target.scalar_type}")
    shape = broadcast_pair(x1.array.shape, x2.array.shape)
    first, second = (_unit(x, shape, target, dim, eps) for x in (x1, x2))
    return ops.sum(first * second, (dim,))


def _unit(x: Tensor, shape: Any, dtype: Any, dim: int, eps: float) -> Any:
    """``x`` over its length along ``dim``, whose lower bound does not show in the derivative."""
    x = x if x.dtype is dtype else ops.cast(x, dtype)
    x = x if x.array.shape == shape else ops.expand(x, shape)
    return x / ops.floored(ops.vector_norm(x, 2, (dim,), True), eps)


@composite(name="nn.functional.normalize")
def _normalize(input: Tensor, p: float = 2.0, dim: Any = 1, eps: float = 1e-12, out: None = None) -> Tensor:
    """``input`` over its ``p``-norm along ``dim``, or over ``eps`` where that is larger."""
    length = ops.clamp_min(ops.norm(input, p, dim, True), eps)
    return input / ops.expand(length, input.array.shape)


# -- all pairs of rows --------------------------------------------------------------------------------------------
TWICE = "the derivative for '_pdist_backward' is not implemented."


def _check_pdist(input: Tensor) -> None:
    if input.dtype.opmath is not input.dtype:
        raise UnsupportedError(f"\"pdist\" not implemented for '{input.dtype.scalar_type}'")


@primitive(
    aliases=("nn.functional.pdist",), method=False, check=_check_pdist,
    grows=lambda input: input.shape[0] ** 2 // 2 if input.ndim else 1,
    scratch=lambda input: 2 * input.shape[0] * (extents(input) + input.shape[0]) if input.ndim else 1,
)  # fmt: skip
def pdist(input: Array, p: float = 2.0) -> Array:
    """The ``p``-norms of the differences of all pairs of rows, in the order of the upper triangle."""
    if input.ndim != 2:
        raise OpError(f"pdist only supports 2D tensors, got: {input.ndim}D")
    if p < 0:
        raise OpError("pdist only supports non-negative p values")
    if input.dtype.kind != "f":
        raise OpError("pdist only supports floating-point dtypes")
    first, second = np.triu_indices(len(input), 1)
    return norm_of(input[first] - input[second], p, (1,), False)


def _pdist_input(g: Any, input: Any, out: Any, p: float) -> Any:
    rows = len(input.array)
    first, second = (Tensor(index) for index in np.triu_indices(rows, 1))
    difference = ops.index_select(input, 0, first) - ops.index_select(input, 0, second)
    pulled = norm_input(ops.unsqueeze(g, 1), difference, ops.unsqueeze(out, 1), p, (1,))
    if pulled is None:
        return first_order(ops.zeros_of(input), input, TWICE)
    start = ops.zeros_of(input)
    total = ops.index_add(ops.index_add(start, 0, first, pulled), 0, second, -pulled)
    return first_order(total, input, TWICE)


pdist.vjp(input=_pdist_input)
