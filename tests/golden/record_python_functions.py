"""Writes down which functions of PyTorch are Python's: ``engine/op/python_functions.txt``.

Arguments that are missing or too many are refused by Python there, in its words. Whoever has PyTorch runs ``python -m
tests.golden.record_python_functions``.
"""

from __future__ import annotations

import inspect
from collections.abc import Iterator
from pathlib import Path
from typing import Any

TARGET = Path(__file__).parents[2] / "engine" / "op" / "python_functions.txt"
NAMESPACES = "", "nn.functional.", "masked."


def names() -> Iterator[str]:
    """All of them."""
    import torch

    public = Path(__file__).with_name("public_names.tsv").read_text()
    for namespace in NAMESPACES:
        home: Any = torch
        for part in namespace.split(".")[:-1]:
            home = getattr(home, part)
        for name in dir(home):
            function = getattr(home, name)
            if inspect.isfunction(function) and (namespace == "masked." or f"torch.{namespace}{name}\there" in public):
                yield namespace + name


def main() -> None:
    """Write the list."""
    TARGET.write_text("".join(f"{name}\n" for name in sorted(names())))


if __name__ == "__main__":
    main()
