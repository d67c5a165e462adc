"""The tape: accumulation, freeing, higher orders, captured inputs, long chains."""

from __future__ import annotations

import gc
import sys
import threading
import weakref
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextvars import copy_context
from typing import Any

import numpy as np
import pytest

import engine
from engine.autograd.tape import Node
from engine.errors import ArgumentTypeError, OpError

torch: Any = engine


def leaf(*values: float) -> Any:
    return torch.tensor(list(values), dtype=torch.float64, requires_grad=True)


def test_gradients_accumulate_over_backward_calls() -> None:
    x = leaf(1.0, 2.0)
    (x * 3).sum().backward()
    kept = x.grad
    x.sum().backward()
    assert x.grad is kept
    assert x.grad.tolist() == [4.0, 4.0]


def test_a_chain_of_100_000_nodes_needs_no_recursion() -> None:
    x = leaf(1.0)
    y = x
    for _ in range(100_000):
        y = y + 1
    y.backward()
    assert x.grad.tolist() == [1.0]
    del y  # nor does letting it go


def test_backward_refuses_a_freed_graph_and_leaves_gradients_alone() -> None:
    x = leaf(1.0, 2.0)
    y = (x * x).sum()
    y.backward()
    before = x.grad.tolist()
    with pytest.raises(OpError, match="backward through the graph a second time"):
        y.backward()
    assert x.grad.tolist() == before


def test_nodes_that_save_nothing_can_be_swept_twice() -> None:
    x = leaf(1.0, 2.0)
    y = (x + 1).sum()
    y.backward()
    y.backward()
    assert x.grad.tolist() == [2.0, 2.0]


def test_a_rule_saves_only_what_it_asks_for() -> None:
    x, other = leaf(1.0), torch.tensor([2.0], dtype=torch.float64)
    node = (x * other).grad_fn
    assert set(node.saved) == {"other"}
    assert (x + other).grad_fn.saved == {}


def test_every_order_of_a_power() -> None:
    x = torch.tensor(2.0, dtype=torch.float64, requires_grad=True)
    value, orders = x**4, []
    for _ in range(4):
        (value,) = torch.autograd.grad(value, x, create_graph=True)
        orders.append(value.item())
    assert orders == [32.0, 48.0, 48.0, 24.0]


def test_grad_touches_no_grad_field_and_skips_branches_that_lead_elsewhere() -> None:
    x, z = leaf(1.0, 2.0), leaf(3.0, 4.0)
    y = (x * z).sum()
    (g,) = torch.autograd.grad(y, x)
    assert g.tolist() == [3.0, 4.0]
    assert x.grad is None
    assert z.grad is None


def test_unused_inputs_are_refused_allowed_or_materialised() -> None:
    x, z = leaf(1.0), leaf(2.0, 3.0)
    y = (x * x).sum()
    with pytest.raises(OpError, match="appears to not have been used in the graph"):
        torch.autograd.grad(y, [x, z], retain_graph=True)
    assert torch.autograd.grad(y, [x, z], allow_unused=True, retain_graph=True)[1] is None
    assert torch.autograd.grad(y, [x, z], materialize_grads=True)[1].tolist() == [0.0, 0.0]


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda x: (x * 2).backward(), "grad can be implicitly created only for scalar outputs"),
        (lambda x: x.detach().sum().backward(), "element 0 of tensors does not require grad and does not have a"),
        (lambda x: (x * 2).backward(torch.ones(3)), r"grad_output\[0\] has a shape of torch.Size\(\[3\]\)"),
        (lambda x: torch.autograd.grad((x * 2).sum(), torch.ones(2)), "One of the differentiated Tensors does not"),
    ],
)
def test_wrong_roots_and_inputs_are_refused(call: Any, message: str) -> None:
    with pytest.raises(OpError, match=message):
        call(leaf(1.0, 2.0))


def test_a_gradient_that_is_no_tensor_is_a_type_error() -> None:
    with pytest.raises(ArgumentTypeError, match="'float' object is not iterable"):
        leaf(1.0).sum().backward(1.0)


def test_retained_gradients_of_intermediates() -> None:
    x = leaf(2.0)
    a = x * x
    a.retain_grad()
    (a * 3).sum().backward()
    assert a.grad.tolist() == [3.0]


def test_accumulation_does_not_alias_a_shared_cotangent() -> None:
    a, b = leaf(1.0, 1.0), leaf(1.0, 1.0)
    (a + b).sum().backward()
    a.grad.mul_(10)
    assert b.grad.tolist() == [1.0, 1.0]


def test_results_free_their_memory_without_the_collector() -> None:
    gc.disable()
    try:
        x = leaf(1.0)
        y = x * 2 + x.exp()
        watch = weakref.ref(y.storage)
        del y
        assert watch() is None
    finally:
        gc.enable()


