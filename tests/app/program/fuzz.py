"""Runs random programs and tells what nobody meant from what is documented.

``python -m tests.app.program.fuzz --programs 20000`` runs as many in processes of their own, ends those that do not end
by themselves, and lists each fault once, with its program; ``--python`` also compares those without torch with Python.
"""

from __future__ import annotations

import argparse
import contextlib
import io
import json
import os
import re
import resource
import selectors
import subprocess
import sys
import time
import traceback
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final, NamedTuple

from app.errors import ServiceError
from app.evaluate.run import evaluate
from app.limits import Limits, OverLimit
from app.program.tree import GraphError, ProgramError
from app.wire.messages import RunRequest
from engine import errors
from tests.app.program.program_writer import written

MEANT: Final = (ProgramError, GraphError, OverLimit, ServiceError, errors.BudgetError, MemoryError)
OVER: Final = (OverLimit, errors.BudgetError, MemoryError)
LIMITS: Final = Limits(
    steps=10**6,
    loop_iterations=10**5,
    intermediate_bytes=2**26,
    tensor_elements=2**20,
    list_items=10**5,
    print_chars=2**16,
)
INNER: Final = re.compile(
    r"\bapp\.\w|\bengine\.\w|<code object|<frame |<cell |<slot wrapper|<method-wrapper|(?<!metadata=)mappingproxy"
    r"|\bsite-packages"
    r"|\b(HostType|HostMember|ProgramClass|Routine|Hosted\w+|_Instance|Callable_|BoundMethod|Metered|Numbered|Special"
    r"|PythonError|StaticMethod|ClassMethod|Union_)\b"
)
"""What no text of a program's may show: names of ours, and of what Python keeps to itself."""
MEMORY: Final = 3 * 2**30  # bytes of addresses that a process may have
PATIENCE: Final = 8.0  # seconds of computing past the deadline after which a process is ended
ADDRESS: Final = re.compile(r"0x[0-9a-f]+")


class Ended(NamedTuple):
    """What a program ended in: a word, what it printed, and the text of its fault."""

    kind: str
    prints: list[str]
    detail: str


def ended(text: str, limits: Limits = LIMITS) -> Ended:
    """Run a program as a request does."""
    try:
        prints = evaluate(RunRequest(code=text, outputs=[]), limits, "json")["prints"]
    except ProgramError as error:
        return _checked("refused", [*error.prints, f"{error.exception} {error.detail}"])
    except GraphError as error:
        return Ended("outside", [], str(error))
    except MEANT as error:
        return Ended("over" if isinstance(error, OVER) else "refused", [], str(error))
    except BaseException as error:
        return Ended("fault", [], f"{type(error).__name__}: {where(error)}: {str(error)[:200]}")
    return _checked("done", prints)


def _checked(kind: str, prints: list[str]) -> Ended:
    found = next((match for match in map(INNER.search, prints) if match), None)
    return Ended(kind, prints, "") if found is None else Ended("inner", prints, f"{found[0]} in {found.string[:300]}")


def where(error: BaseException) -> str:
    """The last places that an error came from."""
    frames = traceback.extract_tb(error.__traceback__)[-3:]
    return " < ".join(f"{frame.filename.rpartition('/')[2]}:{frame.lineno}" for frame in reversed(frames))


# -- Python itself --------------------------------------------------------------------------------------------------
def by_python(text: str) -> list[str]:
    """What Python prints, and what it raises, for a program that means no harm."""
    output = io.StringIO()
    with contextlib.redirect_stdout(output), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            exec(compile(text, "<program>", "exec", dont_inherit=True), {"__name__": "__main__"})
        except BaseException as error:
            output.write(f"{type(error).__name__} {_said(error)}\n")
    return output.getvalue().splitlines()


def _said(error: BaseException) -> str:
    try:
        return str(error)
    except Exception:
        return "<exception str() failed>"


def difference(ours: Ended, text: str) -> tuple[str, str] | None:
    """The first line that Python prints otherwise, if there is one: ours and Python's."""
    if ours.kind not in ("done", "refused"):
        return None
    mine, pythons = "\n".join(ours.prints).splitlines(), by_python(text)
    for left, right in zip([*mine, "<end>"], [*pythons, "<end>"], strict=False):
        if ADDRESS.sub("0x", left) != ADDRESS.sub("0x", right):
            return left, right
    return None


