"""The form of a session's record: plain msgpack, every object referred to by its number.

A record is a *change*: what one run added or altered, or, where ``whole`` is set, all there is. Applying the last whole
record and the changes behind it, in order, gives the session. Numbers are given once and keep their meaning for as long
as anything refers to them, so what is shared stays shared.

Structs are written as arrays: a new field goes to the end, with a default. Fields that are not known are passed over.
Values that msgpack has not stand as an object with one key, which says what they are (``{"tensor": 3}``,
``{"dtype": "float64"}``).

While a deployment rolls, two versions share a store: each reads what the other writes. A record's schema is what its
reader must know. A new field that a reader may pass over leaves it as it is; any other change is read from one version
on (``READS``) and written from the next (``SCHEMA``). Names of ops and parameters may change: ``app.sessions.renames``.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import chain
from typing import Any, Final

import msgspec

SCHEMA: Final = 2  # of what is written: the version before this one reads it
READS: Final = 2  # the latest that can be read
Value = Any
NUMBERED: Final = ("tensor", "node", "shared")  # values that are no more than a number


class Layout(msgspec.Struct, array_like=True):
    """Where an array lies in its storage's memory. Strides and offset are in bytes."""

    dtype: str
    shape: list[int]
    strides: list[int]
    offset: int


class StorageRecord(msgspec.Struct, array_like=True):
    """A buffer with its version counter. ``root`` owns the memory: the storage itself, unless it is an alias.

    ``data`` are the bytes of the memory in memory order; ``None`` for an alias, and for a memory in blocks.
    """

    number: int
    root: int
    version: int
    dtype: str
    shape: list[int]
    strides: list[int]
    data: bytes | None


class TensorRecord(msgspec.Struct, array_like=True):
    """A tensor; ``layout`` is ``None`` where it shows its whole storage. ``note`` says why writes are refused.

    ``steps`` lead to it from its base where its layout alone does not; ``bits`` tell it from a plain one (in schema 1
    only ``weak`` did).
    """

    number: int
    storage: int
    layout: Layout | None
    requires_grad: bool
    node: int | None
    output_nr: int
    grad: int | None
    base: int | None
    seen_version: int
    retains_grad: bool
    inference: bool
    weak: bool
    note: int
    parameter: bool
    accumulator: int | None = None
    steps: Value = None
    bits: int = 0
    hooks: list[Value] | None = None  # of a leaf: on what arrives, and on what was added up
    lazy: bool = False  # a parameter or buffer whose shape is not known yet; it shows a storage without elements


class SavedRecord(msgspec.Struct, array_like=True):
    """A tensor kept for a rule; ``origin`` is the tensor it was, if that still lives.

    ``packed`` is what a hook made of it, and the hook that makes a tensor of that; ``storage`` is 0 then.
    """

    storage: int
    layout: Layout | None
    version: int
    edge: tuple[int, int] | None
    output_nr: int | None
    weak: bool
    origin: int | None = None
    bits: int = 0
    packed: list[Value] | None = None


Spec = tuple[list[int], str]


class HooksRecord(msgspec.Struct, array_like=True):
    """What hangs on a node: tables of hooks, those of ``outputs`` with their numbers, and what users noted."""

    outputs: list[tuple[int, Value]]
    pre: Value
    post: Value
    metadata: Value


class NodeRecord(msgspec.Struct, array_like=True):
    """A node, in the order of their making. An accumulator has a ``variable`` and ``specs``, and maybe hooks."""

    number: int
    variable: int | None
    op: str = ""
    static: dict[str, Value] = {}
    saved: dict[str, SavedRecord | None] | None = None
    saved_lists: dict[str, list[SavedRecord]] = {}
    edges: list[tuple[int, int] | None] = []
    specs: list[Spec] = []
    counts: list[int] = []
    written: bool = False
    retained: list[tuple[int, int]] = []
    hooks: HooksRecord | None = None


class SharedRecord(msgspec.Struct, array_like=True):
    """A value that is no part of the graph but may have several names: a list, a dict, an optimiser."""

    number: int
    kind: str
    parts: list[Value]


