"""Requests taken apart: the quick reader gives what the usual one gives, or nothing."""

from __future__ import annotations

import json
from typing import Any

import msgspec
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from app.limits import Limits
from app.wire import codec, envelope
from engine import modes
from tests.app.decoding import every_way

LIMITS = Limits(tensor_elements=20, rank=4)
FLOATS = st.floats(width=64) | st.sampled_from([0.1, 1e300, 5e-324, -0.0, 16777217.0, 1e-46])
NUMBERS = (
    FLOATS | st.integers(-(2**70), 2**70) | st.booleans() | st.none() | st.sampled_from(["NaN", "Infinity", "1.5"])
)
DATA = st.recursive(st.one_of(FLOATS, FLOATS, NUMBERS), lambda inner: st.lists(inner, max_size=4), max_leaves=12)
RECTANGLES = st.integers(0, 3).flatmap(
    lambda rows: st.integers(0, 3).flatmap(
        lambda columns: st.lists(st.lists(FLOATS, min_size=columns, max_size=columns), min_size=rows, max_size=rows)
    )
)
FIELDS = st.fixed_dictionaries(
    {"data": RECTANGLES | DATA},
    optional={
        "requires_grad": st.booleans() | st.sampled_from([None, 1, "true"]),
        "dtype": st.sampled_from(
            [
                "float32",
                "float64",
                "float16",
                "bfloat16",
                "int64",
                "complex64",
                "bool",
                "float",
                "torch.float64",
                "x",
                3,
            ]
        ),
        "shape": st.lists(st.integers(-1, 4), max_size=3) | st.sampled_from([None, "2", [2.0]]),
        "encoding": st.sampled_from(["json", "base64"]),
        "grad_fn": st.none(),
        "other": st.none(),
    },
)
TENSORS = FIELDS | RECTANGLES | DATA


@pytest.mark.parametrize("form", list(codec.Format))
@settings(max_examples=600)
@given(
    values=st.lists(TENSORS, max_size=3),
    gradients=st.lists(TENSORS, max_size=1),
    limits=st.sampled_from([LIMITS, Limits(tensor_elements=20, rank=4, json_depth=6)]),
)
def test_every_decoder_comes_to_the_same(
    form: codec.Format, values: list[Any], gradients: list[Any], limits: Limits
) -> None:
    roots = [{"tensor": "y", "gradient": one} for one in gradients]
    request = {"inputs": {f"x{n}": value for n, value in enumerate(values)}, "nodes": [], "backward": roots}
    body = json.dumps(request).encode() if form is codec.Format.JSON else msgspec.msgpack.encode(_small(request))
    usual, *others = every_way(body, form, limits)
    assert [usual, usual] == others


