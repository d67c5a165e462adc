"""Views that show other numbers than their base: how they get their history back after a write. Names are PyTorch's."""

from __future__ import annotations

from typing import Any

import pytest

import engine
from engine import Tensor

torch: Any = engine  # its functions are not known to a type checker


def names(tensor: Tensor, depth: int = 5) -> str:
    """The nodes behind a tensor, the last first, along the first edges."""
    found: list[str] = []
    node = tensor.grad_fn
    while node is not None and len(found) < depth:
        found.append(node.name().removesuffix("Backward0"))
        node = node.next_functions[0][0] if node.next_functions else None
    return " ".join(found)


def complex_numbers() -> Any:
    return torch.tensor([1 + 2j, 3 - 1j, 2j, 4], requires_grad=True) * 1


def test_views_of_parts_are_made_again_step_by_step() -> None:
    y = complex_numbers()
    element, rest, turned = torch.view_as_real(y)[0][0], torch.view_as_real(y[1:]), y.view(2, 2).real.t()
    y.mul_(2)
    assert names(element) == "AsStrided AsStrided ViewAsReal Mul Mul"
    assert names(rest, 3) == "ViewAsReal AsStrided Mul"
    assert names(turned, 4) == "AsStrided AsStrided ViewAsReal AsStrided"


def test_views_of_pairs_are_made_again_step_by_step() -> None:
    y = torch.ones(4, 2, requires_grad=True) * 1
    whole, part = torch.view_as_complex(y), torch.view_as_complex(y[1:])[0]
    y.mul_(2)
    assert names(whole, 3) == "ViewAsComplex Mul Mul"
    assert names(part, 4) == "AsStrided ViewAsComplex AsStrided Mul"


@pytest.mark.parametrize(
    ("source", "target"), [("complex64", "float32"), ("float32", "float64"), ("float32", "complex64")]
)
def test_the_same_bytes_as_another_dtype_are_no_view(source: str, target: str) -> None:
    y = torch.ones(4, dtype=getattr(torch, source), requires_grad=True) * 1
    v = y.view(getattr(torch, target))
    assert (v._is_view(), v.requires_grad, v[:1]._base is v) == (False, False, True)
    y.mul_(2)
    v.zero_()
    assert (v.grad_fn, v._version, y.grad_fn.name(), y.tolist()) == (None, 2, "MulBackward0", [0] * 4)
