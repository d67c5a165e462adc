"""Connections: a request that takes the short cut is answered as uvicorn's own protocol would have it answered."""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httptools
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from uvicorn.config import Config
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol
from uvicorn.server import ServerState

from app import cli
from app.compute.front import Front
from app.evaluate import replay
from app.http import connection
from app.http.connection import IN_A_ROW, Connection
from app.limits import Limits
from app.main import create_app
from app.observe.exposition import text_of
from app.server import Server
from app.settings import Settings

NODES = [{"id": "y", "op": "mul", "args": ["$x", "$x"]}]
SMALL: dict[str, Any] = {"inputs": {"x": [1.5, 2.5]}, "nodes": NODES}
LARGE: dict[str, Any] = {"nodes": [{"id": "y", "op": "zeros", "args": [5000]}, {"op": "sum", "args": ["$y"]}]}
WAIT_S = 30.0


class Transport(asyncio.Transport):
    """Keeps what is written."""

    def __init__(self) -> None:
        super().__init__()
        self.written, self.is_closed, self.is_paused = b"", False, False

    def write(self, data: Any) -> None:
        self.written += data

    def is_closing(self) -> bool:
        return self.is_closed

    def close(self) -> None:
        self.is_closed = True

    def can_write_eof(self) -> bool:
        return False

    def get_write_buffer_size(self) -> int:
        return 0

    def pause_reading(self) -> None:
        self.is_paused = True

    def resume_reading(self) -> None:
        self.is_paused = False


class Answers:
    """Status, headers and body of each answer in what was written."""

    def __init__(self) -> None:
        self.found: list[tuple[int, dict[str, str], bytes]] = []
        self._parser = httptools.HttpResponseParser(self)

    def on_message_begin(self) -> None:
        self._headers: dict[str, str] = {}
        self._body = b""

    def on_header(self, name: bytes, value: bytes) -> None:
        self._headers[name.decode().lower()] = value.decode()

    def on_body(self, body: bytes) -> None:
        self._body += body

    def on_message_complete(self) -> None:
        self.found.append((self._parser.get_status_code(), self._headers, self._body))

    def read(self, text: bytes) -> Answers:
        """Read all of ``text``."""
        self._parser.feed_data(text)
        return self


def request(body: bytes | dict[str, Any], *headers: str, path: str = "/v1/evaluate", method: str = "POST") -> bytes:
    """A request as it is sent."""
    body = body if isinstance(body, bytes) else json.dumps(body).encode()
    lines = [f"{method} {path} HTTP/1.1", "Host: test", f"Content-Length: {len(body)}", *headers]
    return "\r\n".join([*lines, "", ""]).encode() + body


class Talk:
    """One connection to an application of its own, which has seen nothing yet, and runs while this is open."""

    def __init__(self, kind: Callable[..., HttpToolsProtocol] = Connection, **options: Any) -> None:
        self.app = create_app(Settings(store="memory", workers=1, **options))
        config = Config(
            self.app, lifespan="off", ws="none", proxy_headers=False, log_level="critical", access_log=False
        )
        self.state = ServerState()
        self.state.default_headers = [(b"date", b"today")]
        self.transport = Transport()
        self.protocol = kind(config, self.state, {})
        self.protocol.connection_made(self.transport)
        self.cuts: Iterator[bool] = iter(())

    async def __aenter__(self) -> Talk:
        self._life = self.app.router.lifespan_context(self.app)
        await self._life.__aenter__()
        return self

    async def __aexit__(self, *exc_info: Any) -> None:
        await self._life.__aexit__(*exc_info)

    @property
    def answers(self) -> list[tuple[int, dict[str, str], bytes]]:
        return Answers().read(self.transport.written).found

    async def say(self, *parts: bytes) -> None:
        """Send parts one after another; what they start gets on meanwhile."""
        for part in parts:
            while self.transport.is_paused:  # noqa: ASYNC110 - the protocol has no event for it
                await asyncio.sleep(0)
            self.protocol.data_received(part)
            await asyncio.sleep(0)

    async def know(self, body: dict[str, Any]) -> None:
        """Have a plan for a program: it has come twice. What was written meanwhile is dropped."""
        await self.say(request(body), request(body))
        await self.until(2)
        self.transport.written = b""

    async def until(self, count: int) -> list[tuple[int, dict[str, str], bytes]]:
        """The answers, once there are so many, and the application has no more to do."""
        async with asyncio.timeout(WAIT_S):
            while len(self.answers) < count or self.state.tasks:  # noqa: ASYNC110
                await asyncio.sleep(0.001)
        return self.answers


