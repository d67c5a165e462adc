"""Makes clients of the OpenAPI document, compiles them strictly and drives each through the flow of the README.

``make sdk`` installs what this needs: generators and linters from PyPI (``python/requirements.txt``) and from npm
(``typescript/package.json``).
"""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final

from tests.processes import ROOT, Server

HERE: Final = Path(__file__).parent
DOCUMENT: Final = ROOT / "openapi" / "openapi.json"
SUSPICIOUS: Final = ("warning", "error")
# openapi-python-client writes JSON alone, and warns of each body that may be something else, too.
KNOWN: Final = re.compile(
    r"Warning\(s\) encountered while generating.*\n|"
    r"WARNING parsing .*\n\n(?:Unsupported content type (?:application/msgpack|text/x-python)|"
    r"Cannot parse response for status code .*application/msgpack.*)\n"
)


def run(*command: str | Path, cwd: Path = HERE) -> str:
    """Run a command, which must succeed; return what it said."""
    done = subprocess.run(list(map(str, command)), cwd=cwd, text=True, capture_output=True, check=False)
    said = done.stdout + done.stderr
    if done.returncode:
        raise SystemExit(f"{' '.join(map(str, command))}\n{said}")
    return said


def without_warnings(said: str) -> None:
    """Fail where a generator complains of the document."""
    found = [line for line in KNOWN.sub("", said).splitlines() if any(word in line.lower() for word in SUSPICIOUS)]
    if found:
        raise SystemExit("\n".join(found))


def lint(tools: Path, folder: Path) -> None:
    """Ask both linters; neither may find anything."""
    run(tools / "redocly", "lint", "--config", folder / "redocly.yaml", "--max-problems", "20", DOCUMENT)
    run(tools / "spectral", "lint", "--ruleset", folder / "spectral.yaml", "--fail-severity", "hint", DOCUMENT)
    print("redocly (recommended-strict), spectral:oas: nothing found")


def typescript(tools: Path, folder: Path, url: str) -> None:
    """Both TypeScript clients."""
    made = folder / "made"
    shutil.rmtree(made, ignore_errors=True)
    without_warnings(run(tools / "openapi-typescript", DOCUMENT, "-o", made / "schema.d.ts"))
    without_warnings(run(tools / "openapi-ts", "-i", DOCUMENT, "-o", made / "hey", cwd=folder))
    run(tools / "tsc", "--project", folder / "tsconfig.json")
    for flow in ("flow_fetch.ts", "flow_hey.ts"):
        print(run(tools / "tsx", folder / flow, url), end="")


def python(tools: Path, folder: Path, made: Path, url: str) -> None:
    """The Python client."""
    package = made / "gradserve_client"
    said = run(
        tools / "openapi-python-client", "generate", "--path", DOCUMENT, "--output-path", package, "--meta", "none",
        "--config", folder / "config.yaml", "--overwrite",
    )  # fmt: skip
    without_warnings(said)
    (package / "py.typed").touch()
    flow = Path(shutil.copy(folder / "flow.py", made))
    # its own casts of lists are redundant
    run(tools / "mypy", "--strict", "--no-warn-redundant-casts", "--config-file", "", flow, cwd=made)
    print(run(tools / "python", flow, url, cwd=made), end="")


def main() -> int:
    tools, scripts = Path(sys.argv[1]).absolute(), HERE / "typescript"
    node = scripts / "node_modules" / ".bin"
    lint(node, scripts)
    with TemporaryDirectory() as folder, Server(Path(folder)) as server:
        python(tools, HERE / "python", Path(folder), server.url)
        typescript(node, scripts, server.url)
    return 0


if __name__ == "__main__":
    sys.exit(main())
