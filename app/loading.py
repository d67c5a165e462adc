"""While modules are loaded that stay, nobody looks for garbage among them, then or later."""

from __future__ import annotations

import gc
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def loading() -> Iterator[None]:
    """Collect nothing within the block, and nothing of what there is at its end.

    Looking for garbage takes a sixth of the start; later, half of a tenth of a second each time, in which nothing is
    answered.
    """
    gc.disable()
    try:
        yield
    finally:
        gc.freeze()
        gc.enable()