def answers_of(*parts: bytes, count: int = 1, **options: Any) -> list[tuple[int, dict[str, str], bytes]]:
    """What ``parts`` are answered."""

    async def talk() -> list[tuple[int, dict[str, str], bytes]]:
        async with Talk(**options) as one:
            await one.say(*parts)
            return await one.until(count)

    return asyncio.run(talk())


def plain(answers: list[tuple[int, dict[str, str], bytes]]) -> list[Any]:
    """Answers without what is each one's own."""
    return [
        (status, {name: value for name, value in headers.items() if name != "x-request-id"}, body)
        for status, headers, body in answers
    ]


# What one client may send over one connection, and how much of it takes the short cut.
REQUESTS = [
    request(SMALL), request(LARGE), request(SMALL, "Accept: application/msgpack"), request(b"{"), request(b""),
    request({"nodes": [{"op": "nothing"}]}), request(SMALL, "Accept: text/html"), request(SMALL, "X-Request-Id: one"),
    request(b"", path="/healthz", method="GET"), request(SMALL, path="/v1/evaluate?encoding=base64"),
    request({**SMALL, "x" * replay.QUICK_BYTES: 1}), request(SMALL, "Content-Type: text/plain"),
    request(SMALL, "Content-Encoding: x"),
    request({"nodes": [{"id": "y", "op": "linalg.inv", "args": [{"tensor": [[1.0, 1.0], [1.0, 1.0]]}]}]}),
    request(b"", method="GET"), request(SMALL, "Expect: 100-continue").replace(b"Expect", b"X-Expect"),
    b"POST /v1/evaluate HTTP/1.1\r\nHost: test\r\nTransfer-Encoding: chunked\r\n\r\nb\r\n{\"code\":\"\"}\r\n0\r\n\r\n",
]  # fmt: skip


@pytest.mark.parametrize("number", range(len(REQUESTS)))
def test_a_request_is_answered_as_without_a_short_cut(number: int) -> None:
    one = REQUESTS[number]
    got, wanted = (answers_of(one, one, one, one, count=4, kind=kind) for kind in (Connection, HttpToolsProtocol))
    assert plain(got) == plain(wanted)
    assert all(re.fullmatch(r"[\w.-]{1,64}", headers["x-request-id"]) for _, headers, _ in got)


@settings(max_examples=25, suppress_health_check=[HealthCheck.too_slow])
@given(data=st.data(), sent=st.lists(st.sampled_from(REQUESTS), min_size=1, max_size=5))
def test_however_requests_arrive_they_are_answered_in_their_order(data: st.DataObject, sent: list[bytes]) -> None:
    stream = b"".join(sent)
    places = data.draw(st.lists(st.integers(0, len(stream)), max_size=12).map(sorted))
    parts = [stream[start:stop] for start, stop in zip([0, *places], [*places, len(stream)], strict=True)]
    got = answers_of(*filter(None, parts), count=len(sent))
    wanted = answers_of(*sent, count=len(sent), kind=HttpToolsProtocol)
    assert plain(got) == plain(wanted)


def test_a_request_may_come_byte_by_byte() -> None:
    stream = request(SMALL)
    got = answers_of(*(stream[i : i + 1] for i in range(len(stream))))
    assert plain(got) == plain(answers_of(stream, kind=HttpToolsProtocol))


