"""What endpoints ask for: the services, the owner of the request's key, and the exchange of bodies.

All are coroutines: plain functions would each be sent to a thread.
"""

from __future__ import annotations

import asyncio
import base64
import binascii
import re
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from hashlib import sha256
from typing import Annotated, Any, Final, TypeVar

from fastapi import Depends, Header, Query, Request, Response
from pydantic import BaseModel
from starlette.types import Receive

from app.errors import InvalidRequest, Unauthorized
from app.evaluate.cancellation import Cancellation
from app.evaluate.evaluator import Call, Evaluator
from app.evaluate.workers import Workers
from app.http.health_check import HealthCheck
from app.http.metrics import Metrics
from app.http.receiving import ClientWatch, read_body
from app.limits import Limits
from app.sessions.directory import Directory, Precondition
from app.sessions.idempotency import Key
from app.settings import Settings, key_digest
from app.stores.factory import store_for
from app.wire import codec
from app.wire.arrays import Encoding
from app.wire.messages import WireEncoding
from app.wire.reply import Reply

Model = TypeVar("Model", bound=BaseModel)
Result = TypeVar("Result")
LOCAL_OWNER: Final = "local"
SHORT_BYTES: Final = 2**12  # of a body that is read in no more time than the way to a thread and back takes
LONG_BYTES: Final = 2**16  # a digest of more takes so long that others would notice
_VERSION: Final = re.compile(r'"(\d{1,18})"')


class Services:
    """What lives as long as the application."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.limits = settings.limits
        self.owners = settings.owners_by_key_digest
        self.workers = Workers(settings.threads, settings.queue, settings.limits.seconds)
        store = store_for(settings.store, settings.data, settings.sync, settings.threads + 2)
        self.directory = Directory(store, settings.limits, settings.cache_bytes)
        self.health_check = HealthCheck(store.check)
        self.evaluator = Evaluator(settings.limits)
        self.metrics = Metrics()

    async def compute(self, receive: Receive, work: Callable[[], Result], turn: str | None = None) -> Result:
        """Return what ``work`` makes in a thread; it is cancelled when its client goes."""
        cancellation = Cancellation()
        with ClientWatch(receive, cancellation.cancel):
            return await self.workers.run(lambda: cancellation.run(work), turn)


async def services_of(request: Request) -> Services:
    """Return the services of the application that answers ``request``."""
    services: Services = request.app.state.services
    return services


ServicesDep = Annotated[Services, Depends(services_of)]


# -- who asks ---------------------------------------------------------------------------------------------------------
async def owner_of(services: ServicesDep, request: Request) -> str:
    """Return the owner of the key that the request names. Raises ``Unauthorized``."""
    return owner_for(services, request.headers.get("authorization", ""))


def owner_for(services: Services, authorization: str) -> str:
    """Return the owner of the key in an Authorization header. Raises ``Unauthorized``."""
    if not services.owners:
        return LOCAL_OWNER
    owner = services.owners.get(key_digest(_key(authorization)))
    if owner is None:
        raise Unauthorized("name a key: 'Authorization: Bearer KEY', or KEY as the password of HTTP Basic")
    return owner


def _key(authorization: str) -> str:
    scheme, _, credentials = authorization.partition(" ")
    if scheme.lower() == "bearer":
        return credentials.strip()
    if scheme.lower() == "basic":
        try:
            return base64.b64decode(credentials, validate=True).decode().partition(":")[2]
        except (binascii.Error, ValueError):
            return ""
    return ""


OwnerDep = Annotated[str, Depends(owner_of)]


# -- bodies -----------------------------------------------------------------------------------------------------------
@dataclass(frozen=True, slots=True)
class Exchange:
    """One request and how its answer is to be written. What costs time happens in ``compute``, off the event loop."""

    services: Services
    owner: str
    accept: str | None
    encoding: WireEncoding | None
    request_line: str
    content_type: str | None
    content_encoding: str | None
    receive: Receive
    body: codec.Body = b""
    precondition: Precondition = field(default_factory=Precondition)

    @property
    def answer_format(self) -> codec.Format:
        """How answers are written. Raises ``NotAcceptable``; pictures and the like do not ask."""
        return codec.answer_format(self.accept)

    @property
    def limits(self) -> Limits:
        """The limits in force."""
        return self.services.limits

    def call(self) -> Call:
        """Return the request as it came, for the evaluator."""
        return Call(self.body, self.content_type, self.content_encoding, self.accept, self.encoding)

    def parse(self, model: type[Model]) -> Model:
        """Return the body as ``model``; an empty one counts as an empty object."""
        return model.model_validate(self.parse_tensor() if self.body else {})

    def parse_tensor(self) -> Any:
        """Return the body of a request that is a tensor, or has some where ``app.wire.messages`` says so."""
        form = codec.request_format(self.content_type)
        return codec.decode_request(codec.decompress(self.body, self.content_encoding, self.limits), form, self.limits)

    def document(self) -> bytes:
        """Return the body of a msgpack document that has a reader of its own. Raises ``UnsupportedMedia``."""
        codec.request_format(self.content_type, (codec.MSGPACK,))
        return bytes(codec.decompress(self.body, self.content_encoding, self.limits))

    async def fingerprint(self) -> bytes:
        """Return the digest of this very request; that of a long body is made off the event loop."""
        digest = sha256(f"{self.request_line}\0{self.content_type}\0{self.answer_format.value}\0".encode())
        if len(self.body) > LONG_BYTES:
            await asyncio.to_thread(digest.update, self.body)
        else:
            digest.update(self.body)
        return digest.digest()

    def data_encoding(self, asked: WireEncoding | None = None) -> Encoding:
        """How tensor data are written: as the body asks, else the query, else what suits the format."""
        return self.call().data_encoding(asked, self.answer_format)

    def reply(self, value: Any, status: int = 200, version: int | None = None, **headers: str) -> Reply:
        """``value`` written out."""
        if version is not None:
            headers["ETag"] = f'"{version}"'
        return Reply(status, codec.encode(value, self.answer_format), self.answer_format.value, headers)

    async def prepare(self, read: Callable[[], Result]) -> Result:
        """Return what ``read`` makes of the request, before any turn, claim or transaction; if long, in a thread."""
        is_short = len(self.body) <= SHORT_BYTES and not self.content_encoding
        return read() if is_short else await self.services.workers.run(read)

    async def compute(self, work: Callable[[], Reply], turn: str | None = None) -> Response:
        """Return the answer that ``work`` writes in a thread."""
        with self.services.directory.replies.running(self.owner, self.precondition.key):
            return response(await self.services.compute(self.receive, work, turn))


def response(reply: Reply) -> Response:
    """Return a reply as the framework's response."""
    return Response(reply.body, reply.status, reply.headers, reply.media_type if reply.body else None)


