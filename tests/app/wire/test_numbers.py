"""Long lists of numbers are read as any list is, only faster: the same tensors, and the same refusals."""

import json
from typing import Any

import numpy as np
import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.limits import Limits
from app.wire import codec, numbers
from app.wire.arrays import decode_tensor
from app.wire.numbers import Numbers
from engine import dtypes
from tests.app.conftest import Client
from tests.app.decoding import PADDING, both, is_cut, padded

LIMITS = Limits()
LONG = list(range(2000))
NAMES = [None, *(dtype.name for dtype in dtypes.ALL)]


def tensor(data: bytes, dtype: str | None = None, **fields: Any) -> bytes:
    """The body of a tensor whose data are spelled ``data``."""
    rest = json.dumps({"dtype": dtype, **fields}).encode()
    return b'{"data": ' + data + b", " + rest[1:]


@pytest.fixture(autouse=True)
def _small_pieces(monkeypatch: pytest.MonkeyPatch) -> None:
    """Lists are read in many pieces, so that mistakes may stand at their borders."""
    monkeypatch.setattr(numbers, "CHUNK_BYTES", 7)


TEXTS = [
    b"[1,2,3]",
    b"[1.5,2,3]",
    b"[1,2,3.5]",
    b"[1,2,3,4,5,6,7,8,9,0.5]",
    b"[[1,2],[3,4]]",
    b"[[1,2], [3,4], [5, 6.5]]",
    b"[[[1],[2]],[[3],[4]]]",
    b"[[1],[2],[3],[4],[5],[6]]",
    b"[0,1,1,0]",
    b"[127,-128]",
    b"[-0,-0.0,0e5,1E+2,1e-400]",
    b"[0.1,16777217,1e39,5e-324]",
    b"[9223372036854775807,-9223372036854775808]",
    b"[9223372036854775807,0.5]",
    b"[9223372036854775808]",
    b"[9223372036854775808,0.5]",
    b"[0.5,18446744073709551615]",
    b"[0.5,18446744073709551616]",
    b"[1" + b"0" * 400 + b"]",
    b"[1e400]",
    b"[16777217.0000000001,1.00000017881393432617187499]",
    b"[]",
    b"[[],[]]",
    b"[[1,2],[3]]",
    b"[[1],[]]",
    b"[[1],2]",
    b"[1,[2]]",
    b"[[[1],[2]],[[3]]]",
    b"[[[1,2],[3,4]],[[5,6],[7,8.5]]]",
    b"[[1,2],[3,4],5]",
    b"[1,null]",
    b"[1,true]",
    b'[1,"NaN",2]',
    b'[1,"a]b",2]',
    b'[1,{"a":2}]',
    b"[1,,2]",
    b"[1,2,]",
    b"[1,           ,2]",
    b"[,1]",
    b"[1 2]",
    b"[1]2]",
    b"[[1]2,[3]]",
    b"[[1,2][3,4]]",
    b"[[1,2],[3,4]",
    b"[1,2",
    b"[01]",
    b"[+1]",
    b"[.5]",
    b"[5.]",
    b"[1e]",
    b"[--1]",
    b"[1.2.3]",
    b"[" * 70 + b"1" + b"]" * 70,
    b"[" * 66 + b"1" + b"]" * 66,
    b"[" * 65 + b"1" + b"]" * 65,
    b"[" * 64 + b"1" + b"]" * 64,
]


@pytest.mark.parametrize("dtype", NAMES)
@pytest.mark.parametrize("text", TEXTS)
def test_both_ways_come_to_the_same(text: bytes, dtype: str | None) -> None:
    for body in (padded(text), tensor(padded(text), dtype), tensor(padded(text), dtype, requires_grad=True)):
        usual, fast = both(body, LIMITS)
        assert usual == fast


