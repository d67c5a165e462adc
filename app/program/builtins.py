"""Python's built-in functions and types as programs have them, and the methods of their values: tables, with costs.

Each function stands beside its cost, which is paid before it runs (``app.program.costs``). What walks through an
iterator by itself is given a list or an iterator that pays for its items.
"""

from __future__ import annotations

import builtins
import operator
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any, Final

import numpy as np

from app.program import costs
from app.program.classes import MISSING, HostMember, HostType
from app.program.costs import CostOf, pay
from app.program.failures import PythonError, made, python, shown
from app.program.formatting import format_text, formatted
from app.program.functions import BoundMethod, Callable_, Function
from app.program.instances import Special, as_index, method_of
from app.program.operations import (
    Getter,
    Metered,
    Module,
    Routine,
    Unbound,
    binary,
    compare,
    delete_item,
    get_item,
    held,
    in_place,
    iterate,
    metered,
    priced,
    set_item,
    type_name,
    unary,
)
from engine import Tensor, dtypes, modes, tensors

Priced = tuple[Callable[..., object], CostOf]
PYTHON_TYPES: Final = ("bool", "complex", "float", "int")


def _held(value: Any) -> Any:
    """``value`` as a container, where it can be walked through: what cannot is refused by the function in its words."""
    if isinstance(value, Tensor) or not hasattr(type(value), "__iter__") or isinstance(value, type):
        return value
    return held(value)


def consuming(function: Callable[..., object], cost: CostOf, *places: int) -> Callable[..., object]:
    """``function``, whose iterables at ``places`` are held, paid for before it runs."""

    def call(*args: Any, **kwargs: Any) -> object:
        args = tuple([_held(one) if i in places else one for i, one in enumerate(args)])
        pay(python(cost, *args, **kwargs))
        return python(function, *args, **kwargs)

    return call


def _mapping(call: Callable[..., object]) -> Callable[..., object]:
    """``call``, for which objects of programs that have ``keys`` are dicts."""

    def mapped(*args: Any, **kwargs: Any) -> object:
        return call(*[_entries(one) if isinstance(one, Special) else one for one in args], **kwargs)

    return mapped


def _entries(value: Any) -> Any:
    keys: Any = MISSING if isinstance(value, dict) else method_of(value, "keys")
    return value if keys is MISSING else {key: get_item(value, key) for key in Metered(iterate(python(keys)))}


# -- functions ------------------------------------------------------------------------------------------------------
def _all_of(function: Callable[..., object], cost: CostOf) -> Callable[..., object]:
    """``max`` and ``min``: of one iterable, or of all arguments."""

    def call(*args: Any, **kwargs: Any) -> object:
        args = (_held(args[0]),) if len(args) == 1 else args
        pay(python(cost, *args, **kwargs))
        return python(function, *args, **kwargs)

    return call


def _sum(*args: Any, **kwargs: Any) -> object:
    """``sum``: the items one after another where an addition may be a program's, or take long."""
    if not args or len(args) + len(kwargs) > 2 or kwargs.keys() - {"start"}:
        return python(sum, *args, **kwargs)
    items = _held(args[0])
    start = args[1] if len(args) > 1 else kwargs.get("start", 0)
    if isinstance(items, (range, str)) or not hasattr(type(items), "__iter__") or isinstance(start, str):
        pay(costs.total(items, start))
        return python(sum, items, start)
    if type(items) in (list, tuple) and all(type(one) in (int, float, bool) for one in (start, *items)):
        pay(costs.total(items, start))
        return python(sum, items, start)
    if type(start) in (list, tuple) and type(items) in (list, tuple) and {type(one) for one in items} == {type(start)}:
        pay(costs.total(items, start))
        return python(sum, items, start)
    total = start
    for item in items:
        total = binary("+", total, item)
    return total


def _some(function: Callable[..., object], wanted: bool, *args: Any) -> Any:
    """``any`` and ``all``, which ask no further than they have to."""
    if len(args) != 1:
        return python(function, *args)
    for item in metered(args[0]):
        if python(bool, item) is wanted:
            return wanted
    return not wanted


