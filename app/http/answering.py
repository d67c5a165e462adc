"""Problems as answers of the web framework, which adds its own exceptions to the table."""

from __future__ import annotations

from collections.abc import Mapping
from http import HTTPStatus

from fastapi import FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect

from app.http import methods
from app.http.problems import INVALID_REQUEST, MEDIA_TYPE, TABLE, Kind, body_of, refuse
from app.observe.facts import Facts as RequestFacts

TABLE[ClientDisconnect] = Kind(400, "malformed-body", "The body is cut short")
TABLE[RequestValidationError] = INVALID_REQUEST


def response_to(error: Exception, request: RequestFacts) -> Response:
    """Return the same as the framework's response."""
    reply = refuse(error, request)
    return Response(reply.body, reply.status, reply.headers, reply.media_type)


def _http_problem(error: HTTPException, headers: Mapping[str, str], request: RequestFacts) -> Response:
    """404 and 405 of the router, and whatever else the framework refuses by itself."""
    status = HTTPStatus(error.status_code)
    kind = Kind(status.value, status.phrase.lower().replace(" ", "-"), status.phrase)
    request.problem = kind.slug
    details = {404: "there is nothing at this path", 405: "this path does not answer this method"}
    body = body_of(kind, details.get(status.value, status.phrase), {})
    return Response(body, status.value, {**(error.headers or {}), **headers}, MEDIA_TYPE)


def facts_of(request: Request) -> RequestFacts:
    """What is known of this request, for ``app.http.middleware`` to pass on."""
    facts: RequestFacts = request.scope["facts"]
    return facts


def install(app: FastAPI) -> None:
    """Answer every exception of the table, and those of the framework, with a problem."""

    async def known(request: Request, error: Exception) -> Response:
        return response_to(error, facts_of(request))

    async def framework(request: Request, error: Exception) -> Response:
        assert isinstance(error, HTTPException)  # registered for that class only
        allowed = methods.allowed(request) if error.status_code == HTTPStatus.METHOD_NOT_ALLOWED else []
        return _http_problem(error, {"Allow": ", ".join(allowed)} if allowed else {}, facts_of(request))

    for exception_class in TABLE:
        app.add_exception_handler(exception_class, known)
    app.add_exception_handler(HTTPException, framework)
