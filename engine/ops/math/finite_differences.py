"""Differences and sums of neighbours along a dimension: ``diff``, ``gradient``, the trapezoidal rule."""

from __future__ import annotations

from typing import Any

from engine import dtypes, ops
from engine.dtypes import BOOL
from engine.errors import DimensionError, OpError
from engine.op import Dim, Scalar, composite, wrap_dim
from engine.tensor import Tensor


def _part(input: Tensor, dim: int, start: int, end: int | None) -> Any:
    return ops.slice_dim(input, dim, start, end, 1)


# -- diff ---------------------------------------------------------------------------------------------------------
def _check_edge(input: Tensor, edge: Tensor, dim: int) -> None:
    """What is prepended or appended must fit beside ``input``."""
    shape, other = input.array.shape, edge.array.shape
    if len(shape) != len(other):
        raise OpError("diff expects prepend or append to be the same dimension as input")
    for axis, (want, have) in enumerate(zip(shape, other, strict=True)):
        if axis != dim and want != have:
            raise OpError(
                "diff expects the shape of tensor to prepend or append to match that of input except along the "
                f"differencing dimension; input.size({axis}) = {want}, but got tensor.size({axis}) = {have}"
            )


def _with_edges(input: Tensor, dim: int, prepend: Tensor | None, append: Tensor | None) -> Any:
    parts = [part for part in (prepend, input, append) if part is not None]
    for part in parts:
        _check_edge(input, part, dim)
    return input if len(parts) == 1 else ops.cat(parts, dim)


@composite
def diff(input: Tensor, n: int = 1, dim: Dim = -1, prepend: Tensor | None = None, append: Tensor | None = None) -> Any:
    """The ``n``-th difference along ``dim``, with ``prepend`` and ``append`` joined on first."""
    if input.array.ndim == 0:
        raise OpError("diff expects input to be at least one-dimensional")
    if n < 0:
        raise OpError(f"order must be non-negative but got {n}")
    if n == 0:
        return ops.copy.inplace(ops.zeros_of(input.detach()), input)
    dim = wrap_dim(dim, input.array.ndim)
    result = _with_edges(input, dim, prepend, append)
    extent = result.array.shape[dim]
    minus = ops.logical_xor if input.dtype.category == BOOL else ops.sub
    for length in range(extent - 1, extent - 1 - min(n, extent), -1):
        result = minus(ops.narrow(result, dim, 1, length), ops.narrow(result, dim, 0, length))
    return result


# -- the trapezoidal rule -----------------------------------------------------------------------------------------
def _check_integrand(name: str, y: Tensor, x: Tensor | None, dx: Any) -> None:
    if x is None and y.dtype.category == BOOL:
        raise OpError(f"{name}: received a bool input for `y`, but bool is not supported")
    if x is not None and BOOL in (x.dtype.category, y.dtype.category):
        raise OpError(f"{name}: received a bool input for `x` or `y`, but bool is not supported")
    if isinstance(dx, complex | bool):
        raise OpError(f"{name}: Currently, we only support dx as a real number.")


def _steps(name: str, y: Tensor, x: Tensor, dim: int) -> Any:
    """The widths between the sample points ``x``, in a shape that broadcasts against ``y``."""
    shape, ndim = x.array.shape, y.array.ndim
    if len(shape) == 1:
        if shape[0] != y.array.shape[dim]:
            raise OpError(f"{name}: There must be one `x` value for each sample point")
        x = ops.view(x, [shape[0] if axis == dim else 1 for axis in range(ndim)])
    elif len(shape) < ndim:
        x = ops.view(x, [1] * (ndim - len(shape)) + list(shape))
    return _part(x, dim, 1, None) - _part(x, dim, 0, -1)


def _pairs(y: Tensor, dim: int) -> Any:
    """Sums of neighbours."""
    return _part(y, dim, 0, -1) + _part(y, dim, 1, None)


@composite
def trapezoid(y: Tensor, x: Tensor | None = None, *, dx: Scalar = 1, dim: Dim = -1) -> Any:
    """The integral of ``y`` along ``dim`` by the trapezoidal rule, at the points ``x`` or at distances ``dx``."""
    _check_integrand("trapezoid", y, x, dx)
    if y.array.ndim == 0:
        raise DimensionError(f"Dimension specified as {dim} but tensor has no dimensions")
    dim = wrap_dim(dim, y.array.ndim)
    if y.array.shape[dim] == 0:
        return ops.zeros_of(ops.sum_dim(y.detach(), dim))
    if x is not None:
        return ops.div_number(ops.sum(_pairs(y, dim) * _steps("trapezoid", y, x, dim), dim), 2.0)
    ends = ops.mul_number(ops.select(y, dim, 0) + ops.select(y, dim, -1), 0.5)
    return ops.mul_number(ops.sum(y, dim) - ends, dx)


@composite
def trapz(y: Tensor, x: Tensor | None = None, *, dx: float = 1.0, dim: Dim = -1) -> Any:
    """``trapezoid`` under its old name."""
    return ops.trapezoid(y, x, dx=float(dx), dim=dim)


