"""Records what PyTorch does in calls of every op that nobody recorded before, into ``calls.jsonl.gz``.

Run it as a module, with an interpreter that has torch. The first line of the result names the version; every other line
is one variation of a recorded call as a program, what could be seen after it, and which numbers rounding decides.
"""

from __future__ import annotations

import gzip
import json
from dataclasses import asdict
from pathlib import Path
from typing import Any

import torch

from tests.parity import calls
from tests.parity.execute import execute
from tests.parity.ops import undetermined
from tests.parity.variations import vary

OUT = Path(__file__).with_name("calls.jsonl.gz")


def case(op: str, number: int) -> dict[str, Any]:
    call = vary(op, number)
    program = calls.program(call)
    steps = execute(program, torch)
    free = sorted(undetermined(call, steps))
    return {
        "name": f"{op}/{number}",
        "program": asdict(program),
        "steps": [asdict(step) for step in steps],
        "free": free,
    }


def main() -> None:
    torch.set_num_threads(1)
    lines = [{"torch": torch.__version__}, *(case(op, 0) for op in sorted(calls.recorded()))]
    text = "".join(json.dumps(line, separators=(",", ":")) + "\n" for line in lines)
    OUT.write_bytes(gzip.compress(text.encode(), mtime=0))


if __name__ == "__main__":
    main()
