"""Records as a session again.

``Reader`` applies records to a ledger: to an empty one for a cold session, to a live one to catch up with what other
processes committed. Nothing is ever unpickled or evaluated.
"""

from __future__ import annotations

import weakref
from typing import Any

import numpy as np

from app.sessions import renames, schema
from app.sessions.ledger import Ledger, value_bytes
from app.sessions.records import NOTES, Accumulate, Bytes, Edge, Names, Node, Saved, Storage, held_by, memory_of
from app.sessions.schema import HooksRecord, Layout, NodeRecord, Record, SavedRecord, StorageRecord, TensorRecord
from app.sessions.value_kinds import Malformed, ValueKinds
from app.stores.base import BLOCK_BYTES, Block
from engine import Tensor, custom, dtypes, hooks, parameters, registry, strides, tape, tensors
from engine import storage as engine_storage


def _nothing(place: Bytes, dtype: np.dtype[Any], like: Layout | StorageRecord) -> np.ndarray[Any, Any]:
    """An array without elements at ``place``."""
    steps = tuple([step // dtype.itemsize for step in like.strides])
    return strides.placed(place.view(dtype), tuple(like.shape), steps)


class Reader:
    """Applies records, oldest first; ``finish`` when all are applied. Leaves ``names`` and ``settings``."""

    def __init__(self, ledger: Ledger, kinds: ValueKinds, names: Names, settings: schema.Settings | None) -> None:
        self._ledger, self._kinds = ledger, kinds
        self._inline = {kind.name: kind for kind in kinds.inline}
        self._shared = {kind.name: kind for kind in kinds.shared}
        self._made: dict[int, Any] = {}
        self._filled_in: list[Any] = []  # nodes and tensors
        self._filled: dict[int, Bytes] = {}  # which blocks there are of a new memory, by its number
        self.shown: list[Storage] = []  # whose memory arrays show
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
            known = self._find(tensor.number)
            if known is None:
                self._made[tensor.number] = self._bare_tensor(tensor)
            else:
                parameters.set_lazy(known, False)  # until it is filled
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
            self._attach(self._object(node.number), node.hooks)
            self._filled_in.append(self._object(node.number))
        for tensor in record.tensors:
            self._fill_tensor(self._object(tensor.number), tensor)
            self._filled_in.append(self._object(tensor.number))
            if record.schema < 2:
                _add_steps(self._object(tensor.number))
        for shared in sorted(record.shared, key=lambda one: self._shared[one.kind].rank):
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
        parameters.set_lazy(tensor, one.lazy)
        tensor._requires_grad = one.requires_grad
        tensor.node, tensor.output_number = self._optional(Node, one.node), one.output_nr
        tensor._grad, tensor.base = self._optional(Tensor, one.grad), self._optional(Tensor, one.base)
        for name in ("seen_version", "retains_grad", "inference"):
            setattr(tensor, name, getattr(one, name))
        tensor.bits = _bits(one)
        tensor.view_note, tensor.steps = NOTES[one.note], _steps(self.value(one.steps))
        tensor.hooks = None if one.hooks is None else hooks.LeafHooks(*map(self._table, one.hooks))
        tensor._accumulator = None
        if one.accumulator is not None:
            accumulator = self._of(Accumulate, one.accumulator)
            tensor.keep_accumulator(accumulator)
            if tensor.hooks is not None:
                accumulator.attach()  # so that sweeps stop to look

    def _optional(self, kind: type, number: int | None) -> Any:
        return None if number is None else self._of(kind, number)

    def _bare_node(self, one: NodeRecord) -> Node:
        if one.variable is None:
            op = registry.op(renames.op_name(one.op))
            return tape.make_node(op, {}, (), {}, (), (), getattr(op, "node_kind", Node))
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
        if isinstance(node, custom.FunctionNode) and not isinstance(node.static.get("function"), custom.Definition):
            raise Malformed("a function that is none")
        node.counts, node.is_inplace = tuple(one.counts), one.written
        node.saved = None if one.saved is None else self._all_saved(one, one.saved)
        node.retained = {output: weakref.ref(self._of(Tensor, number)) for output, number in one.retained}

    def _attach(self, node: Node, one: HooksRecord | None) -> None:
        if one is not None:
            attached = node.attach()
            attached.outputs = {output: self._table(table) for output, table in one.outputs}
            attached.pre, attached.post, attached.metadata = map(self._table, (one.pre, one.post, one.metadata))

    def _table(self, value: Any) -> dict[Any, Any]:
        table = self.value(value)
        if not isinstance(table, dict):
            raise Malformed("hooks that stand in no table")
        return table

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
        if one.packed is not None:
            packed, hook = map(self.value, one.packed)
            return tape.packed(packed, hook, self._edge(one.edge), one.output_nr)
        storage = self._of(Storage, one.storage)
        tensor = Tensor(self._shown(one.layout, storage), storage)
        tensor.bits = _bits(one)
        saved = tape.save(tensor, self._edge(one.edge), one.output_nr)
        saved.version = one.version
        if one.origin is not None and self._find(one.origin) is not None:
            saved.origin = weakref.ref(self._of(Tensor, one.origin))
            storage.left = True  # or may be: that tensor can have been given other data since
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
            storage = self._of(Storage, number)
            self.shown.append(storage)
            engine_storage.share(storage)
            return self._shown(Layout(*layout) if layout else None, storage)
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
        for one in self._filled_in:
            if next(held_by(one), None) is not None:
                self._ledger.hold(one)


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
