"""What endpoints ask for: the services, and the request as it arrived.

All are coroutines: plain functions would each be sent to a thread. The framework looks at each dependency anew for each
endpoint; so only what the document has to know of (headers) is one, and the rest are calls.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from hashlib import sha256
from http import HTTPStatus
from typing import Annotated, Any, Final

import msgspec
from fastapi import Depends, Header, Query, Request, Response
from fastapi.dependencies.models import Dependant
from pydantic.json_schema import SkipJsonSchema
from starlette.types import Receive, Scope, Send

from app.compute.frames import Body, SharedBody
from app.errors import InvalidRequest
from app.evaluate.call import Call
from app.evaluate.replay import Sighting
from app.http.answering import facts_of
from app.http.receiving import ClientWatch, fill_of, read_body, turns_of
from app.http.services import EVALUATE, Services
from app.limits import OverLimit
from app.observe.facts import Facts
from app.operations import exchange
from app.sessions.idempotency import Key
from app.wire import codec
from app.wire.messages import EncodingField, Extra, WireEncoding
from app.wire.reply import Reply, compressed

LONG_BYTES: Final = 2**16  # a digest of more takes so long that others would notice
PYTHON: Final = "text/x-python"
PIECE_BYTES: Final = 2**18  # of a long answer, that are sent at once
_TAG: Final = r'(W/)?"([\x21\x23-\x7e\x80-\xff]*)"'  # RFC 9110, section 8.8.3
_TAGS: Final = re.compile(rf"{_TAG}(\s*,\s*{_TAG})*")
_ONE: Final = '(W/)?"[!#-~]*"'
_CONDITION: Final = {"pattern": rf"^(\*|{_ONE}( *, *{_ONE})*)$", "examples": ['"3"']}
_VERSION: Final = re.compile(r"0|[1-9]\d{0,17}", re.ASCII)
_OWN: Final = re.compile(r"t[0-9a-f]{32}")  # a tensor's


async def services_of(request: Request) -> Services:
    """Return the services of the application that answers ``request``."""
    services: Services = request.app.state.services
    return services


ServicesDep = Annotated[Services, Depends(services_of)]


@dataclass(frozen=True, slots=True)
class Arrival:
    """One request as it arrived, and the way to its answer."""

    services: Services
    owner: str
    facts: Facts
    request_line: str
    accept: str | None
    content_type: str | None
    content_encoding: str | None
    receive: Receive
    body: Body | SharedBody = b""
    accept_encoding: str | None = None
    if_none_match: str | None = None
    versions: frozenset[int] | None = None
    tags: frozenset[str] = frozenset()
    key: Key | None = None

    async def compute(
        self, operation: str, turn: str | None = None, encoding: WireEncoding | None = None, **arguments: Any
    ) -> Response:
        """Return the answer of a compute process. Operations of one ``turn`` are carried out one after another."""
        with self.services.in_flight.running(self.owner, self.key):
            return await self._sent(self._request(operation, arguments, encoding), turn)

    def reads_python(self, **options: Sequence[str] | None) -> Arrival:
        """Return the same request with a program of Python as its body put into JSON, with ``options`` beside it.

        Raises ``InvalidRequest`` where there are options and another body.
        """
        given = {name: value for name, value in options.items() if value is not None}
        if not is_python(self.content_type):
            if given:
                name = next(iter(given))
                raise InvalidRequest(f"'{name}' stands in the body", [(("query", name), "for text/x-python only")])
            return self
        if self.content_encoding not in (None, "identity"):
            raise codec.UnsupportedMedia("a body of Python is not compressed")
        body = self.body.view if isinstance(self.body, SharedBody) else self.body
        allowed = self.services.limits.code_length
        if len(body) > 4 * allowed:
            raise OverLimit("code_length", allowed=allowed, asked=len(body))
        try:
            code = bytes(body).decode("utf-8-sig")
        except UnicodeDecodeError:
            raise codec.MalformedBody("the body is not UTF-8") from None
        finally:
            if isinstance(self.body, SharedBody):
                del body
                self.body.close()
        return replace(self, body=codec.encode({"code": code, **given}, codec.JSON), content_type=codec.JSON.value)

    async def evaluate(self, encoding: WireEncoding | None = None) -> Response:
        """Return the answer to a stateless run: of a known plan, or of a compute process."""
        known = None
        if not isinstance(self.body, SharedBody):
            call = Call(self.body, self.content_type, self.content_encoding, self.accept, encoding)
            known = self.services.replayer.reply_to(call)
        if isinstance(known, Reply):
            return response(known)
        request = self._request(EVALUATE, {}, encoding)
        request.came_before = known is None or known.came_before
        return await self._sent(request, None, known)

    async def _sent(self, request: exchange.Request, turn: str | None, known: Sighting | None = None) -> Response:
        services, body = self.services, self.body
        waiter: asyncio.Future[Reply] = asyncio.get_running_loop().create_future()

        def done(outcome: Reply | Exception) -> None:
            if waiter.done():
                return
            if isinstance(outcome, Exception):
                waiter.set_exception(outcome)
            else:
                waiter.set_result(outcome)

        task = services.send(request, body, done, self.facts, turn, known)
        try:
            with ClientWatch(self.receive, lambda: services.front.leave(task)):
                return self._response(await waiter)
        except asyncio.CancelledError:
            services.front.leave(task)
            raise
        finally:
            if isinstance(body, SharedBody):
                body.close()

    def _request(self, operation: str, arguments: dict[str, Any], encoding: WireEncoding | None) -> exchange.Request:
        key = self.key
        return exchange.Request(
            operation, self.owner, self.accept, self.content_type, self.content_encoding, encoding, arguments,
            self.versions, self.tags, None if key is None else key.key, b"" if key is None else key.fingerprint,
            accept_encoding=self.accept_encoding,
        )  # fmt: skip

    async def fingerprint(self) -> bytes:
        """Return the digest of this very request; that of a long body is made off the event loop."""
        form = codec.answer_format(self.accept)
        digest = sha256(f"{self.request_line}\0{self.content_type}\0{form.value}\0".encode())
        body = self.body.view if isinstance(self.body, SharedBody) else self.body
        if len(body) > LONG_BYTES:
            await asyncio.to_thread(digest.update, body)
        else:
            digest.update(body)
        return digest.digest()

    def reply(self, value: Any) -> Response:
        """Return ``value`` written out: what the front knows by itself."""
        form = codec.answer_format(self.accept)
        reply = Reply(200, codec.encode(value, form), form.value)
        return self._response(compressed(reply, self.accept_encoding))

    def _response(self, reply: Reply) -> Response:
        """Return a reply; a question about what has not changed is answered without it."""
        if self.facts.method not in ("GET", "HEAD") or reply.status != HTTPStatus.OK:
            return response(reply)
        tag = reply.headers.get("ETag") or _tag_of(reply.body)
        headers = {"Vary": "Accept, Accept-Encoding", **reply.headers, "ETag": tag}
        if self.if_none_match is not None and _is_named(tag, self.if_none_match):
            kept = {name: value for name, value in headers.items() if name in ("ETag", "Vary")}
            return Response(status_code=HTTPStatus.NOT_MODIFIED, headers=kept)
        return response(msgspec.structs.replace(reply, headers=headers))


@lru_cache(256)
def is_python(content_type: str | None) -> bool:
    """Whether a body is the text of a program."""
    return content_type is not None and content_type.partition(";")[0].strip().lower() == PYTHON


class LongResponse(Response):
    """An answer that goes out piece by piece, as fast as its client takes it."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        await send({"type": "http.response.start", "status": self.status_code, "headers": self.raw_headers})
        body, turns = memoryview(self.body), turns_of(scope)
        for start in range(0, len(body), PIECE_BYTES):
            piece = body[start : start + PIECE_BYTES]
            await turns.own()  # a client that reads fast never lets ``send`` wait
            turns.moved(len(piece))
            more = start + PIECE_BYTES < len(body)
            await send({"type": "http.response.body", "body": bytes(piece), "more_body": more})


