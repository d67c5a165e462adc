"""The data loader: elements in the order that a sampler says, put together to batches.

There are no other processes: what several workers would load is loaded here, in the order in which it would arrive.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from engine import dtypes, homes, modes, ops, registry
from engine.data.samplers import BatchSampler, Endless, RandomSampler, SequentialSampler, drawn_seed
from engine.data.sets import IterableDataset
from engine.errors import ArgumentTypeError, ArgumentValueError, OpError
from engine.tensor import Tensor

COLLATES = "default_collate: batch must contain tensors, numpy arrays, numbers, dicts or lists; found {}"
FIXED = ("batch_size", "batch_sampler", "sampler", "drop_last", "dataset", "persistent_workers")


# -- batches ------------------------------------------------------------------------------------------------------
def default_collate(batch: Any) -> Any:
    """Elements as one batch: tensors stacked, numbers as a tensor, what holds them element by element."""
    first = batch[0]
    if isinstance(first, Tensor):
        return ops.stack(list(batch), 0)
    if isinstance(first, np.ndarray | np.generic):
        return ops.stack([ops.as_tensor(one) for one in batch], 0)
    if isinstance(first, float):
        return ops.tensor(list(batch), dtype=dtypes.float64)
    if isinstance(first, int):
        return ops.tensor(list(batch))
    if isinstance(first, str | bytes):
        return batch
    if isinstance(first, Mapping):
        return _like(first, {key: default_collate([one[key] for one in batch]) for key in first})
    if isinstance(first, tuple) and hasattr(first, "_make"):
        return first._make(default_collate(parts) for parts in zip(*batch, strict=False))
    if isinstance(first, Sequence):
        if any(len(one) != len(first) for one in batch):
            raise OpError("each element in list of batch should be of equal size")
        return [default_collate(parts) for parts in zip(*batch, strict=True)]
    raise ArgumentTypeError(COLLATES.format(type(first)))


def default_convert(data: Any) -> Any:
    """An element that is no batch: arrays become tensors."""
    if isinstance(data, np.ndarray | np.generic):
        return ops.as_tensor(data)
    if isinstance(data, Mapping):
        return _like(data, {key: default_convert(value) for key, value in data.items()})
    if isinstance(data, tuple) and hasattr(data, "_make"):
        return data._make(map(default_convert, data))
    if isinstance(data, Sequence) and not isinstance(data, str | bytes):
        return [default_convert(one) for one in data]
    return data


def _like(mapping: Any, entries: dict[Any, Any]) -> Any:
    """``entries`` in a mapping of the same sort."""
    if type(mapping) is dict:
        return entries
    copied = mapping.copy()
    copied.update(entries)
    return copied


# -- the loader ---------------------------------------------------------------------------------------------------
class DataLoader:
    """Batches of a data set, in order, shuffled, or as a sampler says."""

    _is_ready = False

    def __init__(
        self, dataset: Any, batch_size: int | None = 1, shuffle: bool | None = None, sampler: Any = None,
        batch_sampler: Any = None, num_workers: int = 0, collate_fn: Callable[..., Any] | None = None,
        pin_memory: bool = False, drop_last: bool = False, timeout: float = 0, worker_init_fn: Any = None,
        multiprocessing_context: Any = None, generator: Any = None, *, prefetch_factor: int | None = None,
        persistent_workers: bool = False, pin_memory_device: str = "", in_order: bool = True,
    ) -> None:  # fmt: skip
        _check_workers(num_workers, timeout, prefetch_factor, persistent_workers)
        self.dataset, self.num_workers, self.prefetch_factor = dataset, num_workers, prefetch_factor
        self.pin_memory, self.pin_memory_device, self.timeout = pin_memory, pin_memory_device, timeout
        self.worker_init_fn, self.multiprocessing_context = worker_init_fn, multiprocessing_context
        self.in_order, self.generator, self.persistent_workers = in_order, generator, persistent_workers
        if isinstance(dataset, IterableDataset):
            _check_row(shuffle, sampler, batch_sampler)
        _check_order(batch_size, bool(shuffle), sampler, batch_sampler, drop_last)
        if batch_sampler is not None:
            batch_size = None
        self.sampler = self._order(bool(shuffle)) if sampler is None else sampler
        if batch_size is not None:
            batch_sampler = BatchSampler(self.sampler, batch_size, drop_last)
        self.batch_size, self.drop_last, self.batch_sampler = batch_size, drop_last, batch_sampler
        self._collate = collate_fn
        self._is_ready = True

    @property
    def collate_fn(self) -> Callable[..., Any]:
        """What makes a batch of elements."""
        return self._collate or (default_convert if self.batch_sampler is None else default_collate)

    def _order(self, shuffle: bool) -> Any:
        if isinstance(self.dataset, IterableDataset):
            return Endless()
        return RandomSampler(self.dataset, generator=self.generator) if shuffle else SequentialSampler(self.dataset)

    @property
    def _indices(self) -> Any:
        return self.sampler if self.batch_sampler is None else self.batch_sampler

    def __setattr__(self, name: str, value: Any) -> None:
        if self._is_ready and name in FIXED:
            raise ArgumentValueError(f"{name} attribute should not be set after DataLoader is initialized")
        modes.touch(self)
        object.__setattr__(self, name, value)

    def __iter__(self) -> Iterator[Any]:
        indices = iter(self._indices)
        drawn_seed(self.generator)  # what PyTorch draws for its workers, also where there are none
        return self._from_row(indices) if isinstance(self.dataset, IterableDataset) else self._from_map(indices)

    def _from_map(self, indices: Iterator[Any]) -> Iterator[Any]:
        for index in indices:
            _pay(1 if self.batch_sampler is None else len(index))
            if self.batch_sampler is None:
                yield self.collate_fn(self.dataset[index])
            else:
                yield self.collate_fn([self.dataset[place] for place in index])

    def _from_row(self, indices: Iterator[Any]) -> Iterator[Any]:
        elements = iter(self.dataset)
        for index in indices:
            if self.batch_sampler is None:
                for element in elements:
                    _pay(1)
                    yield self.collate_fn(element)
                return
            _pay(len(index))
            batch = [element for _, element in zip(index, elements, strict=False)]
            if not batch or (self.drop_last and len(batch) < len(index)):
                return
            yield self.collate_fn(batch)
            if len(batch) < len(index):
                return

    def __len__(self) -> int:
        if not isinstance(self.dataset, IterableDataset):
            return len(self._indices)
        count = len(self.dataset)  # type: ignore[arg-type]
        if self.batch_size is None:
            return count
        return count // self.batch_size if self.drop_last else -(-count // self.batch_size)


def _pay(elements: int) -> None:
    """Count the elements that are about to be visited."""
    budget = modes.current().budget
    if budget is not None:
        budget.take(elements)


# -- refusals -----------------------------------------------------------------------------------------------------
def _check_workers(num_workers: int, timeout: float, prefetch_factor: int | None, is_persistent: bool) -> None:
    if num_workers < 0:
        raise ArgumentValueError(
            "num_workers option should be non-negative; use num_workers=0 to disable multiprocessing."
        )
    if timeout < 0:
        raise ArgumentValueError("timeout option should be non-negative")
    if num_workers == 0 and prefetch_factor is not None:
        raise ArgumentValueError(
            "prefetch_factor option could only be specified in multiprocessing.let num_workers > 0 to enable "
            "multiprocessing, otherwise set prefetch_factor to None."
        )
    if prefetch_factor is not None and prefetch_factor < 0:
        raise ArgumentValueError("prefetch_factor option should be non-negative")
    if is_persistent and num_workers == 0:
        raise ArgumentValueError("persistent_workers option needs num_workers > 0")


def _check_row(shuffle: bool | None, sampler: Any, batch_sampler: Any) -> None:
    given = {"shuffle": shuffle or None, "sampler": sampler, "batch_sampler": batch_sampler}
    for name, value in given.items():
        if value is not None:
            raise ArgumentValueError(
                f"DataLoader with IterableDataset: expected unspecified {name} option, but got {name}={value}"
            )


def _check_order(batch_size: int | None, shuffle: bool, sampler: Any, batch_sampler: Any, drop_last: bool) -> None:
    if sampler is not None and shuffle:
        raise ArgumentValueError("sampler option is mutually exclusive with shuffle")
    if batch_sampler is not None and (batch_size != 1 or shuffle or sampler is not None or drop_last):
        raise ArgumentValueError(
            "batch_sampler option is mutually exclusive with batch_size, shuffle, sampler, and drop_last"
        )
    if batch_sampler is None and batch_size is None and drop_last:
        raise ArgumentValueError(
            "batch_size=None option disables auto-batching and is mutually exclusive with drop_last"
        )


def get_worker_info() -> None:
    """About the worker that runs this: there is none."""


homes.keep("torch.utils.data.dataloader", DataLoader)
registry.add_kind("utils.data.DataLoader", DataLoader)
for _function in (DataLoader, default_collate, default_convert, get_worker_info):
    registry.add_function(f"utils.data.{_function.__name__}", _function)
