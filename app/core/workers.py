"""Where requests compute: a bounded pool of threads, a bounded queue, and one request at a time for each session."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any, TypeVar
from weakref import WeakValueDictionary

from app.core.errors import Overloaded
from app.core.limits import LimitError

Result = TypeVar("Result")
PATIENCE, MARGIN_S = 1.25, 1.0  # how much longer than its time a work is waited for: a factor, and seconds


class Workers:
    """Runs work off the event loop. Work that has begun is finished, whether or not its caller still waits.

    Work watches its own time, between ops. The caller of an op that does not end waits a little longer than that, then
    is told; the thread stays taken.
    """

    def __init__(self, threads: int, queue: int, seconds: float) -> None:
        self._seconds = seconds
        self._pool = ThreadPoolExecutor(threads, thread_name_prefix="worker")
        self._places = threads + queue
        self._turns: WeakValueDictionary[str, asyncio.Lock] = WeakValueDictionary()
        self.pending = 0

    @property
    def full(self) -> bool:
        """Whether the next request would be refused."""
        return self.pending >= self._places

    async def run(self, work: Callable[[], Result], turn: str | None = None) -> Result:
        """The result of ``work``. Works of one ``turn`` run one after another, and hold no thread while they wait."""
        if self.full:
            raise Overloaded("every thread is busy and the queue is full; try again later")
        self.pending += 1
        lock = asyncio.Lock() if turn is None else self._turns.setdefault(turn, asyncio.Lock())
        try:
            await lock.acquire()
        except BaseException:
            self.pending -= 1
            raise
        loop = asyncio.get_running_loop()
        begun = asyncio.Event()
        future = loop.run_in_executor(self._pool, self._begin, loop, begun, work)
        future.add_done_callback(lambda done: self._finished(done, lock))
        await begun.wait()
        try:
            return await asyncio.wait_for(asyncio.shield(future), self._seconds * PATIENCE + MARGIN_S)
        except TimeoutError:
            raise LimitError("seconds", allowed=self._seconds, asked=self._seconds * PATIENCE + MARGIN_S) from None

    @staticmethod
    def _begin(loop: asyncio.AbstractEventLoop, begun: asyncio.Event, work: Callable[[], Result]) -> Result:
        loop.call_soon_threadsafe(begun.set)
        return work()

    def _finished(self, future: asyncio.Future[Any], lock: asyncio.Lock) -> None:
        self.pending -= 1
        lock.release()
        if not future.cancelled():
            future.exception()  # seen, also when the caller has gone

    def close(self) -> None:
        """Wait for what runs, and take nothing more."""
        self._pool.shutdown(wait=True)
