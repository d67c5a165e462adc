"""Differences from PyTorch that stay, each with its reason.

An entry is a pattern that a difference's kind has to match, and one that the statement behind it has to match.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from itertools import groupby
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


def unexplained(found: Iterable[Difference], statements: Sequence[str]) -> list[Difference]:
    """The differences after the first statement that has unexplained ones.

    What follows upon a known difference of more than words may follow from it, so it counts for nothing.
    """
    for position, group in groupby(found, lambda difference: difference.position):
        here = list(group)
        rest = [difference for difference in here if reason(difference, statements[position]) is None]
        if any(difference not in rest and not difference.is_wording for difference in here):
            return []
        if rest:
            return rest
    return []
