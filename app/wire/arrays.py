"""Tensors in and out: numbers and nested lists, objects, base64 text and raw bytes.

In, a list is flattened level by level with the types of its members known, so that what is ragged or is not a number is
found, and named by its place, before any array is made. Out, finite data stay an array for the encoder of the body.
"""

from __future__ import annotations

import binascii
from collections.abc import Sequence
from itertools import chain
from math import prod
from typing import Any, Final, Literal

import msgspec
import numpy as np
import pybase64

from app.limits import Allowance, Limits, OverLimit, Place
from app.wire.nonfinite import SPECIAL, NonFinite
from app.wire.numbers import Numbers
from engine import Tensor, dtypes, modes, tensors

Array = np.ndarray[Any, Any]

FIELDS: Final = frozenset({"data", "dtype", "shape", "requires_grad", "encoding"})
ANSWER_FIELDS: Final = frozenset(
    {"is_leaf", "grad_fn", "grad", "version"}
)  # so that an answer can be sent back; they say nothing here
_KNOWN_FIELDS: Final = FIELDS | ANSWER_FIELDS
ADD_DTYPE: Final = 'add "dtype": "float32"'
KINDS: Final = {
    dict: "an object",
    list: "a list",
    str: "a string",
    type(None): "null",
    bytes: "raw bytes",
    memoryview: "raw bytes",
    bool: "a boolean",
}


class Placeholders:
    """In place of an encoding: collects the arrays of an answer, and puts a word in place of each."""

    def __init__(self, encoding: Encoding, prefix: str) -> None:
        self.encoding, self._prefix = encoding, prefix
        self.arrays: list[Array] = []
        self.words: list[str] = []

    def take(self, array: Array) -> str:
        """Collect ``array``; return the word for it."""
        self.arrays.append(array)
        self.words.append(f"{self._prefix}-{len(self.words)}")
        return self.words[-1]


Encoding = Literal["json", "base64", "raw"] | Placeholders


LARGEST_SPAN: Final = 2**59  # of an empty array: NumPy counts the bytes as if no extent were zero


class ArrayError(Exception):
    """A tensor that cannot be read. ``place`` is the path to what is wrong; ``str(error)`` says what was expected."""

    def __init__(self, detail: str, place: Place) -> None:
        super().__init__(detail)
        self.place = place


def check_shape(shape: Sequence[int], limits: Limits, place: Place) -> int:
    """Return the number of elements of ``shape``, in Python integers: NumPy's would overflow in silence."""
    if len(shape) > limits.rank:
        raise OverLimit("rank", allowed=limits.rank, asked=len(shape), place=place)
    count = prod(shape) or _spanned(shape)
    if count > limits.tensor_elements:
        raise OverLimit("tensor_elements", allowed=limits.tensor_elements, asked=count, place=place)
    return count


def kind_of(value: object) -> str:
    """Return what a client calls this: "a list", "null", "a number"."""
    return KINDS.get(type(value), "a number")


# -- in -----------------------------------------------------------------------------------------------------------
def _spanned(shape: Sequence[int]) -> int:
    """Return 0 for an empty shape, or what its other extents come to where no array can have them."""
    count = prod([extent or 1 for extent in shape])
    return count if count >= LARGEST_SPAN else 0


def decode_tensor(raw: object, limits: Limits, place: Place = (), *, is_read_once: bool = False) -> Tensor:
    """Return the leaf that ``raw`` spells. Raises ``ArrayError``, or ``OverLimit`` before any array is made.

    Whole numbers without a dtype are int64, or float32 where the leaf requires grad. What nobody reads after this
    (``is_read_once``) may become the memory of the tensor, if it can be written to.
    """
    fields = raw if isinstance(raw, dict) else {"data": raw}
    _check_fields(fields, place)
    requires_grad = fields.get("requires_grad")
    if requires_grad is None:
        requires_grad = False
    if not isinstance(requires_grad, bool):
        raise ArrayError("'requires_grad' must be true or false", (*place, "requires_grad"))
    dtype = _dtype(fields.get("dtype"), place)
    if requires_grad and dtype is not None and not dtype.is_differentiable:
        raise _integer_leaf(place)
    array = _array(fields, dtype, limits, place, is_read_once)
    if requires_grad and dtype is None and dtypes.of(array) is dtypes.int64:
        array = array.astype(dtypes.float32.numpy)  # many languages write 1.0 as 1
    if requires_grad and not dtypes.of(array).is_differentiable:
        raise _integer_leaf(place)
    return tensors.from_array(array, requires_grad)


