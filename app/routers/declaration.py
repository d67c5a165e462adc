"""What endpoints declare for the OpenAPI document: bodies by schema name, headers, and problems by their type."""

from __future__ import annotations

from collections.abc import Iterable
from http import HTTPStatus
from typing import Any, Final

from app.http.problems import MEDIA_TYPE, status_of
from app.wire.codec import Format
from app.wire.messages import TUTORIAL_TEXT

Responses = dict[int | str, dict[str, Any]]
ALWAYS: Final = ("X-Request-Id",)
BY_STATUS: Final = {201: ("Location",), 401: ("WWW-Authenticate",), 409: ("Retry-After",), 429: ("Retry-After",),
                    503: ("Retry-After",), 504: ("Retry-After",)}  # fmt: skip
EDGE = ("invalid-http", "headers-too-large", "too-slow", "too-many", "overloaded", "internal")
ANYWHERE = (*EDGE, "unauthorized", "not-acceptable", "invalid-request")


def reference(schema: str) -> dict[str, str]:
    """Return a reference to a named schema."""
    return {"$ref": f"#/components/schemas/{schema}"}


def examples(*names: str) -> dict[str, Any]:
    """Return references to examples."""
    return {name: {"$ref": f"#/components/examples/{name}"} for name in names}


def headers(names: Iterable[str]) -> dict[str, Any]:
    """Return references to headers of answers."""
    return {name: {"$ref": f"#/components/headers/{name}"} for name in names}


def request_body(schema: str, required: bool = True, *, or_python: bool = False) -> dict[str, Any]:
    """Return the body of a request, in either format, or the text of a program, for ``openapi_extra``."""
    content: dict[str, Any] = {form.value: {"schema": reference(schema)} for form in Format}
    if or_python:
        content["text/x-python"] = {"schema": {"type": "string"}, "example": TUTORIAL_TEXT}
    return {"requestBody": {"required": required, "content": content}}


def problems(*types: str, anywhere: tuple[str, ...] = ANYWHERE) -> Responses:
    """Return the problems an endpoint answers, beside those that any may answer; each by the end of its type."""
    slugs: dict[int, list[str]] = {}
    for slug in dict.fromkeys((*types, *anywhere)):
        slugs.setdefault(status_of(slug), []).append(slug)
    return {
        status: {
            "description": f"{HTTPStatus(status).phrase}: `{'`, `'.join(slugs[status])}`.",
            "headers": headers((*ALWAYS, *BY_STATUS.get(status, ()))),
            "content": {MEDIA_TYPE: {"schema": reference("Problem"), "examples": examples(*slugs[status])}},
        }
        for status in sorted(slugs)
    }


def answer(schema: str, status: int = 200, others: Iterable[str] = (), more: Iterable[str] = ()) -> Responses:
    """Return a successful answer, in either format, or in ``others`` as text; with ``more`` headers."""
    content: dict[str, Any] = {form.value: {"schema": reference(schema)} for form in Format}
    content["application/json"]["examples"] = examples(schema)
    content |= {media_type: {"schema": {"type": "string"}} for media_type in others}
    return {status: {**empty(status, more)[status], "content": content}}


def empty(status: int, more: Iterable[str] = ()) -> Responses:
    """Return a successful answer without a body."""
    named = headers((*ALWAYS, *BY_STATUS.get(status, ()), *more))
    return {status: {"description": HTTPStatus(status).phrase, "headers": named}}


def unchanged() -> Responses:
    """Return the answer to a question about what has not changed."""
    return empty(304, ["ETag"])


CHANGED = ("ETag", "Idempotency-Replayed")
FINDING = ("not-found", "gone")
STORED = ("store-unavailable", "interrupted", "time-limit")
READING = (*FINDING, *STORED, "unreadable-session", "over-limit")
SENDING = ("malformed-body", "unsupported-media-type", "over-limit", "invalid-request")
RUNNING = (*SENDING, "interrupted", "time-limit")
PROGRAM = ("refused", "not-available", "invalid-program", "invalid-tensor", "unwritable-answer")
COMPUTING = (*PROGRAM, *RUNNING)
OPENING = (*SENDING, *STORED, "in-progress", "idempotency-key-reused", "outcome-unknown")
ENDING = (*FINDING, *SENDING, *STORED, "version-conflict", "in-progress", "idempotency-key-reused", "outcome-unknown")
DRAWING = (*READING, "refused", "unavailable")
CHANGING = (*COMPUTING, *ENDING, "unreadable-session")
