"""Programs in JSON, and the inputs beside them."""

from __future__ import annotations

import base64
from typing import Any, Final

from tests.hostile.case import INVALID, OK, OVER, REFUSED, STOPPED, Family, Weight, json_body

FAMILY: Final = Family("nodes")
WRONG: Final = INVALID | REFUSED
graph, body = FAMILY.graph, FAMILY.body
X: Final = {"inputs": {"x": {"data": [[1.0, 2.0], [3.0, 4.0]], "requires_grad": True}}}


def call(op: object, *args: Any, **more: Any) -> list[dict[str, Any]]:
    """One node."""
    return [{"id": "y", "op": op, "args": list(args), **more}]


def nested(levels: int, value: Any) -> Any:
    """``value`` in so many lists."""
    for _ in range(levels):
        value = [value]
    return value


for name, op in {
    "an op that nobody has": "no_such_op",
    "a dunder": "__class__",
    "a dunder behind dots": "nn.__dict__",
    "a path of 5,000 parts": ".".join(["nn"] * 5000),
    "an op of 100,000 letters": "a" * 100_000,
    "no op": "",
    "an op that is a number": 7,
    "an op that is a list": ["add"],
    "an op in SQL": "add'; DROP TABLE sessions; --",
    "os.system": "os.system",
    "builtins by torch": "torch.builtins.eval",
    "an op with a NUL": "add\0",
    "a path up": "../add",
    "eval": "eval",
    "__reduce_ex__": "__reduce_ex__",
    "load": "load",
    "hub.load": "hub.load",
}.items():
    graph(f"op: {name}", call(op, "$x", 2), WRONG | OVER, extra=X)

for name, reference in {
    "3,000 attributes": "$x" + ".T" * 3000,
    "100,000 digits": "$x." + "9" * 100_000,
    "a dunder": "$x.__class__.__mro__",
    "nothing": "$",
    "dots": "$...",
    "a negative index": "$x.-1",
    "a name that is not there": "$nobody",
    "a name in SQL": "$x'; DROP TABLE sessions; --",
    "a name with a NUL": "$x\0",
    "its own result": "$y",
    "an attribute in other letters": "$x.\uff3f\uff3fclass\uff3f\uff3f",
    "a long name": "$" + "a" * 50_000,
    "the storage": "$x._storage.memory",
}.items():
    graph(
        f"reference: {name}",
        call("neg", reference),
        WRONG | OVER | (OK if "attributes" in name else frozenset()),
        extra=X,
    )

for name, literal in {
    "a slice that is no list": {"slice": 1},
    "a slice of ten parts": {"slice": [1] * 10},
    "a slice of texts": {"slice": ["a", "b", "c"]},
    "an unknown float": {"float": "1e999x"},
    "a complex of three": {"complex": [1, 2, 3]},
    "an unknown literal": {"eval": "1"},
    "two literals in one": {"float": "Infinity", "slice": [1, 2, 3]},
    "a tensor in a tensor": {"tensor": {"data": {"tensor": 1}}},
    "a huge integer": 10**400,
    "lists in lists": nested(90, 1),
    "a tensor that lies": {"tensor": {"data": [1], "shape": [2**40]}},
    "an object without a key": {},
    "an ellipsis that is none": {"ellipsis": False},
}.items():
    graph(
        f"literal: {name}", call("add", "$x", literal), WRONG | OVER | (OK if "huge" in name else frozenset()), extra=X
    )

graph("20,001 nodes", lambda: call("neg", "$x") * 20_001, OVER, extra=X)
graph("200,000 nodes", lambda: call("neg", "$x") * 200_000, OVER, extra=X, weight=Weight.SLOW, kills=True)
graph("a node of 10,000 arguments", lambda: call("cat", ["$x"] * 10_000), OK | WRONG | OVER, extra=X)
graph(
    "a node of a million literals",
    lambda: call("tensor", [0.5] * 1_000_000),
    OK | WRONG | OVER,
    extra=X,
    weight=Weight.SLOW,
    kills=True,
)
graph(
    "10,000 keyword arguments",
    lambda: call("add", "$x", kwargs={f"k{i}": i for i in range(10_000)}),
    WRONG | OVER,
    extra=X,
)
graph("blocks 100 deep", lambda: _blocks(100), WRONG | OVER | OK, extra=X)
graph("blocks 120 deep", lambda: _blocks(120), WRONG | OVER, extra=X)
graph("a block of two modes", [{"no_grad": [], "enable_grad": []}], WRONG, extra=X)
graph("a block that is no list", [{"no_grad": {"id": "y"}}], WRONG, extra=X)
graph("nodes that are numbers", [1, 2, 3], WRONG, extra=X)
graph("a node with unknown fields", [{"id": "y", "op": "neg", "args": ["$x"], "exec": "1"}], WRONG, extra=X)
graph("an id in SQL", [{"id": "y'; DROP TABLE sessions; --", "op": "neg", "args": ["$x"]}], WRONG, extra=X)
graph("an id that is a dunder", [{"id": "__class__", "op": "neg", "args": ["$x"]}], WRONG | OK, extra=X)
graph("an id of 100,000 letters", [{"id": "a" * 100_000, "op": "neg", "args": ["$x"]}], WRONG | OVER, extra=X)
graph("setattr of what may not be set", [{"op": "__setattr__", "args": ["$x", "__class__", 1]}], WRONG, extra=X)
graph("setattr of the version", [{"op": "__setattr__", "args": ["$x", "_version", -1]}], WRONG, extra=X)
graph("setitem with a huge index", [{"op": "__setitem__", "args": ["$x", 2**70, 1]}], WRONG, extra=X)
graph(
    "backward 10,000 times",
    lambda: [
        {"id": "s", "op": "sum", "args": ["$x"]},
        *[{"op": "backward", "args": ["$s"], "kwargs": {"retain_graph": True}}] * 10_000,
    ],
    OK | STOPPED,
    extra=X,
    weight=Weight.SLOW,
)
graph(
    "10,000 roots", lambda: call("sum", "$x"), OK | WRONG | STOPPED, extra={**X, "backward": [{"tensor": "y"}] * 10_000}
)
graph("outputs that are not there", call("neg", "$x"), WRONG, extra={**X, "outputs": ["nobody"]})
graph("outputs with dunders", call("neg", "$x"), WRONG, extra={**X, "outputs": ["y.__class__"]})
graph("code and nodes", call("neg", "$x"), WRONG, extra={**X, "code": "y = 1"})


