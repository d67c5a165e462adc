"""The memory behind tensors as an object."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

import engine
from engine.surface.storages import storage

torch: Any = engine


def test_a_storage_shows_all_of_the_memory_and_writes_to_it() -> None:
    points = torch.tensor([[4.0, 1.0], [5.0, 3.0]])
    found = storage(points[1])
    assert (len(found), found.size(), found.nbytes(), found.element_size()) == (4, 4, 16, 4)
    assert found.tolist() == list(found) == [4.0, 1.0, 5.0, 3.0]
    found[0], found[-1] = 2.0, 7.0
    assert points.tolist() == [[2.0, 1.0], [5.0, 7.0]]
    assert storage(points.t())[1] == 1.0
    assert points._version == 0
    found.fill_(3)
    assert points.tolist() == [[3.0, 3.0], [3.0, 3.0]]


def test_a_leaf_that_requires_grad_can_be_written_through_its_storage() -> None:
    weight = torch.ones(2, requires_grad=True)
    storage(weight)[1] = 5.0
    (weight**2).sum().backward()
    assert weight.grad.tolist() == [2.0, 10.0]


def test_an_untyped_storage_has_bytes_and_is_one_object_for_all_views() -> None:
    points = torch.ones(1, 2)
    found = points.untyped_storage()
    assert list(found) == 2 * [0, 0, 128, 63]
    assert found is points.t().untyped_storage() is storage(points).untyped()
    assert found is not torch.ones(1, 2).untyped_storage()
    assert found.data_ptr() == points.data_ptr()


def test_storages_print_as_in_pytorch() -> None:
    assert repr(storage(torch.tensor([1.5, -2.0]))) == (
        " 1.5\n -2.0\n[torch.storage.TypedStorage(dtype=torch.float32, device=cpu) of size 2]"
    )
    assert str(torch.tensor([True]).untyped_storage()) == " 1\n[torch.storage.UntypedStorage(device=cpu) of size 1]"
    assert str(torch.zeros(0).untyped_storage()) == " \n[torch.storage.UntypedStorage(device=cpu) of size 0]"


@pytest.mark.parametrize(
    ("ask", "error", "text"),
    [
        (lambda x: storage(x)[2], IndexError, "index 2 out of range for storage of size 2"),
        (lambda x: storage(x)[0:1], RuntimeError, "slices are only supported in UntypedStorage.__getitem__"),
        (
            lambda x: storage(x)["a"],
            RuntimeError,
            "can't index a <class 'torch.storage.TypedStorage'> with <class",
        ),
        (lambda x: x.untyped_storage()["a"], TypeError, "can't index a torch.UntypedStorage with str"),
    ],
)
def test_an_element_that_is_not_there_is_refused(ask: Callable[[Any], Any], error: type[Exception], text: str) -> None:
    with pytest.raises(error) as caught:
        ask(torch.zeros(2))
    assert str(caught.value).startswith(text)
