"""W3C Trace Context: the trace that a request belongs to, as its client says in ``traceparent`` and ``tracestate``.

https://www.w3.org/TR/trace-context/ — what is not valid is as good as not there, and nobody is told.
"""

from __future__ import annotations

import re
from typing import Final, NamedTuple

KNOWN_FLAGS: Final = 0x03  # sampled, random; others are not passed on
MEMBERS: Final = 32  # of a tracestate
LONGEST: Final = 8192  # characters of a tracestate; only 512 have to be passed on
_PARENT: Final = re.compile(r"([0-9a-f]{2})-([0-9a-f]{32})-([0-9a-f]{16})-([0-9a-f]{2})(-.*)?", re.ASCII)
_MEMBER: Final = re.compile(
    r"(?P<key>[a-z][\w\-*/]{0,255}|[a-z\d][\w\-*/]{0,240}@[a-z][\w\-*/]{0,13})"
    r"=[\x20-\x2b\x2d-\x3c\x3e-\x7e]{0,255}[\x21-\x2b\x2d-\x3c\x3e-\x7e]",
    re.ASCII,
)  # fmt: skip


class Trace(NamedTuple):
    """A place in a trace: ids in hexadecimal, the flags, and what vendors say of it."""

    trace_id: str
    span_id: str
    flags: int
    state: str = ""

    @property
    def parent(self) -> str:
        """The ``traceparent`` of what begins here."""
        return f"00-{self.trace_id}-{self.span_id}-{self.flags:02x}"


def trace_of(traceparent: bytes, tracestate: bytes | None = None) -> Trace | None:
    """Return what both headers say; ``None`` if the first is not valid. A ``tracestate`` that is not is left out."""
    found = _PARENT.fullmatch(traceparent.decode("latin-1").strip(" \t"))
    if found is None:
        return None
    version, trace_id, span_id, flags, more = found.groups()
    if version == "ff" or (version == "00" and more) or not int(trace_id, 16) or not int(span_id, 16):
        return None
    return Trace(trace_id, span_id, int(flags, 16) & KNOWN_FLAGS, _state(tracestate or b""))


def _state(given: bytes) -> str:
    text = given.decode("latin-1")
    if len(text) > LONGEST:
        return ""
    members = [member for part in text.split(",") if (member := part.strip(" \t"))]
    found = [_MEMBER.fullmatch(member) for member in members]
    keys = {one["key"] for one in found if one is not None}
    return ",".join(members) if len(keys) == len(members) <= MEMBERS and keys else ""
