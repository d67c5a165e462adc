"""Largest and smallest elements, and where they are.

Subgradients at ties: a reduction with ``dim`` that tells places (``max``, ``min``) gives its cotangent to the first
place; one that does not (``max`` of everything, ``amax``, ``aminmax``) divides it among the equal elements.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from engine import ops
from engine.errors import DimensionError, OpError
from engine.named_results import named_result
from engine.op import Array, AskedDims, Dim, composite, primitive
from engine.ops.index.selected_cotangents import divided_evenly, put_back
from engine.ops.reduce.sums import UNSET, axes_of, check_dim_of, dims_of, is_unset, kept_shape
from engine.tensor import Tensor


def check_extent(name: str, input: Array | Tensor, dim: Any) -> None:
    """Refuse to reduce over dimensions without elements, for which there is no identity."""
    for axis in dim if isinstance(dim, tuple) else (dim,):
        if input.ndim and input.shape[axis] == 0:
            raise DimensionError(f"{name}: Expected reduction dim {axis} to have non-zero size.")


def _check_not_empty(name: str, count: int) -> None:
    if count == 0:
        raise OpError(
            f"{name}(): Expected reduction dim to be specified for input.numel() == 0. Specify the reduction dim with "
            "the 'dim' argument."
        )


def _check_real(name: str, is_complex: bool) -> None:
    if is_complex:
        raise OpError(f"{name}(): does not support complex input")


# -- over dimensions, divided among ties --------------------------------------------------------------------------
def _check_extreme(name: str, input: Tensor, dim: Any) -> None:
    if dim:
        check_extent(f"{name}()", input, dim)
    else:
        _check_not_empty(name, input.array.size)


@primitive(
    supports="bif", kernel_name="max_values_cpu", promote="default", total=True,
    check=lambda input, dim: _check_extreme("amax", input, dim),
)  # fmt: skip
def amax(input: Array, dim: AskedDims = (), keepdim: bool = False) -> Array:
    """The largest elements over ``dim``; equal ones share the cotangent."""
    return np.max(input, axis=axes_of(input, dim), keepdims=keepdim)


@primitive(
    supports="bif", kernel_name="min_values_cpu", promote="default", total=True,
    check=lambda input, dim: _check_extreme("amin", input, dim),
)  # fmt: skip
def amin(input: Array, dim: AskedDims = (), keepdim: bool = False) -> Array:
    """The smallest elements over ``dim``; equal ones share the cotangent."""
    return np.min(input, axis=axes_of(input, dim), keepdims=keepdim)


def _divided(g: Tensor, input: Tensor, out: Tensor, dim: Any, keepdim: bool) -> Any:
    """``g`` divided among the elements of each slice that equal its extreme. NaN equals nothing: it gets NaN."""
    shape = input.array.shape
    if not keepdim and shape:
        wrapped = tuple(axis % len(shape) for axis in dims_of(dim))
        g, out = (ops.reshape(one, kept_shape(shape, wrapped)) for one in (g, out))
    mask, count = ops.ties(input, out, axes_of(input.array, dim), False)
    return g * mask / count


amax.vjp(input=_divided)
amin.vjp(input=_divided)


def _check_aminmax(input: Array, dim: Any) -> None:
    if dim is not None:
        check_extent("aminmax", input, dim)
    elif input.size == 0:
        raise OpError("aminmax(): cannot compute aminmax over an empty dimension as the operation has no identity.")


@primitive(
    outputs=("min", "max"), result=named_result("aminmax", "min", "max"), supports="bif", kernel_name="aminmax_cpu",
    promote="default",
)  # fmt: skip
def aminmax(input: Array, *, dim: Dim | None = None, keepdim: bool = False) -> tuple[Array, Array]:
    """The smallest and the largest elements over ``dim``; equal ones share the cotangent."""
    _check_aminmax(input, dim)
    axes = axes_of(input, dim)
    return np.min(input, axis=axes, keepdims=keepdim), np.max(input, axis=axes, keepdims=keepdim)


def _aminmax_input(cotangents: Any, input: Tensor, min: Tensor, max: Tensor, dim: Any, keepdim: bool) -> Any:
    parts = [
        _divided(g, input, out, dim, keepdim) for g, out in zip(cotangents, (min, max), strict=True) if g is not None
    ]
    return parts[0] if len(parts) == 1 else parts[0] + parts[1]


aminmax.vjp(input=_aminmax_input)


# -- of everything ------------------------------------------------------------------------------------------------
@primitive(
    public=False, shown_as="max", supports="bif", grad_fn="MaxBackward1", kernel_name="max_all", promote="default",
    check=lambda input: _check_not_empty("max", input.array.size),
)  # fmt: skip
def max_all(input: Array) -> Array:
    """The largest element."""
    return np.max(input)


@primitive(
    public=False, shown_as="min", supports="bif", grad_fn="MinBackward1", kernel_name="min_all", promote="default",
    check=lambda input: _check_not_empty("min", input.array.size),
)  # fmt: skip
def min_all(input: Array) -> Array:
    """The smallest element."""
    return np.min(input)


max_all.vjp(input=divided_evenly)
min_all.vjp(input=divided_evenly)


# -- with places --------------------------------------------------------------------------------------------------
def _picked(name: str, find: Any, input: Array, dim: int, keepdim: bool) -> tuple[Array, Array]:
    """The elements ``find`` finds along ``dim``, and where."""
    check_extent(f"{name}()", input, dim)
    _check_real(name, input.dtype.kind == "c")
    if input.ndim == 0:
        return input, np.zeros((), np.int64)
    indices = find(input, axis=dim, keepdims=True)
    values = np.take_along_axis(input, indices, dim)
    return (values, indices) if keepdim else (values.squeeze(dim), indices.squeeze(dim))


@primitive(
    public=False, outputs=("values", "indices"), result=named_result("max", "values", "indices"),
    grad_fn="MaxBackward0",
)  # fmt: skip
def max_dim(input: Array, dim: Dim, keepdim: bool = False) -> tuple[Array, Array]:
    """The largest elements along ``dim`` and where they are first."""
    return _picked("max", np.argmax, input, dim, keepdim)


@primitive(
    public=False, outputs=("values", "indices"), result=named_result("min", "values", "indices"),
    grad_fn="MinBackward0",
)  # fmt: skip
def min_dim(input: Array, dim: Dim, keepdim: bool = False) -> tuple[Array, Array]:
    """The smallest elements along ``dim`` and where they are first."""
    return _picked("min", np.argmin, input, dim, keepdim)


for _op in (max_dim, min_dim):
    _op.vjp(
        input=lambda g, indices, input_shape, dim, keepdim: put_back(g, indices, input_shape, dim, keepdim),
    )


@composite
def max(input: Tensor, dim: Any = UNSET, keepdim: bool = False, *, other: Tensor | None = None) -> Any:
    """The largest element; with ``dim`` the largest along it and their places; with a tensor, ``maximum``."""
    if other is not None or isinstance(dim, Tensor):
        return ops.maximum(input, dim if other is None else other)
    if is_unset(dim):
        check_dim_of(keepdim)
        return max_all(input)
    return max_dim(input, dim, keepdim)


@composite
def min(input: Tensor, dim: Any = UNSET, keepdim: bool = False, *, other: Tensor | None = None) -> Any:
    """The smallest element; with ``dim`` the smallest along it and their places; with a tensor, ``minimum``."""
    if other is not None or isinstance(dim, Tensor):
        return ops.minimum(input, dim if other is None else other)
    if is_unset(dim):
        check_dim_of(keepdim)
        return min_all(input)
    return min_dim(input, dim, keepdim)


def _places(name: str, find: Any, input: Array, dim: int | None, keepdim: bool) -> Array:
    if input.dtype == np.bool_:
        raise OpError(f"{name}(): does not support bool input")
    if dim is None and input.size == 0:
        raise DimensionError(f"{name}(): Expected reduction dim to be specified for input.numel() == 0.")
    if dim is not None:
        check_extent(f"{name}()", input, dim)
    return find(input, axis=dim, keepdims=keepdim) if input.ndim else np.zeros((), np.int64)


@primitive(nondifferentiable=("input",), check=lambda input: _check_real("argmax", input.dtype.is_complex))
def argmax(input: Array, dim: Dim | None = None, keepdim: bool = False) -> Array:
    """Where the largest element is first, along ``dim`` or among all."""
    return _places("argmax", np.argmax, input, dim, keepdim)


@primitive(nondifferentiable=("input",), check=lambda input: _check_real("argmin", input.dtype.is_complex))
def argmin(input: Array, dim: Dim | None = None, keepdim: bool = False) -> Array:
    """Where the smallest element is first, along ``dim`` or among all."""
    return _places("argmin", np.argmin, input, dim, keepdim)
