"""Random tensors. Every draw goes on in the stream of a generator: the state's own, or the one given.

Ops that write into a tensor, or take another's shape, draw in the order of its memory, as PyTorch does. Their
samples are drawn before the op that records them, so that no node holds a generator.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import starmap
from math import prod
from typing import Any

import numpy as np

from engine import dtypes, modes, ops, registry
from engine.autograd import inplace
from engine.dtypes import DType
from engine.errors import ArgumentTypeError, ArgumentValueError, EngineError, OpError, TooLargeError
from engine.kernels.binomial import samples as binomial_samples
from engine.op import Array, Extents, Index, Primitive, Real, Size, broadcast_pair, composite, primitive
from engine.ops.creation.factories import check_fits, checked_size, factory
from engine.ops.math.complex_histories import refuse_complex_history
from engine.random import Generator, in_memory_order
from engine.tensor import Tensor, from_array, read

Draw = Callable[[Generator, Sequence[int], Any], Array]


# -- generators ---------------------------------------------------------------------------------------------------
def stream(generator: Any) -> Generator:
    """The generator to draw from, known to the journal before it moves."""
    chosen = modes.current().generator if generator is None else generator
    if not isinstance(chosen, Generator):
        raise ArgumentTypeError(f"expected a torch.Generator, not {type(generator).__name__}")
    modes.touch(chosen)
    recorder = modes.current().recorder
    if recorder is not None:
        recorder.give_up("random numbers")
    return chosen


def manual_seed(seed: Any) -> Generator:
    """Start the state's own stream anew; returns its generator."""
    try:
        number = int(seed)
    except EngineError:
        raise
    except ValueError as error:
        raise ArgumentValueError(str(error)) from None
    except TypeError as error:
        raise ArgumentTypeError(str(error)) from None
    except OverflowError as error:
        raise TooLargeError(str(error)) from None
    return stream(None).manual_seed(number)


def initial_seed() -> int:
    """The seed of the state's own stream."""
    return stream(None).initial_seed()


def seed() -> int:
    """Start the state's own stream anew where nobody can foresee; returns the seed."""
    return stream(None).seed()


def get_rng_state() -> Tensor:
    """The state of the generator as bytes."""
    return from_array(stream(None).rng_state())


def set_rng_state(new_state: Tensor) -> None:
    """Go on where ``get_rng_state`` was called."""
    stream(None).set_rng_state(read(new_state))


class fork_rng:
    """A context after which random numbers go on as if none had been drawn in it."""

    def __init__(
        self, devices: Any = None, enabled: bool = True, _caller: str = "fork_rng", _devices_kw: str = "devices",
        device_type: str = "cuda",
    ) -> None:  # fmt: skip
        self.enabled = enabled

    def __enter__(self) -> None:
        self._state = stream(None).state()

    def __exit__(self, *_: object) -> None:
        if self.enabled:
            stream(None).restore(self._state)


registry.add_function("random.fork_rng", fork_rng)
for _function in (manual_seed, initial_seed, seed, get_rng_state, set_rng_state):
    registry.add_function(_function.__name__, _function)
    registry.add_function(f"random.{_function.__name__}", _function)


# -- new tensors --------------------------------------------------------------------------------------------------
@primitive(public=False, random=True, grows=lambda size: prod(size), scratch=8)
def drawn(size: Size, dtype: DType, draw: Any, generator: Any) -> Array:
    """What ``draw`` gives for the size and dtype."""
    return draw(generator, size, dtype.numpy)


@primitive(public=False, random=True, layout="input", scratch=3)
def drawn_like(input: Index, dtype: DType, draw: Any, generator: Any) -> Array:
    """What ``draw`` gives, in the shape of ``input`` and the order of its memory."""
    return in_order(input, dtype.numpy, draw, generator)


def in_order(like: Array, dtype: np.dtype[Any], draw: Draw, generator: Generator) -> Array:
    """Samples in the shape of ``like``, drawn in the order of its memory."""
    result = np.empty_like(like, dtype)
    target = in_memory_order(result)
    target[...] = draw(generator, target.shape, dtype)
    return result


def _float_dtype(dtype: DType | None) -> DType:
    return modes.current().default_dtype if dtype is None else dtype


def _rand(generator: Generator, shape: Sequence[int], dtype: Any) -> Array:
    return generator.rand(shape, dtype)


def _randn(generator: Generator, shape: Sequence[int], dtype: Any) -> Array:
    return generator.randn(shape, dtype)


