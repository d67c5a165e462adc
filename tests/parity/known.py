"""Differences from PyTorch that stay, each with its reason.

An entry says which kinds of differences it explains, behind which statements, and, where that is not enough, what else
has to hold of all that differs there.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence
from itertools import groupby
from typing import NamedTuple

from tests.parity.compare import Difference
from tests.parity.programs import Program

IN_PLACE = r"^(?:with [^:]*: )?[\w.\[\](),: \"'-]*?\.\w+[a-z0-9]_\(|^\w+(?:\[.*\])? [-+*/%&|]+= |^\w+\[.*\] = "
MAKES = r"^(?:with [^:]*: )?[\w, ]+ = |backward\("


class Place(NamedTuple):
    """All that differs behind one statement of a program, and the statements that may have done it."""

    differences: Sequence[Difference]
    before: Sequence[str]
    candidates: Sequence[str]


def _writes_over_an_operand(place: Place) -> bool:
    """Whether target and operand, or places of the target, are one memory: all of them look different."""
    changed = {difference.name for difference in place.differences if difference.field == "values"}
    return any(_overlaps(statement, changed) for statement in place.candidates if re.search(IN_PLACE, statement))


def _overlaps(statement: str, changed: set[str]) -> bool:
    target = re.match(r"(?:with [^:]*: )?(\w+)", statement)
    operands = set(re.findall(r"\w+", statement[target.end() :])) if target else set()
    return target is not None and ("as_strided" in statement or bool(changed & operands) or target[1] in operands)


def _after_other_data(place: Place) -> bool:
    return any(".data = " in statement for statement in place.before)


def _anywhere(place: Place) -> bool:
    return True


class Known(NamedTuple):
    """A difference that is meant; the patterns are searched for."""

    kind: str
    statement: str
    reason: str
    holds: Callable[[Place], bool] = _anywhere


KNOWN: tuple[Known, ...] = (
    Known(
        r"^grad\.version$", "",
        "PyTorch copies a gradient into memory it has just made, or takes it over, by how many hold it at that moment; "
        "the copy counts as a write. Nobody can have saved the gradient before.",
    ),
    Known(
        r"^(item\.)?version$", MAKES,
        "PyTorch writes some results (of argmax, of gradients of selections) into memory it has just made, and counts "
        "that. Nobody can have saved them before.",
    ),
    Known(
        r"version$", "", "Views of what a tensor showed before `.data =` go on to count with it in PyTorch.",
        _after_other_data,
    ),
    Known(
        r"^(item\.)?values$", IN_PLACE,
        "The target overlaps what is read in a way that PyTorch does not see: it reads what it has already written, in "
        "an order that nobody promises. Here the operands are read first.",
        _writes_over_an_operand,
    ),
    Known(
        r"^(item\.)?(values|shape|stride)$", IN_PLACE,
        "PyTorch finds only after the write that a tensor of inference mode must not be written to.",
        lambda place: any("inference_mode" in statement for statement in place.before),
    ),
    Known(
        r"^(item\.)?(requires_grad|grad_fn|leaf)$", IN_PLACE,
        "In PyTorch a tensor of integers that a tracked number is written into comes to require grad.",
        lambda place: {"requires_grad", "leaf"} <= {difference.field for difference in place.differences},
    ),
    Known(
        r"^(item\.)?values$", r"\.(type|to)\(torch\.float64\)|\.double\(\)",
        "Numbers computed in float32, whose last digits differ, seen as float64.",
        lambda place: any("float32" in statement for statement in place.before),
    ),
    Known(r"values$", r"resize_", "Elements that `resize_` adds are whatever memory holds in PyTorch; here 0."),
    Known(
        "unallocated storage", "",
        "PyTorch has tensors of zeros without memory for gradients that vanish, and refuses to show them.",
    ),
    Known(
        r"^(item\.)?values$", r"\.view\(torch\.u?int",
        "The bits of computed numbers, whose last digit differs.",
        lambda place: any("float" in statement for statement in place.before),
    ),
    Known(
        r"'out'|functions with out=|got an unexpected keyword argument|cannot resize", r"out=",
        "Results are not written into tensors given as `out=`.",
    ),
    Known(r"error: None \| TypeError|error: RuntimeError.*\| TypeError", r"out=", "The same: `out=` is not taken."),
    Known(
        r"^warnings", r"float\(|int\(|complex\(|\.item\(",
        "The second line of this warning; programs recorded from PyTorch have its first line only.",
    ),
    Known(
        r"^(item\.)?(view|base)$", r"autograd\.grad\(",
        "A gradient that PyTorch makes by a view of a sum is a tensor of its own here.",
    ),
    Known(
        r"version", "", "A tensor given the data of one made in inference mode has no version in PyTorch.",
        lambda place: any("inference_mode" in statement for statement in place.before),
    ),
    Known(
        r"^(item\.)?values$", r"logical_|sign|eq\(|ne\(|floor|ceil|trunc|round|argm|sort|> |< ",
        "A number that is 0 but for rounding, looked at as a truth value, a sign or a whole number.",
        lambda place: any("/" in one or "complex" in one or "div" in one for one in place.before),
    ),
)  # fmt: skip


def reason(difference: Difference, place: Place) -> str | None:
    """Why this difference is meant, if it is."""
    for known in KNOWN:
        behind = any(re.search(known.statement, statement) for statement in place.candidates)
        if behind and re.search(known.kind, difference.kind) and known.holds(place):
            return known.reason
    return None


def unexplained(found: Iterable[Difference], program: Program) -> list[Difference]:
    """The differences after the first statement that has unexplained ones.

    What follows upon a known difference of more than words or versions may follow from it, so it counts for nothing.
    """
    for position, group in groupby(found, lambda difference: difference.position):
        before = program.statements[: position + 1]
        place = Place(list(group), before, before[-1:] if program.watched else before)
        rest = [difference for difference in place.differences if reason(difference, place) is None]
        explained = [difference for difference in place.differences if difference not in rest]
        if any(not (difference.is_wording or difference.field.endswith("version")) for difference in explained):
            return []
        if rest:
            return rest
    return []
