"""Bytes that no client library sends: HTTP at its edges, and connections that only cost."""

from __future__ import annotations

from typing import Final

from tests.hostile.case import (
    CUT,
    GONE,
    INVALID,
    MALFORMED,
    MISSING,
    OK,
    OVER,
    TOO_SLOW,
    UNSUPPORTED,
    Family,
    Manner,
    Outcomes,
    Weight,
    answered,
    evaluate,
    json_body,
    problem,
)
from tests.hostile.client import made

FAMILY: Final = Family("edge")
raw = FAMILY.raw
slow: Final = {"weight": Weight.SLOW}
BODY: Final = json_body({"inputs": {"x": [1.0]}, "nodes": [{"id": "y", "op": "neg", "args": ["$x"]}]})
TYPE: Final = b"Content-Type: application/json\r\n"
HOST: Final = b"Host: %HOST%\r\n"
AUTH: Final = b"%AUTH%\r\n"
CLOSE: Final = b"Connection: close\r\n"
BAD: Final = MALFORMED | CUT  # some parsers end the connection; most say why
NOT_DONE: Final = problem(501)
HEAD_LIMIT: Final = problem(431) | BAD | problem(413)
LENGTH: Final = b"Content-Length: %d\r\n" % len(BODY)


def post(
    lines: bytes, body: bytes = BODY, start: bytes = b"POST /v1/evaluate HTTP/1.1\r\n", host: bytes = HOST
) -> bytes:
    """A request for the tutorial's sum, with these lines in its head."""
    return start + host + AUTH + TYPE + CLOSE + lines + b"\r\n" + body


def ask(start: bytes, lines: bytes = HOST) -> bytes:
    """A request without a body."""
    return start + b"\r\n" + lines + AUTH + CLOSE + b"\r\n"


def chunked(*chunks: bytes, end: bytes = b"0\r\n\r\n") -> bytes:
    """A body in pieces."""
    return b"".join(b"%x\r\n%s\r\n" % (len(chunk), chunk) for chunk in chunks) + end


TE: Final = b"Transfer-Encoding: chunked\r\n"

LENIENT: Final = ("HTTP/0.9", "no version", "three spaces")  # what some parsers take, and nobody is hurt by
# -- the first line -------------------------------------------------------------------------------------------------
for name, data in {
    "rubbish": b"\x00\x01\x02\x03\r\n\r\n",
    "a TLS greeting": b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + b"\0" * 600,
    "HTTP/2 at once": b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0",
    "HTTP/0.9": b"GET /healthz\r\n\r\n",
    "HTTP/9.9": ask(b"GET /healthz HTTP/9.9"),
    "no version": ask(b"GET /healthz"),
    "three spaces": ask(b"GET  /healthz  HTTP/1.1"),
    "a method of 60 KB": ask(b"A" * 60_000 + b" / HTTP/1.1"),
    "a path with a space": ask(b"GET /health z HTTP/1.1"),
    "a path with a NUL": ask(b"GET /health\0z HTTP/1.1"),
    "a small method": ask(b"get /healthz HTTP/1.1"),
    "CONNECT": ask(b"CONNECT example.com:443 HTTP/1.1"),
    "an SSH greeting": b"SSH-2.0-OpenSSH_9.0\r\n",
    "a Redis command": b"*1\r\n$4\r\nPING\r\n",
    "PROXY protocol": b"PROXY TCP4 1.2.3.4 5.6.7.8 1 2\r\n" + ask(b"GET /healthz HTTP/1.1"),
}.items():
    raw(
        f"first line: {name}",
        data,
        (BAD | problem(405) | problem(501) | problem(505)) | (OK if name in LENIENT else frozenset()),
        manner=Manner(half_close=True),
    )
raw(
    "first line: an address of elsewhere",
    ask(b"GET http://evil.example/healthz HTTP/1.1"),
    OK | MALFORMED | MISSING | problem(421),
)
raw(
    "first line: an asterisk",
    ask(b"OPTIONS * HTTP/1.1"),
    answered(200) | answered(204) | problem(405) | MISSING | MALFORMED,
)
raw("first line: empty lines before it", b"\r\n" * 3 + ask(b"GET /healthz HTTP/1.1"), OK | MALFORMED)
raw("first line: 100,000 empty lines before it", b"\r\n" * 100_000 + ask(b"GET /healthz HTTP/1.1"), OK | HEAD_LIMIT)
raw("first line: a path of a megabyte", ask(b"GET /" + b"a" * 1_000_000 + b" HTTP/1.1"), HEAD_LIMIT | problem(414))
raw("HTTP/1.0 without a Host", b"GET /healthz HTTP/1.0\r\n\r\n", OK)

