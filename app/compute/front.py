"""The front's side: which compute process does what, how long it may, and what becomes of a task whose process dies.

A process has one task at a time. A task that is over its deadline, or that nobody waits for any more, is asked to end;
if it does not, its process is killed and replaced. How far it had come stands in the page that both share, so the
answer can say whether anything was changed.
"""

from __future__ import annotations

import asyncio
import logging
import os
import signal
import socket
from collections.abc import Callable
from contextlib import ExitStack, suppress
from dataclasses import dataclass
from time import monotonic
from typing import Final

from app.compute import frames, reclaim
from app.compute.frames import Packet, Stage
from app.compute.nursery import Serve, open_nursery
from app.compute.queue import FairQueue, Room
from app.compute.worker import CANCEL
from app.errors import ClientGone, Interrupted, OutcomeUnknown, Overloaded
from app.limits import OverLimit

TICK_S: Final = 0.05  # between two looks at the deadlines
PAUSE_S: Final = 0.2  # before a process is replaced that did not live to answer once
log = logging.getLogger("gradserve")


@dataclass(frozen=True, slots=True)
class Patience:
    """How long the front waits for what should have ended, in seconds.

    ``grace_s``: for a task that was asked to end; ``store_s``: for a commit that has begun.
    """

    grace_s: float = 0.5
    store_s: float = 40.0  # more than the longest statement of a store


def _nobody(outcome: Packet | Exception) -> None:
    """In place of whoever waited for a task."""


class Task:
    """Work for a compute process. Made by the front's callers; everything from ``process`` on is the front's own."""

    __slots__ = (
        "attempts", "body", "cancelled_at", "deadline", "done", "head", "home", "owner", "process", "repeatable",
        "seconds", "started_at", "submitted_at", "turn",
    )  # fmt: skip

    def __init__(
        self,
        head: bytes,
        body: frames.Body | frames.SharedBody,
        done: Callable[[Packet | Exception], None],
        *,
        owner: str,
        deadline: float,
        seconds: float,
        turn: str | None = None,
        home: int | None = None,
        repeatable: bool = False,
    ) -> None:
        """``done`` gets the answer, or why there is none, once. ``deadline`` is a value of ``time.monotonic()``.

        Tasks of one ``turn`` run one after another. ``home`` prefers a process. A ``repeatable`` task is given to
        another process, once, when its own dies.
        """
        self.head, self.body, self.done, self.owner = head, body, done, owner
        self.deadline, self.seconds, self.turn, self.home, self.repeatable = deadline, seconds, turn, home, repeatable
        self.process: _Process | None = None
        self.attempts = 0
        self.submitted_at = self.started_at = 0.0
        self.cancelled_at: float | None = None

    def settle(self, outcome: Packet | Exception) -> None:
        """Tell whoever waits, and let go of them: they know the task, and such a ring would wait to be collected."""
        done, self.done = self.done, _nobody
        done(outcome)


class _Process:
    """A compute process as the front sees it."""

    __slots__ = ("answered", "connection", "is_ending", "page", "pid", "pidfd", "place", "receiver", "task")

    def __init__(self, place: int, connection: socket.socket, page: frames.Page) -> None:
        self.place, self.connection, self.page = place, connection, page
        self.receiver = frames.Receiver(connection)
        self.task: Task | None = None
        self.pid, self.pidfd = 0, -1  # once it is born
        self.answered = 0
        self.is_ending = False  # it was killed, or takes no other task