@pytest.mark.parametrize("text", TEXTS)
@pytest.mark.parametrize(
    "limits", [Limits(tensor_elements=2), Limits(rank=1), Limits(json_depth=3), Limits(rank=2, tensor_elements=5)]
)
def test_limits_hold_both_ways(text: bytes, limits: Limits) -> None:
    for dtype in (None, "complex64"):
        usual, fast = both(tensor(padded(text), dtype), limits)
        assert usual == fast


@pytest.mark.parametrize("shape", [[4], [2, 2], [1, 4], [3], [0], [4, 1], "x", [2, -2]])
def test_a_shape_beside_the_numbers_is_checked_both_ways(shape: Any) -> None:
    for text in (b"[1,2,3,4]", b"[[1,2],[3,4.5]]", b"[[1],[2],[3],[4]]"):
        usual, fast = both(tensor(padded(text), shape=shape), LIMITS)
        assert usual == fast


@pytest.mark.parametrize("dtype", ["int64", "float64", "complex128", "float32"])
def test_numbers_can_be_read_again_after_a_write(dtype: str) -> None:
    raw = codec.decode_request(tensor(padded(b"[[1,2],[3,4]]"), dtype), codec.Format.JSON, LIMITS)
    first = decode_tensor(raw, LIMITS).array
    wanted = first.copy()
    first[...] = 0
    np.testing.assert_array_equal(decode_tensor(raw, LIMITS).array, wanted)


@pytest.mark.parametrize("text", [b"[1,2,3]", b"[[1.5,2],[3,4]]", b"[[[1],[2.0]],[[3],[4]]]"])
def test_plain_numbers_never_become_lists(text: bytes) -> None:
    assert is_cut(padded(text))
    assert is_cut(tensor(padded(text), "float32"))


def test_what_is_short_is_read_the_usual_way() -> None:
    assert not is_cut(b"[1, 2, 3]")


NUMERALS = st.one_of(
    st.integers(-(2**65), 2**65).map(str),
    st.integers(-300, 300).map(str),
    st.floats(allow_nan=False, allow_infinity=False).map(repr),
    st.floats(width=32, allow_nan=False, allow_infinity=False).map(repr),
    st.sampled_from(["-0", "0.0", "1e5", "1E-7", "9007199254740993", "true", "null", '"NaN"', "", "1.", "01"]),
)
ROWS = st.lists(NUMERALS, min_size=1, max_size=6)


def nest(members: list[str], extents: list[int]) -> str:
    """Nested lists of those lengths, with ``members`` over and over."""
    texts = [members[i % len(members)] for i in range(int(np.prod(extents)))]
    for extent in reversed(extents):
        texts = ["[" + ",".join(texts[i : i + extent]) + "]" for i in range(0, len(texts), extent)]
    return texts[0]


@given(
    members=ROWS,
    extents=st.lists(st.integers(1, 4), min_size=1, max_size=4),
    dtype=st.sampled_from(NAMES),
    limit=st.sampled_from([LIMITS, Limits(tensor_elements=8, json_depth=4)]),
)
def test_regular_lists_come_to_the_same(
    members: list[str], extents: list[int], dtype: str | None, limit: Limits
) -> None:
    usual, fast = both(tensor(padded(nest(members, extents).encode()), dtype), limit)
    assert usual == fast


@given(
    text=st.lists(st.sampled_from([*'[[[]]],,,,12.-+eE "\\{}:nt', "1.5", "],[", "NaN", "[[", "]]"]), max_size=30).map(
        "".join
    )
)
def test_whatever_else_comes_to_the_same(text: str) -> None:
    for body in (padded(b"[" + text.encode() + b"]"), b'{"data":' + padded(b"[" + text.encode()) + b"]}"):
        usual, fast = both(body, LIMITS)
        assert usual == fast


# -- where lists stand ----------------------------------------------------------------------------------------------
def request(body: bytes) -> tuple[Any, Any]:
    """The body read in both ways, ``Numbers`` as the lists that they are."""
    usual = codec.decode(body, codec.Format.JSON, LIMITS)
    return usual, plain(codec.decode_request(body, codec.Format.JSON, LIMITS))


