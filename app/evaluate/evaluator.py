"""Stateless evaluation in a compute process: a program that comes again runs as a plan.

The first time a program is seen it runs eagerly; the second time it runs under a recorder, which leaves a plan and a
template of its answer. A small plan goes to the front as data, which replays it from then on (``app.evaluate.replay``);
a large one stays here. That a graph has no plan is remembered, too.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Hashable
from dataclasses import dataclass
from hashlib import sha256
from typing import Final

import msgspec

from app.errors import ClientGone, InvalidRequest
from app.evaluate import plan_cache, shipping
from app.evaluate.call import Call, plan_state
from app.evaluate.cancellation import cancellable
from app.evaluate.execution import budget_of, check_count, program_of
from app.evaluate.run import answer_to, evaluate, fresh
from app.evaluate.shipping import Compiled
from app.limits import Limits, OverLimit, over_budget
from app.wire import codec, envelope, plain
from app.wire.arrays import Encoding, decode_tensor
from app.wire.messages import BatchEntry, RunRequest
from app.wire.reply import Refusal, Reply
from app.wire.template import Template, new_placeholders
from engine import Tensor, errors, modes, tensors
from engine import plan as plans

PLANNING_S: Final = 10.0  # how long planning may take, and which part of the time of a request
PLANNING_PART: Final = 0.2
RECORD_AT: Final = 2  # which of a batch's entries that are alike is recorded
Refuse = Callable[[Exception], Refusal]


def refuse_none(error: Exception) -> Refusal:
    """Raise the error."""
    raise error


@dataclass(frozen=True, slots=True)
class Unplanned:
    """A graph without a plan, or whose plan the front has."""

    nbytes: int = 100


class Evaluator:
    """Answers calls, one at a time."""

    def __init__(self, limits: Limits, count: int = 1_000, nbytes: int = 2**26) -> None:
        self._limits = limits
        self.plans: plan_cache.PlanCache[Compiled | Unplanned] = plan_cache.PlanCache(count, nbytes)

    def answer(self, call: Call, came_before: bool, refuse: Refuse = refuse_none) -> tuple[Reply, bytes | None]:
        """Return the answer to a call, and a plan for the front where there is one now.

        ``refuse`` writes the problem of a batch's entry; that of a request is raised: what the table of problems has.
        """
        form = codec.answer_format(call.accept)
        asked = codec.request_format(call.content_type)  # refused, if it is to be, before a long body is opened
        body = codec.decompress(call.body, call.content_encoding, self._limits)
        if not came_before and asked is codec.JSON:
            reply = self._at_once(call, body, form)
            if reply is not None:
                return reply, None
        with modes.use(plan_state(budget_of(self._limits))):
            parts = envelope.read(body, asked, self._limits) if came_before else None
            request = RunRequest.model_validate(codec.decode_request(body, asked, self._limits) if body else {})
            encoding = call.data_encoding(request.encoding, form)
            if request.runs is not None:
                raise InvalidRequest("several runs need a session", [(("runs",), "of runs in a session only")])
            if request.batch is not None:
                return self._batch(request, request.batch, encoding, form, refuse), None
            if parts is None or request.include:
                return _reply(codec.encode(evaluate(request, self._limits, encoding), form), form), None
            return self._planned(request, parts, call.key(parts, form), encoding, form)

    def _at_once(self, call: Call, body: codec.Body, form: codec.Format) -> Reply | None:
        """Return the answer to a request that is plain (``app.wire.plain``)."""
        limits = self._limits
        with fresh(limits):
            request = plain.read(body, limits)
            if request is None:
                return None
            answer = answer_to(request, limits, call.data_encoding(request.encoding, form))
            return _reply(codec.encode(answer, form), form)

    def _planned(
        self, request: RunRequest, parts: envelope.SplitRequest, key: Hashable, encoding: Encoding, form: codec.Format
    ) -> tuple[Reply, bytes | None]:
        """Return the answer to a request that came before: by its plan, or by a run that may leave one."""
        found = self.plans.get(key)
        if isinstance(found, Compiled):
            reply = self._replayed(found, parts)
            if reply is not None:
                return reply, None
        _put_tensors(request, parts)
        if found is None:
            return self._recorded(request, parts, key, encoding, form)
        return _reply(codec.encode(evaluate(request, self._limits, encoding), form), form), None

    def _batch(
        self, request: RunRequest, entries: list[BatchEntry], encoding: Encoding, form: codec.Format, refuse: Refuse
    ) -> Reply:
        """Return the answers to one program over many inputs. Of entries that are alike one is recorded."""
        check_count(len(entries), self._limits, ("batch",))
        program_of(request, self._limits)  # one that cannot be read is refused once, and not by each entry
        program, seen = _digest(request, encoding, form), Counter[Hashable]()
        answers, size = [], 0
        for number, entry in enumerate(entries):
            one = request.model_copy(update={"inputs": {**request.inputs, **entry.inputs}, "batch": None})
            try:
                body = self._entry(one, number, program, seen, encoding, form)
            except (ClientGone, MemoryError):
                raise
            except Exception as error:
                if isinstance(error, errors.BudgetError) and error.limit == "seconds":
                    raise  # there is no time for the others either
                refusal = refuse(over_budget(error) if isinstance(error, errors.BudgetError) else error)
                body = codec.encode(codec.decode(refusal.body, codec.JSON, self._limits), form)
            size += len(body)
            if size > self._limits.answer_bytes:
                raise OverLimit("answer_bytes", allowed=self._limits.answer_bytes, asked=size)
            answers.append(codec.written(body, form))
        return _reply(codec.encode({"outputs": {}, "grads": {}, "batch": answers}, form), form)

    def _entry(
        self, request: RunRequest, number: int, program: bytes | None, seen: Counter[Hashable], encoding: Encoding,
        form: codec.Format,
    ) -> bytes:  # fmt: skip
        """Return the answer to one entry of a batch."""
        place = ("batch", number, "inputs")
        leaves = {name: decode_tensor(raw, self._limits, (*place, name)) for name, raw in request.inputs.items()}
        request = request.model_copy(update={"inputs": dict(leaves), "backward": list(request.backward)})
        if program is None or request.include:
            return codec.encode(evaluate(request, self._limits, encoding), form)
        parts = _split(request, leaves, program, self._limits)
        found = self.plans.get(parts.key)
        reply = self._replayed(found, parts) if isinstance(found, Compiled) else None
        if reply is not None:
            return reply.body
        _put_tensors(request, parts)
        seen[parts.key] += 1
        if found is None and seen[parts.key] == RECORD_AT:
            return self._recorded(request, parts, parts.key, encoding, form, is_shipped=False)[0].body
        return codec.encode(evaluate(request, self._limits, encoding), form)

    def _replayed(self, compiled: Compiled, parts: envelope.SplitRequest) -> Reply | None:
        """Return the answer of a plan; ``None`` where it refuses: an eager run finds the node and the words."""
        try:
            results = compiled.plan(*parts.arrays)
        except errors.BudgetError:
            raise
        except errors.EngineError:
            return None
        return Reply(200, compiled.template.fill(results), compiled.template.media_type)

    def _recorded(
        self, request: RunRequest, parts: envelope.SplitRequest, key: Hashable, encoding: Encoding, form: codec.Format,
        *, is_shipped: bool = True,
    ) -> tuple[Reply, bytes | None]:  # fmt: skip
        """Run eagerly, and keep how. There is an answer, however long planning would take: a plan is not part of it."""
        placeholders = new_placeholders(encoding)
        with fresh(self._limits):
            with plans.Recorder(parts.arrays) as notes:
                answer = answer_to(request, self._limits, placeholders)
            seconds = min(PLANNING_S, PLANNING_PART * self._limits.seconds)
            plan = plans.planned(notes, placeholders.arrays, cancellable(modes.Budget(seconds=seconds)))
        template = Template.of(answer, placeholders, form)
        reply = _reply(template.fill(placeholders.arrays), form)
        shipped = shipping.pack(plan, template) if is_shipped and isinstance(plan, plans.Plan) else None
        is_kept = shipped is None and isinstance(plan, plans.Plan) and self.plans.put(key, Compiled(plan, template))
        if not is_kept:
            self.plans.put(key, Unplanned())  # nobody tries again
        return reply, shipped


def _digest(request: RunRequest, encoding: Encoding, form: codec.Format) -> bytes | None:
    """Return a digest of all that a batch's entries share; ``None`` where a program has tensors of its own."""
    shared = request.model_dump(exclude={"inputs", "batch", "backward"})
    roots = [(root.tensor, root.gradient is None) for root in request.backward]
    try:
        return sha256(msgspec.msgpack.encode((shared, roots, str(encoding), form.value))).digest()
    except (TypeError, OverflowError, ValueError):
        return None


def _split(request: RunRequest, leaves: dict[str, Tensor], program: bytes, limits: Limits) -> envelope.SplitRequest:
    """Return the parts of an entry, as those of a request by itself."""
    gradients = [root.gradient for root in request.backward if root.gradient is not None]
    found = [*leaves.values(), *(decode_tensor(raw, limits, ("backward",)) for raw in gradients)]
    specs = tuple([(one.array.shape, one.array.dtype, one.array.strides, one.requires_grad) for one in found])
    return envelope.SplitRequest((program, tuple(leaves), specs), [one.array for one in found], specs, None)


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
