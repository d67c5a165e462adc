"""Bessel and Airy functions. Only the modified ones of the first kind have derivatives, as in PyTorch."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import scipy  # loads what is used of it when it is

from engine import ops
from engine.errors import UnsupportedError
from engine.op import Array, float_valued, primitive


# -- modified, of the first kind ----------------------------------------------------------------------------------
@float_valued(
    supports="bif", kernel_name="i0_vml_cpu", aliases=("special.i0",),
    inplace_function=True,
)  # fmt: skip
def i0(input: Array) -> Array:
    """Modified Bessel function of order 0."""
    return scipy.special.i0(input)


i0.vjp(input=lambda g, input: g * ops.i1(input))


@float_valued(
    name="special.i0e", supports="bif", kernel_name="i0e_cpu",
    grad_fn="SpecialI0EBackward0", writes=False,
)  # fmt: skip
def i0e(input: Array) -> Array:
    """``exp(-abs(input)) * i0(input)``."""
    return scipy.special.i0e(input)


i0e.vjp(input=lambda g, input, out: g * (ops.i1e(input) - ops.sgn(input) * out))


@float_valued(
    name="special.i1", supports="bif", kernel_name="i1_cpu",
    grad_fn="SpecialI1Backward0", writes=False,
)  # fmt: skip
def i1(input: Array) -> Array:
    """Modified Bessel function of order 1."""
    return scipy.special.i1(input)


def _refuse_narrow(kernel: str, input: Any) -> None:
    if input.dtype.opmath is not input.dtype:
        raise UnsupportedError(f"\"{kernel}\" not implemented for '{input.dtype.scalar_type}'")


def _i1_input(g: Any, input: Any, out: Any) -> Any:
    """``i0 - i1 / input``, which tends to 1/2 at 0; as in PyTorch, NaN counts as 0."""
    _refuse_narrow("i1_backward", input)
    at_zero = _is_zero(input)
    safe = input.masked_fill(at_zero, 1)
    inner = ops.i0(safe) - out.masked_fill(at_zero, 0) / safe
    return g * ops.where(at_zero.logical_not(), inner, 0.5)


def _is_zero(input: Any) -> Any:
    return ops.logical_not(ops.gt(ops.abs(input), 0))


i1.vjp(input=_i1_input)


@float_valued(
    name="special.i1e", supports="bif", kernel_name="i1e_cpu",
    grad_fn="SpecialI1EBackward0", writes=False,
)  # fmt: skip
def i1e(input: Array) -> Array:
    """``exp(-abs(input)) * i1(input)``."""
    return scipy.special.i1e(input)


def _i1e_input(g: Any, input: Any, out: Any) -> Any:
    """``i0e - i1e * (sgn(input) + 1 / input)``, which tends to 1/2 at 0; as in PyTorch, NaN counts as 0."""
    _refuse_narrow("i1e_backward", input)
    at_zero = _is_zero(input)
    safe = input.masked_fill(at_zero, 1)
    inner = ops.i0e(safe) - out.masked_fill(at_zero, 0) * (ops.sgn(safe) + ops.reciprocal(safe))
    return g * ops.where(at_zero.logical_not(), inner, 0.5)


i1e.vjp(input=_i1e_input)


# -- values only --------------------------------------------------------------------------------------------------
def _declare(name: str, function: str | Callable[[Array], Array], summary: str) -> None:
    """By the name that ``scipy.special`` has for it, or by a function."""

    def kernel(input: Array) -> Array:
        evaluate: Any = getattr(scipy.special, function) if isinstance(function, str) else function
        return evaluate(input).astype(input.dtype, copy=False)

    kernel.__name__, kernel.__doc__ = name, summary
    primitive(
        kernel, name=f"special.{name}", pointwise=True, promote="int_to_float", supports="biF", writes=False,
        kernel_name=f"{name}_cpu", nondifferentiable=("input",), scratch=3,  # Airy's function comes with three others
    )  # fmt: skip


_declare("airy_ai", lambda x: scipy.special.airy(x)[0], "Airy function Ai.")
_declare("bessel_j0", "j0", "Bessel function of the first kind, order 0.")
_declare("bessel_j1", "j1", "Bessel function of the first kind, order 1.")
_declare("bessel_y0", "y0", "Bessel function of the second kind, order 0.")
_declare("bessel_y1", "y1", "Bessel function of the second kind, order 1.")
_declare("modified_bessel_i0", "i0", "Modified Bessel function of the first kind, order 0; not differentiable.")
_declare("modified_bessel_i1", "i1", "Modified Bessel function of the first kind, order 1; not differentiable.")
_declare("modified_bessel_k0", "k0", "Modified Bessel function of the second kind, order 0.")
_declare("modified_bessel_k1", "k1", "Modified Bessel function of the second kind, order 1.")
_declare("scaled_modified_bessel_k0", "k0e", "``exp(input) * modified_bessel_k0(input)``.")
_declare("scaled_modified_bessel_k1", "k1e", "``exp(input) * modified_bessel_k1(input)``.")
_declare(
    "spherical_bessel_j0",
    lambda x: scipy.special.spherical_jn(0, x),
    "Spherical Bessel function of the first kind, order 0.",
)
