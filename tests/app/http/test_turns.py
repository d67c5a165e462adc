"""Long bodies and answers: by turns while they pass, and counted until they are read."""

import asyncio
import json
import socket
from collections.abc import Iterator
from contextlib import AbstractContextManager
from itertools import pairwise

import pytest

from app.http.edge import AT_ONCE, ROUND_BYTES, Turns
from tests.app.http.serving import WAIT_S, Server, read_answer, serving, until


def test_a_round_of_the_loop_has_its_share_of_bytes() -> None:
    async def pass_by(turns: Turns, name: int, passed: list[int]) -> None:
        for _ in range(3):
            await turns.own()
            turns.moved(ROUND_BYTES)
            passed.append(name)

    async def all_of_them() -> tuple[list[int], list[int]]:
        turns, passed, seen = Turns(), list[int](), list[int]()
        tasks = [asyncio.create_task(pass_by(turns, name, passed)) for name in range(6)]
        while not all(task.done() for task in tasks):
            await asyncio.sleep(0)
            seen.append(len(passed))
        return passed, seen

    passed, seen = asyncio.run(all_of_them())
    assert sorted(passed) == sorted(3 * list(range(6)))
    assert [passed.index(name) for name in range(6)] == sorted(passed.index(name) for name in range(6))
    assert max(after - before for before, after in pairwise([0, *seen])) <= AT_ONCE + 1  # and one who did not wait


def test_who_waits_for_a_turn_may_go() -> None:
    async def go() -> bool:
        turns = Turns()
        turns.moved(ROUND_BYTES)
        waiting = asyncio.create_task(turns.own())
        await asyncio.sleep(0)
        waiting.cancel()
        await asyncio.wait([waiting])
        await turns.own()
        return turns.is_over

    assert asyncio.run(go()) is False


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    with serving(workers=1, answers_bytes=2**25, api_keys="one:key-1,two:key-2") as server:
        yield server


def ask(server: Server, key: str, elements: int) -> AbstractContextManager[socket.socket]:
    code = json.dumps({"code": f"x = torch.zeros({elements})", "encoding": "base64"}).encode()
    return server.connection(
        "/v1/evaluate", code, Content_Length=str(len(code)), Content_Type="application/json",
        Authorization=f"Bearer {key}", Connection="close",
    )  # fmt: skip


def status(asked: AbstractContextManager[socket.socket]) -> bytes:
    with asked as connection:
        head, _ = read_answer(connection)
    return head.split()[1]


@pytest.mark.slow
def test_answers_that_nobody_reads_refuse_their_owner_others(server: Server) -> None:
    with ask(server, "key-1", 4 * 10**6) as unread:  # more than the system takes for the client
        assert unread.recv(1)
        assert status(ask(server, "key-1", 10)) == b"503"
        assert status(ask(server, "key-2", 10)) == b"200"
        unread.settimeout(WAIT_S)
        while unread.recv(2**20):
            pass
    until(lambda: status(ask(server, "key-1", 10)) == b"200")
