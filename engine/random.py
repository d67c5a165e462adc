"""Random numbers: the stream of PyTorch 2.13 on a CPU, seed for seed and bit for bit.

The core is MT19937 as NumPy has it; what is here turns its 32-bit words into samples in PyTorch's order. Samples
come in C order of ``shape``. An in-place method of PyTorch fills a tensor in the order of its memory: write to
``in_memory_order(target)``.

The streams differ from PyTorch's here:

- Where PyTorch runs without AVX2 (``ATEN_CPU_CAPABILITY=default``, other processors), the last bits of its own normals
  and uniforms differ from those it gives on x86, which are the ones given here.
- ``multinomial`` without replacement orders equally likely outcomes by index; only zero probabilities that must be
  drawn and 16-bit probabilities tie.
- ``randperm`` uses 32-bit words for any length, PyTorch 64-bit ones from 214 748 364 on.
- Gamma and Dirichlet samples are not offered.
"""

from __future__ import annotations

import math
import secrets
from collections.abc import Callable, Sequence
from functools import cache
from typing import Any, TypedDict

import ml_dtypes
import numpy as np
from numpy.random.bit_generator import ISeedSequence

from engine import dtypes
from engine.dtypes import DType
from engine.errors import ArgumentTypeError, ArgumentValueError, OpError, UnsupportedError
from engine.kernels import sampling
from engine.kernels.sampling import libm

Array = np.ndarray[Any, Any]
Shape = Sequence[int]

DEFAULT_SEED = 67280421310721  # of PyTorch's generators that nobody seeded
_STATE_WORDS = 624
_WIDE_RANGE = 2**28  # integer ranges from here on take 64-bit draws

# The layout of PyTorch's generator state: what `torch.get_rng_state()` returns.
_RNG_STATE = np.dtype([
    ("seed", "<u8"), ("left", "<i4"), ("seeded", "<i4"), ("next", "<u8"), ("key", "<u8", _STATE_WORDS),
    ("normal_x", "<f8"), ("normal_y", "<f8"), ("normal_rho", "<f8"), ("normal_is_valid", "<i8"),
    ("float_normal", "<f4"), ("float_normal_is_valid", "<i4"),
])  # fmt: skip

_C_NAMES = {
    "bool": "bool", "uint8": "unsigned char", "int8": "signed char", "int16": "short int", "int32": "int",
    "int64": "long int", "float16": "c10::Half", "bfloat16": "c10::BFloat16", "float32": "float", "float64": "double",
}  # fmt: skip
_FLOAT32, _FLOAT64, _INT64 = dtypes.float32.numpy, dtypes.float64.numpy, dtypes.int64.numpy


class GeneratorState(TypedDict):
    """A generator as plain data. ``key`` is empty until the first draw after seeding."""

    seed: int
    key: bytes
    position: int
    spare: float | None


