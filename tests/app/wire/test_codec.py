"""Bodies: negotiation, compression, and what is refused while they are read."""

import gzip
import json
import sys
from contextlib import suppress
from typing import Any

import msgspec
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.limits import Limits, OverLimit
from app.wire import codec
from app.wire.codec import Format
from tests.app.conftest import Client, Serve

if sys.version_info >= (3, 14):
    from compression import zstd
else:
    from backports import zstd

LIMITS = Limits()
PROGRAM = {"inputs": {"x": [1.0, 2.0]}, "nodes": [{"id": "y", "op": "mul", "args": ["$x", 2]}]}
BODY = json.dumps(PROGRAM).encode()


@pytest.mark.parametrize(
    ("content_type", "form"),
    [
        (None, Format.JSON),
        ("", Format.JSON),
        ("application/json", Format.JSON),
        ("Application/JSON; charset=utf-8", Format.JSON),
        ("application/msgpack", Format.MSGPACK),
        ("application/x-msgpack", Format.MSGPACK),
    ],
)
def test_content_types_that_are_read(content_type: str | None, form: Format) -> None:
    assert codec.request_format(content_type) is form


@pytest.mark.parametrize("content_type", ["text/plain", "application/x-www-form-urlencoded", "json", ";"])
def test_content_types_that_are_not(content_type: str) -> None:
    with pytest.raises(codec.UnsupportedMedia, match="application/json or application/msgpack"):
        codec.request_format(content_type)


@pytest.mark.parametrize(
    ("accept", "form"),
    [
        (None, Format.JSON),
        ("*/*", Format.JSON),
        ("application/*", Format.JSON),
        ("application/msgpack", Format.MSGPACK),
        ("application/msgpack, application/json", Format.JSON),
        ("application/json;q=0.5, application/msgpack;q=0.9", Format.MSGPACK),
        ("text/html, application/json;q=0.9, */*;q=0.1", Format.JSON),
        ("application/json;q=0, */*", Format.MSGPACK),
    ],
)
def test_the_preferred_format_is_answered(accept: str | None, form: Format) -> None:
    assert codec.answer_format(accept) is form


@pytest.mark.parametrize("written", [codec.FORMATS, (Format.MSGPACK,)])
def test_who_names_problems_alone_says_nothing_of_other_answers(written: tuple[Format, ...]) -> None:
    assert codec.answer_format("application/problem+json", written) is written[0]
    assert codec.answer_format("Application/Problem+JSON; q=0.9", written) is written[0]


@pytest.mark.parametrize("accept", ["text/html", "application/json;q=0", "application/json;q=x", "nonsense"])
def test_nothing_acceptable_is_refused(accept: str) -> None:
    with pytest.raises(codec.NotAcceptable):
        codec.answer_format(accept)


@pytest.mark.parametrize(("coding", "compress"), [("gzip", gzip.compress), ("zstd", zstd.compress)])
def test_compressed_bodies_are_read(coding: str, compress: Any) -> None:
    assert codec.decompress(compress(b"one") + compress(b" two"), coding, LIMITS) == b"one two"


@pytest.mark.parametrize(("coding", "compress"), [("gzip", gzip.compress), ("zstd", zstd.compress)])
def test_a_small_body_that_grows_over_the_limit_is_refused(coding: str, compress: Any) -> None:
    bomb = compress(bytes(10**6)) + compress(bytes(10**6))
    with pytest.raises(OverLimit):
        codec.decompress(bomb, coding, Limits(body_bytes=1_500_000))


@pytest.mark.parametrize("coding", ["gzip", "zstd"])
@pytest.mark.parametrize("cut", ["nonsense", "truncated"])
def test_broken_compression_is_refused(coding: str, cut: str) -> None:
    whole = gzip.compress(BODY) if coding == "gzip" else zstd.compress(BODY)
    with pytest.raises(codec.MalformedBody):
        codec.decompress(b"nonsense" if cut == "nonsense" else whole[:-6], coding, LIMITS)


def test_unknown_codings_are_refused() -> None:
    with pytest.raises(codec.UnsupportedMedia):
        codec.decompress(BODY, "br", LIMITS)


