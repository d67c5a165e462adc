"""The image without a container engine: the Dockerfile's steps, replayed in an empty folder by an unprivileged user.

Every absolute path of a step lies below that folder; a fresh virtual environment stands for the base image's Python. A
stage starts empty, so the last one has what it copies and nothing else.
"""

import json
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from math import ceil
from pathlib import Path
from typing import Any, NamedTuple

import httpx
import pytest

ROOT = Path(__file__).parent.parent
ABSOLUTE = re.compile(r"(?:(?<=^)|(?<=[\s=:]))/(?=\w)")
VARIABLE = re.compile(r"\$\{?(\w+)\}?")
FLAG = re.compile(r"--([\w-]+)=(\S+)\s+")
NOT_INHERITED = re.compile(r"HOME|VIRTUAL_ENV|PATH|PYTHON.*|GRADSERVE_.*|OPENBLAS_.*|PYTEST_.*|COV_.*")
UNNEEDED = shutil.ignore_patterns("__pycache__", "site-packages", "test", "idlelib", "tkinter", "config-*")
START_S, STOP_S, STEP_S = 60, 60, 900
BUSY_S = 3.0

Account = dict[str, Any]
"""As subprocess takes it: user and group by number; empty for whoever runs the tests."""


def account(user: int, group: int) -> Account:
    """Only root can be somebody else."""
    return {"user": user, "group": group, "extra_groups": []} if os.geteuid() == 0 else {}


BUILDER = account(65534, 65534)


class Instruction(NamedTuple):
    """One instruction, its flags and the rest of its line."""

    keyword: str
    flags: dict[str, str]
    text: str


@dataclass
class Stage:
    """From one FROM to the next."""

    name: str
    instructions: list[Instruction] = field(default_factory=list)

    def only(self, keyword: str) -> Instruction:
        """The one instruction of this kind."""
        (found,) = (instruction for instruction in self.instructions if instruction.keyword == keyword)
        return found

    def exec_form(self, keyword: str) -> list[str]:
        """The words of an instruction that no shell stands before."""
        words: list[str] = json.loads(self.only(keyword).text.removeprefix("CMD "))
        return words


def read_instructions(text: str) -> Iterator[Instruction]:
    joined = re.sub(r"\\\n\s*", "", "\n".join(line for line in text.splitlines() if not line.startswith("#")))
    for line in filter(None, joined.splitlines()):
        keyword, _, rest = line.partition(" ")
        flags = re.match(rf"(?:{FLAG.pattern})*", rest)
        assert flags
        yield Instruction(keyword, dict(FLAG.findall(flags[0])), rest[flags.end() :].strip())


def read_stages() -> list[Stage]:
    stages: list[Stage] = []
    for instruction in read_instructions((ROOT / "Dockerfile").read_text()):
        if instruction.keyword == "FROM":
            stages.append(Stage(instruction.text.partition(" AS ")[2]))
        elif stages:  # the ARG before the first FROM names the base image
            stages[-1].instructions.append(instruction)
    return stages