class Generator:
    """A source of random numbers with its seed.

    Without a seed it has PyTorch's constant one; ``from_entropy`` makes one that nobody can predict.
    """

    __slots__ = ("_bits", "_seed", "_spare")

    def __init__(self, seed: int = DEFAULT_SEED) -> None:
        self.manual_seed(seed)

    @classmethod
    def from_entropy(cls) -> Generator:
        """A generator seeded by the operating system, as the default one of a fresh process."""
        generator = cls()
        generator._seed = None  # drawn when somebody asks for it: most requests never do
        return generator

    # Seeds and state

    def manual_seed(self, seed: int) -> Generator:
        """Start the stream of ``seed``: 64 bits, signed or unsigned, of which the lower 32 count."""
        if not -(2**63) <= seed < 2**64:
            raise ArgumentValueError("Overflow when unpacking long long")
        self._seed: int | None = seed % 2**64
        self._bits: np.random.MT19937 | None = None  # made at the first draw: many generators never see one
        self._spare: float | None = None  # the second normal of a pair, kept for the next scalar draw
        return self

    def seed(self) -> int:
        """Reseed from the operating system; returns the seed."""
        return self.manual_seed(secrets.randbits(64)).initial_seed()

    def initial_seed(self) -> int:
        """The seed last set."""
        if self._seed is None:
            self._seed = secrets.randbits(64)
        return self._seed

    def state(self) -> GeneratorState:
        """All there is to know, for ``from_state``."""
        key, position = b"", _STATE_WORDS
        if self._bits is not None:
            core: Any = self._bits.state["state"]
            key, position = core["key"].astype("<u4").tobytes(), int(core["pos"])
        return {"seed": self.initial_seed(), "key": key, "position": position, "spare": self._spare}

    @classmethod
    def from_state(cls, state: GeneratorState) -> Generator:
        """The generator that ``state`` was taken from."""
        generator = cls()
        generator.restore(state)
        return generator

    def memento(self) -> Callable[[], None]:
        """A function that brings this moment back."""
        state = self.state()
        return lambda: self.restore(state)

    def restore(self, state: GeneratorState) -> None:
        """Go on as the generator that ``state`` was taken from."""
        self._seed, self._spare = state["seed"], state["spare"]
        self._bits = _core(np.frombuffer(state["key"], "<u4"), state["position"]) if state["key"] else None

    def rng_state(self) -> Array:
        """PyTorch's own form of the state: 5056 bytes as uint8."""
        record = np.zeros((), _RNG_STATE)
        record["seed"], record["seeded"], record["left"] = self.initial_seed(), 1, 1
        core: Any = (self._bits or _seeded_core(self.initial_seed())).state["state"]
        record["key"] = core["key"]
        if self._bits is not None:
            record["next"], record["left"] = core["pos"], _STATE_WORDS + 1 - core["pos"]
        if self._spare is not None:
            record["normal_y"], record["normal_is_valid"] = self._spare, 1
        return np.frombuffer(record.tobytes(), np.uint8).copy()

    def set_rng_state(self, state: Array) -> None:
        """Continue where ``rng_state``, here or in PyTorch, was called.

        Position 0 is only ever seen before the first draw, where the seed says it all.
        """
        if state.dtype != np.uint8:
            raise ArgumentTypeError("RNG state must be a torch.ByteTensor")
        if state.size != _RNG_STATE.itemsize:
            raise OpError(
                f"Expected a CPUGeneratorImplState of size {_RNG_STATE.itemsize} "
                f"but found the input RNG state size to be {state.size}"
            )
        record = np.frombuffer(state.tobytes(), _RNG_STATE)[0]
        left, position = int(record["left"]), int(record["next"])
        if record["seeded"] != 1 or not 0 < left <= _STATE_WORDS or position > _STATE_WORDS:
            raise OpError("Invalid mt19937 state")
        self._seed = int(record["seed"])
        self._spare = float(record["normal_y"]) if record["normal_is_valid"] else None
        self._bits = _core(record["key"].astype(np.uint32), position) if position else None

    # Draws

    def _words(self, count: int) -> Array:
        """The next ``count`` 32-bit words, as uint64."""
        if not count:
            return np.empty(0, np.uint64)
        if self._bits is None:
            self._bits = _seeded_core(self.initial_seed())
        return np.asarray(self._bits.random_raw(count))

    def _long_words(self, count: int) -> Array:
        """The next ``count`` 64-bit words: of two draws the first is the upper half."""
        words = self._words(2 * count)
        return (words[::2] << np.uint64(32)) | words[1::2]

    def _singles(self, count: int) -> Array:
        """float32 in [0, 1), from the lower 24 bits of one draw each."""
        return (self._words(count) & np.uint64(2**24 - 1)).astype(np.float32) * np.float32(2.0**-24)

    def _doubles(self, count: int) -> Array:
        """float64 in [0, 1), from the lower 53 bits of two draws each."""
        return (self._long_words(count) & np.uint64(2**53 - 1)).astype(np.float64) * 2.0**-53

    def _standard(self, count: int) -> Array:
        """Standard normals one by one, in double, with the spare one first."""
        spare = [] if self._spare is None else [self._spare]
        pairs = (max(count - len(spare), 0) + 1) // 2
        draws = self._doubles(2 * pairs)
        radius = np.sqrt(-2.0 * libm(math.log1p, -draws[1::2]))
        angle = 2.0 * math.pi * draws[::2]
        fresh = np.array([radius * libm(math.cos, angle), radius * libm(math.sin, angle)]).T.ravel()
        normals = np.concatenate([spare, fresh])
        self._spare = float(normals[count]) if len(normals) > count else None
        return normals[:count]

    def _standard_blocks(self, count: int, kind: DType) -> Array:
        """At least 16 standard normals at once; if there is a remainder, the last 16 are drawn anew."""
        draw = self._doubles if kind is dtypes.float64 else self._singles
        whole = count - count % sampling.BLOCK
        if whole == count:
            return sampling.box_muller(draw(count))
        # For 16-bit dtypes PyTorch works block by block and leaves out the draws it would not use.
        first = draw(whole if kind.itemsize == 2 else count)[:whole]
        normals = sampling.box_muller(np.concatenate([first, draw(sampling.BLOCK)]))
        return np.concatenate([normals[: count - sampling.BLOCK], normals[whole:]])

    # Continuous distributions

    def rand(self, shape: Shape, dtype: np.dtype[Any] = _FLOAT32) -> Array:
        """Uniform in [0, 1); both parts of complex numbers."""
        return self.uniform(shape, dtype)

    def uniform(self, shape: Shape, dtype: np.dtype[Any] = _FLOAT32, low: float = 0.0, high: float = 1.0) -> Array:
        """Uniform in [low, high)."""
        kind = _kind(dtype)
        if kind.is_complex:
            return _joined(self.uniform((*shape, 2), dtypes.to_real(kind).numpy, low, high), kind)
        _check_interval(kind, low, high)
        count = math.prod(shape)
        draws = self._doubles(count) if kind is dtypes.float64 else self._singles(count)
        scale = draws.dtype.type(high) - draws.dtype.type(low)
        samples = _cast(sampling.fma(draws, scale, low), kind)
        top, bottom = _cast(np.array([high, low]), kind)
        samples[samples == top] = bottom  # the bound is excluded, but rounding can reach it
        return samples.reshape(shape)

    def randn(self, shape: Shape, dtype: np.dtype[Any] = _FLOAT32, contiguous: bool = True) -> Array:
        """Standard normal; complex numbers have variance 1 in all."""
        return self.normal(shape, dtype, contiguous=contiguous)

    def normal(
        self,
        shape: Shape,
        dtype: np.dtype[Any] = _FLOAT32,
        mean: float | Array = 0.0,
        std: float | Array = 1.0,
        contiguous: bool = True,
    ) -> Array:
        """Normal; arrays of means or deviations broadcast against ``shape``.

        ``contiguous`` says whether the tensor to be filled is: 16 elements and more then come from another algorithm.
        """
        kind = _kind(dtype)
        _check_deviation(std)
        if isinstance(std, np.ndarray):
            samples = (self.normal(shape, dtype, contiguous=contiguous) * std).astype(dtype)
            return np.asarray(samples + (mean if isinstance(mean, np.ndarray) else dtype.type(mean))).astype(dtype)
        if isinstance(mean, np.ndarray):
            return np.asarray(self.normal(shape, dtype, 0.0, std, contiguous) + mean).astype(dtype)
        if kind.is_complex:
            std /= math.sqrt(2.0)
            return _joined(self.normal((*shape, 2), dtypes.to_real(kind).numpy, mean, std, contiguous), kind)
        _require(kind.is_floating_point, "normal_kernel_cpu", kind)
        count = math.prod(shape)
        if contiguous and count >= sampling.BLOCK:
            standard = self._standard_blocks(count, kind)
        else:
            standard = self._standard(count)
        return _cast(sampling.fma(standard, std, mean), kind).reshape(shape)

    def log_normal(self, shape: Shape, dtype: np.dtype[Any] = _FLOAT32, mean: float = 1.0, std: float = 2.0) -> Array:
        """The exponential of a normal."""
        kind = _kind(dtype)
        if not std > 0.0:
            raise OpError(f"log_normal_ expects std > 0.0, but found std={std:g}")
        _require(kind.is_floating_point, "log_normal_cpu", kind)
        normals = sampling.fma(self._standard(math.prod(shape)), std, mean)
        return _cast(libm(_exp, normals), kind).reshape(shape)

    def exponential(self, shape: Shape, dtype: np.dtype[Any] = _FLOAT32, rate: float = 1.0) -> Array:
        """Exponential with the given rate."""
        kind = _kind(dtype)
        if not rate > 0.0:
            raise OpError(f"exponential_ expects lambda > 0.0, but found lambda={rate:g}")
        _require_continuous(kind, "Exponential", kind.scalar_type)
        samples = (-1.0 / rate) * libm(math.log1p, -self._doubles(math.prod(shape)))
        return _cast(samples, kind).reshape(shape)

    def cauchy(self, shape: Shape, dtype: np.dtype[Any] = _FLOAT32, median: float = 0.0, sigma: float = 1.0) -> Array:
        """Cauchy with the given median and scale."""
        kind = _kind(dtype)
        if not sigma > 0.0:
            raise OpError(f"cauchy_ expects sigma > 0.0, but found sigma={sigma:g}")
        _require_continuous(kind, "Cauchy", _C_NAMES.get(kind.name, kind.name))
        tangents = libm(math.tan, math.pi * (self._doubles(math.prod(shape)) - 0.5))
        return _cast(sampling.fma(tangents, sigma, median), kind).reshape(shape)

    # Discrete distributions

    def random(self, shape: Shape, dtype: np.dtype[Any] = _INT64) -> Array:
        """Whole numbers from 0 to the largest of an integer dtype, or to the last that a float counts to."""
        kind = _kind(dtype)
        _require(not kind.is_complex, "random_kernel_cpu", kind)
        count = math.prod(shape)
        words = self._long_words(count) if kind.itemsize == 8 else self._words(count)
        return _whole(words % np.uint64(_largest(kind) + 1), kind).reshape(shape)

    def randint(self, low: int, high: int | None, shape: Shape, dtype: np.dtype[Any] = _INT64) -> Array:
        """Whole numbers in [low, high); without ``high`` to the end of the dtype's range."""
        kind = _kind(dtype)
        count = math.prod(shape)
        if high is None and low == -(2**63):
            _check_full_range(kind)
            return _whole(self._long_words(count), kind).reshape(shape)
        if high is not None and low >= high:
            raise OpError(f"random_ expects 'from' to be less than 'to', but got from={low} >= to={high}")
        low, high = _check_range(kind, low, _largest(kind) + 1 if high is None else high)
        words = self._long_words(count) if high - low >= _WIDE_RANGE else self._words(count)
        with np.errstate(over="ignore"):  # a negative ``low`` is added modulo 2**64
            return _whole(words % np.uint64(high - low) + np.uint64(low % 2**64), kind).reshape(shape)

    def randperm(self, n: int, dtype: np.dtype[Any] = _INT64) -> Array:
        """A permutation of 0 .. n - 1 (Fisher and Yates, from the front)."""
        kind = _kind(dtype)
        _require(kind.category in (dtypes.INTEGER, dtypes.FLOATING), "randperm", kind)
        order = list(range(n))
        if n > 1:
            steps = self._words(n - 1) % np.arange(n, 1, -1, dtype=np.uint64)
            for place, step in enumerate(steps.tolist()):
                order[place], order[place + step] = order[place + step], order[place]
        return _whole(np.array(order, np.int64), kind)

    def bernoulli(self, shape: Shape, p: float | Array, dtype: np.dtype[Any] = _FLOAT32) -> Array:
        """1 with probability ``p``, else 0; an array of probabilities broadcasts to ``shape``."""
        kind, count = _kind(dtype), math.prod(shape)
        if isinstance(p, np.ndarray):
            _check_probabilities(kind, p)
            draws = self._doubles(count) if p.dtype == _FLOAT64 else self._singles(count)
            hits = draws.reshape(shape) < p.astype(draws.dtype)
        else:
            if not 0.0 <= p <= 1.0:
                raise OpError(f"bernoulli_ expects p to be in [0, 1], but got p={p:g}")
            _require(not kind.is_complex, "bernoulli_scalar_cpu_", kind)
            hits = (self._doubles(count) < p).reshape(shape)
        return np.asarray(hits).astype(dtype)

    def dropout_mask(self, shape: Shape, p: float, dtype: np.dtype[Any] = _FLOAT32) -> Array:
        """What dropout with probability 0 <= ``p`` < 1 multiplies by: 0, or 1 / (1 - p) for what is kept."""
        kind = _kind(dtype)
        kept = self.bernoulli(shape, 1.0 - p, kind.opmath.numpy)
        return np.asarray(kept / kept.dtype.type(1.0 - p)).astype(dtype)

    def geometric(self, shape: Shape, p: float, dtype: np.dtype[Any] = _FLOAT32) -> Array:
        """The number of trials up to the first success."""
        kind = _kind(dtype)
        if not 0.0 < p < 1.0:
            raise OpError(f"geometric_ expects p to be in (0, 1), but got p={p:g}")
        _require(kind.category in (dtypes.INTEGER, dtypes.FLOATING), "geometric_cpu", kind)
        trials = np.ceil(libm(_log, self._doubles(math.prod(shape))) / math.log1p(-p))
        return _cast(trials, kind).reshape(shape)

    def poisson(self, rates: Array) -> Array:
        """Poisson counts for every rate, in the dtype of ``rates``."""
        kind = _kind(rates.dtype)
        _require(kind.is_floating_point, "poisson_cpu", kind)
        if not np.all(rates >= 0):
            raise OpError("invalid Poisson rate, expected rate to be non-negative")
        counts = [self._poisson(rate) for rate in rates.astype(np.float64).ravel().tolist()]
        return _cast(np.array(counts, np.float64), kind).reshape(rates.shape)

    def _poisson(self, rate: float) -> int:
        """By products of uniforms for small rates, else by transformed rejection (W. Hoermann, 1993, PTRS)."""
        if rate >= 10.0:
            return self._poisson_by_rejection(rate)
        count, product, bound = 0, 1.0, math.exp(-rate)
        while rate:
            product *= float(self._doubles(1)[0])
            if product <= bound:
                break
            count += 1
        return count

    def _poisson_by_rejection(self, rate: float) -> int:
        b = 0.931 + 2.53 * math.sqrt(rate)
        a = -0.059 + 0.02483 * b
        inverse_alpha = 1.1239 + 1.1328 / (b - 3.4)
        v_r = 0.9277 - 3.6224 / (b - 2.0)
        while True:
            u, v = (self._doubles(2) - [0.5, 0.0]).tolist()
            us = 0.5 - abs(u)
            k = math.floor((2.0 * a / us + b) * u + rate + 0.43) if us else -1
            if us >= 0.07 and v <= v_r:
                return k
            if k < 0 or (us < 0.013 and v > us):
                continue
            accepted = _log(v) + math.log(inverse_alpha) - math.log(a / (us * us) + b)
            if accepted <= -rate + k * math.log(rate) - math.lgamma(k + 1):
                return k

    def multinomial(self, weights: Array, count: int, replacement: bool = False) -> Array:
        """``count`` indices for each row of ``weights`` (one or two dimensions), drawn in proportion to them."""
        kind = _kind(weights.dtype)
        _check_weights(kind, weights, count, replacement)
        if replacement and count > 1:
            rows = [self._with_replacement(row, count) for row in weights.reshape(-1, weights.shape[-1])]
            return np.array(rows, np.int64).reshape(*weights.shape[:-1], count)
        # The largest of weights over exponentials are a sample without replacement (P. Efraimidis, P. Spirakis, 2006).
        trials = np.empty_like(weights)
        filled = in_memory_order(trials)
        filled[...] = self.exponential(filled.shape, weights.dtype)
        with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
            ranks = (weights / trials).astype(np.float64)
        return np.argsort(-ranks, axis=-1, kind="stable")[..., :count].astype(np.int64)

    def _with_replacement(self, row: Array, count: int) -> Array:
        _check_row(row)
        cumulated = np.cumsum(row.astype(_kind(row.dtype).opmath.numpy))  # one after the other: no pairwise sum
        if not cumulated[-1] > 0:
            raise OpError("invalid multinomial distribution (sum of probabilities <= 0)")
        cumulated /= cumulated[-1]
        cumulated[-1] = 1
        return np.searchsorted(cumulated.astype(np.float64), self._doubles(count), "left")


