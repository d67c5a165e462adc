"""Multi-head attention (Vaswani et al., 2017, section 3.2.2): projections, attention by head, and a projection back."""

from __future__ import annotations

from math import sqrt
from typing import Any, NamedTuple

from engine import dtypes, modes, ops
from engine.errors import AssertedError, OpError
from engine.op import composite
from engine.tensor import Tensor


def _require(holds: bool, text: str) -> None:
    if not holds:
        raise AssertedError(text)


def _shape(tensor: Tensor) -> tuple[int, ...]:
    return tensor.array.shape


def _size(tensor: Tensor) -> str:
    return f"torch.Size({list(_shape(tensor))})"


# -- what may be given --------------------------------------------------------------------------------------------
def _check_ranks(
    query: Tensor, key: Tensor, value: Tensor, padding: Tensor | None, mask: Tensor | None, heads: int
) -> bool:
    """Whether there is a batch; refuses ranks that do not go together."""
    rank = query.array.ndim
    _require(rank in (2, 3), f"query should be unbatched 2D or batched 3D tensor but received {rank}-D query tensor")
    kind = "batched (3-D)" if rank == 3 else "unbatched (2-D)"
    _require(
        key.array.ndim == value.array.ndim == rank,
        f"For {kind} `query`, expected `key` and `value` to be {rank}-D but found {key.array.ndim}-D and "
        f"{value.array.ndim}-D tensors respectively",
    )
    _require(
        padding is None or padding.array.ndim == rank - 1,
        f"For {kind} `query`, expected `key_padding_mask` to be `None` or {rank - 1}-D but found "
        f"{'' if padding is None else padding.array.ndim}-D tensor instead",
    )
    if mask is not None:
        _require(
            mask.array.ndim in (2, 3),
            f"For {kind} `query`, expected `attn_mask` to be `None`, 2-D or 3-D but found {mask.array.ndim}-D tensor "
            "instead",
        )
        expected = heads, _shape(query)[0], _shape(key)[0]
        _require(
            rank == 3 or mask.array.ndim == 2 or _shape(mask) == expected,
            f"Expected `attn_mask` shape to be {expected} but got {_size(mask)}",
        )
    return rank == 3


def _floating(mask: Tensor | None, name: str, like: Tensor, other: Tensor | None = None) -> Any:
    """A mask as numbers to add: minus infinity where a boolean one is true."""
    if mask is None or mask.dtype.is_floating_point:
        _warn_of_kinds(mask, name, other)
        return mask
    _require(mask.dtype is dtypes.bool_, f"only bool and floating types of {name} are supported")
    _warn_of_kinds(mask, name, other)
    return ops.masked_fill(ops.zeros(_shape(mask), dtype=like.dtype), mask, float("-inf"))


def _warn_of_kinds(mask: Tensor | None, name: str, other: Tensor | None) -> None:
    if mask is not None and other is not None and mask.dtype is not other.dtype:
        modes.warn(f"Support for mismatched {name} and attn_mask is deprecated. Use same type for both instead.")


def _check_mask(mask: Tensor, targets: int, sources: int, rows: int) -> Any:
    """The mask with a dimension for rows of batch and heads."""
    if mask.array.ndim not in (2, 3):
        raise OpError(f"attn_mask's dimension {mask.array.ndim} is not supported")
    expected = (targets, sources) if mask.array.ndim == 2 else (rows, targets, sources)
    if _shape(mask) != expected:
        raise OpError(f"The shape of the {mask.array.ndim}D attn_mask is {_size(mask)}, but should be {expected}.")
    return ops.unsqueeze(mask, 0) if mask.array.ndim == 2 else mask


# -- projections --------------------------------------------------------------------------------------------------
class _Projections(NamedTuple):
    packed: Tensor | None
    bias: Tensor | None
    query: Tensor | None
    key: Tensor | None
    value: Tensor | None

    def together(self, query: Tensor, key: Tensor, value: Tensor) -> Any:
        """By the three parts of one weight, with as few products as the inputs allow."""
        _require(self.packed is not None, "use_separate_proj_weight is False but in_proj_weight is None")
        weight, bias, features = self.packed, self.bias, _shape(query)[-1]
        if key is value and query is key:
            return _unpacked(ops.linear(query, weight, bias), 3, features)
        if key is value:
            parts = ops.split(weight, [features, 2 * features])
            biases = (None, None) if bias is None else ops.split(bias, [features, 2 * features])
            projected = ops.linear(query, parts[0], biases[0])
            return projected, *_unpacked(ops.linear(key, parts[1], biases[1]), 2, features)
        parts = ops.chunk(weight, 3)
        biases = (None, None, None) if bias is None else ops.chunk(bias, 3)
        inputs = query, key, value
        return tuple(ops.linear(one, *own) for one, *own in zip(inputs, parts, biases, strict=True))

    def apart(self, query: Tensor, key: Tensor, value: Tensor) -> Any:
        """By a weight for each."""
        weights = {"q": self.query, "k": self.key, "v": self.value}
        for name, weight in weights.items():
            _require(weight is not None, f"use_separate_proj_weight is True but {name}_proj_weight is None")
        biases = (None, None, None) if self.bias is None else ops.chunk(self.bias, 3)
        inputs, features = (query, key, value), _shape(query)[-1]
        names = "query", "key", "value"
        for name, one, weight in zip(names, inputs, weights.values(), strict=True):
            expected = features, _shape(one)[-1]
            _require(
                weight is not None and _shape(weight) == expected,
                f"expecting {name} weights shape of {expected}, but got {'' if weight is None else _size(weight)}",
            )
        for name, bias in zip(names, biases, strict=True):
            _require(
                bias is None or _shape(bias) == (features,),
                f"expecting {name} bias shape of {(features,)}, but got {'' if bias is None else _size(bias)}",
            )
        return tuple(ops.linear(one, *own) for one, *own in zip(inputs, weights.values(), biases, strict=True))


