"""What the use cases refuse beside what the engine and the readers refuse.

    ServiceError
      InvalidRequest        well-formed, but not a request of this service; ``errors`` says where
      InvalidHttp           not HTTP/1.1, or a head that could be understood in two ways
      UnsupportedHttp       HTTP that nobody here speaks
      UnsupportedVersion    another version of it
      CallError             PyTorch would refuse the call; ``exception`` is its class name
      Unauthorized          no key, or one that is not known
      NotFound              no such session, tensor or op, or one of another owner
      Gone                  a session that has expired
      Unreadable            a session that is damaged, or was stored by a later version
      VersionConflict       the session is at no version that ``If-Match`` names
      KeyReused             an Idempotency-Key that came with another request before
      InProgress            the first request with this Idempotency-Key is still running
      Overloaded            no process is free, and there is no place in the queue
      Interrupted           the process that ran it died; nothing was changed
      OutcomeUnknown        the process that ran it died while it was committing
      Unavailable           needs a program that is not installed here

What is over a limit is an ``app.limits.OverLimit``. Facts are attributes; only ``app.http.problems`` knows status
codes.
"""

from __future__ import annotations

from collections.abc import Sequence

from app.limits import Place


class ServiceError(Exception):
    """Base of what the use cases refuse; ``str(error)`` is fit for the client."""


class InvalidRequest(ServiceError):
    """Not a request of this service. ``errors`` are pairs of a place in the request and what is wrong there."""

    def __init__(self, detail: str, errors: Sequence[tuple[Place, str]] = ()) -> None:
        super().__init__(detail)
        self.errors = tuple(errors)


class InvalidHttp(ServiceError):
    """Not HTTP/1.1, or a head that could be understood in two ways."""


class UnsupportedHttp(ServiceError):
    """A method or a Transfer-Encoding that nobody here knows."""


class UnsupportedVersion(ServiceError):
    """Neither HTTP/1.1 nor HTTP/1.0."""


class CallError(ServiceError):
    """A call outside of a program that PyTorch would refuse, in its words.

    ``op`` is what was called, ``place`` the field that asked, ``hint`` what to do about it.
    """

    hint: str | None = None

    def __init__(self, detail: str, exception: str, op: str, place: Place) -> None:
        super().__init__(detail)
        self.exception, self.op, self.place = exception, op, place


class Unauthorized(ServiceError):
    """The request names no key, or one that is not known."""


class NotFound(ServiceError):
    """Nothing of this kind has this name here."""

    def __init__(self, kind: str) -> None:
        super().__init__(f"there is no such {kind}")
        self.kind = kind


class Gone(ServiceError):
    """It was here and has expired."""


class Unreadable(ServiceError):
    """The session is stored in a form that this version cannot read. It can be deleted."""


class VersionConflict(ServiceError):
    """The precondition on the version does not hold; ``version`` is the one that does."""

    def __init__(self, version: int, what: str = "") -> None:
        super().__init__(what or f"the session is at version {version}, which If-Match does not name")
        self.version = version


class KeyReused(ServiceError):
    """The same Idempotency-Key with another request."""


class InProgress(ServiceError):
    """The request that came first with this Idempotency-Key has not been answered yet."""


class Overloaded(ServiceError):
    """Every process is busy and the queue is full."""


class Interrupted(ServiceError):
    """The process that ran it died before anything was changed."""


class OutcomeUnknown(ServiceError):
    """The process that ran it died after its commit had begun; the Idempotency-Key finds out what became of it."""


class ClientGone(ServiceError):
    """The client has closed its connection: nobody waits for an answer."""


class Unavailable(ServiceError):
    """Not possible on this installation."""
