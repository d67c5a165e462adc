"""Random programs, statement by statement, against what PyTorch did (``tests/golden/parity.jsonl.gz``).

Programs that do not agree yet are listed in ``parity_pending.txt``; one that begins to agree has to leave the list:
``python -m tests.engine.test_parity`` writes it anew. ``make parity`` runs many more, against PyTorch itself.
"""

from __future__ import annotations

import gzip
import json
from typing import NamedTuple

import pytest

import engine
from tests.parity import known
from tests.parity.compare import Difference, differences
from tests.parity.execute import Step, execute
from tests.parity.program import Program
from tests.parity.programs import generate
from tests.paths import GOLDEN

PENDING_FILE = GOLDEN / "parity_pending.txt"
PENDING = frozenset(map(int, PENDING_FILE.read_text().split()))


class Case(NamedTuple):
    """A program, and what PyTorch did at each of its statements."""

    program: Program
    steps: list[Step]

    def differences(self) -> list[Difference]:
        """Those after the first statement with any that ``known`` does not explain."""
        return known.unexplained(differences(self.steps, execute(self.program, engine)), self.program)


def _cases() -> list[Case]:
    with gzip.open(GOLDEN / "parity.jsonl.gz", "rt", encoding="utf-8") as lines:
        next(lines)
        return [
            Case(
                Program(line["seed"], line["watched"], tuple(line["statements"])),
                [Step(**step) for step in line["steps"]],
            )
            for line in map(json.loads, lines)
        ]


CASES = _cases()


@pytest.mark.parametrize("case", CASES, ids=lambda case: str(case.program.seed))
def test_a_program_does_what_it_does_in_pytorch(case: Case) -> None:
    found = case.differences()
    if case.program.seed in PENDING:
        assert found, f"{case.program.seed} agrees now: take it off {PENDING_FILE.name}"
    else:
        assert not found, "\n".join((*case.program.statements, *map(str, found)))


def test_only_recorded_programs_are_pending() -> None:
    assert {case.program.seed for case in CASES} >= PENDING


def test_the_recorded_programs_are_those_that_the_generator_makes() -> None:
    assert [generate(case.program.seed) for case in CASES] == [case.program for case in CASES]


if __name__ == "__main__":
    PENDING_FILE.write_text("".join(f"{case.program.seed}\n" for case in CASES if case.differences()))
