"""Arithmetic with a number, for composites: the nodes of those of PyTorch have other names than ``x * 2``."""

from __future__ import annotations

import numpy as np

from engine.op import Array, primitive


@primitive(public=False, pointwise=True, grad_fn="AddBackward1")
def add_number(input: Array, number: Array) -> Array:
    """``input + number``."""
    return np.add(input, number)


add_number.vjp(input=lambda g: g, number=lambda g: g)


@primitive(public=False, pointwise=True, grad_fn="SubBackward1")
def sub_number(input: Array, number: Array) -> Array:
    """``input - number``."""
    return np.subtract(input, number)


sub_number.vjp(input=lambda g: g, number=lambda g: -g)


@primitive(public=False, pointwise=True, grad_fn="MulBackward1")
def mul_number(input: Array, number: Array) -> Array:
    """``input * number``."""
    return np.multiply(input, number)


mul_number.vjp(input=lambda g, number: g * number.conj(), number=lambda g, input: g * input.conj())


@primitive(public=False, pointwise=True, promote="int_to_float", grad_fn="DivBackward1")
def div_number(input: Array, number: Array) -> Array:
    """``input / number``, in floating point."""
    return np.divide(input, number)


div_number.vjp(
    input=lambda g, number: g / number.conj(), number=lambda g, input, number: -g * (input / number / number).conj()
)
