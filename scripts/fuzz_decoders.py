"""Look for a body that two readers of numbers take for different things: ``python -m scripts.fuzz_numbers [SECONDS]``.

Needs atheris, which is no dependency of anything else: install it where it is wanted. A finding ends in a traceback.
"""

from __future__ import annotations

import sys

import atheris

with atheris.instrument_imports(include=["app.wire.numbers", "app.wire.arrays"]):
    from app.wire import numbers
    from tests.app.decoding import both, padded

from app.core.limits import Limits
from engine import dtypes

LIMITS = (Limits(), Limits(tensor_elements=4, json_depth=3, rank=2))
NAMES = [None, *(dtype.name for dtype in dtypes.ALL)]
ALPHABET = b'[[[]]],,,,0123456789.-+eE "\\{}:ntNa'


def body(data: atheris.FuzzedDataProvider) -> bytes:
    """A tensor whose data are spelled with what lists of numbers are made of, or with anything."""
    dtype = NAMES[data.ConsumeIntInRange(0, len(NAMES) - 1)]
    wrapped = data.ConsumeBool()
    text = data.ConsumeBytes(200)
    if data.ConsumeBool():
        text = bytes(ALPHABET[byte % len(ALPHABET)] for byte in text)
    text = padded(b"[" + text)
    rest = b'"dtype": null' if dtype is None else f'"dtype": "{dtype}"'.encode()
    return b'{"data": ' + text + b", " + rest + b"}" if wrapped else text


def test_one_input(raw: bytes) -> None:
    """Both come to the same."""
    data = atheris.FuzzedDataProvider(raw)
    numbers.CHUNK_BYTES = data.ConsumeIntInRange(1, 12)  # type: ignore[misc]
    limits = LIMITS[data.ConsumeIntInRange(0, len(LIMITS) - 1)]
    given = body(data)
    usual, fast = both(given, limits)
    assert usual == fast, (given.replace(b" " * 64, b""), usual, fast)


def main() -> None:
    seconds = sys.argv[1] if len(sys.argv) > 1 else "60"
    atheris.Setup([sys.argv[0], f"-max_total_time={seconds}", "-max_len=256"], test_one_input)
    atheris.Fuzz()


if __name__ == "__main__":
    main()
