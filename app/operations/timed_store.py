"""A session store that notes how long it was worked on: what part of a request's time is the store's."""

from __future__ import annotations

from collections.abc import Callable
from threading import get_ident
from time import monotonic
from typing import Any, Final, cast

from app.stores.base import SessionStore

KEPT: Final = 16  # calls of one request that are told one by one
Call = tuple[str, float, float]  # what, when (of ``time.monotonic()``), seconds


class TimedStore:
    """Every method of a ``SessionStore``, and what it took; but not in other threads, which renew claims."""

    def __init__(self, store: SessionStore) -> None:
        self.calls: list[Call] = []
        self.seconds, self.count = 0.0, 0
        self._thread = get_ident()
        for name in vars(SessionStore):
            if not name.startswith("_"):
                setattr(self, name, self._timed(name, getattr(store, name)))

    @classmethod
    def over(cls, store: SessionStore) -> tuple[SessionStore, TimedStore]:
        """Return the store to work with, and the same to ask."""
        timed = cls(store)
        return cast(SessionStore, timed), timed

    def begin(self) -> None:
        """Forget what was."""
        self.calls.clear()
        self.seconds, self.count = 0.0, 0

    def _timed(self, name: str, call: Callable[..., Any]) -> Callable[..., Any]:
        def timed(*args: Any, **named: Any) -> Any:
            if get_ident() != self._thread:
                return call(*args, **named)
            started = monotonic()
            try:
                return call(*args, **named)
            finally:
                self._note(name, started, monotonic() - started)

        return timed

    def _note(self, name: str, started: float, seconds: float) -> None:
        self.seconds += seconds
        self.count += 1
        if self.count <= KEPT:
            self.calls.append((name, started, seconds))
