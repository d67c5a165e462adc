"""Record what PyTorch returns for every sample: ``python -m tests.golden.record_samples`` where it is there."""

from __future__ import annotations

import gzip
import json
from pathlib import Path
from typing import Any

import numpy as np
import torch

from tests.engine.samples import all_samples

TARGET = Path(__file__).parent / "samples.json.gz"


def resolve(op: str) -> Any:
    """PyTorch's function, method or attribute called ``op``."""
    found: Any = torch
    for part in op.split("."):
        found = getattr(found, part, None)
    if callable(found):  # not the dtypes of the same name as a method
        return found
    member = getattr(torch.Tensor, op)
    return member if callable(member) else lambda tensor: getattr(tensor, op)


def tensor(values: np.ndarray[Any, Any], requires_grad: bool) -> Any:
    """A tensor with the same values and strides."""
    return torch.from_numpy(values.copy(order="K")).requires_grad_(requires_grad)


def flat(value: Any) -> list[Any]:
    """The tensors in nested results."""
    if isinstance(value, torch.Tensor):
        return [value]
    return [t for item in value for t in flat(item)] if isinstance(value, tuple | list) else []


def record(output: Any) -> dict[str, Any]:
    """Values, dtype, shape and node name."""
    data = torch.view_as_real(output.detach().resolve_conj()) if output.is_complex() else output.detach()
    node = output.grad_fn
    return {
        "data": data.double().flatten().tolist(),
        "dtype": str(output.dtype).removeprefix("torch."),
        "shape": list(output.shape),
        "grad_fn": None if node is None else type(node).__name__,
    }


def static(value: Any) -> Any:
    """Dtypes by name as PyTorch's objects."""
    return (
        getattr(torch, value) if isinstance(value, str) and isinstance(getattr(torch, value, 0), torch.dtype) else value
    )


def main() -> None:
    """Write the goldens."""
    cases = {}
    for op, number, sample in all_samples():
        call = sample.build(op, number, tensor)
        kwargs = {name: static(value) for name, value in call.kwargs.items()}
        result = resolve(op)(*[static(arg) for arg in call.args], **kwargs)
        cases[f"{op}/{number}"] = [record(output) for output in flat(result)]
    text = json.dumps({"reference": str(torch.__version__), "cases": cases}, separators=(",", ":"))
    TARGET.write_bytes(gzip.compress(text.encode(), mtime=0))


if __name__ == "__main__":
    main()
