"""Every op over its samples: values against goldens, first and second derivatives, the in-place variant."""

from __future__ import annotations

import gzip
import json
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest

from engine import modes, registry
from engine.tensor import Tensor, from_array, values
from tests.engine.checks import differentiable, flat_tensors, gradcheck, gradgradcheck
from tests.engine.samples import Fixed, Leaf, Sample, all_samples
from tests.paths import GOLDEN

RECORDED = GOLDEN / "samples.json.gz"
SAMPLES = list(all_samples())
TOLERANCE = {"float16": 2e-3, "bfloat16": 2e-2, "float32": 2e-5, "complex64": 2e-5}


def name_of(case: tuple[str, int, Sample]) -> str:
    return f"{case[0]}/{case[1]}"


@pytest.fixture(autouse=True)
def state() -> Iterator[None]:
    with modes.use(modes.State(warnings=[])):
        yield


@pytest.fixture(scope="module")
def golden() -> dict[str, Any]:
    return dict(json.loads(gzip.decompress(RECORDED.read_bytes()))["cases"])


def make(values: np.ndarray[Any, Any], requires_grad: bool) -> Tensor:
    array = np.empty_like(values)  # keeps the strides of a strided leaf
    array[...] = values
    return from_array(array, requires_grad)


def function_of(op: str) -> Any:
    function = registry.function(op) or registry.method(op) or registry.attribute(op)
    assert function is not None, f"samples name an op that does not exist: {op}"
    return function


def built(case: tuple[str, int, Sample]) -> tuple[Any, Sample]:
    op, number, description = case
    return function_of(op), description.build(op, number, make)


def test_every_public_op_has_samples() -> None:
    named = {op for op, _, _ in SAMPLES}
    missing = sorted(set(registry.catalogue()) - named)
    assert not missing, f"{len(missing)} ops without samples: {missing}"


@pytest.mark.parametrize("case", SAMPLES, ids=name_of)
def test_values_dtypes_and_names_are_the_references(case: tuple[str, int, Sample], golden: dict[str, Any]) -> None:
    function, call = built(case)
    outputs = flat_tensors(function(*call.args, **call.kwargs))
    expected = golden[name_of(case)]
    assert [(o.dtype.name, list(o.shape)) for o in outputs] == [(e["dtype"], e["shape"]) for e in expected]
    assert [o.grad_fn and o.grad_fn.label for o in outputs] == [e["grad_fn"] for e in expected]
    for output, want in zip(outputs, expected, strict=True):
        assert_same(output, want)


def assert_same(output: Tensor, want: dict[str, Any]) -> None:
    array = values(output)
    if np.iscomplexobj(array):
        array = np.stack([array.real, array.imag], -1)
    target = np.array(want["data"], np.float64).reshape(array.shape)
    rtol = TOLERANCE.get(output.dtype.name, 1e-9)
    np.testing.assert_allclose(array.astype(np.float64), target, rtol=rtol, atol=rtol)


@pytest.mark.parametrize("case", [case for case in SAMPLES if case[2].gradient], ids=name_of)
def test_gradients_are_difference_quotients(case: tuple[str, int, Sample]) -> None:
    function, call = built(case)
    leaves = differentiable([call.args, call.kwargs])
    assert leaves, "nothing to differentiate: say values_only"
    gradcheck(lambda: function(*call.args, **call.kwargs), leaves)


@pytest.mark.parametrize("case", [case for case in SAMPLES if case[2].second_order], ids=name_of)
def test_second_derivatives_are_difference_quotients(case: tuple[str, int, Sample]) -> None:
    function, call = built(case)
    gradgradcheck(lambda: function(*call.args, **call.kwargs), differentiable([call.args, call.kwargs]))


def inplace_cases() -> list[tuple[str, int, Sample]]:
    return [
        case
        for case in SAMPLES
        if case[2].inplace
        and isinstance(next(iter(case[2].args), None), Leaf | Fixed)
        and registry.method(f"{case[0]}_") is not None
    ]


@pytest.mark.parametrize("case", inplace_cases(), ids=name_of)
def test_the_inplace_variant_writes_what_the_op_returns(case: tuple[str, int, Sample]) -> None:
    function, call = built(case)
    first, *rest = call.args
    result = function(first, *rest, **call.kwargs)
    written = registry.method(f"{case[0]}_")
    assert written is not None
    with modes.no_grad():
        target = first.clone()
    if result.dtype is not target.dtype or result.shape != target.shape:
        pytest.skip("the result does not fit into the operand")
    assert written(target, *rest, **call.kwargs) is target
    np.testing.assert_array_equal(target.array, result.array)
    assert target._version == 1
