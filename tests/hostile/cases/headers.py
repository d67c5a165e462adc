"""Requests in good form whose headers, paths and queries are not."""

from __future__ import annotations

from typing import Any, Final

from tests.hostile.case import (
    CONFLICT,
    CREATED,
    CUT,
    EMPTY,
    INVALID,
    JSON,
    MALFORMED,
    MISSING,
    OK,
    Family,
    Outcomes,
    Request,
    Step,
    Weight,
    answered,
    evaluate,
    get,
    json_body,
    problem,
    run,
    send,
)

FAMILY: Final = Family("headers")
UNAUTHORIZED: Final = problem(401, "unauthorized")
NOT_ALLOWED: Final = problem(405)
UNACCEPTABLE: Final = problem(406, "not-acceptable")
STALE: Final = problem(412)
TOO_LONG: Final = problem(414) | problem(431) | MALFORMED | CUT
declare = FAMILY.send

# -- keys -----------------------------------------------------------------------------------------------------------
for name, value in {
    "no key": "",
    "another key": "Bearer nobody",
    "a key of 8 KB": "Bearer " + "a" * 8000,
    "Basic that is no base64": "Basic %%%",
    "Basic without a colon": "Basic YWJj",
    "a scheme that nobody has": "Digest a",
    "a key in SQL": "Bearer ' OR 1=1 --",
    "no scheme": "hostile-key",
    "a key with bytes over ASCII": "Bearer \u00ff\u00fe",
}.items():
    declare(
        f"authorization: {name}",
        Request(path="/v1/sessions", body=b"{}", headers={**JSON, "Authorization": value}),
        UNAUTHORIZED,
        needs_keys=True,
    )
declare(
    "a key in the query",
    Request("GET", "/v1/sessions?api_key=prober-key", headers={"Authorization": ""}),
    UNAUTHORIZED,
    needs_keys=True,
)
declare(
    "metrics without a key", Request("GET", "/metrics", headers={"Authorization": ""}), UNAUTHORIZED, needs_keys=True
)

# -- what kinds of answers are asked for ------------------------------------------------------------------------------
for name, value in {
    "images": "image/png",
    "nothing at all": "*/*;q=0",
    "rubbish": ";;;,,,",
    "10,000 ranges": "a/b," * 5000,
    "a weight that is none": "application/json;q=nan",
    "a weight that is huge": "application/json;q=1e309",
    "a negative weight": "application/json;q=-1",
}.items():
    wanted = UNACCEPTABLE | OK | TOO_LONG
    declare(f"accept: {name}", Request(body=json_body({"nodes": []}), headers={**JSON, "Accept": value}), wanted)
declare(
    "an encoding that nobody knows",
    Request(path="/v1/evaluate?encoding=pickle", body=json_body({"nodes": []}), headers=JSON),
    INVALID,
)
declare("a range of a JSON answer", get("/v1/ops", Range="bytes=0-1,2-3,4-5"), OK)
declare("a thousand ranges", get("/v1/ops", Range="bytes=" + ",".join(["0-"] * 1000)), OK | problem(416))
declare("a request id that breaks lines", get("/healthz", X_Request_Id="a b\tc"), OK)
declare("a request id of 8 KB", get("/healthz", X_Request_Id="a" * 8000), OK)
declare("a traceparent that is none", get("/healthz", Traceparent="00-" + "0" * 32 + "-zz-ff"), OK)
declare(
    "an address that is forwarded",
    get("/healthz", X_Forwarded_For="127.0.0.1, " * 200, X_Forwarded_Host="evil.example"),
    OK,
)
declare("a method that is overridden", get("/v1/sessions", X_HTTP_Method_Override="DELETE"), OK)
declare(
    "a preflight from elsewhere",
    Request(
        "OPTIONS", "/v1/evaluate", headers={"Origin": "https://evil.example", "Access-Control-Request-Method": "POST"}
    ),
    NOT_ALLOWED | answered(200) | EMPTY | MALFORMED,
)

# -- preconditions --------------------------------------------------------------------------------------------------
SESSION: Final = "x = torch.ones(3)"


def matched(name: str, value: str, accepted: Outcomes) -> None:
    """Declare a run under ``If-Match``."""
    declare(f"if-match: {name}", run("x.add_(1)", If_Match=value), accepted, session=SESSION)


matched("a version that has passed", '"0"', STALE)
matched("a version that never was", '"999999"', STALE)
matched("a weak tag", 'W/"1"', STALE | INVALID)
matched("anything", "*", OK)
matched("several", '"1", "2"', OK | INVALID)
matched("no tag", "1", INVALID | STALE)
matched("nothing", "", INVALID | STALE)
matched("a number of 5,000 digits", '"' + "9" * 5000 + '"', INVALID | STALE)
matched("SQL", '"1 OR 1=1"', INVALID | STALE)
matched("digits of another script", '"\u0661"', INVALID | STALE)

# -- paths ----------------------------------------------------------------------------------------------------------
for path in (
    "/v1/nothing",
    "/v1/sessions/../../etc/passwd",
    "/..%2f..%2fetc/passwd",
    "/%00",
    "/v1/sessions/%00",
    "//evil.example/v1",
    "/v1//evaluate",
    "/v1/evaluate%2f",
    "/V1/EVALUATE",
    "/.env",
    "/docs/../app/main.py",
    "/problems/%3cscript%3e",
    "/v1/ops/__class__",
    "/v1/ops/..%2f..",
    "/v1/ops/" + "a" * 3000,
    "/v1/ops/x'--",
    "/v1/sessions/' OR '1'='1",
    "/v1/sessions/%ff%fe",
    "/v1/sessions/" + "a" * 64,
):
    name = path if len(path) < 60 else f"{path[:20]} and so on"
    declare(
        f"path: {name.replace(' ', '%20')}",
        get(path.replace(" ", "%20")),
        MISSING | MALFORMED | INVALID | answered(307),
    )
