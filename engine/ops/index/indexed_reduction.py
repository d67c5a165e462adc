"""Reductions into positions: ``scatter_reduce`` along a dimension, ``index_reduce`` of whole slices.

Both are one computation over flattened places, and share their rules: ``_Reading`` carries what differs, how cotangents
are read back at the positions and how elements are counted there.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from engine import modes, ops
from engine.errors import ArgumentTypeError, OpError, UnsupportedError
from engine.op import Array, Dim, Index, overloaded, primitive, type_name
from engine.ops.index.gathering import check_inside, flat_places
from engine.ops.index.scattering import check_operands, check_slices, covered, places_of
from engine.ops.math.complex_histories import refuse_complex_history
from engine.tensor import Tensor

BETA = "index_reduce() is in beta and the API may change at any time."
_UFUNCS: dict[str, Any] = {
    "sum": np.add, "mean": np.add, "prod": np.multiply, "amax": np.maximum, "amin": np.minimum,
}  # fmt: skip


# -- kernels ------------------------------------------------------------------------------------------------------
def _reduced(input: Array, places: Array, src: Array, reduce: str, include_self: bool) -> Array:
    """``input`` with ``src`` reduced into the flattened ``places``."""
    result = np.array(input, order="C")
    flat = result.reshape(-1)
    if not include_self:
        flat[places] = _identity(reduce, input.dtype)
    _UFUNCS[reduce].at(flat, places, src.reshape(-1))
    if reduce == "mean":
        _divide(flat, places, include_self)
    return result


def _identity(reduce: str, dtype: np.dtype[Any]) -> Any:
    if reduce in ("sum", "mean"):
        return 0
    if reduce == "prod":
        return 1
    if dtype.kind in "iu":
        return np.iinfo(dtype).min if reduce == "amax" else np.iinfo(dtype).max
    if dtype.kind == "b":
        return reduce == "amin"
    return -np.inf if reduce == "amax" else np.inf


def _divide(flat: Array, places: Array, include_self: bool) -> None:
    counts = np.bincount(places, minlength=flat.size) + include_self
    counts = np.maximum(counts, 1).astype(flat.dtype)
    if flat.dtype.kind in "iu":
        flat //= counts
    else:
        flat /= counts


@primitive(public=False, grad_fn="ScatterReduceBackward0", overlap="any", scratch=3)
def scatter_reduced_to(input: Array, dim: Dim, index: Index, src: Array, reduce: str, include_self: bool) -> Array:
    """``input`` with ``src`` reduced into the positions ``index`` along ``dim``."""
    return _reduced(input, places_of(input, dim, index), covered(src, index), reduce, include_self)


@primitive(public=False, grad_fn="IndexReduceBackward0", overlap="any")
def index_reduced_to(input: Array, dim: Dim, index: Index, source: Array, reduce: str, include_self: bool) -> Array:
    """``input`` with the slices of ``source`` reduced into the positions ``index`` along ``dim``."""
    check_inside(index, dim, input.shape[dim] if input.ndim else 1)
    if input.ndim == 0:
        return _reduced(input, np.zeros(source.size, np.int64), source, reduce, include_self)
    shape = tuple(-1 if axis == dim else 1 for axis in range(input.ndim))
    full = np.broadcast_to(index.reshape(shape), source.shape)
    return _reduced(input, flat_places(input.shape, full, dim).reshape(-1), source, reduce, include_self)


def _check_word(name: str, reduce: Any) -> None:
    if not isinstance(reduce, str):
        raise ArgumentTypeError(f"{name}(): argument 'reduce' (position 5) must be str, not {type_name(reduce)}")


@overloaded
def scatter_reduce(
    input: Tensor, dim: int, index: Tensor, src: Tensor, reduce: str, *, include_self: bool = True
) -> Any:
    """The tensor with ``src`` reduced (sum, prod, mean, amax, amin) into the positions ``index`` along ``dim``."""
    _check_word("scatter_reduce", reduce)
    if reduce not in _UFUNCS:
        raise OpError(f"reduce argument must be either sum, prod, mean, amax or amin, got {reduce}")
    check_operands("scatter", input, dim, index, src)
    if input.dtype.is_complex and reduce in ("amax", "amin"):
        raise UnsupportedError(
            f"\"scatter_gather_tensor_cpu_reduce_{reduce}\" not implemented for '{input.dtype.scalar_type}'"
        )
    refuse_complex_history("scatter_reduce", input, src)
    return scatter_reduced_to, (input, dim, index, src, reduce, include_self)


@overloaded
def index_reduce(
    input: Tensor, dim: int, index: Tensor, source: Tensor, reduce: str, *, include_self: bool = True
) -> Any:
    """The tensor with the slices of ``source`` reduced into the positions ``index`` along ``dim``."""
    _check_word("index_reduce", reduce)
    if reduce not in _UFUNCS or reduce == "sum":
        raise OpError(f"index_reduce(): Expected reduce to be one of prod, mean, amax or amin but got {reduce}.")
    check_slices("index_reduce", input, dim, index, source)
    modes.warn_once(BETA)
    if input.dtype.is_complex and reduce in ("amax", "amin"):
        kernel = f"index_func_{reduce}" if include_self else "index_reduce_func_exclude_input_init"
        raise UnsupportedError(f"\"{kernel}\" not implemented for '{input.dtype.scalar_type}'")
    refuse_complex_history("index_reduce", input, source)
    return index_reduced_to, (input, dim, index, source, reduce, include_self)


# -- rules --------------------------------------------------------------------------------------------------------
class _Reading:
    """The two ops as the rules see them: values read back at the positions, and added into them."""

    def __init__(self, is_scatter: bool, dim: int, index: Tensor) -> None:
        self.is_scatter, self.dim, self.index = is_scatter, dim, index

    def read(self, values: Any) -> Any:
        """``values`` of the input's shape at the positions, in the shape of ``src``."""
        return (ops.gather if self.is_scatter else ops.index_select)(values, self.dim, self.index)

    def add(self, values: Any, src: Any) -> Any:
        """``src`` added into ``values`` at the positions."""
        return (ops.scatter_add if self.is_scatter else ops.index_add)(values, self.dim, self.index, src)

    def clear(self, values: Any) -> Any:
        """``values`` with zeros at the positions."""
        return (ops.scatter if self.is_scatter else ops.index_fill)(values, self.dim, self.index, 0)

    def reduce(self, values: Any, src: Any, include_self: bool) -> Any:
        """The product of ``src`` into ``values``."""
        op = scatter_reduced_to if self.is_scatter else index_reduced_to
        return op(values, self.dim, self.index, src, "prod", include_self)


