"""Storage: one buffer and its version counter."""

from __future__ import annotations

from typing import Any

import numpy as np

UNCOUNTED = -1  # the version of what inference mode made: nobody counts writes to it
_new = object.__new__


class Storage:
    """A buffer shared by a tensor and its views, with the count of in-place writes to it.

    ``array`` owns the memory and is dense (some permutation of its axes is C-contiguous). ``root`` is the storage that
    owns the memory: itself, or, for the detached alias that ``.data`` makes, the storage aliased. An alias counts its
    own writes, so that writes through ``.data`` are not seen by the version check.
    """

    __slots__ = ("__weakref__", "_aliased", "array", "version")

    array: np.ndarray[Any, Any]
    version: int
    _aliased: Storage | None

    @property
    def root(self) -> Storage:
        """The storage that owns the memory."""
        return self if self._aliased is None else self._aliased

    def alias(self, version: int = 0) -> Storage:
        """The same memory with a version counter of its own."""
        alias = make_storage(self.array, self.root)
        alias.version = version
        return alias

    def memento(self) -> Memento:
        """What gives the buffer the bytes and the version it has now."""
        return Memento(self)

    @property
    def flat(self) -> np.ndarray[Any, Any]:
        """The whole buffer as a 1-d view in memory order."""
        return self.array.ravel(order="K")

    @property
    def address(self) -> int:
        """The address of the first element."""
        return int(self.array.__array_interface__["data"][0])


def make_storage(array: np.ndarray[Any, Any], aliased: Storage | None = None) -> Storage:
    """A storage over ``array``, which it owns, or an alias of the storage that does."""
    storage = _new(Storage)
    storage.array = array
    storage._aliased = aliased  # never itself: a cycle would keep the memory until the next collection
    storage.version = 0
    return storage


class Memento:
    """The bytes and the version of a storage at one moment; a call puts them back."""

    __slots__ = ("array", "storage", "version")

    def __init__(self, storage: Storage) -> None:
        self.storage, self.array, self.version = storage, storage.array.copy(order="K"), storage.version

    def __call__(self) -> None:
        np.copyto(self.storage.array, self.array)
        self.storage.version = self.version
