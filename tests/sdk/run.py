"""Makes clients of the OpenAPI document, compiles them strictly and drives each through the flow of the README.

``make sdk`` takes what there are tools for, and says loudly what it leaves out; ``make sdk-all`` fails where one is
missing. Generators and linters come from PyPI (``python/requirements.txt``) and npm (``typescript/package.json``), and
from Debian Go with ``golang-gopkg-validator.v2-dev``, a JDK with ``libgeronimo-annotation-1.3-spec-java``, and cargo;
the crates that a Rust client needs are Debian's, too (``rust/packages.txt``).
"""

from __future__ import annotations

import argparse
import json
import os
import re
import shutil
import subprocess
import sys
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final

from tests.processes import ROOT, Server

HERE: Final = Path(__file__).parent
SCRIPTS: Final = HERE / "typescript"
NODE: Final = SCRIPTS / "node_modules" / ".bin"
PYTHON: Final = ROOT / ".venv" / "sdk" / "bin"
DOCUMENT: Final = ROOT / "openapi" / "openapi.json"
GO_LIBRARIES: Final = Path("/usr/share/gocode")
ANNOTATIONS: Final = Path("/usr/share/java/geronimo-annotation-1.3-spec.jar")
CRATES: Final = ROOT / ".venv" / "sdk" / "crates" / "usr" / "share" / "cargo" / "registry"
JOBS: Final = 2
SUSPICIOUS: Final = ("warn", "error")
KNOWN: Final = re.compile(
    # openapi-python-client writes JSON alone, and warns of each body that may be something else, too.
    r"Warning\(s\) encountered while generating.*\n|"
    r"WARNING parsing .*\n\n(?:Unsupported content type (?:application/msgpack|text/x-python)|"
    r"Cannot parse response for status code .*application/msgpack.*)\n|"
    # openapi-generator says what it writes, what it thinks of OpenAPI 3.1, that a part of a union has no name, and for
    # Rust what it calls a field `type`, and media types, which it takes for models but for which it writes none.
    r".* INFO .*\n|.*OpenAPI 3\.1 support is still in beta.*\n|.*Failed to get the schema name: null\n|"
    r".*AbstractRustCodegen - (?:type|serde_json::value) cannot be used as a field/variable name\. Renamed to .*\n|"
    r".*AbstractRustCodegen - \S+ cannot be used as a model name\. Renamed to \S+Slash\S+\n"
)


@dataclass(frozen=True)
class Client:
    """A generator, where its client goes, and what drives that."""

    name: str
    needs: tuple[str | Path, ...]
    drive: Callable[[Path, str], str]  # with a folder and the address of a server; returns what the flow said

    def missing(self) -> list[str]:
        """Return the tools that are not there."""
        return [str(tool) for tool in self.needs if not (shutil.which(tool) or Path(tool).exists())]


def run(*command: str | Path, cwd: Path = HERE, **variables: str) -> str:
    """Run a command, which must succeed; return what it said."""
    environment = os.environ | variables
    done = subprocess.run(
        list(map(str, command)), cwd=cwd, env=environment, text=True, capture_output=True, check=False
    )
    said = done.stdout + done.stderr
    if done.returncode:
        raise SystemExit(f"{' '.join(map(str, command))}\n{said}")
    return said


def without_warnings(said: str) -> None:
    """Fail where a generator complains of the document."""
    found = [line for line in KNOWN.sub("", said).splitlines() if any(word in line.lower() for word in SUSPICIOUS)]
    if found:
        raise SystemExit("\n".join(found))


def generator() -> Path:
    """Return openapi-generator: a Java program, which has the libraries that its Java client needs, too."""
    return next((PYTHON.parent / "lib").glob("python*/site-packages/openapi_generator_cli/openapi-generator.jar"))


def generate(language: str, target: Path, properties: str, *more: str) -> None:
    """Let openapi-generator write a client."""
    shutil.rmtree(target, ignore_errors=True)
    command = ("java", "-jar", generator(), "generate", "-i", DOCUMENT, "-g", language, "-o", target, "-p", properties)
    without_warnings(run(*command, *more))


def lint(*_: object) -> str:
    """Ask both linters; neither may find anything."""
    run(NODE / "redocly", "lint", "--config", SCRIPTS / "redocly.yaml", "--max-problems", "20", DOCUMENT)
    run(NODE / "spectral", "lint", "--ruleset", SCRIPTS / "spectral.yaml", "--fail-severity", "hint", DOCUMENT)
    return "redocly (recommended-strict), spectral:oas: nothing found\n"


def typescript(flow: str, make: Callable[[Path], object]) -> Callable[[Path, str], str]:
    """Return what makes a client in TypeScript, checks it together with its flow, and drives it."""

    def drive(_: Path, url: str) -> str:
        made = SCRIPTS / "made"
        made.mkdir(exist_ok=True)
        make(made)
        project = made / f"{flow}.json"
        project.write_text(json.dumps({"extends": "../tsconfig.json", "include": [f"../{flow}.ts"]}))
        run(NODE / "tsc", "--project", project)
        return run(NODE / "tsx", SCRIPTS / f"{flow}.ts", url)

    return drive


def _write_types(made: Path) -> None:
    without_warnings(run(NODE / "openapi-typescript", DOCUMENT, "-o", made / "schema.d.ts"))


def _write_hey(made: Path) -> None:
    without_warnings(run(NODE / "openapi-ts", "-i", DOCUMENT, "-o", made / "hey", cwd=SCRIPTS))


def _write_fetch(made: Path) -> None:
    generate("typescript-fetch", made / "fetch", "importFileExtension=.js")


