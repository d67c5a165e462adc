"""Sessions as documents: what was exported comes back, and no document, however made, does harm."""

from __future__ import annotations

import random
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from app.limits import Limits
from tests.app.conftest import Client, Serve
from tests.app.sessions.test_records import CASES
from tests.golden.freeze_session import grown

MSGPACK = {"Content-Type": "application/msgpack"}
PROGRAM = """
torch.manual_seed(5)
x = torch.tensor([[1.0, 2.0], [3.0, 4.0]], requires_grad=True)
o = torch.optim.SGD([x], lr=0.1, momentum=0.9)
(x * x).sum().backward()
o.step()
y = x * 2
v = y[0]
v.mul_(x[1])
s = (y.exp() * torch.rand(2)).sum()
k = [x, {'a': y}, lambda t: t * x, torch.sin, y.sum]
big = torch.arange(5000.0)
m = torch.max(x.detach(), 1)
"""
AFTER = (
    "s.backward()\nprint(x.grad, k[2](2.0), k[3](x), k[4](), torch.rand(2), big.sum(), m.indices)\no.step()\nprint(x)"
)


def export(client: Client, sid: str) -> bytes:
    answer = client("GET", f"/v1/sessions/{sid}/export")
    assert (answer.status_code, answer.headers["content-type"]) == (200, "application/msgpack")
    return answer.content


def imported(client: Client, document: bytes, **options: Any) -> Any:
    return client("POST", "/v1/sessions/import", content=document, headers=MSGPACK, **options)


def made(client: Client) -> str:
    sid = client.open(ttl_seconds=500.0)
    client.run(sid, code=PROGRAM, outputs=[])
    return sid


def test_an_imported_session_goes_on_as_the_exported_one(serve: Serve) -> None:
    here, elsewhere = serve(), serve()
    sid = made(here)
    answer = imported(elsewhere, export(here, sid))
    assert answer.status_code == 201
    head = answer.json()
    assert (head["version"], head["ttl_seconds"]) == (0, 500.0)
    assert answer.headers["location"] == f"/v1/sessions/{head['id']}"
    assert head["id"] != sid
    assert head["bytes"] > 20_000
    expected = here.run(sid, code=AFTER)["prints"]
    assert elsewhere.run(head["id"], code=AFTER)["prints"] == expected


def test_an_exported_session_is_not_changed(client: Client) -> None:
    sid = made(client)
    assert export(client, sid) == export(client, sid)
    assert client("GET", f"/v1/sessions/{sid}").json()["version"] == 1


def test_an_import_can_be_repeated_and_given_another_life(client: Client) -> None:
    document = export(client, made(client))
    headers = {**MSGPACK, "Idempotency-Key": "import"}
    path = "/v1/sessions/import?ttl_seconds=7"
    answers = [client("POST", path, content=document, headers=headers) for _ in range(2)]
    assert answers[0].json() == answers[1].json()
    assert answers[0].json()["ttl_seconds"] == 7.0


def test_what_is_asked_for_in_a_wrong_way_is_refused(client: Client) -> None:
    sid = made(client)
    document = export(client, sid)
    json = {"Content-Type": "application/json"}
    assert client("POST", "/v1/sessions/import", content=document, headers=json).status_code == 415
    octets = {"Content-Type": "application/octet-stream"}
    assert client("POST", "/v1/sessions/import", content=document, headers=octets).status_code == 201
    refused = client("GET", f"/v1/sessions/{sid}/export", headers={"Accept": "application/json"})
    assert refused.status_code == 406
    assert client("GET", "/v1/sessions/nobody/export").status_code == 404


def test_an_import_is_held_to_the_limits(serve: Serve, client: Client) -> None:
    document = export(client, made(client))
    for limits, status in ((Limits(session_bytes=10_000), 413), (Limits(session_names=3), 413),
                           (Limits(owner_bytes=10_000), 429), (Limits(body_bytes=10_000), 413)):  # fmt: skip
        small = serve(limits)
        assert imported(small, document).status_code == status
        assert small("GET", "/v1/sessions").json()["sessions"] == []


