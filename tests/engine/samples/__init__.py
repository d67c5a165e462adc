"""Sample inputs of every op, as plain descriptions: the engine's tests and the recorder of goldens both build them.

A family module has ``SAMPLES: dict[str, list[Sample]]`` by public op name. Leaves are filled from a seed made of the
op's name and the sample's number, so values are the same everywhere. Nothing here imports the engine or PyTorch.
"""

from __future__ import annotations

import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np


@dataclass(frozen=True, slots=True)
class Leaf:
    """A differentiable tensor with uniform random values; ``strided`` makes it a transposed, non-contiguous one."""

    shape: tuple[int, ...]
    low: float = -2.0
    high: float = 2.0
    dtype: str = "float64"
    strided: bool = False
    requires_grad: bool = True

    def values(self, rng: np.random.Generator) -> np.ndarray[Any, Any]:
        """The values, of ``dtype``."""
        array = rng.uniform(self.low, self.high, self.shape)
        if self.dtype.startswith("complex"):
            array = array + 1j * rng.uniform(self.low, self.high, self.shape)
        array = np.asarray(array, self.dtype)
        return np.asarray(array.T.copy().T) if self.strided else array


@dataclass(frozen=True, slots=True)
class Fixed:
    """A constant tensor with the given values."""

    data: Any
    dtype: str | None = None
    shape: tuple[int, ...] | None = None
    requires_grad: bool = False

    def values(self, rng: np.random.Generator) -> np.ndarray[Any, Any]:
        """The values, of ``dtype``."""
        array = np.asarray(self.data, self.dtype or _inferred(self.data))
        return array if self.shape is None else array.reshape(self.shape)


def _inferred(data: Any) -> str | None:
    return "float64" if np.asarray(data).dtype.kind == "f" else None


@dataclass(frozen=True, slots=True)
class Sample:
    """The arguments of one call.

    ``second_order`` is off where PyTorch has none or the second derivative is not continuous at the values;
    ``gradient`` is off where there is nothing to differentiate or the values sit on a kink. ``reason`` says why.
    """

    args: tuple[Any, ...]
    kwargs: dict[str, Any] = field(default_factory=dict)
    gradient: bool = True
    second_order: bool = True
    inplace: bool = True
    reason: str = ""

    def build(self, op: str, number: int, tensor: Callable[[np.ndarray[Any, Any], bool], Any]) -> Sample:
        """The same call with descriptions replaced by what ``tensor(values, requires_grad)`` makes of them."""
        rng = np.random.default_rng(zlib.crc32(f"{op}/{number}".encode()))
        return Sample(_built(self.args, rng, tensor), _built(self.kwargs, rng, tensor))


def _built(value: Any, rng: np.random.Generator, tensor: Callable[..., Any]) -> Any:
    if isinstance(value, Leaf | Fixed):
        return tensor(value.values(rng), value.requires_grad)
    if isinstance(value, tuple | list):
        return type(value)(_built(item, rng, tensor) for item in value)
    if isinstance(value, dict):
        return {name: _built(item, rng, tensor) for name, item in value.items()}
    return value


def leaf(*shape: int, low: float = -2.0, high: float = 2.0, dtype: str = "float64", strided: bool = False) -> Leaf:
    """A differentiable random tensor."""
    return Leaf(shape, low, high, dtype, strided)


def fixed(data: Any, dtype: str | None = None, shape: tuple[int, ...] | None = None) -> Fixed:
    """A constant tensor."""
    return Fixed(data, dtype, shape)


def sample(*args: Any, **kwargs: Any) -> Sample:
    """A call that is differentiated twice."""
    return Sample(args, kwargs)


def first_order(reason: str, *args: Any, **kwargs: Any) -> Sample:
    """A call that is differentiated once only, and why."""
    return Sample(args, kwargs, second_order=False, reason=reason)


def values_only(reason: str, *args: Any, **kwargs: Any) -> Sample:
    """A call that is not differentiated, and why."""
    return Sample(args, kwargs, gradient=False, second_order=False, reason=reason)


def all_samples() -> Iterator[tuple[str, int, Sample]]:
    """Every sample of every family: op name, number, sample."""
    for path in sorted(Path(__file__).parent.glob("[a-z]*.py")):
        family = import_module(f"{__name__}.{path.stem}")
        for op, samples in family.SAMPLES.items():
            for number, one in enumerate(samples):
                yield op, number, one
