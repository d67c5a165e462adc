"""A session's changes as records, and records as a session again.

``Writer`` finds what a run made or altered: it starts from the names that were rebound and the objects that the run's
journal touched, and goes on through what is not numbered yet. So a run costs what it changes, whatever the session
holds. ``Reader`` applies records to a ledger: to an empty one for a cold session, to a live one to catch up with what
other processes committed. Nothing is ever unpickled or evaluated.
"""

from __future__ import annotations

import weakref
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

import numpy as np

from app.sessions import renames, schema
from app.sessions.ledger import Ledger, in_blocks, value_bytes, weight
from app.sessions.schema import Layout, NodeRecord, Record, SavedRecord, StorageRecord, TensorRecord
from app.sessions.value_kinds import Malformed, NotStorable, ValueKinds
from app.stores.base import BLOCK_BYTES, Block, Change
from engine import Tensor, dtypes, modes, registry, strides, tape, tensors
from engine import storage as engine_storage

Storage = engine_storage.Storage
Accumulate = tape.Accumulate
Edge = tape.Edge
Node = tape.Node
Saved = tape.Saved
Bytes = np.ndarray[Any, Any]
Names = dict[str, Any]

# By identity: the engine tells them apart so.
NOTES: Final = (None, tensors.MULTIPLE, tensors.NO_GRAD, tensors.INFERENCE_MODE)
PLAIN: Final = frozenset({type(None), bool, str, float, bytes})  # what msgpack has
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
    kept: set[int] | None = None  # the keys of all that a whole record holds


@dataclass(slots=True)
class Before:
    """The session as it was committed last."""

    names: Names
    settings: schema.Settings | None
    imported: bool = False


class Writer:
    """Writes one change."""

    def __init__(self, ledger: Ledger, kinds: ValueKinds, *, whole: bool, blocks: bool = True) -> None:
        self._ledger, self._kinds, self._whole, self._in_blocks = ledger, kinds, whole, blocks
        self._next = ledger.next
        self._added: dict[int, tuple[Any, int]] = {}  # by key
        self._seen: dict[int, Any] = {}  # what is written, or waits to be
        self._pending: deque[tuple[Any, int]] = deque()
        self._blocks: list[Block] = []
        self._late: list[Callable[[], None]] = []  # weak references, which wait for what else turns out to be reached
        self._nodes: list[tuple[int, NodeRecord]] = []
        self._values: dict[int, int] = {}
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
        return Draft(change, added, settings, nbytes, self._values, kept)

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
        record = TensorRecord(
            number,
            self.number(tensor.storage),
            self._layout(tensor.array, tensor.storage),
            tensor._requires_grad,
            self._optional(tensor.node),
            tensor.output_nr,
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
        )
        accumulator = tensor.accumulator()
        if accumulator is not None:
            self._late.append(lambda: setattr(record, "accumulator", self._number_if_reached(accumulator)))
        return record

    def _optional(self, one: Any) -> int | None:
        return None if one is None else self.number(one)

    def _node(self, node: Node, number: int) -> NodeRecord:
        specs = [(list(shape), dtypes.from_numpy(dtype).name) for shape, dtype in node.specs]
        if isinstance(node, Accumulate):
            return NodeRecord(number, self.number(node.variable), specs=specs)
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
        )
        if node.retained:
            self._late.append(lambda: setattr(record, "retained", self._retained(node)))
        return record

    def _retained(self, node: Node) -> list[tuple[int, int]]:
        pairs = ((output, self._number_if_reached(tensor())) for output, tensor in node.retained.items())
        return [(output, number) for output, number in pairs if number is not None]

    def _edge(self, edge: Edge | None) -> tuple[int, int] | None:
        return None if edge is None else (self.number(edge[0]), edge[1])

    def _saved(self, kept: Saved | None) -> SavedRecord | None:
        return None if kept is None else self._kept(kept)

    def _kept(self, kept: Saved) -> SavedRecord:
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
        return schema.SharedRecord(number, kind.name, [self.value(part) for part in kind.dump(one)])

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
        return {kind.name: [self.value(part) for part in kind.dump(value)]}

    def _in_storage(self, array: np.ndarray[Any, Any]) -> list[Any] | None:
        """Return the storage of a tensor that ``array`` (``x.numpy()``) shows, and where it lies there."""
        known = (*self._ledger.living(Storage), *(one for one, _ in self._added.values() if isinstance(one, Storage)))
        for storage in known:
            if array.size and np.may_share_memory(array, storage.array):
                layout = self._layout(array, storage.root)
                return [self.number(storage.root), *_fields(layout)]
        return None