declare("a path of 60 KB", get("/v1/" + "a" * 60_000), TOO_LONG | MISSING)
declare("a query of 60 KB", get("/v1/sessions?cursor=" + "a" * 60_000), TOO_LONG | INVALID)
declare("10,000 parameters", get("/v1/sessions?" + "a=1&" * 10_000), TOO_LONG | OK)
for name, query in {
    "a huge limit": "limit=" + "9" * 300,
    "a negative limit": "limit=-1",
    "a limit that is a text": "limit=abc",
    "a cursor in SQL": "cursor=%27;DROP%20TABLE%20sessions;--",
    "a cursor with a NUL": "cursor=%00",
    "a cursor that is no UTF-8": "cursor=%ff",
    "two limits": "limit=1&limit=2",
    "an unknown parameter": "sort=id;drop",
}.items():
    declare(f"listing: {name}", get("/v1/sessions?" + query), INVALID | OK | MALFORMED)

# -- methods --------------------------------------------------------------------------------------------------------
READ: Final = (
    "/healthz",
    "/readyz",
    "/v1/ops",
    "/v1/ops/add",
    "/v1/limits",
    "/openapi.json",
    "/docs",
    "/metrics",
    "/v1/sessions",
)
for path in READ:
    declare(f"HEAD {path}", Request("HEAD", path), answered(200))
for method, path in (
    ("DELETE", "/healthz"),
    ("PUT", "/v1/evaluate"),
    ("GET", "/v1/evaluate"),
    ("POST", "/v1/ops"),
    ("PATCH", "/v1/sessions"),
    ("BREW", "/v1/evaluate"),
    ("TRACE", "/healthz"),
    ("PROPFIND", "/v1/sessions"),
    ("DELETE", "/v1/sessions"),
    ("POST", "/metrics"),
):
    declare(f"{method} {path}", Request(method, path), NOT_ALLOWED | MALFORMED)
declare(
    "a redirect that follows the Host",
    Request(raw=b"GET /v1/ops/ HTTP/1.1\r\nHost: evil.example\r\n%AUTH%\r\nConnection: close\r\n\r\n"),
    MISSING | OK | MALFORMED | problem(421) | answered(307),
)
declare(
    "a redirect of the root that follows the Host",
    Request(raw=b"GET / HTTP/1.1\r\nHost: evil.example\r\n%AUTH%\r\nConnection: close\r\n\r\n"),
    answered(307) | answered(308) | answered(302) | answered(200) | MALFORMED | problem(421),
)

# -- lives and keys of sessions -------------------------------------------------------------------------------------
LIVES: Final[dict[str, Any]] = {
    "none": 0,
    "a negative one": -1,
    "NaN": "NaN",
    "a text": "'; DROP TABLE sessions",
    "a list": [1],
}
for name, seconds in LIVES.items():
    declare(f"life: {name}", send("POST", "/v1/sessions", {"ttl_seconds": seconds}), INVALID)
declare("life: 1e308", send("POST", "/v1/sessions", {"ttl_seconds": 1e308}), CREATED | INVALID)
declare("life: 1e-300", send("POST", "/v1/sessions", {"ttl_seconds": 1e-300}), CREATED | INVALID)
for name, key in {
    "256 letters": "a" * 256,
    "nothing": "",
    "8 KB": "a" * 8000,
}.items():
    declare(f"idempotency-key: {name}", send("POST", "/v1/sessions", {}, Idempotency_Key=key), INVALID | MALFORMED)
for name, key in {
    "SQL": "'; DROP TABLE answers; --",
    "percent signs": "%s%n%x",
    "a path": "../../etc/passwd",
    "bytes over ASCII": "\u00ff\u0100",
}.items():
    declare(
        f"idempotency-key: {name}", send("POST", "/v1/sessions", {}, Idempotency_Key=key), CREATED | INVALID | MALFORMED
    )

FAMILY.steps(
    "one key, another request",
    Step(send("POST", "/v1/sessions", {}, Idempotency_Key="{nonce}-reuse"), CREATED),
    Step(send("POST", "/v1/sessions", {"ttl_seconds": 9.0}, Idempotency_Key="{nonce}-reuse"), CONFLICT),
)
FAMILY.steps(
    "one key, another session",
    Step(run("x.add_(1)", Idempotency_Key="{nonce}-other"), OK),
    Step(send("POST", "/v1/sessions", {}, Idempotency_Key="{nonce}-other"), CONFLICT),
    session=SESSION,
)
FAMILY.steps(
    "one key, forty times at once",
    Step(run("x.add_(1)", Idempotency_Key="{nonce}-forty"), OK | CONFLICT, clients=40, some=OK),
    Step(get("/v1/sessions/{sid}/tensors/x"), OK, says=b'"data":[2.0,2.0,2.0]'),
    session=SESSION,
    weight=Weight.SLOW,
)
FAMILY.steps(
    "a key whose request failed is free again",
    Step(run("x.add_('a')", Idempotency_Key="{nonce}-again"), problem(422)),
    Step(run("x.add_(1)", Idempotency_Key="{nonce}-again"), OK),
    Step(run("x.add_(1)", Idempotency_Key="{nonce}-again"), OK),
    Step(get("/v1/sessions/{sid}/tensors/x"), OK, says=b'"data":[2.0,2.0,2.0]'),
    session=SESSION,
)
FAMILY.steps(
    "a key on evaluate",
    Step(
        Request(
            path="/v1/evaluate", body=evaluate("x = 1").body, headers={**JSON, "Idempotency-Key": "{nonce}-evaluate"}
        ),
        OK,
    ),
)
