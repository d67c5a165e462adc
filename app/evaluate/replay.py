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
SEEN: Final = 2**13  # programs of which it is remembered that they came
SPELLINGS, SPELLINGS_BYTES = 256, 2**22  # that are known at a time
HEAD_BYTES, TAIL_BYTES = 24, 64  # of a body, by which its spelling is found


@dataclass(frozen=True, slots=True)
class Sighting:
    """What the front knows of a program that it cannot answer by itself. ``key``: none of one that comes first."""

    key: Hashable
    came_before: bool
    home: int | None  # a number that requests with a program share which may have a plan somewhere


@dataclass(frozen=True, slots=True)
class _Spelled:
    spelling: envelope.Spelling
    compiled: Compiled

    @property
    def nbytes(self) -> int:
        return self.spelling.nbytes


_NEW: Final = Sighting(None, False, None)  # of every program that comes first


class Replayer:
    """Answers calls by known plans. For the event loop's thread only."""

    def __init__(self, limits: Limits, count: int = 1_000, nbytes: int = 2**26) -> None:
        self._limits = limits
        self._context = modes.standing(plan_state())
        self.plans: plan_cache.PlanCache[Compiled] = plan_cache.PlanCache(count, nbytes)
        self.replayed = 0
        self._spelled: plan_cache.PlanCache[_Spelled] = plan_cache.PlanCache(SPELLINGS, SPELLINGS_BYTES)
        self._seen: OrderedDict[int, bool] = OrderedDict()  # of a program: whether it came once only

    def counts(self) -> dict[str, float]:
        """How many plans there are, for the metrics."""
        return {"plans": len(self.plans), "plans_bytes": self.plans.nbytes}

    def reply_to(self, call: Call) -> Reply | Sighting | None:
        """Return the answer of a plan, or what is known of the program; ``None``: the body says too little, or is long.

        Raises ``NotAcceptable`` and ``UnsupportedMedia``.
        """
        return self._context.run(self._reply_to, call)

    def _reply_to(self, call: Call) -> Reply | Sighting | None:
        form = codec.answer_format(call.accept)
        asked = codec.request_format(call.content_type)
        if len(call.body) > QUICK_BYTES or call.content_encoding:
            return None
        body, place = call.body, None
        if asked is codec.JSON and type(body) is bytes:
            place = (body[:HEAD_BYTES], body[-TAIL_BYTES:], form is codec.JSON, call.encoding)
            spelled = self._spelled.get(place)
            arrays = None if spelled is None else spelled.spelling.arrays(body)
            if spelled is not None and arrays is not None:
                reply = self._replayed(spelled.compiled, arrays)
                if reply is not None:
                    return reply
        opened = envelope.look(call.body, asked, self._limits)
        if opened is None:
            return None
        program = hash(opened.program)
        if program not in self._seen:  # then nobody has to look at its tensors here
            self._note(program, True)
            return _NEW
        parts = envelope.split(opened, self._limits)
        if parts is None:
            return None
        key = call.key(parts, form)
        found = self.plans.get(key)
        reply = None if found is None else self._replayed(found, parts.arrays)
        if found is None or reply is None:
            return self._sighting(key, program)
        if place is not None:
            self._keep_spelling(place, body, opened, parts, found)
        return reply

    def _keep_spelling(
        self, place: Hashable, body: codec.Body, opened: envelope.Opened, parts: envelope.SplitRequest, found: Compiled
    ) -> None:
        """Know requests from now on that differ from this one in nothing but the text of their numbers."""
        spelling = envelope.spelling(bytes(body), opened, parts, self._limits)
        if spelling is not None:
            self._spelled.put(place, _Spelled(spelling, found))

    def _replayed(self, known: Compiled, arrays: list[envelope.Array]) -> Reply | None:
        """Return the answer of a plan; ``None`` where it refuses: an eager run finds the node and the words."""
        try:  # the key tells that the arrays fit; the plan was within the limits when it was recorded
            results = known.plan.replay(arrays)
        except errors.EngineError:
            return None
        self.replayed += 1
        return Reply(200, known.template.fill(results), known.template.media_type)

    def _sighting(self, key: Hashable, program: int) -> Sighting:
        """Note that a request came whose program did; the second one of a program is taken to be like the first."""
        digest = hash(key)
        came_before = digest in self._seen or self._seen[program]
        self._note(program, False)
        self._note(digest, False)
        return Sighting(key, came_before, digest if came_before else None)

    def _note(self, digest: int, is_first: bool) -> None:
        """Only digests are kept: clients choose the keys."""
        self._seen[digest] = is_first
        self._seen.move_to_end(digest)
        if len(self._seen) > SEEN:
            self._seen.popitem(last=False)

    def adopt(self, sighting: Sighting, shipped: bytes) -> None:
        """Keep a plan that a compute process made. Raises ``MalformedPlan``."""
        plan, template = shipping.unpack(shipped)
        self.plans.put(sighting.key, Compiled(plan, template))
