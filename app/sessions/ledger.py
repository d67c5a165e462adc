"""The numbers under which the objects of a live session stand in its records.

Tensors, nodes and storages are held weakly: what a session no longer reaches dies as it would without a ledger, and is
noticed. What weak references cannot hold (lists, dicts, optimisers) is held until it is out of reach.
"""

from __future__ import annotations

import weakref
from collections import deque
from collections.abc import Container, Iterable, Iterator
from typing import Any, Final

from app.stores.base import BLOCK_BYTES
from engine import Tensor, storage, tape

NODE_BYTES: Final = 1_000  # what a node and a tensor take beside their arrays, roughly: they count too
TENSOR_BYTES: Final = 500
VALUE_BYTES: Final = 50  # a value of a list, dict or name, beside the characters of a text


def in_blocks(nbytes: int) -> bool:
    """Return whether a memory of this size is kept in blocks beside the record: larger than half of one."""
    return nbytes > BLOCK_BYTES // 2


def weight(one: Any) -> int:
    """About how many bytes ``one`` keeps by itself; a memory counts with the storage that owns it."""
    if isinstance(one, storage.Storage):
        return one.array.nbytes if one.root is one else 0
    if isinstance(one, Tensor):
        return TENSOR_BYTES
    return NODE_BYTES if isinstance(one, tape.Node) else 0


def value_bytes(value: Any) -> int:
    """About how many bytes a value takes beside tensors and nodes: a text, or what a record has of a list or dict."""
    if isinstance(value, str | bytes):
        return VALUE_BYTES + len(value)
    if isinstance(value, list | tuple):
        return VALUE_BYTES + sum(map(value_bytes, value))
    if isinstance(value, dict):
        return VALUE_BYTES + sum(map(value_bytes, value.values()))
    return VALUE_BYTES


class _Weak(weakref.ref[Any]):
    """A weak reference that knows under which number its object stands."""

    __slots__ = ("key", "number", "weight")

    key: int
    number: int
    weight: int


class Ledger:
    """Numbers by object, and objects by number."""

    def __init__(self) -> None:
        self._by_key: dict[int, _Weak] = {}
        self._by_number: dict[int, _Weak] = {}
        self.shared: dict[int, tuple[int, Any]] = {}  # by key: number and object
        self._holders: dict[int, weakref.ref[Any]] = {}  # nodes and tensors that hold such, by key
        self._dead: deque[_Weak] = deque()  # filled wherever the collector runs, in any thread
        self.memories: dict[int, int] = {}  # of which there are blocks: number and bytes
        self.values: dict[int, int] = {}  # by number of a shared object: the bytes of what it holds
        self.next = 1
        self.nbytes = 0  # of what lives, but for values

    def __len__(self) -> int:
        return len(self._by_key) + len(self.shared)

    @property
    def total_bytes(self) -> int:
        """The bytes of all that is here."""
        return self.nbytes + sum(self.values.values())

    @property
    def block_bytes(self) -> int:
        """The bytes of which there are blocks, also of memories that are gone."""
        return sum(self.memories.values())

    def find(self, one: Any) -> int | None:
        """Return the number of ``one``, if it has one."""
        entry = self._by_key.get(id(one))
        if entry is not None and entry() is one:
            return entry.number
        shared = self.shared.get(id(one))
        return shared[0] if shared is not None else None

    def get(self, number: int) -> Any:
        """Return the living object of that number, or ``None``."""
        entry = self._by_number.get(number)
        if entry is not None:
            return entry()
        return next((one for known, one in self.shared.values() if known == number), None)

    def add(self, one: Any, number: int) -> None:
        """Let ``one`` stand under ``number``."""
        self.next = max(self.next, number + 1)
        if not isinstance(one, Tensor | tape.Node | storage.Storage):
            self.shared[id(one)] = number, one
            return
        entry = _Weak(one, self._dead.append)
        entry.key, entry.number, entry.weight = id(one), number, weight(one)
        self._by_key[entry.key] = self._by_number[number] = entry
        self.nbytes += entry.weight
        if isinstance(one, storage.Storage) and one.root is one and in_blocks(one.array.nbytes):
            self.memories[number] = entry.weight

    def hold(self, one: Any) -> None:
        """Note that a node or tensor holds lists, dicts and the like: hooks, or what a function of a program kept."""
        self._holders[id(one)] = weakref.ref(one)

    def holders(self) -> list[Any]:
        """Return the living nodes and tensors that may hold lists, dicts and the like."""
        found = {key: one for key, reference in self._holders.items() if (one := reference()) is not None}
        self._holders = {key: self._holders[key] for key in found}
        return list(found.values())

    def settle(self) -> None:
        """Strike out what has died since the last time."""
        while self._dead:
            entry = self._dead.popleft()
            if self._by_number.get(entry.number) is entry:
                del self._by_number[entry.number]
                self.nbytes -= entry.weight
            if self._by_key.get(entry.key) is entry:  # the address may be another object's by now
                del self._by_key[entry.key]

    def living(self, kind: type) -> Iterator[Any]:
        """Return everything of that kind that lives and is held weakly."""
        objects = [entry() for entry in self._by_key.values()]
        return (one for one in objects if isinstance(one, kind))

    def keep_shared(self, reached: Container[int]) -> None:
        """Let go of the lists, dicts and the like whose keys are not among ``reached``."""
        self.shared = {key: entry for key, entry in self.shared.items() if key in reached}
        numbers = {number for number, _ in self.shared.values()}
        self.values = {number: nbytes for number, nbytes in self.values.items() if number in numbers}

    def keep(self, reached: Container[int], abandoned: Iterable[int]) -> None:
        """Let go of everything whose key is not among ``reached``; of ``abandoned`` memories the blocks are gone."""
        self.settle()
        self.keep_shared(reached)
        self._by_key = {key: entry for key, entry in self._by_key.items() if key in reached}
        self._by_number = {entry.number: entry for entry in self._by_key.values()}
        self.nbytes = sum(entry.weight for entry in self._by_key.values())
        for number in abandoned:
            self.memories.pop(number, None)
