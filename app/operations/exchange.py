"""A request on its way to a compute process, and what an operation finds there to answer it with."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Final, TypeVar

import msgspec
from pydantic import BaseModel

from app.evaluate.call import Call
from app.evaluate.evaluator import Evaluator
from app.evaluate.execution import Programs, Run
from app.limits import Limits
from app.sessions.directory import Directory, Precondition
from app.sessions.idempotency import Key
from app.wire import codec
from app.wire.arrays import Encoding
from app.wire.messages import RunRequest, WireEncoding
from app.wire.reply import Refusal, Reply

Model = TypeVar("Model", bound=BaseModel)


class Request(msgspec.Struct, array_like=True):
    """What is asked for: all of a request but its body, and the same each time where the same is asked for."""

    operation: str
    owner: str
    accept: str | None = None
    content_type: str | None = None
    content_encoding: str | None = None
    encoding: WireEncoding | None = None  # of the query
    arguments: dict[str, Any] = {}
    versions: frozenset[int] | None = None  # that If-Match allows
    tags: frozenset[str] = frozenset()  # of tensors, that it allows, too
    key: str | None = None  # Idempotency-Key
    fingerprint: bytes = b""  # of the request that came with it
    came_before: bool = False  # a program that is worth a plan
    accept_encoding: str | None = None

    def call(self, body: codec.Body) -> Call:
        """Return the request as the evaluator reads it."""
        return Call(body, self.content_type, self.content_encoding, self.accept, self.encoding)


class Head(msgspec.Struct, array_like=True):
    """A request, as it is written, with what belongs to this one alone.

    ``deadline`` is a value of ``time.monotonic()``, one clock for all processes.
    """

    request_id: str
    deadline: float
    request: msgspec.Raw
    traceparent: str | None = None  # of the front's span, or the client's


class Answer(msgspec.Struct, array_like=True):
    """All of a reply but its body; ``plan``: with which the front answers the next request of this kind by itself."""

    status: int
    media_type: str = "application/json"
    headers: dict[str, str] = {}
    plan: bytes | None = None
    seconds: float = 0.0  # that the operation took
    events: dict[str, int] = {}  # that happened, by name: for the metrics
    problem: str = ""  # the type of one, and the limit that was exceeded
    limit: str = ""
    store_seconds: float | None = None  # of these seconds; none: the store was not used
    store_calls: list[tuple[str, float, float]] = []  # the first of them: what, how long after the beginning, seconds
    process: int = 0
    live_sessions: int = 0  # that the process has at hand
    live_bytes: int = 0


HEADS: Final = msgspec.msgpack.Decoder(Head)
REQUESTS: Final = msgspec.msgpack.Decoder(Request)
ANSWERS: Final = msgspec.msgpack.Decoder(Answer)
ENCODER: Final = msgspec.msgpack.Encoder()


@dataclass(slots=True)
class Tools:
    """What lives as long as a compute process."""

    limits: Limits
    directory: Directory
    evaluator: Evaluator
    programs: Programs
    dot: str
    refuse: Callable[[Exception, str], Refusal]  # the reply to a request that failed
    is_open: bool = False

    def open_store(self) -> None:
        """Connect to the store, when it is first needed. Raises ``StoreError``: the next request tries again."""
        if not self.is_open:
            self.directory.store.open()
            self.directory.replies.start()
            self.is_open = True


@dataclass(slots=True)
class Exchange:
    """One request, with its body, and how its answer is to be written."""

    tools: Tools
    request: Request
    request_id: str
    body: codec.Body = b""
    plan: bytes | None = field(default=None, init=False)  # that the front should have
    again: Callable[[], Reply] | None = field(default=None, init=False)  # does what is asked for once more, unread

    @property
    def limits(self) -> Limits:
        """The limits in force."""
        return self.tools.limits

    @property
    def owner(self) -> str:
        """Whose key the request names."""
        return self.request.owner

    @property
    def directory(self) -> Directory:
        """The sessions. Raises ``StoreError`` while their store is away."""
        self.tools.open_store()
        return self.tools.directory

    @property
    def precondition(self) -> Precondition:
        """What the request asks to hold."""
        request = self.request
        key = None if request.key is None else Key(request.key, request.fingerprint)
        return Precondition(request.versions, key)

    @property
    def answer_format(self) -> codec.Format:
        """How answers are written. Raises ``NotAcceptable``; pictures and the like do not ask."""
        return codec.answer_format(self.request.accept)

    def parse(self, model: type[Model]) -> Model:
        """Return the body as ``model``; none, and null, which some clients send for it, count as an empty object."""
        fields = self.parse_tensor() if self.body else None
        return model.model_validate({} if fields is None else fields)

    def run(self) -> Run:
        """Return the body as a run whose program was read. Raises what is wrong with it."""
        form = codec.request_format(self.request.content_type)
        body = codec.decompress(self.body, self.request.content_encoding, self.limits)

        def read() -> RunRequest:
            return RunRequest.model_validate(codec.decode_request(body, form, self.limits) if body else {})

        return self.tools.programs.prepare(body, form, read)

    def parse_tensor(self) -> Any:
        """Return the body of a request that is a tensor, or has some where ``app.wire.messages`` says so."""
        request = self.request
        form = codec.request_format(request.content_type)
        return codec.decode_request(
            codec.decompress(self.body, request.content_encoding, self.limits), form, self.limits
        )

    def document(self) -> bytes:
        """Return the body of a msgpack document that has a reader of its own. Raises ``UnsupportedMedia``.

        It may come as bytes of no named kind, too: some clients can send no others.
        """
        if not codec.is_octets(self.request.content_type):
            codec.request_format(self.request.content_type, (codec.MSGPACK,))
        return bytes(codec.decompress(self.body, self.request.content_encoding, self.limits))

    def data_encoding(self, asked: WireEncoding | None = None) -> Encoding:
        """How tensor data are written: as the body asks, else the query, else what suits the format."""
        return self.request.call(b"").data_encoding(asked, self.answer_format)

    def reply(self, value: Any, status: int = 200, tag: int | str | None = None, **headers: str) -> Reply:
        """``value`` written out; ``tag`` is the version of a session, or a tensor's own."""
        if tag is not None:
            headers["ETag"] = f'"{tag}"'
        return Reply(status, codec.encode(value, self.answer_format), self.answer_format.value, headers)


Operation = Callable[..., Reply]
_OPERATIONS: Final[dict[str, Operation]] = {}


def operation(function: Operation) -> Operation:
    """Let compute processes know a function of an ``Exchange`` and plain arguments by its name."""
    _OPERATIONS[function.__name__] = function
    return function


def operation_of(name: str) -> Operation:
    """Return the operation of that name."""
    return _OPERATIONS[name]
