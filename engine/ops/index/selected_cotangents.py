"""What ops that pick elements by position share: putting cotangents back where the elements came from."""

from __future__ import annotations

from typing import Any

import numpy as np

from engine import ops
from engine.op import Array, primitive
from engine.tensor import Tensor


def put_back(g: Tensor, indices: Tensor, input_shape: Any, dim: int, keepdim: bool = True) -> Any:
    """The cotangent ``g`` of elements picked along ``dim``, at their ``indices`` in a tensor of ``input_shape``."""
    if not input_shape:
        return g
    if not keepdim:
        g, indices = ops.unsqueeze(g, dim), ops.unsqueeze(indices, dim)
    return ops.scatter_src(ops.filled(input_shape, 0, g.dtype), dim, indices, g)


@primitive(
    public=False, outputs=("mask", "count"), nondifferentiable=("input", "picked"), layout=("input", "contiguous")
)
def ties(input: Array, picked: Array, axes: Any, match_nan: bool) -> tuple[Array, Array]:
    """Where ``input`` equals ``picked``, which broadcasts against it, and how often it does so along ``axes``.

    Both come in the dtype of ``input``. A NaN equals another only if ``match_nan`` is set.
    """
    mask = input == picked
    if match_nan:
        mask |= np.isnan(input) & np.isnan(picked)
    dtype = input.dtype
    return mask.astype(dtype), np.sum(mask, axis=axes, keepdims=True, dtype=dtype)


def divided_evenly(g: Tensor, input: Tensor, out: Tensor) -> Any:
    """``g`` of a reduction over everything, divided among the elements equal to its result (NaN or not)."""
    mask, count = ops.ties(input, out, None, True)
    zeros = ops.filled(input.array.shape, 0, input.dtype)
    return ops.masked_fill_tensor(zeros, ops.ne(mask, 0), g / ops.reshape(count, ()))
