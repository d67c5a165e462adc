"""What ops that pick elements by position share: putting cotangents back where the elements came from."""

from __future__ import annotations

from math import prod
from typing import Any

import numpy as np

from engine import ops
from engine.op import Array, Dim, Index, primitive
from engine.tensor import Tensor


@primitive(
    public=False, linear=True,
    grows=lambda input, dim, size: prod([*input.shape[:dim], size, *input.shape[dim:][1:]]),
)  # fmt: skip
def place(input: Array, index: Index, dim: Dim, size: int) -> Array:
    """Zeros of extent ``size`` along ``dim``, with ``input`` at the places ``index``, which are distinct."""
    if input.ndim == 0:
        return input
    shape = list(input.shape)
    shape[dim] = size
    result = np.zeros(shape, input.dtype)
    np.put_along_axis(result, index, input, dim)
    return result


place.vjp(input=lambda g, index, dim: ops.gather(g, dim, index))


def put_back(g: Tensor, indices: Tensor, input_shape: Any, dim: int, keepdim: bool = True) -> Any:
    """The cotangent ``g`` of elements picked along ``dim``, at their ``indices`` in a tensor of ``input_shape``."""
    if not input_shape:
        return g
    if not keepdim:
        g, indices = ops.unsqueeze(g, dim), ops.unsqueeze(indices, dim)
    return ops.place(g, indices, dim, input_shape[dim])


@primitive(public=False, outputs=("mask", "count"), nondifferentiable=("input", "picked"))
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
    return mask * (g / ops.reshape(count, ()))
