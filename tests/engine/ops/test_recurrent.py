"""Recurrent networks: layers as one op against single steps, and what is refused, in PyTorch's words."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import engine as torch
from engine import modes
from engine.errors import ArgumentTypeError, DimensionError, OpError
from engine.tensor import Tensor

TORCH: Any = torch
TIME, BATCH, FEATURES, HIDDEN = 5, 3, 2, 4


def random(*shape: int, dtype: str = "float64") -> Tensor:
    values = np.random.default_rng(sum(shape)).uniform(-1, 1, shape)
    tensor: Tensor = TORCH.tensor(values.tolist(), dtype=getattr(torch, dtype), requires_grad=True)
    return tensor


def weights(gates: int, features: int = FEATURES) -> list[Tensor]:
    rows = gates * HIDDEN
    return [random(rows, features), random(rows, HIDDEN), random(rows), random(rows)]


X, H = random(TIME, BATCH, FEATURES), random(1, BATCH, HIDDEN)
PLAIN = (True, 1, 0.0, False, False, False)


def narrowed(tensors: list[Tensor]) -> list[Tensor]:
    return [one.detach().float().requires_grad_() for one in tensors]


def gradients(leaves: list[Tensor], both: bool, twice: bool) -> list[Tensor]:
    """The outputs of two layers, the gradients of a function of them, and with ``twice`` those of their squares."""
    x, h, c, *params = leaves
    outputs = TORCH.lstm(x, (h, c), params, True, 2, 0.0, False, both, False)
    total = sum((one * (one + 1)).sum() for one in outputs)
    first = TORCH.autograd.grad(total, leaves, create_graph=twice)
    second = TORCH.autograd.grad(sum((one * one).sum() for one in first), leaves) if twice else []
    return [*outputs, *first, *second]


@pytest.mark.parametrize("both", [False, True])
@pytest.mark.parametrize("twice", [False, True])
def test_layers_as_one_op_are_their_single_steps(both: bool, twice: bool) -> None:
    ways = 1 + both
    params = [one for width in (FEATURES, ways * HIDDEN) for _ in range(ways) for one in weights(4, width)]
    leaves = [X, random(2 * ways, BATCH, HIDDEN), random(2 * ways, BATCH, HIDDEN), *params]
    fused, single = gradients(narrowed(leaves), both, twice), gradients(leaves, both, twice)
    assert {"MkldnnRnnLayerBackward0"} == {node.name() for node, _ in fused[1].grad_fn.next_functions}
    for narrow, wide in zip(fused, single, strict=True):
        np.testing.assert_allclose(narrow.detach().numpy(), wide.detach().numpy(), rtol=1e-4, atol=1e-5)


def test_dropout_between_layers_while_training() -> None:
    params = [*weights(4), *weights(4, HIDDEN)]
    state = random(2, BATCH, HIDDEN)
    for leaves in ([X, state, *params], narrowed([X, state, *params])):
        x, h, *own = leaves
        with modes.use(modes.State(warnings=[])):
            trained = TORCH.lstm(x, (h, h), own, True, 2, 0.5, True, False, False)[0]
            kept = TORCH.lstm(x, (h, h), own, True, 2, 0.5, False, False, False)[0]
        assert not np.array_equal(trained.detach().numpy(), kept.detach().numpy())


def test_packed_sequences_of_one_length_are_whole_ones() -> None:
    x, h, *params = narrowed([X, H, *weights(4)])
    whole = TORCH.lstm(x, (h, h), params, *PLAIN)[0]
    flat = x.reshape(TIME * BATCH, FEATURES)
    packed = TORCH.lstm(flat, TORCH.tensor([BATCH] * TIME), (h, h), params, *PLAIN[:-1])[0]
    np.testing.assert_array_equal(packed.detach().numpy(), whole.detach().reshape(TIME * BATCH, HIDDEN).numpy())


REFUSED = {
    "lstm expects two hidden states": lambda: TORCH.lstm(X, (H,), weights(4), *PLAIN),
    "got an incorrect number of RNN parameters": lambda: TORCH.gru(X, H, weights(3)[:3], *PLAIN),
    "Expected more hidden states in stacked_rnn": lambda: TORCH.gru(X, H, weights(3), True, 2, *PLAIN[2:]),
    "Expected more weights in stacked_rnn": lambda: TORCH.gru(X, H, weights(3), False, *PLAIN[1:]),
    "Odd number of params or hiddens given to a bidirectional RNN": lambda: TORCH.rnn_relu(
        X, H, weights(1), True, 1, 0.0, False, True, False
    ),
    "Expected sequence length to be larger than 0 in RNN": lambda: TORCH.lstm(X[:0], (H, H), weights(4), *PLAIN),
    "mat1 and mat2 shapes cannot be multiplied (15x1 and 2x16)": lambda: TORCH.lstm(
        X[..., :1], (H, H), weights(4), *PLAIN
    ),
    "output with shape [1, 16] doesn't match the broadcast shape [3, 16]": lambda: TORCH.lstm(
        X, (H[:, :1], H), weights(4), *PLAIN
    ),
    "The size of tensor a (3) must match the size of tensor b (4) at non-singleton dimension 1": lambda: TORCH.lstm(
        X, (H, H), weights(3), *PLAIN
    ),
    "mat1 and mat2 must have the same dtype, but got Float and Double": lambda: TORCH.gru(
        X, H.float(), weights(3), *PLAIN
    ),
    "MatrixRef: ArrayRef size 3 not divisible by stride 4": lambda: TORCH.lstm(
        X.float(), (H.float(), H.float()), narrowed(weights(4)[:3]), *PLAIN
    ),
    "ArrayRef: invalid slice, N = 4; M = 4; size = 4": lambda: TORCH.lstm(
        X.float(), (H.float(), H.float()), narrowed(weights(4)), True, 1, 0.0, False, True, False
    ),
    "expected scalar type Long but found Float": lambda: TORCH.gru(
        X[:, 0], TORCH.tensor([1.0] * 5), H, weights(3), *PLAIN[:-1]
    ),
    "lstm_cell expects two hidden states": lambda: TORCH.lstm_cell(X[0], (H[0],), *weights(4)),
    "input has inconsistent input_size: got 1 expected 2": lambda: TORCH.gru_cell(X[0, :, :1], H[0], *weights(3)),
    "Input batch size 3 doesn't match hidden0 batch size 1": lambda: TORCH.gru_cell(X[0], H[0, :1], *weights(3)),
    "Input batch size 3 doesn't match hidden1 batch size 1": lambda: TORCH.lstm_cell(
        X[0], (H[0], H[0, :1]), *weights(4)
    ),
    "hidden0 has inconsistent hidden_size: got 1, expected 4": lambda: TORCH.rnn_tanh_cell(
        X[0], H[0, :, :1], *weights(1)
    ),
    "weight_ih first dim must be 4 * hidden_size = 16, but got 12": lambda: TORCH.lstm_cell(
        X[0], (H[0], H[0]), *weights(3)
    ),
}  # fmt: skip


@pytest.mark.parametrize("text", REFUSED)
def test_what_does_not_fit_together_is_refused(text: str) -> None:
    with pytest.raises((OpError, DimensionError)) as caught:
        REFUSED[text]()
    assert str(caught.value) == text


def test_arguments_of_neither_overload_are_listed() -> None:
    with pytest.raises(ArgumentTypeError) as caught:
        TORCH.gru(X, H, weights(3), 1, 1, 0.0, False, False, False)
    assert "(Tensor, Tensor, !list of [Tensor, Tensor, Tensor, Tensor]!, !int!, int, float, bool, bool, bool)" in str(
        caught.value
    )


def test_a_step_with_a_projection_says_that_it_is_not_one_op() -> None:
    warnings: list[str] = []
    params = [random(16, FEATURES), random(16, 2), random(16), random(16), random(2, HIDDEN)]
    leaves = narrowed([X, random(1, BATCH, 2), H, *params])
    with modes.use(modes.State(warnings=warnings)):
        output, hidden, cells = TORCH.lstm(leaves[0], leaves[1:3], leaves[3:], *PLAIN)
    assert [tuple(one.shape) for one in (output, hidden, cells)] == [(5, 3, 2), (1, 3, 2), (1, 3, 4)]
    assert warnings == ["LSTM with projections is not supported with oneDNN. Using default implementation."]
