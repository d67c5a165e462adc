"""What the commands of ``app.cli`` do, a module each, with all that it takes; here what they share."""

from __future__ import annotations

import sys
from collections.abc import Sequence

from pydantic import ValidationError

from app.settings import PREFIX, Settings


def settings() -> Settings:
    """Return the settings; a wrong one ends the command."""
    try:
        return Settings()
    except ValidationError as error:  # without the values: an address or a key may be among them
        found = error.errors(include_url=False, include_context=False, include_input=False)
        faults = [f"{PREFIX}{'__'.join(map(str, one['loc'])).upper()}: {one['msg']}" for one in found]
        raise SystemExit(f"gradserve: {'; '.join(faults)}") from None
    except ValueError as error:
        raise SystemExit(f"gradserve: {error}") from None


def fail(text: str) -> int:
    """Say why a command fails; returns its exit status."""
    print(text, file=sys.stderr)
    return 1


def print_all(texts: Sequence[str], unended: Sequence[int] = ()) -> None:
    """Print texts, each but the ``unended`` as a line."""
    open_ends = frozenset(unended)
    for place, text in enumerate(texts):
        print(text, end="" if place in open_ends else "\n")
