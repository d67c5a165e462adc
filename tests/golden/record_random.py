"""Records streams of PyTorch's random numbers on a CPU, into ``random.jsonl.gz`` beside this file.

Run it with an interpreter that has torch, on an x86 processor with AVX2. The first line of the result names the
version; every other line is one generator: its seed, and for each call its arguments (those of ``engine.random``), a
digest of the samples' bytes, the first samples for reading, and a digest of the state afterwards.
"""

from __future__ import annotations

import gzip
import hashlib
import json
import random
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import torch

GENERATORS = 300
CALLS = 6
OUT = Path(__file__).with_name("random.jsonl.gz")
FLOATS = ["float16", "bfloat16", "float32", "float64"]
INTEGERS = ["uint8", "int8", "int16", "int32", "int64"]
SHAPES = [[count] for count in range(41)] + [[100], [1000], [], [7, 9], [2, 3, 4], [3, 0]]
MEANS, DEVIATIONS = [0.0, 1.0, -0.1, 3.3, 1e5], [1.0, 0.5, 2.7, 1e-4, 0.0]
Call = dict[str, Any]


def empty(call: Call) -> Any:
    return torch.empty(call["shape"], dtype=getattr(torch, call["dtype"]))


def weights(call: Call) -> Any:
    return torch.tensor(call["weights"], dtype=getattr(torch, call["dtype"]))


# For every method of the generator: the choices for each argument, and the same call in torch. "weights" stands for
# one number, of which a list is made.
METHODS: dict[str, tuple[dict[str, Sequence[Any]], Callable[[Call, Any], Any]]] = {
    "rand": (
        {"dtype": [*FLOATS, "complex64", "complex128"]},
        lambda call, g: torch.rand(call["shape"], dtype=getattr(torch, call["dtype"]), generator=g),
    ),
    "randn": (
        {"dtype": [*FLOATS, "complex64", "complex128"]},
        lambda call, g: torch.randn(call["shape"], dtype=getattr(torch, call["dtype"]), generator=g),
    ),
    "uniform": (
        {"dtype": FLOATS, "low": [-1.0, 0.1, -3.7, 100.3], "high": [100.4, 101.0]},
        lambda call, g: empty(call).uniform_(call["low"], call["high"], generator=g),
    ),
    "normal": (
        {"dtype": FLOATS, "mean": MEANS, "std": DEVIATIONS},
        lambda call, g: empty(call).normal_(call["mean"], call["std"], generator=g),
    ),
    "log_normal": (
        {"dtype": ["float32", "float64"], "mean": [0.0, 1.0, 3.3], "std": [0.7, 1.0]},
        lambda call, g: empty(call).log_normal_(call["mean"], call["std"], generator=g),
    ),
    "exponential": (
        {"dtype": FLOATS, "rate": [1.0, 0.3, 10.7]},
        lambda call, g: empty(call).exponential_(call["rate"], generator=g),
    ),
    "cauchy": (
        {"dtype": ["float32", "float64"], "median": MEANS, "sigma": [1.0, 2.7]},
        lambda call, g: empty(call).cauchy_(call["median"], call["sigma"], generator=g),
    ),
    "random": (
        {"dtype": [*FLOATS, *INTEGERS, "bool"]},
        lambda call, g: empty(call).random_(generator=g),
    ),
    "randint": (
        {"dtype": [*INTEGERS, "float16", "float32"], "low": [0, 5], "high": [6, 99]},
        lambda call, g: empty(call).random_(call["low"], call["high"], generator=g),
    ),
    "randint_wide": (
        {"dtype": ["int64", "float32"], "low": [0, -(2**40)], "high": [2**28 - 1, 2**28, 2**33, 2**62]},
        lambda call, g: empty(call).random_(call["low"], call["high"], generator=g),
    ),
    "randperm": (
        {"n": [0, 1, 2, 5, 10, 127, 1000], "dtype": ["int64", "int16", "float32"]},
        lambda call, g: torch.randperm(call["n"], dtype=getattr(torch, call["dtype"]), generator=g),
    ),
    "bernoulli": (
        {"dtype": [*FLOATS, *INTEGERS, "bool"], "p": [0.0, 0.1, 0.5, 0.77, 1.0]},
        lambda call, g: empty(call).bernoulli_(call["p"], generator=g),
    ),
    "geometric": (
        {"dtype": [*FLOATS, "int32", "int64"], "p": [0.1, 0.5, 0.9]},
        lambda call, g: empty(call).geometric_(call["p"], generator=g),
    ),
    "poisson": (
        {"dtype": FLOATS, "weights": [0.0, 0.3, 4.5, 9.9, 10.0, 35.0, 300.0]},
        lambda call, g: torch.poisson(weights(call), generator=g),
    ),
    "multinomial": (
        {
            "dtype": ["float32", "float64"],
            "count": [1, 3, 5],
            "replacement": [False, True],
            "weights": [0.1, 0.7, 1, 4],
        },
        lambda call, g: torch.multinomial(weights(call), call["count"], call["replacement"], generator=g),
    ),
}


def digest(tensor: Any) -> str:
    flat = tensor.contiguous().flatten()
    raw = flat.view(torch.uint8).numpy().tobytes() if flat.numel() else b""
    return hashlib.sha256(raw).hexdigest()[:16]


def draw(chooser: random.Random, generator: Any) -> Call:
    method = chooser.choice(list(METHODS))
    choices, run = METHODS[method]
    call: Call = {"method": method, "shape": chooser.choice(SHAPES)}
    call.update((name, chooser.choice(values)) for name, values in choices.items())
    if "weights" in call:
        call["weights"] = [chooser.choice(choices["weights"]) * chooser.random() for _ in range(6)]
    samples = run(call, generator)
    first = [str(complex(sample)) for sample in samples.flatten()[:3].tolist()]
    return {**call, "samples": digest(samples), "first": first, "state": digest(generator.get_state())}


def main() -> None:
    chooser = random.Random(2026)
    lines: list[Call] = [{"torch": torch.__version__}]
    for _ in range(GENERATORS):
        seed = chooser.choice([0, 1, 42, chooser.randrange(2**32), chooser.randrange(2**64), -chooser.randrange(2**63)])
        generator = torch.Generator().manual_seed(seed)
        lines.append({"seed": seed, "calls": [draw(chooser, generator) for _ in range(CALLS)]})
    text = "".join(json.dumps(line, separators=(",", ":")) + "\n" for line in lines)
    OUT.write_bytes(gzip.compress(text.encode(), mtime=0))


if __name__ == "__main__":
    main()
