"""``collections``: Python's own containers, with tables of their methods. ``namedtuple`` stands with the classes."""

from __future__ import annotations

from collections import ChainMap, Counter, OrderedDict, defaultdict, deque
from typing import Any, Final

from app.program import costs
from app.program.builtins import ATTRIBUTES, Getter
from app.program.costs import ITEM_BYTES, OBJECT_BYTES, Cost, bounded, length, pay
from app.program.failures import PythonError, python
from app.program.modules.calls import bound, host, methods, priced, touch
from app.program.operations import SUBSCRIPTS, Metered, iterate

_DICT: Final = dict(ATTRIBUTES)[dict]


def _made(*parts: Any, **named: Any) -> Cost:
    count = sum(length(part) for part in parts) + len(named)
    return Cost(1 + 2 * count, (ITEM_BYTES + 2 * OBJECT_BYTES) * count, count)


def _grown(value: Any, *parts: Any, **named: Any) -> Cost:
    made = _made(*parts, **named)
    return made._replace(items=len(value) + made.items)


def _moved(value: Any, *_: Any, **__: Any) -> Cost:
    return Cost(1 + len(value) // 8, ITEM_BYTES + OBJECT_BYTES, len(value) + 1)


def _compared(value: Any, *others: Any, **_: Any) -> Cost:
    return Cost(1 + sum(map(costs.weight, (value, *others))))


def _ranked(value: Any, n: Any = None, *_: Any, **__: Any) -> Cost:
    count = len(value)
    return Cost(1 + count * (1 + count.bit_length()), (ITEM_BYTES + OBJECT_BYTES) * count, count)


# -- counters ---------------------------------------------------------------------------------------------------------
def _elements(value: Any) -> Metered:
    return Metered(value.elements(), "itertools.chain")


_COUNTER: Final = (
    _DICT
    | {"elements": bound("elements", _elements)}
    | methods({
        "copy": (Counter.copy, costs.copy), "most_common": (Counter.most_common, _ranked),
        "total": (Counter.total, costs.read),
    })
    | methods({"subtract": (Counter.subtract, _grown, 1), "update": (Counter.update, _grown, 1)}, changing=True)
)  # fmt: skip
_ORDERED: Final = (
    _DICT
    | methods({
        name: (getattr(OrderedDict, name), cost)
        for name, cost in (
            ("copy", costs.copy), ("items", costs.little), ("keys", costs.little), ("values", costs.little),
        )
    })
    | methods({
        name: (getattr(OrderedDict, name), cost)
        for name, cost in (
            ("clear", costs.read), ("move_to_end", costs.little), ("pop", costs.keyed), ("popitem", costs.little),
            ("setdefault", costs.keyed),
        )
    }, changing=True)
    | methods({"update": (OrderedDict.update, _grown, 1)}, changing=True)
)  # fmt: skip
_DEFAULT: Final[dict[str, Getter]] = (
    _DICT | {"default_factory": lambda value: value.default_factory} | methods({"copy": (defaultdict.copy, costs.copy)})
)


# -- deques -----------------------------------------------------------------------------------------------------------
_DEQUE: Final[dict[str, Getter]] = (
    {"maxlen": lambda value: value.maxlen}
    | methods({
        "copy": (deque.copy, costs.copy), "count": (deque.count, _compared), "index": (deque.index, _compared),
    })
    | methods({
        "append": (deque.append, costs.grown), "appendleft": (deque.appendleft, costs.grown),
        "clear": (deque.clear, costs.read), "extend": (deque.extend, _grown, 1),
        "extendleft": (deque.extendleft, _grown, 1), "insert": (deque.insert, _moved), "pop": (deque.pop, costs.little),
        "popleft": (deque.popleft, costs.little), "remove": (deque.remove, _compared),
        "reverse": (deque.reverse, _moved), "rotate": (deque.rotate, _moved),
    }, changing=True)
)  # fmt: skip


# -- chains of dicts --------------------------------------------------------------------------------------------------
def _of_all(value: ChainMap[Any, Any], *_: Any, **__: Any) -> Cost:
    return costs.copied(sum(map(length, value.maps)))


def _changing_first(name: str) -> Getter:
    call = priced(getattr(ChainMap, name), _of_all)

    def change(value: ChainMap[Any, Any], *args: Any, **kwargs: Any) -> Any:
        touch(value.maps[0])
        return call(value, *args, **kwargs)

    return bound(name, change)


def _chain_map(*maps: Any) -> ChainMap[Any, Any]:
    for one in maps:
        if not isinstance(one, (dict, ChainMap)):
            iterate(one)
    pay(costs.made(len(maps)))
    return ChainMap(*maps)


_CHAIN: Final[dict[str, Getter]] = (
    {"maps": lambda value: value.maps, "parents": lambda value: value.parents}
    | {name: _changing_first(name) for name in ("clear", "pop", "popitem", "setdefault", "update")}
    | methods({
        "get": (ChainMap.get, _of_all), "new_child": (ChainMap.new_child, _of_all),
        "items": (lambda value: list(value.items()), _of_all), "keys": (lambda value: list(value), _of_all),
        "values": (lambda value: list(value.values()), _of_all),
    })
)  # fmt: skip


# -- subscripts -------------------------------------------------------------------------------------------------------
def get_item(value: Any, index: Any) -> Any:
    """``value[index]`` of a deque, of a chain, or of a dict that may make what is not there."""
    if isinstance(value, defaultdict):
        if value.default_factory is not None and not python(value.__contains__, bounded(index)):
            touch(value)
            pay(costs.keyed(value))
    elif isinstance(value, deque):
        pay(Cost(1 + len(value) // 512))
    return python(value.__getitem__, bounded(index))


def set_item(value: Any, index: Any, new: Any) -> None:
    """``value[index] = new``."""
    target = value.maps[0] if isinstance(value, ChainMap) else value
    pay(costs.keyed(target))
    touch(target)
    python(value.__setitem__, bounded(index), new)


def delete_item(value: Any, index: Any) -> None:
    """``del value[index]``."""
    target = value.maps[0] if isinstance(value, ChainMap) else value
    pay(_moved(target))
    touch(target)
    python(value.__delitem__, bounded(index))


def _deque(iterable: Any = (), maxlen: Any = None) -> Any:
    return python(deque, iterable, maxlen)


def _default(default_factory: Any = None, *parts: Any, **named: Any) -> Any:
    if default_factory is not None and not callable(default_factory):
        raise PythonError(TypeError, "first argument must be callable or None")
    return python(defaultdict, default_factory, *parts, **named)


def _with_default(_: Any = None, *parts: Any, **named: Any) -> Cost:
    return _made(*parts, **named)


SUBSCRIPTS.update(dict.fromkeys((ChainMap, defaultdict, deque), (get_item, set_item, delete_item)))
COLLECTIONS: Final[dict[str, Any]] = {
    "ChainMap": host(ChainMap, "collections.ChainMap", _chain_map, _CHAIN),
    "Counter": host(Counter, "collections.Counter", priced(Counter, _made, 0), _COUNTER, dict),
    "OrderedDict": host(
        OrderedDict, "collections.OrderedDict", priced(OrderedDict, _made, 0), _ORDERED, dict,
        statics={"fromkeys": priced(OrderedDict.fromkeys, _made, 0)},
    ),
    "defaultdict": host(defaultdict, "collections.defaultdict", priced(_default, _with_default, 1), _DEFAULT, dict),
    "deque": host(deque, "collections.deque", priced(_deque, costs.copy, 0), _DEQUE),
}  # fmt: skip
