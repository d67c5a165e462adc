"""Compares what the conformance runners counted with tests/conformance_floors.json, the least that has to pass.

    check_floors.py [--cases REPORT.json] [--snippets TABLE.txt] [--raise]

``--cases`` is the JSON report of the operator cases; ``--snippets`` is what the snippet runner printed (its own report
lists failures only, so the counts are read from its table). Exit status 1 when a count is below its floor. ``--raise``
writes higher counts into the file as the new floors; it lowers none, whatever was counted.
"""

import argparse
import json
import re
import sys
from pathlib import Path

FLOORS = Path(__file__).parent.parent / "tests" / "conformance_floors.json"
ROW = re.compile(r"^(\w+) +(\d+) / \d+$", re.MULTILINE)

Counts = dict[str, int]


def count_cases(report: Path) -> Counts:
    """Passed cases by ``cases/<family>/<column>``."""
    families = json.loads(report.read_text())["families"]
    return {
        f"cases/{family}/{column}": count["passed"]
        for family, columns in families.items()
        for column, count in columns.items()
        if count["cases"]
    }


def count_snippets(table: Path) -> Counts:
    """Passed snippets by ``snippets/<group>``."""
    return {f"snippets/{group}": int(passed) for group, passed in ROW.findall(table.read_text())}


def shortfalls(floors: Counts, counts: Counts) -> list[str]:
    """A line for every floor that is not reached; what was not counted at all has reached none."""
    below = ((name, counts.get(name, 0), floor) for name, floor in floors.items() if counts.get(name, 0) < floor)
    return [f"{name}: {count} passed, the floor is {floor}" for name, count, floor in below]


def raised(floors: Counts, counts: Counts) -> Counts:
    """The floors after these counts, sorted by name."""
    return {name: max(floors.get(name, 0), counts.get(name, 0)) for name in sorted(floors | counts)}


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--cases", type=Path, help="JSON report of the operator cases")
    parser.add_argument("--snippets", type=Path, help="printed table of the snippets")
    parser.add_argument("--raise", dest="raises", action="store_true", help="write higher counts as new floors")
    arguments = parser.parse_args()

    counts = count_cases(arguments.cases) if arguments.cases else {}
    counts |= count_snippets(arguments.snippets) if arguments.snippets else {}
    kinds = tuple(kind for kind in ("cases", "snippets") if getattr(arguments, kind))
    floors: Counts = json.loads(FLOORS.read_text())
    below = shortfalls({name: floor for name, floor in floors.items() if name.startswith(kinds)}, counts)
    print("\n".join(below) or f"{len(counts)} counts, none below its floor")
    if arguments.raises:
        FLOORS.write_text(json.dumps(raised(floors, counts), indent=2) + "\n")
    return 1 if below else 0


if __name__ == "__main__":
    sys.exit(main())
