"""Programs over autograd's programmable parts print what they print on PyTorch."""

import gzip
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import engine as torch
from engine import modes
from tests.golden.programs import printed, programs

GOLDEN: dict[str, Any] = json.loads(
    gzip.decompress((Path(__file__).parents[2] / "golden" / "programs.json.gz").read_bytes())
)["programs"]


@pytest.fixture(autouse=True)
def state() -> Iterator[None]:
    """A state of its own for each program, which knows where that is."""
    fresh = modes.State()
    fresh.trace = lambda: ['  File "<program>", line 1, in <module>\n']
    with modes.use(fresh):
        torch.manual_seed(0)
        yield


def test_the_golden_file_has_these_programs() -> None:
    assert {name: one["program"] for name, one in GOLDEN.items()} == programs()


@pytest.mark.parametrize("name", programs())
def test_a_program_prints_what_it_prints_on_pytorch(name: str) -> None:
    one = GOLDEN[name]
    assert printed(one["program"], torch) == one["prints"]