def _small(value: Any) -> Any:
    """Without integers that msgpack has not."""
    if isinstance(value, dict):
        return {key: _small(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_small(item) for item in value]
    return value if type(value) is not int else max(min(value, 2**63 - 1), -(2**63))


@pytest.mark.parametrize(
    "value", [1.5, [0.1, 2.0], [[1.5, 1e300], [5e-324, -0.0]], {"data": [1.5], "dtype": "float64"}, [[[1.0]], [[2.5]]],
              {"data": [[1.0, 2.5]], "requires_grad": True, "shape": [1, 2]}, [1, 2], [True], "NaN", [], [[], []]],
)  # fmt: skip
def test_common_spellings_are_read(value: Any) -> None:
    body = json.dumps({"inputs": {"x": value}, "code": ""}).encode()
    with modes.use(modes.State()):
        assert envelope.read(body, codec.Format.JSON, LIMITS) is not None
    usual, _, quick = every_way(body, codec.Format.JSON, LIMITS)
    assert usual == quick


@pytest.mark.parametrize("depth", range(3, 11))
def test_depth_is_counted_from_the_top_of_the_request(depth: int) -> None:
    leaf = {"data": [[[1.5]]], "shape": [1, 1, 1]}
    for tensor in (leaf, leaf["data"]):
        roots = [{"tensor": "y", "gradient": tensor}]
        for request in ({"inputs": {"x": tensor}, "nodes": []}, {"nodes": [], "backward": roots}):
            usual, *others = every_way(json.dumps(request).encode(), codec.Format.JSON, Limits(json_depth=depth))
            assert [usual, usual] == others


def test_all_that_is_no_number_is_in_the_key() -> None:
    base: dict[str, Any] = {"inputs": {"x": [1.5]}, "nodes": [], "backward": [{"tensor": "y", "gradient": [1.0]}]}
    others: list[dict[str, Any]] = [
        {**base, "inputs": {"z": [1.5]}}, {**base, "inputs": {"x": [[1.5]]}}, {**base, "nodes": [1]},
        {**base, "inputs": {"x": {"data": [1.5], "requires_grad": True}}}, {**base, "backward": [{"tensor": "y"}]},
        {**base, "backward": [{"tensor": "w", "gradient": [1.0]}]}, {**base, "outputs": []}, {**base, "grads": ["x"]},
        {**base, "retain_graph": True}, {**base, "create_graph": True}, {**base, "encoding": "base64"},
        {**base, "include": ["timings"]}, {**base, "inputs": {"x": {"data": [1.5], "dtype": "float64"}}},
    ]  # fmt: skip

    def key(request: dict[str, Any]) -> Any:
        parts = envelope.read(json.dumps(request).encode(), codec.Format.JSON, LIMITS)
        assert parts is not None, request
        return parts.key

    with modes.use(modes.State()):
        keys = [key(base), *map(key, others)]
        assert len(set(keys)) == len(keys)
        assert key({**base, "inputs": {"x": [2.5]}}) == key(base)


def test_long_lists_reach_the_quick_reader_as_arrays() -> None:
    data = (np.arange(4_000) / 3).reshape(40, 100)
    limits = Limits()
    body = json.dumps({"inputs": {"x": {"data": data.tolist(), "dtype": "float64"}}, "nodes": []}).encode()
    with modes.use(modes.State()):
        parts = envelope.read(body, codec.Format.JSON, limits)
    assert parts is not None
    assert np.array_equal(parts.arrays[0], data)
    inline = json.dumps({"nodes": [{"op": "neg", "args": [{"tensor": data.tolist()}]}]}).encode()
    assert envelope.read(inline, codec.Format.JSON, limits) is None  # a word nobody could know would be in the key


def spelled(inputs: dict[str, Any], layout: dict[str, Any]) -> bytes:
    request = {"inputs": inputs, "nodes": [{"id": "y", "op": "exp", "args": ["$x"]}], "outputs": ["y"]}
    return json.dumps(request, **layout).encode()


@settings(max_examples=600)
@given(
    first=st.dictionaries(st.sampled_from("xyz"), RECTANGLES, min_size=1),
    second=st.dictionaries(st.sampled_from("xyz"), RECTANGLES | DATA, min_size=1),
    fields=st.sampled_from(
        [None, {}, {"requires_grad": True}, {"dtype": "float64"}, {"dtype": "float16", "shape": [2]}]
    ),
    layout=st.sampled_from([{}, {"indent": 1}, {"separators": (",", ":")}]),
)
def test_a_body_of_a_known_spelling_is_read_as_any_other(
    first: dict[str, Any], second: dict[str, Any], fields: dict[str, Any] | None, layout: dict[str, Any]
) -> None:
    def body(values: dict[str, Any]) -> bytes:
        return spelled({n: v if fields is None else {"data": v, **fields} for n, v in values.items()}, layout)

    with modes.use(modes.State()):
        opened = envelope.look(body(first), codec.JSON, LIMITS)
        parts = None if opened is None else envelope.split(opened, LIMITS)
        if opened is None or parts is None:
            return
        spelling = envelope.spelling(body(first), opened, parts, LIMITS)
        if spelling is None:
            return
        for values in (
            first,
            second,
            {**first, **second},
            {name: second.get(name, one) for name, one in first.items()},
        ):
            arrays, wanted = spelling.arrays(body(values)), envelope.read(body(values), codec.JSON, LIMITS)
            if arrays is not None:
                assert wanted is not None
                assert wanted.key == parts.key
                assert [one.tobytes() for one in arrays] == [one.tobytes() for one in wanted.arrays]


@pytest.mark.parametrize(
    ("inputs", "is_spelled"),
    [
        ({"x": [1.5, 2.0]}, True),
        ({"x": {"data": [[1.5]], "requires_grad": True}, "z": [1.5]}, True),
        ({"x": 0.5}, True),
        ({"x": [1, 2]}, False),  # whole numbers are of another dtype, or are none where they are not whole
        ({"x": {"data": "AADAPw==", "dtype": "float32", "shape": [1], "encoding": "base64"}}, False),
    ],
)
def test_what_spelling_is_known_afterwards(inputs: dict[str, Any], is_spelled: bool) -> None:
    text = spelled(inputs, {})
    with modes.use(modes.State()):
        opened = envelope.look(text, codec.JSON, LIMITS)
        assert opened is not None
        parts = envelope.split(opened, LIMITS)
        assert parts is not None
        found = envelope.spelling(text, opened, parts, LIMITS)
    assert (found is not None) is is_spelled
    if found is not None:
        assert found.arrays(text.replace(b"1.5", b"1e999")) is None or b"1.5" not in text
        assert found.arrays(text.replace(b"1.5", b'"1.5"')) is None or b"1.5" not in text
        assert found.arrays(text[:-1]) is None
