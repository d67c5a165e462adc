"""``dataclasses``: methods of ours that find the fields in their class; no code is made of a program's names."""

from __future__ import annotations

from typing import Any, Final

from app.program.builtins import exception_type
from app.program.classes import MISSING, ProgramClass, changed
from app.program.costs import Cost, bounded, pay
from app.program.failures import PythonError, made, seen_as
from app.program.formatting import repr_of
from app.program.functions import UNBOUND
from app.program.instances import Special, method_of
from app.program.libraries.natives import Native
from app.program.libraries.signatures import arguments
from app.program.modules.copy import deepcopy
from app.program.operations import Routine, compare, type_name
from app.program.values import add_objects, attribute, set_plainly
from engine import modes

FIELDS: Final = "__dataclass_fields__"
PARAMS: Final = "__dataclass_params__"
_FREEZING: Final = ("__setattr__", "__delattr__")
_OPTIONS: Final = {
    "init": True, "repr": True, "eq": True, "order": False, "unsafe_hash": False, "frozen": False, "match_args": True,
    "kw_only": False, "slots": False, "weakref_slot": False,
}  # fmt: skip


class FrozenInstanceError(AttributeError):
    """An object of a frozen class was to be changed."""


@seen_as("_MISSING_TYPE")
class Nothing:
    """``dataclasses.MISSING``."""

    __slots__ = ()

    def __deepcopy__(self, memo: object) -> Nothing:
        return self

    def __repr__(self) -> str:
        return f"<dataclasses._MISSING_TYPE object at {id(self):#x}>"


NOTHING: Final = Nothing()
_SHOWN: Final = ("name", "type", "default", "default_factory", "init", "repr", "hash", "compare")


@seen_as("Field", "dataclasses")
class Field:
    """A field of a class, as ``field()`` describes it."""

    __slots__ = ("compare", "default", "default_factory", "hash", "init", "kw_only", "metadata", "name", "repr", "type")

    def __init__(
        self, *, default: Any = NOTHING, default_factory: Any = NOTHING, init: Any = True, repr: Any = True,
        hash: Any = None, compare: Any = True, metadata: Any = None, kw_only: Any = NOTHING,
    ) -> None:  # fmt: skip
        if default is not NOTHING and default_factory is not NOTHING:
            raise PythonError(ValueError, "cannot specify both default and default_factory")
        self.default, self.default_factory, self.init, self.repr = default, default_factory, init, repr
        self.hash, self.compare, self.metadata, self.kw_only = hash, compare, metadata or {}, kw_only
        self.name, self.type = "", ""

    def __repr__(self) -> str:
        shown = {name: repr_of(getattr(self, name)) for name in _SHOWN}
        shown["type"] = self.type if isinstance(self.type, str) else shown["type"]
        parts = ",".join(f"{name}={text}" for name, text in shown.items())
        return (
            f"Field({parts},metadata=mappingproxy({repr_of(self.metadata)}),kw_only={self.kw_only},_field_type=_FIELD)"
        )

    @property
    def has_default(self) -> bool:
        """Whether an argument may be missing."""
        return self.default is not NOTHING or self.default_factory is not NOTHING


def _field_attribute(value: Any, name: str) -> Any:
    return getattr(value, name) if name in Field.__slots__ else MISSING


add_objects(Field, _field_attribute)
add_objects(Nothing, lambda value, name: MISSING)


def fields_of(value: Any) -> list[Field]:
    """The fields of an object or a class."""
    cls = value.program_class if isinstance(value, Special) else value
    found: Any = cls.find(FIELDS) if isinstance(cls, ProgramClass) else MISSING
    if found is MISSING:
        raise PythonError(TypeError, "must be called with a dataclass type or instance")
    return [one for one in found.values() if not one.type.startswith(("ClassVar", "typing.ClassVar"))]


# -- methods ----------------------------------------------------------------------------------------------------------
def _init(self: Any, /, *args: Any, **kwargs: Any) -> None:
    fields = [one for one in fields_of(self) if one.init]
    plain = [one for one in fields if not one.kw_only]
    named = [one for one in fields if one.kw_only]
    names = [one.name for one in plain]
    defaults = tuple([one for one in plain if one.has_default])
    values = arguments(
        f"{self.program_class.name}.__init__", names, defaults, args, kwargs, len(names) - len(defaults), taken=1,
        keyword_only=[one.name for one in named],
        keyword_defaults={one.name: one for one in named if one.has_default},
    )  # fmt: skip
    given = dict(zip([*names, *(one.name for one in named)], values, strict=True))
    later = []
    for one in fields_of(self):
        value = given.get(one.name, one if one.has_default else UNBOUND)
        if value is one:
            value = one.default_factory() if one.default is NOTHING else one.default
        if one.type.startswith(("InitVar", "dataclasses.InitVar")):
            later.append(value)
        elif value is not UNBOUND:
            _put(self, one.name, value)
    after = method_of(self, "__post_init__")
    if after is not MISSING:
        after(*later)


