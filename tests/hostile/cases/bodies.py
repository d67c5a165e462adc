"""Bodies: what is no JSON, or too much of it, and what a small compressed body becomes."""

from __future__ import annotations

import gzip
import io
import sys
import zlib
from collections.abc import Callable
from typing import Any, Final

from tests.hostile.case import (
    INVALID,
    JSON,
    MALFORMED,
    OK,
    OVER,
    REFUSED,
    STOPPED,
    UNSUPPORTED,
    Family,
    Request,
    Weight,
    json_body,
)

if sys.version_info >= (3, 14):
    from compression import zstd
else:
    from backports import zstd

FAMILY: Final = Family("bodies")
WRONG: Final = MALFORMED | INVALID | REFUSED | OVER
heavy: Final = {"weight": Weight.HEAVY, "kills": True}
body, send = FAMILY.body, FAMILY.send
GRAPH: Final = json_body({"inputs": {"x": [1.0]}, "nodes": [{"id": "y", "op": "neg", "args": ["$x"]}]})

# -- what is no JSON ------------------------------------------------------------------------------------------------
for name, text in {
    "nothing": b"",
    "white space": b" " * 100_000,
    "half a document": GRAPH[:-5],
    "two documents": GRAPH * 2,
    "a NUL": b"\0",
    "UTF-16": GRAPH.decode().encode("utf-16"),
    "a byte order mark": b"\xef\xbb\xbf" + GRAPH,
    "no UTF-8": b'{"code":"\xff\xfe"}',
    "a trailing comma": b'{"nodes":[],}',
    "single quotes": b"{'nodes':[]}",
    "a comment": b'{"nodes":[]/**/}',
    "NaN": b'{"inputs":{"x":NaN}}',
    "a number of a million digits": b'{"inputs":{"x":' + b"9" * 1_000_000 + b'},"nodes":[]}',
    "a huge exponent": b'{"inputs":{"x":1e999999999},"nodes":[]}',
    "half a surrogate pair": b'{"code":"\\ud800"}',
    "a control character": b'{"code":"\x01"}',
    "a list": b"[]",
    "a text": b'"nodes"',
    "null": b"null",
    "a number": b"1",
    "100,000 open lists": b"[" * 100_000,
    "100,000 open objects": b'{"a":' * 100_000,
    "a deep list": b"[" * 200 + b"]" * 200,
    "a deep object in an unknown field": b'{"nodes":[],"a":' + b'{"a":' * 1000 + b"1" + b"}" * 1001,
    "a pickle": b"\x80\x04\x95\x0c\x00\x00\x00",
    "YAML": b"nodes: !!python/object/apply:os.system ['true']",
    "XML": b"<!DOCTYPE a [<!ENTITY b SYSTEM 'file:///etc/passwd'>]><a>&b;</a>",
}.items():
    body(f"body: {name}", text, WRONG)

# Two of one name: readers disagree about which counts, so neither does.
for name, text in {
    "nodes": b'{"nodes":[],"nodes":[{"id":"y","op":"ones","args":[1]}]}',
    "code": b'{"code":"x = 1","code":"y = 2"}',
    "an input": b'{"inputs":{"x":1.0,"x":2.0},"nodes":[]}',
    "an op": b'{"nodes":[{"id":"y","op":"ones","op":"zeros","args":[1]}]}',
    "a keyword": b'{"nodes":[{"id":"y","op":"ones","args":[1],"kwargs":{"dtype":"float32","dtype":"float64"}}]}',
    "a dtype": b'{"inputs":{"x":{"data":[1],"dtype":"int8","dtype":"int64"}},"nodes":[]}',
    "an escaped one": b'{"code":"x = 1","c\\u006fde":"y = 2"}',
}.items():
    body(f"duplicate keys: {name}", text, MALFORMED | INVALID)

