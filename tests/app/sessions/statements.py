"""Runs recorded programs in sessions, statement by statement, with everything stored and read between two of them.

``python -m tests.app.sessions.statements programs.jsonl`` prints what differs from the record and how many pass; a
record is one of ``snippets.jsonl`` or ``language.jsonl``. The exit status is 1 if less than ``--at-least`` pass.
"""

# ruff: noqa: T201 - printing is what a command does

from __future__ import annotations

import argparse
import json
import sys
import tempfile
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from app.program.tree import GraphError
from app.stores.sqlite import SqliteStore
from tests.app.sessions.test_restarts import rerun
from tests.app.test_snippets import Record, differences


def faults(store: SqliteStore, record: Record) -> list[str]:
    """Where a program, run so, differs from its record: an error leaves no names."""
    try:
        shown, ending, warnings = rerun(store, record["code"])
    except GraphError as error:
        wanted_type = (record["error"] or {}).get("type")
        return [] if wanted_type == (error.exception or "SyntaxError") else [f"{type(error).__name__}: {error}"]
    except Exception as error:
        return [f"{type(error).__name__}: {error}"]
    wanted: dict[str, Any] = {"warnings": warnings, **record}
    if record["error"] is not None:
        shown, wanted = {}, {**wanted, "warnings": warnings, "expect": {"tensors": {}, "values": {}}}
    return list(differences(wanted, shown, ending, warnings))


def main(argv: Sequence[str] | None = None) -> int:
    """Run from the command line; the exit status."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("records", type=Path)
    parser.add_argument("--only", default="", help="ids that have this in them")
    parser.add_argument("--without", nargs="*", default=[], help="groups that are left out")
    parser.add_argument("--at-least", type=float, default=95.0, help="per cent that have to pass")
    arguments = parser.parse_args(argv)
    records = [json.loads(line) for line in arguments.records.read_text().splitlines()]
    chosen = [
        one
        for one in records
        if "code" in one and arguments.only in one["id"] and one["group"] not in arguments.without
    ]
    counts: Counter[bool] = Counter()
    with tempfile.TemporaryDirectory() as folder:
        store = SqliteStore(Path(folder))
        store.open()
        for record in chosen:
            found = faults(store, record)
            counts[not found] += 1
            for fault in found[:3]:
                print(f"{record['id']}: {fault[:400]}")
            sys.stdout.flush()
        store.close()
    share = 100 * counts[True] / max(len(chosen), 1)
    print(f"{counts[True]} of {len(chosen)} programs pass statement by statement: {share:.1f} %")
    return int(share < arguments.at_least)


if __name__ == "__main__":
    sys.exit(main())
