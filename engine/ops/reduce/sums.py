"""Sums, means and products over dimensions."""

from __future__ import annotations

import builtins
from math import prod as product
from typing import Any

import numpy as np

from engine import modes, ops
from engine.dtypes import FLOATING, DType
from engine.errors import ArgumentTypeError, OpError, UnsupportedError
from engine.op import Array, Dim, Dims, Extents, composite, primitive
from engine.tensor import Tensor


class Unset:
    """The default of a ``dim`` that was not given, where ``None`` leads to another overload."""

    def __repr__(self) -> str:
        return "None"


UNSET: Any = Unset()
add_up: Any = np.add.reduce  # ``np.sum`` without what wraps it, which takes longer than a short sum


def is_unset(value: object) -> bool:
    """Whether an argument was left out."""
    return value is UNSET


# -- what reductions share ----------------------------------------------------------------------------------------
def check_dim_of(keepdim: bool) -> None:
    """Refuse to keep dimensions where none are given; shown as all overloads."""
    if keepdim:
        raise ArgumentTypeError("keepdim without dim")


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
    if keepdim or not shape or g.array.ndim + len(dims_of(dim)) != len(shape):
        return g  # one number broadcasts
    for axis in sorted(dims_of(dim)):
        g = ops.unsqueeze(g, axis)
    return g


def dims_of(dim: Any) -> tuple[int, ...]:
    """The dimensions of a reduction over given ones."""
    return (dim,) if isinstance(dim, int) else tuple(dim or ())


def spread(g: Tensor, shape: Any, dim: Any, keepdim: bool, dtype: DType) -> Tensor:
    """Every element of a slice receives the slice's cotangent."""
    check_real(g, dtype)
    return ops.expand(unreduced(g, shape, dim, keepdim), tuple(shape))


def reduced_count(shape: Any, dim: Any) -> int:
    """How many elements go into one element of the result."""
    if dim is None:
        return product(shape)
    return product(extent for extent, kept in zip(shape, kept_shape(shape, dim), strict=True) if kept == 1)


def summands(input: Array, dtype: DType | None) -> Array:
    """``input`` in the dtype its sum or product has: as asked, else int64 for bools and integers."""
    if dtype is None:
        return input.astype(np.int64) if input.dtype.kind in "bui" else input
    if input.dtype.kind == "c" and not dtype.is_complex:
        modes.warn("Casting complex values to real discards the imaginary part")
        input = input.real
    return input.astype(dtype.numpy, copy=False)


def accumulator(dtype: np.dtype[Any]) -> np.dtype[Any]:
    """The dtype in which PyTorch adds up elements of ``dtype`` one after another."""
    return np.promote_types(dtype, np.float64) if dtype.kind in "fc" else dtype


def check_real(g: Tensor, input_dtype: DType) -> None:
    """Refuse what PyTorch refuses: a complex cotangent for a real input of a sum that was asked to be complex."""
    if g.dtype.is_complex and not input_dtype.is_complex:
        raise OpError(
            "Expected isFloatingType(grad.scalar_type()) || (input_is_complex == grad_is_complex) to be true, but got "
            "false.  (Could this error message be improved?  If so, please report an enhancement request to PyTorch.)"
        )


# -- sum ----------------------------------------------------------------------------------------------------------
@primitive(public=False, shown_as="sum", linear=True, grad_fn="SumBackward0", grows=lambda: 1)
def sum_all(input: Array, dtype: DType | None = None) -> Array:
    """The sum of all elements."""
    values = summands(input, dtype)
    return add_up(values, None, values.dtype)


sum_all.vjp(input=lambda g, input_shape, input_dtype: spread(g, input_shape, None, False, input_dtype))


@primitive(public=False, shown_as="sum", linear=True, grad_fn="SumBackward1")
def sum_dim(input: Array, dim: Dims | None = None, keepdim: bool = False, dtype: DType | None = None) -> Array:
    """Sums over ``dim``, all dimensions if there is none."""
    values = summands(input, dtype)
    return add_up(values, axes_of(input, dim), values.dtype, keepdims=keepdim)


sum_dim.vjp(input=lambda g, input_shape, input_dtype, dim, keepdim: spread(g, input_shape, dim, keepdim, input_dtype))


@composite(out="dtype")
def sum(input: Tensor, dim: Dims | None = UNSET, keepdim: bool = False, *, dtype: DType | None = None) -> Tensor:
    """The sum of all elements, or sums over ``dim``. Integers add up in int64 unless ``dtype`` says otherwise."""
    if is_unset(dim):
        check_dim_of(keepdim)
        return sum_all(input, dtype)
    return sum_dim(input, dim, keepdim, dtype)


