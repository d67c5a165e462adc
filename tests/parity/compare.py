"""Where two runs of one program differ, and of which kind a difference is."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from tests.parity.execute import Step

# Relative to the largest element; gradients go through several roundings of their own.
TOLERANCES = {
    "float16": 1e-2, "bfloat16": 6e-2, "float32": 2e-5, "complex64": 2e-5, "float64": 1e-10, "complex128": 1e-10,
}  # fmt: skip
BROKEN = "INTERNAL ASSERT FAILED"  # PyTorch's words for a bug of its own
# What answers of the service do not show.
INNER = {
    "stride", "idle stride", "contiguous", "offset", "version", "view", "base", "output_nr", "retains_grad", "conj",
    "neg",
}  # fmt: skip
VARYING = re.compile(r"-?\d[\d.e+-]*|\[[^\]]*\]|'[^']*'")


@dataclass(frozen=True)
class Difference:
    """``field`` of ``name`` after the statement at ``position``; a refusal and warnings belong to no name."""

    position: int
    name: str
    field: str
    expected: Any
    found: Any

    @property
    def is_wording(self) -> bool:
        """Both refused, or both did it: only the texts differ."""
        return self.field == "warnings" or (self.field == "error" and None not in (self.expected, self.found))

    @property
    def kind(self) -> str:
        """What stays the same while a program shrinks: the field, and the texts of refusals without their numbers."""
        if "error" not in self.field and "warnings" not in self.field and not _is_refusal(self.expected, self.found):
            return self.field
        return f"{self.field}: {_without_numbers(self.expected)} | {_without_numbers(self.found)}"


def _without_numbers(answer: Any) -> str:
    return VARYING.sub("#", "; ".join(answer) if isinstance(answer, list) else str(answer))


def _is_refusal(*answers: Any) -> bool:
    return any(isinstance(answer, str) and "Error: " in answer for answer in answers)


def differences(expected: list[Step], found: list[Step]) -> Iterator[Difference]:
    """In the order of the program, to where PyTorch itself broke.

    A name is compared whenever it looks different to either library.
    """
    left: dict[str, Any] = {}
    right: dict[str, Any] = {}
    for position, (theirs, ours) in enumerate(zip(expected, found, strict=True)):
        if BROKEN in f"{theirs.error}{theirs.changes}":
            return
        if theirs.error != ours.error:
            yield Difference(position, "", "error", theirs.error, ours.error)
        if theirs.warnings != ours.warnings:
            yield Difference(position, "", "warnings", theirs.warnings, ours.warnings)
        left.update(theirs.changes)
        right.update(ours.changes)
        for name in {**theirs.changes, **ours.changes}:
            for field, one, other in fields(left.get(name), right.get(name)):
                yield Difference(position, name, field, one, other)


def fields(expected: Any, found: Any, prefix: str = "") -> Iterator[tuple[str, Any, Any]]:
    """The fields that differ of two observations, nested ones by their path."""
    if isinstance(expected, list) and isinstance(found, list) and len(expected) == len(found) and prefix == "":
        for left, right in zip(expected, found, strict=True):
            yield from fields(left, right, "item.")
    elif not (isinstance(expected, dict) and isinstance(found, dict)):
        if expected != found:
            yield f"{prefix}whole", expected, found
    else:
        yield from _differing(expected, found, prefix)


def _differing(expected: dict[str, Any], found: dict[str, Any], prefix: str) -> Iterator[tuple[str, Any, Any]]:
    for field in {**expected, **found}:
        left, right = expected.get(field), found.get(field)
        if field == "grad" and isinstance(left, dict) and isinstance(right, dict):
            yield from fields(left, right, f"{prefix}grad.")
        elif field == "values" and expected["dtype"] == found["dtype"]:
            if not close(str(left), str(right), expected["dtype"]):
                yield f"{prefix}values", left, right
        elif left != right:
            yield f"{prefix}{_kind_of_stride(expected, found) if field == 'stride' else field}", left, right


def _kind_of_stride(expected: dict[str, Any], found: dict[str, Any]) -> str:
    """Strides of extents of 1 tell nothing of where elements lie."""
    if expected["shape"] != found["shape"]:
        return "stride"
    dims = zip(expected["shape"], expected["stride"], found["stride"], strict=True)
    return "idle stride" if all(left == right or extent == 1 for extent, left, right in dims) else "stride"


def close(expected: str, found: str, dtype: str) -> bool:
    """Whether two lines of numbers are equal as far as their dtype can tell."""
    if expected == found:
        return True
    tolerance = TOLERANCES.get(dtype)
    if tolerance is None or _is_refusal(expected, found):
        return False
    left, right = _numbers(expected), _numbers(found)
    if len(left) != len(right):
        return False
    scale = max((abs(value) for value in left if math.isfinite(value)), default=0.0)
    return all(_near(a, b, tolerance * max(scale, 1.0)) for a, b in zip(left, right, strict=True))


def _near(a: float, b: float, tolerance: float) -> bool:
    return a == b or (math.isnan(a) and math.isnan(b)) or abs(a - b) <= tolerance


def _numbers(line: str) -> list[float]:
    return [float(word) for word in line.replace(",", " ").split()]


def is_inner(difference: Difference) -> bool:
    """Whether this can be seen in a process only: layouts, counters, nodes behind that of a result."""
    field, (left, right) = difference.field.rpartition(".")[2], (difference.expected, difference.found)
    if field == "grad_fn" and isinstance(left, str) and isinstance(right, str):
        return left.partition("(")[0] == right.partition("(")[0]
    if difference.name == "h" and field == "whole" and left == "None":
        return isinstance(right, dict) and not set(right["values"]) - set("-0, ")
    return field in INNER
