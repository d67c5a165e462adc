"""Bodies in msgpack: lengths that lie, types that JSON has not, and keys that are no texts."""

from __future__ import annotations

import struct
from typing import Any, Final

import msgspec

from tests.hostile.case import INVALID, MALFORMED, MSGPACK, OK, OVER, REFUSED, STOPPED, Body, Family, Outcomes, Weight

FAMILY: Final = Family("msgpack")
WRONG: Final = MALFORMED | INVALID | REFUSED | OVER
pack = msgspec.msgpack.encode
NODES: Final = [{"id": "y", "op": "neg", "args": ["$x"]}]


def body(name: str, raw: Body, accepted: Outcomes = WRONG, **options: Any) -> None:
    """Declare a body."""
    FAMILY.body(name, raw, accepted, headers=MSGPACK, **options)


def tensor(**fields: Any) -> bytes:
    """A program whose input has these fields."""
    return pack({"inputs": {"x": {"dtype": "float32", **fields}}, "nodes": NODES})


MAP2, INPUTS, NODES_KEY = b"\x82", pack("inputs"), b"\xa5nodes\x90"
LENGTHS: Final = {
    "a list of 2**32": b"\xdd\xff\xff\xff\xff",
    "a map of 2**32": b"\xdf\xff\xff\xff\xff",
    "a text of 2**32": b"\xdb\xff\xff\xff\xff",
    "bytes of 2**32": b"\xc6\xff\xff\xff\xff",
    "an extension of 2**32": b"\xc9\xff\xff\xff\xff\x01",
    "a list of 2**16": b"\xdc\xff\xff",
    "a text of 255": b"\xd9\xff",
    "bytes of 2**31 that end": b"\xc6\x7f\xff\xff\xffabc",
    "a list of a million ints": b"\xdd\x00\x0f\x42\x40\x01",
}
for name, lie in LENGTHS.items():
    body(f"alone: {name}", lie)
    body(f"in the inputs: {name}", MAP2 + NODES_KEY + INPUTS + lie)
for name, raw in {
    "nothing": b"",
    "a number": b"\x01",
    "a list": b"\x90",
    "nil": b"\xc0",
    "a byte that is never used": b"\xc1",
    "two documents": b"\x80\x80",
    "a timestamp": b"\x81\xa5nodes\xd6\xff\x00\x00\x00\x00",
    "an extension": b"\x81\xa5nodes\xc7\x03\x05abc",
    "an extension as the whole": b"\xd4\x01\x00",
    "numbers as keys": b"\x81\x01\x90",
    "lists as keys": b"\x81\x91\x01\x90",
    "maps as keys": b"\x81\x80\x90",
    "nil as a key": b"\x81\xc0\x90",
    "bytes as keys": b"\x81\xc4\x05nodes\x90",
    "a NaN as a key": b"\x81\xcb\x7f\xf8\x00\x00\x00\x00\x00\x00\x90",
    "no UTF-8": b"\x81\xa4code\xa2\xff\xfe",
    "half a surrogate pair": b"\x81\xa4code\xa3\xed\xa0\x80",
    "bytes where a text should be": b"\x81\xa4code\xc4\x05x = 1",
    "half a number": b"\x81\xa5nodes\xcb\x00",
}.items():
    body(name, raw)
body("duplicate keys", b"\x82\xa5nodes\x90\xa5nodes\x90", MALFORMED | INVALID)
body("duplicate inputs", MAP2 + NODES_KEY + INPUTS + b"\x82\xa1x\x01\xa1x\x02", MALFORMED | INVALID)
body("duplicate keys in a long map", lambda: b"\xdf\x00\x00\x40\x00" + b"\xa1a\x01" * 2**14, MALFORMED | INVALID)
body("100,000 lists in lists", b"\x91" * 100_000)
body("100,000 maps in maps", b"\x81\xa1a" * 100_000)
body("200 levels that end", b"\x81\xa5nodes" + b"\x91" * 200 + b"\xc0")
body("200,000 unknown fields", lambda: pack({f"field{i}": i for i in range(200_000)}), weight=Weight.SLOW)
body(
    "20 million nils",
    lambda: b"\x81\xa5nodes\xdd" + struct.pack(">I", 20_000_000) + b"\xc0" * 20_000_000,
    weight=Weight.HEAVY,
    kills=True,
)
body(
    "20 million empty lists",
    lambda: b"\x81\xa5nodes\xdd" + struct.pack(">I", 20_000_000) + b"\x90" * 20_000_000,
    weight=Weight.HEAVY,
    kills=True,
)
body(
    "20 million empty maps in a field that is not read",
    lambda: b"\x81\xa1a\xdd" + struct.pack(">I", 20_000_000) + b"\x80" * 20_000_000,
    weight=Weight.HEAVY,
    kills=True,
)
body(
    "an input of 20 million small numbers",
    lambda: MAP2 + b"\xa5nodes\x90" + INPUTS + b"\x81\xa1x\xdd" + struct.pack(">I", 20_000_000) + b"\x01" * 20_000_000,
    OK | STOPPED | WRONG,
    weight=Weight.HEAVY,
    kills=True,
)
for name, raw in {
    "data that are too short": tensor(data=b"1234", shape=[1000]),
    "data that are too long": tensor(data=b"1234" * 1000, shape=[1]),
    "half an element": tensor(data=b"123", shape=[1]),
    "no shape": tensor(data=b"1234"),
    "a shape in bytes": tensor(data=b"1234", shape=b"\1"),
    "a shape that overflows": tensor(data=b"", shape=[2**32, 2**32, 2**62]),
    "a negative shape": tensor(data=b"", shape=[-1]),
    "an unknown dtype": tensor(data=b"1234", shape=[1], dtype="object"),
    "a structured dtype": tensor(data=b"1234", shape=[1], dtype="f2,f2"),
    "a dtype in bytes": tensor(data=b"1234", shape=[1], dtype=b"float32"),
    "bytes in a list": tensor(data=[b"1234"], shape=[1]),
    "truth values that are none": tensor(data=b"\x07\x09", shape=[2], dtype="bool"),
    "an unknown encoding": tensor(data=b"1234", encoding="pickle"),
}.items():
    body(f"tensor: {name}", raw, WRONG | (OK if "truth" in name or "no shape" in name else frozenset()))
