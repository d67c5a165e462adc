"""Storage: one buffer and its version counter, and what a run wrote over in it."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any, Final
from weakref import WeakValueDictionary

import numpy as np
from numpy.lib.array_utils import byte_bounds

PAGE_BYTES: Final = 16 * 1024  # of a memory: kept whole when something is written there

UNCOUNTED = -1  # the version of what inference mode made: nobody counts writes to it
_new = object.__new__


class Storage:
    """A buffer shared by a tensor and its views, with the count of in-place writes to it.

    ``array`` owns the memory and is dense (some permutation of its axes is C-contiguous). ``root`` is the storage that
    owns the memory: itself, or, for the detached alias that ``.data`` makes, the storage aliased. An alias counts its
    own writes, so that writes through ``.data`` are not seen by the version check. ``left`` says whether a tensor that
    was over it is over another one now.
    """

    __slots__ = ("__weakref__", "_aliased", "array", "left", "version")

    array: np.ndarray[Any, Any]
    version: int
    left: bool
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

    def memento(self) -> Callable[[], None]:
        """A function that gives back the version that the storage has now; its bytes are ``Overwritten``'s."""
        return partial(setattr, self, "version", self.version)

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
    storage.left = False
    return storage


_SHARED: Final[WeakValueDictionary[int, Storage]] = WeakValueDictionary()
"""Storages whose memory arrays outside of the engine show, by its address."""


def share(storage: Storage) -> None:
    """Note that an array outside of the engine shows the memory of ``storage``."""
    root = storage.root
    _SHARED[root.address] = root


def owner_of(array: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    """The array that has the memory which ``array`` shows."""
    while isinstance(array.base, np.ndarray):
        array = array.base
    return array


def of_array(array: np.ndarray[Any, Any]) -> Storage:
    """The storage whose memory an array shows: that of a tensor, or one made for the occasion."""
    owner = owner_of(array)
    known = _SHARED.get(int(owner.__array_interface__["data"][0]))
    if known is not None and np.may_share_memory(known.array, owner):
        return known
    made = make_storage(owner)
    share(made)
    return made


class Overwritten:
    """What was in a memory before a run wrote there, as far as it did; a call puts it back.

    ``parts``: from which byte on (the first of a page), and the bytes that were there. No byte is in two of them.
    """

    __slots__ = ("_kept", "memory", "parts", "storage")

    def __init__(self, storage: Storage) -> None:
        self.storage = storage  # the one that owns the memory
        self.memory = storage.flat.view(np.uint8)
        self.parts: list[tuple[int, np.ndarray[Any, Any]]] = []
        pages = -(-self.memory.nbytes // PAGE_BYTES)
        self._kept = None if pages < 2 else np.zeros(pages, bool)

    def keep(self, written: np.ndarray[Any, Any]) -> None:
        """Remember the pages in which ``written``, a view of the memory, has elements."""
        if self._kept is None:
            self.parts = self.parts or [(0, self.memory.copy())]
            return
        if not written.size:
            return
        fresh = _pages_of(written, self.storage.address, len(self._kept))
        fresh &= ~self._kept
        self._kept |= fresh
        edges = np.flatnonzero(np.diff(fresh, prepend=False, append=False)) * PAGE_BYTES
        for start, stop in edges.reshape(-1, 2).tolist():
            self.parts.append((start, self.memory[start:stop].copy()))

    def __call__(self) -> None:
        for start, before in self.parts:
            self.memory[start : start + len(before)] = before


def _pages_of(array: np.ndarray[Any, Any], address: int, count: int) -> np.ndarray[Any, Any]:
    """Which of the ``count`` pages from ``address`` on have elements of ``array``.

    Dimensions with steps of less than a page leave no page out. What they span is one piece; the others repeat it.
    """
    low, _ = byte_bounds(array)
    starts, extent = np.array([low - address]), array.itemsize
    for step, size in sorted((abs(step), size) for step, size in zip(array.strides, array.shape, strict=True)):
        if step <= max(extent, PAGE_BYTES) or starts.size * size > count:
            extent += step * (size - 1)
        else:
            starts = np.add.outer(starts, step * np.arange(size)).ravel()
    steps = np.bincount(starts // PAGE_BYTES, minlength=count + 1)
    steps -= np.bincount((starts + (extent - 1)) // PAGE_BYTES + 1, minlength=count + 1)
    return np.cumsum(steps[:count]) > 0