class Front:
    """Hands tasks out. For the event loop's thread only."""

    def __init__(
        self,
        serve: Serve,
        processes: int,
        room: Room,
        patience: Patience,
        before_fork: Callable[[], None] = lambda: None,
        load: Callable[[], None] = lambda: None,
    ) -> None:
        """``serve`` is what processes do, ``load`` loads what they need beside what is here.

        ``before_fork`` is called before this one forks what they come from.
        """
        self._serve, self._patience, self._before_fork, self._load = serve, patience, before_fork, load
        self._places: list[_Process | None] = [None] * processes
        self._idle: dict[int, _Process] = {}
        self._queue: FairQueue[Task] = FairQueue(room)
        self._processes: set[_Process] = set()  # those that may still say something
        self._unborn: list[_Process] = []
        self._nursery: socket.socket | None = None
        self.nursery_pid = 0
        self._timer: asyncio.TimerHandle | None = None
        self._running: set[Task] = set()
        self._is_closing = False
        self._is_empty: asyncio.Future[None] | None = None  # what ``close`` waits for
        self.events = {"kills": 0, "deaths": 0, "retries": 0, "starts": 0}

    # -- life --------------------------------------------------------------------------------------------------------
    def prepare(self) -> None:
        """Fork the nursery, best before this process has threads; ``start`` does it otherwise."""
        if self._nursery is None:
            self._before_fork()
            self._nursery, self.nursery_pid = open_nursery(self._serve, self._load)

    def start(self) -> None:
        """Begin: from here on tasks are taken."""
        self._loop = asyncio.get_running_loop()
        self._listen_to_nursery()
        reclaim.by_thread()
        for place in range(len(self._places)):
            self._replace(place)

    def _listen_to_nursery(self) -> None:
        self.prepare()
        assert self._nursery is not None
        self._loop.add_reader(self._nursery, self._hear_nursery)

    async def close(self) -> None:
        """Let what runs end by its deadline, take nothing more, and end every process."""
        self._is_closing = True
        for task in self._queue.entries():
            if self._queue.remove(task):
                task.settle(Overloaded("the service is shutting down"))
        if self.running:
            self._is_empty = self._loop.create_future()
            await self._is_empty
        if self._timer is not None:
            self._timer.cancel()
        for process in list(self._processes):
            self._discard(process)
        if self._nursery is not None:
            self._loop.remove_reader(self._nursery)
            self._nursery.close()  # it sees the end, and ends
            self._nursery = None
            await asyncio.to_thread(_wait_for, self.nursery_pid)

    @property
    def is_full(self) -> bool:
        """Whether the next task would be refused, whoever's it is."""
        return self._is_closing or (self._queue.is_full and not self._idle)

    @property
    def waiting(self) -> int:
        """How many tasks wait."""
        return self._queue.waiting

    @property
    def running(self) -> int:
        """How many tasks are being carried out."""
        return len(self._running)

    def pids(self) -> list[int]:
        """The ids of the compute processes."""
        return [process.pid for process in self._places if process is not None and process.pid]

    def processes(self) -> dict[int, int]:
        """Return the ids of compute processes by their place, which a successor takes over."""
        return {process.place: process.pid for process in self._places if process is not None and process.pid}

    def small_bytes(self) -> int:
        """How many bytes of bodies are held that are not in shared memory."""
        tasks = (*self._queue.entries(), *self._running)
        return sum(len(task.body) for task in tasks if not isinstance(task.body, frames.SharedBody))

    # -- tasks -------------------------------------------------------------------------------------------------------
    def submit(self, task: Task) -> None:
        """Have a task done. Raises ``Overloaded`` and ``OverLimit`` where it may not wait."""
        if self._is_closing:
            raise Overloaded("the service is shutting down")
        if len(task.head) > frames.HEAD_BYTES:
            raise OverLimit("head_bytes", allowed=frames.HEAD_BYTES, asked=len(task.head))
        task.submitted_at = monotonic()
        if self._idle and self._queue.passes(task):
            self._begin(self._idle.pop(self._choose(task.home)), task)
        else:
            self._queue.put(task, begins=bool(self._idle))
            self._hand_out()
        if self._timer is None:
            self._timer = self._loop.call_later(TICK_S, self._tick)

    def leave(self, task: Task) -> None:
        """Nobody waits for this task any more: it does not begin, or ends soon; its ``done`` is told so."""
        if self._queue.remove(task):
            task.settle(ClientGone())
            return
        process = task.process
        if process is not None and process.task is task and task.cancelled_at is None:
            self._cancel(process, task)

    def _cancel(self, process: _Process, task: Task) -> None:
        task.cancelled_at = monotonic()
        if process.pidfd >= 0:
            with suppress(ProcessLookupError):
                signal.pidfd_send_signal(process.pidfd, CANCEL)

    def _hand_out(self) -> None:
        while self._idle:
            task = self._queue.take()
            if task is None:
                return
            process = self._idle.pop(self._choose(task.home))
            self._begin(process, task)

    def _choose(self, home: int | None) -> int:
        """Return the place of the idle process that suits a task best."""
        if home is not None:
            place = home % len(self._places)
            if place in self._idle:
                return place
        return next(reversed(self._idle))  # the one that was busy last: its memory is in the caches

    def _begin(self, process: _Process, task: Task) -> None:
        process.task, task.process = task, process
        self._running.add(task)
        task.attempts += 1
        task.started_at = monotonic()
        process.page.stage = Stage.RUNNING
        try:
            frames.send(process.connection, task.head, task.body)
        except OSError:  # it is dead, or the system is out of memory or descriptors
            self._kill(process)

    # -- what processes say ------------------------------------------------------------------------------------------
    def _hear(self, process: _Process) -> None:
        try:
            packet = process.receiver.receive()
        except BlockingIOError:
            return
        except OSError:
            packet = None
        if packet is None:
            self._mourn(process)
            return
        task, process.task = process.task, None
        process.answered += 1
        if packet.is_last and not process.is_ending:
            process.is_ending = True
            self._discard(process)
            self._replace(process.place)
        elif not process.is_ending:
            self._idle[process.place] = process
        if task is not None:
            if isinstance(task.body, frames.SharedBody):
                task.body.is_free = packet.has_let_go
            self._end(task, packet)
        self._hand_out()

    def _end(self, task: Task, outcome: Packet | Exception) -> None:
        task.process = None
        self._running.discard(task)
        self._queue.give_back(task.turn)
        task.settle(outcome)
        if self._is_empty is not None and not self._running:
            self._is_empty.set_result(None)
            self._is_empty = None

    def _mourn(self, process: _Process) -> None:
        """A process is dead: what becomes of its task, and of its place."""
        task, process.task = process.task, None
        was_ending, stage = process.is_ending, process.page.stage
        process.is_ending = True
        if self._idle.get(process.place) is process:
            del self._idle[process.place]
        self._discard(process)
        if not was_ending:
            self.events["deaths"] += 1
            log.warning("compute process %d died%s", process.pid, " with a task" if task else "")
        if self._places[process.place] is process:
            self._places[process.place] = None
            if not self._is_closing:
                delay = 0.0 if process.answered or was_ending else PAUSE_S
                self._loop.call_later(delay, self._refill, process.place)
        if task is not None:
            self._settle(task, stage)
        self._hand_out()

    def _settle(self, task: Task, stage: Stage) -> None:
        """Say what became of a task whose process is dead."""
        if stage is not Stage.RUNNING:
            happened = "it was carried out" if stage is Stage.COMMITTED else "whether it was carried out is not known"
            self._end(task, OutcomeUnknown(f"the process that ran this ended, and its answer is lost: {happened}"))
        elif task.cancelled_at is not None:
            self._end(task, ClientGone())
        elif monotonic() >= task.deadline:
            asked = monotonic() - task.deadline + task.seconds
            self._end(task, OverLimit("seconds", allowed=task.seconds, asked=asked))
        elif task.repeatable and task.attempts == 1 and not self._is_closing:
            self.events["retries"] += 1
            self._running.discard(task)
            self._queue.give_back(task.turn)
            try:
                self._queue.put(task, begins=True)
            except (Overloaded, OverLimit) as error:
                task.settle(error)
        else:
            self._end(task, Interrupted("the process that ran this ended before it was done; nothing was changed"))

    # -- time --------------------------------------------------------------------------------------------------------
    def _tick(self) -> None:
        self._timer = None
        now, patience = monotonic(), self._patience
        for process in filter(None, self._places):
            task = process.task
            if task is not None and not process.is_ending:
                self._look_at(process, task, now)
        for task in self._queue.entries():
            if now > task.deadline and self._queue.remove(task):
                text = f"the time of this request, {task.seconds:.3f} s, was over before a process was free"
                task.settle(Overloaded(f"{text}; try again later"))
        if self._queue.waiting or self._running:
            self._timer = self._loop.call_later(min(TICK_S, patience.grace_s), self._tick)

    def _look_at(self, process: _Process, task: Task, now: float) -> None:
        """Ask a task to end that should, and kill its process where that did not help."""
        patience = self._patience
        end = task.deadline if task.cancelled_at is None else min(task.deadline, task.cancelled_at)
        if now <= end + patience.grace_s:
            return
        if process.page.stage is Stage.RUNNING or now > end + patience.store_s:
            log.warning("compute process %d is killed: its task is over its time", process.pid)
            self._kill(process)

    def _kill(self, process: _Process) -> None:
        """Kill a process and begin to replace it; its task is settled when it is dead."""
        process.is_ending = True
        self.events["kills"] += 1
        if process.pidfd >= 0:
            with suppress(ProcessLookupError):
                signal.pidfd_send_signal(process.pidfd, signal.SIGKILL)
        else:  # not born yet
            self._lose(process)
        if self._places[process.place] is process and not self._is_closing:
            self._replace(process.place)

    # -- births and deaths -------------------------------------------------------------------------------------------
    def _refill(self, place: int) -> None:
        """Ask for a process where there is none."""
        if self._places[place] is None:
            self._replace(place)

    def _replace(self, place: int) -> None:
        """Ask the nursery for a new process; it can be given a task at once."""
        if self._is_closing or self._nursery is None:
            return
        try:
            process = self._ask_for(self._nursery, place)
        except OSError as error:  # the nursery is gone, or has much to do, or there are no descriptors left
            log.warning("no compute process could be asked for: %s", error)
            self._places[place] = None
            self._loop.call_later(PAUSE_S, self._refill, place)
            return
        ours = process.connection
        self.events["starts"] += 1
        self._processes.add(process)
        self._unborn.append(process)
        self._places[place] = process
        self._loop.add_reader(ours, self._hear, process)
        self._idle[place] = process
        self._hand_out()

    @staticmethod
    def _ask_for(nursery: socket.socket, place: int) -> _Process:
        """Return a process that is about to be forked. Raises ``OSError``."""
        with ExitStack() as undo:
            ours, theirs = frames.pair()
            undo.callback(ours.close)
            with theirs:
                page = frames.Page()
                undo.callback(page.close)
                ours.setblocking(False)
                frames.send_descriptors(nursery, ["fork"], [theirs.fileno(), page.descriptor])
            undo.pop_all()
        return _Process(place, ours, page)

    def _discard(self, process: _Process) -> None:
        self._processes.discard(process)
        self._loop.remove_reader(process.connection)
        process.connection.close()
        process.page.close()
        if process.pidfd >= 0:
            os.close(process.pidfd)
            process.pidfd = -1

    def _hear_nursery(self) -> None:
        assert self._nursery is not None
        try:
            message, descriptors = frames.receive_descriptors(self._nursery)
        except BlockingIOError:
            return
        except OSError:
            message, descriptors = None, []
        match message:
            case ["born", pid] if descriptors:
                self._note_birth(pid, descriptors[0])
            case ["born", pid]:
                log.error("no descriptor is left for compute process %d: it is let go of", pid)
                self._lose(self._unborn.pop(0))
            case ["failed", reason]:
                log.error("a compute process cannot be started: %s", reason)
                self._unborn.pop(0)  # its connection ends, which is seen as its death
            case ["ended", pid, status]:
                log.info("compute process %d ended with status %d", pid, status)
            case None:
                self._reopen_nursery()

    def _note_birth(self, pid: int, pidfd: int) -> None:
        process = self._unborn.pop(0)
        if process.connection.fileno() < 0:  # it was given up meanwhile
            os.close(pidfd)
            return
        process.pid, process.pidfd = pid, pidfd
        if process.is_ending:
            with suppress(ProcessLookupError):
                signal.pidfd_send_signal(pidfd, signal.SIGKILL)

    def _lose(self, process: _Process) -> None:
        """Let go of a process that could not be killed: it sees the end of its connection, and so do we."""
        process.is_ending = True
        with suppress(OSError):
            process.connection.shutdown(socket.SHUT_RDWR)

    def _reopen_nursery(self) -> None:
        """The nursery is dead, and its children with it: begin again."""
        assert self._nursery is not None
        self._loop.remove_reader(self._nursery)
        self._nursery.close()
        self._nursery = None
        self._unborn.clear()
        self._loop.run_in_executor(None, _wait_for, self.nursery_pid)
        if not self._is_closing:
            log.error("the process that compute processes are forked from died; it is replaced")
            self._revive()

    def _revive(self) -> None:
        if self._is_closing:
            return
        try:
            self._listen_to_nursery()
        except OSError as error:
            log.error("no process can be forked: %s", error)
            self._loop.call_later(PAUSE_S, self._revive)
            return
        for place in range(len(self._places)):
            self._refill(place)


def _wait_for(pid: int) -> None:
    with suppress(ChildProcessError):
        os.waitpid(pid, 0)
