"""Random numbers: streams against PyTorch's own (``tests/golden/random.jsonl.gz``), and laws that hold for all."""

from __future__ import annotations

import gzip
import hashlib
import json
import math
import platform
from collections.abc import Callable
from fractions import Fraction
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine import dtypes
from engine.errors import ArgumentTypeError, ArgumentValueError, EngineError, OpError, UnsupportedError
from engine.kernels.sampling import fma
from engine.random import DEFAULT_SEED, Generator, in_memory_order
from tests.paths import GOLDEN

RECORDED = GOLDEN / "random.jsonl.gz"
SAME_LIBM = platform.libc_ver()[0] == "glibc"  # the C library that the recorded logarithms and cosines come from
FLOAT16, FLOAT32, FLOAT64 = np.dtype(np.float16), np.dtype(np.float32), np.dtype(np.float64)
INT64, UINT8, BOOL = np.dtype(np.int64), np.dtype(np.uint8), np.dtype(np.bool_)
COMPLEX64, BFLOAT16 = np.dtype(np.complex64), dtypes.bfloat16.numpy
SEEDS = st.integers(-(2**63), 2**64 - 1)
COUNTS = st.integers(0, 50)
Array = np.ndarray[Any, Any]
Record = dict[str, Any]


def _streams() -> list[Record]:
    with gzip.open(RECORDED, "rt", encoding="utf-8") as lines:
        next(lines)
        return [json.loads(line) for line in lines]


STREAMS = _streams()


def _digest(array: Array) -> str:
    return hashlib.sha256(np.ascontiguousarray(array).tobytes()).hexdigest()[:16]


def _draw(generator: Generator, call: Record) -> Array:
    method, shape, dtype = call["method"], call["shape"], dtypes.by_name(call["dtype"]).numpy
    recorded = {"method", "shape", "dtype", "samples", "first", "state", "weights", "n"}
    arguments = {name: value for name, value in call.items() if name not in recorded}
    match method:
        case "poisson":
            return generator.poisson(np.array(call["weights"]).astype(np.float32).astype(dtype))
        case "multinomial":
            return generator.multinomial(np.array(call["weights"], dtype), **arguments)
        case "randperm":
            return generator.randperm(call["n"], dtype)
        case "randint_wide":
            method = "randint"
    samples: Array = getattr(generator, method)(shape=shape, dtype=dtype, **arguments)
    return samples


@pytest.mark.parametrize("stream", STREAMS, ids=range(len(STREAMS)))
def test_streams_are_those_of_the_reference(stream: Record) -> None:
    generator = Generator(stream["seed"])
    for call in stream["calls"]:
        samples = _draw(generator, call)
        if SAME_LIBM:
            assert _digest(samples) == call["samples"], call
            assert _digest(generator.rng_state()) == call["state"], call
        shown = samples.reshape(-1)[:3].astype(np.complex128)
        np.testing.assert_allclose(shown, [complex(text) for text in call["first"]], rtol=1e-3)


# The stream and the state


def test_a_generator_starts_with_the_seed_of_the_reference() -> None:
    assert Generator().initial_seed() == DEFAULT_SEED == 67280421310721


def test_entropy_gives_different_streams_and_a_seed_that_repeats_them() -> None:
    first, second = Generator.from_entropy(), Generator.from_entropy()
    assert first.initial_seed() != second.initial_seed()
    np.testing.assert_array_equal(Generator(first.initial_seed()).rand((9,)), first.rand((9,)))


def test_seed_reseeds_and_returns_the_seed() -> None:
    generator = Generator(1)
    assert generator.seed() == generator.initial_seed() != 1


def test_negative_seeds_are_taken_modulo_two_to_the_64() -> None:
    assert Generator(-1).initial_seed() == 2**64 - 1
    np.testing.assert_array_equal(Generator(-1).rand((4,)), Generator(2**64 - 1).rand((4,)))


