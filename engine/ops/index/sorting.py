"""Sorting, and the elements at places of the sorted order: ``topk``, ``kthvalue``, ``median``, ``mode``."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from engine.errors import ArgumentTypeError, OpError
from engine.kernels import selection
from engine.named_results import named_result
from engine.op import Array, Dim, composite, primitive
from engine.ops.index.selected_cotangents import divided_evenly, put_back
from engine.ops.reduce.extrema import check_extent
from engine.ops.reduce.sums import UNSET, is_unset
from engine.tensor import Tensor

# Which of equal elements is selected follows PyTorch up to this many elements; beyond it is the first in order.
FOLLOWED = 1 << 14


# -- sort ---------------------------------------------------------------------------------------------------------
def _sorted_places(input: Array, axis: int, is_descending: bool) -> Array:
    """The stable order along ``axis``, NaN counting as largest."""
    if not is_descending:
        return np.argsort(input, axis=axis, kind="stable")
    backwards = np.flip(np.argsort(np.flip(input, axis), axis=axis, kind="stable"), axis)
    return input.shape[axis] - 1 - backwards


def _sort(input: Array, dim: int, descending: bool) -> tuple[Array, Array]:
    if input.dtype.kind == "c":
        raise OpError(" Sort does not support complex dtypes on CPU")
    if input.ndim == 0:
        return input, np.zeros((), np.int64)
    indices = _sorted_places(input, dim, descending)
    return np.take_along_axis(input, indices, dim), indices


SORTED = named_result("sort", "values", "indices")


@primitive(
    public=False, shown_as="sort", outputs=("values", "indices"), result=SORTED, grad_fn="SortBackward0",
    layout=("input", "input"),
    scratch=2.5,
)  # fmt: skip
def sort_plain(input: Array, dim: Dim, descending: bool) -> tuple[Array, Array]:
    """``input`` sorted along ``dim``, and where its elements were."""
    return _sort(input, dim, descending)


@primitive(
    public=False, shown_as="sort", outputs=("values", "indices"), result=SORTED, grad_fn="SortBackward1",
    layout=("input", "input"),
    scratch=2.5,
)  # fmt: skip
def sort_stable(input: Array, dim: Dim, descending: bool) -> tuple[Array, Array]:
    """The same, recorded as the overload that was told whether to be stable."""
    return _sort(input, dim, descending)


for _op in (sort_plain, sort_stable):
    _op.vjp(input=lambda g, indices, input_shape, dim: put_back(g, indices, input_shape, dim))


@composite
def sort(input: Tensor, dim: Dim = -1, descending: bool = False, *, stable: bool | None = UNSET) -> Any:
    """``input`` sorted along ``dim``, and where its elements were. Equal elements keep their order."""
    return (sort_plain if is_unset(stable) else sort_stable)(input, dim, descending)


@primitive(nondifferentiable=("input",), layout="input", scratch=2)
def argsort(input: Array, dim: Dim = -1, descending: bool = False, *, stable: bool = False) -> Array:
    """Where the elements of the sorted ``input`` are."""
    return _sort(input, dim, descending)[1]


@composite
def msort(input: Tensor) -> Any:
    """``input`` sorted along its first dimension."""
    return sort_plain(input, 0, False)[0]


# -- places of equal elements -------------------------------------------------------------------------------------
Choose = Callable[[list[Any]], Any]


def _has_ties(ordered: Array) -> bool:
    """Whether neighbours in sorted rows are equal, or both NaN."""
    left, right = ordered[..., :-1], ordered[..., 1:]
    return bool(np.any((left == right) | ((left != left) & (right != right))))


def _follow(rows: Array, ordered: Array, indices: Array, choose: Choose) -> Array:
    """``indices`` of what is selected in each row, by ``choose`` in the rows whose ``ordered`` elements have ties."""
    if rows.size > FOLLOWED or not _has_ties(ordered):
        return indices
    result = np.array(indices)
    for row in np.ndindex(rows.shape[:-1]):
        if _has_ties(ordered[row]):
            result[row] = choose(rows[row].tolist())
    return result


def _as_rows(input: Array, dim: int) -> Array:
    return np.moveaxis(input, dim, -1) if input.ndim else input.reshape(1)


def _from_rows(rows: Array, input: Array, dim: int, keepdim: bool) -> Array:
    """Undo ``_as_rows`` for a result without its last dimension."""
    return np.expand_dims(rows, dim) if keepdim and input.ndim else rows


# -- topk ---------------------------------------------------------------------------------------------------------
def _top_places(values: list[Any], k: int, largest: bool) -> list[int]:
    """PyTorch selects with a heap where ``k`` is small, else by partition and a sort of what it found."""
    less = selection.descending(values) if largest else selection.ascending(values)
    items = list(range(len(values)))
    if k * 64 <= len(items):
        selection.partial_sort(items, k, less)
    elif k:
        selection.nth_element(items, k - 1, less)
        selection.sort(items, k - 1, less)
    return items[:k]


def _check_topk(input: Array, k: int, dim: int) -> None:
    if not 0 <= k <= (input.shape[dim] if input.ndim else 1):
        raise OpError("selected index k out of range")
    for kind, name in (("c", "complex"), ("b", "bool")):
        if input.dtype.kind == kind:
            raise OpError(f"{' ' * (kind == 'c')}topk does not support {name} dtypes on CPU")


@primitive(outputs=("values", "indices"), result=named_result("topk", "values", "indices"), scratch=6)
def topk(input: Array, k: int, dim: Dim = -1, largest: bool = True, sorted: bool = True) -> tuple[Array, Array]:
    """The ``k`` largest (or smallest) elements along ``dim`` in order, and where they are."""
    _check_topk(input, k, dim)
    if input.ndim == 0:
        return input, np.zeros((), np.int64)
    rows = _as_rows(input, dim)
    order = _sorted_places(rows, -1, largest)
    reaching = np.take_along_axis(rows, order[..., : k + 1], -1)
    places = _follow(rows, reaching, order[..., :k], lambda values: _top_places(values, k, largest))
    indices = np.moveaxis(places, -1, dim)
    return np.take_along_axis(input, indices, dim), indices


topk.vjp(input=lambda g, indices, input_shape, dim: put_back(g, indices, input_shape, dim))


# -- one place of the sorted order --------------------------------------------------------------------------------
def _picked(input: Array, places: Array, dim: int, keepdim: bool) -> tuple[Array, Array]:
    """Values and indices of one place of each row."""
    values = np.take_along_axis(_as_rows(input, dim), places[..., None], -1)[..., 0]
    if input.ndim == 0:
        return values.reshape(()), places.reshape(())
    return _from_rows(values, input, dim, keepdim), _from_rows(places, input, dim, keepdim)


def _kth_place(values: list[Any], k: int) -> int:
    items = list(range(len(values)))
    selection.quick_select(items, k - 1, selection.ascending(values))
    return items[k - 1]


@primitive(
    outputs=("values", "indices"), result=named_result("kthvalue", "values", "indices"), supports="if",
    promote="default", scratch=6, check=lambda input, dim: check_extent("kthvalue()", input, dim),
)  # fmt: skip
def kthvalue(input: Array, k: int, dim: Dim = -1, keepdim: bool = False) -> tuple[Array, Array]:
    """The ``k``-th smallest elements along ``dim``, and where they are."""
    if not 1 <= k <= (input.shape[dim] if input.ndim else 1):
        raise OpError(f"kthvalue(): selected number k out of range for dimension {dim}")
    rows = _as_rows(input, dim)
    order = _sorted_places(rows, -1, False)
    ordered = np.take_along_axis(rows, order, -1)
    return _picked(input, _follow(rows, ordered, order[..., k - 1], lambda values: _kth_place(values, k)), dim, keepdim)


def _median_along(input: Array, dim: int, keepdim: bool, skips_nan: bool) -> tuple[Array, Array]:
    """Of an even number of elements the lower one in the middle; the first NaN unless they are skipped."""
    rows = _as_rows(input, dim)
    order = _sorted_places(rows, -1, False)
    known = np.sum(rows == rows, axis=-1)  # not NaN
    nth = np.maximum(known - 1, 0) // 2
    if not skips_nan:
        nth = np.where(known < rows.shape[-1], known, nth)
    places = np.take_along_axis(order, nth[..., None], -1)[..., 0]
    return _picked(input, places, dim, keepdim)


def _median_of_all(input: Array, skips_nan: bool) -> Array:
    if input.size == 0:
        return np.full((), np.nan if input.dtype.kind == "f" else np.iinfo(input.dtype).min, input.dtype)
    ordered = np.sort(input, axis=None)
    known = int(np.sum(input == input))  # not NaN
    place = -1 if known < input.size and not skips_nan else max(known - 1, 0) // 2
    return ordered[place]


@primitive(
    public=False,
    shown_as="median",
    supports="if",
    kernel_name="median_cpu",
    grad_fn="MedianBackward0",
    promote="default",
)
def median_all(input: Array) -> Array:
    """The median of all elements, the lower one of two; NaN if there is one."""
    return _median_of_all(input, False)


@primitive(
    public=False,
    shown_as="nanmedian",
    supports="if",
    kernel_name="median_cpu",
    grad_fn="NanmedianBackward0",
    promote="default",
)
def nanmedian_all(input: Array) -> Array:
    """The median of the elements that are not NaN."""
    return _median_of_all(input, True)


@primitive(
    public=False, outputs=("values", "indices"), result=named_result("median", "values", "indices"), supports="if",
    kernel_name="median_out", grad_fn="MedianBackward1", promote="default", shown_as="median",
    scratch=2.5, check=lambda input, dim: check_extent("median()", input, dim),
)  # fmt: skip
def median_dim(input: Array, dim: Dim, keepdim: bool) -> tuple[Array, Array]:
    """Medians along ``dim``, and where they are."""
    return _median_along(input, dim, keepdim, False)


@primitive(
    public=False, outputs=("values", "indices"), result=named_result("nanmedian", "values", "indices"), supports="if",
    kernel_name="median_out", grad_fn="NanmedianBackward1", promote="default",
    scratch=2.5, check=lambda input, dim: check_extent("median()", input, dim),
)  # fmt: skip
def nanmedian_dim(input: Array, dim: Dim, keepdim: bool) -> tuple[Array, Array]:
    """Medians along ``dim`` of the elements that are not NaN, and where they are."""
    return _median_along(input, dim, keepdim, True)


def _check_dim(name: str, dim: Any, keepdim: bool) -> None:
    if keepdim and is_unset(dim):
        raise ArgumentTypeError(f'{name}() missing 1 required positional arguments: "dim"')


@composite
def median(input: Tensor, dim: Dim = UNSET, keepdim: bool = False) -> Any:
    """The median, of two the lower; NaN if an element is."""
    _check_dim("median", dim, keepdim)
    return median_all(input) if is_unset(dim) else median_dim(input, dim, keepdim)


@composite
def nanmedian(input: Tensor, dim: Dim = UNSET, keepdim: bool = False) -> Any:
    """The median of the elements that are not NaN."""
    _check_dim("nanmedian", dim, keepdim)
    return nanmedian_all(input) if is_unset(dim) else nanmedian_dim(input, dim, keepdim)


# -- mode ---------------------------------------------------------------------------------------------------------
def _mode_place(values: Array, follows: bool) -> int:
    """The last element of the longest run of equal ones in sorted order, of the first such run."""
    order = np.argsort(values, kind="stable")
    if follows:
        listed, items = values.tolist(), list(range(len(values)))
        selection.sort(items, len(items), lambda i, j: listed[i] < listed[j])
        order = np.asarray(items)
    ordered = values[order]
    ends = np.append(np.flatnonzero(ordered[1:] != ordered[:-1]), len(values) - 1)
    return int(order[ends[np.argmax(np.diff(ends, prepend=-1))]])


@primitive(
    outputs=("values", "indices"), result=named_result("mode", "values", "indices"), supports="bif",
    promote="default", scratch=8, check=lambda input, dim: check_extent("mode()", input, dim),
)  # fmt: skip
def mode(input: Array, dim: Dim = -1, keepdim: bool = False) -> tuple[Array, Array]:
    """The most frequent elements along ``dim``, of several the smallest, and where one is."""
    rows = _as_rows(input, dim)
    places = np.zeros(rows.shape[:-1], np.int64)
    for row in np.ndindex(places.shape):
        places[row] = _mode_place(rows[row], rows.size <= FOLLOWED)
    return _picked(input, places, dim, keepdim)


median_all.vjp(input=divided_evenly)
nanmedian_all.vjp(input=divided_evenly)
for _op in (kthvalue, median_dim, nanmedian_dim, mode):
    _op.vjp(input=lambda g, indices, input_shape, dim, keepdim: put_back(g, indices, input_shape, dim, keepdim))
