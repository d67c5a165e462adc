"""The ops, one module per family; here under their own names, for rules and composites: ``ops.mul``.

A rule asks by name for what it needs: ``g`` is the cotangent of the first differentiable output, ``gs`` those of all
outputs (zeros where none arrived), ``cotangents`` the same with ``None``; the name of an input saves that input, of an
output that output; ``x_shape`` (``x_shapes`` of a list), ``x_dtype`` and ``x_geometry`` are shape, dtype and place of
``x``; a static argument is handed over. ``needs`` tells a joint rule which cotangents count.

Modules whose noun is also the name of an op are in the plural (``views``, ``sorting``), so that ``ops.view`` is the op.
"""

from importlib import import_module
from typing import Any

from engine import registry

FAMILIES = (
    "bessel", "bounds", "casts", "compare", "contraction", "copies", "create", "differences", "division",
    "draws", "elementary", "extrema", "factors", "gathering", "grids", "indexing", "join", "layout", "literals",
    "masking", "matmul", "matrix_norms", "nn", "norms", "parts", "pointwise", "polynomials", "powers", "quantiles",
    "questions", "ragged", "reduce", "rounding", "scalars", "scan", "scattering", "searching", "segments",
    "selections", "solving", "sorting", "special", "statistics", "views", "written",
)  # fmt: skip

for _family in FAMILIES:
    import_module(f"engine.ops.{_family}")
globals().update(registry.short_names())


def __getattr__(name: str) -> Any:
    raise AttributeError(f"there is no op {name!r}")
