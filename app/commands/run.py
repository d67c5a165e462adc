"""Run a program, and print what PyTorch prints."""

from __future__ import annotations

import re
from argparse import Namespace
from pathlib import Path

from app.commands import fail, print_all, settings
from app.evaluate.run import run_code
from app.limits import OverLimit
from app.program.tree import GraphError, ProgramError

OURS = re.compile(r"^import engine as torch\b", re.MULTILINE)  # of a program for the library: PyTorch's is the same


def main(arguments: Namespace) -> int:
    """Run the program in a file."""
    file: Path = arguments.file
    limits = settings().limits
    try:
        outcome = run_code(OURS.sub("import torch", file.read_text(encoding="utf-8-sig")), limits)
    except ProgramError as error:
        print_all(error.prints, error.unended)
        hint = f" ({error.hint})" if error.hint else ""
        return fail(f"{file}:{error.line}: {error.exception}: {error}{hint}")
    except GraphError as error:
        return fail(f"{file}:{error.line or 1}: {error.exception or 'SyntaxError'}: {error}")
    except (OverLimit, UnicodeDecodeError) as error:
        return fail(f"{file}: {error}")
    except OSError as error:
        return fail(f"{file}: {error.strerror}")
    print_all(outcome.prints, outcome.unended)
    return 0
