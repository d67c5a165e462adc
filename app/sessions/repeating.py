"""Runs that come again: the same program on one session, as who trains a model sends it step by step.

What a run does depends on the session, but not on the elements of tensors, if its recorder says so, nor on version
counters and numbers of objects. (Modules and functions, which may know of chance, are left out here.) Two runs after
one another whose records differ in these alone began, and left the session, alike, for nothing of the one but tensors'
elements reaches what the next leaves. So a third one is known beforehand: its elements by a plan, its answer by that of
the second. What it leaves is what is there with other elements: nothing is made, in memory or in the store. The objects
that are there go on, and its record says no more than which memories have other elements now.

The first such run is an ordinary one; the second is rehearsed, which leaves a ``Repetition``; the third is carried out
as any other and has to be what the repetition says. Whatever else happens to the session ends all this.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterable
from dataclasses import dataclass
from typing import Any, Final, NamedTuple

import numpy as np

from app.evaluate.cancellation import cancellable
from app.evaluate.execution import Run
from app.limits import Limits, OverLimit
from app.sessions import schema
from app.sessions.ledger import Ledger
from app.sessions.records import PLAIN, Draft
from app.sessions.schema import Record, StorageRecord
from app.sessions.session import Session
from app.wire import codec
from app.wire.arrays import ArrayError, Encoding, decode_tensor
from app.wire.reply import Reply
from app.wire.template import Template, new_placeholders
from engine import Tensor, dtypes, errors, modes, registry, storage
from engine import plan as plans

Array = np.ndarray[Any, Any]
PLANNING_S: Final = 2.0
RECORD_BYTES: Final = 2**15  # of a record that is worth being kept
TRIES: Final = 3  # rehearsals of one program, after which it is carried out and nothing else
NOT_NUMBERED: Final = frozenset({"array", "scalar", "shown"})  # values that hold elements, which no plan gives


_OPTIMIZER: Final[Any] = registry.function("optim.Optimizer")
_DATA: Final = (int, complex, dtypes.DType, _OPTIMIZER)
_CHANCE: Final = ("import", "seed")  # of code: what modules and generators give may be another value each time


class Again(NamedTuple):
    """A run as it may come again: what all that say the same share, and its inputs as the wire has them."""

    key: Hashable
    inputs: dict[str, Any]

    @classmethod
    def of(cls, run: Run, *how: Hashable) -> Again | None:
        """Return ``run``, answered as ``how`` says; ``None`` for one that has to be carried out each time."""
        code = run.request.code or ""
        if run.key is None or run.request.include or any(word in code for word in _CHANCE):
            return None
        return cls((run.key, *how), run.request.inputs)


class Rehearsal:
    """A run that is recorded beside what it does."""

    def __init__(self, ledger: Ledger, limits: Limits) -> None:
        self._holders = {id(one.array): one for kind in (Tensor, storage.Storage) for one in ledger.living(kind)}
        memories = [one.array for one in ledger.living(storage.Storage) if one.root is one]
        self.recorder = plans.StandingRecorder([one.array for one in self._holders.values()], memories)
        self._limits = limits
        self.template: Template | None = None
        self.shown: list[Array] = []
        self.leaves: dict[str, Tensor] = {}
        self.default_dtype = dtypes.float32

    def carry_out(self, session: Session, run: Run, encoding: Encoding, form: codec.Format, version: int) -> Reply:
        """Return the answer to a run, and keep how it is made."""
        placeholders = new_placeholders(encoding)
        self.default_dtype = modes.current().default_dtype
        self.leaves = _decoded(run.request.inputs, self._limits)
        for leaf in self.leaves.values():
            self.recorder.adopt(leaf.array)
        with self.recorder:
            result = session.run(run.with_inputs(self.leaves), placeholders)
        self.template = template = Template.of({**result, "version": 0}, placeholders, form)
        template.end = template.end.removesuffix(_version(0, form))
        self.shown = placeholders.arrays
        return _reply(template, form, self.shown, version)

    @property
    def sources(self) -> list[Any]:
        """The tensors of the session, or its storages, whose elements went in beside those of the inputs."""
        return [self._holders[id(array)] for array in self.recorder.sources[len(self.leaves) :]]


def _decoded(inputs: dict[str, Any], limits: Limits) -> dict[str, Tensor]:
    return {name: decode_tensor(raw, limits, ("inputs", name)) for name, raw in inputs.items()}


def _spec(leaf: Tensor) -> tuple[Any, ...]:
    return leaf.array.shape, leaf.array.dtype, leaf.array.strides, leaf.requires_grad, leaf.bits


def _version(version: int, form: codec.Format) -> bytes:
    """Return how an answer ends."""
    return b"%d}" % version if form is codec.JSON else codec.encode(version, form)


def _reply(template: Template, form: codec.Format, arrays: Any, version: int) -> Reply:
    """Return an answer, which ends with the version of the session."""
    body = template.fill(arrays) + _version(version, form)
    return Reply(200, body, template.media_type, {"ETag": f'"{version}"'})


class Step(NamedTuple):
    """What a repeated run gives: the answer, the record, and what the memories that it writes hold then."""

    reply: Reply
    record: bytes
    written: list[bytes]


@dataclass(slots=True)
class _Place:
    """A storage of the records: how far its version goes up each time, and which result of the plan is put there."""

    number: int
    is_new: bool  # then its number is counted from the first new one
    rise: int
    result: int | None
    storage: Any = None

    @classmethod
    def of(cls, number: int, first: int) -> _Place:
        return cls(number - first, True, 0, None) if number >= first else cls(number, False, 0, None)

    def find(self, ledger: Ledger, first: int) -> Any:
        """Return the object that stands there, or ``None``; the new ones began at ``first``."""
        return ledger.get(first + self.number if self.is_new else self.number)


class Repetition:
    """A run that is known before it is carried out."""

    def __init__(
        self, plan: plans.Plan, template: Template, nbytes: int, sources: list[_Place], places: list[_Place],
        rehearsal: Rehearsal, limits: Limits,
    ) -> None:  # fmt: skip
        self._specs = {name: _spec(leaf) for name, leaf in rehearsal.leaves.items()}
        self._plan, self._template, self.nbytes = plan, template, nbytes
        self._sources, self.places = sources, places
        self._form = codec.Format(template.media_type)
        self._limits, self._state = limits, modes.State(default_dtype=rehearsal.default_dtype, warnings=[])
        self._standing: list[Array] = []
        self.memory = plan.nbytes + template.nbytes + 500 * len(places)  # about what it takes itself, in bytes
        self._record = Record(schema.SCHEMA, False, [], [], [], [], [], {}, None)
        self._changing: list[tuple[_Place, StorageRecord]] = []  # with what the record says of it
        self._written: list[memoryview] = []  # memories

    def bind(self, ledger: Ledger, first: int) -> bool:
        """Find what the next run works on, after one whose new numbers began at ``first``; whether all is there."""
        holders = [source.find(ledger, first) for source in self._sources]
        for place in self.places:
            place.storage = place.find(ledger, first)
        if None in (*holders, *(place.storage for place in self.places)):
            return False
        self._standing = [holder.array for holder in holders]
        if not self._plan.fits(self._standing, len(self._specs)):
            return False
        changing = [place for place in self.places if place.rise or place.result is not None]
        self._changing = [(place, _storage_record(place.storage, ledger)) for place in changing]
        self._record.storages = [record for _, record in self._changing]
        written = (place.storage.array for place in changing if place.result is not None)
        self._written = [array.reshape(-1).view(np.uint8).data for array in written]
        return True

    def step(self, inputs: dict[str, Any], version: int) -> Step | None:
        """Return what the next run gives; ``None`` where it may be another.

        Nothing is changed. Raises ``BudgetError``.
        """
        self._state.budget = budget = cancellable(modes.Budget(seconds=self._limits.seconds))  # the rest was asked for
        arrays = self._standing
        try:
            with modes.use(self._state):
                if inputs or self._specs:
                    leaves = _decoded(inputs, self._limits)
                    if {name: _spec(leaf) for name, leaf in leaves.items()} != self._specs:
                        return None
                    arrays = [*(leaf.array for leaf in leaves.values()), *arrays]
                results = self._plan.replay(arrays, budget.check_time)
        except errors.BudgetError:
            raise
        except (errors.EngineError, ArrayError, OverLimit):  # whoever carries it out finds the words
            return None
        written = []
        for place, record in self._changing:
            record.version = place.storage.version + place.rise
            if place.result is not None:
                record.data = data = results[place.result].tobytes()
                written.append(data)
        reply = _reply(self._template, self._form, results, version)
        budget.check_time()
        return Step(reply, schema.encode(self._record), written)

    def apply(self, step: Step) -> None:
        """Let the session be as the run leaves it."""
        for place, _ in self._changing:
            if place.rise:
                place.storage.version += place.rise
        for memory, data in zip(self._written, step.written, strict=True):
            memory[:] = data

    def foretold(self, before: Record, step: Step) -> bytes:
        """Return the record of a run that is carried out, after ``before``, which has its numbers."""
        written = iter(step.written)
        for place, one in zip(self.places, before.storages, strict=True):
            one.version += place.rise
            if place.result is not None:
                one.data = next(written)
        return schema.encode(before)


def _storage_record(one: storage.Storage, ledger: Ledger) -> StorageRecord:
    """Return what a record says of a storage that is known, without its elements."""
    array = one.array
    number, root = ledger.find(one), ledger.find(one.root)
    assert number is not None
    assert root is not None
    return StorageRecord(number, root, 0, dtypes.of(array).name, list(array.shape), list(array.strides), None)


@dataclass(slots=True)
class _Trace:
    """The run before: its record, and which numbers were new."""

    record: Record
    first: int
    count: int


class Repeats:
    """What is known of the program that ran last on a live session, over the session's ``ledger``."""

    def __init__(self, ledger: Ledger) -> None:
        self._ledger = ledger
        self._begin(None)

    def _begin(self, key: Hashable) -> None:
        self._key = key
        self._trace: _Trace | None = None
        self._known: Repetition | None = None
        self._is_confirmed = False
        self._expected: Step | None = None
        self._failures = 0

    @property
    def nbytes(self) -> int:
        """About how much memory it takes."""
        return 0 if self._known is None else self._known.memory

    def forget(self) -> None:
        """Something else happens to the session."""
        self._begin(None)

    # -- runs that are carried out ----------------------------------------------------------------------------------
    def rehearsal(self, again: Again | None, names: dict[str, Any], version: int, limits: Limits) -> Rehearsal | None:
        """Return the rehearsal that the next run is to be, if it should be one."""
        if again is None or again.key != self._key or self._trace is None or not _are_data(names.values()):
            return None
        if self._known is not None:
            self._expected = self._known.step(again.inputs, version)
            return None
        return Rehearsal(self._ledger, limits) if self._failures < TRIES else None

    def note(
        self, again: Again | None, draft: Draft, reply: Reply, rehearsal: Rehearsal | None, limits: Limits
    ) -> None:
        """Take notice of a run that was carried out and committed."""
        change, key = draft.change, None if again is None else again.key
        if key is None or key != self._key:
            self._begin(key)
        if change.whole or change.blocks or len(change.record) > RECORD_BYTES:
            self._trace = self._known = None
            return
        if self._known is not None:
            self._check(self._known, draft, reply)
        elif rehearsal is not None and self._trace is not None:
            self._known = _learnt(rehearsal, self._trace, draft, self._ledger, limits)
            self._failures += self._known is None
        self._trace = _Trace(draft.record, draft.first, len(draft.added))

    def _check(self, known: Repetition, draft: Draft, reply: Reply) -> None:
        """Confirm what was said of this run, or give up."""
        expected, self._expected = self._expected, None
        is_right = False
        if expected is not None and self._trace is not None and expected.reply == reply:
            record = known.foretold(_renumbered(self._trace, draft.first), expected)
            is_right = record == draft.change.record and known.bind(self._ledger, draft.first)
        self._is_confirmed = is_right
        if not is_right:
            self._known, self._failures = None, TRIES

    # -- runs that are not ------------------------------------------------------------------------------------------
    def known(self, again: Again | None) -> Repetition | None:
        """Return what the next run of a program is, if that is known."""
        return self._known if self._is_confirmed and again is not None and again.key == self._key else None


