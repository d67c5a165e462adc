"""Documents of sessions, as hostile as any input: what a record claims is looked at before anything is made of it.

A record that a session was exported as passes. Of any other, numbers, references, names and types are as a reader needs
them, and sizes are summed before memory is asked for; whether the parts then make sense together, only using them can
tell, and what breaks there is refused where it is noticed.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from math import prod
from typing import Any, Final

import numpy as np

from app.limits import Limits, OverLimit
from app.program.modules.kept import Unusable
from app.program.modules.kept import load as load_modules
from app.program.tree import is_name
from app.sessions import renames
from app.sessions.ledger import NODE_BYTES, TENSOR_BYTES
from app.sessions.schema import Layout, NodeRecord, Record, SavedRecord, SharedRecord, StorageRecord, TensorRecord
from app.sessions.value_kinds import Malformed, ValueKinds, array_dtype
from engine import custom, dtypes, registry, tensors

VALUE_BYTES: Final = 128  # a session has a value of a record for each so many of its bytes, at most
MOST_NUMBER: Final = 2**48  # of an object: there is room for those that come later
MOST_VERSION: Final = 2**48
MOST_OPTION: Final = 10_000  # of digits, columns and elements that are printed
SOURCES: Final = 10  # texts of lambdas together, in programs
DEPTH: Final = 200  # of tuples in each other
BITS: Final = (0, tensors.WEAK, tensors.CONJ, tensors.NEG, tensors.LAZY)
NOTES: Final = 5
_HEX: Final = re.compile(r"-?0x[0-9a-f]+")
_VIEWS: Final = ("view", "base")  # the places in nodes of writes through views
_PLACES: Final = re.compile(r".*_geometry|source|target")
_EXTENTS: Final = re.compile(r"(.*_)?(size|shape|repeats)")

# The head of a msgpack value: bytes of its length or of its content, and whether the length counts bytes or values.
_FIXED: Final = {0xCA: 4, 0xCB: 8, 0xCC: 1, 0xCD: 2, 0xCE: 4, 0xCF: 8, 0xD0: 1, 0xD1: 2, 0xD2: 4, 0xD3: 8,
                 0xD4: 2, 0xD5: 3, 0xD6: 5, 0xD7: 9, 0xD8: 17}  # fmt: skip
_COUNTED: Final = {0xC4: (1, 0), 0xC5: (2, 0), 0xC6: (4, 0), 0xC7: (1, 1), 0xC8: (2, 1), 0xC9: (4, 1),
                   0xD9: (1, 0), 0xDA: (2, 0), 0xDB: (4, 0)}  # fmt: skip
_LISTED: Final = {0xDC: (2, 1), 0xDD: (4, 1), 0xDE: (2, 2), 0xDF: (4, 2)}


def check_count(raw: bytes, limits: Limits) -> None:
    """Raise ``OverLimit`` if msgpack has more values than a session of the largest size: each becomes an object."""
    most = limits.session_bytes // VALUE_BYTES
    place, waiting, seen, end = 0, 1, 0, len(raw)
    while waiting and place < end:
        head = raw[place]
        place, waiting, seen = place + 1, waiting - 1, seen + 1
        if head < 0x80 or head >= 0xE0:
            continue
        if head < 0xA0:
            waiting += head & 15 if head >= 0x90 else 2 * (head & 15)
        elif head < 0xC0:
            place += head & 31
        elif head in _LISTED:
            width, values = _LISTED[head]
            waiting += values * int.from_bytes(raw[place : place + width])
            place += width
        elif head in _COUNTED:
            width, more = _COUNTED[head]
            place += width + more + int.from_bytes(raw[place : place + width])
        else:
            place += _FIXED.get(head, 0)
        if seen + waiting > most:
            raise OverLimit("session_values", allowed=most, asked=seen + waiting)


def vet(record: Record, limits: Limits, kinds: ValueKinds) -> None:
    """Raise ``Malformed``, or ``OverLimit``, for a whole record that nothing should be made of."""
    _Vetting(record, limits, kinds).run()


def _require(holds: object, what: str) -> None:
    if not holds:
        raise Malformed(what)


def _is_int(value: object) -> bool:
    return type(value) is int


def _dtype(name: object) -> dtypes.DType:
    try:
        return dtypes.by_name(name)  # type: ignore[arg-type]
    except (KeyError, TypeError):
        raise Malformed("a dtype that does not exist") from None


def _array_dtype(name: object) -> np.dtype[Any]:
    try:
        return array_dtype(name)
    except (KeyError, TypeError):
        raise Malformed("a dtype that does not exist") from None


class _Vetting:
    """The objects of one record, by number, and what they take together."""

    def __init__(self, record: Record, limits: Limits, kinds: ValueKinds) -> None:
        self._record, self._limits = record, limits
        self._storages = {one.number: one for one in record.storages}
        self._tensors = {one.number: one for one in record.tensors}
        self._nodes = {one.number: one for one in record.nodes}
        self._places = {one.number: place for place, one in enumerate(record.nodes)}
        self._shared = {one.number: one for one in record.shared}
        self._objects: dict[str, Mapping[int, Any]] = {
            "tensor": self._tensors, "node": self._nodes, "shared": self._shared,
        }  # fmt: skip
        self._inline = {kind.name for kind in kinds.inline}
        self._kinds = {kind.name for kind in kinds.shared}
        self._nbytes = self._source_length = 0
        self._checks: dict[str, Callable[[list[Any]], None]] = {
            "array": self._check_array, "scalar": self._check_array, "geometry": self._check_geometry,
            "integer": self._check_integer, "range": self._check_range,
        }  # fmt: skip

    def run(self) -> None:
        record, limits = self._record, self._limits
        _require(record.whole and record.settings is not None, "a part of a session only")
        self._check_numbers()
        self._add(len(record.nodes) * NODE_BYTES + len(record.tensors) * TENSOR_BYTES)
        for storage in record.storages:  # first, for everything else shows them
            self._check_storage(storage)
        for tensor in record.tensors:
            self._check_tensor(tensor)
        for node in record.nodes:
            self._check_node(node)
        for shared in record.shared:
            self._check_shared(shared)
        if len(record.names) > limits.session_names:
            raise OverLimit("session_names", allowed=limits.session_names, asked=len(record.names))
        for name, value in record.names.items():
            _require(is_name(name), "a name that cannot be one")
            self._check_value(value)
        self._check_settings()

    def _check_numbers(self) -> None:
        record = self._record
        listed = (record.storages, record.tensors, record.nodes, record.shared)
        numbers = [one.number for objects in listed for one in objects]
        _require(len(set(numbers)) == len(numbers), "two objects under one number")
        _require(all(0 < number < MOST_NUMBER for number in numbers), "a number beyond all numbers")

    def _add(self, nbytes: int) -> None:
        self._nbytes += nbytes
        if self._nbytes > self._limits.session_bytes:
            raise OverLimit("session_bytes", allowed=self._limits.session_bytes, asked=self._nbytes)

    # -- memory -----------------------------------------------------------------------------------------------------
    def _check_extents(self, shape: Sequence[Any]) -> int:
        """Return how many elements there are."""
        _require(len(shape) <= self._limits.rank, "too many dimensions")
        _require(all(_is_int(extent) and extent >= 0 for extent in shape), "an extent that is none")
        count: int = prod(shape)
        if count > self._limits.tensor_elements:
            raise OverLimit("tensor_elements", allowed=self._limits.tensor_elements, asked=count)
        _require(max(shape, default=0) <= self._limits.tensor_elements, "an extent beyond all limits")
        return count

    def _check_storage(self, one: StorageRecord) -> None:
        itemsize = _dtype(one.dtype).itemsize
        nbytes = self._check_extents(one.shape) * itemsize
        _require(len(one.strides) == len(one.shape) and min(one.strides, default=0) >= 0, "strides of another shape")
        _require(0 <= one.version < MOST_VERSION, "a version that cannot be")
        if one.root == one.number:
            _require(one.data is not None and len(one.data) == nbytes, "a memory of another size than its storage")
            self._add(nbytes)
        else:
            root = self._storages.get(one.root)
            _require(root is not None and root.root == root.number and one.data is None, "an alias of no storage")

    def _check_layout(self, layout: Layout | None, storage: int) -> None:
        """Where a tensor lies. That it is inside its memory, NumPy sees to."""
        _require(storage in self._storages, "a storage that is not there")
        if layout is None:
            return
        itemsize = _dtype(layout.dtype).itemsize
        self._check_extents(layout.shape)
        root = self._storages[self._storages[storage].root]
        end = MOST_NUMBER if 0 in layout.shape else len(root.data or b"")
        _require(0 <= layout.offset <= end, "a place outside of its memory")
        _require(len(layout.strides) == len(layout.shape), "strides of another shape")
        _require(all(0 <= step < MOST_NUMBER for step in layout.strides), "a stride that cannot be")
        _require(not any(step % itemsize for step in (*layout.strides, layout.offset)), "a place between elements")

    # -- tensors and nodes ------------------------------------------------------------------------------------------
    def _check_tensor(self, one: TensorRecord) -> None:
        self._check_layout(one.layout, one.storage)
        _require(not one.lazy or (one.layout, one.node, one.grad, one.base) == (None,) * 4, "a shape that is not known")
        dtype = _dtype(one.layout.dtype if one.layout is not None else self._storages[one.storage].dtype)
        _require(dtype.is_differentiable or not one.requires_grad, "a gradient of integers")
        for number in (one.grad, one.base):
            _require(number is None or (number in self._tensors and number != one.number), "a tensor that is not there")
        _require(one.base is None or self._tensors[one.base].base is None, "a view of a view")
        if one.node is not None:
            self._check_edge((one.node, one.output_nr))
        if one.accumulator is not None:
            node = self._nodes.get(one.accumulator)
            _require(node is not None and node.variable is not None, "an accumulator that is none")
        _require(0 <= one.note < NOTES and one.bits in BITS, "a tensor of an unknown sort")
        _require(0 <= one.seen_version < MOST_VERSION, "a version that cannot be")
        self._check_steps(one.steps)
        self._check_hooks(one.hooks or ())

    def _check_steps(self, steps: Any) -> None:
        if steps is None:
            return
        self._check_value(steps)
        for step in _tuple(steps):
            name, *arguments = _tuple(step)
            op = registry.find_op(renames.op_name(name)) if isinstance(name, str) else None
            _require(op is not None and getattr(getattr(op, "nature", None), "view", False), "a step that is no view")
            if len(arguments) == 3:
                self._check_place(*arguments)

    def _check_edge(self, edge: Any, place: int | None = None) -> None:
        number, output = edge
        node = self._nodes.get(number)
        _require(node is not None and 0 <= output < len(node.specs), "an edge to what no node gives")
        _require(place is None or self._places[number] < place, "an edge to a later node")

    def _check_node(self, one: NodeRecord) -> None:
        for shape, name in one.specs:
            self._check_extents(shape)
            _dtype(name)
        if one.variable is not None:
            _require(one.variable in self._tensors and len(one.specs) == 1, "an accumulator of no tensor")
            self._check_attached(one)
            return
        name = renames.op_name(one.op)
        op = registry.find_op(name)
        _require(hasattr(op, "pull_back"), "an op that does not exist")
        place = self._places[one.number]
        for edge in one.edges:
            if edge is not None:
                self._check_edge(edge, place)
        _require(all(0 <= count <= self._limits.list_items for count in one.counts), "a number of edges that cannot be")
        for output, number in one.retained:
            _require(0 <= output < len(one.specs) and number in self._tensors, "a tensor that is not there")
        saved = [kept for kept in (one.saved or {}).values() if kept is not None]
        for kept in (*saved, *(kept for listed in one.saved_lists.values() for kept in listed)):
            self._check_saved(kept, place)
        self._check_static(renames.parameters(name, one.static), op, place)
        self._check_attached(one)
        if op is custom.OP:
            self._check_function(one)

    def _check_function(self, one: NodeRecord) -> None:
        """A function of a program: all that its node has, and as many of each as belong together."""
        static = one.static
        _require(static.keys() >= set(custom.OP.static_names), "a function that lacks something")
        self._check_hooks([static["attributes"]])
        tensors, needs, outputs = (_tuple(static[name]) for name in ("tensors", "needs", "outputs"))
        flags = (*tensors, *needs, *outputs, static["materialize"])
        _require(all(isinstance(flag, bool) for flag in flags), "a function of something else than tensors")
        is_whole = len(tensors) == len(needs) and sum(tensors) == len(one.edges) and len(outputs) == len(one.specs)
        _require(is_whole, "a function of other arguments or results")
        kept = static["kept"]
        _require(_is_int(kept) and 0 <= kept <= self._limits.list_items, "a number of tensors that cannot be")
        saved = one.saved
        _require(saved is None or all(str(place) in saved for place in range(kept)), "a tensor that is not there")
        _require(isinstance(static["function"], dict), "a function that is none")

    def _check_attached(self, one: NodeRecord) -> None:
        if one.hooks is not None:
            _require(all(0 <= output < len(one.specs) for output, _ in one.hooks.outputs), "hooks of no output")
            tables = [table for _, table in one.hooks.outputs]
            self._check_hooks((*tables, one.hooks.pre, one.hooks.post, one.hooks.metadata))

    def _check_hooks(self, tables: Sequence[Any]) -> None:
        """Tables of hooks are dicts; what is in them, calling it shows."""
        for table in tables:
            self._check_value(table)
            number = table.get("shared") if isinstance(table, dict) else None
            _require(number in self._shared and self._shared[number].kind == "dict", "hooks that stand in no table")

    def _check_saved(self, one: SavedRecord, place: int) -> None:
        if one.packed is not None:
            _require(len(one.packed) == 2, "a packed tensor of other parts")
            for part in one.packed:
                self._check_value(part)
        else:
            self._check_layout(one.layout, one.storage)
        _require(one.bits in BITS and -1 <= one.version < MOST_VERSION, "a saved tensor of an unknown sort")
        _require(one.origin is None or one.origin in self._tensors, "a tensor that is not there")
        _require(one.output_nr is None or 0 <= one.output_nr < MOST_NUMBER, "an output that cannot be")
        if one.edge is not None:
            self._check_edge(one.edge, place)

    def _check_static(self, static: Mapping[str, Any], op: Any, place: int) -> None:
        known = _names_of(op)
        for name, value in static.items():
            _require(name in known, "a parameter that the op does not have")
            self._check_value(value)
            if name.endswith("_shapes") and isinstance(value, dict) and "shared" in value:
                for shape in self._shared[value["shared"]].parts:
                    self._check_extents(_tuple(shape))
            elif isinstance(value, dict) and _EXTENTS.fullmatch(name):
                self._check_extents([extent for extent in _tuple(value) if extent != -1])
            elif isinstance(value, dict) and "tuple" in value and _PLACES.fullmatch(name):
                self._check_geometry(_tuple(value))
        if {"size", "stride", "storage_offset"} <= static.keys():
            self._check_place(static["size"], static["stride"], static["storage_offset"] or 0)
        if "inner" in static:
            inner = static["inner"]
            number = inner.get("node") if isinstance(inner, dict) else None
            is_node = isinstance(number, int) and number in self._nodes and self._nodes[number].variable is None
            _require(is_node, "a write that is no node")
            _require(self._places[inner["node"]] < place, "a write that came later")

    def _check_place(self, size: Any, stride: Any, offset: Any) -> None:
        """Sizes, strides and an offset, in elements: their span is memory when gradients go through."""
        sizes, steps = _tuple(size), _tuple(stride)
        self._check_extents(sizes)
        _require(len(steps) == len(sizes) and _is_int(offset) and offset >= 0, "strides of another shape")
        _require(all(_is_int(step) and 0 <= step < MOST_NUMBER for step in steps), "a stride that cannot be")
        end = offset + sum((extent - 1) * step for extent, step in zip(sizes, steps, strict=True) if extent)
        if end >= self._limits.tensor_elements:
            raise OverLimit("tensor_elements", allowed=self._limits.tensor_elements, asked=end + 1)

    # -- values -----------------------------------------------------------------------------------------------------
    def _check_shared(self, one: SharedRecord) -> None:
        _require(one.kind in self._kinds, "a value of an unknown kind")
        _require(len(one.parts) <= 2 * self._limits.list_items, "a list that is too long")
        for part in one.parts:
            self._check_value(part)
        if one.kind in ("lambda", "source"):
            source, allowed = one.parts[:1], SOURCES * self._limits.code_length
            _require(source and isinstance(source[0], str), "a function without a text")
            self._source_length += len(source[0])
            if self._source_length > allowed:
                raise OverLimit("code_length", allowed=allowed, asked=self._source_length)

    def _check_value(self, value: Any, depth: int = 0) -> None:
        if not isinstance(value, dict):
            _require(value is None or type(value) in (bool, int, float, str, bytes), "a value without a kind")
            return
        _require(len(value) == 1 and depth < DEPTH, "a value of no kind, or too deep")
        ((kind, content),) = value.items()
        if kind in self._objects:
            _require(_is_int(content) and content in self._objects[kind], "a reference to nothing")
            return
        _require(isinstance(content, list) and len(content) <= self._limits.list_items, "a value that is too long")
        if kind == "shown":
            self._check_shown(content)
            return
        _require(kind in self._inline, "a value of an unknown kind")
        if kind in self._checks:
            self._checks[kind](content)
        for part in content if kind not in ("array", "scalar") else ():
            self._check_value(part, depth + 1)

    def _check_shown(self, content: list[Any]) -> None:
        _require(
            len(content) in (1, 5) and _is_int(content[0]) and content[0] in self._storages, "a reference to nothing"
        )
        if len(content) == 5:
            _, name, shape, steps, offset = content
            _dtype(name)
            _require(isinstance(shape, list) and isinstance(steps, list) and _is_int(offset), "a place that is none")
            self._check_extents(shape)
            _require(all(_is_int(step) and abs(step) < MOST_NUMBER for step in steps), "a stride that cannot be")

    def _check_array(self, content: list[Any]) -> None:
        _require(len(content) == 3, "an array of other parts")
        name, shape, data = content
        extents = _tuple(shape)
        nbytes = self._check_extents(extents) * _array_dtype(name).itemsize
        _require(isinstance(data, bytes) and len(data) == nbytes, "an array of another size than its memory")
        self._add(nbytes)

    def _check_geometry(self, content: Sequence[Any]) -> None:
        _require(len(content) == 3, "a place of other parts")
        self._check_place(*content)

    def _check_integer(self, content: list[Any]) -> None:
        longest = self._limits.integer_bits // 4 + len("-0x")
        is_text = len(content) == 1 and isinstance(content[0], str) and len(content[0]) <= longest
        _require(is_text and _HEX.fullmatch(content[0]), "an integer that is none")

    def _check_range(self, content: list[Any]) -> None:
        _require(len(content) == 3 and all(map(_is_int, content)) and content[2], "a range that is none")
        start, stop, step = content
        _require(-((start - stop) // step) <= self._limits.list_items, "a range that is too long")

    def _check_settings(self) -> None:
        settings = self._record.settings
        assert settings is not None  # seen above
        _require(_dtype(settings.default_dtype).is_floating_point, "a default dtype that cannot be one")
        precision, threshold, edgeitems, linewidth, _ = settings.print_options
        numbers = (precision, edgeitems, linewidth)
        _require(
            all(0 <= number <= MOST_OPTION for number in numbers) and threshold >= 0, "a print option beyond all use"
        )
        try:
            load_modules(settings.modules)
        except Unusable:
            raise Malformed("what no module keeps") from None
        generator = self._shared.get(settings.generator)
        _require(generator is not None and generator.kind == "generator", "a session without a generator")


def _tuple(value: Any) -> Sequence[Any]:
    """Return the parts of a tuple, a size or a geometry in a record."""
    if isinstance(value, dict) and len(value) == 1:
        for kind in ("tuple", "size", "geometry"):
            if kind in value:
                return value[kind]  # type: ignore[no-any-return]
    raise Malformed("no tuple where one belongs")


def _names_of(op: Any) -> Iterable[str]:
    """Return the static arguments that a node of this op may have."""
    op = getattr(op, "op", op)  # of an overload for numbers
    if not hasattr(op, "static_names"):
        return ("inner", *_VIEWS, "bits", "grad_fn")
    return {*op.static_names, "grad_fn", *(name for rule in op.rules for name in rule.shapes)}
