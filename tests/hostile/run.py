"""Runs the hostile requests beside a prober and prints what came of each: ``make hostile``.

    python -m tests.hostile.run [--url URL] [--family F] [--name TEXT] [--seed N] [--quick] [--p99-ms 20]

Without ``--url`` it starts a server of its own, on loopback and with small limits. Exit status 1 if an answer was
wrong, memory did not come back, a process was lost that should not have been, or the prober waited for too long.
"""

# ruff: noqa: T201 - printing is what a command does

from __future__ import annotations

import argparse
import random
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from tests.hostile import processes
from tests.hostile.case import Case
from tests.hostile.cases import CASES, is_quick
from tests.hostile.pending import EXPECTED_TO_FAIL
from tests.hostile.prober import KNOWN, Prober, Probes
from tests.hostile.server import KEYS, Elsewhere, Own, Target
from tests.hostile.suite import Result, Suite, in_order

ENOUGH = 300  # answers to the prober, of which the slowest hundredth says something


@dataclass
class Report:
    """Results as they come, and what they add up to."""

    p99_ms: float | None
    results: list[Result] = field(default_factory=list)
    slow: list[str] = field(default_factory=list)  # cases beside which the prober waited for too long

    def add(self, result: Result) -> None:
        """Note a result, and print its line."""
        self.results.append(result)
        late = self._is_late(result.probes)
        if late:
            self.slow.append(result.case.id)
        known = " (as expected today)" if result.case.id in EXPECTED_TO_FAIL and not result.is_right else ""
        mark = "ok  " if result.is_right and not late else "FAIL"
        memory = f"{result.before_mib:.0f}>{result.after_mib:.0f} MiB"
        print(
            f"{mark} {result.case.family:12} {result.case.name:58} {result.outcome:34} {result.seconds:6.2f} s  "
            f"{_times(result.probes)}  {memory:14} {'lost ' + str(result.lost) if result.lost else ''}{known}",
            flush=True,
        )
        for text in (*result.wrong, *result.harm):
            print(f"       {text}", flush=True)

    def _is_late(self, probes: Probes) -> bool:
        """Whether the prober waited for too long. Of few answers the slowest is no quantile yet."""
        enough = sum(len(probes.seconds.get(name, ())) for name in KNOWN) >= ENOUGH
        return self.p99_ms is not None and enough and 1000 * probes.quantile(0.99, *KNOWN) > self.p99_ms

    def close(self, restarts: int, left: Sequence[int]) -> int:
        """Print the tables; returns the exit status."""
        everything = Probes()
        print(f"\n{'family':12} {'cases':>5} {'right':>5} {'wrong':>5} {'harm':>5}   prober p50 / p99 / max ms")
        for family in dict.fromkeys(result.case.family for result in self.results):
            of = [result for result in self.results if result.case.family == family]
            probes = Probes()
            for result in of:
                probes.add(result.probes)
            counts = (len(of), sum(one.is_right for one in of), sum(bool(one.wrong) for one in of),
                      sum(bool(one.harm) for one in of))  # fmt: skip
            print(f"{family:12} {counts[0]:5} {counts[1]:5} {counts[2]:5} {counts[3]:5}   {_times(probes)}")
            everything.add(probes)
            if self._is_late(probes):
                self.slow.append(f"all of {family}")
        failed = [result.case.id for result in self.results if not result.is_right]
        print(f"\nprober over all: {_times(everything)}; a new program {_cold(everything)}")
        print(
            f"{len(self.results)} cases, {len(failed)} not as they should be; {len(self.slow)} beside which the prober "
            f"waited for too long; {restarts} restarts; {len(left)} processes left behind"
        )
        return 1 if failed or restarts or left or self.slow or self._is_late(everything) else 0


def _times(probes: Probes) -> str:
    values = [1000 * probes.quantile(part, *KNOWN) for part in (0.5, 0.99, 1.0)]
    return " / ".join(f"{value:7.1f}" for value in values)


def _cold(probes: Probes) -> str:
    return " / ".join(f"{1000 * probes.quantile(part, 'cold'):.1f}" for part in (0.5, 0.99, 1.0)) + " ms"


def _arguments(argv: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--url", help="a server that runs; else one is started")
    parser.add_argument("--pid", type=int, help="its process, so that memory and processes can be looked at")
    parser.add_argument("--key", default="", help="the hostile clients' API key there")
    parser.add_argument("--prober-key", default="", help="the prober's; better another owner's")
    parser.add_argument("--workers", help="of the server that is started")
    parser.add_argument("--family", action="append", help="these families only")
    parser.add_argument("--name", help="cases with this text in their name only")
    parser.add_argument("--seed", type=int, help="shuffle with it; else light ones first, known failures last")
    parser.add_argument("--quick", action="store_true", help="what the tests run")
    parser.add_argument("--p99-ms", type=float, help="what the prober's p99 may be, beside each case and in all")
    return parser.parse_args(argv)


def chosen(arguments: argparse.Namespace) -> list[Case]:
    """Return the cases that the command line asks for, in their order."""
    found = [
        case
        for case in CASES
        if (not arguments.family or case.family in arguments.family)
        and (not arguments.name or arguments.name in case.id)
        and (not arguments.quick or is_quick(case))
        and (not case.needs_keys or arguments.key or not arguments.url)
    ]
    if arguments.seed is not None:
        random.Random(arguments.seed).shuffle(found)
        return found
    return in_order(found, EXPECTED_TO_FAIL)


def attack(target: Target, cases: Sequence[Case], p99_ms: float | None) -> int:
    """Run the cases against a server; returns the exit status."""
    report = Report(p99_ms)
    with Prober(target.place("prober")) as prober:
        suite = Suite(target, prober)
        start = processes.memory(target.pids)
        for case in cases:
            report.add(suite.run(case))
        end = processes.memory(target.pids)
    print(f"\nmemory of the server: {start:.0f} MiB before the first case, {end:.0f} after the last")
    return report.close(target.restarts, target.stop())


def main(argv: Sequence[str] | None = None) -> int:
    """Run from the command line."""
    arguments = _arguments(argv)
    cases = chosen(arguments)
    if arguments.url and not arguments.key:
        print("without --key, cases about keys are left out, and the prober is the same tenant as the hostile clients")
    if arguments.url:
        keys = dict(zip(KEYS, (arguments.key, arguments.prober_key or arguments.key), strict=True))
        return attack(Elsewhere(arguments.url, keys, arguments.pid), cases, arguments.p99_ms)
    with tempfile.TemporaryDirectory() as folder:
        workers = {"workers": arguments.workers} if arguments.workers else {}
        target = Own(Path(folder), **workers)
        try:
            return attack(target, cases, arguments.p99_ms)
        finally:
            target.stop()


if __name__ == "__main__":
    sys.exit(main())
