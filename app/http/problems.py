"""One table: exception class -> ``application/problem+json`` (RFC 9457). Only this module knows status codes.

A problem names the place of the mistake and what was expected, never the input; it is at most 4 KiB. Nothing internal
leaves here: an exception that is not in the table is a bare 500, and the log has the rest under the same request id.
What only the web framework raises, ``app.http.answering`` adds: compute processes are without it.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

import orjson
from pydantic import ValidationError

from app import errors
from app.limits import OverLimit, plain, unit_of
from app.observe import logs
from app.observe.facts import Facts as RequestFacts
from app.program.pytorch import NotAvailable
from app.program.tree import AbsentError, GraphError, ProgramError
from app.stores.base import StoreError
from app.wire import arrays, codec
from app.wire.reply import Refusal

MEDIA_TYPE: Final = "application/problem+json"
MAX_BYTES: Final = 4096
MAX_ERRORS: Final = 20
MAX_TEXT: Final = 1200
MAX_PART: Final = 64
LARGEST: Final = 2**63 - 1  # integers beyond it are no numbers to many readers of JSON

log = logging.getLogger("gradserve")
Facts = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Kind:
    """What problems of one sort have in common. ``slug`` is stable: clients may branch on it."""

    status: int
    slug: str
    title: str
    facts: Callable[[Any], Facts] = field(default=lambda error: {})
    headers: Mapping[str, str] = field(default_factory=dict)


# -- facts ----------------------------------------------------------------------------------------------------------
def _limit(error: OverLimit) -> Facts:
    numbers = {"allowed": error.allowed, "asked": error.asked}
    known = {name: value for name, value in numbers.items() if abs(value) <= LARGEST}
    return {"limit": error.limit, **known, **_where(error), **_place(error)}


def _owner_limit(error: OverLimit) -> Facts:
    return {"detail": f"{error}; delete one, or wait until one expires", **_limit(error)}


def _read_limit(error: OverLimit) -> Facts:
    allowed = f"{plain(error.allowed)} {unit_of(error.limit)}"
    return {"detail": f"the request came too slowly: the limit {error.limit} is {allowed}", **_limit(error)}


def _place(error: arrays.ArrayError | codec.RepeatedKey | OverLimit) -> Facts:
    return {"errors": [{"loc": list(error.place), "msg": str(error)}]} if error.place else {}


def _where(error: Any) -> Facts:
    """Node, line and column of a program's error, as far as they are known."""
    facts: Facts = {}
    node_id, index = getattr(error, "node_id", None), getattr(error, "node_index", None)
    if index is not None:
        facts["node"] = {"id": node_id, "index": index}
    for name in ("line", "column"):
        if getattr(error, name, None) is not None:
            facts[name] = getattr(error, name)
    return facts


def _program(error: Any) -> Facts:
    facts: Facts = {"detail": error.detail, **_where(error)}
    for name in ("op", "exception", "hint"):
        if getattr(error, name, None) is not None:
            facts[name] = getattr(error, name)
    prints = getattr(error, "prints", None)
    return {**facts, "prints": list(prints)} if prints else facts


def _call(error: errors.CallError) -> Facts:
    return {
        "op": error.op,
        "exception": error.exception,
        "errors": [{"loc": list(error.place), "msg": "PyTorch refuses this"}],
        **({} if error.hint is None else {"hint": error.hint}),
    }


def _request(error: errors.InvalidRequest) -> Facts:
    return {"errors": [{"loc": list(place), "msg": text} for place, text in error.errors]} if error.errors else {}


def _store(error: StoreError) -> Facts:
    """Without what the store says of itself: paths and addresses. The log has it."""
    log.warning("store: %s", error)
    return {"detail": "the store of sessions cannot be reached or is full; try again later"}


def _validation(error: Any) -> Facts:
    if isinstance(error, ValidationError):
        found: Iterable[Any] = error.errors(include_url=False, include_context=False, include_input=False)
    else:
        found = error.errors()
    listed = [{"loc": list(one["loc"]), "msg": one["msg"]} for one in found]
    first = listed[0] if listed else {"loc": [], "msg": ""}
    place = ".".join(str(part)[:MAX_PART] for part in first["loc"])
    return {"detail": f"{place}: {first['msg']}" if place else first["msg"], "errors": listed}


def _conflict(error: errors.VersionConflict) -> Facts:
    return {"version": error.version}


def _memory(error: MemoryError) -> Facts:
    return {"detail": "over the limit memory_bytes: this takes more memory than a request may have",
            "limit": "memory_bytes"}  # fmt: skip


