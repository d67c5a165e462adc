"""Attention in blocks: scores are made, used and forgotten for as many rows at a time as stay in the cache.

Its adjoint makes them again from the logarithms of the sums of their exponentials (Dao et al., 2022). Arrays are
``(batch, heads, length, features)``; several heads of queries may share one of keys.
"""

from __future__ import annotations

from collections.abc import Iterator
from math import prod
from typing import Any, NamedTuple, TypeAlias

import numpy as np

Array: TypeAlias = np.ndarray[Any, Any]
Block: TypeAlias = tuple[slice, slice, slice]  # of heads of keys, of rows of queries, of the keys these may see

SCORES = 2**17  # in a block
_largest: Any = np.maximum.reduce
_add_up: Any = np.add.reduce


class Setting(NamedTuple):
    """What a call says beside its tensors; row ``i`` of queries sees keys up to ``i`` if ``causal``."""

    causal: bool
    scale: float


class _Layout:
    """Queries as rows by head of keys, and how these are cut into blocks."""

    def __init__(self, query: Array, key: Array, setting: Setting) -> None:
        self.shape = query.shape
        self.heads = prod(key.shape[:2])
        self.shared = query.shape[1] // key.shape[1]
        self.length, self.keys = query.shape[2], key.shape[2]
        self.rows = self.shared * self.length
        self.setting = setting

    def by_rows(self, array: Array) -> Array:
        """Queries, or what lies as they do: ``(heads of keys, rows, features)``."""
        return array.reshape(self.heads, self.rows, array.shape[-1])

    def by_head(self, array: Array) -> Array:
        """Keys, or what lies as they do."""
        return array.reshape(self.heads, self.keys, array.shape[-1])

    def masked_by(self, mask: Array | None) -> Array | None:
        """A mask that broadcasts to the scores, as one that broadcasts to ``(heads of keys, rows, keys)``."""
        if mask is None or mask.ndim == 2 or mask.shape[:2] == (1, 1):
            if mask is None or self.shared == 1 or mask.shape[-2] == 1:
                return None if mask is None else mask.reshape(1, *mask.shape[-2:])
            return np.tile(mask.reshape(mask.shape[-2:]), (self.shared, 1))[None]
        wide = np.broadcast_to(mask, (*self.shape[:2], *mask.shape[-2:]))
        if self.shared > 1:
            wide = np.broadcast_to(wide, (*self.shape[:3], mask.shape[-1]))
        return wide.reshape(self.heads, -1, mask.shape[-1])

    def blocks(self) -> Iterator[Block]:
        """The blocks, which together are all scores that count."""
        is_long = self.rows * self.keys >= SCORES
        heads = 1 if is_long else SCORES // max(self.rows * self.keys, 1)
        rows = max(SCORES // max(self.keys, 1), 1) if is_long else self.rows
        for head in range(0, self.heads, heads):
            for row in range(0, self.rows, rows):
                last = min(row + rows, self.rows)
                seen = min(last, self.keys) if self.setting.causal and self.shared == 1 else self.keys
                yield slice(head, head + heads), slice(row, last), slice(seen)

    def scores(self, query: Array, key: Array, mask: Array | None, block: Block) -> Array:
        """Those of a block, with minus infinity where a query does not see a key."""
        heads, rows, keys = block
        scores: Array = np.matmul(query[heads, rows], key[heads, keys].swapaxes(1, 2))
        scores *= scores.dtype.type(self.setting.scale)
        if mask is not None:
            one = mask.shape[0] == 1
            part = mask[slice(None) if one else heads, slice(None) if mask.shape[1] == 1 else rows]
            scores += part if part.shape[2] == 1 else part[..., keys]
        if self.setting.causal:
            hidden = np.arange(keys.stop) > (np.arange(rows.start, rows.stop) % self.length)[:, None]
            scores[:, hidden] = -np.inf
        return scores


def forward(query: Array, key: Array, value: Array, mask: Array | None, setting: Setting) -> tuple[Array, Array]:
    """Attention, and for each row the logarithm of the sum of the exponentials of its scores."""
    layout = _Layout(query, key, setting)
    queries, keys, values = layout.by_rows(query), layout.by_head(key), layout.by_head(value)
    wide = layout.masked_by(mask)
    result = np.empty(queries.shape, query.dtype)
    logs = np.empty((*queries.shape[:2], 1), query.dtype)
    for block in layout.blocks():
        heads, rows, seen = block
        scores = layout.scores(queries, keys, wide, block)
        largest = _largest(scores, -1, None, None, True)
        largest[largest == -np.inf] = 0  # a row that sees nothing
        scores -= largest
        np.exp(scores, scores)
        sums = _add_up(scores, -1, None, None, True)
        sums[sums == 0] = 1
        part = np.matmul(scores, values[heads, seen], result[heads, rows])
        part /= sums
        np.add(largest, np.log(sums, sums), logs[heads, rows])
    return result.reshape(query.shape), logs.reshape(query.shape[:3])


def backward(
    g: Array, query: Array, key: Array, value: Array, out: Array, logs: Array, mask: Array | None, setting: Setting
) -> tuple[Array, Array, Array]:
    """The cotangents of queries, keys and values."""
    layout = _Layout(query, key, setting)
    queries, keys, values = layout.by_rows(query), layout.by_head(key), layout.by_head(value)
    cotangents, sums = layout.by_rows(g), logs.reshape(layout.heads, layout.rows, 1)
    means = np.vecdot(cotangents, layout.by_rows(out))[..., None]
    wide = layout.masked_by(mask)
    of_query, of_key, of_value = np.empty_like(queries), np.zeros_like(keys), np.zeros_like(values)
    scale = query.dtype.type(setting.scale)
    for block in layout.blocks():
        heads, rows, seen = block
        weights = layout.scores(queries, keys, wide, block)
        weights -= sums[heads, rows]
        np.exp(weights, weights)
        given = cotangents[heads, rows]
        _add_product(weights, given, of_value[heads, seen], not rows.start)
        slopes = np.matmul(given, values[heads, seen].swapaxes(1, 2))
        slopes -= means[heads, rows]
        slopes *= weights
        slopes *= scale
        np.matmul(slopes, keys[heads, seen], out=of_query[heads, rows])
        _add_product(slopes, queries[heads, rows], of_key[heads, seen], not rows.start)
    return of_query.reshape(query.shape), of_key.reshape(key.shape), of_value.reshape(value.shape)


def _add_product(left: Array, right: Array, total: Array, is_first: bool) -> None:
    """Add ``left^T right`` to the zeros of ``total``, or to what was added before."""
    if is_first:
        np.matmul(left.swapaxes(1, 2), right, total)
    else:
        total += np.matmul(left.swapaxes(1, 2), right)
