"""Every limit of the service, as one frozen object, and the refusal of what is over one."""

from __future__ import annotations

import math
from decimal import Decimal
from typing import Final

from pydantic import BaseModel, ConfigDict, Field

from engine import errors, modes

Place = tuple[str | int, ...]  # the path to a part of a request
BUDGETS: Final = {"elements": "tensor_elements", "bytes": "intermediate_bytes"}  # what the engine calls otherwise
UNITS: Final = {
    "chars": "characters", "depth": "levels", "length": "characters", "rank": "dimensions",
    "rate": "bytes a second", "size": "entries",
}  # fmt: skip
LONGEST: Final = 256  # bits of a number that is written with all its digits


class OverLimit(errors.Ended):
    """Over a limit, which nearly always is a field of ``Limits``; ``allowed`` and ``asked`` are in its unit.

    ``place`` is the part of the request that is too large, where one is. Readers of programs add node or line.
    """

    line: int | None
    column: int | None = None
    node_id: str | None = None
    node_index: int | None = None
    run_index: int | None = None  # of several runs

    def __init__(self, limit: str, *, allowed: float, asked: float, place: Place = (), line: int | None = None) -> None:
        super().__init__(f"over the limit {limit}: {plain(allowed)} {unit_of(limit)} allowed, {plain(asked)} asked")
        self.limit, self.allowed, self.asked, self.place, self.line = limit, allowed, asked, place, line


def over_budget(error: errors.BudgetError) -> OverLimit:
    """Translate the engine's refusal: its budget is made of the limits of one request."""
    found = OverLimit(BUDGETS.get(error.limit, error.limit), allowed=error.allowed, asked=error.asked)
    for part in ("line", "column", "node_id", "node_index"):
        setattr(found, part, getattr(error.place, part, None))
    found.run_index = getattr(error, "run_index", None)
    return found


def unit_of(limit: str) -> str:
    """Return what a limit counts: the last word of its name, or what that word means."""
    last = limit.rpartition("_")[2]
    return UNITS.get(last, last)


def plain(number: float) -> str:
    """``number`` without an exponent, and in full; times to the millisecond."""
    if isinstance(number, int):
        return str(number) if number.bit_length() <= LONGEST else f"more than 2**{number.bit_length() - 1}"
    if number.is_integer() or not math.isfinite(number):
        return f"{number:.0f}"
    return format(Decimal(repr(round(number, 3) or number)), "f")


class Limits(BaseModel):
    """What one request, one session and one owner may use. Published at `/v1/limits`."""

    model_config = ConfigDict(frozen=True, extra="forbid", json_schema_serialization_defaults_required=True)

    connections: int = Field(1_000, gt=0, description="Connections to one process at a time; more get a 503.")
    address_connections: int = Field(
        500, gt=0, description="As many of one address (of IPv6, a /64 network); more get a 429. A proxy has one."
    )
    header_bytes: int = Field(32_768, gt=0, description="Bytes of a request's head: its target and headers.")
    headers: int = Field(100, gt=0, description="Headers of a request.")
    header_seconds: float = Field(10.0, gt=0, description="Time for a head to come, from its first byte on.")
    idle_seconds: float = Field(60.0, gt=0, description="Time for which a connection may wait for its next request.")
    body_bytes: int = Field(256 * 2**20, gt=0, description="Bytes of a request body, also after decompression.")
    body_values: int = Field(
        2**21, gt=0, description="Values in a body: fields, items, numbers; long lists of numbers in JSON do not count."
    )
    answer_bytes: int = Field(2**29, gt=0, description="Bytes of the tensors and values in one answer.")
    read_seconds: float = Field(
        30.0, gt=0, description="Time that a body may be late, or a client that does not read its answer."
    )
    read_rate: float = Field(
        8_192.0, gt=0, description="Bytes a second that bodies and answers have to get on with, beside that time."
    )
    json_depth: int = Field(128, gt=0, le=512, description="Nesting of lists and objects in a body.")
    nodes: int = Field(20_000, gt=0, description="Nodes of one program, those in blocks included.")
    batch_size: int = Field(10_000, gt=0, description="Entries of a batch, or runs of one request.")
    rank: int = Field(64, gt=0, le=64, description="Dimensions of a tensor.")
    tensor_elements: int = Field(2**27, gt=0, description="Elements of one tensor.")
    intermediate_bytes: int = Field(2 * 2**30, gt=0, description="Bytes of all results of one request together.")
    seconds: float = Field(60.0, gt=0, description="Time one request may compute.")
    code_length: int = Field(100_000, gt=0, description="Characters of a program given as code.")
    depth: int = Field(100, gt=0, le=150, description="Nesting of expressions and blocks in code and nodes.")
    steps: int = Field(10**8, gt=0, description="Steps of Python's functions in one request: items they visit.")
    list_items: int = Field(10**6, gt=0, description="Items of a list, a dict or a tuple, or characters of a text.")
    list_depth: int = Field(100, gt=0, le=150, description="Nesting of lists, dicts and tuples in programs.")
    integer_bits: int = Field(2**16, gt=0, description="Bits of an integer in a program.")
    loop_iterations: int = Field(
        10**7, gt=0, description="Iterations of loops, calls of functions and items of comprehensions in one program."
    )
    prints: int = Field(10_000, gt=0, description="Calls of print in one program.")
    print_chars: int = Field(2**20, gt=0, description="Characters that one program may print.")
    graph_nodes: int = Field(5_000, gt=0, description="Nodes of a backward graph that is shown.")
    svg_seconds: float = Field(10.0, gt=0, description="Time for drawing a graph.")
    sessions: int = Field(1_000, gt=0, description="Sessions of one owner.")
    session_bytes: int = Field(2**30, gt=0, description="Bytes of one session: its tensors and what its graphs save.")
    owner_bytes: int = Field(16 * 2**30, gt=0, description="Bytes of all sessions of one owner.")
    session_names: int = Field(10_000, gt=0, description="Names bound in one session.")
    session_ttl_seconds: float = Field(86_400.0, gt=0, description="Life of a session after its last use.")
    idempotency_seconds: float = Field(86_400.0, gt=0, description="For how long an Idempotency-Key is remembered.")
    idempotency_keys: int = Field(100_000, gt=0, description="Answers kept of one owner for repeated Idempotency-Keys.")
    idempotency_bytes: int = Field(2**30, gt=0, description="Bytes of those answers together.")
    page_size: int = Field(200, gt=0, description="Entries of one page of a listing.")


class Allowance(modes.Budget):
    """What one request may use, its time counted from now: as ``limits`` say, or less."""

    __slots__ = ("answered", "limits")

    def __init__(
        self, limits: Limits, elements: float = math.inf, nbytes: float = math.inf, seconds: float = math.inf
    ) -> None:
        super().__init__(
            min(elements, limits.tensor_elements), min(nbytes, limits.intermediate_bytes),
            min(seconds, limits.seconds), limits.steps,
        )  # fmt: skip
        self.limits = limits
        self.answered = 0

    def answer(self, nbytes: int) -> None:
        """Count ``nbytes`` that the answer is about to get."""
        self.answered += nbytes
        if self.answered > self.limits.answer_bytes:
            raise OverLimit("answer_bytes", allowed=self.limits.answer_bytes, asked=self.answered)
