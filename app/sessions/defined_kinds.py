"""How what programs define (functions, classes, their objects) stands in a session's records.

A function is the text it was written in and its number there, with the values that it holds; a class its name, its
order of bases and its attributes. What a record claims is checked where something is made of it.
"""

from __future__ import annotations

from collections import deque
from typing import Any, Final

from app.program.builtins import EXCEPTIONS, HOSTS, TYPES
from app.program.classes import ClassMethod, HostType, ProgramClass, Property, StaticMethod, changed
from app.program.contexts import Guarded
from app.program.failures import PythonError, classes
from app.program.functions import UNBOUND, BoundMethod, Cell, Function, Source
from app.program.hosted import BUILTIN, host_of, hosted
from app.program.hosts import host_type
from app.program.instances import Fixed, Held, Instance
from app.program.libraries.abc import ABC_CLASS, META
from app.program.libraries.contextlib import Making
from app.program.libraries.dataclasses import NOTHING, Field, Nothing
from app.program.libraries.dispatching import Dispatched, DispatchedMethod
from app.program.libraries.enum import ENUM, INT_ENUM, STR_ENUM, EnumClass, look_up
from app.program.libraries.flags import FLAG, INT_FLAG, FlagClass, look_up_bits
from app.program.libraries.functools import Cached, CachedProperty, Partial
from app.program.libraries.namedtuples import NAMED_TUPLE, create
from app.program.libraries.natives import NATIVES, Native
from app.program.libraries.types import SIMPLE_NAMESPACE
from app.program.libraries.typing import NUMBERS, TYPING, Form, Kind
from app.sessions import library_kinds
from app.sessions.library_kinds import attributes, flat, is_name
from app.sessions.value_kinds import InlineKind, Malformed, NotStorable, Parts, SharedKind
from engine import registry


def _require(condition: Any, what: str) -> None:
    if not condition:
        raise Malformed(what)


# -- functions ------------------------------------------------------------------------------------------------------
def _dump_function(one: Function) -> Parts:
    compiled = one.compiled
    return (
        compiled.source, compiled.code.index, one.name, one.qualname, one.doc, one.defaults,
        tuple(flat(one.keyword_defaults or {})), one.cells, tuple(flat(one.attributes)),
    )  # fmt: skip


def _fill_function(function: Function, parts: list[Any]) -> None:
    source, index, name, qualname, doc, defaults, named, cells, own = parts
    _require(isinstance(source, Source) and index in source.compiled, "a function of no text")
    compiled = source.compiled[index]
    parameters = compiled.code.parameters
    count = len(parameters.positional_only) + len(parameters.plain)
    _require(type(defaults) is tuple and len(defaults) <= count, "defaults of no parameters")
    _require(type(named) is tuple and type(own) is tuple, "defaults of no parameters")
    named = attributes(list(named))
    _require(set(named) <= set(parameters.keyword_only), "defaults of no parameters")
    is_sound = type(cells) is tuple and all(isinstance(one, Cell) for one in cells) and len(cells) == compiled.takes
    _require(is_sound, "a function with cells that it does not take")
    _require(is_name(name) and is_name(qualname) and isinstance(doc, str | None), "a function without a name")
    Function.__init__(function, compiled, defaults, named, cells)
    function.name, function.qualname, function.doc = name, qualname, doc
    function.attributes = attributes(list(own))


def _dump_cell(cell: Cell) -> Parts:
    return () if cell.value is UNBOUND else (cell.value,)


def _fill_cell(cell: Cell, parts: list[Any]) -> None:
    cell.value = parts[0] if parts else UNBOUND


# -- classes --------------------------------------------------------------------------------------------------------
_OURS: Final = {
    "abc.ABC": ABC_CLASS, "enum.Enum": ENUM, "enum.IntEnum": INT_ENUM, "enum.StrEnum": STR_ENUM,
    "enum.Flag": FLAG, "enum.IntFlag": INT_FLAG, "types.SimpleNamespace": SIMPLE_NAMESPACE,
    "typing.NamedTuple": NAMED_TUPLE,
}  # fmt: skip
_OUR_NAMES: Final = {id(cls): name for name, cls in _OURS.items()}
_CREATE: Final[dict[str, Any]] = {"": None, "enum": look_up, "flag": look_up_bits, "tuple": create}
_KINDS: Final[dict[str, type[ProgramClass]]] = {"enum": EnumClass, "flag": FlagClass}


