"""``out=``: results in tensors of the caller, their sizes and dtypes, and what is refused, in PyTorch's words."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import engine as torch
from engine import modes, registry
from engine.errors import ArgumentTypeError, OpError, UnexpectedArgumentError
from engine.op.outs import NAMES

TORCH: Any = torch
X = TORCH.ones(2, 3)
INTEGERS = TORCH.zeros(2, 3, dtype=TORCH.int64)
GRAD = TORCH.ones(2, 3, requires_grad=True)


def test_results_are_written_into_the_tensor_and_it_is_returned() -> None:
    cases: list[tuple[Any, tuple[Any, ...], Any]] = [
        (TORCH.add, (X, X), TORCH.zeros(2, 3)), (TORCH.mul, (X, X), TORCH.zeros(2, 3, dtype=TORCH.float64)),
        (TORCH.mm, (X, X.T), TORCH.zeros(0)), (TORCH.sum, (X, 0), TORCH.zeros(3, dtype=TORCH.int64)),
        (TORCH.eq, (X, X), TORCH.zeros(2, 3)), (TORCH.pow, (2, X), TORCH.zeros(2, 3)),
        (TORCH.zeros, (2,), TORCH.ones(2)),
        (TORCH.sin, (X,), TORCH.zeros(3, 2).T), (TORCH.fft.fft, (X,), TORCH.zeros(0, dtype=TORCH.complex64)),
        (TORCH.cat, ([X, X],), TORCH.zeros(4, 3)), (TORCH.where, (X > 0, X, X * 2), TORCH.zeros(2, 3)),
        (TORCH.eye, (2,), TORCH.zeros(2, 2, dtype=TORCH.int64)), (TORCH.softmax, (X, 0), TORCH.zeros(2, 3)),
    ]  # fmt: skip
    for function, arguments, out in cases:
        version, expected = out._version, function(*arguments)
        assert function(*arguments, out=out) is out
        np.testing.assert_allclose(out.numpy(), expected.numpy())
        assert out._version > version
        assert not out.requires_grad
    assert TORCH.add(X, X, out=None).tolist() == (X + X).tolist()


def test_several_results_come_back_as_a_named_tuple_of_the_targets() -> None:
    values, indices = TORCH.zeros(3), TORCH.zeros(3, dtype=TORCH.int64)
    found = TORCH.max(X, 0, out=(values, indices))
    assert type(found).__name__ == "max_out"
    assert found.values is values
    assert found.indices is indices
    factors = tuple(TORCH.zeros(0) for _ in range(3))
    assert [tuple(one.shape) for one in TORCH.linalg.svd(X, out=factors)] == [(2, 2), (2,), (3, 3)]


def test_a_target_of_another_shape_is_resized_with_a_warning_unless_it_is_empty() -> None:
    for target, count in ((TORCH.zeros(2), 1), (TORCH.zeros(0), 0), (TORCH.zeros(2, 3), 0)):
        warnings: list[str] = []
        with modes.use(modes.State(warnings=warnings)):
            TORCH.add(X, X, out=target)
        assert target.tolist() == [[2.0] * 3] * 2
        assert len(warnings) == count
        assert all("was resized since it had shape [2], which does not match" in text for text in warnings)


REFUSED: dict[str, tuple[type[Exception], Any]] = {
    "result type Float can't be cast to the desired output type Long": (OpError, lambda: TORCH.add(X, X, out=INTEGERS)),
    "Expected out tensor to have dtype float, but got long int instead": (
        OpError, lambda: TORCH.mm(X, X.T, out=TORCH.zeros(2, 2, dtype=TORCH.int64)),
    ),
    "Expected out tensor to have dtype long int, but got float instead": (
        OpError, lambda: TORCH.topk(X, 1, out=(TORCH.zeros(2, 1), TORCH.zeros(2, 1))),
    ),
    "add(): functions with out=... arguments don't support automatic differentiation, but one of the arguments "
    "requires grad.": (OpError, lambda: TORCH.add(GRAD, X, out=TORCH.zeros(2, 3))),
    "mul(): functions with out=... arguments don't support automatic differentiation, but one of the arguments "
    "requires grad.": (OpError, lambda: TORCH.mul(X, X, out=GRAD)),
    "unsupported operation: more than one element of the written-to tensor refers to a single memory location. Please "
    "clone() the tensor before performing the operation.": (
        OpError, lambda: TORCH.add(X, X, out=TORCH.zeros(1).expand(2, 3)),
    ),
    "sin(): argument 'out' must be Tensor, not int": (ArgumentTypeError, lambda: TORCH.sin(X, out=3)),
    "roll() got an unexpected keyword argument 'out'": (
        UnexpectedArgumentError, lambda: TORCH.roll(X, 1, out=TORCH.zeros(2, 3)),
    ),
    "mul() got an unexpected keyword argument 'out'": (
        UnexpectedArgumentError, lambda: X.mul(X, out=TORCH.zeros(2, 3)),
    ),
}  # fmt: skip


@pytest.mark.parametrize("text", REFUSED)
def test_what_is_refused(text: str) -> None:
    kind, call = REFUSED[text]
    with pytest.raises(kind) as caught:
        call()
    assert str(caught.value) == text


def test_under_no_grad_what_requires_grad_may_be_given() -> None:
    with modes.no_grad():
        target = TORCH.zeros(2, 3)
        assert TORCH.add(GRAD, X, out=target) is target


def test_all_functions_that_take_out_in_pytorch_do_here() -> None:
    missing = []
    for name in NAMES:
        function = registry.function(name)
        signature = getattr(function, "signature", None)
        if signature is not None and not signature.takes_out:
            missing.append(name)
    assert sorted(missing) == []
