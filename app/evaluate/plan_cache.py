"""PlanCache: plans by key, bounded, for clients choose the keys."""

from __future__ import annotations

import sys
import threading
from collections import OrderedDict
from collections.abc import Hashable
from typing import Generic, Protocol, TypeVar


class Sized(Protocol):
    """What occupies about ``nbytes``."""

    @property
    def nbytes(self) -> int: ...


Entry = TypeVar("Entry", bound=Sized)


class PlanCache(Generic[Entry]):
    """The plans used last, at most ``count`` of them and ``nbytes`` together with their keys; for many threads.

    None is kept that takes more than ``most`` bytes by itself.

    A graph that has no plan is remembered as ``Eager``, so that nobody tries again.
    """

    def __init__(self, count: int = 1_000, nbytes: int = 256 << 20, most: int | None = None) -> None:
        self._count, self._limit, self._most = count, nbytes, nbytes if most is None else most
        self._lock = threading.Lock()
        self._entries: OrderedDict[Hashable, tuple[Entry, int]] = OrderedDict()
        self.nbytes = 0

    def __len__(self) -> int:
        return len(self._entries)

    def get(self, key: Hashable) -> Entry | None:
        """Return what is known of ``key``."""
        with self._lock:
            found = self._entries.get(key)
            if found is None:
                return None
            self._entries.move_to_end(key)
            return found[0]

    def put(self, key: Hashable, entry: Entry) -> bool:
        """Keep ``entry``, unless it alone is too large, and say so; what was used longest ago makes room."""
        size = entry.nbytes + _size(key)
        with self._lock:
            self._drop(key)
            if size > self._most:
                return False
            self._entries[key] = entry, size
            self.nbytes += size
            while len(self._entries) > self._count or self.nbytes > self._limit:
                self._drop(next(iter(self._entries)))
            return True

    def _drop(self, key: Hashable) -> None:
        _, size = self._entries.pop(key, (None, 0))
        self.nbytes -= size


def _size(key: Hashable) -> int:
    """About the bytes that a key occupies."""
    return sys.getsizeof(key) + (sum(map(_size, key)) if isinstance(key, tuple) else 0)


__all__ = ["PlanCache"]
