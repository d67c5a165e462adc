"""Replies as data: what is sent, stored for an Idempotency-Key, or both."""

from __future__ import annotations

import msgspec


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