def python(made: Path, url: str) -> str:
    """The client that openapi-python-client makes."""
    package, folder = made / "gradserve_client", HERE / "python"
    said = run(
        PYTHON / "openapi-python-client", "generate", "--path", DOCUMENT, "--output-path", package, "--meta", "none",
        "--config", folder / "config.yaml", "--overwrite",
    )  # fmt: skip
    without_warnings(said)
    (package / "py.typed").touch()
    flow = Path(shutil.copy(folder / "flow.py", made))
    # its own casts of lists are redundant
    run(PYTHON / "mypy", "--strict", "--no-warn-redundant-casts", "--config-file", "", flow, cwd=made)
    return run(PYTHON / "python", flow, url, cwd=made)


def generated_python(made: Path, url: str) -> str:
    """The client that openapi-generator makes for Python."""
    generate("python", made / "python", "packageName=gradserve_generated")
    flow = Path(shutil.copy(HERE / "python" / "flow_generated.py", made / "python"))
    # that generator's own functions have no types everywhere, and its __init__ names nothing as exported
    silent = ("--follow-imports", "silent", "--implicit-reexport", "--config-file", "")
    run(PYTHON / "mypy", "--strict", *silent, flow, cwd=flow.parent)
    return run(PYTHON / "python", flow, url, cwd=flow.parent)


def go(made: Path, url: str) -> str:
    """The client that openapi-generator makes for Go. Its one library is Debian's, for there is no proxy to ask."""
    sources = made / "go" / "src"
    generate("go", sources / "gradserve", "packageName=gradserve,withGoMod=false")
    shutil.rmtree(sources / "gradserve" / "test")  # ... of the client, which ask for a library that is not there
    flow = Path(shutil.copytree(HERE / "go", sources / "flow"))
    settings = {"GO111MODULE": "off", "GOPATH": f"{sources.parent}:{GO_LIBRARIES}", "GOFLAGS": ""}
    run("go", "vet", "gradserve", "flow", cwd=flow, **settings)
    return run("go", "run", ".", url, cwd=flow, **settings)


def java(made: Path, url: str) -> str:
    """The client that openapi-generator makes for Java's own HTTP client."""
    target, classes = made / "java", made / "classes"
    classes.mkdir()
    packages = "invokerPackage=gradserve,apiPackage=gradserve.api,modelPackage=gradserve.model"
    generate("java", target, f"openApiNullable=false,{packages}", "--library", "native")
    path = f"{classes}:{generator()}:{ANNOTATIONS}"
    # what these four name is that generator's own way of writing Java
    strict = ("-Xlint:all,-serial,-deprecation,-cast,-processing", "-Werror", "-d", classes, "-cp", path)
    sources = (target / "src" / "main").rglob("*.java")
    run("javac", *strict, *sources, HERE / "java" / "Flow.java")
    return run("java", "-cp", path, "Flow", url)


def rust(made: Path, url: str) -> str:
    """The client that openapi-generator makes for Rust. Its libraries are Debian's, for there is no registry to ask."""
    target = made / "rust"
    shutil.copytree(HERE / "rust", target)
    generate("rust", made / "crate", "packageName=gradserve")
    shutil.move(made / "crate" / "src", target / "src")
    sources = "--config=source.crates-io.replace-with='debian'", f"--config=source.debian.directory='{CRATES}'"
    built = str(CRATES.parents[3] / "target")
    settings = {"CARGO_TARGET_DIR": built, "CARGO_NET_OFFLINE": "true", "RUSTFLAGS": "-D warnings"}
    return run("cargo", "run", "--quiet", *sources, "--", url, cwd=target, **settings)


JAVA: Final = ("java", "javac", PYTHON / "python")
CLIENTS: Final = (
    Client("linters", (NODE / "redocly", NODE / "spectral"), lint),
    Client("openapi-python-client", (PYTHON / "openapi-python-client",), python),
    Client(
        "openapi-typescript with openapi-fetch", (NODE / "openapi-typescript",), typescript("flow_fetch", _write_types)
    ),
    Client("hey-api", (NODE / "openapi-ts",), typescript("flow_hey", _write_hey)),
    Client("openapi-generator, python", JAVA, generated_python),
    Client("openapi-generator, typescript-fetch", (*JAVA, NODE / "tsc"), typescript("flow_generated", _write_fetch)),
    Client("openapi-generator, go", (*JAVA, "go", GO_LIBRARIES / "src" / "gopkg.in" / "validator.v2"), go),
    Client("openapi-generator, java", (*JAVA, ANNOTATIONS), java),
    Client("openapi-generator, rust", (*JAVA, "cargo", CRATES), rust),
)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--all", action="store_true", help="fail where a tool is missing, rather than leave it out")
    parser.add_argument("--only", default="", help="the clients whose names have this in them")
    asked = parser.parse_args()
    chosen = [client for client in CLIENTS if asked.only in client.name]
    missing = {client.name: client.missing() for client in chosen if client.missing()}
    if missing and asked.all:
        raise SystemExit("\n".join(f"{name}: there is no {', '.join(tools)}" for name, tools in missing.items()))
    with TemporaryDirectory() as folder, Server(Path(folder)) as server:
        for name, tools in missing.items():
            print(f"LEFT OUT: {name}, for there is no {', '.join(tools)}", flush=True)

        def drive(client: Client) -> str:
            begun = time.monotonic()
            said = client.drive(Path(folder), server.url).strip()
            return f"{said} ({time.monotonic() - begun:.0f} s)"

        with ThreadPoolExecutor(JOBS) as pool:
            for line in pool.map(drive, [client for client in chosen if client.name not in missing]):
                print(line, flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
