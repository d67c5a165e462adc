"""Recurrent networks: layers over sequences, and single cells."""

from __future__ import annotations

from collections.abc import Callable
from math import sqrt
from typing import Any, ClassVar

from engine import modes, ops
from engine.errors import ArgumentTypeError, ArgumentValueError, OpError
from engine.nn import init
from engine.nn.layer import Layer, layer
from engine.nn.packing import PackedSequence
from engine.op.signature import type_name
from engine.tensor import Tensor

HOME = "rnn"
GATES = {"LSTM": 4, "GRU": 3, "RNN_TANH": 1, "RNN_RELU": 1}
OPS: dict[str, Callable[..., Any]] = {
    "LSTM": ops.lstm, "GRU": ops.gru, "RNN_TANH": ops.rnn_tanh, "RNN_RELU": ops.rnn_relu,
}  # fmt: skip


class _Recurrent(Layer):
    """What layers and cells have in common: parameters drawn within the root of one over the hidden size."""

    hidden_size: int

    def reset_parameters(self) -> None:
        """Draw every parameter."""
        bound = 1.0 / sqrt(self.hidden_size) if self.hidden_size > 0 else 0
        for weight in self.parameters():
            init.uniform_(weight, -bound, bound)


# -- layers -------------------------------------------------------------------------------------------------------
@layer(HOME)
class RNNBase(_Recurrent):
    """Layers of recurrent units, in one direction or both."""

    _states: ClassVar[int] = 1

    def __init__(
        self, mode: str, input_size: int, hidden_size: int, num_layers: int = 1, bias: bool = True,
        batch_first: bool = False, dropout: float = 0.0, bidirectional: bool = False, proj_size: int = 0,
        device: Any = None, dtype: Any = None,
    ) -> None:  # fmt: skip
        super().__init__()
        self.mode, self.input_size, self.hidden_size, self.num_layers = mode, input_size, hidden_size, num_layers
        self.bias, self.batch_first, self.bidirectional, self.proj_size = bias, batch_first, bidirectional, proj_size
        _check_dropout(dropout, num_layers)
        self.dropout = float(dropout)
        self._check_settings()
        for names in self._names():
            self._weights(dtype, device, **names)
        self.reset_parameters()

    def _check_settings(self) -> None:
        for name, kind in (("bias", bool), ("batch_first", bool), ("input_size", int), ("hidden_size", int)):
            value = getattr(self, name)
            if not isinstance(value, kind):
                raise ArgumentTypeError(f"{name} should be of type {kind.__name__}, got: {type_name(value)}")
            if kind is int and value <= 0:
                raise ArgumentValueError(f"{name} must be greater than zero")
        if self.num_layers <= 0:
            raise ArgumentValueError("num_layers must be greater than zero")
        if self.proj_size < 0:
            raise ArgumentValueError("proj_size should be a positive integer or zero to disable projections")
        if self.proj_size >= self.hidden_size:
            raise ArgumentValueError("proj_size has to be smaller than hidden_size")
        if self.mode not in GATES:
            raise ArgumentValueError(f"Unrecognized RNN mode: {self.mode}")

    def _names(self) -> list[dict[str, tuple[int, ...]]]:
        """The parameters of each layer and direction, with their shapes."""
        gates, out = GATES[self.mode] * self.hidden_size, self.proj_size or self.hidden_size
        found = []
        for number in range(self.num_layers):
            inputs = out * (2 if self.bidirectional else 1) if number else self.input_size
            for direction in ("", "_reverse") if self.bidirectional else ("",):
                shapes: dict[str, tuple[int, ...]] = {"weight_ih": (gates, inputs), "weight_hh": (gates, out)}
                shapes |= {"bias_ih": (gates,), "bias_hh": (gates,)} if self.bias else {}
                shapes |= {"weight_hr": (self.proj_size, self.hidden_size)} if self.proj_size else {}
                found.append({f"{name}_l{number}{direction}": shape for name, shape in shapes.items()})
        return found

    @property
    def all_weights(self) -> list[list[Any]]:
        """The parameters, layer by layer."""
        return [[getattr(self, name) for name in names] for names in self._names()]

    def flatten_parameters(self) -> None:
        """Nothing: parameters lie where they lie."""

    def extra_repr(self) -> str:
        """The sizes, and what is not as usual."""
        usual = {
            "proj_size": 0, "num_layers": 1, "bias": True, "batch_first": False, "dropout": 0, "bidirectional": False,
        }  # fmt: skip
        values = {name: getattr(self, name) for name in usual}
        unusual = "".join(f", {name}={value}" for name, value in values.items() if value != usual[name])
        return f"{self.input_size}, {self.hidden_size}{unusual}"

    # -- calls ----------------------------------------------------------------------------------------------------
    def forward(self, input: Any, hx: Any = None) -> Any:
        """The outputs of the last layer, and the final states of all."""
        if isinstance(input, PackedSequence):
            return self._packed(input, hx)
        name = "RNN" if self.mode.startswith("RNN") else self.mode
        if input.ndim not in (2, 3):
            what = "tensor instead" if name == "RNN" else "instead"
            raise ArgumentValueError(f"{name}: Expected input to be 2D or 3D, got {input.ndim}D {what}")
        is_batched, dim = input.ndim == 3, 0 if self.batch_first else 1
        states = self._given(hx)
        if states is not None:
            self._check_ranks(states, is_batched)
        if not is_batched:
            input = input.unsqueeze(dim)
            states = None if states is None else tuple(one.unsqueeze(1) for one in states)
        self._check_input(input, 3)
        states = self._begun(input, input.shape[dim], states)
        output, *finals = self._call(input, states, (self.batch_first,))
        if not is_batched:
            output, finals = output.squeeze(dim), [one.squeeze(1) for one in finals]
        return output, self._shown(finals)

    def _packed(self, sequence: PackedSequence, hx: Any) -> Any:
        data, sizes, order, back = sequence
        self._check_input(data, 2)
        states = self._given(hx)
        if states is not None and order is not None:
            states = tuple(ops.index_select(one, 1, order) for one in states)
        states = self._begun(data, int(sizes[0]), states)
        output, *finals = self._call(data, states, (), sizes)
        if back is not None:
            finals = [ops.index_select(one, 1, back) for one in finals]
        return PackedSequence(output, sizes, order, back), self._shown(finals)

    def _call(self, input: Any, states: tuple[Any, ...], last: tuple[Any, ...], *sizes: Any) -> Any:
        hx = self._shown(states)
        weights = [weight for row in self.all_weights for weight in row]
        settings = (self.bias, self.num_layers, self.dropout, self.training, self.bidirectional)
        return OPS[self.mode](input, *sizes, hx, weights, *settings, *last)

    def _given(self, hx: Any) -> tuple[Any, ...] | None:
        return None if hx is None else tuple(hx) if self._states > 1 else (hx,)

    def _shown(self, states: Any) -> Any:
        return tuple(states) if self._states > 1 else states[0]

    def _check_ranks(self, states: tuple[Any, ...], is_batched: bool) -> None:
        rank = 3 if is_batched else 2
        if all(one.ndim == rank for one in states):
            return
        kind = "batched" if is_batched else "unbatched"
        what, ranks = "hx", f"{states[0].ndim}-D tensor"
        if self._states > 1:
            what, ranks = "hx and cx", f"({states[0].ndim}-D, {states[1].ndim}-D) tensors"
        raise OpError(f"For {kind} {rank}-D input, {what} should also be {rank}-D but got {ranks}")

    def _check_input(self, input: Any, rank: int) -> None:
        dtype = self.weight_ih_l0.dtype
        if input.dtype is not dtype:
            raise ArgumentValueError(
                f"RNN input dtype ({input.dtype}) does not match weight dtype ({dtype}). Convert input: "
                f"input.to({dtype}), or convert model: model.to({input.dtype})"
            )
        if input.ndim != rank:
            raise OpError(f"input must have {rank} dimensions, got {input.ndim}")
        if self.input_size != input.shape[-1]:
            raise OpError(
                f"input.size(-1) must be equal to input_size. Expected {self.input_size}, got {input.shape[-1]}"
            )

    def _begun(self, input: Any, batch: int, states: tuple[Any, ...] | None) -> tuple[Any, ...]:
        """The states at the beginning: zeros, unless they are given in the right sizes."""
        count = self.num_layers * (2 if self.bidirectional else 1)
        sizes = [(count, batch, self.proj_size or self.hidden_size), (count, batch, self.hidden_size)][: self._states]
        if states is None:
            return tuple(ops.zeros(size, dtype=input.dtype) for size in sizes)
        for place, (one, size) in enumerate(zip(states, sizes, strict=True)):
            if one.shape != size:
                name = f"hidden[{place}]" if self._states > 1 else "hidden"
                raise OpError(f"Expected {name} size {size}, got {list(one.shape)}")
        return states