def in_memory_order(array: Array) -> Array:
    """``array`` with its axes in the order of its memory, slowest first."""
    return array.transpose(sorted(range(array.ndim), key=lambda axis: -abs(array.strides[axis])))


class _NoSeed(ISeedSequence):
    """Zeros: a core is given its state afterwards, and hashing a real seed would take longer than many draws."""

    def generate_state(self, n_words: int, dtype: Any = np.uint32) -> Array:
        return np.zeros(n_words, dtype)


def _core(key: Array, position: int) -> np.random.MT19937:
    core = _blank_core()
    core.state = {"bit_generator": "MT19937", "state": {"key": key, "pos": position}}
    return core


def _seeded_core(seed: int) -> np.random.MT19937:
    core = _blank_core()
    np.random.RandomState(core).seed(seed % 2**32)  # the legacy seeding is PyTorch's
    return core


def _blank_core() -> np.random.MT19937:
    return np.random.MT19937(_NoSeed())  # type: ignore[arg-type]  # NumPy's stubs know its own seed sequence only


def _kind(dtype: np.dtype[Any]) -> DType:
    return dtypes.from_numpy(dtype)


def _cast(samples: Array, kind: DType) -> Array:
    """To ``kind``, through single precision if it has 16 bits: PyTorch rounds twice too."""
    with np.errstate(over="ignore"):  # infinity is the answer
        if kind.opmath is dtypes.float32:
            samples = samples.astype(np.float32)
        return samples.astype(kind.numpy)