def _blocks(depth: int) -> Any:
    nodes: Any = call("neg", "$x")
    for _ in range(depth):
        nodes = [{"no_grad": nodes}]
    return nodes


# -- inputs ---------------------------------------------------------------------------------------------------------
def encoded(data: bytes, **more: Any) -> dict[str, Any]:
    """A tensor in base64."""
    return {"data": base64.b64encode(data).decode(), "encoding": "base64", "dtype": "float32", **more}


for name, tensor in {
    "ragged lists": [[1.0], [1.0, 2.0]],
    "a text": "abc",
    "an object without data": {"dtype": "float32"},
    "null": None,
    "an unknown dtype": {"data": [1.0], "dtype": "float33"},
    "a dtype that is a list": {"data": [1.0], "dtype": ["float32"]},
    "a shape that lies": {"data": [1.0, 2.0], "shape": [2**40, 2**40]},
    "a negative shape": {"data": [], "shape": [-1]},
    "a shape whose product overflows": {"data": [], "shape": [2**32, 2**32, 0, 2**63]},
    "a shape of fractions": {"data": [1.0], "shape": [0.5]},
    "a shape of 65": {"data": [1.0], "shape": [1] * 65},
    "a shape of 10,000": {"data": [1.0], "shape": [1] * 10_000},
    "an empty shape that is huge": {"data": [], "shape": [0, 2**62]},
    "base64 that is none": {"data": "%%%", "encoding": "base64", "dtype": "float32", "shape": [1]},
    "base64 of half an element": encoded(b"123", shape=[1]),
    "base64 that is too short": encoded(b"1234", shape=[1000]),
    "base64 that is too long": encoded(b"1234" * 1000, shape=[1]),
    "an unknown encoding": {"data": "", "encoding": "pickle"},
    "words that are no numbers": ["Infinity", "NaN", "nan", "inf"],
    "numbers that are too large": {"data": [10**30], "dtype": "int64"},
    "numbers over their dtype": {"data": [300], "dtype": "uint8"},
    "truth among numbers": [1.0, True, None],
    "complex of three": {"data": [[1, 2, 3]], "dtype": "complex64"},
    "unknown fields": {"data": [1.0], "pin_memory": True},
    "a gradient that integers have not": {"data": [1], "dtype": "int64", "requires_grad": True},
    "lists nested 100 deep": nested(100, 1.0),
    "empty lists nested 60 deep": nested(59, []),
    "a list of empty lists": [[]] * 100_000,
    "bool as base64": {**encoded(b"\7\7"), "dtype": "bool", "shape": [2]},
}.items():
    body(f"input: {name}", json_body({"inputs": {"x": tensor}, "nodes": call("neg", "$x")}), WRONG | OVER | OK)

body(
    "10,000 inputs",
    lambda: json_body({"inputs": {f"x{i}": 1.0 for i in range(10_000)}, "nodes": call("neg", "$x1")}),
    OK | OVER,
)
body("an input named in SQL", json_body({"inputs": {"x'; DROP TABLE sessions; --": 1.0}, "nodes": []}), WRONG)
body("an input named by a dunder", json_body({"inputs": {"__builtins__": 1.0}, "nodes": []}), WRONG | OK)
body(
    "an input of a deep list",
    lambda: b'{"inputs":{"x":' + b"[" * 100_000 + b"]" * 100_000 + b'},"nodes":[]}',
    OVER | INVALID,
)
body(
    "an input of many empty lists",
    lambda: b'{"inputs":{"x":[' + b"[]," * 2_000_000 + b'[]]},"nodes":[]}',
    OK | WRONG | STOPPED,
    weight=Weight.HEAVY,
    kills=True,
)
body(
    "an input of 20 million zeros",
    lambda: b'{"inputs":{"x":[' + b"0," * 20_000_000 + b'0]},"nodes":[]}',
    OK | WRONG | STOPPED,
    weight=Weight.HEAVY,
    kills=True,
)
