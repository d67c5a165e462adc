"""Square brackets against NumPy's, and what only tensors do: views, histories, and PyTorch's refusals."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import engine
from engine.tensor import Tensor, from_array

torch: Any = engine  # its functions are not known to a type checker
SHAPE = (3, 4, 5)
ROWS = np.array([2, 0, -1])
MASK = np.arange(12).reshape(3, 4) % 3 == 0
NUMBERS: tuple[Any, ...] = (
    0, -1, slice(1, None), slice(None, None, 2), slice(5, 2), ..., None, (0, 1), (..., 0), (slice(None), 2),
    (None, 1, None), (1, ..., slice(2)),
)  # fmt: skip
ARRAYS: tuple[Any, ...] = (
    ROWS, (ROWS, ROWS), (slice(None), ROWS), (ROWS, slice(None), ROWS), (ROWS[:, None], ROWS), (0, slice(None), ROWS),
    (ROWS, None, 0), MASK, (MASK, 0), (MASK, slice(1, 3)), (0, MASK[0]), (..., ROWS), True, False, (True, 0),
    np.zeros(0, np.int64), (slice(0, 0), ROWS),
)  # fmt: skip
KEYS = NUMBERS + ARRAYS


def tensors_in(key: Any) -> Any:
    """The same key with tensors for arrays."""
    if isinstance(key, tuple):
        return tuple(map(tensors_in, key))
    return from_array(key.copy()) if isinstance(key, np.ndarray) else key


def numbers_as_slices(key: Any) -> Any:
    """NumPy takes integers beside arrays for index arrays, which moves dimensions: slices of one select alike."""
    if not isinstance(key, tuple) or not any(isinstance(one, np.ndarray) for one in key):
        return key, ()
    slices = [slice(one, one + 1) if type(one) is int else one for one in key]
    return tuple(slices), tuple(position for position, one in enumerate(key) if type(one) is int)


@pytest.fixture
def values() -> np.ndarray[Any, Any]:
    return np.random.default_rng(0).standard_normal(SHAPE)


@pytest.mark.parametrize("key", KEYS, ids=str)
def test_reading_gives_the_elements_numpy_gives(key: Any, values: np.ndarray[Any, Any]) -> None:
    comparable, numbers = numbers_as_slices(key)
    result = from_array(values.copy())[tensors_in(key)]
    np.testing.assert_array_equal(np.sort(result.array, None), np.sort(values[comparable], None))
    if not numbers:
        np.testing.assert_array_equal(result.array, values[key])


@pytest.mark.parametrize("key", KEYS, ids=str)
def test_writing_changes_the_elements_numpy_changes(key: Any, values: np.ndarray[Any, Any]) -> None:
    target = from_array(values.copy())
    target[tensors_in(key)] = 7.0
    if key is not False:
        values[key] = 7.0
    np.testing.assert_array_equal(target.array, values)


@pytest.mark.parametrize("key", KEYS, ids=str)
def test_the_gradient_of_reading_counts_how_often_an_element_is_read(key: Any, values: np.ndarray[Any, Any]) -> None:
    places = np.arange(values.size).reshape(SHAPE)
    leaf = from_array(values, requires_grad=True)
    leaf[tensors_in(key)].sum().backward()
    assert leaf.grad is not None
    read = from_array(places)[tensors_in(key)].array
    np.testing.assert_array_equal(leaf.grad.array.ravel(), np.bincount(read.ravel(), minlength=values.size))


def test_numbers_slices_and_none_make_views() -> None:
    x = torch.zeros(2, 3)
    x[1, None, ::2].fill_(4.0)
    assert x.tolist() == [[0.0, 0.0, 0.0], [4.0, 0.0, 4.0]]


def test_index_tensors_make_copies() -> None:
    x = torch.zeros(3)
    x[[0, 1]].fill_(1.0)
    assert x.tolist() == [0.0, 0.0, 0.0]


def test_a_write_through_brackets_is_part_of_the_history() -> None:
    x = torch.ones(3, requires_grad=True)
    w = torch.tensor([5.0, 6.0], requires_grad=True)
    y = x * 1
    y[1:] = w
    assert y.grad_fn.name() == "torch::autograd::CopySlices"
    (y * torch.tensor([1.0, 2.0, 3.0])).sum().backward()
    assert x.grad.tolist() == [1.0, 0.0, 0.0]
    assert w.grad.tolist() == [2.0, 3.0]


def test_a_write_to_the_parts_of_complex_numbers_is_part_of_the_history() -> None:
    z0 = torch.tensor([1 + 2j, 3 - 1j], requires_grad=True)
    z = z0 * 1
    z.imag.mul_(10.0)
    assert z.tolist() == [1 + 20j, 3 - 10j]
    (gradient,) = torch.autograd.grad(z, z0, torch.tensor([1 + 1j, 2 - 1j]))
    assert gradient.tolist() == [1 + 10j, 2 - 10j]


@pytest.mark.parametrize(
    ("key", "error", "text"),
    [
        (3, IndexError, "index 3 is out of bounds for dimension 0 with size 3"),
        ((0, 0), IndexError, "too many indices for tensor of dimension 1"),
        (0.5, IndexError, "only integers, slices (`:`), ellipsis (`...`), None and long or byte Variables are valid"),
        (slice(None, None, -1), ValueError, "step must be greater than zero"),
        ([3], IndexError, "index 3 is out of bounds for dimension 0 with size 3"),
        (
            [True, False],
            IndexError,
            "The shape of the mask [2] at index 0 does not match the shape of the indexed tensor",
        ),
    ],
)
def test_impossible_keys_are_refused_in_the_references_words(key: Any, error: type[Exception], text: str) -> None:
    with pytest.raises(error) as caught:
        torch.zeros(3)[key]
    assert str(caught.value).startswith(text)


def test_a_value_that_does_not_fit_is_refused_and_nothing_changes() -> None:
    x = torch.zeros(2, 3)
    with pytest.raises(RuntimeError, match="must match the existing size"):
        x[0] = torch.ones(2)
    assert isinstance(x, Tensor)
    assert x.sum().item() == 0.0
