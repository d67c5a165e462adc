"""Whole programs, as tutorials and books have them, print what PyTorch printed (``tests/golden/tutorials.json.gz``)."""

from __future__ import annotations

import gzip
import json
from typing import Any

import pytest

from app.evaluate.run import run_code
from app.limits import Limits
from tests.app.conftest import Client
from tests.golden.tutorials import differences, programs
from tests.paths import GOLDEN

PROGRAMS = programs()


@pytest.fixture(scope="module")
def recorded() -> dict[str, Any]:
    found: dict[str, Any] = json.loads(gzip.decompress((GOLDEN / "tutorials.json.gz").read_bytes()))["prints"]
    return found


def test_every_program_was_recorded(recorded: dict[str, Any]) -> None:
    assert recorded.keys() == PROGRAMS.keys()


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("name", PROGRAMS)
def test_a_program_prints_what_pytorch_prints(name: str, recorded: dict[str, Any]) -> None:
    outcome = run_code(PROGRAMS[name], Limits())
    texts = [text + "\n" * (place not in outcome.unended) for place, text in enumerate(outcome.prints)]
    assert not differences(recorded[name], "".join(texts))


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("name", ["classifier", "translation", "saving"])
def test_a_file_is_a_body_as_it_is(name: str, recorded: dict[str, Any], client: Client) -> None:
    body = PROGRAMS[name].encode()
    answer = client("POST", "/v1/evaluate", content=body, headers={"Content-Type": "text/x-python"})
    assert answer.status_code == 200, answer.text
    assert not differences(recorded[name], "".join(f"{text}\n" for text in answer.json()["prints"]))
