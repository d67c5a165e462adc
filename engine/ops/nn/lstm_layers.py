"""Layers of LSTM as one op each: what PyTorch leaves to oneDNN, for 32-bit floats and bfloat16.

Everything else of recurrent networks is made of single steps (``recurrent``), and so is the derivative of this
derivative.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

from engine import dtypes, modes, ops
from engine.errors import OpError
from engine.kernels import lstm as kernels
from engine.op import Array, primitive
from engine.tensor import Tensor

FUSED = (dtypes.float32, dtypes.bfloat16)


class Setting(NamedTuple):
    """What a call of a network says beside its tensors."""

    layers: int
    dropout: float
    train: bool
    both_ways: bool


# -- one layer ----------------------------------------------------------------------------------------------------
def _check_sizes(input: Tensor, w_ih: Tensor, w_hh: Tensor, b_ih: Tensor, b_hh: Tensor, hx: Tensor, cx: Tensor) -> None:
    """Refuse what the single steps would refuse."""
    time, batch, features = input.array.shape
    gates, hidden = w_hh.array.shape
    if w_ih.array.shape[1] != features:
        raise OpError(
            f"mat1 and mat2 shapes cannot be multiplied ({time * batch}x{features} and "
            f"{w_ih.array.shape[1]}x{w_ih.array.shape[0]})"
        )
    if hx.array.shape != (batch, hidden):
        if hx.array.shape[-1] != hidden:
            raise OpError(
                f"mat1 and mat2 shapes cannot be multiplied ({hx.array.shape[0]}x{hx.array.shape[-1]} and "
                f"{hidden}x{gates})"
            )
        raise OpError(
            f"output with shape {[hx.array.shape[0], gates]} doesn't match the broadcast shape {[batch, gates]}"
        )
    for name, given, expected in (
        ("weight_ih", w_ih, (4 * hidden, features)), ("weight_hh", w_hh, (4 * hidden, hidden)),
        ("bias_ih", b_ih, (4 * hidden,)), ("bias_hh", b_hh, (4 * hidden,)), ("cx", cx, (batch, hidden)),
    ):  # fmt: skip
        if given.array.shape != expected:
            raise OpError(f"Expected {name} of shape {list(expected)}, but got {list(given.array.shape)}")


def _saved_size(input: Array, w_hh: Array) -> int:
    return 6 * input.shape[0] * input.shape[1] * w_hh.shape[1]


def _products(input: Array, w_ih: Array, w_hh: Array) -> int:
    return 2 * input.shape[0] * input.shape[1] * (w_ih.size + w_hh.size)


@primitive(
    public=False, grad_fn="MkldnnRnnLayerBackward0", check=_check_sizes, outputs=("out", "hy", "cy", "workspace"),
    constant=("workspace",), grows=lambda input, w_hh: _saved_size(input, w_hh),
    scratch=lambda input, w_ih, w_hh: 2 * (_saved_size(input, w_hh) + w_ih.size + w_hh.size),
    work=lambda input, w_ih, w_hh: _products(input, w_ih, w_hh),
)  # fmt: skip
def lstm_layer(
    input: Array, w_ih: Array, w_hh: Array, b_ih: Array, b_hh: Array, hx: Array, cx: Array, reverse: bool
) -> tuple[Array, Array, Array, Array]:
    """A layer over ``(time, batch, features)``, along time or against it: outputs, final state, what it keeps."""
    return kernels.forward(input, w_ih, w_hh, b_ih + b_hh, hx, cx, reverse)


@primitive(
    public=False, outputs=("input_grad", "w_ih_grad", "w_hh_grad", "bias_grad", "hx_grad", "cx_grad"),
    nondifferentiable=(
        "g", "g_hidden", "g_cells", "input", "w_ih", "w_hh", "hx", "cx", "out", "workspace",
    ),
    grows=lambda input, w_ih, w_hh: _saved_size(input, w_hh) + input.size + w_ih.size + w_hh.size,
    scratch=lambda input, w_ih, w_hh: 3 * _saved_size(input, w_hh) + 2 * (input.size + w_ih.size + w_hh.size),
    work=lambda input, w_ih, w_hh: 2 * _products(input, w_ih, w_hh),
)  # fmt: skip
def lstm_layer_backward(
    g: Array, g_hidden: Array, g_cells: Array, input: Array, w_ih: Array, w_hh: Array, hx: Array, cx: Array, out: Array,
    workspace: Array, reverse: bool,
) -> tuple[Array, ...]:  # fmt: skip
    """The cotangents of a layer's inputs; both biases have the same."""
    return kernels.backward(g, g_hidden, g_cells, input, w_ih, w_hh, hx, cx, out, workspace, reverse)


