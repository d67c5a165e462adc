"""Compares the engine with PyTorch on random programs, both in this process: ``make parity``.

Each difference is printed with the shortest program that still shows it, and all are counted by kind. The exit status
is 1 if there is one that ``known.py`` does not explain.
"""

# ruff: noqa: T201 - printing is what a command does

from __future__ import annotations

import argparse
import gc
import sys
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass

import torch

import engine
from tests.parity import known
from tests.parity.compare import Difference, differences
from tests.parity.execute import execute
from tests.parity.program import Program
from tests.parity.programs import generate
from tests.parity.shrink import shrink

PAUSE = 200  # programs between two collections of garbage: graphs with create_graph hold themselves


@dataclass(frozen=True)
class Finding:
    """A program that the two libraries run differently, and what differs after the first statement that does."""

    program: Program
    found: tuple[Difference, ...]

    @property
    def statement(self) -> str:
        return self.program.statements[self.found[0].position]

    @property
    def kind(self) -> str:
        return self.found[0].kind


def examine(program: Program) -> Finding | None:
    """The first unexplained differences of a program, if it has any."""
    found = known.unexplained(differences(execute(program, torch), execute(program, engine)), program)
    return Finding(program.until(found[0].position), tuple(found)) if found else None


def shortest(finding: Finding) -> Finding:
    """The same kind of difference in as few statements as show it."""

    def shows(program: Program) -> bool:
        again = examine(program)
        return again is not None and finding.kind in {difference.kind for difference in again.found}

    small = shrink(finding.program, shows)
    return examine(small) or finding


def findings(seeds: range, whole: bool) -> Iterator[Finding]:
    """What the programs of these numbers show, in their order."""
    for count, seed in enumerate(seeds, 1):
        finding = examine(generate(seed))
        if finding is not None:
            yield finding if whole else shortest(finding)
        if count % PAUSE == 0:
            gc.collect()


def show(finding: Finding) -> None:
    """A program and what differs, for reading."""
    print(f"seed {finding.program.seed}{', watched' if finding.program.watched else ''}")
    for statement in finding.program.statements:
        print(f"    {statement}")
    for difference in finding.found:
        print(f"  {difference.name}.{difference.field}: {difference.expected!r}, here {difference.found!r}")
    print(flush=True)


def main() -> int:
    """Exit status 1 if anything differs that is not known."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--programs", type=int, default=3000)
    parser.add_argument("--seed", type=int, default=0, help="number of the first program")
    parser.add_argument("--whole", action="store_true", help="do not shorten programs")
    options = parser.parse_args()
    torch.set_num_threads(1)
    kinds: Counter[str] = Counter()
    for finding in findings(range(options.seed, options.seed + options.programs), options.whole):
        show(finding)
        kinds[finding.kind] += 1
    for kind, count in kinds.most_common():
        print(f"{count:6} {kind}")
    print(f"{options.programs} programs, {kinds.total()} of them differ")
    return 1 if kinds else 0


if __name__ == "__main__":
    sys.exit(main())
