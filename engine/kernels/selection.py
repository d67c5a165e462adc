"""Selection in the order of PyTorch: which of several equal elements is taken.

The values selected do not depend on the algorithm, their places do. PyTorch selects with the algorithms of its
C++ standard library: Musser's introspective sort and selection (1997), heaps, and Hoare's selection. They are followed
here step by step on lists of positions, but only where equal elements make a difference; see ``ops.sorting``.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

Less = Callable[[int, int], bool]

SHORT = 16  # spans up to this length are left to insertion sort


def ascending(values: list[Any]) -> Less:
    """The order of positions by ``values``, NaN last."""
    return lambda i, j: values[i] < values[j] or (values[j] != values[j] and values[i] == values[i])


def descending(values: list[Any]) -> Less:
    """The order of positions by ``values`` from the largest, NaN first."""
    return lambda i, j: values[i] > values[j] or (values[i] != values[i] and values[j] == values[j])


# -- spans --------------------------------------------------------------------------------------------------------
def _insert(items: list[int], start: int, place: int, less: Less) -> None:
    """Move ``items[place]`` back to where it belongs in the sorted span before it."""
    item = items[place]
    if less(item, items[start]):
        items[start + 1 : place + 1] = items[start:place]
        items[start] = item
        return
    while less(item, items[place - 1]):
        items[place] = items[place - 1]
        place -= 1
    items[place] = item


def _insertion_sort(items: list[int], start: int, stop: int, less: Less) -> None:
    for place in range(start + 1, stop):
        _insert(items, start, place, less)


def _median_to(items: list[int], target: int, places: tuple[int, int, int], less: Less) -> None:
    """Swap the median of three into ``target``."""
    a, b, c = places
    if less(items[a], items[b]):
        median = b if less(items[b], items[c]) else c if less(items[a], items[c]) else a
    else:
        median = a if less(items[a], items[c]) else c if less(items[b], items[c]) else b
    items[target], items[median] = items[median], items[target]


def _partition(items: list[int], start: int, stop: int, less: Less) -> int:
    """Partition a span about the median of three of its elements; where the upper part begins."""
    middle = start + (stop - start) // 2
    _median_to(items, start, (start + 1, middle, stop - 1), less)
    pivot, low, high = items[start], start + 1, stop
    while True:
        while less(items[low], pivot):
            low += 1
        high -= 1
        while less(pivot, items[high]):
            high -= 1
        if low >= high:
            return low
        items[low], items[high] = items[high], items[low]
        low += 1


# -- heaps --------------------------------------------------------------------------------------------------------
def _sift(items: list[int], start: int, hole: int, length: int, item: int, less: Less) -> None:
    """Put ``item`` into the heap ``items[start:start + length]``, whose place ``hole`` is free.

    The hole sinks to the bottom along the larger children, then the item rises from there.
    """
    top = hole
    while 2 * hole + 2 < length:
        child = 2 * hole + 2
        if less(items[start + child], items[start + child - 1]):
            child -= 1
        items[start + hole] = items[start + child]
        hole = child
    if 2 * hole + 2 == length:
        items[start + hole] = items[start + length - 1]
        hole = length - 1
    while hole > top and less(items[start + (hole - 1) // 2], item):
        items[start + hole] = items[start + (hole - 1) // 2]
        hole = (hole - 1) // 2
    items[start + hole] = item


def _heap_select(items: list[int], start: int, middle: int, stop: int, less: Less) -> None:
    """Gather the smallest elements of a span before ``middle``, as a heap."""
    length = middle - start
    for hole in reversed(range(length // 2)):
        _sift(items, start, hole, length, items[start + hole], less)
    for place in range(middle, stop):
        if less(items[place], items[start]):
            item, items[place] = items[place], items[start]
            _sift(items, start, 0, length, item, less)


def _sort_heap(items: list[int], start: int, stop: int, less: Less) -> None:
    for last in range(stop - 1, start, -1):
        item, items[last] = items[last], items[start]
        _sift(items, start, 0, last - start, item, less)


# -- algorithms ---------------------------------------------------------------------------------------------------
def partial_sort(items: list[int], count: int, less: Less) -> None:
    """Sort the ``count`` smallest to the front."""
    if count:
        _heap_select(items, 0, count, len(items), less)
        _sort_heap(items, 0, count, less)


def nth_element(items: list[int], nth: int, less: Less) -> None:
    """Bring to ``nth`` what belongs there in sorted order, nothing larger before it."""
    start, stop = 0, len(items)
    if start == stop or nth == stop:
        return
    depth = 2 * ((stop - start).bit_length() - 1)
    while stop - start > 3:
        if depth == 0:
            _heap_select(items, start, nth + 1, stop, less)
            items[start], items[nth] = items[nth], items[start]
            return
        depth -= 1
        cut = _partition(items, start, stop, less)
        start, stop = (cut, stop) if cut <= nth else (start, cut)
    _insertion_sort(items, start, stop, less)


def sort(items: list[int], stop: int, less: Less) -> None:
    """Sort ``items[:stop]``, not stably."""
    if stop > 1:
        _sort_roughly(items, 0, stop, 2 * (stop.bit_length() - 1), less)
        _finish_sort(items, stop, less)


def _sort_roughly(items: list[int], start: int, stop: int, depth: int, less: Less) -> None:
    """Sort but for spans of at most ``SHORT`` elements."""
    while stop - start > SHORT:
        if depth == 0:
            _heap_select(items, start, stop, stop, less)
            _sort_heap(items, start, stop, less)
            return
        depth -= 1
        cut = _partition(items, start, stop, less)
        _sort_roughly(items, cut, stop, depth, less)
        stop = cut


def _finish_sort(items: list[int], stop: int, less: Less) -> None:
    _insertion_sort(items, 0, min(stop, SHORT), less)
    for place in range(SHORT, stop):
        item = items[place]
        while less(item, items[place - 1]):
            items[place] = items[place - 1]
            place -= 1
        items[place] = item


def quick_select(items: list[int], nth: int, less: Less) -> None:
    """Hoare's selection with a median of three: bring to ``nth`` what belongs there."""
    low, high = 0, len(items) - 1
    while high > low + 1:
        above, cut = _hoare_partition(items, low, high, less)
        if cut <= nth:
            low = above
        if cut >= nth:
            high = cut - 1
    if high == low + 1 and less(items[high], items[low]):
        items[low], items[high] = items[high], items[low]


def _order(items: list[int], low: int, high: int, less: Less) -> None:
    if less(items[high], items[low]):
        items[low], items[high] = items[high], items[low]


def _hoare_partition(items: list[int], low: int, high: int, less: Less) -> tuple[int, int]:
    """Partition ``items[low:high + 1]`` about a median of three; where the upper part begins, and where that is."""
    middle = low + (high - low) // 2
    items[middle], items[low + 1] = items[low + 1], items[middle]
    _order(items, low + 1, high, less)
    _order(items, low, high, less)
    _order(items, low + 1, low, less)
    pivot, left, right = items[low], low + 1, high
    while True:
        left += 1
        while less(items[left], pivot):
            left += 1
        right -= 1
        while less(pivot, items[right]):
            right -= 1
        if right < left:
            break
        items[left], items[right] = items[right], items[left]
    items[low], items[right] = items[right], items[low]
    return left, right