def _put(self: Any, name: str, value: Any) -> None:
    set_plainly(self, name, value)


def _repr(self: Any, /) -> str:
    parts = [f"{one.name}={repr_of(attribute(self, one.name))}" for one in fields_of(self) if one.repr]
    return f"{self.program_class.qualname}({', '.join(parts)})"


def _values(self: Any) -> tuple[Any, ...]:
    return tuple([attribute(self, one.name) for one in fields_of(self) if one.compare])


def _eq(self: Any, other: Any, /) -> Any:
    if not isinstance(other, Special) or other.program_class is not self.program_class:
        return NotImplemented
    return compare("==", _values(self), _values(other))


def _ordered(symbol: str) -> Any:
    def method(self: Any, other: Any, /) -> Any:
        if not isinstance(other, Special) or other.program_class is not self.program_class:
            return NotImplemented
        return compare(symbol, _values(self), _values(other))

    return method


def _hash(self: Any, /) -> int:
    values = [attribute(self, one.name) for one in fields_of(self) if (one.compare if one.hash is None else one.hash)]
    bounded(values)
    try:
        return hash(tuple(values))
    except TypeError as error:
        raise PythonError(TypeError, str(error)) from None


def _refuse_set(self: Any, name: str, value: Any, /) -> None:
    raise made(FrozenInstanceError, f"cannot assign to field {name!r}")


def _refuse_delete(self: Any, name: str, /) -> None:
    raise made(FrozenInstanceError, f"cannot delete field {name!r}")


METHODS: Final = {
    name: Native(f"dataclass.{name}", function)
    for name, function in (
        ("__init__", _init), ("__repr__", _repr), ("__eq__", _eq), ("__lt__", _ordered("<")),
        ("__le__", _ordered("<=")), ("__gt__", _ordered(">")), ("__ge__", _ordered(">=")), ("__hash__", _hash),
        ("__setattr__", _refuse_set), ("__delattr__", _refuse_delete),
    )
}  # fmt: skip


# -- the decorator ----------------------------------------------------------------------------------------------------
def dataclass(cls: Any = None, /, **options: Any) -> Any:
    """``@dataclass``, with options or without."""
    for name in options:
        if name not in _OPTIONS:
            raise PythonError(TypeError, f"dataclass() got an unexpected keyword argument '{name}'")
    chosen = {**_OPTIONS, **options}
    if cls is None:
        return Routine("dataclass", lambda given: _defined(given, chosen))
    return _defined(cls, chosen)


def _defined(cls: Any, options: dict[str, Any]) -> Any:
    if not isinstance(cls, ProgramClass):
        raise PythonError(TypeError, "dataclass() should be used on a class")
    modes.touch(cls)
    fields: dict[str, Field] = {}
    for base in reversed(cls.mro[1:]):
        inherited = base.attributes.get(FIELDS) if isinstance(base, ProgramClass) else None
        fields.update(inherited or {})
        if inherited is not None and base.attributes[PARAMS]["frozen"] is not bool(options["frozen"]):
            what = ("frozen", "a non-frozen") if options["frozen"] else ("non-frozen", "a frozen")
            raise PythonError(TypeError, f"cannot inherit {what[0]} dataclass from {what[1]} one")
    own = _own_fields(cls, options)
    fields.update(own)
    pay(Cost(1 + len(fields)))
    _check_order(fields)
    cls.attributes[FIELDS], cls.attributes[PARAMS] = fields, options
    names = (
        ["__init__"] * bool(options["init"]) + ["__repr__"] * bool(options["repr"]) + ["__eq__"] * bool(options["eq"])
    )
    names += ["__lt__", "__le__", "__gt__", "__ge__"] * bool(options["order"])
    names += [*_FREEZING] * bool(options["frozen"])
    has_own_hash = "__hash__" in cls.attributes
    for name in names:
        if name in ("__init__", "__repr__", "__eq__") and name in cls.attributes:
            continue
        if name in cls.attributes:
            hint = ". Consider using functools.total_ordering" if name not in _FREEZING else ""
            raise PythonError(TypeError, f"Cannot overwrite attribute {name} in class {cls.name}{hint}")
        cls.attributes[name] = METHODS[name]
    if options["unsafe_hash"] or (options["eq"] and options["frozen"] and not has_own_hash):
        cls.attributes["__hash__"] = METHODS["__hash__"]
    elif options["eq"] and not has_own_hash:
        cls.attributes["__hash__"] = None
    if options["match_args"]:
        cls.attributes.setdefault(
            "__match_args__", tuple(one.name for one in fields.values() if one.init and not one.kw_only)
        )
    if cls.doc is None:
        cls.doc = f"{cls.name}()"
    changed()
    return cls


