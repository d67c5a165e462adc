"""Records what PyTorch does in the programs of ``edges.txt``, into ``edges.jsonl.gz``.

Run it as a module, with an interpreter that has torch. ``edges.txt`` has a program a line, its statements apart by
``; ``: what calls do at the edges of what they take, where the words of a refusal, an order of checks, a layout or a
version show a rule. The first line of the result names the version of PyTorch.
"""

from __future__ import annotations

import gzip
import json
from dataclasses import asdict
from pathlib import Path

import torch

from tests.parity.execute import execute
from tests.parity.program import Program

HERE = Path(__file__).parent


def main() -> None:
    torch.set_num_threads(1)
    programs = [line for line in HERE.joinpath("edges.txt").read_text().splitlines() if line]
    lines: list[object] = [{"torch": torch.__version__}]
    for text in programs:
        steps = execute(Program(0, True, tuple(text.split("; "))), torch)
        lines.append({"program": text, "steps": [asdict(step) for step in steps]})
    written = "".join(json.dumps(line, separators=(",", ":")) + "\n" for line in lines)
    HERE.joinpath("edges.jsonl.gz").write_bytes(gzip.compress(written.encode(), mtime=0))


if __name__ == "__main__":
    main()
