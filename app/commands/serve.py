"""Serve HTTP. What compute processes need is loaded by themselves, while this one loads the web framework."""

from __future__ import annotations

import os
from argparse import Namespace
from importlib import import_module

from app.addresses import CannotListen, bind, check_exposure
from app.commands import fail, settings
from app.http.services import Services
from app.loading import loading
from app.observe import logs
from app.settings import PREFIX, Settings
from app.stores.base import StoreError
from app.stores.factory import store_for


def main(arguments: Namespace) -> int:
    """Serve until a signal ends it."""
    given = {name: getattr(arguments, name) for name in ("host", "port", "workers")}
    os.environ.update({PREFIX + name.upper(): value for name, value in given.items() if value is not None})
    chosen = settings()
    logs.configure(chosen.log_level, chosen.log_format, access=chosen.access_log)  # before there are others
    try:
        sockets = bind(chosen)
        _prepare_store(chosen)
    except CannotListen as error:
        return fail(f"gradserve: {error}")
    except StoreError as error:
        return fail(f"gradserve: cannot open the store: {error}")
    refusal = check_exposure(chosen)
    if refusal is not None:
        return fail(f"gradserve: {refusal}")
    services = Services(chosen)
    services.front.prepare()  # while there is one thread, and nothing that compute processes do not need
    with loading():
        make, server = import_module("app.main").create_app, import_module("app.server")
        app = make(chosen, services)
    status: int = server.serve(app, chosen, sockets)
    return status


def _prepare_store(settings: Settings) -> None:
    """Make the store, or bring it up to date, once: where that fails, workers would only fail again and again."""
    store = store_for(settings.store, settings.data, settings.sync, 1)
    store.open()
    store.close()
