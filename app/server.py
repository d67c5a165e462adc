"""The server: uvicorn with our connections, and an end in three steps.

On SIGTERM readiness turns to 503 first, so that whoever sends requests sends them elsewhere; after a grace period no
connection is taken any more; what runs then has until its deadline. A Ctrl-C begins with the second step.
"""

from __future__ import annotations

import ipaddress
import logging
import math
import signal
import socket
from time import monotonic
from types import FrameType
from typing import Final

import uvicorn
from fastapi import FastAPI

from app.http.connection import Connection
from app.http.services import Services
from app.settings import Settings

SHUTDOWN_MARGIN_S: Final = 5
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
                log_config=None,  # app.observe.logs did it
                log_level=settings.log_level,
                access_log=False,
                server_header=False,
                proxy_headers=False,
                timeout_graceful_shutdown=math.ceil(settings.limits.seconds) + SHUTDOWN_MARGIN_S,
            )
        )
        self._services: Services = app.state.services
        self._grace_s = settings.drain_seconds
        self._drained_at: float | None = None

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


def serve(app: FastAPI, settings: Settings) -> int:
    """Serve until a signal ends it; returns the exit status."""
    services: Services = app.state.services
    services.front.prepare()  # while there is one thread, and no loop
    server = Server(app, settings)
    try:
        server.run()
    except KeyboardInterrupt:
        return 130
    return 0 if server.started else 3


def check_exposure(settings: Settings) -> str | None:
    """Return why this must not be served as it is set up, and warn of what is only unwise."""
    if settings.api_keys or settings.open or _is_loopback(settings.host):
        return None
    text = f"{settings.host} can be reached by others, and there are no keys: everybody shares one owner's sessions"
    if settings.open is None:
        log.warning("%s; set GRADSERVE_API_KEYS, or GRADSERVE_OPEN=1 if that is meant", text)
        return None
    return f"{text}; set GRADSERVE_API_KEYS, or GRADSERVE_OPEN=1 if that is meant"


def _is_loopback(host: str) -> bool:
    try:
        found = socket.getaddrinfo(host, None, proto=socket.IPPROTO_TCP)
    except OSError:
        return False  # the server will say so
    return all(ipaddress.ip_address(str(address[0]).partition("%")[0]).is_loopback for *_, address in found)
