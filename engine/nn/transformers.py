"""Attention by several heads, and transformers made of it (Vaswani et al., 2017)."""

from __future__ import annotations

from collections.abc import Callable
from copy import deepcopy
from typing import Any

from engine import modes, ops
from engine.errors import ArgumentValueError, AssertedError, OpError
from engine.nn import init
from engine.nn.containers import ModuleList
from engine.nn.dropouts import Dropout
from engine.nn.layer import F, Layer, layer
from engine.nn.linears import Linear, NonDynamicallyQuantizableLinear
from engine.nn.module import Module
from engine.nn.norms import LayerNorm
from engine.tensor import Tensor

ATTENTION, HOME = "activation", "transformer"
ACTIVATIONS: dict[str, Callable[..., Any]] = {"relu": F.relu, "gelu": F.gelu}


@layer(ATTENTION)
class MultiheadAttention(Layer):
    """Attention in several subspaces."""

    def __init__(
        self, embed_dim: int, num_heads: int, dropout: float = 0.0, bias: bool = True, add_bias_kv: bool = False,
        add_zero_attn: bool = False, kdim: int | None = None, vdim: int | None = None, batch_first: bool = False,
        device: Any = None, dtype: Any = None,
    ) -> None:  # fmt: skip
        if embed_dim <= 0 or num_heads <= 0:
            raise ArgumentValueError(
                f"embed_dim and num_heads must be greater than 0, got embed_dim={embed_dim} and num_heads={num_heads} "
                "instead"
            )
        super().__init__()
        self.embed_dim, self.num_heads, self.dropout, self.batch_first = embed_dim, num_heads, dropout, batch_first
        self.kdim = embed_dim if kdim is None else kdim
        self.vdim = embed_dim if vdim is None else vdim
        self._qkv_same_embed_dim = self.kdim == embed_dim and self.vdim == embed_dim
        self.head_dim = embed_dim // num_heads
        if self.head_dim * num_heads != embed_dim:
            raise AssertedError("embed_dim must be divisible by num_heads")
        joint = self._qkv_same_embed_dim
        sizes = dict(zip(_SEPARATE, (embed_dim, self.kdim, self.vdim), strict=True))
        separate = {name: None if joint else (embed_dim, size) for name, size in sizes.items()}
        whole = {"in_proj_weight": (3 * embed_dim, embed_dim) if joint else None}
        self._weights(dtype, device, **(whole | separate if joint else separate | whole))
        self._weights(dtype, device, in_proj_bias=(3 * embed_dim,) if bias else None)
        self.out_proj = NonDynamicallyQuantizableLinear(embed_dim, embed_dim, bias, device, dtype)
        extra = (1, 1, embed_dim)
        if add_bias_kv:
            self._weights(dtype, device, bias_k=extra, bias_v=extra)
        else:
            self.bias_k: Any = None
            self.bias_v: Any = None
        self.add_zero_attn = add_zero_attn
        self._reset_parameters()

    def _reset_parameters(self) -> None:
        for name in ("in_proj_weight",) if self._qkv_same_embed_dim else _SEPARATE:
            init.xavier_uniform_(getattr(self, name))
        if self.in_proj_bias is not None:
            init.constant_(self.in_proj_bias, 0.0)
            init.constant_(self.out_proj.bias, 0.0)
        for name in ("bias_k", "bias_v"):
            if getattr(self, name) is not None:
                init.xavier_normal_(getattr(self, name))

    def forward(
        self, query: Any, key: Any, value: Any, key_padding_mask: Any = None, need_weights: bool = True,
        attn_mask: Any = None, average_attn_weights: bool = True, is_causal: bool = False,
    ) -> Any:  # fmt: skip
        """What each query gathers of the values, by its likeness to the keys; and the weights of that."""
        turned = self.batch_first and query.ndim == 3
        if turned:
            query, key, value = _turned(query, key, value)
        separate = {} if self._qkv_same_embed_dim else {name: getattr(self, name) for name in _SEPARATE}
        output, weights = F.multi_head_attention_forward(
            query, key, value, self.embed_dim, self.num_heads, self.in_proj_weight, self.in_proj_bias, self.bias_k,
            self.bias_v, self.add_zero_attn, self.dropout, self.out_proj.weight, self.out_proj.bias,
            training=self.training, key_padding_mask=key_padding_mask, need_weights=need_weights, attn_mask=attn_mask,
            use_separate_proj_weight=not self._qkv_same_embed_dim, average_attn_weights=average_attn_weights,
            is_causal=is_causal, **separate,
        )  # fmt: skip
        return (output.transpose(1, 0) if turned else output), weights