def _own_fields(cls: ProgramClass, options: dict[str, Any]) -> dict[str, Field]:
    found: dict[str, Field] = {}
    keyword_only = bool(options["kw_only"])
    for name, text in cls.attributes.get("__annotations__", {}).items():
        if text.rpartition(".")[2] == "KW_ONLY":
            keyword_only = True
            continue
        value = cls.attributes.get(name, NOTHING)
        one = value if isinstance(value, Field) else Field(default=value)
        if isinstance(one.default, (list, dict, set)):
            raise PythonError(
                ValueError,
                f"mutable default <class '{type_name(one.default)}'> for field {name} is not allowed: "
                "use default_factory",
            )
        one.name, one.type = name, text
        if one.kw_only is NOTHING:
            one.kw_only = keyword_only
        if isinstance(value, Field):
            if one.default is NOTHING:
                del cls.attributes[name]
            else:
                cls.attributes[name] = one.default
        found[name] = one
    return found


def _check_order(fields: dict[str, Field]) -> None:
    has_default = False
    for one in fields.values():
        if not one.init or one.kw_only or one.type.startswith("ClassVar"):
            continue
        if has_default and not one.has_default:
            raise PythonError(TypeError, f"non-default argument {one.name!r} follows default argument")
        has_default = has_default or one.has_default


# -- functions --------------------------------------------------------------------------------------------------------
def _asdict(value: Any, *, dict_factory: Any = None) -> Any:
    if not isinstance(value, Special):
        raise PythonError(TypeError, "asdict() should be called on dataclass instances")
    fields_of(value)
    return _taken_apart(value, lambda pairs: dict(pairs) if dict_factory is None else dict_factory(pairs))


def _taken_apart(value: Any, make: Any) -> Any:
    pay(Cost(1))
    if isinstance(value, Special) and value.program_class.find(FIELDS) is not MISSING:
        return make([(one.name, _taken_apart(attribute(value, one.name), make)) for one in fields_of(value)])
    if type(value) in (list, tuple):
        return type(value)([_taken_apart(one, make) for one in value])
    if type(value) is dict:
        return {_taken_apart(key, make): _taken_apart(one, make) for key, one in value.items()}
    return deepcopy(value)


def _astuple(value: Any, *, tuple_factory: Any = None) -> Any:
    if not isinstance(value, Special):
        raise PythonError(TypeError, "astuple() should be called on dataclass instances")
    return _taken_apart(value, lambda pairs: tuple([one for _, one in pairs]))


def _replace(value: Any, /, **changes: Any) -> Any:
    for one in fields_of(value):
        if not one.init:
            if one.name in changes:
                raise PythonError(
                    ValueError, f"field {one.name} is declared with init=False, it cannot be specified with replace()"
                )
        elif one.name not in changes:
            changes[one.name] = attribute(value, one.name)
    return value.program_class(**changes)


def _is_dataclass(value: Any, /) -> bool:
    cls = value.program_class if isinstance(value, Special) else value
    return isinstance(cls, ProgramClass) and cls.find(FIELDS) is not MISSING


DATACLASSES: Final[dict[str, Any]] = {
    "FrozenInstanceError": exception_type(FrozenInstanceError), "MISSING": NOTHING,
    "asdict": Routine("asdict", _asdict),
    "astuple": Routine("astuple", _astuple), "dataclass": Routine("dataclass", dataclass),
    "field": Routine("field", lambda **options: Field(**options)),
    "fields": Routine("fields", lambda value: tuple(fields_of(value))),
    "is_dataclass": Routine("is_dataclass", _is_dataclass), "replace": Routine("replace", _replace),
}  # fmt: skip
