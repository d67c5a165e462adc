"""Calls at the edges of what they take, against what PyTorch did (``tests/golden/edges.txt``)."""

from __future__ import annotations

import gzip
import json
from typing import Any

import pytest

import engine
from tests.parity.compare import differences
from tests.parity.execute import Step, execute
from tests.parity.program import Program
from tests.paths import GOLDEN


def _recorded() -> list[tuple[str, list[Any]]]:
    with gzip.open(GOLDEN / "edges.jsonl.gz", "rt", encoding="utf-8") as lines:
        next(lines)
        return [(line["program"], line["steps"]) for line in map(json.loads, lines)]


RECORDED = _recorded()


@pytest.mark.parametrize(("text", "steps"), RECORDED, ids=[text for text, _ in RECORDED])
def test_a_call_at_an_edge_does_what_it_does_in_pytorch(text: str, steps: list[Any]) -> None:
    program = Program(0, True, tuple(text.split("; ")))
    found = list(differences([Step(**step) for step in steps], execute(program, engine)))
    assert not found, "\n".join(map(str, found))


def test_all_edges_are_recorded() -> None:
    assert [text for text, _ in RECORDED] == GOLDEN.joinpath("edges.txt").read_text().splitlines()
