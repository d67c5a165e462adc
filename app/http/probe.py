"""Asks a running server whether it is well. A container does so every few seconds: hence the standard library only."""

import os
import sys
import urllib.request
from http import HTTPStatus
from urllib.error import URLError

TIMEOUT_S = 2.0


def default_url() -> str:
    """Return the server of this machine, on the port the settings give it."""
    return f"http://127.0.0.1:{os.environ.get('GRADSERVE_PORT', '8000')}"


def is_well(url: str) -> bool:
    """Return whether ``/healthz`` below ``url`` answers 200, asked directly and not through a proxy."""
    direct = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    try:
        with direct.open(f"{url.rstrip('/')}/healthz", timeout=TIMEOUT_S) as answer:
            return bool(answer.status == HTTPStatus.OK)
    except (URLError, OSError):
        return False


if __name__ == "__main__":
    sys.exit(not is_well(default_url()))
