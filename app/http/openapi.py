"""The OpenAPI document: what the routes declare, with the schemas of bodies that they name."""

from __future__ import annotations

import json
from typing import Any, Final

from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi
from pydantic import BaseModel
from pydantic.json_schema import models_json_schema

from app.limits import Limits
from app.wire import answers, messages

REFERENCE: Final = "#/components/schemas/{model}"
MODELS: Final[tuple[type[BaseModel], ...]] = (
    messages.RunRequest, messages.SessionRequest, messages.BackwardRequest, messages.ZeroGradRequest,
    messages.TensorPatch, answers.EvaluateAnswer, answers.RunAnswer, answers.TensorWithGrad, answers.TensorAnswer,
    answers.SessionHead, answers.SessionAnswer, answers.SessionPage, answers.BackwardAnswer, answers.ZeroGradAnswer,
    answers.BackwardGraph, answers.OpPage, answers.OpAnswer, answers.Health, answers.Problem, Limits,
)  # fmt: skip
TAGS: Final = [
    {"name": "evaluate", "description": "Run a graph, keep nothing."},
    {"name": "sessions", "description": "Namespaces of tensors with their autograd graph."},
    {"name": "tensors", "description": "One tensor of a session."},
    {"name": "catalog", "description": "What the service can do, and how much of it."},
    {"name": "operations", "description": "For those who run the service."},
]
TENSOR_OBJECT: Final[dict[str, Any]] = {
    "type": "object",
    "required": ["data"],
    "additionalProperties": False,
    "properties": {
        "data": {"description": "Number, nested list, a word (`NaN`, `Infinity`, `-Infinity`), or base64 text; raw "
                                "little-endian bytes with msgpack. Complex numbers are `[re, im]` pairs."},
        "dtype": {"type": "string", "examples": ["float32"], "description": "Left out: inferred as torch.tensor does."},
        "shape": {"type": "array", "items": {"type": "integer", "minimum": 0},
                  "description": "Checked where it is given; needed for flat, empty and encoded data."},
        "requires_grad": {"type": "boolean", "default": False},
        "encoding": {"enum": ["json", "base64"]},
        "is_leaf": {"description": "Ignored: an answer can be sent back."},
        "grad_fn": {"description": "Ignored: an answer can be sent back."},
        "grad": {"description": "Ignored: an answer can be sent back."},
    },
}  # fmt: skip
NODE: Final[dict[str, Any]] = {
    "type": "object",
    "description": "One call, `{op, args, kwargs}`, or a block: `{\"no_grad\": [nodes]}`, `enable_grad`, "
                   "`inference_mode`.",
    "additionalProperties": False,
    "properties": {
        "id": {"type": "string", "description": "Name of the result; may rebind an earlier name."},
        "op": {"type": "string", "description": "`torch.<op>`, a Tensor method, or an operator such as `__getitem__`."},
        "args": {"type": "array", "items": {}, "description": "`$name` is a reference; everything else a literal."},
        "kwargs": {"type": "object", "additionalProperties": True},
        **{mode: {"type": "array", "items": {"$ref": "#/components/schemas/Node"}}
           for mode in ("no_grad", "enable_grad", "inference_mode")},
    },
}  # fmt: skip
HAND_WRITTEN: Final[dict[str, Any]] = {
    "TensorObject": TENSOR_OBJECT,
    "TensorInput": {
        "description": "A tensor: a number, a nested list, or an object.",
        "anyOf": [{"type": "number"}, {"type": "boolean"}, {"enum": ["NaN", "Infinity", "-Infinity"]},
                  {"type": "array", "items": {}}, {"$ref": "#/components/schemas/TensorObject"}],
        "examples": [[[1.0, 1.0], [1.0, 1.0]], {"data": [1, 2], "dtype": "float64", "requires_grad": True}],
    },
    "Node": NODE,
}  # fmt: skip


def document(app: FastAPI) -> dict[str, Any]:
    """Return the whole document, the same in every process."""
    made = get_openapi(title=app.title, version=app.version, summary=app.summary, routes=app.routes, tags=TAGS)
    _, definitions = models_json_schema(
        [(model, "serialization" if model.__module__ == answers.__name__ else "validation") for model in MODELS],
        ref_template=REFERENCE,
    )
    schemas = {**_with_references(definitions["$defs"]), **HAND_WRITTEN}
    components = made.setdefault("components", {})
    components["schemas"] = dict(sorted((components.get("schemas", {}) | schemas).items()))
    components["securitySchemes"] = {
        "bearer": {"type": "http", "scheme": "bearer"},
        "basic": {"type": "http", "scheme": "basic", "description": "The key is the password."},
    }
    made["security"] = [{}, {"bearer": []}, {"basic": []}]
    _drop_framework_schemas(made)
    return made


def _with_references(schema: Any) -> Any:
    """``messages.NAMED`` marks become references: pydantic itself refuses references to what it does not know."""
    if isinstance(schema, list):
        return [_with_references(part) for part in schema]
    if not isinstance(schema, dict):
        return schema
    if messages.NAMED in schema:
        kept = {key: value for key, value in schema.items() if key not in (messages.NAMED, "title", "default")}
        return {"$ref": REFERENCE.format(model=schema[messages.NAMED]), **kept}
    return {key: _with_references(part) for key, part in schema.items()}


def _drop_framework_schemas(made: dict[str, Any]) -> None:
    """FastAPI declares its own 422 body, which this service never answers."""
    for name in ("HTTPValidationError", "ValidationError"):
        made["components"]["schemas"].pop(name, None)
    for operations in made["paths"].values():
        for operation in operations.values():
            unusual = operation["responses"].get("422", {}).get("content", {}).get("application/json", {})
            if unusual.get("schema", {}).get("$ref", "").endswith("HTTPValidationError"):
                del operation["responses"]["422"]


def render(app: FastAPI) -> str:
    """Return the document as it is committed."""
    return json.dumps(document(app), indent=2, ensure_ascii=False) + "\n"
