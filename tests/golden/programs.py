"""Programs of the autograd tests, and how one is run: on PyTorch to record what it prints, on the engine to compare."""

from __future__ import annotations

import io
import re
import sys
import warnings
from collections.abc import Callable
from contextlib import redirect_stdout
from pathlib import Path
from typing import Any

FOLDER = Path(__file__).parent.parent / "engine" / "autograd" / "programs"

PYTORCHS = ("CheckpointError", "GradcheckError")  # classes of its own


def programs() -> dict[str, str]:
    """Every program by name: ``<file>/<heading>``."""
    found = {}
    for path in sorted(FOLDER.glob("*.txt")):
        _, *sections = re.split(r"^## (.+)\n", path.read_text(), flags=re.MULTILINE)
        for name, text in zip(sections[::2], sections[1::2], strict=True):
            found[f"{path.stem}/{name}"] = text
    return found


def printed(program: str, torch: Any) -> str:
    """What ``program`` prints; it has ``torch`` and ``show``."""
    out = io.StringIO()
    with redirect_stdout(out):
        exec(compile(program, "<program>", "exec"), {"torch": torch, "show": show, "__name__": "program"})
    return re.sub(r"0x[0-9a-f]+", "0xADDRESS", re.sub(r" [(]Triggered internally at [^)]*[)]", "", out.getvalue()))


def show(call: Callable[[], Any]) -> None:
    """Print what ``call`` returns or raises, by the nearest class that Python has, and the first lines of warnings."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        try:
            text = str(call())
        except Exception as error:
            kind = type(error)
            ours = kind.__module__ == "engine.errors" and kind.__name__ not in PYTORCHS  # each is a builtin too
            kind = next(kind for kind in kind.__mro__ if not ours or kind.__module__ == "builtins")
            text = f"{kind.__name__}: {error}"
    lines = [text, *(f"{one.category.__name__}: {one.message}" for one in caught)]
    sys.stdout.writelines(f"{line}\n" for line in lines)
