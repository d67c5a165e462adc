"""Plans: every sample of every op replayed on other values; what makes a graph eager; pruning, memory, the cache."""

from __future__ import annotations

import ast
import dataclasses
import tracemalloc
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from math import gcd
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import engine
from engine import modes
from engine.autograd import sweep
from engine.errors import ArgumentValueError, BudgetError, EngineError, OpError
from engine.op.primitive import Primitive
from engine.plan import Eager, Plan, fusion, planned
from engine.plan.plan import optimized
from engine.plan.recorder import Recorder
from engine.tensor import Tensor, from_array, values
from tests.engine.checks import differentiable, flat_tensors
from tests.engine.ops.test_ops import function_of, make, name_of
from tests.engine.samples import Sample, all_samples

torch: Any = engine
Array = np.ndarray[Any, Any]
Case = tuple[str, int, Sample]
SAMPLES = list(all_samples())


def arrays_of(function: Callable[..., Any], call: Sample, second_order: bool) -> list[Array]:
    """The outputs of a call and its gradients, of both orders if asked, all weighted by numbers that vary."""
    outputs = flat_tensors(function(*call.args, **call.kwargs))
    leaves = differentiable([call.args, call.kwargs])
    found, level = list(outputs), [o for o in outputs if o.requires_grad]
    for order in range(1 + second_order):
        tracked = [tensor for tensor in level if tensor.requires_grad]
        if not tracked or not leaves or not call.gradient:
            break
        weights = [from_array(weights_like(tensor.array)) for tensor in tracked]
        again = second_order and not order
        gradients = sweep.grad(tracked, leaves, weights, create_graph=again, allow_unused=True)
        level = [gradient for gradient in gradients if gradient is not None]
        found += level
    return [values(tensor) for tensor in found]


def weights_like(array: Array) -> Array:
    return np.asarray(np.cos(np.arange(array.size)).reshape(array.shape), array.dtype)


def assert_identical(actual: Sequence[Array], expected: Sequence[Array]) -> None:
    """To the bit, but for which NaN it is."""
    assert [(a.shape, a.dtype) for a in actual] == [(e.shape, e.dtype) for e in expected]
    for one, other in zip(actual, expected, strict=True):
        np.testing.assert_array_equal(one, other)
        np.testing.assert_array_equal(signs(one), signs(other))


def signs(array: Array) -> Array:
    return np.asarray(np.signbit(array.real) & ~np.isnan(array.real))


def recorded(case: Case, second_order: bool) -> tuple[Plan | Eager, Callable[..., list[Array]]]:
    """The plan of a sample's call, and the eager run."""
    op, number, description = case
    function, call = function_of(op), description.build(op, number, make)
    call = dataclasses.replace(call, gradient=description.gradient)
    with Recorder([tensor.array for tensor in flat_tensors([call.args, call.kwargs])]) as recorder:
        arrays = arrays_of(function, call, second_order)
    return planned(recorder, arrays), lambda other: arrays_of(function, other, second_order)


def other_values(case: Case) -> Sample:
    """The sample with its random tensors drawn anew."""
    op, number, description = case
    call = description.build(op, number + 1000, make)
    return dataclasses.replace(call, gradient=description.gradient)


# Ops whose samples have no plan, by what recording says; every tensor of a sample is an input here.
RANDOM = {
    "bernoulli", "bernoulli_", "binomial", "cauchy_", "exponential_", "geometric_", "log_normal_", "multinomial",
    "nn.functional.gumbel_softmax", "normal", "normal_", "pca_lowrank", "poisson", "rand", "rand_like",
    "randint", "randint_like", "randn", "randn_like", "random_", "randperm", "svd_lowrank", "uniform_",
}  # fmt: skip
SHAPED_BY_VALUES = {
    "__getitem__", "argwhere", "combinations", "index_put", "masked_scatter", "masked_select",
    "nn.functional.multi_margin_loss", "nn.functional.one_hot", "nonzero", "unique", "unique_consecutive", "where",
}  # fmt: skip
READING_VALUES = {
    "__getitem__", "allclose", "bernoulli_", "bincount", "cov", "equal", "gru", "index_fill", "istft", "lstm",
    "masked.median", "masked_fill", "nanquantile", "nn.functional.gaussian_nll_loss", "normal", "quantile",
    "repeat_interleave", "rnn_relu", "rnn_tanh", "scatter", "searchsorted", "segment_reduce", "tensor", "tensor_split",
}  # fmt: skip
WRITING_TO_INPUTS = {
    "__setitem__", "abs_", "clamp_", "clamp_max_", "clamp_min_", "conj_physical_", "copy_", "cumprod_", "cumsum_",
    "fill_", "float_power_", "nan_to_num_", "nn.functional.celu_", "nn.functional.selu_", "zero_",
}  # fmt: skip
WRITING_THROUGH_VIEWS = {"__setitem__", "fill_diagonal_", "nn.functional.pad", "stft", "vander"}
REASONS = {
    "random numbers": RANDOM,
    "not a function of": SHAPED_BY_VALUES,
    "values were read": READING_VALUES,
    "tensor from outside": WRITING_TO_INPUTS,
    "seen otherwise": WRITING_THROUGH_VIEWS,
}


