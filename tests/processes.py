"""Servers as processes of their own, for tests and scripts that kill them, or talk to several at once."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path
from typing import Final

import httpx

ROOT: Final = Path(__file__).parent.parent
START_S: Final = 60.0
STOP_S: Final = 30.0
PREFIX: Final = "GRADSERVE_"


def free_port() -> int:
    """A port of loopback on which nobody listens now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def _children(pid: int) -> list[int]:
    try:
        return list(map(int, Path(f"/proc/{pid}/task/{pid}/children").read_text().split()))
    except OSError:  # it has ended
        return []


class Server:
    """``gradserve serve`` as a process group, on one port over all its restarts; its log is a file in ``folder``."""

    address_space: int | None = None  # bytes that each of its processes may have, from the next start on

    def __init__(self, folder: Path, **settings: str) -> None:
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self.log = folder / f"server-{self.port}.log"
        inherited = {name: value for name, value in os.environ.items() if not name.startswith(PREFIX)}
        given = {"data": str(folder), "port": str(self.port), "log_level": "warning", **settings}
        self.environment = {**inherited, **{PREFIX + name.upper(): value for name, value in given.items()}}
        self._process: subprocess.Popen[bytes] | None = None

    def begin(self) -> None:
        """Start, and wait for nothing."""
        limit = f"ulimit -S -v {self.address_space // 1024} && " if self.address_space else ""
        command = ["sh", "-c", f'{limit}exec "$@"', "sh", sys.executable, "-m", "app.cli", "serve"]
        with self.log.open("ab") as log:
            self._process = subprocess.Popen(
                command, cwd=ROOT, env=self.environment, stdout=log, stderr=log, start_new_session=True
            )

    def start(self) -> Server:
        """Start, and wait until it answers."""
        self.begin()
        end = time.monotonic() + START_S
        with httpx.Client(base_url=self.url, trust_env=False) as http:
            while not self._answers(http):
                if not self.runs or time.monotonic() > end:
                    self.kill()
                    raise RuntimeError(f"the server did not start: {self.log.read_text()[-2000:]}")
                time.sleep(0.02)
        return self

    @staticmethod
    def _answers(http: httpx.Client) -> bool:
        try:
            return http.get("/healthz", timeout=2).is_success
        except httpx.TransportError:
            return False

    @property
    def runs(self) -> bool:
        """Whether it was started and has not ended."""
        return self._process is not None and self._process.poll() is None

    @property
    def pid(self) -> int:
        """The process that was started: the front."""
        assert self._process is not None
        return self._process.pid

    def descendants(self) -> list[list[int]]:
        """The processes below the one that was started, by generation: first the nursery, then compute processes."""
        generations, parents = [], [self.pid]
        while parents := [child for parent in parents for child in _children(parent)]:
            generations.append(parents)
        return generations

    def kill(self) -> None:
        """End the process and all its workers at once, without a chance to tidy up."""
        self._end(signal.SIGKILL)

    def stop(self) -> None:
        """Ask it to end, and wait; then make sure of its workers."""
        if self._process is not None:
            self._process.send_signal(signal.SIGTERM)
            self._process.wait(STOP_S)
            self._end(signal.SIGKILL)

    def _end(self, number: int) -> None:
        if self._process is not None:
            with suppress(ProcessLookupError):  # all of them have ended
                os.killpg(self._process.pid, number)
            self._process.wait(STOP_S)
            self._process = None

    def __enter__(self) -> Server:
        return self.start()

    def __exit__(self, *_: object) -> None:
        self.kill()
