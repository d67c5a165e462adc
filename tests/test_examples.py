"""The examples run as they stand, against a real server, and print what they should."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import httpx
import pytest

from tests.processes import ROOT, Server

EXAMPLES: Final = ROOT / "examples"
RUNNERS: Final = {".py": (sys.executable,), ".sh": ("sh",), ".mjs": ("node",), ".go": ("go", "run")}
NEEDED: Final = {".sh": "curl"}  # what an example calls, beside what it is run by
PRINTED: Final = {
    "tutorial.sh": ['"out":{"data":27.0,', '"data":[[4.5,4.5],[4.5,4.5]]', '"data":[[9.0,9.0],[9.0,9.0]]'],
    "tutorial.py": [
        "tensor(27., grad_fn=<MeanBackward0>)", "[[4.5, 4.5], [4.5, 4.5]]\n[[9.0, 9.0], [9.0, 9.0]]\n",
    ],
    "tutorial.mjs": ["MeanBackward0 27\n[ [ 4.5, 4.5 ], [ 4.5, 4.5 ] ]\n[ [ 9, 9 ], [ 9, 9 ] ]\n"],
    "tutorial.go": ["MeanBackward0 27\n[[4.5 4.5] [4.5 4.5]]\n[[9 9] [9 9]]\n"],
    "gradients.py": ["1000 gradients, each as the formula has it\n"],
    "sgd.py": ["steps and weights: 100 tensor([ 2.0000, -3.0000])\n"],
    "newton.py": ["step 0: f = 2.420e+01\n", "tensor([1., 1.], dtype=torch.float64)\n"],
    "nan.py": ["['NaN', 'NaN']", "not finite: {'name': None, 'grad_fn': 'SqrtBackward0'}\n"],
}  # fmt: skip
REQUEST: Final = re.compile(r"(GET|POST|PUT|PATCH|DELETE) (\S+)\n((?:[\w-]+: [^\n]*\n)*)(?:\n(.*))?", re.DOTALL)


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with Server(tmp_path_factory.mktemp("examples"), store="memory", workers="2") as server:
        yield server


@pytest.mark.slow
@pytest.mark.parametrize("name", PRINTED)
def test_an_example_prints_what_it_should(server: Server, tmp_path: Path, name: str) -> None:
    suffix = Path(name).suffix
    tools = [RUNNERS[suffix][0], *([NEEDED[suffix]] if suffix in NEEDED else [])]
    if lacking := [tool for tool in tools if shutil.which(tool) is None]:
        pytest.skip(f"examples/{name} does not run: there is no {lacking[0]}")
    environment = os.environ | {"GRADSERVE_URL": server.url, "GO111MODULE": "off", "GOFLAGS": ""}
    done = subprocess.run(
        [*RUNNERS[suffix], EXAMPLES / name], cwd=tmp_path, env=environment, capture_output=True, text=True,
        timeout=120, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    for text in PRINTED[name]:
        assert text in done.stdout


def requests(text: str) -> Iterator[tuple[str | None, str, str, dict[str, str], str]]:
    """Yield name, method, address, headers and body of each request of a ``.http`` file."""
    for part in re.split(r"^###.*\n", text, flags=re.MULTILINE)[1:]:
        name = re.search(r"^# @name (\w+)$", part, re.MULTILINE)
        found = REQUEST.fullmatch(re.sub(r"^#.*\n", "", part, flags=re.MULTILINE).strip() + "\n")
        assert found is not None, part
        headers = dict(line.split(": ", 1) for line in found[3].splitlines())
        yield name and name[1], found[1], found[2], headers, (found[4] or "").strip()


@pytest.mark.slow
def test_the_requests_of_the_http_file_are_answered(server: Server) -> None:
    text = (EXAMPLES / "tutorial.http").read_text()
    values = dict(re.findall(r"^@(\w+) = (.*)$", text, re.MULTILINE)) | {"service": server.url}
    bodies: dict[str, Any] = {}

    def value(found: re.Match[str]) -> str:
        name, _, path = found[1].partition(".response.body.$.")
        return str(bodies[name][path] if path else values[name])

    answers = []
    for name, method, url, headers, body in requests(text):
        answer = httpx.request(method, re.sub(r"{{(.*?)}}", value, url), headers=headers, content=body)
        assert answer.is_success, answer.text
        answers.append(answer)
        if name is not None:
            bodies[name] = answer.json()
    assert answers[2].json()["outputs"]["out"]["data"] == 27.0
    assert answers[4].json()["grads"]["x"]["data"] == [[9.0, 9.0], [9.0, 9.0]]
    assert answers[5].text.startswith("flowchart TD")


def test_every_example_is_run_and_named() -> None:
    files = {file.name for file in EXAMPLES.iterdir() if file.is_file()}
    assert files == {*PRINTED, "tutorial.http", "README.md"}
    listed = re.findall(r"\]\((.*?)\)", (EXAMPLES / "README.md").read_text())
    assert sorted(listed) == sorted(files - {"README.md"})
