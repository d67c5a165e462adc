"""Where requests compute: a bounded pool of threads, a bounded queue, and one request at a time for each session."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from time import monotonic
from typing import Any, TypeVar
from weakref import WeakValueDictionary

from app.errors import Overloaded
from app.limits import OverLimit

Result = TypeVar("Result")
PATIENCE, MARGIN_S = 1.25, 1.0  # how much longer than its time a work is waited for: a factor, and seconds


class _Job:
    """One work, who waits for it, and since when it runs. The event loop is woken once, when it is done."""

    __slots__ = ("begun_at", "loop", "timer", "waiter", "work")

    def __init__(self, work: Callable[[], Any], loop: asyncio.AbstractEventLoop) -> None:
        self.work, self.loop = work, loop
        self.waiter: asyncio.Future[Any] = loop.create_future()
        self.begun_at: float | None = None
        self.timer: asyncio.TimerHandle | None = None


class Workers:
    """Runs work off the event loop. Work that has begun is finished, whether or not its caller still waits.

    Work watches its own time, between ops. The caller of an op that does not end waits a little longer than that, then
    is told; the thread stays taken.
    """

    def __init__(self, threads: int, queue: int, seconds: float) -> None:
        self._seconds, self._patience = seconds, seconds * PATIENCE + MARGIN_S
        self._pool = ThreadPoolExecutor(threads, thread_name_prefix="worker")
        self._places = threads + queue
        self._turns: WeakValueDictionary[str, asyncio.Lock] = WeakValueDictionary()
        self.pending = 0

    @property
    def full(self) -> bool:
        """Whether the next request would be refused."""
        return self.pending >= self._places

    async def run(self, work: Callable[[], Result], turn: str | None = None) -> Result:
        """Return what ``work`` makes. Works of one ``turn`` run one after another; those that wait hold no thread."""
        if self.full:
            raise Overloaded("every thread is busy and the queue is full; try again later")
        self.pending += 1
        lock = None if turn is None else self._turns.setdefault(turn, asyncio.Lock())
        try:
            if lock is not None:
                await lock.acquire()
        except BaseException:
            self.pending -= 1
            raise
        job = _Job(work, asyncio.get_running_loop())
        self._watch(job)
        try:
            self._pool.submit(self._do, job, lock)
        except RuntimeError as error:  # the pool is closed
            self._finished(job, lock, None, Overloaded(str(error)))
        return await job.waiter  # type: ignore[no-any-return]

    def _watch(self, job: _Job) -> None:
        """Let the caller wait no longer than it should; the time in the queue does not count."""
        waited = 0.0 if job.begun_at is None else monotonic() - job.begun_at
        if waited < self._patience:
            job.timer = job.loop.call_later(self._patience - waited, self._watch, job)
        elif not job.waiter.done():
            job.waiter.set_exception(OverLimit("seconds", allowed=self._seconds, asked=self._patience))

    def _do(self, job: _Job, lock: asyncio.Lock | None) -> None:
        """In a thread of the pool."""
        job.begun_at = monotonic()
        result, error = None, None
        try:
            result = job.work()
        except BaseException as caught:
            error = caught
        with suppress(RuntimeError):  # the loop is closed: nobody waits
            job.loop.call_soon_threadsafe(self._finished, job, lock, result, error)

    def _finished(self, job: _Job, lock: asyncio.Lock | None, result: Any, error: BaseException | None) -> None:
        self.pending -= 1
        if lock is not None:
            lock.release()
        if job.timer is not None:
            job.timer.cancel()
        if job.waiter.done():  # the caller has gone, or was told that it took too long
            return
        if error is None:
            job.waiter.set_result(result)
        else:
            job.waiter.set_exception(error)

    def close(self) -> None:
        """Wait for what runs, and take nothing more."""
        self._pool.shutdown(wait=True)
