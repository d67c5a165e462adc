"""Writes the front's log from a thread: where whoever reads it is slow, no request waits for that.

Compute processes write theirs themselves: there it is the request of the line alone that waits. Lines are put into
words where they are said, for there is the request that they belong to; so ``logging.handlers.QueueListener``, which
hands records to handlers, has nothing to add, and its end waits for a reader for ever.
"""

from __future__ import annotations

import logging
import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from logging.handlers import QueueHandler
from queue import Full, Queue
from threading import Thread
from typing import Final

LINES: Final = 10_000  # that wait to be written; more are dropped, and counted
END_S: Final = 2.0  # for what waits at the end
_LAST: Final = ""
log = logging.getLogger("gradserve")


class Queued(QueueHandler):
    """Puts lines into a queue, and drops them where it is full."""

    queue: Queue[str]

    def __init__(self, formatter: logging.Formatter | None) -> None:
        super().__init__(Queue(LINES))
        self.formatter = formatter
        self.dropped = 0

    def prepare(self, record: logging.LogRecord) -> str:
        """Return the line, ready to be written."""
        return f"{self.format(record)}\n"

    def enqueue(self, record: str) -> None:  # type: ignore[override]  # what ``prepare`` gave
        """Put a line into the queue."""
        try:
            self.queue.put_nowait(record)
        except Full:
            self.dropped += 1

    def write_all(self, descriptor: int) -> None:
        """Write lines until the last one."""
        while (line := self.queue.get()) != _LAST:
            if self.dropped:
                dropped, self.dropped = self.dropped, 0
                log.warning("%d lines of the log were dropped: it is read too slowly", dropped)
            with suppress(OSError):  # nobody reads it any more
                _write(descriptor, line.encode(errors="backslashreplace"))


def _write(descriptor: int, text: bytes) -> None:
    while text:
        text = text[os.write(descriptor, text) :]


@contextmanager
def in_background(descriptor: int = 2) -> Iterator[None]:
    """Let a thread write what this process logs. What is forked from it meanwhile writes for itself, as before."""
    root, direct = logging.getLogger(), list(logging.getLogger().handlers)
    pid, queued = os.getpid(), Queued(direct[0].formatter if direct else None)
    writer = Thread(target=queued.write_all, args=(descriptor,), name="log", daemon=True)

    def restore() -> None:
        if root.handlers == [queued]:
            root.handlers = direct

    os.register_at_fork(after_in_child=restore)
    root.handlers = [queued]
    writer.start()
    try:
        yield
    finally:
        if os.getpid() == pid:
            restore()
            with suppress(Full):
                queued.queue.put_nowait(_LAST)
                writer.join(END_S)
