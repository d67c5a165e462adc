"""Many small parameters moved as one: their elements in a row, and those of what is remembered of them.

Each element of a step depends on the elements at its place alone, so the same ``_update`` gives the same bits. What it
costs beside its arithmetic is paid once.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from engine import modes
from engine.autograd.inplace import count
from engine.storage import UNCOUNTED
from engine.tensor import Tensor, from_array, is_plain

Array = np.ndarray[Any, Any]
SMALL = 2**14  # elements of a parameter, beyond which a copy costs more than a call


def move_joined(optimizer: Any, group: dict[str, Any], params: list[Tensor]) -> list[Tensor]:
    """Move those of ``params`` that are small and alike; the others are returned."""
    state = modes.current()
    if len(params) < 2 or state.recorder is not None or (state.journal is not None and state.journal.keeps):
        return params
    known = {id(param): optimizer._state_of(param, group) for param in params}  # made in their order, which is seen
    small = [param for param in params if _is_small(param)]
    if not small:
        return params
    alike = [param for param in small if _is_like(param, small[0])]
    states = [known[id(param)] for param in alike]
    first = states[0]
    together = [one for one in zip(alike, states, strict=True) if _remembers_alike(one, (alike[0], first))]
    if len(together) < 2 or len({id(param) for param in params}) < len(params):
        return params
    if not first and optimizer._remembers(group):  # the first step makes what is remembered
        return params
    _move(optimizer, group, together)
    moved = {id(param) for param, _ in together}
    return [param for param in params if id(param) not in moved]


def _is_small(param: Tensor) -> bool:
    grad: Any = param._grad
    return param.array.size <= SMALL and _is_simple(param) and _is_simple(grad) and not grad.requires_grad


def _is_simple(tensor: Tensor) -> bool:
    """Whether a tensor is nothing but its elements, which lie in order."""
    array = tensor.array
    return (
        array.dtype.char in "fd" and array.flags.c_contiguous and array.size > 0 and tensor.base is None
        and is_plain(tensor) and not tensor.inference and tensor.storage.version != UNCOUNTED
    )  # fmt: skip


def _is_like(param: Tensor, first: Tensor) -> bool:
    grad: Any = param._grad
    return bool(param.array.dtype == grad.array.dtype == first.array.dtype)


def _remembers_alike(one: tuple[Tensor, Any], other: tuple[Tensor, Any]) -> bool:
    """Whether as much is remembered of two parameters, numbers beside elements being equal."""
    (param, state), (first, known) = one, other
    if state.keys() != known.keys():
        return False
    for name, value in state.items():
        if not isinstance(value, Tensor) or not isinstance(known[name], Tensor) or not _is_simple(value):
            return False
        array, seen = value.array, known[name].array
        if array.dtype != seen.dtype:
            return False
        if name in _NUMBERS:
            if array.shape != () or seen.shape != () or array != seen:
                return False
        elif array.shape != param.array.shape or seen.shape != first.array.shape:
            return False
    return True


_NUMBERS = frozenset({"step", "mu_product"})


def _move(optimizer: Any, group: dict[str, Any], together: list[tuple[Tensor, Any]]) -> None:
    params, states = [param for param, _ in together], [state for _, state in together]
    for state in states:
        modes.touch(state)
    whole = _joined(params)
    whole._grad = _joined([param._grad for param in params])
    remembered = {
        name: from_array(value.array.copy()) if name in _NUMBERS else _joined([state[name] for state in states])
        for name, value in states[0].items()
    }
    optimizer._move_with(whole, remembered, group)
    _part(whole, params)
    for name, value in remembered.items():
        _part(value, [state[name] for state in states])


def _joined(tensors: list[Any]) -> Tensor:
    """The elements of tensors in a row."""
    return from_array(np.concatenate([one.array.ravel() for one in tensors]))


def _part(whole: Tensor, parts: list[Tensor]) -> None:
    """Write the elements of ``whole`` back, and count as many writes."""
    elements, writes, start = whole.array, whole.storage.version, 0
    for part in parts:
        array = part.array
        modes.overwrite(part.storage, array)
        if elements.ndim == 0:
            array[...] = elements
        else:
            end = start + array.size
            array[...] = elements[start:end].reshape(array.shape)
            start = end
        for _ in range(writes):
            count(part)