def plain(value: Any) -> Any:
    if isinstance(value, Numbers):
        return value.lists()
    if isinstance(value, dict):
        return {key: plain(item) for key, item in value.items()}
    return [plain(item) for item in value] if isinstance(value, list) else value


@pytest.mark.parametrize(
    "template",
    [
        '{"inputs": {"x": %s, "y": {"data": %s}}, "nodes": []}',
        '{"backward": [{"tensor": "y", "gradient": %s}], "nodes": [{"op": "f", "args": ["$x", %s, {"tensor": %s}]}]}',
        '{"inputs": {"x": {"shape": %s, "data": 1}, "kwargs": {"data": %s}}, "outputs": %s}',
        '{"a": "before %s", "b": 1}' .replace("%s", "[1, 2]") ,
        '{"data": [%s, [%s], {"data": %s}], "grad": %s}',
        '[[%s], "x", %s]',
    ],
)  # fmt: skip
def test_lists_are_found_wherever_they_stand(template: str) -> None:
    text = json.dumps(LONG)
    usual, fast = request(template.replace("%s", text).encode())
    assert usual == fast


@pytest.mark.parametrize(
    "template",
    [
        '{"data": "a %s b"}',
        '{"data": "%s"}',
        '{"code": "x = torch.tensor(%s)", "inputs": {"x": %s}}',
        '{"%s": 1}',
        '{"a": "\\\\", "data": %s}',
    ],
)
def test_brackets_within_strings_are_text(template: str) -> None:
    usual, fast = request(template.replace("%s", json.dumps(LONG)).encode())
    assert usual == fast


@pytest.mark.parametrize("template", ["{%s: 1}", '{"data": "\\%s}', '{"data": 1%s}', '{"data": "a"%s}', "%s%s", "%s,"])
def test_a_list_where_none_can_be_is_malformed(template: str) -> None:
    body = template.replace("%s", json.dumps(LONG)).encode()
    usual, fast = both(body, LIMITS)
    assert usual == fast
    assert usual[0] == "malformed"


def test_only_tensors_get_numbers() -> None:
    body = json.dumps({"inputs": {"x": LONG}, "outputs": LONG, "nodes": [{"args": [LONG], "kwargs": {"data": LONG}}]})
    value = codec.decode_request(body.encode(), codec.Format.JSON, LIMITS)
    assert isinstance(value["inputs"]["x"], Numbers)
    assert value["outputs"] == value["nodes"][0]["args"][0] == value["nodes"][0]["kwargs"]["data"] == LONG


@pytest.mark.parametrize("dtype", ["float32", "float64", "int64"])
def test_arrays_of_many_pieces_are_read_bit_for_bit(dtype: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(numbers, "CHUNK_BYTES", 2**12)
    array = (np.random.default_rng(0).standard_normal((50, 40, 5)) * 1000).astype(dtype)
    body = tensor(orjson.dumps(array, option=orjson.OPT_SERIALIZE_NUMPY), dtype)
    usual, fast = both(body, LIMITS)
    assert usual == fast == (dtype, array.shape, array.tobytes(), False)
    assert is_cut(body)


def test_long_lists_reach_the_program_and_its_refusals(client: Client) -> None:
    long = [float(number) for number in LONG]
    nodes = [{"id": "y", "op": "mul", "args": ["$x", {"tensor": long}]}]
    inputs = {"x": {"data": long, "requires_grad": True}}
    answer = client.evaluate(inputs=inputs, nodes=nodes, backward=[{"tensor": "y", "gradient": long}])
    assert answer["grads"]["x"]["data"] == [number**2 for number in long]
    refused = client("POST", "/v1/evaluate", json={"inputs": {"x": [long, [*long, 1.0]]}, "nodes": []}).json()
    assert refused["errors"] == [
        {"loc": ["inputs", "x", 1], "msg": "expected sequence of length 2000 at dim 1 (got 2001)"}
    ]


def test_padding_makes_a_list_long() -> None:
    assert len(PADDING) >= numbers.LEAST_BYTES
