"""Sequences of several lengths in one tensor: padded, or packed step by step."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, NamedTuple

import numpy as np

from engine import dtypes, ops, registry
from engine.errors import ArgumentValueError, DimensionError, OpError
from engine.nn import naming
from engine.tensor import Tensor, read


class _Packed(NamedTuple):
    data: Any
    batch_sizes: Any
    sorted_indices: Any
    unsorted_indices: Any


class PackedSequence(_Packed):
    """The steps of all sequences, one after the other; ``batch_sizes`` says how many sequences have each step."""

    __slots__ = ()
    _parts = (Tensor, Tensor, Tensor | None, Tensor | None)

    def __new__(
        cls, data: Any, batch_sizes: Any = None, sorted_indices: Any = None, unsorted_indices: Any = None
    ) -> PackedSequence:
        if batch_sizes is None:
            data, batch_sizes = data
        if unsorted_indices is None:
            unsorted_indices = invert_permutation(sorted_indices)
        return super().__new__(cls, data, batch_sizes, sorted_indices, unsorted_indices)

    @property
    def is_cuda(self) -> bool:
        """No: it is on the CPU."""
        return False

    def to(self, *args: Any, **kwargs: Any) -> PackedSequence:
        """The same with data of another dtype."""
        data = self.data.to(*args, **kwargs)
        return self if data is self.data else PackedSequence(data, *self[1:])

    def double(self) -> PackedSequence:
        """The same with data of float64."""
        return self.to(dtypes.float64)

    def float(self) -> PackedSequence:
        """The same with data of float32."""
        return self.to(dtypes.float32)

    def half(self) -> PackedSequence:
        """The same with data of float16."""
        return self.to(dtypes.float16)

    def cpu(self) -> PackedSequence:
        """This: it is on the CPU."""
        return self


def invert_permutation(permutation: Any) -> Any:
    """The permutation that undoes another."""
    return None if permutation is None else ops.argsort(permutation)


def pack_padded_sequence(
    input: Tensor, lengths: Any, batch_first: bool = False, enforce_sorted: bool = True
) -> PackedSequence:
    """The steps of sequences that are padded to one length, without the padding."""
    lengths = ops.as_tensor(lengths, dtype=dtypes.int64) if not isinstance(lengths, Tensor) else lengths
    order = None
    if not enforce_sorted:
        lengths, order = ops.sort(lengths, descending=True)
        input = ops.index_select(input, 0 if batch_first else 1, order)
    steps = ops.transpose(input, 0, 1) if batch_first else input
    counts = read(lengths)
    _check_lengths(counts, steps)
    sizes = (np.arange(counts[0])[:, None] < counts).sum(1)
    data = ops.cat([ops.narrow(steps[time], 0, 0, int(size)) for time, size in enumerate(sizes)], 0)
    return PackedSequence(data, ops.tensor(sizes.tolist()), order)


def _check_lengths(counts: Any, steps: Tensor) -> None:
    if counts.shape != (steps.shape[1],):
        raise OpError(
            f"Expected `len(lengths)` to be equal to batch_size, but got {counts.size} (batch_size={steps.shape[1]})"
        )
    if (counts <= 0).any():
        raise OpError("Length of all samples has to be greater than 0, but found an element in 'lengths' that is <= 0")
    if (np.diff(counts) > 0).any():
        raise OpError(
            "`lengths` array must be sorted in decreasing order when `enforce_sorted` is True. You can pass "
            "`enforce_sorted=False` to pack_padded_sequence and/or pack_sequence to sidestep this requirement if you "
            "do not need ONNX exportability."
        )
    if counts[0] > steps.shape[0]:
        raise OpError(
            f"start (0) + length ({counts[0]}) exceeds dimension size ({steps.shape[0]})."
        )  # fmt: skip


def pad_packed_sequence(
    sequence: PackedSequence, batch_first: bool = False, padding_value: float = 0.0, total_length: int | None = None
) -> tuple[Any, Any]:
    """Packed sequences padded to one length, and their lengths."""
    sizes = sequence.batch_sizes.tolist()
    if total_length is not None and total_length < len(sizes):
        raise ArgumentValueError(
            "Expected total_length to be at least the length of the longest sequence in input, but got "
            f"total_length={total_length} and max sequence length being {len(sizes)}"
        )
    data, width = sequence.data, sizes[0]
    shape = (width, *data.shape[1:])
    rows, start = [], 0
    for size in sizes:
        step = ops.narrow(data, 0, start, size)
        missing = ops.full((width - size, *shape[1:]), padding_value, dtype=data.dtype)
        rows.append(ops.cat([step, missing], 0) if size < width else step)
        start += size
    rows += [ops.full(shape, padding_value, dtype=data.dtype) for _ in range((total_length or 0) - len(sizes))]
    padded = ops.stack(rows, 1 if batch_first else 0)
    lengths = ops.tensor([sum(size > place for size in sizes) for place in range(width)])
    if sequence.unsorted_indices is None:
        return padded, lengths
    order = sequence.unsorted_indices
    return ops.index_select(padded, 0 if batch_first else 1, order), lengths[order]


def pad_sequence(
    sequences: Any, batch_first: bool = False, padding_value: float = 0.0, padding_side: str = "right"
) -> Any:
    """Sequences padded to the length of the longest."""
    if not isinstance(sequences, Iterable):
        raise OpError(
            f"pad_sequence: Expected iterable for input sequences, but got arg of type: {naming.class_text(sequences)}"
        )
    listed = list(sequences)
    if not listed:
        raise OpError("received an empty list of sequences")
    if padding_side not in ("left", "right"):
        raise OpError(f"Expected padding_side to be one of left or right, but got {padding_side}.")
    longest = max(one.shape[0] for one in listed)
    shape = (len(listed), longest) if batch_first else (longest, len(listed))
    padded = ops.full((*shape, *listed[0].shape[1:]), padding_value, dtype=listed[0].dtype)
    for place, one in enumerate(listed):
        row = padded[place] if batch_first else ops.select(padded, 1, place)
        start = longest - one.shape[0] if padding_side == "left" else 0
        ops.narrow(row, 0, start, one.shape[0]).copy_(one)
    return padded


def unpad_sequence(padded_sequences: Any, lengths: Any, batch_first: bool = False) -> list[Any]:
    """Sequences without the padding."""
    rows = padded_sequences if batch_first else padded_sequences.transpose_(0, 1)  # in place, as PyTorch does
    if rows.ndim < 2:
        raise DimensionError("tuple index out of range")
    steps = ops.arange(rows.shape[1])
    return [row[steps < length] for row, length in zip(rows, lengths, strict=True)]


def pack_sequence(sequences: Any, enforce_sorted: bool = True) -> PackedSequence:
    """The steps of sequences of several lengths."""
    lengths = ops.as_tensor([one.size(0) for one in sequences])
    return pack_padded_sequence(pad_sequence(sequences), lengths, enforce_sorted=enforce_sorted)


def unpack_sequence(packed_sequences: PackedSequence) -> list[Any]:
    """The sequences that were packed."""
    padded, lengths = pad_packed_sequence(packed_sequences, batch_first=True)
    return unpad_sequence(padded, lengths, batch_first=True)


registry.add_kind("nn.utils.rnn.PackedSequence", PackedSequence)
for _one in (
    PackedSequence, invert_permutation, pack_padded_sequence, pad_packed_sequence, pad_sequence, unpad_sequence,
    pack_sequence, unpack_sequence,
):  # fmt: skip
    registry.add_function(f"nn.utils.rnn.{_one.__name__}", _one)