def response(reply: Reply) -> Response:
    """Return a reply as the framework's response."""
    make = LongResponse if len(reply.body) > PIECE_BYTES else Response
    return make(reply.body, reply.status, reply.headers, reply.media_type if len(reply.body) else None)


def _check_query(request: Request) -> None:
    """Refuse parameters of the query that the endpoint does not have, and those that come twice."""
    if not request.url.query:
        return
    known = set(_query_names(request.scope["route"].dependant))
    given = [name for name, _ in request.query_params.multi_items()]
    for name in given:
        place = ("query", name)
        if name not in known:
            allowed = f"this takes {', '.join(sorted(known))}" if known else "this takes none"
            raise InvalidRequest(f"an unknown parameter in the query: {allowed}", [(place, "unknown")])
        if given.count(name) > 1 and name not in LISTS:
            raise InvalidRequest("a parameter of the query comes twice", [(place, "comes twice")])


def _query_names(dependant: Dependant) -> Iterator[str]:
    yield from (field.alias for field in dependant.query_params)
    for inner in dependant.dependencies:
        yield from _query_names(inner)


async def arrival_without_body(request: Request) -> Arrival:
    """For endpoints that only read. Raises ``Unauthorized`` and ``InvalidRequest``."""
    services, headers = await services_of(request), request.headers
    facts_of(request).owner = owner = services.owner_for(headers.get("authorization", ""))
    _check_query(request)
    return Arrival(
        services, owner, facts_of(request),
        f"{request.method} {request.url.path}?{request.url.query}", headers.get("accept"), headers.get("content-type"),
        ", ".join(headers.getlist("content-encoding")) or None, request.receive,
        accept_encoding=headers.get("accept-encoding"),
    )  # fmt: skip


