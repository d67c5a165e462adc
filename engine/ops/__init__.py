"""The ops, a package a family; here under their own names, for rules and composites: ``ops.mul``.

A rule asks by name for what it needs: ``g`` is the cotangent of the first differentiable output, ``gs`` those of all
outputs (zeros where none arrived), ``cotangents`` the same with ``None``; the name of an input saves that input, of an
output that output; ``x_shape`` (``x_shapes`` of a list), ``x_dtype`` and ``x_geometry`` are shape, dtype and place of
``x``; a static argument is handed over. ``needs`` tells a joint rule which cotangents count.

Every module below this package is imported: nothing lists them.
"""

from importlib import import_module
from pkgutil import walk_packages
from typing import Any

from engine import registry

for _module in walk_packages(__path__, f"{__name__}."):
    import_module(_module.name)
globals().update(registry.short_names())


def __getattr__(name: str) -> Any:
    raise AttributeError(f"there is no op {name!r}")