def _check_dropout(dropout: Any, num_layers: int) -> None:
    if isinstance(dropout, bool) or not isinstance(dropout, int | float) or not 0 <= dropout <= 1:
        raise ArgumentValueError(
            "dropout should be a number in range [0, 1] representing the probability of an element being zeroed"
        )
    if dropout > 0 and num_layers == 1:
        modes.warn(
            "dropout option adds dropout after all but last recurrent layer, so non-zero dropout expects num_layers "
            f"greater than 1, but got dropout={dropout} and num_layers={num_layers}"
        )


@layer(HOME)
class RNN(RNNBase):
    """Plain recurrent units (Elman, 1990)."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        _refuse_projection(kwargs)
        if len(args) > 3:
            nonlinearity, args = args[3], args[:3] + args[4:]
        else:
            nonlinearity = kwargs.pop("nonlinearity", "tanh")
        if nonlinearity not in ("tanh", "relu"):
            raise ArgumentValueError(f"Unknown nonlinearity '{nonlinearity}'. Select from 'tanh' or 'relu'.")
        super().__init__(f"RNN_{nonlinearity.upper()}", *args, **kwargs)
        self.nonlinearity = nonlinearity


@layer(HOME)
class LSTM(RNNBase):
    """Long short-term memories (Hochreiter and Schmidhuber, 1997)."""

    _states = 2

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__("LSTM", *args, **kwargs)


@layer(HOME)
class GRU(RNNBase):
    """Gated recurrent units (Cho et al., 2014)."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        _refuse_projection(kwargs)
        super().__init__("GRU", *args, **kwargs)