_SEPARATE = ("q_proj_weight", "k_proj_weight", "v_proj_weight")


def _turned(query: Any, key: Any, value: Any) -> tuple[Any, Any, Any]:
    """The batch behind the sequence; what is the same tensor stays one."""
    if key is value:
        if query is key:
            query = key = value = query.transpose(1, 0)
        else:
            query, key = query.transpose(1, 0), key.transpose(1, 0)
            value = key
        return query, key, value
    return query.transpose(1, 0), key.transpose(1, 0), value.transpose(1, 0)


# -- layers of transformers ---------------------------------------------------------------------------------------
class _Block(Layer):
    """Attentions and a network of two linear maps, each around a shortcut and a norm."""

    norm_first: bool

    def _parts(
        self, attentions: tuple[str, ...], d_model: int, nhead: int, dim_feedforward: int, dropout: float,
        activation: Any, layer_norm_eps: float, batch_first: bool, norm_first: bool, bias: bool, device: Any,
        dtype: Any,
    ) -> None:  # fmt: skip
        super().__init__()
        for name in attentions:
            attention = MultiheadAttention(
                d_model, nhead, dropout, bias, batch_first=batch_first, device=device, dtype=dtype
            )
            setattr(self, name, attention)
        self.linear1 = Linear(d_model, dim_feedforward, bias, device, dtype)
        self.dropout = Dropout(dropout)
        self.linear2 = Linear(dim_feedforward, d_model, bias, device, dtype)
        self.norm_first = norm_first
        places = range(1, len(attentions) + 2)
        for place in places:
            setattr(self, f"norm{place}", LayerNorm(d_model, layer_norm_eps, True, bias, device, dtype))
        for place in places:
            setattr(self, f"dropout{place}", Dropout(dropout))
        if isinstance(activation, str) and activation not in ACTIVATIONS:
            raise OpError(f"activation should be relu/gelu, not {activation}")
        self.activation = activation

    @property
    def activation(self) -> Any:
        """The function between the two linear maps."""
        found = self._modules.get("activation", self.__dict__.get("_activation"))
        return ACTIVATIONS[found] if isinstance(found, str) else found

    @activation.setter
    def activation(self, value: Any) -> None:
        self.__dict__["_activation"] = value

    def _around(self, place: int, x: Any, inner: Callable[[Any], Any]) -> Any:
        """``x`` and what ``inner`` makes of it."""
        norm, dropout = getattr(self, f"norm{place}"), getattr(self, f"dropout{place}")
        if self.norm_first:
            return x + dropout(inner(norm(x)))
        return norm(x + dropout(inner(x)))

    def _network(self, x: Any) -> Any:
        return self.linear2(self.dropout(self.activation(self.linear1(x))))


@layer(HOME)
class TransformerEncoderLayer(_Block):
    """Attention of a sequence to itself, and a network."""

    def __init__(
        self, d_model: int, nhead: int, dim_feedforward: int = 2048, dropout: float = 0.1, activation: Any = "relu",
        layer_norm_eps: float = 1e-5, batch_first: bool = False, norm_first: bool = False, bias: bool = True,
        device: Any = None, dtype: Any = None,
    ) -> None:  # fmt: skip
        self._parts(
            ("self_attn",), d_model, nhead, dim_feedforward, dropout, activation, layer_norm_eps, batch_first,
            norm_first, bias, device, dtype,
        )  # fmt: skip

    def forward(self, src: Any, src_mask: Any = None, src_key_padding_mask: Any = None, is_causal: bool = False) -> Any:
        """``src`` behind the layer."""

        def attend(x: Any) -> Any:
            return self.self_attn(
                x, x, x, attn_mask=src_mask, key_padding_mask=src_key_padding_mask, need_weights=False,
                is_causal=is_causal,
            )[0]  # fmt: skip

        return self._around(2, self._around(1, src, attend), self._network)


