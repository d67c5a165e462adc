"""Samplers: in which order the elements of a data set are read. Random orders are PyTorch's, draw by draw."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice
from typing import Any

from engine import dtypes, homes, modes, ops, registry
from engine.errors import ArgumentTypeError, ArgumentValueError, UnsupportedError
from engine.random import Generator

_INDEX_BYTES = 40  # of an index in a list
_AT_ONCE = 32  # indices drawn together, with replacement


class Sampler:
    """An order of indices, or of lists of indices: something to iterate over."""

    def __iter__(self) -> Iterator[Any]:
        raise UnsupportedError("")

    @classmethod
    def __class_getitem__(cls, item: Any) -> Any:
        return cls


class SequentialSampler(Sampler):
    """Every index, in order."""

    def __init__(self, data_source: Any) -> None:
        self.data_source = data_source

    def __iter__(self) -> Iterator[int]:
        return iter(range(len(self.data_source)))

    def __len__(self) -> int:
        return len(self.data_source)


class RandomSampler(Sampler):
    """Indices in random order, or drawn each for itself with ``replacement``."""

    def __init__(
        self, data_source: Any, replacement: bool = False, num_samples: int | None = None, generator: Any = None
    ) -> None:
        self.data_source, self.replacement = data_source, replacement
        self._num_samples, self.generator = num_samples, generator
        if not isinstance(replacement, bool):
            raise ArgumentTypeError(f"replacement should be a boolean value, but got replacement={replacement}")
        if not isinstance(self.num_samples, int) or self.num_samples <= 0:
            raise ArgumentValueError(
                f"num_samples should be a positive integer value, but got num_samples={self.num_samples}"
            )

    @property
    def num_samples(self) -> int:
        """How many indices there are."""
        return len(self.data_source) if self._num_samples is None else self._num_samples

    def __iter__(self) -> Iterator[int]:
        count, size = self.num_samples, len(self.data_source)
        generator = self.generator if self.generator is not None else Generator(drawn_seed())
        if self.replacement:
            for _ in range(count // _AT_ONCE):
                yield from ops.randint(0, size, (_AT_ONCE,), generator=generator).tolist()
            yield from ops.randint(0, size, (count % _AT_ONCE,), generator=generator).tolist()
        else:
            for _ in range(count // size):
                yield from ops.randperm(size, generator=generator).tolist()
            yield from ops.randperm(size, generator=generator).tolist()[: count % size]

    def __len__(self) -> int:
        return self.num_samples


class SubsetRandomSampler(Sampler):
    """The given indices, in random order."""

    def __init__(self, indices: Any, generator: Any = None) -> None:
        self.indices, self.generator = indices, generator

    def __iter__(self) -> Iterator[Any]:
        for place in ops.randperm(len(self.indices), generator=self.generator).tolist():
            yield self.indices[place]

    def __len__(self) -> int:
        return len(self.indices)


class WeightedRandomSampler(Sampler):
    """Indices drawn with probabilities that the weights say."""

    def __init__(self, weights: Any, num_samples: int, replacement: bool = True, generator: Any = None) -> None:
        _check_positive("num_samples", num_samples)
        _check_boolean("replacement", replacement)
        self.weights = ops.as_tensor(weights, dtype=dtypes.float64)
        if self.weights.ndim != 1:
            shape = tuple(self.weights.shape)
            raise ArgumentValueError(f"weights should be a 1d sequence but given weights have shape {shape}")
        self.num_samples, self.replacement, self.generator = num_samples, replacement, generator

    def __iter__(self) -> Iterator[int]:
        drawn = ops.multinomial(self.weights, self.num_samples, self.replacement, generator=self.generator)
        yield from drawn.tolist()

    def __len__(self) -> int:
        return self.num_samples


class BatchSampler(Sampler):
    """Lists of ``batch_size`` indices of another sampler."""

    def __init__(self, sampler: Any, batch_size: int, drop_last: bool) -> None:
        _check_positive("batch_size", batch_size)
        _check_boolean("drop_last", drop_last)
        self.sampler, self.batch_size, self.drop_last = sampler, batch_size, drop_last

    def __iter__(self) -> Iterator[list[Any]]:
        indices = _paid(self.sampler)
        while batch := list(islice(indices, self.batch_size)):
            if self.drop_last and len(batch) < self.batch_size:
                return
            yield batch

    def __len__(self) -> int:
        count = len(self.sampler)
        return count // self.batch_size if self.drop_last else -(-count // self.batch_size)


def _paid(indices: Any) -> Iterator[Any]:
    """The same indices, each with its place in a list paid for: a batch may be as long as the data set."""
    budget = modes.current().budget
    for index in indices:
        if budget is not None:
            budget.take(1, _INDEX_BYTES)
        yield index


class Endless(Sampler):
    """What stands for the indices of a data set that has none."""

    def __iter__(self) -> Iterator[None]:
        while True:
            yield None


def drawn_seed(generator: Any = None) -> int:
    """A seed for another generator, drawn from the state's or from the given one."""
    return int(ops.empty((), dtype=dtypes.int64).random_(generator=generator).item())


def _check_positive(name: str, value: Any) -> None:
    if not isinstance(value, int) or isinstance(value, bool) or value <= 0:
        raise ArgumentValueError(f"{name} should be a positive integer value, but got {name}={value}")


def _check_boolean(name: str, value: Any) -> None:
    if not isinstance(value, bool):
        raise ArgumentValueError(f"{name} should be a boolean value, but got {name}={value}")


homes.keep("torch.utils.data.dataloader", Endless)
registry.add_kind("utils.data.Endless", Endless)
for _class in (
    Sampler, SequentialSampler, RandomSampler, SubsetRandomSampler, WeightedRandomSampler, BatchSampler,
):  # fmt: skip
    homes.keep("torch.utils.data.sampler", _class)
    registry.add_function(f"utils.data.{_class.__name__}", _class)
    registry.add_kind(f"utils.data.{_class.__name__}", _class)
