"""Records what the programs of ``tests/app/program/tutorials`` print on PyTorch, into ``tutorials.json.gz``.

Run it with an interpreter that has torch. Each program runs in a process of its own, for some change what is global.
"""

from __future__ import annotations

import gzip
import io
import json
import os
import warnings
from contextlib import redirect_stdout
from pathlib import Path

import torch

from tests.golden.tutorials import programs

OUT = Path(__file__).with_name("tutorials.json.gz")


def printed(program: str) -> str:
    """What a program prints. Raises ``RuntimeError`` for one that does not end well."""
    reading, writing = os.pipe()
    pid = os.fork()
    if not pid:
        os.close(reading)
        warnings.simplefilter("ignore")
        out = io.StringIO()
        with os.fdopen(writing, "w") as pipe, redirect_stdout(out):
            exec(compile(program, "<program>", "exec", dont_inherit=True), {"__name__": "__main__"})
            pipe.write(out.getvalue())
            pipe.flush()
            os._exit(0)
    os.close(writing)
    with os.fdopen(reading) as pipe:
        text = pipe.read()
    if os.waitpid(pid, 0)[1]:
        raise RuntimeError("it did not end well")
    return text


def main() -> None:
    """Run each program by itself."""
    torch.set_num_threads(1)
    found = {name: printed(program) for name, program in programs().items()}
    raw = json.dumps({"torch": torch.__version__, "prints": found}, indent=0)
    OUT.write_bytes(gzip.compress(raw.encode(), mtime=0))


if __name__ == "__main__":
    main()
