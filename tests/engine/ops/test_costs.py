"""What calls say that they take, beside what they take: the samples of all ops, enlarged, under a trace of allocations.

NumPy tells ``tracemalloc`` of its arrays. What a budget is asked is noted, and what was taken at the peak from there
until the result is counted; so every call is measured, also those that composites and rules make.
"""

from __future__ import annotations

import tracemalloc
from typing import Any

import numpy as np
import pytest
import scipy.spatial  # noqa: F401 - kernels import it when they need it, which a call is not to be charged with

import engine as torch
from engine import modes, registry
from engine.autograd import sweep
from engine.errors import BudgetError, EngineError
from engine.op.primitive import Primitive
from engine.tensor import Tensor, from_array
from tests.engine.checks import differentiable, flat_tensors
from tests.engine.enlarged import variants
from tests.engine.samples import Sample, all_samples

SIZES = 2**12, 2**14  # elements of the largest operand
VIEWS = 2**9  # of one call, after which the others cost the same
OVERHEAD = 2**15  # bytes of objects, and of the buffers of NumPy's iterators
CALLS = 100  # of one sample, after which it has shown what there is

NOT_ENLARGED = {
    "batch_norm_train_legit": "reached by arguments that no sample has",
    "cauchy_fill": "an in-place draw: its kernel returns what was drawn, which nobody asks for",
    "clone_strided": "copies into an order of dimensions that samples do not ask for",
    "embedding_scaled": "scales by the counts of few indices: reached by arguments that no sample has",
    "exponential_fill": "an in-place draw",
    "geometric_fill": "an in-place draw",
    "grid_sampler_2d_backward_twice": "of second orders",
    "grid_sampler_3d_backward_twice": "of second orders",
    "log_normal_fill": "an in-place draw",
    "random_fill": "an in-place draw",
    "random_range_fill": "an in-place draw",
    "random_to_fill": "an in-place draw",
    "reflection_pad3d": "one kernel with the pads of one and two dimensions",
    "remainder_of_number": "reached by operators alone",
    "renormed_rows": "writes into a weight that the sample does not enlarge",
    "replication_pad3d": "one kernel with the pads of one and two dimensions",
    "rrelu_noise": "draws its own noise in training, which no sample does",
    "scatter_planes": "the adjoint of a gradient of max_unpool: reached by second orders that no sample has",
    "view_as_complex_copy": "its last dimension is two, whatever else grows",
    "write_view": "a write through views, in rules of writes",
}


class Measured(modes.Budget):
    """Asked at every call, it notes what was asked and what was taken until the result was counted."""

    def __init__(self) -> None:
        super().__init__(2**20, 2**26, 60.0, VIEWS)
        self.unasked = 0
        self.asked: tuple[str, int] | None = None
        self.found: list[tuple[str, int, int]] = []  # op, bytes asked, bytes taken
        self._before = 0

    def reserve(self, elements: int, nbytes: int, work: float = 0.0, op: str | None = None) -> None:
        super().reserve(elements, nbytes, work, op)
        if work > 10**7 or len(self.found) > CALLS:
            raise EngineError("it takes too long")
        if op is not None:
            tracemalloc.reset_peak()
            self._before = tracemalloc.get_traced_memory()[0]
            self.asked = op, nbytes

    def spend(self, nbytes: int) -> None:
        super().spend(nbytes)
        if self.asked is not None:
            self.found.append((*self.asked, tracemalloc.get_traced_memory()[1] - self._before))
        self.asked = None


def make(values: np.ndarray[Any, Any], requires_grad: bool) -> Tensor:
    array = np.empty_like(values)
    array[...] = values
    return from_array(array, requires_grad)


