"""Differences from PyTorch that stay, each with its reason.

An entry is a pattern that a difference's kind has to match, and one that the statement behind it has to match.
"""

from __future__ import annotations

import re
from typing import NamedTuple

from tests.parity.compare import Difference


class Known(NamedTuple):
    """A difference that is meant; the patterns are searched for."""

    kind: str
    statement: str
    reason: str


KNOWN: tuple[Known, ...] = ()


def reason(difference: Difference, statement: str) -> str | None:
    """Why this difference is meant, if it is."""
    for known in KNOWN:
        if re.search(known.kind, difference.kind) and re.search(known.statement, statement):
            return known.reason
    return None
