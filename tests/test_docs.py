"""Every block of the README runs as it stands, against a real server, and gives exactly what the README shows."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import pytest

from tests.processes import ROOT, Server

README: Final = ROOT / "README.md"
ADDRESS: Final = "127.0.0.1:8000"
BLOCK: Final = re.compile(r"^```(\w+)\n(.*?)^```$", re.DOTALL | re.MULTILINE)
SHOWN: Final = {"json", "text", "mermaid"}  # what a block before them gives
SETUP: Final = "make run "  # the block that gets the service going, which the other tests have done
RUNNERS: Final = {"js": (("node",), ".mjs"), "go": (("go", "run"), ".go"), "python": ((sys.executable,), ".py")}
END: Final = "\x1e"  # between what the blocks of the one shell say

Examples = list[tuple[str, str, str]]  # language, text, and what it gives


def examples(text: str) -> Examples:
    """Return the blocks that run, with what is shown after each."""
    found: Examples = []
    for language, body in BLOCK.findall(text):
        if language not in SHOWN:
            found.append((language, body, ""))
        else:
            language, program, shown = found[-1]
            assert not shown, f"two outputs of one block: {body}"
            found[-1] = (language, program, body)
    return [one for one in found if not one[1].startswith(SETUP)]


EXAMPLES: Final = examples(README.read_text())


def of(language: str) -> Examples:
    return [one for one in EXAMPLES if one[0] == language]


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with Server(tmp_path_factory.mktemp("readme"), store="memory", workers="1") as server:
        yield server


def output(command: tuple[str, ...], program: str, folder: Path, suffix: str, server: Server) -> str:
    """Run a program that speaks to the README's address, as it stands but for that."""
    file = folder / f"block{suffix}"
    file.write_text(program.replace(ADDRESS, server.url.removeprefix("http://")))
    environment = os.environ | {"PYTHONPATH": str(ROOT), "GO111MODULE": "off", "GOFLAGS": ""}
    done = subprocess.run(
        [*command, file], cwd=folder, env=environment, capture_output=True, text=True, timeout=120, check=False
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def said_by_the_shell(blocks: Examples, folder: Path, server: Server) -> list[str]:
    """Run all the shell's blocks one after another in one shell, as a reader does; return what each says."""
    command = f"{sys.executable} -m app.cli"
    script = "".join(f"{text}printf '{END}'\n" for _, text, _ in blocks).replace(".venv/bin/gradserve", command)
    return output(("sh", "-e"), script, folder, ".sh", server).split(END)[:-1]


@pytest.mark.slow
def test_what_the_shell_says_is_what_the_readme_shows(server: Server, tmp_path: Path) -> None:
    blocks = of("sh")
    assert len(blocks) >= 9
    for said, (_, text, shown) in zip(said_by_the_shell(blocks, tmp_path, server), blocks, strict=True):
        assert said.strip() == shown.strip(), text


@pytest.mark.slow
@pytest.mark.parametrize(("language", "program", "shown"), [one for one in EXAMPLES if one[0] in RUNNERS])
def test_programs_print_what_the_readme_shows(
    server: Server, tmp_path: Path, language: str, program: str, shown: str
) -> None:
    command, suffix = RUNNERS[language]
    if shutil.which(command[0]) is None:
        pytest.skip(f"the README's {language} does not run: there is no {command[0]}")
    assert output(command, program, tmp_path, suffix, server) == shown


def test_every_block_runs_and_has_its_output() -> None:
    assert {language for language, _, _ in EXAMPLES} == {"sh", *RUNNERS}
    assert [text for _, text, shown in EXAMPLES if not shown] == []


def test_links_lead_to_files_and_headings() -> None:
    text = README.read_text()
    slugs = {
        re.sub(r"[^\w -]", "", title.lower()).replace(" ", "-")
        for title in re.findall(r"^#+ (.*)$", text, re.MULTILINE)
    }
    for target in re.findall(r"\]\(([^)]*)\)", text):
        assert target.removeprefix("#") in slugs if target.startswith("#") else (ROOT / target).exists(), target