@given(SEEDS, COUNTS, COUNTS)
def test_uniforms_of_two_calls_are_those_of_one(seed: int, left: int, right: int) -> None:
    parts, whole = Generator(seed), Generator(seed)
    joined = np.concatenate([parts.rand((left,)), parts.rand((right,))])
    np.testing.assert_array_equal(joined, whole.rand((left + right,)))


@given(SEEDS, st.integers(0, 7), st.integers(0, 7))
def test_few_normals_of_two_calls_are_those_of_one(seed: int, left: int, right: int) -> None:
    parts, whole = Generator(seed), Generator(seed)
    joined = np.concatenate([parts.randn((left,)), parts.randn((right,))])
    np.testing.assert_array_equal(joined, whole.randn((left + right,)))


@given(SEEDS, st.lists(st.sampled_from([1, 3, 16, 623, 624, 700]), max_size=3))
def test_a_stored_generator_continues_the_stream(seed: int, lengths: list[int]) -> None:
    generator = Generator(seed)
    for length in lengths:
        generator.randn((length,))
    copy, blob = Generator.from_state(generator.state()), Generator()
    blob.set_rng_state(generator.rng_state())
    expected = generator.randn((5,)).tolist()
    assert copy.randn((5,)).tolist() == expected == blob.randn((5,)).tolist()
    np.testing.assert_array_equal(copy.rng_state(), generator.rng_state())
    np.testing.assert_array_equal(blob.rng_state(), generator.rng_state())


@given(SEEDS, st.booleans())
def test_a_memento_undoes_draws_and_seeds(seed: int, drawn: bool) -> None:
    generator = Generator(seed)
    if drawn:
        generator.randn((3,))
    state, undo = generator.state(), generator.memento()
    generator.randn((5,))
    generator.manual_seed(0)
    undo()
    assert generator.state() == state


def test_the_state_is_plain_data_without_a_key_before_the_first_draw() -> None:
    generator = Generator(3)
    assert generator.state() == {"seed": 3, "key": b"", "position": 624, "spare": None}
    generator.randn((1,))
    state = generator.state()
    assert (len(state["key"]), state["position"]) == (2496, 4)
    assert isinstance(state["spare"], float)


def test_manual_seed_forgets_the_spare_normal() -> None:
    generator = Generator(3)
    first = generator.randn((1,))
    np.testing.assert_array_equal(generator.manual_seed(3).randn((1,)), first)


# Laws of the samples


@given(SEEDS, st.sampled_from([FLOAT16, BFLOAT16, FLOAT32, FLOAT64]), st.floats(-100, 100), st.floats(1e-3, 100))
def test_uniforms_stay_below_their_end(seed: int, dtype: np.dtype[Any], low: float, width: float) -> None:
    low, high = (float(np.float32(bound).astype(dtype)) for bound in (low, low + width))
    samples = Generator(seed).uniform((40,), dtype, low, high).astype(np.float64)
    assert np.all((samples >= low) & ((samples < high) | (low == high)))


@given(SEEDS, st.integers(-(2**63), 2**63 - 2), st.integers(1, 2**63))
def test_integers_stay_in_their_range(seed: int, low: int, width: int) -> None:
    high = min(low + width, 2**63 - 1)
    samples = Generator(seed).randint(low, high, (20,)).tolist()
    assert all(low <= sample < high for sample in samples)


@pytest.mark.parametrize(("low", "bits"), [(0, 63), (-(2**63), 64)])
def test_integers_without_an_end_use_all_of_the_range(low: int, bits: int) -> None:
    samples = Generator(0).randint(low, None, (2000,))
    assert samples.max() > 2**63 - 2**55
    assert samples.min() < low + 2 ** (bits - 8)


@given(SEEDS, st.integers(-70_000, 60_000), st.integers(1, 70_000), st.sampled_from([FLOAT32, BFLOAT16]))
def test_whole_floats_are_not_rounded_to_the_end(seed: int, low: int, width: int, dtype: np.dtype[Any]) -> None:
    try:
        samples = Generator(seed).randint(low, low + width, (20,), dtype)
    except OpError:  # no number of the dtype lies in the range
        return
    assert np.all(samples.astype(np.float64) < low + width)