def test_just_these_ops_have_no_plan() -> None:
    found: dict[str, set[str]] = {reason: set() for reason in REASONS}
    for case in SAMPLES:
        plan, _ = recorded(case, second_order=False)
        if isinstance(plan, Eager):
            (reason,) = (reason for reason in REASONS if reason in plan.reason)
            found[reason].add(case[0])
    assert found == REASONS


def check_replay(case: Case, second_order: bool) -> None:
    plan, eager = recorded(case, second_order)
    if isinstance(plan, Eager):  # the test above knows it
        return
    other = other_values(case)
    assert_identical(plan(*[tensor.array for tensor in flat_tensors([other.args, other.kwargs])]), eager(other))


@pytest.mark.parametrize("case", SAMPLES, ids=name_of)
def test_a_sample_is_replayed_on_other_values(case: Case) -> None:
    check_replay(case, second_order=False)


@pytest.mark.parametrize("case", SAMPLES, ids=name_of)
def test_a_sample_is_replayed_in_blocks(case: Case, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fusion, "LEAST_BYTES", 1)
    check_replay(case, second_order=case[2].second_order)


@pytest.mark.parametrize("case", [case for case in SAMPLES if case[2].second_order], ids=name_of)
def test_second_derivatives_are_replayed_on_other_values(case: Case) -> None:
    check_replay(case, second_order=True)


# -- where values are looked at -----------------------------------------------------------------------------------
LAYOUT = {"shape", "ndim", "size", "dtype", "flags", "nbytes", "itemsize", "strides"}
MACHINERY = {
    "joining",  # which is where no recorder is
    "reuse",  # as well
    "dispatch",
    "inplace",
    "primitive",
    "sweep",
    "recorder",
    "storage",
    "tape",
    "tensor",
}  # hand arrays on without looking
LAYOUT_ONLY = {
    "_fits", "_check_selected", "_scatter_reducing", "zeros",
    "__copy__", "__deepcopy__", "__new__", "_storage", "count", "from_numpy",  # these share memory, or read it before
    "_check_copied", "_check_ctc", "_check_relu", "_check_scattered_in_place", "_divided", "_fill",
    "_is_at_once", "_move", "_pdist_input", "_region", "_spec",
    "_undefined", "_vector_norm_input", "bernoulli", "check_slices", "data_ptr", "index_fill", "refusing", "reshape",
    "set_",
}  # fmt: skip


def looks_at_values(path: Path) -> set[str]:
    """The functions that take an array out of a tensor for more than its layout."""
    tree = ast.parse(path.read_text())
    harmless = {id(node.value) for node in ast.walk(tree) if isinstance(node, ast.Attribute) and node.attr in LAYOUT}
    return {
        function.name
        for function in ast.walk(tree) if isinstance(function, ast.FunctionDef)
        for node in ast.walk(function)
        if isinstance(node, ast.Attribute) and node.attr == "array" and id(node) not in harmless
        and ast.unparse(node.value) != "np"
    }  # fmt: skip


def test_values_are_read_through_one_door() -> None:
    """Whoever takes ``tensor.array`` for its values must call ``tensor.read``, or plans would not see it."""
    root = Path(engine.__file__).parent
    paths = [path for path in root.rglob("*.py") if path.stem not in MACHINERY]
    assert set().union(*map(looks_at_values, paths)) <= LAYOUT_ONLY


