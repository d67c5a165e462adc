"""A session's changes as records; ``app.sessions.restoring`` makes a session of them again.

``Writer`` finds what a run made or altered: it starts from the names that were rebound and the objects that the run's
journal touched, and goes on through what is not numbered yet. So a run costs what it changes, whatever the session
holds.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from math import inf
from typing import Any, Final

import numpy as np

from app.limits import OverLimit
from app.program.modules import kept
from app.sessions import schema
from app.sessions.ledger import VALUE_BYTES, Ledger, in_blocks, value_bytes, weight
from app.sessions.schema import HooksRecord, Layout, NodeRecord, Record, SavedRecord, StorageRecord, TensorRecord
from app.sessions.value_kinds import NotStorable, ValueKinds, is_tensor_dtype
from app.stores.base import BLOCK_BYTES, Block, Change
from engine import Tensor, custom, dtypes, modes, parameters, tape, tensors
from engine import storage as engine_storage

Storage = engine_storage.Storage
Accumulate = tape.Accumulate
Edge = tape.Edge
Node = tape.Node
Saved = tape.Saved
Bytes = np.ndarray[Any, Any]
Names = dict[str, Any]

# By identity: the engine tells them apart so.
NOTES: Final = (None, tensors.MULTIPLE, tensors.NO_GRAD, tensors.INFERENCE_MODE, tensors.CUSTOM)
PLAIN: Final = frozenset({type(None), bool, str, float, bytes})  # what msgpack has
TEXTS: Final = frozenset({str, bytes})
CELL_BYTES: Final = 64 * BLOCK_BYTES  # of a memory are written as one when all is new: a row each takes a third longer
_MISSING: Final = object()


def memory_of(storage: Storage) -> Bytes:
    """Return the bytes of the memory that a storage looks into."""
    return storage.root.flat.view(np.uint8)


# -- to records -----------------------------------------------------------------------------------------------------
@dataclass(slots=True)
class Draft:
    """A change that is ready to be committed, and what the ledger has to learn when it was."""

    change: Change
    added: list[tuple[Any, int]]
    settings: schema.Settings
    nbytes: int
    values: dict[int, int]  # by number of a shared object that was written: the bytes of what it holds
    record: Record
    first: int  # objects from this number on are new
    holders: list[Any]  # nodes and tensors that hold such objects
    kept: set[int] | None = None  # the keys of all that a whole record holds
    shown: list[Storage] = field(default_factory=list)  # whose memory arrays show that are values


@dataclass(slots=True)
class Before:
    """The session as it was committed last."""

    names: Names
    settings: schema.Settings | None
    imported: bool = False


class Writer:
    """Writes one change. Raises ``OverLimit`` as soon as its values take more than a session's ``limit`` of bytes."""

    def __init__(
        self, ledger: Ledger, kinds: ValueKinds, *, whole: bool, blocks: bool = True, limit: float = inf
    ) -> None:
        self._ledger, self._kinds, self._whole, self._in_blocks = ledger, kinds, whole, blocks
        self._limit, self._counted = limit, 0
        self._budget = modes.current().budget
        self._next = ledger.next
        self._added: dict[int, tuple[Any, int]] = {}  # by key
        self._seen: dict[int, Any] = {}  # what is written, or waits to be
        self._pending: deque[tuple[Any, int]] = deque()
        self._blocks: list[Block] = []
        self._late: list[Callable[[], None]] = []  # weak references, which wait for what else turns out to be reached
        self._nodes: list[tuple[int, NodeRecord]] = []
        self._values: dict[int, int] = {}
        self._holders: list[Any] = []
        self._shown: list[Storage] = []
        self.record = Record(schema.SCHEMA, whole, [], [], [], [], [], {}, None)

    def write(self, before: Before, names: Names, state: modes.State, journal: modes.Journal) -> Draft:
        """Return the change from ``before`` to now."""
        old: Mapping[str, Any] = {} if self._whole else before.names
        self.record.dropped = [name for name in old if name not in names]
        for name, value in names.items():
            if old.get(name, _MISSING) is not value:
                self.record.names[name] = self.value(value)
        settings = self._settings(state, before.imported)
        if self._whole or settings != before.settings:
            self.record.settings = settings
        self._note_touched(journal)
        self._drain()
        return self._draft(settings, names)

    def _settings(self, state: modes.State, imported: bool) -> schema.Settings:
        options = state.print_options
        return schema.Settings(
            state.grad_enabled,
            state.inference,
            state.default_dtype.name,
            (options.precision, options.threshold, options.edgeitems, options.linewidth, options.sci_mode),
            self.number(state.generator),
            imported,
            kept.dump(state.modules),
            state.watch is not None and state.watch.anomaly,
            state.watch is None or state.watch.check_nan,
        )

    def _note_touched(self, journal: modes.Journal) -> None:
        """Write again what the run altered. Objects that have no number yet are written when they are reached."""
        for target in journal.touched():
            self._enqueue_again(target)
        for memory in journal.overwritten():
            root = memory.storage
            number = self._enqueue_again(root)
            if number is not None and self._is_in_blocks(root):
                for start, before in memory.parts:
                    self._note_blocks(number, memory.memory, start, before.data)

    def _enqueue_again(self, one: Any) -> int | None:
        """Have an object with a number written; a whole record holds what is reached, and nothing else."""
        number = self._ledger.find(one)
        if number is not None and not self._whole:
            self._enqueue(one, number)
        return number

    def _is_in_blocks(self, storage: Storage) -> bool:
        return self._in_blocks and in_blocks(storage.array.nbytes)

    def _note_blocks(self, number: int, memory: Bytes, start: int = 0, before: memoryview | None = None) -> None:
        """The blocks of a memory from the byte ``start`` on that are not as they were ``before``; full cells in one."""
        now, stop = memory.data, memory.nbytes if before is None else start + len(before)
        for cell in range(start - start % CELL_BYTES, stop, CELL_BYTES):
            first, last = max(start, cell), min(stop, cell + CELL_BYTES)
            places = [
                place
                for place in range(first, last, BLOCK_BYTES)
                if before is None
                or now[place : min(place + BLOCK_BYTES, stop)] != before[place - start :][:BLOCK_BYTES]
            ]
            size = BLOCK_BYTES
            if len(places) * BLOCK_BYTES >= min(CELL_BYTES, memory.nbytes - cell):
                places, size = [cell], CELL_BYTES
            self._blocks += [Block(number, place // BLOCK_BYTES, now[place : place + size]) for place in places]

    def number(self, one: Any) -> int:
        """Return the number of an object, which will be written if it is new."""
        key = id(one)
        if key in self._added:
            return self._added[key][1]
        known = self._ledger.find(one)
        if known is None:
            known = self._next
            self._next += 1
            self._added[key] = one, known
            self._enqueue(one, known)
            if isinstance(one, Tensor):
                self.number(one.storage)  # now, so that arrays which show it find it
            elif isinstance(one, Storage) and one.root is one and self._is_in_blocks(one):
                self._note_blocks(known, memory_of(one))
        elif self._whole:
            self._enqueue(one, known)
        return known

    def _enqueue(self, one: Any, number: int) -> None:
        if id(one) not in self._seen:
            self._seen[id(one)] = one
            self._pending.append((one, number))

    def _number_if_reached(self, one: Any) -> int | None:
        """Return the number of an object that is only referred to weakly."""
        if one is None:
            return None
        if id(one) in self._added:
            return self._added[id(one)][1]
        return None if self._whole and id(one) not in self._seen else self._ledger.find(one)

    def _drain(self) -> None:
        while self._pending:
            one, number = self._pending.popleft()
            if next(held_by(one), None) is not None:
                self._holders.append(one)
            if isinstance(one, Tensor):
                self.record.tensors.append(self._tensor(one, number))
            elif isinstance(one, Storage):
                self.record.storages.append(self._storage(one, number))
            elif isinstance(one, Node):
                self._nodes.append((one.sequence, self._node(one, number)))
            else:
                shared = self._shared(one, number)
                self.record.shared.append(shared)
                self._values[number] = value_bytes(shared.parts)
        for resolve in self._late:
            resolve()
        self._nodes.sort(key=lambda pair: pair[0])
        self.record.nodes = [record for _, record in self._nodes]

    def _draft(self, settings: schema.Settings, names: Names) -> Draft:
        kept = set(self._seen) if self._whole else None
        change = Change(schema.encode(self.record), self._whole, self._blocks, self._abandoned(kept))
        added = list(self._added.values())
        nbytes = sum(map(_inline_bytes, names.values()))
        if self._whole:
            nbytes += sum(map(weight, self._seen.values())) + sum(self._values.values())
        else:
            values = {**self._ledger.values, **self._values}
            nbytes += self._ledger.nbytes + sum(weight(one) for one, _ in added) + sum(values.values())
        return Draft(
            change, added, settings, nbytes, self._values, self.record, self._ledger.next, self._holders, kept,
            self._shown,
        )  # fmt: skip

    def _abandoned(self, kept: set[int] | None) -> list[int]:
        """Return the memories that a whole record does no longer hold: their blocks can go."""
        if kept is None:
            return []
        numbers = {self._ledger.find(one) for one in self._seen.values() if isinstance(one, Storage)}
        return [number for number in self._ledger.memories if number not in numbers]

    # -- objects --------------------------------------------------------------------------------------------------
    def _storage(self, storage: Storage, number: int) -> StorageRecord:
        array, root = storage.array, storage.root
        data = None if root is not storage or self._is_in_blocks(storage) else storage.flat.tobytes()
        name = dtypes.of(array).name
        return StorageRecord(
            number, self.number(root), storage.version, name, list(array.shape), list(array.strides), data
        )

    def _layout(self, array: np.ndarray[Any, Any], storage: Storage) -> Layout | None:
        """Where ``array`` lies in the storage; ``None`` if it is all of it."""
        if array is storage.array:
            return None
        offset = array.__array_interface__["data"][0] - storage.address
        return Layout(dtypes.of(array).name, list(array.shape), list(array.strides), offset)

    def _tensor(self, tensor: Tensor, number: int) -> TensorRecord:
        lazy = parameters.is_lazy(tensor)
        record = TensorRecord(
            number,
            self.number(tensor.storage),
            None if lazy else self._layout(tensor.array, tensor.storage),
            tensor._requires_grad,
            self._optional(tensor.node),
            tensor.output_number,
            self._optional(tensor._grad),
            self._optional(tensor.base),
            tensor.seen_version,
            tensor.retains_grad,
            tensor.inference,
            tensor.is_weak,
            next(place for place, note in enumerate(NOTES) if note is tensor.view_note),
            isinstance(tensor, tensors.Parameter),
            steps=self.value(tensor.steps),
            bits=tensor.bits,
            lazy=lazy,
        )
        if tensor.hooks is not None:
            record.hooks = [self.value(tensor.hooks.before), self.value(tensor.hooks.after)]
        accumulator = tensor.accumulator()
        if accumulator is not None:
            self._late.append(lambda: setattr(record, "accumulator", self._number_if_reached(accumulator)))
        return record

    def _optional(self, one: Any) -> int | None:
        return None if one is None else self.number(one)

    def _node(self, node: Node, number: int) -> NodeRecord:
        before = self._counted  # a node has a weight of its own
        try:
            return self._node_record(node, number)
        finally:
            self._counted = before

    def _node_record(self, node: Node, number: int) -> NodeRecord:
        specs = [(list(shape), dtypes.from_numpy(dtype).name) for shape, dtype in node.specs]
        if isinstance(node, Accumulate):
            return NodeRecord(number, self.number(node.variable), specs=specs, hooks=self._attached(node))
        kept = node.saved or {}
        record = NodeRecord(
            number,
            None,
            node.op.name,
            {name: self.value(value) for name, value in node.static.items()},
            None if node.saved is None else {n: self._saved(k) for n, k in kept.items() if not isinstance(k, list)},
            {name: [self._kept(one) for one in k] for name, k in kept.items() if isinstance(k, list)},
            [self._edge(edge) for edge in node.edges],
            specs,
            list(node.counts),
            node.is_inplace,
            hooks=self._attached(node),
        )
        if node.retained:
            self._late.append(lambda: setattr(record, "retained", self._retained(node)))
        return record

    def _attached(self, node: Node) -> HooksRecord | None:
        attached = node.attached
        if attached is None or not (attached.outputs or attached.pre or attached.post or attached.metadata):
            return None
        outputs = [(output, self.value(table)) for output, table in attached.outputs.items()]
        return HooksRecord(outputs, *map(self.value, (attached.pre, attached.post, attached.metadata)))

    def _retained(self, node: Node) -> list[tuple[int, int]]:
        pairs = ((output, self._number_if_reached(tensor())) for output, tensor in node.retained.items())
        return [(output, number) for output, number in pairs if number is not None]

    def _edge(self, edge: Edge | None) -> tuple[int, int] | None:
        return None if edge is None else (self.number(edge[0]), edge[1])

    def _saved(self, kept: Saved | None) -> SavedRecord | None:
        return None if kept is None else self._kept(kept)

    def _kept(self, kept: Saved) -> SavedRecord:
        if isinstance(kept, tape.Packed):
            packed = [self.value(kept.packed), self.value(kept.hook)]
            return SavedRecord(0, None, 0, self._edge(kept.edge), kept.output_nr, False, packed=packed)
        storage = self.number(kept.storage)
        layout, edge = self._layout(kept.array, kept.storage), self._edge(kept.edge)
        record = SavedRecord(
            storage, layout, kept.version, edge, kept.output_nr, kept.bits == tensors.WEAK, bits=kept.bits
        )
        self._late.append(lambda: setattr(record, "origin", self._number_if_reached(kept.origin())))
        return record

    def _shared(self, one: Any, number: int) -> schema.SharedRecord:
        kind = self._kinds.shared_of(one)
        if kind is None:
            raise NotStorable(type(one).__name__)
        return schema.SharedRecord(number, kind.name, self._parts(kind.dump(one)))

    def _parts(self, parts: Sequence[Any]) -> list[Any]:
        """Return values; long lists are mostly of one type, and plain."""
        types = set(map(type, parts))
        self._counted += VALUE_BYTES * len(parts)
        if not types.isdisjoint(TEXTS):
            self._counted += sum(len(part) for part in parts if type(part) in TEXTS)
        if self._counted > self._limit:
            raise OverLimit("session_bytes", allowed=self._limit, asked=self._counted)
        if self._budget is not None:
            self._budget.check_time()
        return list(parts) if types <= PLAIN else [self.value(part) for part in parts]

    def value(self, value: Any) -> Any:
        """Return a value: itself where msgpack has it, else an object with one key that says what it is."""
        if type(value) in PLAIN or (type(value) is int and -(2**63) <= value < 2**63):
            return value
        if isinstance(value, Tensor):
            return {"tensor": self.number(value)}
        if isinstance(value, Node):
            return {"node": self.number(value)}
        if self._kinds.shared_of(value) is not None:
            return {"shared": self.number(value)}
        if isinstance(value, np.ndarray):
            shown = self._in_storage(value)
            if shown is not None:
                return {"shown": shown}
        kind = self._kinds.inline_of(value)
        if kind is None:
            raise NotStorable(type(value).__name__)
        return {kind.name: self._parts(kind.dump(value))}

    def _in_storage(self, array: np.ndarray[Any, Any]) -> list[Any] | None:
        """Return the storage whose memory ``array`` shows, and where it lies there: that of a tensor, or its own."""
        known = (*self._ledger.living(Storage), *(one for one, _ in self._added.values() if isinstance(one, Storage)))
        for storage in known:
            if array.size and np.may_share_memory(array, storage.array):
                return self._place_in(storage.root, array)
        owner = engine_storage.owner_of(array)
        if not (array.size and is_tensor_dtype(array.dtype) and is_tensor_dtype(owner.dtype)):
            return None
        return self._place_in(engine_storage.of_array(owner), array)

    def _place_in(self, storage: Storage, array: np.ndarray[Any, Any]) -> list[Any]:
        self._shown.append(storage)
        return [self.number(storage), *_fields(self._layout(array, storage))]


def _inline_bytes(value: Any) -> int:
    """Return the bytes of a text or a tuple: what has no number is not counted elsewhere."""
    return value_bytes(value) if isinstance(value, tuple | str | bytes) else 0


def _fields(layout: Layout | None) -> list[Any]:
    return [] if layout is None else [layout.dtype, layout.shape, layout.strides, layout.offset]


def held_by(one: Any) -> Iterator[Any]:
    """Return the values that may change in a node or tensor: its hooks, and what a function of a program keeps."""
    if isinstance(one, Tensor):
        if one.hooks is not None:
            yield from (one.hooks.before, one.hooks.after)
    elif isinstance(one, Node):
        attached = one.attached
        if attached is not None:
            yield from (attached.pre, attached.post, attached.metadata, *attached.outputs.values())
        if isinstance(one, custom.FunctionNode):
            yield from one.static.values()
        for kept in (one.saved or {}).values():
            if isinstance(kept, tape.Packed):
                yield from (kept.packed, kept.hook)


# -- what values keep alive -----------------------------------------------------------------------------------------
def shared_within(values: Iterable[Any], kinds: ValueKinds) -> Iterator[int]:
    """Return the keys of the lists, dicts and the like that these values hold, also in each other."""
    seen: set[int] = set()
    pending = list(values)
    while pending:
        value = pending.pop()
        kind = kinds.shared_of(value)
        if kind is not None:
            if id(value) in seen:
                continue
            seen.add(id(value))
            yield id(value)
            pending.extend(kind.dump(value))
            continue
        inline = kinds.inline_of(value)
        if inline is not None and inline.name not in ("array", "scalar"):
            pending.extend(inline.dump(value))
