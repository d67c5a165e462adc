"""Long lists of numbers in a JSON body, read into arrays without a Python object for each number.

``cut`` takes such lists out of a body and leaves a small rest with a word in place of each; the rest is read as any
body is, and ``Cut.fill`` puts the numbers where the words stand. What is not plain (ragged lists, words, booleans,
integers over 64 bits, whatever is malformed) is not read here at all: the caller then reads the whole body the usual
way, so that one grammar and one text hold for every mistake.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from math import prod
from secrets import token_hex
from typing import Any, Final, Literal

import msgspec
import numpy as np
import simdjson

Array = np.ndarray[Any, Any]
NumberKind = Literal["i", "d"]

LEAST_BYTES: Final = 4096  # of a list that is worth it
CHUNK_BYTES: Final = 2**18  # read at one go: it fits the cache, and other threads may run in between
DEEPEST: Final = 64
TENSOR_FIELDS: Final = frozenset({"data", "gradient", "grad", "tensor"})  # beside the members of a request's "inputs"
_RUN: Final = re.compile(rb"\[[\[\]0-9eE.,+\- \t\r\n]{0,%d}+" % LEAST_BYTES)
_NUMERALS: Final = b"0123456789eE.+- \t\r\n"
_PARSER_ERRORS: Final = (ValueError, TypeError, RuntimeError)
_DTYPES: Final[dict[NumberKind, type]] = {"i": np.int64, "d": np.float64}


class Unusual(Exception):
    """Something that is better read the usual way."""


@dataclass(frozen=True, slots=True)
class Numbers:
    """Nested lists of numbers: their text, their lengths by level, and the flat values.

    ``values`` are int64 where every number is an integer, else float64; empty where there are more than were asked for.
    """

    text: memoryview
    extents: tuple[int, ...]
    values: Array

    def lists(self) -> Any:
        """Return what the text says, as plain lists."""
        return msgspec.json.decode(self.text)


@dataclass(slots=True)
class Cut:
    """A body whose long lists are replaced by words: its rest, and the list that each word stands for."""

    rest: bytes
    lists: dict[str, Numbers]
    _found: int = field(default=0, init=False)

    def fill(self, value: Any, depth: int) -> Any:
        """``value``, the rest as read, with the lists again: tensors get ``Numbers``, everyone else plain lists.

        ``depth`` is how deep lists and objects may nest. Raises ``Unusual``.
        """
        filled = self._fill(value, 1, depth, is_tensor=True, within="")
        if self._found != len(self.lists):  # a word was a key, or part of a string, or a key came twice
            raise Unusual
        return filled

    def _fill(self, value: Any, level: int, depth: int, *, is_tensor: bool, within: str) -> Any:
        if type(value) is str:
            return self._list(value, level, depth, is_tensor=is_tensor) if value in self.lists else value
        if type(value) is list:
            return [self._fill(item, level + 1, depth, is_tensor=False, within="") for item in value]
        if type(value) is dict:
            are_inputs = within == "inputs" and level == 2
            fields = frozenset() if within == "kwargs" else TENSOR_FIELDS
            return {
                key: self._fill(item, level + 1, depth, is_tensor=are_inputs or key in fields, within=key)
                for key, item in value.items()
            }
        return value

    def _list(self, word: str, level: int, depth: int, *, is_tensor: bool) -> Any:
        numbers = self.lists[word]
        if level - 1 + len(numbers.extents) > depth:
            raise Unusual
        self._found += 1
        return numbers if is_tensor else numbers.lists()


def cut(body: bytes, most: int) -> Cut | None:
    """Take the long lists of numbers out of ``body``; ``None`` where there is none, or one is unusual.

    Values are kept of lists with up to ``most`` numbers.
    """
    pieces: list[Any] = []
    lists: dict[str, Numbers] = {}
    prefix, view, end = token_hex(16), memoryview(body), 0
    try:
        for start in _starts(body):
            if start < end:
                continue
            numbers = _read(body, start, most)
            word = f"{prefix}-{len(lists)}"
            lists[word] = numbers
            pieces += [view[end:start], f'"{word}"'.encode()]
            end = start + len(numbers.text)
    except (Unusual, *_PARSER_ERRORS):
        return None
    return Cut(b"".join([*pieces, view[end:]]), lists) if lists else None


def _starts(body: bytes) -> Iterator[int]:
    """Where a long run of what numbers and lists are made of begins with a bracket; the rest of the run is skipped.

    A bracket within a string may be among them. The word put there ends the string, and the rest cannot be read.
    """
    return (run.start() for run in _RUN.finditer(body) if run.end() - run.start() > LEAST_BYTES)


def _read(body: bytes, start: int, most: int) -> Numbers:
    """Return the list that begins at ``start``. Raises ``Unusual`` or what the parser raises."""
    depth = _depth(body, start)
    end = body.find(b"]" * depth, start) + depth
    if end < depth or (depth == 1 and body.find(b"[", start + 1, end) >= 0):
        raise Unusual
    values, outlines, count = _Values(most), [], 0
    for piece in _pieces(body, start + 1, end - 1, depth):
        count += values.add(piece)
        if depth > 1:
            outlines.append(piece.translate(None, _NUMERALS))
    extents = (count,) if depth == 1 else _extents(b"[" + b",".join(outlines) + b"]", depth)
    if prod(extents) != count:
        raise Unusual
    return Numbers(memoryview(body)[start:end], extents, values.joined())


def _depth(body: bytes, start: int) -> int:
    """How many brackets stand together at ``start``."""
    brackets = body[start : start + DEEPEST + 1]
    depth = len(brackets) - len(brackets.lstrip(b"["))
    if depth > DEEPEST:
        raise Unusual
    return depth


def _pieces(body: bytes, start: int, end: int, depth: int) -> Iterator[bytes]:
    """Return the inside of a list, cut at commas between its members."""
    between = b"]" * (depth - 1) + b","
    while True:
        found = body.find(between, start + CHUNK_BYTES, end)
        stop = end if found < 0 else found + depth - 1
        yield body[start:stop]
        if found < 0:
            return
        start = stop + 1


class _Values:
    """Numbers piece by piece: integers until a piece holds another one."""

    def __init__(self, most: int) -> None:
        self.most, self.count = most, 0
        self.kind: NumberKind = "i"
        self.parts: list[Array] = []

    def add(self, piece: bytes) -> int:
        """Read the members of a list, and how many numbers they hold; none is a mistake between two commas."""
        part = self._part(simdjson.Parser().parse(b"[" + piece + b"]"))
        if not part.size:
            raise Unusual
        self.count += part.size
        self.parts.append(part)
        if self.count > self.most:
            self.parts.clear()
        return part.size

    def _part(self, document: Any) -> Array:
        try:
            buffer = document.as_buffer(of_type=self.kind)
        except TypeError:  # not an integer; what does not fit into 64 bits is a ValueError
            self.kind = "d"
            buffer = document.as_buffer(of_type=self.kind)
        return np.frombuffer(buffer, _DTYPES[self.kind])

    def joined(self) -> Array:
        """Return all of them; integers have become floats if others did."""
        return np.concatenate([np.empty(0, np.int64), *self.parts], dtype=_DTYPES[self.kind])


def _extents(outline: bytes, depth: int) -> tuple[int, ...]:
    """Return the lengths of nested lists, from their brackets and commas alone. Raises ``Unusual`` where they differ.

    A list without a comma may have one member or none: the count of all members tells.
    """
    extents: tuple[int, ...] = ()
    member = b""
    for level in range(1, depth + 1):  # inner lists first
        start = depth - level
        end = outline.find(b"]" * level, start) + level
        length = (end - start - 1) // (len(member) + 1)
        member = b"[" + ((member + b",") * length)[:-1] + b"]"
        extents = (length, *extents)
    if member != outline:
        raise Unusual
    return extents
