"""What NumPy's functions take, family by family, derived from the shapes of their arguments before they run."""

from __future__ import annotations

import re
from collections import Counter
from itertools import chain
from math import ceil, isfinite, log2, prod
from typing import Any, Final

import numpy as np

from app.program.arrays import ITEM_BYTES, Work, elementwise, itemsize, spanned
from app.program.modules.numpy.arguments import assembled

_SMALL: Final = Work()
_OBJECT: Final = 128  # bytes of an array beside its elements
_INTERPRETED: Final = 1e4  # operations that a machine does while Python takes a step


def nothing(*_: Any, **__: Any) -> Work:
    """A view, or a question about shapes."""
    return _SMALL


def of_size(size: int, width: int = ITEM_BYTES, operations: float = 1.0) -> Work:
    """An array of ``size`` elements, each by so many operations."""
    return Work(size, size * width, size * operations)


def _size(value: Any) -> int:
    return value.size if isinstance(value, np.ndarray) else 1


def _width(dtype: Any) -> int:
    return dtype.itemsize if isinstance(dtype, np.dtype) else ITEM_BYTES


def _whole(value: Any, otherwise: int = 0) -> int:
    return max(int(value), 0) if isinstance(value, (int, np.integer)) else otherwise


def _numbers(value: Any) -> list[int]:
    """The integers in nested tuples of them."""
    if isinstance(value, (list, tuple)):
        return list(chain.from_iterable(map(_numbers, value)))
    if isinstance(value, np.ndarray):
        return [int(one) for one in value.ravel().tolist()] if value.dtype.kind in "iu" else []
    return [int(value)] if isinstance(value, (int, np.integer)) else []


def _product(value: Any) -> int:
    return prod(max(number, 0) for number in _numbers(value))


def _along(array: Any, axis: Any) -> int:
    """The length of one dimension, of several, or of all."""
    if not isinstance(array, np.ndarray):
        return 1
    if axis is None:
        return array.size
    axes = [one for one in _numbers(axis) if -array.ndim <= one < array.ndim]
    return prod(array.shape[one] for one in axes)


def _of_last(array: Any, count: int = 2) -> tuple[int, ...]:
    shape = array.shape[-count:] if isinstance(array, np.ndarray) else ()
    return (1,) * (count - len(shape)) + tuple(shape)


# -- creation -----------------------------------------------------------------------------------------------------
def shaped(shape: Any = (), *_: Any, dtype: Any = None, **__: Any) -> Work:
    """``zeros``, ``ones``, ``empty``."""
    return of_size(_product(shape), max(_width(dtype), ITEM_BYTES))


def filled(shape: Any = (), fill_value: Any = 0, *_: Any, **__: Any) -> Work:
    """``full``."""
    return of_size(
        _product(shape), max(itemsize(fill_value), 4 * len(fill_value) if isinstance(fill_value, str) else 0)
    )


def shaped_second(a: Any = 0, new_shape: Any = (), *_: Any, **__: Any) -> Work:
    """``resize``: an array in another shape, repeated where it is too short."""
    size = _product(new_shape)
    return of_size(size + _size(a), 2 * itemsize(a))


def viewed(*arrays: Any, **__: Any) -> Work:
    """``broadcast_arrays``: views that seem larger."""
    return Work(spanned(*arrays))


def alike(array: Any = 0, *_: Any, shape: Any = None, **__: Any) -> Work:
    """``zeros_like``: of the size of an array, or of another one."""
    return of_size(_size(array) if shape is None else _product(shape), max(itemsize(array), 16))


def squared(n: Any = 0, m: Any = None, k: Any = 0, **named: Any) -> Work:
    """``eye``, ``tri``: rows and columns."""
    rows, columns = _whole(named.get("N", n)), named.get("M", m)
    return of_size(rows * (rows if columns is None else _whole(columns)), 16)


def places(n: Any = 0, k: Any = 0, m: Any = None, **__: Any) -> Work:
    """``tril_indices``: places in a matrix."""
    return of_size(2 * _whole(n) * (_whole(n) if m is None else _whole(m)), 32)


