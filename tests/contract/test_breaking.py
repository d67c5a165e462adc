"""A change that breaks clients of the released document is found; and the current document has none."""

from __future__ import annotations

import copy
import json
from collections.abc import Callable
from typing import Any

import pytest

from scripts.breaking import FOLDER, breaks

RELEASED: Any = json.loads((FOLDER / "released.json").read_text())
Change = Callable[[Any, Any], Any]


def changed(change: Change) -> Any:
    document = copy.deepcopy(RELEASED)
    change(document["paths"], document["components"]["schemas"])
    return document


def test_nothing_breaks_clients_of_the_released_document() -> None:
    assert breaks(RELEASED, json.loads((FOLDER / "openapi.json").read_text())) == []


@pytest.mark.parametrize(
    ("change", "found"),
    [
        (lambda paths, _: paths.pop("/v1/ops/{op}"), "GET /v1/ops/{op}: gone"),
        (lambda paths, _: paths["/v1/limits"].pop("get"), "GET /v1/limits: gone"),
        (
            lambda paths, _: paths["/v1/evaluate"]["post"].update(operationId="run"),
            "POST /v1/evaluate: another operationId",
        ),
        (lambda paths, _: paths["/v1/ops"]["get"]["parameters"].pop(0), "GET /v1/ops: query q: gone"),
        (
            lambda paths, _: paths["/v1/ops"]["get"]["parameters"][0].update(required=True),
            "GET /v1/ops: query q: required",
        ),
        (
            lambda paths, _: paths["/v1/ops"]["get"]["parameters"][0]["schema"].update(maxLength=3),
            "GET /v1/ops: query q: maxLength",
        ),
        (
            lambda paths, _: paths["/v1/sessions"]["post"]["requestBody"].update(required=True),
            "POST /v1/sessions: body: required",
        ),
        (
            lambda paths, _: paths["/v1/evaluate"]["post"]["requestBody"]["content"].pop("application/msgpack"),
            "POST /v1/evaluate: body: application/msgpack: gone",
        ),
        (lambda paths, _: paths["/v1/sessions"]["post"]["responses"].pop("201"), "POST /v1/sessions: 201: gone"),
        (
            lambda paths, _: paths["/v1/sessions"]["post"]["responses"]["201"]["headers"].pop("Location"),
            "POST /v1/sessions: 201: header Location: gone",
        ),
        (lambda _, schemas: schemas["CodeRequest"]["properties"].pop("grads"), "CodeRequest.grads: gone"),
        (lambda _, schemas: schemas["CodeRequest"]["required"].append("inputs"), "CodeRequest.inputs: required"),
        (
            lambda _, schemas: schemas["CodeRequest"]["properties"]["code"].update(type="array"),
            "CodeRequest.code: another type",
        ),
        (lambda _, schemas: schemas["Encoding"]["enum"].remove("base64"), "Encoding: fewer members"),
        (lambda _, schemas: schemas["SessionHead"]["properties"].pop("bytes"), "SessionHead.bytes: gone"),
        (lambda _, schemas: schemas["SessionHead"]["required"].remove("bytes"), "SessionHead.bytes: not always there"),
        (
            lambda _, schemas: schemas["SessionHead"]["properties"]["bytes"].update(format="int32"),
            "SessionHead.bytes: another format",
        ),
        (
            lambda _, schemas: schemas["SessionHead"]["properties"]["version"].update(type=["integer", "null"]),
            "SessionHead.version: another type",
        ),
        (lambda _, schemas: schemas["Node"]["oneOf"].pop(), "Node: fewer choices"),
        (lambda _, schemas: schemas["BatchAnswer"]["oneOf"].append({"type": "null"}), "BatchAnswer: other choices"),
    ],
)  # fmt: skip
def test_a_breaking_change_is_found(change: Change, found: str) -> None:
    assert found in breaks(RELEASED, changed(change))


@pytest.mark.parametrize(
    "change",
    [
        lambda paths, _: paths.update({"/v1/more": {"get": paths["/v1/limits"]["get"]}}),
        lambda paths, _: paths["/v1/ops"]["get"]["parameters"].append(
            {"name": "more", "in": "query", "schema": {"type": "string"}}
        ),
        lambda paths, _: paths["/v1/ops"]["get"]["parameters"][0]["schema"].update(maxLength=300),
        lambda _, schemas: schemas["CodeRequest"]["properties"].update(more={"type": "string"}),
        lambda _, schemas: schemas["Extra"]["enum"].append("more"),
        lambda _, schemas: schemas["SessionHead"]["properties"].update(more={"type": "string"}),
        lambda _, schemas: schemas["SessionHead"]["required"].append("more"),
        lambda _, schemas: schemas["EvaluateRequest"]["oneOf"].append({"type": "null"}),
        lambda _, schemas: schemas["Limits"].update(description="Other words."),
    ],
)
def test_what_only_adds_breaks_nobody(change: Change) -> None:
    assert breaks(RELEASED, changed(change)) == []
