"""Samples of the elementwise ops, by what they take: one operand or two, and from which domain."""

from __future__ import annotations

from typing import Any

from tests.engine.samples import Sample, fixed, leaf, sample, values_only

STEPS = "its derivative is zero, or it has none"


def unary(low: float = -2.0, high: float = 2.0, *, is_complex: bool = False) -> list[Sample]:
    """A matrix, a strided one, a number, nothing, and complex numbers where the op takes them."""
    shapes = [leaf(2, 3, low=low, high=high), leaf(3, 2, low=low, high=high, strided=True), leaf(low=low, high=high)]
    samples = [sample(one) for one in [*shapes, leaf(0, 2)]]
    return [*samples, sample(leaf(3, dtype="complex128"))] if is_complex else samples


def binary(low: float = -2.0, high: float = 2.0, **kwargs: Any) -> list[Sample]:
    """Equal shapes, broadcast both ways, with a number of dimensions 0, and empty."""
    shapes: list[tuple[tuple[int, ...], tuple[int, ...]]] = [
        ((2, 3), (2, 3)), ((2, 1), (3,)), ((3,), ()), ((), ()), ((0, 2), (2,)),
    ]  # fmt: skip
    return [
        sample(leaf(*left, low=low, high=high), leaf(*right, low=low, high=high), **kwargs) for left, right in shapes
    ]


def constant(*calls: tuple[Any, ...]) -> list[Sample]:
    """Calls without derivatives."""
    return [values_only(STEPS, *call) for call in calls]


FLAT = fixed([[-1.5, 0.0, 2.5], [0.5, -0.0, 1.0]])
OTHER = fixed([[-1.5, 1.0, 2.0], [0.5, 0.0, -1.0]])
INTEGERS, FACTORS = fixed([6, -4, 9]), fixed([4, 6, -3])
BITS, SHIFTS = fixed([5, 12, 7]), fixed([1, 2, 3])
TRUTH, OPPOSITE = fixed([True, False, True]), fixed([True, True, False])
SPECIAL = fixed([0.5, float("nan"), float("inf"), -float("inf")])

EVERYWHERE = ("asinh", "atan", "cos", "deg2rad", "erf", "erfc", "exp2", "rad2deg", "sinc", "sin", "sinh", "square",
              "tanh", "exp", "expm1", "sigmoid", "cosh", "i0", "special.erfcx", "special.i0e", "special.i1",
              "special.i1e", "special.log_ndtr", "special.ndtr", "neg", "positive", "clone", "contiguous")  # fmt: skip
POSITIVE = ("digamma", "lgamma", "log", "log10", "log1p", "log2", "rsqrt", "sqrt", "special.entr", "reciprocal")
UNIT = ("acos", "asin", "atanh", "erfinv", "tan", "logit", "special.ndtri")
WITH_COMPLEX = {"neg", "sin", "cos", "exp", "tanh", "sqrt", "log", "reciprocal", "square", "clone", "sinh", "cosh"}
STEPPED = ("ceil", "floor", "round", "trunc", "sign", "signbit", "isfinite", "isinf", "isnan", "isposinf", "isneginf",
           "isreal", "special.round")  # fmt: skip
BESSEL = ("special.airy_ai", "special.bessel_j0", "special.bessel_j1", "special.bessel_y0", "special.bessel_y1",
          "special.modified_bessel_i0", "special.modified_bessel_i1", "special.modified_bessel_k0",
          "special.modified_bessel_k1", "special.scaled_modified_bessel_k0", "special.scaled_modified_bessel_k1",
          "special.spherical_bessel_j0")  # fmt: skip
POLYNOMIALS = [
    *(f"special.{kind}chebyshev_polynomial_{letter}" for kind in ("", "shifted_") for letter in "tuvw"),
    "special.hermite_polynomial_h", "special.hermite_polynomial_he", "special.laguerre_polynomial_l",
    "special.legendre_polynomial_p",
]  # fmt: skip
COMPARISONS = ("eq", "ne", "lt", "le", "gt", "ge")

