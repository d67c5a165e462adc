"""Short programs with what PyTorch does, run in process: values, gradients, texts, errors, warnings.

``tests/golden/snippets.jsonl.gz`` was recorded with the version of PyTorch that its first line names. Programs that do
not pass yet are listed in ``snippets_pending.txt``; one that begins to pass has to leave the list.
"""

from __future__ import annotations

import gzip
import json
import math
import re
import sys
from collections.abc import Iterator
from typing import Any

import pytest

from app.limits import Limits
from app.program import interpret
from app.program.from_code import parse_code
from app.program.tree import ProgramError
from app.program.values import encode_value, is_encodable
from engine import Tensor, modes
from tests.paths import GOLDEN

PENDING = frozenset((GOLDEN / "snippets_pending.txt").read_text().split())
TOLERANCES = {"float64": (1e-9, 1e-9), "float32": (1e-5, 1e-6), "float16": (1e-3, 1e-3), "bfloat16": (1e-2, 1e-2)}
NUMBER = re.compile(r"-?(?:\d+\.?\d*(?:e[+-]?\d+)?|inf|nan)")
LONG = 9  # digits, beyond which a printed number is no tensor's
ADDRESS = re.compile(r"0x[0-9a-f]{4,}")
SPECIAL = {"NaN": math.nan, "Infinity": math.inf, "-Infinity": -math.inf}
Record = dict[str, Any]


def recorded(name: str) -> list[Record]:
    """The records of a file, whose first line says what they were made with."""
    with gzip.open(GOLDEN / name, "rt", encoding="utf-8") as lines:
        next(lines)
        return [json.loads(line) for line in lines]


SNIPPETS = recorded("snippets.jsonl.gz")


def run(code: str) -> tuple[Record, interpret.Outcome | ProgramError, list[str]]:
    """The namespace as encoded values, what came of the run, and its warnings."""
    limits, namespace, state = Limits(), dict[str, Any](), modes.State(warnings=[])
    with modes.use(state):
        ending: interpret.Outcome | ProgramError
        try:
            ending = interpret.run(parse_code(code, limits), namespace, limits=limits)
        except ProgramError as error:
            ending = error
        shown = encoded(namespace)
    return shown, ending, list(state.warnings or ())


def encoded(namespace: dict[str, Any]) -> Record:
    """What there is a form for, by name."""
    return {name: encode_value(value, record) for name, value in namespace.items() if is_encodable(value)}


def record(tensor: Tensor) -> Record:
    """Everything that a snippet says of a tensor."""
    facts = {"data": tensor.tolist(), "dtype": tensor.dtype.name, "shape": list(tensor.shape)}
    facts |= {"requires_grad": tensor.requires_grad, "is_leaf": tensor.is_leaf}
    facts["grad_fn"] = None if tensor.grad_fn is None else tensor.grad_fn.name()
    return facts | {"grad": None if tensor._grad is None else record(tensor._grad)}


def faults(snippet: Record) -> Iterator[str]:
    """Where a run differs from what was recorded."""
    return differences(snippet, *run(snippet["code"]))


def differences(
    snippet: Record, shown: Record, ending: interpret.Outcome | ProgramError, warnings: list[str]
) -> Iterator[str]:
    """Where these values, this ending and these warnings differ from what was recorded.

    A record's ``tolerance`` widens that of float32, and holds for long printed numbers.
    """
    wider = tuple(snippet.get("tolerance", (0.0, 0.0)))
    yield from _error_faults(ending, snippet["error"])
    yield from _print_faults(ending.prints, snippet["prints"], wider)
    for name, wanted in snippet["expect"]["tensors"].items():
        if not same(shown.get(name), {"tensor": wanted}, wider=wider):
            yield f"{name}: {shown.get(name)}, want {wanted}"
    for name, wanted in snippet["expect"]["values"].items():
        if name not in shown or not same(shown[name], wanted, wider=wider):
            yield f"{name}: {shown.get(name)!r}, want {wanted!r}"
    if warnings != snippet.get("warnings", []):
        yield f"warnings {warnings}"


