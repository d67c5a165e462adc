"""Keys that come twice: refused with their place, in both forms, at every level, by whatever way a body is read."""

import json
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.limits import Limits
from app.wire import codec, repetition
from app.wire.codec import JSON, MSGPACK, RepeatedKey
from tests.app.conftest import Client

LIMITS = Limits()


class Object(list[tuple[str, Any]]):
    """Members in their order; a key may come twice."""


def as_json(value: Any) -> bytes:
    if isinstance(value, Object):
        return b"{" + b" , ".join(as_json(key) + b" :" + as_json(member) for key, member in value) + b"}"
    if isinstance(value, list):
        return b"[" + b",".join(map(as_json, value)) + b"]"
    return json.dumps(value).encode()


def as_msgpack(value: Any) -> bytes:
    if isinstance(value, Object):
        return head(0x80, 0xDE, len(value)) + b"".join(as_msgpack(part) for member in value for part in member)
    if isinstance(value, list):
        return head(0x90, 0xDC, len(value)) + b"".join(map(as_msgpack, value))
    return msgspec.msgpack.encode(value)


def head(short: int, long: int, count: int) -> bytes:
    """What states a length: in the first byte, in two more, or in four more, whichever is not too short."""
    if count < 16:
        return bytes([short | count])
    return bytes([long]) + count.to_bytes(2, "big") if count % 2 else bytes([long + 1]) + count.to_bytes(4, "big")


def first(value: Any, place: tuple[Any, ...] = ()) -> set[tuple[Any, ...]]:
    """All places of keys that come again."""
    found: set[tuple[Any, ...]] = set()
    if isinstance(value, Object):
        keys = [key for key, _ in value]
        found |= {(*place, key) for number, key in enumerate(keys) if key in keys[:number]}
        for key, member in value:
            found |= first(member, (*place, key))
    elif isinstance(value, list):
        for number, item in enumerate(value):
            found |= first(item, (*place, number))
    return found


def kept(value: Any) -> Any:
    """What decoders make of it: of several members of one name the last."""
    if isinstance(value, Object):
        return {key: kept(member) for key, member in value}
    return list(map(kept, value)) if isinstance(value, list) else value


KEYS = st.sampled_from(["a", "b", ":", '":', "\\", "ä", "data", ""])
LEAVES = st.none() | st.booleans() | st.integers(-9, 2**40) | st.floats(allow_nan=False, allow_infinity=False) | KEYS
VALUES = st.recursive(
    LEAVES, lambda inner: st.lists(inner, max_size=4) | st.lists(st.tuples(KEYS, inner), max_size=20).map(Object)
)


@given(value=VALUES)
def test_a_key_that_comes_twice_is_found_wherever_it_stands(value: Any) -> None:
    places = first(value)
    for text, find in ((as_json(value), repetition.in_json), (as_msgpack(value), repetition.in_msgpack)):
        found = find(text, kept(value))
        lost = places if find is repetition.in_json else first_kept(value)
        assert found in lost if lost else found is None


def first_kept(value: Any) -> set[tuple[Any, ...]]:
    """The places that the value still shows: not those within a member that was dropped."""
    if isinstance(value, Object):
        keys = [key for key, _ in value]
        again = {(key,) for number, key in enumerate(keys) if key in keys[:number]}
        return again | {(key, *rest) for key, member in dict(value).items() for rest in first_kept(member)}
    if isinstance(value, list):
        return {(number, *rest) for number, item in enumerate(value) for rest in first_kept(item)}
    return set()


@pytest.mark.parametrize("form", [JSON, MSGPACK])
@pytest.mark.parametrize("keys", [2, 15, 16, 17, 70_000])
def test_objects_of_any_length_are_counted(form: codec.Format, keys: int) -> None:
    write = as_json if form is JSON else as_msgpack
    members = Object((f"key {number}", number) for number in range(keys))
    assert len(codec.decode(write(members) if keys < 2**16 else long(members, form), form, LIMITS)) == keys
    again = Object([*members, ("key 1", 0)])
    with pytest.raises(RepeatedKey) as caught:
        codec.decode(write(again) if keys < 2**16 else long(again, form), form, LIMITS)
    assert caught.value.place == ("key 1",)


def long(members: Object, form: codec.Format) -> bytes:
    """An object that needs four bytes for its length."""
    if form is JSON:
        return as_json(members)
    return b"\xdf" + len(members).to_bytes(4, "big") + b"".join(as_msgpack(part) for one in members for part in one)


