"""What holds while a program runs: its warnings are collected, its arrays print as it said, and nothing of it stays."""

from __future__ import annotations

import warnings
from contextlib import contextmanager
from typing import TYPE_CHECKING

from app.program.modules.numpy import printing
from app.program.modules.warnings import FILTERS, collected, show
from engine import modes

if TYPE_CHECKING:
    from collections.abc import Iterator


@contextmanager
def in_force() -> Iterator[None]:
    """Let the settings of the session hold, and those of the process when the run is over."""
    state = modes.current()
    given = state.warnings
    if given is None or state.modules.get(FILTERS):
        collected()
    try:
        with warnings.catch_warnings(), printing.in_force():
            warnings.simplefilter("always")
            warnings.showwarning = show
            yield
    finally:
        if given is None:  # nobody looks at them: a program on the command line
            for text in state.warnings or ():
                warnings.warn(text, UserWarning, stacklevel=4)
            state.warnings = None
