"""Memory that goes back to the system: much of it by a thread, where others wait for an answer meanwhile.

To let go of 500 MB takes the system 100 ms, and whoever lets go of it waits.
"""

from __future__ import annotations

import mmap
import os
from collections.abc import Callable
from queue import SimpleQueue
from threading import Thread
from time import sleep
from typing import Final

MUCH_BYTES: Final = 2**20  # a fifth of a millisecond
PIECE_BYTES: Final = 2**22
PAUSE_S: Final = 0.0005
_Work = SimpleQueue[Callable[[], object]]
_work: _Work | None = None  # where there is a thread: what it has to do


def by_thread() -> None:
    """From now on, let a thread of this process do it."""
    global _work
    if _work is None:
        _work = SimpleQueue()
        Thread(target=_do, args=(_work,), name="reclaim", daemon=True).start()


def _do(work: _Work) -> None:
    while True:
        work.get()()


def _forget() -> None:
    global _work
    _work = None


os.register_at_fork(after_in_child=_forget)


def close(descriptor: int, nbytes: int) -> None:
    """Close a file of so much memory."""
    if _work is None or nbytes < MUCH_BYTES:
        os.close(descriptor)
    else:
        _work.put(lambda: os.close(descriptor))


class Map(mmap.mmap):
    """A map that the thread closes, where there is one. ``close`` lets other threads run; an object's end does not."""

    def __del__(self) -> None:
        if _work is not None and not self.closed and len(self) >= MUCH_BYTES:
            _work.put(self._close_piecemeal)

    def _close_piecemeal(self) -> None:
        """Close it, its pages first and some at a time: nobody else can map anything while they go."""
        for start in range(0, len(self), PIECE_BYTES):
            self.madvise(mmap.MADV_DONTNEED, start, min(PIECE_BYTES, len(self) - start))
            sleep(PAUSE_S)
        self.close()