@pytest.mark.parametrize(
    ("form", "body"),
    [
        (Format.JSON, b""),
        (Format.JSON, b"{"),
        (Format.JSON, b"[NaN]"),
        (Format.JSON, b"1e400"),
        (Format.JSON, b'"\xff"'),
        (Format.JSON, b"9" * 5000),
        (Format.JSON, b"{}{}"),
        (Format.MSGPACK, b""),
        (Format.MSGPACK, b"\xdd\xff\xff\xff\xff"),
        (Format.MSGPACK, b"\x81\x01\x02"),
        (Format.MSGPACK, b"\x81\x91\x01\x02"),
        (Format.MSGPACK, b"\xd6\xff\x00\x00\x00\x00"),
        (Format.MSGPACK, b"\x92\x90\xc7\x01\x05a"),
    ],
)
def test_malformed_bodies_are_refused(form: Format, body: bytes) -> None:
    with pytest.raises(codec.MalformedBody):
        codec.decode(body, form, LIMITS)


def nested(depth: int) -> Any:
    value: Any = 1
    for level in range(depth):
        value = [value] if level % 2 else {"a": value}
    return value


@pytest.mark.parametrize("form", Format)
def test_nesting_is_limited(form: Format) -> None:
    limits = Limits(json_depth=50)
    assert codec.decode(codec.encode(nested(50), form), form, limits) == nested(50)
    with pytest.raises(OverLimit, match="json_depth"):
        codec.decode(codec.encode(nested(51), form), form, limits)


@pytest.mark.parametrize("body", [b"[" * 10**5, b'{"a":' * 10**5, b"\x91" * 10**5])
def test_nesting_beyond_all_measure_is_refused(body: bytes) -> None:
    form = Format.MSGPACK if body[0] == 0x91 else Format.JSON
    with pytest.raises(OverLimit, match="json_depth"):
        codec.decode(body, form, LIMITS)


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**63), 2**64 - 1) | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(),
    lambda inner: st.lists(inner, max_size=5) | st.dictionaries(st.text(), inner, max_size=5),
    max_leaves=20,
)  # fmt: skip


@pytest.mark.parametrize("form", Format)
@given(value=VALUES)
def test_values_survive_both_formats(form: Format, value: Any) -> None:
    assert codec.decode(codec.encode(value, form), form, LIMITS) == value


@pytest.mark.parametrize("decode", [codec.decode, codec.decode_request])
@pytest.mark.parametrize("form", Format)
@given(body=st.binary(max_size=40))
def test_no_bytes_do_anything_but_a_value_or_a_refusal(form: Format, decode: Any, body: bytes) -> None:
    with suppress(codec.CodecError):
        decode(body, form, LIMITS)


LARGE = bytes(range(256)) * 300


@pytest.mark.parametrize(
    "value",
    [
        {"inputs": {"x": {"data": LARGE, "dtype": "uint8"}}, "nodes": [], "small": b"12"},
        {"backward": [{"tensor": "y", "gradient": {"data": LARGE}}, LARGE]},
        LARGE,
        [LARGE, {"x": LARGE}],
        {"long": [LARGE] * 20},
        {"numbers": list(range(10**5)), "text": "x" * 10**5, "float": 1.5},
        {"1": {"2": {"3": {"4": {"5": {"6": {"7": {"8": {"9": LARGE}}}}}}}}},
    ],
)
def test_large_bytes_are_views_of_the_body_or_equal(value: Any) -> None:
    body = msgspec.msgpack.encode(value)
    assert plain(codec.decode_request(body, Format.MSGPACK, LIMITS)) == value


def plain(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: plain(item) for key, item in value.items()}
    if isinstance(value, list):
        return [plain(item) for item in value]
    return bytes(value) if isinstance(value, memoryview) else value


@pytest.mark.parametrize("form", Format)
@pytest.mark.parametrize("kind", [bytes, bytearray, memoryview])
def test_bodies_of_every_kind_are_read(form: Format, kind: Any) -> None:
    value = {"numbers": list(range(3000)), "x": {"y": [1.5]}}
    body = kind(codec.encode(value, form))
    assert codec.decode(body, form, LIMITS) == codec.decode_request(body, form, LIMITS) == value
    assert codec.decompress(kind(gzip.compress(body)), "gzip", LIMITS) == bytes(body)