@composite
def cumulative_trapezoid(y: Tensor, x: Tensor | None = None, *, dx: Scalar = 1, dim: Dim = -1) -> Any:
    """The integral of ``y`` from the first sample up to each further one along ``dim``."""
    _check_integrand("cumulative_trapezoid", y, x, dx)
    if y.array.ndim == 0:
        raise DimensionError("slice() cannot be applied to a 0-dim tensor.")
    dim = wrap_dim(dim, y.array.ndim)
    if x is None:
        return ops.cumsum(ops.mul_number(_pairs(y, dim), dx / 2), dim)
    return ops.div_number(ops.cumsum(_pairs(y, dim) * _steps("cumulative_trapezoid", y, x, dim), dim), 2.0)


# -- gradient -----------------------------------------------------------------------------------------------------
@composite(method=False)
def gradient(
    input: Tensor, *, spacing: Any = None, dim: int | tuple[int, ...] | list[int] | None = None, edge_order: int = 1
) -> tuple[Any, ...]:
    """Derivatives along ``dim`` by central differences, one-sided at the ends.

    ``spacing`` is a distance, one for each dimension, or a 1-d tensor of coordinates for each dimension.
    """
    dims = _gradient_dims(input, dim)
    spacings = _spacings(input, spacing, dims, dim is not None)
    _check_gradient(input, dims, edge_order)
    return tuple(_derivative(input, axis, step, edge_order) for axis, step in zip(dims, spacings, strict=True))


def _gradient_dims(input: Tensor, dim: Any) -> list[int]:
    ndim = input.array.ndim
    if dim is None:
        return list(range(ndim))
    dims = [wrap_dim(axis, ndim) for axis in (dim if isinstance(dim, list | tuple) else (dim,))]
    for axis in dims:
        if dims.count(axis) > 1:
            raise OpError(f"dim {axis} appears multiple times in the list of dims")
    return dims


def _spacings(input: Tensor, spacing: Any, dims: list[int], dims_given: bool) -> list[Any]:
    """The spacing of each of ``dims``: a number or a tensor of coordinates."""
    if isinstance(spacing, Tensor) and spacing.array.ndim == 0:
        spacing = spacing.item()
    if not isinstance(spacing, list | tuple):
        return [1 if spacing is None else spacing] * len(dims)
    if len(spacing) != len(dims):
        if not dims_given:
            raise OpError(
                "torch.gradient expected spacing to be unspecified, a scalar, or a list of length equal to "
                f"'self.dim() = {input.array.ndim}', since dim argument was not given, but got a list of length "
                f"{len(spacing)}"
            )
        raise OpError(
            "torch.gradient expected spacing to be unspecified, a scalar or it's spacing and dim arguments to have "
            f"the same length, but got a spacing argument of length {len(spacing)} and a dim argument of length "
            f"{len(dims)}."
        )
    for step in spacing:
        if isinstance(step, Tensor) and step.array.ndim != 1:
            raise OpError(
                "torch.gradient expected each element of spacing to have one dimension, but got an element with "
                f"{step.array.ndim} dimensions!"
            )
    return list(spacing)


def _check_gradient(input: Tensor, dims: list[int], edge_order: int) -> None:
    if input.dtype is dtypes.uint8:
        raise OpError("torch.gradient does not support uint8 input.")
    if edge_order not in (1, 2):
        raise OpError("torch.gradient only supports edge_order=1 and edge_order=2.")
    for dim in dims:
        if input.array.shape[dim] < edge_order + 1:
            raise OpError("torch.gradient expected each dimension size to be at least edge_order+1")


def _derivative(input: Tensor, dim: int, step: Any, edge_order: int) -> Any:
    """The derivative along ``dim``: one-sided, central, one-sided."""
    if isinstance(step, Tensor):
        return _uneven_derivative(input, dim, step, edge_order)
    if edge_order == 2:
        first = _scaled(input, dim, 0, 1, -1.5) + _scaled(input, dim, 1, 2, 2) - _scaled(input, dim, 2, 3, 0.5)
        last = _scaled(input, dim, -3, -2, 0.5) - _scaled(input, dim, -2, -1, 2) + _scaled(input, dim, -1, None, 1.5)
    else:
        first = _part(input, dim, 1, 2) - _part(input, dim, 0, 1)
        last = _part(input, dim, -1, None) - _part(input, dim, -2, -1)
    center = ops.div_number(_part(input, dim, 2, None) - _part(input, dim, 0, -2), step)
    return ops.cat([ops.div_number(first, step), ops.div_number(center, 2), ops.div_number(last, step)], dim)


def _scaled(input: Tensor, dim: int, start: int, end: int | None, factor: float) -> Any:
    return ops.mul_number(_part(input, dim, start, end), factor)


def _uneven_derivative(input: Tensor, dim: int, coordinates: Tensor, edge_order: int) -> Any:
    """Second-order differences over steps of different widths: slopes, weighted by the width of the other step."""
    shape = [-1 if axis == dim else 1 for axis in range(input.array.ndim)]
    widths = ops.reshape(ops.diff(coordinates), shape)
    slopes = (_part(input, dim, 1, None) - _part(input, dim, 0, -1)) / widths
    before, after = _part(widths, dim, 0, -1), _part(widths, dim, 1, None)
    left, right = _part(slopes, dim, 0, -1), _part(slopes, dim, 1, None)
    center = (left * after + right * before) / (before + after)
    first, last = _part(slopes, dim, 0, 1), _part(slopes, dim, -1, None)
    if edge_order == 2:
        bend = (right - left) / (before + after)
        first = first - _part(bend, dim, 0, 1) * _part(widths, dim, 0, 1)
        last = last + _part(bend, dim, -1, None) * _part(widths, dim, -1, None)
    return ops.cat([first, center, last], dim)