async def exchange_without_body(
    services: ServicesDep,
    owner: OwnerDep,
    request: Request,
    encoding: Annotated[WireEncoding | None, Query(description="How tensor data are returned.")] = None,
) -> Exchange:
    """For endpoints that only read."""
    headers = request.headers
    return Exchange(
        services,
        owner,
        headers.get("accept"),
        encoding,
        f"{request.method} {request.url.path}?{request.url.query}",
        headers.get("content-type"),
        ", ".join(headers.getlist("content-encoding")) or None,
        request.receive,
    )


ReadDep = Annotated[Exchange, Depends(exchange_without_body)]


async def exchange_with_body(request: Request, plain: ReadDep) -> Exchange:
    """For endpoints that compute. Nothing is read, and nothing runs, for an answer that could not be written."""
    codec.answer_format(plain.accept)
    return replace(plain, body=await read_body(request.receive, request.headers.get("content-length"), plain.limits))


ComputeDep = Annotated[Exchange, Depends(exchange_with_body)]


async def exchange_that_changes(
    plain: ComputeDep,
    idempotency_key: Annotated[
        str | None,
        Header(
            description="A repeated key gets the first answer back; nothing runs twice.", min_length=1, max_length=255
        ),
    ] = None,
    if_match: Annotated[str | None, Header(description="The ETag that the session must still have.")] = None,
) -> Exchange:
    """For endpoints that change something."""
    version = _version(if_match)
    key = None if idempotency_key is None else Key(idempotency_key, await plain.fingerprint())
    return replace(plain, precondition=Precondition(version, key))


ChangeDep = Annotated[Exchange, Depends(exchange_that_changes)]


def _version(if_match: str | None) -> int | None:
    if if_match is None or if_match.strip() == "*":
        return None
    found = _VERSION.fullmatch(if_match.strip().removeprefix("W/"))
    if found is None:
        raise InvalidRequest("If-Match takes one ETag of this session", [(("header", "if-match"), "not an ETag")])
    return int(found[1])
