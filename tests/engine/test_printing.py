"""Texts of tensors: against PyTorch's own (``tests/golden/printing.jsonl.gz``), and laws that hold for all."""

from __future__ import annotations

import base64
import gzip
import json
import math
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine import dtypes
from engine.printing import PrintOptions, format_tensor, format_values
from tests.paths import GOLDEN

RECORDED = GOLDEN / "printing.jsonl.gz"
NAMES = [dtype.name for dtype in dtypes.ALL]
Record = dict[str, Any]


def _cases() -> dict[str, list[Record]]:
    with gzip.open(RECORDED, "rt", encoding="utf-8") as lines:
        next(lines)
        cases = [json.loads(line) for line in lines]
    return {name: [case for case in cases if case["dtype"] == name] for name in NAMES}


CASES = _cases()


def _text(case: Record) -> str:
    dtype = dtypes.by_name(case["dtype"]).numpy
    array = np.frombuffer(base64.b64decode(case["data"]), dtype).reshape(case["shape"])
    return format_tensor(
        array,
        PrintOptions().updated(**case["options"]),
        dtype=case["dtype"],
        default_dtype=case["default_dtype"],
        requires_grad=case["requires_grad"],
        grad_fn=case["grad_fn"],
    )


@pytest.mark.parametrize("name", NAMES)
def test_texts_are_those_of_the_reference(name: str) -> None:
    assert CASES[name]
    for case in CASES[name]:
        assert _text(case) == case["text"], (case["shape"], case["options"])


def test_a_transposed_array_prints_its_own_order() -> None:
    assert format_values(np.arange(4).reshape(2, 2).T, PrintOptions()) == "[[0, 2],\n [1, 3]]"


@given(st.lists(st.integers(-(2**63), 2**63 - 1), min_size=1, max_size=1000), st.integers(1, 200))
def test_integers_can_be_read_back(values: list[int], linewidth: int) -> None:
    text = format_values(np.array(values), PrintOptions(linewidth=linewidth))
    assert json.loads(text) == values


@given(st.lists(st.floats(allow_nan=False, allow_infinity=False), min_size=1, max_size=50))
def test_floats_can_be_read_back_when_all_digits_are_shown(values: list[float]) -> None:
    text = format_values(np.array(values), PrintOptions(precision=17, sci_mode=True))
    read = [float(word) for word in text.strip("[]").split(",")]
    assert read == values


@given(st.integers(12, 120), st.integers(1, 300))
def test_lines_keep_to_the_width(linewidth: int, length: int) -> None:
    """The comma at the end of a line is free, as in PyTorch."""
    text = format_values(np.arange(length) / 7, PrintOptions(linewidth=linewidth))
    assert max(map(len, text.split("\n"))) <= linewidth


@given(st.lists(st.integers(1, 12), min_size=1, max_size=3), st.integers(1, 3), st.integers(0, 2**32))
def test_a_summary_depends_on_the_edges_alone(shape: list[int], edge: int, seed: int) -> None:
    options = PrintOptions(threshold=0, edgeitems=edge)
    array = np.random.default_rng(seed).standard_normal(shape)
    changed = array.copy()
    changed[tuple(slice(edge, -edge) if length > 2 * edge else slice(0, 0) for length in shape)] = 1e30
    assert format_values(changed, options) == format_values(array, options)


def test_a_large_tensor_is_summarised_without_being_copied() -> None:
    array = np.lib.stride_tricks.as_strided(np.ones(1, np.float32), (10**6, 10**6), (0, 0))
    text = format_tensor(array, PrintOptions(), dtype="float32")
    assert text.count("1.") == 36
    assert text.count("...") == 7


def test_updated_starts_from_the_profile_and_takes_single_options_over_it() -> None:
    options = PrintOptions(linewidth=33).updated(profile="short", edgeitems=5)
    assert options == PrintOptions(precision=2, threshold=1000, edgeitems=5, linewidth=80)
    assert options.updated(profile="full").threshold == math.inf
    assert options.updated(profile="unheard of") == options


def test_updated_forgets_sci_mode_unless_it_is_given_again() -> None:
    options = PrintOptions().updated(sci_mode=True)
    assert options.sci_mode is True
    assert options.updated(precision=2) == PrintOptions(precision=2)