body(
    "200,000 unknown fields",
    lambda: json_body({**{f"field{i}": i for i in range(200_000)}, "nodes": []}),
    WRONG,
    weight=Weight.SLOW,
)
body("an unknown field of a megabyte", lambda: json_body({"a" * 1_000_000: 1, "nodes": []}), WRONG)
body("an unknown field in SQL", json_body({"x'; DROP TABLE sessions; --": 1, "nodes": []}), WRONG)
body("an unknown field that is markup", json_body({"<script>alert(1)</script>": 1, "nodes": []}), WRONG)
body("a list of two million objects", lambda: b'{"nodes":[' + b"{}," * 2_000_000 + b"{}]}", WRONG, **heavy)
body("ten million lists in a field", lambda: b'{"inputs":[' + b"[]," * 10_000_000 + b"[]]}", WRONG, **heavy)
body("a text of 60 MB", lambda: b'{"code":"' + b"#" * 60_000_000 + b'"}', WRONG, **heavy)
body("a body over its limit", lambda: b'{"code":"' + b"#" * (80 * 2**20) + b'"}', OVER, **heavy)
body("half a million escapes", lambda: b'{"code":"' + b"\\u0041" * 500_000 + b'"}', WRONG)
body(
    "a million short texts",
    lambda: b'{"outputs":[' + b'"a",' * 1_000_000 + b'"a"],"nodes":[]}',
    WRONG | OK,
    weight=Weight.SLOW,
)

# -- media types ----------------------------------------------------------------------------------------------------
for name, media in {
    "text/plain": "text/plain",
    "a form": "application/x-www-form-urlencoded",
    "multipart": "multipart/form-data; boundary=a",
    "a pickle": "application/x-pickle",
    "nothing": "",
    "a slash": "/",
    "a long one": "application/" + "a" * 4000,
    "XML": "application/xml",
    "two": "application/json, application/msgpack",
    "NumPy": "application/x-npy",
}.items():
    accepted = (
        UNSUPPORTED
        | (OK if name == "nothing" else frozenset())
        | (INVALID if name in ("nothing", "multipart") else frozenset())
    )
    body(f"media type: {name}", GRAPH, accepted, headers={"Content-Type": media})
body("JSON in another charset", GRAPH, UNSUPPORTED | OK, headers={"Content-Type": "application/json; charset=utf-7"})
body("JSON said to be msgpack", GRAPH, MALFORMED, headers={"Content-Type": "application/msgpack"})


# -- compressed -----------------------------------------------------------------------------------------------------
def packed(coding: str, data: Callable[[], bytes] | bytes, content_type: str = "application/json") -> Request:
    """A compressed body."""

    def made() -> bytes:
        plain = data if isinstance(data, bytes) else data()
        return gzip.compress(plain) if coding == "gzip" else zstd.compress(plain)

    return Request(body=made, headers={"Content-Type": content_type, "Content-Encoding": coding})


def as_coded(coding: str, data: bytes | Callable[[], bytes]) -> Request:
    """A body as it stands, said to be compressed."""
    return Request(body=data, headers={**JSON, "Content-Encoding": coding})