@factory
def rand(size: Extents, *, generator: Any = None, dtype: DType | None = None) -> Tensor:
    """Uniform in [0, 1)."""
    return drawn(checked_size(size), _float_dtype(dtype), _rand, stream(generator))


@factory
def randn(size: Extents, *, generator: Any = None, dtype: DType | None = None) -> Tensor:
    """Standard normal."""
    return drawn(checked_size(size), _float_dtype(dtype), _randn, stream(generator))


@factory
def rand_like(input: Tensor, *, generator: Any = None, dtype: DType | None = None) -> Tensor:
    """Uniform in [0, 1), in the shape of ``input``."""
    return drawn_like(input, dtype or input.dtype, _rand, stream(generator))


@factory
def randn_like(input: Tensor, *, generator: Any = None, dtype: DType | None = None) -> Tensor:
    """Standard normal, in the shape of ``input``."""
    return drawn_like(input, dtype or input.dtype, _randn, stream(generator))


def _whole(name: str, position: int, value: Any) -> int:
    if isinstance(value, Tensor) and value.array.ndim == 0:
        value = value.item()
    if isinstance(value, bool) or not isinstance(value, int):
        raise ArgumentTypeError(
            f"randint(): argument '{name}' (position {position}) must be int, not {type(value).__name__}"
        )
    return value


def _extent(position: int, value: Any) -> int:
    extent = value.item() if isinstance(value, Tensor) and value.array.size == 1 else value
    if isinstance(extent, int) and not isinstance(extent, bool):
        return extent
    where, kind = "(position 2) must be tuple of ints, but found element of", type(value).__name__
    if position:
        where = f"failed to unpack the object at pos {position + 1} with error"
        raise ArgumentTypeError(f"randint(): argument 'size' {where} \"type must be tuple of ints,but got {kind}\"")
    raise ArgumentTypeError(f"randint(): argument 'size' {where} type {kind} at pos 0")


def _integers(low: int, high: int) -> Draw:
    return lambda generator, shape, dtype: generator.randint(low, high, shape, dtype)


@factory
def randint(
    low: Any = None, high: Any = None, size: Any = None, *, generator: Any = None, dtype: DType | None = None
) -> Tensor:
    """Whole numbers in [low, high); ``randint(high, size)`` counts from 0."""
    if size is None:
        low, high, size = 0, low, high
    elif high is None or low is None:
        low, high = 0, low if high is None else high
    if not isinstance(size, list | tuple):
        raise ArgumentTypeError(
            f"randint(): argument 'size' (position 2) must be tuple of ints, not {type(size).__name__}"
        )
    draw = _integers(_whole("low", 1, low), _whole("high", 1, high))
    return drawn(checked_size(tuple(starmap(_extent, enumerate(size)))), dtype or dtypes.int64, draw, stream(generator))


@factory
def randint_like(
    input: Tensor, low: int, high: int | None = None, *, generator: Any = None, dtype: DType | None = None
) -> Tensor:
    """Whole numbers in [low, high) in the shape of ``input``; with one bound from 0 up to it."""
    draw = _integers(0, low) if high is None else _integers(low, high)
    return drawn_like(input, dtype or input.dtype, draw, stream(generator))


@factory
def randperm(n: int, *, generator: Any = None, dtype: DType | None = None) -> Tensor:
    """A permutation of the numbers below ``n``."""
    target = dtype or dtypes.int64
    check_fits(n, target)
    size = checked_size((n,))
    return drawn(size, target, lambda source, shape, kind: source.randperm(n, kind), stream(generator))


# -- of probabilities, means and rates ----------------------------------------------------------------------------
def _like_input(name: str, grad_fn: str) -> Primitive:
    """Declare the op that records one kind of draw: ``samples`` in place of ``input``."""
    return _recorder(name, grad_fn=grad_fn, steps=True)


def _recorder(name: str, **flags: Any) -> Primitive:
    def kernel(input: Array, samples: Index) -> Array:
        return samples

    kernel.__name__ = name
    kernel.__doc__ = "Samples drawn in place of ``input``."
    return primitive(kernel, public=False, random=True, **flags)


_bernoulli = _like_input("bernoulli_samples", "BernoulliBackward0")
_bernoulli_number = _recorder("bernoulli_number_samples", underivable=True, shown_as="bernoulli")
_poisson = _like_input("poisson_samples", "PoissonBackward0")
_normal_mean = _like_input("normal_samples_mean", "NormalBackward1")
_normal_std = _like_input("normal_samples_std", "NormalBackward2")


