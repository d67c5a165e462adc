"""The promise that a request with an Idempotency-Key has its effect once.

A key is held by the request that came with it first, for a few seconds at a time, renewed while it runs; the answer is
committed together with what the request changed. A process that dies lets go of its keys by no longer renewing them.
"""

from __future__ import annotations

import logging
import secrets
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from threading import Thread
from typing import Final

import msgspec

from app.errors import InProgress, KeyReused
from app.stores.base import Answer, Claim, KeyLost, KeyRecord, SessionStore, StoreError
from app.wire.reply import Reply

HOLD_S: Final = 5.0  # how long a key outlives the process that held it
RENEWAL_S: Final = 1.5

log = logging.getLogger("gradserve")


@dataclass(frozen=True, slots=True)
class Key:
    """An Idempotency-Key and the digest of the request that came with it."""

    key: str
    fingerprint: bytes


_DECODER: Final = msgspec.msgpack.Decoder(Reply)


def answer_for(claim: Claim | None, reply: Reply) -> Answer | None:
    """Return what a commit has to keep for the claim."""
    return None if claim is None else Answer(claim, msgspec.msgpack.encode(reply))


class Replies:
    """The answers that were given, by key. Only of requests that succeeded: one that was refused changed nothing."""

    def __init__(self, store: SessionStore) -> None:
        self._store = store
        self._held: dict[bytes, Claim] = {}

    def once(self, owner: str, key: Key | None, work: Callable[[Claim | None], Reply]) -> Reply:
        """Return what ``work`` answers, or what it answered before.

        Raises ``KeyReused`` for another request with the key, ``InProgress`` while the first one still runs.
        """
        if key is None:
            return work(None)
        claim = Claim(owner, key.key, key.fingerprint, secrets.token_bytes(16))
        kept = self._take(claim)
        return self._first(claim, work) if kept is None else _repeated(claim, kept)

    def _take(self, claim: Claim) -> KeyRecord | None:
        now = time.time()
        try:
            return self._store.claim(claim, now, now + HOLD_S)
        except StoreError:
            self._release(claim)  # it may have been taken, with the answer lost
            raise

    def _release(self, claim: Claim) -> None:
        with suppress(StoreError):  # else it runs out by itself
            self._store.release(claim)

    def _first(self, claim: Claim, work: Callable[[Claim | None], Reply]) -> Reply:
        self._held[claim.holder] = claim
        try:
            return work(claim)
        except KeyLost:
            raise InProgress("another request took over this Idempotency-Key; nothing happened here") from None
        except BaseException:
            self._release(claim)
            raise
        finally:
            del self._held[claim.holder]

    def start(self) -> None:
        """From now on, go on holding the keys of what runs here; the thread ends with the process."""
        Thread(target=self._renew, daemon=True, name="claims").start()

    def _renew(self) -> None:
        while True:
            time.sleep(RENEWAL_S)
            held = list(self._held.values())
            if held:
                try:
                    self._store.prolong(held, time.time() + HOLD_S)
                except StoreError as error:
                    log.warning("store: %s", error)


class InFlight:
    """The keys of requests that are in this service now, from their arrival on. For the event loop's thread only."""

    def __init__(self) -> None:
        self._running: dict[tuple[str, str], Key] = {}

    @contextmanager
    def running(self, owner: str, key: Key | None) -> Iterator[None]:
        """While a request is here, another one with its key is refused and does not queue.

        Other services over the same store find out by the claim there.
        """
        if key is None:
            yield
            return
        first = self._running.setdefault((owner, key.key), key)
        if first is not key:
            raise _refusal(first.fingerprint, key.fingerprint)
        try:
            yield
        finally:
            del self._running[owner, key.key]


def _repeated(claim: Claim, kept: KeyRecord) -> Reply:
    if kept.answer is None or kept.fingerprint != claim.fingerprint:
        raise _refusal(kept.fingerprint, claim.fingerprint)
    reply = _DECODER.decode(kept.answer)
    return msgspec.structs.replace(reply, headers={**reply.headers, "Idempotency-Replayed": "true"})


def _refusal(first: bytes, now: bytes) -> KeyReused | InProgress:
    """Why a request cannot have a key that another one has, whose answer is not there to be given."""
    if first != now:
        return KeyReused("this Idempotency-Key came with another request before")
    return InProgress("the first request with this Idempotency-Key is still running")