# -- what makes a graph eager -------------------------------------------------------------------------------------
def plan_of(function: Callable[..., Any], *inputs: Array, requires_grad: bool = True) -> Plan | Eager:
    """The plan of a function of tensors that returns tensors."""
    leaves = [from_array(array.copy(), requires_grad and array.dtype.kind == "f") for array in inputs]
    with Recorder([leaf.array for leaf in leaves]) as recorder:
        outputs = flat_tensors(function(*leaves))
    return planned(recorder, [tensor.array for tensor in outputs])


def with_gradient(function: Callable[..., Any]) -> Callable[..., Any]:
    """The value of a function, and its gradients by every leaf."""

    def both(*leaves: Tensor) -> Any:
        out = function(*leaves)
        return out, *sweep.grad(out, leaves, torch.ones_like(out.detach()))

    return both


THREE = np.array([0.5, 1.0, 1.5])


@pytest.mark.parametrize(
    "function",
    [
        lambda x: x * x.sum().item(),
        lambda x: x if x.sum() > 0 else -x,
        lambda x: x * float(x[0]),
        lambda x: torch.tensor(x.tolist()) * 2,
        lambda x: x.detach().numpy() is not None and x,
        lambda x: str(x) and x,
        lambda x: x[x > 1],
        lambda x: x + torch.rand(3),
        lambda x: x.detach().add_(1),
        lambda x: torch.nn.functional.dropout(x),
        lambda x: x * (torch.initial_seed() % 7),
        lambda x: torch.get_rng_state(),
    ],
)
def test_what_a_replay_cannot_repeat_has_no_plan(function: Callable[..., Any]) -> None:
    assert isinstance(plan_of(function, THREE), Eager)


def test_a_run_that_is_given_up_goes_on() -> None:
    x = from_array(THREE.copy(), True)
    with Recorder([x.array]) as recorder:
        y = x * x.sum().item()
        y.sum().backward()
    assert recorder.is_eager
    assert not recorder.steps
    assert modes.current().recorder is None
    assert x.grad is not None
    np.testing.assert_array_equal(x.grad.array, [3.0] * 3)


@pytest.mark.parametrize(
    "function",
    [
        lambda x: x * torch.tensor(2.0).item(),  # depends on no input
        lambda x: x if len(x) == 3 else -x,
        lambda x: sum(part * i for i, part in enumerate(x)),
        lambda x: (x * 2).add_(1),
        lambda x: torch.zeros(3).add_(x.detach()),
    ],
)
def test_what_depends_on_no_value_is_planned(function: Callable[..., Any]) -> None:
    plan = plan_of(function, THREE)
    assert isinstance(plan, Plan)
    assert_identical(plan(THREE + 1), [function(from_array(THREE + 1)).array])


LAZY: dict[str, Callable[..., Any]] = {
    "an output": lambda x: x.conj(),
    "an operand": lambda x: x.conj() * x + x.conj().imag,
    "an operand that is cast": lambda x: x.conj() * torch.tensor([1.0], dtype=torch.complex64) + x.imag.conj().half(),
    "an operand that is not promoted": lambda x: x.conj().cumsum(0),
    "operands in a list": lambda x: torch.cat([x.conj(), x, x[None].mH[:, 0]]),
    "a view": lambda x: torch.stack([x, x]).mH[1:].conj().imag,
    "a copy of strided elements": lambda x: torch.as_strided_copy(x.conj(), (2,), (2,)),
    "a source of a write": lambda x: torch.zeros(3, dtype=torch.complex128).copy_(x.conj()),
    "saved": lambda x: x.conj() * (x.conj().exp() / x.conj().sum()),
}


@pytest.mark.parametrize("name", LAZY)
def test_what_is_lazy_is_computed_in_a_replay(name: str) -> None:
    def function(x: Tensor) -> Any:
        out = LAZY[name](x)
        (gradient,) = torch.autograd.grad(out, x, torch.ones_like(out))
        return out, gradient

    one, other = np.array([1 + 2j, 3 - 1j, -2j]), np.array([0.5 - 1j, 2 + 0.25j, -1 - 3j])
    x = from_array(one.copy(), True)
    with Recorder([x.array]) as recorder:
        arrays = [values(tensor) for tensor in function(x)]
    plan = planned(recorder, arrays)
    assert isinstance(plan, Plan), plan
    assert_identical(plan(other), [values(tensor) for tensor in function(from_array(other.copy(), True))])


