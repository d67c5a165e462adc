"""Every sample with complex numbers in it: taken or refused as in PyTorch, and differentiated wherever that is.

``tests/golden/complex_samples.tsv`` says what PyTorch does, and whether its own ``gradcheck`` confirms it.
"""

from __future__ import annotations

from typing import Any

import pytest

from engine.errors import EngineError
from tests.engine.checks import differentiable, flat_tensors, gradcheck, gradgradcheck
from tests.engine.complexified import complexified_samples
from tests.engine.exhaustive import sampled
from tests.engine.ops.test_ops import built, name_of
from tests.engine.samples import Sample
from tests.paths import GOLDEN

Case = tuple[str, int, Sample]
CASES = list(complexified_samples())
OUTCOMES = dict(line.split("\t") for line in (GOLDEN / "complex_samples.tsv").read_text().splitlines())


def of_outcome(*outcomes: str) -> list[Any]:
    return sampled([case for case in CASES if OUTCOMES.get(name_of(case)) in outcomes], name_of)


def test_every_sample_with_a_real_leaf_was_recorded() -> None:
    assert OUTCOMES.keys() == set(map(name_of, CASES))


@pytest.mark.parametrize("case", of_outcome("refused"))
def test_what_pytorch_refuses_is_refused(case: Case) -> None:
    function, call = built(case)
    with pytest.raises(EngineError):
        function(*call.args, **call.kwargs)


@pytest.mark.parametrize("case", of_outcome("values", "once", "twice"))
def test_what_pytorch_takes_is_taken(case: Case) -> None:
    function, call = built(case)
    assert flat_tensors(function(*call.args, **call.kwargs)) is not None


@pytest.mark.parametrize("case", of_outcome("once", "twice"))
def test_complex_gradients_are_difference_quotients(case: Case) -> None:
    function, call = built(case)
    gradcheck(lambda: function(*call.args, **call.kwargs), differentiable([call.args, call.kwargs]))


@pytest.mark.parametrize("case", of_outcome("twice"))
def test_complex_second_derivatives_are_difference_quotients(case: Case) -> None:
    function, call = built(case)
    gradgradcheck(lambda: function(*call.args, **call.kwargs), differentiable([call.args, call.kwargs]))