EncodingQuery = Annotated[
    EncodingField | SkipJsonSchema[None],
    Query(description="How tensor data are returned, where the body does not say."),
]
OutputsQuery = Annotated[list[str] | SkipJsonSchema[None], Query(description="As in the body; with text/x-python.")]
GradsQuery = Annotated[list[str] | SkipJsonSchema[None], Query(description="As in the body; with text/x-python.")]
IncludeQuery = Annotated[list[Extra] | SkipJsonSchema[None], Query(description="As in the body; with text/x-python.")]
LimitQuery = Annotated[
    int,
    Query(
        ge=1,
        le=2**31 - 1,
        json_schema_extra={"format": "int64"},
        description="Entries of this page; the service may give fewer.",
    ),
]
LISTS: Final = frozenset({"outputs", "grads", "include"})
ReadDep = Annotated[Arrival, Depends(arrival_without_body)]


async def arrival_with_body(request: Request) -> Arrival:
    """For endpoints that compute. Nothing is read, and nothing runs, for an answer that could not be written."""
    plain = await arrival_without_body(request)
    codec.answer_format(plain.accept)
    length = request.headers.get("content-length")
    services = plain.services
    fill = fill_of(request.scope)
    body = await read_body(request.receive, length, services.limits, services.settings.bodies_bytes, fill)
    plain.facts.bytes_in = len(body)
    return replace(plain, body=body)


async def arrival_that_looks(
    plain: ReadDep,
    if_none_match: Annotated[
        str | SkipJsonSchema[None],
        Header(
            alias="If-None-Match", description="ETags that one has; 304, if nothing has changed since.",
            json_schema_extra=_CONDITION,
        ),
    ] = None,
) -> Arrival:  # fmt: skip
    """For endpoints that only read, and may be asked whether there is something new."""
    if if_none_match is not None:
        _tags("If-None-Match", if_none_match)
    return replace(plain, if_none_match=if_none_match)


LookDep = Annotated[Arrival, Depends(arrival_that_looks)]
ComputeDep = Annotated[Arrival, Depends(arrival_with_body)]


async def arrival_that_opens(
    plain: ComputeDep,
    idempotency_key: Annotated[
        str | SkipJsonSchema[None],
        Header(
            alias="Idempotency-Key", description="A repeated key gets the first answer back; nothing runs twice.",
            min_length=1, max_length=255,
        ),
    ] = None,
) -> Arrival:  # fmt: skip
    """For endpoints that make something."""
    key = None if idempotency_key is None else Key(idempotency_key, await plain.fingerprint())
    return replace(plain, key=key)


OpenDep = Annotated[Arrival, Depends(arrival_that_opens)]


async def arrival_that_changes(
    plain: OpenDep,
    if_match: Annotated[
        str | SkipJsonSchema[None],
        Header(
            alias="If-Match", description="An ETag that the session, or tensor, must still have; or several, or `*`.",
            json_schema_extra=_CONDITION,
        ),
    ] = None,
) -> Arrival:  # fmt: skip
    """For endpoints that change something."""
    versions, tags = _conditions(if_match)
    return replace(plain, versions=versions, tags=tags)


ChangeDep = Annotated[Arrival, Depends(arrival_that_changes)]


def _tag_of(body: bytes) -> str:
    return f'"{sha256(body).hexdigest()[:32]}"'


def _is_named(tag: str, if_none_match: str) -> bool:
    """Whether the header names the tag: weakly compared (RFC 9110, section 13.1.2)."""
    tags = _tags("If-None-Match", if_none_match)
    return tags is None or tag.removeprefix("W/").strip('"') in [text for _, text in tags]


def _conditions(if_match: str | None) -> tuple[frozenset[int] | None, frozenset[str]]:
    """Return the versions that the header allows, ``None`` for any, and the tags of tensors.

    Weak tags and tags that were never given are neither (RFC 9110, section 13.1.1: the comparison is strong).
    """
    found = None if if_match is None else _tags("If-Match", if_match)
    if found is None:
        return None, frozenset()
    strong = [tag for weak, tag in found if not weak]
    versions = frozenset(int(tag) for tag in strong if _VERSION.fullmatch(tag))
    return versions, frozenset(tag for tag in strong if _OWN.fullmatch(tag))


def _tags(header: str, text: str) -> list[tuple[str, str]] | None:
    """Return the ETags that a header names, each with the mark of a weak one; ``None`` for any.

    Raises ``InvalidRequest``.
    """
    text = text.strip()
    if text == "*":
        return None
    if _TAGS.fullmatch(text) is None:
        place = ("header", header.lower())
        raise InvalidRequest(f"{header} takes ETags, each in its quotes, or *", [(place, "not an ETag")])
    return re.findall(_TAG, text)
