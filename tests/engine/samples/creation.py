"""Samples of tensors made from nothing, from Python's numbers, and at random where only one outcome is possible."""

from typing import Any

import numpy as np

from tests.engine.samples import Sample, fixed, leaf, sample, values_only

MADE = "made from nothing"
DRAWN = "samples do not depend on what they replace, and an op and its in-place namesake differ"


def drawn(*args: Any, **kwargs: Any) -> Sample:
    """A draw with one possible outcome."""
    return Sample(args, kwargs, gradient=False, second_order=False, inplace=False, reason=DRAWN)


SAMPLES = {
    "zeros": [values_only(MADE, 2, 3), values_only(MADE, (2, 0)), values_only(MADE, (), dtype="int64")],
    "ones": [values_only(MADE, 2, 3), values_only(MADE, [3], dtype="complex64"), values_only(MADE, 2, dtype="bool")],
    "empty": [values_only(MADE, 2, 0)],
    "full": [
        values_only(MADE, (2, 3), 2.5),
        values_only(MADE, (2,), 7),
        values_only(MADE, (2,), True),
        values_only(MADE, (), 1j),
        values_only(MADE, (2,), 2.7, dtype="int32"),
        values_only(MADE, (2,), -1, dtype="uint8"),
    ],
    "empty_strided": [values_only(MADE, (2, 0), (1, 2))],
    "empty_permuted": [values_only(MADE, (2, 0, 3), (2, 0, 1))],
    "scalar_tensor": [values_only(MADE, 3), values_only(MADE, 2.5, dtype="float64")],
    "zeros_like": [values_only(MADE, leaf(2, 3)), values_only(MADE, leaf(2, 3), dtype="int64")],
    "ones_like": [values_only(MADE, leaf(3, 2, strided=True)), values_only(MADE, fixed(1, "int64"))],
    "empty_like": [values_only(MADE, leaf(0, 3))],
    "full_like": [values_only(MADE, leaf(2), 3), values_only(MADE, fixed([1, 2], "int64"), 3.5)],
    "new_zeros": [values_only(MADE, leaf(2), 3), values_only(MADE, leaf(2), (3,), dtype="int64")],
    "new_ones": [values_only(MADE, fixed([1], "int32"), 2, 3)],
    "new_empty": [values_only(MADE, leaf(2), (0, 2))],
    "new_empty_strided": [values_only(MADE, leaf(2), (0, 2), (1, 0))],
    "new_full": [values_only(MADE, leaf(2), (2,), 5), values_only(MADE, fixed([1], "int64"), (2,), 2.5)],
    "new_tensor": [values_only(MADE, fixed([1], "int64"), [1.5, 2.0]), values_only(MADE, leaf(2), [1, 2])],
    "arange": [
        values_only(MADE, 5),
        values_only(MADE, 5.0),
        values_only(MADE, 1, 6, 2),
        values_only(MADE, 3, -3, -2),
        values_only(MADE, 0, 1, 0.25),
        values_only(MADE, 0),
        values_only(MADE, 3.5, dtype="int64"),
        values_only(MADE, 0, 5, 1.5, dtype="int32"),
        values_only(MADE, 3, dtype="float64"),
    ],
    "range": [values_only(MADE, 0, 3), values_only(MADE, 1, 2, 0.5)],
    "linspace": [
        values_only(MADE, 0, 1, 5),
        values_only(MADE, -2.0, 3.0, 4, dtype="float64"),
        values_only(MADE, 0, 1, 1),
        values_only(MADE, 0, 1, 0),
        values_only(MADE, 0, 10, 4, dtype="int64"),
        values_only(MADE, 0, 1j, 3),
    ],
    "logspace": [
        values_only(MADE, 0, 2, 3),
        values_only(MADE, -1, 1, 5, 2.0, dtype="float64"),
        values_only(MADE, 0, 3, 4, dtype="int64"),
    ],
    "eye": [values_only(MADE, 3), values_only(MADE, 2, 3), values_only(MADE, 0), values_only(MADE, 2, dtype="bool")],
    "tril_indices": [values_only(MADE, 3, 3), values_only(MADE, 2, 4, 1), values_only(MADE, 3, 2, -1, dtype="int32")],
    "triu_indices": [values_only(MADE, 3, 3), values_only(MADE, 2, 4, 1), values_only(MADE, 3, 2, -4)],
    "tensor": [
        values_only(MADE, 1),
        values_only(MADE, 2.5),
        values_only(MADE, True),
        values_only(MADE, 1 + 2j),
        values_only(MADE, [1, 2.5]),
        values_only(MADE, [[True], [2]]),
        values_only(MADE, []),
        values_only(MADE, [[], []]),
        values_only(MADE, [1.7, -1.7], dtype="int64"),
        values_only(MADE, [-3, 2], dtype="uint8"),
        values_only(MADE, [fixed(1, "int64"), 2.5]),
        values_only(MADE, [[fixed([1.0]), 2], [3, 4]]),
    ],
    "as_tensor": [
        values_only(MADE, [1, 2]),
        values_only(MADE, leaf(2)),
        values_only(MADE, fixed([1], "int64"), dtype="float64"),
    ],
    "asarray": [values_only(MADE, [1.0, 2.0]), values_only(MADE, leaf(2))],
    "from_numpy": [values_only(MADE, np.arange(6.0).reshape(2, 3).T)],
    "Tensor": [values_only(MADE, [1, 2]), values_only(MADE, [[1.5]]), values_only(MADE)],
    **{
        f"{name}Tensor": [values_only(MADE, [1, 0]), values_only(MADE, 2, 0)]
        for name in ("Bool", "Byte", "Char", "Short", "Int", "Long", "Half", "BFloat16", "Float", "Double")
    },
    "rand": [drawn(0), drawn((2, 0), dtype="float64")],
    "randn": [drawn(0), drawn((2, 0), dtype="complex64")],
    "rand_like": [drawn(leaf(0))],
    "randn_like": [drawn(leaf(2, 0), dtype="float32")],
    "randint": [drawn(1, (2, 3)), drawn(4, 5, (3,), dtype="float32")],
    "randint_like": [drawn(leaf(2), 1), drawn(leaf(2), 4, 5)],
    "randperm": [drawn(1), drawn(0, dtype="float64")],
    "normal": [
        drawn(2.0, 0.0, (3,)),
        drawn(leaf(3), 0.0),
        drawn(1.0, leaf(2, low=0.0, high=0.0)),
        drawn(leaf(3), leaf(1, low=0.0, high=0.0)),
    ],
    "bernoulli": [
        drawn(leaf(3, low=1.0, high=1.0)),
        drawn(leaf(3), 0.0),
        drawn(fixed([2, 3], "int64"), 1.0),
    ],
    "poisson": [drawn(leaf(2, low=0.0, high=0.0))],
    "multinomial": [
        drawn(fixed([0.0, 2.0]), 1),
        drawn(fixed([[0.0, 1.0], [3.0, 0.0]]), 2, True),
    ],
    **{f"{name}_": [drawn(fixed([], shape=(0,)))] for name in ("exponential", "cauchy", "log_normal", "random")},
    "uniform_": [drawn(fixed([0.0, 0.0]), 2.0, 2.0)],
    "normal_": [drawn(fixed([0.0, 0.0]), 2.0, 0.0)],
    "geometric_": [drawn(fixed([], shape=(0,)), 0.5)],
    "bernoulli_": [
        drawn(fixed([5, 6], "int64"), 1.0),
        drawn(fixed([5.0, 6.0]), fixed([0.0, 1.0])),
    ],
    "complex": [
        sample(leaf(2, 3), leaf(3)),
        sample(leaf(), leaf()),
        values_only("single", fixed([1.0], "float32"), fixed([2.0], "float32")),
    ],
    "polar": [sample(leaf(2, 3, low=0.2), leaf(3)), sample(leaf(0), leaf(0))],
}
