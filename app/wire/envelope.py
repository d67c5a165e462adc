"""A run request taken apart without reading its program: what is computed with, and what says how.

The parts that say how (nodes or code, names, flags) stay as they came: as bytes they are the key of a plan. Whatever is
not plain here is read the usual way, so that one reader finds every mistake and has the words for it.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterator
from dataclasses import dataclass
from typing import Any, Final

import msgspec
import numpy as np
from msgspec import UNSET, Raw, UnsetType

from app.limits import Limits, OverLimit
from app.wire import codec, numbers
from app.wire.arrays import ArrayError, decode_tensor
from app.wire.messages import WireEncoding
from engine import dtypes, errors

KEY_BYTES: Final = 2**17  # a program that is longer is not worth a key
Array = np.ndarray[Any, Any]
Leaf = tuple[Array, bool]  # and whether it requires grad
Spec = tuple[tuple[int, ...], np.dtype[Any], tuple[int, ...], bool]  # shape, dtype, strides, and that
_MISTAKES: Final = (
    msgspec.MsgspecError, codec.CodecError, ArrayError, OverLimit, LookupError, ValueError, RecursionError,
)  # fmt: skip


class _Root(msgspec.Struct, forbid_unknown_fields=True):
    tensor: str
    gradient: Raw | UnsetType = UNSET


class _Envelope(msgspec.Struct, forbid_unknown_fields=True):
    """The fields of ``app.wire.messages.RunRequest``."""

    inputs: dict[str, Raw] = {}
    nodes: Raw = Raw()
    code: Raw = Raw()
    outputs: Raw = Raw()
    backward: list[_Root] = []
    retain_graph: bool | None = None
    create_graph: bool = False
    grads: Raw = Raw()
    include: Raw = Raw()
    encoding: WireEncoding | None = None

    def program(self) -> Hashable:
        """Return all that says how."""
        roots = tuple([(root.tensor, root.gradient is not UNSET) for root in self.backward])
        parts = (self.nodes, self.code, self.outputs, self.grads, self.include)
        return (*map(bytes, parts), roots, self.retain_graph, self.create_graph, self.encoding)

    def program_bytes(self) -> int:
        """How long the program is."""
        return len(memoryview(self.nodes)) + len(memoryview(self.code))

    def cotangents(self) -> Iterator[Raw]:
        """Those of roots that have one."""
        return (root.gradient for root in self.backward if root.gradient is not UNSET)


_JSON: Final = msgspec.json.Decoder(_Envelope)
_MSGPACK: Final = msgspec.msgpack.Decoder(_Envelope)


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


def read(body: codec.Body, form: codec.Format, limits: Limits) -> SplitRequest | None:
    """Return the parts of a request, or ``None`` where it has to be read the usual way."""
    try:
        return _read(body, form, limits)
    except (*_MISTAKES, numbers.Unusual):
        return None


def _read(body: codec.Body, form: codec.Format, limits: Limits) -> SplitRequest | None:
    is_json = form is codec.JSON
    body = bytes(body) if is_json else body
    cut = codec.cut_out(body, form, limits)
    rest = body if cut is None else cut.rest
    codec.check_values(rest, form, limits)
    envelope = _JSON.decode(rest) if is_json else _MSGPACK.decode(rest)
    if len(rest) > KEY_BYTES and envelope.program_bytes() > KEY_BYTES:
        return None
    is_plain = is_json and cut is None and limits.json_depth >= PLAIN_DEPTH
    leaves = _all_plain(envelope, limits) if is_plain else None
    if leaves is None:
        leaves = _all(envelope, rest, cut, form, limits)
    specs = tuple([(array.shape, array.dtype, array.strides, requires_grad) for array, requires_grad in leaves])
    key = (is_json, tuple(envelope.inputs), specs, envelope.program())
    return SplitRequest(key, [array for array, _ in leaves], specs, envelope.encoding)


def _all(envelope: _Envelope, rest: codec.Body, cut: Any, form: codec.Format, limits: Limits) -> list[Leaf]:
    inputs = {name: codec.decode_part(raw, form) for name, raw in envelope.inputs.items()}
    roots = [{"gradient": codec.decode_part(raw, form)} for raw in envelope.cotangents()]
    whole: Any = {"inputs": inputs, "backward": roots}  # at the depth where a request has them
    if cut is not None:
        whole = cut.fill(whole, limits.json_depth)
    codec.check_members(rest, whole, form, limits.json_depth)
    raws = [*whole["inputs"].values(), *(root["gradient"] for root in whole["backward"])]
    tensors = [decode_tensor(raw, limits) for raw in raws]
    return [(tensor.array, tensor.requires_grad) for tensor in tensors]


# -- the tensors that most small requests have ------------------------------------------------------------------------
class _Record(msgspec.Struct, forbid_unknown_fields=True):
    """Short lists of floats, of the default dtype or another floating one."""

    data: Raw
    requires_grad: bool = False
    dtype: str | None = None
    shape: list[int] | None = None


_RECORD: Final = msgspec.json.Decoder(_Record)
_KINDS: Final[tuple[Any, ...]] = (float, list[float], list[list[float]], list[list[list[float]]])
PLAIN_DEPTH: Final = 7  # how deep a request with a cotangent of three dimensions nests
_LISTS: Final = [msgspec.json.Decoder(kind) for kind in _KINDS]


def _all_plain(envelope: _Envelope, limits: Limits) -> list[Leaf] | None:
    """Return the tensors, if all are plain; they are read by type, without looking at every number."""
    leaves = []
    try:
        for raw in (*envelope.inputs.values(), *envelope.cotangents()):
            leaf = _plain(bytes(raw), limits)
            if leaf is None:
                return None
            leaves.append(leaf)
    except (*_MISTAKES, errors.EngineError):
        return None
    return leaves


def _plain(text: bytes, limits: Limits) -> Leaf | None:
    dtype, shape, requires_grad = dtypes.float32, None, False  # the default of a program that has just started
    if text[:1] == b"{":
        record = _RECORD.decode(text)
        text, shape, requires_grad = bytes(record.data), record.shape, record.requires_grad
        if record.dtype is not None:
            dtype = dtypes.by_name(record.dtype)
    rank = len(text) - len(text.lstrip(b"["))
    has_floats = b"." in text or b"e" in text or b"E" in text  # else they may be integers
    if rank >= len(_LISTS) or rank > limits.rank or not (has_floats and dtype.is_floating_point):
        return None
    array = np.array(_LISTS[rank].decode(text), np.float64).astype(dtype.numpy, copy=False)
    has_shape = array.ndim == rank if shape is None else array.shape == tuple(shape)
    return (array, requires_grad) if has_shape and array.size <= limits.tensor_elements else None
