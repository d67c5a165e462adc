"""A run request taken apart without reading its program: what is computed with, and what says how.

The parts that say how (nodes or code, names, flags) stay as they came: as bytes they are the key of a plan. Whatever is
not plain here is read the usual way, so that one reader finds every mistake and has the words for it.
"""

from __future__ import annotations

import math
from collections.abc import Hashable, Iterator
from dataclasses import dataclass
from typing import Any, Final, NamedTuple

import msgspec
import numpy as np
import orjson
from msgspec import UNSET, Raw, UnsetType

from app.limits import Limits, OverLimit
from app.wire import codec, numbers, repetition
from app.wire.arrays import ArrayError, decode_tensor
from app.wire.messages import WireEncoding
from engine import dtypes, errors

KEY_BYTES: Final = 2**17  # a program that is longer is not worth a key
Array = np.ndarray[Any, Any]
Leaf = tuple[Array, bool, int]  # whether it requires grad, and how many members the object has that says so
Spec = tuple[tuple[int, ...], np.dtype[Any], tuple[int, ...], bool]  # shape, dtype, strides, and that
MISTAKES: Final = (
    msgspec.MsgspecError, codec.CodecError, ArrayError, OverLimit, LookupError, ValueError, RecursionError,
)  # fmt: skip


class _Root(msgspec.Struct, forbid_unknown_fields=True):
    tensor: str
    gradient: Raw | UnsetType = UNSET


class _Envelope(msgspec.Struct, forbid_unknown_fields=True):
    """The fields of ``app.wire.messages.RunRequest``. What is not given is told apart from what is given as such."""

    inputs: dict[str, Raw] | UnsetType = UNSET
    nodes: Raw = Raw()
    code: Raw = Raw()
    outputs: Raw = Raw()
    backward: list[_Root] | UnsetType = UNSET
    retain_graph: bool | UnsetType | None = UNSET
    create_graph: bool | UnsetType = UNSET
    grads: Raw = Raw()
    include: Raw = Raw()
    encoding: WireEncoding | UnsetType | None = UNSET

    def program(self) -> Hashable:
        """Return all that says how."""
        parts = (self.nodes, self.code, self.outputs, self.grads, self.include)
        roots: Hashable = UNSET
        if self.backward is not UNSET:
            roots = tuple([(root.tensor, root.gradient is not UNSET) for root in self.backward])
        names = UNSET if self.inputs is UNSET else tuple(self.inputs)
        return (*map(bytes, parts), names, roots, self.retain_graph, self.create_graph, self.encoding)

    def program_bytes(self) -> int:
        """How long the program is."""
        return len(memoryview(self.nodes)) + len(memoryview(self.code))

    def cotangents(self) -> list[Raw]:
        """Those of roots that have one."""
        if self.backward is UNSET:
            return []
        return [root.gradient for root in self.backward if root.gradient is not UNSET]

    def leaves(self) -> list[Raw]:
        """All tensors: the inputs', then the roots'."""
        return [*([] if self.inputs is UNSET else self.inputs.values()), *self.cotangents()]


class _Packed(_Envelope, forbid_unknown_fields=True):
    """As msgpack has them: objects and lists of them are opened one by one, for the lengths that they state."""

    inputs: Raw | UnsetType = UNSET  # type: ignore[assignment]
    backward: Raw | UnsetType = UNSET  # type: ignore[assignment]


_JSON: Final = msgspec.json.Decoder(_Envelope)
_PACKED: Final = msgspec.msgpack.Decoder(_Packed)
_INPUTS: Final = msgspec.msgpack.Decoder(dict[str, Raw])
_ROOTS: Final = msgspec.msgpack.Decoder(list[Raw])
_ROOT: Final = msgspec.msgpack.Decoder(_Root)


