"""Scans: every element of the result depends on those before it along a dimension."""

from __future__ import annotations

from typing import Any

import numpy as np

from engine import dtypes, modes, ops
from engine.dtypes import DType
from engine.errors import DimensionError, OpError, UnsupportedError
from engine.kernels import scans as kernels
from engine.named_results import named_result
from engine.op import Array, Dim, composite, primitive, wrap_dim
from engine.ops.reduce.sums import accumulator, check_real, summands
from engine.tensor import Tensor


# -- what scans are made of ---------------------------------------------------------------------------------------
def _span(ndim: int, axis: int, start: int | None, stop: int | None) -> tuple[slice, ...]:
    """The index of a part of ``axis``."""
    return (slice(None),) * axis + (slice(start, stop),)


@primitive(public=False)
def shift(input: Array, dim: Dim, fill: int = 0) -> Array:
    """Every element one place further along ``dim``; ``fill`` comes first and the last is lost."""
    if input.ndim == 0:
        return np.full((), fill, input.dtype)
    result = np.full_like(input, fill)
    result[_span(input.ndim, dim, 1, None)] = input[_span(input.ndim, dim, None, -1)]
    return result


shift.vjp(input=lambda g, dim: ops.unshift(g, dim))


@primitive(public=False, linear=True)
def unshift(input: Array, dim: Dim) -> Array:
    """Every element one place back along ``dim``; a zero comes last."""
    result = np.zeros_like(input)
    if input.ndim:
        result[_span(input.ndim, dim, None, -1)] = input[_span(input.ndim, dim, 1, None)]
    return result


unshift.vjp(input=lambda g, dim: ops.shift(g, dim))


@primitive(public=False, promote="default")
def recurrence(input: Array, factor: Array, dim: Dim) -> Array:
    """``out[i] = input[i] + factor[i] * out[i - 1]`` along ``dim``, by doubling: spans of 1, 2, 4, ... are combined."""
    total = np.array(np.moveaxis(input, dim, 0) if input.ndim else input.reshape(1))
    scale = np.array(np.moveaxis(factor, dim, 0) if factor.ndim else factor.reshape(1))
    step = 1
    while step < len(total):
        total[step:] = total[step:] + scale[step:] * total[:-step]
        scale[step:] = scale[step:] * scale[:-step]
        step *= 2
    return np.moveaxis(total, 0, dim) if input.ndim else total.reshape(())


def _unrecurred(g: Tensor, factor: Tensor, dim: int) -> Any:
    """The transposed recurrence, ``out[i] = g[i] + factor[i + 1] * out[i + 1]``."""
    factors = ops.flip(ops.unshift(factor.conj(), dim), (dim,))
    return ops.flip(ops.recurrence(ops.flip(g, (dim,)), factors, dim), (dim,))


recurrence.vjp(
    input=lambda g, factor, dim: _unrecurred(g, factor, dim),
    factor=lambda g, factor, out, dim: _unrecurred(g, factor, dim) * ops.shift(out, dim).conj(),
)


def _in_place(op: Any, input: Tensor, dim: int, dtype: Any) -> Tensor:
    """The in-place variant of a scan that may be told its dtype, which has to be that of the tensor."""
    asked = input.dtype if dtype is None else dtypes.by_name(str(dtype))
    if asked is not input.dtype:
        raise OpError(
            f"Bad in-place call: input tensor dtype {_C_NAMES[input.dtype]} and output tensor dtype "
            f"{_C_NAMES[asked]} should match"
        )
    _check_scanned(op.name, asked)
    return op.inplace(input, dim)


_C_NAMES = {
    dtypes.bool_: "bool", dtypes.uint8: "unsigned char", dtypes.int8: "signed char", dtypes.int16: "short int",
    dtypes.int32: "int", dtypes.int64: "long int", dtypes.float16: "c10::Half", dtypes.bfloat16: "c10::BFloat16",
    dtypes.float32: "float", dtypes.float64: "double", dtypes.complex64: "c10::complex<float>",
    dtypes.complex128: "c10::complex<double>",
}  # fmt: skip