@layer(HOME)
class TransformerDecoderLayer(_Block):
    """Attention of a sequence to itself and to a memory, and a network."""

    def __init__(
        self, d_model: int, nhead: int, dim_feedforward: int = 2048, dropout: float = 0.1, activation: Any = "relu",
        layer_norm_eps: float = 1e-5, batch_first: bool = False, norm_first: bool = False, bias: bool = True,
        device: Any = None, dtype: Any = None,
    ) -> None:  # fmt: skip
        self._parts(
            ("self_attn", "multihead_attn"), d_model, nhead, dim_feedforward, dropout, activation, layer_norm_eps,
            batch_first, norm_first, bias, device, dtype,
        )  # fmt: skip

    def forward(
        self, tgt: Any, memory: Any, tgt_mask: Any = None, memory_mask: Any = None, tgt_key_padding_mask: Any = None,
        memory_key_padding_mask: Any = None, tgt_is_causal: bool = False, memory_is_causal: bool = False,
    ) -> Any:  # fmt: skip
        """``tgt`` behind the layer."""

        def attend(x: Any) -> Any:
            return self.self_attn(
                x, x, x, attn_mask=tgt_mask, key_padding_mask=tgt_key_padding_mask, is_causal=tgt_is_causal,
                need_weights=False,
            )[0]  # fmt: skip

        def attend_to_memory(x: Any) -> Any:
            return self.multihead_attn(
                x, memory, memory, attn_mask=memory_mask, key_padding_mask=memory_key_padding_mask,
                is_causal=memory_is_causal, need_weights=False,
            )[0]  # fmt: skip

        x = self._around(2, self._around(1, tgt, attend), attend_to_memory)
        return self._around(3, x, self._network)


# -- stacks of layers ---------------------------------------------------------------------------------------------
_COPY_STEPS, _COPY_BYTES = 100, 2000  # of Python, and what a copy of a module has beside its parameters


def _copies(module: Module, count: int) -> ModuleList:
    budget, found = modes.current().budget, []
    for _ in range(count):
        if budget is not None:
            budget.take(_COPY_STEPS, _COPY_BYTES)
        found.append(deepcopy(module))
    return ModuleList(found)


def _is_causal(mask: Any, is_causal: bool | None, sequence: Any, batch_first: bool) -> bool:
    """Whether a mask hides what comes later, and nothing else."""
    if is_causal is not None or mask is None:
        return is_causal is True
    size = sequence.shape[0] if sequence.ndim == 2 else sequence.shape[1 if batch_first else 0]
    causal = square_subsequent_mask(size, dtype=mask.dtype)
    return mask.shape == causal.shape and bool((mask == causal).all())


def square_subsequent_mask(sz: int, device: Any = None, dtype: Any = None) -> Any:
    """Minus infinity where a later step would be seen."""
    return ops.triu(ops.full((sz, sz), float("-inf"), dtype=dtype), diagonal=1)


@layer(HOME)
class TransformerEncoder(Module):
    """Copies of a layer, one after the other."""

    def __init__(
        self, encoder_layer: Module, num_layers: int, norm: Module | None = None, enable_nested_tensor: bool = True,
        mask_check: bool = True,
    ) -> None:  # fmt: skip
        super().__init__()
        self.layers = _copies(encoder_layer, num_layers)
        self.num_layers, self.norm, self.mask_check = num_layers, norm, mask_check
        reason = _why_not_nested(encoder_layer)
        self.enable_nested_tensor = enable_nested_tensor
        self.use_nested_tensor = enable_nested_tensor and not reason
        if enable_nested_tensor and reason:
            modes.warn(f"enable_nested_tensor is True, but self.use_nested_tensor is False because {reason}")

    def forward(
        self, src: Any, mask: Any = None, src_key_padding_mask: Any = None, is_causal: bool | None = None
    ) -> Any:
        """``src`` behind all layers."""
        mask, padding = _floating(mask, src), _floating(src_key_padding_mask, src)
        causal = _is_causal(mask, is_causal, src, self.layers[0].self_attn.batch_first)
        for one in self.layers:
            src = one(src, src_mask=mask, is_causal=causal, src_key_padding_mask=padding)
        return src if self.norm is None else self.norm(src)


def _floating(mask: Any, like: Tensor) -> Any:
    """A mask as numbers to add: minus infinity where a boolean one hides."""
    if mask is None or mask.dtype.is_floating_point:
        return mask
    return ops.zeros_like(mask, dtype=like.dtype).masked_fill_(mask, float("-inf"))


def _why_not_nested(one: Any) -> str:
    """Why PyTorch would not run an encoder on nested tensors, in its words; empty if it would."""
    if not isinstance(one, TransformerEncoderLayer):
        return "encoder_layer was not TransformerEncoderLayer"
    attention = one.self_attn
    reasons = {
        "norm_first was True": one.norm_first,
        "self_attn.batch_first was not True(use batch_first for better inference performance)": (
            not attention.batch_first
        ),
        "self_attn was passed bias=False": attention.in_proj_bias is None,
        "activation_relu_or_gelu was not True": one.activation not in ACTIVATIONS.values(),
        "self_attn.num_heads is odd": attention.num_heads % 2 == 1,
    }
    return next((f"encoder_layer.{text}" for text, holds in reasons.items() if holds), "")


