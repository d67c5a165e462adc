"""The edge: what connections are told that are no HTTP, too slow, too large or too many; by hand-written HTTP."""

import contextlib
import json
import re
import socket
import time
from collections.abc import Iterator
from typing import Any

import httptools
import pytest

from app.http import edge
from app.http.edge import Edge, Pace, network_of
from app.limits import Limits
from tests.app.http.serving import WAIT_S, Server, serving, until

BODY = b'{"code":"y = 1"}'
POST = b"POST /v1/evaluate HTTP/1.1\r\n"
HOST = b"Host: test\r\n"
CHUNKED = b"Transfer-Encoding: chunked\r\n\r\n"
GET = b"GET /healthz HTTP/1.1\r\n"
LENGTH = b"Content-Length: %d\r\n" % len(BODY)
Answer = tuple[int, dict[str, str], bytes]

slow = pytest.mark.slow


class Answers:
    """What an HTTP client reads: status, headers and body of each answer."""

    def __init__(self) -> None:
        self.found: list[Answer] = []
        self.parser = httptools.HttpResponseParser(self)

    def on_message_begin(self) -> None:
        self.headers: dict[str, str] = {}
        self.body = b""

    def on_header(self, name: bytes, value: bytes) -> None:
        self.headers[name.decode().lower()] = value.decode()

    def on_body(self, body: bytes) -> None:
        self.body += body

    def on_message_complete(self) -> None:
        self.found.append((self.parser.get_status_code(), self.headers, self.body))


@contextlib.contextmanager
def connected(server: Server, sent: bytes = b"") -> Iterator[socket.socket]:
    with socket.create_connection(("127.0.0.1", server.port), timeout=WAIT_S) as connection:
        connection.sendall(sent)
        yield connection


def read(connection: socket.socket, count: int = 1) -> list[Answer]:
    """The next answers, as many as there should be or until the server closes."""
    answers = Answers()
    while len(answers.found) < count and (part := connection.recv(65536)):
        answers.parser.feed_data(part)
    return answers.found


def ask(server: Server, *sent: bytes, count: int = 1) -> list[Answer]:
    """Answers to what is sent over one connection."""
    with connected(server, b"".join(sent)) as connection:
        return read(connection, count)


def is_closed(connection: socket.socket) -> bool:
    """Whether the server ends the connection, without another word."""
    with contextlib.suppress(ConnectionResetError):
        assert connection.recv(65536) == b""
    return True


def problem_of(answer: Answer) -> Any:
    """The problem that an answer is, with what every problem has."""
    status, headers, body = answer
    problem = json.loads(body)
    assert headers["content-type"] == "application/problem+json"
    assert headers["x-request-id"]
    assert problem["status"] == status
    return problem


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    with serving(cors_origins="https://page.example", limits__header_bytes=4000, limits__headers=20) as server:
        yield server


@pytest.fixture(scope="module")
def impatient() -> Iterator[Server]:
    """A server whose clients have to be quick."""
    limits = {"header_seconds": 0.3, "idle_seconds": 0.6, "read_seconds": 0.4, "read_rate": 1000, "connections": 8}
    with serving(**{f"limits__{name}": value for name, value in limits.items()}, limits__address_connections=4) as one:
        yield one