def test_colons_in_strings_are_no_members() -> None:
    code = "x = {1: 2}\nif x:\n    y = x[:1]"
    body = json.dumps({"code": code, '":': "::", "nested": [{"a": ":", "b": '{"a":1,"a":2}'}]}).encode()
    assert codec.decode(body, JSON, LIMITS)["code"] == code


def test_numbers_of_any_length_may_stand_beside() -> None:
    body = b'{"a": ' + b"9" * 5000 + b', "b": ":", "c": 1e5}'
    assert repetition.in_json(body, {"a": 1, "b": ":", "c": 1e5}) is None


# -- requests -------------------------------------------------------------------------------------------------------
X = Object([("data", [1.0, 2.0]), ("requires_grad", True)])
NODE = Object([("id", "y"), ("op", "mul"), ("args", ["$x", "$x"])])
ROOT = Object([("tensor", "y"), ("gradient", [1.0, 1.0])])


def request(x: Any = X, node: Any = NODE, root: Any = ROOT, *more: tuple[str, Any]) -> Object:
    return Object([("inputs", Object([("x", x)])), ("nodes", [node]), ("backward", [root]), *more])


INPUTS = Object([("x", X), ("x", X)])
TWO = Object([("a", 1), ("a", 1)])
LONG = [float(number) for number in range(3000)]
TWICE: dict[str, tuple[Any, list[str | int]]] = {
    "in the request": (request(X, NODE, ROOT, ("nodes", [NODE])), ["nodes"]),
    "an option": (request(X, NODE, ROOT, ("create_graph", False), ("create_graph", False)), ["create_graph"]),
    "an input": (Object([("inputs", INPUTS), ("nodes", [NODE]), ("backward", [ROOT])]), ["inputs", "x"]),
    "in an input": (request(Object([*X, ("requires_grad", True)])), ["inputs", "x", "requires_grad"]),
    "data": (request(Object([("data", [9.0, 9.0]), *X])), ["inputs", "x", "data"]),
    "instead of an option": (request(Object([("data", [9.0]), ("data", [1.0, 2.0])])), ["inputs", "x", "data"]),
    "in a node": (request(X, Object([*NODE, ("op", "add")])), ["nodes", 0, "op"]),
    "in arguments": (request(X, Object([*NODE, ("kwargs", TWO)])), ["nodes", 0, "kwargs", "a"]),
    "in a root": (request(X, NODE, Object([*ROOT, ("gradient", [1.0, 1.0])])), ["backward", 0, "gradient"]),
    "in the gradient of a root": (
        request(X, NODE, Object([("tensor", "y"), ("gradient", Object([("data", 1.0), ("data", [1.0, 1.0])]))])),
        ["backward", 0, "gradient", "data"],
    ),
    "long data": (request(Object([("data", LONG), ("data", LONG)])), ["inputs", "x", "data"]),
}  # fmt: skip
PLAIN = [
    request(), request(X, NODE, ROOT, ("create_graph", False)), request(Object([("data", [1.0, 2.0])])),
    request(X, NODE, Object([("tensor", "y"), ("gradient", Object([("data", [1.0, 1.0])]))])),
    request(Object([("data", LONG), ("requires_grad", True)])),
    request(Object([("data", [1.0, 2.0]), ("requires_grad", False)])),
    request(Object([("data", [1.0, 2.0]), ("dtype", None), ("requires_grad", True)])),
]  # fmt: skip


@pytest.mark.parametrize("form", [JSON, MSGPACK])
@pytest.mark.parametrize("what", TWICE)
def test_a_request_with_a_key_twice_is_refused_whatever_is_planned(
    client: Client, form: codec.Format, what: str
) -> None:
    write = as_json if form is JSON else as_msgpack
    headers = {"Content-Type": form.value, "Accept": "application/json"}
    for _ in range(4):  # so that plain ones have plans
        for one in PLAIN:
            client("POST", "/v1/evaluate", content=write(one), headers=headers)
    twice, place = TWICE[what]
    for path in ("/v1/evaluate", "/v1/evaluate", "/v1/evaluate?encoding=json", f"/v1/sessions/{client.open()}/run"):
        answer = client("POST", path, content=write(twice), headers=headers)
        problem = answer.json()
        assert (answer.status_code, problem["type"]) == (400, "/problems/malformed-body"), problem
        assert problem["errors"] == [{"loc": place, "msg": "a key comes twice in one object"}]