@dataclass
class Image:
    """The folder that stands for the file system, the environment and where the next step runs."""

    folder: Path
    base: Path
    environment: dict[str, str] = field(default_factory=dict)
    directory: str = "/"

    @property
    def root(self) -> Path:
        return self.folder / "root"

    @property
    def libraries(self) -> dict[str, str]:
        """Where a copied interpreter finds its own library, if it has one."""
        return {"LD_LIBRARY_PATH": str(self.folder / "python" / "lib")}

    def place(self, text: str) -> str:
        """``text`` with its absolute paths below the folder."""
        return ABSOLUTE.sub(f"{self.root}/", text)

    def path(self, text: str) -> Path:
        """Where a path of the image lies."""
        return self.root / Path(self.directory, text).relative_to("/")

    def start_stage(self) -> None:
        """An empty file system with the base image's Python on the path."""
        inherited = {name: value for name, value in os.environ.items() if not NOT_INHERITED.fullmatch(name)}
        self.environment = {
            **inherited,
            "PATH": f"{self.base / 'bin'}:/usr/local/bin:/usr/bin:/bin",
            **self.libraries,
            "HOME": str(self.root / "tmp"),
        }
        self.directory = "/"
        (self.root / "tmp").mkdir(parents=True)
        give(self.root, BUILDER)
        (self.root / "tmp").chmod(0o1777)

    def keep_stage(self, name: str) -> None:
        """Put the stage aside: what follows sees only what it copies from it."""
        self.root.rename(self.folder / name)

    def replay(self, instruction: Instruction) -> None:
        """Do what the instruction says; those that only describe the image do nothing here."""
        if step := getattr(self, f"_{instruction.keyword.lower()}", None):
            step(instruction)

    def _env(self, instruction: Instruction) -> None:
        for name, value in re.findall(r"(\w+)=(\S+)", instruction.text):
            known = VARIABLE.sub(lambda found: self.environment[found[1]], self.place(value))
            self.environment[name] = known

    def _workdir(self, instruction: Instruction) -> None:
        if not self.path(instruction.text).exists():
            self.path(instruction.text).mkdir(parents=True)
            give(self.path(instruction.text), BUILDER)
        self.directory = instruction.text

    def _copy(self, instruction: Instruction) -> None:
        *sources, target = instruction.text.split()
        stage = instruction.flags.get("from")
        for source in sources:
            origin = self.folder / stage / source.lstrip("/") if stage else ROOT / source
            into = self.path(target) / origin.name if target.endswith("/") else self.path(target)
            copy(origin, into)
            give(into, owner(instruction.flags["chown"]) if "chown" in instruction.flags else BUILDER)

    def _run(self, instruction: Instruction) -> None:
        self.call(["sh", "-ec", self.place(instruction.text)], BUILDER)

    def call(self, command: list[str], by: Account, **more: str) -> None:
        """Run a command to its end, with more variables; what it printed is the failure's message."""
        done = subprocess.run(
            command,
            cwd=self.path("."),
            env=self.environment | more,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=STEP_S,
            check=False,
            **by,
        )
        assert done.returncode == 0, f"{' '.join(command)}\n{done.stdout[-4000:]}"


def owner(text: str) -> Account:
    """Who ``USER`` or ``--chown`` means: a number each for user and group."""
    user, _, group = text.partition(":")
    return account(int(user), int(group))


def give(path: Path, to: Account) -> None:
    """Make ``path`` and all below it belong to the account."""
    if to:
        for entry in [path, *path.rglob("*")]:
            os.chown(entry, to["user"], to["group"], follow_symlinks=False)


def copy(origin: Path, into: Path) -> None:
    into.parent.mkdir(parents=True, exist_ok=True)
    if origin.is_dir():
        skip = shutil.ignore_patterns("__pycache__") if origin.is_relative_to(ROOT) else None
        shutil.copytree(origin, into, symlinks=True, ignore=skip)
    else:
        shutil.copy2(origin, into)


def base_python(folder: Path) -> Path:
    """The interpreter of this run, or a copy in ``folder`` where others may not enter its own (one in root's home)."""
    name = f"python{sys.version_info.major}.{sys.version_info.minor}"
    prefix = Path(sys.base_prefix)
    try:
        subprocess.run([prefix / "bin" / name, "-c", ""], check=True, cwd="/", **BUILDER)
    except (OSError, subprocess.CalledProcessError):
        shutil.copytree(prefix / "lib" / name, folder / "lib" / name, symlinks=True, ignore=UNNEEDED)
        for library in (prefix / "lib").glob("libpython*"):
            shutil.copy2(library, folder / "lib")
        (folder / "bin").mkdir()
        shutil.copy2(prefix / "bin" / name, folder / "bin")
        prefix = folder
    return prefix / "bin" / name


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


@pytest.fixture(scope="module")
def image() -> Iterator[Image]:
    """All stages replayed; the last one is what a container would start from."""
    with tempfile.TemporaryDirectory(prefix="gradserve-image-") as name:
        folder = Path(name)
        folder.chmod(0o755)
        (folder / "base").mkdir()
        give(folder / "base", BUILDER)
        built = Image(folder, folder / "base")
        python = base_python(folder / "python")
        subprocess.run([python, "-m", "venv", built.base], check=True, cwd="/", env=built.libraries, **BUILDER)
        stages = read_stages()
        for stage in stages:
            built.start_stage()
            for instruction in stage.instructions:
                built.replay(instruction)
            if stage is not stages[-1]:
                built.keep_stage(stage.name)
        yield built


class Server(NamedTuple):
    process: subprocess.Popen[str]
    client: httpx.Client
    port: int


