"""``copy.copy`` and ``copy.deepcopy`` of tensors: of leaves only, and tensors that share memory do so in the copy."""

from __future__ import annotations

from typing import Any

import numpy as np

from engine import modes
from engine.errors import OpError
from engine.storage import Storage, make_storage
from engine.tensor import LAZY, Parameter, Tensor, make_tensor, mark_inference, read

NOT_A_LEAF = (
    "Only Tensors created explicitly by the user (graph leaves) support the deepcopy protocol at the moment.  If you "
    "were attempting to deepcopy a module, this may be because of a torch.nn.utils.weight_norm usage, see "
    "https://github.com/pytorch/pytorch/pull/103001"
)


def __copy__(self: Tensor) -> Tensor:
    """A leaf over the same memory, which counts its own writes."""
    copy = make_tensor(self.array, self.storage.alias(), kind=type(self))
    copy._requires_grad, copy.bits = self.requires_grad, self.bits & LAZY
    return copy


def __deepcopy__(self: Tensor, memo: dict[int, Any]) -> Tensor:
    """A leaf of its own, with a copy of the grad. What shares its memory does so in the copy, if that has the memo."""
    if not self.is_leaf:
        raise OpError(NOT_A_LEAF)
    if id(self) in memo:
        known: Tensor = memo[id(self)]
        return known
    read(self)
    storage = _storage(self, memo)
    array = np.ndarray(
        self.array.shape, self.array.dtype, _bytes(storage), self.array.__array_interface__["data"][0] -
        self.storage.root.address if self.array.size else 0, self.array.strides,
    )  # fmt: skip
    copy = memo[id(self)] = make_tensor(array, storage, kind=type(self))
    copy._requires_grad, copy.bits, copy.odd = self._requires_grad, self.bits & LAZY, True
    if self.grad is not None and not isinstance(self, Parameter):
        copy._grad = __deepcopy__(self.grad, memo)
    if self.inference:
        mark_inference(copy)
    return copy


def _storage(tensor: Tensor, memo: dict[int, Any]) -> Storage:
    root = tensor.storage.root
    found = memo.get(id(root))
    if found is None:
        budget = modes.current().budget
        if budget is not None:
            budget.reserve(root.array.size, root.array.nbytes, root.array.size, "deepcopy")
            budget.spend(root.array.nbytes)
        found = memo[id(root)] = make_storage(root.array.copy(order="K"))
    return found


def _bytes(storage: Storage) -> np.ndarray[Any, Any]:
    return storage.flat.view(np.uint8)


__all__ = ["__copy__", "__deepcopy__"]
