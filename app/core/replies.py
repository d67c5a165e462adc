"""Replies as data, and the memory of those given for an Idempotency-Key."""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass, field
from threading import Lock

from app.core.errors import KeyReused
from app.core.limits import Limits


@dataclass(frozen=True, slots=True)
class Reply:
    """An answer, written out."""

    status: int
    body: bytes = b""
    media_type: str = "application/json"
    headers: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Claim:
    """An Idempotency-Key and the digest of the request that came with it."""

    key: str
    fingerprint: bytes


class Replies:
    """The latest replies of each owner by key: bounded in number and in bytes, oldest dropped first.

    Only requests that succeeded are kept: one that was refused has changed nothing, so its repetition may run.
    """

    def __init__(self, limits: Limits) -> None:
        self._limits = limits
        self._owners: dict[str, OrderedDict[str, tuple[bytes, Reply]]] = {}
        self._sizes: dict[str, int] = {}
        self._lock = Lock()

    def find(self, owner: str, claim: Claim | None) -> Reply | None:
        """The first reply to this request, if it was made before. Raises ``KeyReused`` for another request."""
        if claim is None:
            return None
        with self._lock:
            replies = self._owners.get(owner)
            kept = None if replies is None else replies.get(claim.key)
        if kept is None:
            return None
        if kept[0] != claim.fingerprint:
            raise KeyReused("this Idempotency-Key came with another request before")
        return kept[1]

    def keep(self, owner: str, claim: Claim | None, reply: Reply) -> None:
        """Remember ``reply`` as the answer to ``claim``."""
        if claim is None:
            return
        with self._lock:
            kept = self._owners.setdefault(owner, OrderedDict())
            kept[claim.key] = claim.fingerprint, reply
            self._sizes[owner] = self._sizes.get(owner, 0) + len(reply.body)
            self._trim(owner, kept)

    def _trim(self, owner: str, kept: OrderedDict[str, tuple[bytes, Reply]]) -> None:
        limits = self._limits
        while len(kept) > limits.idempotency_keys or (self._sizes[owner] > limits.idempotency_bytes and len(kept) > 1):
            _, (_, dropped) = kept.popitem(last=False)
            self._sizes[owner] -= len(dropped.body)
