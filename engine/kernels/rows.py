"""Kernels of rows, a block of rows at a time: what lies between their steps then stays in the cache."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

Array = np.ndarray[Any, Any]
BLOCK = 2**15  # elements at a time
WORTH = 2**17  # elements from which on blocks gain


def in_blocks(kernel: Callable[..., Array], dims: tuple[int, ...], *arrays: Array) -> Array:
    """``kernel(dims, *arrays)``, whose result is like the first array and whose rows depend on nothing else.

    ``dims`` are reduced dimensions; rows are what is in front of them if they are the last ones. The arrays have the
    shape of the first, or one element for each row.
    """
    first = arrays[0]
    rank = first.ndim - len(dims)
    is_last = bool(rank) and sorted(dims) == list(range(rank, first.ndim))
    if type(first) is not np.ndarray or first.size < WORTH or not is_last:
        return kernel(dims, *arrays)
    if not all(type(one) is np.ndarray and one.flags.c_contiguous for one in arrays):
        return kernel(dims, *arrays)
    lead = first.shape[:rank]
    rows = int(np.prod(lead))
    if any(one.shape != first.shape and one.shape != (*lead, *(1 for _ in dims)) for one in arrays):
        return kernel(dims, *arrays)
    flat = [one.reshape(rows, one.size // rows) for one in arrays]
    result = np.empty_like(first)
    target = result.reshape(rows, -1)
    step = max(1, BLOCK // target.shape[1])
    for start in range(0, rows, step):
        target[start : start + step] = kernel((1,), *[one[start : start + step] for one in flat])
    return result
