"""Scaled dot-product attention (Vaswani et al., 2017, equation 1): as one op where PyTorch has one, else of others."""

from __future__ import annotations

from math import sqrt
from typing import Any

import numpy as np

from engine import dtypes, ops
from engine.errors import OpError
from engine.kernels import attention as kernels
from engine.kernels.attention import SCORES, Setting
from engine.op import Array, Dim, composite, extents, primitive, wrap_dim
from engine.ops.nn.adding import added
from engine.ops.nn.softmax import check_floating, largest
from engine.ops.reduce.sums import add_up
from engine.tensor import Tensor


# -- softmax of rows that may see nothing -------------------------------------------------------------------------
@primitive(public=False, total=True, grad_fn="SafeSoftmaxBackward0", shown_as="softmax", scratch=2.5)
def safe_softmax_along(input: Array, dim: Dim) -> Array:
    """The softmax of ``input`` along ``dim``; zeros where all of it is minus infinity."""
    check_floating(input, dim, "softmax")
    axis = dim if input.ndim else ()
    top = largest(input, axis=axis, keepdims=True, initial=-np.inf)
    powers = np.exp(input - np.where(top == -np.inf, 0, top))
    sums = add_up(powers, axis=axis, keepdims=True)
    return np.asarray(powers / np.where(sums == 0, 1, sums))


safe_softmax_along.vjp(input=lambda g, out, dim: ops.softmax_backward(g, out, dim))


# -- as one op ----------------------------------------------------------------------------------------------------
def _score_count(query: Array, key: Array) -> int:
    return extents(query) // max(query.shape[-1], 1) * max(key.shape[-2], 1)


def _taken(query: Array, key: Array, attn_mask: Array | None) -> float:
    """What blocks of scores take, and masks by head."""
    blocks = 4 * min(max(SCORES, key.shape[-2]), _score_count(query, key))
    mask = (
        0
        if attn_mask is None
        else extents(query)
        // max(query.shape[-1] * query.shape[-2], 1)
        * (attn_mask.shape[-1] * max(attn_mask.shape[-2], 1))
    )
    return blocks + mask + 3 * query.size + 2 * key.size


@primitive(
    public=False, grad_fn="ScaledDotProductFlashAttentionForCpuBackward0", nondifferentiable=("attn_mask",),
    outputs=("output", "logsumexp"), constant=("logsumexp",), layout=("input", "contiguous"),
    scratch=lambda query, key, attn_mask: _taken(query, key, attn_mask),
    work=lambda query, key: 4 * _score_count(query, key) * query.shape[-1],
)  # fmt: skip
def attention_at_once(
    query: Array, key: Array, value: Array, attn_mask: Array | None, is_causal: bool, scale: float
) -> tuple[Array, Array]:
    """Attention over ``(batch, heads, length, features)``."""
    return kernels.forward(query, key, value, attn_mask, Setting(is_causal, scale))


@primitive(
    public=False, underivable=True, shown_as="_scaled_dot_product_flash_attention_for_cpu_backward",
    nondifferentiable=("attn_mask",), outputs=("query_grad", "key_grad", "value_grad"),
    layout=("input", "contiguous", "contiguous"),
    scratch=lambda query, key, attn_mask: 2 * _taken(query, key, attn_mask),
    work=lambda query, key: 10 * _score_count(query, key) * query.shape[-1],
)  # fmt: skip
def attention_backward(
    g: Array, query: Array, key: Array, value: Array, output: Array, logsumexp: Array, attn_mask: Array | None,
    is_causal: bool, scale: float,
) -> tuple[Array, Array, Array]:  # fmt: skip
    """The cotangents of the inputs of ``attention_at_once``."""
    setting = Setting(is_causal, scale)
    return kernels.backward(g, query, key, value, output, logsumexp, attn_mask, setting)


attention_at_once.vjp_joint(
    lambda g, query, key, value, output, logsumexp, attn_mask, is_causal, scale: attention_backward(
        g, query, key, value, output, logsumexp, attn_mask, is_causal, scale
    )
)


# -- made of others -----------------------------------------------------------------------------------------------
def _hidden(mask: Tensor, like: Tensor) -> Any:
    """A mask to add: minus infinity where a boolean one is false."""
    if mask.dtype is not dtypes.bool_:
        return mask
    return ops.masked_fill(ops.zeros(mask.array.shape, dtype=like.dtype), ops.logical_not(mask), float("-inf"))


