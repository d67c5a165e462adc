"""Variance, standard deviation, covariance and correlation.

The variance of complex numbers is that of real and imaginary parts together, and real.
"""

from __future__ import annotations

from math import inf, nan
from math import prod as product
from typing import Any

import numpy as np

from engine import modes, ops
from engine.dtypes import BOOL, COMPLEX, FLOATING, INTEGER
from engine.errors import ArgumentTypeError, OpError
from engine.op import Array, Dims, Scalar, composite, primitive
from engine.ops.reduce.sums import accumulator, axes_of, check_dim_of, reduced_count, unreduced
from engine.tensor import Tensor, read


# -- variance -----------------------------------------------------------------------------------------------------
def _moments(input: Array, dim: Any, correction: Any, keepdim: bool) -> tuple[Array, Array]:
    """Variance and mean over ``dim``, computed in double precision as in PyTorch."""
    axes = axes_of(input, dim)
    count = product(input.shape[axis] for axis in axes)
    wide = input.astype(accumulator(input.dtype), copy=False)
    mean = np.asarray(np.sum(wide, axis=axes, keepdims=True) / np.float64(count))
    deviation = wide - mean
    squares = deviation.real**2 + deviation.imag**2 if wide.dtype.kind == "c" else deviation * deviation
    variance = np.asarray(np.sum(squares, axis=axes, keepdims=keepdim) / np.float64(max(count - correction, 0)))
    center = mean if keepdim else np.squeeze(mean, axes)
    return variance.astype(input.real.dtype, copy=False), center.astype(input.dtype, copy=False)


def _var_input(g: Any, input: Tensor, dim: Any, correction: Any, keepdim: bool) -> Any:
    """The mean does not count: its derivative is multiplied by the sum of the deviations, which is 0."""
    shape = input.array.shape
    degrees = reduced_count(shape, dim) - correction
    mean = ops.mean(input) if dim is None else ops.mean(input, dim, True)
    spread = unreduced(g, shape, dim, keepdim)
    if dim is None and degrees <= 0:
        return spread * ops.where(input == mean, nan, inf)
    return (2.0 / degrees if degrees else inf) * spread * (input - mean)


def _std_input(g: Any, input: Tensor, out: Tensor, dim: Any, correction: Any, keepdim: bool) -> Any:
    """No cotangent passes where the deviation is 0."""
    half = (g / (out * 2)).masked_fill(out == 0, 0)
    return _var_input(half, input, dim, correction, keepdim)


def _mean_part(g: Any, input: Tensor, dim: Any, keepdim: bool) -> Any:
    shape = input.array.shape
    return ops.expand(unreduced(g / max(reduced_count(shape, dim), 1), shape, dim, keepdim), shape)


def _plus(one: Any, other: Any) -> Any:
    return other if one is None else one if other is None else one + other


@primitive(public=False, total=True, shown_as="var", grad_fn="VarBackward0", scratch=2.5)
def var_dim(input: Array, dim: Dims | None, correction: Scalar, keepdim: bool) -> Array:
    """The variance over ``dim`` with ``correction`` degrees of freedom taken off."""
    return _moments(input, dim, correction, keepdim)[0]


@primitive(public=False, total=True, shown_as="std", grad_fn="StdBackward0", scratch=2.5)
def std_dim(input: Array, dim: Dims | None, correction: Scalar, keepdim: bool) -> Array:
    """The standard deviation over ``dim`` with ``correction`` degrees of freedom taken off."""
    return np.sqrt(_moments(input, dim, correction, keepdim)[0])


var_dim.vjp(input=_var_input)
std_dim.vjp(input=_std_input)


@primitive(
    public=False, total=True, shown_as="var_mean", outputs=("variance", "mean"), grad_fn="VarMeanBackward0",
    scratch=2.5,
)  # fmt: skip
def var_mean_dim(input: Array, dim: Dims | None, correction: Scalar, keepdim: bool) -> tuple[Array, Array]:
    """Variance and mean over ``dim``."""
    return _moments(input, dim, correction, keepdim)


@primitive(
    public=False, total=True, shown_as="std_mean", outputs=("deviation", "mean"), grad_fn="StdMeanBackward0",
    scratch=2.5,
)  # fmt: skip
def std_mean_dim(input: Array, dim: Dims | None, correction: Scalar, keepdim: bool) -> tuple[Array, Array]:
    """Standard deviation and mean over ``dim``."""
    variance, mean = _moments(input, dim, correction, keepdim)
    return np.sqrt(variance), mean


