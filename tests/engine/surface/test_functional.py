"""Derivatives of callables: against formulas, against each other, and what is refused."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

import engine
from engine.errors import ArgumentTypeError, OpError

torch: Any = engine
functional: Any = engine.autograd.functional  # type: ignore[attr-defined]
# A product underflows where factors are tiny, and its derivative is a quotient of it.
ELEMENTS = st.floats(-2, 2).filter(lambda one: one == 0 or abs(one) > 1e-50)
VALUES = arrays(np.float64, 3, elements=ELEMENTS)


def tensor(array: Any) -> Any:
    return torch.tensor(np.asarray(array).tolist(), dtype=torch.float64)


def curved(x: Any) -> Any:
    return x.sin() * x.sum()


def scalar(x: Any) -> Any:
    return (x**3).sum() + x.prod()


def jacobian_of_curved(x: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    return np.asarray(np.diag(np.cos(x)) * x.sum() + np.sin(x)[:, None])


@given(VALUES)
def test_a_jacobian_is_that_of_the_formula(x: np.ndarray[Any, Any]) -> None:
    np.testing.assert_allclose(functional.jacobian(curved, tensor(x)).tolist(), jacobian_of_curved(x), atol=1e-12)


@given(VALUES, VALUES)
def test_products_are_those_with_the_jacobian(x: np.ndarray[Any, Any], v: np.ndarray[Any, Any]) -> None:
    matrix = jacobian_of_curved(x)
    out, pulled = functional.vjp(curved, tensor(x), tensor(v))
    np.testing.assert_allclose(out.tolist(), np.sin(x) * x.sum(), atol=1e-12)
    np.testing.assert_allclose(pulled.tolist(), v @ matrix, atol=1e-12)
    np.testing.assert_allclose(functional.jvp(curved, tensor(x), tensor(v))[1].tolist(), matrix @ v, atol=1e-12)


@given(VALUES, VALUES)
def test_products_with_a_hessian_are_those_of_the_whole(x: np.ndarray[Any, Any], v: np.ndarray[Any, Any]) -> None:
    whole = np.array(functional.hessian(scalar, tensor(x)).tolist())
    np.testing.assert_allclose(whole, whole.T, atol=1e-12)
    np.testing.assert_allclose(np.diag(whole), 6 * x, atol=1e-12)
    for product in (functional.vhp, functional.hvp):
        value, along = product(scalar, tensor(x), tensor(v))
        np.testing.assert_allclose(value.item(), (x**3).sum() + x.prod(), atol=1e-12)
        np.testing.assert_allclose(along.tolist(), whole @ v, atol=1e-12)


def test_several_inputs_give_one_block_each() -> None:
    x, y = tensor([1.0, 2.0]), tensor([3.0, 4.0])
    by_x, by_y = functional.jacobian(lambda x, y: x * y, (x, y))
    assert (by_x.tolist(), by_y.tolist()) == ([[3.0, 0.0], [0.0, 4.0]], [[1.0, 0.0], [0.0, 2.0]])
    blocks = functional.hessian(lambda x, y: (x * y).sum(), (x, y))
    assert blocks[0][1].tolist() == [[1.0, 0.0], [0.0, 1.0]]
    assert blocks[0][0].tolist() == [[0.0, 0.0], [0.0, 0.0]]


def test_a_graph_of_the_derivative_is_kept_where_one_is_asked_for() -> None:
    x = tensor([1.0, 2.0, 3.0]).requires_grad_()
    kept = functional.jacobian(lambda x: x**3, x, create_graph=True)
    kept.sum().backward()
    assert x.grad.tolist() == [6.0, 12.0, 18.0]
    assert not functional.jacobian(lambda x: x**3, x).requires_grad


REFUSED: list[tuple[Callable[[], Any], type[Exception], str]] = [
    (lambda: functional.jacobian(lambda x: 3, tensor([1.0])), ArgumentTypeError, "must be either a Tensor or a tuple"),
    (lambda: functional.jacobian(curved, 3), ArgumentTypeError, "must be either a Tensor or a tuple"),
    (lambda: functional.vjp(curved, tensor([1.0, 2.0])), OpError, "can only be None if"),
    (lambda: functional.vjp(curved, tensor([1.0, 2.0]), tensor([1.0])), OpError, "v has invalid size"),
    (lambda: functional.hessian(curved, tensor([1.0, 2.0])), OpError, "should contain a single element"),
    (
        lambda: functional.jacobian(lambda x: x.detach(), tensor([1.0]), strict=True),
        OpError,
        "differentiable manner",
    ),
]


@pytest.mark.parametrize(("call", "kind", "refusal"), REFUSED)
def test_what_is_no_function_of_tensors_is_refused(
    call: Callable[[], Any], kind: type[Exception], refusal: str
) -> None:
    with pytest.raises(kind, match=refusal):
        call()
