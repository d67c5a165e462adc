"""Plans of samples with complex numbers in them, and of their derivatives."""

from __future__ import annotations

import dataclasses

import pytest

from engine.plan import fusion
from tests.engine.complexified import complexified_samples
from tests.engine.exhaustive import sampled
from tests.engine.ops.test_complex_samples import OUTCOMES
from tests.engine.ops.test_ops import name_of
from tests.engine.plan.test_plan import Case, check_replay


def _cases() -> list[Case]:
    """What PyTorch takes; differentiated as often as it can."""
    found = []
    for op, number, sample in complexified_samples():
        outcome = OUTCOMES[name_of((op, number, sample))]
        if outcome != "refused":
            gradient, second_order = outcome in ("once", "twice"), outcome == "twice"
            found.append((op, number, dataclasses.replace(sample, gradient=gradient, second_order=second_order)))
    return found


COMPLEX_CASES = _cases()


@pytest.mark.parametrize("case", sampled(COMPLEX_CASES, name_of))
def test_a_complex_sample_is_replayed_on_other_values(case: Case) -> None:
    check_replay(case, second_order=case[2].second_order)


@pytest.mark.parametrize("case", sampled(COMPLEX_CASES, name_of))
def test_a_complex_sample_is_replayed_in_blocks(case: Case, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fusion, "LEAST_BYTES", 1)
    check_replay(case, second_order=case[2].second_order)
