"""Samples of recurrent networks: cells, layers, both directions, packed sequences."""

from __future__ import annotations

from typing import Any

from tests.engine.samples import Leaf, Sample, fixed, leaf, sample, values_only

FEATURES, HIDDEN = 2, 3


def _weights(gates: int, features: int = FEATURES, biases: bool = True, dtype: str = "float64") -> list[Leaf]:
    rows = gates * HIDDEN
    shapes = [(rows, features), (rows, HIDDEN), *([(rows,)] * 2 if biases else [])]
    return [leaf(*shape, low=-1.0, high=1.0, dtype=dtype) for shape in shapes]


def _cell(gates: int, pair: bool) -> list[Sample]:
    state: Any = leaf(4, HIDDEN)
    state = (state, leaf(4, HIDDEN)) if pair else state
    return [
        sample(leaf(4, FEATURES), state, *_weights(gates)), sample(leaf(4, FEATURES), state, *_weights(gates)[:2]),
    ]  # fmt: skip


def _layers(gates: int, pair: bool) -> list[Sample]:
    def state(count: int, batch: int = 4, dtype: str = "float64") -> Any:
        one = leaf(count, batch, HIDDEN, dtype=dtype)
        return (one, leaf(count, batch, HIDDEN, dtype=dtype)) if pair else one

    stacked = [*_weights(gates), *_weights(gates), *_weights(gates, 2 * HIDDEN), *_weights(gates, 2 * HIDDEN)]
    plain = (True, 1, 0.0, True, False)
    return [
        sample(leaf(5, 4, FEATURES), state(1), _weights(gates), *plain, False),
        sample(leaf(4, 2, FEATURES), state(4), stacked, True, 2, 0.0, False, True, True),
        sample(leaf(2, 4, FEATURES), state(1), _weights(gates, biases=False), False, 1, 0.0, True, False, False),
        sample(leaf(7, FEATURES), fixed([4, 2, 1]), state(1), _weights(gates), *plain),
        sample(leaf(7, FEATURES), fixed([4, 2, 1]), state(4), stacked, True, 2, 0.0, False, True),
        values_only(
            "too coarse for differences", leaf(5, 4, FEATURES, dtype="float32"), state(1, dtype="float32"),
            _weights(gates, dtype="float32"), *plain, False,
        ),
    ]  # fmt: skip


SAMPLES = {
    "lstm_cell": _cell(4, True),
    "gru_cell": _cell(3, False),
    "rnn_tanh_cell": _cell(1, False),
    "rnn_relu_cell": _cell(1, False),
    "lstm": [
        *_layers(4, True),
        sample(
            leaf(5, 4, FEATURES), (leaf(1, 4, 2), leaf(1, 4, HIDDEN)),
            [leaf(12, FEATURES), leaf(12, 2), leaf(12), leaf(12), leaf(2, HIDDEN)], True, 1, 0.0, True, False, False,
        ),
    ],
    "gru": _layers(3, False),
    "rnn_tanh": _layers(1, False),
    "rnn_relu": _layers(1, False),
}  # fmt: skip
