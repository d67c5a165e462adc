"""How the C library deals with memory that is free again; glibc's, elsewhere nothing happens here.

Left to itself it returns large pieces to the system at once and asks for them again: every array and every part of an
upload then costs a page fault for each 4 KiB, which is more than what is done with it. Here the process keeps what it
has freed, and returns it now and then. Of what it maps, glibc keeps pieces of up to 32 MiB at most; what is part of the
heap it keeps, however large. So nothing is mapped: a gradient of 100 MB takes 39 instead of 126 ms. But a heap with
holes counts as a whole against the limit of a process, so one that may not have much maps what is large.
"""

from __future__ import annotations

import ctypes
from functools import cache
from typing import Any, Final

KEPT_BYTES: Final = 2**28  # free memory at the end of the heap beyond this is returned at once
MAPPED_BYTES: Final = 2**25  # where large pieces are mapped: those from here on, the most that glibc allows
ROOM_BYTES: Final = 2**31  # that a process should be allowed for large pieces to be part of its heap
INTERVAL_S: Final = 10.0
_TRIM_THRESHOLD: Final = -1  # M_... of <malloc.h>
_MMAP_THRESHOLD: Final = -3
_MMAP_MAX: Final = -4


@cache
def _libc() -> Any:
    library = ctypes.CDLL(None)
    return library if hasattr(library, "mallopt") and hasattr(library, "malloc_trim") else None


def keep_freed(allowed: int = 0) -> None:
    """From now on, keep freed memory for the next request. ``allowed``: bytes that the process may have, if bounded."""
    if _libc() is not None:
        if 0 < allowed < ROOM_BYTES:
            _libc().mallopt(_MMAP_THRESHOLD, MAPPED_BYTES)
        else:
            _libc().mallopt(_MMAP_MAX, 0)
        _libc().mallopt(_TRIM_THRESHOLD, KEPT_BYTES)


def give_back() -> None:
    """Return free memory to the system."""
    if _libc() is not None:
        _libc().malloc_trim(0)
