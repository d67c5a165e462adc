"""The tutorial's graph as a Tesseract, for Tesseract Core's own server."""

from __future__ import annotations

from typing import Any

import torch
from pydantic import BaseModel
from tesseract_core.runtime import Array, Differentiable, Float32

torch.set_num_threads(1)


class InputSchema(BaseModel):
    x: Differentiable[Array[(2, 2), Float32]]


class OutputSchema(BaseModel):
    y: Differentiable[Array[(2, 2), Float32]]
    out: Differentiable[Array[(), Float32]]


def _run(x: torch.Tensor) -> dict[str, torch.Tensor]:
    y = x + 2
    return {"y": y, "out": (y * y * 3).mean()}


def apply(inputs: InputSchema) -> OutputSchema:
    """Forward."""
    return OutputSchema(**{name: value.numpy() for name, value in _run(torch.from_numpy(inputs.x)).items()})


def vector_jacobian_product(
    inputs: InputSchema, vjp_inputs: set[str], vjp_outputs: set[str], cotangent_vector: dict[str, Any]
) -> dict[str, Any]:
    """Forward again, then backward."""
    x = torch.from_numpy(inputs.x).requires_grad_()
    outputs = _run(x)
    names = sorted(vjp_outputs)
    cotangents = [torch.as_tensor(cotangent_vector[name]) for name in names]
    torch.autograd.backward([outputs[name] for name in names], cotangents)
    return {"x": x.grad.numpy()}