# -- mean ---------------------------------------------------------------------------------------------------------
def _check_mean(input: Tensor, dtype: DType | None) -> None:
    found = input.dtype if dtype is None else dtype
    if found.category < FLOATING:
        which = "Optional" if dtype is not None else "Input"
        raise OpError(
            f"mean(): could not infer output dtype. {which} dtype must be either a floating point or complex dtype. "
            f"Got: {found.scalar_type}"
        )


def _mean(input: Array, dim: Any, keepdim: bool, dtype: DType | None) -> Array:
    values = summands(input, dtype)
    axes = axes_of(input, dim)
    total = add_up(values, axes, values.dtype, keepdims=keepdim)
    return total / values.real.dtype.type(product([input.shape[axis] for axis in axes]))


def _mean_input(g: Tensor, shape: Any, dtype: DType, dim: Any, keepdim: bool) -> Any:
    return spread(g / max(reduced_count(shape, dim), 1), shape, dim, keepdim, dtype)


@primitive(public=False, shown_as="mean", linear=True, grad_fn="MeanBackward0", grows=lambda: 1)
def mean_all(input: Array, dtype: DType | None = None) -> Array:
    """The mean of all elements."""
    return _mean(input, None, False, dtype)


mean_all.vjp(input=lambda g, input_shape, input_dtype: _mean_input(g, input_shape, input_dtype, None, False))


@primitive(public=False, shown_as="mean", linear=True, grad_fn="MeanBackward1")
def mean_dim(input: Array, dim: Dims | None = None, keepdim: bool = False, dtype: DType | None = None) -> Array:
    """Means over ``dim``, all dimensions if there is none."""
    return _mean(input, dim, keepdim, dtype)


mean_dim.vjp(
    input=lambda g, input_shape, input_dtype, dim, keepdim: _mean_input(g, input_shape, input_dtype, dim, keepdim)
)


@composite(out="cast")
def mean(input: Tensor, dim: Dims | None = UNSET, keepdim: bool = False, *, dtype: DType | None = None) -> Tensor:
    """The mean of all elements, or means over ``dim``."""
    if is_unset(dim):
        check_dim_of(keepdim)
    _check_mean(input, dtype)
    if is_unset(dim):
        return mean_all(input, dtype)
    return mean_dim(input, dim, keepdim, dtype)


# -- sums to a shape ----------------------------------------------------------------------------------------------
@composite(function=False)
def sum_to_size(input: Tensor, size: Extents) -> Tensor:
    """The sum over what broadcasting would add to ``size``."""
    shape = input.array.shape
    lead = len(shape) - len(size)
    if lead < 0 or not builtins.all(want in (1, have) for want, have in zip(size, shape[lead:], strict=True)):
        raise OpError(f"size {{{list(size)}}} is not expandable to size {{{list(shape)}}}.")
    if not size:
        return sum_all(input)
    dims = [dim for dim, extent in enumerate(shape) if dim < lead or (size[dim - lead] == 1 and extent != 1)]
    total = sum_dim(input, dims, True) if dims else input
    return ops.view(total, size) if lead else total


# -- prod ---------------------------------------------------------------------------------------------------------
@primitive(public=False, shown_as="prod", grad_fn="ProdBackward0", grows=lambda: 1)
def prod_all(input: Array, dtype: DType | None = None) -> Array:
    """The product of all elements."""
    values = summands(input, dtype)
    return np.asarray(np.prod(values, dtype=values.dtype))


@primitive(public=False, shown_as="prod", grad_fn="ProdBackward1")
def prod_dim(input: Array, dim: Dim, keepdim: bool = False, dtype: DType | None = None) -> Array:
    """Products over ``dim``."""
    values = summands(input, dtype)
    return np.prod(values, axis=axes_of(input, dim), keepdims=keepdim, dtype=values.dtype)


def _other_factors(input: Tensor, dim: int) -> Any:
    """For every element the product of the others along ``dim``; no division, so that zeros do not matter."""
    after = ops.flip(exclusive_products(ops.flip(input, (dim,)), dim), (dim,))
    return exclusive_products(input, dim) * after


def exclusive_products(input: Tensor, dim: int) -> Any:
    """For every element the product of those before it along ``dim``."""
    return ops.shift(ops.cumprod(input, dim), dim, 1)


def _like(input: Tensor, g: Tensor) -> Tensor:
    """``input`` in the dtype that the product was asked to have."""
    return input if input.dtype is g.dtype else ops.cast(input, g.dtype)


def _prod_dim_input(g: Tensor, input: Tensor, out: Tensor, dim: int, keepdim: bool) -> Any:
    check_real(g, input.dtype)
    if not input.array.ndim:
        return g
    return unreduced(g, input.array.shape, dim, keepdim) * _other_factors(_like(input, g), dim).conj()


