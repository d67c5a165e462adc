"""A request for a stateless run, as it came."""

from __future__ import annotations

from collections import deque
from collections.abc import Hashable
from dataclasses import dataclass
from typing import Final

from app.wire import codec, envelope
from app.wire.arrays import Encoding
from app.wire.messages import WireEncoding
from engine import modes


@dataclass(slots=True)  # not frozen: one is made for every request, and that takes three times as long
class Call:
    """A request as it came."""

    body: codec.Body
    content_type: str | None = None
    content_encoding: str | None = None
    accept: str | None = None
    encoding: WireEncoding | None = None  # of the query

    def data_encoding(self, asked: WireEncoding | None, form: codec.Format) -> Encoding:
        """How tensor data are written: as the body asks, else the query, else what suits the format."""
        return asked or self.encoding or ("raw" if form is codec.MSGPACK else "json")

    def key(self, parts: envelope.SplitRequest, form: codec.Format) -> Hashable:
        """Return what requests share that one plan answers."""
        return parts.key, self.data_encoding(parts.encoding, form), form is codec.JSON


_DEFAULTS: Final = modes.State()  # whose generator and print options no plan asks for


def plan_state(budget: modes.Budget | None = None) -> modes.State:
    """Return the state that requests are read and plans are replayed in: they look at the budget and change nothing.

    What kernels warn of in a replay is dropped: it stands in the template, as the recorded run said it.
    """
    return modes.State(
        print_options=_DEFAULTS.print_options, generator=_DEFAULTS.generator, warnings=deque(maxlen=0), budget=budget
    )
