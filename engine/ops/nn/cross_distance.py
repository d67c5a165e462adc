"""Distances between all rows of one matrix and all rows of another."""

from __future__ import annotations

from math import inf, prod
from typing import Any

import numpy as np
import scipy  # loads what is used of it when it is

from engine import ops
from engine.errors import ArgumentValueError, OpError, UnsupportedError
from engine.op import Array, broadcast_pair, composite, primitive
from engine.ops.math.special import underivable_input
from engine.tensor import Tensor

MODES = ("use_mm_for_euclid_dist_if_necessary", "use_mm_for_euclid_dist", "donot_use_mm_for_euclid_dist")
BY_PRODUCTS = 25  # rows beyond which PyTorch takes Euclidean distances from a matrix product
_METRICS: dict[float, str] = {1.0: "cityblock", 2.0: "euclidean", inf: "chebyshev"}


def _pair_sizes(x1: Array, x2: Array) -> int:
    return prod(broadcast_pair(x1.shape[:-2], x2.shape[:-2])) * x1.shape[-2] * x2.shape[-2]


def _rows_size(out: Array, x1: Array) -> int:
    return prod(out.shape[:-1]) * x1.shape[-1]


def _check_kernel(x1: Tensor) -> None:
    if x1.dtype.opmath is not x1.dtype:
        raise UnsupportedError(f"\"cdist\" not implemented for '{x1.dtype.scalar_type}'")


# -- from differences ---------------------------------------------------------------------------------------------
@primitive(
    public=False, grad_fn="CdistBackward0", check=_check_kernel, grows=lambda x1, x2: _pair_sizes(x1, x2),
    scratch=lambda x1, x2: 5 * _pair_sizes(x1, x2) + 3 * (x1.size + x2.size),
    work=lambda x1, x2: 4 * _pair_sizes(x1, x2) * x1.shape[-1],
)  # fmt: skip
def distances(x1: Array, x2: Array, p: float) -> Array:
    """The ``p``-norms of all differences: ``(*, n, d), (*, m, d) -> (*, n, m)``."""
    batch = np.broadcast_shapes(x1.shape[:-2], x2.shape[:-2])
    result = np.zeros((*batch, x1.shape[-2], x2.shape[-2]), x1.dtype)
    if not result.size or not x1.shape[-1]:
        return result
    if p == 0:
        for one, other in _features(x1, x2):
            result += one != other
        return result
    left, right = (np.broadcast_to(x, (*batch, *x.shape[-2:])) for x in (x1, x2))
    metric = _METRICS.get(float(p), "minkowski")
    options: dict[str, Any] = {"p": p} if metric == "minkowski" else {}
    pairs: Any = scipy.spatial.distance.cdist
    for place in np.ndindex(batch):
        result[place] = pairs(left[place], right[place], metric, **options)
    return result


def _features(x1: Array, x2: Array) -> Any:
    """The columns of both, one after another, so that they broadcast to all pairs."""
    for column in range(x1.shape[-1]):
        yield x1[..., :, column, None], x2[..., None, :, column]


def _distance_inputs(g: Any, x1: Any, x2: Any, out: Any, p: Any, needs: Any) -> Any:
    first = ops.distances_backward(g, x1, x2, out, p) if needs[0] else None
    if not needs[1]:
        return first, None
    return first, ops.distances_backward(ops.transpose(g, -2, -1), x2, x1, ops.transpose(out, -2, -1), p)


distances.vjp_joint(_distance_inputs)


@primitive(
    public=False, grad_fn="CdistBackwardBackward0", grows=lambda out, x1: _rows_size(out, x1),
    scratch=lambda out, x1, x2: 6 * out.size + 2 * (_rows_size(out, x1) + x1.size + x2.size),
    work=lambda out, x1: 10 * out.size * x1.shape[-1],
)  # fmt: skip
def distances_backward(g: Array, x1: Array, x2: Array, out: Array, p: float) -> Array:
    """The cotangent of ``x1``, column by column: no array holds the differences of all. Of no distance it is 0."""
    batch = np.broadcast_shapes(x1.shape[:-2], x2.shape[:-2])
    result = np.zeros((*batch, *x1.shape[-2:]), x1.dtype)
    if p == 0 or not out.size:
        return result
    apart = out > 0
    power = p - 1 if p < inf else 0.0
    weights = np.where(apart, g / np.where(apart, out, 1) ** out.dtype.type(power), 0)
    for column, (one, other) in enumerate(_features(x1, x2)):
        steps = one - other
        result[..., column] = (weights * _slopes(steps, out, p)).sum(-1)
    return result


