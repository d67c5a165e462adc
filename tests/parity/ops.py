"""Compares the engine with PyTorch on calls that were never recorded, of every op: ``make parity-ops``.

Every op is called as often as ``--each`` says, in variations of its recorded calls. What differs is printed with the
program that shows it; at the end, per family, how many calls agree. The exit status is 1 if one does not.
"""

# ruff: noqa: T201 - printing is what a command does

from __future__ import annotations

import argparse
import gc
import re
import sys
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import torch

import engine
from tests.parity import calls, known
from tests.parity.compare import Difference, differences
from tests.parity.execute import Step, execute
from tests.parity.run import Finding, show
from tests.parity.variations import vary

PAUSE = 200  # calls between two collections of garbage
# What answers of the service do not show.
INNER = {
    "stride", "idle stride", "contiguous", "offset", "version", "view", "base", "output_nr", "retains_grad", "conj",
    "neg",
}  # fmt: skip


def examine(call: calls.Call) -> Finding | None:
    """What differs and is neither known nor within what rounding does to PyTorch's own numbers."""
    program = calls.program(call)
    expected = execute(program, torch)
    found = known.unexplained(differences(expected, execute(program, engine)), program)
    found = [difference for difference in found if not _is_a_choice(call, difference)]
    if any(difference.field.endswith("values") for difference in found):
        shaky = _shaky(expected, execute(calls.program(call, moved=True), torch))
        found = [difference for difference in found if (difference.name, difference.field) not in shaky]
    return Finding(program, tuple(found)) if found else None


def _is_a_choice(call: calls.Call, difference: Difference) -> bool:
    """Whether these are factors, which are fixed up to signs or phases."""
    return call.gauge and difference.name == call.node.name and difference.field.endswith("values")


def _shaky(expected: list[Step], moved: list[Step]) -> set[tuple[str, str]]:
    return {(difference.name, difference.field) for difference in differences(expected, moved)}


def is_inner(difference: Difference) -> bool:
    """Whether this can be seen in a process only: layouts, counters, nodes behind that of a result."""
    field, (left, right) = difference.field.rpartition(".")[2], (difference.expected, difference.found)
    if field == "grad_fn" and isinstance(left, str) and isinstance(right, str):
        return left.partition("(")[0] == right.partition("(")[0]
    if difference.name == "h" and field == "whole" and left == "None":
        return isinstance(right, dict) and not set(right["values"]) - set("-0, ")
    return field in INNER


def findings(options: argparse.Namespace, totals: Counter[str]) -> Iterator[tuple[str, calls.Call, Finding]]:
    ops = [op for op in sorted(calls.recorded(options.source)) if re.search(options.ops, op)]
    count = 0
    for number in range(options.first, options.first + options.each):
        for op in ops:
            call = vary(op, number, options.source)
            if options.family and call.family != options.family:
                continue
            totals[call.family] += 1
            finding = examine(call)
            if finding is not None:
                yield f"{op}/{number}", call, finding
            count += 1
            if count % PAUSE == 0:
                gc.collect()


def main() -> int:
    """Exit status 1 if anything differs that is not known."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--each", type=int, default=5, help="calls of every op")
    parser.add_argument("--first", type=int, default=0, help="number of the first call")
    parser.add_argument("--ops", default="", help="regular expression on the op's name")
    parser.add_argument("--family", default="")
    parser.add_argument("--visible", action="store_true", help="show what clients of the service can see only")
    parser.add_argument("--source", type=Path, default=calls.RECORDED, help="file or folder of recorded cases")
    options = parser.parse_args()
    torch.set_num_threads(1)
    totals: Counter[str] = Counter()
    failed: Counter[str] = Counter()
    inner: Counter[str] = Counter()
    kinds: Counter[str] = Counter()
    for name, call, finding in findings(options, totals):
        visible = [difference for difference in finding.found if not is_inner(difference)]
        inner[call.family] += not visible
        failed[call.family] += bool(visible)
        if visible or not options.visible:
            print(f"{name}: {', '.join(call.notes)}")
            show(finding)
            kinds[(visible or finding.found)[0].kind] += 1
    for kind, count in kinds.most_common():
        print(f"{count:6} {kind}")
    for family, count in sorted(totals.items()):
        right = count - failed[family]
        print(
            f"{family:12} {right:6} of {count:6} ({100 * right / count:.2f} %), {inner[family]} of them differ inside"
        )
    print(f"{totals.total()} calls, {failed.total()} of them differ visibly, {inner.total()} inside")
    return 1 if failed or inner else 0


if __name__ == "__main__":
    sys.exit(main())
