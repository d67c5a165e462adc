"""Plain requests: what is read at once is what the usual reader makes of it."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from app.limits import Limits, OverLimit
from app.program.from_nodes import parse_nodes
from app.program.tree import GraphError
from app.wire import codec, plain
from app.wire.messages import RunRequest
from engine import Tensor, modes
from tests.app.decoding import outcome
from tests.app.wire.test_envelope import LIMITS, TENSORS

NAMES = st.sampled_from(["x", "y", "out", "$x", "$y.grad", "q.0", "", "a:b", "é", "NaN", "$$x", 'q"', "\\u003a"])
SCALARS = st.none() | st.booleans() | st.integers(-(2**70), 2**70) | st.floats(allow_nan=False) | NAMES
ARGUMENTS = st.recursive(
    SCALARS, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(["slice", "float"]), inner)
)
NODES = st.fixed_dictionaries(
    {"op": st.sampled_from(["add", "linalg.inv", "__getitem__", "__setattr__", "1x", ""])},
    optional={
        "id": NAMES | st.none(), "args": st.lists(ARGUMENTS, max_size=3) | st.none(),
        "kwargs": st.dictionaries(st.sampled_from(["dim", "alpha", "__x", "1"]), ARGUMENTS, max_size=2),
        "other": st.none(),
    },
) | st.dictionaries(st.sampled_from(["no_grad", "op"]), st.lists(st.none(), max_size=1))  # fmt: skip
REQUESTS = st.fixed_dictionaries(
    {"nodes": st.lists(NODES, max_size=3)},
    optional={
        "inputs": st.dictionaries(NAMES, TENSORS, max_size=2), "outputs": st.lists(NAMES, max_size=2) | st.none(),
        "backward": st.lists(
            st.fixed_dictionaries({"tensor": NAMES}, optional={"gradient": TENSORS, "other": st.none()}), max_size=2
        ),
        "retain_graph": st.booleans() | st.none(), "create_graph": st.booleans() | st.integers(0, 1),
        "grads": st.none() | st.lists(NAMES, max_size=1), "include": st.lists(st.sampled_from(["graph", "x"])),
        "encoding": st.sampled_from(["json", "base64", "raw", None]), "code": st.just("y = 1"),
    },
)  # fmt: skip


def usual(body: bytes, limits: Limits) -> Any:
    """The request as it is read usually; ``None`` if it is none."""
    try:
        return RunRequest.model_validate(codec.decode_request(body, codec.JSON, limits))
    except (ValidationError, codec.CodecError, OverLimit):
        return None


def program(nodes: Any, limits: Limits) -> Any:
    try:
        return parse_nodes(nodes, limits)
    except (GraphError, OverLimit) as error:
        return str(error), error.node_id, error.node_index


def tensor(value: Any, limits: Limits) -> Any:
    if not isinstance(value, Tensor):
        return outcome(value, limits)
    return value.dtype.name, value.array.shape, value.array.tobytes(), value.requires_grad


@settings(max_examples=1000)
@given(
    request=REQUESTS,
    layout=st.sampled_from([{}, {"indent": 1}, {"separators": (",", ":")}, {"ensure_ascii": False}]),
    limits=st.sampled_from([LIMITS, Limits(json_depth=8), Limits(json_depth=5), Limits(nodes=1, body_values=20)]),
)
def test_it_is_read_as_usual(request: dict[str, Any], layout: dict[str, Any], limits: Limits) -> None:
    body = json.dumps(request, **layout).encode()
    with modes.use(modes.State()):
        found = plain.read(body, limits)
        if found is None:
            return
        wanted = usual(body, limits)
        assert wanted is not None
        assert program(found.nodes, limits) == program(wanted.nodes, limits)
        for name in (
            "outputs",
            "retain_graph",
            "create_graph",
            "grads",
            "include",
            "encoding",
            "code",
            "batch",
            "runs",
        ):
            assert getattr(found, name) == getattr(wanted, name)
        assert list(found.inputs) == list(wanted.inputs)
        for name, value in found.inputs.items():
            assert tensor(value, limits) == outcome(wanted.inputs[name], limits)
        assert len(found.backward) == len(wanted.backward)
        for ours, theirs in zip(found.backward, wanted.backward, strict=True):
            assert ours.tensor == theirs.tensor
            assert (ours.gradient is None) is (theirs.gradient is None)
            if ours.gradient is not None:
                assert tensor(ours.gradient, limits) == outcome(theirs.gradient, limits)


@pytest.mark.parametrize(
    ("text", "is_plain"),
    [
        ('{"nodes": []}', True),
        ('{"inputs": {"x": [1.5]}, "nodes": [{"id": "y", "op": "neg", "args": ["$x"]}], "grads": null}', True),
        ('{"nodes": [{"op": "index", "args": ["$x", {"slice": [0, 1]}], "kwargs": {"a": [[1]]}}]}', True),
        ('{"inputs": {"x": [1, 2]}, "nodes": [], "backward": [{"tensor": "y", "gradient": "NaN"}]}', True),
        ('{"nodes": [], "nodes": []}', False),
        ('{"inputs": {"x": 1.5, "x": 2.5}, "nodes": []}', False),
        ('{"inputs": {"x": {"data": 1.5, "data": 2.5}}, "nodes": []}', False),
        ('{"nodes": [{"op": "neg", "op": "abs"}]}', False),
        ('{"nodes": [{"op": "f", "kwargs": {"a": 1, "a": 2}}]}', False),
        ('{"nodes": [{"op": "f", "args": [{"float": 1, "float": 2}]}]}', False),
        ('{"nodes": [{"op": "f", "args": [":"]}]}', False),
        ('{"nodes": [{"no_grad": []}]}', False),
        ('{"code": "x = 1"}', False),
        ('{"nodes": [], "retain_graph": null}', False),
        ("[]", False),
        ("{", False),
    ],
)
def test_which_requests_are_plain(text: str, is_plain: bool) -> None:
    with modes.use(modes.State()):
        assert (plain.read(text.encode(), Limits()) is not None) is is_plain


def test_what_may_be_deep_is_left_to_the_usual_reader() -> None:
    flat = {"op": "f", "args": ["$x", 1, None]}
    nested = {"op": "f", "args": [[1]]}
    for last, is_plain in ((flat, True), (nested, False)):
        body = json.dumps({"nodes": [*[flat] * 70, last]}).encode()
        assert (plain.read(body, Limits()) is not None) is is_plain
