"""Sessions as documents: what was exported comes back, and no document, however made, does harm."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from app.limits import Limits
from tests.app.conftest import Client, Serve

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


# -- hostile documents ----------------------------------------------------------------------------------------------
VALUES = st.one_of(
    st.none(), st.booleans(), st.integers(-(2**63), 2**63 - 1), st.floats(), st.text(max_size=5), st.binary(max_size=9),
    st.sampled_from([[], {}, -1, 0, 1, 2**40, [2**40], [-1], "as_strided", "copy_slices", "float64", {"tensor": 1},
                     {"shared": 1}, {"node": 3}, {"routine": [None, "print"]}, {"routine": [{"tensor": 1}, "__init__"]},
                     {"lambda": 1}, {"array": ["float32", [2**40], b""]}, {"range": [0, 2**60, 1]}]),
)  # fmt: skip


def mutated(data: st.DataObject, tree: Any) -> Any:
    """``tree`` with one value somewhere in it replaced."""
    if isinstance(tree, list) and tree and data.draw(st.integers(0, 9)):
        place = data.draw(st.integers(0, len(tree) - 1))
        return [*tree[:place], mutated(data, tree[place]), *tree[place + 1 :]]
    if isinstance(tree, dict) and tree and data.draw(st.integers(0, 9)):
        name = data.draw(st.sampled_from(sorted(tree)))
        return {**tree, name: mutated(data, tree[name])}
    return data.draw(VALUES)


@pytest.fixture(scope="module")
def document(client: Client) -> bytes:
    return export(client, made(client))


@settings(max_examples=400)
@given(data=st.data())
def test_a_document_that_was_tampered_with_does_no_harm(client: Client, document: bytes, data: st.DataObject) -> None:
    outer = msgspec.msgpack.decode(document)
    record = msgspec.msgpack.decode(outer["record"])
    for _ in range(data.draw(st.integers(1, 3))):
        record = mutated(data, record)
    answer = imported(client, msgspec.msgpack.encode({**outer, "record": msgspec.msgpack.encode(record)}))
    assert answer.status_code in (201, 413, 422), answer.text
    if answer.status_code == 201:
        use(client, answer.json()["id"])


def use(client: Client, sid: str) -> None:
    """Whatever the session holds, it is read, run, drawn and swept without a fault of the service."""
    path = f"/v1/sessions/{sid}"
    requests: list[tuple[str, str, Any]] = [
        ("GET", "", None), ("GET", "/tensors/x", None), ("GET", "/tensors/v", None), ("GET", "/graph?tensor=s", None),
        ("GET", "/graph?tensor=s&format=dot", None), ("POST", "/run", {"code": "print(x, y, v, s, k, o, m, big)"}),
        ("POST", "/backward", {"tensor": "s"}), ("POST", "/run", {"code": AFTER}), ("GET", "/export", None),
        ("DELETE", "", None),
    ]  # fmt: skip
    for method, rest, body in requests:
        answer = client(method, path + rest, **({} if body is None else {"json": body}))
        assert answer.status_code < 500, (method, rest, answer.text)


@settings(max_examples=300)
@given(junk=st.binary(max_size=60), place=st.floats(0, 1), cut=st.booleans())
def test_bytes_that_are_no_document_are_refused(
    client: Client, document: bytes, junk: bytes, place: float, cut: bool
) -> None:
    start = int(place * len(document))
    broken = document[:start] + junk + (b"" if cut else document[start + len(junk) :])
    assert imported(client, broken).status_code in (201, 413, 422)
