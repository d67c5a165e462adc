"""What ops and their parameters were called when a record was written, and what they are called now.

Who renames one that nodes may hold adds a line here; it stays for ever. ``tests/golden/stored_names.json`` lists the
names that are in records.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

OPS: Final[dict[str, str]] = {
    "masked_scattered": "masked_scatter", "put_flat": "put", "scatter_added": "scatter_add",
}  # fmt: skip
PARAMETERS: Final[dict[str, dict[str, str]]] = {}  # by the present name of their op


def op_name(stored: str) -> str:
    """Return the present name of an op."""
    return OPS.get(stored, stored)


def parameters(op: str, stored: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return ``stored`` with the present names of the parameters of ``op``."""
    changed = PARAMETERS.get(op)
    return stored if changed is None else {changed.get(name, name): value for name, value in stored.items()}
