"""What an operation finds in a compute process to answer a request with, and the operations that there are."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Final, TypeVar

from pydantic import BaseModel

from app.evaluate.evaluator import Evaluator
from app.evaluate.execution import Programs, Run
from app.limits import Limits
from app.operations.exchange import Request
from app.sessions.directory import Directory, Precondition
from app.sessions.idempotency import Key
from app.wire import codec
from app.wire.arrays import Encoding
from app.wire.messages import RunRequest, WireEncoding
from app.wire.reply import Refusal, Reply

Model = TypeVar("Model", bound=BaseModel)


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
