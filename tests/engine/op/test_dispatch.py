"""Decisions: what the kinds of operands decide, once, and what is refused instead."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import engine
from engine import modes, registry
from engine.dtypes import float16, float32
from engine.errors import OpError, TooLargeError, UnsupportedError
from engine.op.dispatch import Decision, array_of, kind_of, kinds_of
from engine.op.primitive import MOST_DECISIONS

torch: Any = engine
HALF, SINGLE, DOUBLE, WHOLE = (torch.ones(2, dtype=name) for name in ("float16", "float32", "float64", "int64"))


def decided(name: str, *operands: Any) -> Decision:
    op = registry.op(name)
    decision: Decision = op.decide((modes.current().default_dtype, *map(kind_of, operands)), operands)
    return decision


@pytest.mark.parametrize(
    ("operands", "compute", "narrow"),
    [
        ((SINGLE, DOUBLE), np.float64, None), ((SINGLE, torch.ones((), dtype=torch.float64)), np.float32, None),
        ((SINGLE, 2), np.float32, None), ((WHOLE, 2), np.int64, None), ((WHOLE, 2.5), np.float32, None),
        ((HALF, 2.5), np.float32, float16), ((HALF, HALF), np.float32, float16), ((HALF, SINGLE), np.float32, None),
        ((SINGLE, 1j), np.complex64, None), ((WHOLE, True), np.int64, None),
    ],
)  # fmt: skip
def test_kinds_decide_the_dtype_of_the_kernel_and_of_its_results(operands: Any, compute: Any, narrow: Any) -> None:
    decision = decided("mul", *operands)
    assert (decision.compute, decision.narrow) == (np.dtype(compute), narrow)


def test_integers_become_the_default_dtype_where_the_op_says_so() -> None:
    assert decided("sin", WHOLE).compute == float32.numpy


def test_a_number_among_the_operands_may_be_another_overload() -> None:
    overload = decided("eq", SINGLE, 2).overload
    assert overload is not None
    assert (overload.grad_fn, overload.edges(("first", "second"))) == ("EqBackward0", ("first",))
    assert decided("eq", SINGLE, SINGLE).overload is None
    in_rules = decided("mul", SINGLE, 2).overload
    assert in_rules is not None
    assert in_rules.in_rules


def test_a_dtype_without_a_kernel_is_refused_after_shapes_that_do_not_broadcast() -> None:
    complex_ones = torch.ones(2, dtype=torch.complex64)
    with pytest.raises(UnsupportedError, match="not implemented for 'ComplexFloat'"):
        decided("lt", SINGLE, complex_ones)
    with pytest.raises(OpError, match="must match the size of tensor b"):
        decided("lt", torch.ones(3), complex_ones)


def test_a_decision_is_kept_and_their_number_is_bounded() -> None:
    op = registry.op("atan2")
    torch.atan2(SINGLE, DOUBLE)
    key = (modes.current().default_dtype, kind_of(SINGLE), kind_of(DOUBLE))
    kept = op.decisions[key]
    torch.atan2(SINGLE, DOUBLE)
    assert op.decisions[key] is kept
    assert len(op.decisions) < MOST_DECISIONS


def test_a_list_has_the_set_of_its_kinds() -> None:
    assert kinds_of([SINGLE, DOUBLE, SINGLE]) == {np.dtype(np.float32), np.dtype(np.float64)}


@pytest.mark.parametrize(("number", "dtype"), [(-4, np.uint8), (2**53 + 1, np.float64), (2.5, np.float32)])
def test_a_number_is_cast_as_pytorch_casts_it(number: Any, dtype: Any) -> None:
    wanted = np.array(number).astype(dtype)
    array = array_of(number, np.dtype(dtype))
    assert (array.dtype, array.tolist()) == (wanted.dtype, wanted.tolist())
    with pytest.raises(TooLargeError, match="int too big to convert"):
        array_of(2**64, np.dtype(dtype))


BORDER = [2**63 - 1, -(2**63), 5]


@pytest.mark.parametrize(
    ("code", "expected"),
    [
        ("a + 1", [-(2**63), -(2**63) + 1, 6]), ("a + 2**63", [-1, 0, -(2**63) + 5]),
        ("a * 2**63", [-(2**63), 0, -(2**63)]),
        ("a.add(1, alpha=2**62)", [-(2**63) + 2**62 - 1, -(2**63) + 2**62, 2**62 + 5]),
        ("2**63 - a", [1, 0, 2**63 - 5]), ("a == 2**63", [False, True, False]),
        ("torch.tensor([1.0]) + 2**63", [2.0**63]), ("torch.tensor([250], dtype=torch.uint8) + 2**63", [250]),
    ],
)  # fmt: skip
def test_integers_wrap_as_they_do_in_64_bits(code: str, expected: Any) -> None:
    assert eval(code, {"torch": torch, "a": torch.tensor(BORDER)}).tolist() == expected


@pytest.mark.parametrize(
    ("number", "text"), [(2**64, "int too big to convert"), (-(2**63) - 1, "can't convert negative int to unsigned")]
)
def test_integers_that_no_64_bits_hold_are_refused(number: int, text: str) -> None:
    with pytest.raises(TooLargeError, match=text):
        torch.ones(2) + number
