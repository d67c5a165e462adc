"""The ``gradserve`` command: serve, run a program, list the ops, probe a server.

What a command takes is loaded with it: a container probes its server every few seconds.
"""

from __future__ import annotations

import os
import sys
from argparse import ArgumentParser, Namespace
from collections.abc import Sequence
from importlib import import_module
from pathlib import Path

from app import VERSION
from app.loading import loading


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command; returns its exit status."""
    arguments = _parser().parse_args(argv)
    try:
        status = _health(arguments) if arguments.command == "health" else _loaded(arguments)
        sys.stdout.flush()
    except BrokenPipeError:  # the reader has seen enough, as in `gradserve ops | head`
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
    return status


def _parser() -> ArgumentParser:
    parser = ArgumentParser(prog="gradserve", description="PyTorch's autograd as an HTTP computation API.")
    parser.add_argument("--version", action="version", version=f"gradserve {VERSION}")
    commands = parser.add_subparsers(required=True, metavar="COMMAND", dest="command")

    serve = commands.add_parser("serve", help="serve HTTP; GRADSERVE_* variables set all the rest")
    serve.add_argument("--host", help="address to listen on (default: 127.0.0.1)")
    serve.add_argument("--port", help="port to listen on (default: 8000)")
    serve.add_argument("--workers", help="compute processes (default: the processors)")

    run = commands.add_parser("run", help="run a tutorial-style program; prints what PyTorch prints")
    run.add_argument("file", type=Path, metavar="FILE")

    commands.add_parser("ops", help="list the ops")

    health = commands.add_parser("health", help="ask a server whether it is well; exit status 1 if not")
    health.add_argument("--url", help="default: that of this machine, on the port of the settings")
    return parser


def _health(arguments: Namespace) -> int:
    probe = import_module("app.http.probe")
    url = arguments.url or probe.default_url()
    if probe.is_well(url):
        return 0
    print(f"{url} is not well", file=sys.stderr)
    return 1


def _loaded(arguments: Namespace) -> int:
    """Load the command that was asked for, and run it."""
    with loading():
        command = import_module(f"app.commands.{arguments.command}")
    status: int = command.main(arguments)
    return status


if __name__ == "__main__":
    sys.exit(main())