def stepped(start: Any = 0, stop: Any = None, step: Any = None, *_: Any, **__: Any) -> Work:
    """``arange``."""
    first, last = (0, start) if stop is None else (start, stop)
    try:
        count = (last - first) / (1 if step is None else step)
    except (TypeError, ZeroDivisionError, OverflowError):
        return Work(2**63, 2**63) if isinstance(last, int) and isinstance(first, int) and step != 0 else _SMALL
    if isinstance(count, complex | np.ndarray) or not isfinite(count):
        return _SMALL
    return of_size(max(ceil(count), 0), 16)


def spaced(start: Any = 0, stop: Any = 0, num: Any = 50, *_: Any, **__: Any) -> Work:
    """``linspace`` and its like."""
    return of_size(_whole(num) * max(spanned(start, stop), 1), 48, 8)


def copied(array: Any = (), *_: Any, **named: Any) -> Work:
    """An array of nested lists, or a copy of one."""
    array = named.get("object", array)
    if isinstance(array, (list, tuple)):
        return assembled(array)
    return of_size(_size(array), max(itemsize(array), _width(named.get("dtype"))))


def scattered(array: Any = 0, indices: Any = (), values: Any = 0, *_: Any, **__: Any) -> Work:
    """``add.at``: one element after another, where indices say."""
    parts = indices if isinstance(indices, tuple) else (indices,)
    lists = [assembled(one).elements if isinstance(one, (list, tuple)) else _size(one) for one in (*parts, values)]
    shape = array.shape if isinstance(array, np.ndarray) else ()
    rows = (
        prod([max(lists), *shape[len(parts) :]]) if not any(isinstance(one, slice) for one in parts) else _size(array)
    )
    return Work(rows, 64 * rows, 64.0 * rows)


# -- element by element -------------------------------------------------------------------------------------------
def several(*values: Any, **named: Any) -> Work:
    """Element by element with some arrays on the way."""
    work = elementwise(*values, **named)
    return Work(work.elements, work.nbytes * 4 * max(len(values), 1), work.operations * 8)


def by_series(x: Any = 0, *_: Any, **__: Any) -> Work:
    """``i0``: by the terms of two series."""
    return Work(_size(x), 160 * _size(x), 500 * _size(x))


def differences(a: Any = 0, n: Any = 1, *values: Any, **named: Any) -> Work:
    """``diff``, ``n`` times."""
    work, times = elementwise(a, *values, **named), max(_whole(n, 1), 1)
    return Work(work.elements, work.nbytes * 2 * min(times, _size(a) + 1), (64 + work.operations) * times)


def slopes(f: Any = 0, *_: Any, **__: Any) -> Work:
    """``gradient``: an array for each dimension."""
    rank = f.ndim if isinstance(f, np.ndarray) else 1
    return Work(_size(f), _size(f) * 32 * rank, _size(f) * 16 * rank)


# -- reductions ---------------------------------------------------------------------------------------------------
def reduced(a: Any = 0, axis: Any = None, *_: Any, **named: Any) -> Work:
    """A sum and its like: what is left of an array without some dimensions."""
    left = _size(a) // max(_along(a, axis), 1)
    return Work(left, left * max(itemsize(a), 16), _size(a) * 4)


def reduced_by_copies(a: Any = 0, *_: Any, **named: Any) -> Work:
    """``var`` and its like: with arrays of the size of the argument on the way."""
    size = spanned(a, *named.values())
    return Work(size, 2 * size * itemsize(a), size * 16)


def ordered(*arrays: Any, **__: Any) -> Work:
    """To sort, or what is found by it."""
    size = sum(map(_size, arrays))
    return Work(size, 4 * size * itemsize(*arrays), 8 * size * log2(size + 2))


