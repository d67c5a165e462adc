"""Records what PyTorch does in 300 random programs, into ``parity.jsonl.gz`` beside this file.

Run it as a module, with an interpreter that has torch. The first line of the result names the version; every other line
is one program and what could be seen after each of its statements.
"""

from __future__ import annotations

import gzip
import json
from dataclasses import asdict
from pathlib import Path
from typing import Any

import torch

from tests.parity.execute import execute
from tests.parity.programs import generate

PROGRAMS = 300
OUT = Path(__file__).with_name("parity.jsonl.gz")


def case(seed: int) -> dict[str, Any]:
    program = generate(seed)
    return {**asdict(program), "steps": [asdict(step) for step in execute(program, torch)]}


def main() -> None:
    torch.set_num_threads(1)
    lines = [{"torch": torch.__version__}, *(case(seed) for seed in range(PROGRAMS))]
    text = "".join(json.dumps(line, separators=(",", ":")) + "\n" for line in lines)
    OUT.write_bytes(gzip.compress(text.encode(), mtime=0))


if __name__ == "__main__":
    main()
