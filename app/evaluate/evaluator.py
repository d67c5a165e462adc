"""Stateless evaluation as requests come: a program that comes again runs as a plan.

The first time a program is seen it runs eagerly; the second time it runs under a recorder, which leaves a plan and a
template of its answer; from then on requests with inputs of the same shapes and dtypes replay them. The key of both is
what the request says beside its numbers, as bytes. A graph that has no plan is remembered, too.

What takes no longer than the way to a thread and back is computed where it is asked: plans of few elements, and eager
runs that stay within a small budget. One that does not is given up, and starts again in a thread.
"""

from __future__ import annotations

from collections import OrderedDict, deque
from collections.abc import Hashable
from dataclasses import dataclass
from threading import Lock
from typing import Final

from app.evaluate import plan_cache
from app.evaluate.cancellation import cancellable
from app.evaluate.execution import budget_of
from app.evaluate.run import answer_to, evaluate, fresh
from app.limits import Allowance, Limits
from app.wire import codec, envelope
from app.wire.arrays import Encoding
from app.wire.envelope import Array
from app.wire.messages import RunRequest, WireEncoding
from app.wire.reply import Reply
from app.wire.template import Template, new_placeholders
from engine import errors, modes, tensors
from engine import plan as plans

QUICK_BYTES: Final = 2**14  # of a body, and elements that a plan touches, up to which nothing is worth a thread
QUICK_ELEMENTS: Final = 50_000
SMALL_ELEMENTS: Final = 2**10  # of one tensor, bytes of all, and seconds, up to which an eager run is worth none either
SMALL_BYTES: Final = 2**18
SMALL_S: Final = 0.001
PLANNING_S: Final = 10.0  # how long planning may take, and which part of the time of a request
PLANNING_PART: Final = 0.2
SEEN: Final = 2**14  # programs of which it is remembered that they came once
_DEFAULTS: Final = modes.State()  # whose generator and print options no plan asks for


def _plan_state(budget: modes.Budget | None = None) -> modes.State:
    """Return the state that requests are read and plans are replayed in: they look at the budget and change nothing.

    What kernels warn of in a replay is dropped: it stands in the template, as the recorded run said it.
    """
    return modes.State(
        print_options=_DEFAULTS.print_options, generator=_DEFAULTS.generator, warnings=deque(maxlen=0), budget=budget
    )


_PLAN_STATE: Final = _plan_state()


@dataclass(slots=True)  # not frozen: one is made for every request, and that takes three times as long
class Call:
    """A request as it came."""

    body: codec.Body
    content_type: str | None = None
    content_encoding: str | None = None
    accept: str | None = None
    encoding: WireEncoding | None = None  # of the query
    parts: envelope.SplitRequest | None = None  # once read; the numbers in them are nobody else's
    was_read: bool = False

    def data_encoding(self, asked: WireEncoding | None, form: codec.Format) -> Encoding:
        """How tensor data are written: as the body asks, else the query, else what suits the format."""
        return asked or self.encoding or ("raw" if form is codec.MSGPACK else "json")


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


@dataclass(frozen=True, slots=True)
class Unplanned:
    """A graph without a plan; whether an eager run of it may be small, as far as is known."""

    is_small: bool = True
    nbytes: int = 100


