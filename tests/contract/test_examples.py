"""Every example of the OpenAPI document is sent, and answered as the document says."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any
from urllib.parse import quote

import pytest

from app.http.problems import body_of, by_slug, example_of
from tests.app.conftest import Client, portal, served  # noqa: F401 - a fixture of the other
from tests.paths import ROOT

DOCUMENT: Any = json.loads((ROOT / "openapi" / "openapi.json").read_text())
SCHEMAS, EXAMPLES = DOCUMENT["components"]["schemas"], DOCUMENT["components"]["examples"]
# What requests of the examples, and those without a body, find in a session.
PROGRAM = "x = torch.ones(2, 2, requires_grad=True)\ny = x + 2\nz = y * y * 3\nout = z.mean()"
PATHS = {"sid": "", "name": "x", "op": "mul"}
QUERIES = {"getGraph": "?tensor=out"}


def named(schema: Any) -> Any:
    """A schema, found by its reference."""
    while "$ref" in schema:
        schema = SCHEMAS[schema["$ref"].rpartition("/")[2]]
    return schema


def examples_of(schema: Any) -> Iterator[Any]:
    """The examples of a body, and of what it may be instead."""
    schema = named(schema)
    yield from schema.get("examples", [])
    for choice in (*schema.get("oneOf", []), *schema.get("anyOf", [])):
        yield from examples_of(choice)


def requests() -> Iterator[tuple[str, str, Any, Any]]:
    """Every operation with each example of its body, or with none."""
    for path, operations in DOCUMENT["paths"].items():
        for method, operation in operations.items():
            content = operation.get("requestBody", {}).get("content", {})
            bodies = [{"json": one} for one in examples_of(content.get("application/json", {}).get("schema", {}))]
            text = content.get("text/x-python", {}).get("example")
            bodies += [] if text is None else [{"content": text, "headers": {"Content-Type": "text/x-python"}}]
            if "import" not in path:
                yield from ((method, path, operation, body) for body in bodies or [{}])


@pytest.fixture(scope="module")
def client(portal: Any) -> Iterator[Client]:  # noqa: F811
    with served(portal) as client:
        yield client


def is_like(found: Any, example: Any) -> bool:
    """Whether an answer has the fields of the example, of the same types; lists may be of other lengths."""
    if isinstance(example, dict) and isinstance(found, dict):
        return example.keys() == found.keys() and all(is_like(found[name], example[name]) for name in example)
    if isinstance(example, list) and isinstance(found, list):
        return not example or all(is_like(one, example[0]) or one is None for one in found)
    return example is None or found is None or type(found) is type(example)


@pytest.mark.parametrize(("method", "path", "operation", "body"), list(requests()))
def test_an_example_is_answered_as_the_document_says(
    client: Client, method: str, path: str, operation: Any, body: Any
) -> None:
    sid = client.open()
    client.run(sid, code=PROGRAM)
    where = path.format(**{**PATHS, "sid": sid}) + QUERIES.get(operation["operationId"], "")
    answer = client(method.upper(), where, **body)
    assert answer.is_success, answer.text
    said = operation["responses"][str(answer.status_code)]
    for name in said["headers"]:
        assert name in answer.headers or name == "Idempotency-Replayed"
    contents = said.get("content", {})
    media_type = answer.headers.get("content-type", "").partition(";")[0]
    assert media_type in contents or not contents
    shown = contents.get(media_type, {}).get("examples", {}).values()
    values = [EXAMPLES[one["$ref"].rpartition("/")[2]]["value"] for one in shown]
    if values and not any(word in str(body) for word in ("batch", "runs", "code")):  # whose answers have other parts
        assert any(is_like(_without_names(answer.json()), _without_names(one)) for one in values), answer.text


def _without_names(value: Any) -> Any:
    """An answer without what depends on the names of a program."""
    if isinstance(value, dict):
        return {name: [] if name in ("outputs", "grads", "values", "example", "data") else _without_names(one)
                for name, one in value.items() if name not in ("values", "prints", "warnings")}  # fmt: skip
    return list(map(_without_names, value)) if isinstance(value, list) else value


def test_the_example_of_an_op_is_what_is_said_of_it(client: Client) -> None:
    assert client("GET", "/v1/ops/mul").json() == EXAMPLES["OpAnswer"]["value"]
    assert client("GET", "/v1/limits").json() == EXAMPLES["Limits"]["value"]


def test_every_exported_document_is_imported(client: Client) -> None:
    document = client("GET", f"/v1/sessions/{client.open()}/export").content
    answer = client("POST", "/v1/sessions/import", content=document, headers={"Content-Type": "application/msgpack"})
    assert (answer.status_code, is_like(answer.json(), EXAMPLES["SessionHead"]["value"])) == (201, True)


@pytest.mark.parametrize("slug", sorted(by_slug()))
def test_the_example_of_a_problem_is_one(client: Client, slug: str) -> None:
    kind = by_slug()[slug]
    example = json.loads(body_of(kind, example_of(kind)["detail"], {}))
    assert slug not in EXAMPLES or EXAMPLES[slug]["value"] == example
    page = client("GET", f"/problems/{quote(slug)}", headers={"Accept": "application/json"}).json()
    assert (page["status"], page["title"]) == (example["status"], example["title"])