def _integer_leaf(place: Place) -> ArrayError:
    text = f"Only Tensors of floating point and complex dtype can require gradients; {ADD_DTYPE}"
    return ArrayError(text, (*place, "requires_grad"))


def _check_fields(fields: dict[str, object], place: Place) -> None:
    if not fields.keys() <= _KNOWN_FIELDS:
        raise ArrayError(f"a tensor has the fields {', '.join(sorted(FIELDS))}; another one was given", place)
    if "data" not in fields:
        raise ArrayError("a tensor needs 'data'", place)


def _dtype(name: object, place: Place) -> dtypes.DType | None:
    if name is None:
        return None
    try:
        return dtypes.by_name(name)  # type: ignore[arg-type]
    except (KeyError, TypeError):
        known = ", ".join(dtype.name for dtype in dtypes.ALL)
        raise ArrayError(f"'dtype' must be one of {known}", (*place, "dtype")) from None


def _shape(raw: object, limits: Limits, place: Place) -> tuple[int, ...] | None:
    if raw is None:
        return None
    if not isinstance(raw, list) or not all(type(extent) is int and extent >= 0 for extent in raw):
        raise ArrayError("'shape' must be a list of integers that are not negative", (*place, "shape"))
    check_shape(raw, limits, (*place, "shape"))
    return tuple(raw)


def _array(
    fields: dict[str, object], dtype: dtypes.DType | None, limits: Limits, place: Place, is_read_once: bool
) -> Array:
    shape = _shape(fields.get("shape"), limits, place)
    data, encoding = fields["data"], fields.get("encoding")
    if encoding not in (None, "json", "base64"):
        raise ArrayError("'encoding' must be \"base64\" or left out", (*place, "encoding"))
    if encoding == "base64" or isinstance(data, bytes | memoryview):
        return _from_bytes(data, encoding, dtype, shape, place, is_read_once)
    place = (*place, "data") if len(fields) > 1 else place
    if isinstance(data, Numbers):
        return _from_numbers(data, dtype, shape, limits, place)
    return _from_lists(data, dtype, shape, limits, place)


def _from_bytes(
    data: object, encoding: object, dtype: dtypes.DType | None, shape: tuple[int, ...] | None, place: Place,
    is_read_once: bool,
) -> Array:  # fmt: skip
    if dtype is None or shape is None:
        missing = "dtype" if dtype is None else "shape"
        raise ArrayError(f"encoded data need {missing!r} beside them", place)
    expected = prod(shape) * dtype.itemsize
    raw = data if isinstance(data, bytes | memoryview) else _from_base64(data, expected, (*place, "data"))
    if len(raw) != expected:
        raise ArrayError(f"shape and dtype need {expected} bytes, {len(raw)} were given", (*place, "data"))
    return _owned(raw, dtype, (*place, "data"), is_read_once).reshape(shape)