@given(SEEDS, st.integers(0, 100))
def test_randperm_permutes(seed: int, n: int) -> None:
    assert sorted(Generator(seed).randperm(n).tolist()) == list(range(n))


@given(SEEDS, st.lists(st.floats(0.01, 10), min_size=1, max_size=20), st.data())
def test_multinomial_without_replacement_repeats_nothing(seed: int, weights: list[float], data: st.DataObject) -> None:
    count = data.draw(st.integers(1, len(weights)))
    drawn = Generator(seed).multinomial(np.array(weights), count).tolist()
    assert len(set(drawn)) == count


@pytest.mark.parametrize("replacement", [False, True])
def test_multinomial_draws_nothing_of_weight_zero(replacement: bool) -> None:
    weights = np.array([[0.0, 1.0, 0.0, 2.0], [3.0, 0.0, 0.1, 0.0]], np.float32)
    drawn = Generator(7).multinomial(weights, 2, replacement)
    assert set(drawn[0].tolist()) <= {1, 3}
    assert set(drawn[1].tolist()) <= {0, 2}


def test_multinomial_follows_the_memory_of_the_weights() -> None:
    weights = np.random.default_rng(0).random((3, 4), np.float32)
    swapped = np.ascontiguousarray(weights.T).T
    trials = Generator(1).exponential((4, 3)).T
    expected = np.argsort(-(swapped / trials), axis=1)[:, :2]
    np.testing.assert_array_equal(Generator(1).multinomial(swapped, 2), expected)


def test_a_dropout_mask_scales_what_it_keeps() -> None:
    mask = Generator(1).dropout_mask((1000,), 0.2)
    assert set(mask.tolist()) == {0.0, 1.25}
    assert 150 < np.count_nonzero(mask == 0) < 250


def test_broadcast_probabilities_take_one_draw_an_element() -> None:
    hits = Generator(5).bernoulli((3, 2), np.array([0.0, 1.0], np.float32))
    np.testing.assert_array_equal(hits, [[0, 1]] * 3)


def test_arrays_of_means_and_deviations_scale_one_stream() -> None:
    mean, std = np.array([1.0, -2.0, 3.0], np.float32), np.array([0.5, 0.0, 2.0], np.float32)
    standard = Generator(2).randn((3,))
    np.testing.assert_array_equal(Generator(2).normal((3,), mean=mean, std=std), standard * std + mean)
    np.testing.assert_array_equal(Generator(2).normal((3,), mean=mean), standard + mean)
    np.testing.assert_array_equal(Generator(2).normal((3,), mean=1.0, std=std), standard * std + 1)


def test_complex_normals_have_variance_one_in_all() -> None:
    samples = Generator(0).randn((20_000,), COMPLEX64)
    assert samples.dtype == COMPLEX64
    assert abs(float(np.mean(np.abs(samples) ** 2)) - 1) < 0.03


def test_normals_of_a_strided_target_are_the_scalar_ones() -> None:
    scalar = Generator(0)
    one_by_one = np.concatenate([scalar.randn((1,)) for _ in range(20)])
    np.testing.assert_array_equal(Generator(0).randn((20,), contiguous=False), one_by_one)


@pytest.mark.parametrize("order", [(0, 1, 2), (2, 1, 0), (1, 2, 0)])
def test_in_memory_order_walks_through_memory(order: tuple[int, ...]) -> None:
    array = np.zeros((2, 3, 4)).transpose(order)
    in_memory_order(array)[...] = np.arange(24).reshape(in_memory_order(array).shape)
    np.testing.assert_array_equal(array.ravel("K"), np.arange(24))


def test_log_normals_overflow_to_infinity() -> None:
    assert np.all(Generator(0).log_normal((3,), FLOAT64, 1000.0, 1.0) == math.inf)