def _from_msgpack(body: codec.Body) -> _Envelope:
    """Read an envelope. Raises ``Unusual`` where an input or a member of a root comes twice."""
    envelope: Any = _PACKED.decode(body)
    if envelope.inputs is not UNSET:
        envelope.inputs, stated = _INPUTS.decode(envelope.inputs), repetition.length(envelope.inputs)
        _expect(stated, len(envelope.inputs))
    if envelope.backward is not UNSET:
        raws = _ROOTS.decode(envelope.backward)
        envelope.backward = [_ROOT.decode(raw) for raw in raws]
        for raw, root in zip(raws, envelope.backward, strict=True):
            _expect(repetition.length(raw), 1 if root.gradient is UNSET else 2)
    found: _Envelope = envelope
    return found


def _expect(stated: int, count: int) -> None:
    if stated != count:
        raise numbers.Unusual


@dataclass(slots=True)
class SplitRequest:
    """``arrays`` are those of the inputs in their order, then of the roots' cotangents; ``key`` is all but numbers."""

    key: Hashable
    arrays: list[Array]
    specs: tuple[Spec, ...]  # of the arrays; part of the key
    encoding: WireEncoding | None

    @property
    def flags(self) -> Iterator[bool]:
        """Which arrays require grad."""
        return (requires_grad for *_, requires_grad in self.specs)


class Opened(NamedTuple):
    """A request whose tensors nobody has looked at; ``program`` is all that says how."""

    envelope: _Envelope
    rest: codec.Body  # without long lists of numbers
    cut: Any  # these
    form: codec.Format
    program: Hashable


def look(body: codec.Body, form: codec.Format, limits: Limits) -> Opened | None:
    """Return the program of a request, or ``None`` where it has to be read the usual way."""
    try:
        opened = _open(body, form, limits)
    except (*MISTAKES, numbers.Unusual):
        return None
    return None if opened is None else Opened(*opened, form, opened[0].program())


def split(opened: Opened, limits: Limits) -> SplitRequest | None:
    """Return the parts of a request, or ``None`` where it has to be read the usual way."""
    try:
        return _split(opened, limits)
    except (*MISTAKES, numbers.Unusual):
        return None


def read(body: codec.Body, form: codec.Format, limits: Limits) -> SplitRequest | None:
    """Look at a request, and split it."""
    opened = look(body, form, limits)
    return None if opened is None else split(opened, limits)


def _open(body: codec.Body, form: codec.Format, limits: Limits) -> tuple[_Envelope, codec.Body, Any] | None:
    """Return the envelope, the body without long lists of numbers, and these; ``None`` if the program is too long."""
    body = bytes(body) if form is codec.JSON else body
    cut = codec.cut_out(body, form, limits)
    rest = body if cut is None else cut.rest
    codec.check_values(rest, form, limits)
    envelope = _JSON.decode(rest) if form is codec.JSON else _from_msgpack(rest)
    is_long = len(rest) > KEY_BYTES and envelope.program_bytes() > KEY_BYTES
    return None if is_long else (envelope, rest, cut)


def _split(opened: Opened, limits: Limits) -> SplitRequest:
    envelope, rest, cut, form, program = opened
    is_json = form is codec.JSON
    is_plain = is_json and cut is None and limits.json_depth >= PLAIN_DEPTH
    leaves = _all_plain(envelope, limits) if is_plain else None
    if leaves is None:
        leaves = _all(envelope, rest, cut, form, limits)
    specs = tuple([(array.shape, array.dtype, array.strides, requires_grad) for array, requires_grad, _ in leaves])
    key = (is_json, _count(rest, [members for _, _, members in leaves], is_json=is_json), specs, program)
    encoding = None if envelope.encoding is UNSET else envelope.encoding
    return SplitRequest(key, [array for array, _, _ in leaves], specs, encoding)


def _count(rest: codec.Body, members: list[int], *, is_json: bool) -> int:
    """Return a number that is larger where a key comes twice, and else the same for all else in a plan's key.

    It is the number of colons but for those of tensors' members, or of the envelope's members. A plan is made of what
    has been read whole, without a key that comes twice; so nothing that has one is ever answered by a plan.
    """
    if is_json:
        return bytes(rest).count(b":") - sum(members)
    return repetition.length(rest)


