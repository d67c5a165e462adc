"""Ops that leave out what a mask says: what they are refused for, in the words of PyTorch 2.13."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

import engine
from engine import modes
from engine.errors import EngineError

torch: Any = engine
NO_DTYPE = (
    "mean(): Could not infer output dtype. {} dtype must be either a floating point or complex dtype. Got: torch.{}"
)
NO_BOUNDS = "torch.iinfo() requires an integer input type. Use torch.finfo to handle 'torch.iinfo'"


@pytest.fixture(autouse=True)
def state() -> Iterator[None]:
    with modes.use(modes.State(warnings=[])):
        yield


@pytest.mark.parametrize(
    ("code", "exception", "text"),
    [
        ("M.sum(x, mask=m[None])", "IndexError",
         "_input_mask expected broadcastable mask (got mask dimensionality higher than of the input)"),
        ("M.sum(x, (0, 0))", "RuntimeError", "dim=0 appears multiple times in the list of dims"),
        ("M.softmax(x, 7)", "IndexError",
         "Dimension out of range (expected to be in range of [-2, 1], but got 7)"),
        ("M.amax(m, mask=m)", "NotImplementedError", "identity of amax on torch.bool input"),
        ("M.argmin(c, 1, mask=m)", "TypeError", NO_BOUNDS),
        ("M.amax(c)", "NotImplementedError", "\"max_values_cpu\" not implemented for 'ComplexFloat'"),
        ("M.mean(i)", "ValueError", NO_DTYPE.format("Input", "int64")),
        ("M.mean(x, dtype=torch.int32)", "ValueError", NO_DTYPE.format("Optional", "int32")),
        ("M.median(i, mask=~m)", "ValueError",
         "masked median expects no fully masked out rows if dtype is not floating point"),
        ("M.norm(c, float('-inf'), mask=m)", "AssertionError", "input must be floating point, got torch.complex64"),
        ("M.var(x, 0, True, correction=1)", "AssertionError",
         "Only one of unbiased and correction may be given"),
    ],
)  # fmt: skip
def test_what_is_refused(code: str, exception: str, text: str) -> None:
    x = torch.ones(2, 3)
    names = {"torch": torch, "M": torch.masked, "x": x, "c": torch.complex(x, x), "i": x.long(), "m": x > 0}
    with pytest.raises(EngineError) as caught:
        eval(code, names)
    assert (caught.value.exception, str(caught.value)) == (exception, text)


def test_a_keepdim_of_none_keeps_none() -> None:
    assert torch.masked.sum(torch.ones(2, 3), 1, keepdim=None).shape == (2,)
