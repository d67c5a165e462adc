"""What stores are asked to keep in tests, and what they have kept."""

from __future__ import annotations

import itertools
from typing import Any

from msgspec.structs import replace

from app.stores.base import Block, Bounds, Change, Claim, Head, Loaded

NOW = 1_000_000.0
BOUNDS = Bounds(keys_seconds=100.0, keys=3, keys_bytes=1_000, expired_seconds=1_000.0)
NUMBERS = itertools.count()


def head(sid: str = "s", version: int = 0, **others: object) -> Head:
    made = Head(sid, "ann", version, NOW, NOW + 60, 60.0, 10)
    return replace(made, **others)


def whole(text: str, *blocks: Block, abandoned: tuple[int, ...] = ()) -> Change:
    return Change(text.encode(), True, blocks, abandoned)


def change(text: str, *blocks: Block, abandoned: tuple[int, ...] = ()) -> Change:
    return Change(text.encode(), False, blocks, abandoned)


def claim(key: str = "k", holder: bytes = b"one", fingerprint: bytes = b"print", owner: str = "ann") -> Claim:
    return Claim(owner, key, fingerprint, holder)


def contents(loaded: Loaded | None) -> tuple[list[bytes], list[tuple[int, int, bytes]], bool]:
    assert loaded is not None
    blocks = [(block.memory, block.number, bytes(block.data)) for block in loaded.blocks]
    return [bytes(record) for record in loaded.records], sorted(blocks), loaded.is_whole


def rows(cursor: Any, statement: str, *values: object) -> list[Any]:
    cursor.execute(statement, values)
    return cursor.fetchall()  # type: ignore[no-any-return]
