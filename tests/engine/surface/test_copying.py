"""``copy.copy`` and ``copy.deepcopy`` of tensors."""

from __future__ import annotations

import copy
from typing import Any

import pytest

import engine
from engine.errors import OpError

torch: Any = engine


def test_a_deep_copy_is_a_leaf_of_its_own_with_a_copy_of_the_grad() -> None:
    x = torch.ones(2, requires_grad=True)
    x.grad = torch.full((2,), 3.0)
    made = copy.deepcopy(x)
    assert (made.requires_grad, made.tolist(), made.grad.tolist()) == (True, [1.0, 1.0], [3.0, 3.0])
    assert made.grad is not x.grad
    assert made.data_ptr() != x.data_ptr()


def test_a_parameter_stays_one_and_leaves_its_grad_behind() -> None:
    parameter = torch.nn.Parameter(torch.ones(2))
    parameter.grad = torch.ones(2)
    made = copy.deepcopy(parameter)
    assert type(made) is type(parameter)
    assert made.grad is None


def test_what_shares_memory_does_so_in_the_copy() -> None:
    whole = torch.arange(6.0)
    part = whole[2:4]
    first, second = copy.deepcopy([whole, part])
    second[0] = 99.0
    assert first.tolist() == [0.0, 1.0, 99.0, 3.0, 4.0, 5.0]
    assert whole.tolist() == [0.0, 1.0, 2.0, 3.0, 4.0, 5.0]
    assert (second.storage_offset(), second._base) == (2, None)


def test_strides_and_lazy_bits_are_kept() -> None:
    assert copy.deepcopy(torch.ones(2).expand(3, 2)).stride() == (0, 1)
    lazy = torch.tensor([1 + 2j]).conj()
    assert copy.deepcopy(lazy).tolist() == [1 - 2j]
    assert copy.deepcopy(torch.zeros(0, 3)).shape == (0, 3)
    assert copy.deepcopy(torch.tensor([1.5], dtype=torch.bfloat16)).tolist() == [1.5]


def test_a_tensor_that_was_computed_is_refused() -> None:
    with pytest.raises(OpError, match="Only Tensors created explicitly by the user"):
        copy.deepcopy(torch.ones(2, requires_grad=True) * 2)


def test_a_shallow_copy_has_the_same_memory() -> None:
    x = torch.ones(2, requires_grad=True)
    made = copy.copy(x * 2)
    assert (made.is_leaf, made.requires_grad) == (True, True)
    assert copy.copy(x).data_ptr() == x.data_ptr()