def ranked(a: Any = 0, q: Any = 0, axis: Any = None, *_: Any, **__: Any) -> Work:
    """``percentile``: some numbers for each slice."""
    size = max(_size(q) * (_size(a) // max(_along(a, axis), 1)), _size(a))
    return Work(size, 4 * size * ITEM_BYTES, 8 * size * log2(size + 2))


def found(a: Any = 0, *_: Any, **__: Any) -> Work:
    """The places of what is not zero."""
    rank = a.ndim if isinstance(a, np.ndarray) else 1
    return Work(_size(a) * max(rank, 1), 16 * _size(a) * max(rank, 1), 8 * _size(a))


def searched(a: Any = 0, v: Any = 0, *others: Any, **__: Any) -> Work:
    """``searchsorted``: each of ``v`` in ``a``."""
    size = max(map(_size, (a, v, *others)))
    return Work(size, 16 * size, 8 * size * log2(size + 2))


def counted(x: Any = (), weights: Any = None, minlength: Any = 0, **__: Any) -> Work:
    """``bincount``: as many bins as the largest number says."""
    largest = int(x.max()) if isinstance(x, np.ndarray) and x.size and x.dtype.kind in "biu" else 0
    size = max(largest + 1, _whole(minlength))
    return Work(size, 16 * (size + _size(x)), 4 * (size + _size(x)))


def binned(a: Any = 0, bins: Any = 10, *_: Any, **__: Any) -> Work:
    """``histogram``: by a number of bins, or by their edges."""
    if isinstance(bins, str):
        raise ValueError("bins must be a number or edges here")
    size = _whole(bins, _size(bins)) + _size(a)
    return Work(size, 32 * size, 16 * size * log2(size + 2))


def covered(m: Any = 0, y: Any = None, rowvar: Any = True, *_: Any, **__: Any) -> Work:
    """``cov``: each row with each."""
    rows, columns = _of_last(m)
    rows, columns = (rows, columns) if rowvar else (columns, rows)
    rows += 0 if y is None else max(_of_last(y))
    return Work(max(rows**2, _size(m)), 32 * (rows**2 + 2 * _size(m) + _size(y)), 2.0 * rows**2 * max(columns, 1))


# -- arrays of others ---------------------------------------------------------------------------------------------
def joined(arrays: Any = (), *more: Any, **__: Any) -> Work:
    """All elements in one array."""
    work = assembled([arrays, *more])
    return Work(work.elements, 2 * work.nbytes, work.operations)


def inserted(arr: Any = 0, obj: Any = 0, values: Any = 0, axis: Any = None, **__: Any) -> Work:
    """``insert``: slices before some places."""
    slices = max(_size(obj) if isinstance(obj, np.ndarray) else len(_numbers(obj)), _size(values), 1)
    size = _size(arr) + slices * max(_size(arr) // max(_along(arr, axis), 1), 1)
    return of_size(size, 2 * itemsize(arr, values), 8)


def repeated(a: Any = 0, repeats: Any = 1, axis: Any = None, **named: Any) -> Work:
    """``repeat``: each element as often as it says."""
    times = _numbers(named.get("repeats", repeats)) or [1]
    size = _size(a) * times[0] if len(times) == 1 else sum(times) * (_size(a) // max(_along(a, axis), 1))
    return of_size(max(size, 0), itemsize(a))


def tiled(A: Any = 0, reps: Any = 1, **__: Any) -> Work:
    """``tile``: the whole, several times."""
    return of_size(_size(A) * _product(reps), 2 * itemsize(A))


def spread(array: Any = 0, shape: Any = (), *_: Any, **__: Any) -> Work:
    """``broadcast_to``: a view that seems larger."""
    return Work(_product(shape))


def padded(array: Any = 0, pad_width: Any = 0, *_: Any, **__: Any) -> Work:
    """``pad``."""
    if isinstance(pad_width, dict):
        raise TypeError("pad_width must be numbers here")
    widest = max([0, *_numbers(pad_width)])
    shape = array.shape if isinstance(array, np.ndarray) else ()
    return of_size(prod(length + 2 * widest for length in shape), 2 * itemsize(array), 8)


def crossed(a: Any = 0, b: Any = 0, *_: Any, **__: Any) -> Work:
    """``outer``, ``kron``: each with each."""
    return of_size(_size(a) * _size(b), 2 * itemsize(a, b), 4)


def meshed(*arrays: Any, **__: Any) -> Work:
    """``meshgrid``: each of the arrays in every place."""
    size = prod(map(_size, arrays))
    return Work(size, size * len(arrays) * itemsize(*arrays), size * len(arrays) * 2)


def indexed(dimensions: Any = (), *_: Any, **__: Any) -> Work:
    """``indices``: a grid for each dimension."""
    return of_size(_product(dimensions) * len(_numbers(dimensions)), 2 * ITEM_BYTES)


def picked(a: Any = 0, indices: Any = 0, axis: Any = None, *_: Any, **__: Any) -> Work:
    """``take``: slices at places."""
    return of_size(_size(indices) * max(_size(a) // max(_along(a, axis), 1), 1), itemsize(a), 8)


def selected(conditions: Any = (), choices: Any = (), *_: Any, **__: Any) -> Work:
    """``select``, ``choose``: one of several arrays in every place."""
    given = [one for part in (conditions, choices) for one in (part if isinstance(part, (list, tuple)) else [part])]
    size = spanned(*given)
    return Work(size, 2 * size * itemsize(*given) * max(len(given), 1), size * 4 * max(len(given), 1))


def divided(ary: Any = 0, sections: Any = 1, *_: Any, **__: Any) -> Work:
    """``split``: views."""
    parts = _whole(sections, len(_numbers(sections)) + 1)
    return Work(_size(ary), _OBJECT * parts, 64 * parts)


def diagonal(v: Any = 0, k: Any = 0, *_: Any, **__: Any) -> Work:
    """``diag``: a matrix of a diagonal, or the other way round."""
    if isinstance(v, np.ndarray) and v.ndim == 2:
        return of_size(max(v.shape))
    return of_size((_size(v) + abs(int(k) if isinstance(k, (int, np.integer)) else 0)) ** 2, itemsize(v))


def powers(x: Any = 0, n: Any = None, *_: Any, **named: Any) -> Work:
    """``vander``: as many powers of each."""
    count = named.get("N", n)
    return of_size(_size(x) * (_size(x) if count is None else _whole(count)), 2 * itemsize(x), 8)


def fitted(x: Any = 0, y: Any = 0, deg: Any = 1, *_: Any, **__: Any) -> Work:
    """``polyfit``: least squares over powers."""
    count = max([0, *_numbers(deg)]) + 1
    return Work(_size(x) * count, 32 * _size(x) * count, 8.0 * (_size(x) + _size(y)) * count**2)


def evaluated(p: Any = 0, x: Any = 0, *_: Any, **__: Any) -> Work:
    """``polyval``: each power of each."""
    return Work(_size(x), 48 * _size(x) * min(_size(p), 2), 4.0 * (_size(x) + 64) * _size(p))


def slid(a: Any = 0, v: Any = 0, *_: Any, **__: Any) -> Work:
    """``convolve``: each with each."""
    return Work(_size(a) + _size(v), 16 * (_size(a) + _size(v)), 2.0 * _size(a) * _size(v))


# -- linear algebra -----------------------------------------------------------------------------------------------
def contracted(left: Any, right: Any, common: int) -> Work:
    """All of one with all of the other, along dimensions of ``common`` elements."""
    rows, columns = _size(left) // max(common, 1), _size(right) // max(common, 1)
    copies = (_size(left) + _size(right)) * ITEM_BYTES
    return Work(rows * columns, rows * columns * itemsize(left, right) + copies, 2.0 * rows * columns * max(common, 1))


def dotted(a: Any = 0, b: Any = 0, *_: Any, **__: Any) -> Work:
    """``dot``: the last dimension of one with the last but one of the other."""
    if not isinstance(a, np.ndarray) or not isinstance(b, np.ndarray) or not a.ndim or not b.ndim:
        return elementwise(a, b)
    return contracted(a, b, a.shape[-1])


def tensordotted(a: Any = 0, b: Any = 0, axes: Any = 2, **__: Any) -> Work:
    """``tensordot``: along the dimensions named."""
    if not isinstance(a, np.ndarray) or not isinstance(b, np.ndarray):
        return elementwise(a, b)
    if isinstance(axes, (int, np.integer)):
        return contracted(a, b, prod(a.shape[a.ndim - int(axes) :]) if axes > 0 else 1)
    first = axes[0] if isinstance(axes, (list, tuple)) and axes else ()
    return contracted(a, b, _along(a, first if _numbers(first) else ()))


_LABEL: Final = re.compile(r"\.\.\.|[A-Za-z]")


def summed(subscripts: Any = "", *operands: Any, **__: Any) -> Work:
    """``einsum``: every combination of the labels."""
    if not isinstance(subscripts, str):
        raise TypeError("einsum takes its subscripts as a text here")
    inputs, arrow, result = subscripts.replace(" ", "").partition("->")
    sizes: dict[str, int] = {}
    rest = [1]
    for term, operand in zip(inputs.split(","), operands, strict=False):
        labels, shape = _LABEL.findall(term), list(getattr(operand, "shape", ()))
        if "..." in labels:
            place = labels.index("...")
            tail = len(labels) - place - 1
            rest.append(prod(shape[place : len(shape) - tail]))
            shape = shape[:place] + shape[len(shape) - tail :]
            labels.remove("...")
        for label, length in zip(labels, shape, strict=False):
            sizes[label] = max(sizes.get(label, 0), length)
    lead = prod(rest)
    counts = Counter(_LABEL.findall(inputs))
    kept = _LABEL.findall(result) if arrow else [label for label, count in counts.items() if count == 1]
    size = lead * prod(sizes.get(label, 1) for label in kept)
    everything = lead * prod(sizes.values())
    copies = sum(map(_size, operands)) * ITEM_BYTES
    return Work(size, 2 * size * itemsize(*operands) + copies, 2.0 * everything * max(len(operands), 1))


def summed_arrays(subscripts: Any = "", *operands: Any, **named: Any) -> Work:
    """``einsum``, whose operands may be lists."""
    return summed(
        subscripts, *(np.asarray(one) if isinstance(one, (list, tuple)) else one for one in operands), **named
    )


def solved(a: Any = 0, b: Any = 0, *_: Any, **__: Any) -> Work:
    """Factorisations, in the cube of the longer side."""
    side = max(_of_last(a))
    batch = max(_size(a) // max(prod(_of_last(a)), 1), 1)
    size = 3 * batch * side**2 + (_size(b) if isinstance(b, np.ndarray) else 0)
    return Work(size, 4 * size * max(itemsize(a), 16), 30.0 * batch * side**3 + side * side * _size(b))


def powered(a: Any = 0, n: Any = 1, *_: Any, **__: Any) -> Work:
    """``matrix_power``: by squaring."""
    work = solved(a)
    times = 2 * abs(int(n)).bit_length() + 1 if isinstance(n, (int, np.integer)) else 1
    return Work(work.elements, work.nbytes * times, work.operations * times)


def chained(arrays: Any = (), *_: Any, **__: Any) -> Work:
    """``multi_dot``: at most as large as the longest sides say. Their order is found in Python, each with each part."""
    given = [one for one in arrays if isinstance(one, np.ndarray)]
    side = max([1, *chain.from_iterable(one.shape for one in given)])
    order = len(given) ** 3 / 6 * _INTERPRETED
    return Work(side**2, 16 * side**2 * len(given), 2.0 * side**3 * len(given) + order)


def transformed(a: Any = 0, n: Any = None, axis: Any = -1, *_: Any, **named: Any) -> Work:
    """``fft`` and its like, of the length or the shape ``n``."""
    wanted = named.get("s", n)
    size = _size(a)
    if wanted is not None:
        size = max(size // max(_along(a, axis), 1), 1) * _product(wanted)
        size = max(size, _size(a), _product(wanted) * (_size(a) if isinstance(wanted, (list, tuple)) else 1))
    size *= 2  # as the inverse of a transform of reals has it
    return Work(size, 32 * size, 20 * size * log2(size + 2))


def frequencies(n: Any = 0, *_: Any, **__: Any) -> Work:
    """``fftfreq``."""
    return of_size(_whole(n), 32, 4)
