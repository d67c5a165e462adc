"""Cotangents whose memory may be used again, for nobody but the sweep has them; PyTorch asks the same of counts."""

from __future__ import annotations

from sys import getrefcount

import numpy as np

from engine import modes, registry
from engine.tensor import Tensor, make_tensor

Row = list[Tensor | None]
LONG = 2**16  # bytes, from which on new memory costs more than to find out that there need be none


def _references(row: Row, number: int) -> tuple[int, int, int]:
    """How many have one of the tensors of ``row``, its storage and its array."""
    tensor: Tensor = row[number]  # type: ignore[assignment]
    return getrefcount(tensor), getrefcount(tensor.storage), getrefcount(tensor.array)


_ALONE = _references([make_tensor(np.empty(0))], 0)  # where nobody but the row has it
_SHOWN = np.empty((1, 1)).reshape(1)
_ONE = getrefcount(_SHOWN.base)  # where one array shows the memory


def is_alone(row: Row, number: int, state: modes.State) -> bool:
    """Whether a tensor is a new one in C order that nobody but ``row`` has, nor anybody its memory.

    Its array has its memory, or is all that shows it: what a kernel gave in another shape.
    """
    tensor: Tensor = row[number]  # type: ignore[assignment]
    array = tensor.array
    is_other = tensor._requires_grad or tensor.inference or tensor.bits or tensor.odd or tensor.storage.version
    if is_other or tensor.node is not None or not array.flags.c_contiguous or state.recorder is not None:
        return False
    if array.base is not None:
        is_memory = type(array.base) is np.ndarray and array.base.base is None and array.base.nbytes == array.nbytes
        if not is_memory or getrefcount(array.base) != _ONE:
            return False
    del tensor, array
    return _references(row, number) == _ALONE


def add(row: Row, number: int, cotangent: Tensor) -> None:
    """Add to a tensor of ``row``: in its place where that is long and nobody else has it."""
    state = modes.current()
    if cotangent.array.nbytes >= LONG and not (cotangent.bits or cotangent.odd or state.grad_enabled):
        dtype = cotangent.dtype
        if dtype.opmath is dtype and is_alone(row, number, state):
            array = row[number].array  # type: ignore[union-attr]
            np.add(array, cotangent.array, out=array)
            return
    row[number] = registry.op("add")(row[number], cotangent)
