"""What the kinds of a call's operands decide, as data: the dtype of the kernel, that of its results, the overload.

An op decides once for every combination of kinds (``Primitive.decide``) and keeps the ``Decision``. The text of calls
(``engine.op.calls``) follows it; so do in-place variants, and a recorder sees what was cast. Here too the small
functions that this text calls.
"""

from __future__ import annotations

from collections.abc import Container, Iterable, Sequence
from math import prod
from typing import Any, NamedTuple, TypeAlias

import numpy as np

from engine import dtypes, modes, strides
from engine.dtypes import DType
from engine.errors import TooLargeError
from engine.shapes import check_broadcast
from engine.tensor import WEAK, Tensor, copied, is_dense, make_tensor, relaid, values, weak

EXACT = 2**53  # integers up to this are floats, too
LARGEST = 2**63 - 1  # of int64
NUMBERS = frozenset({bool, int, float, complex})
NOWHERE: strides.Place = (), (), 1  # where a number lies
NATIVE = frozenset(dtype.numpy for dtype in dtypes.ALL if dtype.opmath is dtype)
DIFFERENTIABLE = frozenset(dtype.numpy for dtype in dtypes.ALL if dtype.is_differentiable)

# All of an operand that promotion looks at: the dtype of a tensor with dimensions, dtype and rank of another tensor,
# the type of a Python number (or of ``None``), the set of the kinds in a list.
Kind: TypeAlias = Any


class Decision(NamedTuple):
    """What follows from the kinds of the operands.

    ``compute`` is the dtype that promoted operands are cast to (``None``: they stay as they are, but for 16-bit floats,
    which every kernel is given as float32); ``narrow`` the 16-bit dtype that floating results go back to;
    ``overload`` what is recorded in place of the op where an operand is a Python number.
    """

    compute: np.dtype[Any] | None
    narrow: DType | None
    overload: NumberOverload | None


class NumberOverload:
    """What nodes call their op where operands are Python numbers: another name, and no edges for these numbers.

    ``kept`` are the places, among the differentiable inputs, of those that have an edge; ``in_rules`` says that the
    overload counts only there.
    """

    def __init__(self, op: Any, grad_fn: str, numbers: Sequence[str], in_rules: bool) -> None:
        self.op, self.in_rules = op, in_rules
        self.name = f"{op.name}:{','.join(numbers)}"
        self.grad_fn = self.inplace_grad_fn = grad_fn
        self.kept = [place for place, param in enumerate(op.differentiable) if param.name not in numbers]

    def edges(self, edges: Sequence[Any]) -> tuple[Any, ...]:
        """Those of the node, of one for each differentiable input."""
        return tuple([edges[place] for place in self.kept])

    def pull_back(self, node: Any, cotangents: list[Tensor | None], needs: Sequence[Any]) -> Sequence[Tensor | None]:
        """The op's own rules, for the inputs that have edges."""
        spread: list[Any] = [None] * len(self.op.differentiable)
        for place, need in zip(self.kept, needs, strict=True):
            spread[place] = need
        return self.edges(self.op.pull_back(node, cotangents, spread))


def kind_of(operand: Any) -> Kind:
    """The kind of a tensor, a number or ``None``."""
    if not isinstance(operand, Tensor):
        return type(operand)
    array = operand.array
    is_weak = operand.bits == WEAK
    if array.ndim and not is_weak:
        return array.dtype
    return array.dtype, dtypes.rank_of(array.ndim, is_weak)


def kinds_of(operands: Iterable[Tensor]) -> Kind:
    """The kind of a list."""
    return frozenset(map(kind_of, operands))


def promotable(kinds: Iterable[Kind]) -> list[tuple[DType, int]]:
    """What ``dtypes.result_type`` is asked about operands of these kinds."""
    operands: list[tuple[DType, int]] = []
    for kind in kinds:
        if isinstance(kind, frozenset):
            operands += promotable(kind)
        elif isinstance(kind, tuple):
            operands.append((dtypes.from_numpy(kind[0]), kind[1]))
        elif isinstance(kind, np.dtype):
            operands.append((dtypes.from_numpy(kind), dtypes.rank_of(1, False)))
        elif kind in NUMBERS:
            operands.append((dtypes.python_dtype(kind), dtypes.rank_of(0, True)))
    return operands


# -- what the text of calls calls ---------------------------------------------------------------------------------
def are_uniform(tensors: Sequence[Tensor], plain: Container[np.dtype[Any]]) -> bool:
    """Whether all have one dtype, and that is among ``plain``."""
    kinds = {tensor.array.dtype for tensor in tensors}
    return len(kinds) == 1 and kinds <= plain and not any(tensor.bits for tensor in tensors)  # type: ignore[operator]


def array_of(operand: Any, dtype: np.dtype[Any]) -> np.ndarray[Any, Any]:
    """The elements of a tensor, or a Python number, as ``dtype``."""
    if isinstance(operand, Tensor):
        array = values(operand)
        return array if array.dtype is dtype else array.astype(dtype)
    if type(operand) is int and (dtype.kind in "iu" or not -EXACT <= operand <= EXACT):
        return integer(operand).astype(dtype)  # an int64 first, as in PyTorch
    return np.array(operand, dtype)


