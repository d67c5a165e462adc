"""Lazy conjugates, and the opposites that their imaginary parts are: views whose memory holds other numbers."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import engine
from engine import Tensor
from engine.errors import OpError
from tests.engine.autograd.test_view_histories import complex_numbers, names

torch: Any = engine  # its functions are not known to a type checker
NUMBERS = [1 + 2j, 3 - 1j]


def conjugate(requires_grad: bool = False) -> tuple[Any, Any]:
    x = torch.tensor(NUMBERS, requires_grad=requires_grad)
    return x, x.conj()


# -- what it is ---------------------------------------------------------------------------------------------------
def test_a_conjugate_is_a_view_with_a_bit() -> None:
    x, y = conjugate()
    assert (y.is_conj(), y._is_view(), y._base is x, y.data_ptr() == x.data_ptr()) == (True, True, True, True)
    assert y.tolist() == [1 - 2j, 3 + 1j]
    assert (y.conj().is_conj(), y.conj()._base is x, y.conj().tolist()) == (False, True, NUMBERS)
    assert torch.is_conj(y)
    assert not torch.is_conj(x)


def test_the_adjoint_has_the_strides_of_the_transpose() -> None:
    x = torch.tensor([[1 + 2j, 3, 4], [5, 6, 7j]])
    for y in (x.mH, x.H, x.adjoint()):
        assert (y.stride(), y.is_conj(), y._base is x) == ((1, 3), True, True)


@pytest.mark.parametrize(
    ("view", "strides"),
    [
        (lambda x: x, [(3, 1), (3, 1), (3, 1)]), (lambda x: x.mT, [(1, 3), (1, 3), (1, 3)]),
        (lambda x: x[:, ::2], [(2, 1), (2, 1), (2, 1)]), (lambda x: x[:0], [(3, 1), (3, 1), (3, 1)]),
        (lambda x: x.mT[:, :1], [(1, 3), (1, 1), (1, 1)]),
    ],
)  # fmt: skip
def test_what_is_made_of_a_conjugate_lies_as_pytorch_has_it(view: Any, strides: list[tuple[int, ...]]) -> None:
    x = view(torch.zeros(2, 3, dtype=torch.complex64))
    y = x.conj()
    assert [(y * 2).stride(), (y * x).stride(), y.exp().stride()] == strides


def test_the_imaginary_part_of_a_conjugate_is_a_lazy_opposite() -> None:
    x, y = conjugate(requires_grad=True)
    part = y.imag
    assert (part.is_neg(), part.is_conj(), part._base is x, part.tolist()) == (True, False, True, [-2.0, 1.0])
    assert names(part) == "Select NegView ViewAsReal Conj Conj"
    assert names(y.real) == "Select ViewAsReal Conj Conj torch::autograd::AccumulateGrad"
    assert not y.real.is_neg()


@pytest.mark.parametrize(
    "view",
    [
        lambda y: y[1:], lambda y: y.view(2, 1), lambda y: y.unbind()[0], lambda y: y.expand(3, 2),
        lambda y: y.detach(), lambda y: y.data, lambda y: torch.nn.Parameter(y), lambda y: y.as_strided((1,), (1,)),
        lambda y: y.contiguous(), lambda y: y.to(torch.complex64), lambda y: y[None].squeeze_(0),
    ],
)  # fmt: skip
def test_what_shares_memory_keeps_the_bit(view: Any) -> None:
    y = conjugate()[1]
    assert view(y).is_conj()
    assert view(y).tolist() == view(y.resolve_conj()).tolist()


@pytest.mark.parametrize(
    "copy",
    [
        lambda y: y.clone(), lambda y: y * 1, lambda y: y.to(torch.complex128), lambda y: y.flip(0),
        lambda y: y[[0, 1]], lambda y: torch.stack([y, y]), lambda y: torch.view_copy(y, (2, 1)),
        lambda y: torch.as_strided_copy(y, (2,), (1,)), lambda y: torch.tensor(y), lambda y: -y, torch.zeros_like,
        lambda y: y.conj_physical(),
    ],
)  # fmt: skip
def test_what_is_computed_is_plain(copy: Any) -> None:
    y = conjugate()[1]
    assert not copy(y).is_conj()
    assert copy(y).tolist() == copy(torch.tensor([1 - 2j, 3 + 1j])).tolist()


def test_resolving_copies_what_is_lazy_only() -> None:
    x, y = conjugate(requires_grad=True)
    assert x.resolve_conj() is x
    assert y.real.resolve_neg().is_set_to(y.real)
    resolved, part = y.resolve_conj(), y.imag.resolve_neg()
    assert (resolved.is_conj(), resolved._is_view(), part.is_neg(), part._is_view()) == (False,) * 4
    assert (names(resolved, 2), names(part, 3)) == ("Clone Conj", "Clone Select NegView")
    assert (resolved.tolist(), part.tolist()) == ([1 - 2j, 3 + 1j], [-2.0, 1.0])


def test_memory_cannot_be_looked_at_past_the_bit() -> None:
    y = conjugate()[1]
    with pytest.raises(OpError, match="view_as_real doesn't work on unresolved conjugated tensors"):
        torch.view_as_real(y)
    with pytest.raises(OpError, match="not supported for conjugate view tensors when converting to a different dtype"):
        y.view(torch.float32)
    with pytest.raises(OpError, match="not supported for tensors with negative bit set when converting"):
        y.imag.view(torch.int32)
    with pytest.raises(OpError, match=r"has conjugate bit set. Use tensor.resolve_conj\(\).numpy\(\) instead."):
        y.numpy()
    with pytest.raises(OpError, match=r"has negative bit set. Use tensor.resolve_neg\(\).numpy\(\) instead."):
        y.imag.numpy()


def test_no_two_lazy_tensors_are_set_to_the_same() -> None:
    x, y = conjugate()
    assert (x.is_set_to(y), y.is_set_to(x.conj()), x.is_set_to(y.conj())) == (False, False, True)


# -- writes -------------------------------------------------------------------------------------------------------
def test_a_write_through_a_conjugate_leaves_conjugates_in_memory() -> None:
    x, y = conjugate()
    y.mul_(2j)
    assert (x.tolist(), y.tolist(), x._version) == ([4 - 2j, -2 - 6j], [4 + 2j, -2 + 6j], 1)
    y[0] = 5 + 1j
    assert (x[0].item(), y[0].item()) == (5 - 1j, 5 + 1j)
    y.imag.add_(1)
    assert x.tolist() == [5 - 2j, -2 - 7j]
    x.copy_(y)
    assert x.tolist() == [5 + 2j, -2 + 7j]
    y.conj_physical_()
    assert (x.tolist(), y.tolist()) == ([5 - 2j, -2 - 7j], [5 + 2j, -2 + 7j])


def test_gradients_pass_a_write_through_a_conjugate() -> None:
    x, w = torch.tensor(NUMBERS, requires_grad=True), torch.tensor([2j, 1 - 1j], requires_grad=True)
    a = x * 1
    y = a.conj()
    y.mul_(w)
    assert (names(y, 3), names(a, 2)) == ("Conj torch::autograd::CopySlices Mul", "torch::autograd::CopySlices Mul")
    (y * y).sum().backward(torch.tensor(1 + 2j))
    got = [x.grad.tolist(), w.grad.tolist()]
    x.grad = w.grad = None
    z = torch.conj_physical(x) * w
    (z * z).sum().backward(torch.tensor(1 + 2j))
    np.testing.assert_allclose(got, [x.grad.tolist(), w.grad.tolist()], rtol=1e-6)


def test_gradients_pass_a_write_through_a_lazy_opposite() -> None:
    x = torch.tensor(NUMBERS, requires_grad=True)
    a = x * 1
    part = a.conj().imag
    part.mul_(2)
    assert names(part, 6) == "AsStrided NegView ViewAsReal Conj Conj torch::autograd::CopySlices"
    a.abs().sum().backward()
    np.testing.assert_allclose(x.grad.tolist(), [0.2425 + 1.9403j, 0.8321 - 1.1094j], atol=1e-4)


def test_gradients_pass_a_write_into_a_view_of_a_detached_conjugate() -> None:
    source = torch.tensor([1j, 2j], requires_grad=True)
    y = conjugate()[1].detach()
    y[1:].copy_(source[:1])
    assert (y.is_conj(), y.tolist()) == (True, [1 - 2j, 1j])
    (y * y).sum().backward(torch.tensor(1.0 + 0j))
    assert source.grad.tolist() == [-2j, 0]
    y = conjugate()[1].detach()
    parts = torch.tensor([5.0, 6.0], requires_grad=True)
    y.imag.copy_(parts)
    (y * y).sum().backward(torch.tensor(1j))
    assert (y.tolist(), parts.grad.tolist()) == ([1 + 5j, 3 + 6j], [2.0, 6.0])


def test_views_of_conjugates_are_made_again_step_by_step() -> None:
    y = complex_numbers()
    part, other, element = y.conj()[:2], y[0].conj(), y.conj().view(2, 2)[0][1:]
    y.mul_(2)
    assert names(part, 3) == "AsStrided Conj Mul"
    assert names(other, 3) == "Conj AsStrided Mul"
    assert names(element, 4) == "AsStrided AsStrided AsStrided Conj"
    assert part.tolist() == [2 - 4j, 6 + 2j]


def test_conjugating_real_numbers_on_the_spot_is_a_write() -> None:
    y = torch.ones(2, requires_grad=True) * 1
    y.conj_physical_()
    assert (y._version, y.grad_fn.name(), y.tolist()) == (1, "ConjPhysicalBackward1", [1.0, 1.0])
    assert torch.ones(1).expand(3).conj_physical_()._version == 1


# -- the graph ----------------------------------------------------------------------------------------------------
def test_a_rule_gets_the_bit_with_a_saved_tensor() -> None:
    x, y = conjugate(requires_grad=True)
    out = y * y
    assert out.grad_fn.fetch("other").is_conj()
    out.sum().backward(torch.tensor(1.0 + 0j))
    np.testing.assert_allclose(x.grad.tolist(), [2 - 4j, 6 + 2j])


def test_the_gradient_of_a_conjugate_is_a_conjugate() -> None:
    x, y = conjugate(requires_grad=True)
    g = torch.tensor([1j, 2.0])
    (found,) = torch.autograd.grad(y, x, g)
    assert (found.is_conj(), found.tolist()) == (True, [-1j, 2])
    y = x.conj()
    y.backward(g)
    assert (x.grad.is_conj(), x.grad.tolist()) == (True, [-1j, 2])
    x.conj().backward(g)
    assert x.grad.tolist() == [-2j, 4]
    assert g.tolist() == [1j, 2]


def test_a_conjugate_taken_without_recording_may_not_be_written_to() -> None:
    x = torch.tensor(NUMBERS, requires_grad=True) * 1
    with torch.no_grad():
        y = x.conj()
    assert (y.requires_grad, y.grad_fn) == (True, None)
    with pytest.raises(OpError, match="A view was created in no_grad mode and is being modified inplace"):
        y.mul_(2)


def test_operands_of_every_sort_are_resolved() -> None:
    """Ops that promote, that do not, of lists, in place, with optional tensors, and with numbers."""
    x = torch.tensor([[1 + 2j, 3 - 1j], [2j, 4]])
    y, plain = x.conj(), x.conj().resolve_conj()
    functions: list[Any] = [
        lambda z: z + 1, lambda z: z * torch.tensor([2.0, 1.0], dtype=torch.float64), lambda z: z.cumsum(0),
        lambda z: torch.cat([x, z]), lambda z: z @ x, lambda z: x @ z, lambda z: torch.addmm(z, z, x),
        lambda z: torch.clone(x).add_(z), lambda z: torch.clone(x).index_add_(0, torch.tensor([0]), z[:1]),
        lambda z: torch.where(x.real > 1, z, 0), lambda z: z.masked_fill(x.real > 1, 1j), lambda z: z.sum(),
        lambda z: torch.linalg.solve(z + x, z), lambda z: z.gather(0, torch.tensor([[1, 0]])),
        lambda z: z.imag * z.real, lambda z: torch.nn.functional.linear(z, x, z[0]), lambda z: z == plain,
        lambda z: torch.equal(z, plain),
        lambda z: z.imag.clamp(min=z.imag - 1), lambda z: torch.lerp(z, x, 0.5), lambda z: z.imag.half() + z.imag,
    ]  # fmt: skip
    for function in functions:
        got, expected = function(y), function(plain)
        if isinstance(got, Tensor):
            got, expected = got.tolist(), expected.tolist()
        assert got == expected