def test_a_write_through_a_lazy_conjugate_has_no_plan() -> None:
    """It is one to memory that is seen otherwise, too."""
    assert isinstance(plan_of(lambda x: (x * 2).conj().add_(x), np.array([1 + 2j, 3 - 1j])), Eager)


def test_conjugates_run_in_the_blocks_of_their_neighbours() -> None:
    def function(x: Tensor) -> Any:
        return (x * x).conj() * x + 1

    rng = np.random.default_rng(4)
    one, other = (rng.standard_normal(50_000) + 1j * rng.standard_normal(50_000) for _ in range(2))
    plan = plan_of(function, one)
    assert isinstance(plan, Plan)
    assert len(plan.steps) == 1
    assert_identical(plan(other), [function(from_array(other)).array])


def test_gradients_add_up_in_place() -> None:
    def twice(x: Tensor) -> Any:
        x.grad = None
        (x * x).sum().backward()
        (x * 3).sum().backward()
        return x.grad

    plan = plan_of(twice, THREE)
    assert isinstance(plan, Plan)
    np.testing.assert_array_equal(plan(THREE + 1)[0], 2 * (THREE + 1) + 3)


# -- what a plan is -----------------------------------------------------------------------------------------------
def calls(plan: Plan) -> list[Any]:
    return [step.call for step in plan.steps]


def test_what_no_output_needs_is_left_out() -> None:
    plan = plan_of(lambda x: (x.exp(), x.sin())[1], THREE)
    assert isinstance(plan, Plan)
    assert calls(plan) == [np.sin]


def test_what_may_refuse_values_is_kept() -> None:
    def function(x: Tensor, index: Tensor) -> Any:
        torch.gather(x, 0, index)
        return x * 2

    plan = plan_of(function, THREE, np.array([0, 1, 2]))
    assert isinstance(plan, Plan)
    with pytest.raises(EngineError, match="out of bounds") as refused:
        plan(THREE, np.array([0, 1, 7]))
    with pytest.raises(EngineError) as expected:
        function(from_array(THREE), from_array(np.array([0, 1, 7])))
    assert str(refused.value) == str(expected.value)
    assert type(refused.value) is type(expected.value)


def test_errors_of_kernels_are_those_of_eager_runs() -> None:
    def picky(input: Array) -> Array:
        if input[0] < 0:
            raise ValueError("not that one")
        return input

    picky.__annotations__ = {"input": "Array", "return": "Array"}
    op = Primitive(picky, "picky", nondifferentiable=("input",))
    plan = plan_of(lambda x: op(x * 2).exp(), THREE, requires_grad=False)
    assert isinstance(plan, Plan)
    with pytest.raises(OpError) as refused:
        plan(-THREE)
    with pytest.raises(OpError) as expected:
        op(from_array(-THREE))
    assert str(refused.value) == str(expected.value) == "picky(): not that one"


def test_equal_calls_are_made_once() -> None:
    plan = plan_of(lambda x: x.exp() * x.exp(), THREE)
    assert isinstance(plan, Plan)
    assert calls(plan) == [np.exp, np.multiply]


def test_zeros_of_both_signs_are_two_constants() -> None:
    plan = plan_of(lambda x: (x * 0.0, x * -0.0), THREE)
    assert isinstance(plan, Plan)
    assert [bool(np.signbit(out[0])) for out in plan(THREE)] == [False, True]


def test_what_depends_on_no_input_is_computed_once() -> None:
    plan = plan_of(lambda x: x * (torch.arange(3) * 2 + 1).exp(), THREE)
    assert isinstance(plan, Plan)
    assert calls(plan) == [np.multiply]


def test_outputs_are_nobody_elses_memory() -> None:
    constant = from_array(THREE.copy())
    plan = plan_of(lambda x: (x, x.T, constant + 1, constant, x * 2, (x * 2)[:2]), THREE, requires_grad=False)
    assert isinstance(plan, Plan)
    given = THREE.copy()
    first = [array.copy() for array in plan(given)]
    for array in plan(given):
        array[...] = 7
    constant.array[...] = 7
    np.testing.assert_array_equal(given, THREE)
    assert_identical(plan(given), first)


