"""Which store a setting means."""

from __future__ import annotations

from pathlib import Path

from app.stores.base import SessionStore
from app.stores.postgres import PostgresStore
from app.stores.sqlite import SqliteStore, Sync


def store_for(name: str, folder: Path, sync: Sync, connections: int) -> SessionStore:
    """Make a store: a file in ``folder`` (``sqlite`` and ``memory``), or a PostgreSQL database by its address.

    Sessions in memory are a file that ends with the service, for several processes work on them, and one may be killed.
    """
    if name == "memory":
        return SqliteStore(folder, "off")
    return SqliteStore(folder, sync) if name == "sqlite" else PostgresStore(name, connections)
