"""In-place variants that the reference has as functions too: ``torch.sin_(x)`` is ``x.sin_()``."""

from engine import registry

NAMES = (
    "acos", "acosh", "arccos", "arccosh", "arcsin", "arcsinh", "arctan", "arctanh", "asin", "asinh", "atan", "atanh",
    "ceil", "cos", "cosh", "deg2rad", "erf", "erfc", "exp", "exp2", "expm1", "fix", "floor", "frac", "gcd", "i0", "lcm",
    "ldexp", "log", "log10", "log1p", "log2", "logit", "nan_to_num", "neg", "negative", "rad2deg", "reciprocal",
    "round", "rsqrt", "sigmoid", "sin", "sinc", "sinh", "sqrt", "square", "tan", "tanh", "trunc", "xlogy",
)  # fmt: skip


def enter() -> None:
    """Register them, once every op is declared."""
    for name in NAMES:
        variant = registry.method(f"{name}_")
        if variant is not None:
            registry.add_function(f"{name}_", variant)
