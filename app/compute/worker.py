"""The loop of a compute process: one task at a time, within limits that the system holds it to."""

from __future__ import annotations

import gc
import os
import resource
import select
import signal
import socket
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from time import monotonic
from typing import Final, Protocol

from app import allocator
from app.compute import frames

CANCEL: Final = signal.SIGUSR1  # what the front sends when nobody waits for the task any more
STATM: Final = Path("/proc/self/statm")
PAGE_BYTES: Final = resource.getpagesize()
TASKS: Final = 50_000  # after which a process is replaced, whatever it has gathered
GROWTH_BYTES: Final = 2**29  # beside caches and what is free, beyond which it is
KEPT_BYTES: Final = 2**23  # of free memory, that an idle process keeps for the next task
IDLE_S: Final = 0.5  # after which it is idle: what comes sooner has the pages still at hand
NICENESS: Final = 5  # beside the front, which has to answer others while all processors compute
LOOK_S: Final = 0.0005  # of work, after which it looks how much memory it occupies: before, there cannot be much more
TIDY_S: Final = 5.0  # after which a process that is never idle gives memory back, too


class Handler(Protocol):
    """What carries tasks out."""

    def carry_out(self, packet: frames.Packet) -> tuple[bytes, frames.Body]:
        """Return the head and the body of the answer. Raises nothing."""

    def cancel(self) -> None:
        """End the task that is being carried out, if there is one, between two of its steps."""

    def cached_bytes(self) -> int:
        """How much of its memory is there on purpose."""


@dataclass(frozen=True, slots=True)
class Worker:
    """What a child of the nursery does. ``memory_bytes``: how far its own data may grow; 0: without a limit."""

    prepare: Callable[[frames.Page], Handler]
    memory_bytes: int

    def __call__(self, connection: socket.socket, page: frames.Page) -> None:
        os.nice(NICENESS)
        handler = self.prepare(page)
        limit_memory(self.memory_bytes)
        signal.signal(CANCEL, lambda *_: handler.cancel())
        receiver, floor, is_last = frames.Receiver(connection), resident_bytes(), False
        tidied_at, worked_s, is_untidy = monotonic(), 0.0, False
        for count in range(1, TASKS + 1):
            if is_untidy and (monotonic() > tidied_at + TIDY_S or is_idle(connection)):
                grown = tidied_up() - floor - handler.cached_bytes()
                tidied_at, is_untidy, is_last = monotonic(), False, grown > GROWTH_BYTES
            packet = receiver.receive()
            if packet is None:
                return
            began_at = monotonic()
            head, body = handler.carry_out(packet)
            worked_s += monotonic() - began_at
            is_last = is_last or count == TASKS
            del packet
            frames.send(connection, head, body, is_last=is_last, has_let_go=receiver.has_let_go)
            if is_last:
                return
            del head, body
            if worked_s > LOOK_S:
                worked_s, grown = 0.0, resident_bytes() - floor - handler.cached_bytes()
                if grown > GROWTH_BYTES:  # which may be free, most of it
                    tidied_at, grown = monotonic(), tidied_up() - floor - handler.cached_bytes()
                is_untidy, is_last = grown > KEPT_BYTES, grown > GROWTH_BYTES


def limit_memory(nbytes: int) -> None:
    """Let this process's own data grow by ``nbytes`` at most: what is asked for beyond that is a ``MemoryError``."""
    if nbytes:
        limit = _data_bytes() + nbytes
        _, hard = resource.getrlimit(resource.RLIMIT_DATA)
        if hard != resource.RLIM_INFINITY:
            limit = min(limit, hard)
        resource.setrlimit(resource.RLIMIT_DATA, (limit, hard))


def is_idle(connection: socket.socket) -> bool:
    """Return whether no task comes for a while."""
    return not select.select([connection], [], [], IDLE_S)[0]


def tidied_up() -> int:
    """Return to the system what is free, garbage first; returns what is occupied then."""
    gc.collect()
    allocator.give_back()
    return resident_bytes()


class _Memory:
    """What ``/proc/self/statm`` says, in bytes. Opened once in each process: that takes 7 us, to read it takes 1."""

    def __init__(self) -> None:
        self._of, self._file = 0, -1

    def __call__(self, place: int) -> int:
        if self._of != os.getpid():  # a fork's file would still tell of its parent
            self._of, self._file = os.getpid(), os.open(STATM, os.O_RDONLY | os.O_CLOEXEC)
        return int(os.pread(self._file, 100, 0).split()[place]) * PAGE_BYTES


_memory: Final = _Memory()


def resident_bytes() -> int:
    """How much memory this process occupies."""
    return _memory(1)


def _data_bytes() -> int:
    return _memory(5)


def share_of_memory(processes: int) -> int:
    """Return how many bytes each of ``processes`` may use, if the machine's, or the container's, are shared out.

    A fifth is left to the front, the system and what all of them have in common.
    """
    total = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    for path in ("/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory/memory.limit_in_bytes"):
        try:
            total = min(total, int(Path(path).read_text()))
        except (OSError, ValueError):  # no such group, or one without a limit ("max")
            continue
    return total * 4 // 5 // processes
