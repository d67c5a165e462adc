"""Methods without a route of their own, paths with a slash too many, and pages of other origins."""

import pytest

from tests.app.conftest import Client, Serve

PREFLIGHT = {"Access-Control-Request-Method": "POST", "Access-Control-Request-Headers": "content-type,authorization"}
PAGE = "https://page.example"
BODIES = [b'{"code":"y = 1"}', b"{", b'{"nodes": [{"op": "nothing"}]}']


@pytest.mark.parametrize("path", ["/healthz", "/readyz", "/metrics", "/docs", "/openapi.json", "/v1/ops", "/v1/ops/add",
                                  "/v1/limits", "/v1/sessions", "/", "/v1/sessions/none", "/nothing"])  # fmt: skip
def test_head_is_answered_as_get_without_a_body(client: Client, path: str) -> None:
    got, head = (client(method, path) for method in ("GET", "HEAD"))
    assert (head.status_code, head.content) == (got.status_code, b"")
    names = {"content-type", "location"} | ({"content-length"} if path != "/metrics" else set())
    assert {name: head.headers.get(name) for name in names} == {name: got.headers.get(name) for name in names}


def test_head_is_counted_under_its_route(client: Client) -> None:
    client("HEAD", "/v1/ops/mul")
    assert 'route="/v1/ops/{op}",method="HEAD",status="200"' in client("GET", "/metrics").text


@pytest.mark.parametrize(
    ("method", "path", "allowed"),
    [
        ("GET", "/v1/evaluate", "POST"),
        ("HEAD", "/v1/evaluate", "POST"),
        ("DELETE", "/v1/sessions", "GET, HEAD, POST"),
        ("POST", "/v1/sessions/one/tensors/x", "GET, HEAD, PUT, PATCH, DELETE"),
        ("OPTIONS", "/healthz", "GET, HEAD"),
        ("OPTIONS", "/v1/sessions/import", "POST"),  # though an id of a session would fit there
        ("POST", "/docs", "GET, HEAD"),
        ("STRANGE", "/v1/limits", "GET, HEAD"),
    ],
)
def test_allow_names_every_method_of_a_path(client: Client, method: str, path: str, allowed: str) -> None:
    answer = client(method, path)
    assert (answer.status_code, answer.headers["allow"]) == (405, allowed)
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.headers["x-request-id"]


@pytest.mark.parametrize("path", ["/v1/sessions/", "/v1/evaluate/", "/healthz/", "/docs/"])
def test_a_slash_too_many_is_a_404_and_no_redirect(client: Client, path: str) -> None:
    answer = client("GET", path)
    assert (answer.status_code, answer.json()["type"]) == (404, "/problems/not-found")


@pytest.mark.parametrize("path", ["/v1/evaluate", "/v1/sessions"])
@pytest.mark.parametrize("origins", [PAGE, f"https://first.example, {PAGE}", "*"])
def test_pages_of_a_known_origin_may_call(serve: Serve, path: str, origins: str) -> None:
    client, origin = serve(cors_origins=origins), {"Origin": PAGE}
    shown = "*" if origins == "*" else PAGE
    answers = [client("POST", path, content=body, headers=origin) for body in BODIES]
    preflight = client("OPTIONS", path, headers={**origin, **PREFLIGHT})
    assert preflight.status_code == 200
    assert [answer.headers["access-control-allow-origin"] for answer in (preflight, *answers)] == [shown] * 4
    assert all("X-Request-Id" in answer.headers["access-control-expose-headers"] for answer in answers)
    assert "access-control-allow-credentials" not in preflight.headers


def test_pages_may_send_and_read_every_header_of_the_document(serve: Serve) -> None:
    client, origin = serve(cors_origins=PAGE), {"Origin": PAGE}
    document = client("GET", "/openapi.json").json()
    operations = [one for path in document["paths"].values() for one in path.values()]
    parameters = [one for operation in operations for one in operation.get("parameters", [])]
    sent = {one["name"].lower() for one in parameters if one["in"] == "header"}
    preflight = client("OPTIONS", "/v1/sessions", headers={**origin, **PREFLIGHT}).headers
    assert {"if-none-match", "if-match"} <= sent <= set(preflight["access-control-allow-headers"].lower().split(", "))
    answer = client("GET", "/v1/limits", headers=origin)
    assert set(document["components"]["headers"]) <= set(answer.headers["access-control-expose-headers"].split(", "))


def test_pages_of_other_origins_may_not(serve: Serve) -> None:
    client, origin = serve(cors_origins=PAGE), {"Origin": "https://other.example"}
    assert client("OPTIONS", "/v1/evaluate", headers={**origin, **PREFLIGHT}).status_code == 400
    answer = client("POST", "/v1/evaluate", content=BODIES[0], headers=origin)
    assert "access-control-allow-origin" not in answer.headers


def test_no_page_may_call_unless_a_setting_says_so(client: Client) -> None:
    assert client("OPTIONS", "/v1/evaluate", headers={"Origin": PAGE, **PREFLIGHT}).status_code == 405
    answer = client("POST", "/v1/evaluate", content=BODIES[0], headers={"Origin": PAGE})
    assert (answer.status_code, "access-control-allow-origin" in answer.headers) == (200, False)


@pytest.mark.parametrize(
    "origins", ["page.example", "https://page.example/", "https://*.example", "ftp://page.example"]
)
def test_what_is_no_origin_is_no_setting(serve: Serve, origins: str) -> None:
    with pytest.raises(ValueError, match="origins such as"):
        serve(cors_origins=origins)
