"""The id of a request: the client's own, if it is one, so that both logs can be joined, else a new one."""

from __future__ import annotations

import re
import secrets
from itertools import count
from typing import Final

_ID: Final = re.compile(r"[\w.-]{1,64}")
_PROCESS: Final = secrets.token_hex(6)
_NUMBERS: Final = count(1)


def accepted(given: bytes | None) -> str:
    """Return the id that a client gave, if it is one, else a new one."""
    if given is not None:
        text = given.decode("latin-1")
        if _ID.fullmatch(text):
            return text
    return f"{_PROCESS}-{next(_NUMBERS)}"