def _learnt(rehearsal: Rehearsal, before: _Trace, draft: Draft, ledger: Ledger, limits: Limits) -> Repetition | None:
    """Return what a rehearsal tells of the runs that follow; ``None`` if they may be others."""
    recorder, template = rehearsal.recorder, rehearsal.template
    if recorder.is_eager or template is None or len(draft.added) != before.count or draft.record.settings is not None:
        return None
    record = schema.decode(draft.change.record)
    if any(before.first <= slot[2] < draft.first for slot in schema.slots(record)) or not _is_plain(record):
        return None  # it refers to what the run before made
    arrays = list(rehearsal.shown)
    places = _places(record, _renumbered(before, draft.first), draft.first, rehearsal, ledger, arrays)
    if places is None:
        return None
    plan = plans.planned(recorder, arrays, cancellable(modes.Budget(seconds=PLANNING_S)))
    numbers = [ledger.find(one) for one in rehearsal.sources]
    if not isinstance(plan, plans.Plan):
        return None
    sources = [_Place.of(number, before.first) for number in numbers if number is not None]
    found = Repetition(plan, template, draft.nbytes, sources, places, rehearsal, limits)
    return found if len(sources) == len(numbers) and found.bind(ledger, draft.first) else None


def _places(
    record: Record, earlier: Record, first: int, rehearsal: Rehearsal, ledger: Ledger, arrays: list[Array]
) -> list[_Place] | None:
    """Return the storages of a record; to ``arrays`` are added those of them that a plan has to give.

    ``None`` if the records differ in more than these, and versions.
    """
    places = []
    for one, other in zip(record.storages, earlier.storages, strict=False):
        place = _Place.of(one.number, first)
        place.rise, other.version = one.version - other.version, one.version
        array = ledger.get(one.number).array
        if one.data is not None and rehearsal.recorder.knows(array):
            if not (array.flags.c_contiguous and array.flags.writeable and other.data is not None):
                return None
            place.result, other.data = len(arrays), one.data
            arrays.append(array)
        elif one.data is not None and rehearsal.recorder.overlaps(array):
            return None
        places.append(place)
    return places if earlier == record else None


