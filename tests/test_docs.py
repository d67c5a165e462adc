"""Every example of the README runs and gives exactly what the README shows."""

from __future__ import annotations

import json
import os
import re
import shlex
import subprocess
import sys
from collections.abc import AsyncIterator
from itertools import pairwise
from pathlib import Path
from typing import Any

import httpx
import pytest

from app.main import create_app
from app.settings import Settings

ROOT = Path(__file__).parent.parent
README = (ROOT / "README.md").read_text()
BLOCKS = re.findall(r"```(\w+)\n(.*?)```", README, re.DOTALL)
ORIGIN = "http://127.0.0.1:8000"


def following(language: str, shown: str) -> list[tuple[str, str]]:
    """Blocks of ``language`` with the block of ``shown`` that follows each at once."""
    pairs = pairwise(BLOCKS)
    return [(first[1], second[1]) for first, second in pairs if (first[0], second[0]) == (language, shown)]


def request_of(command: str, session: str = "") -> dict[str, Any]:
    """What a curl command of the README sends."""
    words = shlex.split(command.replace("\\\n", " "), comments=True)
    request: dict[str, Any] = {"method": "GET", "headers": {}}
    for flag, value in pairwise(words):
        if flag == "-X":
            request["method"] = value
        elif flag == "-H":
            name, _, text = value.partition(": ")
            request["headers"][name] = text
        elif flag == "-d":
            request["content"] = value
    request["url"] = next(word for word in words if word.startswith(ORIGIN)).replace("$S", session)
    if "content" in request and request["method"] == "GET":
        request["method"] = "POST"
    return request


@pytest.fixture
async def client() -> AsyncIterator[httpx.AsyncClient]:
    app = create_app(Settings(store="memory"))
    async with app.router.lifespan_context(app), httpx.AsyncClient(transport=httpx.ASGITransport(app)) as client:
        yield client


@pytest.mark.anyio
@pytest.mark.parametrize(("command", "answer"), following("sh", "json"))
async def test_curl_examples_answer_what_the_readme_shows(client: httpx.AsyncClient, command: str, answer: str) -> None:
    response = await client.request(**request_of(command))
    assert response.json() == json.loads(answer)
    assert response.text == answer.strip()


@pytest.mark.anyio
async def test_the_session_example_accumulates(client: httpx.AsyncClient) -> None:
    commands = [line for _, text in BLOCKS for line in re.split(r"\n(?=curl)", text) if "/v1/sessions" in line]
    created = await client.request(**request_of(commands[0]))
    session = created.json()["id"]
    answers = [await client.request(**request_of(command, session)) for command in commands[1:]]
    assert all(answer.is_success for answer in answers), [answer.text for answer in answers]
    assert answers[-2].json()["grad"]["data"] == [[5.5, 5.5], [5.5, 5.5]]
    assert "MeanBackward0" in answers[-1].text


@pytest.mark.parametrize(("program", "printed"), following("python", "text"))
def test_library_examples_print_what_the_readme_shows(program: str, printed: str) -> None:
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    result = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True, env=environment, timeout=60
    )
    assert result.stdout == printed


def test_the_readme_has_examples_of_each_kind() -> None:
    assert len(following("sh", "json")) >= 3
    assert following("python", "text")