class Settings(msgspec.Struct, array_like=True, frozen=True):
    """What a program sets for its whole session. ``generator`` is the number of the default generator.

    ``modules``: what modules that programs import keep, as ``app.program.modules.kept`` has it.
    ``imported``: some of its nodes come from a document that a client sent, and may not be what a run would have made.
    """

    grad_enabled: bool
    inference: bool
    default_dtype: str
    print_options: tuple[int, int | float, int, int, bool | None]
    generator: int
    imported: bool = False
    modules: dict[str, Value] = {}
    anomaly: bool = False
    check_nan: bool = True


class Record(msgspec.Struct, array_like=True):
    """One change of a session, or the whole of it."""

    schema: int
    whole: bool
    storages: list[StorageRecord]
    tensors: list[TensorRecord]
    nodes: list[NodeRecord]
    shared: list[SharedRecord]
    dropped: list[str]
    names: dict[str, Value]
    settings: Settings | None


# Where an object's number stands: in a field, a list or a dict; with what stands beside it where that is a pair.
Slot = tuple[Any, Any, int, tuple[Any, ...]]
_FIELDS: Final[tuple[tuple[str, tuple[str, ...]], ...]] = (
    ("storages", ("number", "root")),
    ("tensors", ("number", "storage", "node", "grad", "base", "accumulator")),
    ("nodes", ("number", "variable")),
    ("shared", ("number",)),
)


def slots(record: Record) -> Iterator[Slot]:
    """Return the places of all numbers in a record but its settings: whose, which, the number, what is beside it."""
    for name, fields in _FIELDS:
        for one in getattr(record, name):
            yield from _of_fields(one, fields)
    for tensor in record.tensors:
        yield from _of_value(tensor.steps)
    for node in record.nodes:
        yield from _of_value(list(node.static.values()))
        for saved in [*(node.saved or {}).values(), *chain.from_iterable(node.saved_lists.values())]:
            if saved is not None:
                yield from _of_fields(saved, ("storage", "origin"))
                if saved.edge is not None:
                    yield saved, "edge", saved.edge[0], saved.edge[1:]
        for place, edge in enumerate(node.edges):
            if edge is not None:
                yield node.edges, place, edge[0], edge[1:]
        for place, (output, number) in enumerate(node.retained):
            yield node.retained, (place, output), number, ()
    for shared in record.shared:
        yield from _of_value(shared.parts)
    yield from _of_value(list(record.names.values()))


def put(slot: Slot, number: int) -> None:
    """Let another number stand in a slot."""
    owner, place, _, rest = slot
    if isinstance(owner, msgspec.Struct):
        setattr(owner, place, (number, *rest) if rest else number)
    elif type(place) is tuple:
        owner[place[0]] = place[1], number
    else:
        owner[place] = (number, *rest) if rest else number


def _of_fields(one: Any, names: tuple[str, ...]) -> Iterator[Slot]:
    for name in names:
        number = getattr(one, name)
        if number is not None:
            yield one, name, number, ()


def _of_value(value: Value) -> Iterator[Slot]:
    """Return the slots within a value, and within all that it holds: a dict in a value says what it is."""
    if isinstance(value, list | tuple):
        for item in value:
            yield from _of_value(item)
    elif isinstance(value, dict):
        for key, item in value.items():
            if key in NUMBERED and type(item) is int:
                yield value, key, item, ()
            else:
                yield from _of_value(item)


class SchemaError(Exception):
    """Not a record at all."""


class LaterSchema(SchemaError):
    """A record that only a later version reads."""


_ENCODER: Final = msgspec.msgpack.Encoder()
_DECODER: Final = msgspec.msgpack.Decoder(Record)


def encode(record: Record) -> bytes:
    """``record`` as bytes."""
    return _ENCODER.encode(record)


def decode(raw: bytes | memoryview) -> Record:
    """Return the record that ``raw`` holds. Raises ``SchemaError``."""
    try:
        record = _DECODER.decode(raw)
    except (msgspec.MsgspecError, ValueError, RecursionError) as error:  # ValueError: text that is no UTF-8
        raise SchemaError(f"not a record of a session: {error}") from None
    if record.schema > READS:
        raise LaterSchema(f"a record of the schema {record.schema}; this version reads 1 to {READS}")
    if record.schema < 1:
        raise SchemaError(f"a record of the schema {record.schema}")
    return record