def _renumbered(before: _Trace, first: int) -> Record:
    """Return the record of the run before as if its new numbers had begun at ``first``."""
    record = schema.decode(schema.encode(before.record))
    for slot in list(schema.slots(record)):
        if slot[2] >= before.first:
            schema.put(slot, slot[2] - before.first + first)
    return record


def _are_data(values: Iterable[Any]) -> bool:
    """Return whether these are values that do nothing by themselves: functions and modules may bring chance along."""
    pending, seen = list(values), set[int]()
    while pending:
        value = pending.pop()
        if type(value) in (list, tuple, dict):
            if id(value) not in seen:
                seen.add(id(value))
                pending.extend(value if type(value) is not dict else (*value, *value.values()))
        elif isinstance(value, Tensor):
            if value.hooks is not None:
                return False
        elif type(value) not in PLAIN and not isinstance(value, _DATA):
            return False
    return True


def _is_plain(record: Record) -> bool:
    """Return whether no value in the record holds elements by itself."""
    values: list[Any] = [
        *record.names.values(), *(part for one in record.shared for part in one.parts),
        *(value for node in record.nodes for value in node.static.values()), *(one.steps for one in record.tensors),
    ]  # fmt: skip
    while values:
        value = values.pop()
        if isinstance(value, dict):
            if not NOT_NUMBERED.isdisjoint(value):
                return False
            values.extend(value.values())
        elif isinstance(value, list | tuple):
            values.extend(value)
    return True
