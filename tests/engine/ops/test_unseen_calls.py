"""A call of every op that varies a recorded one: other extents, dtypes, layouts, arguments, forms.

``tests/golden/calls.jsonl.gz`` says in its first line which PyTorch ran them; ``make parity-ops`` compares as many more
as one likes. Those that differ still are listed in ``calls_pending.txt``: ``python -m
tests.engine.ops.test_unseen_calls`` writes it anew.
"""

from __future__ import annotations

import gzip
import json
from typing import NamedTuple

import pytest

import engine
from tests.parity import known
from tests.parity.compare import Difference, differences, is_inner
from tests.parity.execute import Step, execute
from tests.parity.program import Program
from tests.paths import GOLDEN

PENDING_FILE = GOLDEN / "calls_pending.txt"
PENDING = frozenset(PENDING_FILE.read_text().split())


class Case(NamedTuple):
    """A call as a program, what PyTorch did, and the names and fields whose numbers only rounding decides."""

    name: str
    program: Program
    steps: list[Step]
    free: set[tuple[str, str]]

    def differences(self) -> list[Difference]:
        """What clients of the service would see."""
        found = known.unexplained(differences(self.steps, execute(self.program, engine)), self.program)
        return [one for one in found if not is_inner(one) and (one.name, one.field) not in self.free]


def _cases() -> list[Case]:
    with gzip.open(GOLDEN / "calls.jsonl.gz", "rt", encoding="utf-8") as lines:
        next(lines)
        return [
            Case(
                line["name"],
                Program(**{**line["program"], "statements": tuple(line["program"]["statements"])}),
                [Step(**step) for step in line["steps"]],
                set(map(tuple, line["free"])),
            )
            for line in map(json.loads, lines)
        ]


CASES = _cases()


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_a_call_that_was_never_recorded_does_what_it_does_in_pytorch(case: Case) -> None:
    found = case.differences()
    if case.name in PENDING:
        assert found, f"{case.name} agrees now: take it off {PENDING_FILE.name}"
    else:
        assert not found, "\n".join((*case.program.statements, *map(str, found)))


def test_only_recorded_calls_are_pending() -> None:
    assert {case.name for case in CASES} >= PENDING


if __name__ == "__main__":
    PENDING_FILE.write_text("".join(f"{case.name}\n" for case in CASES if case.differences()))