def test_nodes_are_plain_data() -> None:
    """No closure, no tensor: ops by name, arrays, edges to nodes."""
    x = leaf(1.0, 2.0)
    node = (x.exp() * x).sum(0).grad_fn
    seen = 0
    while node is not None:
        seen += 1
        assert isinstance(node, Node)
        assert isinstance(node.op.name, str)
        for kept in (node.saved or {}).values():
            assert isinstance(kept.array, np.ndarray)
        node = node.next_functions[0][0] if node.next_functions else None
    assert seen >= 3


def test_a_leaf_given_values_of_another_shape_gets_gradients_of_that_shape_once_earlier_graphs_are_gone() -> None:
    x = torch.ones(3, requires_grad=True)
    earlier = x * 2  # keeps the accumulator of the old shape
    x.data = torch.ones(5)
    with pytest.raises(OpError, match=r"got \[5\] but expected shape compatible with \[3\]"):
        (x * 3).sum().backward()
    del earlier
    gc.collect()
    (x * 3).sum().backward()
    assert x.grad.shape == (5,)


@pytest.fixture
def _restless() -> Iterator[None]:
    """Threads take turns after every few instructions."""
    before = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    yield
    sys.setswitchinterval(before)


def in_threads(work: Callable[[], None], count: int = 8) -> None:
    with ThreadPoolExecutor(count) as pool:
        for done in [pool.submit(copy_context().run, work) for _ in range(count)]:
            done.result()


@pytest.mark.usefixtures("_restless")
@pytest.mark.parametrize("create_graph", [False, True])
def test_no_gradient_is_lost_that_threads_add_to_one_leaf(create_graph: bool) -> None:
    x = torch.zeros(3, dtype=torch.float64, requires_grad=True)

    def work() -> None:
        for _ in range(100):
            (x * 1).sum().backward(create_graph=create_graph)

    in_threads(work)
    assert x.grad.tolist() == [800.0] * 3


@pytest.mark.usefixtures("_restless")
def test_threads_that_use_a_leaf_at_once_give_it_one_accumulator() -> None:
    for _ in range(200):
        x, barrier = leaf(1.0), threading.Barrier(4)
        made: list[Any] = []

        def work(x: Any = x, barrier: threading.Barrier = barrier, made: list[Any] = made) -> None:
            barrier.wait()
            made.append(x * 2)

        in_threads(work, 4)
        assert len({id(y.grad_fn.next_functions[0][0]) for y in made}) == 1


# -- where gradients come to lie ----------------------------------------------------------------------------------
def test_inputs_of_backward_retain_their_gradients() -> None:
    x = torch.ones(3, requires_grad=True)
    y = x * 2
    y.retain_grad()
    (y * y).backward(torch.ones(3), inputs=[y])
    assert y.retains_grad
    assert y.grad.tolist() == [4.0, 4.0, 4.0]  # counted once
    assert x.grad is None


def test_a_gradient_is_taken_over_where_it_lies_as_its_leaf() -> None:
    x = torch.ones((1, 3), requires_grad=True)
    x.backward(torch.ones(3, 1).t())
    assert x.grad.stride() == (1, 1)
    y = torch.ones(3, 1).t().clone().requires_grad_()
    y.backward(torch.ones(1, 3), create_graph=True)
    assert y.grad.stride() == y.stride()


def test_a_lazy_gradient_is_resolved_when_it_is_copied() -> None:
    x = torch.ones((2, 3), dtype=torch.complex64, requires_grad=True)
    x.mH.backward(torch.ones((3, 2), dtype=torch.complex64), create_graph=True)
    assert not x.grad.is_conj()


def test_operands_count_with_the_data_they_were_given_since() -> None:
    x = torch.tensor([1.0, 2.0], requires_grad=True)
    y = x * 1
    z = (y * y).sum() + (x * x).sum()
    x.data, y.data = torch.tensor([10.0, 20.0]), torch.tensor([100.0, 200.0])
    z.backward()
    assert x.grad.tolist() == [220.0, 440.0]


def test_results_count_with_the_data_they_had() -> None:
    x = torch.tensor([1.0, 2.0], requires_grad=True)
    y = x.exp()
    before = y.tolist()
    y.data = torch.zeros(2)
    y.sum().backward()
    assert x.grad.tolist() == before


def test_writes_to_data_given_since_are_seen() -> None:
    x = torch.tensor([1.0, 2.0], requires_grad=True)
    y = x * 1
    z = (y * y).sum()
    y.data = torch.zeros(2)
    y.add_(1)
    with pytest.raises(OpError, match="is at version 1; expected version 0"):
        z.backward()


def test_a_gradient_that_does_not_fit_other_data_is_refused() -> None:
    x = torch.ones((1, 3), requires_grad=True)
    y = x.squeeze()
    x.data = x.data.t()
    with pytest.raises(OpError, match=r"output with shape \[3, 1\] doesn't match the broadcast shape \[3, 3\]"):
        y.sum().backward()


def test_roots_of_another_shape_are_refused_without_a_function() -> None:
    y = torch.ones((2, 4), requires_grad=True) * 2
    y.data = y.data.t()
    with pytest.raises(OpError, match=r"^invalid gradient at index 0"):
        y.backward(torch.ones_like(y))
