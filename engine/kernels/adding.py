"""Sums of slices at index arrays, where one place may be named several times."""

from __future__ import annotations

from collections.abc import Sequence
from math import prod
from typing import Any, TypeAlias

import numpy as np
import scipy  # loads what is used of it when it is

Array: TypeAlias = np.ndarray[Any, Any]
WORTH = 2**14  # elements from which on a sparse matrix gains
SHORT = 8  # elements of slices up to which it does not


def is_worth(values: Array, extent: int) -> bool:
    """Whether ``summed_at`` is quicker than ``np.add.at``, for slices of ``extent`` elements."""
    return values.dtype.kind in "fc" and values.size >= WORTH and extent > SHORT


def summed_at(shape: tuple[int, ...], dims: Sequence[int], indices: Sequence[Array], values: Array) -> Array:
    """Zeros of ``shape`` with ``values`` added at ``indices``, one for each of ``dims`` and all of one shape.

    The product of a sparse matrix of ones, a column for each index, which adds slices up in the order in which they
    come. ``values`` lie as what is there does when it is read.
    """
    count, common = indices[0].size, indices[0].ndim
    rest = [dim for dim in range(len(shape)) if dim not in dims]
    front = dims[0] if dims[-1] - dims[0] == len(dims) - 1 else 0
    rows: Any = 0
    for dim, index in zip(dims, indices, strict=True):
        rows = rows * shape[dim] + np.where(index < 0, index + shape[dim], index)
    first = np.moveaxis(values, range(front, front + common), range(common)) if front else values
    extent = prod([shape[dim] for dim in dims])
    ones = np.ones(count, values.dtype)
    matrix = scipy.sparse.csc_array((ones, rows.reshape(-1), np.arange(count + 1)), shape=(extent, count))
    sums = matrix @ first.reshape(count, -1)
    turned = sums.reshape([shape[dim] for dim in (*dims, *rest)])
    return np.ascontiguousarray(turned.transpose(np.argsort([*dims, *rest])))
