"""Stateless evaluation as requests come: a program that comes again runs as a plan.

The first time a program is seen it runs eagerly; the second time it runs under a recorder, which leaves a plan and a
template of its answer; from then on requests with inputs of the same shapes and dtypes replay them. The key of both is
what the request says beside its numbers, as bytes. A graph that has no plan is remembered, too.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Hashable
from dataclasses import dataclass
from threading import Lock
from typing import Any, Final

from app.core.evaluate import answer_to, evaluate, fresh
from app.core.execution import budget_of
from app.core.limits import Limits
from app.core.replies import Reply
from app.wire import codec, envelope
from app.wire.arrays import Encoding, decode_tensor
from app.wire.messages import RunRequest
from app.wire.template import Template, noting
from engine import Tensor, errors, modes, plan_cache, recorder
from engine import plan as plans

QUICK_BYTES: Final = 2**14  # of a body, and elements that a plan touches, up to which nothing is worth a thread
QUICK_ELEMENTS: Final = 50_000
SEEN: Final = 2**14  # programs of which it is remembered that they came once
_UNUSED: Final = modes.State()  # whose generator and print options no plan asks for


@dataclass(slots=True)  # not frozen: one is made for every request, and that takes three times as long
class Call:
    """A request as it came."""

    body: codec.Body
    content_type: str | None = None
    content_encoding: str | None = None
    accept: str | None = None
    encoding: str | None = None  # of the query
    parts: envelope.Parts | None = None  # once read; the numbers in them are nobody else's
    was_read: bool = False

    def data_encoding(self, asked: str | None, form: codec.Format) -> Any:
        """How tensor data are written: as the body asks, else the query, else what suits the format."""
        return asked or self.encoding or ("raw" if form is codec.Format.MSGPACK else "json")


@dataclass(frozen=True, slots=True)
class Compiled:
    """A plan, and the template of its answers."""

    plan: plans.Plan
    template: Template

    @property
    def nbytes(self) -> int:
        return self.plan.nbytes + self.template.nbytes

    @property
    def is_quick(self) -> bool:
        """Whether a replay takes no longer than to hand it to a thread."""
        return self.plan.elements <= QUICK_ELEMENTS


class Evaluator:
    """Answers calls; for many threads."""

    def __init__(self, limits: Limits, count: int = 1_000, nbytes: int = 2**26) -> None:
        self._limits = limits
        self.plans: plan_cache.PlanCache[Compiled | plans.Eager] = plan_cache.PlanCache(count, nbytes)
        self._seen: OrderedDict[int, None] = OrderedDict()
        self._lock = Lock()

    def counts(self) -> dict[str, float]:
        """How many plans there are, for the metrics."""
        return {"plans": len(self.plans), "plans_bytes": self.plans.nbytes}

    def quick(self, call: Call) -> Reply | None:
        """The answer, where a plan gives it in no time; ``None`` where it takes a thread to find out."""
        if len(call.body) > QUICK_BYTES or call.content_encoding:
            return None
        form = codec.answer_format(call.accept)
        with self._state():
            parts = self._read(call, call.body)
            if parts is None:
                return None
            found = self.plans.get(self._key(parts, call, form))
            if not isinstance(found, Compiled) or not found.is_quick:
                return None
            return self._replayed(found, parts.tensors, form)

    def answer(self, call: Call) -> Reply:
        """The answer to a call. Raises what ``app.problems`` knows."""
        form = codec.answer_format(call.accept)
        read_as = codec.request_format(call.content_type)
        body = codec.decompress(call.body, call.content_encoding, self._limits)
        with self._state():
            parts = self._read(call, body)
            key = None if parts is None else self._key(parts, call, form)
            found = None if key is None else self.plans.get(key)
            if parts is not None and isinstance(found, Compiled):
                reply = self._replayed(found, parts.tensors, form)
                if reply is not None:
                    return reply
        request = RunRequest.model_validate(codec.decode_request(body, read_as, self._limits) if body else {})
        encoding = call.data_encoding(request.encoding, form)
        if key is not None and found is None and not request.include and self._came_before(key):
            return self._recorded(request, key, encoding, form)
        return _reply(codec.encode(evaluate(request, self._limits, encoding), form), form)

    def _read(self, call: Call, body: codec.Body) -> envelope.Parts | None:
        if not call.was_read:
            call.parts = envelope.read(body, codec.request_format(call.content_type), self._limits)
            call.was_read = True
        return call.parts

    def _state(self) -> Any:
        state = modes.State(
            print_options=_UNUSED.print_options, generator=_UNUSED.generator, warnings=[],
            budget=budget_of(self._limits),
        )  # fmt: skip
        return modes.use(state)

    def _key(self, parts: envelope.Parts, call: Call, form: codec.Format) -> Hashable:
        return parts.key, call.data_encoding(parts.encoding, form), form.value

    def _came_before(self, key: Hashable) -> bool:
        """Whether a program is here for the second time. Only digests are kept: clients choose the keys."""
        digest = hash(key)
        with self._lock:
            if digest in self._seen:
                del self._seen[digest]
                return True
            self._seen[digest] = None
            if len(self._seen) > SEEN:
                self._seen.popitem(last=False)
            return False

    def _replayed(self, compiled: Compiled, tensors: list[Tensor], form: codec.Format) -> Reply | None:
        """The answer of a plan; ``None`` where it refuses: an eager run finds the node and the words."""
        try:
            arrays = compiled.plan(*[tensor.array for tensor in tensors])
        except errors.BudgetError:
            raise
        except errors.EngineError:
            return None
        return _reply(compiled.template.fill(arrays), form)

    def _recorded(self, request: RunRequest, key: Hashable, encoding: Encoding, form: codec.Format) -> Reply:
        """Run eagerly, and keep how."""
        slots = noting(encoding)
        with fresh(self._limits):
            request = _with_tensors(request, self._limits)
            leaves = [*request.inputs.values(), *(root.gradient for root in request.backward)]
            with recorder.Recorder([leaf.array for leaf in leaves if leaf is not None]) as notes:
                answer = answer_to(request, self._limits, slots)
            plan = plans.planned(notes, slots.arrays)
        template = Template(answer, slots, form)
        self.plans.put(key, Compiled(plan, template) if isinstance(plan, plans.Plan) else plan)
        return _reply(template.fill(slots.arrays), form)


def _with_tensors(request: RunRequest, limits: Limits) -> RunRequest:
    """The request with its tensors read, so that a recorder can know them."""
    inputs = {name: decode_tensor(raw, limits, ("inputs", name)) for name, raw in request.inputs.items()}
    roots = [
        root if root.gradient is None
        else root.model_copy(update={"gradient": decode_tensor(root.gradient, limits, ("backward", i, "gradient"))})
        for i, root in enumerate(request.backward)
    ]  # fmt: skip
    return request.model_copy(update={"inputs": inputs, "backward": roots})


def _reply(body: bytes, form: codec.Format) -> Reply:
    return Reply(200, body, form.value)