def _all(envelope: _Envelope, rest: codec.Body, cut: Any, form: codec.Format, limits: Limits) -> list[Leaf]:
    records = _records(envelope, rest, cut, form, limits)
    tensors = [(decode_tensor(record, limits, is_read_once=True), members) for record, members in records]
    return [(tensor.array, tensor.requires_grad, members) for tensor, members in tensors]


def _records(
    envelope: _Envelope, rest: codec.Body, cut: Any, form: codec.Format, limits: Limits
) -> list[tuple[Any, int]]:
    """Return all tensors, the inputs' and then the roots', as the wire has them, each with its number of members."""
    inputs = {} if envelope.inputs is UNSET else envelope.inputs
    parts = {name: codec.decode_part(raw, rest, form) for name, raw in inputs.items()}
    roots = [{"gradient": codec.decode_part(raw, rest, form)} for raw in envelope.cotangents()]
    whole: Any = {"inputs": parts, "backward": roots}  # at the depth where a request has them
    if cut is not None:
        whole = cut.fill(whole, limits.json_depth)
    codec.check_members(rest, whole, form, limits.json_depth)
    records = [*whole["inputs"].values(), *(root["gradient"] for root in whole["backward"])]
    found = []
    for record, raw in zip(records, envelope.leaves(), strict=True):
        members = len(record) if type(record) is dict else 0
        if form is codec.MSGPACK and type(record) is dict:
            _expect(repetition.length(raw), members)
        found.append((record, members))
    return found


@dataclass(frozen=True, slots=True)
class Shell:
    """A request whose tensors are still as the wire has them; requests of one ``key`` differ in these alone."""

    key: Hashable
    inputs: dict[str, Any]
    gradients: list[Any]  # of the roots that have one


def shell(body: codec.Body, form: codec.Format, limits: Limits) -> Shell | None:
    """Return the parts of a request without reading tensors, or ``None`` where it has to be read the usual way."""
    is_json = form is codec.JSON
    try:
        opened = _open(body, form, limits)
        if opened is None:
            return None
        envelope, rest, cut = opened
        records = _records(envelope, rest, cut, form, limits)
    except (*MISTAKES, numbers.Unusual):
        return None
    names = [] if envelope.inputs is UNSET else list(envelope.inputs)
    key = (is_json, _count(rest, [members for _, members in records], is_json=is_json), envelope.program())
    values = [record for record, _ in records]
    gradients = values[len(names) :]
    if any(gradient is None for gradient in gradients):  # as if it were left out: it has no place among the others
        return None
    return Shell(key, dict(zip(names, values, strict=False)), gradients)


# -- the tensors that most small requests have ------------------------------------------------------------------------
class _Record(msgspec.Struct, forbid_unknown_fields=True):
    """Short lists of floats, of the default dtype or another floating one."""

    data: Raw
    requires_grad: bool | UnsetType = UNSET
    dtype: str | UnsetType | None = UNSET
    shape: list[int] | UnsetType | None = UNSET


_RECORD: Final = msgspec.json.Decoder(_Record)
_KINDS: Final[tuple[Any, ...]] = (float, list[float], list[list[float]], list[list[list[float]]])
PLAIN_DEPTH: Final = 7  # how deep a request with a cotangent of three dimensions nests
_LISTS: Final = [msgspec.json.Decoder(kind) for kind in _KINDS]


def _all_plain(envelope: _Envelope, limits: Limits) -> list[Leaf] | None:
    """Return the tensors, if all are plain; they are read by type, without looking at every number."""
    leaves = []
    try:
        for raw in envelope.leaves():
            leaf = plain_leaf(bytes(raw), limits)
            if leaf is None:
                return None
            leaves.append(leaf)
    except (*MISTAKES, errors.EngineError):
        return None
    return leaves