def _whole(values: Array, kind: DType) -> Array:
    return _cast(values.astype(np.int64), kind)


def _joined(parts: Array, kind: DType) -> Array:
    """Complex numbers from a last axis of real and imaginary part."""
    return parts.view(kind.numpy)[..., 0]


def _largest(kind: DType) -> int:
    """The largest integer of the dtype, or the last one up to which a floating dtype has them all."""
    return 1 << _digits(kind) if kind.is_floating_point else int(_extremes(kind)[1])


@cache
def _digits(kind: DType) -> int:
    """Bits of the significand, with the implied one."""
    limits: Any = ml_dtypes.finfo
    return int(limits(kind.numpy).nmant) + 1


@cache
def _extremes(kind: DType) -> tuple[float, float]:
    """The smallest and the largest number of the dtype; integers stay integers."""
    if kind is dtypes.bool_:
        return 0, 1
    limits: Any = ml_dtypes.finfo if kind.is_floating_point else np.iinfo
    convert = float if kind.is_floating_point else int
    return convert(limits(kind.numpy).min), convert(limits(kind.numpy).max)


def _log(x: float) -> float:
    return math.log(x) if x else -math.inf


def _exp(x: float) -> float:
    try:
        return math.exp(x)
    except OverflowError:
        return math.inf


