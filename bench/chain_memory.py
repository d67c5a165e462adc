"""Memory that the gradient of 20 elementwise ops takes at most, each contender in a process of its own.

``python -m bench.chain_memory gradserve|torch`` prints it for one, in arrays of the input's size, from Linux's /proc.
"""

from __future__ import annotations

import gc
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch

import engine
from app import allocator
from bench.measure import OURS, Fact
from bench.plans import plan_of

ELEMENTS = 10_000_000
PROCESS = Path("/proc/self")


def chain(library: Any, x: Any) -> Any:
    """20 elementwise ops and their sum."""
    for _ in range(10):
        x = library.tanh(x * 1.1)
    return x.sum()


def ours(values: np.ndarray[Any, Any]) -> Callable[[], object]:
    x = engine.from_numpy(values).requires_grad_()
    return plan_of(lambda: chain(engine, x), [x], [x])


def theirs(values: np.ndarray[Any, Any]) -> Callable[[], object]:
    x = torch.from_numpy(values).requires_grad_()

    def gradient() -> None:
        x.grad = None
        chain(torch, x).backward()

    return gradient


CONTENDERS = {OURS: ours, "torch": theirs}


def held(fact: str) -> int:
    """Bytes of memory that this process holds, or held at most."""
    lines = (PROCESS / "status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith(f"{fact}:")) * 1024


def most(name: str) -> float:
    """Arrays that a gradient takes at most, beside its input."""
    values = np.random.default_rng(0).standard_normal(ELEMENTS).astype("float32")
    gradient = CONTENDERS[name](values)
    gc.collect()
    allocator.give_back()
    (PROCESS / "clear_refs").write_text("5")  # forgets what was held at most until now, see proc(5)
    before = held("VmRSS")
    gradient()
    return (held("VmHWM") - before) / values.nbytes


def run(seconds: float) -> list[Fact]:
    """The facts, however many ``seconds`` there are."""
    command = [sys.executable, "-m", "bench.chain_memory"]
    case = "memory that the gradient of 20 elementwise ops on 1e7 float32 takes at most, {}, in arrays of its input"
    return [
        Fact(case.format(name), subprocess.run([*command, name], check=True, capture_output=True, text=True).stdout)
        for name in CONTENDERS
    ]


if __name__ == "__main__":
    print(f"{most(sys.argv[1]):.1f}", end="")
