"""Examples of answers, for the OpenAPI document. They are what the service says to the examples of requests."""

from __future__ import annotations

from typing import Any, Final

from app.limits import Limits

Example = dict[str, Any]


def _tensor(data: Any, shape: list[int], grad_fn: str | None, *, requires_grad: bool) -> Example:
    return {
        "data": data, "dtype": "float32", "shape": shape, "requires_grad": requires_grad, "is_leaf": grad_fn is None,
        "grad_fn": grad_fn,
    }  # fmt: skip


_GRAD: Final = _tensor([[4.5, 4.5], [4.5, 4.5]], [2, 2], None, requires_grad=False)
_EVALUATED: Final[Example] = {
    "outputs": {
        "y": _tensor([[3.0, 3.0], [3.0, 3.0]], [2, 2], "AddBackward0", requires_grad=True),
        "out": _tensor(27.0, [], "MeanBackward0", requires_grad=True),
    },
    "grads": {"x": _GRAD},
}
_LEAF: Final = {**_tensor([[1.0, 1.0], [1.0, 1.0]], [2, 2], None, requires_grad=True), "grad": None}
_SESSION: Final[Example] = {
    "id": "u3kYQ9nXw2Jr0aLd",
    "version": 1,
    "created_at": "2026-01-31T09:26:53.589793Z",
    "expires_at": "2026-02-01T09:26:53.589793Z",
    "ttl_seconds": 86400.0,
    "bytes": 16,
}
_GRAPH: Final[Example] = {
    "roots": [{"tensor": "out", "node": "n0", "output_nr": 0}],
    "nodes": [
        {"id": "n0", "name": "SumBackward0", "next_functions": [{"node": "n1", "output_nr": 0}], "saved": [],
         "freed": False, "leaf": None},
        {"id": "n1", "name": "AccumulateGrad", "next_functions": [], "saved": [], "freed": False,
         "leaf": {"name": "x", "shape": [2, 2], "dtype": "float32"}},
    ],
}  # fmt: skip
_OP: Final[Example] = {
    "name": "mul",
    "signature": "mul(input: Tensor, other: Tensor)",
    "summary": "Elementwise product.",
}
ANSWERS: Final[dict[str, Example]] = {
    "EvaluateAnswer": _EVALUATED,
    "RunAnswer": {**_EVALUATED, "values": {}, "prints": [], "warnings": [], "version": 2},
    "SessionHead": _SESSION,
    "SessionAnswer": {
        **_SESSION,
        "tensors": [{"name": "x", "dtype": "float32", "shape": [2, 2], "requires_grad": True, "is_leaf": True}],
    },
    "SessionPage": {"sessions": [_SESSION], "next": None},
    "BackwardAnswer": {"grads": {"x": _GRAD}, "warnings": [], "version": 3},
    "ZeroGradAnswer": {"zeroed": 1, "version": 4},
    "TensorAnswer": {**_LEAF, "version": 1},
    "TensorWithGrad": _LEAF,
    "BackwardGraph": _GRAPH,
    "ok": {"status": "ok"},
    "ready": {"status": "ready"},
    "OpPage": {"ops": [_OP], "next": None},
    "Limits": Limits().model_dump(),
    "OpAnswer": {
        **_OP, "description": "Elementwise product.", "kind": "primitive", "family": "torch", "aliases": ["multiply"],
        "parameters": [
            {"name": name, "type": "Tensor", "required": True, "keyword_only": False} for name in ("input", "other")
        ],
        "differentiable": ["input", "other"], "grad_fn": "MulBackward0", "shapes": "[2, 3], [2, 3] -> [2, 3]",
        "method": True, "in_place": True, "pytorch": "torch.mul",
        "example": {
            "inputs": {
                "input": {"data": [[-0.99, 0.26, 0.9], [1.08, -0.24, 1.43]], "requires_grad": True},
                "other": {"data": [[-0.65, 1.51, -1.12], [-0.02, -0.76, 0.41]], "requires_grad": True},
            },
            "nodes": [{"id": "result", "op": "mul", "args": ["$input", "$other"]}],
        },
    },
}  # fmt: skip
