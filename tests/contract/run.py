"""Sends a server what schemathesis makes of the OpenAPI document, and reports answers that the document does not allow.

``make schemathesis`` installs what this needs (``requirements.txt``). Every check is on, the seed is fixed, and what is
not said otherwise takes three minutes: ``make schemathesis ARGS="--seconds 900 --seed 7"``.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
from pathlib import Path
from tempfile import TemporaryDirectory

from tests.processes import ROOT, Server

HOOKS = "tests.contract.hooks"
MANY = {"limits__sessions": "1000000", "limits__owner_bytes": str(2**40)}  # sessions, for each change takes a new one
CONFIG = Path(__file__).with_name("schemathesis.toml")


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("st", type=Path, help="schemathesis' command")
    parser.add_argument("--seconds", type=int, default=180, help="for all phases together")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("more", nargs="*", help="other arguments of `st run`, after --")
    given = parser.parse_args()
    environment = {**os.environ, "SCHEMATHESIS_HOOKS": HOOKS, "PYTHONPATH": str(ROOT)}
    with TemporaryDirectory() as folder, Server(Path(folder), store="memory", **MANY) as server:
        command: list[object] = [
            given.st.absolute(), "--config-file", CONFIG, "run", f"{server.url}/openapi.json", "--checks", "all",
            "--continue-on-failure", "--max-time", given.seconds, "--seed", given.seed,
            "--generation-database", "none", *given.more,
        ]  # fmt: skip
        return subprocess.run(list(map(str, command)), cwd=folder, env=environment, check=False).returncode


if __name__ == "__main__":
    sys.exit(main())
