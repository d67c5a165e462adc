"""Select operator cases from the conformance suite into ``conformance.jsonl.gz`` beside this file.

``python -m tests.golden.select_conformance --from DIR``, where DIR holds the suite's ``<family>.jsonl.gz``. The first
line of the result names PyTorch; every other line is a case as the suite has it. The same suite always gives the
same bytes. Afterwards ``python -m tests.app.test_conformance`` writes anew which of them do not pass yet.
"""

from __future__ import annotations

import argparse
import gzip
import json
from collections import defaultdict
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

TARGET = Path(__file__).parent / "conformance.jsonl.gz"
REFERENCE = "2.13.0"
LONGEST = 4_000  # characters of a case; an op that has only longer ones is represented by its shortest
Case = dict[str, Any]


def read(path: Path) -> Iterator[Case]:
    with gzip.open(path, "rt", encoding="utf-8") as lines:
        yield from map(json.loads, lines)


def kind(case: Case) -> str:
    """What a case is for."""
    if "error" in case["expect"]:
        return "refusal"
    if case["id"].startswith("lowprec/"):
        return "low precision"
    return str(case["family"]) if case["family"] in {"complex", "float32", "promotion"} else "plain"


def length(case: Case) -> int:
    return len(json.dumps(case))


def arguments(case: Case) -> int:
    """How many arguments the calls have: the more, the more of an op they use."""
    return sum(len(node.get("args", ())) + len(node.get("kwargs", ())) for node in case["request"]["nodes"])


def is_ordinary(case: Case) -> bool:
    """Neither empty nor 0-d: a wrong value, shape or order of elements shows."""
    outputs = case["expect"].get("outputs", ())
    return any(output["shape"] and 0 not in output["shape"] for output in outputs)


def select(cases: list[Case]) -> list[Case]:
    """One case that says most in little space; of a plain op also its richest call, and one that is empty or 0-d."""
    by_length = sorted(cases, key=lambda case: (length(case), case["id"]))
    chosen = sorted(by_length, key=lambda case: (not is_ordinary(case), not case["expect"].get("grads2")))[:1]
    if chosen and kind(chosen[0]) == "plain":
        chosen.extend(sorted(by_length, key=arguments, reverse=True)[:1])
        chosen.extend([case for case in by_length if not is_ordinary(case)][:1])
    return chosen


def selection(cases: Iterable[Case]) -> list[Case]:
    """The chosen cases of every op and variant, by id."""
    groups: dict[tuple[str, str], dict[str, list[Case]]] = defaultdict(lambda: defaultdict(list))
    for case in cases:
        groups[case["op"], case["variant"]][kind(case)].append(case)
    chosen = {case["id"]: case for kinds in groups.values() for case in represent(kinds)}
    return [case for _, case in sorted(chosen.items())]


def represent(kinds: dict[str, list[Case]]) -> list[Case]:
    """What is chosen of an op's kinds, none of it long unless everything is."""
    short = ([case for case in cases if length(case) <= LONGEST] for cases in kinds.values())
    chosen = [case for cases in short for case in select(cases)]
    return chosen or [min((case for cases in kinds.values() for case in cases), key=length)]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--from", dest="source", type=Path, required=True, help="folder of the conformance suite")
    source: Path = parser.parse_args().source
    chosen = selection(case for path in sorted(source.glob("*.jsonl.gz")) for case in read(path))
    lines = [{"torch": REFERENCE, "cases": len(chosen)}, *chosen]
    text = "".join(json.dumps(line, separators=(",", ":")) + "\n" for line in lines)
    TARGET.write_bytes(gzip.compress(text.encode(), mtime=0))


if __name__ == "__main__":
    main()
