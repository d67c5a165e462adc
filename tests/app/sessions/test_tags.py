"""The ETag of a tensor: what changes it, and what it guards."""

from typing import Any

import pytest

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
