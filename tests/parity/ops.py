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
from collections.abc import Iterator, Sequence
from contextlib import suppress
from multiprocessing import get_context
from multiprocessing.connection import Connection
from pathlib import Path
from typing import NamedTuple

import torch

import engine
from tests.parity import calls, known
from tests.parity.compare import Difference, differences, is_inner
from tests.parity.execute import Step, execute
from tests.parity.run import Finding, show
from tests.parity.variations import vary

FORK = get_context("fork")
FIRST_ORDER = (calls.TRACKED, calls.COTANGENTS, calls.FIRST)  # statements behind the call
PAUSE = 200  # calls between two collections of garbage


class Examined(NamedTuple):
    """What a call could show, by kinds, and what differs of it."""

    kinds: frozenset[str]
    finding: Finding | None


def examine(call: calls.Call) -> Examined:
    """What differs and is neither known nor within what rounding does to PyTorch's own numbers."""
    program = calls.program(call)
    expected = execute(program, torch)
    found = known.unexplained(differences(expected, execute(program, engine)), program)
    if any(difference.field.endswith("values") for difference in found):
        free = undetermined(call, expected)
        found = [difference for difference in found if (difference.name, difference.field) not in free]
    return Examined(frozenset(kinds_of(call, expected)), Finding(program, tuple(found)) if found else None)


def kinds_of(call: calls.Call, expected: list[Step]) -> Iterator[str]:
    """The kinds of differences that what PyTorch did leaves room for."""
    calling = len(call.operands) + len(call.nodes)
    if any(step.error for step in expected[:calling]):
        yield "refusal"
        return
    yield from ("value", "dtype")
    seen = expected[-1].changes.get(call.node.name)
    if any("grad_fn" in one for one in (seen if isinstance(seen, list) else [seen]) if isinstance(one, dict)):
        yield "grad_fn"
    if len(expected) > calling:
        yield "gradient"
    if len(expected) > calling + len(FIRST_ORDER):
        yield "second order"


def kind_of(difference: Difference, call: calls.Call) -> str:
    """Which kind a difference is of; words and warnings count as refusals."""
    later = difference.position - len(call.operands) - len(call.nodes)
    if difference.name == "h" or (difference.field == "error" and later >= len(FIRST_ORDER)):
        return "second order"
    if difference.field in ("error", "warnings"):
        return "gradient" if later >= 0 else "refusal"
    if "grad_fn" in difference.field:
        return "grad_fn"
    if difference.field.startswith("grad"):
        return "gradient"
    return "dtype" if difference.field.endswith(("dtype", "shape")) else "value"


def undetermined(call: calls.Call, expected: list[Step]) -> set[tuple[str, str]]:
    """Names and fields whose numbers are fixed up to a choice of signs, or by rounding."""
    moved = execute(calls.program(call, moved=True), torch)
    free = {(difference.name, difference.field) for difference in differences(expected, moved)}
    return free | ({(call.node.name, "item.values"), (call.node.name, "values")} if call.gauge else set())


def examined(given: Sequence[calls.Call]) -> Iterator[Examined]:
    """``examine`` of each, in a process of its own: arguments that are not looked at may be PyTorch's end."""
    done = 0
    while done < len(given):
        reader, writer = FORK.Pipe(duplex=False)
        process = FORK.Process(target=_examine_all, args=(given[done:], writer))
        process.start()
        writer.close()
        with suppress(EOFError):
            while True:
                yield reader.recv()
                done += 1
        process.join()
        if done < len(given):
            print(f"the process ended in a call of {given[done].op}\n", flush=True)
            yield Examined(frozenset(), None)
            done += 1


def _examine_all(given: Sequence[calls.Call], writer: Connection) -> None:
    for count, call in enumerate(given, 1):
        writer.send(examine(call))
        if count % PAUSE == 0:
            gc.collect()


def chosen(options: argparse.Namespace) -> dict[str, calls.Call]:
    """The calls of a run by their names."""
    ops = [op for op in sorted(calls.recorded(options.source)) if re.search(options.ops, op)]
    numbers = range(options.first, options.first + options.each)
    varied = {f"{op}/{number}": vary(op, number, options.source) for number in numbers for op in ops}
    return {name: call for name, call in varied.items() if options.family in ("", call.family)}


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
    given = chosen(options)
    totals = Counter(call.family for call in given.values())
    failed: Counter[str] = Counter()
    inner: Counter[str] = Counter()
    kinds: Counter[str] = Counter()
    asked: Counter[str] = Counter()
    wrong: Counter[str] = Counter()
    for (name, call), (shown, finding) in zip(given.items(), examined(list(given.values())), strict=True):
        asked.update(shown)
        if finding is None:
            continue
        visible = [difference for difference in finding.found if not is_inner(difference)]
        wrong.update({kind_of(difference, call) for difference in visible})
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
    for kind, count in sorted(asked.items()):
        right = count - min(wrong[kind], count)
        print(f"{kind:12} {right:6} of {count:6} ({100 * right / max(count, 1):.2f} %)")
    print(f"{totals.total()} calls, {failed.total()} of them differ visibly, {inner.total()} inside")
    return 1 if failed or inner else 0


if __name__ == "__main__":
    sys.exit(main())
