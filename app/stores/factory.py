"""Which store a setting means."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from app.stores.base import SessionStore
from app.stores.memory import MemoryStore
from app.stores.postgres import PostgresStore
from app.stores.sqlite import SqliteStore


def store_for(name: str, folder: Path, sync: Literal["normal", "full"], connections: int) -> SessionStore:
    """Make a store: ``sqlite`` (a file in ``folder``), ``memory``, or the address of a PostgreSQL database."""
    if name == "memory":
        return MemoryStore()
    return SqliteStore(folder, sync) if name == "sqlite" else PostgresStore(name, connections)