def _dump_class(cls: ProgramClass) -> Parts:
    if id(cls) in _OUR_NAMES:
        return ("ours", _OUR_NAMES[id(cls)])
    way = next(name for name, one in _CREATE.items() if one is cls.create)
    members = list(cls.members) if isinstance(cls, EnumClass) else []
    return (
        way,
        cls.name,
        cls.qualname,
        cls.module,
        cls.doc,
        cls.bases,
        tuple([one for one in cls.mro[1:] if not _is_inner(one)]),
        tuple(members),
        *flat(cls.attributes),
    )


def _is_inner(one: Any) -> bool:
    """Whether a type is one between those that have names."""
    return isinstance(one, HostType) and _name_of(one) is None


def _with_inner(mro: tuple[Any, ...]) -> tuple[Any, ...]:
    """An order of classes with the types that stand between those that have names."""
    found: list[Any] = []
    for one in mro:
        found.append(one)
        if isinstance(one, HostType):
            found += [base for base in one.mro[1:] if _is_inner(base) and base not in found]
    return tuple(found)


def _make_class(raw: list[Any]) -> ProgramClass:
    if raw[0] == "ours":
        return _OURS[raw[1]]
    _require(raw[0] in _CREATE, "a class of an unknown sort")
    return object.__new__(_KINDS.get(raw[0], ProgramClass))


def _fill_class(cls: ProgramClass, parts: list[Any]) -> None:
    if parts[0] == "ours":
        return
    way, name, qualname, module, doc, bases, mro, members, *rest = parts
    _require(is_name(name) and is_name(qualname) and is_name(module), "a class without a name")
    _require(isinstance(doc, str | None), "a class without a name")
    for row in (bases, mro):
        _require(type(row) is tuple and row, "a class without bases")
        _require(all(isinstance(one, ProgramClass | HostType) and one is not cls for one in row), "a base that is none")
    cls.name, cls.qualname, cls.module, cls.doc = name, qualname, module, doc
    cls.bases, cls.mro, cls.create = bases, (cls, *_with_inner(mro)), _CREATE[way]
    cls.forget()
    cls.attributes = attributes(rest)
    try:
        cls.host = tuple if way == "tuple" else host_of(cls)
    except PythonError:
        raise Malformed("a class of a type that cannot be a base") from None
    if isinstance(cls, EnumClass):
        _require(type(members) is tuple and all(one in cls.attributes for one in members), "members that are none")
        cls.members = {one: cls.attributes[one] for one in members}
    changed()


# -- objects --------------------------------------------------------------------------------------------------------
def _dump_instance(one: Instance) -> Parts:
    return (one.program_class, *flat(one.attributes))


def _fill_instance(one: Instance, parts: list[Any]) -> None:
    _require(isinstance(parts[0], ProgramClass), "an object of no class")
    one.program_class, one.attributes = parts[0], attributes(parts[1:])


_MUTABLE: Final = (list, dict, set)
_FIXED: Final = (tuple, str, int, float, frozenset)


def _host_name(kind: type) -> str:
    if issubclass(kind, BaseException):
        return next((name for name, host in EXCEPTIONS.items() if host.type is kind), "")
    return kind.__name__ if kind in BUILTIN else ""


def _dump_hosted(one: Any) -> Parts:
    """The name of the host, what the host holds, the class and the attributes of a program's object."""
    if library_kinds.is_of_library(one):
        return library_kinds.dump_hosted(one)
    cls = one.program_class
    kind = cls.host
    name = _host_name(kind)
    if not name:
        raise NotStorable(cls.name)
    held: Any = _HELD[dict if kind is dict else kind if kind in (str, int, float) else object](one)
    return (name, held, cls, *flat(one.attributes))


def _items(one: Any) -> tuple[Any, ...]:
    if isinstance(one, BaseException):
        return one.args
    kind: Any = one.program_class.host
    return tuple(kind.__iter__(one))


_HELD: Final[dict[Any, Any]] = {
    dict: lambda one: tuple([part for item in dict.items(one) for part in item]),
    str: lambda one: str.__add__(one, ""), int: lambda one: int.__add__(one, 0),
    float: lambda one: float.__add__(one, 0.0), object: _items,
}  # fmt: skip


def _make_hosted(raw: list[Any]) -> Any:
    name = raw[0]
    if name in library_kinds.LIBRARY:
        return library_kinds.make_hosted(raw)
    found = EXCEPTIONS.get(name) or TYPES.get(name)
    _require(found is not None and (found.exception or found.type in _MUTABLE), "an object of no host")
    return _blank(found.type)  # type: ignore[union-attr]