def _require(supported: bool, kernel: str, kind: DType) -> None:
    if not supported:
        raise UnsupportedError(f"\"{kernel}\" not implemented for '{kind.scalar_type}'")


def _require_continuous(kind: DType, name: str, shown: str) -> None:
    if not kind.is_floating_point:
        raise OpError(
            f"{name} distribution is a continuous probability distribution. "
            f"dtype must be a floating point but you specified {shown}"
        )


def _check_interval(kind: DType, low: float, high: float) -> None:
    _require(kind.is_floating_point, "check_uniform_bounds", kind)
    largest = _extremes(kind)[1]
    for name, bound in (("from", low), ("to", high)):
        if not -largest <= bound <= largest:
            raise OpError(f"{name} is out of bounds for {_C_NAMES[kind.name]}")
    if not low <= high:
        raise OpError(f"uniform_ expects to return a [from, to) range, but found from={low:g} > to={high:g}")
    if high - low > largest:
        raise OpError(
            f"uniform_ expects to-from <= std::numeric_limits<{kind.scalar_type}>::max(), "
            f"but found to={high:g} and from={low:g} which result in to-from to exceed the limit"
        )


def _check_deviation(std: float | Array) -> None:
    if isinstance(std, np.ndarray):
        if std.dtype.kind == "c":
            raise OpError("normal expects standard deviation to be non-complex")
        if not np.all(std >= 0):
            raise OpError("normal expects all elements of std >= 0.0")
    elif not std >= 0.0:
        raise OpError(f"normal expects std >= 0.0, but found std {std:g}")