def _var_mean_input(cotangents: Any, input: Tensor, dim: Any, correction: Any, keepdim: bool) -> Any:
    spread, center = cotangents
    return _plus(
        None if spread is None else _var_input(spread, input, dim, correction, keepdim),
        None if center is None else _mean_part(center, input, dim, keepdim),
    )


def _std_mean_input(cotangents: Any, input: Tensor, deviation: Tensor, dim: Any, correction: Any, keepdim: bool) -> Any:
    spread, center = cotangents
    return _plus(
        None if spread is None else _std_input(spread, input, deviation, dim, correction, keepdim),
        None if center is None else _mean_part(center, input, dim, keepdim),
    )


var_mean_dim.vjp(input=_var_mean_input)
std_mean_dim.vjp(input=_std_mean_input)


# -- the public forms ---------------------------------------------------------------------------------------------
def _spread(name: str, input: Tensor, dim: Any, unbiased: bool | None, keepdim: bool, correction: Any) -> Any:
    """Bring the ways of calling these ops to one: ``(unbiased)``, ``(dim, unbiased)``, ``(dim, correction)``."""
    if isinstance(dim, bool) and unbiased is None:
        check_dim_of(keepdim)
        dim, unbiased = None, dim
    if unbiased is not None and (correction is not None or not isinstance(unbiased, bool)):
        raise ArgumentTypeError(f"{name}() received an invalid combination of arguments")
    if correction is None:
        correction = 1 if unbiased is None else int(unbiased)
    if isinstance(correction, complex):
        raise OpError("value cannot be converted to type double without overflow")
    _check_spread(name, input)
    _warn_of_freedom(name, input, dim, correction)
    return getattr(ops, f"{name}_dim")(input, dim, correction, keepdim)


def _check_spread(name: str, input: Tensor) -> None:
    if input.dtype.category < FLOATING:
        subject = name if name.endswith("_mean") else "std and var"
        raise OpError(f"{subject} only support floating point and complex dtypes")


def _warn_of_freedom(name: str, input: Tensor, dim: Any, correction: Any) -> None:
    shape = input.array.shape
    dims = tuple(axis % max(len(shape), 1) for axis in _listed(dim))
    if (0 if 0 in _kept(shape, dims) else reduced_count(shape, dims)) <= correction:
        modes.warn(
            f"{name}(): degrees of freedom is <= 0. Correction should be strictly less than the reduction factor "
            "(input numel divided by output numel)."
        )


def _listed(dim: Any) -> tuple[int, ...]:
    return () if dim is None else tuple(dim) if isinstance(dim, list | tuple) else (dim,)


def _kept(shape: tuple[int, ...], dims: tuple[int, ...]) -> list[int]:
    return [extent for axis, extent in enumerate(shape) if dims and axis not in dims]


@composite(out="cast")
def var(
    input: Tensor, dim: Dims | None = None, unbiased: bool | None = None, keepdim: bool = False, *,
    correction: Scalar | None = None,
) -> Any:  # fmt: skip
    """The variance over ``dim``: squared deviations, summed and divided by their number less ``correction`` (1)."""
    return _spread("var", input, dim, unbiased, keepdim, correction)


@composite(out="cast")
def std(
    input: Tensor, dim: Dims | None = None, unbiased: bool | None = None, keepdim: bool = False, *,
    correction: Scalar | None = None,
) -> Any:  # fmt: skip
    """The standard deviation over ``dim``: the root of ``var``."""
    return _spread("std", input, dim, unbiased, keepdim, correction)


@composite(method=False)
def var_mean(
    input: Tensor, dim: Dims | None = None, unbiased: bool | None = None, keepdim: bool = False, *,
    correction: Scalar | None = None,
) -> Any:  # fmt: skip
    """Variance and mean over ``dim``."""
    return _spread("var_mean", input, dim, unbiased, keepdim, correction)


@composite(method=False)
def std_mean(
    input: Tensor, dim: Dims | None = None, unbiased: bool | None = None, keepdim: bool = False, *,
    correction: Scalar | None = None,
) -> Any:  # fmt: skip
    """Standard deviation and mean over ``dim``."""
    return _spread("std_mean", input, dim, unbiased, keepdim, correction)