SINGLES = st.floats(-1e6, 1e6, width=32)
DOUBLES = st.floats(-1e100, 1e100).filter(lambda x: x == 0 or abs(x) > 1e-100)


@given(DOUBLES, DOUBLES, DOUBLES)
def test_fma_rounds_once_in_double(x: float, factor: float, term: float) -> None:
    exact = Fraction(x) * Fraction(factor) + Fraction(term)
    assert fma(np.array([x]), factor, term)[0] == float(exact)


@given(SINGLES, SINGLES, SINGLES)
def test_fma_rounds_once_in_single(x: float, factor: float, term: float) -> None:
    exact = Fraction(x) * Fraction(factor) + Fraction(term)
    fused = fma(np.array([x], np.float32), factor, term)[0]
    neighbours = [np.nextafter(fused, np.float32(end)) for end in (-math.inf, math.inf)]
    distance = abs(Fraction(float(fused)) - exact)
    assert all(distance <= abs(Fraction(float(other)) - exact) for other in neighbours)


# What is refused

REFUSED: list[tuple[type[EngineError], str, Callable[[Generator], object]]] = [
    (ArgumentValueError, "Overflow when unpacking long long", lambda g: g.manual_seed(2**64)),
    (ArgumentTypeError, "RNG state must be a torch.ByteTensor", lambda g: g.set_rng_state(np.zeros(5056))),
    (
        OpError,
        "Expected a CPUGeneratorImplState of size 5056 but found the input RNG state size to be 10",
        lambda g: g.set_rng_state(np.zeros(10, np.uint8)),
    ),
    (OpError, "Invalid mt19937 state", lambda g: g.set_rng_state(np.zeros(5056, np.uint8))),
    (UnsupportedError, "\"check_uniform_bounds\" not implemented for 'Long'", lambda g: g.rand((2,), INT64)),
    (UnsupportedError, "\"normal_kernel_cpu\" not implemented for 'Long'", lambda g: g.randn((2,), INT64)),
    (UnsupportedError, "\"log_normal_cpu\" not implemented for 'Long'", lambda g: g.log_normal((2,), INT64)),
    (UnsupportedError, "\"geometric_cpu\" not implemented for 'Bool'", lambda g: g.geometric((2,), 0.5, BOOL)),
    (UnsupportedError, "\"randperm\" not implemented for 'Bool'", lambda g: g.randperm(2, BOOL)),
    (UnsupportedError, "\"random_kernel_cpu\" not implemented for 'ComplexFloat'", lambda g: g.random((2,), COMPLEX64)),
    (
        UnsupportedError,
        "\"bernoulli_tensor_cpu_p_\" not implemented for 'Long'",
        lambda g: g.bernoulli((1,), np.array([1])),
    ),
    (OpError, "to is out of bounds for c10::Half", lambda g: g.uniform((2,), FLOAT16, 0, 1e6)),
    (
        OpError,
        "uniform_ expects to return a [from, to) range, but found from=1 > to=0",
        lambda g: g.uniform((0,), FLOAT32, 1, 0),
    ),
    (
        OpError,
        (
            "uniform_ expects to-from <= std::numeric_limits<Float>::max(), but found to=3e+38 and from=-3e+38 "
            "which result in to-from to exceed the limit"
        ),
        lambda g: g.uniform((2,), FLOAT32, -3e38, 3e38),
    ),
    (OpError, "normal expects std >= 0.0, but found std -1", lambda g: g.normal((0,), std=-1.0)),
    (
        OpError,
        "normal expects all elements of std >= 0.0",
        lambda g: g.normal((1,), std=np.array([-1.0], np.float32)),
    ),
    (OpError, "log_normal_ expects std > 0.0, but found std=0", lambda g: g.log_normal((2,), std=0.0)),
    (OpError, "exponential_ expects lambda > 0.0, but found lambda=-1", lambda g: g.exponential((2,), rate=-1.0)),
    (
        OpError,
        (
            "Exponential distribution is a continuous probability distribution. "
            "dtype must be a floating point but you specified Long"
        ),
        lambda g: g.exponential((2,), INT64),
    ),
    (
        OpError,
        "invalid Poisson rate, expected rate to be non-negative",
        lambda g: g.poisson(np.array([-1.0])),
    ),
    (
        OpError,
        "random_full_64_bits_range_kernel_cpu handles only int64, double, float and bfloat16",
        lambda g: g.randint(-(2**63), None, (2,), UINT8),
    ),
    (
        OpError,
        "check_random_bounds handles only integral, floating-point and boolean types",
        lambda g: g.randint(0, 10, (2,), COMPLEX64),
    ),
    (OpError, "cauchy_ expects sigma > 0.0, but found sigma=0", lambda g: g.cauchy((2,), sigma=0.0)),
    (
        OpError,
        (
            "Cauchy distribution is a continuous probability distribution. "
            "dtype must be a floating point but you specified long int"
        ),
        lambda g: g.cauchy((2,), INT64),
    ),
    (OpError, "geometric_ expects p to be in (0, 1), but got p=1", lambda g: g.geometric((2,), 1.0)),
    (OpError, "bernoulli_ expects p to be in [0, 1], but got p=1.5", lambda g: g.bernoulli((2,), 1.5)),
    (
        OpError,
        "random_ expects 'from' to be less than 'to', but got from=5 >= to=5",
        lambda g: g.randint(5, 5, (2,)),
    ),
    (OpError, "to - 1 is out of bounds for unsigned char", lambda g: g.randint(0, 300, (2,), UINT8)),
    (OpError, "from is out of bounds for unsigned char", lambda g: g.randint(-1, 3, (2,), UINT8)),
    (OpError, "to - 1 is out of bounds for bool", lambda g: g.randint(0, 3, (2,), BOOL)),
    (OpError, "to - 1 is out of bounds for c10::Half", lambda g: g.randint(0, 70000, (2,), FLOAT16)),
    (OpError, "prob_dist must be 1 or 2 dim", lambda g: g.multinomial(np.ones(()), 1)),
    (
        OpError,
        "multinomial only supports floating-point dtypes for input, got: Long",
        lambda g: g.multinomial(np.ones(2, np.int64), 1),
    ),
    (OpError, "cannot sample n_sample <= 0 samples", lambda g: g.multinomial(np.ones(2), 0)),
    (
        OpError,
        "cannot sample n_sample > prob_dist.size(-1) samples without replacement",
        lambda g: g.multinomial(np.ones(2), 3),
    ),
    (
        OpError,
        "probability tensor contains either `inf`, `nan` or element < 0",
        lambda g: g.multinomial(np.array([1.0, math.nan]), 1, True),
    ),
    (
        OpError,
        "invalid multinomial distribution (encountering probability entry < 0)",
        lambda g: g.multinomial(np.array([1.0, -2.0]), 2, True),
    ),
    (
        OpError,
        "invalid multinomial distribution (encountering probability entry = infinity or NaN)",
        lambda g: g.multinomial(np.array([1.0, math.inf]), 2, True),
    ),
    (
        OpError,
        "invalid multinomial distribution (sum of probabilities <= 0)",
        lambda g: g.multinomial(np.zeros((1, 2)), 1),
    ),
    (
        OpError,
        "invalid multinomial distribution (sum of probabilities <= 0)",
        lambda g: g.multinomial(np.zeros(2), 2, True),
    ),
]


@pytest.mark.parametrize(("error", "message", "call"), REFUSED, ids=[message for _, message, _ in REFUSED])
def test_refusals_are_those_of_the_reference(
    error: type[EngineError], message: str, call: Callable[[Generator], object]
) -> None:
    generator = Generator(1)
    with pytest.raises(error) as caught:
        call(generator)
    assert str(caught.value) == message
    assert generator.state() == Generator(1).state()