def _from_base64(text: object, expected: int, place: Place) -> bytes:
    if not isinstance(text, str):
        raise ArrayError("base64 data must be a string", place)
    if len(text) != 4 * ((expected + 2) // 3):
        raise ArrayError(f"shape and dtype need {expected} bytes, which base64 spells in {4 * ((expected + 2) // 3)}"
                         f" characters; {len(text)} were given", place)  # fmt: skip
    try:
        return pybase64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        raise ArrayError("not valid base64", place) from None


def _owned(raw: bytes | memoryview, dtype: dtypes.DType, place: Place, is_read_once: bool) -> Array:
    """Copy, where it is needed: tensors own their memory, are written to in place, and are aligned."""
    if dtype is dtypes.bool_:
        array = np.frombuffer(raw, np.uint8)
        if array.size and array.max() > 1:
            raise ArrayError("a boolean is one byte, 0 or 1", place)
        return array.astype(np.bool_)
    found = np.frombuffer(raw, dtype.numpy)
    return found if is_read_once and found.flags.writeable and found.flags.aligned else found.copy()


def _from_numbers(
    numbers: Numbers, dtype: dtypes.DType | None, shape: tuple[int, ...] | None, limits: Limits, place: Place
) -> Array:
    """Return what ``_from_lists`` makes of the same lists; whatever that might refuse is left to it."""
    values, extents = numbers.values, numbers.extents
    wanted = dtype or (dtypes.int64 if values.dtype == np.int64 else modes.current().default_dtype)
    if len(extents) > limits.rank or (wanted.is_complex and extents[-1] != 2):
        return _from_lists(numbers.lists(), dtype, shape, limits, place)
    if wanted.is_complex:
        extents = extents[:-1]
    check_shape(extents, limits, place)
    if not _fits(values, wanted):
        return _from_lists(numbers.lists(), dtype, shape, limits, place)
    array = _as_dtype(values, wanted)
    if np.may_share_memory(array, values):
        array = array.copy()  # a constant of a program may be read again
    return array.reshape(extents if shape is None else _agreed(extents, shape, array.size, place))


def _fits(values: Array, dtype: dtypes.DType) -> bool:
    if dtype.is_floating_point or dtype.is_complex:
        return True
    low, high = _bounds(dtype)
    return values.dtype == np.int64 and bool(low <= values.min() and values.max() <= high)


def _from_lists(
    data: object, dtype: dtypes.DType | None, shape: tuple[int, ...] | None, limits: Limits, place: Place
) -> Array:
    leaves = _flatten(data, limits, place)
    pairs = dtype is not None and dtype.is_complex
    extents = _without_pairs(leaves, place) if pairs else leaves.extents
    check_shape(extents, limits, place)
    array = _convert(leaves, _infer(leaves.kinds) if dtype is None else dtype)
    return array.reshape(extents if shape is None else _agreed(extents, shape, array.size, place))


def _agreed(given: tuple[int, ...], wanted: tuple[int, ...], count: int, place: Place) -> tuple[int, ...]:
    """``wanted``, if data of the shape ``given`` can have it: the same, flat, or empty up to that depth."""
    elements = prod(wanted)
    nested = given == wanted or (count == 0 == elements and given == wanted[: len(given)])
    flat = len(given) == 1 and count == elements
    if not nested and not flat:
        raise ArrayError(f"the data have the shape {list(given)}, 'shape' says {list(wanted)}", place)
    return wanted


class _Leaves(msgspec.Struct, frozen=True):
    """The members of nested lists in order, the lists' lengths by level, and the types that occur."""

    members: list[Any]
    extents: tuple[int, ...]
    kinds: frozenset[type]
    place: Place

    def where(self, index: int) -> Place:
        """Return the path to member number ``index``."""
        return (*self.place, *_indices(index, self.extents))


def _indices(index: int, extents: Sequence[int]) -> tuple[int, ...]:
    found = []
    for extent in reversed(extents):
        index, position = divmod(index, extent)
        found.append(position)
    return tuple(reversed(found))


def _flatten(data: object, limits: Limits, place: Place) -> _Leaves:
    level: list[Any] = [data]
    extents: tuple[int, ...] = ()
    kinds = frozenset(map(type, level))
    while kinds == {list}:
        extents = (*extents, _common_length(level, extents, place))
        if len(extents) > limits.rank + 1:  # one level more than the rank: pairs of complex numbers
            raise OverLimit("rank", allowed=limits.rank, asked=len(extents), place=place)
        level = list(chain.from_iterable(level))
        kinds = frozenset(map(type, level))
    leaves = _Leaves(level, extents, kinds, place)
    _check_kinds(leaves)
    return leaves if str not in kinds else _without_words(leaves)


def _common_length(level: list[list[Any]], extents: Sequence[int], place: Place) -> int:
    lengths = set(map(len, level))
    if len(lengths) > 1:
        first = len(level[0])
        index = next(i for i, member in enumerate(level) if len(member) != first)
        text = f"expected sequence of length {first} at dim {len(extents)} (got {len(level[index])})"
        raise ArrayError(text, (*place, *_indices(index, extents)))
    return lengths.pop()


_NUMBERS: Final = frozenset({float, int, bool, str})


def _check_kinds(leaves: _Leaves) -> None:
    if leaves.kinds <= _NUMBERS:
        return
    index, odd = next((i, x) for i, x in enumerate(leaves.members) if type(x) not in _NUMBERS)
    raise ArrayError(f"expected a number, got {kind_of(odd)}", leaves.where(index))


def _without_words(leaves: _Leaves) -> _Leaves:
    members = list(leaves.members)
    for index, member in enumerate(members):
        if type(member) is str:
            if member not in SPECIAL:
                words = ", ".join(f'"{word}"' for word in SPECIAL)
                raise ArrayError(f"expected a number, or one of {words}, got another string", leaves.where(index))
            members[index] = SPECIAL[member]
    return _Leaves(members, leaves.extents, leaves.kinds - {str} | {float}, leaves.place)


def _without_pairs(leaves: _Leaves, place: Place) -> tuple[int, ...]:
    *extents, pair = leaves.extents or (0,)
    if (pair != 2 and leaves.members) or not leaves.extents:
        raise ArrayError("complex data are [re, im] pairs", place)
    return tuple(extents) if leaves.members else leaves.extents


def _infer(kinds: frozenset[type]) -> dtypes.DType:
    if kinds == {bool}:
        return dtypes.bool_
    return dtypes.int64 if kinds and kinds <= {int, bool} else modes.current().default_dtype


def _convert(leaves: _Leaves, dtype: dtypes.DType) -> Array:
    if dtype.is_complex or dtype.is_floating_point:
        return _as_dtype(_reals(leaves), dtype)
    return _integers(leaves, dtype)


def _as_dtype(values: Array, dtype: dtypes.DType) -> Array:
    """Flat doubles or integers as ``dtype``; of a complex one, two make an element."""
    with np.errstate(over="ignore"):
        if dtype.is_complex:
            return values.astype(np.float64, copy=False).view(np.complex128).astype(dtype.numpy, copy=False)
        if values.dtype == np.int64 and dtype.is_floating_point:
            values = values.astype(np.float64)  # first, as every number is read: rounding twice may differ from once
        return values.astype(dtype.numpy, copy=False)


def _reals(leaves: _Leaves) -> Array:
    try:
        return np.array(leaves.members, dtype=np.float64)
    except OverflowError:
        index = next(i for i, x in enumerate(leaves.members) if type(x) is int and abs(x) > 2**1023)
        raise ArrayError("this integer is too large for a floating-point number", leaves.where(index)) from None


def _bounds(dtype: dtypes.DType) -> tuple[int, int]:
    if dtype is dtypes.bool_:
        return 0, 1
    info = np.iinfo(dtype.numpy)
    return int(info.min), int(info.max)


def _integers(leaves: _Leaves, dtype: dtypes.DType) -> Array:
    if leaves.kinds == {bool}:
        return np.frombuffer(bytearray(leaves.members), np.bool_).astype(dtype.numpy, copy=False)
    low, high = _bounds(dtype)
    if float in leaves.kinds or _out_of_range(leaves.members, low, high):
        _refuse_misfit(leaves, dtype, low, high)
    return np.array(leaves.members, dtype=dtype.numpy)


def _out_of_range(members: list[Any], low: int, high: int) -> bool:
    return bool(members) and not (low <= min(members) and max(members) <= high)


def _refuse_misfit(leaves: _Leaves, dtype: dtypes.DType, low: int, high: int) -> None:
    for index, member in enumerate(leaves.members):
        if type(member) is float and not member.is_integer():
            raise ArrayError(f"expected an integer, for the dtype is {dtype.name}", leaves.where(index))
        if not low <= member <= high:
            raise ArrayError(f"this value does not fit into {dtype.name}", leaves.where(index))


# -- out ----------------------------------------------------------------------------------------------------------
def encode_tensor(tensor: Tensor, encoding: Encoding = "json", *, qualified: bool = False) -> dict[str, Any]:
    """Return the record of a tensor. ``json`` and ``raw`` data still look into the tensor: encode them at once.

    ``grad_fn`` is the node's name as a tensor prints it (``CopySlices``), or ``qualified``, as its ``name()`` gives it
    (``torch::autograd::CopySlices``); the two differ for a few nodes only.
    """
    node = tensor.node_name
    if node is not None and not qualified:
        node = node.rpartition("::")[2]
    written = encoding.encoding if isinstance(encoding, Placeholders) else encoding
    record = {
        "data": encode_array(tensors.values(tensor), encoding),
        "dtype": tensor.dtype.name,
        "shape": list(tensor.array.shape),
        "requires_grad": tensor.requires_grad,
        "is_leaf": node is None,
        "grad_fn": node,
    }
    if written == "base64":  # so that it can be sent back
        record["encoding"] = written
    return record


_SHARE: Final = {"json": 2.5, "base64": 4 / 3, "raw": 1}  # bytes written for each of memory; float32 in 9 digits
_SHARE_OF_SMALL: Final = {1: 6.0, 2: 4.5}  # in JSON, by the size of an element: "false,", "-1.234e-05,"
_LONG: Final = 2**24
_SHORT: Final = 1_000  # elements, up to which flags are found sooner as bytes than by NumPy


def encode_array(array: Array, encoding: Encoding) -> Any:
    """Return the ``data`` of a record. Raises ``OverLimit`` before they are written, if they are too much."""
    budget = modes.current().budget
    if isinstance(budget, Allowance):
        form = encoding.encoding if isinstance(encoding, Placeholders) else encoding
        share = _SHARE_OF_SMALL.get(array.itemsize, _SHARE["json"]) if form == "json" else _SHARE[str(form)]
        budget.answer(int(array.nbytes * share))
        if form == "json" and budget.answered > _LONG:  # orjson dies where it finds no memory: the room is asked for
            np.empty(2 * budget.answered, np.uint8)  # here, by what it may need, and not touched
    if encoding == "json":
        return _to_lists(array)
    if isinstance(encoding, Placeholders):
        return encoding.take(array)
    memory = np.asarray(array, order="C").reshape(-1).view(np.uint8).data
    return pybase64.b64encode_as_string(memory) if encoding == "base64" else memory


def _to_lists(array: Array) -> Any:
    if array.dtype.kind == "c":
        array = np.asarray(array, order="C")[..., np.newaxis].view(array.real.dtype)
    elif array.dtype.kind not in "fiub":  # bfloat16 is a type of ml_dtypes
        array = array.astype(np.float32)
    if array.dtype.kind == "f" and not _is_finite(array):
        non_finite = NonFinite(np.ascontiguousarray(array))  # of no dimension becomes one of one
        return non_finite if array.ndim else non_finite.lists()[0]
    if array.ndim == 0 or array.size == 0:
        return array.tolist() if array.dtype.kind != "f" or array.size == 0 else array[()]
    return np.asarray(array, order="C")


def _is_finite(array: Array) -> bool:
    found = np.isfinite(array)
    return b"\0" not in found.tobytes() if array.size <= _SHORT else bool(found.all())