@primitive(public=False, random=True, steps=True, grad_fn="NormalBackward3")
def normal_samples(mean: Array, std: Array, samples: Index) -> Array:
    """Samples drawn with a mean and a deviation each."""
    return samples


@composite
def bernoulli(input: Tensor, p: Real | None = None, *, generator: Any = None) -> Tensor:
    """1 with the probability that ``input`` has there, or ``p``, else 0."""
    if p is not None:
        samples = in_order(input.array, input.array.dtype, _bernoulli_draw(p), stream(generator))
        return _bernoulli_number(input, Tensor(samples))
    samples = stream(generator).bernoulli(input.array.shape, read(input), input.dtype.numpy)
    return _bernoulli(input, Tensor(samples))


def _bernoulli_draw(p: Any) -> Draw:
    return lambda generator, shape, dtype: generator.bernoulli(shape, p, dtype)


@composite
def poisson(input: Tensor, generator: Any = None) -> Tensor:
    """Poisson counts with the rates ``input``."""
    return _poisson(input, Tensor(stream(generator).poisson(read(input))))


_binomial = _recorder("binomial_samples", underivable=True, shown_as="binomial")


@composite(method=False)
def binomial(count: Tensor, prob: Tensor, generator: Any = None) -> Tensor:
    """How many of ``count`` trials succeed, each with probability ``prob``."""
    for name, operand in (("count", count), ("prob", prob)):
        if not operand.dtype.is_floating_point:
            raise ArgumentValueError(
                f"binomial only supports floating-point dtypes for {name}, got: {operand.dtype.scalar_type}"
            )
    if count.dtype is not prob.dtype:
        raise OpError(f"Found dtype {prob.dtype.scalar_type} but expected {count.dtype.scalar_type}")
    source = stream(generator)
    shape = ops.broadcast_shapes(count.array.shape, prob.array.shape)
    trials, chances = (np.broadcast_to(read(one).astype(np.float64), shape) for one in (count, prob))
    samples = binomial_samples(trials, chances, lambda: float(source.rand((1,), np.dtype(np.float64))[0]))
    recorded = prob if prob.requires_grad and prob.array.shape == shape else count
    return _binomial(recorded, Tensor(samples.astype(count.array.dtype)))


@primitive(
    public=False, random=True, nondifferentiable=("input",),
    grows=lambda input, count: prod(input.shape[:-1]) * count, scratch=lambda input, count: 6 * input.size,
)  # fmt: skip
def multinomial_samples(input: Array, count: int, replacement: bool, generator: Any) -> Array:
    """``count`` indices for each row of weights."""
    return generator.multinomial(input, count, replacement)


@composite
def multinomial(input: Tensor, num_samples: int, replacement: bool = False, *, generator: Any = None) -> Tensor:
    """``num_samples`` indices for each row, drawn in proportion to its weights."""
    return multinomial_samples(input, num_samples, replacement, stream(generator))


@factory
def normal(
    mean: Real = 0.0, std: Real = 1.0, size: Size | None = None, *, generator: Any = None, dtype: DType | None = None
) -> Tensor:
    """Normal with the given means and deviations; of two numbers, ``size`` of them."""
    if isinstance(mean, Tensor) or isinstance(std, Tensor):
        return _normal_each(mean, std, generator)
    if size is None:
        given = ", ".join(type(value).__name__ for value in (mean, std))
        raise ArgumentTypeError(
            f"normal() received an invalid combination of arguments - got ({given}), but expected one of:"
        )
    draw = _normal_draw(mean, std)
    return drawn(checked_size(size), _float_dtype(dtype), draw, stream(generator))


def _normal_draw(mean: float, std: float) -> Draw:
    return lambda generator, shape, dtype: generator.normal(shape, dtype, mean, std)


def _normal_each(mean: Any, std: Any, generator: Any) -> Any:
    if isinstance(std, Tensor) and std.dtype.is_complex:
        raise OpError("normal expects standard deviation to be non-complex")
    if isinstance(mean, Tensor):
        refuse_complex_history("normal", mean)
    arrays = [read(one) for one in (mean, std) if isinstance(one, Tensor)]
    shape = arrays[0].shape if len(arrays) == 1 else broadcast_pair(arrays[0].shape, arrays[1].shape)
    values = [read(one) if isinstance(one, Tensor) else one for one in (mean, std)]
    samples = Tensor(stream(generator).normal(shape, arrays[0].dtype, values[0], values[1]))
    if len(arrays) == 2:
        return normal_samples(mean, std, samples)
    return _normal_mean(mean, samples) if isinstance(mean, Tensor) else _normal_std(std, samples)


