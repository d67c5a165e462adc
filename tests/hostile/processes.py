"""What a tree of processes uses: memory that is its own, processor time, and who belongs to it. Linux only."""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path
from typing import Final, NamedTuple

PROC: Final = Path("/proc")
TICKS: Final = os.sysconf("SC_CLK_TCK")


class Process(NamedTuple):
    """One line of the table of processes."""

    pid: int
    state: str
    parent: int
    session: int
    seconds: float  # of processor time so far, of children that have ended too


def table() -> list[Process]:
    """Return all processes that can be seen."""
    return [found for entry in PROC.iterdir() if entry.name.isdigit() and (found := _read(int(entry.name)))]


def _read(pid: int) -> Process | None:
    try:
        fields = (PROC / str(pid) / "stat").read_text().rpartition(") ")[2].split()
    except OSError:  # it has ended
        return None
    seconds = sum(map(int, fields[11:15])) / TICKS
    return Process(pid, fields[0], int(fields[1]), int(fields[3]), seconds)


def tree(root: int) -> list[Process]:
    """Return ``root`` and all that descend from it, without those that have ended."""
    found, every = {root}, [process for process in table() if process.state not in "ZX"]
    grown = True
    while grown:
        more = {process.pid for process in every if process.parent in found} - found
        found |= more
        grown = bool(more)
    return [process for process in every if process.pid in found]


def of_session(session: int) -> list[int]:
    """Return the processes of a session: also those whose parent has ended."""
    return [process.pid for process in table() if process.session == session and process.state not in "ZX"]


def memory(pids: Iterable[int]) -> float:
    """Return the proportional set size of processes, in MiB: shared pages count by their part."""
    return sum(map(_pss, pids)) / 1024


def _pss(pid: int) -> int:
    try:
        lines = (PROC / str(pid) / "smaps_rollup").read_text().splitlines()
    except OSError:
        return 0
    return next((int(line.split()[1]) for line in lines if line.startswith("Pss:")), 0)
