"""Error functions, gamma functions and their kin. Bessel functions and polynomials have modules of their own."""

from __future__ import annotations

from collections.abc import Callable
from math import log, pi, sqrt
from typing import Any, NoReturn

import numpy as np
import scipy  # loads what is used of it when it is

from engine import dtypes, ops
from engine.errors import OpError, UnsupportedError
from engine.op import Array, composite, float_valued, overloaded, pointwise, primitive
from engine.tensor import Tensor


def underivable_input(name: str) -> Callable[[], NoReturn]:
    """The rule of an input with respect to which PyTorch has no derivative."""

    def rule() -> NoReturn:
        raise UnsupportedError(f"the derivative for '{name}' is not implemented.")

    return rule


@primitive(public=False, total=True, layout_only=("origin",), grad_fn="NotImplemented")
def first_order(input: Array, origin: Array, refusal: str) -> Array:
    """A gradient by ``origin`` that PyTorch cannot differentiate, not even where it is constant."""
    return input.copy()


def _refuse_second_order(refusal: str) -> NoReturn:
    raise (UnsupportedError if refusal.startswith("the derivative") else OpError)(refusal)


first_order.vjp(input=_refuse_second_order, origin=_refuse_second_order)


# -- error functions ----------------------------------------------------------------------------------------------
@float_valued(
    supports="bif", kernel_name="erf_vml_cpu", aliases=("special.erf",),
    inplace_function=True,
)  # fmt: skip
def erf(input: Array) -> Array:
    """Error function."""
    return scipy.special.erf(input)


erf.vjp(input=lambda g, input: 2 / sqrt(pi) * ops.exp(-ops.pow(input, 2)) * g)


@float_valued(
    supports="bif",
    kernel_name="erfc_vml_cpu",
    aliases=("special.erfc",),
    inplace_function=True,
)
def erfc(input: Array) -> Array:
    """``1 - erf(input)``, precise where that is small."""
    return scipy.special.erfc(input)


erfc.vjp(input=lambda g, input: g * (-2 / sqrt(pi)) * ops.exp(-(input * input)))


@float_valued(supports="bif", kernel_name="erfinv_vml_cpu", aliases=("special.erfinv",))
def erfinv(input: Array) -> Array:
    """The inverse of ``erf``."""
    return scipy.special.erfinv(input)


erfinv.vjp(input=lambda g, out: g * (sqrt(pi) / 2) * ops.exp(out * out))


@float_valued(
    name="special.erfcx", supports="biF", kernel_name="erfcx_cpu",
    grad_fn="SpecialErfcxBackward0", writes=False,
)  # fmt: skip
def erfcx(input: Array) -> Array:
    """``exp(input**2) * erfc(input)``."""
    return scipy.special.erfcx(input)


erfcx.vjp(input=lambda g, input, out: g * (2 * input * out - 2 / sqrt(pi)))


@composite(name="special.ndtr", out="cast")
def ndtr(input: Tensor) -> Tensor:
    """The normal distribution function."""
    return ops.mul_number(ops.add_number(erf(ops.mul_number(input, 1 / sqrt(2))), 1), 0.5)


@float_valued(
    name="special.log_ndtr", supports="biF", kernel_name="log_ndtr_cpu",
    grad_fn="SpecialLogNdtrBackward0", writes=False,
)  # fmt: skip
def log_ndtr(input: Array) -> Array:
    """The logarithm of the normal distribution function."""
    return scipy.special.log_ndtr(input)


log_ndtr.vjp(input=lambda g, input: g / ops.erfcx(input * (-1 / sqrt(2))) * sqrt(2 / pi))


@float_valued(
    name="special.ndtri", supports="biF", kernel_name="ndtri_cpu",
    grad_fn="SpecialNdtriBackward0", writes=False,
)  # fmt: skip
def ndtri(input: Array) -> Array:
    """The inverse of the normal distribution function."""
    return scipy.special.ndtri(input)


ndtri.vjp(input=lambda g, out: g * sqrt(2 * pi) * ops.exp(out * out / 2))


@float_valued(
    name="special.entr", supports="bif", kernel_name="entr_cpu",
    grad_fn="SpecialEntrBackward0", writes=False,
)  # fmt: skip
def entr(input: Array) -> Array:
    """``-input * log(input)``; 0 at 0, minus infinity below."""
    return scipy.special.entr(input)


entr.vjp(input=lambda g, input: g * (-ops.log(input) - 1))