def _unpacked(projected: Tensor, count: int, features: int) -> Any:
    """Projections that lie beside each other, as ``count`` tensors."""
    parts = ops.unsqueeze(ops.unflatten(projected, -1, (count, features)), 0)
    parts = ops.contiguous(ops.squeeze(ops.transpose(parts, 0, -2), -2))
    return tuple(ops.select(parts, 0, number) for number in range(count))


# -- more keys ----------------------------------------------------------------------------------------------------
def _wider(mask: Tensor | None) -> Any:
    """A mask with a column more, which hides nothing."""
    return None if mask is None else ops.constant_pad_nd(mask, (0, 1))


def _check_static(static: Tensor, name: str, rows: int, features: int) -> Tensor:
    for dim, expected in ((0, rows), (2, features)):
        given = _shape(static)[dim]
        _require(given == expected, f"expecting {name}.size({dim}) of {expected}, but got {given}")
    return static


def _by_head(projected: Tensor, rows: int, features: int) -> Any:
    return ops.transpose(ops.view(projected, (_shape(projected)[0], rows, features)), 0, 1)


def _merged(mask: Tensor | None, padding: Tensor, batch: int, heads: int, sources: int) -> Any:
    """The mask, with the keys hidden that are padding."""
    for dim, expected in ((0, batch), (1, sources)):
        given = _shape(padding)[dim]
        _require(given == expected, f"Expected key_padded_mask.shape[{dim}] to be {expected}, but got {given}")
    wide = ops.expand(ops.view(padding, (batch, 1, 1, sources)), (-1, heads, -1, -1))
    wide = ops.reshape(wide, (batch * heads, 1, sources))
    return wide if mask is None else mask + wide


