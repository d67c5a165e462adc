"""Softmax and its logarithm along dimension 1 of rows, and their adjoints, written into results (``rows.along``)."""

from __future__ import annotations

from typing import Any, TypeAlias

import numpy as np

from engine.kernels.rows import sums

Array: TypeAlias = np.ndarray[Any, Any]
_largest: Any = np.maximum.reduce


def softmax(result: Array, input: Array) -> None:
    """Exponentials over their sum."""
    np.subtract(input, _largest(input, axis=1, keepdims=True), out=result)
    np.exp(result, out=result)
    result /= sums(result)


def softmax_adjoint(result: Array, out: Array, grad: Array) -> None:
    """``out * (grad - <grad, out>)``, of a softmax with value ``out``."""
    products = np.multiply(out, grad, out=result)
    np.subtract(grad, sums(products), out=result)
    result *= out


def log_softmax(result: Array, input: Array) -> None:
    """Centred values minus the logarithm of the sum of their exponentials."""
    np.subtract(input, _largest(input, axis=1, keepdims=True), out=result)
    result -= np.log(sums(np.exp(result)))


def log_softmax_adjoint(result: Array, out: Array, grad: Array) -> None:
    """``grad - exp(out) * sum(grad)``, of a log_softmax with value ``out``."""
    np.exp(out, out=result)
    result *= sums(grad)
    np.subtract(grad, result, out=result)