def measured(op: str, number: int, sample: Sample) -> list[tuple[str, int, int]]:
    """What the calls in a call of ``op`` and in its sweep asked for and took; until it is refused, if it is."""
    function: Any = registry.function(op) or registry.method(op) or registry.attribute(op)
    budget = Measured()
    with modes.use(modes.State(warnings=[], budget=budget)):
        try:
            call = sample.build(op, number, make)
            roots = differentiable(flat_tensors(function(*call.args, **call.kwargs)))
            if roots:
                sweep.backward(roots, [from_array(np.ones_like(root.array)) for root in roots])
        except (EngineError, ZeroDivisionError):  # no arguments of this op
            pass
    return budget.found


MEASURED: dict[int, set[str]] = {}  # the ops by size, as the test below goes through them


@pytest.mark.parametrize("elements", SIZES)
def test_an_estimate_is_at_least_half_of_what_a_call_takes(elements: int) -> None:
    wrong: dict[str, tuple[Any, ...]] = {}
    seen = MEASURED[elements] = set()
    tracemalloc.start()
    try:
        for op, number, sample in all_samples():
            for growth, larger in variants(sample, elements):
                for name, asked, taken in measured(op, number, larger):
                    seen.add(name)
                    if taken > 2 * asked + OVERHEAD and taken / (asked + 1) > wrong.get(name, (0,))[0]:
                        wrong[name] = (taken / (asked + 1), asked, taken, op, number, growth)
    finally:
        tracemalloc.stop()
    assert not wrong, "\n".join(f"{name}: {found}" for name, found in sorted(wrong.items()))
    declared = {op.name for op in set(registry.ops()) if isinstance(op, Primitive) and not op.nature.view}
    assert declared - seen == NOT_ENLARGED.keys()


# -- what was taken before anybody asked ------------------------------------------------------------------------------
def refused(limit: str, function: Any, budget: modes.Budget) -> None:
    with modes.use(modes.State(warnings=[], budget=budget)), pytest.raises(BudgetError) as caught:
        function()
    assert caught.value.limit == limit


EMPTY = 10**8, 0
F: Any = torch.nn.functional
HUNGRY = {
    "var": lambda: torch.zeros(EMPTY).var(1), "prod": lambda: torch.zeros(2, *EMPTY).prod(2),
    "logsumexp": lambda: torch.zeros(EMPTY).logsumexp(1),
    "pdist": lambda: torch.pdist(torch.zeros(20000, 1)),
    "addmm": lambda: torch.addmm(torch.zeros(1), torch.zeros(20000, 1), torch.zeros(1, 20000)),
    "one_hot": lambda: torch.nn.functional.one_hot(torch.full((9,), 10**8)),
    "replicate": lambda: torch.nn.functional.pad(torch.zeros(1, 1, 1, 1), (10**4,) * 4, mode="replicate"),
    "padded": lambda: F.conv2d(torch.zeros(1, 1, 3, 3), torch.zeros(1, 1, 3, 3), padding=10**5),
    "dilated": lambda: F.conv_transpose2d(torch.zeros(1, 1, 3, 3), torch.zeros(1, 1, 3, 3), dilation=10**4),
    "pooled": lambda: F.max_pool2d(torch.zeros(1, 1, 3, 3), 10**5, 1, 5 * 10**4),
    "averaged": lambda: F.avg_pool1d(torch.zeros(1, 60000), 30000, 1),
    "adaptive": lambda: F.adaptive_max_pool2d(torch.zeros(1, 3, 3), 20000),
    "interpolated": lambda: F.interpolate(torch.zeros(1, 1, 3, 3), 20000, mode="bilinear"),
    "unpooled": lambda: F.max_unpool1d(torch.zeros(1, 1), torch.zeros(1, 1, dtype=torch.int64), 10**9),
    "unfolded": lambda: F.unfold(torch.zeros(1, 1, 1000, 1000), 30),
    "cast": lambda: torch.zeros(10**8, dtype=torch.uint8).sin(),
    "svd": lambda: torch.linalg.svd(torch.zeros(20000, 1)),
    "qr": lambda: torch.linalg.qr(torch.zeros(20000, 1), mode="complete"),
    "lu": lambda: torch.linalg.lu(torch.zeros(20000, 1)),
    "cdist": lambda: torch.cdist(torch.zeros(20000, 1), torch.zeros(20000, 1)),
    "multinomial": lambda: torch.multinomial(torch.ones(10**8), 1),
}  # fmt: skip


