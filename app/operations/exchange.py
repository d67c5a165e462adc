"""A request on its way to a compute process, and its answer on the way back."""

from __future__ import annotations

from typing import Any, Final

import msgspec

from app.evaluate.call import Call
from app.wire import codec
from app.wire.messages import WireEncoding


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
