"""Inference mode: what is made inside it, what is recorded of it outside, and how writes and gradients go on."""

from __future__ import annotations

from typing import Any

import pytest

import engine
from engine.errors import OpError

torch: Any = engine


def made_inside() -> Any:
    with torch.inference_mode():
        return torch.ones(3).requires_grad_()


def test_of_tensors_made_inside_alone_nothing_is_recorded() -> None:
    x = made_inside()
    assert not torch.cat([x, x]).requires_grad
    assert not x[1:].requires_grad
    assert x[1:].is_inference()
    with pytest.raises(OpError, match="element 0 of tensors does not require grad"):
        x.sum().backward()


def test_beside_another_operand_they_are_part_of_the_graph() -> None:
    x, other = made_inside(), torch.ones(3, requires_grad=True)
    assert (x + other).requires_grad
    assert (x * 2).grad_fn.name() == "MulBackward0"  # a number is a tensor of normal mode in PyTorch
    with pytest.raises(OpError, match="cannot be saved for backward"):
        x * other


def test_another_dtype_is_a_new_tensor() -> None:
    x, normal = made_inside(), torch.ones(3)
    assert not x.view(torch.int32).is_inference()
    with torch.inference_mode():
        assert normal.view(torch.int32).is_inference()
        assert not normal.detach().is_inference()
    assert x.data.is_inference()


def test_a_gradient_that_comes_inside_cannot_grow_outside() -> None:
    x = torch.ones(3, requires_grad=True)
    with torch.inference_mode():
        x.backward(torch.ones(3))
    assert x.grad.is_inference()
    with pytest.raises(OpError, match="Inplace update to inference tensor outside InferenceMode"):
        x.backward(torch.ones(3))


def test_inside_nobody_asks_for_histories() -> None:
    x = torch.arange(3.0).view(3).requires_grad_()
    with torch.inference_mode():
        assert x.detach_() is x
        assert x.resize_(2).shape == (2,)


@pytest.mark.parametrize("mode", [torch.no_grad, torch.inference_mode])
def test_a_view_reshaped_without_recording_gets_a_new_history(mode: Any) -> None:
    view = torch.ones(3, requires_grad=True)[1:]
    with mode():
        view.unsqueeze_(0)
    assert view.grad_fn.name() == "AsStridedBackward0"


def test_what_shares_their_memory_outside_counts_writes_of_its_own() -> None:
    with torch.inference_mode():
        x = torch.ones(3)
    for outside in (x.detach(), x.data, x.view(torch.int32)):
        outside.mul_(2)
        assert outside._version == 1
    with pytest.raises(OpError, match="do not track version counter"):
        _ = x.detach()[1:]._version
    normal = torch.ones(3)
    normal.data = x
    normal.mul_(2)
    assert normal.is_inference()
    assert normal._version == 1
