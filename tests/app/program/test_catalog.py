"""What the service says of itself: ops, limits, the OpenAPI document and the page made of it."""

import json
import re
from collections.abc import Iterator
from typing import Any

import pytest
from fastapi.routing import APIRoute

from app.limits import Limits
from app.main import create_app
from app.program import catalog
from app.settings import Settings
from engine import registry
from tests.app.conftest import Client, Serve
from tests.paths import ROOT

COMMITTED = ROOT / "openapi" / "openapi.json"


def test_every_public_op_is_listed(client: Client) -> None:
    listed = client("GET", "/v1/ops").json()
    names = [one["name"] for one in listed["ops"]]
    assert names == sorted(names)
    assert set(registry.catalogue()) <= set(names)
    assert listed["next"] is None
    assert not [one["name"] for one in listed["ops"] if not one["summary"] and one["name"] in registry.catalogue()]


@pytest.mark.parametrize("name", catalog.names())
def test_every_op_can_be_read_about_and_its_example_runs(client: Client, name: str) -> None:
    op = client("GET", f"/v1/ops/{name}").json()
    assert op["signature"].startswith(f"{name}(")
    assert (op["grad_fn"] is not None) or not op["differentiable"] or op["kind"] == "primitive"
    assert op["example"] is not None or name not in registry.catalogue(), "run `make examples`"
    if op["example"] is not None:
        assert name in json.dumps(op["example"])
        client.evaluate(**op["example"])


def test_few_names_are_without_an_example() -> None:
    without = [name for name in catalog.names() if catalog.describe(name)["example"] is None]
    assert len(without) < 36, without  # those that take modules, which nodes do not make


@pytest.mark.parametrize("name", ["autograd.grad", "autograd.functional.hessian", "optim.SGD", "backward", "no_grad"])
def test_what_is_no_op_is_listed_if_it_can_be_called(client: Client, name: str) -> None:
    assert client("GET", f"/v1/ops/{name}").json()["kind"] in ("function", "class", "method")
    assert name in catalog.names()


def test_an_alias_leads_to_its_op(client: Client) -> None:
    op = client("GET", "/v1/ops/nn.functional.conv2d").json()
    assert (op["name"], "nn.functional.conv2d" in op["aliases"]) == ("conv2d", True)
    assert client("GET", "/v1/ops/nothing").status_code == 404


@pytest.mark.parametrize(
    ("query", "has", "has_not"),
    [
        ("q=bessel", "special.bessel_j0", "add"), ("q=SOLVE", "linalg.solve", "add"),
        ("family=linalg", "linalg.solve", "add"), ("family=torch", "add", "linalg.solve"),
        ("family=nn.functional", "conv2d", "add"),
        ("differentiable=true", "mul", "argmax"), ("differentiable=false", "argmax", "mul"),
        ("family=linalg&q=matrix&differentiable=true", "linalg.matrix_exp", "linalg.matrix_rank"),
    ],
)  # fmt: skip
def test_the_catalogue_is_filtered(client: Client, query: str, has: str, has_not: str) -> None:
    names = [one["name"] for one in client("GET", f"/v1/ops?{query}").json()["ops"]]
    assert has in names
    assert has_not not in names


def test_the_catalogue_comes_in_pages(client: Client) -> None:
    found: list[Any] = []
    cursor: str | None = ""
    while cursor is not None:
        page = client("GET", f"/v1/ops?q=sum&limit=4{cursor and '&cursor=' + cursor}").json()
        assert 0 < len(page["ops"]) <= 4
        found += page["ops"]
        cursor = page["next"]
    assert found == client("GET", "/v1/ops?q=sum").json()["ops"]
    assert client("GET", "/v1/ops?cursor=zzz").json() == {"ops": [], "next": None}


def test_nodes_call_optimisers_and_take_functions(client: Client) -> None:
    step = {"op": "step", "args": ["$x"]}
    refused = client("POST", "/v1/evaluate", json={"inputs": {"x": [1.0]}, "nodes": [step]})
    assert (refused.status_code, refused.json()["type"]) == (422, "/problems/refused")
    node = {"id": "y", "op": "autograd.functional.jacobian", "args": [{"function": "linalg.nothing"}, [1.0]]}
    assert client("POST", "/v1/evaluate", json={"nodes": [node]}).status_code == 422


def test_an_op_is_described_as_it_is_declared(client: Client) -> None:
    op = client("GET", "/v1/ops/torch.mul").json()
    assert op["signature"] == "mul(input: Tensor, other: Tensor)"
    assert (op["differentiable"], op["grad_fn"]) == (["input", "other"], "MulBackward0")
    assert (op["kind"], op["method"], op["in_place"]) == ("primitive", True, True)


def test_the_limits_in_force_are_published(serve: Serve) -> None:
    limits = Limits(nodes=7)
    assert serve(limits)("GET", "/v1/limits").json() == limits.model_dump()


# -- the document -----------------------------------------------------------------------------------------------------
@pytest.fixture(scope="module")
def document(client: Client) -> Any:
    return client("GET", "/openapi.json").json()


def operations(document: Any) -> Iterator[tuple[str, str, Any]]:
    for path, methods in document["paths"].items():
        for method, operation in methods.items():
            yield method, path, operation


def test_the_committed_document_is_current(document: Any) -> None:
    assert json.loads(COMMITTED.read_text()) == document


