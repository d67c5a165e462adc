"""Where requests compute: a bounded pool of threads, a bounded queue, and one request at a time for each session."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any, TypeVar
from weakref import WeakValueDictionary

from app.core.errors import Overloaded

Result = TypeVar("Result")


class Workers:
    """Runs work off the event loop. Work that has begun is finished, whether or not its caller still waits."""

    def __init__(self, threads: int, queue: int) -> None:
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
        future = asyncio.get_running_loop().run_in_executor(self._pool, work)
        future.add_done_callback(lambda done: self._finished(done, lock))
        return await asyncio.shield(future)

    def _finished(self, future: asyncio.Future[Any], lock: asyncio.Lock) -> None:
        self.pending -= 1
        lock.release()
        if not future.cancelled():
            future.exception()  # seen, also when the caller has gone

    def close(self) -> None:
        """Wait for what runs, and take nothing more."""
        self._pool.shutdown(wait=True)
