"""The ETag of a tensor: what changes it, and what it guards."""

from typing import Any

import pytest

from app.sessions import digests
from engine import Tensor, modes, ops
from tests.app.conftest import Client

LEAF: dict[str, Any] = {"data": [1.0, 2.0], "requires_grad": True}


def url(sid: str, rest: str = "") -> str:
    return f"/v1/sessions/{sid}{rest}"


def test_a_tensor_has_a_tag_of_its_own(client: Client) -> None:
    sid = client.open()
    path = url(sid, "/tensors/x")
    put = client("PUT", path, json=LEAF).headers["etag"]
    client("PUT", url(sid, "/tensors/other"), json=[1.0])
    assert client("GET", path, headers={"If-None-Match": put}).status_code == 304
    packed = {"If-None-Match": put, "Accept": "application/msgpack"}
    assert client("GET", path, headers=packed).status_code == 304
    client.run(sid, code="x.data[0] = 5.0")
    again = client("GET", path, headers={"If-None-Match": put})
    assert (again.status_code, again.headers["etag"] != put) == (200, True)
    late = client("PATCH", path, json={"grad": None}, headers={"If-Match": put})
    assert (late.status_code, late.json()["type"]) == (412, "/problems/version-conflict")
    patched = client("PATCH", path, json={"requires_grad": False}, headers={"If-Match": again.headers["etag"]})
    assert (patched.status_code, patched.headers["etag"]) == (200, client("GET", path).headers["etag"])
    version = patched.json()["version"]
    either = f'{put}, "{version}"'
    assert client("DELETE", path, headers={"If-Match": put}).status_code == 412
    assert client("DELETE", path, headers={"If-Match": either}).status_code == 204
    assert client("PUT", path, json=LEAF, headers={"If-Match": put}).status_code == 412  # there is none
    assert client("POST", url(sid, "/run"), json={"nodes": []}, headers={"If-Match": put}).status_code == 412


WRITES = [
    "x.data[-1] = 5.0",
    "with torch.no_grad():\n    x.view(100, 200)[7, 3] = 5.0",
    "with torch.no_grad():\n    x[:10].mul_(2)",
    "x.detach().numpy()[5] = 50.0",
    "x.data = x.data + 1",
    "x.sum().backward()",
    "x = x.data.flip(0)",
]


@pytest.mark.parametrize("code", WRITES)
def test_the_tag_of_a_large_tensor_is_that_of_its_content(client: Client, code: str) -> None:
    """Whether its digest was kept, is made anew, or comes from another session that is alike."""
    setup = "x = torch.arange(20000, dtype=torch.float64).requires_grad_()\nother = torch.ones(20000)"

    def tags(*codes: str, looks: bool) -> list[str]:
        sid, found = client.open(), []
        for each in codes:
            client.run(sid, code=each)
            if looks or each is codes[-1]:
                tag = client("GET", url(sid, "/tensors/x")).headers["etag"]
                assert client("GET", url(sid, "/tensors/x"), headers={"If-None-Match": tag}).status_code == 304
                found.append(tag)
        return found

    failing = f"{code}\nraise ValueError"
    once, kept, written, again = tags(setup, "other += 1", code, "other += 1", looks=True)
    assert once == kept != written == again
    assert tags(setup, code, looks=False) == [written]
    sid = client.open()
    client.run(sid, code=setup)
    for condition in (once, once):
        answer = client("POST", url(sid, "/run"), json={"code": failing})
        assert answer.status_code == 422
        assert client("GET", url(sid, "/tensors/x")).headers["etag"] == condition
    client.run(sid, code=code)
    assert client("DELETE", url(sid, "/tensors/x"), headers={"If-Match": once}).status_code == 412
    assert client("DELETE", url(sid, "/tensors/x"), headers={"If-Match": written}).status_code == 204


def test_the_digest_of_a_large_tensor_is_made_once(monkeypatch: pytest.MonkeyPatch) -> None:
    made: list[int] = []
    digest = digests._digest

    def noted(tensor: Tensor) -> bytes:
        made.append(tensor.array.nbytes)
        return digest(tensor)

    monkeypatch.setattr(digests, "_digest", noted)
    kept, large, small = digests.Digests(), ops.zeros(100_000), ops.zeros(10)
    half = large[:50_000]
    for _ in range(3):
        assert kept.of(large) != kept.of(half)
        kept.of(small)
    assert made == [400_000, 200_000, 40, 40, 40]
    state = modes.State()
    state.journal = journal = modes.Journal()
    with modes.use(state):
        kept.of(small)
        before = kept.of(large)
        half.add_(1)
        assert kept.of(large) != before
        assert len(made) == 7
    journal.rollback()
    assert kept.of(large) == before
    state.journal = journal = modes.Journal()
    with modes.use(state):
        half.add_(1)
    kept.forget(journal)
    assert kept.of(large) != before


@pytest.mark.parametrize("code", ["x.grad = torch.ones(2)", "x.requires_grad_(False)", "x = x * 1", "x = x.detach()",
                                  "x = x.data.to(torch.float64)", "x = x.data.conj_physical()[:1]"])  # fmt: skip
def test_whatever_shows_in_a_tensor_changes_its_tag(client: Client, code: str) -> None:
    sid = client.open()
    path = url(sid, "/tensors/x")
    before = client("PUT", path, json={"data": [1.0, 2.0], "requires_grad": True}).headers["etag"]
    client.run(sid, code=code)
    assert client("GET", path).headers["etag"] != before


@pytest.mark.parametrize(
    "code",
    [
        "x = torch.ones(0, 3)",
        "x = torch.tensor(True)",
        "x = torch.ones(2).bfloat16()",
        "x = torch.ones(2, 3).T",
        "x = torch.ones(2, dtype=torch.complex64).conj()",
    ],
)
def test_every_tensor_has_a_tag(client: Client, code: str) -> None:
    sid = client.open()
    client.run(sid, code=code)
    found = client("GET", url(sid, "/tensors/x"))
    assert (found.status_code, found.headers["etag"][:2]) == (200, '"t')
