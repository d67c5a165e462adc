"""How objects of the engine's library (modules, optimisers, schedules, data sets) stand in a session's records.

Each is its attributes under the name of its class; an object of a program's class that derives from such a one has its
class and attributes besides. The library takes whatever attributes it finds, as it takes those that programs assign;
of those that it relies on a class says in ``_state`` what they are.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Mapping
from typing import Any, Final

from app.program.classes import ProgramClass
from app.program.hosted import hosted
from app.program.instances import Held
from app.program.tree import NAME_LENGTH, is_member
from app.sessions.value_kinds import InlineKind, Malformed, Parts, SharedKind
from engine import registry

LIBRARY: Final = dict(registry.kinds())
NAMES: Final = {kind: name for name, kind in LIBRARY.items()}
_OF_PROGRAM: Final = ("program_class", "attributes")
OF_OURS: Final = frozenset({
    "__annotations__", "__abstract__", "__dataclass_fields__", "__dataclass_params__", "__isabstractmethod__",
    "__kinds__", "__wrapped__",
})  # fmt: skip


def flat(mapping: Mapping[Any, object]) -> list[object]:
    """Names and values in turn."""
    return [part for item in mapping.items() for part in item]


def is_name(name: Any) -> bool:
    """Whether this may be the name of something."""
    return isinstance(name, str) and len(name) <= 4 * NAME_LENGTH


def _is_attribute(name: Any) -> bool:
    return is_name(name) and (is_member(name) or name in OF_OURS)


def attributes(parts: list[Any]) -> dict[str, Any]:
    """Names and values that are attributes."""
    if len(parts) % 2 or not all(map(_is_attribute, parts[::2])):
        raise Malformed("an attribute with an impossible name")
    return dict(zip(parts[::2], parts[1::2], strict=True))


def _attributes(kind: type, parts: list[Any]) -> dict[str, Any]:
    """The attributes of an object of the library, checked as far as the library does not do so itself."""
    names, values = parts[::2], parts[1::2]
    is_sound = len(names) == len(values) and all(is_name(name) and not name.startswith("__") for name in names)
    if not is_sound or set(_OF_PROGRAM) & set(names):
        raise Malformed("an attribute with an impossible name")
    found = dict(zip(names, values, strict=True))
    for name, expected in getattr(kind, "_state", {}).items():
        if name in found and not isinstance(found[name], expected):
            raise Malformed("an object with an attribute that it cannot have")
    return found


# -- objects of the library -----------------------------------------------------------------------------------------
def _kind(name: str, kind: Any) -> SharedKind:
    if issubclass(kind, dict):
        return SharedKind(name, kind, flat, lambda raw: kind(), _refill)

    def fill(one: Any, parts: list[Any]) -> None:
        found = _attributes(kind, parts[1:])
        if any(callable(getattr(kind, name, None)) for name in found):
            raise Malformed("an object with a method of its own")
        if type(one) is not kind:
            one.__class__ = kind  # a lazy module became another since
        vars(one).clear()
        vars(one).update(found)

    return SharedKind(name, kind, lambda one: (name, *flat(vars(one))), lambda raw: object.__new__(kind), fill)


def _refill(target: dict[Any, Any], parts: list[Any]) -> None:
    target.clear()
    target.update(zip(parts[::2], parts[1::2], strict=True))


def _row(name: str, kind: Any) -> InlineKind:
    """A sort of tuple with names, whose class says in ``_parts`` what its parts are."""

    def load(parts: list[Any]) -> Any:
        if len(parts) != len(kind._parts) or not all(map(isinstance, parts, kind._parts)):
            raise Malformed("a row with a part that it cannot have")
        return kind(*parts)

    return InlineKind(name, kind, tuple, load)


ROWS: Final = tuple(_row(name, kind) for name, kind in LIBRARY.items() if issubclass(kind, tuple))
KINDS: Final = (
    *(_kind(name, kind) for name, kind in LIBRARY.items() if not issubclass(kind, tuple)),
    SharedKind("ordereddict", OrderedDict, flat, lambda raw: OrderedDict(), _refill),
)


# -- objects of programs' classes -----------------------------------------------------------------------------------
def is_of_library(one: Any) -> bool:
    """Whether an object of a program's class is one of the library besides."""
    return isinstance(one, Held) and one.program_class.host in NAMES


def dump_hosted(one: Any) -> Parts:
    """The name of the host, the class, the program's attributes, and those of the library."""
    own = {name: value for name, value in vars(one).items() if name not in _OF_PROGRAM}
    return (NAMES[one.program_class.host], one.program_class, tuple(flat(one.attributes)), *flat(own))


def make_hosted(raw: list[Any]) -> Any:
    """An empty object, to be filled."""
    if raw[0] not in LIBRARY:
        raise Malformed("an object of no host")
    kind = hosted(LIBRARY[raw[0]])
    one: Any = object.__new__(kind)
    vars(one).update(program_class=None, attributes={})
    return one


def fill_hosted(one: Any, parts: list[Any]) -> None:
    """Give an object its class and attributes."""
    name, cls, own, *rest = parts
    if not isinstance(cls, ProgramClass) or type(own) is not tuple:
        raise Malformed("an object of no class")
    found = _attributes(LIBRARY[name], rest)
    vars(one).clear()
    vars(one).update(found, program_class=cls, attributes=attributes(list(own)))
