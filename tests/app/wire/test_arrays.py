"""Tensors in and out: every spelling, its dtype, and what is refused where."""

import base64
import json
from contextlib import suppress
from typing import Any

import msgspec
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from app.limits import Limits, OverLimit
from app.wire import codec
from app.wire.arrays import ArrayError, Encoding, decode_tensor, encode_tensor
from app.wire.msgpack_values import place_of_long_bytes
from engine import Tensor, dtypes, tensors

LIMITS = Limits()
NAN, INF = float("nan"), float("inf")


def decode(raw: object) -> Tensor:
    return decode_tensor(raw, LIMITS)


def through_json(tensor: Tensor, encoding: Encoding = "json") -> Any:
    return json.loads(codec.encode(encode_tensor(tensor, encoding), codec.Format.JSON))


@pytest.mark.parametrize(
    ("raw", "dtype", "shape"),
    [
        (2, "int64", ()),
        (2.0, "float32", ()),
        (True, "bool", ()),
        ([True, False], "bool", (2,)),
        ([True, 2], "int64", (2,)),
        ([1, 2.5], "float32", (2,)),
        ([True, 2.5], "float32", (2,)),
        ([], "float32", (0,)),
        ([[], []], "float32", (2, 0)),
        ([[1], [2], [3]], "int64", (3, 1)),
        ("NaN", "float32", ()),
        ([1, "Infinity"], "float32", (2,)),
        ({"data": [[1, 2], [3, 4]], "dtype": "float64"}, "float64", (2, 2)),
        ({"data": [1, 2, 3, 4], "dtype": "torch.float64", "shape": [2, 2]}, "float64", (2, 2)),
        ({"data": [], "shape": [0, 3]}, "float32", (0, 3)),
        ({"data": [[], []], "shape": [2, 0, 3], "dtype": "int8"}, "int8", (2, 0, 3)),
        ({"data": [3.0], "shape": []}, "float32", ()),
        ({"data": [1.0, 2.0], "dtype": "complex64"}, "complex64", ()),
        ({"data": [[1.0, 2.0], ["NaN", 0]], "dtype": "complex128"}, "complex128", (2,)),
        ({"data": [], "dtype": "complex64", "shape": [0, 2]}, "complex64", (0, 2)),
        ({"data": [1.0, 2.0], "dtype": "int64"}, "int64", (2,)),
        ({"data": [0, 1], "dtype": "bool"}, "bool", (2,)),
        ({"data": [1.5, -2], "dtype": "bfloat16"}, "bfloat16", (2,)),
        ({"data": 1.5, "dtype": "half"}, "float16", ()),
    ],
)
def test_dtype_and_shape_are_those_of_torch_tensor(raw: object, dtype: str, shape: tuple[int, ...]) -> None:
    tensor = decode(raw)
    assert (tensor.dtype.name, tuple(tensor.shape)) == (dtype, shape)


def test_flags_are_read() -> None:
    assert decode({"data": [1.0], "requires_grad": True}).requires_grad
    assert decode({"data": [1, 2], "requires_grad": True}).dtype is dtypes.float32  # many languages write 1.0 as 1
    assert decode({"data": [1, 2]}).dtype is dtypes.int64
    assert not decode({"data": [1.0]}).requires_grad
    assert decode(1.0).is_leaf


