"""Replay in the front: small plans of programs that came before, at once, on the event loop.

Nothing else of a client runs here: what a plan calls, and on how many elements, was checked when it arrived from the
compute process that made it (``engine.plan.from_data``).
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Hashable
from dataclasses import dataclass
from typing import Final

from app.evaluate import plan_cache, shipping
from app.evaluate.call import Call, plan_state
from app.evaluate.shipping import Compiled
from app.limits import Limits
from app.wire import codec, envelope
from app.wire.reply import Reply
from engine import errors, modes

QUICK_BYTES: Final = 2**14  # of a body that is read on the event loop
SEEN: Final = 2**14  # programs of which it is remembered that they came
_STATE: Final = plan_state()


@dataclass(frozen=True, slots=True)
class Sighting:
    """What the front knows of a program that it cannot answer by itself."""

    key: Hashable
    came_before: bool
    home: int | None  # a number that requests with a program share which may have a plan somewhere


class Replayer:
    """Answers calls by known plans. For the event loop's thread only."""

    def __init__(self, limits: Limits, count: int = 1_000, nbytes: int = 2**26) -> None:
        self._limits = limits
        self.plans: plan_cache.PlanCache[Compiled] = plan_cache.PlanCache(count, nbytes)
        self.replayed = 0
        self._seen: OrderedDict[int, None] = OrderedDict()

    def counts(self) -> dict[str, float]:
        """How many plans there are, for the metrics."""
        return {"plans": len(self.plans), "plans_bytes": self.plans.nbytes}

    def reply_to(self, call: Call) -> Reply | Sighting | None:
        """Return the answer of a plan, or what is known of the program; ``None``: the body says too little, or is long.

        Raises ``NotAcceptable`` and ``UnsupportedMedia``.
        """
        form = codec.answer_format(call.accept)
        asked = codec.request_format(call.content_type)
        if len(call.body) > QUICK_BYTES or call.content_encoding:
            return None
        with modes.use(_STATE):
            parts = envelope.read(call.body, asked, self._limits)
            if parts is None:
                return None
            key = call.key(parts, form)
            found = self.plans.get(key)
            reply = None if found is None else self._replayed(found, parts)
            return self._sighting(key) if reply is None else reply

    def _replayed(self, known: Compiled, parts: envelope.SplitRequest) -> Reply | None:
        """Return the answer of a plan; ``None`` where it refuses: an eager run finds the node and the words."""
        try:  # the key tells that the arrays fit; the plan was within the limits when it was recorded
            results = known.plan.replay(parts.arrays)
        except errors.EngineError:
            return None
        self.replayed += 1
        return Reply(200, known.template.fill(results), known.template.media_type)

    def _sighting(self, key: Hashable) -> Sighting:
        """Note that a program came. Only digests are kept: clients choose the keys."""
        digest = hash(key)
        came_before = digest in self._seen
        self._seen[digest] = None
        self._seen.move_to_end(digest)
        if len(self._seen) > SEEN:
            self._seen.popitem(last=False)
        return Sighting(key, came_before, digest if came_before else None)

    def adopt(self, sighting: Sighting, shipped: bytes) -> None:
        """Keep a plan that a compute process made. Raises ``MalformedPlan``."""
        plan, template = shipping.unpack(shipped)
        self.plans.put(sighting.key, Compiled(plan, template))
