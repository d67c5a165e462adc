"""Records what programs with modules, optimisers and data loaders note in PyTorch, into ``modules.jsonl.gz``.

Run it with an interpreter that has torch. The first line of the result names the version; every other line is one
program of ``tests/engine/nn`` by its name, and what it notes.
"""

from __future__ import annotations

import gzip
import json
import sys
import warnings
from pathlib import Path

import torch
import torch.func
import torch.nn.attention
import torch.nn.utils.parametrizations
import torch.nn.utils.parametrize
import torch.optim.swa_utils
import torch.utils.data

from tests.engine.nn.programs import PROGRAMS
from tests.engine.nn.running import run

OUT = Path(__file__).with_name("modules.jsonl.gz")


def main() -> None:
    torch.set_num_threads(1)
    warnings.simplefilter("ignore")
    with OUT.open("wb") as raw, gzip.GzipFile(fileobj=raw, mode="wb", mtime=0, filename="") as lines:
        lines.write(json.dumps({"torch": torch.__version__}).encode() + b"\n")
        for name, program in PROGRAMS.items():
            torch.set_default_dtype(torch.float32)
            lines.write(json.dumps({"name": name, "notes": run(program, torch)}).encode() + b"\n")
    sys.stdout.write(f"{len(PROGRAMS)} programs\n")


if __name__ == "__main__":
    main()
