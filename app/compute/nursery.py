"""The nursery: a process with everything loaded and nothing begun, from which compute processes are forked.

It is forked from the front before that has threads or work, so all share the pages of what both need, and each loads
the rest by itself. A child is there within milliseconds. When the front goes, however it goes, the nursery sees its
connection end, and the system ends the children with the nursery: no compute process outlives its service, whatever it
is doing.

``multiprocessing``'s fork server was looked at: its children keep it alive when the front is killed, it tells nobody
how a child ended, and it loads everything a second time, for it is started by ``exec``.
"""

from __future__ import annotations

import ctypes
import gc
import logging
import os
import selectors
import signal
import socket
import sys
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any, Final, NoReturn

from app.compute import frames
from app.loading import loading

Serve = Callable[[socket.socket, frames.Page], None]
_PR_SET_PDEATHSIG: Final = 1  # of <sys/prctl.h>
log = logging.getLogger("gradserve")
KEPT: Final = 3  # standard input, output and error


def open_nursery(serve: Serve, load: Callable[[], None]) -> tuple[socket.socket, int]:
    """Fork the nursery; returns the connection to it, and its id. Children of it run ``serve``.

    ``load`` loads what only they need: once, and while the front does what it has to do before it can answer.
    """
    ours, theirs = frames.pair()
    sys.stdout.flush()
    sys.stderr.flush()
    parent, pid = os.getpid(), os.fork()
    if not pid:
        _as_child(parent, lambda: _begin(_Nursery(theirs, serve), load), theirs.fileno())
    theirs.close()
    ours.setblocking(False)
    return ours, pid


def _begin(nursery: _Nursery, load: Callable[[], None]) -> None:
    with loading():
        load()
    nursery.run()


def _as_child(parent: int, work: Callable[[], None], *kept: int) -> NoReturn:
    """Do ``work`` in a process that was forked just now, and end it; nothing of the parent's goes on here."""
    gc.freeze()  # a collection must not touch, and so copy, the pages of what was loaded before
    status = 1
    try:
        _die_with(parent)
        signal.set_wakeup_fd(-1)
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
            signal.signal(number, signal.SIG_IGN)  # sent to all of a group, they are the front's, which ends us in time
        signal.signal(signal.SIGUSR1, signal.SIG_IGN)  # a task that is given up before there is who could listen
        _let_go_of_all_but(kept)
        work()
        status = 0
    except KeyboardInterrupt:
        pass
    except BaseException:
        log.critical("process %d of the service ends: nobody expected this", os.getpid(), exc_info=True)
    finally:
        with suppress(Exception):
            sys.stderr.flush()
        os._exit(status)


def _die_with(parent: int) -> None:
    """Let the system kill this process when its parent ends."""
    with suppress(AttributeError):  # a system without prctl
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent:  # it ended meanwhile
        os._exit(1)


def _let_go_of_all_but(kept: tuple[int, ...]) -> None:
    """Close what was inherited: a connection is at its end only when nobody holds the other one any more.

    The numbers stay taken: whoever opened them in the parent may close them here, as uvloop does at the next fork.
    """
    inherited = [int(path.name) for path in Path("/proc/self/fd").iterdir()]
    nothing = os.open(os.devnull, os.O_RDWR)
    for descriptor in inherited:
        if descriptor >= KEPT and descriptor not in (*kept, nothing):
            os.dup2(nothing, descriptor, inheritable=False)


class _Nursery:
    """The loop of the nursery: forks when it is asked to, and reports what ended.

    Asked by ``["fork"]`` with two descriptors (the child's connection, its page), it answers ``["born", pid]`` with a
    descriptor of the process, or ``["failed", reason]``; and later ``["ended", pid, status]``.
    """

    def __init__(self, connection: socket.socket, serve: Serve) -> None:
        self._connection, self._serve = connection, serve
        self._selector = selectors.DefaultSelector()
        self._selector.register(connection, selectors.EVENT_READ)

    def run(self) -> None:
        while True:
            for key, _ in self._selector.select():
                if key.fileobj is self._connection:
                    message, descriptors = frames.receive_descriptors(self._connection)
                    if message is None:
                        self._end_all()
                        return
                    self._fork(*descriptors)
                else:
                    self._bury(int(key.fd), key.data)

    def _fork(self, connection: int, page: int) -> None:
        parent = os.getpid()
        try:
            pid = os.fork()
        except OSError as error:
            self._say(["failed", error.strerror])
        else:
            if not pid:
                _as_child(
                    parent, lambda: self._serve(socket.socket(fileno=connection), frames.Page(page)), connection, page
                )
            process = os.pidfd_open(pid)
            self._selector.register(process, selectors.EVENT_READ, pid)
            self._say(["born", pid], process)
        finally:
            os.close(connection)
            os.close(page)

    def _end_all(self) -> None:
        """Kill the children, and see them off: nobody may be there who inherits them."""
        for key in list(self._selector.get_map().values()):
            if key.fileobj is not self._connection:
                signal.pidfd_send_signal(int(key.fd), signal.SIGKILL)
                os.waitpid(key.data, 0)

    def _bury(self, process: int, pid: int) -> None:
        self._selector.unregister(process)
        os.close(process)
        _, status = os.waitpid(pid, 0)
        self._say(["ended", pid, os.waitstatus_to_exitcode(status)])

    def _say(self, message: list[Any], *descriptors: int) -> None:
        with suppress(OSError):  # the front has gone: so do we, at the next look
            frames.send_descriptors(self._connection, message, descriptors)