def _by_products(
    query: Tensor, key: Tensor, value: Tensor, attn_mask: Tensor | None, dropout_p: float, is_causal: bool,
    scale: float | None, enable_gqa: bool,
) -> Tensor:  # fmt: skip
    if 0 in (query.array.size, key.array.size, value.array.size):
        nothing = ops.zeros((*query.array.shape[:-1], value.array.shape[-1]), dtype=query.dtype)
        return nothing + ops.mul_number(ops.sum(query) + ops.sum(key) + ops.sum(value), 0)
    if is_causal and attn_mask is not None:
        raise OpError("_scaled_dot_product_attention: Explicit attn_mask should not be set when is_causal=True")
    dtype = query.dtype
    if dtype.opmath is not dtype:
        query, key, value = (ops.cast(one, dtype.opmath) for one in (query, key, value))
    whole = 1 / sqrt(query.array.shape[-1]) if scale is None else scale
    root = sqrt(abs(whole))
    query = ops.mul_number(query, -root if whole < 0 else root)
    if is_causal:
        sizes = query.array.shape[-2], key.array.shape[-2]
        attn_mask = ops.tril(ops.ones(sizes, dtype=dtypes.bool_))
    if enable_gqa:
        key, value = _repeated(query, key, value)
    scores = ops.matmul(query, ops.mul_number(ops.transpose(key, -2, -1), root))
    if attn_mask is not None:
        scores = added(scores, _hidden(attn_mask, scores))
    weights = safe_softmax_along(scores, -1)
    if dropout_p > 0:
        weights = ops.dropout(weights, dropout_p, True)
    result = ops.matmul(weights, value)
    return ops.cast(result, dtype) if dtype.opmath is not dtype else result


def _heads(tensor: Tensor) -> int:
    return tensor.array.shape[wrap_dim(-3, tensor.array.ndim)]


def _repeated(query: Tensor, key: Tensor, value: Tensor) -> tuple[Any, Any]:
    """Each head of keys and values as often as queries share it."""
    count = _heads(query)
    if count % max(_heads(key), 1) or count % max(_heads(value), 1):
        raise OpError("Number of heads in key and value must divide the number of heads in ")
    if _heads(key) == _heads(value) == count:
        return key, value
    repeated = [ops.repeat_interleave(one, count // _heads(one), -3) for one in (key, value)]
    return repeated[0], repeated[1]


# -- the public one -----------------------------------------------------------------------------------------------
def _check(query: Tensor, key: Tensor, value: Tensor, attn_mask: Tensor | None) -> None:
    inputs = {"query": query, "key": key, "value": value}
    if any(one.array.ndim < 2 for one in inputs.values()):
        given = [f"{name}.dim: {one.array.ndim}" for name, one in inputs.items()]
        raise OpError(
            "Expected query, key, and value to all be  at least 2 dimensional, but got "
            f"{given[0]} {given[1]} and {given[2]} instead."
        )
    if not query.dtype is key.dtype is value.dtype:
        given = [f"{name}.dtype: {one.dtype.c_name}" for name, one in inputs.items()]
        raise OpError(
            f"Expected query, key, and value to have the same dtype, but got {given[0]} {given[1]} and {given[2]} "
            "instead."
        )
    if attn_mask is not None and attn_mask.dtype not in (dtypes.bool_, dtypes.float32, query.dtype):
        raise OpError(
            "Expected attn_mask dtype to be bool or float or to match query dtype, but got attn_mask.dtype: "
            f"{attn_mask.dtype.c_name} and  query.dtype: {query.dtype.c_name} instead."
        )


def _is_at_once(
    query: Tensor, key: Tensor, value: Tensor, attn_mask: Tensor | None, dropout_p: float, gqa: bool
) -> bool:
    """Whether PyTorch has one op for it."""
    arrays = query.array, key.array, value.array
    ranks = {array.ndim for array in arrays}
    if dropout_p > 0 or not query.dtype.is_floating_point or ranks != {4}:
        return False
    (batch, heads, length, features), (own, key_heads, keys, width), (other, value_heads, last, depth) = [
        array.shape for array in arrays
    ]
    shared = heads % max(key_heads, 1) == 0 if gqa else heads == key_heads
    if not (
        batch == own == other and shared and (key_heads, keys) == (value_heads, last) and features == width == depth
    ):
        return False
    if 0 in (length, keys, features, batch, heads) or any(a.strides[-1] != a.itemsize for a in arrays):
        return False
    if attn_mask is None:
        return True
    wrap_dim(-2, attn_mask.array.ndim)
    return not attn_mask.requires_grad and _covers(attn_mask.array.shape, (batch, heads, length, keys))


def _covers(mask: tuple[int, ...], scores: tuple[int, ...]) -> bool:
    fits = zip(reversed(mask), reversed(scores), strict=False)
    return len(mask) in (2, 4) and all(own in (1, extent) for own, extent in fits)


@composite(name="nn.functional.scaled_dot_product_attention")
def scaled_dot_product_attention(
    query: Tensor, key: Tensor, value: Tensor, attn_mask: Tensor | None = None, dropout_p: float = 0.0,
    is_causal: bool = False, *, scale: float | None = None, enable_gqa: bool = False,
) -> Tensor:  # fmt: skip
    """Means of the rows of ``value``, weighted by how well rows of ``key`` fit those of ``query``."""
    _check(query, key, value, attn_mask)
    if not _is_at_once(query, key, value, attn_mask, dropout_p, enable_gqa):
        return _by_products(query, key, value, attn_mask, dropout_p, is_causal, scale, enable_gqa)
    if dropout_p < 0:
        raise OpError("scaled_dot_product_attention_flash_attention: Currently do not support dropout > 0")
    mask = None if attn_mask is None else _hidden(attn_mask, query)
    whole = 1 / sqrt(query.array.shape[-1]) if scale is None else scale
    return attention_at_once(query, key, value, mask, is_causal, whole)[0]
