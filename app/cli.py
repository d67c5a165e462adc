"""The ``gradserve`` command: serve, run a program, list the ops, probe a server."""

from __future__ import annotations

import os
import re
import sys
from argparse import ArgumentParser, Namespace
from collections.abc import Sequence
from pathlib import Path

from pydantic import ValidationError

from app.evaluate.run import run_code
from app.http import probe
from app.limits import OverLimit
from app.main import create_app
from app.observe import logs
from app.program import catalog
from app.program.tree import GraphError, ProgramError
from app.server import check_exposure, serve
from app.settings import PREFIX, Settings
from app.stores.base import StoreError
from app.stores.factory import store_for

# What makes a program ours or PyTorch's. It is blanked out and not removed: line numbers stay.
IMPORT = re.compile(r"^import (?:torch|engine as torch)[ \t]*(?:#.*)?$", re.MULTILINE)


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command; returns its exit status."""
    arguments = _parser().parse_args(argv)
    try:
        status: int = arguments.command(arguments)
        sys.stdout.flush()
    except BrokenPipeError:  # the reader has seen enough, as in `gradserve ops | head`
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
    return status


def _parser() -> ArgumentParser:
    parser = ArgumentParser(prog="gradserve", description="PyTorch's autograd as an HTTP computation API.")
    commands = parser.add_subparsers(required=True, metavar="COMMAND")

    serve = commands.add_parser("serve", help="serve HTTP; GRADSERVE_* variables set all the rest")
    serve.add_argument("--host", help="address to listen on (default: 127.0.0.1)")
    serve.add_argument("--port", help="port to listen on (default: 8000)")
    serve.add_argument("--workers", help="compute processes (default: the processors)")
    serve.set_defaults(command=_serve)

    run = commands.add_parser("run", help="run a tutorial-style program; prints what PyTorch prints")
    run.add_argument("file", type=Path, metavar="FILE")
    run.set_defaults(command=_run)

    ops = commands.add_parser("ops", help="list the ops")
    ops.set_defaults(command=_ops)

    health = commands.add_parser("health", help="ask a server whether it is well; exit status 1 if not")
    health.add_argument("--url", default=probe.default_url(), help="default: %(default)s")
    health.set_defaults(command=_health)
    return parser


def _serve(arguments: Namespace) -> int:
    given = {name: getattr(arguments, name) for name in ("host", "port", "workers")}
    os.environ.update({PREFIX + name.upper(): value for name, value in given.items() if value is not None})
    settings = _settings()
    logs.configure(settings.log_level, settings.log_format, access=settings.access_log)  # before there are others
    try:
        _prepare_store(settings)
    except StoreError as error:
        return _fail(f"gradserve: cannot open the store: {error}")
    refusal = check_exposure(settings)
    if refusal is not None:
        return _fail(f"gradserve: {refusal}")
    return serve(create_app(settings), settings)


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


def _run(arguments: Namespace) -> int:
    file: Path = arguments.file
    limits = _settings().limits
    try:
        outcome = run_code(IMPORT.sub("", file.read_text(encoding="utf-8")), limits)
    except ProgramError as error:
        _print_all(error.prints)
        return _fail(f"{file}:{error.line}: {error.exception}: {error}")
    except GraphError as error:
        return _fail(f"{file}:{error.line or 1}: {error.exception or 'SyntaxError'}: {error}")
    except (OverLimit, UnicodeDecodeError) as error:
        return _fail(f"{file}: {error}")
    except OSError as error:
        return _fail(f"{file}: {error.strerror}")
    _print_all(outcome.prints)
    return 0


def _print_all(texts: Sequence[str]) -> None:
    for text in texts:
        print(text)


def _ops(arguments: Namespace) -> int:
    _print_all([f"{op['signature']:<60}  {op['summary']}" for op in catalog.summaries()])
    return 0


def _health(arguments: Namespace) -> int:
    return 0 if probe.is_well(arguments.url) else _fail(f"{arguments.url} is not well")


def _fail(text: str) -> int:
    print(text, file=sys.stderr)
    return 1


if __name__ == "__main__":
    sys.exit(main())
