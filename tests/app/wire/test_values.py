"""How many values a body may have, and how large an answer may be, before anything is made of either."""

from __future__ import annotations

import gzip
import sys
import tracemalloc
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.limits import Limits, OverLimit
from app.wire import codec, envelope
from app.wire.msgpack_values import count_values, place_of_long_bytes
from tests.app.conftest import Client, Serve

if sys.version_info >= (3, 14):
    from compression import zstd
else:
    from backports import zstd

SCALARS = st.none() | st.booleans() | st.integers(-(2**63), 2**64 - 1) | st.floats() | st.text() | st.binary()
VALUES = st.recursive(
    SCALARS | st.sampled_from(["a" * 300, b"b" * 70000, "c" * 70000]),
    lambda inner: st.lists(inner, max_size=20) | st.dictionaries(st.text(), inner, max_size=20),
)


def number_of(value: Any) -> int:
    if isinstance(value, dict):
        return 1 + len(value) + sum(map(number_of, value.values()))
    return 1 + sum(map(number_of, value)) if isinstance(value, list) else 1


@given(st.integers(0, 3), st.sampled_from([b"", b"\xc6", b"\xc6\0\0\0\1", b"\xc6\xff\xff\xff\xff"]), st.binary())
def test_long_bytes_are_found_in_how_a_body_begins(depth: int, before: bytes, name: bytes) -> None:
    value: Any = {"n": before, "name": name, "data": (long := bytes(70_000))}
    for _ in range(depth):
        value = {"x": [value]}
    body = msgspec.msgpack.encode(value)
    place = place_of_long_bytes(body[:2000], len(body))
    assert body[place:] == long
    assert place_of_long_bytes(body[: place - 2], len(body)) == 0
    assert place_of_long_bytes(body[:2000], 0) == 0


@given(VALUES)
def test_the_values_of_msgpack_are_counted_without_making_them(value: Any) -> None:
    body = msgspec.msgpack.encode(value)
    assert count_values(body, 10**9) == number_of(value)
    assert number_of(value) <= 5 or count_values(body, 5) > 5


@given(st.binary(max_size=60))
def test_whatever_comes_is_counted(body: bytes) -> None:
    assert count_values(body, 100) >= 0


def test_extensions_are_one_value() -> None:
    for code, size in ((1, 1), (2, 2), (3, 4), (4, 8), (5, 16), (6, 5), (7, 300), (8, 70000)):
        assert count_values(msgspec.msgpack.encode([msgspec.msgpack.Ext(code, b"x" * size), 1]), 10**9) == 3


@pytest.mark.parametrize("form", codec.FORMATS)
@pytest.mark.parametrize("shape", ["flat", "nested", "objects"])
def test_too_many_values_are_refused_before_they_are_made(form: codec.Format, shape: str) -> None:
    made: dict[str, Any] = {"flat": [None] * 500_000, "nested": [[]] * 500_000, "objects": [{}] * 500_000}
    body = codec.encode({"nodes": made[shape]}, form)
    del made
    limits = Limits(body_values=100_000)
    tracemalloc.start()
    for read in (codec.decode, codec.decode_request):
        with pytest.raises(OverLimit, match="body_values"):
            read(body, form, limits)
    assert envelope.read(body, form, limits) is None
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 2**20


def test_long_lists_of_numbers_in_json_do_not_count(serve: Serve) -> None:
    client = serve(limits=Limits(body_values=100))
    answer = client.evaluate(
        inputs={"x": [0.5] * 5000}, nodes=[{"id": "y", "op": "sum", "args": ["$x"]}], outputs=["y"]
    )  # fmt: skip
    assert answer["outputs"]["y"]["data"] == 2500


def test_many_unknown_fields_cost_little(client: Client) -> None:
    body = codec.encode({f"f{i}": 0 for i in range(200_000)}, codec.JSON)
    tracemalloc.start()
    answer = client("POST", "/v1/evaluate", content=body, headers={"Content-Type": "application/json"})
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert (answer.status_code, answer.json()["type"]) == (422, "/problems/invalid-request")
    assert peak < 2**26  # the fields themselves take 30 MB


# -- compression ----------------------------------------------------------------------------------------------------
def test_members_are_read_one_after_the_other() -> None:
    parts = [b"[", b"1" * 200_000, b"", b"]"]
    for coding, compress in (("gzip", gzip.compress), ("zstd", zstd.compress)):
        body = b"".join(map(compress, parts))
        assert codec.decompress(body, coding, Limits()) == b"".join(parts)
        with pytest.raises(codec.MalformedBody, match="cut short"):
            codec.decompress(body[:-3], coding, Limits())
        with pytest.raises(OverLimit):
            codec.decompress(body, coding, Limits(body_bytes=200_001))
        with pytest.raises(codec.MalformedBody, match="members"):
            codec.decompress(compress(b"") * (codec.MEMBERS + 1), coding, Limits())
        assert codec.decompress(compress(b"1") * codec.MEMBERS, coding, Limits()) == b"1" * codec.MEMBERS


def test_a_small_body_never_becomes_a_large_one() -> None:
    text = b"[" + b"[]," * 2**22 + b"[]]"
    body = zstd.compress(text)
    assert len(body) < 2**12
    tracemalloc.start()
    with pytest.raises(OverLimit, match="body_values"):
        codec.decode(codec.decompress(body, "zstd", Limits()), codec.JSON, Limits())
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 4 * len(text)


# -- answers --------------------------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    "code",
    [
        "x = torch.zeros(100).expand(1000, 100)",
        "x = torch.zeros(10000)\n" + "\n".join(f"y{i} = x" for i in range(9)),
        "t = 'a' * 90000\n" + "\n".join(f"u{i} = t" for i in range(9)), "t = ['a' * 900] * 900",
        "x = torch.zeros(30000)\nl = [x, x, x, x]",
    ],
)  # fmt: skip
@pytest.mark.parametrize("encoding", ["json", "base64"])
def test_an_answer_that_is_too_large_is_refused_before_it_is_written(serve: Serve, code: str, encoding: str) -> None:
    client = serve(limits=Limits(answer_bytes=200_000))
    for _ in range(3):  # eagerly, while it is recorded, and as it may be planned
        answer = client("POST", "/v1/evaluate", json={"code": code, "encoding": encoding})
        assert (answer.status_code, answer.json()["limit"]) == (413, "answer_bytes")


def test_a_tensor_of_a_session_is_an_answer_too(serve: Serve) -> None:
    client = serve(limits=Limits(answer_bytes=200_000))
    sid = client.open()
    client.run(sid, code="x = torch.zeros(100).expand(1000, 100)", outputs=[])
    answer = client("GET", f"/v1/sessions/{sid}/tensors/x")
    assert (answer.status_code, answer.json()["limit"]) == (413, "answer_bytes")