# -- gamma functions ----------------------------------------------------------------------------------------------
@float_valued(supports="bif", kernel_name="lgamma_vml_cpu", aliases=("special.gammaln",))
def lgamma(input: Array) -> Array:
    """The logarithm of the absolute value of the gamma function."""
    return scipy.special.gammaln(input)


lgamma.vjp(input=lambda g, input: g * ops.digamma(input))


@float_valued(
    supports="bif", kernel_name="digamma",
    aliases=("special.digamma", "special.psi"),
)  # fmt: skip
def digamma(input: Array) -> Array:
    """The derivative of ``lgamma``."""
    return scipy.special.psi(input)


digamma.vjp(input=lambda g, input: g * ops.polygamma_of(input, 1))


def _check_order(n: int) -> None:
    if n < 0:
        raise OpError("polygamma(n, x) does not support negative n.")


@float_valued(
    public=False, supports="bif", grad_fn="PolygammaBackward0",
    kernel_name="polygamma", check=_check_order,
)  # fmt: skip
def polygamma_of(input: Array, n: int) -> Array:
    """The ``n``-th derivative of ``digamma``."""
    return scipy.special.polygamma(n, input).astype(input.dtype)


polygamma_of.vjp(input=lambda g, input, n: g * ops.polygamma_of(input, n + 1))


@overloaded(name="polygamma", function=False)
def _polygamma_method(input: Tensor, n: int) -> Any:
    """The ``n``-th derivative of ``digamma``."""
    return polygamma_of, (input, n)


@overloaded(method=False, aliases=("special.polygamma",))
def polygamma(n: int, input: Tensor) -> Any:
    """The ``n``-th derivative of ``digamma``."""
    return polygamma_of, (input, n)


def _check_mvlgamma(input: Tensor, p: int) -> None:
    if input.dtype is dtypes.bool_:
        raise OpError("The input tensor may not be a boolean tensor.")
    if p < 1:
        raise OpError("p has to be greater than or equal to 1")


@float_valued(
    supports="bif", kernel_name="arange_cpu", check=_check_mvlgamma,
    grows=lambda input, p: input.size * p,  # a step for every variate
    aliases=("special.multigammaln",),
)  # fmt: skip
def mvlgamma(input: Array, p: int) -> Array:
    """The logarithm of the ``p``-variate gamma function."""
    result = np.full_like(input, p * (p - 1) / 4 * log(pi))
    for row in range(p):
        result += scipy.special.gammaln(input - row / 2)
    return result


def _mvlgamma_input(g: Any, input: Any, p: int) -> Any:
    slope = ops.digamma(input)
    for row in range(1, p):
        slope = slope + ops.digamma(input - row / 2)
    return g * slope


mvlgamma.vjp(input=_mvlgamma_input)


@pointwise(supports="f", numbers=(), kernel_name="igamma_cpu", aliases=("special.gammainc",))
def igamma(input: Array, other: Array) -> Array:
    """The lower regularised incomplete gamma function of order ``input``."""
    return scipy.special.gammainc(input, other)


@pointwise(supports="f", numbers=(), kernel_name="igammac_cpu", aliases=("special.gammaincc",))
def igammac(input: Array, other: Array) -> Array:
    """The upper regularised incomplete gamma function of order ``input``."""
    return scipy.special.gammaincc(input, other)


def _gamma_density(input: Any, other: Any) -> Any:
    return ops.exp((input - 1) * ops.log(other) - other - ops.lgamma(input))


igamma.vjp(input=underivable_input("igamma: input"), other=lambda g, input, other: g * _gamma_density(input, other))
igammac.vjp(input=underivable_input("igammac: input"), other=lambda g, input, other: -g * _gamma_density(input, other))


@float_valued(
    name="special.zeta", numbers=("input", "other"), supports="biF",
    kernel_name="zeta_cpu", grad_fn="SpecialZetaBackward0", writes=False,
    number_grad_fn={"input": "SpecialZetaBackward1", "other": "SpecialZetaBackward2"},
)  # fmt: skip
def zeta(input: Array, other: Array) -> Array:
    """The Hurwitz zeta function: the sum of ``(k + other) ** -input`` over natural numbers ``k``."""
    return scipy.special.zeta(input, other)


zeta.vjp(
    input=underivable_input("zeta"),
    other=lambda g, input, other: g * -input * ops.zeta(input + 1, other),
)
