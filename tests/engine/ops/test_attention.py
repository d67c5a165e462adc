"""Attention: blocks against the formula, rows that see nothing, and what is refused, in PyTorch's words."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import engine as torch
from engine.errors import AssertedError, DimensionError, EngineError
from engine.kernels import attention as kernels
from engine.kernels.attention import Setting
from engine.tensor import Tensor

TORCH: Any = torch
F: Any = TORCH.nn.functional
RNG = np.random.default_rng(5)
MASKS: dict[str, tuple[int, ...] | None] = {
    "none": None, "of all": (7, 9), "of keys": (1, 9), "by head": (1, 4, 7, 9), "by batch": (2, 1, 1, 9),
    "by queries": (2, 4, 7, 1),
}  # fmt: skip


def random(*shape: int) -> Tensor:
    tensor: Tensor = TORCH.tensor(RNG.uniform(-1, 1, shape).tolist(), dtype=TORCH.float64, requires_grad=True)
    return tensor


def formula(query: Any, key: Any, value: Any, mask: Any, causal: bool) -> Any:
    scores = np.einsum("bhle,bhse->bhls", query, key) * 0.3
    scores = scores if mask is None else scores + mask
    if causal:
        scores = np.where(np.tri(*scores.shape[-2:]) > 0, scores, -np.inf)
    weights = np.exp(scores - scores.max(-1, keepdims=True))
    return np.einsum("bhls,bhse->bhle", weights / weights.sum(-1, keepdims=True), value)


@pytest.mark.parametrize("block", [1, 40, 70, 10**6])
@pytest.mark.parametrize("mask", MASKS)
@pytest.mark.parametrize("shared", [1, 2])
def test_blocks_of_any_size_are_the_formula(
    block: int, mask: str, shared: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(kernels, "SCORES", block)
    query, (key, value) = RNG.uniform(-1, 1, (2, 4, 7, 3)), RNG.uniform(-1, 1, (2, 2, 4 // shared, 9, 3))
    shape = MASKS[mask]
    hiding = None if shape is None else RNG.uniform(-1, 1, shape)
    wide = [np.repeat(one, shared, 1) for one in (key, value)]
    for causal in (False, True):
        setting = Setting(causal, 0.3)
        out, logs = kernels.forward(query, key, value, hiding, setting)
        np.testing.assert_allclose(out, formula(query, wide[0], wide[1], hiding, causal), rtol=1e-9)
        g = RNG.uniform(-1, 1, query.shape)
        found = kernels.backward(g, query, key, value, out, logs, hiding, setting)
        for number, gradient in enumerate(found):
            step = RNG.uniform(-1, 1, gradient.shape)
            moved = [[query, key, value] for _ in range(2)]
            moved[0][number], moved[1][number] = (moved[0][number] + sign * 1e-6 * step for sign in (1, -1))
            ahead, behind = (kernels.forward(q, k, v, hiding, setting)[0] for q, k, v in moved)
            slope = (g * (ahead - behind)).sum() / 2e-6
            np.testing.assert_allclose((gradient * step).sum(), slope, rtol=1e-5, atol=1e-7)


def test_a_row_that_sees_nothing_is_zero_and_has_no_gradient() -> None:
    hidden = TORCH.tensor([[True, True, False], [False, False, False]])
    for lead in ((1, 1), (1,), ()):
        q, k, v = random(*lead, 2, 4), random(*lead, 3, 4), random(*lead, 3, 4)
        out = F.scaled_dot_product_attention(q, k, v, hidden)
        out.sum().backward()
        assert not out[..., 1, :].detach().numpy().any()
        assert not q.grad[..., 1, :].numpy().any()  # type: ignore[index]
        assert q.grad[..., 0, :].numpy().all()  # type: ignore[index]


def test_dropout_drops_weights() -> None:
    q, k, v = random(2, 2, 3, 4), random(2, 2, 3, 4), random(2, 2, 3, 4)
    assert not F.scaled_dot_product_attention(q, k, v, dropout_p=1.0).detach().numpy().any()


Q, K, V = random(2, 3, 5, 4), random(2, 3, 5, 4), random(2, 3, 5, 4)
ATTEND = F.scaled_dot_product_attention
REFUSED = {
    "Expected query, key, and value to have the same dtype, but got query.dtype: double key.dtype: float and "
    "value.dtype: double instead.": lambda: ATTEND(Q, K.float(), V),
    "Expected attn_mask dtype to be bool or float or to match query dtype, but got attn_mask.dtype: long int and  "
    "query.dtype: double instead.": lambda: ATTEND(Q, K, V, TORCH.zeros(5, 5, dtype=TORCH.int64)),
    "The size of tensor a (5) must match the size of tensor b (4) at non-singleton dimension 2": lambda: ATTEND(
        Q, K, V, TORCH.zeros(4, 5)
    ),
    "Expected query, key, and value to all be  at least 2 dimensional, but got query.dim: 1 key.dim: 4 and value.dim: "
    "4 instead.": lambda: ATTEND(Q[0, 0, 0], K, V),
    "Expected size for first two dimensions of batch2 tensor to be: [6, 4] but got: [6, 3].": lambda: ATTEND(
        Q, K[..., :3], V
    ),
    "Number of heads in key and value must divide the number of heads in ": lambda: ATTEND(
        Q, K[:, :2], V[:, :2], enable_gqa=True
    ),
    "dropout probability has to be between 0 and 1, but got 1.5": lambda: ATTEND(Q, K, V, dropout_p=1.5),
    "scaled_dot_product_attention_flash_attention: Currently do not support dropout > 0": lambda: ATTEND(
        Q, K, V, dropout_p=-0.5
    ),
    "output with shape [2, 3, 5, 5] doesn't match the broadcast shape [1, 2, 3, 5, 5]": lambda: ATTEND(
        Q, K, V, TORCH.zeros(1, 1, 1, 5, 5)
    ),
    "_scaled_dot_product_attention: Explicit attn_mask should not be set when is_causal=True": lambda: ATTEND(
        Q[0], K[0], V[0], TORCH.zeros(5, 5), is_causal=True
    ),
    "Dimension out of range (expected to be in range of [-1, 0], but got -2)": lambda: ATTEND(Q, K, V, TORCH.zeros(5)),
    "derivative for aten::_scaled_dot_product_flash_attention_for_cpu_backward is not implemented": lambda: (
        TORCH.autograd.grad(ATTEND(Q, K, V).sum(), Q, create_graph=True)[0].sum().backward()
    ),
}  # fmt: skip


@pytest.mark.parametrize("text", REFUSED)
def test_what_does_not_go_together_is_refused(text: str) -> None:
    with pytest.raises(EngineError) as caught:
        REFUSED[text]()
    assert str(caught.value) == text
    assert isinstance(caught.value, RuntimeError | DimensionError)


X = random(5, 2, 4)
PACKED = [random(12, 4), random(12), None, None, False, 0.0, random(4, 4), random(4)]


def heads(*inputs: Tensor, features: int = 4, count: int = 2, rest: Any = PACKED, **kwargs: Any) -> Any:
    return F.multi_head_attention_forward(*inputs, features, count, *rest, **kwargs)


ASSERTED = {
    "query should be unbatched 2D or batched 3D tensor but received 1-D query tensor": lambda: heads(X[0, 0], X, X),
    "For batched (3-D) `query`, expected `key` and `value` to be 3-D but found 2-D and 3-D tensors respectively": (
        lambda: heads(X, X[0], X)
    ),
    "For unbatched (2-D) `query`, expected `key_padding_mask` to be `None` or 1-D but found 2-D tensor instead": (
        lambda: heads(X[:, 0], X[:, 0], X[:, 0], key_padding_mask=TORCH.zeros(2, 5))
    ),
    "For batched (3-D) `query`, expected `attn_mask` to be `None`, 2-D or 3-D but found 1-D tensor instead": (
        lambda: heads(X, X, X, attn_mask=TORCH.zeros(5))
    ),
    "Expected `attn_mask` shape to be (2, 5, 5) but got torch.Size([1, 5, 5])": lambda: heads(
        X[:, 0], X[:, 0], X[:, 0], attn_mask=TORCH.zeros(1, 5, 5)
    ),
    "only bool and floating types of attn_mask are supported": lambda: heads(
        X, X, X, attn_mask=TORCH.zeros(5, 5, dtype=TORCH.int64)
    ),
    "was expecting embedding dimension of 6, but got 4": lambda: heads(X, X, X, features=6),
    "embed_dim 4 not divisible by num_heads 3": lambda: heads(X, X, X, count=3),
    "key shape torch.Size([5, 2, 4]) does not match value shape torch.Size([4, 2, 4])": lambda: heads(X, X, X[:4]),
    "use_separate_proj_weight is True but q_proj_weight is None": lambda: heads(
        X, X, X, use_separate_proj_weight=True
    ),
    "bias_k is set but bias_v is None": lambda: heads(X, X, X, rest=[*PACKED[:2], random(1, 1, 4), *PACKED[3:]]),
    "Expected key_padded_mask.shape[1] to be 5, but got 4": lambda: heads(X, X, X, key_padding_mask=TORCH.zeros(2, 4)),
    "expecting static_k.size(0) of 4, but got 3": lambda: heads(X, X, X, static_k=random(3, 5, 2)),
}  # fmt: skip


@pytest.mark.parametrize("text", ASSERTED)
def test_what_pytorch_asserts_of_the_inputs_of_heads(text: str) -> None:
    with pytest.raises(AssertedError) as caught:
        ASSERTED[text]()
    assert str(caught.value) == text


def test_masks_of_other_shapes_and_a_hint_without_a_mask_are_refused() -> None:
    for kwargs, text in (
        (
            {"attn_mask": TORCH.zeros(4, 5)},
            "The shape of the 2D attn_mask is torch.Size([4, 5]), but should be (5, 5).",
        ),
        ({"is_causal": True}, "Need attn_mask if specifying the is_causal hint."),
    ):
        with pytest.raises(RuntimeError) as caught:
            heads(X, X, X, **kwargs)
        assert str(caught.value).startswith(text)
