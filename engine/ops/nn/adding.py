"""Sums that PyTorch makes in place, where the result has the shape of the first."""

from __future__ import annotations

from typing import Any

from engine.errors import OpError
from engine.op import broadcast_pair
from engine.tensor import Tensor


def added(own: Tensor, other: Tensor) -> Any:
    """``own + other``, of which only the second may be broadcast."""
    mine, shape = own.array.shape, other.array.shape
    if mine != shape and (common := broadcast_pair(mine, shape)) != mine:
        raise OpError(f"output with shape {list(mine)} doesn't match the broadcast shape {list(common)}")
    return own + other
