"""The memory behind a tensor as an object: what ``Tensor.storage()`` and ``Tensor.untyped_storage()`` give.

``Tensor.storage`` is the engine's own attribute, so that the method of this name is there for programs alone.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, ClassVar, Final
from weakref import WeakValueDictionary

from engine import dtypes, homes, modes, registry
from engine.dtypes import DType
from engine.errors import ArgumentTypeError, DimensionError, OpError
from engine.op.signature import type_name
from engine.surface.methods import Device
from engine.tensor import Tensor

LINE_STEPS, LINE_BYTES = 20, 200  # what one element takes in a storage's text


def _whole(tensor: Tensor, dtype: DType) -> Tensor:
    """All of the memory that ``tensor`` shows, in a row; writes through it are not counted."""
    owned = tensor.storage.root.array.nbytes
    row: Tensor = registry.call("as_strided", tensor.data, (owned // tensor.array.itemsize,), (1,), 0)
    return row if dtype is tensor.dtype else row.view(dtype)


class _Storage:
    """Elements in the order in which they lie in memory; what is written there, every tensor over it shows."""

    _path: ClassVar[str]
    is_cuda, is_sparse = False, False
    _elements: Tensor

    @property
    def device(self) -> Device:
        return Device()

    def __len__(self) -> int:
        return int(self._elements.array.size)

    def size(self) -> int:
        return len(self)

    def nbytes(self) -> int:
        return int(self._elements.array.nbytes)

    def element_size(self) -> int:
        return int(self._elements.array.itemsize)

    def data_ptr(self) -> int:
        return self._elements.storage.address

    def tolist(self) -> list[Any]:
        found: list[Any] = self._elements.tolist()
        return found

    def __iter__(self) -> Iterator[Any]:
        return iter(self.tolist())

    def _at(self, place: Any) -> int:
        if type(place) is not int:
            raise self._refused(place)
        if not -len(self) <= place < len(self):
            raise DimensionError(f"index {place} out of range for storage of size {len(self)}")
        return place

    def _refused(self, place: Any) -> Exception:
        raise NotImplementedError

    def __getitem__(self, place: Any) -> Any:
        return self._elements[self._at(place)].item()

    def __setitem__(self, place: Any, value: Any) -> None:
        self._elements[self._at(place)] = value

    def fill_(self, value: Any) -> _Storage:
        registry.call("fill_", self._elements, value)
        return self

    def _noted(self) -> str:
        return ""

    def __repr__(self) -> str:
        budget = modes.current().budget
        if budget is not None:
            budget.take(LINE_STEPS * len(self), LINE_BYTES * len(self))
        lines = "\n ".join(map(str, self.tolist()))
        return f" {lines}\n[{self._path}({self._noted()}device=cpu) of size {len(self)}]"


class TypedStorage(_Storage):
    """A memory as elements of one dtype."""

    def __init__(self, tensor: Tensor) -> None:
        self.dtype = tensor.dtype
        self._elements = _whole(tensor, tensor.dtype)

    def untyped(self) -> UntypedStorage:
        return untyped_storage(self._elements)

    def _refused(self, place: Any) -> Exception:
        if isinstance(place, slice):
            return OpError("slices are only supported in UntypedStorage.__getitem__")
        return OpError(f"can't index a <class '{self._path}'> with <class '{type_name(place)}'>")

    def _noted(self) -> str:
        return f"dtype={self.dtype}, "


class UntypedStorage(_Storage):
    """A memory as bytes."""

    def __init__(self, tensor: Tensor) -> None:
        self._elements = _whole(tensor, dtypes.uint8)

    def _refused(self, place: Any) -> Exception:
        return ArgumentTypeError(f"can't index a torch.UntypedStorage with {type_name(place)}")


_UNTYPED: Final[WeakValueDictionary[int, UntypedStorage]] = WeakValueDictionary()
"""Those that somebody has, by the storage: a memory is one object for whoever asks."""


def untyped_storage(self: Tensor) -> UntypedStorage:
    """The memory of a tensor as bytes."""
    number = id(self.storage.root)
    found = _UNTYPED.get(number)
    if found is None:
        found = _UNTYPED[number] = UntypedStorage(self)
    return found


def storage(self: Tensor) -> TypedStorage:
    """The memory of a tensor as elements of its dtype."""
    return TypedStorage(self)


homes.keep("torch.storage", TypedStorage, UntypedStorage)
registry.add_method("storage", storage)
registry.add_method("untyped_storage", untyped_storage)
