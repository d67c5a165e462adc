"""Memory that a thread gives back."""

import mmap
import os
import time
from collections.abc import Iterator
from pathlib import Path
from queue import SimpleQueue
from threading import Event

import pytest

from app.compute import reclaim

PATIENCE_S = 20.0


@pytest.fixture
def by_thread() -> Iterator[None]:
    reclaim.by_thread()
    yield
    done = Event()
    reclaim._work.put(done.set)  # type: ignore[union-attr]
    assert done.wait(PATIENCE_S)


def memfd(nbytes: int) -> int:
    descriptor = os.memfd_create("test")
    os.ftruncate(descriptor, nbytes)
    return descriptor


def maps_of(name: str) -> int:
    return sum(name in line for line in Path("/proc/self/maps").read_text().splitlines())


@pytest.mark.parametrize("nbytes", [mmap.PAGESIZE, 9 * 2**20 + 5])
@pytest.mark.usefixtures("by_thread")
def test_a_map_ends_with_its_last_view(nbytes: int) -> None:
    before = maps_of("memfd:test")
    descriptor = memfd(nbytes)
    view = memoryview(reclaim.Map(descriptor, nbytes))[3:]
    view[:4] = b"abcd"
    reclaim.close(descriptor, nbytes)
    assert maps_of("memfd:test") == before + 1
    assert bytes(view[:4]) == b"abcd"
    del view
    end = time.monotonic() + PATIENCE_S
    while maps_of("memfd:test") > before and time.monotonic() < end:
        time.sleep(0.001)
    assert maps_of("memfd:test") == before


@pytest.mark.usefixtures("by_thread")
def test_a_fork_has_no_thread_and_does_it_itself() -> None:
    assert isinstance(reclaim._work, SimpleQueue)
    pid = os.fork()
    if not pid:
        os._exit(0 if reclaim._work is None else 1)
    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0
