"""Records what the models of ``models.py`` compute in PyTorch, and every gradient, into ``models.json.gz``.

Run it as a module, with an interpreter that has torch.
"""

from __future__ import annotations

import gzip
import json
from pathlib import Path
from typing import Any

import torch

from tests.golden.models import MODELS, Model

OUT = Path(__file__).with_name("models.json.gz")


def plain(tensor: torch.Tensor) -> dict[str, Any]:
    """Values, dtype, shape and node name, as answers have them."""
    data = tensor.detach()
    return {
        "data": (torch.view_as_real(data) if data.is_complex() else data).tolist(),
        "dtype": str(tensor.dtype).removeprefix("torch."),
        "shape": list(tensor.shape),
        "grad_fn": None if tensor.grad_fn is None else tensor.grad_fn.name(),
    }


def leaf(described: dict[str, Any]) -> torch.Tensor:
    dtype = getattr(torch, described["dtype"]) if "dtype" in described else None
    return torch.tensor(described["data"], dtype=dtype, requires_grad=described.get("requires_grad", False))


def record(model: Model) -> dict[str, Any]:
    """What the code computes."""
    leaves = {name: leaf(described) for name, described in model.inputs().items()}
    scope = {"torch": torch, "F": torch.nn.functional, **leaves}
    exec(compile(model.code, "<model>", "exec"), scope)
    scope[model.loss].backward()
    return {
        "outputs": {name: plain(scope[name]) for name in model.outputs},
        "grads": {name: plain(leaves[name].grad) for name in model.parameters},
    }


def main() -> None:
    torch.set_num_threads(1)
    found = {name: record(model) for name, model in MODELS.items()}
    text = json.dumps({"torch": torch.__version__, "models": found}, separators=(",", ":"))
    OUT.write_bytes(gzip.compress(text.encode(), mtime=0))


if __name__ == "__main__":
    main()