SAMPLES: dict[str, list[Sample]] = {
    **{op: unary(is_complex=op in WITH_COMPLEX) for op in EVERYWHERE},
    **{op: unary(0.2, 3.0, is_complex=op in WITH_COMPLEX) for op in POSITIVE},
    **{op: unary(0.1, 0.9) for op in UNIT},
    **{op: constant((FLAT,)) for op in STEPPED},
    **{op: constant((fixed([0.25, 1.5, 3.0]),)) for op in BESSEL},
    **{op: constant((fixed([0.25, 0.5, 0.75]), fixed([0.0, 1.0, 3.0]))) for op in POLYNOMIALS},
    **{op: constant((FLAT, OTHER), (FLAT, 0.5), (INTEGERS, FACTORS)) for op in COMPARISONS},
    **{f"logical_{op}": constant((TRUTH, OPPOSITE), (FLAT, OTHER)) for op in ("and", "or", "xor")},
    **{f"bitwise_{op}": constant((BITS, SHIFTS), (TRUTH, OPPOSITE)) for op in ("and", "or", "xor")},
    **{f"bitwise_{side}_shift": constant((BITS, SHIFTS)) for side in ("left", "right")},
    "acosh": unary(1.2, 3.0),
    "abs": [*unary(0.3, 2.0), *unary(-2.0, -0.3), sample(leaf(3, dtype="complex128"))],
    "angle": [*unary(0.3, 2.0), sample(leaf(3, dtype="complex128"))],
    "sgn": [values_only(STEPS, FLAT), sample(leaf(3, dtype="complex128"))],
    "frac": unary(0.2, 0.8),
    "nan_to_num": [sample(leaf(3)), values_only("not finite", SPECIAL, nan=1.0, posinf=2.0, neginf=-3.0)],
    "polygamma": [sample(1, leaf(3, low=0.5, high=3.0)), sample(2, leaf(low=0.5, high=3.0))],
    "mvlgamma": [sample(leaf(3, low=2.0, high=4.0), 2), sample(leaf(low=2.0, high=4.0), 1)],
    "logical_not": constant((TRUTH,), (FLAT,)),
    "bitwise_not": constant((BITS,), (TRUTH,)),
    "frexp": constant((fixed([1.5, -3.0, 0.0]),)),
    "add": [*binary(), sample(leaf(3), 2.5), sample(leaf(2, 3), leaf(3), alpha=0.5),
            sample(leaf(3, dtype="complex128"), leaf(3, dtype="complex128"))],
    "sub": [*binary(), sample(leaf(3), 2.5), sample(leaf(2, 3), leaf(3), alpha=0.5)],
    "rsub": [*binary(), sample(leaf(3), 2.5)],
    "mul": [*binary(), sample(leaf(3), 2.5), sample(leaf(3, dtype="complex128"), leaf(3, dtype="complex128"))],
    "div": [*binary(0.5, 2.0), sample(leaf(3), 2.5), values_only(STEPS, FLAT, fixed(0.7), rounding_mode="floor"),
            values_only(STEPS, FLAT, fixed(0.7), rounding_mode="trunc"),
            sample(leaf(3, dtype="complex128"), leaf(3, dtype="complex128"))],
    "true_divide": binary(0.5, 2.0),
    "floor_divide": constant((FLAT, 0.75), (INTEGERS, FACTORS)),
    "remainder": [sample(leaf(3, low=0.1, high=0.9), 1.0), values_only(STEPS, INTEGERS, FACTORS)],
    "fmod": [sample(leaf(3, low=0.1, high=0.9), 1.0), values_only(STEPS, INTEGERS, FACTORS)],
    "pow": [*binary(0.5, 2.0), sample(leaf(3), 2), sample(leaf(3), 3.0), sample(leaf(3, low=0.5), 0.5),
            sample(2.0, leaf(3)), sample(leaf(3), 0)],
    "float_power": [*binary(0.5, 2.0), sample(leaf(3), 2)],
    "atan2": binary(0.3, 2.0),
    "hypot": binary(0.3, 2.0),
    "copysign": [sample(leaf(3, low=0.5), fixed([1.0, -1.0, 2.0])), sample(leaf(3, low=0.5), -1.0)],
    "logaddexp": binary(),
    "logaddexp2": binary(),
    "xlogy": [*binary(0.5, 2.0), sample(leaf(3, low=0.5), 2.0)],
    "special.xlog1py": binary(0.5, 2.0),
    "special.zeta": constant((fixed([2.0, 3.5]), fixed([1.0, 2.0]))),
    "ldexp": [sample(leaf(3), fixed([1, -2, 3]))],
    "maximum": [sample(leaf(3, low=0.0, high=0.5), leaf(3, low=1.0, high=2.0)), values_only("ties", FLAT, OTHER)],
    "minimum": [sample(leaf(3, low=0.0, high=0.5), leaf(3, low=1.0, high=2.0)), values_only("ties", FLAT, OTHER)],
    "fmax": [sample(leaf(3, low=0.0, high=0.5), leaf(3, low=1.0, high=2.0)), values_only("ties", FLAT, OTHER)],
    "fmin": [sample(leaf(3, low=0.0, high=0.5), leaf(3, low=1.0, high=2.0)), values_only("ties", FLAT, OTHER)],
    "heaviside": constant((FLAT, fixed(0.5))),
    "nextafter": constant((FLAT, OTHER)),
    "gcd": constant((INTEGERS, FACTORS)),
    "lcm": constant((INTEGERS, FACTORS)),
    "igamma": constant((fixed([0.5, 2.0]), fixed([1.0, 3.0]))),
    "igammac": constant((fixed([0.5, 2.0]), fixed([1.0, 3.0]))),
    "isclose": constant((FLAT, OTHER), (FLAT, FLAT)),
    "allclose": constant((FLAT, OTHER), (FLAT, FLAT)),
    "equal": constant((FLAT, OTHER), (FLAT, FLAT)),
    "lerp": [sample(leaf(3), leaf(3), 0.3), sample(leaf(2, 3), leaf(3), leaf(3, low=0.1, high=0.4))],
    "addcmul": [sample(leaf(2, 3), leaf(3), leaf(2, 1)), sample(leaf(3), leaf(3), leaf(3), value=0.5)],
    "addcdiv": [sample(leaf(2, 3), leaf(3), leaf(2, 1, low=0.5)), sample(leaf(3), leaf(3), leaf(3, low=0.5), value=2)],
    "clamp": [sample(leaf(3, low=0.2, high=0.8), 0.0, 1.0), sample(leaf(3, low=0.2, high=0.8), max=0.1),
              sample(leaf(3, low=0.0, high=0.3), leaf(3, low=0.5, high=0.6))],
    "clamp_min": [sample(leaf(3, low=0.2, high=0.8), 0.1), sample(leaf(3, low=0.0, high=0.3), leaf(3, low=0.5))],
    "clamp_max": [sample(leaf(3, low=0.2, high=0.8), 0.9), sample(leaf(3, low=0.0, high=0.3), leaf(3, low=0.5))],
    "where": [sample(fixed([True, False, True]), leaf(3), leaf(3)), sample(fixed([[True], [False]]), leaf(3), leaf()),
              values_only("indices", TRUTH)],
    "masked_fill": [sample(leaf(2, 3), fixed([True, False, True]), 0.5), sample(leaf(3), TRUTH, leaf())],
    "isin": constant((INTEGERS, FACTORS)),
    "abs_": constant((FLAT,)),
    "zero_": constant((FLAT,)),
    "nan_to_num_": constant((FLAT,)),
    "fill": [sample(leaf(2, 3), 1.5), sample(leaf(2, 3), leaf())],
    "fill_": constant((FLAT, 1.5)),
    "clamp_": constant((FLAT, 0.0, 1.0)),
    "clamp_min_": constant((FLAT, 0.0)),
    "clamp_max_": constant((FLAT, 0.0)),
    "float_power_": constant((fixed([0.5, 2.0]), 2.0)),
}  # fmt: skip
