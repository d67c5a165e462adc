"""What a hostile request is, as data: bytes on the wire, how they are sent, and the answers that are right.

``Family`` is how the modules of ``cases`` declare theirs, one call each.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from enum import Enum
from typing import Any, Final

Outcome = tuple[int, str]  # a status and the slug of a problem's type, "" where the answer is no problem
Outcomes = frozenset[Outcome]
Body = bytes | Callable[[], bytes]  # large ones are made when they are sent

ANY: Final = "*"  # a problem of whatever type
NO_ANSWER, CLOSED, LEFT = 0, 1, 2  # in the place of a status: none in time, none at all, none was waited for


def answered(status: int) -> Outcomes:
    """An answer that is no problem."""
    return frozenset({(status, "")})


def problem(status: int, *slugs: str) -> Outcomes:
    """A problem of one of these types, or of any."""
    return frozenset((status, slug) for slug in slugs or (ANY,))


# What programs and bodies may come to. A case allows several where more than one limit may be the first to see it.
OK: Final = answered(200)
CREATED: Final = answered(201)
EMPTY: Final = answered(204)
REFUSED: Final = problem(422, "refused", "invalid-program", "not-available")  # in PyTorch's words or the language's
INVALID: Final = problem(422, "invalid-request", "invalid-tensor", "invalid-program")
OVER: Final = problem(413, "over-limit", "out-of-memory", "memory")
LATE: Final = problem(504, "time-limit")
STOPPED: Final = OVER | LATE
MALFORMED: Final = problem(400)
TOO_SLOW: Final = problem(408) | frozenset({(CLOSED, "")})
UNSUPPORTED: Final = problem(415)
MISSING: Final = problem(404)
BUSY: Final = problem(429) | problem(503, "overloaded")
CONFLICT: Final = problem(409)
CUT: Final = frozenset({(CLOSED, "")})
GONE: Final = frozenset({(LEFT, "")})


class Weight(Enum):
    """What a case costs a service that is as it should be."""

    LIGHT = "well under a second"
    SLOW = "seconds, of waiting or computing"
    HEAVY = "gigabytes or many seconds, where nothing stops it"


@dataclass(frozen=True, slots=True)
class Manner:
    """How the bytes are sent, and what the client does then."""

    piece: int = 2**18  # bytes at a time
    every_s: float = 0.0  # from one piece to the next
    stop_after: int | None = None  # bytes, of all there are
    leave_after_s: float | None = None  # resets the connection, that long after the last byte, and waits for nothing
    half_close: bool = False  # says that nothing more comes


@dataclass(frozen=True, slots=True)
class Request:
    """One request. In its path and headers ``{sid}`` is the session of the case, ``{nonce}`` a word nobody has used.

    ``raw`` is sent instead, as it stands, but for ``%HOST%`` and ``%AUTH%``: the server's address, and the line with
    the client's key.
    """

    method: str = "POST"
    path: str = "/v1/evaluate"
    body: Body = b""
    headers: Mapping[str, str] = field(default_factory=dict)
    raw: Body | None = None
    manner: Manner = Manner()


@dataclass(frozen=True, slots=True)
class Step:
    """A request, by one client or by several at once, and what has to come of it."""

    request: Request
    accepted: Outcomes
    clients: int = 1
    some: Outcomes = frozenset()  # of which at least one client gets one
    says: bytes = b""  # that every good answer contains
    alone: bool = False  # nothing may follow the answer on its connection
    session_from: int | None = None  # the step whose answer names the session of this one


@dataclass(frozen=True, slots=True)
class Case:
    """One hostile thing to do: requests in order."""

    name: str
    steps: tuple[Step, ...]
    family: str = ""
    weight: Weight = Weight.LIGHT
    kills: bool = False  # it may cost a compute process, on purpose
    session: str | None = None  # code that runs in a session made for it
    needs_keys: bool = False  # of the service: where it has none, everybody may do this

    @property
    def id(self) -> str:
        """What it is called among all."""
        return f"{self.family}/{self.name}"


def json_body(value: Any) -> bytes:
    """``value`` as the body of a request."""
    return json.dumps(value, separators=(",", ":")).encode()


JSON: Final = {"Content-Type": "application/json"}
MSGPACK: Final = {"Content-Type": "application/msgpack"}


class Family:
    """The cases of one module, in the order of their declarations."""

    def __init__(self, name: str, **common: Any) -> None:
        self.name, self.cases = name, list[Case]()
        self._common = common

    def steps(self, name: str, *steps: Step, **options: Any) -> None:
        """Declare requests one after another."""
        self.cases.append(Case(name, steps, self.name, **{**self._common, **options}))

    def send(self, name: str, request: Request, accepted: Outcomes, **options: Any) -> None:
        """Declare one request. Options of a step go to the step, those of a case to the case."""
        step = {key: options.pop(key) for key in ("clients", "some", "says", "alone") if key in options}
        self.steps(name, Step(request, accepted, **step), **options)

    def code(self, name: str, code: str | Callable[[], str], accepted: Outcomes, **options: Any) -> None:
        """Declare a program in Python."""
        self.send(name, evaluate(code, options.pop("extra", {})), accepted, **options)

    def graph(self, name: str, nodes: Sequence[Any] | Callable[[], Any], accepted: Outcomes, **options: Any) -> None:
        """Declare a program in JSON, with ``extra`` beside its nodes."""
        extra: Mapping[str, Any] = options.pop("extra", {})

        def body() -> bytes:
            return json_body({"nodes": nodes() if callable(nodes) else nodes, **extra})

        self.send(name, Request(body=body, headers=JSON), accepted, **options)

    def body(self, name: str, body: Body, accepted: Outcomes, **options: Any) -> None:
        """Declare a body for ``/v1/evaluate``, JSON unless ``headers`` say something else."""
        headers = options.pop("headers", JSON)
        self.send(name, Request(body=body, headers=headers), accepted, **options)

    def raw(self, name: str, raw: Body, accepted: Outcomes, **options: Any) -> None:
        """Declare bytes on the wire."""
        manner = options.pop("manner", Manner())
        self.send(name, Request(raw=raw, manner=manner), accepted, **options)


def evaluate(code: str | Callable[[], str], extra: Mapping[str, Any] | None = None) -> Request:
    """A program for ``/v1/evaluate``; nothing of it is returned unless ``extra`` asks."""
    return _program("/v1/evaluate", code, extra)


def run(code: str | Callable[[], str], extra: Mapping[str, Any] | None = None, **headers: str) -> Request:
    """A program for the session of the case."""
    request = _program("/v1/sessions/{sid}/run", code, extra)
    return replace(request, headers={**request.headers, **{key.replace("_", "-"): headers[key] for key in headers}})


def _program(path: str, code: str | Callable[[], str], extra: Mapping[str, Any] | None) -> Request:
    def body() -> bytes:
        return json_body({"outputs": [], **(extra or {}), "code": code() if callable(code) else code})

    return Request(path=path, body=body, headers=JSON)


def get(path: str, **headers: str) -> Request:
    """A GET."""
    return Request("GET", path, headers={key.replace("_", "-"): headers[key] for key in headers})


def send(method: str, path: str, value: Any = None, **headers: str) -> Request:
    """A request with a body in JSON, if it has one."""
    named = {key.replace("_", "-"): headers[key] for key in headers}
    return Request(method, path, b"" if value is None else json_body(value), {**JSON, **named})