def _blank(kind: type) -> Any:
    made_of: Any = hosted(kind)
    value = made_of.__new__(made_of)
    vars(value).update(program_class=None, attributes={})
    return value


def _fill_hosted(one: Any, parts: list[Any]) -> None:
    if parts[0] in library_kinds.LIBRARY:
        library_kinds.fill_hosted(one, parts)
        return
    name, held, cls, *rest = parts
    kind: Any = (EXCEPTIONS.get(name) or TYPES[name]).type
    _require(isinstance(cls, ProgramClass), "an object of no class")
    vars(one).update(program_class=cls, attributes=attributes(rest))
    if issubclass(kind, BaseException):
        _require(isinstance(held, tuple), "an exception without arguments")
        one.args = held
    else:
        _require(type(held) is tuple, "an object that holds something else")
        host: Any = kind
        host.clear(one)
        host.__init__(one, zip(held[::2], held[1::2], strict=True) if kind is dict else held)


def _load_fixed(parts: list[Any]) -> Any:
    name, held, cls, *rest = parts
    host = TYPES.get(name) if isinstance(name, str) else None
    _require(
        host is not None and host.type in _FIXED and type(held) is (tuple if host.type is frozenset else host.type),
        "an object of no host",
    )
    _require(isinstance(cls, ProgramClass), "an object of no class")
    kind: Any = host.type  # type: ignore[union-attr]
    value = kind.__new__(hosted(kind), held)
    vars(value).update(program_class=cls, attributes=attributes(rest))
    return value


def _dump_exception(error: PythonError) -> Parts:
    name = _host_name(error.kind)
    if not name:
        raise NotStorable(error.kind.__name__)
    return (name, error.detail, *error.args)


def _make_exception(raw: list[Any]) -> PythonError:
    found = EXCEPTIONS.get(raw[0])
    _require(found is not None, "an exception that does not exist")
    kind: Any = classes(found.type)  # type: ignore[union-attr]
    return kind.__new__(kind)  # type: ignore[no-any-return]


def _fill_exception(error: PythonError, parts: list[Any]) -> None:
    _require(isinstance(parts[1], str | None), "an exception without a text")
    error.detail, error.args = parts[1], tuple(parts[2:])


# -- containers -----------------------------------------------------------------------------------------------------
def _refill_set(target: set[Any], parts: list[Any]) -> None:
    target.clear()
    target.update(parts)


def _fill_deque(target: deque[Any], parts: list[Any]) -> None:
    target.clear()
    target.extend(parts[1:])


def _make_deque(raw: list[Any]) -> deque[Any]:
    _require(raw[0] is None or (isinstance(raw[0], int) and raw[0] >= 0), "a deque of no length")
    return deque(maxlen=raw[0])


DEFINED: Final = (
    SharedKind("function", Function, _dump_function, lambda raw: object.__new__(Function), _fill_function, 0),
    SharedKind("cell", Cell, _dump_cell, lambda raw: Cell(), _fill_cell, 0),
    SharedKind("class", ProgramClass, _dump_class, _make_class, _fill_class, 1),
    SharedKind("instance", Instance, _dump_instance, lambda raw: object.__new__(Instance), _fill_instance, 2),
    SharedKind("hosted", Held, _dump_hosted, _make_hosted, _fill_hosted),
    SharedKind("exception", PythonError, _dump_exception, _make_exception, _fill_exception),
    SharedKind("set", set, list, lambda raw: set(), _refill_set),
    SharedKind("deque", deque, lambda one: (one.maxlen, *one), _make_deque, _fill_deque),
)


# -- what stands by itself ------------------------------------------------------------------------------------------
def _type_names() -> dict[str, HostType]:
    found = {host.name: host for host in HOSTS.values()}
    for path, one in registry.functions():
        if isinstance(one, type):
            found[f"torch.{path}"] = host_type(one)
    return found


def _name_of(host: HostType) -> str | None:
    return next((name for name, one in _type_names().items() if one is host), None)


def _dump_type(host: HostType) -> Parts:
    name = _name_of(host)
    if name is None:
        raise NotStorable(host.name)
    return (name,)


def _load_type(parts: list[Any]) -> HostType:
    found = _type_names().get(parts[0]) if isinstance(parts[0], str) else None
    _require(found is not None, "a type that does not exist")
    return found  # type: ignore[return-value]


def _load_method(parts: list[Any]) -> BoundMethod:
    function, owner = parts
    _require(isinstance(function, Function | Native | Cached | Guarded), "a method that is none")
    return BoundMethod(function, owner)