def _check_full_range(kind: DType) -> None:
    if kind not in (dtypes.int64, dtypes.float64, dtypes.float32, dtypes.bfloat16):
        raise OpError("random_full_64_bits_range_kernel_cpu handles only int64, double, float and bfloat16")


def _check_range(kind: DType, low: int, high: int) -> tuple[int, int]:
    """``low`` and ``high``, moved inwards where a floating dtype would round a sample out of the range."""
    if kind.is_complex:
        raise OpError("check_random_bounds handles only integral, floating-point and boolean types")
    smallest, largest = _extremes(kind)
    if kind.is_floating_point:
        low, high = -_inward(kind, -low, included=True), _inward(kind, high, included=False)
        if low >= high:
            raise OpError(
                "random_ expects 'from' casted to dtype to be less than 'to' casted to dtype, "
                f"but got from={low} >= to={high}"
            )
    for name, bound in (("from", low), ("to - 1", high - 1)):
        if not smallest <= bound <= largest:
            raise OpError(f"{name} is out of bounds for {_C_NAMES[kind.name]}")
    return low, high


def _inward(kind: DType, end: int, included: bool) -> int:
    """An end of a range such that the number before it is not rounded beyond, nor to it unless it is included."""
    last = float(_whole(np.array(end - 1), kind))
    if not math.isfinite(last) or last < end or (included and last == end):
        return end
    return int(last) - (1 << max(abs(end - 1).bit_length() - _digits(kind), 0))


