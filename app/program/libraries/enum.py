"""``enum``: classes whose attributes are their only objects."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, Final

from app.program.builtins import HOSTS
from app.program.classbuilding import DERIVED, FACTORIES, NAMESPACES, make_class
from app.program.classes import (
    MISSING,
    ClassMethod,
    HostMember,
    HostType,
    ProgramClass,
    Property,
    StaticMethod,
    bound,
    changed,
)
from app.program.failures import PythonError, python, seen_as
from app.program.formatting import repr_of
from app.program.functions import Callable_
from app.program.hosted import new
from app.program.instances import Instance, Special
from app.program.libraries.natives import Native
from app.program.operations import Routine, held, type_name
from app.program.tree import is_member
from app.program.values import add_objects, class_attribute


@seen_as("auto")
class Auto:
    """``auto()``: the value that comes after the last ones, unless one is given."""

    __slots__ = ("value",)

    def __init__(self, value: Any = MISSING) -> None:
        self.value = value


@seen_as("EnumType")
class EnumClass(ProgramClass):
    """A class with members: by name and in order; to call it is to look a member up by its value."""

    __slots__ = ("members",)

    def __init__(self, name: str, qualname: str, bases: tuple[Any, ...], attributes: dict[str, Any]) -> None:
        super().__init__(name, qualname, bases, attributes)
        self.members: dict[str, Any] = {}

    def __iter__(self) -> Iterator[Any]:
        return iter([one for name, one in self.members.items() if one.attributes["_name_"] == name])

    def next_value(self, values: list[Any]) -> Any:
        """What ``auto()`` is after members of these values."""
        return next((one for one in reversed(values) if isinstance(one, int)), 0) + 1

    def value_at(self, start: Any, place: int) -> Any:
        """The value of a member that is given by its name alone, as one in a row."""
        return start + place

    def made_up(self, value: Any) -> Any:
        """A member that has no name of its own, or ``MISSING``."""
        return MISSING

    def __len__(self) -> int:
        return len(list(iter(self)))

    def __bool__(self) -> bool:
        return True

    def __contains__(self, value: object) -> bool:
        if not isinstance(value, Special):
            raise PythonError(
                TypeError, f"unsupported operand type(s) for 'in': '{type_name(value)}' and '{self.name}'"
            )
        return any(value is one for one in self.members.values())

    def program_item(self, name: Any) -> Any:
        """``Color["RED"]``."""
        if not isinstance(name, str) or name not in self.members:
            raise PythonError(KeyError, repr_of(name))
        return self.members[name]

    def __repr__(self) -> str:
        return f"<enum {self.name!r}>"


def look_up(cls: Any, /, value: Any = MISSING, names: Any = None, *rest: Any, **options: Any) -> Any:
    """The member of a value; of a class without any, and with names, a class that has these."""
    known = options.keys() & {"module", "qualname", "type", "start", "boundary"}
    wrong = (
        f"got an unexpected keyword argument '{next(iter(options.keys() - known))}'" if options.keys() - known
        else "missing 1 required positional argument: 'value'" if value is MISSING
        else f"takes from 2 to 3 positional arguments but {3 + len(rest)} were given" if rest
        else ""
    )  # fmt: skip
    if wrong:
        raise PythonError(TypeError, f"EnumType.__call__() {wrong}")
    if names is not None:
        return _with_names(cls, value, names, **options)
    if not cls.members:
        raise PythonError(TypeError, f"{cls!r} has no members defined")
    for one in cls.members.values():
        if one is value or python(bool, one.attributes["_value_"] == value):
            return one
    found = cls.made_up(value)
    if found is not MISSING:
        return found
    asked = cls.method("_missing_")
    found = None if asked is MISSING else bound(asked, None, cls)(value)
    if found is None:
        raise PythonError(ValueError, f"{repr_of(value)} is not a valid {cls.qualname}")
    if not isinstance(found, Special) or found.program_class is not cls:
        raise PythonError(
            TypeError,
            f"error in {cls.name}._missing_: returned {repr_of(found)} instead of None or a valid member",
        )
    return found


def _with_names(cls: Any, title: Any, names: Any, start: Any = 1, **_: Any) -> Any:
    """``Enum("Color", "RED GREEN")``."""
    if cls.members:
        raise PythonError(TypeError, f"<enum {repr_of(title)}> cannot extend {cls!r}")
    if not isinstance(title, str) or not title.isidentifier():
        raise PythonError(TypeError, f"the name of a class is an identifier, not {repr_of(title)}")
    listed = names.replace(",", " ").split() if isinstance(names, str) else list(held(names))
    pairs = list(names.items()) if isinstance(names, dict) else [
        (one, cls.value_at(start, place)) if isinstance(one, str) else tuple(held(one))
        for place, one in enumerate(listed)
    ]  # fmt: skip
    for pair in pairs:
        if len(pair) != 2 or not isinstance(pair[0], str) or not is_member(pair[0]):
            raise PythonError(TypeError, f"{repr_of(pair)} is no name of a member beside its value")
    return make_class(title, title, (cls,), dict(pairs), {}, None)


def _is_member(name: str, value: Any) -> bool:
    if name.startswith("_"):
        return False
    return not isinstance(value, (Callable_, Property, ClassMethod, StaticMethod)) or isinstance(value, HostType)


def derive(cls: Any, keywords: dict[str, Any]) -> Any:
    """Make members of what stands in the namespace of a new class."""
    namespace = cls.attributes
    enumeration = next(one for one in cls.mro[1:] if isinstance(one, EnumClass))
    cls.create = enumeration.create
    for text in ("__repr__", "__str__", "__format__"):
        if isinstance(cls.find(text), HostMember):  # that of the type beside it, which a member does not show
            namespace[text] = enumeration.find(text)
    for name in [name for name, value in namespace.items() if _is_member(name, value)]:
        namespace[name] = cls.members[name] = _member(cls, name, namespace[name])
    changed()
    return cls


class Members(dict[str, Any]):
    """The namespace of a class with members while its body runs: ``auto()`` has its value at once."""

    def __init__(self, bases: Sequence[Any]) -> None:
        super().__init__()
        self._bases = [one for base in bases for one in base.mro]
        self._values: list[Any] = []

    def __setitem__(self, name: str, value: Any) -> None:
        if _is_member(name, value):
            value = self._valued(name, value)
            self._values.append(value)
        super().__setitem__(name, value)

    def _valued(self, name: str, value: Any) -> Any:
        if isinstance(value, tuple) and any(isinstance(one, Auto) for one in value):
            values = tuple([self._valued(name, one) for one in value])
            self._values += values
            return values
        if not isinstance(value, Auto):
            return value
        if value.value is not MISSING:
            return value.value
        own = next((one for one in map(self._way, (self, *self._bases)) if one is not None), None)
        if own is not None:
            function = own.function if isinstance(own, StaticMethod) else own
            return function(name, 1, len(self._values), list(self._values))
        if any(isinstance(one, HostType) and one.type is str for one in self._bases):
            return name.lower()
        kind: Any = next(one for one in self._bases if isinstance(one, EnumClass))
        return kind.next_value(self._values)

    @staticmethod
    def _way(space: Any) -> Any:
        """What gives the next value there, if anything does."""
        names = space.attributes if isinstance(space, ProgramClass) else space if isinstance(space, dict) else {}
        return names.get("_generate_next_value_")


def _member(cls: Any, name: str, value: Any) -> Any:
    for one in cls.members.values():
        known = one.attributes["_value_"]
        if type(known) is type(value) and python(bool, known == value):
            return one
    given = value if isinstance(value, tuple) else (value,)
    member = Instance(cls) if cls.host is None else new(cls, cls.host, given, {})
    member.attributes.update(_name_=name, _value_=value)
    initialise = cls.method("__init__")
    if initialise is not MISSING:
        bound(initialise, member, cls)(*given)
    return member


def _repr(self: Any, /) -> str:
    return f"<{self.program_class.name}.{self.attributes['_name_']}: {repr_of(self.attributes['_value_'])}>"


def _str(self: Any, /) -> str:
    return f"{self.program_class.name}.{self.attributes['_name_']}"


def _hash(self: Any, /) -> int:
    return hash(self.attributes.get("_name_"))


def _same(self: Any, other: Any, /) -> Any:
    return True if self is other else NotImplemented


NAME: Final = Property(Native("enum.name", lambda self: self.attributes.get("_name_")))
VALUE: Final = Property(Native("enum.value", lambda self: self.attributes.get("_value_")))
NAME.name, VALUE.name = "name", "value"
ENUM: Final = EnumClass("Enum", "Enum", (HOSTS[object],), {
    "name": NAME, "value": VALUE, "__repr__": Native("enum.__repr__", _repr), "__str__": Native("enum.__str__", _str),
    "__hash__": Native("enum.__hash__", _hash), "__eq__": Native("enum.__eq__", _same),
    "__format__": Native("enum.__format__", lambda self, spec: format(str(self), spec)),
    "__copy__": Native("enum.__copy__", lambda self: self),
    "__deepcopy__": Native("enum.__deepcopy__", lambda self, memo: self),
})  # fmt: skip


def _unique(cls: Any) -> Any:
    if not isinstance(cls, EnumClass):
        raise PythonError(TypeError, "unique() takes a class of members")
    found = {name: one.attributes["_name_"] for name, one in cls.members.items()}
    doubled = ", ".join(f"{name} -> {first}" for name, first in found.items() if name != first)
    if doubled:
        raise PythonError(ValueError, f"duplicate values found in {cls!r}: {doubled}")
    return cls


def _plain(kind: Any, name: str) -> EnumClass:
    plain = {
        "__repr__": Native(f"enum.{name}.__repr__", _repr),
        "__str__": Native(
            f"enum.{name}.__str__", lambda self: kind.__str__(self) if kind is str else kind.__repr__(self)
        ),
        "__eq__": Native(f"enum.{name}.__eq__", lambda self, other: kind.__eq__(self, other)),
        "__hash__": Native(f"enum.{name}.__hash__", lambda self: kind.__hash__(self)),
        "__format__": Native(f"enum.{name}.__format__", lambda self, spec: kind.__format__(self, spec)),
    }
    cls = EnumClass(name, name, (HOSTS[kind], ENUM), plain)
    cls.host = kind
    return cls


INT_ENUM: Final = _plain(int, "IntEnum")
STR_ENUM: Final = _plain(str, "StrEnum")
for _one in (ENUM, INT_ENUM, STR_ENUM):
    _one.module, _one.create = "enum", look_up
    DERIVED[_one] = derive
    FACTORIES[_one], NAMESPACES[_one] = EnumClass, Members


def class_attribute_of(value: EnumClass, name: str) -> Any:
    """An attribute of a class of members."""
    if name == "__members__":
        return dict(value.members)
    return class_attribute(value, name)


add_objects(EnumClass, class_attribute_of)
add_objects(Auto, lambda value, name: value.value if name == "value" else MISSING)
ENUM_MODULE: Final[dict[str, Any]] = {
    "Enum": ENUM, "IntEnum": INT_ENUM, "StrEnum": STR_ENUM, "auto": Routine("auto", Auto),
    "unique": Routine("unique", _unique),
}  # fmt: skip