# -- Host -----------------------------------------------------------------------------------------------------------
for name, lines in {
    "missing": b"",
    "twice": HOST + HOST,
    "two": HOST + b"Host: evil.example\r\n",
    "with a path": b"Host: a/b\r\n",
    "with a space": b"Host: a b\r\n",
    "with a user": b"Host: user@evil.example\r\n",
    "empty": b"Host:\r\n",
}.items():
    accepted = MALFORMED | (OK if name in ("empty", "with a user") else frozenset())
    raw(f"host: {name}", ask(b"GET /healthz HTTP/1.1", lines), accepted)
    raw(f"host: {name}, on evaluate", post(LENGTH, host=lines), accepted)

# -- heads ----------------------------------------------------------------------------------------------------------
for name, lines in {
    "a line of a megabyte": b"X-A: " + b"a" * 1_000_000 + b"\r\n",
    "20,000 lines": b"X-A: a\r\n" * 20_000,
    "a name of 100 KB": b"X" * 100_000 + b": a\r\n",
    "200 KB of cookies": b"Cookie: a=b\r\n" * 16_000,
}.items():
    raw(f"head: {name}", ask(b"GET /healthz HTTP/1.1", HOST + lines), HEAD_LIMIT)
    raw(f"head: {name}, on evaluate", post(LENGTH + lines), HEAD_LIMIT)
for name, lines in {
    "a line without a colon": b"X-A\r\n",
    "a space before the colon": b"X-A : a\r\n",
    "a NUL": b"X-A: a\0b\r\n",
    "a name with a NUL": b"X\0A: a\r\n",
    "a folded line": b"X-A: a\r\n b\r\n",
    "a bare CR": b"X-A: a\rX-B: b\r\n",
    "an empty name": b": a\r\n",
    "a name in UTF-8": "X-\u00e4: a\r\n".encode(),
}.items():
    raw(
        f"head: {name}",
        ask(b"GET /healthz HTTP/1.1", HOST + lines),
        BAD | (OK if name == "a folded line" else frozenset()),
    )
raw("head: a bare LF", ask(b"GET /healthz HTTP/1.1", HOST).replace(b"\r\n", b"\n"), BAD | OK)
raw("head: bytes over ASCII in a value", ask(b"GET /healthz HTTP/1.1", HOST + b"X-A: \xff\xfe\r\n"), OK | BAD)

# -- how long the body is -------------------------------------------------------------------------------------------
for name, lines in {
    "negative": b"Content-Length: -1\r\n",
    "with a plus": b"Content-Length: +5\r\n",
    "hexadecimal": b"Content-Length: 0x5\r\n",
    "a fraction": b"Content-Length: 5.0\r\n",
    "a text": b"Content-Length: abc\r\n",
    "two that differ": LENGTH + b"Content-Length: 1\r\n",
    "a list that differs": b"Content-Length: 5, 6\r\n",
    "300 digits": b"Content-Length: " + b"9" * 300 + b"\r\n",
    "2**64": b"Content-Length: 18446744073709551616\r\n",
    "nothing": b"Content-Length:\r\n",
    "beside chunks": LENGTH + TE,
    "beside chunks, behind them": TE + LENGTH,
}.items():
    raw(f"length: {name}", post(lines), BAD | OVER, alone=True)
raw("length: twice the same", post(LENGTH + LENGTH), BAD | OK)
raw("length: far more than the limit", post(b"Content-Length: 1000000000000\r\n", b""), OVER)
raw("length: more than comes", post(b"Content-Length: 5000\r\n"), TOO_SLOW | MALFORMED, **slow)
raw(
    "length: more than comes, and an end",
    post(b"Content-Length: 5000\r\n"),
    TOO_SLOW | MALFORMED,
    manner=Manner(half_close=True),
)
raw("length: less than comes", post(b"Content-Length: 10\r\n"), MALFORMED | INVALID, alone=True)
raw("length: none, with a body", post(b""), INVALID | MALFORMED | problem(411), alone=True)