def test_every_kind_of_session_goes_on_behind_an_import(client: Client) -> None:
    for name, (before, after) in CASES.items():
        sid = client.open()
        client.run(sid, code=before, outputs=[])
        answer = imported(client, export(client, sid))
        assert answer.status_code == 201, (name, answer.text)
        request = {"code": after, "outputs": []}
        here, there = (client("POST", f"/v1/sessions/{one}/run", json=request) for one in (sid, answer.json()["id"]))
        assert (there.status_code, there.json().get("prints"), there.json().get("detail")) == (
            here.status_code,
            here.json().get("prints"),
            here.json().get("detail"),
        ), name


# -- hostile documents ----------------------------------------------------------------------------------------------
INTEGERS = [-1, 0, 1, 2, 3, 2**31, 2**40, 2**63 - 1, -(2**63)]
REFERENCES = [{kind: number} for kind in ("tensor", "node", "shared") for number in (1, 2, 3, 9, 2**40)]
KINDS = [
    {"routine": [None, "print"]}, {"routine": [{"tensor": 1}, "__init__"]}, {"routine": [{"module": ["torch"]}, "sin"]},
    {"lambda": 1}, {"array": ["float32", [2**40], b""]}, {"array": ["float32", {"tuple": [2]}, b"\0" * 8]},
    {"range": [0, 2**60, 1]}, {"range": [0, 5, 0]}, {"integer": ["0x" + "f" * 99]}, {"dtype": ["float31"]},
    {"geometry": [{"tuple": [2**40]}, {"tuple": [1]}, 0]}, {"tuple": [1, 2]}, {"tuple": []}, {"size": ["a"]},
    {"routine": [{"module": ["torch"]}, ""]}, {"routine": [{"size": [1]}, "sin"]},
    {"named": ["max", {"tuple": ["values", "indices"]}, {"tuple": [1, 2]}]}, {"slice": ["a", None, 0]},
    {"complex": ["a", 1]}, {"shown": [1]}, {"shown": [1, "int8", [2], [1], 0]}, {"module": ["os"]}, {"device": [1]},
]  # fmt: skip
VALUES: list[Any] = [
    None, True, False, 0.5, float("nan"), "", "x", b"", b"\xff" * 9, [], {}, [2**40], [-1], "as_strided", "copy_slices",
    "expand", "float64", "int64", "sum_dim", "mul:other", "grad_fn", *INTEGERS, *REFERENCES, *KINDS,
]  # fmt: skip


def mutated(chance: random.Random, tree: Any) -> Any:
    """``tree`` with one value somewhere in it replaced, left out, doubled or put where another one is."""
    if isinstance(tree, list) and tree and chance.random() < 0.9:
        place, other = chance.randrange(len(tree)), chance.choice(tree)
        match chance.choice("iiiiiiiiiidcs"):
            case "d":
                return [*tree[:place], *tree[place + 1 :]]
            case "c":
                return [*tree[:place], other, *tree[place:]]
            case "s":
                return [*tree[:place], other, *tree[place + 1 :]]
        return [*tree[:place], mutated(chance, tree[place]), *tree[place + 1 :]]
    if isinstance(tree, dict) and tree and chance.random() < 0.9:
        name = chance.choice(sorted(tree))
        if chance.random() < 0.05:
            return {chance.choice(["dim", "size", "shared", "out", "input", "x"]): tree[name]}
        return {**tree, name: mutated(chance, tree[name])}
    if type(tree) is int and chance.random() < 0.5:
        return max(-(2**63), min(2**63 - 1, chance.choice([tree - 1, tree + 1, -tree, 2 * tree])))
    return chance.choice(VALUES)


@pytest.fixture(scope="module")
def document(client: Client) -> bytes:
    return export(client, made(client))


SEEDS = st.integers(0, 2**32)


@settings(max_examples=600)
@given(seed=SEEDS)
def test_a_document_that_was_tampered_with_does_no_harm(client: Client, document: bytes, seed: int) -> None:
    chance = random.Random(seed)
    outer = msgspec.msgpack.decode(document)
    record = msgspec.msgpack.decode(outer["record"])
    for _ in range(chance.randint(1, 3)):
        record = mutated(chance, record)
    try_out(client, msgspec.msgpack.encode({**outer, "record": msgspec.msgpack.encode(record)}))


