"""Answers that differ only in their numbers: encoded once, with places for the data of their tensors."""

from __future__ import annotations

from secrets import token_hex
from typing import Any

import msgspec
import numpy as np
import orjson

from app.wire import codec
from app.wire.arrays import Encoding, Slots, encode_array

Array = np.ndarray[Any, Any]


def noting(encoding: Encoding) -> Slots:
    """An encoding that notes the arrays of an answer, and puts a word nobody can guess in place of each."""
    return Slots(encoding, token_hex(16))


class Template:
    """The answer that was encoded with ``slots``, for other arrays in the order of ``slots.arrays``."""

    def __init__(self, answer: Any, slots: Slots, form: codec.Format) -> None:
        self._form, self._encoding = form, slots.encoding
        text, self._pieces, start = codec.encode(answer, form), [], 0
        places = sorted((text.index(word), len(word), n) for n, word in enumerate(map(self._word, slots.words)))
        self._order = [number for _, _, number in places]
        for place, length, _ in places:
            self._pieces.append(text[start:place])
            start = place + length
        self._end = text[start:]
        self.nbytes = len(text) + 100 * len(places)

    def _word(self, word: str) -> bytes:
        return f'"{word}"'.encode() if self._form is codec.Format.JSON else msgspec.msgpack.encode(word)

    def fill(self, arrays: Any) -> bytes:
        """The answer with these arrays."""
        form, encoding, parts = self._form, self._encoding, []
        for piece, number in zip(self._pieces, self._order, strict=True):
            parts.append(piece)
            parts.append(_written(arrays[number], encoding, form))
        parts.append(self._end)
        return b"".join(parts)


def _written(array: Array, encoding: Encoding, form: codec.Format) -> bytes:
    """The data of a tensor."""
    if encoding == "json" and form is codec.Format.JSON and array.dtype.kind in "fiub" and array.flags.c_contiguous:
        text = orjson.dumps(array if array.ndim else array[()], option=orjson.OPT_SERIALIZE_NUMPY)
        if b"null" not in text:  # so it writes what JSON has no number for
            return text
    return codec.encode(encode_array(array, encoding), form)
