"""Modules, optimisers and data loaders do what PyTorch's do: ``tests/golden/modules.jsonl.gz``."""

from __future__ import annotations

import gzip
import json
import warnings
from typing import Any

import pytest

import engine
from engine import modes
from tests.engine.nn.programs import PROGRAMS, TRAINED
from tests.engine.nn.running import differences, run
from tests.paths import GOLDEN

RECORDED = GOLDEN / "modules.jsonl.gz"


def _recorded() -> dict[str, Any]:
    with gzip.open(RECORDED, "rt", encoding="utf-8") as lines:
        next(lines)
        return {record["name"]: record["notes"] for record in map(json.loads, lines)}


EXPECTED = _recorded()


def test_every_program_is_recorded() -> None:
    assert EXPECTED.keys() == PROGRAMS.keys()


@pytest.mark.parametrize("name", PROGRAMS)
def test_a_program_notes_what_it_notes_in_the_reference(name: str) -> None:
    with modes.use(modes.State(warnings=[])), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        notes = json.loads(json.dumps(run(PROGRAMS[name], engine)))
    found = differences(notes, EXPECTED[name], loose=10.0 if name in TRAINED else 1.0)
    assert not found, "\n".join(found)