def _check_scanned(name: str, dtype: DType | None) -> None:
    if dtype is dtypes.bool_:
        raise UnsupportedError(f"\"{name}_out_cpu\" not implemented for 'Bool'")


def _accumulated(ufunc: Any, scan: Any, values: Array, dim: int) -> Array:
    """Running sums or products, rounded to the dtype of ``values`` at the end only."""
    if values.ndim == 0:
        return values
    if values.dtype.kind == "f":
        return scan(values, dim)
    accumulated: Array = ufunc.accumulate(values, axis=dim, dtype=accumulator(values.dtype))
    return accumulated.astype(values.dtype, copy=False)


# -- cumsum -------------------------------------------------------------------------------------------------------
@primitive(linear=True, scratch=2.5, out="dtype")
def cumsum(input: Array, dim: Dim, *, dtype: DType | None = None) -> Array:
    """Sums of the elements up to each along ``dim``."""
    _check_scanned("cumsum", dtype)
    values = summands(input, dtype)
    return _accumulated(np.add, kernels.sums, values, dim)


@primitive(public=False, linear=True, scratch=2.5)
def cumsum_from_end(input: Array, dim: Dim) -> Array:
    """Sums of the elements from each on along ``dim``."""
    return _from_end(input, dim)


def _from_end(input: Array, dim: int) -> Array:
    if input.dtype.kind == "f":
        return kernels.sums(input, dim, True)
    return np.flip(np.cumsum(np.flip(input, dim), dim, accumulator(input.dtype)), dim).astype(input.dtype)


cumsum_from_end.vjp(input=lambda g, dim: ops.cumsum(g, dim))


def _cumsum_input(g: Tensor, dim: int) -> Any:
    if g.array.size <= 1 or g.array.shape[dim] == 1:
        return g
    if not modes.is_grad_enabled():
        return cumsum_from_end(g, dim)
    return ops.flip(ops.cumsum(ops.flip(g, (dim,)), dim), (dim,))


cumsum.vjp(input=_cumsum_input)


@composite(name="cumsum_", function=False)
def cumsum_(input: Tensor, dim: Dim, *, dtype: DType | None = None) -> Tensor:
    """``cumsum`` of the tensor itself."""
    return _in_place(cumsum, input, dim, dtype)


# -- cumprod ------------------------------------------------------------------------------------------------------
@primitive(out="dtype")
def cumprod(input: Array, dim: Dim, *, dtype: DType | None = None) -> Array:
    """Products of the elements up to each along ``dim``."""
    _check_scanned("cumprod", dtype)
    values = summands(input, dtype)
    return _accumulated(np.multiply, kernels.products, values, dim)


@primitive(public=False, nondifferentiable=("grad", "input", "out"), scratch=4)
def cumprod_backward(grad: Array, input: Array, out: Array, dim: Dim) -> Array:
    """What ``_cumprod_input`` says; from sums of ``grad * out`` where no factor is zero, as in PyTorch."""
    if input.all():
        return np.asarray(_from_end(grad * out.conj(), dim) / input.conj())
    turned, factor = np.flip(grad, dim), np.flip(unshift.kernel(input.conj(), dim), dim)
    return np.asarray(np.flip(recurrence.kernel(turned, factor, dim), dim) * shift.kernel(out, dim, 1).conj())


def _cumprod_input(g: Tensor, input: Tensor, out: Tensor, dim: int) -> Any:
    """``out[i] = input[i] * out[i - 1]``; no division, so that zeros do not matter."""
    check_real(g, input.dtype)
    if input.array.size <= 1 or input.array.shape[dim] == 1:
        return g
    if not modes.is_grad_enabled():
        return cumprod_backward(g, input, out, dim)
    return _unrecurred(g, input, dim) * ops.shift(out, dim, 1).conj()


cumprod.vjp(input=_cumprod_input)


