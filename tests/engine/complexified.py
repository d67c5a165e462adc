"""Samples with complex numbers in the place of real ones."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import numpy as np

from tests.engine.samples import Fixed, Leaf, Sample, all_samples

REAL, COMPLEX = "float64", "complex128"


def complexified_samples() -> Iterator[tuple[str, int, Sample]]:
    """Those of all ops that have a real leaf, as ``all_samples`` gives them; whether ops take them is another thing."""
    for op, number, sample in all_samples():
        if any(_is_real_leaf(value) for value in (*sample.args, *sample.kwargs.values())):
            args, kwargs = _complexified(sample.args), _complexified(sample.kwargs)
            yield op, number, replace(sample, args=args, kwargs=kwargs)


def _is_real_leaf(value: Any) -> bool:
    if isinstance(value, tuple | list):
        return any(map(_is_real_leaf, value))
    return isinstance(value, Leaf) and value.dtype == REAL


def _complexified(value: Any) -> Any:
    if isinstance(value, Leaf):
        return replace(value, dtype=COMPLEX) if value.dtype == REAL else value
    if isinstance(value, Fixed):
        return replace(value, dtype=COMPLEX) if _is_real(value) else value
    if isinstance(value, tuple | list):
        return type(value)(map(_complexified, value))
    return {name: _complexified(item) for name, item in value.items()} if isinstance(value, dict) else value


def _is_real(value: Fixed) -> bool:
    return bool(value.values(np.random.default_rng(0)).dtype == REAL)
