"""Samples of attention: as one op and made of others, with masks, and by several heads with their projections."""

from __future__ import annotations

from typing import Any

from tests.engine.samples import Leaf, Sample, first_order, fixed, leaf, sample

AT_ONCE = "PyTorch has no second derivative of its fused kernel"
SEEN = fixed([[True, False, True], [True, True, True], [False, False, True], [False, False, False]])


def _three(*lead: int, queries: int = 4, keys: int = 3, features: int = 2) -> list[Leaf]:
    sizes = (queries, keys, keys)
    return [leaf(*lead, size, features, low=-1.0, high=1.0) for size in sizes]


def _heads(features: int = 4, more: dict[str, Any] | None = None, **kwargs: Any) -> Sample:
    """Self-attention over five steps and a batch of three, by two heads."""
    values = {"training": False, **(more or {}), **kwargs}
    inputs = [leaf(5, 3, features), leaf(6, 3, features), leaf(6, 3, features)]
    weights = [leaf(3 * features, features), leaf(3 * features)]
    return sample(
        *inputs, features, 2, *weights, None, None, False, 0.0, leaf(features, features), leaf(features), **values
    )


SAMPLES = {
    "nn.functional.scaled_dot_product_attention": [
        first_order(AT_ONCE, *_three(2, 3)),
        first_order(AT_ONCE, *_three(1, 2), is_causal=True),
        first_order(AT_ONCE, *_three(2, 3), attn_mask=SEEN, scale=0.3),
        first_order(AT_ONCE, leaf(2, 4, 5, 3), leaf(2, 2, 6, 3), leaf(2, 2, 6, 3), enable_gqa=True),
        first_order(AT_ONCE, *_three(2, 3), attn_mask=fixed([[[[0.5, -1.0, 0.25]]], [[[0.0, 1.0, -0.5]]]])),
        sample(*_three(3)), sample(*_three(), is_causal=True), sample(*_three(3), leaf(4, 3), scale=-0.5),
        sample(*_three(2), attn_mask=SEEN),
    ],
    "nn.functional.multi_head_attention_forward": [
        _heads(), _heads(need_weights=True, average_attn_weights=False),
        _heads(need_weights=True, attn_mask=leaf(5, 6)),
        sample(
            leaf(5, 4), leaf(6, 3), leaf(6, 2), 4, 2, None, leaf(12), leaf(1, 1, 4), leaf(1, 1, 4), True, 0.0,
            leaf(4, 4),
            None, training=False, use_separate_proj_weight=True, q_proj_weight=leaf(4, 4), k_proj_weight=leaf(4, 3),
            v_proj_weight=leaf(4, 2), key_padding_mask=fixed([False, False, True, False, True, False]),
        ),
        first_order(
            AT_ONCE, leaf(5, 3, 4), leaf(6, 3, 4), leaf(6, 3, 4), 4, 2, leaf(12, 4), None, None, None, False, 0.0,
            leaf(4, 4), None, need_weights=False,
        ),
    ],
}  # fmt: skip