@settings(max_examples=300)
@given(seed=SEEDS)
def test_a_document_with_other_bytes_does_no_harm(client: Client, document: bytes, seed: int) -> None:
    chance, broken = random.Random(seed), bytearray(document)
    for _ in range(chance.randint(1, 4)):
        broken[chance.randrange(len(broken))] = chance.randrange(256)
    try_out(client, bytes(broken))


def try_out(client: Client, document: bytes) -> None:
    answer = imported(client, document)
    assert answer.status_code in (201, 413, 422), answer.text
    if answer.status_code == 201:
        use(client, answer.json()["id"])


def use(client: Client, sid: str) -> None:
    """Whatever the session holds, it is read, run, drawn and swept without a fault of the service."""
    path = f"/v1/sessions/{sid}"
    requests: list[tuple[str, str, Any]] = [
        ("GET", "", None), ("GET", "/tensors/x", None), ("GET", "/tensors/v", None), ("GET", "/graph?tensor=s", None),
        ("GET", "/graph?tensor=s&format=dot", None), ("POST", "/run", {"code": "print(x, y, v, s, k, o, m, big)"}),
        ("POST", "/run", {"code": "y.mul_(2)\nprint(v, v.grad_fn)\nx.data.add_(1)"}),
        ("POST", "/backward", {"tensor": "s", "retain_graph": True}),
        ("POST", "/backward", {"tensor": "s", "retain_graph": True, "create_graph": True}),
        ("POST", "/run", {"code": AFTER}), ("POST", "/zero_grad", {}), ("POST", "/zero_grad", {"set_to_none": False}),
        ("PUT", "/tensors/z", [1.0]), ("PATCH", "/tensors/x", {"data": [[1.0, 2.0], [3.0, 4.0]]}),
        ("DELETE", "/tensors/y", None), ("GET", "/export", None), ("DELETE", "", None),
    ]  # fmt: skip
    for method, rest, body in requests:
        answer = client(method, path + rest, **({} if body is None else {"json": body}))
        assert answer.status_code < 500, (method, rest, answer.text)


def tensor(**parts: Any) -> list[list[Any]]:
    fields = {
        "number": 2, "storage": 1, "layout": None, "requires_grad": False, "node": None, "output_nr": 0, "grad": None,
        "base": None, "seen_version": 0, "retains_grad": False, "inference": False, "weak": False, "note": 0,
        "parameter": False, "accumulator": None, "steps": None, "bits": 0,
        "hooks": None, "lazy": False,
    }  # fmt: skip
    return [list((fields | parts).values())]


ONE_STORAGE = [[1, 1, 0, "float32", [2], [4], b"\0" * 8]]
GENERATOR = [[9, "generator", [1, b"", 624, None]]]
SETTINGS = [True, False, "float32", [4, 1000, 3, 80, None], 9, False, {}, False, True]


def written(**parts: Any) -> bytes:
    """A document by hand: one tensor ``x``, and what else it is given."""
    record = {
        "schema": 2, "whole": True, "storages": ONE_STORAGE,
        "tensors": tensor(), "nodes": [],
        "shared": GENERATOR, "dropped": [], "names": {"x": {"tensor": 2}}, "settings": SETTINGS,
    }  # fmt: skip
    ttl = parts.pop("ttl", 60.0)
    raw = parts.pop("raw", None) or msgspec.msgpack.encode(list((record | parts).values()))
    return msgspec.msgpack.encode({"format": "gradserve.session", "ttl_seconds": ttl, "record": raw})


def node(op: str = "neg", static: Any = None, **parts: Any) -> list[list[Any]]:
    fields = {
        "number": 3, "variable": None, "op": op, "static": static or {}, "saved": {}, "saved_lists": {},
        "edges": [None], "specs": [[[2], "float32"]], "counts": [1], "written": False, "retained": [],
        "hooks": None,
    }  # fmt: skip
    return [list((fields | parts).values())]


