"""The frequencies of a transform's results, and their order."""

from __future__ import annotations

from math import copysign, inf
from typing import Any

from engine import modes, ops
from engine.dtypes import FLOATING, DType
from engine.errors import OpError
from engine.op import Size, composite
from engine.ops.creation.factories import checked_size, factory
from engine.ops.fft.transforms import existing_dim
from engine.tensor import Tensor


def _chosen(name: str, dtype: DType | None) -> DType:
    dtype = dtype or modes.current().default_dtype
    if dtype.category < FLOATING:
        raise OpError(f"{name} requires a floating point or complex dtype")
    return dtype


def _scaled(places: Tensor, n: int, d: float) -> Tensor:
    """``places`` divided by ``n d``, where that is not 0."""
    span = n * d
    return places * (1 / span if span else copysign(inf, span))


@factory(name="fft.fftfreq")
def fftfreq(n: int, d: float = 1.0, *, dtype: DType | None = None) -> Tensor:
    """The frequencies of the results of ``fft.fft`` of ``n`` points that are ``d`` apart."""
    target = _chosen("fftfreq", dtype)
    checked_size((n,))
    places = ops.cat([ops.arange(0, (n + 1) // 2, dtype=target), ops.arange(-(n // 2), 0, dtype=target)])
    return _scaled(places, n, d)


@factory(name="fft.rfftfreq")
def rfftfreq(n: int, d: float = 1.0, *, dtype: DType | None = None) -> Tensor:
    """The frequencies of the results of ``fft.rfft`` of ``n`` points that are ``d`` apart."""
    target = _chosen("rfftfreq", dtype)
    (count,) = checked_size((int(n / 2) + 1,))
    return _scaled(ops.arange(count, dtype=target), n, d)


def _rolled(input: Tensor, dim: Any, towards: int) -> Tensor:
    given = tuple(range(input.array.ndim)) if dim is None else (dim,) if isinstance(dim, int) else tuple(dim)
    dims = tuple(existing_dim(input, one) for one in given)
    return ops.roll(input, tuple((input.array.shape[one] + towards) // 2 for one in dims), dims)


@composite(name="fft.fftshift")
def fftshift(input: Tensor, dim: Size | None = None) -> Tensor:
    """The results of a transform with frequency 0 in the middle of ``dim``, all dimensions unless told."""
    return _rolled(input, dim, 0)


@composite(name="fft.ifftshift")
def ifftshift(input: Tensor, dim: Size | None = None) -> Tensor:
    """The inverse of ``fft.fftshift``."""
    return _rolled(input, dim, 1)