def test_inputs_are_laid_out_as_recorded() -> None:
    values = np.arange(6.0).reshape(2, 3)
    plan = plan_of(lambda x: x.sum(0), values)
    assert isinstance(plan, Plan)
    np.testing.assert_array_equal(plan(np.asfortranarray(values))[0], values.sum(0))
    with pytest.raises(ArgumentValueError, match="a plan for float64"):
        plan(values.T)


def test_a_budget_holds_for_replays() -> None:
    plan = plan_of(lambda x: (x * 2).exp(), THREE)
    assert isinstance(plan, Plan)
    for budget in (modes.Budget(nbytes=47), modes.Budget(elements=2), modes.Budget(seconds=0)):
        with modes.use(modes.State(budget=budget)), pytest.raises(BudgetError):
            plan(np.zeros(3))
    with modes.use(modes.State(budget=modes.Budget(nbytes=48))):
        plan(np.zeros(3))


def test_a_replay_spends_what_an_eager_run_spends_on_elements() -> None:
    function = with_gradient(lambda x: (x.half() * 2).exp().sum())
    plan = plan_of(function, THREE)
    assert isinstance(plan, Plan)
    replayed, eager = modes.Budget(), modes.Budget()
    with modes.use(modes.State(budget=replayed)):
        plan(THREE)
    with modes.use(modes.State(budget=eager)):
        function(from_array(THREE.copy(), True))
    objects = [modes.TENSOR_BYTES, modes.VIEW_BYTES, modes.NODE_BYTES]  # which a replay does without
    assert 0 < replayed.spent < eager.spent
    assert (eager.spent - replayed.spent) % gcd(*objects) == 0


def test_who_cannot_afford_planning_gets_none_and_keeps_the_run() -> None:
    x = from_array(THREE.copy())
    with Recorder([x.array]) as recorder:
        y = (x * 2).exp()
    budget = modes.Budget(seconds=0)
    plan = planned(recorder, [y.array], budget)
    assert isinstance(plan, Eager)
    assert plan.reason == "planning takes longer than 0 s"
    assert isinstance(planned(recorder, [y.array], modes.Budget(seconds=60)), Plan)
    budget.stop()  # nobody waits for the plan any more: that says nothing about the graph
    with pytest.raises(BudgetError):
        planned(recorder, [y.array], budget)


@pytest.mark.parametrize("steps", [1, 5, 11])
def test_every_pass_looks_at_the_clock(steps: int) -> None:
    """One step is seen by three passes, and one more time as a unit."""
    x = from_array(THREE.copy())
    with Recorder([x.array]) as recorder:
        y = x
        for _ in range(steps):
            y = y.cumsum(0)
    ticks: list[None] = []

    def tick() -> None:
        ticks.append(None)

    Plan(optimized(recorder, [recorder.value_of(y.array)], tick), tick)
    assert len(ticks) == 4 * steps


# -- blocks -------------------------------------------------------------------------------------------------------
SHAPES = [(70_001,), (300, 257), (2, 3, 20_000), (1, 80_000)]


def chain(x: Tensor) -> Any:
    a = torch.tanh(x * 0.5 + 0.1)
    b = torch.exp(-(x * x))
    return torch.sigmoid(a * b) * a - torch.sin(b)


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("reduced", ["sum", "mean"])
def test_blocks_give_what_whole_arrays_give(shape: tuple[int, ...], dtype: str, reduced: str) -> None:
    function = with_gradient(lambda x: getattr(chain(x), reduced)())
    rng = np.random.default_rng(1)
    plan = plan_of(function, rng.standard_normal(shape).astype(dtype))
    assert isinstance(plan, Plan)
    values = rng.standard_normal(shape).astype(dtype)
    assert len(plan.steps) < 4
    assert_identical(plan(values), [t.array for t in function(from_array(values.copy(), True))])


def test_blocks_broadcast() -> None:
    function = with_gradient(lambda x, row, column: ((x * row + column).tanh() * row).exp())
    rng = np.random.default_rng(2)
    shapes = ((400, 130), (130,), (400, 1))
    plan = plan_of(function, *(rng.standard_normal(shape) for shape in shapes))
    assert isinstance(plan, Plan)
    values = [rng.standard_normal(shape) for shape in shapes]
    assert_identical(plan(*values), [t.array for t in function(*(from_array(v.copy(), True) for v in values))])


