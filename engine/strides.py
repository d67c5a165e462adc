"""Strides: how PyTorch lays out what ops make, and arrays that carry such strides.

NumPy makes arrays whose strides differ from PyTorch's where operands are expanded or laid out differently, and it
forgets strides (and the offset) where they tell nothing: of extents of 1 and of arrays without elements. PyTorch shows
these, and later views go on from them. Strides are in elements here.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from typing import Any, TypeAlias

import numpy as np

Array: TypeAlias = np.ndarray[Any, Any]
Ints: TypeAlias = tuple[int, ...]
Layout: TypeAlias = tuple[Ints, Ints]  # sizes and strides
Place: TypeAlias = tuple[Ints, Ints, int]  # of an array: sizes, strides in bytes, and the bytes of an element

KNOWN = 4096  # of how many layouts the result is remembered
CHANNELS_LAST = (0, 2, 3, 1)


def steps_of(array: Array) -> Ints:
    """The strides of an array."""
    itemsize = array.itemsize
    return tuple([step // itemsize for step in array.strides])


# -- layouts ------------------------------------------------------------------------------------------------------
@lru_cache(KNOWN)
def contiguous(size: Ints) -> Ints:
    """The strides of a new tensor: C order, with extents of 0 taken as 1."""
    return in_order(size, range(len(size) - 1, -1, -1))


@lru_cache(KNOWN)
def columns(size: Ints) -> Ints:
    """The strides of matrices of which each lies column by column, as LAPACK leaves them."""
    ndim = len(size)
    return in_order(size, (ndim - 2, ndim - 1, *range(ndim - 3, -1, -1))) if ndim > 1 else contiguous(size)


def in_order(size: Ints, order: Sequence[int]) -> Ints:
    """The strides of a new tensor whose dimensions lie in memory in ``order``, the innermost first."""
    strides, step = [1] * len(size), 1
    for dim in order:
        strides[dim] = step
        step *= max(size[dim], 1)
    return tuple(strides)


def is_contiguous(size: Ints, strides: Ints, order: Sequence[int] | None = None) -> bool:
    """Whether the elements lie in C order (or in ``order``, outermost first) without gaps."""
    expected = 1
    for dim in reversed(range(len(size)) if order is None else order):
        if size[dim] != 1:
            if strides[dim] != expected:
                return 0 in size
            expected *= size[dim]
    return True


def is_dense(size: Ints, strides: Ints) -> bool:
    """Whether the elements lie in memory without gaps or overlaps, in the order of some permutation of the axes."""
    expected = 1
    for step, extent in sorted((step, extent) for step, extent in zip(strides, size, strict=True) if extent != 1):
        if step != expected:
            return 0 in size
        expected *= extent
    return True


def _sorted(size: Ints, operands: Sequence[Ints]) -> list[int]:
    """The dimensions by the strides of the operands, the innermost first.

    An earlier operand decides before a later one; strides of 0 decide nothing, so the order is partial, and it matters
    that dimensions are inserted one by one as PyTorch does it (``TensorIterator::reorder_dimensions``).
    """
    order = list(range(len(size) - 1, -1, -1))
    for place in range(1, len(order)):
        moving = place
        for other in range(place - 1, -1, -1):
            comparison = _compared(order[other], order[moving], size, operands)
            if comparison < 0:
                break
            if comparison > 0:
                order[other], order[moving] = order[moving], order[other]
                moving = other
    return order


def _compared(inner: int, outer: int, size: Ints, operands: Sequence[Ints]) -> int:
    for strides in operands:
        first, second = strides[inner], strides[outer]
        if first == 0 or second == 0:
            continue
        if first != second:
            return -1 if first < second else 1
        if size[inner] > size[outer]:
            return 1
    return 0


@lru_cache(KNOWN)
def is_odd(size: Ints, strides: Ints, itemsize: int) -> bool:
    """Whether what lies so may give results another layout than that of a new tensor.

    It does not if it lies as a new tensor does, or shows one element everywhere.
    """
    if 0 in size or tuple([step // itemsize for step in strides]) == contiguous(size):
        return 0 in size
    return any(strides) or all(extent == 1 for extent in size)


def of_copy(size: Ints, strides: Ints, itemsize: int) -> Place:
    """The place of a copy of what lies at such a place."""
    return size, preserved(size, tuple([step // itemsize for step in strides])), 1


@lru_cache(KNOWN)
def of_result(
    rule: str, size: Ints, strides: Ints, itemsize: int, operands: tuple[Place, ...]
) -> tuple[Ints | None, bool]:
    """Where a result that lies at ``strides`` (in bytes) has to lie, or ``None`` if it does; and whether that is odd.

    ``rule`` is one of ``engine.op.traits.Nature.layout``.
    """
    own = tuple([step // itemsize for step in strides])
    layouts = tuple([(other, tuple([step // unit for step in steps])) for other, steps, unit in operands])
    wanted = (
        ()
        if not size
        else {
            "contiguous": lambda: contiguous(size),
            "operands": lambda: of_pointwise(size, layouts),
            "tensors": lambda: of_pointwise(size, layouts),
            "input": lambda: preserved(*layouts[0]) if layouts[0][0] == size else contiguous(size),
            "columns": lambda: columns(size),
            "kernel": lambda: own,
        }[rule]()
    )
    return None if wanted == own else wanted, is_odd(size, wanted, 1)


@lru_cache(KNOWN)
def preserved(size: Ints, strides: Ints) -> Ints:
    """The strides of a copy: the same ones where these leave no gaps, else their order."""
    return strides if is_dense(size, strides) else in_order(size, _sorted(size, [strides]))


@lru_cache(KNOWN)
def of_pointwise(size: Ints, operands: tuple[Layout, ...]) -> Ints:
    """The strides of what a pointwise op makes of such operands (PyTorch's ``TensorIterator``)."""
    if all(own == size for own, _ in operands):
        if all(is_contiguous(*operand) for operand in operands):
            return contiguous(size)
        if len(size) == 4 and all(is_contiguous(*operand, CHANNELS_LAST) for operand in operands):
            return in_order(size, CHANNELS_LAST[::-1])
        first = operands[0]
        if is_dense(*first) and all(operand == first for operand in operands):
            return first[1]
    order = _sorted(size, [_broadcast(size, *operand) for operand in operands])
    if order == list(range(len(size) - 1, -1, -1)):
        return contiguous(size)
    strides, step = [0] * len(size), 1
    for dim in order:
        strides[dim] = step
        step *= size[dim]
    return tuple(strides)


def _broadcast(size: Ints, own: Ints, strides: Ints) -> Ints:
    lead = len(size) - len(own)
    wide = zip(size[lead:], own, strides, strict=True)
    return (0,) * lead + tuple([0 if had == 1 != extent else step for extent, had, step in wide])


def is_laid_out(size: Ints, strides: Ints, wanted: Ints) -> bool:
    """Whether a gradient of this size lies as ``wanted``, so that PyTorch does not copy it.

    Strides of extents of 1 tell nothing, but that of an expanded one is none.
    """
    if len(size) != len(wanted):
        return False
    dims = zip(size, strides, wanted, strict=True)
    return all(own == want if extent != 1 else own != 0 for extent, own, want in dims)


def of_view(size: Ints, strides: Ints, target: Ints) -> Ints | None:
    """The strides that show the same elements in shape ``target``; ``None`` if there are none (``computeStride``)."""
    if 0 in size:
        return strides if size == target else contiguous(target)
    result = [1] * len(target)
    place = len(target) - 1
    base = strides[-1] if strides else 1
    count = seen = 1
    for dim in range(len(size) - 1, -1, -1):
        count *= size[dim]
        if dim and (size[dim - 1] == 1 or strides[dim - 1] == count * base):
            continue
        while place >= 0 and (seen < count or target[place] == 1):
            result[place] = seen * base
            seen *= target[place]
            place -= 1
        if seen != count:
            return None
        if dim:
            base, count, seen = strides[dim - 1], 1, 1
    return tuple(result) if place < 0 or not size else None


# -- arrays -------------------------------------------------------------------------------------------------------
class _Memory:
    """What NumPy asks for the place of an array; ``owner`` keeps the memory."""

    def __init__(self, interface: dict[str, Any], owner: Array) -> None:
        self.__array_interface__ = interface
        self.owner = owner


def placed(array: Array, size: Ints, strides: Ints, offset: int = 0) -> Array:
    """A view of the memory of ``array``, ``offset`` elements behind its first one, which must lie in there.

    Unlike ``np.lib.stride_tricks.as_strided``, it keeps the place and the strides of a view without elements.
    """
    flags, itemsize = array.flags, array.itemsize
    begin, steps = offset * itemsize, tuple([step * itemsize for step in strides])
    if flags.forc:
        try:
            return np.ndarray(size, array.dtype, array if flags.c_contiguous else array.T, begin, steps)
        except ValueError:  # it looks beyond the elements of ``array``, if not beyond its memory
            pass
    interface = dict(array.__array_interface__)  # takes ten times as long
    address, is_read_only = interface["data"]
    interface |= {"data": (address + begin, is_read_only), "shape": size, "strides": steps}
    view = np.asarray(_Memory(interface, array))
    return view if view.dtype == array.dtype else view.view(array.dtype)  # the interface has no word for bfloat16


def new(size: Ints, dtype: np.dtype[Any], strides: Ints) -> Array:
    """An array without gaps, of which nothing is known but its layout."""
    count = 1 + sum([(extent - 1) * step for extent, step in zip(size, strides, strict=True)])
    return placed(np.empty(0 if 0 in size else count, dtype), size, strides)


def copied(array: Array, strides: Ints) -> Array:
    """A copy of the elements at ``strides``, which leave no gaps."""
    copy = new(array.shape, array.dtype, strides)
    copy[...] = array
    return copy


def relaid(array: Array, strides: Ints) -> Array:
    """The elements at ``strides``: of ``array`` itself where only strides without meaning differ, else a copy."""
    if steps_of(array) == strides:
        return array
    is_same = zip(array.shape, steps_of(array), strides, strict=True)
    if 0 in array.shape or all(own == step or extent == 1 for extent, own, step in is_same):
        return placed(array, array.shape, strides)
    return copied(array, strides)
