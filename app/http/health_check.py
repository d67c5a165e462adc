"""Whether something that may hang is there, for those who ask again and again."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from app.stores.base import StoreError

PATIENCE_S = 1.5  # probes wait two seconds or so


class HealthCheck:
    """Asks off the event loop, and has one question out at a time, however many want to know."""

    def __init__(self, check: Callable[[], None]) -> None:
        self._check = check
        self._asked: asyncio.Future[None] | None = None

    async def run(self) -> None:
        """Raise ``StoreError`` if the check does, or does not come back."""
        if self._asked is None or self._asked.done():
            self._asked = asyncio.ensure_future(asyncio.to_thread(self._check))
            self._asked.add_done_callback(_see)
        try:
            await asyncio.wait_for(asyncio.shield(self._asked), PATIENCE_S)
        except TimeoutError:
            raise StoreError(f"no answer within {PATIENCE_S} s") from None


def _see(asked: asyncio.Future[None]) -> None:
    """Nobody may be waiting any more for what went wrong."""
    if not asked.cancelled():
        asked.exception()
