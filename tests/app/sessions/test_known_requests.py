"""Requests to sessions that come again, to the byte, in one compute process."""

from __future__ import annotations

import json
import time
from typing import Any

import pytest
from msgspec import Raw

from app.compute.frames import Packet, Page
from app.evaluate.execution import Run
from app.http.problems import reply_to
from app.operations.exchange import ENCODER, Head, Request
from app.operations.handler import RequestHandler
from app.operations.operation import Exchange
from app.settings import Settings
from app.stores.memory import MemoryStore
from tests.app.session_cases import OWNER, directory_over, opened


def test_a_request_that_comes_again_is_not_read_again(monkeypatch: pytest.MonkeyPatch) -> None:
    """But carried out each time, or refused each time; one that is refused now may be carried out later."""
    store = MemoryStore()
    reads: list[Exchange] = []
    sid = opened(directory_over(store))
    run = Exchange.run

    def count(exchange: Exchange) -> Run:
        reads.append(exchange)
        return run(exchange)

    monkeypatch.setattr(Exchange, "run", count)
    handler = RequestHandler(Settings(), lambda connections: store, Page(), reply_to)

    def carried_out(request: Request, body: bytes) -> Any:
        head = ENCODER.encode(Head("r", time.monotonic() + 60, Raw(ENCODER.encode(request))))
        _, answer = handler.carry_out(Packet(head, body))
        return json.loads(bytes(answer) or b"null")

    def ask(code: str, accept: str | None = None) -> Any:
        request = Request("run_in_session", OWNER, accept, arguments={"sid": sid})
        return carried_out(request, json.dumps({"code": code, "outputs": ["n"]}).encode())

    assert [ask("n = m + 1")["type"] for _ in range(4)] == ["/problems/refused"] * 4
    ask("n = m = 0")
    answers = [ask("n = m = m + 1") for _ in range(6)]
    assert [(one["values"]["n"], one["version"]) for one in answers] == [(n, n + 1) for n in range(1, 7)]
    assert ask("n = m + 1")["values"]["n"] == 7
    assert len(reads) < 8
    ask("n = m = m + 1", "application/json")  # as others ask for it
    assert len(reads) < 9
    carried_out(Request("delete_session", OWNER, arguments={"sid": sid}), b"")
    assert ask("n = m = m + 1")["type"] == "/problems/not-found"
