"""``math`` and ``cmath``: functions of numbers. Integers may be long, so what grows with their digits says so."""

from __future__ import annotations

import cmath
import math
from typing import Any, Final

from app.program.builtins import Routine, binary
from app.program.costs import DIGIT_BITS, LITTLE, Cost, little, read
from app.program.modules.calls import Priced, constants, metered, routines


def _digits(*values: Any) -> list[int]:
    return [1 + value.bit_length() // DIGIT_BITS for value in values if isinstance(value, int)]


def _quadratic(*values: Any, **_: Any) -> Cost:
    """Integers of which each digit meets each."""
    digits = sum(_digits(*values))
    return Cost(digits**2, 4 * digits)


def _common(*values: Any, **_: Any) -> Cost:
    """The least common multiple: at most as long as all of them together."""
    bits = sum(value.bit_length() for value in values if isinstance(value, int))
    return _quadratic(*values)._replace(bits=bits)


def _chosen(n: Any = 0, k: Any = None, *_: Any, **__: Any) -> Cost:
    """A product of ``k`` factors, none of them above ``n``."""
    if not isinstance(n, int) or not isinstance(k, int | None) or n < 0:
        return LITTLE
    return _product_of(n if k is None else max(min(k, n), 0), n)


def _combined(n: Any = 0, k: Any = 0, *_: Any, **__: Any) -> Cost:
    if not isinstance(n, int) or not isinstance(k, int) or not 0 <= k <= n:
        return LITTLE
    return _product_of(min(k, n - k), n)


def _factorial(n: Any = 0, *_: Any, **__: Any) -> Cost:
    return _product_of(n, n) if isinstance(n, int) and n > 0 else LITTLE


def _product_of(count: int, largest: int) -> Cost:
    bits = count * largest.bit_length()
    return Cost(1 + count + (bits // DIGIT_BITS) ** 2 // 8, bits // 8, bits=bits)


def _read_all(*values: Any, **_: Any) -> Cost:
    return Cost(1 + len(values) + sum(read(value).steps for value in values))


def _prod(iterable: Any, /, *, start: Any = 1) -> Any:
    result = start
    for item in metered(iterable):
        result = binary("*", result, item)
    return result


_OF_ONE: Final = (
    "acos", "acosh", "asin", "asinh", "atan", "atan2", "atanh", "cbrt", "ceil", "copysign", "cos", "cosh", "degrees",
    "erf", "erfc", "exp", "exp2", "expm1", "fabs", "floor", "fmod", "frexp", "gamma", "isclose", "isfinite", "isinf",
    "isnan", "ldexp", "lgamma", "log", "log10", "log1p", "log2", "modf", "nextafter", "radians", "remainder", "sin",
    "sinh", "sqrt", "tan", "tanh", "trunc", "ulp",
)  # fmt: skip
_OF_COMPLEX: Final = (
    "acos", "acosh", "asin", "asinh", "atan", "atanh", "cos", "cosh", "exp", "isclose", "isfinite", "isinf", "isnan",
    "log", "log10", "phase", "polar", "rect", "sin", "sinh", "sqrt", "tan", "tanh",
)  # fmt: skip
_LONG: Final[dict[str, Priced]] = {
    "comb": (math.comb, _combined), "perm": (math.perm, _chosen), "factorial": (math.factorial, _factorial),
    "gcd": (math.gcd, _quadratic), "lcm": (math.lcm, _common), "isqrt": (math.isqrt, _quadratic),
    "dist": (math.dist, _read_all, 0, 1), "fsum": (math.fsum, _read_all, 0), "hypot": (math.hypot, _read_all),
    "pow": (math.pow, little),
}  # fmt: skip
MATH: Final[dict[str, Any]] = (
    routines({name: (getattr(math, name), little) for name in _OF_ONE})
    | routines(_LONG)
    | {"prod": Routine("prod", _prod)}
    | constants(math, "e", "inf", "nan", "pi", "tau")
)
CMATH: Final[dict[str, Any]] = routines({name: (getattr(cmath, name), little) for name in _OF_COMPLEX}) | constants(
    cmath, "e", "inf", "infj", "nan", "nanj", "pi", "tau"
)
