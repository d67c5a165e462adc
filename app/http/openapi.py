"""The OpenAPI document: what the routes declare, with the schemas of bodies that they name."""

from __future__ import annotations

import json
from typing import Any, Final

from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi
from pydantic import BaseModel
from pydantic.json_schema import models_json_schema

from app.http import problems
from app.limits import Limits
from app.wire import answers, messages
from app.wire.examples import ANSWERS
from app.wire.schemas import HAND_WRITTEN, REFERENCE, Generator, with_references

INTEGER: Final = {"type": "integer", "format": "int64"}
MODELS: Final[tuple[type[BaseModel], ...]] = (
    messages.GraphRequest, messages.GraphBatch, messages.CodeBatch, messages.RunsRequest, messages.CodeRequest,
    messages.RunRequest, messages.SessionRequest, messages.BackwardRequest, messages.ZeroGradRequest,
    messages.TensorPatch, answers.ProgramAnswer, answers.EvaluateAnswer, answers.RunAnswer, answers.TensorWithGrad,
    answers.TensorAnswer, answers.SessionHead, answers.SessionAnswer, answers.SessionPage, answers.BackwardAnswer,
    answers.ZeroGradAnswer, answers.BackwardGraph, answers.OpPage, answers.OpAnswer, answers.Health, answers.Problem,
    Limits,
)  # fmt: skip
TAGS: Final = [
    {"name": "evaluate", "description": "Run a graph, keep nothing."},
    {"name": "sessions", "description": "Namespaces of tensors with their autograd graph."},
    {"name": "tensors", "description": "One tensor of a session."},
    {"name": "catalog", "description": "What the service can do, and how much of it."},
    {"name": "operations", "description": "For those who run the service."},
]
DESCRIPTION: Final = """\
A graph is PyTorch's own calls, spelled in JSON: names of ops and arguments, their order and defaults, promotion of
dtypes, texts of errors and names of nodes are those of PyTorch 2.13 on CPU, so its documentation holds here.

Send `nodes`, or the same program as `code`, to `/v1/evaluate`; or open a session, in which names, tensors and gradients
stay from one request to the next. Errors are `application/problem+json` (RFC 9457).
"""
CONTACT: Final = {"name": "gradserve"}
HEADERS: Final[dict[str, Any]] = {
    "X-Request-Id": {"description": "Id of the request: the client's, if it sent one; the log has it."},
    "ETag": {"description": "Version of the session, or the tensor's own; for `If-Match` and `If-None-Match`."},
    "Location": {"description": "Where that is which was made."},
    "Retry-After": {"description": "Seconds to wait before the request is sent again.", "schema": INTEGER},
    "Idempotency-Replayed": {
        "description": "`true`: the first answer to this Idempotency-Key; nothing ran again.",
        "schema": {"type": "string", "enum": ["true"]},
    },
    "WWW-Authenticate": {"description": "Which keys are taken."},
}


def document(app: FastAPI) -> dict[str, Any]:
    """Return the whole document, the same in every process."""
    made = get_openapi(
        title=app.title, version=app.version, summary=app.summary, description=DESCRIPTION, routes=app.routes,
        tags=TAGS, servers=[{"url": "/", "description": "Where this document comes from."}],
        license_info={"name": "Apache-2.0", "identifier": "Apache-2.0"}, contact=CONTACT,
    )  # fmt: skip
    _, definitions = models_json_schema(
        [(model, "validation" if model.__module__ == messages.__name__ else "serialization") for model in MODELS],
        ref_template=REFERENCE, schema_generator=Generator,
    )  # fmt: skip
    schemas = with_references({**definitions["$defs"], **HAND_WRITTEN})
    made["paths"] = with_references(made["paths"])
    components = made.setdefault("components", {})
    components["schemas"] = dict(sorted((components.get("schemas", {}) | schemas).items()))
    components["headers"] = {name: {"schema": {"type": "string"}, **header} for name, header in HEADERS.items()}
    components["examples"] = _examples(json.dumps(made["paths"]))
    components["securitySchemes"] = {
        "bearer": {"type": "http", "scheme": "bearer"},
        "basic": {"type": "http", "scheme": "basic", "description": "The key is the password."},
    }
    made["security"] = [{}, {"bearer": []}, {"basic": []}]
    _drop_framework_schemas(made)
    _say_once(made)
    return made


def _examples(paths: str) -> dict[str, Any]:
    """Return the examples that are referred to."""
    found: dict[str, Any] = {name: {"value": value} for name, value in ANSWERS.items()}
    for slug, kind in problems.by_slug().items():
        found[slug] = {"summary": kind.title, "value": problems.example_of(kind)}
    return {name: example for name, example in found.items() if f'/examples/{name}"' in paths}


def _drop_framework_schemas(made: dict[str, Any]) -> None:
    """FastAPI declares its own 422 body, which this service never answers."""
    for name in ("HTTPValidationError", "ValidationError"):
        made["components"]["schemas"].pop(name, None)
    for operations in made["paths"].values():
        for operation in operations.values():
            unusual = operation["responses"].get("422", {}).get("content", {}).get("application/json", {})
            if unusual.get("schema", {}).get("$ref", "").endswith("HTTPValidationError"):
                del operation["responses"]["422"]


def _say_once(made: dict[str, Any]) -> None:
    """Drop what FastAPI repeats of a parameter in its schema: beside a reference, it makes Python's clients untyped."""
    for operations in made["paths"].values():
        for operation in operations.values():
            for parameter in operation.get("parameters", ()):
                for name in ("description", "title"):
                    parameter["schema"].pop(name, None)


def render(app: FastAPI) -> str:
    """Return the document as it is committed."""
    return json.dumps(document(app), indent=2, ensure_ascii=False) + "\n"