class Deaf:
    """A parser that must not be asked."""

    def feed_data(self, data: bytes) -> None:
        raise AssertionError(data)


@pytest.mark.parametrize("cut", [0, len(request(SMALL)) - len(json.dumps(SMALL))])
def test_a_head_that_came_before_is_not_read_again(cut: int) -> None:
    """Whether it comes with its body or apart, and however long that is."""
    others = [request({**SMALL, "inputs": {"x": [2.5, last]}}) for last in (3.5, 13.5, 1.5e99, 7)]

    async def talk() -> None:
        async with Talk() as one:
            for sent in (request(SMALL), request(SMALL)):
                await one.say(*filter(None, (sent[:cut], sent[cut:])))
            await one.until(2)
            one.protocol.parser = Deaf()  # type: ignore[assignment]
            for number, other in enumerate(others):
                await one.say(*filter(None, (other[:cut], other[cut:])))
                await one.until(3 + number)
            await one.say(request(SMALL))
            bodies = [json.loads(body)["outputs"]["y"]["data"] for _, _, body in await one.until(7)]
            usual = [2.25, 6.25]
            assert bodies == [usual, usual, [6.25, 12.25], [6.25, 182.25], [6.25, "Infinity"], [6.25, 49.0], usual]

    asyncio.run(talk())


OF_TEXT = request(SMALL)[: -len(json.dumps(SMALL))]
LENGTH_LINE = b"Content-Length: %d" % len(json.dumps(SMALL))


@pytest.mark.parametrize(
    "head",
    [
        OF_TEXT.replace(LENGTH_LINE, b"Content-Length: 1x"),
        OF_TEXT.replace(LENGTH_LINE, b"Content-Length: -5"),
        OF_TEXT.replace(LENGTH_LINE, b"Content-Length: "),
        OF_TEXT.replace(LENGTH_LINE, b"Content-Length: 20000"),
        OF_TEXT.replace(LENGTH_LINE, LENGTH_LINE + b"\r\n" + LENGTH_LINE),
        OF_TEXT.replace(LENGTH_LINE, b"Content-Length: 1\r\n" + LENGTH_LINE),
        OF_TEXT.replace(LENGTH_LINE, LENGTH_LINE + b"\r\nX-Content-Length: 3"),
        OF_TEXT.replace(LENGTH_LINE, LENGTH_LINE + b"\r\nTransfer-Encoding: chunked"),
    ],
)
def test_a_head_that_differs_in_more_than_its_length_is_read(head: bytes) -> None:
    """What a connection that has seen nothing says to it, one says that has answered requests."""

    async def talk() -> None:
        async with Talk() as new, Talk() as used:
            for _ in range(2):
                await used.say(request(SMALL))
            await used.until(2)
            used.transport.written = b""
            for one in (new, used):
                await one.say(head + json.dumps(SMALL).encode())
                await asyncio.sleep(0.1)
            found = [plain(Answers().read(one.transport.written).found) for one in (new, used)]
            assert found[0] == found[1]
            assert new.transport.is_closed is used.transport.is_closed

    asyncio.run(talk())


@pytest.mark.parametrize("end", ["looked at", "lost", "shut down", "other"])
def test_a_head_that_came_before_is_kept_back_until_its_body_comes(end: str) -> None:
    async def talk() -> None:
        async with Talk(limits=Limits(read_seconds=0.05)) as one:
            stream, other = request(SMALL), request({**SMALL, "encoding": "json"})
            head = stream[: -len(json.dumps(SMALL))]
            await one.say(stream)
            await one.until(1)
            await one.say(head)
            if end == "other":  # a body that comes piece by piece is no other's
                await one.say(stream[len(head) : -5], stream[-5:] + other)
                assert [status for status, _, _ in await one.until(3)] == [200, 200, 200]
                return
            if end == "lost":
                one.protocol.connection_lost(None)
            elif end == "shut down":
                one.protocol.shutdown()
                await one.say(stream[len(head) :])
            else:
                one.protocol._watch._look()  # type: ignore[attr-defined]
            await one.until(1 if end == "lost" else 2)
            metrics = text_of(one.app.state.services.metrics.families())
            status = {"looked at": 408, "lost": 400, "shut down": 200}[end]
            count = 2 if status == 200 else 1
            assert f'route="/v1/evaluate",method="POST",status="{status}"}} {count}\n'.encode() in metrics.encode()

    asyncio.run(talk())


