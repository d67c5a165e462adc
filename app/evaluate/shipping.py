"""Plans and the templates of their answers as bytes: how a compute process hands them to the front."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

import msgspec

from app.wire.template import Template
from engine import plan as plans

MOST_BYTES: Final = 2**16  # of what is shipped; more stays where it was made


@dataclass(frozen=True, slots=True)
class Compiled:
    """A plan, and the template of its answers."""

    plan: plans.Plan
    template: Template

    @property
    def nbytes(self) -> int:
        """About how much memory it takes."""
        return self.plan.nbytes + self.template.nbytes


class _Shipment(msgspec.Struct, array_like=True, forbid_unknown_fields=True):
    plan: dict[str, Any]
    template: Template


_DECODER: Final = msgspec.msgpack.Decoder(_Shipment)


def pack(plan: plans.Plan, template: Template) -> bytes | None:
    """Return both as bytes; ``None`` where they are not small, or not plain data."""
    data = plans.to_data(plan)
    if data is None:
        return None
    shipped = msgspec.msgpack.encode(_Shipment(data, template))
    return shipped if len(shipped) <= MOST_BYTES else None


def unpack(shipped: bytes) -> tuple[plans.Plan, Template]:
    """Return what ``pack`` was given, checked. Raises ``MalformedPlan``."""
    try:
        found = _DECODER.decode(shipped)
    except (msgspec.MsgspecError, ValueError, RecursionError) as error:
        raise plans.MalformedPlan(str(error)) from error
    plan, template = plans.from_data(found.plan), found.template
    if not template.fits(len(plan.graph.outputs)):
        raise plans.MalformedPlan("a template with places for other outputs than the plan has")
    return plan, template
