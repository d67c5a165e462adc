"""The query of a request, and times in answers."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from tests.app.conftest import Client


@pytest.mark.parametrize(
    ("method", "path", "options", "known"),
    [
        ("GET", "/v1/ops?limti=3", {}, "none"),
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