def _unknown(error: errors.OutcomeUnknown) -> Facts:
    return {"detail": f"{error}; the same request with its Idempotency-Key, if it had one, finds out"}


# -- the table ------------------------------------------------------------------------------------------------------
INVALID_REQUEST = Kind(422, "invalid-request", "Not a request of this service", _validation)
INTERNAL = Kind(500, "internal", "Something went wrong here")
RETRY: Final = {"Retry-After": "1"}
CHALLENGE: Final = {"WWW-Authenticate": 'Bearer realm="gradserve", Basic realm="gradserve"'}

TIME_LIMIT = Kind(504, "time-limit", "Over the time limit", _limit)
TOO_MANY = Kind(429, "too-many", "Too many", _owner_limit, {"Retry-After": "60"})
BUSY = Kind(429, "too-many", "Too many", _limit, RETRY)
CLOSING: Final = {"Connection": "close"}
TOO_LARGE_A_HEAD = Kind(431, "headers-too-large", "The head of the request is too large", _limit, CLOSING)
TOO_SLOW = Kind(408, "too-slow", "The request comes too slowly", _read_limit, CLOSING)
BY_LIMIT: Final[dict[str, Kind]] = {  # every other one is a plain ``over-limit``
    "address_connections": Kind(429, "too-many", "Too many", _limit, {**RETRY, **CLOSING}),
    "connections": Kind(503, "overloaded", "Too much to do", _limit, {**RETRY, **CLOSING}),
    "header_bytes": TOO_LARGE_A_HEAD,
    "header_seconds": TOO_SLOW,
    "headers": TOO_LARGE_A_HEAD,
    "owner_bytes": TOO_MANY,
    "owner_queue": BUSY,
    "session_queue": BUSY,
    "read_seconds": TOO_SLOW,
    "seconds": TIME_LIMIT,
    "sessions": TOO_MANY,
    "svg_seconds": TIME_LIMIT,
}
TABLE: Final[dict[type[Exception], Kind]] = {
    codec.MalformedBody: Kind(400, "malformed-body", "The body cannot be read"),
    codec.RepeatedKey: Kind(400, "malformed-body", "The body cannot be read", _place),
    errors.ClientGone: Kind(499, "client-gone", "The client has gone"),  # for the metrics: nobody reads it
    codec.UnsupportedMedia: Kind(415, "unsupported-media-type", "Media type not supported"),
    codec.NotAcceptable: Kind(406, "not-acceptable", "No acceptable media type"),
    codec.CodecError: Kind(422, "unwritable-answer", "The answer cannot be written"),
    arrays.ArrayError: Kind(422, "invalid-tensor", "Not a tensor", _place),
    GraphError: Kind(422, "invalid-program", "Not a program of this service", _program),
    NotAvailable: Kind(422, "not-available", "This service does not have this", _program),
    AbsentError: Kind(422, "not-available", "This service does not have this", _program),
    ProgramError: Kind(422, "refused", "PyTorch would refuse this program", _program),
    OverLimit: Kind(413, "over-limit", "Over a limit", _limit),
    MemoryError: Kind(413, "over-limit", "Over a limit", _memory),
    errors.InvalidRequest: Kind(422, "invalid-request", "Not a request of this service", _request),
    errors.InvalidHttp: Kind(400, "invalid-http", "Not HTTP that is read here", headers=CLOSING),
    errors.UnsupportedHttp: Kind(501, "unsupported-http", "HTTP that is not spoken here", headers=CLOSING),
    errors.UnsupportedVersion: Kind(505, "http-version", "A version of HTTP not spoken here", headers=CLOSING),
    errors.CallError: Kind(422, "refused", "PyTorch would refuse this call", _call),
    errors.NotFound: Kind(404, "not-found", "Not found"),
    errors.Gone: Kind(410, "gone", "Expired"),
    errors.Unreadable: Kind(501, "unreadable-session", "This session cannot be read here"),
    errors.VersionConflict: Kind(412, "version-conflict", "The version is another one", _conflict),
    errors.KeyReused: Kind(409, "idempotency-key-reused", "Idempotency-Key of another request"),
    errors.InProgress: Kind(409, "in-progress", "The first request is still running", headers=RETRY),
    StoreError: Kind(503, "store-unavailable", "The store of sessions is not available", _store, headers=RETRY),
    errors.Overloaded: Kind(503, "overloaded", "Too much to do", headers=RETRY),
    errors.Interrupted: Kind(503, "interrupted", "The process that ran this died", headers=RETRY),
    errors.OutcomeUnknown: Kind(504, "outcome-unknown", "It is not known what became of this", _unknown, RETRY),
    errors.Unavailable: Kind(501, "unavailable", "Not available on this installation"),
    ValidationError: INVALID_REQUEST,
    errors.Unauthorized: Kind(401, "unauthorized", "A key is needed", headers=CHALLENGE),
}