def test_large_bytes_of_a_tensor_are_not_copied() -> None:
    body = bytearray(msgspec.msgpack.encode({"x": {"data": LARGE}}))
    data = codec.decode_request(body, Format.MSGPACK, LIMITS)["x"]["data"]
    body[-1] ^= 255
    assert data[-1] != LARGE[-1]


@pytest.mark.parametrize(
    "body",
    [
        msgspec.msgpack.encode({1: LARGE}),
        msgspec.msgpack.encode({"x": LARGE})[:-1],
        msgspec.msgpack.encode({"x": LARGE}) + b"\1",
        msgspec.msgpack.encode([LARGE, {"x": msgspec.msgpack.Ext(1, b"")}]),
        b"\xdb\0\1\0\0" + b"\xff" * 2**16,
    ],
)
def test_large_malformed_bodies_are_refused(body: bytes) -> None:
    with pytest.raises(codec.MalformedBody) as usual:
        codec.decode(body, Format.MSGPACK, LIMITS)
    with pytest.raises(codec.MalformedBody) as views:
        codec.decode_request(body, Format.MSGPACK, LIMITS)
    assert str(views.value) == str(usual.value)


def test_large_bytes_that_nest_too_deep_are_refused() -> None:
    body = msgspec.msgpack.encode([[[[{"x": LARGE}]]]])
    with pytest.raises(OverLimit, match="json_depth"):
        codec.decode_request(body, Format.MSGPACK, Limits(json_depth=4))


def test_half_a_surrogate_pair_can_be_written() -> None:
    assert codec.encode(["\ud800"], Format.JSON) == b'["\\ud800"]'


def test_large_integers_are_read_as_they_are() -> None:
    assert codec.decode(b"[18446744073709551617]", Format.JSON, LIMITS) == [2**64 + 1]


# -- over HTTP ----------------------------------------------------------------------------------------------------
def test_msgpack_goes_both_ways_with_raw_bytes(client: Client) -> None:
    x = np.array([1.0, 2.0], np.float32)
    inputs = {"x": {"data": x.tobytes(), "dtype": "float32", "shape": [2], "requires_grad": True}}
    body = msgspec.msgpack.encode({**PROGRAM, "inputs": inputs, "backward": [{"tensor": "y", "gradient": [1.0, 1.0]}]})
    headers = {"Content-Type": "application/msgpack", "Accept": "application/msgpack"}
    answer = client("POST", "/v1/evaluate", content=body, headers=headers)
    assert (answer.status_code, answer.headers["content-type"]) == (200, "application/msgpack")
    got = msgspec.msgpack.decode(answer.content)
    np.testing.assert_array_equal(np.frombuffer(got["outputs"]["y"]["data"], np.float32), 2 * x)
    np.testing.assert_array_equal(np.frombuffer(got["grads"]["x"]["data"], np.float32), [2.0, 2.0])


@pytest.mark.parametrize("where", ["query", "body"])
def test_base64_is_answered_where_it_is_asked_for(client: Client, where: str) -> None:
    body = {**PROGRAM, **({"encoding": "base64"} if where == "body" else {})}
    path = "/v1/evaluate" + ("?encoding=base64" if where == "query" else "")
    assert client("POST", path, json=body).json()["outputs"]["y"]["data"] == "AAAAQAAAgEA="


@pytest.mark.parametrize(("coding", "compress"), [("gzip", gzip.compress), ("zstd", zstd.compress)])
def test_compressed_requests_are_answered(client: Client, coding: str, compress: Any) -> None:
    headers = {"Content-Encoding": coding, "Content-Type": "application/json"}
    answer = client("POST", "/v1/evaluate", content=compress(BODY), headers=headers)
    assert answer.json()["outputs"]["y"]["data"] == [2.0, 4.0]


def test_a_body_over_the_limit_is_refused_by_its_declared_length_and_by_its_real_one(serve: Serve) -> None:
    client = serve(Limits(body_bytes=100))

    async def chunks() -> Any:
        for _ in range(30):
            yield b"          "

    declared = client("POST", "/v1/evaluate", content=b" " * 101)
    streamed = client("POST", "/v1/evaluate", content=chunks())
    assert [declared.status_code, streamed.status_code] == [413, 413]
    assert declared.json()["limit"] == streamed.json()["limit"] == "body_bytes"