# -- into what is there -------------------------------------------------------------------------------------------
def _fill(recorded: Primitive, input: Tensor, draw: Draw, generator: Any) -> Tensor:
    """Draw in place of the elements of ``input``, unless it must not be written to."""
    inplace.check_target((input,))
    inplace.check_overlap(input, ())
    samples = in_order(input.array, input.array.dtype, draw, stream(generator))
    return recorded.inplace(input, Tensor(samples))


_uniform_fill = _like_input("uniform_fill", "UniformBackward0")
_normal_fill = _like_input("normal_fill", "NormalBackward0")
_exponential_fill = _like_input("exponential_fill", "ExponentialBackward0")
_cauchy_fill = _like_input("cauchy_fill", "CauchyBackward0")
_log_normal_fill = _like_input("log_normal_fill", "LogNormalBackward0")
_geometric_fill = _like_input("geometric_fill", "GeometricBackward0")
_random_range_fill = _like_input("random_range_fill", "RandomBackward0")
_random_to_fill = _like_input("random_to_fill", "RandomBackward1")
_random_fill = _like_input("random_fill", "RandomBackward2")
_bernoulli_fill = _like_input("bernoulli_fill", "BernoulliBackward2")
_bernoulli_tensor_fill = _like_input("bernoulli_tensor_fill", "BernoulliBackward1")


@composite(function=False)
def uniform_(input: Tensor, low: float = 0.0, to: float = 1.0, *, generator: Any = None) -> Tensor:
    """Fill with numbers uniform in [low, to)."""
    return _fill(_uniform_fill, input, lambda g, shape, dtype: g.uniform(shape, dtype, low, to), generator)


@composite(function=False)
def normal_(input: Tensor, mean: float = 0.0, std: float = 1.0, *, generator: Any = None) -> Tensor:
    """Fill with normal numbers."""
    contiguous = bool(input.array.flags.c_contiguous)
    return _fill(_normal_fill, input, lambda g, shape, dtype: g.normal(shape, dtype, mean, std, contiguous), generator)


@composite(function=False)
def exponential_(input: Tensor, lambd: float = 1.0, *, generator: Any = None) -> Tensor:
    """Fill with exponential numbers of rate ``lambd``."""
    return _fill(_exponential_fill, input, lambda g, shape, dtype: g.exponential(shape, dtype, lambd), generator)


@composite(function=False)
def cauchy_(input: Tensor, median: float = 0.0, sigma: float = 1.0, *, generator: Any = None) -> Tensor:
    """Fill with numbers of a Cauchy distribution."""
    return _fill(_cauchy_fill, input, lambda g, shape, dtype: g.cauchy(shape, dtype, median, sigma), generator)


@composite(function=False)
def log_normal_(input: Tensor, mean: float = 1.0, std: float = 2.0, *, generator: Any = None) -> Tensor:
    """Fill with exponentials of normal numbers."""
    return _fill(_log_normal_fill, input, lambda g, shape, dtype: g.log_normal(shape, dtype, mean, std), generator)


@composite(function=False)
def geometric_(input: Tensor, p: float, *, generator: Any = None) -> Tensor:
    """Fill with numbers of trials up to the first success."""
    return _fill(_geometric_fill, input, lambda g, shape, dtype: g.geometric(shape, p, dtype), generator)


@composite(function=False)
def random_(input: Tensor, low: int | None = None, to: int | None = None, *, generator: Any = None) -> Tensor:
    """Fill with whole numbers: in [low, to), below ``low`` if that is all, or up to what the dtype holds."""
    if low is None:
        return _fill(_random_fill, input, lambda g, shape, dtype: g.random(shape, dtype), generator)
    if to is None:
        return _fill(_random_to_fill, input, _integers(0, low), generator)
    return _fill(_random_range_fill, input, _integers(low, to), generator)


@composite(function=False)
def bernoulli_(input: Tensor, p: Real = 0.5, *, generator: Any = None) -> Tensor:
    """Fill with 1, with probability ``p`` (one, or a tensor of them), else 0."""
    if not isinstance(p, Tensor):
        return _fill(_bernoulli_fill, input, _bernoulli_draw(p), generator)
    each = read(ops.expand(p.detach(), input.array.shape))

    def draw(source: Generator, shape: Sequence[int], dtype: Any) -> Array:
        return source.bernoulli(input.array.shape, each, dtype).reshape(shape)

    return _fill(_bernoulli_tensor_fill, input, draw, generator)