@layer(HOME)
class TransformerDecoder(Module):
    """Copies of a layer, one after the other."""

    def __init__(self, decoder_layer: Module, num_layers: int, norm: Module | None = None) -> None:
        super().__init__()
        self.layers = _copies(decoder_layer, num_layers)
        self.num_layers, self.norm = num_layers, norm

    def forward(
        self, tgt: Any, memory: Any, tgt_mask: Any = None, memory_mask: Any = None, tgt_key_padding_mask: Any = None,
        memory_key_padding_mask: Any = None, tgt_is_causal: bool | None = None, memory_is_causal: bool = False,
    ) -> Any:  # fmt: skip
        """``tgt`` behind all layers."""
        causal = _is_causal(tgt_mask, tgt_is_causal, tgt, self.layers[0].self_attn.batch_first)
        for one in self.layers:
            tgt = one(
                tgt, memory, tgt_mask=tgt_mask, memory_mask=memory_mask, tgt_key_padding_mask=tgt_key_padding_mask,
                memory_key_padding_mask=memory_key_padding_mask, tgt_is_causal=causal,
                memory_is_causal=memory_is_causal,
            )  # fmt: skip
        return tgt if self.norm is None else self.norm(tgt)


@layer(HOME)
class Transformer(Module):
    """An encoder and a decoder."""

    def __init__(
        self, d_model: int = 512, nhead: int = 8, num_encoder_layers: int = 6, num_decoder_layers: int = 6,
        dim_feedforward: int = 2048, dropout: float = 0.1, activation: Any = "relu", custom_encoder: Any = None,
        custom_decoder: Any = None, layer_norm_eps: float = 1e-5, batch_first: bool = False, norm_first: bool = False,
        bias: bool = True, device: Any = None, dtype: Any = None,
    ) -> None:  # fmt: skip
        super().__init__()
        settings = (
            d_model, nhead, dim_feedforward, dropout, activation, layer_norm_eps, batch_first, norm_first, bias, device,
            dtype,
        )  # fmt: skip
        for name, custom, block, stack, count in (
            ("encoder", custom_encoder, TransformerEncoderLayer, TransformerEncoder, num_encoder_layers),
            ("decoder", custom_decoder, TransformerDecoderLayer, TransformerDecoder, num_decoder_layers),
        ):
            if custom is None:
                one: Any = block(*settings)
                norm = LayerNorm(d_model, layer_norm_eps, True, bias, device, dtype)
                custom = stack(one, count, norm)
            setattr(self, name, custom)
        for param in self.parameters():
            if param.ndim > 1:
                init.xavier_uniform_(param)
        self.d_model, self.nhead, self.batch_first = d_model, nhead, batch_first

    def forward(
        self, src: Any, tgt: Any, src_mask: Any = None, tgt_mask: Any = None, memory_mask: Any = None,
        src_key_padding_mask: Any = None, tgt_key_padding_mask: Any = None, memory_key_padding_mask: Any = None,
        src_is_causal: bool | None = None, tgt_is_causal: bool | None = None, memory_is_causal: bool = False,
    ) -> Any:  # fmt: skip
        """``tgt`` behind the decoder, which attends to ``src`` behind the encoder."""
        dim = 0 if self.batch_first else 1
        if src.ndim == 3 and src.shape[dim] != tgt.shape[dim]:
            raise OpError("the batch number of src and tgt must be equal")
        if src.shape[-1] != self.d_model or tgt.shape[-1] != self.d_model:
            raise OpError("the feature number of src and tgt must be equal to d_model")
        memory = self.encoder(
            src, mask=src_mask, src_key_padding_mask=src_key_padding_mask, is_causal=src_is_causal
        )  # fmt: skip
        return self.decoder(
            tgt, memory, tgt_mask=tgt_mask, memory_mask=memory_mask, tgt_key_padding_mask=tgt_key_padding_mask,
            memory_key_padding_mask=memory_key_padding_mask, tgt_is_causal=tgt_is_causal,
            memory_is_causal=memory_is_causal,
        )  # fmt: skip

    @staticmethod
    def generate_square_subsequent_mask(sz: int, device: Any = None, dtype: Any = None) -> Any:
        """Minus infinity where a later step would be seen."""
        return square_subsequent_mask(sz, device, dtype)