@pytest.mark.parametrize(
    ("raw", "words", "place"),
    [
        ([[1, 2], [3]], "expected sequence of length 2 at dim 1 (got 1)", (1,)),
        ([[[1], [2]], [[3], [4, 5]]], "expected sequence of length 1 at dim 2 (got 2)", (1, 1)),
        ([1, [2]], "expected a number, got a list", (1,)),
        ([[1, 2], 3], "expected a number, got a list", (0,)),
        ([1, None], "expected a number, got null", (1,)),
        ([[1.0], [{"a": 1}]], "expected a number, got an object", (1, 0)),
        (None, "expected a number, got null", ()),
        ("nan", 'expected a number, or one of "NaN"', ()),
        ([1.0, "1.0"], "got another string", (1,)),
        ({"data": [1.5], "dtype": "int32"}, "expected an integer, for the dtype is int32", ("data", 0)),
        ({"data": ["NaN"], "dtype": "int32"}, "expected an integer", ("data", 0)),
        ({"data": [[1], [300]], "dtype": "uint8"}, "does not fit into uint8", ("data", 1, 0)),
        ({"data": [-1], "dtype": "uint8"}, "does not fit into uint8", ("data", 0)),
        ([2**63], "does not fit into int64", (0,)),
        ({"data": [1e300], "dtype": "int64"}, "does not fit into int64", ("data", 0)),
        ({"data": [2], "dtype": "bool"}, "does not fit into bool", ("data", 0)),
        ({"data": [10**400], "dtype": "float64"}, "too large for a floating-point number", ("data", 0)),
        ({"data": [1], "dtype": "float31"}, "'dtype' must be one of", ("dtype",)),
        ({"data": [1], "dtype": ["float32"]}, "'dtype' must be one of", ("dtype",)),
        ({"data": [1, 2, 3], "shape": [2, 2]}, "the data have the shape [3]", ("data",)),
        ({"data": [[1, 2]], "shape": [2, 1]}, "the data have the shape [1, 2]", ("data",)),
        ({"data": [1], "shape": [-1]}, "integers that are not negative", ("shape",)),
        ({"data": [1], "shape": [True]}, "integers that are not negative", ("shape",)),
        ({"data": [1], "shape": "1"}, "integers that are not negative", ("shape",)),
        ({"data": 3.0, "dtype": "complex64"}, "complex data are [re, im] pairs", ("data",)),
        ({"data": [1.0, 2.0, 3.0], "dtype": "complex64"}, "complex data are [re, im] pairs", ("data",)),
        ({"data": [True], "requires_grad": True}, "Only Tensors of floating point and complex", ("requires_grad",)),
        ({"data": [1.0], "requires_grad": 1}, "must be true or false", ("requires_grad",)),
        ({"data": [1.0], "device": "cuda"}, "another one was given", ()),
        ({}, "a tensor needs 'data'", ()),
        ({"data": "AAAA", "encoding": "base64", "shape": [3]}, "encoded data need 'dtype'", ()),
        ({"data": "AAAA", "encoding": "base64", "dtype": "uint8"}, "encoded data need 'shape'", ()),
        ({"data": "AAAA", "encoding": "hex", "dtype": "uint8", "shape": [3]}, "'encoding' must be", ("encoding",)),
        (
            {"data": [1], "encoding": "base64", "dtype": "uint8", "shape": [1]},
            "base64 data must be a string",
            ("data",),
        ),
        ({"data": "AA=A", "encoding": "base64", "dtype": "uint8", "shape": [3]}, "not valid base64", ("data",)),
        ({"data": "é", "encoding": "base64", "dtype": "uint8", "shape": [0]}, "need 0 bytes", ("data",)),
        ({"data": "AAAA", "encoding": "base64", "dtype": "uint8", "shape": [4]}, "need 4 bytes", ("data",)),
        ({"data": b"\2", "dtype": "bool", "shape": [1]}, "a boolean is one byte", ("data",)),
        ({"data": b"\0", "dtype": "float32", "shape": [1]}, "need 4 bytes, 1 were given", ("data",)),
        (b"\0", "encoded data need 'dtype'", ()),
    ],
)
def test_what_is_no_tensor_is_refused_with_its_place(raw: object, words: str, place: tuple[str | int, ...]) -> None:
    with pytest.raises(ArrayError) as caught:
        decode(raw)
    assert words in str(caught.value)
    assert caught.value.place == place


@pytest.mark.parametrize(
    ("raw", "limit"),
    [
        ({"data": [], "shape": [10**6, 10**6]}, "tensor_elements"),
        ({"data": [], "shape": [2**40, 2**40]}, "tensor_elements"),
        ({"data": "", "encoding": "base64", "dtype": "float64", "shape": [10**9, 10**9]}, "tensor_elements"),
        ({"data": [], "shape": [1] * 65}, "rank"),
        ([[1.0] * 101] * 10, "tensor_elements"),
    ],
)
def test_what_is_too_large_is_refused_before_it_is_made(raw: object, limit: str) -> None:
    with pytest.raises(OverLimit) as caught:
        decode_tensor(raw, Limits(tensor_elements=1000))
    assert caught.value.limit == limit


def test_lists_that_nest_too_deep_are_refused() -> None:
    raw: Any = 1.0
    for _ in range(70):
        raw = [raw]
    with pytest.raises(OverLimit, match="rank"):
        decode(raw)


def test_float32_is_written_with_the_fewest_digits() -> None:
    tensor = tensors.from_array(np.array([0.1, 1e30, 1 / 3, -0.0, 16777216], np.float32))
    assert codec.encode(encode_tensor(tensor)["data"], codec.Format.JSON) == b"[0.1,1e+30,0.33333334,-0.0,16777216.0]"


def test_float32_beside_a_nan_is_written_with_the_fewest_digits_too() -> None:
    tensor = tensors.from_array(np.array([[0.1, NAN], [INF, -INF]], np.float32))
    assert codec.encode(encode_tensor(tensor)["data"], codec.Format.JSON) == b'[[0.1,"NaN"],["Infinity","-Infinity"]]'


