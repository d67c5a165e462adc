"""Shapes that broadcast, and the refusal of those that do not."""

from __future__ import annotations

from collections.abc import Sequence
from math import prod
from typing import Any

import numpy as np

from engine.errors import OpError


def check_broadcast(arrays: Sequence[np.ndarray[Any, Any]]) -> tuple[int, ...]:
    """The common shape; refuses shapes that do not broadcast, in PyTorch's words."""
    shape: tuple[int, ...] = arrays[0].shape
    for array in arrays[1:]:
        if array.shape != shape and array.shape:
            shape = broadcast_pair(shape, array.shape)
    return shape


def broadcast_pair(left: tuple[int, ...], right: tuple[int, ...]) -> tuple[int, ...]:
    ndim = max(len(left), len(right))
    left_full = (1,) * (ndim - len(left)) + tuple(left)
    right_full = (1,) * (ndim - len(right)) + tuple(right)
    for dim in reversed(range(ndim)):
        if left_full[dim] != right_full[dim] and 1 not in (left_full[dim], right_full[dim]):
            raise OpError(
                f"The size of tensor a ({left_full[dim]}) must match the size of tensor b ({right_full[dim]}) at "
                f"non-singleton dimension {dim}"
            )
    return tuple(b if a == 1 else a for a, b in zip(left_full, right_full, strict=True))


def extents(array: np.ndarray[Any, Any]) -> int:
    """How many elements an array has; of an empty one, how many results there may be of nothing."""
    return array.size or prod([max(extent, 1) for extent in array.shape])