# -- how it is transferred ------------------------------------------------------------------------------------------
for name, lines in {
    "gzip, chunked": b"Transfer-Encoding: gzip, chunked\r\n",
    "gzip": b"Transfer-Encoding: gzip\r\n",
    "identity": b"Transfer-Encoding: identity\r\n",
    "chunked twice": b"Transfer-Encoding: chunked, chunked\r\n",
    "chunked, then another": b"Transfer-Encoding: chunked, gzip\r\n",
    "in two lines": b"Transfer-Encoding: gzip\r\n" + TE,
    "a name that is nearly it": b"Transfer-Encoding: xchunked\r\n",
    "with a tab": b"Transfer-Encoding:\x0bchunked\r\n",
}.items():
    raw(f"transfer: {name}", post(lines, chunked(BODY)), BAD | NOT_DONE | UNSUPPORTED, alone=True)
raw(
    "transfer: chunked under HTTP/1.0",
    post(TE, chunked(BODY), start=b"POST /v1/evaluate HTTP/1.0\r\n"),
    BAD | NOT_DONE | OK,
)
raw("transfer: chunked", post(TE, chunked(BODY[:9], BODY[9:])), OK, says=b'"data":[-1.0]')
raw("transfer: a byte a chunk", post(TE, chunked(*[BODY[i : i + 1] for i in range(len(BODY))])), OK)
raw("transfer: 500,000 chunks of a space", post(TE, chunked(*[b" "] * 500_000)), MALFORMED | INVALID | OVER, **slow)
for name, data in {
    "a size that is none": b"zz\r\nabc\r\n0\r\n\r\n",
    "a negative size": b"-5\r\nabc\r\n0\r\n\r\n",
    "a size of 300 digits": b"f" * 300 + b"\r\nabc\r\n",
    "2**64": b"10000000000000000\r\nabc\r\n",
    "no end of line": b"3\r\nabcX0\r\n\r\n",
    "a size in another notation": b"0x3\r\nabc\r\n0\r\n\r\n",
}.items():
    raw(f"chunks: {name}", post(TE, data), BAD, alone=True)
raw("chunks: one far over the limit", post(TE, b"fffffffffff\r\n" + b"a" * 1000), OVER | TOO_SLOW, **slow)
raw(
    "chunks: an extension of a megabyte",
    post(TE, b"%x;a=" % len(BODY) + b"b" * 1_000_000 + b"\r\n" + BODY + b"\r\n0\r\n\r\n"),
    HEAD_LIMIT | OK,
)
raw(
    "chunks: trailers of a megabyte",
    post(TE, chunked(BODY, end=b"0\r\n" + b"X-A: a\r\n" * 130_000 + b"\r\n")),
    HEAD_LIMIT | OK,
)
raw(
    "chunks: a trailer that is a header",
    post(TE, chunked(BODY, end=b"0\r\nContent-Length: 9\r\n\r\n")),
    OK | BAD,
    alone=True,
)
raw("chunks: no last one", post(TE, chunked(BODY, end=b"")), TOO_SLOW | MALFORMED, **slow)
raw(
    "chunks: no last one, and an end",
    post(TE, chunked(BODY, end=b"")),
    TOO_SLOW | MALFORMED,
    manner=Manner(half_close=True),
)

# -- two codings, upgrades, expectations ----------------------------------------------------------------------------
raw(
    "a second Content-Encoding",
    post(LENGTH + b"Content-Encoding: identity\r\nContent-Encoding: gzip\r\n"),
    UNSUPPORTED | MALFORMED,
)
H2C: Final = (
    b"Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\n"
    b"HTTP2-Settings: AAEAAEAAAAIAAAABAAMAAABkAAQBAAAAAAUAAEAA\r\n"
)
for name, lines in {
    "h2c": H2C,
    "a websocket": (
        b"Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n"
        b"Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n"
    ),
    "what nobody knows": b"Connection: Upgrade\r\nUpgrade: foo/2\r\n",
}.items():
    head = b"POST /v1/evaluate HTTP/1.1\r\n" + HOST + AUTH + TYPE
    raw(
        f"upgrade: {name}, with a body",
        head + lines + LENGTH + b"\r\n" + BODY,
        OK | (MALFORMED if "socket" in name else frozenset()),
        says=b'"data":[-1.0]',
    )
    raw(
        f"upgrade: {name}, with chunks",
        head + lines + TE + b"\r\n" + chunked(BODY),
        OK | (MALFORMED if "socket" in name else frozenset()),
        says=b'"data":[-1.0]',
    )
    raw(
        f"upgrade: {name}, body later",
        head + lines + LENGTH + b"\r\n" + BODY,
        OK | (MALFORMED if "socket" in name else frozenset()),
        says=b'"data":[-1.0]',
        manner=Manner(piece=len(head + lines + LENGTH) + 2 + 40, every_s=0.1),
    )
