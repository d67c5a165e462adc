"""Records how PyTorch prints tensors, into ``printing.jsonl.gz`` beside this file.

Run it with an interpreter that has torch. The first line of the result names the version; every other line is one
tensor: its bytes, the options, the default dtype, what it belongs to, and its text.
"""

from __future__ import annotations

import base64
import gzip
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch

CASES = 1000
OUT = Path(__file__).with_name("printing.jsonl.gz")
DTYPES = [
    "float16", "bfloat16", "float32", "float64", "complex64", "complex128",
    "uint8", "int8", "int16", "int32", "int64", "bool",
]  # fmt: skip
LENGTHS = [0, 1, 2, 3, 6, 7, 8, 20, 40, 1000, 1001]
NOTABLE = [1.0, 1000.0, 1000.5, 1e8, 1.0001e8, 1e-4, 0.99e-4, 0.1, 9999.9999, 99999.99, 0.5, 2.5, 0.99995]
Record = dict[str, Any]


def shape(rng: np.random.Generator) -> tuple[int, ...]:
    """From 0-d to 4-d; long ones are rare."""
    ndim = int(rng.choice(5, p=[0.1, 0.35, 0.35, 0.1, 0.1]))
    if ndim == 1:
        weights = np.array([4, 4, 4, 8, 8, 8, 8, 8, 4, 0.3, 0.3])
        return (int(rng.choice(LENGTHS, p=weights / weights.sum())),)
    lengths = [1, 2, 3, 4] if ndim > 2 else [1, 2, 3, 4, 6, 7, 12]
    return tuple(int(length) for length in rng.choice([0, *lengths] if rng.random() < 0.1 else lengths, ndim))


def reals(rng: np.random.Generator, count: int) -> Any:
    """Values that decide for different notations, some of them not finite."""
    kinds: list[Callable[[], Any]] = [
        lambda: rng.integers(-100, 100, count).astype(float),
        lambda: rng.standard_normal(count),
        lambda: rng.standard_normal(count) * 10.0 ** rng.integers(-8, 10),
        lambda: rng.standard_normal(count) * 10.0 ** rng.uniform(-12, 12, count),
        lambda: rng.integers(0, 2, count).astype(float),
        lambda: rng.choice(NOTABLE, count),
        lambda: rng.integers(-(2**40), 2**40, count).astype(float),
        lambda: rng.integers(-3, 3, count) * 10.0 ** rng.integers(0, 9, count),
    ]
    values: Any = kinds[rng.integers(len(kinds))]()
    if rng.random() < 0.3:
        special = rng.choice([np.nan, np.inf, -np.inf, 0.0, -0.0], count)
        values = np.where(rng.random(count) < rng.choice([0.1, 0.5, 1.0]), special, values)
    return values


def tensor(rng: np.random.Generator, dtype: str, size: tuple[int, ...]) -> Any:
    count = int(np.prod(size))
    if dtype == "bool":
        flat = torch.from_numpy(rng.integers(0, 2, count).astype(bool))
    elif "int" in dtype:
        limits = np.iinfo(dtype)
        wide = rng.integers(limits.min, limits.max, count, dtype=dtype, endpoint=True)
        flat = torch.from_numpy(wide if rng.random() < 0.3 else (wide % 100).astype(dtype))
    elif dtype.startswith("complex"):
        flat = torch.complex(torch.from_numpy(reals(rng, count)), torch.from_numpy(reals(rng, count)))
    else:
        flat = torch.from_numpy(reals(rng, count))
    return flat.to(getattr(torch, dtype)).reshape(size)


def options(rng: np.random.Generator) -> Record:
    """Arguments of ``set_printoptions``; none in half of the cases."""
    if rng.random() < 0.5:
        return {}
    offers: Record = {
        "profile": str(rng.choice(["default", "short", "full"])),
        "precision": int(rng.integers(0, 9)),
        "threshold": int(rng.choice([0, 1, 5, 10, 50])),
        "edgeitems": int(rng.integers(0, 6)),
        "linewidth": int(rng.choice([1, 10, 20, 40, 60, 120, 200])),
        "sci_mode": bool(rng.integers(2)),
    }
    return {name: value for name, value in offers.items() if rng.random() < 0.35}


def case(rng: np.random.Generator) -> Record:
    dtype, size, given = str(rng.choice(DTYPES)), shape(rng), options(rng)
    default = str(rng.choice(["float32", "float64", "bfloat16"], p=[0.8, 0.15, 0.05]))
    torch.set_default_dtype(getattr(torch, default))
    torch.set_printoptions(profile="default")
    torch.set_printoptions(**given)
    plain = tensor(rng, dtype, size)
    shown = plain
    if plain.is_floating_point() or plain.is_complex():
        shown = shown.requires_grad_(bool(rng.random() < 0.5))
        shown = shown * 1 if rng.random() < 0.5 else shown
    flat = shown.detach().contiguous().flatten()  # not of ``plain``: infinities times 1 are other complex numbers
    raw = flat.view(torch.uint8).numpy().tobytes() if plain.numel() else b""
    return {
        "dtype": dtype,
        "shape": size,
        "data": base64.b64encode(raw).decode(),
        "options": given,
        "default_dtype": default,
        "requires_grad": shown.requires_grad,
        "grad_fn": type(shown.grad_fn).__name__ if shown.grad_fn is not None else None,
        "text": repr(shown),
    }


def main() -> None:
    rng = np.random.default_rng(2026)
    lines = [{"torch": torch.__version__}, *(case(rng) for _ in range(CASES))]
    text = "".join(json.dumps(line, separators=(",", ":")) + "\n" for line in lines)
    OUT.write_bytes(gzip.compress(text.encode(), mtime=0))


if __name__ == "__main__":
    main()
