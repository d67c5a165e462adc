"""Values that stand in records by themselves: what msgpack has, and small objects with one key that says what they are.

``InlineKind`` and ``SharedKind`` are sorts of values. The tables here hold Python's and the engine's; whoever makes
records adds those of programs (lambdas, optimisers), so that nothing is restored that is not listed.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, TypeVar

import numpy as np

from engine import NamedResult, dtypes, memory_formats, tensors

Parts = Sequence[Any]


class NotStorable(Exception):
    """A value that has no form as plain data; ``kind`` is the name of its type."""

    def __init__(self, kind: str) -> None:
        super().__init__(f"a value of the type {kind} cannot be stored")
        self.kind = kind


class Malformed(Exception):
    """A record that nothing can be made of."""


@dataclass(frozen=True, slots=True)
class InlineKind:
    """A sort of immutable value: taken apart into values, and made of them again."""

    name: str
    type: type
    dump: Callable[[Any], Parts]
    load: Callable[[list[Any]], Any]


@dataclass(frozen=True, slots=True)
class SharedKind:
    """A sort of value with an identity of its own: made empty, then filled, for it may hold itself.

    ``make`` gets the parts as they stand in the record: only plain ones mean anything yet.
    """

    name: str
    type: type
    dump: Callable[[Any], Parts]
    make: Callable[[list[Any]], Any]
    fill: Callable[[Any, list[Any]], None]
    rank: int = 3  # when it is filled: containers ask their parts for hashes, so those that say theirs come before


AnyKind = TypeVar("AnyKind", InlineKind, SharedKind)


@dataclass(frozen=True, slots=True)
class ValueKinds:
    """All kinds by type and by name. Subclasses count as their nearest listed base."""

    inline: tuple[InlineKind, ...]
    shared: tuple[SharedKind, ...]
    _known_inline: dict[type, InlineKind | None] = field(default_factory=dict, repr=False)
    _known_shared: dict[type, SharedKind | None] = field(default_factory=dict, repr=False)

    def inline_of(self, value: Any) -> InlineKind | None:
        """Return the kind of an immutable value, or ``None``."""
        return _nearest(self.inline, self._known_inline, type(value))

    def shared_of(self, value: Any) -> SharedKind | None:
        """Return the kind of a value with an identity, or ``None``."""
        return _nearest(self.shared, self._known_shared, type(value))


def _nearest(kinds: tuple[AnyKind, ...], known: dict[type, AnyKind | None], of: type) -> AnyKind | None:
    if of not in known:
        known[of] = next((kind for base in of.__mro__ for kind in kinds if kind.type is base), None)
    return known[of]


def _refill_list(target: list[Any], parts: list[Any]) -> None:
    target[:] = parts


def _refill_dict(target: dict[Any, Any], parts: list[Any]) -> None:
    target.clear()
    target.update(zip(parts[::2], parts[1::2], strict=True))


_OTHER_DTYPES: Final = re.compile(r"uint(16|32|64)|<U[0-9]{1,6}")  # that arrays of programs have, and tensors have not


def is_tensor_dtype(dtype: np.dtype[Any]) -> bool:
    """Whether tensors have the dtype of an array."""
    try:
        dtypes.from_numpy(dtype)
    except KeyError:
        return False
    return True


def array_dtype(name: Any) -> np.dtype[Any]:
    """The dtype of an array by the name that a record has for it. Raises ``KeyError``."""
    if isinstance(name, str) and _OTHER_DTYPES.fullmatch(name):
        return np.dtype(name)
    return dtypes.by_name(name).numpy


def dump_array(array: np.ndarray[Any, Any]) -> Parts:
    """Dtype, shape and bytes."""
    name = dtypes.of(array).name if is_tensor_dtype(array.dtype) else array.dtype.str if (
        array.dtype.kind == "U") else array.dtype.name  # fmt: skip
    if not is_tensor_dtype(array.dtype) and not _OTHER_DTYPES.fullmatch(name):
        raise NotStorable(f"array of {name}")
    return name, tuple(array.shape), array.tobytes()


def load_array(parts: list[Any]) -> np.ndarray[Any, Any]:
    """Return an array of its own."""
    name, shape, raw = parts
    return np.frombuffer(bytearray(raw), array_dtype(name)).reshape(shape)


def _load_format(parts: list[Any]) -> memory_formats.MemoryFormat:
    if parts[0] not in memory_formats.ALL:
        raise Malformed("a memory format that does not exist")
    return memory_formats.ALL[parts[0]]


def _load_named(parts: list[Any]) -> Any:
    name, fields, items = parts
    for kind in NamedResult.__subclasses__():  # those of the ops, made with them
        if (kind.__name__, kind._fields) == (name, fields):
            return kind(*items)
    raise Malformed("a named result that no op has")


INLINE: Final = (
    InlineKind("tuple", tuple, tuple, tuple),
    InlineKind("size", tensors.Size, tuple, tensors.Size),
    InlineKind("geometry", tensors.Geometry, tuple, lambda parts: tensors.Geometry(*parts)),
    InlineKind("spec", tensors.TensorSpec, tuple, lambda parts: tensors.TensorSpec(*parts)),
    InlineKind("complex", complex, lambda value: (value.real, value.imag), lambda parts: complex(*parts)),
    InlineKind("slice", slice, lambda value: (value.start, value.stop, value.step), lambda parts: slice(*parts)),
    InlineKind("range", range, lambda value: (value.start, value.stop, value.step), lambda parts: range(*parts)),
    InlineKind("ellipsis", type(...), lambda value: (), lambda parts: ...),
    InlineKind("integer", int, lambda value: (hex(value),), lambda parts: int(parts[0], 16)),  # beyond 64 bits
    InlineKind("dtype", dtypes.DType, lambda value: (value.name,), lambda parts: dtypes.by_name(parts[0])),
    InlineKind("memory_format", memory_formats.MemoryFormat, lambda value: (value.name,), _load_format),
    InlineKind("array", np.ndarray, dump_array, load_array),
    InlineKind("scalar", np.generic, lambda value: dump_array(np.asarray(value)), lambda parts: load_array(parts)[()]),
    InlineKind("named", NamedResult, lambda value: (type(value).__name__, value._fields, tuple(value)), _load_named),
)  # fmt: skip
SHARED: Final = (
    SharedKind("list", list, list, lambda raw: [], _refill_list),
    SharedKind("dict", dict, lambda value: [part for item in value.items() for part in item], lambda raw: {},
               _refill_dict),
)  # fmt: skip