def _layer_inputs(
    gs: Any, input: Any, w_ih: Any, w_hh: Any, b_ih: Any, b_hh: Any, hx: Any, cx: Any, out: Any, workspace: Any,
    reverse: bool,
) -> Any:  # fmt: skip
    if modes.is_grad_enabled():
        return _by_steps(gs, input, w_ih, w_hh, b_ih, b_hh, hx, cx, reverse)
    found = lstm_layer_backward(*gs[:3], input, w_ih, w_hh, hx, cx, out, workspace, reverse)
    of_input, of_w_ih, of_w_hh, of_bias, of_hx, of_cx = found
    return of_input, of_w_ih, of_w_hh, of_bias, of_bias, of_hx, of_cx


lstm_layer.vjp_joint(_layer_inputs)


def _by_steps(
    gs: Any, input: Any, w_ih: Any, w_hh: Any, b_ih: Any, b_hh: Any, hx: Any, cx: Any, reverse: bool
) -> tuple[Any, ...]:
    """The same cotangents as a graph: the steps once more, and back through them (Graves, 2012, section 4.5)."""
    times = range(input.array.shape[0])
    order = times[::-1] if reverse else times
    kept, hidden, cells = {}, hx, cx
    for t in order:
        gates = ops.linear(input[t], w_ih, b_ih) + ops.linear(hidden, w_hh, b_hh)
        i, f, c, o = ops.chunk(gates, 4, 1)
        i, f, c, o = ops.sigmoid(i), ops.sigmoid(f), ops.tanh(c), ops.sigmoid(o)
        before = hidden, cells
        cells = f * cells + i * c
        squashed = ops.tanh(cells)
        hidden = o * squashed
        kept[t] = i, f, c, o, squashed, *before
    g, of_hidden, of_cells, _ = gs
    of_gates, of_w_hh = {}, ops.zeros_like(w_hh)
    for t in reversed(order):
        i, f, c, o, squashed, hidden, cells = kept[t]
        of_hidden = of_hidden + g[t]
        of_cells = of_cells + of_hidden * o * (1 - squashed * squashed)
        of_gates[t] = ops.cat([
            of_cells * c * i * (1 - i), of_cells * cells * f * (1 - f), of_cells * i * (1 - c * c),
            of_hidden * squashed * o * (1 - o),
        ], 1)  # fmt: skip
        of_w_hh = of_w_hh + ops.mm(ops.t(of_gates[t]), hidden)
        of_cells = of_cells * f
        of_hidden = ops.mm(of_gates[t], w_hh)
    all_gates = ops.stack([of_gates[t] for t in times], 0)
    rows = ops.reshape(all_gates, (-1, all_gates.array.shape[-1]))
    of_w_ih = ops.mm(ops.t(rows), ops.reshape(input, (-1, input.array.shape[-1])))
    of_bias = ops.sum(rows, (0,))
    return ops.matmul(all_gates, w_ih), of_w_ih, of_w_hh, of_bias, of_bias, of_hidden, of_cells


# -- all layers ---------------------------------------------------------------------------------------------------
def is_fused(input: Tensor, others: Sequence[Tensor]) -> bool:
    """Whether PyTorch hands the network over."""
    return input.dtype in FUSED and input.array.size > 0 and all(one.dtype is input.dtype for one in others)


def fused_layers(
    input: Tensor, hx: Sequence[Tensor], params: Sequence[Tensor], has_biases: bool, setting: Setting
) -> tuple[Any, Any, Any]:
    """The outputs of the last layer, the final outputs and the final cells of all."""
    count, ways = (4 if has_biases else 2), 2 if setting.both_ways else 1
    if len(params) % count:
        raise OpError(f"MatrixRef: ArrayRef size {len(params)} not divisible by stride {count}")
    input = ops.contiguous(input)
    finals, final_cells = [], []
    for layer in range(setting.layers):
        outputs = []
        for way in range(ways):
            number = layer * ways + way
            own = params[number * count : (number + 1) * count]
            if len(own) < count:
                raise OpError(f"ArrayRef: invalid slice, N = {number * count}; M = {count}; size = {len(params)}")
            biases = own[2:] or [ops.zeros(own[0].array.shape[0], dtype=own[0].dtype)] * 2
            output, hidden, cells, _ = lstm_layer(
                input, own[0], own[1], *biases, ops.select(hx[0], 0, number), ops.select(hx[1], 0, number), way == 1
            )
            outputs.append(output)
            finals.append(hidden)
            final_cells.append(cells)
        input = ops.cat(outputs, -1) if setting.both_ways else outputs[0]
        if setting.dropout != 0 and setting.train and layer < setting.layers - 1:
            input = ops.dropout(input, setting.dropout, True)
    return input, ops.stack(finals, 0), ops.stack(final_cells, 0)