def test_one_number_everywhere_is_not_summed_as_one_element() -> None:
    flag = from_array(np.zeros(50_000, np.bool_))

    def function(x: Tensor) -> Any:
        wide = torch.where(flag, x.expand(50_000), torch.ones(50_000))  # operands that are one number each
        return wide.sum(), (wide + 1).sum()

    plan = plan_of(function, np.array(2.0), requires_grad=False)
    assert isinstance(plan, Plan)
    assert_identical(plan(np.array(3.0)), [tensor.array for tensor in function(from_array(np.array(3.0)))])


def test_an_error_in_a_piece_is_that_of_the_run() -> None:
    plan = plan_of(with_gradient(lambda x: chain(x).sum()), np.ones(1_000_000))
    assert isinstance(plan, Plan)
    with modes.use(modes.State(budget=modes.Budget(seconds=0))), pytest.raises(BudgetError, match="seconds"):
        plan(np.ones(1_000_000))


def test_a_step_that_needs_a_sum_waits_for_it() -> None:
    function = with_gradient(lambda x: (x.exp() / x.exp().sum()).log() * x.exp())
    values = np.random.default_rng(3).standard_normal(50_000)
    plan = plan_of(function, values + 1)
    assert isinstance(plan, Plan)
    assert_identical(plan(values), [t.array for t in function(from_array(values.copy(), True))])


def test_a_long_chain_needs_no_memory_but_its_result() -> None:
    def function(x: Tensor) -> Any:
        y = x
        for _ in range(10):
            y = torch.tanh(y * 1.1)
        return y.sum()

    values = np.random.default_rng(4).standard_normal(1_000_000)
    plan = plan_of(with_gradient(function), values)
    assert isinstance(plan, Plan)
    tracemalloc.start()
    plan(values)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 1.6 * values.nbytes, f"{peak / values.nbytes:.1f} arrays"
    expected = with_gradient(function)(from_array(values.copy(), True))
    assert_identical(plan(values), [tensor.array for tensor in expected])


def test_values_are_freed_at_their_last_use() -> None:
    def function(x: Tensor) -> Any:
        for _ in range(20):
            x = x.cumsum(0)
        return x

    values = np.ones(1_000_000)
    plan = plan_of(function, values)
    assert isinstance(plan, Plan)
    tracemalloc.start()
    plan(values)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 4.5 * values.nbytes  # with the rows that a sum is taken by


@pytest.mark.parametrize("count", [4, 100_000, 1_000_000])  # the last is shared among threads by itself
def test_one_plan_runs_in_many_threads(count: int) -> None:
    function = with_gradient(lambda x: chain(x).sum())
    rng = np.random.default_rng(5)
    plan = plan_of(function, rng.standard_normal(count))
    assert isinstance(plan, Plan)
    inputs = [rng.standard_normal(count) for _ in range(8)]
    expected = [plan(values) for values in inputs]
    with ThreadPoolExecutor(4) as pool:
        for actual, want in zip(pool.map(plan, inputs), expected, strict=True):
            assert_identical(actual, want)


UNARY = ("exp", "sin", "tanh", "sigmoid", "neg", "abs", "square", "relu", "sqrt", "log1p")
BINARY = ("add", "sub", "mul", "div", "maximum")


@settings(max_examples=60, deadline=None)
@given(
    st.lists(st.tuples(st.sampled_from(UNARY + BINARY), st.integers(0, 9), st.integers(0, 9)), min_size=1, max_size=9),
    st.sampled_from([(3,), (80_000,), (250, 300)]),
    st.sampled_from(["float32", "float64"]),
)
def test_random_expressions(program: list[tuple[str, int, int]], shape: tuple[int, ...], dtype: str) -> None:
    def function(x: Tensor, y: Tensor) -> Any:
        found = [x, y]
        for name, left, right in program:
            first, second = found[left % len(found)], found[right % len(found)]
            found.append(getattr(torch, name)(first) if name in UNARY else getattr(torch, name)(first, second))
        out = found[-1] * x + found[len(found) // 2] * y
        return out, *sweep.grad(out.mean(), (x, y))

    rng = np.random.default_rng(6)
    plan = plan_of(function, rng.standard_normal(shape).astype(dtype), rng.standard_normal(shape[-1:]).astype(dtype))
    assert isinstance(plan, Plan)
    values = [rng.standard_normal(size).astype(dtype) for size in (shape, shape[-1:])]
    assert_identical(plan(*values), [t.array for t in function(*(from_array(v.copy(), True) for v in values))])