# -- heads ----------------------------------------------------------------------------------------------------------
REFUSED = {
    "no HTTP": (b"hello\r\n\r\n", 400, "invalid-http"),
    "no method": (b"NOTHING / HTTP/1.1\r\n" + HOST + b"\r\n", 400, "invalid-http"),
    "a target that is none": (b"GET http://[ HTTP/1.1\r\n" + HOST + b"\r\n", 400, "invalid-http"),
    "bytes that are no text": (b"GET /\xff HTTP/1.1\r\n" + HOST + b"\r\n", 400, "invalid-http"),
    "no Host": (b"GET /healthz HTTP/1.1\r\n\r\n", 400, "invalid-http"),
    "no Host for the short cut": (POST + LENGTH + b"\r\n" + BODY, 400, "invalid-http"),
    "two Hosts": (GET + HOST + HOST + b"\r\n", 400, "invalid-http"),
    "two Hosts for the short cut": (POST + HOST + HOST + LENGTH + b"\r\n" + BODY, 400, "invalid-http"),
    "two lengths": (POST + HOST + LENGTH + LENGTH + b"\r\n" + BODY, 400, "invalid-http"),
    "two keys": (POST + HOST + LENGTH + 2 * b"Authorization: Bearer a\r\n" + b"\r\n" + BODY, 400, "invalid-http"),
    "length and coding": (POST + HOST + LENGTH + CHUNKED + b"0\r\n\r\n", 400, "invalid-http"),
    "chunked twice": (POST + HOST + b"Transfer-Encoding: chunked, chunked\r\n\r\n0\r\n\r\n", 400, "invalid-http"),
    "two codings": (POST + HOST + b"Transfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n", 501, "unsupported-http"),
    "two headers of codings": (
        POST + HOST + b"Transfer-Encoding: gzip\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 501, "unsupported-http"
    ),
    "a coding of HTTP/1.0": (
        b"POST /v1/evaluate HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 400, "invalid-http"
    ),
    "a chunk that is none": (POST + HOST + CHUNKED + b"zz\r\n", 400, "invalid-http"),
    "HTTP/2": (b"GET /healthz HTTP/2.0\r\n" + HOST + b"\r\n", 505, "http-version"),
    "a proxy's method": (b"CONNECT other:443 HTTP/1.1\r\n" + HOST + b"\r\n", 501, "unsupported-http"),
    "a long header": (GET + HOST + b"X: " + 5000 * b"x" + b"\r\n\r\n", 431, "headers-too-large"),
    "a long target": (b"GET /" + 5000 * b"x" + b" HTTP/1.1\r\n" + HOST + b"\r\n", 431, "headers-too-large"),
    "many headers": (GET + HOST + 30 * b"a: b\r\n" + b"\r\n", 431, "headers-too-large"),
    "an endless header": (GET + HOST + b"X: " + 2_000_000 * b"x", 431, "headers-too-large"),
    "an endless target": (b"GET /" + 2_000_000 * b"x", 431, "headers-too-large"),
    "an endless trailer": (
        POST + HOST + CHUNKED + b"1\r\n{\r\n0\r\nX: " + 2_000_000 * b"x", 431, "headers-too-large"
    ),
    "two encodings": (POST + HOST + LENGTH + b"Content-Encoding: gzip, gzip\r\n\r\n" + BODY, 415,
                      "unsupported-media-type"),
    "two headers of encodings": (POST + HOST + LENGTH + 2 * b"Content-Encoding: gzip\r\n" + b"\r\n" + BODY, 415,
                                 "unsupported-media-type"),
    "two headers of encodings elsewhere": (
        b"POST /v1/sessions HTTP/1.1\r\n" + HOST + LENGTH + 2 * b"Content-Encoding: gzip\r\n" + b"\r\n" + BODY, 415,
        "unsupported-media-type",
    ),
}  # fmt: skip


@slow
@pytest.mark.parametrize("what", REFUSED)
def test_what_could_be_misunderstood_is_a_problem(server: Server, what: str) -> None:
    sent, status, slug = REFUSED[what]
    (answer,) = ask(server, sent)
    assert (answer[0], problem_of(answer)["type"]) == (status, f"/problems/{slug}")


@slow
def test_a_refusal_closes_the_connection_and_has_the_clients_id(server: Server) -> None:
    with connected(
        server, b"GET / HTTP/1.1\r\nX-Request-Id: mine\r\n\r\nGET /healthz HTTP/1.1\r\n" + HOST
    ) as connection:
        (answer,) = read(connection)
        assert answer[1]["x-request-id"] == "mine"
        assert answer[1]["connection"] == "close"
        assert is_closed(connection)


@slow
def test_refusals_are_counted(server: Server) -> None:
    line = 'gradserve_requests_total{route="connection",method="other",status="505"}'
    before = server.metric(line)
    ask(server, b"GET /healthz HTTP/2.0\r\n" + HOST + b"\r\n")
    assert server.metric(line) == before + 1


@slow
def test_an_answer_that_is_due_comes_before_a_refusal(server: Server) -> None:
    long = json.dumps({"code": "y = 0\nfor i in range(20000):\n    y = y + 1"}).encode()
    first = POST + HOST + b"Content-Length: %d\r\n\r\n" % len(long) + long
    answers = ask(server, first, first, b"nonsense\r\n\r\n", count=3)
    assert [status for status, _, _ in answers] == [200, 200, 400]


@slow
def test_a_body_that_breaks_while_it_is_awaited_is_answered(server: Server) -> None:
    head = b"POST /v1/sessions HTTP/1.1\r\n" + HOST + CHUNKED + b"5\r\n12345\r\n"
    with connected(server, head) as connection:
        until(lambda: server.metric("gradserve_requests_in_flight") == 2)
        connection.sendall(b"zz\r\n")
        (answer,) = read(connection)
        assert problem_of(answer)["type"] == "/problems/invalid-http"
    until(lambda: server.metric("gradserve_requests_in_flight") == 1)


@slow
def test_a_trailer_is_no_header(server: Server) -> None:
    head = POST + HOST + b"Expect: nothing\r\nTransfer-Encoding: chunked\r\n\r\n"
    chunks = b"%x\r\n%b\r\n0\r\nHost: other\r\nAccept: text/html\r\n\r\n" % (len(BODY), BODY)
    answers = ask(server, head, chunks, GET + HOST + b"\r\n", count=2)
    assert [status for status, _, _ in answers] == [200, 200]


