"""What numbers and lists become, what is refused, what is asked of the budget, and the stream of random numbers."""

from __future__ import annotations

import itertools
import json
from collections import deque
from typing import Any

import numpy as np
import pytest

import engine
from engine import dtypes, modes
from engine.errors import BudgetError
from engine.ops.creation.factories import _triangle

torch: Any = engine  # its functions are not known to a type checker


@pytest.mark.parametrize(
    ("data", "dtype"),
    [
        (1, "int64"), (1.0, "float32"), (True, "bool"), (1j, "complex64"), ([1, 2.5], "float32"), ([True, 2], "int64"),
        ([], "float32"), ([[], []], "float32"), ([1, 2j], "complex64"), (np.ones(2, np.float16), "float16"),
    ],
)  # fmt: skip
def test_the_dtype_is_what_all_numbers_promote_to(data: Any, dtype: str) -> None:
    assert torch.tensor(data).dtype.name == dtype


def test_the_default_dtype_decides_about_floats() -> None:
    torch.set_default_dtype(torch.float64)
    assert torch.tensor([1, 2.5]).dtype is torch.float64
    assert torch.tensor(1j).dtype is torch.complex128
    assert torch.zeros(2).dtype is torch.float64


@pytest.mark.parametrize(
    ("data", "error", "text"),
    [
        ([[1, 2], [3]], ValueError, "expected sequence of length 2 at dim 1 (got 1)"),
        ([[1, 2], 3], TypeError, "not a sequence"),
        ([1, [2]], TypeError, "'list' object cannot be interpreted as an integer"),
        (["a"], ValueError, "too many dimensions 'str'"),
        (json.loads(129 * "[" + 129 * "]"), ValueError, "too many dimensions 'list'"),
        (None, RuntimeError, "Could not infer dtype of NoneType"),
        (2**63, ValueError, "Overflow when unpacking long long"),
    ],
)
def test_what_is_no_tensor_is_refused_in_the_references_words(data: Any, error: type[Exception], text: str) -> None:
    with pytest.raises(error) as caught:
        torch.tensor(data)
    assert str(caught.value) == text


def test_integers_cannot_require_grad() -> None:
    with pytest.raises(RuntimeError, match="Only Tensors of floating point and complex dtype can require gradients"):
        torch.zeros(2, dtype=torch.int64, requires_grad=True)


@pytest.mark.parametrize(
    "make",
    [
        lambda: torch.zeros(10**9, 10**9, 10**9), lambda: torch.arange(10**12), lambda: torch.eye(10**6),
        lambda: torch.rand(10**12), lambda: torch.ones(3).expand(10**9, 3), lambda: torch.ones(3).repeat(10**9),
        lambda: torch.ones(3).repeat_interleave(10**9), lambda: torch.combinations(torch.ones(60), 30),
        lambda: torch.tensor([0.0] * 2000), lambda: torch.cat([torch.ones(600)] * 2),
    ],
)  # fmt: skip
def test_the_budget_is_asked_before_memory_is_taken(make: Any) -> None:
    with modes.use(modes.State(budget=modes.Budget(elements=1000))), pytest.raises(BudgetError):
        make()


def test_an_array_shares_its_memory() -> None:
    array = np.zeros(3)
    torch.from_numpy(array)[0] = 1.0
    assert array.tolist() == [1.0, 0.0, 0.0]


def test_a_seed_starts_the_stream_anew() -> None:
    torch.manual_seed(7)
    first = torch.rand(3)
    torch.manual_seed(7)
    assert torch.equal(torch.rand(3), first)


def test_a_run_that_is_undone_gives_its_random_numbers_back() -> None:
    state = modes.State(journal=modes.Journal())
    with modes.use(state):
        first = torch.rand(3)
        assert state.journal is not None
        state.journal.rollback()
        assert torch.equal(torch.rand(3), first)


def test_a_draw_into_a_tensor_follows_its_memory() -> None:
    torch.manual_seed(7)
    straight = torch.zeros(2, 3).uniform_()
    torch.manual_seed(7)
    turned = torch.zeros(2, 3).t().uniform_()
    assert torch.equal(turned, straight.t())


def test_nothing_is_drawn_where_writing_is_refused() -> None:
    before = modes.current().generator.state()
    with pytest.raises(RuntimeError, match="a leaf Variable that requires grad"):
        torch.zeros(3, requires_grad=True).uniform_()
    assert modes.current().generator.state() == before


@pytest.mark.parametrize("lower", [True, False])
def test_places_beside_a_diagonal_are_counted(lower: bool) -> None:
    indices = np.tril_indices if lower else np.triu_indices
    for row, col, offset in itertools.product(range(5), range(5), range(-7, 8)):
        assert _triangle(row, col, offset, lower) == len(indices(row, offset, col)[0]), (row, col, offset)


@pytest.mark.parametrize("name", ["tril_indices", "triu_indices"])
def test_a_huge_triangle_is_refused_before_anything_is_done(name: str) -> None:
    with modes.use(modes.State(budget=modes.Budget(elements=1000))), pytest.raises(BudgetError):
        getattr(torch, name)(10**15, 10**3, -3)


@pytest.mark.parametrize("kind", [np.float64, np.float32, np.int32, np.bool_, np.complex128])
def test_numbers_of_numpy_keep_their_dtype(kind: type[np.generic]) -> None:
    wanted = dtypes.from_numpy(np.dtype(kind))
    for data in (kind(1), [kind(1)], [[kind(1)], [kind(0)]]):
        assert torch.tensor(data).dtype is torch.as_tensor(data).dtype is wanted
    assert torch.tensor([np.float64(1.5), 2]).dtype is torch.float64
    assert torch.tensor(deque([1.0, 2.0])).tolist() == [1.0, 2.0]
    assert torch.tensor(np.float64(2.9), dtype=torch.int64).item() == 2
