"""NaN and infinities, which JSON has no numbers for: "NaN", "Infinity" and "-Infinity" stand for them."""

from __future__ import annotations

from typing import Any, Final

import numpy as np
import orjson

Array = np.ndarray[Any, Any]
SPECIAL: Final = {"NaN": np.nan, "Infinity": np.inf, "-Infinity": -np.inf}

_WRITTEN: Final = tuple(f'"{word}"'.encode() for word in SPECIAL)


class NonFinite:
    """A C-contiguous array of floats that has some of them, to be written out at once. No dataclass: orjson has its
    own way with those."""

    __slots__ = ("array",)

    def __init__(self, array: Array) -> None:
        self.array = array

    def json(self) -> bytes:
        """Return the array as orjson writes it, where each of them is a null, with the words put in."""
        pieces = orjson.dumps(self.array, option=orjson.OPT_SERIALIZE_NUMPY).split(b"null")
        odd = self.array[~np.isfinite(self.array)]
        parts = [b""] * (2 * odd.size + 1)
        parts[::2] = pieces
        parts[1::2] = map(_WRITTEN.__getitem__, (np.isposinf(odd) + 2 * np.isneginf(odd)).tolist())
        return b"".join(parts)

    def lists(self) -> Any:
        """Return the array as lists of numbers and words."""
        return orjson.loads(self.json())
