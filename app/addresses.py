"""Where to listen: the addresses of the settings are taken first, and must not be open to others by accident."""

from __future__ import annotations

import errno
import ipaddress
import logging
import os
import socket
from contextlib import ExitStack
from typing import Final

from app.settings import Settings

BACKLOG: Final = 2048
log = logging.getLogger("gradserve")


class CannotListen(Exception):
    """The address that the settings name cannot be had. The text says why."""


def bind(settings: Settings) -> list[socket.socket]:
    """Take the addresses to listen on, before anything else takes its time. Raises ``CannotListen``."""
    host, port = settings.host, settings.port
    where = f"{host}:{port}"
    try:
        found = socket.getaddrinfo(host or None, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
    except OSError as error:
        raise CannotListen(f"cannot listen on {where}: {error.strerror}") from None
    with ExitStack() as taken:
        sockets = []
        for family, kind, protocol, _, address in dict.fromkeys(found):
            try:
                one = taken.enter_context(socket.socket(family, kind, protocol))
                one.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, True)
                if family == socket.AF_INET6:
                    one.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, True)
                one.bind(address)
                one.listen(BACKLOG)  # from here on nobody else gets it; who connects now waits for us
            except OSError as error:
                raise CannotListen(_reason(where, error)) from None
            sockets.append(one)
        taken.pop_all()
    return sockets


def _reason(where: str, error: OSError) -> str:
    if error.errno == errno.EADDRINUSE:
        return f"{where} is taken by another program; name another port with --port or GRADSERVE_PORT"
    return f"cannot listen on {where}: {os.strerror(error.errno or 0)}"


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
