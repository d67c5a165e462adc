"""Compare gradserve with its peers: ``python -m bench.run [--quick] [CASE ...]``; ``make bench`` sets it all up.

Prints a table. Without ``--quick`` and with every case it becomes ``RESULTS.md``, where the next run finds its ratios.
"""

from __future__ import annotations

import argparse
import datetime
import os
import platform
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy
import torch
from threadpoolctl import threadpool_info  # type: ignore[import-not-found]

from bench import (
    catalogue,
    chain_memory,
    eager_small,
    elementwise,
    mlp,
    plans,
    programs,
    resources,
    server_large,
    server_small,
    sessions,
)
from bench.measure import OURS, Comparison, Fact

RESULTS = Path(__file__).parent / "RESULTS.md"
CASES: dict[str, Callable[[float], Sequence[Comparison | Fact]]] = {
    "eager_small": eager_small.run,
    "elementwise": elementwise.run,
    "mlp": mlp.run,
    "catalogue": catalogue.run,
    "plans": plans.run,
    "programs": programs.run,
    "server_small": server_small.run,
    "server_large": server_large.run,
    "sessions": sessions.run,
    "resources": resources.run,
    "chain_memory": chain_memory.run,
}
SECONDS, QUICK_SECONDS = 40.0, 8.0  # per case
FORCED, UNSET = ("OPENBLAS_CORETYPE", "OPENBLAS_L2_SIZE", "PYTHONDONTWRITEBYTECODE"), "BENCH_UNSET"
COLUMNS = ("case", OURS, "peer", "its time", "ratio", "quartiles", "last ratio")
Ratios = dict[tuple[str, str], str]


def machine() -> list[str]:
    """What the numbers depend on."""
    blas = {f"{pool['internal_api']} {pool['version']}, {pool['architecture']} kernels" for pool in _blas()}
    return [
        f"{_processor()}, {os.cpu_count()} CPUs, {platform.system()} {platform.machine()}",
        f"CPython {platform.python_version()}, NumPy {numpy.__version__} ({'; '.join(sorted(blas)) or 'BLAS unknown'})",
        *([f"{os.environ[UNSET]} unset for all of them"] if UNSET in os.environ else []),
        f"torch {torch.__version__} ({torch.backends.cpu.get_cpu_capability()} kernels)",
    ]


def _blas() -> list[dict[str, str]]:
    return [pool for pool in threadpool_info() if pool["user_api"] == "blas" and "architecture" in pool]


def _processor() -> str:
    """The model, with family and number: virtual machines give vague names."""
    source = Path("/proc/cpuinfo")
    if not source.exists():
        return platform.processor()
    pairs = (line.partition(":") for line in source.read_text().split("\n\n")[0].splitlines())
    facts = {name.strip(): value.strip() for name, _, value in pairs}
    if "model name" not in facts:
        return platform.processor() or platform.machine()
    widest = max((flag for flag in ("avx2", "avx512f") if flag in facts["flags"].split()), default="no AVX2")
    return f"{facts['model name']} (family {facts['cpu family']}, model {facts['model']}, {widest})"


def last_ratios() -> Ratios:
    """By case and peer, from the table of the last run."""
    if not RESULTS.exists():
        return {}
    lines = (line for line in RESULTS.read_text(encoding="utf-8").splitlines() if line.startswith("| "))
    rows = (dict(zip(COLUMNS, (cell.strip() for cell in line.strip("|").split("|")), strict=False)) for line in lines)
    return {(row["case"], row["peer"]): row["ratio"] for row in rows if "ratio" in row}  # facts have no peer


def table(comparisons: Sequence[Comparison], last: Ratios) -> list[str]:
    """Markdown."""
    cells = [COLUMNS, ("---", *["--:" if column != "peer" else "---" for column in COLUMNS[1:]])]
    for found in comparisons:
        quartiles = f"{found.low:.2f} to {found.high:.2f}"
        times = (_microseconds(found.ours_s), found.peer, _microseconds(found.peer_s))
        before = last.get((found.case, found.peer), "")
        cells.append((found.case, *times, f"{found.ratio:.2f}", quartiles, before))
    return [f"| {' | '.join(row)} |" for row in cells]


def facts_table(facts: Sequence[Fact]) -> list[str]:
    """What has no peer, as Markdown."""
    rows = [("case", OURS), ("---", "--:"), *((fact.case, fact.value) for fact in facts)]
    return ["", *(f"| {' | '.join(row)} |" for row in rows)] if facts else []


def _microseconds(seconds: float) -> str:
    return f"{seconds * 1e6:,.0f} µs"


def report(found: Sequence[Comparison | Fact]) -> str:
    comparisons = [one for one in found if isinstance(one, Comparison)]
    facts = [one for one in found if isinstance(one, Fact)]
    about = [
        f"Measured {datetime.date.today().isoformat()} by `make bench`. CPU time on one thread each, taken in turns,",
        "medians; a ratio above 1 says that gradserve needs less than the peer. Where a case says so, wall time.",
        "CPU time and memory of a server are those of all its processes.",
        "",
        *(f"- {line}" for line in machine()),
    ]
    return "\n".join(["# Results", "", *about, "", *table(comparisons, last_ratios()), *facts_table(facts), ""])


def as_installed() -> None:
    """Begin again without variables that force old BLAS kernels, or imports without bytecode: peers and servers too."""
    forced = [name for name in FORCED if name in os.environ]
    if forced:
        environment = {name: value for name, value in os.environ.items() if name not in forced}
        command = [sys.executable, "-m", "bench.run", *sys.argv[1:]]
        os.execve(sys.executable, command, environment | {UNSET: ", ".join(forced)})


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="fewer rounds; RESULTS.md stays as it is")
    parser.add_argument("cases", nargs="*", metavar="CASE", help=f"of {', '.join(CASES)}; all if left out")
    arguments = parser.parse_args()
    if unknown := set(arguments.cases) - set(CASES):
        parser.error(f"no such case: {', '.join(sorted(unknown))}")
    as_installed()
    seconds = QUICK_SECONDS if arguments.quick else SECONDS
    chosen = arguments.cases or list(CASES)
    text = report([found for name in chosen for found in CASES[name](seconds)])
    print(text)
    if not arguments.quick and not arguments.cases:
        RESULTS.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
