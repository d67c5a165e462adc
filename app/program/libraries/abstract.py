"""What classes get that derive from those of ``collections.abc``: methods over the few that they have to define."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, Final

from app.program.classes import MISSING
from app.program.failures import PythonError, python
from app.program.instances import Special, method_of
from app.program.libraries.natives import Native
from app.program.operations import Metered, compare, delete_item, get_item, iterate, set_item
from app.program.values import attribute

_NOTHING: Final = object()


class Open(Native):
    """A method that a class has to define."""

    __slots__ = ()
    attributes: Final = {"__isabstractmethod__": True}


def _contains(self: Any, value: Any, /) -> bool:
    return any(one is value or compare("==", one, value) for one in Metered(iterate(self)))


def _items_by_place(self: Any, /) -> Iterator[Any]:
    def walk() -> Iterator[Any]:
        for place in range(10**9):
            try:
                yield get_item(self, place)
            except IndexError:
                return

    return Metered(walk(), "generator")


def _reversed(self: Any, /) -> Any:
    return Metered((get_item(self, place) for place in reversed(range(python(len, self)))), "generator")


def _index(self: Any, value: Any, /) -> int:
    for place, one in enumerate(Metered(iterate(self))):
        if one is value or compare("==", one, value):
            return place
    raise PythonError(ValueError, "")


def _count(self: Any, value: Any, /) -> int:
    return sum(1 for one in Metered(iterate(self)) if one is value or compare("==", one, value))


def _has_key(self: Any, key: Any, /) -> bool:
    try:
        get_item(self, key)
    except KeyError:
        return False
    return True


def _get(self: Any, key: Any, default: Any = None, /) -> Any:
    try:
        return get_item(self, key)
    except KeyError:
        return default


def _keys(self: Any, /) -> list[Any]:
    return list(Metered(iterate(self)))


def _values(self: Any, /) -> list[Any]:
    return [get_item(self, key) for key in _keys(self)]


def _items(self: Any, /) -> list[Any]:
    return [(key, get_item(self, key)) for key in _keys(self)]


def _pop_key(self: Any, key: Any, default: Any = _NOTHING, /) -> Any:
    try:
        value = get_item(self, key)
    except KeyError:
        if default is _NOTHING:
            raise
        return default
    delete_item(self, key)
    return value


def _update(self: Any, other: Any = (), /, **named: Any) -> None:
    pairs = [(key, get_item(other, key)) for key in iterate(attribute(other, "keys")())] if (
        isinstance(other, dict) or (isinstance(other, Special) and method_of(other, "keys") is not MISSING)
    ) else [tuple(iterate(pair)) for pair in Metered(iterate(other))]  # fmt: skip
    for key, value in [*pairs, *named.items()]:
        set_item(self, key, value)


def _set_default(self: Any, key: Any, default: Any = None, /) -> Any:
    if not _has_key(self, key):
        set_item(self, key, default)
    return get_item(self, key)


def _clear_keys(self: Any, /) -> None:
    for key in _keys(self):
        delete_item(self, key)


def _append(self: Any, value: Any, /) -> None:
    attribute(self, "insert")(python(len, self), value)


def _extend(self: Any, values: Any, /) -> None:
    for value in list(Metered(iterate(values))):
        attribute(self, "append")(value)


def _pop_place(self: Any, place: Any = -1, /) -> Any:
    value = get_item(self, place)
    delete_item(self, place)
    return value


def _remove(self: Any, value: Any, /) -> None:
    delete_item(self, attribute(self, "index")(value))


def _same_items(self: Any, other: Any, /) -> Any:
    if not isinstance(other, dict) and not (isinstance(other, Special) and method_of(other, "keys") is not MISSING):
        return NotImplemented
    return dict(_items(self)) == (dict(_items(other)) if isinstance(other, Special) else other)


def _itself(self: Any, /) -> Any:
    return self


_Methods = dict[str, Callable[..., Any]]
_ITERATOR: Final[_Methods] = {"__iter__": _itself}
_SEQUENCE: Final[_Methods] = {
    "__contains__": _contains, "__iter__": _items_by_place, "__reversed__": _reversed, "index": _index, "count": _count,
}  # fmt: skip
_MAPPING: Final[_Methods] = {
    "__contains__": _has_key, "get": _get, "keys": _keys, "values": _values, "items": _items, "__eq__": _same_items,
}  # fmt: skip
_CHANGED_MAPPING: Final[_Methods] = {
    "pop": _pop_key, "update": _update, "setdefault": _set_default, "clear": _clear_keys,
}  # fmt: skip
_CHANGED_SEQUENCE: Final[_Methods] = {"append": _append, "extend": _extend, "pop": _pop_place, "remove": _remove}
_TABLE: Final[dict[str, tuple[_Methods, tuple[str, ...], tuple[str, ...]]]] = {
    "Iterable": ({}, ("__iter__",), ()),
    "Iterator": (_ITERATOR, ("__next__",), ("Iterable",)),
    "Reversible": ({}, ("__iter__", "__reversed__"), ("Iterable",)),
    "Sized": ({}, ("__len__",), ()),
    "Container": ({}, ("__contains__",), ()),
    "Hashable": ({}, ("__hash__",), ()),
    "Callable": ({}, ("__call__",), ()),
    "Collection": ({}, ("__contains__", "__iter__", "__len__"), ("Sized", "Iterable", "Container")),
    "Sequence": (_SEQUENCE, ("__getitem__", "__len__"), ("Reversible", "Collection", "Sized", "Iterable", "Container")),
    "MutableSequence": (
        _SEQUENCE | _CHANGED_SEQUENCE, ("__delitem__", "__getitem__", "__len__", "__setitem__", "insert"),
        ("Sequence", "Reversible", "Collection", "Sized", "Iterable", "Container"),
    ),
    "Mapping": (_MAPPING, ("__getitem__", "__iter__", "__len__"), ("Collection", "Sized", "Iterable", "Container")),
    "MutableMapping": (
        _MAPPING | _CHANGED_MAPPING, ("__delitem__", "__getitem__", "__iter__", "__len__", "__setitem__"),
        ("Mapping", "Collection", "Sized", "Iterable", "Container"),
    ),
}  # fmt: skip
"""The methods that a class gives, those that are left open, and what else its objects are."""
STRUCTURAL: Final = {
    name: required for name, (_, required, _) in _TABLE.items()
    if name in ("Iterable", "Iterator", "Reversible", "Sized", "Container", "Callable", "Collection")
}  # fmt: skip
"""Those of which every object is that has the methods, whatever it derives from."""
KINDS: Final = "__kinds__"  # under which a class knows the names of those that it derives from


def _namespace(name: str) -> dict[str, Any]:
    methods, required, others = _TABLE[name]
    natives: dict[str, Any] = {one: Native(f"abc.{name}.{one}", function) for one, function in methods.items()}
    for one in required:
        if one not in natives:
            natives[one] = Open(f"abc.{name}.{one}", _itself)
    return natives | {KINDS: (name, *others), "__abstract__": True}


NAMESPACES: Final = {name: _namespace(name) for name in _TABLE}


def is_kind(value: Any, name: str) -> bool:
    """Whether an object of a program is one of the class ``name``."""
    if name in STRUCTURAL and all(method_of(value, one) is not MISSING for one in STRUCTURAL[name]):
        return True
    return any(name in getattr(one, "attributes", {}).get(KINDS, ()) for one in value.program_class.mro)