# -- many -----------------------------------------------------------------------------------------------------------
def _child(first: int, seed: int, seconds: float, *, python: bool) -> None:
    """Run programs from ``first`` on, and say of each what it ended in."""
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
    limits = LIMITS.model_copy(update={"seconds": seconds, "steps": 10**8, "loop_iterations": 10**7})
    number, output = first, sys.stdout
    while True:
        text = written(f"{seed}/{number}", portable=python)
        output.write(json.dumps({"begins": number}) + "\n")
        output.flush()
        before, peak = time.process_time(), _peak()
        result = ended(text, limits)
        took, grown = time.process_time() - before, _peak() - peak
        kind, detail = result.kind, result.detail
        if kind not in ("fault", "inner"):
            if took > seconds + 1:
                kind, detail = "late", f"{took:.1f} s"
            elif grown > 4 * limits.intermediate_bytes:
                kind, detail = "memory", f"{grown >> 20} MiB"
        differs = difference(result, text) if python else None
        output.write(json.dumps({"number": number, "kind": kind, "detail": detail, "differs": differs}) + "\n")
        output.flush()
        number += 1


def _peak() -> int:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


def _search(programs: int, seed: int, seconds: float, *, python: bool) -> dict[str, int]:
    counts: dict[str, int] = {}
    seen: set[str] = set()
    number = 0
    while number < programs:
        command = [sys.executable, "-m", "tests.app.program.fuzz", "--child", str(number), "--seed", str(seed)]
        child = subprocess.Popen(
            [*command, "--seconds", str(seconds), *(["--python"] if python else [])],
            stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, bufsize=1,
        )  # fmt: skip
        try:
            for report in _reports(child, seconds):
                number = report["number"] + 1
                counts[report["kind"]] = counts.get(report["kind"], 0) + 1
                _tell(report, seen, seed, python=python)
                if number >= programs:
                    break
        finally:
            child.kill()
            child.wait()
    return counts


def _reports(child: subprocess.Popen[str], seconds: float) -> Iterator[dict[str, Any]]:
    """What a child says of its programs; of one that never ends, or ends the child, that."""
    begun, computed = 0, 0.0
    waiting = selectors.DefaultSelector()
    assert child.stdout is not None
    waiting.register(child.stdout, selectors.EVENT_READ)
    while True:
        while not waiting.select(1.0):
            if _computed(child.pid) - computed > seconds + PATIENCE:
                yield {"number": begun, "kind": "hang", "detail": "not ended", "differs": None}
                return
        line = child.stdout.readline()
        if not line:
            yield {"number": begun, "kind": "death", "detail": "its process ended", "differs": None}
            return
        said = json.loads(line)
        if "begins" in said:
            begun, computed = said["begins"], _computed(child.pid)
        else:
            yield said


def _computed(pid: int) -> float:
    """The seconds that a process computed: on a busy machine it may wait for much longer."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def _tell(report: dict[str, Any], seen: set[str], seed: int, *, python: bool) -> None:
    kind, detail, differs = report["kind"], report["detail"], report["differs"]
    texts = [f"{kind}: {detail}"] if kind in ("fault", "inner", "late", "memory", "hang", "death") else []
    texts += [f"ours:   {differs[0][:300]}\nPython: {differs[1][:300]}"] if differs else []
    for text in texts:
        key = re.sub(r"0x\w+|\d+|'[^']*'", "", text)
        if key not in seen or kind in ("late", "memory", "hang", "death"):
            seen.add(key)
            sys.stdout.write(f"-- program {seed}/{report['number']}{' (portable)' * python}\n{text}\n")
            sys.stdout.flush()


def main() -> int:
    """The command."""
    parser = argparse.ArgumentParser(description="Runs random programs, and lists what nobody meant.")
    parser.add_argument("--programs", type=int, default=1000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--seconds", type=float, default=2.0, help="of one program")
    parser.add_argument("--python", action="store_true", help="programs without torch, compared with Python")
    parser.add_argument("--show", help="a program: SEED/NUMBER")
    parser.add_argument("--child", type=int, help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.show is not None:
        text = written(given.show, portable=given.python)
        sys.stdout.write(f"{text}\n{ended(text)}\n")
    elif given.child is not None:
        _child(given.child, given.seed, given.seconds, python=given.python)
    else:
        counts = _search(given.programs, given.seed, given.seconds, python=given.python)
        sys.stdout.write(f"{counts}\n")
        return int(bool(counts.keys() & {"fault", "inner", "late", "memory", "hang", "death"}))
    return 0


if __name__ == "__main__":
    sys.exit(main())