raw("expectation: 100-continue", post(LENGTH + b"Expect: 100-continue\r\n"), OK)
raw("expectation: 100-continue, and no body", post(LENGTH + b"Expect: 100-continue\r\n", b""), TOO_SLOW, **slow)
raw(
    "expectation: 100-continue, far over the limit",
    post(b"Content-Length: 1000000000\r\nExpect: 100-continue\r\n", b""),
    OVER,
)
raw("expectation: what nobody knows", post(LENGTH + b"Expect: miracles\r\n"), problem(417) | OK)

# -- requests in a row ----------------------------------------------------------------------------------------------
KEPT: Final = b"POST /v1/evaluate HTTP/1.1\r\n" + HOST + AUTH + TYPE + LENGTH + b"\r\n" + BODY
raw("500 requests in a row", KEPT * 500, GONE | OK, manner=Manner(leave_after_s=0.5), kills=True)
raw(
    "5,000 requests in a row, nothing read",
    KEPT * 5000,
    GONE,
    manner=Manner(leave_after_s=1.0),
    weight=Weight.SLOW,
    kills=True,
)
raw(
    "a request hidden behind a GET",
    ask(b"GET /healthz HTTP/1.1", HOST + b"Content-Length: 40\r\n") + b"POST /v1/evaluate HTTP/1.1\r\nHost: a\r\n\r\n",
    OK | MALFORMED,
    alone=True,
)


# -- slowly, or not at all ------------------------------------------------------------------------------------------
def paced(name: str, data: bytes, accepted: Outcomes, piece: int, every_s: float) -> None:
    """Declare a request that comes bit by bit."""
    raw(f"slow: {name}", data, accepted, manner=Manner(piece=piece, every_s=every_s), **slow)


paced("a head, a byte at a time", post(LENGTH + b"X-A: " + b"a" * 400 + b"\r\n"), TOO_SLOW, 1, 0.2)
paced("a body, a byte at a time", post(LENGTH), TOO_SLOW, len(post(LENGTH)) - len(BODY) + 1, 3.0)
paced("a body, just fast enough each time", post(b"Content-Length: 20000\r\n", b" " * 20_000), TOO_SLOW, 400, 0.9)
paced("chunks, one now and then", post(TE, chunked(*[b" "] * 400)), TOO_SLOW, 60, 0.9)
raw("slow: a connection that says nothing", b"", TOO_SLOW, **slow)
raw("slow: half a first line", b"GET /heal", TOO_SLOW, **slow)
raw("slow: a head without an end", ask(b"GET /healthz HTTP/1.1")[:-2], TOO_SLOW, **slow)
raw("slow: an answer, then silence", ask(b"GET /healthz HTTP/1.1").replace(CLOSE, b""), OK)

# -- clients that go ------------------------------------------------------------------------------------------------
LONG: Final = b"POST /v1/evaluate HTTP/1.1\r\n" + HOST + AUTH + TYPE


def program(code: str) -> bytes:
    """A request that runs ``code``."""
    body = made(evaluate(code).body)
    return LONG + b"Content-Length: %d\r\n\r\n" % len(body) + body


for name, data, stop in (
    ("in the first line", KEPT, 9),
    ("in the head", KEPT, 70),
    ("in the body", KEPT, len(KEPT) - 9),
    ("after the request", KEPT, None),
    ("in a chunk", post(TE, chunked(BODY, end=b"")), None),
):
    raw(f"goes {name}", data, GONE, manner=Manner(stop_after=stop, leave_after_s=0.0), kills=True)
raw(
    "a client that goes while its job runs",
    program("a = torch.rand(2500, 2500)\nfor i in range(90000):\n    a = a @ a"),
    GONE,
    manner=Manner(leave_after_s=0.5),
    weight=Weight.SLOW,
    kills=True,
)
raw(
    "a client that goes while one kernel runs",
    program("u = torch.linalg.svd(torch.rand(3600, 3600))"),
    GONE,
    manner=Manner(leave_after_s=0.5),
    weight=Weight.HEAVY,
    kills=True,
)
raw(
    "a client that goes without reading 40 MB",
    program("x = torch.rand(2000000)")
    .replace(b'{"outputs":[]', b'{"outputs":["x"]')
    .replace(b"Content-Length: ", b"Content-Length: 0000"),
    GONE | MALFORMED,
    manner=Manner(leave_after_s=2.0),
    weight=Weight.SLOW,
    kills=True,
)
