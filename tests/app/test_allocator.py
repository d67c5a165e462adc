"""Freed memory is kept for the next request, and returned when nobody asks."""

from pathlib import Path

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


def test_another_c_library_is_left_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(allocator, "_libc", lambda: None)
    allocator.keep_freed()
    allocator.give_back()
