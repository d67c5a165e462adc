"""A real PostgreSQL server on loopback, for as long as a test (or a script) needs one."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import psycopg

START_S, STOP_S = 60, 30
DEBIAN = Path("/usr/lib/postgresql")


def binaries() -> Path | None:
    """The folder of the server's programs, or ``None`` where it is not installed."""
    newest = sorted(DEBIAN.glob("*/bin/initdb"), key=lambda path: int(path.parts[-3]))
    if newest:
        return newest[-1].parent
    found = shutil.which("initdb")
    return None if found is None else Path(found).resolve().parent


def _account() -> dict[str, Any]:
    """The server refuses to run as root: it is nobody then."""
    return {"user": 65534, "group": 65534, "extra_groups": []} if os.geteuid() == 0 else {}


def _stat(pid: str) -> tuple[str, int]:
    """State of a process, and its parent; of one that is gone, ``("", 0)``."""
    try:
        state, parent, *_ = Path("/proc", pid, "stat").read_text().rpartition(")")[2].split()
    except OSError:
        return "", 0
    return state, int(parent)


def _children(parent: int) -> list[int]:
    return [int(path.name) for path in Path("/proc").glob("[0-9]*") if _stat(path.name)[1] == parent]


def _wait_for(pids: list[int]) -> None:
    """Until these processes, which were killed, hold nothing any more."""
    end = time.monotonic() + STOP_S
    while any(_stat(str(pid))[0] not in ("", "Z") for pid in pids) and time.monotonic() < end:
        time.sleep(0.005)


class Server:
    """One server in a folder of its own; it can be killed and started again over the same data."""

    def __init__(self, folder: Path, programs: Path) -> None:
        self._data, self._programs = folder / "data", programs
        self.port = _free_port()
        self.url = f"postgresql://gradserve@127.0.0.1:{self.port}/postgres"
        self._log = (folder / "log").open("wb")
        self._process: subprocess.Popen[bytes] | None = None
        self._call("initdb", "--auth=trust", "--username=gradserve", "--encoding=UTF8", "--locale=C", "--no-sync")

    def _call(self, program: str, *options: str) -> None:
        command = [str(self._programs / program), f"--pgdata={self._data}", *options]
        subprocess.run(command, check=True, capture_output=True, timeout=START_S, cwd=self._data.parent, **_account())

    def start(self) -> None:
        """Run, and wait until connections are taken."""
        options = (f"--port={self.port}", "--listen_addresses=127.0.0.1", "--unix_socket_directories=", "--fsync=off")
        command = [str(self._programs / "postgres"), "-D", str(self._data), *options]
        self._process = subprocess.Popen(
            command, stdout=self._log, stderr=self._log, cwd=self._data.parent, start_new_session=True, **_account()
        )
        end = time.monotonic() + START_S
        while True:
            try:
                psycopg.connect(self.url, connect_timeout=2).close()
            except psycopg.OperationalError:
                if time.monotonic() > end or self._process.poll() is not None:
                    raise
                time.sleep(0.05)
            else:
                return

    def kill(self) -> None:
        """End the server and all its processes at once, as a failing machine would."""
        if self._process is not None:
            self._process.send_signal(signal.SIGSTOP)  # so that no further process of it begins meanwhile
            backends = _children(self._process.pid)  # each leads a process group of its own
            for pid in backends:
                with suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)
            self._process.kill()
            self._process.wait(STOP_S)
            self._process = None
            _wait_for(backends)
            (self._data / "postmaster.pid").unlink(missing_ok=True)

    def stop(self) -> None:
        """End the server; open connections are cut."""
        if self._process is not None:
            self._process.send_signal(signal.SIGINT)
            self._process.wait(STOP_S)
            self._process = None

    def close(self) -> None:
        """End it for good."""
        self.kill()
        self._log.close()

    def database(self, name: str) -> str:
        """The address of a new, empty database."""
        with psycopg.connect(self.url, autocommit=True) as connection:
            connection.execute(f'CREATE DATABASE "{name}"')
        return self.url.replace("/postgres", f"/{name}")


def pooler_program() -> str | None:
    """The path of pgbouncer, or ``None`` where it is not installed."""
    return shutil.which("pgbouncer", path=f"{os.environ.get('PATH', os.defpath)}:/usr/sbin")


@contextmanager
def pooler(server: Server, url: str, program: str, *settings: str) -> Iterator[str]:
    """The address of ``url`` behind pgbouncer, which gives each transaction one of two sessions of ``server``."""
    port = _free_port()
    with tempfile.TemporaryDirectory(prefix="gradserve-pooler-") as name:
        file = Path(name, "pgbouncer.ini")
        lines = (
            "[databases]",
            f"* = host=127.0.0.1 port={server.port} user=gradserve",
            "[pgbouncer]",
            f"listen_port = {port}",
            "listen_addr = 127.0.0.1",
            "unix_socket_dir =",
            "auth_type = any",
            "pool_mode = transaction",
            "default_pool_size = 2",
            *settings,
        )
        file.write_text("\n".join(lines))
        for path in (file, file.parent):
            path.chmod(0o755)
        process = subprocess.Popen([program, "-q", str(file)], stderr=subprocess.DEVNULL, **_account())
        try:
            address = url.replace(f":{server.port}/", f":{port}/")
            _wait_until_taken(port, process)
            yield address
        finally:
            process.kill()
            process.wait(STOP_S)


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _wait_until_taken(port: int, process: subprocess.Popen[bytes]) -> None:
    end = time.monotonic() + START_S
    while True:
        try:
            socket.create_connection(("127.0.0.1", port), timeout=2).close()
        except OSError:
            if time.monotonic() > end or process.poll() is not None:
                raise
            time.sleep(0.02)
        else:
            return


@contextmanager
def server() -> Iterator[Server]:
    """A running server. Raises ``LookupError`` where none is installed."""
    programs = binaries()
    if programs is None:
        raise LookupError("no PostgreSQL")
    with tempfile.TemporaryDirectory(prefix="gradserve-postgres-") as name:
        folder = Path(name)
        if _account():
            os.chown(folder, 65534, 65534)
        running = Server(folder, programs)
        try:
            running.start()
            yield running
        finally:
            running.close()
