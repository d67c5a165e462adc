"""Orthogonal polynomials of degree ``n`` at ``input``. PyTorch has no derivatives of them."""

from __future__ import annotations

from collections.abc import Callable
from math import isfinite, prod
from typing import Any

import numpy as np
import scipy  # loads what is used of it when it is

from engine.op import Array, check_broadcast, primitive


def _declare(name: str, evaluate: Callable[[Array, Array], Array], family: str) -> None:
    def kernel(input: Array, n: Array) -> Array:
        degree = n.astype(np.int64)
        value = evaluate(np.maximum(degree, 0), input.astype(np.float64))
        return np.where(degree <= 0, degree == 0, value).astype(input.dtype)

    kernel.__name__, kernel.__doc__ = name, f"{family} of degree ``n`` at ``input``; 0 for negative degrees."
    primitive(
        kernel, name=f"special.{name}", pointwise=True, promote="int_to_float", supports="biF", writes=False,
        numbers=("input", "n"), kernel_name=f"{name}_cpu", nondifferentiable=("input", "n"),
        grows=_steps,
    )  # fmt: skip


def _steps(input: Any, n: Any) -> int:
    """The recurrences take a step a degree; the budget counts them as elements."""
    points = prod(check_broadcast([np.asarray(input), np.asarray(n)]))
    highest = float(np.max(np.real(n), initial=1))
    return int(points * max(highest, 1.0)) if isfinite(highest) else points


def _third_kind(degree: Array, x: Array) -> Array:
    """``V_n = U_n - U_(n-1)``."""
    return scipy.special.eval_chebyu(degree, x) - _previous(degree, x)


def _fourth_kind(degree: Array, x: Array) -> Array:
    """``W_n = U_n + U_(n-1)``."""
    return scipy.special.eval_chebyu(degree, x) + _previous(degree, x)


def _previous(degree: Array, x: Array) -> Array:
    return np.where(degree == 0, 0.0, scipy.special.eval_chebyu(np.maximum(degree - 1, 0), x))


def _shifted(evaluate: Callable[[Array, Array], Array]) -> Callable[[Array, Array], Array]:
    return lambda degree, x: evaluate(degree, 2 * x - 1)


_CHEBYSHEV: dict[str, Callable[[Array, Array], Array]] = {
    "t": lambda degree, x: scipy.special.eval_chebyt(degree, x),
    "u": lambda degree, x: scipy.special.eval_chebyu(degree, x),
    "v": _third_kind,
    "w": _fourth_kind,
}
for _kind, _evaluate in _CHEBYSHEV.items():
    _declare(f"chebyshev_polynomial_{_kind}", _evaluate, f"Chebyshev polynomial {_kind.upper()}")
    _declare(
        f"shifted_chebyshev_polynomial_{_kind}", _shifted(_evaluate), f"Shifted Chebyshev polynomial {_kind.upper()}"
    )
_declare(
    "hermite_polynomial_h", lambda degree, x: scipy.special.eval_hermite(degree, x), "Physicist's Hermite polynomial"
)
_declare(
    "hermite_polynomial_he",
    lambda degree, x: scipy.special.eval_hermitenorm(degree, x),
    "Probabilist's Hermite polynomial",
)
_declare("laguerre_polynomial_l", lambda degree, x: scipy.special.eval_laguerre(degree, x), "Laguerre polynomial")
_declare("legendre_polynomial_p", lambda degree, x: scipy.special.eval_legendre(degree, x), "Legendre polynomial")