# -- the public one -----------------------------------------------------------------------------------------------
@composite(name="nn.functional.multi_head_attention_forward")
def multi_head_attention_forward(
    query: Tensor, key: Tensor, value: Tensor, embed_dim_to_check: int, num_heads: int, in_proj_weight: Tensor | None,
    in_proj_bias: Tensor | None, bias_k: Tensor | None, bias_v: Tensor | None, add_zero_attn: bool, dropout_p: float,
    out_proj_weight: Tensor, out_proj_bias: Tensor | None, training: bool = True,
    key_padding_mask: Tensor | None = None, need_weights: bool = True, attn_mask: Tensor | None = None,
    use_separate_proj_weight: bool = False, q_proj_weight: Tensor | None = None, k_proj_weight: Tensor | None = None,
    v_proj_weight: Tensor | None = None, static_k: Tensor | None = None, static_v: Tensor | None = None,
    average_attn_weights: bool = True, is_causal: bool = False,
) -> Any:  # fmt: skip
    """Attention in several subspaces: ``(L, N, E), (S, N, Ek), (S, N, Ev) -> (L, N, E)``; and its weights."""
    is_batched = _check_ranks(query, key, value, key_padding_mask, attn_mask, num_heads)
    if not is_batched:
        query, key, value = (ops.unsqueeze(one, 1) for one in (query, key, value))
        key_padding_mask = None if key_padding_mask is None else ops.unsqueeze(key_padding_mask, 0)
    targets, batch, features = _shape(query)
    sources, rows = _shape(key)[0], batch * num_heads
    key_padding_mask = _floating(key_padding_mask, "key_padding_mask", query, attn_mask)
    if is_causal and attn_mask is None:
        raise OpError(
            "Need attn_mask if specifying the is_causal hint. You may use the Transformer module method "
            "`generate_square_subsequent_mask` to create this mask."
        )
    if is_causal and key_padding_mask is None and not need_weights:
        attn_mask = None
    else:
        attn_mask = _floating(attn_mask, "attn_mask", query)
        is_causal = is_causal and key_padding_mask is None
    _require(
        features == embed_dim_to_check, f"was expecting embedding dimension of {embed_dim_to_check}, but got {features}"
    )
    depth = features // num_heads
    _require(depth * num_heads == features, f"embed_dim {features} not divisible by num_heads {num_heads}")
    weights = _Projections(in_proj_weight, in_proj_bias, q_proj_weight, k_proj_weight, v_proj_weight)
    if use_separate_proj_weight:
        sizes = [f"torch.Size({list(_shape(one)[:2])})" for one in (key, value)]
        _require(
            _shape(key)[:2] == _shape(value)[:2],
            f"key's sequence and batch dims {sizes[0]} do not match value's {sizes[1]}",
        )
        q, k, v = weights.apart(query, key, value)
    else:
        _require(_shape(key) == _shape(value), f"key shape {_size(key)} does not match value shape {_size(value)}")
        q, k, v = weights.together(query, key, value)
    if attn_mask is not None:
        attn_mask = _check_mask(attn_mask, targets, sources, rows)
    if bias_k is not None and bias_v is not None:
        _require(static_k is None, "bias cannot be added to static key.")
        _require(static_v is None, "bias cannot be added to static value.")
        k = ops.cat([k, ops.repeat(bias_k, (1, batch, 1))])
        v = ops.cat([v, ops.repeat(bias_v, (1, batch, 1))])
        attn_mask, key_padding_mask = _wider(attn_mask), _wider(key_padding_mask)
    _require((bias_k is None) == (bias_v is None), _LONELY[bias_k is None])
    q = _by_head(q, rows, depth)
    k = _by_head(k, rows, depth) if static_k is None else _check_static(static_k, "static_k", rows, depth)
    v = _by_head(v, rows, depth) if static_v is None else _check_static(static_v, "static_v", rows, depth)
    if add_zero_attn:
        k, v = (ops.cat([one, ops.zeros((rows, 1, depth), dtype=one.dtype)], 1) for one in (k, v))
        attn_mask, key_padding_mask = _wider(attn_mask), _wider(key_padding_mask)
    sources = _shape(k)[1]
    if key_padding_mask is not None:
        attn_mask = _merged(attn_mask, key_padding_mask, batch, num_heads, sources)
    shape = batch, num_heads, targets, sources, depth
    dropout_p = dropout_p if training else 0.0
    attend = _with_weights if need_weights else _without_weights
    together, shown = attend(q, k, v, attn_mask, dropout_p, is_causal, shape)
    output = ops.linear(together, out_proj_weight, out_proj_bias)
    output = ops.view(output, (targets, batch, _shape(output)[1]))
    if shown is not None and average_attn_weights:
        shown = ops.mean(shown, (1,))
    if not is_batched:
        output = ops.squeeze(output, 1)
        shown = None if shown is None else ops.squeeze(shown, 0)
    return output, shown


_LONELY = {True: "bias_v is set but bias_k is None", False: "bias_k is set but bias_v is None"}


def _with_weights(
    q: Tensor, k: Tensor, v: Tensor, mask: Tensor | None, dropout_p: float, is_causal: bool, shape: tuple[int, ...]
) -> tuple[Any, Any]:
    batch, heads, targets, sources, depth = shape
    scaled = ops.mul(q, sqrt(1.0 / depth))
    _require(not is_causal or mask is not None, "FIXME: is_causal not implemented for need_weights")
    turned = ops.transpose(k, -2, -1)
    weights = ops.bmm(scaled, turned) if mask is None else ops.baddbmm(mask, scaled, turned)
    weights = ops.softmax(weights, -1)
    if dropout_p > 0:
        weights = ops.dropout(weights, dropout_p, True)
    together = ops.reshape(ops.transpose(ops.bmm(weights, v), 0, 1), (targets * batch, heads * depth))
    return together, ops.view(weights, (batch, heads, targets, sources))


def _without_weights(
    q: Tensor, k: Tensor, v: Tensor, mask: Tensor | None, dropout_p: float, is_causal: bool, shape: tuple[int, ...]
) -> tuple[Any, None]:
    batch, heads, targets, sources, depth = shape
    if mask is not None:
        is_shared = mask.array.ndim == 3 and _shape(mask)[0] == 1
        mask = ops.unsqueeze(mask, 0) if is_shared else ops.view(mask, (batch, heads, -1, sources))
    q = ops.view(q, (batch, heads, targets, depth))
    k, v = (ops.view(one, (batch, heads, sources, depth)) for one in (k, v))
    attended = ops.scaled_dot_product_attention(q, k, v, mask, dropout_p, is_causal)
    return ops.reshape(ops.permute(attended, (2, 0, 1, 3)), (batch * targets, heads * depth)), None
