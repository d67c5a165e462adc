"""Data sets: what has elements by number, or in a row; several as one, parts of one."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable, Iterator, Sequence
from itertools import accumulate
from math import floor, isclose
from typing import Any

from engine import homes, modes, ops, registry
from engine.errors import ArgumentTypeError, ArgumentValueError, AssertedError, UnsupportedError
from engine.tensor import Tensor


class Dataset:
    """Something with elements: a subclass says which by ``__getitem__``, and how many by ``__len__``."""

    def __getitem__(self, index: Any) -> Any:
        raise UnsupportedError("Subclasses of Dataset should implement __getitem__.")

    def __add__(self, other: Any) -> ConcatDataset:
        return ConcatDataset([self, other])

    @classmethod
    def __class_getitem__(cls, item: Any) -> Any:
        return cls


class IterableDataset(Dataset):
    """Something with elements in a row: a subclass says which by ``__iter__``."""

    def __iter__(self) -> Iterator[Any]:
        raise UnsupportedError("Subclasses of Dataset should implement __getitem__.")

    def __add__(self, other: Any) -> Any:
        return ChainDataset([self, other])


class TensorDataset(Dataset):
    """Rows of tensors of one length."""

    def __init__(self, *tensors: Tensor) -> None:
        if any(isinstance(tensor, type) for tensor in tensors):
            raise ArgumentTypeError(
                "descriptor 'size' for 'torch._C.TensorBase' objects doesn't apply to a 'int' object"
            )
        if any(tensors[0].size(0) != tensor.size(0) for tensor in tensors):
            raise AssertedError("Size mismatch between tensors")
        self.tensors = tensors

    def __getitem__(self, index: Any) -> tuple[Any, ...]:
        return tuple(tensor[index] for tensor in self.tensors)

    def __len__(self) -> int:
        return self.tensors[0].size(0)  # type: ignore[no-any-return]


class StackDataset(Dataset):
    """Tuples of the elements of several sets, or dicts of them."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        if args and kwargs:
            raise ArgumentValueError(
                "Supported either ``tuple``- (via ``args``) or``dict``- (via ``kwargs``) like input/output, but both "
                "types are given."
            )
        if not args and not kwargs:
            raise ArgumentValueError("At least one dataset should be passed")
        self.datasets: Any = args or kwargs
        if len({len(one) for one in args or kwargs.values()}) > 1:
            raise ArgumentValueError("Size mismatch between datasets")

    def __getitem__(self, index: Any) -> Any:
        if isinstance(self.datasets, dict):
            return {name: one[index] for name, one in self.datasets.items()}
        return tuple(one[index] for one in self.datasets)

    def __len__(self) -> int:
        return len(next(iter(self.datasets.values() if isinstance(self.datasets, dict) else self.datasets)))


class ConcatDataset(Dataset):
    """Several sets, one after the other."""

    def __init__(self, datasets: Iterable[Any]) -> None:
        self.datasets = list(datasets)
        if not self.datasets:
            raise AssertedError("datasets should not be an empty iterable")
        if any(isinstance(one, IterableDataset) for one in self.datasets):
            raise AssertedError("ConcatDataset does not support IterableDataset")
        self.cumulative_sizes = list(accumulate(len(one) for one in self.datasets))

    def __len__(self) -> int:
        return self.cumulative_sizes[-1]

    def __getitem__(self, idx: int) -> Any:
        if idx < -len(self):
            raise ArgumentValueError("absolute value of index should not exceed dataset length")
        place = idx + len(self) if idx < 0 else idx
        number = bisect_right(self.cumulative_sizes, place)
        return self.datasets[number][place - (self.cumulative_sizes[number - 1] if number else 0)]


class ChainDataset(IterableDataset):
    """Several sets that are iterated over, one after the other."""

    def __init__(self, datasets: Iterable[Any]) -> None:
        self.datasets = datasets

    def _checked(self) -> Iterator[Any]:
        for one in self.datasets:
            if not isinstance(one, IterableDataset):
                raise AssertedError("ChainDataset only supports IterableDataset")
            yield one

    def __iter__(self) -> Iterator[Any]:
        for one in self._checked():
            yield from one

    def __len__(self) -> int:
        return sum(len(one) for one in self._checked())


class Subset(Dataset):
    """The elements of a set that ``indices`` name."""

    def __init__(self, dataset: Any, indices: Sequence[int]) -> None:
        self.dataset, self.indices = dataset, indices

    def __getitem__(self, idx: Any) -> Any:
        if isinstance(idx, list):
            return self.dataset[[self.indices[place] for place in idx]]
        return self.dataset[self.indices[idx]]

    def __len__(self) -> int:
        return len(self.indices)


def random_split(dataset: Any, lengths: Sequence[int | float], generator: Any = None) -> list[Subset]:
    """Parts of a set, of these lengths or fractions, with elements at random."""
    counts = _counts(lengths, len(dataset)) if isclose(sum(lengths), 1) and sum(lengths) <= 1 else list(lengths)
    if sum(counts) != len(dataset):
        raise ArgumentValueError("Sum of input lengths does not equal the length of the input dataset!")
    indices = ops.randperm(int(sum(counts)), generator=generator).tolist()
    ends = list(accumulate(counts))
    return [Subset(dataset, indices[end - count : end]) for end, count in zip(ends, counts, strict=True)]


def _counts(fractions: Sequence[float], size: int) -> list[int]:
    """How many elements fractions are; what is left over goes to the first parts."""
    for place, fraction in enumerate(fractions):
        if not 0 <= fraction <= 1:
            raise ArgumentValueError(f"Fraction at index {place} is not between 0 and 1")
    counts = [floor(size * fraction) for fraction in fractions]
    for place in range(size - sum(counts)):
        counts[place % len(counts)] += 1
    for place, count in enumerate(counts):
        if not count:
            modes.warn(f"Length of split at index {place} is 0. This might result in an empty dataset.")
    return counts


for _class in (Dataset, IterableDataset, TensorDataset, StackDataset, ConcatDataset, ChainDataset, Subset):
    homes.keep("torch.utils.data.dataset", _class)
    registry.add_function(f"utils.data.{_class.__name__}", _class)
    registry.add_kind(f"utils.data.{_class.__name__}", _class)
registry.add_function("utils.data.random_split", random_split)
