"""Cases of which ``make test`` runs a part and ``make test-all`` all: the same part everywhere, chosen by name."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any
from zlib import crc32

import pytest

ONE_OF = 8


def sampled(cases: Sequence[Any], name_of: Callable[[Any], str]) -> list[Any]:
    """The cases as parameters; all but one of eight are marked ``exhaustive``."""
    named = [(case, name_of(case)) for case in cases]
    return [pytest.param(case, id=name, marks=_marks(name)) for case, name in named]


def _marks(name: str) -> list[pytest.MarkDecorator]:
    return [pytest.mark.exhaustive] if crc32(name.encode()) % ONE_OF else []
