"""What endpoints declare for the OpenAPI document: bodies by schema name, and problems by their type."""

from __future__ import annotations

from collections.abc import Iterable
from http import HTTPStatus
from typing import Any

from app.http.problems import MEDIA_TYPE, status_of
from app.wire.codec import Format

Responses = dict[int | str, dict[str, Any]]
ANYWHERE = ("unauthorized", "not-acceptable", "internal", "overloaded")


def reference(schema: str) -> dict[str, str]:
    """Return a reference to a named schema."""
    return {"$ref": f"#/components/schemas/{schema}"}


def request_body(schema: str, required: bool = True) -> dict[str, Any]:
    """Return the body of a request, in either format, for ``openapi_extra``."""
    content = {form.value: {"schema": reference(schema)} for form in Format}
    return {"requestBody": {"required": required, "content": content}}


def problems(*types: str) -> Responses:
    """Return the problems an endpoint answers, beside those that any may answer; each by the end of its type."""
    content = {MEDIA_TYPE: {"schema": reference("Problem")}}
    return {
        status: {"description": HTTPStatus(status).phrase, "content": content}
        for status in sorted({status_of(slug) for slug in (*types, *ANYWHERE)})
    }


def answer(schema: str, status: int = 200, others: Iterable[str] = ()) -> Responses:
    """Return a successful answer, in either format, or in ``others`` as text."""
    content: dict[str, Any] = {form.value: {"schema": reference(schema)} for form in Format}
    content |= {media_type: {"schema": {"type": "string"}} for media_type in others}
    return {status: {"description": HTTPStatus(status).phrase, "content": content}}


FINDING = ("not-found", "gone")
READING = (*FINDING, "unreadable-session")
SENDING = ("malformed-body", "unsupported-media-type", "over-limit", "invalid-request")
COMPUTING = (*SENDING, "too-slow", "time-limit")
OPENING = (*SENDING, "in-progress", "too-many")
ENDING = (*FINDING, "version-conflict", "invalid-request")
DRAWING = (*READING, "over-limit", "invalid-request", "unavailable", "time-limit")
CHANGING = (*COMPUTING, *READING, "version-conflict")
