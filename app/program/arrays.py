"""NumPy arrays as values of programs: operators and subscripts, and what work on them takes, said before it is done.

``Work`` is derived from shapes alone. Arrays of programs hold numbers, truth values or texts, never objects.
"""

from __future__ import annotations

import operator
from collections import deque
from collections.abc import Callable, Iterator
from math import prod
from typing import Any, Final, NamedTuple, TypeAlias

import numpy as np

from app.program.costs import CostOf, bounded, pay
from app.program.failures import PythonError, python
from engine import Tensor, methods, modes, registry, storage

Array: TypeAlias = np.ndarray[Any, Any]
ARRAYS: Final = (np.ndarray, np.generic)
KINDS: Final = "biufcU"  # of dtypes: truth values, numbers, texts
ITEM_BYTES: Final = 8
SMALL: Final = 2**14  # elements for which nobody asks how they are spread
OPERATIONS_A_STEP: Final = 64  # of NumPy in the time of a step of Python
_PLAIN: Final = (int, float, complex, str, bool, type(None), type(...))


class Work(NamedTuple):
    """``elements`` of the largest array that is made, ``nbytes`` of all, and ``operations``, which take time."""

    elements: int = 1
    nbytes: int = 0
    operations: float = 1


def reserve(work: Work, op: str | None = None) -> None:
    """Ask the budget for ``work``. Raises ``BudgetError``."""
    budget = modes.current().budget
    if budget is not None:
        budget.reserve(work.elements, work.nbytes, work.operations, op)
        budget.take(1 + int(work.operations) // OPERATIONS_A_STEP, work.nbytes)


# -- shapes -------------------------------------------------------------------------------------------------------
def itemsize(*values: Any) -> int:
    """How many bytes an element of what is computed from ``values`` takes at most."""
    return max([ITEM_BYTES, *(value.dtype.itemsize * _growth(value) for value in values if isinstance(value, ARRAYS))])


def _growth(value: Any) -> int:
    return 2 if value.dtype.kind == "U" else 1  # two texts may be put together


def spanned(*values: Any) -> int:
    """The size of ``values`` broadcast against each other; NumPy itself refuses what does not fit."""
    shapes = [value.shape for value in values if isinstance(value, ARRAYS)]
    rank = max(map(len, shapes), default=0)
    return prod(max(shape[-axis] for shape in shapes if len(shape) >= axis) if all(
        shape[-axis] for shape in shapes if len(shape) >= axis) else 0 for axis in range(1, rank + 1))  # fmt: skip


def elementwise(*values: Any, **named: Any) -> Work:
    """A result of the size of all arguments broadcast."""
    given = (*values, *named.values())
    size = spanned(*given)
    return Work(size, size * itemsize(*given), size * 4)


def multiplied(left: Any, right: Any, *_: Any, **__: Any) -> Work:
    """A product of matrices."""
    if not isinstance(left, np.ndarray) or not isinstance(right, np.ndarray) or not left.ndim or not right.ndim:
        return elementwise(left, right)
    rows = left.shape[-2] if left.ndim > 1 else 1
    columns = right.shape[-1] if right.ndim > 1 else 1
    lead = spanned(left[..., 0, 0] if left.ndim > 1 else left[..., 0], right[..., 0, 0] if right.ndim > 1 else right[
        ..., 0]) if left.size and right.size else 0  # fmt: skip
    size = lead * rows * columns
    return Work(size, size * itemsize(left, right), 2.0 * size * left.shape[-1])


# -- what goes in and comes out -----------------------------------------------------------------------------------
def of_tensor(tensor: Tensor) -> Array:
    """The array of a tensor, as ``Tensor.numpy`` gives it."""
    return methods.numpy(tensor)


def to_tensor(array: Array) -> Tensor:
    """A tensor over the memory of an array, as ``torch.from_numpy`` gives it."""
    function: Any = registry.function("from_numpy")
    found: Tensor = function(array)
    return found


def checked(result: Any) -> Any:
    """``result``, unless it is of a dtype that programs may not have."""
    if isinstance(result, ARRAYS):
        if result.dtype.kind not in KINDS:
            raise PythonError(TypeError, f"arrays of the dtype {result.dtype} are not available; use lists")
    elif isinstance(result, (tuple, list)):
        for part in result:
            checked(part)
    return result


def touch(array: Any) -> None:
    """Let the journal remember what is in the memory of ``array`` before it changes."""
    if isinstance(array, np.ndarray) and modes.current().journal is not None:
        modes.overwrite(storage.of_array(array), array)


# -- operators ----------------------------------------------------------------------------------------------------
def beside_tensors(
    symbol: str, function: Callable[..., Any], plain: Callable[..., Any], left: Any, right: Any
) -> Any:  # fmt: skip
    """An operator of which one operand is a tensor, the other an array or number of NumPy's; ``plain`` if not in place.

    PyTorch leaves arrays to NumPy, on the right of a tensor only, and makes a tensor of what comes out.
    """
    array = left if isinstance(left, np.ndarray) else right
    if not isinstance(array, np.ndarray):
        return python(function, _number(left), _number(right))
    if symbol in ("==", "!="):
        return function(_tensor(left), _tensor(right))
    if symbol in _ORDER or array is left:
        raise PythonError(TypeError, _refusal(symbol, left))
    given = of_tensor(left)
    reserve(multiplied(given, right) if symbol == "@" else elementwise(given, right), symbol)
    with floating():
        return to_tensor(np.asarray(python(plain, given, right)))


def _refusal(symbol: str, left: Any) -> str:
    names = ("numpy.ndarray", "Tensor") if isinstance(left, np.ndarray) else ("Tensor", "numpy.ndarray")
    if symbol in _ORDER:
        return f"'{symbol}' not supported between instances of '{names[0]}' and '{names[1]}'"
    if symbol == "+":
        return _CONCATENATION
    return f"unsupported operand type(s) for {symbol}: '{names[0]}' and '{names[1]}'"


def _number(value: Any) -> Any:
    return value.item() if isinstance(value, (np.number, np.bool_)) else value


def _tensor(value: Any) -> Any:
    return to_tensor(value) if isinstance(value, np.ndarray) else value


_ORDER: Final = frozenset({"<", "<=", ">", ">="})
_CONCATENATION: Final = (
    "Concatenation operation is not implemented for NumPy arrays, use np.concatenate() instead. Please do not rely on "
    "this error; it may not be given on all Python implementations."
)


def operate(
    symbol: str, function: Callable[..., Any], cost: CostOf, *operands: Any, changing: bool = False
) -> Any:  # fmt: skip
    """An operator of which an operand is an array, or a number of NumPy's; no other is a tensor."""
    if any(isinstance(one, _SEQUENCES) for one in operands):
        special = _beside_sequence(symbol, function, cost, *operands)
        if special is not _ELEMENTWISE:
            return special
    given = [operand(one) for one in operands]
    if not _is_small(given):
        reserve(multiplied(*given) if symbol == "@" else elementwise(*given), symbol)
    if changing:
        touch(given[0])
    with floating():
        return checked(python(function, *given))


def _is_small(given: list[Any]) -> bool:
    """Whether each element of all with each other would be little; it is paid for then."""
    size = 1
    for one in given:
        if type(one) is np.ndarray:
            size *= max(one.size, 1)
    if size > SMALL or any(isinstance(one, str) for one in given):
        return False
    budget = modes.current().budget
    if budget is not None:
        budget.take(1 + size // OPERATIONS_A_STEP, 16 * size)
    return True


def _beside_sequence(symbol: str, function: Callable[..., Any], cost: CostOf, left: Any, right: Any) -> Any:
    """What a number of NumPy's means to a sequence: how often to repeat it, what to look for in it, what to print."""
    if symbol in ("in", "not in"):
        if isinstance(right, ARRAYS):
            return _ELEMENTWISE
        bounded(right)
        reserve(elementwise(left))
        return python(function, left, right)
    count = right if isinstance(left, _SEQUENCES) else left
    if symbol == "*" and isinstance(count, np.integer):
        operands = (left, int(count)) if count is right else (int(count), right)
        pay(cost(*operands))
        return python(function, *operands)
    if symbol == "%" and isinstance(left, str):
        pay(cost(left, right))
        return python(function, left, right)
    return _ELEMENTWISE


_SEQUENCES: Final = (str, list, tuple, deque)
_ELEMENTWISE: Final = object()


def operand(value: Any) -> Any:
    """A value that NumPy may make an array of; a list is one already."""
    if isinstance(value, (*ARRAYS, *_PLAIN)):
        return value
    if isinstance(value, (list, tuple)):
        return checked(python(np.asarray, bounded(value)))
    if type(value).__module__ == "builtins":
        raise PythonError(TypeError, f"NumPy makes no numbers of a value of the type {type(value).__name__}")
    return value  # an object of a program's, which says itself what the operator does


def floating() -> np.errstate:
    """Within it, floating-point exceptions are what the program asked for: a warning, unless it said otherwise."""
    asked = modes.current().modules.get("numpy.errors")
    return np.errstate(all="warn") if asked is None else np.errstate(**asked)


# -- subscripts ---------------------------------------------------------------------------------------------------
def get_item(array: Any, index: Any) -> Any:
    """``array[index]``."""
    index = _index(index)
    reserve(_picked(array, index), "__getitem__")
    return python(operator.getitem, array, index)


def set_item(array: Any, index: Any, value: Any) -> None:
    """``array[index] = value``."""
    index, new = _index(index), of_tensor(value) if isinstance(value, Tensor) else operand(value)
    new = value if isinstance(value, list) else new  # NumPy takes a list of one for a number where it takes no array
    reserve(_picked(array, index), "__setitem__")
    touch(array)
    python(operator.setitem, array, index, new)


def _index(index: Any) -> Any:
    return tuple(map(_part, index)) if isinstance(index, tuple) else _part(index)


def _part(part: Any) -> Any:
    if isinstance(part, Tensor):
        return of_tensor(part) if part.shape else part.item()
    if isinstance(part, list):
        return checked(python(np.asarray, bounded(part))) if part else np.zeros(0, np.intp)
    if part is None or part is ... or isinstance(part, (int, slice, *ARRAYS)):
        return part
    raise PythonError(IndexError, _NO_INDEX)


_NO_INDEX: Final = (
    "only integers, slices (`:`), ellipsis (`...`), numpy.newaxis (`None`) and integer or boolean arrays are valid "
    "indices"
)


def _picked(array: Any, index: Any) -> Work:
    """What the arrays in an index pick, each with all that the other dimensions have."""
    parts = index if isinstance(index, tuple) else (index,)
    picking = [part for part in parts if isinstance(part, np.ndarray)]
    if not picking:
        return Work()
    whole = [part for part in picking if part.dtype.kind != "b"]
    rest = array.size // max(prod(_taken(array, parts)), 1)
    size = (spanned(*whole) if whole else max(part.size for part in picking)) * max(rest, 1)
    return Work(size, size * itemsize(array), size * 8)


def _taken(array: Any, parts: tuple[Any, ...]) -> Iterator[int]:
    """The lengths of the dimensions that arrays or integers take the place of."""
    axis = 0
    for place, part in enumerate(parts):
        if part is ...:
            axis = array.ndim - sum(_rank(one) for one in parts[place + 1 :])
            continue
        if not isinstance(part, slice):
            yield from array.shape[axis : axis + _rank(part)]
        axis += _rank(part)


def _rank(part: Any) -> int:
    if part is None or part is ...:
        return 0
    return part.ndim if isinstance(part, np.ndarray) and part.dtype.kind == "b" else 1
