"""Answers that differ only in their numbers: encoded once, with places for the data of their tensors."""

from __future__ import annotations

from secrets import token_hex
from typing import Any, Final, Literal

import msgspec
import numpy as np
import orjson

from app.wire import codec
from app.wire.arrays import Encoding, Placeholders, encode_array

Array = np.ndarray[Any, Any]
Written = Literal["json", "base64", "raw"]  # how a template's data are written
_FORMATS: Final = {form.value: form for form in codec.Format}


def new_placeholders(encoding: Encoding) -> Placeholders:
    """Make an encoding that collects the arrays of an answer, and puts a word nobody can guess in place of each."""
    return Placeholders(encoding, token_hex(16))


class Template(msgspec.Struct, array_like=True, forbid_unknown_fields=True):
    """An encoded answer with places for the data of its tensors, each of which has a number.

    ``pieces`` stand before the places, ``end`` behind the last; ``order`` says for each place whose data go there, and
    whether JSON has a number for each of them unless it is not finite.
    """

    media_type: str
    encoding: Written
    pieces: list[bytes]
    order: list[tuple[int, bool]]
    end: bytes

    @classmethod
    def of(cls, answer: Any, placeholders: Placeholders, form: codec.Format) -> Template:
        """Return the template of an answer that was encoded with ``placeholders``, whose arrays keep their numbers."""
        encoding = placeholders.encoding
        assert not isinstance(encoding, Placeholders)
        is_json = encoding == "json" and form is codec.JSON
        text, start = codec.encode(answer, form), 0
        words = [_word(word, form) for word in placeholders.words]
        places = sorted((text.index(word), len(word), number) for number, word in enumerate(words))
        pieces = []
        for place, length, _ in places:
            pieces.append(text[start:place])
            start = place + length
        order = [(number, is_json and placeholders.arrays[number].dtype.kind in "fiub") for _, _, number in places]
        return cls(form.value, encoding, pieces, order, text[start:])

    @property
    def nbytes(self) -> int:
        """About how much memory it takes."""
        return sum(map(len, self.pieces)) + len(self.end) + 100 * len(self.pieces)

    def fits(self, count: int) -> bool:
        """Whether there is one place for each of ``count`` arrays, and nothing else."""
        numbers = [number for number, _ in self.order]
        return sorted(numbers) == list(range(count)) and len(self.pieces) == count and self.media_type in _FORMATS

    def fill(self, arrays: Any) -> bytes:
        """Return the answer with these arrays."""
        parts: list[codec.Body] = []
        for piece, (number, is_plain) in zip(self.pieces, self.order, strict=True):
            array = arrays[number]
            text = _numbers(array) if is_plain else None
            parts.append(piece)
            if text is not None:
                parts.append(text)
            else:
                parts += codec.encode_data(encode_array(array, self.encoding), _FORMATS[self.media_type])
        parts.append(self.end)
        return b"".join(parts)


def _word(word: str, form: codec.Format) -> bytes:
    return f'"{word}"'.encode() if form is codec.JSON else msgspec.msgpack.encode(word)


def _numbers(array: Array) -> bytes | None:
    """Return the data of a tensor as JSON, unless it takes more than orjson to write them."""
    if not array.flags.c_contiguous:
        return None
    text = orjson.dumps(array if array.ndim else array[()], option=orjson.OPT_SERIALIZE_NUMPY)
    return None if b"n" in text else text  # JSON has no number for some, and orjson writes null for them