def _error_faults(ending: interpret.Outcome | ProgramError, wanted: Record | None) -> Iterator[str]:
    got = None
    if isinstance(ending, ProgramError):
        got = {"type": ending.exception, "message": ending.detail, "lineno": ending.line}
    if got != wanted:
        yield f"error {got}, want {wanted}"


def _print_faults(got: list[str], wanted: list[str], wider: tuple[float, ...]) -> Iterator[str]:
    if len(got) != len(wanted):
        yield f"{len(got)} prints, want {len(wanted)}"
    for text, expected in zip(got, wanted, strict=False):
        if not same_text(ADDRESS.sub("0xADDR", text), expected, wider):
            yield f"print {text!r}, want {expected!r}"


def same(got: Any, wanted: Any, dtype: str = "float32", wider: tuple[float, ...] = (0.0, 0.0)) -> bool:
    """Whether two encoded values agree, numbers within the tolerance of their dtype."""
    if isinstance(wanted, dict):
        kind = wanted.get("dtype", dtype)
        return isinstance(got, dict) and all(key in got and same(got[key], wanted[key], kind, wider) for key in wanted)
    if isinstance(wanted, list):
        same_length = isinstance(got, list) and len(got) == len(wanted)
        return same_length and all(same(one, other, dtype, wider) for one, other in zip(got, wanted, strict=True))
    if isinstance(wanted, float) or (isinstance(wanted, str) and wanted in SPECIAL):
        return _close(got, wanted, dtype, wider)
    return type(got) is type(wanted) and bool(got == wanted)


def _close(got: Any, wanted: Any, dtype: str, wider: tuple[float, ...]) -> bool:
    got, wanted = SPECIAL.get(got, got), SPECIAL.get(wanted, wanted)
    if not isinstance(got, float) or not math.isfinite(wanted):
        return isinstance(got, float) and (got == wanted or (math.isnan(got) and math.isnan(wanted)))
    rtol, atol = TOLERANCES.get(dtype, (1e-5, 1e-6))
    if dtype == "float32":
        rtol, atol = max(rtol, wider[0]), max(atol, wider[1])
    return bool(abs(got - wanted) <= atol + rtol * abs(wanted))


def same_text(got: str, wanted: str, wider: tuple[float, ...] = (0.0, 0.0)) -> bool:
    """Equal texts, or equal up to one unit in the last printed digit of each number, or ``wider`` for long ones."""
    if got == wanted:
        return True
    pairs = zip(NUMBER.findall(got), NUMBER.findall(wanted), strict=False)
    return NUMBER.sub("#", got) == NUMBER.sub("#", wanted) and all(
        one == other or _adjacent(one, other, wider) for one, other in pairs
    )


def _adjacent(got: str, wanted: str, wider: tuple[float, ...]) -> bool:
    if "n" in got + wanted:
        return False
    mantissa, _, exponent = wanted.partition("e")
    unit = 10.0 ** (int(exponent or 0) - len(mantissa.partition(".")[2]))
    is_long = len(mantissa.lstrip("-0.").replace(".", "")) > LONG
    allowed = wider[1] + wider[0] * abs(float(wanted)) if is_long else 0.0
    return abs(float(got) - float(wanted)) <= max(1.01 * unit, allowed)


@pytest.mark.parametrize("snippet", SNIPPETS, ids=[snippet["id"] for snippet in SNIPPETS])
def test_a_program_does_what_pytorch_does(snippet: Record) -> None:
    found = list(faults(snippet))
    if snippet["id"] in PENDING:
        assert found, f"{snippet['id']} passes now: take it off snippets_pending.txt"
    else:
        assert not found, "\n".join(found)


def test_only_recorded_programs_are_pending() -> None:
    assert not PENDING - {snippet["id"] for snippet in SNIPPETS}


if __name__ == "__main__":  # PYTHONPATH=. python tests/app/test_snippets.py > tests/golden/snippets_pending.txt
    sys.stdout.writelines(f"{snippet['id']}\n" for snippet in SNIPPETS if any(faults(snippet)))
