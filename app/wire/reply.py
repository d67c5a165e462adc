"""Replies as data: what is sent, stored for an Idempotency-Key, or both."""

from __future__ import annotations

from typing import Final

import msgspec

from app.wire import codec


class Reply(msgspec.Struct, frozen=True):
    """An answer, written out."""

    status: int
    body: bytes = b""
    media_type: str = "application/json"
    headers: dict[str, str] = {}


class Refusal(Reply, frozen=True):
    """A problem: its type, and the limit that was exceeded, where one was."""

    problem: str = ""
    limit: str = ""


LEAST_BYTES: Final = 2**14  # of an answer that is worth being compressed


def compressed(reply: Reply, accept_encoding: str | None) -> Reply:
    """Return ``reply``, compressed if it is long and the client asks for that."""
    if len(reply.body) < LEAST_BYTES:
        return reply
    headers = {**reply.headers, "Vary": "Accept, Accept-Encoding"}
    coding = codec.answer_coding(accept_encoding)
    if coding is None:
        return msgspec.structs.replace(reply, headers=headers)
    headers["Content-Encoding"] = coding
    return msgspec.structs.replace(reply, body=codec.compress(reply.body, coding), headers=headers)
