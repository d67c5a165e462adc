"""Look for a request that two decoders take for different things: ``python -m scripts.fuzz_decoders [SECONDS]``.

Needs atheris, which is no dependency of anything else: install it where it is wanted. A finding ends in a traceback.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import Any

import atheris
import msgspec

with atheris.instrument_imports(include=["app.wire.numbers", "app.wire.arrays", "app.wire.envelope", "app.wire.codec"]):
    from app.wire import codec, numbers
    from tests.app.decoding import every_way, padded

from app.limits import Limits
from engine import dtypes

LIMITS = (Limits(), Limits(tensor_elements=4, json_depth=6, rank=2))
NAMES: list[Any] = [None, *(dtype.name for dtype in dtypes.ALL), "float31", 3]
SHAPES: list[Any] = [None, [], [1], [2], [0], [2, 2], [-1], "2"]
ALPHABET = b'[[[]]],,,,0123456789.-+eE "\\{}:ntNa'
MEMBERS: list[Any] = [0, 1, -1.5, 2**40, 0.1, 1e300, float("nan"), True, None, "NaN", "x", b"\1\2\3\4", {}, []]


def chosen(draw: atheris.FuzzedDataProvider, options: list[Any]) -> Any:
    return options[draw.ConsumeIntInRange(0, len(options) - 1)]


def data_of(draw: atheris.FuzzedDataProvider, depth: int = 0) -> Any:
    if depth < 3 and draw.ConsumeBool():
        return [data_of(draw, depth + 1) for _ in range(draw.ConsumeIntInRange(0, 3))]
    return chosen(draw, MEMBERS) if draw.ConsumeBool() else draw.ConsumeBytes(draw.ConsumeIntInRange(0, 16))


# -- JSON: text, which need not be any ------------------------------------------------------------------------------
def spelled(draw: atheris.FuzzedDataProvider) -> bytes:
    """A tensor whose data are lists, or made of what lists of numbers are made of, or of anything."""
    kind = draw.ConsumeIntInRange(0, 3)
    text: bytes = draw.ConsumeBytes(draw.ConsumeIntInRange(0, 80)) if kind < 2 else b""
    text = b"[" + (bytes(ALPHABET[byte % len(ALPHABET)] for byte in text) if kind else text)
    if kind > 1:
        text = msgspec.json.encode(data_of(draw))
    if draw.ConsumeBool():
        text = padded(text)
    if draw.ConsumeBool():
        return text
    fields = {"dtype": chosen(draw, NAMES), "shape": chosen(draw, SHAPES), "requires_grad": draw.ConsumeBool()}
    rest = msgspec.json.encode({name: value for name, value in fields.items() if value is not None})
    return b'{"data": ' + text + b", " + rest[1:]


def in_json(draw: atheris.FuzzedDataProvider) -> bytes:
    inputs = b", ".join(b'"x%d": %b' % (number, spelled(draw)) for number in range(draw.ConsumeIntInRange(0, 2)))
    root = b'{"tensor": "y", "gradient": ' + spelled(draw) + b"}" if draw.ConsumeBool() else b""
    return b'{"inputs": {' + inputs + b'}, "nodes": [], "backward": [' + root + b"]}"


# -- msgpack: a value, some of whose bytes are then others ------------------------------------------------------------
def valued(draw: atheris.FuzzedDataProvider) -> Any:
    data = data_of(draw)
    if draw.ConsumeBool():
        return data
    fields = {"data": data, "dtype": chosen(draw, NAMES), "shape": chosen(draw, SHAPES)}
    return {name: value for name, value in fields.items() if value is not None or draw.ConsumeBool()}


def in_msgpack(draw: atheris.FuzzedDataProvider) -> bytes:
    inputs = {f"x{number}": valued(draw) for number in range(draw.ConsumeIntInRange(0, 2))}
    roots = [{"tensor": "y", "gradient": valued(draw)}] if draw.ConsumeBool() else []
    body = bytearray(msgspec.msgpack.encode({"inputs": inputs, "nodes": [], "backward": roots}))
    for _ in range(draw.ConsumeIntInRange(0, 3)):
        body[draw.ConsumeIntInRange(0, len(body) - 1)] = draw.ConsumeIntInRange(0, 255)
    return bytes(body)


FORMS: dict[codec.Format, Callable[[Any], bytes]] = {codec.Format.JSON: in_json, codec.Format.MSGPACK: in_msgpack}


def test_one_input(raw: bytes) -> None:
    """All decoders come to the same."""
    draw = atheris.FuzzedDataProvider(raw)
    numbers.CHUNK_BYTES = draw.ConsumeIntInRange(1, 12)  # type: ignore[misc]
    limits, form = chosen(draw, list(LIMITS)), chosen(draw, list(FORMS))
    body = FORMS[form](draw)
    usual, *others = every_way(body, form, limits)
    assert all(usual == one for one in others), (body.replace(b" " * 64, b""), usual, *others)


def main() -> None:
    seconds = sys.argv[1] if len(sys.argv) > 1 else "60"
    atheris.Setup([sys.argv[0], f"-max_total_time={seconds}", "-max_len=256"], test_one_input)
    atheris.Fuzz()


if __name__ == "__main__":
    main()