def _of_mean(g: Any, reading: _Reading, input: Any, src: Any, out: Any, include_self: bool) -> tuple[Any, Any]:
    counts = (ops.ones_like if include_self else ops.zeros_like)(input)
    counts = reading.add(counts, ops.ones_like(src))
    share = g / ops.masked_fill(counts, counts == 0, 1)
    return share, reading.read(share)


def _of_sum(g: Any, reading: _Reading, input: Any, src: Any, out: Any, include_self: bool) -> tuple[Any, Any]:
    return g, reading.read(g)


def _of_extremum(g: Any, reading: _Reading, input: Any, src: Any, out: Any, include_self: bool) -> tuple[Any, Any]:
    """Elements equal to the result share the cotangent."""
    mine = (input == out).to(g.dtype)
    theirs = (src == reading.read(out)).to(g.dtype)
    share = g / reading.add(mine, theirs)
    return mine * share, theirs * reading.read(share)


def _of_prod(g: Any, reading: _Reading, input: Any, src: Any, out: Any, include_self: bool) -> tuple[Any, Any]:
    """The cotangent times the product of all others: the result divided by the element, where that is not zero.

    For an element that is zero, it is the product with 1 in its place; a second zero makes that zero as well.
    """
    is_zero = input == 0
    unit = ops.masked_fill(input, is_zero, 1)
    mine = g * reading.reduce(unit, src, include_self) / unit
    zeros = (src == 0).to(g.dtype)
    alone = ops.logical_and(src == 0, reading.read(reading.add(ops.zeros_like(input), zeros)) == 1)
    without = reading.reduce(input, ops.masked_fill(src, alone, 1), include_self)
    by_division = reading.read(g * out) / ops.masked_fill(src, src == 0, 1)
    return mine, ops.where(alone, reading.read(g * without), by_division)


_RULES = {"sum": _of_sum, "mean": _of_mean, "prod": _of_prod, "amax": _of_extremum, "amin": _of_extremum}


def _rules(
    is_scatter: bool, g: Tensor, dim: int, index: Tensor, input: Tensor, src: Tensor, out: Tensor, reduce: str,
    include_self: bool, needs: tuple[bool, bool],
) -> tuple[Any, Any]:  # fmt: skip
    reading = _Reading(is_scatter, dim, index)
    mine, theirs = _RULES[reduce](g, reading, input, src, out, include_self)
    return (mine if include_self else reading.clear(mine)) if needs[0] else None, theirs if needs[1] else None


scatter_reduced_to.vjp_joint(
    lambda g, dim, index, input, src, out, reduce, include_self, needs: _rules(
        True, g, dim, index, input, src, out, reduce, include_self, needs
    )
)
index_reduced_to.vjp_joint(
    lambda g, dim, index, input, source, out, reduce, include_self, needs: _rules(
        False, g, dim, index, input, source, out, reduce, include_self, needs
    )
)