def test_small_requests_of_known_programs_start_no_task() -> None:
    async def talk() -> None:
        async with Talk() as one:
            await one.know(SMALL)
            before = one.state.total_requests
            for sent in (request(SMALL), request(SMALL, "Accept: text/html"), request(SMALL, "Content-Type: x/y")):
                one.protocol.data_received(sent)
            assert [status for status, _, _ in one.answers] == [200, 406, 415]
            assert not one.state.tasks
            assert one.state.total_requests == before + 3

    asyncio.run(talk())


def test_many_requests_at_once_do_not_keep_others_waiting() -> None:
    async def talk() -> None:
        async with Talk() as one:
            await one.know(SMALL)
            sent = [request(SMALL, f"X-Request-Id: {n}") for n in range(3 * IN_A_ROW)]
            one.protocol.data_received(b"".join(sent))
            assert len(one.answers) == IN_A_ROW
            answers = await one.until(3 * IN_A_ROW)
            assert [headers["x-request-id"] for _, headers, _ in answers] == [str(n) for n in range(3 * IN_A_ROW)]
            await one.say(request(SMALL))
            assert len(one.answers) == 3 * IN_A_ROW + 1

    asyncio.run(talk())


def test_the_command_serves_with_the_short_cut(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("GRADSERVE_DATA", str(tmp_path))
    monkeypatch.setenv("GRADSERVE_PORT", "0")
    given: list[Server] = []
    monkeypatch.setattr(Server, "run", lambda server, *args, **named: given.append(server))
    monkeypatch.setattr(Front, "prepare", lambda front: None)
    cli.main(["serve"])
    (config,) = (server.config for server in given)
    config.load()

    async def connect() -> asyncio.Protocol:
        kind: Any = config.http_protocol_class
        protocol: asyncio.Protocol = kind(config, ServerState(), {})
        return protocol

    protocol = asyncio.run(connect())
    assert isinstance(protocol, Connection)
    assert protocol._find(b"POST", b"/v1/evaluate") is not None


def test_short_cuts_are_counted_and_named() -> None:
    async def talk() -> None:
        async with Talk() as one:
            await one.say(request(SMALL, "X-Request-Id: mine"), request(b"", path="/metrics", method="GET"))
            (_, first, _), (_, _, metrics) = await one.until(2)
            assert (first["x-request-id"], first["date"]) == ("mine", "today")
            assert b'gradserve_requests_total{route="/v1/evaluate",method="POST",status="200"} 1\n' in metrics

    asyncio.run(talk())


def test_keys_are_asked_for() -> None:
    sent = [request(SMALL), request(SMALL, "Authorization: Bearer no"), request(SMALL, "Authorization: Bearer yes")]
    got = answers_of(*sent, count=3, api_keys="me:yes")
    assert [status for status, _, _ in got] == [401, 401, 200]
    assert "www-authenticate" in got[0][1]


def test_a_failure_of_ours_is_a_500_with_the_id_in_the_log(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    async def talk() -> None:
        async with Talk() as one:
            monkeypatch.setattr(one.app.state.services.replayer, "reply_to", lambda call: 1 // 0)
            await one.say(request(SMALL, "X-Request-Id: lost"))
            ((status, _, body),) = await one.until(1)
            assert (status, json.loads(body)["request_id"]) == (500, "lost")
            assert "request lost failed" in caplog.text

    asyncio.run(talk())


@pytest.mark.parametrize("headers", [["Connection: close"], ["Expect: 100-continue"]])
def test_what_asks_for_more_than_an_answer_goes_the_usual_way(headers: list[str]) -> None:
    async def talk(kind: Callable[..., HttpToolsProtocol]) -> tuple[bytes, bool]:
        async with Talk(kind) as one:
            await one.say(request(SMALL, "X-Request-Id: same", *headers))
            await one.until(1)
            return one.transport.written, one.transport.is_closed

    assert asyncio.run(talk(Connection)) == asyncio.run(talk(HttpToolsProtocol))


def test_a_body_that_is_no_http_is_a_problem_and_closes_the_connection() -> None:
    async def talk() -> None:
        async with Talk() as one:
            head = (
                b"POST /v1/evaluate HTTP/1.1\r\nHost: test\r\nX-Request-Id: mine\r\nTransfer-Encoding: chunked\r\n\r\n"
            )
            await one.say(head + b"nothing")
            one.protocol.connection_lost(None)
            ((status, headers, body),) = await one.until(1)
            assert (status, json.loads(body)["type"]) == (400, "/problems/invalid-http")
            assert (headers["x-request-id"], headers["connection"]) == ("mine", "close")
            assert one.transport.is_closed

    asyncio.run(talk())


def test_a_held_request_waits_for_a_moment_only(monkeypatch: pytest.MonkeyPatch) -> None:
    async def talk() -> None:
        async with Talk(limits=Limits(read_seconds=0.05)) as one:
            await one.say(request(SMALL)[:-5])
            assert not one.state.tasks
            ((status, _, body),) = await one.until(1)
            assert (status, json.loads(body)["type"]) == (408, "/problems/too-slow")

    monkeypatch.setattr(connection, "HOLD_S", 0.02)
    asyncio.run(talk())


def test_a_held_request_is_answered_before_a_shutdown() -> None:
    async def talk() -> None:
        async with Talk() as one:
            stream = request(SMALL)
            await one.say(stream[:-5])
            one.protocol.shutdown()
            assert not one.transport.is_closed
            await one.say(stream[-5:])
            ((status, headers, _),) = await one.until(1)
            assert (status, headers["connection"]) == (200, "close")
            assert one.transport.is_closed

    asyncio.run(talk())


def test_a_client_that_goes_while_its_request_is_held_is_counted() -> None:
    async def talk() -> None:
        async with Talk() as one:
            await one.say(request(SMALL)[:-5])
            one.protocol.connection_lost(None)
            await one.until(0)
            metrics = text_of(one.app.state.services.metrics.families())
            assert 'gradserve_requests_total{route="/v1/evaluate",method="POST",status="400"} 1\n' in metrics
            assert one.transport.written == b""

    asyncio.run(talk())


def test_nothing_is_answered_past_what_the_client_does_not_read() -> None:
    async def talk() -> None:
        async with Talk() as one:
            one.protocol.pause_writing()
            await one.say(request(SMALL))
            assert one.transport.written == b""
            one.protocol.resume_writing()
            assert [status for status, _, _ in await one.until(1)] == [200]

    asyncio.run(talk())


def test_a_connection_too_many_is_told_when_it_asks() -> None:
    async def talk() -> None:
        async with Talk(limits=Limits(connections=1)) as one:

            def another() -> tuple[Connection, Transport]:
                protocol, transport = Connection(one.protocol.config, one.state, {}), Transport()
                protocol.connection_made(transport)
                return protocol, transport

            protocol, transport = another()
            assert transport.written == b""
            protocol.data_received(request(SMALL))
            ((status, headers, body),) = Answers().read(transport.written).found
            assert (status, headers["retry-after"], headers["connection"]) == (503, "1", "close")
            assert (json.loads(body)["type"], json.loads(body)["limit"]) == ("/problems/overloaded", "connections")
            protocol.connection_lost(None)
            one.protocol.connection_lost(None)
            protocol, transport = another()
            protocol.data_received(request(SMALL, "Connection: close"))
            await one.until(0)
            assert transport.written.startswith(b"HTTP/1.1 200 ")

    asyncio.run(talk())