def named(value: Any) -> dict[str, Any]:
    return {"names": {"x": value}}


NESTED: Any = 1
for _ in range(400):
    NESTED = {"tuple": [NESTED]}

FUNCTION = {
    "grad_fn": "FBackward", "function": {"function": ["utils.checkpoint.CheckpointFunction"]}, "materialize": True,
    "attributes": {"shared": 10}, "tensors": {"tuple": [False, True]}, "needs": {"tuple": [False, True]},
    "outputs": {"tuple": [True]}, "kept": 0,
}  # fmt: skip


def function(**static: Any) -> dict[str, Any]:
    """A node of a function of the engine's own; what was set on its ``ctx`` is empty."""
    nodes = node("custom_function", FUNCTION | static, saved={"kept": None})
    return {"nodes": nodes, "tensors": tensor(node=3), "shared": [*GENERATOR, [10, "dict", []]]}


HOSTILE: dict[str, tuple[dict[str, Any], int]] = {
    "nothing wrong": ({}, 201),
    "a session without end": ({"ttl": float("inf")}, 422),
    "a session of no time": ({"ttl": 0.0}, 422),
    "a session of some time": ({"ttl": float("nan")}, 422),
    "a later schema": ({"schema": 3}, 422),
    "a function of the engine": (function(), 201),
    "a function that is none": (function(function=1), 422),
    "a function of nobody": (function(function={"function": ["optim.SGD"]}), 422),
    "a function by a number": (function(function={"function": [1]}), 422),
    "a function without attributes": (function(attributes=3), 422),
    "a function of no arguments": (function(tensors={"tuple": []}), 422),
    "a function of other outputs": (function(outputs={"tuple": []}), 422),
    "a function that kept more": (function(kept=2), 422),
    "a function that lacks everything": ({"nodes": node("custom_function"), "tensors": tensor(node=3)}, 422),
    "a handle of no hook": (named({"handle": [1, 2]}), 422),
    "half a session": ({"whole": False}, 422),
    "values without number": ({"raw": b"\xdd\xff\xff\xff\xff" + b"\x90" * 99}, 413),
    "millions of lists": ({"raw": b"\xdd\x00\xf0\x00\x00" + b"\x90" * 0xF00000}, 413),
    "two objects of one number": ({"storages": ONE_STORAGE * 2}, 422),
    "a number that leaves no room": ({"storages": [[2**62, *ONE_STORAGE[0][1:]]]}, 422),
    "a memory that is not there": ({"storages": [[1, 1, 0, "float32", [2**20], [4], None]]}, 422),
    "a memory of its own size": ({"storages": [[1, 1, 0, "float32", [2**40], [4], b""]]}, 413),
    "a memory of no extent": ({"storages": [[1, 1, 0, "float32", [0, 2**62], [4, 4], b""]]}, 422),
    "an alias of itself through another": ({"storages": [[1, 4, 0, "float32", [2], [4], None],
                                                         [4, 1, 0, "float32", [2], [4], None]]}, 422),
    "a view as large as the limits are not": ({"tensors": tensor(layout=["float32", [2**40], [0], 0])}, 413),
    "a view behind its memory": ({"tensors": tensor(layout=["float32", [2], [4], 4])}, 422),
    "a view before its memory": ({"tensors": tensor(layout=["float32", [2], [4], -4])}, 422),
    "a view between elements": ({"tensors": tensor(layout=["float32", [1], [4], 2])}, 422),
    "a grad of integers": ({"tensors": tensor(layout=["int32", [2], [4], 0], requires_grad=True)}, 422),
    "a tensor that is its own base": ({"tensors": tensor(base=2)}, 422),
    "a tensor that is its own grad": ({"tensors": tensor(grad=2)}, 422),
    "bits of nothing": ({"tensors": tensor(bits=64)}, 422),
    "steps through ops that are no views": ({"tensors": tensor(steps={"tuple": [{"tuple": ["exp"]}]})}, 422),
    "a reference to a tensor that is none": ({"tensors": tensor(grad=9)}, 422),
    "an op that does not exist": ({"nodes": node("system")}, 422),
    "a function that is no op of nodes": ({"nodes": node("sum_to")}, 422),
    "a parameter that the op has not": ({"nodes": node(static={"alpha": 1})}, 422),
    "an output that is not there": ({"nodes": node(), "tensors": tensor(node=3, output_nr=1)}, 422),
    "an edge to itself": ({"nodes": node(edges=[[3, 0]])}, 422),
    "an output too large": ({"nodes": node(specs=[[[2**40], "float32"]])}, 413),
    "a size too large": ({"nodes": node("expand", {"size": {"tuple": [2**40]}, "input_shape": {"tuple": [1]}})}, 413),
    "a span too large": ({"nodes": node("as_strided", {
        "size": {"tuple": [2]}, "stride": {"tuple": [2**40]}, "storage_offset": 0})}, 413),
    "a place too far": ({"nodes": node("as_strided", {"input_geometry": {
        "tuple": [{"tuple": [2]}, {"tuple": [1]}, 2**40]}})}, 413),
    "a write within itself": ({"nodes": node("copy_slices", {"inner": {"node": 3}})}, 422),
    "a range too long": (named({"range": [0, 2**60, 1]}), 422),
    "a range of no step": (named({"range": [0, 1, 0]}), 422),
    "an array of nothing": (named({"array": ["float32", {"tuple": [2**20]}, b""]}), 422),
    "an integer without end": (named({"integer": ["0x" + "f" * 10**6]}), 422),
    "tuples in tuples": (named(NESTED), 422),
    "a result that no op gives": (named({"named": ["mine", {"tuple": ["a"]}, {"tuple": [1]}]}), 422),
    "a module that no program has": (named({"module": ["os"]}), 422),
    "a value of no kind": (named([1]), 422),
    "an optimiser with an attribute of its own": ({"shared": [*GENERATOR, [
        5, "optim.SGD", ["optim.SGD", "step", {"routine": [None, "print"]}]]]}, 422),
    "an optimiser with other groups": ({"shared": [*GENERATOR, [
        5, "optim.SGD", ["optim.SGD", "param_groups", 1]]]}, 422),
    "a lambda that is none": ({"shared": [*GENERATOR, [5, "lambda", ["print"]]]}, 422),
    "lambdas without end": ({"shared": [*GENERATOR, *([n, "lambda", ["lambda: " + "1+" * 45_000 + "1"]]
                                                      for n in range(10, 30))]}, 413),
    "a generator in no state": ({"shared": [[9, "generator", [1, b"", 10**9, None]]]}, 422),
    "more digits than there are": ({"settings": [*SETTINGS[:3], [10**9, 1000, 3, 80, None], *SETTINGS[4:]]}, 422),
    "a default dtype of integers": ({"settings": [*SETTINGS[:2], "int64", *SETTINGS[3:]]}, 422),
    "a lazy view": ({"tensors": [*tensor(), *tensor(number=3, base=2, lazy=True)]}, 422),
    "a name that is none": ({"names": {"x y": {"tensor": 2}}}, 422),
}  # fmt: skip


@pytest.mark.parametrize("name", HOSTILE)
def test_what_no_export_holds_is_refused_before_it_is_made(client: Client, name: str) -> None:
    parts, status = HOSTILE[name]
    answer = imported(client, written(**parts))
    assert answer.status_code == status, answer.text
    assert "retry-after" not in answer.headers
    if status == 201:
        client("DELETE", f"/v1/sessions/{answer.json()['id']}")


def test_fields_of_a_later_version_are_passed_over(client: Client) -> None:
    document = msgspec.msgpack.decode(written())
    record = grown(document["record"])
    assert imported(client, msgspec.msgpack.encode({**document, "record": record, "name": "mine"})).status_code == 201


@settings(max_examples=300)
@given(junk=st.binary(max_size=60), place=st.floats(0, 1), cut=st.booleans())
def test_bytes_that_are_no_document_are_refused(
    client: Client, document: bytes, junk: bytes, place: float, cut: bool
) -> None:
    start = int(place * len(document))
    broken = document[:start] + junk + (b"" if cut else document[start + len(junk) :])
    assert imported(client, broken).status_code in (201, 413, 422)