def _refuse_projection(kwargs: dict[str, Any]) -> None:
    if "proj_size" in kwargs:
        raise ArgumentValueError("proj_size argument is only supported for LSTM, not RNN or GRU")


# -- cells --------------------------------------------------------------------------------------------------------
@layer(HOME)
class RNNCellBase(_Recurrent):
    """One step of recurrent units."""

    def __init__(
        self, input_size: int, hidden_size: int, bias: bool, num_chunks: int, device: Any = None, dtype: Any = None
    ) -> None:
        super().__init__()
        self.input_size, self.hidden_size, self.bias = input_size, hidden_size, bias
        gates = num_chunks * hidden_size
        shift = (gates,) if bias else None
        self._weights(dtype, device, weight_ih=(gates, input_size), weight_hh=(gates, hidden_size))
        self._weights(dtype, device, bias_ih=shift, bias_hh=shift)
        self.reset_parameters()

    def extra_repr(self) -> str:
        """The sizes, and what is not as usual."""
        text = f"{self.input_size}, {self.hidden_size}"
        text += f", bias={self.bias}" if self.bias is not True else ""
        nonlinearity = vars(self).get("nonlinearity", "tanh")
        return text + (f", nonlinearity={nonlinearity}" if nonlinearity != "tanh" else "")

    def _step(self, op: Callable[..., Any], input: Tensor, hx: tuple[Any, ...] | None, names: tuple[str, ...]) -> Any:
        """``op`` behind one more input, with or without a batch."""
        cell = self._path.rpartition(".")[2]
        if input.ndim not in (1, 2):
            raise ArgumentValueError(f"{cell}: Expected input to be 1D or 2D, got {input.ndim}D instead")
        for name, one in zip(names, hx or (), strict=False):
            if one.ndim not in (1, 2):
                raise ArgumentValueError(f"{cell}: Expected {name} to be 1D or 2D, got {one.ndim}D instead")
        is_batched = input.ndim == 2
        given: Any = input if is_batched else input.unsqueeze(0)
        if hx is None:
            hx = (ops.zeros((given.shape[0], self.hidden_size), dtype=given.dtype),) * len(names)
        elif not is_batched:
            hx = tuple(one.unsqueeze(0) for one in hx)
        weights = (self.weight_ih, self.weight_hh, self.bias_ih, self.bias_hh)
        result = op(given, hx if len(names) > 1 else hx[0], *weights)
        if is_batched:
            return result
        return tuple(one.squeeze(0) for one in result) if isinstance(result, tuple) else result.squeeze(0)


@layer(HOME)
class RNNCell(RNNCellBase):
    """One step of plain units."""

    def __init__(
        self, input_size: int, hidden_size: int, bias: bool = True, nonlinearity: str = "tanh", device: Any = None,
        dtype: Any = None,
    ) -> None:  # fmt: skip
        super().__init__(input_size, hidden_size, bias, 1, device, dtype)
        self.nonlinearity = nonlinearity

    def forward(self, input: Tensor, hx: Tensor | None = None) -> Any:
        """The state behind ``input``."""
        steps = {"tanh": ops.rnn_tanh_cell, "relu": ops.rnn_relu_cell}
        if self.nonlinearity not in steps:
            raise OpError(f"Unknown nonlinearity: {self.nonlinearity}")
        return self._step(steps[self.nonlinearity], input, None if hx is None else (hx,), ("hidden",))


@layer(HOME)
class LSTMCell(RNNCellBase):
    """One step of long short-term memories."""

    def __init__(
        self, input_size: int, hidden_size: int, bias: bool = True, device: Any = None, dtype: Any = None
    ) -> None:
        super().__init__(input_size, hidden_size, bias, 4, device, dtype)

    def forward(self, input: Tensor, hx: Any = None) -> Any:
        """The output and the cells behind ``input``."""
        return self._step(ops.lstm_cell, input, None if hx is None else tuple(hx), ("hx[0]", "hx[1]"))


@layer(HOME)
class GRUCell(RNNCellBase):
    """One step of gated units."""

    def __init__(
        self, input_size: int, hidden_size: int, bias: bool = True, device: Any = None, dtype: Any = None
    ) -> None:
        super().__init__(input_size, hidden_size, bias, 3, device, dtype)

    def forward(self, input: Tensor, hx: Tensor | None = None) -> Any:
        """The state behind ``input``."""
        return self._step(ops.gru_cell, input, None if hx is None else (hx,), ("hidden",))
