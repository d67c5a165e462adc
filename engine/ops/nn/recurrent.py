"""Recurrent networks over sequences: layers, both directions, sequences of several lengths packed into one tensor."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import accumulate
from typing import Any, NamedTuple

from engine import dtypes, modes, ops
from engine.errors import OpError
from engine.op import composite
from engine.ops.nn import recurrent_cells as cells
from engine.ops.nn.lstm_layers import Setting, fused_layers, is_fused
from engine.ops.nn.recurrent_cells import Weights
from engine.tensor import Tensor, read

State = Any  # a tensor, or for an LSTM the pair of its output and its cells
Step = Callable[[Tensor, Any, Weights], Any]
SHORT = "Expected sequence length to be larger than 0 in RNN"


def output_of(state: State) -> Tensor:
    """What a step shows of its state."""
    return state[0] if isinstance(state, tuple) else state


def _each(function: Callable[..., Any], *states: State) -> State:
    """``function`` of states, part by part."""
    if isinstance(states[0], tuple):
        return tuple([function(*parts) for parts in zip(*states, strict=True)])
    return function(*states)


# -- one layer in one direction -----------------------------------------------------------------------------------
def _whole(step: Step, input: Tensor, state: State, weights: Weights, backwards: bool) -> tuple[Tensor, State]:
    """A layer over sequences of one length: ``(time, batch, features)``."""
    steps = ops.unbind(weights.of_input(input), 0)
    if not steps:
        raise OpError(SHORT)
    outputs = []
    for gates in reversed(steps) if backwards else steps:
        state = step(gates, state, weights)
        outputs.append(output_of(state))
    return ops.stack(outputs[::-1] if backwards else outputs, 0), state


def _packed(sizes: Sequence[int]) -> Callable[..., tuple[Tensor, State]]:
    """A layer over packed sequences, ``sizes[t]`` of which have a step ``t``; longer ones come first."""

    def layer(step: Step, input: Tensor, state: State, weights: Weights, backwards: bool) -> tuple[Tensor, State]:
        gates = weights.of_input(input)
        starts = accumulate(sizes[:-1], initial=0)
        pieces = [ops.narrow(gates, 0, start, size) for start, size in zip(starts, sizes, strict=True)]
        walk = _backwards if backwards else _forwards
        outputs, state = walk(step, pieces, sizes, state, weights)
        return ops.cat(outputs, 0), state

    return layer


def _rows(state: State, start: int, stop: int) -> State:
    return _each(lambda part: ops.narrow(part, 0, start, stop - start), state)


def _together(states: Sequence[State]) -> State:
    return _each(lambda *parts: ops.cat(list(parts), 0), *states)


def _forwards(
    step: Step, pieces: Sequence[Tensor], sizes: Sequence[int], state: State, weights: Weights
) -> tuple[list[Tensor], State]:
    """Sequences that end leave their rows of the state behind."""
    outputs, ended, before = [], [], sizes[0]
    for gates, size in zip(pieces, sizes, strict=True):
        if size < before:
            ended.append(_rows(state, size, before))
            state = _rows(state, 0, size)
        before = size
        state = step(gates, state, weights)
        outputs.append(output_of(state))
    return outputs, _together([state, *reversed(ended)])


def _backwards(
    step: Step, pieces: Sequence[Tensor], sizes: Sequence[int], initial: State, weights: Weights
) -> tuple[list[Tensor], State]:
    """Sequences join from their own ends."""
    outputs, before = [], sizes[-1]
    state = _rows(initial, 0, before)
    for gates, size in zip(reversed(pieces), reversed(sizes), strict=True):
        if size > before:
            state = _together([state, _rows(initial, before, size)])
        before = size
        state = step(gates, state, weights)
        outputs.append(output_of(state))
    return outputs[::-1], state


# -- all layers ---------------------------------------------------------------------------------------------------
def _gathered(params: Sequence[Tensor], has_biases: bool, has_projection: bool) -> list[Weights]:
    """The weights of each layer and direction."""
    count = 2 + 2 * has_biases + has_projection
    if len(params) % count:
        raise OpError("got an incorrect number of RNN parameters")
    groups = [params[start : start + count] for start in range(0, len(params), count)]
    if has_projection:
        return [Weights(*group[:-1])._replace(projection=group[-1]) for group in groups]
    return [Weights(*group) for group in groups]


def _paired(items: Sequence[Any]) -> list[tuple[Any, ...]]:
    if len(items) % 2:
        raise OpError("Odd number of params or hiddens given to a bidirectional RNN")
    return [(items[i], items[i + 1]) for i in range(0, len(items), 2)]


def _run(
    layer: Callable[..., tuple[Tensor, State]], step: Step, input: Tensor, states: Sequence[State],
    weights: Sequence[Weights], setting: Setting,
) -> tuple[Tensor, list[State]]:  # fmt: skip
    """All layers: the output of the last, and the final states of all."""
    by_layer = _paired(weights) if setting.both_ways else [(one,) for one in weights]
    initial = _paired(states) if setting.both_ways else [(one,) for one in states]
    for what, given in (("hidden states", initial), ("weights", by_layer)):
        if len(given) != setting.layers:
            raise OpError(f"Expected more {what} in stacked_rnn")
    finals: list[State] = []
    for number, (own, starts) in enumerate(zip(by_layer, initial, strict=True)):
        found = [
            layer(step, input, start, one, backwards)
            for one, start, backwards in zip(own, starts, (False, True), strict=False)
        ]
        finals += [state for _, state in found]
        outputs = [output for output, _ in found]
        input = ops.cat(outputs, outputs[0].array.ndim - 1) if setting.both_ways else outputs[0]
        if setting.dropout != 0 and setting.train and number < setting.layers - 1:
            input = ops.dropout(input, setting.dropout, True)
    return input, finals


# -- the public ones ----------------------------------------------------------------------------------------------
class Call(NamedTuple):
    """The arguments of one call, of either overload; ``sizes`` are those of packed sequences."""

    input: Tensor
    hx: Any
    params: list[Tensor]
    has_biases: bool
    setting: Setting
    batch_first: bool
    sizes: tuple[int, ...] | None

    @property
    def sequence(self) -> Tensor:
        """The input with its steps first."""
        return ops.transpose(self.input, 0, 1) if self.batch_first else self.input

    @property
    def is_even(self) -> bool:
        """Whether all sequences have one length."""
        return self.sizes is None or len(set(self.sizes)) == 1

    def run(self, step: Step, states: Sequence[State], has_projection: bool = False) -> tuple[Tensor, list[State]]:
        """All layers of this step."""
        weights = _gathered(self.params, self.has_biases, has_projection)
        layer = _whole if self.sizes is None else _packed(self.sizes)
        return _run(layer, step, self.sequence, states, weights, self.setting)

    def run_fused(self) -> tuple[Any, ...]:
        """All layers of an LSTM, each as one op."""
        input = self.sequence
        if self.sizes is not None:
            input = ops.view(input, (len(self.sizes), self.sizes[0], -1))
        output, *finals = fused_layers(input, self.hx, self.params, self.has_biases, self.setting)
        if self.sizes is not None:
            output = ops.view(output, (-1, output.array.shape[-1]))
        return ops.transpose(output, 0, 1) if self.batch_first else output, *finals


def _read(arguments: tuple[Any, ...], has_pair: bool) -> Call:
    """The arguments in order, which are ``(input, hx, params, ...)`` or ``(data, batch_sizes, hx, params, ...)``.

    Raises ``TypeError`` if they are neither.
    """
    input, *rest = arguments
    is_packed = isinstance(rest[0], Tensor) and (has_pair or isinstance(rest[1], Tensor))
    sizes = rest.pop(0) if is_packed else None
    hx, params, has_biases, layers, dropout, train, both_ways, *last = rest
    batch_first = last[0] if last else False
    switches = (has_biases, train, both_ways, batch_first)
    is_state = isinstance(hx, list | tuple) if has_pair else isinstance(hx, Tensor)
    if not (is_state and isinstance(params, list | tuple) and all(isinstance(one, bool) for one in switches)):
        raise TypeError
    if type(layers) is not int or not isinstance(dropout, int | float):
        raise TypeError
    if not all(isinstance(one, Tensor) for one in (*params, *(hx if has_pair else ()))):
        raise TypeError
    counts = None if sizes is None else _sizes(sizes)
    return Call(input, hx, list(params), has_biases, Setting(layers, dropout, train, both_ways), batch_first, counts)


def _sizes(batch_sizes: Tensor) -> tuple[int, ...]:
    if batch_sizes.dtype is not dtypes.int64:
        raise OpError(f"expected scalar type Long but found {batch_sizes.dtype.scalar_type}")
    if batch_sizes.array.ndim != 1:
        raise OpError("batch_sizes tensor should be 1D")
    sizes = tuple(map(int, read(batch_sizes)))
    if not sizes:
        raise OpError(SHORT)
    return sizes


def _simple(step: Step, arguments: tuple[Any, ...]) -> tuple[Tensor, Any]:
    """A network whose state is one tensor."""
    call = _read(arguments, False)
    output, finals = call.run(step, ops.unbind(call.hx, 0))
    if call.batch_first:
        ops.transpose.inplace(output, 0, 1)
    return output, ops.stack(finals, 0)


def _network(name: str, step: Step, what: str) -> Any:
    """Declare the network of this step."""

    @composite(name=name, method=False)
    def network(
        input: Tensor, hx: Any, params: Any, has_biases: Any, num_layers: Any, dropout: Any, train: Any,
        bidirectional: Any, batch_first: Any,
    ) -> Any:  # fmt: skip
        rest = has_biases, num_layers, dropout, train, bidirectional, batch_first
        return _simple(step, (input, hx, params, *rest))

    network.__doc__ = f"Layers of {what}: the outputs of the last, and the final states of all."
    return network


rnn_tanh = _network("rnn_tanh", cells.tanh_step, "plain recurrence with ``tanh``")
rnn_relu = _network("rnn_relu", cells.relu_step, "plain recurrence with ``relu``")
gru = _network("gru", cells.gru_step, "gated recurrent units")


@composite(method=False)
def lstm(
    input: Tensor, hx: Any, params: Any, has_biases: Any, num_layers: Any, dropout: Any, train: Any,
    bidirectional: Any, batch_first: Any,
) -> Any:  # fmt: skip
    """Layers of long short-term memories: the outputs of the last, the final outputs and the final cells of all."""
    call = _read((input, hx, params, has_biases, num_layers, dropout, train, bidirectional, batch_first), True)
    if len(call.hx) != 2:
        raise OpError("lstm expects two hidden states")
    states, cell_states = call.hx
    has_projection = states.array.ndim > 2 and states.array.shape[2:] != cell_states.array.shape[2:3]
    if call.is_even and is_fused(call.input, (*call.hx, *call.params)):
        if not has_projection:
            return call.run_fused()
        modes.warn("LSTM with projections is not supported with oneDNN. Using default implementation.")
    pairs = list(zip(ops.unbind(states, 0), ops.unbind(cell_states, 0), strict=False))
    output, ends = call.run(cells.lstm_step, pairs, has_projection)
    output = ops.transpose(output, 0, 1) if call.batch_first else output
    return output, ops.stack([hidden for hidden, _ in ends], 0), ops.stack([cell for _, cell in ends], 0)