def _like(original: Callable[..., object], own: Callable[..., object], *counts: int) -> Callable[..., object]:
    """``own``, for calls with as many arguments as ``counts`` say; what is called otherwise, Python refuses."""

    def call(*args: Any, **kwargs: Any) -> object:
        if kwargs or len(args) not in counts:
            return python(original, *args, **kwargs)
        return own(*args)

    return call


def _lazily(function: Callable[..., Any], first: int, last: int = 10**6) -> Callable[..., object]:
    """An iterator over others, those from the place ``first`` on."""

    def call(*args: Any, **kwargs: Any) -> object:
        given = [_paying(one) if first <= i <= last else one for i, one in enumerate(args)]
        return python(function, *given, **{key: _paying(one) for key, one in kwargs.items()})

    return call


def _paying(value: Any) -> Any:
    """``value``, where it can be walked through, as something that pays for its items."""
    is_iterable = hasattr(type(value), "__iter__") and not isinstance(value, (Tensor, type))
    return metered(value) if is_iterable else value


def _iter(*args: Any) -> Any:
    if len(args) == 2 and callable(args[0]):
        return Metered(iter(partial(_called, args[0]), args[1]), "callable_iterator")
    if len(args) == 1 and not isinstance(args[0], Tensor):
        return iterate(args[0])
    return python(iter, *args)


def _called(function: Any) -> Any:
    return python(function)


def _next(*args: Any) -> Any:
    if args and not hasattr(type(args[0]), "__next__"):
        raise PythonError(TypeError, f"'{type_name(args[0])}' object is not an iterator")
    try:
        return python(next, *args[:1]) if args else python(next)
    except StopIteration:
        if len(args) > 1:
            return args[1]
        raise


def _callable(value: Any, /) -> bool:
    if isinstance(value, Special):
        return value._special("__call__") is not None
    return callable(value)


def _len(*args: Any) -> Any:
    if len(args) == 1 and isinstance(args[0], (Callable_, Module)) and not hasattr(type(args[0]), "__len__"):
        raise PythonError(TypeError, f"object of type '{type_name(args[0])}' has no len()")
    return python(len, *args)


def _reversed(*args: Any) -> Any:
    if len(args) == 1 and isinstance(args[0], Tensor):
        raise PythonError(TypeError, "'Tensor' object is not reversible: use torch.flip")
    return python(reversed, *args)


def _sorted(*args: Any, **kwargs: Any) -> Any:
    if len(args) != 1:
        return python(sorted, *args, **kwargs)
    items = held(iterate(args[0]) if isinstance(args[0], Tensor) else args[0])
    pay(costs.ordered(items))
    return python(sorted, items, **kwargs)


def _indexed(function: Callable[..., object]) -> Callable[..., object]:
    """``function``, which takes integers, or objects that stand for one."""
    return lambda *args, **kwargs: function(*map(as_index, args), **kwargs)


def _powered(*args: Any, **kwargs: Any) -> Any:
    if len(args) != 2 or kwargs:
        pay(costs.Cost(1 + sum(costs.weight(one) ** 2 for one in args if isinstance(one, int))))
        return python(pow, *args, **kwargs)
    if isinstance(args[0], (Special, Tensor)) or isinstance(args[1], (Special, Tensor)):
        return binary("**", *args)
    pay(costs.power(*args))
    return python(pow, *args)


def _divided(*args: Any) -> Any:
    if len(args) == 2:
        pay(costs.divide(*args))
    return python(divmod, *args)


