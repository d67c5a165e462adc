"""Arithmetic with a number, for composites: the nodes of PyTorch's own are not those of ``x * 2``.

They have other names, and no edge for the number.
"""

from __future__ import annotations

import numpy as np

from engine.op import Array, float_valued, pointwise


@pointwise(public=False, nondifferentiable=("number",), grad_fn="AddBackward1")
def add_number(input: Array, number: Array) -> Array:
    """``input + number``."""
    return np.add(input, number)


add_number.vjp(input=lambda g: g)


@pointwise(public=False, nondifferentiable=("number",), grad_fn="SubBackward1")
def sub_number(input: Array, number: Array) -> Array:
    """``input - number``."""
    return np.subtract(input, number)


sub_number.vjp(input=lambda g: g)


@pointwise(public=False, nondifferentiable=("number",), grad_fn="MulBackward1")
def mul_number(input: Array, number: Array) -> Array:
    """``input * number``."""
    return np.multiply(input, number)


mul_number.vjp(input=lambda g, number: g * number.conj())


@float_valued(public=False, nondifferentiable=("number",), grad_fn="DivBackward1")
def div_number(input: Array, number: Array) -> Array:
    """``input / number``, in floating point."""
    return np.divide(input, number)


div_number.vjp(input=lambda g, number: g / number.conj())
