"""Sums, means and products over dimensions."""

from __future__ import annotations

from math import prod as product
from typing import Any

import numpy as np

from engine import ops
from engine.dtypes import FLOATING, DType
from engine.errors import OpError
from engine.op import Array, Dims, Size, composite, primitive
from engine.tensor import Tensor


class Unset:
    """The default of a ``dim`` that was not given, where ``None`` leads to another overload."""

    def __repr__(self) -> str:
        return "None"


UNSET = Unset()


# -- what reductions share ----------------------------------------------------------------------------------------
def axes_of(input: Array, dim: Any) -> tuple[int, ...]:
    """The axes a reduction over ``dim`` takes; ``None`` and the empty tuple mean all."""
    if not dim and not isinstance(dim, int):
        return tuple(range(input.ndim))
    return (dim if isinstance(dim, tuple) else (dim,)) if input.ndim else ()


def kept_shape(shape: Any, dim: Any) -> tuple[int, ...]:
    """``shape`` with the reduced dimensions at extent 1."""
    reduced = range(len(shape)) if not dim and not isinstance(dim, int) else dim if isinstance(dim, tuple) else (dim,)
    return tuple(1 if axis in reduced else extent for axis, extent in enumerate(shape))


def unreduced(g: Tensor, shape: Any, dim: Any, keepdim: bool) -> Tensor:
    """``g`` with the dimensions that a reduction of ``shape`` took back at extent 1, so that it broadcasts."""
    return g if keepdim or not shape else ops.reshape(g, kept_shape(shape, dim))  # type: ignore[no-any-return]


def spread(g: Tensor, shape: Any, dim: Any, keepdim: bool) -> Tensor:
    """Every element of a slice receives the slice's cotangent."""
    return ops.expand(unreduced(g, shape, dim, keepdim), tuple(shape))  # type: ignore[no-any-return]


def reduced_count(shape: Any, dim: Any) -> int:
    """How many elements go into one element of the result."""
    return product(extent for extent, kept in zip(shape, kept_shape(shape, dim), strict=True) if kept == 1)


def summands(input: Array, dtype: DType | None) -> Array:
    """``input`` in the dtype its sum or product has: as asked, else int64 for bools and integers."""
    if dtype is not None:
        return input.astype(dtype.numpy, copy=False)
    return input.astype(np.int64) if input.dtype.kind in "bui" else input


# -- sum ----------------------------------------------------------------------------------------------------------
@primitive(public=False, linear=True, grad_fn="SumBackward0")
def sum_all(input: Array, dtype: DType | None = None) -> Array:
    """The sum of all elements."""
    values = summands(input, dtype)
    return np.sum(values, dtype=values.dtype)


sum_all.vjp(input=lambda g, input_shape: ops.expand(g, input_shape))


@primitive(public=False, linear=True, grad_fn="SumBackward1")
def sum_dim(input: Array, dim: Dims | None = None, keepdim: bool = False, dtype: DType | None = None) -> Array:
    """Sums over ``dim``, all dimensions if there is none."""
    values = summands(input, dtype)
    return np.sum(values, axis=axes_of(input, dim), keepdims=keepdim, dtype=values.dtype)


sum_dim.vjp(input=lambda g, input_shape, dim, keepdim: spread(g, input_shape, dim, keepdim))


@composite
def sum(input: Tensor, dim: Dims | None = UNSET, keepdim: bool = False, *, dtype: DType | None = None) -> Tensor:  # type: ignore[assignment]
    """The sum of all elements, or sums over ``dim``. Integers add up in int64 unless ``dtype`` says otherwise."""
    if isinstance(dim, Unset):
        return sum_all(input, dtype)  # type: ignore[no-any-return]
    return sum_dim(input, dim, keepdim, dtype)  # type: ignore[no-any-return]


# -- mean ---------------------------------------------------------------------------------------------------------
def _check_mean(input: Array, dtype: DType | None) -> None:
    found = dtype if dtype is not None else Tensor(input).dtype
    if found.category < FLOATING:
        which = "Optional" if dtype is not None else "Input"
        raise OpError(
            f"mean(): could not infer output dtype. {which} dtype must be either a floating point or complex dtype. "
            f"Got: {found.scalar_type}"
        )


def _mean(input: Array, dim: Any, keepdim: bool, dtype: DType | None) -> Array:
    _check_mean(input, dtype)
    values = summands(input, dtype)
    axes = axes_of(input, dim)
    total = np.asarray(np.sum(values, axis=axes, keepdims=keepdim, dtype=values.dtype))
    return total / np.asarray(product(input.shape[axis] for axis in axes), values.real.dtype)


@primitive(public=False, linear=True, grad_fn="MeanBackward0")
def mean_all(input: Array, dtype: DType | None = None) -> Array:
    """The mean of all elements."""
    return _mean(input, None, False, dtype)


mean_all.vjp(input=lambda g, input_shape: ops.expand(g, input_shape) / max(product(input_shape), 1))


@primitive(public=False, linear=True, grad_fn="MeanBackward1")
def mean_dim(input: Array, dim: Dims | None = None, keepdim: bool = False, dtype: DType | None = None) -> Array:
    """Means over ``dim``, all dimensions if there is none."""
    return _mean(input, dim, keepdim, dtype)


def _mean_dim_input(g: Tensor, input_shape: Any, dim: Any, keepdim: bool) -> Any:
    return spread(g, input_shape, dim, keepdim) / max(reduced_count(input_shape, dim), 1)  # type: ignore[operator]


mean_dim.vjp(input=_mean_dim_input)


@composite
def mean(input: Tensor, dim: Dims | None = UNSET, keepdim: bool = False, *, dtype: DType | None = None) -> Tensor:  # type: ignore[assignment]
    """The mean of all elements, or means over ``dim``."""
    if isinstance(dim, Unset):
        return mean_all(input, dtype)  # type: ignore[no-any-return]
    return mean_dim(input, dim, keepdim, dtype)  # type: ignore[no-any-return]


@composite
def sum_to_size(input: Tensor, size: Size) -> Tensor:
    """The sum over what broadcasting would add to ``size``."""
    return ops.sum_to(input, size)  # type: ignore[no-any-return]
