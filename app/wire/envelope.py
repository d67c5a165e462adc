"""A run request taken apart without reading its program: what is computed with, and what says how.

The parts that say how (nodes or code, names, flags) stay as they came: as bytes they are the key of a plan. Whatever is
not plain here is read the usual way, so that one reader finds every mistake and has the words for it.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterator
from dataclasses import dataclass
from typing import Any, Final

import msgspec
from msgspec import UNSET, Raw, UnsetType

from app.wire import codec, numbers
from app.wire.arrays import ArrayError, Limits, decode_tensor
from engine import Tensor

KEY_BYTES: Final = 2**17  # a program that is longer is not worth a key


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
    encoding: str | None = None

    def program(self) -> Hashable:
        """All that says how."""
        roots = tuple([(root.tensor, root.gradient is not UNSET) for root in self.backward])
        parts = (self.nodes, self.code, self.outputs, self.grads, self.include)
        return (*map(bytes, parts), roots, self.retain_graph, self.create_graph, self.encoding)

    def raw_tensors(self) -> Iterator[Raw]:
        """Inputs, then the cotangents of roots."""
        yield from self.inputs.values()
        yield from (root.gradient for root in self.backward if root.gradient is not UNSET)


_DECODERS: Final[dict[codec.Format, Any]] = {
    codec.Format.JSON: msgspec.json.Decoder(_Envelope),
    codec.Format.MSGPACK: msgspec.msgpack.Decoder(_Envelope),
}


@dataclass(frozen=True, slots=True)
class Parts:
    """``tensors`` are the inputs in their order, then the cotangents of the roots; ``key`` is everything else."""

    key: Hashable
    tensors: list[Tensor]
    encoding: str | None


def read(body: codec.Body, form: codec.Format, limits: codec.Limits) -> Parts | None:
    """The parts of a request, or ``None`` where it has to be read the usual way."""
    try:
        return _read(body, form, limits)
    except (msgspec.MsgspecError, codec.CodecError, ArrayError, numbers.Unusual, ValueError, RecursionError):
        return None


def _read(body: codec.Body, form: codec.Format, limits: Any) -> Parts | None:
    cut = codec.cut_out(body, form, limits)
    rest = body if cut is None else cut.rest
    envelope: _Envelope = _DECODERS[form].decode(rest)
    if sum(len(memoryview(part)) for part in (envelope.nodes, envelope.code)) > KEY_BYTES:
        return None
    raws = [codec.decode_part(raw, form) for raw in envelope.raw_tensors()]
    if cut is not None:  # where a request has them, they stand two levels deep among the inputs
        raws = list(cut.fill({"inputs": dict(enumerate(raws))}, limits.json_depth)["inputs"].values())
    codec.check_members(rest, {"inputs": {"": raws}}, form, limits.json_depth)
    tensors = [decode_tensor(raw, limits) for raw in raws]
    specs = tuple([_spec(tensor) for tensor in tensors])
    return Parts((form, tuple(envelope.inputs), specs, envelope.program()), tensors, envelope.encoding)


def _spec(tensor: Tensor) -> tuple[Any, ...]:
    array = tensor.array
    return array.shape, array.dtype, array.strides, tensor.requires_grad


__all__ = ["Limits", "Parts", "read"]
