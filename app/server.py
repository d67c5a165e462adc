"""The server: uvicorn with our connections, and an end in three steps.

On SIGTERM readiness turns to 503 first, so that whoever sends requests sends them elsewhere; after a grace period no
connection is taken any more; what runs then has until its deadline. A Ctrl-C begins with the second step.
"""

from __future__ import annotations

import logging
import math
import signal
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from time import monotonic
from types import FrameType
from typing import Final

import uvicorn
from fastapi import FastAPI

from app import VERSION
from app.addresses import BACKLOG
from app.http.connection import Connection
from app.http.services import Services
from app.observe import log_writer
from app.settings import Settings

SHUTDOWN_MARGIN_S: Final = 5
EVERYWHERE: Final = ("", "0.0.0.0", "::")
log = logging.getLogger("gradserve")


class Server(uvicorn.Server):
    """Serves one application, in this process."""

    def __init__(self, app: FastAPI, settings: Settings) -> None:
        super().__init__(
            uvicorn.Config(
                app,
                host=settings.host,
                port=settings.port,
                loop="uvloop",
                http=Connection,
                ws="none",
                lifespan="on",
                backlog=BACKLOG,
                log_config=None,  # app.observe.logs did it
                log_level="warning" if settings.log_level in ("debug", "info") else settings.log_level,  # we say it
                access_log=False,
                server_header=False,
                proxy_headers=False,
                timeout_graceful_shutdown=math.ceil(settings.limits.seconds) + SHUTDOWN_MARGIN_S,
            )
        )
        self._services: Services = app.state.services
        self._host = settings.host
        self._grace_s = settings.drain_seconds
        self._drained_at: float | None = None

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Begin to serve, and say where."""
        await super().startup(sockets)
        if self.started and sockets:
            port = sockets[0].getsockname()[1]
            host = "127.0.0.1" if self._host in EVERYWHERE else self._host
            url = f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"
            where = f"every address, such as {url}" if self._host in EVERYWHERE else url
            log.info("gradserve %s listens on %s; its documentation: %s/docs", VERSION, where, url)

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Answer what is here, and end."""
        log.info("gradserve ends: requests that are here are answered, others are not taken")
        await super().shutdown(sockets)

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Note signals while this serves; at the end they are raised again, and the log has to be written by then."""
        with super().capture_signals(), log_writer.in_background():
            yield

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        """Begin to end; the second signal, and a Ctrl-C, does without the grace period."""
        self._services.is_draining = True
        if sig == signal.SIGTERM and self._drained_at is None and not self.should_exit:
            self._captured_signals.append(sig)
            self._drained_at = monotonic() + self._grace_s
            return
        super().handle_exit(sig, frame)

    async def on_tick(self, counter: int) -> bool:
        """Return whether to leave the main loop."""
        if self._drained_at is not None and monotonic() >= self._drained_at:
            self.should_exit = True
        return await super().on_tick(counter)


def serve(app: FastAPI, settings: Settings, sockets: list[socket.socket]) -> int:
    """Serve until a signal ends it; returns the exit status."""
    server = Server(app, settings)
    try:
        server.run(sockets)
    except KeyboardInterrupt:
        return 130
    finally:
        for one in sockets:
            one.close()
    return 0 if server.started else 3