@contextmanager
def served(image: Image) -> Iterator[Server]:
    """The image's entry point, started as its user; on loopback, for this is no container."""
    last = read_stages()[-1]
    command = [*last.exec_form("ENTRYPOINT"), *last.exec_form("CMD")]
    command = ["127.0.0.1" if word == "0.0.0.0" else word for word in command]
    port = free_port()
    environment = {**image.environment, "GRADSERVE_PORT": str(port)}
    user = owner(last.only("USER").text)
    with (
        subprocess.Popen(command, cwd=image.path("."), env=environment, text=True, **user) as process,
        httpx.Client(base_url=f"http://127.0.0.1:{port}", timeout=STOP_S, trust_env=False) as client,
    ):
        try:
            wait_until_well(process, client)
            yield Server(process, client, port)
        finally:
            process.kill()


def wait_until_well(process: subprocess.Popen[str], client: httpx.Client) -> None:
    deadline = time.monotonic() + START_S
    while time.monotonic() < deadline:
        assert process.poll() is None, f"the server ended with {process.returncode}"
        try:
            assert client.get("/healthz").status_code == 200
            return
        except httpx.ConnectError:
            time.sleep(0.1)
    pytest.fail(f"no answer within {START_S} s")


def compute(client: httpx.Client, products: int) -> httpx.Response:
    """Some work of even length whose results are small."""
    code = f"x = torch.ones(256, 20000)\nfor _ in range({products}):\n    y = x @ x.T\n"
    return client.post("/v1/evaluate", json={"code": f"{code}z = y.sum()", "outputs": ["z"]})


@pytest.mark.slow
class TestReplayed:
    """The steps run once, for all tests of this class."""

    def test_the_image_serves_and_its_health_check_agrees(self, image: Image) -> None:
        last = read_stages()[-1]
        with served(image) as server:
            user = owner(last.only("USER").text)
            image.call(last.exec_form("HEALTHCHECK"), user, GRADSERVE_PORT=str(server.port))

    def test_sigterm_lets_a_running_request_finish(self, image: Image) -> None:
        with served(image) as server, ThreadPoolExecutor(1) as pool:
            compute(server.client, 1)
            start = time.perf_counter()
            compute(server.client, 10)
            products = ceil(10 * BUSY_S / (time.perf_counter() - start))
            running = pool.submit(compute, server.client, products)
            time.sleep(BUSY_S / 3)
            assert not running.done()
            server.process.send_signal(signal.SIGTERM)
            answer = running.result(STOP_S)
            assert answer.status_code == 200, answer.text
            assert answer.json()["outputs"]["z"]["data"] == 256 * 256 * 20000
            assert server.process.wait(STOP_S) in {0, -signal.SIGTERM}

    def test_the_final_stage_has_nothing_that_builds_or_installs(self, image: Image) -> None:
        installed = {path.name.partition("-")[0] for path in image.root.rglob("*.dist-info")}
        assert "gradserve" in installed
        assert not installed & {"pip", "setuptools", "wheel"}


def test_the_user_is_a_number_and_not_root() -> None:
    assert re.fullmatch(r"[1-9]\d*:[1-9]\d*", read_stages()[-1].only("USER").text)


def test_the_final_stage_copies_and_runs_nothing() -> None:
    assert not [step for step in read_stages()[-1].instructions if step.keyword in {"ADD", "RUN"}]


def test_the_user_owns_the_volume_only() -> None:
    last = read_stages()[-1]
    owned = {step.text.split()[-1] for step in last.instructions if "chown" in step.flags}
    assert owned == {last.only("VOLUME").text} == {"/data"}


def test_the_base_image_is_pinned() -> None:
    image = re.search(r"^ARG PYTHON=(\S+)$", (ROOT / "Dockerfile").read_text(), re.MULTILINE)
    assert image
    assert re.fullmatch(r"python:3\.\d+\.\d+-slim-\w+", image[1])


def test_what_is_copied_is_let_through_by_dockerignore() -> None:
    allowed = {line[1:] for line in (ROOT / ".dockerignore").read_text().splitlines() if line.startswith("!")}
    steps = [step for stage in read_stages() for step in stage.instructions if step.keyword == "COPY"]
    copied = {source for step in steps if "from" not in step.flags for source in step.text.split()[:-1]}
    assert copied == allowed