@slow
def test_old_clients_need_no_host(server: Server) -> None:
    assert ask(server, b"GET /healthz HTTP/1.0\r\n\r\n")[0][0] == 200


@slow
@pytest.mark.parametrize("framing", ["length", "chunks"])
@pytest.mark.parametrize("pieces", [1, 3, 1000])
def test_an_upgrade_that_nobody_makes_keeps_its_body(server: Server, framing: str, pieces: int) -> None:
    asked = b"Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAEAAEAAAAIAAAAB\r\n"
    chunk = b"%x\r\n%b\r\n0\r\n\r\n" % (len(BODY), BODY)
    rest = LENGTH + b"\r\n" + BODY if framing == "length" else CHUNKED + chunk
    sent = (POST + HOST + asked + rest) * 2 + GET + HOST + asked + b"\r\n"
    with connected(server) as connection:
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        step = -(-len(sent) // pieces)
        for start in range(0, len(sent), step):
            connection.sendall(sent[start : start + step])
        answers = read(connection, 3)
    assert [status for status, _, _ in answers] == [200, 200, 200]
    assert json.loads(answers[1][2])["values"] == {"y": 1}


@slow
def test_many_upgrades_in_a_row_are_answered_in_their_order(server: Server) -> None:
    one = b"GET /healthz HTTP/1.1\r\n%bX-Request-Id: %d\r\nConnection: Upgrade\r\nUpgrade: h2c\r\n\r\n"
    answers = ask(server, *(one % (HOST, number) for number in range(300)), count=300)
    assert [headers["x-request-id"] for _, headers, _ in answers] == [str(number) for number in range(300)]


# -- pages of others, redirects -------------------------------------------------------------------------------------
@slow
@pytest.mark.parametrize("path", [b"/", b"/v1/sessions/", b"/v1/evaluate/", b"/healthz/", b"//evil.example/.."])
def test_no_answer_leads_to_where_the_request_says(server: Server, path: bytes) -> None:
    sent = b"GET %b HTTP/1.1\r\nHost: evil.example\r\nX-Forwarded-Host: evil.example\r\n\r\n" % path
    ((status, headers, body),) = ask(server, sent)
    assert status in (307, 404)
    assert headers.get("location", "/docs") == "/docs"
    assert b"evil" not in body


@slow
@pytest.mark.parametrize("path", ["/v1/evaluate", "/v1/sessions"])
def test_pages_of_a_known_origin_take_no_short_cut(server: Server, path: str) -> None:
    origin = {"Origin": "https://page.example"}
    for body in (BODY, b"{", b'{"nodes": [{"op": "nothing"}]}'):
        answer = server.http.post(path, content=body, headers=origin)
        assert answer.headers["access-control-allow-origin"] == "https://page.example"
        assert "X-Request-Id" in answer.headers["access-control-expose-headers"]
        assert answer.headers["x-request-id"]


# -- time -----------------------------------------------------------------------------------------------------------
@slow
@pytest.mark.parametrize("drops", [False, True])
@pytest.mark.parametrize("before", [b"", GET + HOST + b"\r\n"])
def test_a_head_that_does_not_come_is_a_408(impatient: Server, drops: bool, before: bytes) -> None:
    with connected(impatient, before) as connection:
        assert not before or read(connection)
        connection.sendall(b"GET /healthz HTTP/1.1\r\nX: ")
        with contextlib.suppress(OSError):
            for _ in range(40 if drops else 0):
                connection.sendall(b"x")
                time.sleep(0.02)
        (answer,) = read(connection)
        problem = problem_of(answer)
        assert (answer[0], problem["type"], problem["limit"]) == (408, "/problems/too-slow", "header_seconds")
        assert is_closed(connection)


@slow
@pytest.mark.parametrize("before", [b"", b"\r\n\r\n", GET + HOST + b"\r\n"])
def test_a_connection_that_asks_nothing_is_closed(impatient: Server, before: bytes) -> None:
    with connected(impatient, before) as connection:
        assert not before.strip() or read(connection)
        assert is_closed(connection)


@slow
def test_what_came_fast_buys_no_time_for_what_comes_slowly(impatient: Server) -> None:
    size = 1_000_000  # bought all at once, they would be worth a quarter of an hour
    with connected(impatient, POST + HOST + b"Content-Length: %d\r\n\r\n" % (size + 1000) + size * b" ") as connection:
        with contextlib.suppress(OSError):
            for _ in range(100):
                connection.sendall(b" ")
                time.sleep(0.02)
        with contextlib.suppress(ConnectionResetError):  # what was sent after the answer resets the connection
            (answer,) = read(connection)
            assert (answer[0], problem_of(answer)["limit"]) == (408, "read_seconds")
    line = 'gradserve_requests_total{route="/v1/evaluate",method="POST",status="408"}'
    until(lambda: impatient.metric(line) >= 1)


@slow
def test_the_rest_of_a_body_that_was_answered_has_an_end(impatient: Server) -> None:
    with connected(impatient, b"POST /nothing HTTP/1.1\r\n" + HOST + b"Content-Length: 1000\r\n\r\n") as connection:
        assert read(connection)[0][0] == 404
        assert is_closed(connection)


@slow
def test_clients_that_do_not_fetch_their_answers_lose_them(impatient: Server) -> None:
    code = json.dumps({"code": "y = torch.rand(1000000)"}).encode()
    sent = POST + HOST + b"Content-Length: %d\r\n\r\n" % len(code) + code
    impatient.http.get("/healthz", headers={"Connection": "close"})
    with contextlib.ExitStack() as stack:
        greedy = [stack.enter_context(connected(impatient, sent)) for _ in range(4)]
        until(lambda: has_room_for_four(impatient))  # an address has four, and no fifth
        for connection in greedy:
            head, _, body = receive_all(connection).partition(b"\r\n\r\n")
            assert len(body) < int(re.search(rb"content-length: (\d+)", head)[1])  # type: ignore[index]


def has_room_for_four(server: Server) -> bool:
    with contextlib.ExitStack() as stack:
        others = [stack.enter_context(connected(server, GET + HOST + b"\r\n")) for _ in range(4)]
        return [read(one)[0][0] for one in others] == [200] * 4


def receive_all(connection: socket.socket) -> bytes:
    received = b""
    with contextlib.suppress(ConnectionResetError):
        while part := connection.recv(2**20):
            received += part
    return received


@slow
def test_answers_that_are_fetched_steadily_come_whole(impatient: Server) -> None:
    code = json.dumps({"code": "y = torch.zeros(1000000)"}).encode()
    with connected(impatient, POST + HOST + b"Content-Length: %d\r\n\r\n" % len(code) + code) as connection:
        answers = Answers()
        while not answers.found:
            answers.parser.feed_data(connection.recv(20_000))
            time.sleep(0.005)
    assert len(json.loads(answers.found[0][2])["outputs"]["y"]["data"]) == 1_000_000


# -- how many -------------------------------------------------------------------------------------------------------
@slow
def test_connections_of_one_address_are_counted(impatient: Server) -> None:
    impatient.http.get("/healthz", headers={"Connection": "close"})
    question = GET + HOST + b"\r\n"
    until(lambda: ask(impatient, question)[0][0] == 200)

    def is_refused() -> bool:
        with contextlib.ExitStack() as stack:
            for _ in range(4):
                stack.enter_context(connected(impatient, POST + HOST + b"Content-Length: 10000\r\n\r\n"))
            (answer,) = ask(impatient, question)
        if answer[0] == 200:  # some had been closed already, for they said no more
            return False
        problem = problem_of(answer)
        assert (answer[0], problem["limit"], problem["allowed"]) == (429, "address_connections", 4)
        assert answer[1]["retry-after"] == "1"
        return True

    until(is_refused)
    until(lambda: ask(impatient, question)[0][0] == 200)


def test_all_connections_are_counted_and_counted_no_more() -> None:
    one = Edge(Limits(connections=3, address_connections=2))
    entered = [(address, one.enter(address)) for address in ("a", "a", "a", "b", "c", None)]
    assert [over and over.limit for _, over in entered] == [
        None, None, "address_connections", None, "connections", "connections",
    ]  # fmt: skip
    for address, over in entered:
        one.leave(address, over)
    assert [one.enter(address) for address in ("c", "c", "b")] == [None] * 3


def test_so_many_too_many_are_not_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(edge, "EXCESS", 2)
    one = Edge(Limits(connections=1))
    seen = []
    for _ in range(4):
        one.enter("a")
        seen.append(one.is_crowded)
    assert seen == [False, False, False, True]


@pytest.mark.parametrize(
    ("address", "network"),
    [
        ("192.0.2.1", "192.0.2.1"),
        ("2001:db8:1:2:3:4:5:6", "20010db800010002::/64".lstrip("0")),
        ("2001:db8:1:2::9", "20010db800010002::/64"),
        ("::ffff:192.0.2.1", "192.0.2.1"),
        ("fe80::1%eth0", "fe80000000000000::/64"),
        (None, None),
    ],
)
def test_an_address_counts_as_its_network(address: str | None, network: str | None) -> None:
    assert network_of(address) == network


def test_time_is_never_bought_ahead() -> None:
    pace = Pace(100.0, Limits(read_seconds=30, read_rate=1000))
    pace.moved(10**9, 101.0)
    assert pace.deadline == 131.0
    for second in range(102, 131):
        pace.moved(100, second)
    assert pace.deadline == pytest.approx(101 + 29 * 0.1 + 30)
