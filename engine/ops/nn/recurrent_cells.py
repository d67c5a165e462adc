"""One step of the recurrent networks: of a plain one, a long short-term memory (LSTM) and a gated recurrent unit (GRU).

LSTM: Hochreiter and Schmidhuber (1997), with the forget gates of Gers et al. (2000); GRU: Cho et al. (2014), with the
reset gate behind the product as in its version 1. The gates lie in the weights in the order of PyTorch: input, forget,
cell, output; reset, update, new.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

from engine import ops
from engine.errors import OpError
from engine.op import Tensors, composite, wrap_dim
from engine.ops.nn.adding import added
from engine.tensor import Tensor


class Weights(NamedTuple):
    """Those of one layer in one direction; ``projection`` is that of an LSTM whose output is smaller than its state."""

    input: Tensor
    hidden: Tensor
    input_bias: Tensor | None = None
    hidden_bias: Tensor | None = None
    projection: Tensor | None = None

    def of_input(self, input: Tensor) -> Tensor:
        """What the input adds to the gates."""
        return ops.linear(input, self.input, self.input_bias)

    def of_hidden(self, hidden: Tensor) -> Tensor:
        """What the state adds to the gates."""
        return ops.linear(hidden, self.hidden, self.hidden_bias)


# -- steps: from what the input adds to the gates, and the state before, to the state behind --------------------------
def plain_step(activation: Callable[[Tensor], Tensor]) -> Callable[[Tensor, Any, Weights], Any]:
    """The step of a plain network."""

    def step(gates: Tensor, hidden: Tensor, weights: Weights) -> Tensor:
        return activation(added(weights.of_hidden(hidden), gates))

    return step


def lstm_step(gates: Tensor, state: tuple[Tensor, Tensor], weights: Weights) -> tuple[Tensor, Tensor]:
    """The step of an LSTM, whose state is its output and its cells."""
    hidden, cells = state
    entering, kept, new, leaving = ops.unsafe_chunk(added(weights.of_hidden(hidden), gates), 4, 1)
    entering, kept, new = ops.sigmoid(entering), ops.sigmoid(kept), ops.tanh(new)
    leaving = ops.sigmoid(leaving)
    cells = added(kept * cells, entering * new)
    hidden = leaving * ops.tanh(cells)
    return hidden if weights.projection is None else ops.linear(hidden, weights.projection), cells


def gru_step(gates: Tensor, hidden: Tensor, weights: Weights) -> Any:
    """The step of a GRU."""
    of_input = ops.unsafe_chunk(gates, 3, 1)
    of_hidden = ops.unsafe_chunk(weights.of_hidden(hidden), 3, 1)
    reset = ops.sigmoid(added(of_hidden[0], of_input[0]))
    update = ops.sigmoid(added(of_hidden[1], of_input[1]))
    new = ops.tanh(of_input[2] + of_hidden[2] * reset)
    return (hidden - new) * update + new


# -- cells as functions -------------------------------------------------------------------------------------------
def _check_cell(input: Tensor, hidden: Tensor, weights: Weights, gates: int, number: int) -> None:
    """Refuse sizes that do not fit together, in the order in which PyTorch looks at them."""
    wrap_dim(1, input.array.ndim)
    for weight in (weights.input, weights.hidden):
        wrap_dim(1, weight.array.ndim)
    given, expected = input.array.shape[1], weights.input.array.shape[1]
    if given != expected:
        raise OpError(f"input has inconsistent input_size: got {given} expected {expected}")
    _check_hidden(input, hidden, weights.hidden.array.shape[-1], number)
    size = gates * weights.hidden.array.shape[-1]
    if weights.input.array.shape[0] != size:
        raise OpError(
            f"weight_ih first dim must be {gates} * hidden_size = {size}, but got {weights.input.array.shape[0]}"
        )


def _check_hidden(input: Tensor, hidden: Tensor, size: int, number: int) -> None:
    batch, own = input.array.shape[0], hidden.array.shape[0] if hidden.array.ndim else 0
    if batch != own:
        raise OpError(f"Input batch size {batch} doesn't match hidden{number} batch size {own}")
    wrap_dim(1, hidden.array.ndim)
    if hidden.array.shape[1] != size:
        raise OpError(f"hidden{number} has inconsistent hidden_size: got {hidden.array.shape[1]}, expected {size}")


def _single(
    step: Callable[[Tensor, Any, Weights], Any], gates: int, input: Tensor, hx: Tensor, weights: Weights
) -> Any:
    _check_cell(input, hx, weights, gates, 0)
    return step(weights.of_input(input), hx, weights)


@composite(method=False)
def lstm_cell(
    input: Tensor, hx: Tensors, w_ih: Tensor, w_hh: Tensor, b_ih: Tensor | None = None, b_hh: Tensor | None = None
) -> Any:
    """One step of an LSTM: its state ``hx`` (output and cells) behind ``input``."""
    if len(hx) != 2:
        raise OpError("lstm_cell expects two hidden states")
    weights = Weights(w_ih, w_hh, b_ih, b_hh)
    _check_cell(input, hx[0], weights, 4, 0)
    _check_hidden(input, hx[1], w_hh.array.shape[-1], 1)
    return lstm_step(weights.of_input(input), (hx[0], hx[1]), weights)


@composite(method=False)
def gru_cell(
    input: Tensor, hx: Tensor, w_ih: Tensor, w_hh: Tensor, b_ih: Tensor | None = None, b_hh: Tensor | None = None
) -> Any:
    """One step of a GRU: its state ``hx`` behind ``input``."""
    return _single(gru_step, 3, input, hx, Weights(w_ih, w_hh, b_ih, b_hh))


tanh_step = plain_step(lambda gates: ops.tanh(gates))
relu_step = plain_step(lambda gates: ops.relu(gates))


@composite(method=False)
def rnn_tanh_cell(
    input: Tensor, hx: Tensor, w_ih: Tensor, w_hh: Tensor, b_ih: Tensor | None = None, b_hh: Tensor | None = None
) -> Any:
    """One step of a plain network with ``tanh``: its state ``hx`` behind ``input``."""
    return _single(tanh_step, 1, input, hx, Weights(w_ih, w_hh, b_ih, b_hh))


@composite(method=False)
def rnn_relu_cell(
    input: Tensor, hx: Tensor, w_ih: Tensor, w_hh: Tensor, b_ih: Tensor | None = None, b_hh: Tensor | None = None
) -> Any:
    """One step of a plain network with ``relu``: its state ``hx`` behind ``input``."""
    return _single(relu_step, 1, input, hx, Weights(w_ih, w_hh, b_ih, b_hh))
