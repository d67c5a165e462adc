"""What endpoints declare for the OpenAPI document: bodies by schema name, and problems by status."""

from __future__ import annotations

from collections.abc import Iterable
from http import HTTPStatus
from typing import Any

from app.http.problems import MEDIA_TYPE
from app.wire.codec import Format

Responses = dict[int | str, dict[str, Any]]


def reference(schema: str) -> dict[str, str]:
    """A reference to a named schema."""
    return {"$ref": f"#/components/schemas/{schema}"}


def request_body(schema: str, required: bool = True) -> dict[str, Any]:
    """The body of a request, in either format, for ``openapi_extra``."""
    content = {form.value: {"schema": reference(schema)} for form in Format}
    return {"requestBody": {"required": required, "content": content}}


def problems(*statuses: int) -> Responses:
    """The problems an endpoint answers; 401 wherever keys are asked for, 500 and 503 anywhere."""
    content = {MEDIA_TYPE: {"schema": reference("Problem")}}
    return {
        status: {"description": HTTPStatus(status).phrase, "content": content}
        for status in sorted({*statuses, 401, 406, 500, 503})
    }


def answer(schema: str, status: int = 200, others: Iterable[str] = ()) -> Responses:
    """A successful answer, in either format, or in ``others`` as text."""
    content: dict[str, Any] = {form.value: {"schema": reference(schema)} for form in Format}
    content |= {media_type: {"schema": {"type": "string"}} for media_type in others}
    return {status: {"description": HTTPStatus(status).phrase, "content": content}}


READING = (404, 410)
COMPUTING = (400, 408, 413, 415, 422, 504)
CHANGING = (*COMPUTING, 404, 409, 410)