def plain_leaf(text: bytes, limits: Limits) -> Leaf | None:
    """Return a tensor of JSON, or ``None`` where it is not plain. Raises ``MISTAKES`` and what the engine refuses."""
    dtype, shape, requires_grad = dtypes.float32, None, False  # the default of a program that has just started
    members = 0
    if text[:1] == b"{":
        record = _RECORD.decode(text)
        text, members = bytes(record.data), 1
        if record.requires_grad is not UNSET:
            requires_grad, members = record.requires_grad, members + 1
        if record.shape is not UNSET:
            shape, members = record.shape, members + 1
        if record.dtype is not UNSET:
            members += 1
            if record.dtype is not None:
                dtype = dtypes.by_name(record.dtype)
    rank = len(text) - len(text.lstrip(b"["))
    has_floats = b"." in text or b"e" in text or b"E" in text  # else they may be integers
    if rank >= len(_LISTS) or rank > limits.rank or not (has_floats and dtype.is_floating_point):
        return None
    array = np.array(_LISTS[rank].decode(text), np.float64).astype(dtype.numpy, copy=False)
    has_shape = array.ndim == rank if shape is None else array.shape == tuple(shape)
    return (array, requires_grad, members) if has_shape and array.size <= limits.tensor_elements else None


# -- requests of one spelling -----------------------------------------------------------------------------------------
@dataclass(frozen=True, slots=True)
class Spelling:
    """All of a request's text but its numbers: what stands before, between and behind them, and what they are."""

    pieces: tuple[bytes, ...]
    leaves: tuple[tuple[Any, np.dtype[Any], tuple[int, ...]], ...]  # the decoder of a list, dtype and shape

    @property
    def nbytes(self) -> int:
        """About how much memory it takes."""
        return sum(map(len, self.pieces)) + 200 * len(self.leaves)

    def arrays(self, body: bytes) -> list[Array] | None:
        """Return the tensors of a body that is spelled so; ``None`` for any other."""
        pieces = self.pieces
        if not (body.startswith(pieces[0]) and body.endswith(pieces[-1])):
            return None
        start, found = len(pieces[0]), []
        for (decoder, dtype, shape), piece in zip(self.leaves, pieces[1:], strict=True):
            stop = len(body) - len(piece) if piece is pieces[-1] else body.find(piece, start)
            text = body[start:stop]
            if stop < start or not (b"." in text or b"e" in text or b"E" in text):
                return None
            try:
                array = np.array(decoder.decode(text), dtype)
            except MISTAKES:
                return None
            if array.shape != shape:
                return None
            found.append(array)
            start = stop + len(piece)
        return found


def spelling(body: bytes, opened: Opened, parts: SplitRequest, limits: Limits) -> Spelling | None:
    """Return how a request is spelled; ``None`` where its numbers cannot be told from the rest by their place."""
    is_plain = opened.form is codec.JSON and opened.cut is None
    if not is_plain or not all(dtype.kind == "f" and len(shape) < len(_LISTS) for shape, dtype, *_ in parts.specs):
        return None
    pieces, leaves, start = [], [], 0
    for raw, (shape, dtype, *_) in zip(opened.envelope.leaves(), parts.specs, strict=True):
        text = bytes(raw)
        try:
            data = bytes(_RECORD.decode(text).data) if text[:1] == b"{" else text
        except MISTAKES:
            return None
        place = body.find(text, start) + text.find(data)
        pieces.append(body[start:place])
        leaves.append((_LISTS[len(shape)], dtype, shape))
        start = place + len(data)
    found = Spelling((*pieces, body[start:]), tuple(leaves))
    return found if leaves and _is_right(found, parts, limits) else None


def _is_right(found: Spelling, parts: SplitRequest, limits: Limits) -> bool:
    """Return whether a body of that spelling, with other numbers, is read as the same request with these."""
    text, wanted = [found.pieces[0]], []
    for number, ((_, dtype, shape), piece) in enumerate(zip(found.leaves, found.pieces[1:], strict=True)):
        other = (np.arange(math.prod(shape)) + 64.0 * number + 0.5).astype(dtype).reshape(shape)
        wanted.append(other)
        text += [orjson.dumps(other.astype(np.float64).tolist()), piece]
    body = b"".join(text)
    again, arrays = read(body, codec.JSON, limits), found.arrays(body)
    if again is None or arrays is None or again.key != parts.key:
        return False
    return all(map(np.array_equal, again.arrays, wanted)) and all(map(np.array_equal, arrays, wanted))
