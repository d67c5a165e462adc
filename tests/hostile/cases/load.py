"""Many at once: what one client may take from the others."""

from __future__ import annotations

from typing import Final

from tests.hostile.case import (
    BUSY,
    CREATED,
    CUT,
    GONE,
    LATE,
    OK,
    OVER,
    STOPPED,
    TOO_SLOW,
    Family,
    Manner,
    Request,
    Step,
    Weight,
    evaluate,
    get,
    json_body,
    problem,
    run,
    send,
)

FAMILY: Final = Family("load", weight=Weight.HEAVY, kills=True)
SESSION: Final = "x = torch.ones(3)"
NAP: Final = "a = torch.rand(400, 400)\nfor i in range(60):\n    a = (a @ a) * 1e-3"  # some tenths of a second
HOST: Final = b"Host: %HOST%\r\n%AUTH%\r\n"

FAMILY.steps(
    "66 runs on one session at once",
    Step(run("x.add_(1)"), OK | BUSY, clients=66, some=OK),
    session=SESSION,
    weight=Weight.SLOW,
)
FAMILY.steps(
    "66 long runs on one session at once", Step(run(NAP), OK | BUSY | LATE, clients=66, some=OK), session=SESSION
)
FAMILY.steps(
    "60 jobs without end of one client",
    Step(evaluate("i = 0\nfor j in range(10**12):\n    i = i + 1"), STOPPED | BUSY, clients=60),
)
FAMILY.steps(
    "60 long kernels of one client",
    Step(evaluate("a = torch.rand(4000, 4000)\nfor i in range(90):\n    b = a @ a"), STOPPED | BUSY, clients=60),
)
FAMILY.steps(
    "20 jobs that take all memory",
    Step(evaluate("l = []\nwhile True:\n    l.append(torch.ones(5000000))"), STOPPED | BUSY | problem(422), clients=20),
)
FAMILY.steps(
    "40 readers of a session beside a long run",
    Step(get("/v1/sessions/{sid}/tensors/x"), OK | BUSY, clients=40, some=OK),
    session=SESSION,
)
FAMILY.steps("100 sessions at once", Step(send("POST", "/v1/sessions", {}), CREATED | BUSY, clients=100, some=CREATED))
FAMILY.steps("300 requests at once for readiness", Step(get("/readyz"), OK | BUSY | CUT, clients=300, some=OK))
FAMILY.steps(
    "100 graphs that nobody knows",
    *[
        Step(
            Request(
                body=json_body({"nodes": [{"id": f"y{i}", "op": "full", "args": [[i + 1], float(i)]}]}),
                headers={"Content-Type": "application/json"},
            ),
            OK,
        )
        for i in range(100)
    ],
    weight=Weight.SLOW,
    kills=False,
)
FAMILY.steps(
    "30 plans with large constants",
    *[
        Step(
            Request(
                body=json_body(
                    {"nodes": [{"id": f"y{i}", "op": "tensor", "args": [[float(i)] * 20_000]}], "outputs": []}
                ),
                headers={"Content-Type": "application/json"},
            ),
            OK,
            clients=3,
        )
        for i in range(10)
    ],
    weight=Weight.SLOW,
    kills=False,
)
FAMILY.steps(
    "100 uploads that never end",
    Step(
        Request(raw=b"POST /v1/evaluate HTTP/1.1\r\n" + HOST + b"Content-Length: 60000000\r\n\r\n" + b" " * 1000),
        TOO_SLOW | BUSY,
        clients=100,
    ),
)
FAMILY.steps(
    "30 clients that do not read their long answers",
    Step(
        Request(
            body=evaluate("x = torch.zeros(15000000)", {"outputs": ["x"], "encoding": "base64"}).body,
            headers={"Content-Type": "application/json"},
            manner=Manner(leave_after_s=2.0),
        ),
        GONE,
        clients=30,
    ),
)
FAMILY.steps(
    "300 connections that say nothing",
    Step(Request(raw=b"", manner=Manner(leave_after_s=2.0)), GONE | CUT, clients=300),
)
FAMILY.steps(
    "300 heads without an end",
    Step(Request(raw=b"GET /healthz HTTP/1.1\r\nX-A: b", manner=Manner(leave_after_s=2.0)), GONE | CUT, clients=300),
)
FAMILY.steps(
    "40 clients that go while their jobs run",
    Step(Request(raw=b"", body=b"", manner=Manner(leave_after_s=0.1)), GONE, clients=1),
    Step(
        Request(
            path="/v1/evaluate",
            body=evaluate("a = torch.rand(2000, 2000)\nfor i in range(900):\n    a = (a @ a) * 1e-3").body,
            headers={"Content-Type": "application/json"},
            manner=Manner(leave_after_s=0.3),
        ),
        GONE,
        clients=40,
    ),
)
FAMILY.steps(
    "8 uploads of 60 MB at once",
    Step(
        Request(body=lambda: b'{"code":"#' + b" " * 60_000_000 + b'"}', headers={"Content-Type": "application/json"}),
        OVER | BUSY | STOPPED | problem(422),  # one deadline for the wait and the work
        clients=8,
    ),
)
FAMILY.steps(
    "400 sessions of one owner",
    *[Step(send("POST", "/v1/sessions", {}), CREATED | BUSY, clients=50)] * 8,
    weight=Weight.SLOW,
    kills=False,
)