def test_every_route_of_the_contract_is_documented(document: Any) -> None:
    app = create_app(Settings())
    routes = {route.path for route in app.routes if isinstance(route, APIRoute) and route.include_in_schema}
    assert routes <= set(document["paths"])
    assert "/v1/sessions/{sid}/tensors/{name}" in document["paths"]


def test_every_operation_has_an_id_a_tag_and_its_problems(document: Any) -> None:
    ids = [operation["operationId"] for _, _, operation in operations(document)]
    assert len(ids) == len(set(ids))
    for method, path, operation in operations(document):
        assert len(operation["tags"]) == 1
        assert operation["summary"]
        assert operation["description"]
        refused = {status: one for status, one in operation["responses"].items() if status >= "4"}
        assert refused or path == "/healthz"
        for status, one in refused.items():
            assert list(one["content"]) == ["application/problem+json"], f"{method} {path} {status}"


def references(schema: Any) -> Iterator[str]:
    if isinstance(schema, dict):
        if isinstance(schema.get("$ref"), str):
            yield schema["$ref"]
        for part in schema.values():
            yield from references(part)
    elif isinstance(schema, list):
        for part in schema:
            yield from references(part)


def test_every_reference_leads_somewhere(document: Any) -> None:
    names = {f"#/components/{kind}/{name}" for kind, found in document["components"].items() for name in found}
    assert set(references(document)) <= names


def schemas(part: Any) -> Iterator[dict[str, Any]]:
    """Every object within a part of the document that may be a schema."""
    if isinstance(part, dict):
        yield part
    for inner in part.values() if isinstance(part, dict) else part if isinstance(part, list) else ():
        yield from schemas(inner)


def test_every_number_says_how_wide_it_is(document: Any) -> None:
    found = {"integer": "int64", "number": "double"}
    typed = [one for one in schemas(document) if isinstance(one.get("type"), str) and one["type"] in found]
    assert len(typed) > 50
    assert not [one for one in typed if one.get("format") != found[one["type"]]]


def test_bodies_have_no_defaults_that_generated_clients_would_have_to_send(document: Any) -> None:
    assert not [one for one in schemas(document["components"]["schemas"]) if "default" in one]


def test_null_is_declared_where_it_says_something_only(document: Any) -> None:
    named = document["components"]["schemas"]
    assert named["GraphEdge"]["properties"]["node"]["anyOf"][1] == {"type": "null"}
    assert named["TensorPatch"]["properties"]["grad"]["anyOf"][1] == {"type": "null"}
    assert named["BackwardRequest"]["properties"]["gradient"]["anyOf"][1] == {"type": "null"}
    lists = {"outputs", "grads"}  # that differ when empty from when left out: some clients send those that may be null
    for name in ("GraphRequest", "CodeRequest", "SessionRequest", "Problem"):
        nullable = {field for field, schema in named[name]["properties"].items() if "null" in json.dumps(schema)}
        assert nullable == lists & set(named[name]["properties"]), name


def test_a_run_has_exactly_one_program(document: Any) -> None:
    named = document["components"]["schemas"]
    assert [one["$ref"].rpartition("/")[2] for one in named["RunRequest"]["oneOf"]] == ["GraphRequest", "CodeRequest"]
    assert named["GraphRequest"]["required"] == ["nodes"]
    assert named["CodeRequest"]["required"] == ["code"]


def test_every_answer_declares_its_headers_and_has_an_example(document: Any) -> None:
    for method, path, operation in operations(document):
        for status, one in operation["responses"].items():
            assert "X-Request-Id" in one["headers"], f"{method} {path} {status}"
            assert ("Retry-After" in one["headers"]) == (status in ("409", "429", "503", "504"))
            assert ("Location" in one["headers"]) == (status == "201")
            for media_type, content in one.get("content", {}).items():
                assert "examples" in content or media_type not in ("application/json", "application/problem+json")


def test_if_match_is_offered_where_there_is_a_version(document: Any) -> None:
    for _, path, operation in operations(document):
        names = {one["name"] for one in operation.get("parameters", [])}
        changes = "412" in operation["responses"]
        assert ("If-Match" in names) == changes, path
        assert not changes or "Idempotency-Key" in names


def test_bodies_have_examples_that_run(client: Client, document: Any) -> None:
    examples = document["components"]["schemas"]["RunRequest"]["examples"]
    assert len(examples) == 2
    for example in examples:
        client.evaluate(**example)


def test_the_first_example_is_answered_as_the_document_says(client: Client, document: Any) -> None:
    request = document["components"]["schemas"]["RunRequest"]["examples"][0]
    assert client.evaluate(**request) == document["components"]["examples"]["EvaluateAnswer"]["value"]


def test_the_page_needs_no_network(client: Client, document: Any) -> None:
    page = client("GET", "/docs")
    assert page.headers["content-security-policy"].startswith("default-src 'none'")
    for fetching in ("<img", "src=", "@import", "url(", "import("):
        assert fetching not in re.sub(r"<script>.*</script>", "", page.text, flags=re.DOTALL)
    assert re.findall("<link [^>]*>", page.text) == ['<link rel="icon" href="data:,">']
    assert "script-src 'sha256-" in page.headers["content-security-policy"]
    for _, path, operation in operations(document):
        assert operation["operationId"] in page.text
        assert path.partition("{")[0] in page.text


def test_the_root_leads_to_the_page(client: Client) -> None:
    assert client("GET", "/").headers["location"] == "/docs"