def _load_property(parts: list[Any]) -> Property:
    *functions, doc, name = parts
    _require(len(functions) == 3 and isinstance(name, str), "a property that is none")
    fget, fset, fdel = functions
    found = Property(fget, fset, fdel, doc)
    found.name = name
    return found


def _around(kind: Any) -> Any:
    def load(parts: list[Any]) -> Any:
        (function,) = parts
        _require(callable(function), "a function that is none")
        return kind(function)

    return load


def _load_native(parts: list[Any]) -> Native:
    _require(parts[0] in NATIVES, "a method that does not exist")
    return NATIVES[parts[0]]


def _load_field(parts: list[Any]) -> Field:
    pairs = dict(zip(parts[::2], parts[1::2], strict=True))
    _require(set(pairs) == set(Field.__slots__), "a field that is none")
    _require(isinstance(pairs["name"], str) and isinstance(pairs["type"], str), "a field that is none")
    found = Field()
    for name in Field.__slots__:
        setattr(found, name, pairs[name])
    return found


def _load_form(parts: list[Any]) -> Form:
    if parts[0] == META.name:
        return META
    found = TYPING.get(parts[0])
    if isinstance(found, Form):
        return found
    _require(isinstance(parts[0], str), "a form that is none")
    return Form(parts[0])


def _load_partial(parts: list[Any]) -> Partial:
    func, args, keywords = parts
    _require(callable(func) and isinstance(args, tuple) and type(keywords) is tuple, "a function that is none")
    return Partial(func, *args, **attributes(list(keywords)))


def _load_guarded(parts: list[Any]) -> Guarded:
    function, context = parts
    _require(isinstance(function, Function | Cached | BoundMethod), "a function that is none")
    _require(hasattr(type(context), "__enter__"), "a context that is none")
    return Guarded(function, context)


def _load_kind(parts: list[Any]) -> Kind:
    _require(isinstance(parts[0], str) and parts[0] in NUMBERS, "a class of numbers that does not exist")
    found: Kind = NUMBERS[parts[0]]
    return found


def _load_cached(parts: list[Any]) -> Cached:
    function, maxsize = parts
    _require(callable(function), "a function that is none")
    return Cached(function, maxsize if isinstance(maxsize, int) else None)


def _load_dispatched(parts: list[Any], kind: type[Dispatched] = Dispatched) -> Dispatched:
    function, table = parts
    _require(callable(function) and type(table) is dict, "a function that is none")
    return kind(function, table)


def _dump_property(one: Property) -> Parts:
    return (one.fget, one.fset, one.fdel, one.doc, one.name)


DEFINED_INLINE: Final = (
    InlineKind("type", HostType, _dump_type, _load_type),
    InlineKind("method", BoundMethod, lambda one: (one.function, one.owner), _load_method),
    InlineKind("property", Property, _dump_property, _load_property),
    InlineKind("staticmethod", StaticMethod, lambda one: (one.function,), _around(StaticMethod)),
    InlineKind("classmethod", ClassMethod, lambda one: (one.function,), _around(ClassMethod)),
    InlineKind("native", Native, lambda one: (one.path,), _load_native),
    InlineKind("field", Field, lambda one: flat({n: getattr(one, n) for n in Field.__slots__}), _load_field),
    InlineKind("nothing", Nothing, lambda one: (), lambda parts: NOTHING),
    InlineKind("number_kind", Kind, lambda one: (one.name,), _load_kind),
    InlineKind("form", Form, lambda one: (one.name,), _load_form),
    InlineKind("partial", Partial, lambda one: (one.func, one.args, tuple(flat(one.keywords))), _load_partial),
    InlineKind("guarded", Guarded, lambda one: (one.function, one.context), _load_guarded),
    InlineKind("cached", Cached, lambda one: (one.function, one.maxsize), _load_cached),
    InlineKind("dispatched", Dispatched, lambda one: (one.function, one.table), _load_dispatched),
    InlineKind(
        "dispatched_method",
        DispatchedMethod,
        lambda one: (one.function, one.table),
        lambda parts: _load_dispatched(parts, DispatchedMethod),
    ),
    InlineKind("cached_property", CachedProperty, lambda one: (one.function,), _around(CachedProperty)),
    InlineKind("contextmanager", Making, lambda one: (one.function,), _around(Making)),
    InlineKind("frozenset", frozenset, tuple, frozenset),
    InlineKind("fixed", Fixed, _dump_hosted, _load_fixed),
    InlineKind("notimplemented", type(NotImplemented), lambda one: (), lambda parts: NotImplemented),
)