def _check_probabilities(kind: DType, p: Array) -> None:
    _require(not kind.is_complex, "bernoulli_tensor_cpu_self_", kind)
    _require(_kind(p.dtype).is_floating_point, "bernoulli_tensor_cpu_p_", _kind(p.dtype))
    if not np.all((p >= 0) & (p <= 1)):
        raise OpError(
            "Expected p_in >= 0 && p_in <= 1 to be true, but got false.  "
            "(Could this error message be improved?  If so, please report an enhancement request to PyTorch.)"
        )


def _check_weights(kind: DType, weights: Array, count: int, replacement: bool) -> None:
    if weights.ndim not in (1, 2):
        raise OpError("prob_dist must be 1 or 2 dim")
    if not kind.is_floating_point:
        raise OpError(f"multinomial only supports floating-point dtypes for input, got: {kind.scalar_type}")
    if count <= 0:
        raise OpError("cannot sample n_sample <= 0 samples")
    if not replacement and count > weights.shape[-1]:
        raise OpError("cannot sample n_sample > prob_dist.size(-1) samples without replacement")
    if replacement and count > 1:
        return  # row by row, as they are drawn
    if not np.all((weights >= 0) & (weights < math.inf)):
        raise OpError("probability tensor contains either `inf`, `nan` or element < 0")
    if not np.all(weights.any(axis=-1)):
        raise OpError("invalid multinomial distribution (sum of probabilities <= 0)")


def _check_row(row: Array) -> None:
    if np.any(row < 0):
        raise OpError("invalid multinomial distribution (encountering probability entry < 0)")
    if not np.all(np.isfinite(row)):
        raise OpError("invalid multinomial distribution (encountering probability entry = infinity or NaN)")