def _slopes(steps: Array, out: Array, p: float) -> Array:
    """``sign(d) |d|^(p-1)``; of the largest differences their sign."""
    signs = np.sign(steps)
    if p == inf:
        return np.asarray(signs * (np.abs(steps) == out))
    if p in (1, 2):
        return signs if p == 1 else steps
    sizes = np.where(steps == 0, 1, np.abs(steps)) if p < 1 else np.abs(steps)
    return np.asarray(signs * sizes ** steps.dtype.type(p - 1))


distances_backward.vjp(**dict.fromkeys(("g", "x1", "x2", "out"), underivable_input("_cdist_backward")))


# -- from a product -----------------------------------------------------------------------------------------------
@primitive(
    public=False, grad_fn="EuclideanDistBackward0", grows=lambda x1, x2: _pair_sizes(x1, x2),
    scratch=lambda x1, x2: 3 * _pair_sizes(x1, x2) + 2 * (x1.size + x2.size),
    work=lambda x1, x2: 2 * _pair_sizes(x1, x2) * x1.shape[-1],
)  # fmt: skip
def euclidean_distances(x1: Array, x2: Array) -> Array:
    """``|x - y|`` from ``|x|^2 + |y|^2 - 2 x y``, which rounds small distances."""
    squares = np.matmul(x1, np.swapaxes(-2 * x2, -2, -1))
    squares += (x1 * x1).sum(-1)[..., :, None]
    squares += (x2 * x2).sum(-1)[..., None, :]
    return np.sqrt(np.maximum(squares, 0, out=squares), out=squares)


def _euclidean_inputs(g: Any, x1: Any, x2: Any, out: Any, needs: Any) -> Any:
    ratio = ops.masked_fill(g / out, ops.eq(out, 0), 0)
    first = second = None
    if needs[0]:
        first = x1 * ops.sum(ratio, (-1,), True) - ops.matmul(ratio, x2)
    if needs[1]:
        second = x2 * ops.unsqueeze(ops.sum(ratio, (-2,)), -1) - ops.matmul(ops.transpose(ratio, -2, -1), x1)
    return first, second


euclidean_distances.vjp_joint(_euclidean_inputs)


# -- the public one -----------------------------------------------------------------------------------------------
def _check(x1: Tensor, x2: Tensor, p: float) -> None:
    for name, x in (("X1", x1), ("X2", x2)):
        if x.array.ndim < 2:
            raise OpError(f"cdist only supports at least 2D tensors, {name} got: {x.array.ndim}D")
    if x1.array.shape[-1] != x2.array.shape[-1]:
        raise OpError(
            f"X1 and X2 must have the same number of columns. X1: {x1.array.shape[-1]} X2: {x2.array.shape[-1]}"
        )
    for name, x in (("X1", x1), ("X2", x2)):
        if not x.dtype.is_floating_point:
            raise OpError(f"cdist only supports floating-point dtypes, {name} got: {x.dtype.scalar_type}")
    if p < 0:
        raise OpError("cdist only supports non-negative p values")
    _check_kernel(x1)
    if x1.dtype is not x2.dtype:
        raise OpError(f"expected scalar type {x1.dtype.scalar_type} but found {x2.dtype.scalar_type}")


@composite(method=False)
def cdist(x1: Tensor, x2: Tensor, p: float = 2.0, compute_mode: Any = "use_mm_for_euclid_dist_if_necessary") -> Tensor:
    """The ``p``-norms of the differences of all rows of ``x1`` and all rows of ``x2``, batch by batch."""
    if compute_mode not in MODES:
        raise ArgumentValueError(f"{compute_mode} is not a valid value for compute_mode")
    _check(x1, x2, p)
    (n, d), m = x1.array.shape[-2:], x2.array.shape[-2]
    batch = broadcast_pair(x1.array.shape[:-2], x2.array.shape[:-2])
    by_products = compute_mode == MODES[1] or (compute_mode == MODES[0] and max(n, m) > BY_PRODUCTS)
    if p != 2 or not by_products or not (prod(batch) * n * m * d):
        return distances(x1, x2, p)
    left, right = x1, x2
    if prod(batch) > 1:
        left = ops.reshape(ops.expand(x1, (*batch, n, d)), (prod(batch), n, d))
        right = ops.reshape(ops.expand(x2, (*batch, m, d)), (prod(batch), m, d))
    return ops.view(euclidean_distances(left, right), (*batch, n, m))
