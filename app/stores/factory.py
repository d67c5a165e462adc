"""Which store a setting means."""

from __future__ import annotations

from importlib import import_module
from pathlib import Path
from typing import cast

from app.stores.base import SessionStore
from app.stores.sqlite import SqliteStore, Sync


def store_for(name: str, folder: Path, sync: Sync, connections: int) -> SessionStore:
    """Make a store: a file in ``folder`` (``sqlite`` and ``memory``), or a PostgreSQL database by its address.

    Sessions in memory are a file that ends with the service, for several processes work on them, and one may be killed.
    """
    if name == "memory":
        return SqliteStore(folder, "off")
    if name == "sqlite":
        return SqliteStore(folder, sync)
    postgres = import_module("app.stores.postgres")  # its driver takes as long to load as a tenth of all else
    return cast(SessionStore, postgres.PostgresStore(name, connections))
