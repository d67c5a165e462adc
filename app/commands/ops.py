"""List the ops."""

from __future__ import annotations

from argparse import Namespace

from app.commands import print_all
from app.program import catalog


def main(arguments: Namespace) -> int:
    """Print the signature and the summary of every op."""
    print_all([f"{op['signature']:<60}  {op['summary']}" for op in catalog.summaries()])
    return 0