@composite(name="cumprod_", function=False)
def cumprod_(input: Tensor, dim: Dim, *, dtype: DType | None = None) -> Tensor:
    """``cumprod`` of the tensor itself."""
    return _in_place(cumprod, input, dim, dtype)


# -- cummax, cummin -----------------------------------------------------------------------------------------------
def _check_running(name: str, input: Tensor, dim: int) -> None:
    """Of a tensor without elements PyTorch does not ask for the dimension."""
    if input.array.ndim == 0 and dim not in (0, -1):
        raise DimensionError(f"{name}(): Expected reduction dim -1 or 0 for scalar but got {dim}")
    if input.array.size:
        wrap_dim(dim, input.array.ndim)


def _running(input: Array, dim: int, extreme: Any) -> tuple[Array, Array]:
    """Running extremes and where they were last met; NaN stays once met."""
    if input.ndim == 0 or not input.size:
        return input, np.zeros(input.shape, np.int64)
    dim %= input.ndim
    values = extreme.accumulate(input, axis=dim)
    places = np.arange(input.shape[dim]).reshape(-1, *[1] * (input.ndim - 1 - dim))
    met = (input == values) | (input != input)  # or NaN
    return values, np.maximum.accumulate(np.where(met, places, 0), axis=dim)


@primitive(
    outputs=("values", "indices"),
    result=named_result("cummax", "values", "indices"),
    supports="bif",
    promote="default",
    scratch=2.5,
    check=lambda input, dim: _check_running("cummax", input, dim),
)
def cummax(input: Array, dim: int) -> tuple[Array, Array]:
    """The largest of the elements up to each along ``dim``, and where it was last met."""
    return _running(input, dim, np.maximum)


@primitive(
    outputs=("values", "indices"),
    result=named_result("cummin", "values", "indices"),
    supports="bif",
    promote="default",
    scratch=2.5,
    check=lambda input, dim: _check_running("cummin", input, dim),
)
def cummin(input: Array, dim: int) -> tuple[Array, Array]:
    """The smallest of the elements up to each along ``dim``, and where it was last met."""
    return _running(input, dim, np.minimum)


def _gather_back(g: Tensor, indices: Tensor, dim: int) -> Any:
    return ops.scatter_add(ops.zeros_of(g), dim, indices, g) if g.array.size else g


cummax.vjp(input=lambda g, indices, dim: _gather_back(g, indices, dim))
cummin.vjp(input=lambda g, indices, dim: _gather_back(g, indices, dim))


# -- logcumsumexp -------------------------------------------------------------------------------------------------
@primitive(supports="fc", kernel_name="logcumsumexp_out_cpu", promote="default", scratch=3)
def logcumsumexp(input: Array, dim: Dim) -> Array:
    """``log(cumsum(exp(input)))`` along ``dim``, without overflow."""
    if input.ndim == 0:
        return input
    if input.dtype.kind == "c":
        return _log_cumsum_exp_complex(input, dim)
    return np.logaddexp.accumulate(input, axis=dim)


def _log_cumsum_exp_complex(input: Array, axis: int) -> Array:
    """Relative to the largest real part so far, element by element."""
    result = np.moveaxis(np.array(input), axis, 0)
    for i in range(1, len(result)):
        before, now = result[i - 1], result[i]
        larger = np.where(now.real > before.real, now, before)
        smaller = np.where(now.real > before.real, before, now)
        ratio = np.where(np.isneginf(smaller.real), 0, np.exp(smaller - larger))
        result[i] = larger + np.log1p(ratio)
    return np.moveaxis(result, 0, axis)


def _logcumsumexp_input(g: Tensor, input: Tensor, out: Tensor, dim: int) -> Any:
    """``out[i]`` moves ``out[i + 1]`` by ``exp(out[i] - out[i + 1])``, which is at most 1 for real elements."""
    if not input.array.ndim:
        return g
    before = ops.shift(out, dim)
    ratio = ops.exp((before - out).masked_fill(before == out, 0))
    return _unrecurred(g, ratio, dim) * ops.exp(input - out).conj()


logcumsumexp.vjp(input=_logcumsumexp_input)
