"""Answers that differ only in their numbers: encoded once, with places for the data of their tensors."""

from __future__ import annotations

from secrets import token_hex
from typing import Any

import msgspec
import numpy as np
import orjson

from app.wire import codec
from app.wire.arrays import Encoding, Placeholders, encode_array

Array = np.ndarray[Any, Any]


def new_placeholders(encoding: Encoding) -> Placeholders:
    """Make an encoding that collects the arrays of an answer, and puts a word nobody can guess in place of each."""
    return Placeholders(encoding, token_hex(16))


class Template:
    """The answer that was encoded with ``placeholders``, for other arrays in the order of ``placeholders.arrays``."""

    def __init__(self, answer: Any, placeholders: Placeholders, form: codec.Format) -> None:
        self._form, self._encoding, self.media_type = form, placeholders.encoding, form.value
        is_json = self._encoding == "json" and form is codec.JSON
        text, self._pieces, start = codec.encode(answer, form), [], 0
        places = sorted((text.index(word), len(word), n) for n, word in enumerate(map(self._word, placeholders.words)))
        self._order = [
            (number, is_json and placeholders.arrays[number].dtype.kind in "fiub") for _, _, number in places
        ]
        for place, length, _ in places:
            self._pieces.append(text[start:place])
            start = place + length
        self._end = text[start:]
        self.nbytes = len(text) + 100 * len(places)

    def _word(self, word: str) -> bytes:
        return f'"{word}"'.encode() if self._form is codec.JSON else msgspec.msgpack.encode(word)

    def fill(self, arrays: Any) -> bytes:
        """Return the answer with these arrays."""
        parts: list[codec.Body] = []
        for piece, (number, is_plain) in zip(self._pieces, self._order, strict=True):
            array = arrays[number]
            text = _numbers(array) if is_plain else None
            parts.append(piece)
            parts += codec.encode_data(encode_array(array, self._encoding), self._form) if text is None else (text,)
        parts.append(self._end)
        return b"".join(parts)


def _numbers(array: Array) -> bytes | None:
    """Return the data of a tensor as JSON, unless it takes more than orjson to write them."""
    if not array.flags.c_contiguous:
        return None
    text = orjson.dumps(array if array.ndim else array[()], option=orjson.OPT_SERIALIZE_NUMPY)
    return None if b"n" in text else text  # JSON has no number for some, and orjson writes null for them
