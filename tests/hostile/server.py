"""The server that is attacked: one of the suite's own, with small limits and a bound on its memory, or any other."""

from __future__ import annotations

import time
from contextlib import suppress
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

from app.limits import Limits
from tests.hostile import processes
from tests.hostile.client import Place
from tests.processes import Server

KEYS: Final = {"hostile": "hostile-key", "prober": "prober-key"}  # the prober is another tenant
COMPUTE_S: Final = 2.0
READ_S: Final = 2.0
ADDRESS_SPACE: Final = 4 * 2**30  # of each process: what no limit foresees fails, and does not take the machine
LIMITS: Final = {
    "body_bytes": 64 * 2**20, "answer_bytes": 2**28, "intermediate_bytes": 2**30, "tensor_elements": 2**27,
    "read_seconds": READ_S, "header_seconds": READ_S, "idle_seconds": 5.0,
    "session_bytes": 2**26, "owner_bytes": 2**30, "sessions": 300, "idempotency_keys": 1000,
    next(name for name in ("compute_s", "seconds") if name in Limits.model_fields): COMPUTE_S,
}  # fmt: skip


class Own:
    """A server that is started here, and started again when it is lost."""

    restarts = 0

    def __init__(self, folder: Path, address_space: int = ADDRESS_SPACE, **settings: str) -> None:
        limits = {f"limits__{name}": str(value) for name, value in LIMITS.items()}
        keys = ",".join(f"{owner}:{key}" for owner, key in KEYS.items())
        given = {"api_keys": keys, "cache_bytes": str(2**23), **limits, **settings}
        self._server = Server(folder, **given)
        self._server.address_space = address_space
        self._groups: list[int] = []
        self.start()

    def start(self) -> None:
        """Start it, and wait until it answers."""
        self._server.start()
        self._groups.append(self._server.pid)

    def place(self, owner: str) -> Place:
        """Return where a client of ``owner`` sends to."""
        return Place("127.0.0.1", self._server.port, KEYS[owner])

    @property
    def pids(self) -> frozenset[int]:
        """All its processes that run."""
        return (
            frozenset(process.pid for process in processes.tree(self._server.pid)) if self._server.runs else frozenset()
        )

    @property
    def processor_s(self) -> float:
        """Processor time that its processes have used."""
        return sum(process.seconds for process in self._tree())

    def _tree(self) -> list[processes.Process]:
        return processes.tree(self._server.pid) if self._server.runs else []

    def restart(self) -> None:
        """Begin anew, whatever state it is in."""
        self._server.kill()
        self.restarts += 1
        self.start()

    def kill(self) -> None:
        """End it at once, whatever state it is in."""
        self._server.kill()

    def stop(self) -> list[int]:
        """End it as an operator does; returns the processes that it left behind."""
        with suppress(Exception):  # one that does not end is ended
            self._server.stop()
        self._server.kill()
        time.sleep(0.5)
        return [pid for group in self._groups for pid in processes.of_session(group)]


class Elsewhere:
    """A server that others started; of its processes only those below ``pid`` are known, if that is."""

    restarts = 0

    def __init__(self, url: str, keys: dict[str, str], pid: int | None = None) -> None:
        parts = urlsplit(url)
        self._host, self._port = parts.hostname or "127.0.0.1", parts.port or 80
        self._keys, self._pid = keys, pid

    def place(self, owner: str) -> Place:
        """Return where a client of ``owner`` sends to."""
        return Place(self._host, self._port, self._keys.get(owner, ""))

    @property
    def pids(self) -> frozenset[int]:
        """All its processes that run, as far as they are known."""
        return frozenset(process.pid for process in processes.tree(self._pid)) if self._pid else frozenset()

    @property
    def processor_s(self) -> float:
        """Processor time that these have used."""
        return sum(process.seconds for process in processes.tree(self._pid)) if self._pid else 0.0

    def restart(self) -> None:
        """It is not ours to restart."""
        raise RuntimeError("the server is stuck or gone, and cannot be started again from here")

    def stop(self) -> list[int]:
        """It goes on."""
        return []


Target = Own | Elsewhere
