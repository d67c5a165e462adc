"""``functools``: what takes a function of a program and gives another one."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Sequence
from typing import Any, Final

from app.program.builtins import HOSTS
from app.program.calls import call
from app.program.classes import MISSING, HostType, ProgramClass, changed
from app.program.costs import bounded
from app.program.failures import PythonError, seen_as
from app.program.functions import Callable_, Function
from app.program.instances import method_of
from app.program.libraries.dispatching import Dispatched, DispatchedMethod
from app.program.libraries.namedtuples import namedtuple
from app.program.libraries.natives import Native, Wrapper, own
from app.program.operations import Metered, Routine, compare, iterate
from app.program.values import add_objects
from engine import modes

_NOTHING: Final = object()


def _reduce(function: Any, iterable: Any, initial: Any = _NOTHING, /) -> Any:
    items = Metered(iterate(iterable))
    if initial is _NOTHING:
        initial = next(items, _NOTHING)
        if initial is _NOTHING:
            raise PythonError(TypeError, "reduce() of empty iterable with no initial value")
    for item in items:
        initial = function(initial, item)
    return initial


@seen_as("functools.partial")
class Partial(Callable_):
    """``partial``."""

    __slots__ = ("__weakref__", "args", "func", "keywords")
    binds = False

    def __init__(self, func: Any = MISSING, /, *args: Any, **keywords: Any) -> None:
        if func is MISSING:
            raise PythonError(TypeError, "type 'partial' takes at least one argument")
        if not callable(func):
            raise PythonError(TypeError, "the first argument must be callable")
        self.func, self.args, self.keywords = func, args, keywords

    def enter(self, run: Any, args: Sequence[Any], kwargs: dict[str, Any] | None = None) -> Any:
        return call(run, self.func, [*self.args, *args], {**self.keywords, **(kwargs or {})})

    def program_attribute(self, name: str) -> Any:
        """An attribute for programs."""
        return getattr(self, name) if name in ("func", "args", "keywords") else MISSING

    def __repr__(self) -> str:
        parts = [*map(repr, (self.func, *self.args)), *(f"{name}={value!r}" for name, value in self.keywords.items())]
        return f"functools.partial({', '.join(parts)})"


def _updated(wrapper: Any, wrapped: Any, *_: Any, **__: Any) -> Any:
    if isinstance(wrapper, Function):
        modes.touch(wrapper)
        wrapper.name = str(getattr(wrapped, "name", wrapper.name)).rpartition(".")[2]
        wrapper.qualname = getattr(wrapped, "qualname", wrapper.name)
        wrapper.doc = getattr(wrapped, "doc", None)
        wrapper.attributes.update(getattr(wrapped, "attributes", {}) if isinstance(wrapped, Callable_) else {})
        wrapper.attributes["__wrapped__"] = wrapped
    return wrapper


def _wraps(wrapped: Any, *_: Any, **__: Any) -> Any:
    return Routine("wraps", lambda wrapper: _updated(wrapper, wrapped))


@seen_as("functools._lru_cache_wrapper")
class Cached(Wrapper):
    """``lru_cache`` around a function."""

    __slots__ = ("entries", "hits", "maxsize", "misses")

    def __init__(self, function: Any, maxsize: Any) -> None:
        super().__init__(function)
        self.maxsize, self.hits, self.misses = maxsize, 0, 0
        self.entries: OrderedDict[Any, Any] = OrderedDict()

    def memento(self) -> Callable[[], None]:
        """A function that brings this moment back."""
        entries, hits, misses = self.entries.copy(), self.hits, self.misses

        def restore() -> None:
            self.entries, self.hits, self.misses = entries, hits, misses

        return restore

    def enter(self, run: Any, args: Sequence[Any], kwargs: dict[str, Any] | None = None) -> Any:
        key = (tuple(bounded(list(args))), tuple((kwargs or {}).items()))
        try:
            found = self.entries.get(key, _NOTHING)
        except TypeError as error:
            raise PythonError(TypeError, str(error)) from None
        modes.touch(self)
        if found is not _NOTHING:
            self.hits += 1
            self.entries.move_to_end(key)
            return found
        self.misses += 1
        result = (
            self.function.enter(run, args, kwargs)
            if isinstance(self.function, Callable_)
            else self.function(*args, **(kwargs or {}))
        )
        if self.maxsize != 0:
            run.keep(20)
            self.entries[key] = result
            limit = min(self.maxsize if isinstance(self.maxsize, int) else 10**5, 10**5)
            if len(self.entries) > limit:
                self.entries.popitem(last=False)
        return result

    def program_attribute(self, name: str) -> Any:
        if name == "cache_info":
            return Routine(name, self._info, owner=self)
        if name == "cache_clear":
            return Routine(name, self._clear, owner=self)
        return super().program_attribute(name)

    def _info(self) -> Any:
        info = namedtuple("CacheInfo", ("hits", "misses", "maxsize", "currsize"))
        return info(self.hits, self.misses, self.maxsize, len(self.entries))

    def _clear(self) -> None:
        modes.touch(self)
        self.entries.clear()
        self.hits = self.misses = 0


def _lru_cache(maxsize: Any = 128, typed: Any = False) -> Any:
    if isinstance(maxsize, Callable_):
        return Cached(maxsize, 128)
    return Routine("lru_cache", lambda function: Cached(function, maxsize))


@seen_as("cached_property")
class CachedProperty:
    """``cached_property``: found once for an object, and then an attribute of it."""

    __slots__ = ("function", "name")

    def __init__(self, function: Any) -> None:
        self.function, self.name = function, getattr(function, "name", "")

    def program_named(self, cls: Any, name: str) -> None:
        """Learn the name under which it stands."""
        self.name = name

    def program_get(self, owner: Any, cls: Any) -> Any:
        """Its value for an object."""
        if owner is None:
            return self
        value = self.function(owner)
        modes.touch(owner)
        owner.attributes[self.name] = value
        return value


_ORDERS: Final = {
    "__lt__": ("__le__", "__gt__", "__ge__"), "__le__": ("__lt__", "__gt__", "__ge__"),
    "__gt__": ("__lt__", "__le__", "__ge__"), "__ge__": ("__lt__", "__le__", "__gt__"),
}  # fmt: skip


def _order(root: str, wanted: str) -> Callable[[Any, Any], Any]:
    """One comparison by another one and equality."""
    symbols = {"__lt__": "<", "__le__": "<=", "__gt__": ">", "__ge__": ">="}
    is_same_side = root[2] == wanted[2]

    def method(self: Any, other: Any) -> Any:
        found = method_of(self, root)(other)
        if found is NotImplemented:
            return found
        if is_same_side:
            equal = compare("==", self, other)
            return (found or equal) if wanted[3] == "e" else (found and not equal)
        if root[3] == wanted[3]:  # < from >, <= from >=
            equal = compare("==", self, other)
            return not found and not equal if wanted[3] == "t" else not found or equal
        return not found

    method.__doc__ = symbols[wanted]
    return method


_ORDERED: Final = {
    (root, wanted): Native(f"functools.{root}.{wanted}", _order(root, wanted))
    for root, others in _ORDERS.items()
    for wanted in others
}


def _total_ordering(cls: Any) -> Any:
    if not isinstance(cls, ProgramClass):
        raise PythonError(TypeError, "total_ordering() takes a class")
    roots = [name for name in _ORDERS if cls.find(name) is not MISSING]
    if not roots:
        raise PythonError(ValueError, "must define at least one ordering operation: < > <= >=")
    modes.touch(cls)
    for name in _ORDERS:
        if cls.find(name) is MISSING:
            cls.attributes[name] = _ORDERED[roots[0], name]
    changed()
    return cls


@seen_as("functools.KeyWrapper")
class _Key:
    """An object that is ordered by a function of two."""

    __slots__ = ("_compare", "obj")

    def __init__(self, compare: Any, obj: Any) -> None:
        self._compare, self.obj = compare, obj

    def __lt__(self, other: Any) -> bool:
        return bool(self._compare(self.obj, other.obj) < 0)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _Key) and bool(self._compare(self.obj, other.obj) == 0)

    __hash__ = None  # type: ignore[assignment]


def _cmp_to_key(function: Any) -> Any:
    return Routine("cmp_to_key", lambda obj: _Key(function, obj))


add_objects(Partial, own)
add_objects(Cached, own)
add_objects(CachedProperty, lambda value, name: MISSING)


def _type(kind: type, name: str) -> HostType:
    found = HOSTS[kind] = HostType(kind, name, kind, lambda host, member: MISSING, mro=(HOSTS[object],))
    return found


FUNCTOOLS: Final[dict[str, object]] = {
    "cache": Routine("cache", lambda function: Cached(function, None)),
    "cached_property": _type(CachedProperty, "functools.cached_property"),
    "cmp_to_key": Routine("cmp_to_key", _cmp_to_key), "lru_cache": Routine("lru_cache", _lru_cache),
    "partial": _type(Partial, "functools.partial"), "reduce": Routine("reduce", _reduce),
    "singledispatch": Routine("singledispatch", lambda func: Dispatched(func)),
    "singledispatchmethod": Routine("singledispatchmethod", lambda func: DispatchedMethod(func)),
    "total_ordering": Routine("total_ordering", _total_ordering),
    "update_wrapper": Routine("update_wrapper", _updated), "wraps": Routine("wraps", _wraps),
}  # fmt: skip