def _prod_all_input(g: Tensor, input: Tensor, out: Tensor) -> Any:
    """``out`` is asked for as in PyTorch, where it must not change; it is not divided by what may be 0."""
    check_real(g, input.dtype)
    if not input.array.ndim:
        return g
    others = _other_factors(ops.reshape(_like(input, g), (-1,)), 0)
    return g * ops.reshape(others, input.array.shape).conj()


prod_all.vjp(input=_prod_all_input)
prod_dim.vjp(input=_prod_dim_input)


@composite(out="dtype")
def prod(input: Tensor, dim: Dim = UNSET, keepdim: bool = False, *, dtype: DType | None = None) -> Tensor:
    """The product of all elements, or products over ``dim``."""
    if is_unset(dim):
        check_dim_of(keepdim)
        return prod_all(input, dtype)
    return prod_dim(input, dim, keepdim, dtype)


# -- sums without NaN ---------------------------------------------------------------------------------------------
@primitive
def nansum(input: Array, dim: Dims | None = None, keepdim: bool = False, *, dtype: DType | None = None) -> Array:
    """Sums over ``dim`` with NaN counted as 0."""
    if input.dtype.kind == "c":
        raise OpError("nansum on CPU does not support complex inputs")
    if dtype is not None and dtype.is_complex:
        raise UnsupportedError(f"\"nansum_cpu\" not implemented for '{dtype.scalar_type}'")
    values = np.where(np.isnan(input), input.dtype.type(0), input) if input.dtype.kind == "f" else input
    values = summands(values, dtype)
    return np.sum(values, axis=axes_of(input, dim), keepdims=keepdim, dtype=values.dtype)


def _nansum_input(g: Tensor, input: Tensor, dim: Any, keepdim: bool) -> Any:
    return spread(g, input.array.shape, dim, keepdim, input.dtype) * ops.logical_not(ops.isnan(input))


nansum.vjp(input=_nansum_input)


@composite
def nanmean(input: Tensor, dim: Dims | None = None, keepdim: bool = False, *, dtype: DType | None = None) -> Tensor:
    """Means over ``dim`` of the elements that are not NaN."""
    if not input.dtype.is_differentiable:
        raise OpError(
            "nanmean(): expected input to have floating point or complex dtype but got " + input.dtype.scalar_type
        )
    count = sum_dim(ops.logical_not(ops.isnan(input.detach())), dim, keepdim)
    return nansum(input, dim, keepdim, dtype=dtype) / count


# -- logsumexp ----------------------------------------------------------------------------------------------------
@primitive(promote="int_to_float", aliases=("special.logsumexp",), scratch=3, out="cast")
def logsumexp(input: Array, dim: Dims, keepdim: bool = False) -> Array:
    """``log(sum(exp(input)))`` over ``dim``, without overflow."""
    axes = axes_of(input, dim)
    largest = np.max(input.real, axis=axes, keepdims=True, initial=-np.inf)
    largest = np.where(np.isinf(largest), largest.dtype.type(0), largest)
    total = np.sum(np.exp(input - largest), axis=axes, keepdims=True)
    result = np.log(total) + largest
    return result if keepdim else np.squeeze(result, axes)


def _logsumexp_input(g: Tensor, input: Tensor, out: Tensor, dim: Any, keepdim: bool) -> Any:
    shape = input.array.shape
    return unreduced(g, shape, dim, keepdim) * ops.exp(input - unreduced(out, shape, dim, keepdim)).conj()


logsumexp.vjp(input=_logsumexp_input)


# -- tests of elements --------------------------------------------------------------------------------------------
def _tested(input: Array, dim: Any, keepdim: bool, reduce: Any) -> Array:
    """``reduce`` of which elements are not zero. Bytes give a byte, and an empty ``dim`` reduces nothing."""
    axes = () if dim == () else axes_of(input, dim)
    result = reduce(input if input.dtype == np.bool_ else input != 0, axis=axes, keepdims=keepdim)
    return result.astype(np.uint8) if input.dtype == np.uint8 else result


@primitive(nondifferentiable=("input",))
def any(input: Array, dim: Dims | None = None, keepdim: bool = False) -> Array:
    """Whether some element is not zero."""
    return _tested(input, dim, keepdim, np.any)


@primitive(nondifferentiable=("input",))
def all(input: Array, dim: Dims | None = None, keepdim: bool = False) -> Array:
    """Whether no element is zero."""
    return _tested(input, dim, keepdim, np.all)


@primitive(nondifferentiable=("input",))
def count_nonzero(input: Array, dim: Dims | None = None) -> Array:
    """How many elements are not zero."""
    return np.asarray(np.sum(input != 0, axis=axes_of(input, dim), dtype=np.int64))