def _based(value: Any = 0, *_: Any, **__: Any) -> costs.Cost:
    bits = value.bit_length() if isinstance(value, int) else 0
    return costs.Cost(1 + bits // 8, bits, bits)


_FUNCTIONS: Final[dict[str, Callable[..., object]]] = {
    "abs": priced(abs, costs.linear), "all": _like(all, partial(_some, all, False), 1),
    "any": _like(any, partial(_some, any, True), 1),
    "ascii": priced(_like(ascii, lambda value: shown(ascii(value)), 1), costs.text),
    "bin": _indexed(priced(bin, _based)),
    "callable": _like(callable, _callable, 1), "chr": priced(chr, costs.little), "divmod": _like(divmod, _divided, 2),
    "format": _like(format, lambda value, spec="": formatted(value, spec), 1, 2), "hash": priced(hash, costs.walked),
    "hex": _indexed(priced(hex, _based)), "id": priced(id, costs.little), "iter": _like(iter, _iter, 1, 2),
    "len": _like(len, _len, 1), "max": _all_of(max, costs.chosen), "min": _all_of(min, costs.chosen),
    "next": _like(next, _next, 1, 2), "oct": _indexed(priced(oct, _based)), "ord": priced(ord, costs.little),
    "pow": _powered,
    "repr": priced(_like(repr, lambda value: shown(repr(value)), 1), costs.text),
    "round": priced(round, costs.rounded), "sorted": _sorted, "sum": _sum,
}  # fmt: skip


# -- methods and attributes -----------------------------------------------------------------------------------------
def _methods(
    functions: Mapping[str, Priced], *, changing: bool = False, held_at: tuple[int, ...] = ()
) -> dict[str, Getter]:
    """Methods by name; those that are ``changing`` their list or dict are what a journal may have to undo."""
    return {name: _bound(name, function, cost, changing, held_at) for name, (function, cost) in functions.items()}


def _bound(
    name: str, function: Callable[..., object], cost: CostOf, changing: bool, held_at: tuple[int, ...] = ()
) -> Getter:
    call = consuming(function, cost, *held_at) if held_at else priced(function, cost)
    call = _mapping(call) if function is dict.update else call

    def change(value: Any, *args: Any, **kwargs: Any) -> object:
        modes.touch(value)
        return call(value, *args, **kwargs)

    return Bound(name, change if changing else call)


class Bound:
    """A getter of a method, which may also be called at once, without an object for it."""

    __slots__ = ("call", "name")

    def __init__(self, name: str, call: Callable[..., object]) -> None:
        self.name, self.call = name, call

    def __call__(self, value: Any) -> Routine:
        return Routine(self.name, partial(self.call, value), owner=value)


def _members(*names: str) -> dict[str, Getter]:
    return {name: operator.attrgetter(name) for name in names}


def _united(*values: Any) -> costs.Cost:
    """A set of all items of several."""
    return costs.made(sum(map(costs.length, values)))


def _padded(value: str, width: Any = 0, *_: Any, **__: Any) -> costs.Cost:
    return costs.copied(max(len(value), width if isinstance(width, int) else 0))


def _expanded(value: str, tabsize: Any = 8, *_: Any, **__: Any) -> costs.Cost:
    return costs.copied(len(value) + value.count("\t") * (max(tabsize, 0) if isinstance(tabsize, int) else 0))


def _translated(value: str, table: Any = None, *_: Any, **__: Any) -> costs.Cost:
    longest = (
        max((len(one) for one in table.values() if isinstance(one, str)), default=1) if isinstance(table, dict) else 1
    )
    return costs.copied(len(value) * max(longest, 1))._replace(steps=1 + len(value))


def _sought(value: range, item: Any = 0, *_: Any, **__: Any) -> costs.Cost:
    return costs.LITTLE if isinstance(item, int) else costs.Cost(1 + costs.length(value))


FORMAT: list[Callable[[Any, str], Any]] = []  # how ``str.format`` looks attributes up: set by ``app.program.values``


def _format(value: str, /, *args: Any, **kwargs: Any) -> str:
    return format_text(value, args, kwargs, FORMAT[0])


def _format_map(value: str, /, *args: Any, **kwargs: Any) -> str:
    if kwargs:
        raise PythonError(TypeError, "str.format_map() takes no keyword arguments")
    if len(args) != 1:
        raise PythonError(TypeError, f"str.format_map() takes exactly one argument ({len(args)} given)")
    return format_text(value, (), args[0], FORMAT[0])


_REAL: Final = _members("real", "imag")
_INT: Final = _REAL | _members("numerator", "denominator") | _methods({
    "bit_length": (int.bit_length, costs.little), "bit_count": (int.bit_count, costs.linear),
    "conjugate": (int.conjugate, costs.linear), "as_integer_ratio": (int.as_integer_ratio, costs.linear),
})  # fmt: skip
_FLOAT: Final = _REAL | _methods({
    "is_integer": (float.is_integer, costs.little), "conjugate": (float.conjugate, costs.little),
    "hex": (float.hex, costs.little), "as_integer_ratio": (float.as_integer_ratio, costs.little),
})  # fmt: skip
_COMPLEX: Final = _REAL | _methods({"conjugate": (complex.conjugate, costs.little)})
_READ: Final = (
    "count", "endswith", "find", "index", "isalnum", "isalpha", "isascii", "isdecimal", "isdigit", "isidentifier",
    "islower", "isnumeric", "isprintable", "isspace", "istitle", "isupper", "rfind", "rindex", "startswith",
)  # fmt: skip
_STR: Final = _methods(
    {name: (getattr(str, name), costs.read) for name in _READ}
    | {name: (getattr(str, name), costs.recased) for name in (
        "capitalize", "casefold", "lower", "swapcase", "title", "upper")}
    | {name: (getattr(str, name), _padded) for name in ("center", "ljust", "rjust", "zfill")}
    | {name: (getattr(str, name), costs.copy) for name in (
        "lstrip", "partition", "removeprefix", "removesuffix", "rpartition", "rstrip", "strip")}
    | {"expandtabs": (str.expandtabs, _expanded), "replace": (str.replace, costs.replaced),
       "rsplit": (str.rsplit, costs.split), "split": (str.split, costs.split),
       "splitlines": (str.splitlines, lambda value, *_, **__: costs.split(value, "\n")),
       "translate": (str.translate, _translated)}
) | _methods({"join": (str.join, costs.joined)}, held_at=(1,)) | {
    "format": lambda value: Routine("format", partial(_format, value), owner=value),
    "format_map": lambda value: Routine("format_map", partial(_format_map, value), owner=value),
}  # fmt: skip
_TUPLE: Final = _methods({"count": (tuple.count, costs.walked), "index": (tuple.index, costs.walked)})
_LIST: Final = _methods({
    "count": (list.count, costs.walked), "index": (list.index, costs.walked), "copy": (list.copy, costs.copy),
}) | _methods({
    "append": (list.append, costs.grown), "clear": (list.clear, costs.read),
    "insert": (list.insert, costs.moved), "pop": (list.pop, costs.moved), "remove": (list.remove, costs.walked),
    "reverse": (list.reverse, costs.read), "sort": (list.sort, costs.ordered),
}, changing=True) | _methods({"extend": (list.extend, costs.extend)}, changing=True, held_at=(1,))  # fmt: skip
_DICT: Final = _methods({
    "copy": (dict.copy, costs.copy), "get": (dict.get, costs.keyed), "items": (dict.items, costs.little),
    "keys": (dict.keys, costs.little), "values": (dict.values, costs.little),
}) | _methods({
    "clear": (dict.clear, costs.read), "pop": (dict.pop, costs.keyed), "popitem": (dict.popitem, costs.little),
    "setdefault": (dict.setdefault, costs.keyed),
}, changing=True) | _methods({"update": (dict.update, costs.updated)}, changing=True, held_at=(1,))  # fmt: skip
_KEYS: Final = _methods({"isdisjoint": (type({}.keys()).isdisjoint, _united)}, held_at=(1,))
_ALL: Final = (1, 2, 3, 4, 5, 6, 7, 8, 9)
_FROZENSET: Final = _methods(
    {name: (getattr(frozenset, name), _united) for name in (
        "copy", "difference", "intersection", "isdisjoint", "issubset", "issuperset", "symmetric_difference", "union")},
    held_at=_ALL,
)  # fmt: skip
_SET: Final = _methods(
    {name: (getattr(set, name), _united) for name in (
        "copy", "difference", "intersection", "isdisjoint", "issubset", "issuperset", "symmetric_difference", "union")},
    held_at=_ALL,
) | _methods(
    {name: (getattr(set, name), _united) for name in (
        "difference_update", "intersection_update", "symmetric_difference_update", "update")},
    changing=True, held_at=_ALL,
) | _methods({
    "add": (set.add, costs.keyed), "clear": (set.clear, costs.read), "discard": (set.discard, costs.keyed),
    "pop": (set.pop, costs.little), "remove": (set.remove, costs.keyed),
}, changing=True)  # fmt: skip
_RANGE: Final[dict[str, Getter]] = _members("start", "stop", "step") | _methods({
    "index": (range.index, _sought), "count": (range.count, _sought),
})  # fmt: skip
_SLICE: Final = _members("start", "stop", "step") | _methods({"indices": (slice.indices, costs.little)})
_ARRAY: Final = _members("shape", "dtype", "ndim", "size") | _methods({
    "tolist": (np.ndarray.tolist, costs.listed), "item": (np.ndarray.item, costs.little),
    "copy": (np.ndarray.copy, costs.copy),
})  # fmt: skip
_SIZE: Final = _methods({"numel": (tensors.Size.numel, costs.read)}) | _TUPLE
_DTYPE: Final[dict[str, Getter]] = _members("is_floating_point", "is_complex", "itemsize")
ATTRIBUTES: Final[tuple[tuple[type, dict[str, Getter]], ...]] = (
    (bool, _INT), (int, _INT), (float, _FLOAT), (complex, _COMPLEX), (str, _STR), (list, _LIST), (dict, _DICT),
    (tensors.Size, _SIZE), (tuple, _TUPLE), (range, _RANGE), (set, _SET), (frozenset, _FROZENSET), (slice, _SLICE),
    (type({}.keys()), _KEYS), (np.ndarray, _ARRAY), (dtypes.DType, _DTYPE),
)  # fmt: skip
METHODS: Final[dict[type, dict[str, Getter]]] = dict(ATTRIBUTES)


def direct(kind: type, name: str) -> Callable[..., object] | None:
    """The method ``name`` of values of that very type, called with the value; ``None`` for what is no method."""
    getter = METHODS.get(kind, {}).get(name)
    return getter.call if type(getter) is Bound else None


# -- types ----------------------------------------------------------------------------------------------------------
_SPECIAL: Final[dict[str, CostOf]] = {
    "__len__": costs.little, "__contains__": costs.walked, "__iter__": costs.little, "__repr__": costs.text,
    "__str__": costs.text, "__eq__": costs.compare, "__ne__": costs.compare, "__lt__": costs.compare,
    "__le__": costs.compare, "__gt__": costs.compare, "__ge__": costs.compare, "__hash__": costs.walked,
    "__add__": costs.add, "__mul__": costs.multiply, "__sub__": costs.linear, "__truediv__": costs.divide,
    "__and__": costs.linear, "__or__": costs.linear, "__neg__": costs.linear, "__abs__": costs.linear,
}  # fmt: skip


def _item(value: Any, index: Any) -> Any:
    if isinstance(index, slice):
        pay(costs.sliced(value, index))
    return python(_base_of(value).__getitem__, value, index)


def _put_item(value: Any, index: Any, new: Any) -> None:
    modes.touch(value)
    pay(costs.assigned(value, index, new))
    python(_base_of(value).__setitem__, value, index, new)


def _drop_item(value: Any, index: Any) -> None:
    modes.touch(value)
    pay(costs.moved(value))
    python(_base_of(value).__delitem__, value, index)


def _base_of(value: Any) -> Any:
    """Python's own type below an object of a program's class."""
    return next(kind for kind in type(value).__mro__ if kind.__module__ in ("builtins", "collections"))


_ITEMS: Final[dict[str, Callable[..., Any]]] = {
    "__getitem__": _item, "__setitem__": _put_item, "__delitem__": _drop_item,
}  # fmt: skip


def members_of(host: HostType, name: str) -> Any:
    """What Python's type itself has under ``name``, as a ``HostMember``."""
    kind = host.type
    if name in STATICS.get(kind, {}):
        routine = Routine(name, STATICS[kind][name])
        return HostMember(name, lambda value: routine, routine)
    getter = METHODS.get(kind, {}).get(name)
    if getter is not None:
        return HostMember(name, getter, Unbound(name, partial(_on_value, host, name, getter), owner=host))
    if name in _ITEMS and hasattr(kind, name) and kind is not object:
        return _plain_member(host, name, _ITEMS[name])
    if name in _SPECIAL and kind is not object and name in vars(kind):
        return _plain_member(host, name, priced(getattr(kind, name), _SPECIAL[name]))
    return _of_object(kind, name) if kind is object or name == "__init__" else MISSING


def _plain_member(host: HostType, name: str, function: Callable[..., Any]) -> HostMember:
    unbound = Unbound(name, function, owner=host)
    return HostMember(name, lambda value: Routine(name, partial(function, value), owner=value), unbound)


def _on_value(host: HostType, name: str, getter: Getter, value: Any = MISSING, /, *args: Any, **kwargs: Any) -> Any:
    if value is MISSING:
        raise PythonError(TypeError, f"unbound method {host.name}.{name}() needs an argument")
    if not isinstance(value, host.type):
        raise PythonError(
            TypeError, f"descriptor '{name}' for '{host.name}' objects doesn't apply to a '{type_name(value)}' object"
        )
    found = getter(value)
    if not callable(found):
        raise PythonError(TypeError, "'getset_descriptor' object is not callable")
    return found(*args, **kwargs)


OBJECT: dict[str, Callable[..., Any]] = {}  # what ``object`` itself has: set by ``app.program.values``


def _of_object(kind: type, name: str) -> Any:
    if name == "__init__" and kind is not object:
        function: Any = partial(_initialised, kind)
        return _plain_member(TYPES["object"], name, function)
    return _plain_member(TYPES["object"], name, OBJECT[name]) if name in OBJECT else MISSING


def _initialised(kind: Any, value: Any, *args: Any, **kwargs: Any) -> None:
    """``kind.__init__`` of an object of a program's class."""
    if not isinstance(value, kind):
        raise PythonError(TypeError, f"descriptor '__init__' requires a '{kind.__name__}' object")
    modes.touch(value)
    if issubclass(kind, BaseException):
        value.args = args
        python(kind.__init__, value, *args, **kwargs)
    elif kind in (list, dict, set):
        given = [_held(one) for one in args]
        pay(costs.listed(*given[:1]))
        python(kind.__init__, value, *given, **kwargs)


STATICS: Final[dict[type, dict[str, Callable[..., Any]]]] = {
    dict: {"fromkeys": consuming(dict.fromkeys, costs.listed, 0)},
    str: {"maketrans": priced(str.maketrans, lambda *args: costs.made(sum(map(costs.length, args))))},
    float: {"fromhex": priced(float.fromhex, costs.read)},
}
HOSTS: Final[dict[type, HostType]] = {}
"""The types that programs know, by Python's."""


def _type(kind: type, call: Callable[..., object], *bases: type, name: str | None = None) -> HostType:
    mro = tuple(HOSTS[base] for base in bases)
    host = HostType(kind, name or kind.__name__, call, members_of, mro=mro)
    HOSTS[kind] = host
    return host


def _plain_object(*args: Any, **kwargs: Any) -> Any:
    return python(object, *args, **kwargs)


def _refuse_construction(kind: str) -> Callable[..., object]:
    def call(*_: Any, **__: Any) -> object:
        raise PythonError(TypeError, f"cannot create '{kind}' instances")

    return call


def _types() -> dict[str, HostType]:
    found = [_type(object, _plain_object)]
    plain: tuple[tuple[type, Callable[..., object]], ...] = (
        (complex, priced(complex, costs.read)), (dict, _mapping(consuming(dict, costs.mapping, 0))),
        (enumerate, _lazily(enumerate, 0, 0)), (filter, _lazily(filter, 1)),
        (float, priced(float, costs.read)), (frozenset, consuming(frozenset, costs.tabled, 0)),
        (int, priced(int, costs.integer)), (list, consuming(list, costs.listed, 0)), (map, _lazily(map, 1)),
        (range, _indexed(priced(range, costs.little))), (reversed, _like(reversed, _reversed, 1)),
        (set, consuming(set, costs.tabled, 0)),
        (slice, priced(slice, costs.little)), (str, priced(str, costs.text)),
        (tuple, consuming(tuple, costs.listed, 0)), (zip, _lazily(zip, 0)),
    )  # fmt: skip
    found += [_type(kind, call, object) for kind, call in plain]
    found.append(_type(bool, priced(bool, costs.little), int, object))
    return {one.name: one for one in found}


TYPES: Final = _types()


# -- exceptions -----------------------------------------------------------------------------------------------------
_EXCEPTIONS: Final = (
    "BaseException", "Exception", "ArithmeticError", "AssertionError", "AttributeError", "BufferError", "EOFError",
    "FloatingPointError", "GeneratorExit", "ImportError", "IndexError", "KeyError", "LookupError", "MemoryError",
    "ModuleNotFoundError", "NameError", "NotImplementedError", "OSError", "OverflowError", "RecursionError",
    "ReferenceError", "RuntimeError", "StopIteration", "SyntaxError", "SystemError", "TimeoutError", "TypeError",
    "UnboundLocalError", "UnicodeError", "ValueError", "ZeroDivisionError", "KeyboardInterrupt", "FileNotFoundError",
    "PermissionError", "ConnectionError", "StopAsyncIteration", "IndentationError",
    "Warning", "UserWarning", "DeprecationWarning", "FutureWarning", "PendingDeprecationWarning", "RuntimeWarning",
    "SyntaxWarning", "ImportWarning", "UnicodeWarning", "BytesWarning", "ResourceWarning",
)  # fmt: skip


def _raisable(kind: type[BaseException], *args: Any, **kwargs: Any) -> Any:
    """An exception of a class."""
    if kwargs:
        raise PythonError(TypeError, f"{kind.__name__}() takes no keyword arguments")
    try:
        return made(kind, *args)
    except (TypeError, AttributeError) as error:  # some ask for arguments of their own
        raise PythonError(TypeError, str(error)) from None


def exception_type(kind: type[BaseException], name: str | None = None) -> HostType:
    """The class of exceptions as programs know it."""
    if kind not in HOSTS:
        bases = [base for base in kind.__mro__[1:] if issubclass(base, BaseException)]
        for base in reversed(bases):
            exception_type(base)
        HOSTS[kind] = HostType(
            kind, name or kind.__name__, partial(_raisable, kind), members_of,
            mro=(*(HOSTS[base] for base in bases), HOSTS[object]),
        )  # fmt: skip
    return HOSTS[kind]


EXCEPTIONS: Final = {name: exception_type(getattr(builtins, name)) for name in _EXCEPTIONS} | {
    "IOError": exception_type(OSError),
    "EnvironmentError": exception_type(OSError),
}
FUNCTIONS: Final[dict[str, Any]] = {name: Routine(name, function) for name, function in _FUNCTIONS.items()} | TYPES
CONSTANTS: Final[dict[str, object]] = {"NotImplemented": NotImplemented, "Ellipsis": ..., "__debug__": True}
__all__ = [
    "ATTRIBUTES", "FUNCTIONS", "BoundMethod", "Function", "Getter", "Module", "Routine", "Unbound", "binary", "compare",
    "delete_item", "get_item", "in_place", "set_item", "type_name", "unary",
]  # fmt: skip
