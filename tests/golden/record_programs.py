"""Records what the programs of the autograd tests print on PyTorch, into ``programs.json.gz`` beside this file.

Run it with an interpreter that has torch.
"""

from __future__ import annotations

import gzip
import json
from pathlib import Path

import torch

from tests.golden.programs import printed, programs

OUT = Path(__file__).with_name("programs.json.gz")


def main() -> None:
    """Run each program by itself."""
    torch.set_num_threads(1)
    found = {}
    for name, program in programs().items():
        torch.manual_seed(0)
        torch.autograd.set_detect_anomaly(False)
        found[name] = {"program": program, "prints": printed(program, torch)}
    raw = json.dumps({"torch": torch.__version__, "programs": found}, indent=0)
    OUT.write_bytes(gzip.compress(raw.encode(), mtime=0))


if __name__ == "__main__":
    main()
