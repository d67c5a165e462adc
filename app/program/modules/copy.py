"""``copy``: copies of containers, arrays, tensors and what else says how it is copied.

Not Python's module, which takes objects apart by whatever attributes they have. ``Memo`` pays for each object copied;
objects of programs get it as the memo of their ``__deepcopy__``.
"""

from __future__ import annotations

from collections import ChainMap, Counter, OrderedDict, defaultdict, deque
from collections.abc import Callable, Iterable
from typing import Any, Final

import numpy as np

from app.program import costs
from app.program.arrays import Work, reserve
from app.program.builtins import Routine, type_name
from app.program.costs import ITEM_BYTES, OBJECT_BYTES, Cost, pay
from app.program.failures import PythonError
from app.program.functions import DEEP_COPY
from engine import dtypes, methods, tensors

_ATOMS: Final = frozenset({
    bool, complex, float, int, str, type(None), type(...), type(NotImplemented), range, tensors.Size, dtypes.DType,
    methods.Device, type,
})  # fmt: skip


class Memo(dict[Any, Any]):
    """What was copied already, by identity; a new entry costs a step."""

    def __setitem__(self, key: Any, value: Any) -> None:
        pay(Cost(1, OBJECT_BYTES + ITEM_BYTES))
        super().__setitem__(key, value)


def deepcopy(value: Any, memo: Any = None) -> Any:
    """A copy of a value and of all that it holds."""
    memo = Memo() if memo is None else memo
    kind = type(value)
    if kind in _ATOMS or isinstance(value, (BaseException, np.generic, np.dtype)):
        return value
    known = memo.get(id(value), memo)
    if known is not memo:
        return known
    copy = _DEEP.get(kind)
    if copy is not None:
        return copy(value, memo)
    method = getattr(kind, "__deepcopy__", None)
    if method is not None:
        return method(value, memo)
    if isinstance(value, tuple) and hasattr(kind, "_fields"):
        return kind(*_each(value, memo))
    if hasattr(value, "__dict__") and kind.__module__.startswith("engine."):
        return _of_engine(value, memo)
    raise PythonError(TypeError, f"cannot pickle '{type_name(value)}' object")


def _of_engine(value: Any, memo: Any) -> Any:
    """An optimiser, its states, a scheduler: an object with attributes that sessions keep as they are."""
    made = memo[id(value)] = _empty(value)
    vars(made).update({name: deepcopy(part, memo) for name, part in vars(value).items()})
    if isinstance(value, dict):
        pay(costs.copy(value))
        dict.update(made, {deepcopy(key, memo): deepcopy(item, memo) for key, item in value.items()})
    return made


def _empty(value: Any) -> Any:
    """An object of the same class, without attributes."""
    return (dict if isinstance(value, dict) else object).__new__(type(value))


def _each(values: Iterable[Any], memo: Any) -> list[Any]:
    return [deepcopy(one, memo) for one in values]


def _list(value: list[Any], memo: Any) -> Any:
    pay(costs.copy(value))
    made: list[Any] = []
    memo[id(value)] = made
    made.extend(deepcopy(one, memo) for one in value)
    return made


def _tuple(value: tuple[Any, ...], memo: Any) -> Any:
    pay(costs.copy(value))
    items = _each(value, memo)
    if id(value) in memo:
        return memo[id(value)]  # it was reached again through something that it holds
    made = value if all(old is new for old, new in zip(value, items, strict=True)) else tuple(items)
    memo[id(value)] = made
    return made


def _mapping(empty: Callable[[Any], Any]) -> Callable[[Any, Any], Any]:
    def copy(value: Any, memo: Any) -> Any:
        pay(costs.copy(value))
        made = memo[id(value)] = empty(value)
        for key, item in value.items():
            dict.__setitem__(made, deepcopy(key, memo), deepcopy(item, memo))
        return made

    return copy


def _ordered(value: Any, memo: Any) -> Any:
    made = memo[id(value)] = OrderedDict()
    pay(costs.copy(value))
    for key, item in value.items():
        made[deepcopy(key, memo)] = deepcopy(item, memo)
    return made


def _set(value: Any, memo: Any) -> Any:
    pay(costs.copy(value))
    made = memo[id(value)] = type(value)(_each(value, memo))
    return made


def _deque(value: deque[Any], memo: Any) -> Any:
    pay(costs.copy(value))
    made: deque[Any] = deque(maxlen=value.maxlen)
    memo[id(value)] = made
    made.extend(deepcopy(one, memo) for one in value)
    return made


def _chain(value: ChainMap[Any, Any], memo: Any) -> Any:
    made = memo[id(value)] = ChainMap(*_each(value.maps, memo))
    return made


def _array(value: Any, memo: Any) -> Any:
    reserve(Work(value.size, value.nbytes, value.size))
    made = memo[id(value)] = value.copy(order="K")
    return made


def _slice(value: slice, memo: Any) -> Any:
    return slice(*_each((value.start, value.stop, value.step), memo))


_DEEP: Final[dict[type, Callable[[Any, Any], Any]]] = {
    ChainMap: _chain, Counter: _mapping(lambda value: Counter()), OrderedDict: _ordered,
    defaultdict: _mapping(lambda value: defaultdict(value.default_factory)), deque: _deque,
    dict: _mapping(lambda value: {}), frozenset: _set, list: _list, np.ndarray: _array, set: _set, slice: _slice,
    tuple: _tuple,
}  # fmt: skip
_SHALLOW: Final[dict[type, Callable[[Any], Any]]] = {
    ChainMap: ChainMap.copy,
    Counter: Counter.copy,
    OrderedDict: OrderedDict.copy,
    defaultdict: defaultdict.copy,
    deque: deque.copy,
    dict: dict.copy,
    list: list.copy,
    set: set.copy,
}


def copy(value: Any) -> Any:
    """A copy of a value that holds what that holds."""
    kind = type(value)
    if kind in _SHALLOW:
        pay(costs.copy(value))
        return _SHALLOW[kind](value)
    if kind is np.ndarray:
        return _array(value, {})
    if kind in _ATOMS or isinstance(value, (tuple, frozenset, slice, BaseException, np.generic, np.dtype)):
        return value
    if hasattr(kind, "__copy__") and not isinstance(value, type):
        return kind.__copy__(value)
    if hasattr(value, "__dict__") and kind.__module__.startswith("engine."):
        made = _empty(value)
        vars(made).update(vars(value))
        if isinstance(value, dict):
            pay(costs.copy(value))
            dict.update(made, value)
        return made
    return _refuse(value)


def _refuse(value: Any) -> Any:
    raise PythonError(TypeError, f"cannot pickle '{type_name(value)}' object")


COPY: Final[dict[str, Any]] = {
    "copy": Routine("copy", copy), "deepcopy": Routine("deepcopy", lambda x, memo=None: deepcopy(x, memo)),
}  # fmt: skip
DEEP_COPY.append(deepcopy)