class Evaluator:
    """Answers calls; for many threads."""

    def __init__(self, limits: Limits, count: int = 1_000, nbytes: int = 2**26) -> None:
        self._limits = limits
        self.plans: plan_cache.PlanCache[Compiled | Unplanned] = plan_cache.PlanCache(count, nbytes)
        self._seen: OrderedDict[int, None] = OrderedDict()
        self._lock = Lock()

    def counts(self) -> dict[str, float]:
        """How many plans there are, for the metrics."""
        return {"plans": len(self.plans), "plans_bytes": self.plans.nbytes}

    def quick(self, call: Call) -> Reply | None:
        """Return the answer, if it takes next to no time; ``None`` where it takes a thread, maybe to find that out."""
        if len(call.body) > QUICK_BYTES or call.content_encoding:
            return None
        form = codec.answer_format(call.accept)
        with modes.use(_PLAN_STATE):
            key, found, reply = self._look_up(call, call.body, form, at_once=True)
            if reply is not None or isinstance(found, Compiled):
                return reply
            if found is None:  # seen once, it is to be recorded, which takes longer than a run
                return None if hash(key) in self._seen else self._run_small(call, form, key)
            if not found.is_small:
                return None
            reply = self._run_small(call, form)
            if reply is None:
                self.plans.put(key, Unplanned(is_small=False))
            return reply

    def _run_small(self, call: Call, form: codec.Format, key: Hashable = None) -> Reply | None:
        """Return the answer of an eager run that turns out to be small. Nothing has happened, if it does not.

        A ``key`` is noted: next time there may be a plan.
        """
        limits = self._limits
        request = self._request(call, call.body)
        budget = Allowance(limits, SMALL_ELEMENTS, SMALL_BYTES, SMALL_S)
        try:
            answer = evaluate(request, limits, call.data_encoding(request.encoding, form), budget)
        except errors.BudgetError:
            call.parts, call.was_read = None, False  # the run may have written to them
            return None
        if key is not None and not request.include:
            self._came_before(key)
        return _reply(codec.encode(answer, form), form)

    def answer(self, call: Call) -> Reply:
        """Return the answer to a call. Raises what ``app.http.problems`` knows."""
        form = codec.answer_format(call.accept)
        codec.request_format(call.content_type)  # refused, if it is to be, before a long body is opened
        body = codec.decompress(call.body, call.content_encoding, self._limits)
        with modes.use(_plan_state(budget_of(self._limits))):
            key, found, reply = self._look_up(call, body, form, at_once=False)
            if reply is not None:
                return reply
            request = self._request(call, body)
            encoding = call.data_encoding(request.encoding, form)
            parts = call.parts
            if parts is not None and found is None and not request.include and self._came_before(key):
                return self._recorded(request, parts, key, encoding, form)
            return _reply(codec.encode(evaluate(request, self._limits, encoding), form), form)

    def _look_up(
        self, call: Call, body: codec.Body, form: codec.Format, *, at_once: bool
    ) -> tuple[Hashable, Compiled | Unplanned | None, Reply | None]:
        """Return the key of a request, what is known of it, and its plan's answer (``at_once``: a quick plan's)."""
        if not call.was_read:
            call.parts = envelope.read(body, codec.request_format(call.content_type), self._limits)
            call.was_read = True
        parts = call.parts
        if parts is None:
            return None, None, None
        key = parts.key, call.data_encoding(parts.encoding, form), form is codec.JSON
        found = self.plans.get(key)
        if isinstance(found, Compiled) and (found.is_quick or not at_once):
            return key, found, self._replayed(found, parts.arrays)
        return key, found, None

    def _request(self, call: Call, body: codec.Body) -> RunRequest:
        """Return the whole request, read the usual way, but for tensors that are known already."""
        form = codec.request_format(call.content_type)
        request = RunRequest.model_validate(codec.decode_request(body, form, self._limits) if body else {})
        if call.parts is not None:
            _put_tensors(request, call.parts)
        return request

    def _came_before(self, key: Hashable) -> bool:
        """Return whether a program is here for the second time. Only digests are kept: clients choose the keys."""
        digest = hash(key)
        with self._lock:
            if digest in self._seen:
                del self._seen[digest]
                return True
            self._seen[digest] = None
            if len(self._seen) > SEEN:
                self._seen.popitem(last=False)
            return False

    def _replayed(self, compiled: Compiled, arrays: list[Array]) -> Reply | None:
        """Return the answer of a plan; ``None`` where it refuses: an eager run finds the node and the words."""
        try:  # the key tells that the arrays fit; a quick plan was within the limits when it was recorded
            results = compiled.plan.replay(arrays) if compiled.is_quick else compiled.plan(*arrays)
        except errors.BudgetError:
            raise
        except errors.EngineError:
            return None
        template = compiled.template
        return Reply(200, template.fill(results), template.media_type)

    def _recorded(
        self, request: RunRequest, parts: envelope.SplitRequest, key: Hashable, encoding: Encoding, form: codec.Format
    ) -> Reply:
        """Run eagerly, and keep how. There is an answer, however long planning would take: a plan is not part of it."""
        placeholders = new_placeholders(encoding)
        with fresh(self._limits):
            with plans.Recorder(parts.arrays) as notes:
                answer = answer_to(request, self._limits, placeholders)
            seconds = min(PLANNING_S, PLANNING_PART * self._limits.seconds)
            plan = plans.planned(notes, placeholders.arrays, cancellable(modes.Budget(seconds=seconds)))
        template = Template(answer, placeholders, form)
        if not (isinstance(plan, plans.Plan) and self.plans.put(key, Compiled(plan, template))):
            self.plans.put(key, Unplanned())  # nobody tries again
        return _reply(template.fill(placeholders.arrays), form)


def _put_tensors(request: RunRequest, parts: envelope.SplitRequest) -> None:
    """Put the tensors that were read for the key into the request: nobody reads them twice, a recorder knows them."""
    leaves = map(tensors.from_array, parts.arrays, parts.flags)
    for name in request.inputs:
        request.inputs[name] = next(leaves)
    for number, root in enumerate(request.backward):
        if root.gradient is not None:
            request.backward[number] = root.model_copy(update={"gradient": next(leaves)})


def _reply(body: bytes, form: codec.Format) -> Reply:
    return Reply(200, body, form.value)