def repeated(prefix: bytes, unit: bytes, count: int, end: bytes) -> Callable[[], bytes]:
    """``count`` of one thing in zstd, without ever having all of it here."""

    def made() -> bytes:
        packer, block = zstd.ZstdCompressor(), unit * 10_000
        parts = [packer.compress(prefix), *[packer.compress(block) for _ in range(count // 10_000)]]
        return b"".join([*parts, packer.compress(end), packer.flush()])

    return made


def zeros(size: int) -> Callable[[], bytes]:
    """So many bytes of nothing in gzip."""

    def made() -> bytes:
        out, block = io.BytesIO(), bytes(2**20)
        with gzip.GzipFile(fileobj=out, mode="wb") as packer:
            for _ in range(size // 2**20):
                packer.write(block)
        return out.getvalue()

    return made


for coding in ("gzip", "zstd"):
    send(f"{coding}: a body that is none", as_coded(coding, b"no, it is not"), MALFORMED)
    send(f"{coding}: nothing", as_coded(coding, b""), MALFORMED | INVALID)
    send(f"{coding}: an empty document", packed(coding, b""), MALFORMED | INVALID)
    send(f"{coding}: a sound one", packed(coding, GRAPH), OK)
    send(f"{coding}: compressed twice", packed(coding, zlib.compress(GRAPH)), MALFORMED)
    send(f"{coding}: msgpack that says JSON", packed(coding, b"\x81\xa5nodes\x90"), MALFORMED)
send("gzip: cut short", as_coded("gzip", gzip.compress(GRAPH)[:-6]), MALFORMED)
send("gzip: a wrong checksum", as_coded("gzip", gzip.compress(GRAPH)[:-8] + b"\0" * 8), MALFORMED)
send("gzip: rubbish behind it", as_coded("gzip", gzip.compress(GRAPH) + b"rubbish"), MALFORMED)
send("gzip: 300,000 empty members", as_coded("gzip", lambda: gzip.compress(b"") * 300_000), WRONG, weight=Weight.SLOW)
send(
    "gzip: 300,000 members of one byte",
    as_coded("gzip", lambda: gzip.compress(b" ") * 300_000),
    WRONG,
    weight=Weight.SLOW,
)
send(
    "gzip: a long name in its head",
    as_coded("gzip", lambda: b"\x1f\x8b\x08\x08" + b"\0" * 6 + b"a" * 10_000_000),
    MALFORMED,
)
send("gzip: a GB of nothing", as_coded("gzip", zeros(2**30)), OVER, **heavy)
send(
    "gzip: lists that become gigabytes",
    packed("gzip", lambda: b'{"nodes":[' + b"[]," * 15_000_000 + b"[]]}"),
    WRONG,
    **heavy,
)
send("zstd: cut short", as_coded("zstd", zstd.compress(GRAPH)[:-3]), MALFORMED)
send("zstd: 300,000 empty frames", as_coded("zstd", lambda: zstd.compress(b"") * 300_000), WRONG, weight=Weight.SLOW)
send(
    "zstd: a million skippable frames",
    as_coded("zstd", lambda: b"\x50\x2a\x4d\x18\0\0\0\0" * 1_000_000),
    WRONG,
    weight=Weight.SLOW,
)
send("zstd: one skippable frame that lies", as_coded("zstd", b"\x50\x2a\x4d\x18\xff\xff\xff\xff"), MALFORMED)
send("zstd: a window of 2 GB", as_coded("zstd", b"\x28\xb5\x2f\xfd\x00\xa8\x01\x00\x00"), MALFORMED | OVER)
send(
    "zstd: a size that lies",
    as_coded("zstd", b"\x28\xb5\x2f\xfd\xe0" + b"\xff" * 8 + b"\x01\x00\x00"),
    MALFORMED | OVER,
)
send(
    "zstd: a dictionary that nobody has",
    as_coded("zstd", b"\x28\xb5\x2f\xfd\x23\x01\x02\x03\x04\x00\x01\x00\x00"),
    MALFORMED,
)
send(
    "zstd: lists that become gigabytes",
    as_coded("zstd", repeated(b'{"nodes":[', b"[],", 21_000_000, b"[]]}")),
    WRONG,
    **heavy,
)
send(
    "zstd: objects that become gigabytes",
    as_coded("zstd", repeated(b'{"nodes":[', b'{"":0},', 9_000_000, b"{}]}")),
    WRONG,
    **heavy,
)
send(
    "zstd: texts that become gigabytes",
    as_coded("zstd", repeated(b'{"outputs":[', b'"aa",', 12_000_000, b'"a"]}')),
    WRONG,
    **heavy,
)
send(
    "zstd: a body over its limit",
    as_coded("zstd", repeated(b'{"code":"', b"# no more of this\\n", 5_000_000, b'"}')),
    OVER,
    **heavy,
)
send(
    "zstd: a tensor of 15 million zeros",
    as_coded("zstd", repeated(b'{"inputs":{"x":[', b"0,", 15_000_000, b'0]},"nodes":[]}')),
    OK | STOPPED | REFUSED,
    **heavy,
)
for coding in ("br", "deflate", "compress", "gzip, gzip", "gzip,zstd", "identity, gzip", "x-unknown", "a" * 5000):
    name = coding if len(coding) < 50 else "a long one"
    send(f"coding: {name}", as_coded(coding, gzip.compress(gzip.compress(GRAPH))), UNSUPPORTED)


def _python(text: bytes) -> Request:
    return Request(body=text, headers={"Content-Type": "text/x-python"})


PYTHON: Final[dict[str, Any]] = {"no UTF-8": b"x = '\xff'", "a NUL": b"x = 1\0", "a pickle": b"\x80\x04\x95"}
for name, text in PYTHON.items():
    send(f"python: {name}", _python(text), WRONG | UNSUPPORTED)
