"""Keys that come twice in one object, which decoders drop without a word: whether there are any, and where.

Both forms are read by decoders that keep the last of several. Whether one was lost is told by counting: colons in JSON,
the lengths that objects state in msgpack. Only where a count is off, text is read again.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Any, Final

import msgspec

from app.limits import Place

_CONTAINERS: Final = frozenset({dict, list})
SHORT: Final = 2**24  # bytes that are written in less time than objects are opened
_KEYS: Final = msgspec.msgpack.Decoder(dict[str, msgspec.Raw])
_ITEMS: Final = msgspec.msgpack.Decoder(list[msgspec.Raw])


# -- JSON -----------------------------------------------------------------------------------------------------------
def in_json(text: Any, value: Any) -> Place | None:
    """Return the place of a key that comes again within its object in ``text``, which says ``value``.

    Every member has one colon; all others stand in strings. So where there are as many as members, none was lost.
    """
    colons = bytes(text).count(b":")
    if colons < 2 or colons == count_members(value) or not _has_any(text):
        return None
    return _first(_parsed(text, _Members))


def count_members(value: Any) -> int:
    """Return how many members all objects in ``value`` have together."""
    total, waiting = 0, [value]
    for part in waiting:
        inner = part
        if type(part) is dict:
            total += len(part)
            inner = part.values()
        elif type(part) is not list:
            continue
        for one in inner:
            if type(one) is list or type(one) is dict:
                waiting.append(one)  # noqa: PERF401 - most are short: to set up a comprehension takes longer
    return total


def _has_any(text: Any) -> bool:
    """Return whether any object has a key twice. No object is kept."""
    found: list[int] = []

    def look(members: list[tuple[str, Any]]) -> None:
        if len(dict(members)) != len(members):
            found.append(len(members))

    _parsed(text, look)
    return bool(found)


def _parsed(text: Any, make: Any) -> Any:
    """Read by the standard library, which shows all members of an object; numbers stay text."""
    return json.loads(bytes(text), object_pairs_hook=make, parse_int=str, parse_float=str)


class _Members(list[tuple[str, Any]]):
    """All members of an object."""


def _first(value: Any) -> Place | None:
    waiting: list[tuple[Place, Any]] = [((), value)]
    while waiting:
        place, part = waiting.pop()
        if type(part) is _Members:
            again = _second(key for key, _ in part)
            if again is not None:
                return (*place, again)
            waiting += [((*place, key), member) for key, member in part]
        elif type(part) is list:
            waiting += [((*place, number), item) for number, item in enumerate(part)]
    return None


def _second(keys: Iterable[str]) -> str | None:
    """Return the first key that has come before."""
    seen: set[str] = set()
    for key in keys:
        if key in seen:
            return key
        seen.add(key)
    return None


# -- msgpack --------------------------------------------------------------------------------------------------------
def in_msgpack(text: Any, value: Any) -> Place | None:
    """As ``in_json``. Objects are opened one by one, and lists where they hold any.

    There is no need of it where ``value`` is written as ``text`` again, as it is by most who write msgpack.
    """
    if len(text) <= SHORT and msgspec.msgpack.encode(value) == text:
        return None
    waiting: list[tuple[Place, Any, Any]] = [((), text, value)]
    while waiting:
        place, raw, part = waiting.pop()
        inner: Any
        raws: Any
        if type(part) is dict:
            if length(raw) != len(part):
                return (*place, _second(_keys(raw)) or "")
            inner = part.items()
            raws = _KEYS.decode(raw) if any(type(member) in _CONTAINERS for _, member in inner) else {}
        elif type(part) is list and any(type(item) in _CONTAINERS for item in part):
            inner, raws = enumerate(part), _ITEMS.decode(raw)
        else:
            continue
        waiting += [((*place, key), raws[key], member) for key, member in inner if type(member) in _CONTAINERS]
    return None


def length(raw: Any) -> int:
    """Return how many members an object of msgpack states."""
    head = bytes(memoryview(raw)[:5])
    return head[0] & 0x0F if head[0] < 0x90 else int.from_bytes(head[1 : 3 if head[0] == 0xDE else 5], "big")


def _keys(raw: Any) -> list[str]:
    """Return all keys of an object: its members, read as a list of keys and values."""
    view = memoryview(raw)
    start = {0xDE: 3, 0xDF: 5}.get(view[0], 1)
    as_list = b"\xdd" + (2 * length(raw)).to_bytes(4, "big") + view[start:]  # an "array 32" of the specification
    return [msgspec.msgpack.decode(key, type=str) for key in _ITEMS.decode(as_list)[::2]]
