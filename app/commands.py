"""What the commands of ``app.cli`` do, with all that it takes. The web framework is loaded beside compute processes."""

from __future__ import annotations

import os
import re
import sys
from argparse import Namespace
from collections.abc import Sequence
from importlib import import_module
from pathlib import Path

from pydantic import ValidationError

from app.addresses import CannotListen, bind, check_exposure
from app.evaluate.run import run_code
from app.http.services import Services
from app.limits import OverLimit
from app.observe import logs
from app.program import catalog
from app.program.tree import GraphError, ProgramError
from app.settings import PREFIX, Settings
from app.stores.base import StoreError
from app.stores.factory import store_for

OURS = re.compile(r"^import engine as torch\b", re.MULTILINE)  # of a program for the library: PyTorch's is the same


def serve(arguments: Namespace) -> int:
    """Serve HTTP until a signal ends it."""
    given = {name: getattr(arguments, name) for name in ("host", "port", "workers")}
    os.environ.update({PREFIX + name.upper(): value for name, value in given.items() if value is not None})
    settings = _settings()
    logs.configure(settings.log_level, settings.log_format, access=settings.access_log)  # before there are others
    try:
        sockets = bind(settings)
        _prepare_store(settings)
    except CannotListen as error:
        return _fail(f"gradserve: {error}")
    except StoreError as error:
        return _fail(f"gradserve: cannot open the store: {error}")
    refusal = check_exposure(settings)
    if refusal is not None:
        return _fail(f"gradserve: {refusal}")
    services = Services(settings)
    services.front.prepare()  # while there is one thread, and nothing that compute processes do not need
    main, server = import_module("app.main"), import_module("app.server")
    status: int = server.serve(main.create_app(settings, services), settings, sockets)
    return status


def _prepare_store(settings: Settings) -> None:
    """Make the store, or bring it up to date, once: where that fails, workers would only fail again and again."""
    store = store_for(settings.store, settings.data, settings.sync, 1)
    store.open()
    store.close()


def _settings() -> Settings:
    try:
        return Settings()
    except ValidationError as error:  # without the values: an address or a key may be among them
        found = error.errors(include_url=False, include_context=False, include_input=False)
        faults = [f"{PREFIX}{'__'.join(map(str, one['loc'])).upper()}: {one['msg']}" for one in found]
        raise SystemExit(f"gradserve: {'; '.join(faults)}") from None
    except ValueError as error:
        raise SystemExit(f"gradserve: {error}") from None


def run(arguments: Namespace) -> int:
    """Run a program, and print what PyTorch prints."""
    file: Path = arguments.file
    limits = _settings().limits
    try:
        outcome = run_code(OURS.sub("import torch", file.read_text(encoding="utf-8")), limits)
    except ProgramError as error:
        _print_all(error.prints, error.unended)
        hint = f" ({error.hint})" if error.hint else ""
        return _fail(f"{file}:{error.line}: {error.exception}: {error}{hint}")
    except GraphError as error:
        return _fail(f"{file}:{error.line or 1}: {error.exception or 'SyntaxError'}: {error}")
    except (OverLimit, UnicodeDecodeError) as error:
        return _fail(f"{file}: {error}")
    except OSError as error:
        return _fail(f"{file}: {error.strerror}")
    _print_all(outcome.prints, outcome.unended)
    return 0


def _print_all(texts: Sequence[str], unended: Sequence[int] = ()) -> None:
    open_ends = frozenset(unended)
    for place, text in enumerate(texts):
        print(text, end="" if place in open_ends else "\n")


def ops(arguments: Namespace) -> int:
    """List the ops."""
    _print_all([f"{op['signature']:<60}  {op['summary']}" for op in catalog.summaries()])
    return 0


def _fail(text: str) -> int:
    print(text, file=sys.stderr)
    return 1
