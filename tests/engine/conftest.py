"""Every engine test runs in a state of its own, with PyTorch's defaults."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from engine import modes


@pytest.fixture(autouse=True)
def state() -> Iterator[modes.State]:
    """A fresh state."""
    with modes.use(modes.State(warnings=[])) as fresh:
        yield fresh