def _inline_bytes(value: Any) -> int:
    """Return the bytes of a text, or of texts in tuples: what has no number is not counted elsewhere."""
    if isinstance(value, tuple):
        return sum(map(_inline_bytes, value))
    return value_bytes(value) if isinstance(value, str | bytes) else 0


def _fields(layout: Layout | None) -> list[Any]:
    return [] if layout is None else [layout.dtype, layout.shape, layout.strides, layout.offset]


def _nothing(place: Bytes, dtype: np.dtype[Any], like: Layout | StorageRecord) -> np.ndarray[Any, Any]:
    """An array without elements at ``place``."""
    steps = tuple([step // dtype.itemsize for step in like.strides])
    return strides.placed(place.view(dtype), tuple(like.shape), steps)


# -- and back -------------------------------------------------------------------------------------------------------
class Reader:
    """Applies records, oldest first; ``finish`` when all are applied. Leaves ``names`` and ``settings``."""

    def __init__(self, ledger: Ledger, kinds: ValueKinds, names: Names, settings: schema.Settings | None) -> None:
        self._ledger, self._kinds = ledger, kinds
        self._inline = {kind.name: kind for kind in kinds.inline}
        self._shared = {kind.name: kind for kind in kinds.shared}
        self._made: dict[int, Any] = {}
        self._filled: dict[int, Bytes] = {}  # which blocks there are of a new memory, by its number
        self.names, self.settings = names, settings

    def apply(self, record: Record) -> None:
        """Make what is new, then fill in what is new or changed, for objects refer to each other.

        Raises ``Malformed`` for records that do not fit together.
        """
        try:
            self._make(record)
            self._fill(record)
        except (
            ArithmeticError, AttributeError, LookupError, RecursionError, TypeError, ValueError,
        ) as error:  # fmt: skip
            raise Malformed(f"a record that does not fit: {type(error).__name__}") from error

    def _make(self, record: Record) -> None:
        for one in sorted(record.storages, key=lambda one: one.number != one.root):  # owners before their aliases
            self._make_storage(one)
        for tensor in record.tensors:
            if self._find(tensor.number) is None:
                self._made[tensor.number] = self._bare_tensor(tensor)
        for shared in record.shared:
            if self._find(shared.number) is None:
                self._made[shared.number] = self._shared[shared.kind].make(shared.parts)
        for node in record.nodes:
            if self._find(node.number) is None:
                self._made[node.number] = self._bare_node(node)

    def _fill(self, record: Record) -> None:
        for node in record.nodes:
            if node.variable is None:
                self._fill_node(self._object(node.number), node)
        for tensor in record.tensors:
            self._fill_tensor(self._object(tensor.number), tensor)
            if record.schema < 2:
                _add_steps(self._object(tensor.number))
        for shared in record.shared:
            kind = self._shared[shared.kind]
            kind.fill(self._object(shared.number), [self.value(part) for part in shared.parts])
            self._ledger.values[shared.number] = value_bytes(shared.parts)
        for name in record.dropped:
            self.names.pop(name, None)
        self.names.update((name, self.value(value)) for name, value in record.names.items())
        self.settings = record.settings or self.settings

    def _find(self, number: int) -> Any:
        made = self._made.get(number)
        return self._ledger.get(number) if made is None else made

    def _object(self, number: int) -> Any:
        found = self._find(number)
        if found is None:
            raise Malformed("a number that nothing stands under")
        return found

    def _of(self, kind: type, number: int) -> Any:
        found = self._object(number)
        if not isinstance(found, kind):
            raise Malformed(f"a number under which no {kind.__name__} stands")
        return found

    # -- storages ---------------------------------------------------------------------------------------------------
    def _make_storage(self, one: StorageRecord) -> None:
        storage = self._find(one.number)
        if storage is None:
            storage = self._made[one.number] = self._new_storage(one)
        elif one.data is not None:
            memory_of(storage)[:] = np.frombuffer(one.data, np.uint8)
        storage.version = one.version

    def _new_storage(self, one: StorageRecord) -> Storage:
        if one.root != one.number:
            return self._of(Storage, one.root).alias()  # type: ignore[no-any-return]
        dtype = dtypes.by_name(one.dtype).numpy
        nbytes = dtype.itemsize * tensors.Size(one.shape).numel()
        if one.data is None:
            self._filled[one.number] = np.zeros(-(-nbytes // BLOCK_BYTES), bool)
        elif len(one.data) != nbytes:
            raise Malformed("a memory of another size than its storage")
        memory = bytearray(nbytes) if one.data is None else bytearray(one.data)
        if not nbytes:
            return engine_storage.make_storage(_nothing(np.empty(0, np.uint8), dtype, one))
        storage = engine_storage.make_storage(np.ndarray(one.shape, dtype, memory, 0, one.strides))
        if storage.flat.base is None:
            raise Malformed("a storage with gaps")
        return storage

    def fill_block(self, block: Block) -> None:
        """Put a block where it belongs."""
        storage = self._find(block.memory)
        if storage is None:
            return  # the memory of an object that died since
        memory, start = memory_of(storage), block.number * BLOCK_BYTES
        if start + len(block.data) > memory.nbytes:
            raise Malformed("a block beyond the end of its memory")
        memory[start : start + len(block.data)] = np.frombuffer(block.data, np.uint8)
        if block.memory in self._filled:
            self._filled[block.memory][block.number : block.end] = True

    def _shown(self, layout: Layout | None, storage: Storage) -> np.ndarray[Any, Any]:
        if layout is None:
            return storage.array
        dtype = dtypes.by_name(layout.dtype).numpy
        if 0 in layout.shape:  # its place may be anywhere
            return _nothing(strides.placed(memory_of(storage), (0,), (1,), layout.offset), dtype, layout)
        return np.ndarray(layout.shape, dtype, memory_of(storage), layout.offset, layout.strides)

    # -- tensors and nodes ------------------------------------------------------------------------------------------
    def _bare_tensor(self, one: TensorRecord) -> Tensor:
        storage = self._of(Storage, one.storage)
        tensor = Tensor(self._shown(one.layout, storage), storage)
        return tensors.Parameter(tensor, False) if one.parameter else tensor

    def _fill_tensor(self, tensor: Tensor, one: TensorRecord) -> None:
        storage = self._of(Storage, one.storage)
        tensor.array, tensor.storage, tensor.odd = self._shown(one.layout, storage), storage, True
        tensor._requires_grad = one.requires_grad
        tensor.node, tensor.output_nr = self._optional(Node, one.node), one.output_nr
        tensor._grad, tensor.base = self._optional(Tensor, one.grad), self._optional(Tensor, one.base)
        for name in ("seen_version", "retains_grad", "inference"):
            setattr(tensor, name, getattr(one, name))
        tensor.bits = _bits(one)
        tensor.view_note, tensor.steps = NOTES[one.note], _steps(self.value(one.steps))
        tensor._accumulator = None
        if one.accumulator is not None:
            tensor.keep_accumulator(self._of(Accumulate, one.accumulator))

    def _optional(self, kind: type, number: int | None) -> Any:
        return None if number is None else self._of(kind, number)

    def _bare_node(self, one: NodeRecord) -> Node:
        if one.variable is None:
            return tape.make_node(registry.op(renames.op_name(one.op)), {}, (), {}, (), ())
        leaf = self._of(Tensor, one.variable)
        node = tape.make_accumulator(leaf)
        node.specs = _specs(one)
        leaf.keep_accumulator(node)
        return node

    def _fill_node(self, node: Node, one: NodeRecord) -> None:
        static = renames.parameters(node.op.name, one.static)
        node.static = {name: self.value(value) for name, value in static.items()}
        node.edges = tuple(self._edge(edge, node) for edge in one.edges)
        node.specs = _specs(one)
        node.counts, node.is_inplace = tuple(one.counts), one.written
        node.saved = None if one.saved is None else self._all_saved(one, one.saved)
        node.retained = {output: weakref.ref(self._of(Tensor, number)) for output, number in one.retained}

    def _all_saved(self, one: NodeRecord, saved: dict[str, SavedRecord | None]) -> dict[str, Any]:
        single = {name: None if kept is None else self._saved(kept) for name, kept in saved.items()}
        lists = {name: [self._saved(kept) for kept in listed] for name, listed in one.saved_lists.items()}
        return dict(renames.parameters(renames.op_name(one.op), single | lists))

    def _edge(self, edge: tuple[int, int] | None, node: Node | None = None) -> Edge | None:
        if edge is None:
            return None
        before = self._of(Node, edge[0])
        if node is not None and before.sequence >= node.sequence:
            raise Malformed("an edge to a later node")
        return before, edge[1]

    def _saved(self, one: SavedRecord) -> Saved:
        storage = self._of(Storage, one.storage)
        tensor = Tensor(self._shown(one.layout, storage), storage)
        tensor.bits = _bits(one)
        saved = tape.save(tensor, self._edge(one.edge), one.output_nr)
        saved.version = one.version
        if one.origin is not None and self._find(one.origin) is not None:
            saved.origin = weakref.ref(self._of(Tensor, one.origin))
        return saved

    # -- values -----------------------------------------------------------------------------------------------------
    def value(self, value: Any) -> Any:
        """Return the value that ``Writer.value`` wrote."""
        if not isinstance(value, dict):
            return value
        ((kind, content),) = value.items()
        if kind == "tensor":
            return self._of(Tensor, content)
        if kind == "node":
            return self._of(Node, content)
        if kind == "shared":
            return self._shared_value(content)
        if kind == "shown":
            number, *layout = content
            return self._shown(Layout(*layout) if layout else None, self._of(Storage, number))
        return self._inline[kind].load([self.value(part) for part in content])

    def _shared_value(self, number: int) -> Any:
        found = self._object(number)
        if self._kinds.shared_of(found) is None:
            raise Malformed("a number under which no value stands")
        return found

    def finish(self) -> None:
        """Enter into the ledger what is new. Raises ``Malformed`` if a memory has not got all its blocks."""
        if not all(filled.all() for filled in self._filled.values()):
            raise Malformed("a memory without all its blocks")
        for number, one in self._made.items():
            self._ledger.add(one, number)


def _specs(one: NodeRecord) -> tuple[Any, ...]:
    """Shape and array dtype of each output."""
    return tuple((tuple(shape), dtypes.by_name(name).numpy) for shape, name in one.specs)


def _steps(stored: tuple[tuple[Any, ...], ...] | None) -> tuple[tuple[Any, ...], ...] | None:
    return stored and tuple([(renames.op_name(name), *arguments) for name, *arguments in stored])


def _bits(one: TensorRecord | SavedRecord) -> int:
    return tensors.WEAK if one.weak else one.bits


def _add_steps(view: Tensor) -> None:
    """Add what schema 1 left to be concluded from the dtypes of a view and its base."""
    base = view.base
    if base is None or base.dtype.is_complex == view.dtype.is_complex:
        return
    if base.dtype.is_complex:
        numbers: tuple[tuple[Any, ...], ...] = (("view_as_real",),)
    else:
        pairs = ("as_strided", (base.storage.array.size // 2, 2), (2, 1), 0)
        numbers = (pairs, ("view_as_complex",))
    view.steps = (*numbers, ("as_strided", *view.geometry))


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