EXAMPLES: Final = {
    "refused": "grad can be implicitly created only for scalar outputs",
    "not-available": "torch.compile is not available in this service",
    "version-conflict": "the session is at version 7",
}


def by_slug() -> dict[str, Kind]:
    """Every type of problem: the first kind of each."""
    kinds = (*TABLE.values(), *BY_LIMIT.values(), INTERNAL)
    return {kind.slug: kind for kind in reversed(kinds)}


def status_of(slug: str) -> int:
    """The status of problems of this type: what endpoints declare."""
    return by_slug()[slug].status


def example_of(kind: Kind) -> Facts:
    """Return a problem of that kind, as it may come."""
    detail = EXAMPLES.get(kind.slug, kind.title)
    return {"type": f"/problems/{kind.slug}", "title": kind.title, "status": kind.status, "detail": detail}


def kind_of(error: Exception) -> Kind:
    """The most specific entry of the table, or the bare 500."""
    if isinstance(error, OverLimit) and error.limit in BY_LIMIT:
        return BY_LIMIT[error.limit]
    return next((TABLE[base] for base in type(error).__mro__ if base in TABLE), INTERNAL)


# -- bodies ---------------------------------------------------------------------------------------------------------
def body_of(kind: Kind, detail: str, facts: Facts) -> bytes:
    """The problem, within its bounds."""
    problem = {"type": f"/problems/{kind.slug}", "title": kind.title, "status": kind.status, "detail": detail, **facts}
    problem["detail"] = str(problem["detail"])[:MAX_TEXT]
    if "errors" in problem:
        problem["errors"] = [_trimmed(one) for one in problem["errors"][:MAX_ERRORS]]
    return next(body for body in map(_dump, _shorter(problem)) if len(body) <= MAX_BYTES)


def _dump(problem: Facts) -> bytes:
    try:
        return orjson.dumps(problem)
    except TypeError:  # half a surrogate pair in what a program printed
        readable = {name: str(value).encode("ascii", "replace").decode() for name, value in problem.items()}
        return orjson.dumps({**readable, "status": problem["status"]})


def _trimmed(error: Facts) -> Facts:
    loc = [part if isinstance(part, int) else str(part)[:MAX_PART] for part in error["loc"]]
    return {"loc": loc[:8], "msg": str(error["msg"])[:200]}


def _shorter(problem: Facts) -> Iterator[Facts]:
    """The problem, then ever shorter ones: earlier prints go first, then the later errors, then most of the detail."""
    prints = problem.get("prints", [])
    if len(prints) < MAX_BYTES:
        yield problem
    for kept in (40, 20, 10, 5, 2, 1, 0):
        if kept < len(prints):
            yield {**problem, "prints": prints[len(prints) - kept :], "prints_omitted": len(prints) - kept}
    problem = {name: value for name, value in problem.items() if name != "prints"}
    yield {**problem, "errors": problem.get("errors", [])[:3]}
    yield {"type": problem["type"], "title": problem["title"], "status": problem["status"],
           "detail": problem["detail"].encode("ascii", "replace").decode()[:400]}  # fmt: skip


def reply_to(error: Exception, request_id: str) -> Refusal:
    """Return the answer to a request that failed with ``error``."""
    kind = kind_of(error)
    if kind.status == INTERNAL.status:
        log.exception("request %s failed", request_id, exc_info=error)
        facts: Facts = {"request_id": request_id}
        detail = "an unexpected error; the service's log has it under this request id"
    else:
        facts, detail = kind.facts(error), str(error)
        if getattr(error, "run_index", None) is not None:
            facts["run"] = error.run_index  # type: ignore[attr-defined]
    body = body_of(kind, detail, facts)
    return Refusal(kind.status, body, MEDIA_TYPE, dict(kind.headers), kind.slug, facts.get("limit", ""))


def refuse(error: Exception, request: RequestFacts) -> Refusal:
    """Return the same, and note it."""
    token = logs.bind(request.request_id, request.trace_id)
    try:
        reply = reply_to(error, request.request_id)
    finally:
        logs.unbind(token)
    request.problem, request.limit = reply.problem, reply.limit
    return reply
