"""Digests of tensors' values, kept while nothing writes to the memories that these lie in."""

from __future__ import annotations

from collections.abc import Hashable
from hashlib import sha256
from typing import Any, Final
from weakref import WeakKeyDictionary

import numpy as np

from engine import Tensor, modes, storage, tensors

KEPT_BYTES: Final = 2**16  # of values, from which on a digest takes longer than to look for it


class Digests:
    """Of one live session. Whatever a run changes its journal tells, or else ``clear`` has to be called."""

    def __init__(self) -> None:
        self._known: WeakKeyDictionary[storage.Storage, dict[Hashable, bytes]] = WeakKeyDictionary()

    def of(self, tensor: Tensor) -> bytes:
        """Return the digest of the values of a tensor, in the course of a run or between runs."""
        array = tensor.array
        if array.nbytes < KEPT_BYTES or tensor.storage.root in _roots(modes.current().journal):
            return _digest(tensor)
        place = array.__array_interface__["data"][0], array.shape, array.strides, array.dtype, tensor.bits
        known = self._known.setdefault(tensor.storage.root, {})
        if place not in known:
            known[place] = _digest(tensor)
        return known[place]

    def forget(self, journal: modes.Journal) -> None:
        """Note that what a run did stays."""
        for root in _roots(journal):
            self._known.pop(root, None)

    def clear(self) -> None:
        """Note that anything may have changed."""
        self._known.clear()


def _roots(journal: modes.Journal | None) -> set[storage.Storage]:
    """Return the memories that a run has written to so far."""
    return set() if journal is None else {memory.storage.root for memory in journal.overwritten()}


def _digest(tensor: Tensor) -> bytes:
    values: np.ndarray[Any, Any] = np.ascontiguousarray(tensors.values(tensor)).reshape(-1)
    return sha256(values.view(np.uint8).data).digest()
