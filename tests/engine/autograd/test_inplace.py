"""In-place writes: what is saved at which version; which targets are refused, and that nothing changes then."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import pytest

import engine
from engine import modes
from engine.errors import ArgumentTypeError, EngineError, OpError
from engine.tensor import Tensor

torch: Any = engine
MODIFIED = "has been modified by an inplace operation"
LEAF = "a leaf Variable that requires grad is being used in an in-place operation."
VIEW_OF_LEAF = "a view of a leaf Variable that requires grad is being used in an in-place operation."
PARTIAL = "some elements of the input tensor and the written-to tensor refer to a single memory location"
INTERNAL = "more than one element of the written-to tensor refers to a single memory location"


def leaf(*values: float) -> Any:
    return torch.tensor(list(values), dtype=torch.float64, requires_grad=True)


OWN_OPERANDS: dict[str, Callable[[Any], Any]] = {
    "mul": lambda y: y.mul_(y), "div": lambda y: y.div_(y), "pow": lambda y: y.pow_(y), "atan2": lambda y: y.atan2_(y),
    "hypot": lambda y: y.hypot_(y), "xlogy": lambda y: y.xlogy_(y), "addcmul": lambda y: y.addcmul_(y, y),
    "addcdiv": lambda y: y.addcdiv_(y, y), "lerp": lambda y: y.lerp_(y * 2, y),
    "through a view": lambda y: y.mul_(y.view(3)),
}  # fmt: skip


@pytest.mark.parametrize("write", OWN_OPERANDS.values(), ids=OWN_OPERANDS)
def test_an_operand_that_is_its_own_target_is_saved_before_the_write(write: Callable[[Any], Any]) -> None:
    y = leaf(1.0, 2.0, 3.0) * 1
    write(y)
    with pytest.raises(OpError, match=MODIFIED):
        y.sum().backward()


def test_a_saved_output_is_that_after_the_write() -> None:
    x = leaf(1.0, 2.0)
    y = (x * 1).exp_()
    y.sum().backward()
    assert x.grad.tolist() == pytest.approx(y.tolist())


def test_the_target_itself_is_kept_as_it_was() -> None:
    x, w = leaf(2.0, 3.0), leaf(5.0, 7.0)
    (x * 1).mul_(w).sum().backward()
    assert (x.grad.tolist(), w.grad.tolist()) == ([5.0, 7.0], [2.0, 3.0])


def test_edges_of_operands_are_those_before_the_write() -> None:
    c = leaf(1.0, 2.0, 3.0) * 1
    d = c[0]
    d.copy_(d * 1)
    names = [node.name() for node, _ in c.grad_fn.next_functions if node is not None]
    assert names == ["MulBackward0", "MulBackward0"]
    assert c.grad_fn.next_functions[1][0].next_functions[0][0].name() == "SelectBackward0"


OVERLAPS: dict[str, tuple[Callable[[Any], Any], str]] = {
    "shifted": (lambda y: y[0, 1:].add_(y[0, :-1]), PARTIAL), "copied": (lambda y: y[0, 1:].copy_(y[0, :-1]), PARTIAL),
    "transposed": (lambda y: y.mul_(y.t()), PARTIAL), "transposed copy": (lambda y: y.copy_(y.t()), PARTIAL),
    "divided": (lambda y: y[:2].div_(y[1:]), PARTIAL), "a single element": (lambda y: y[0].add_(y[0, 1]), PARTIAL),
    "of three": (lambda y: y[1:].addcmul_(y[:-1], y[1:]), PARTIAL),
    "before the shape": (lambda y: y[1:].add_(y), PARTIAL),
    "in itself": (lambda y: y[0].expand(3, 3).add_(1), INTERNAL),
}  # fmt: skip


@pytest.mark.parametrize(("write", "refusal"), OVERLAPS.values(), ids=OVERLAPS)
def test_an_overlap_is_refused_before_anything_happens(write: Callable[[Any], Any], refusal: str) -> None:
    y = torch.arange(9.0).view(3, 3)
    with pytest.raises(OpError, match=refusal):
        write(y)
    assert (y.flatten().tolist(), y._version) == (list(range(9)), 0)


def test_operands_that_are_the_target_or_lie_beside_it_are_taken() -> None:
    y = torch.arange(4.0)
    y.add_(y)
    y[:2].add_(y[2:])
    y[0].expand(3).fill_(7.0)
    assert y.tolist() == [7.0, 8.0, 4.0, 6.0]


LEAVES: dict[str, tuple[Callable[[Any], Any], str]] = {
    "a leaf": (lambda x: x.add_(1), LEAF), "its view": (lambda x: x[1:].add_(1), VIEW_OF_LEAF),
    "an item": (lambda x: x.__setitem__(0, 1.0), VIEW_OF_LEAF),
    "before other arguments": (lambda x: x.transpose_(0, 9), LEAF),
    "before those of functions": (lambda x: x.index_add_(7, torch.tensor([0]), torch.ones(1)), LEAF),
}  # fmt: skip


@pytest.mark.parametrize(("write", "refusal"), LEAVES.values(), ids=LEAVES)
def test_leaves_are_refused_first(write: Callable[[Any], Any], refusal: str) -> None:
    x = leaf(1.0, 2.0, 3.0)
    with pytest.raises(OpError, match=refusal):
        write(x)
    assert (x.tolist(), x._version, x.is_leaf) == ([1.0, 2.0, 3.0], 0, True)


def test_a_view_of_a_leaf_over_a_plain_base_keeps_its_gradient() -> None:
    x = torch.arange(4.0).reshape(4).requires_grad_()
    with pytest.raises(OpError, match=VIEW_OF_LEAF):
        x += 1
    (x * 2).sum().backward()
    assert x.grad.tolist() == [2.0] * 4


def test_a_write_without_a_derivative_needs_no_history() -> None:
    x = leaf(0.0, 2.0)
    x.logical_not_()
    assert (x.tolist(), x.is_leaf) == ([1.0, 0.0], True)


@pytest.mark.parametrize(
    ("made_in", "refusal"),
    [
        (torch.no_grad, r"A view was created in no_grad mode and is being modified inplace with grad mode enabled\."),
        (torch.inference_mode, r"A view was created in inference mode and is being modified inplace in normal mode\."),
    ],
)
def test_a_view_made_where_nothing_is_recorded_is_not_written_to(made_in: Any, refusal: str) -> None:
    y = leaf(1.0, 2.0) * 1
    with made_in():
        view = y[:1]
    with pytest.raises(OpError, match=refusal):
        view.mul_(2)
    y.mul_(2)
    with pytest.raises(OpError, match="its base or another view of its base has been modified inplace"):
        _ = view.grad_fn


def test_what_was_made_in_inference_mode_is_refused_once_it_is_written() -> None:
    with torch.inference_mode():
        x = torch.ones(2)
    with pytest.raises(OpError, match="doesn't match the broadcast shape"):
        x.add_(torch.ones(2, 2))
    with pytest.raises(OpError, match="Inplace update to inference tensor outside InferenceMode"):
        x.add_(1)
    assert x.tolist() == [2.0, 2.0]  # as in PyTorch


def test_a_write_through_a_view_is_swept_once() -> None:
    y = leaf(1.0, 2.0) * 1
    y[0] = 5.0
    y.sum().backward()
    with pytest.raises(OpError, match="Trying to backward through the graph a second time"):
        y.sum().backward()


# -- data and grad ------------------------------------------------------------------------------------------------
def refused(change: Callable[[], Any]) -> str:
    with pytest.raises(EngineError) as caught:
        change()
    return f"{caught.value.exception}: {caught.value}"


def test_integers_are_no_data_of_a_leaf_that_requires_grad() -> None:
    w = leaf(0.5)
    for values in (torch.tensor([1]), torch.tensor([True])):
        assert refused(partial(setattr, w, "data", values)) == (
            "RuntimeError: data set to a tensor that requires gradients must be floating point or complex dtype"
        )
    assert refused(lambda: setattr(w, "data", None)) == (
        "TypeError: Variable data has to be a tensor, but got NoneType"
    )
    (w * 3).sum().backward()
    assert (w.tolist(), w.grad.tolist()) == ([0.5], [3.0])


def test_other_data_keep_the_version() -> None:
    x = torch.ones(2)
    x.mul_(2)
    x.data = x.data * 2
    assert (x._version, x.tolist()) == (1, [4.0, 4.0])


def test_a_gradient_that_no_longer_fits_is_refused_by_name() -> None:
    x = torch.ones(3, 2, requires_grad=True)
    held = x * 1  # and with it the end of every path to x
    x.data = torch.ones(1, 2)
    assert refused(x.sum().backward) == (
        "RuntimeError: Function SumBackward0 returned an invalid gradient at index 0 - got [1, 2] but expected shape "
        "compatible with [3, 2]"
    )
    assert held.shape == (3, 2)


GRADS: list[tuple[Any, str]] = [
    (3, "TypeError: assigned grad expected to be a Tensor or None but got grad of type int"),
    (torch.ones(2), "RuntimeError: attempting to assign a gradient with dtype 'float' to a tensor with grad_dtype"),
    (torch.ones(2, dtype=torch.int64), "RuntimeError: attempting to assign a gradient with dtype 'long int' to a"),
    (torch.ones(2, dtype=torch.float64), "RuntimeError: attempting to assign a gradient of size '[2]' to a tensor of"),
]


@pytest.mark.parametrize(("value", "refusal"), GRADS)
def test_a_gradient_of_another_kind_is_not_put_in_place(value: Any, refusal: str) -> None:
    x = leaf(1.0, 2.0, 3.0)
    assert refused(lambda: setattr(x, "grad", value)).startswith(refusal)
    assert refused(lambda: setattr(x, "grad", x)) == "RuntimeError: can't assign Variable as its own grad"
    assert x.grad is None


def test_the_gradient_of_what_is_no_leaf_is_read_with_a_warning() -> None:
    y = leaf(1.0) * 2
    with modes.use(modes.State(warnings=[])) as state:
        assert y.grad is None
        y.retain_grad()
        assert y.grad is None
        assert leaf(1.0).grad is None
        assert [text[:60] for text in state.warnings or ()] == [
            "The .grad attribute of a Tensor that is not a leaf Tensor is"
        ]


FLAGS: list[tuple[Callable[[Any, Any], Any], str]] = [
    (lambda x, y: setattr(y, "requires_grad", True), "you can only change requires_grad flags of leaf variables."),
    (lambda x, y: setattr(x, "requires_grad", 3), "requires_grad must be a bool"),
    (lambda x, y: setattr(x.long(), "requires_grad", True), "only Tensors of floating point and complex dtype can"),
    (lambda x, y: x.long().requires_grad_(), "only Tensors of floating point dtype can require gradients"),
    (lambda x, y: x.requires_grad_("a"), "requires_grad_(): argument 'requires_grad' (position 1) must be bool, not"),
]


@pytest.mark.parametrize(("change", "refusal"), FLAGS)
def test_flags_are_refused_in_pytorchs_words(change: Callable[[Any, Any], Any], refusal: str) -> None:
    x = leaf(1.0)
    with pytest.raises(EngineError) as caught:
        change(x, x * 2)
    assert str(caught.value).startswith(refusal)


def test_a_view_across_differentiability_is_nobodys_view() -> None:
    x = leaf(1.0, 2.0)
    seen: Tensor = x.view(torch.int64)
    assert seen.base is None
    assert not seen.requires_grad
    with pytest.raises(ArgumentTypeError):
        x.data = 3


# -- what a write leaves as it was --------------------------------------------------------------------------------
def test_another_shape_of_a_view_is_no_write_to_its_base() -> None:
    base = leaf(1.0, 2.0) * 1
    view = base[:1]
    view.unsqueeze_(0)
    assert (base.grad_fn.name(), view.grad_fn.name()) == ("MulBackward0", "UnsqueezeBackward1")
    view.sum().backward()


def test_masks_and_indices_are_written_to_expanded_tensors_with_a_warning() -> None:
    with modes.use(modes.State(warnings=[])) as state:
        torch.ones(1).expand(3).masked_fill_(torch.tensor([True, False, True]), 0.0)
        torch.ones(1).expand(3).index_put_((torch.tensor([1]),), torch.zeros(1))
        assert [text.split(" on ")[0] for text in state.warnings or ()] == ["Use of masked_fill_", "Use of index_put_"]


def test_a_slice_of_a_number_is_refused_by_its_own_words() -> None:
    with pytest.raises(EngineError, match=r"slice\(\) cannot be applied to a 0-dim tensor\."):
        torch.tensor(1.0)[1:]


def test_a_view_as_the_dtype_that_is_there_is_no_view() -> None:
    x = leaf(1.0)
    assert (x.view(torch.float64)._is_view(), x.view(torch.float64).grad_fn) == (False, None)


def test_the_recorded_gradient_of_an_expanded_leaf_is_a_clone() -> None:
    x = torch.tensor([2.0]).expand(3).requires_grad_()
    (x * x).sum().backward(create_graph=True)
    assert x.grad.grad_fn.name() == "CloneBackward0"


# -- the order of refusals ----------------------------------------------------------------------------------------
def overwritten_indices() -> None:
    values, indices = leaf(3.0, 1.0).sort()
    indices.zero_()
    values.sum().backward()


def overwritten_view() -> None:
    y = leaf(3.0, 1.0) * 1
    y.mul_(y.view(2))
    y.sum().backward()


REFUSED_FIRST: dict[str, tuple[Callable[[], Any], str]] = {
    "history before indices": (lambda: setitem(leaf(1.0), torch.tensor([0.5]), 1.0), LEAF),
    "history before dtypes": (lambda: setitem(leaf(1.0), torch.tensor([0]), torch.tensor(1)), LEAF),
    "arguments before overlap": (
        lambda: (x := torch.tensor([1, 2])).addcdiv_(x[:1], x), "Integer division with addcdiv",
    ),
    "shapes before overlap": (
        lambda: (x := torch.ones(2)).scatter_(0, torch.tensor([[0]]), x), "must have the same number of dimensions",
    ),
    "overlap before the shapes of a copy": (lambda: (x := torch.ones(2, 3)).copy_(x.t()), PARTIAL),
    "dimensions before the diagonal": (lambda: leaf(1.0, 2.0).fill_diagonal_(1), "dimensions must larger than 1"),
    "no name for indices": (overwritten_indices, r"\[torch.LongTensor \[2\]\] is at version 1"),
    "what a lost view would be": (overwritten_view, "which is output 0 of AsStrided"),
}  # fmt: skip


def setitem(target: Any, key: Any, value: Any) -> None:
    target[key] = value


@pytest.mark.parametrize(("call", "message"), REFUSED_FIRST.values(), ids=REFUSED_FIRST)
def test_of_several_refusals_the_first_is_pytorchs(call: Callable[[], Any], message: str) -> None:
    with pytest.raises(EngineError, match=message):
        call()


def test_an_empty_target_overlaps_nothing_but_itself() -> None:
    x, places = torch.ones(0), torch.zeros(0, dtype=torch.int64)
    x.scatter_(0, places, x.detach())
    assert x._version == 1
    with pytest.raises(OpError, match=PARTIAL):
        x.scatter_(0, places, x)


def test_results_that_cannot_require_grad_ask_for_no_history() -> None:
    piece, _ = (leaf(1.0, 2.0) * 1).split(1)
    piece.detach().mul_(2)
    assert (piece > 1).tolist() == [True]
    with pytest.raises(OpError, match="its base or another view of its base has been modified"):
        piece + 1
