"""Fronts with real processes that do what a few bytes say, for tests of what becomes of tasks."""

from __future__ import annotations

import asyncio
import os
import signal
import time
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Any, Final

import msgspec
import numpy as np
import uvloop

from app import allocator
from app.compute.frames import Body, Packet, Page, SharedBody, Stage
from app.compute.front import Front, Patience, Task
from app.compute.queue import Room
from app.compute.worker import Worker

WAIT_S: Final = 30.0  # for what has to happen
SOON_S: Final = 0.3  # the time of a task that is to run out of it
LONG_S: Final = 600.0


class Script:
    """What a process of these tests does: the head of a packet names a method and its arguments."""

    def __init__(self, page: Page) -> None:
        self._page, self._is_cancelled = page, False
        self._kept: list[bytearray] = []

    def carry_out(self, packet: Packet) -> tuple[bytes, Body]:
        name, *arguments = msgspec.msgpack.decode(packet.head)
        self._is_cancelled = False
        self._page._map[1] = 1  # see ``Fronts.begun``
        try:
            answer = getattr(self, name)(packet.body, *arguments)
        except MemoryError:
            return msgspec.msgpack.encode("out of memory"), b""
        finally:
            self._page._map[1] = 0
        return msgspec.msgpack.encode(os.getpid()), answer

    def cancel(self) -> None:
        self._is_cancelled = True

    def cached_bytes(self) -> int:
        return 0

    # -- what can be asked for ------------------------------------------------------------------------------------
    def echo(self, body: Body) -> Body:
        return bytes(body)

    def sleep(self, body: Body, seconds: float) -> Body:
        """Until it is over, or was cancelled."""
        end = time.monotonic() + seconds
        while time.monotonic() < end and not self._is_cancelled:
            time.sleep(0.005)
        return b"cancelled" if self._is_cancelled else b"slept"

    def hang(self, body: Body) -> Body:
        """In one call of C that does not end, with the interpreter's lock held: no handler of Python's runs."""
        return str(max(range(10**18))).encode()

    def commit(self, body: Body, stage: int, seconds: float) -> Body:
        """Announce a stage, then take that long, whatever one is told."""
        self._page.stage = Stage(stage)
        time.sleep(seconds)
        return b"committed"

    def die(self, body: Body, marks: str, times: int, stage: int = 0) -> Body:
        """By the hand of somebody else, the first ``times`` times; ``marks`` is a folder that counts."""
        Path(marks, str(time.monotonic_ns())).touch()
        self._page.stage = Stage(stage)
        if len(list(Path(marks).iterdir())) <= times:
            os.kill(os.getpid(), signal.SIGKILL)
        return b"alive"

    def allocate(self, body: Body, nbytes: int) -> Body:
        return str(np.ones(nbytes, np.uint8).sum()).encode()

    def keep(self, body: Body, nbytes: int) -> Body:
        """Never let go of it."""
        self._kept.append(bytearray(os.urandom(1)) * nbytes)
        return b""

    def descriptors(self, body: Body) -> Body:
        return str(len(os.listdir("/proc/self/fd"))).encode()  # noqa: PTH208


async def answered(front: Front, task: Task) -> Packet:
    """Return the answer to a task, whose ``done`` is not used. If this is cancelled, so is the task."""
    waiter: asyncio.Future[Packet] = asyncio.get_running_loop().create_future()

    def done(outcome: Packet | Exception) -> None:
        if waiter.done():
            return
        if isinstance(outcome, Exception):
            waiter.set_exception(outcome)
        else:
            waiter.set_result(outcome)

    task.done = done
    front.submit(task)
    try:
        return await waiter
    except asyncio.CancelledError:
        front.leave(task)
        raise


class Asked:
    """A task and what became of it."""

    def __init__(self, front: Front, task: Task) -> None:
        self.front, self.task = front, task
        self.outcome = asyncio.ensure_future(answered(front, task))
        self.outcome.add_done_callback(lambda outcome: outcome.cancelled() or outcome.exception())  # seen

    async def answer(self) -> tuple[Any, bytes]:
        """Head and body. Raises what the front says."""
        async with asyncio.timeout(WAIT_S):
            packet = await self.outcome
        return msgspec.msgpack.decode(packet.head), bytes(packet.body or b"")


class Fronts:
    """A front, and how it is asked."""

    def __init__(self, front: Front) -> None:
        self.front = front

    def ask(
        self,
        name: str,
        *arguments: Any,
        body: Body | SharedBody = b"",
        owner: str = "ann",
        seconds: float = LONG_S,
        **named: Any,
    ) -> Asked:
        head, deadline = msgspec.msgpack.encode([name, *arguments]), time.monotonic() + seconds
        task = Task(head, body, lambda outcome: None, owner=owner, deadline=deadline, seconds=seconds, **named)
        return Asked(self.front, task)

    async def answer(self, name: str, *arguments: Any, **named: Any) -> tuple[Any, bytes]:
        return await self.ask(name, *arguments, **named).answer()

    async def begun(self, asked: Asked) -> None:
        """The process is carrying the task out."""
        await until(lambda: asked.task.process is not None and asked.task.process.page._map[1] == 1)

    async def all_are_there(self) -> None:
        """Every place has a process that has been born, and none has a task."""
        front = self.front
        await until(lambda: len(front.pids()) == len(front._places) == len(front._idle))


@asynccontextmanager
async def fronts(
    processes: int = 2, memory_bytes: int = 0, room: Room | None = None, patience: Patience | None = None
) -> AsyncIterator[Fronts]:
    """A front with its processes while it runs."""
    allocator.give_back()  # else they have to spare what tests before this one have freed
    front = Front(Worker(Script, memory_bytes), processes, room or Room(), patience or Patience(0.2, 1.0))
    front.start()
    try:
        yield Fronts(front)
    finally:
        async with asyncio.timeout(WAIT_S):
            await front.close()


async def until(condition: Callable[[], bool]) -> None:
    """Wait for ``condition``; for a bounded time."""
    async with asyncio.timeout(WAIT_S):
        while not condition():  # noqa: ASYNC110 - it is not told when that changes
            await asyncio.sleep(0.005)


def run(work: Callable[[], Coroutine[Any, Any, None]]) -> None:
    """Run a coroutine in the loop that serves in production."""
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(work())


def is_alive(pid: int) -> bool:
    """Whether a process is there and has not ended."""
    with suppress(OSError):
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] not in ("Z", "X")
    return False


def children(pid: int) -> list[int]:
    """The processes that a process has forked."""
    found = []
    for path in Path("/proc").glob("[0-9]*/stat"):
        with suppress(OSError):
            if int(path.read_text().rpartition(")")[2].split()[1]) == pid:
                found.append(int(path.parent.name))
    return found