# -- covariance ---------------------------------------------------------------------------------------------------
@composite
def cov(input: Tensor, *, correction: int = 1, fweights: Tensor | None = None, aweights: Tensor | None = None) -> Any:
    """The covariance matrix of variables in rows and observations in columns.

    ``fweights`` says how often an observation was made, ``aweights`` how much it weighs.
    """
    _check_cov(input, fweights, aweights)
    observed = ops.view(input, (1, -1)) if input.array.ndim < 2 else input
    count = observed.array.shape[1]
    weights = fweights if aweights is None else aweights if fweights is None else fweights * aweights
    total = count if weights is None else ops.sum(weights)
    weighted = observed if weights is None else observed * weights
    average = ops.sum(weighted, 1) / total
    freedom = _freedom(total, weights, aweights, correction)
    centered = observed - ops.unsqueeze(average, 1)
    right = centered if weights is None else centered * weights
    products = ops.mm(centered, ops.conj(ops.t(right)))
    return ops.squeeze(ops.div(products, freedom))


def _freedom(total: Any, weights: Any, aweights: Tensor | None, correction: int) -> Any:
    """What the sums of products are divided by."""
    if aweights is not None and correction != 0:
        degrees = total - ops.mul_number(ops.sum(weights * aweights), correction) / total
    else:
        degrees = total - correction
    is_tensor = isinstance(degrees, Tensor)
    if (read(degrees) if is_tensor else degrees) <= 0:
        modes.warn(
            "cov(): degrees of freedom is <= 0. Correction should be strictly less than the number of observations."
        )
        return ops.zero.inplace(degrees) if is_tensor else 0
    return degrees


def _check_cov(input: Tensor, fweights: Tensor | None, aweights: Tensor | None) -> None:
    if input.array.ndim > 2:
        raise OpError(
            f"cov(): expected input to have two or fewer dimensions but got an input with {input.array.ndim} dimensions"
        )
    if input.dtype.category == BOOL:
        raise OpError("cov(): bool dtype is not supported for input")
    count = input.array.shape[1] if input.array.ndim == 2 else input.array.size
    if fweights is not None:
        _check_weights("fweights", fweights, INTEGER, "integral", count)
    if aweights is not None:
        _check_weights("aweights", aweights, FLOATING, "floating point", count)
    product_of_weights = np.array(1)
    for weights in (fweights, aweights):
        if weights is not None:
            product_of_weights = product_of_weights * read(weights)
    if (fweights is not None or aweights is not None) and np.sum(product_of_weights) == 0:
        raise OpError("cov(): weights sum to zero, can't be normalized")


def _check_weights(name: str, weights: Tensor, category: int, kind: str, count: int) -> None:
    if weights.array.ndim > 1:
        raise OpError(
            f"cov(): expected {name} to have one or fewer dimensions but got {name} with {weights.array.ndim} "
            "dimensions"
        )
    if weights.dtype.category != category:
        raise OpError(
            f"cov(): expected {name} to have {kind} dtype but got {name} with {weights.dtype.scalar_type} dtype"
        )
    if weights.array.size != count:
        raise OpError(
            f"cov(): expected {name} to have the same numel as there are observations in the input but got "
            f"{weights.array.size} != {count}"
        )
    if (read(weights) < 0).any():
        raise OpError(f"cov(): {name} cannot be negative")


@composite
def corrcoef(input: Tensor) -> Any:
    """The correlation matrix of variables in rows and observations in columns."""
    if input.array.ndim > 2:
        raise OpError(
            f"corrcoef(): expected input to have two or fewer dimensions but got an input with {input.array.ndim} "
            "dimensions"
        )
    covariance = cov(input)
    if covariance.array.ndim == 0:
        return covariance / covariance
    variance = ops.diag(covariance)
    deviation = ops.sqrt(ops.real(variance) if variance.dtype.is_complex else variance)
    result = covariance / ops.view(deviation, (-1, 1)) / ops.view(deviation, (1, -1))
    if result.dtype.category == COMPLEX:
        return ops.complex(ops.clamp(ops.real(result), -1, 1), ops.clamp(ops.imag(result), -1, 1))
    return ops.clamp(result, -1, 1)
