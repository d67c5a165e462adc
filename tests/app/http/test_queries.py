"""The query of a request, conditions in its head, nulls in its body, and times in answers."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from tests.app.conftest import Client


@pytest.mark.parametrize(
    ("method", "path", "options", "known"),
    [
        ("GET", "/v1/ops?limti=3", {}, "cursor, differentiable, family, limit, q"),
        ("GET", "/v1/limits?encoding=base64", {}, "none"),
        ("GET", "/v1/sessions?limit=3&page=2", {}, "cursor, limit"),
        ("POST", "/v1/evaluate?encode=base64", {"json": {"nodes": []}}, "encoding, grads, include, outputs"),
        ("POST", "/v1/sessions?ttl_seconds=3", {"json": {}}, "none"),
    ],
)
def test_an_unknown_parameter_is_refused(
    client: Client, method: str, path: str, options: dict[str, Any], known: str
) -> None:
    answer = client(method, path, **options)
    assert (answer.status_code, answer.json()["type"]) == (422, "/problems/invalid-request")
    assert answer.json()["detail"] == f"an unknown parameter in the query: this takes {known}"
    assert answer.json()["errors"][0]["loc"][0] == "query"


def test_a_parameter_that_comes_twice_is_refused(client: Client) -> None:
    answer = client("GET", "/v1/sessions?limit=3&limit=4")
    assert (answer.status_code, answer.json()["errors"]) == (
        422, [{"loc": ["query", "limit"], "msg": "comes twice"}],
    )  # fmt: skip


def test_times_are_those_of_rfc_3339(client: Client) -> None:
    head = client("POST", "/v1/sessions", json={"ttl_seconds": 90}).json()
    made, ends = (datetime.fromisoformat(head[name]) for name in ("created_at", "expires_at"))
    assert head["created_at"].endswith("Z")
    assert abs(datetime.now(UTC) - made) < timedelta(minutes=1)
    assert ends - made == timedelta(seconds=90)
    listed = client("GET", "/v1/sessions").json()["sessions"]
    assert head in listed


@pytest.mark.parametrize(
    "query", ["limit=0", f"limit={2**63}", "limit=many", "cursor=", "cursor=0", "cursor=1.5_%C3%A4"]
)
def test_a_page_that_cannot_be_is_refused(client: Client, query: str) -> None:
    answer = client("GET", f"/v1/sessions?{query}")
    assert (answer.status_code, answer.json()["type"]) == (422, "/problems/invalid-request")


@pytest.mark.parametrize("query", ["cursor=%02%C3%A4", "cursor=", "family=", "family=a+b"])
def test_a_name_that_no_op_can_have_is_refused(client: Client, query: str) -> None:
    answer = client("GET", f"/v1/ops?{query}")
    assert (answer.status_code, answer.json()["errors"][0]["loc"]) == (422, ["query", query.partition("=")[0]])


def test_a_page_may_be_asked_to_be_longer_than_any(client: Client) -> None:
    assert client("GET", f"/v1/sessions?limit={2**31 - 1}").status_code == 200
    assert client("GET", "/v1/sessions?cursor=9999999999.000000001_none").json() == {"sessions": [], "next": None}


@pytest.mark.parametrize("tag", ["", "0", "*, *", '"a', 'W/"a", b', '"a" "b"'])
@pytest.mark.parametrize(("method", "header"), [("GET", "If-None-Match"), ("DELETE", "If-Match")])
def test_a_condition_that_is_none_is_refused(client: Client, method: str, header: str, tag: str) -> None:
    answer = client(method, f"/v1/sessions/{client.open()}", headers={header: tag})
    assert (answer.status_code, answer.json()["errors"]) == (
        422, [{"loc": ["header", header.lower()], "msg": "not an ETag"}],
    )  # fmt: skip


@pytest.mark.parametrize("name", ["retain_graph", "create_graph", "include", "encoding", "inputs"])
def test_null_does_not_stand_for_what_is_left_out(client: Client, name: str) -> None:
    answer = client("POST", "/v1/evaluate", json={"code": "y = 1", name: None})
    assert (answer.status_code, answer.json()["errors"][0]["loc"]) == (422, [name])


@pytest.mark.parametrize("name", ["outputs", "grads"])
def test_names_that_are_null_are_left_out(client: Client, name: str) -> None:
    body = {"inputs": {"x": {"data": [1.0], "requires_grad": True}}, "code": "y = x * 2", "backward": [{"tensor": "y"}]}
    plain, null = client("POST", "/v1/evaluate", json=body), client("POST", "/v1/evaluate", json=body | {name: None})
    assert (plain.status_code, null.json()) == (200, plain.json())
    assert plain.json()["grads"]["x"]["data"] == [2.0]


def test_a_gradient_may_be_null_as_in_pytorch(client: Client) -> None:
    sid = client.open()
    roots = [{"tensor": "s", "gradient": None}, {"tensor": "v", "gradient": [1.0, 10.0]}]
    for number in (1, 2, 3):  # the second is a program that is known
        x = {"data": [float(number)] * 2, "requires_grad": True}
        program = {"inputs": {"x": x}, "code": "s = (x * x).sum()\nv = x * 3", "backward": roots}
        assert client.run(sid, **program)["grads"]["x"]["data"] == [2.0 * number + 3, 2.0 * number + 30]
        assert client.evaluate(**program)["grads"]["x"]["data"] == [2.0 * number + 3, 2.0 * number + 30]
