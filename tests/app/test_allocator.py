"""Freed memory is kept for the next request, and returned when nobody asks."""

import resource
from pathlib import Path

import numpy as np
import pytest

from app import allocator

STATUS = Path("/proc/self/statm")


@pytest.mark.skipif(not STATUS.exists() or allocator._libc() is None, reason="glibc on Linux only")
def test_what_was_freed_can_be_given_back() -> None:
    allocator.keep_freed()
    pieces = [bytearray(b"x") * 2**20 for _ in range(64)]
    pieces.clear()
    before = int(STATUS.read_text().split()[1])
    allocator.give_back()
    assert int(STATUS.read_text().split()[1]) <= before - 32 * 2**20 // 4096


@pytest.mark.skipif(not STATUS.exists() or allocator._libc() is None, reason="glibc on Linux only")
def test_large_arrays_get_the_memory_of_those_before() -> None:
    allocator.keep_freed()
    size = 2**26  # more than glibc would keep of what it maps

    def faults() -> int:
        before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
        np.empty(size, np.uint8).fill(1)
        return resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before

    assert min(faults() for _ in range(4)) <= 8  # 32 of huge pages, 16,384 of others
    before = int(STATUS.read_text().split()[1])
    allocator.give_back()
    assert int(STATUS.read_text().split()[1]) <= before - size // 2 // 4096


def test_another_c_library_is_left_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(allocator, "_libc", lambda: None)
    allocator.keep_freed()
    allocator.give_back()