def integer(value: int) -> np.ndarray[Any, Any]:
    """A Python integer as int64, or as uint64 where only that has it. Raises ``TooLargeError`` beyond."""
    try:
        return np.array(value, np.uint64 if value > LARGEST else np.int64)
    except OverflowError:
        text = "can't convert negative int to unsigned" if value < 0 else "int too big to convert"
        raise TooLargeError(text) from None


def as_operand(value: Any) -> Tensor:
    """A Python number as a 0-d operand: ``weak``, with integers of uint64 wrapped."""
    return weak(integer(value).astype(np.int64).item() if type(value) is int else value)


def widened(operand: Tensor) -> np.ndarray[Any, Any]:
    """The values of a tensor in the dtype that kernels compute in: 16-bit floats as float32."""
    array = values(operand)
    return array if array.dtype in NATIVE else array.astype(dtypes.of(array).opmath.numpy)


def narrowed(array: np.ndarray[Any, Any], dtype: DType) -> np.ndarray[Any, Any]:
    """A floating result back in the 16-bit dtype of the operands, laid out as it was."""
    if array.dtype != dtype.opmath.numpy:
        return array
    narrow = array.astype(dtype.numpy)
    return strides.relaid(narrow, strides.steps_of(array)) if array.size < 2 else narrow  # NumPy forgets them


def extent(arrays: Sequence[np.ndarray[Any, Any]]) -> int:
    """How many elements the result of a pointwise op will have."""
    first = arrays[0]
    shape = check_broadcast(arrays)
    return first.size if shape == first.shape else prod(shape)


def owned(array: Any, sources: Sequence[Any]) -> np.ndarray[Any, Any]:
    """What a kernel gave as a dense array that looks into the memory of no operand."""
    dense: np.ndarray[Any, Any] = np.asarray(array)
    base: Any = dense.base
    if base is None:
        base = dense
    if base.base is None if type(base) is np.ndarray else False:  # which has the memory
        for source in sources:
            if source is base or source.base is base:
                break
        else:
            return dense if is_dense(dense) else copied(dense)
    if any(np.may_share_memory(dense, source) for source in sources) or not is_dense(dense):
        return copied(dense)
    return dense


def laid_out(op: Any, array: np.ndarray[Any, Any], operands: Sequence[Any], sources: Sequence[Any]) -> Tensor:
    """A result of ``op`` as a tensor, laid out in memory as PyTorch has it (``Nature.layout``).

    ``sources`` are the arrays that the kernel was given for the operands.
    """
    return _laid_out(op.layout, array, _places(op, operands, sources))


def all_laid_out(
    op: Any, arrays: Sequence[np.ndarray[Any, Any]], operands: Sequence[Any], sources: Sequence[Any]
) -> tuple[Tensor, ...]:
    """All results of ``op``."""
    if op.layout == "contiguous":
        return tuple([_contiguous(array) for array in arrays])
    layouts = (op.layout,) * len(arrays) if isinstance(op.layout, str) else op.layout
    places = _places(op, operands, sources)
    return tuple([_laid_out(layout, array, places) for layout, array in zip(layouts, arrays, strict=True)])


def _contiguous(array: np.ndarray[Any, Any]) -> Tensor:
    """A result that lies in C order, as most do when they come: unless extents of 1 are in it, nothing is odd then."""
    if array.size and array.flags.c_contiguous and 1 not in array.shape:
        return make_tensor(array)
    return _laid_out("contiguous", array, ())


def _laid_out(layout: str, array: np.ndarray[Any, Any], places: tuple[strides.Place, ...]) -> Tensor:
    steps, is_odd = strides.of_result(layout, array.shape, array.strides, array.itemsize, places)
    tensor = make_tensor(array if steps is None else relaid(array, steps))
    tensor.odd = is_odd
    return tensor


def _places(op: Any, operands: Sequence[Any], sources: Sequence[Any]) -> tuple[strides.Place, ...]:
    """Where the operands lie that decide on the layout."""
    if op.layout in ("operands", "tensors"):
        counted = [one for one in zip(op.tensors, operands, sources, strict=True) if one[1] is not None]
        places = [_place_of(operand) for _, operand, _ in counted]
        if op.promote is not None and any(_was_cast(operand, source) for _, operand, source in counted):
            places = _cast_places(op, counted, places)
        return tuple([place for place in places if place is not NOWHERE or op.layout == "operands"])
    return (_place_of(operands[0]),) if "input" in op.layout else ()


def _place_of(operand: Any) -> strides.Place:
    if not isinstance(operand, Tensor):
        return NOWHERE
    array = operand.array
    place = array.shape, array.strides, array.itemsize
    if operand.odd:
        operand.odd = strides.is_odd(*place)
    return place


def _was_cast(operand: Any, source: np.ndarray[Any, Any]) -> bool:
    return isinstance(operand, Tensor) and operand.array is not source


def _cast_places(op: Any, counted: Sequence[Any], places: Sequence[strides.Place]) -> list[strides.Place]:
    """Where the operands lie once they were cast to their common dtype; PyTorch does that first."""
    kinds = [kind_of(operand) for param, operand, _ in counted if param in op.promoted]
    common = op.common_dtype(kinds, modes.current().default_dtype)
    return [
        place if place is NOWHERE or param not in op.promoted or operand.dtype is common else strides.of_copy(*place)
        for (param, operand, _), place in zip(counted, places, strict=True)
    ]