@pytest.mark.parametrize("name", HUNGRY)
def test_what_takes_much_is_refused_before_it_does(name: str) -> None:
    tracemalloc.start()
    try:
        refused("bytes", HUNGRY[name], modes.Budget(nbytes=7 * 10**8))
        assert tracemalloc.get_traced_memory()[1] < 5 * 10**8
    finally:
        tracemalloc.stop()


def square(n: int) -> Tensor:
    """A matrix that takes no memory."""
    matrix: Tensor = torch.zeros(1).expand(n, n)
    return matrix


SLOW = {
    "mm": lambda: torch.mm(square(30000), square(30000)), "svd": lambda: torch.linalg.svd(square(4000)),
    "bmm": lambda: torch.bmm(square(9000).expand(9, 9000, 9000), square(9000).expand(9, 9000, 9000)),
    "eigh": lambda: torch.linalg.eigh(square(10000)), "det": lambda: torch.linalg.det(square(40000)),
    "solve": lambda: torch.linalg.solve(square(30000), square(30000)),
    "conv": lambda: F.conv2d(square(6000).expand(1, 9, 6000, 6000), torch.zeros(1).expand(99, 9, 99, 99)),
    "eig": lambda: torch.linalg.eig(square(5000)), "exponential": lambda: torch.matrix_exp(square(10000)),
    "pinv": lambda: torch.linalg.pinv(square(4000)),
}  # fmt: skip


@pytest.mark.parametrize("name", SLOW)
def test_what_cannot_end_in_time_is_refused_before_it_begins(name: str) -> None:
    refused("seconds", SLOW[name], modes.Budget(seconds=20))


MODEST = {
    "svd": lambda: torch.linalg.svd(torch.eye(600)), "qr": lambda: torch.linalg.qr(torch.eye(600), mode="complete"),
    "multinomial": lambda: torch.multinomial(torch.ones(10**6), 1000), "sum": lambda: torch.zeros(10**7).sum(),
    "add": lambda: torch.zeros(10**7) + torch.zeros(10**7), "mm": lambda: torch.mm(torch.eye(1000), torch.eye(1000)),
}  # fmt: skip


@pytest.mark.parametrize("name", MODEST)
def test_what_fits_is_not_refused(name: str) -> None:
    with modes.use(modes.State(warnings=[], budget=modes.Budget(2**27, 2 * 10**8, 60.0))):
        MODEST[name]()


def test_many_views_of_few_elements_are_refused() -> None:
    for split in (lambda: torch.zeros(10).tensor_split(2 * 10**6), lambda: torch.zeros(10**6).unbind()):
        refused("steps", split, modes.Budget(steps=10**8))


def test_views_and_nodes_are_counted() -> None:
    budget = modes.Budget(nbytes=10**6)
    x = torch.zeros(3, requires_grad=True)

    def views() -> None:
        for _ in range(1000):
            x.view(3)
        budget.spend(0)

    def nodes() -> None:
        y = x
        for _ in range(1000):
            y = y + 1

    refused("bytes", views, budget)
    refused("bytes", nodes, modes.Budget(nbytes=10**6))
    with modes.use(modes.State(budget=modes.Budget(nbytes=10**6))), modes.no_grad():
        nodes()


def test_a_degree_that_is_a_number_counts_too() -> None:
    polynomial: Any = torch.special.chebyshev_polynomial_t
    refused("elements", lambda: polynomial(torch.zeros(10), 10**7), modes.Budget(elements=10**7))
    with modes.use(modes.State(budget=modes.Budget(elements=10**7))):
        assert polynomial(2.0, Tensor(np.arange(3))).tolist() == [1.0, 2.0, 7.0]