@pytest.mark.parametrize(
    ("array", "data"),
    [
        (np.float32(0.1), 0.1),
        (np.float64(NAN), "NaN"),
        (np.int8(-3), -3),
        (np.bool_(True), True),
        (np.complex64(1 + 2j), [1.0, 2.0]),
        (np.array([1 + 2j, complex(NAN, INF)]), [[1.0, 2.0], ["NaN", "Infinity"]]),
        (np.zeros((2, 0, 3)), [[], []]),
        (np.zeros((0, 3)), []),
        (np.zeros((2, 0), np.complex64), [[], []]),
        (np.arange(6).reshape(2, 3).T, [[0, 3], [1, 4], [2, 5]]),
        (np.arange(6.0)[::2], [0.0, 2.0, 4.0]),
        (np.array([1.5, -2], dtypes.bfloat16.numpy), [1.5, -2.0]),
        (np.array([0.5, INF], np.float16), [0.5, "Infinity"]),
    ],
)
def test_data_of_every_kind_are_written(array: Any, data: object) -> None:
    assert through_json(tensors.from_array(np.asarray(array)))["data"] == data


def test_the_values_of_a_lazy_conjugate_are_written() -> None:
    tensor = tensors.from_array(np.array([1 + 2j, 3 - 1j])).conj()
    assert through_json(tensor)["data"] == [[1.0, -2.0], [3.0, 1.0]]
    assert through_json(tensor.imag)["data"] == [-2.0, 1.0]


def test_a_record_has_the_fields_of_the_contract() -> None:
    record = through_json(decode({"data": [1.0], "requires_grad": True}))
    assert record == {
        "data": [1.0], "dtype": "float32", "shape": [1], "requires_grad": True, "is_leaf": True, "grad_fn": None,
    }  # fmt: skip


def test_base64_is_little_endian_and_in_c_order() -> None:
    array = np.arange(4, dtype=np.int16).reshape(2, 2).T
    text = through_json(tensors.from_array(array), "base64")["data"]
    assert base64.b64decode(text) == bytes([0, 0, 2, 0, 1, 0, 3, 0])


def test_a_decoded_array_can_be_written_to() -> None:
    tensor = decode({"data": b"\0" * 8, "dtype": "float64", "shape": [1]})
    tensor.array[0] = 1.0
    assert tensor.array.flags.aligned


@pytest.mark.parametrize("shift", [0, 8, 1])
@pytest.mark.parametrize("is_writable", [True, False])
@pytest.mark.parametrize("is_read_once", [True, False])
def test_bytes_become_a_tensor_in_place_where_that_is_safe(shift: int, is_writable: bool, is_read_once: bool) -> None:
    x = np.arange(10_000, dtype=np.float64)
    packed = msgspec.msgpack.encode({"data": x.tobytes(), "dtype": "float64", "shape": [x.size]})
    memory = np.zeros(len(packed) + 128, np.uint8)
    place = place_of_long_bytes(packed[:100], len(packed))
    start = -(memory.ctypes.data + place) % 64 + shift
    body = memory.data[start : start + len(packed)]
    body[:] = packed
    raw = codec.decode_request(body if is_writable else body.toreadonly(), codec.Format.MSGPACK, LIMITS)
    array = decode_tensor(raw, LIMITS, is_read_once=is_read_once).array
    is_there = np.shares_memory(array, memory)
    assert is_there == (is_writable and is_read_once and shift % 8 == 0)
    assert array.flags.writeable
    np.testing.assert_array_equal(array, x)
    if is_there:
        assert array.ctypes.data % 64 == shift


ARRAYS = st.one_of(
    *[
        hnp.arrays(dtype.numpy, hnp.array_shapes(min_dims=0, max_dims=4, min_side=0, max_side=4))
        for dtype in dtypes.ALL
        if dtype is not dtypes.bfloat16
    ],
    hnp.arrays(np.float32, hnp.array_shapes(min_dims=0, max_dims=3, min_side=0)).map(
        lambda array: np.asarray(array.astype(dtypes.bfloat16.numpy))
    ),
)


@pytest.mark.filterwarnings("ignore::RuntimeWarning")  # casts to bfloat16 overflow
@pytest.mark.parametrize("encoding", ["json", "base64", "raw"])
@given(array=ARRAYS)
def test_every_array_survives_every_wire(encoding: Encoding, array: np.ndarray[Any, Any]) -> None:
    form = codec.Format.MSGPACK if encoding == "raw" else codec.Format.JSON
    record = encode_tensor(tensors.from_array(array), encoding)
    raw = codec.decode(codec.encode(record, form), form, LIMITS)
    if encoding == "base64":
        raw["encoding"] = "base64"
    back = decode(raw).array
    assert (back.dtype, back.shape) == (array.dtype, array.shape)
    wide = np.complex128 if array.dtype.kind == "c" else np.float64 if array.dtype.kind not in "iub" else array.dtype
    np.testing.assert_array_equal(back.astype(wide), array.astype(wide))


JUNK = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5) | st.binary(max_size=5),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(
        st.sampled_from(["data", "dtype", "shape", "requires_grad", "encoding", "x"]), inner, max_size=4
    ),
    max_leaves=12,
)  # fmt: skip


@given(raw=JUNK)
def test_no_input_does_anything_but_a_tensor_or_a_refusal(raw: object) -> None:
    with suppress(ArrayError):
        msgspec.msgpack.encode(encode_tensor(decode(raw), "raw"))
