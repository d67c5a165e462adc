"""Freed memory is kept for the next request, and returned when nobody asks."""

import resource
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from app import allocator
from tests.processes import ROOT

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


HOLE = """
from pathlib import Path
from app import allocator
allocator.keep_freed({allowed})
def data():
    return int(Path("/proc/self/statm").read_text().split()[5])
large, behind = bytearray(2**26), [bytearray(1000) for _ in range(100)]
before = data()
del large
print(before - data())
"""


@pytest.mark.skipif(not STATUS.exists() or allocator._libc() is None, reason="glibc on Linux only")
@pytest.mark.parametrize(("allowed", "pages"), [(2**28, 2**26 // 4096), (2**32, 0)])
def test_no_hole_counts_against_the_limit_of_a_process_that_may_not_have_much(allowed: int, pages: int) -> None:
    command = [sys.executable, "-c", HOLE.format(allowed=allowed)]
    found = int(subprocess.run(command, cwd=ROOT, check=True, capture_output=True, text=True).stdout)
    assert pages <= found <= pages + 64


def test_another_c_library_is_left_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(allocator, "_libc", lambda: None)
    allocator.keep_freed()
    allocator.give_back()
