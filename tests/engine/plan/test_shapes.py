"""What is known of arrays without their elements, beside what kernels compute: of all samples, forward and back.

A plan knows the shape, dtype and layout of the result of every step, and a budget is told of results before they are
there.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest

from engine.op.dispatch import extent
from engine.op.signature import Array
from engine.plan.plan import Graph, optimized
from engine.plan.recorder import Recorder, Step, Value
from engine.shapes import extents
from tests.engine.checks import flat_tensors
from tests.engine.exhaustive import sampled
from tests.engine.ops.test_ops import function_of, make, name_of
from tests.engine.plan.test_complex_replays import COMPLEX_CASES
from tests.engine.plan.test_plan import SAMPLES, Case, arrays_of, other_values

REAL = sampled(SAMPLES, name_of)
COMPLEX = sampled(COMPLEX_CASES, lambda case: f"{name_of(case)}/complex")


class Teller(Recorder):
    """Compares what budgets are told of results with these."""

    def ran(
        self, op: Any, tensors: Sequence[Any], arrays: Sequence[Any], raw: Sequence[Array], results: Sequence[Array]
    ) -> None:
        """A run of a kernel."""
        super().ran(op, tensors, arrays, raw, results)
        if op.nature.view:
            return
        listed = [one for array in arrays for one in (array if type(array) is list else [array])]
        operands = [one for one in listed if isinstance(one, np.ndarray)]
        named = {param.name: arrays[param.index] for param in op.signature.params}
        largest = max([array.size for array in raw], default=0)
        if op.forecast.grows is not None:
            assert largest <= op.forecast.grows(named), op.name
        elif op.nature.pointwise:
            assert largest == extent(operands), op.name
        else:
            assert largest <= sum(map(extents, operands)), op.name


def graph_of(case: Case) -> Graph | None:
    """The steps of a sample's call and of its derivatives; none where these cannot be replayed."""
    op, number, description = case
    function, call = function_of(op), description.build(op, number, make)
    call = dataclasses.replace(call, gradient=description.gradient)
    with Teller([tensor.array for tensor in flat_tensors([call.args, call.kwargs])]) as recorder:
        outputs = arrays_of(function, call, second_order=False)
    return None if recorder.is_eager else optimized(recorder, [recorder.value_of(array) for array in outputs])


def computed(graph: Graph, inputs: list[Array]) -> list[tuple[Step, Value, Array]]:
    """What each step gives, one after the other, on other inputs."""
    known: dict[Value, Array] = dict(zip(graph.inputs, inputs, strict=True))
    found = []

    def array_of(argument: Any) -> Any:
        if isinstance(argument, Value):
            return known[argument] if argument.constant is None else argument.constant
        return [array_of(item) for item in argument] if type(argument) is list else argument

    for step in graph.steps:
        given = step.call(*map(array_of, step.args), **{name: array_of(arg) for name, arg in step.named.items()})
        for value, array in zip(step.results, given if step.many else (given,), strict=True):
            known[value] = np.asarray(array)
            found.append((step, value, known[value]))
    return found


@pytest.mark.parametrize("case", [*REAL, *COMPLEX])
def test_results_of_a_plan_are_shaped_as_it_knows_them(case: Case) -> None:
    graph = graph_of(case)
    if graph is None:  # ``test_plan`` knows these
        return
    other = other_values(case)
    for step, value, array in computed(graph, [tensor.array for tensor in flat_tensors([other.args, other.kwargs])]):
        assert (array.shape, array.dtype) == (value.shape, value.dtype), step
        if value.strides is not None and array.size:
            own = [pair for pair in zip(array.shape, array.strides, value.strides, strict=True) if pair[0] > 1]
            assert all(stride == expected for _, stride, expected in own), step
