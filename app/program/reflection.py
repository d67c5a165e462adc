"""The built-in functions that ask about values and classes: by the same tables as an attribute in the program."""

from __future__ import annotations

from typing import Any, Final

from app.program.builtins import HOSTS, Routine
from app.program.classes import MISSING, ClassMethod, HostType, ProgramClass, Property, StaticMethod, Super, is_subclass
from app.program.failures import PythonError
from app.program.hosts import TYPE, class_of, is_below, is_of
from app.program.instances import Special
from app.program.namespaces import VARS
from app.program.operations import type_name
from app.program.tree import is_member, quoted
from app.program.values import attribute, delete_attribute, set_attribute

_NOTHING: Final = object()


def _checked(name: Any, what: str) -> str:
    if not isinstance(name, str):
        raise PythonError(TypeError, f"{what}(): attribute name must be string")
    if not is_member(name):
        raise PythonError(AttributeError, f"{quoted(name)} is not an attribute that programs may use")
    return name


def _getattr(value: Any, name: Any, default: Any = _NOTHING, /) -> Any:
    try:
        return attribute(value, _checked(name, "getattr"))
    except AttributeError:
        if default is _NOTHING:
            raise
        return default


def _hasattr(value: Any, name: Any, /) -> bool:
    try:
        attribute(value, _checked(name, "hasattr"))
    except AttributeError:
        return False
    return True


def _setattr(value: Any, name: Any, new: Any, /) -> None:
    set_attribute(value, _checked(name, "setattr"), new)


def _delattr(value: Any, name: Any, /) -> None:
    delete_attribute(value, _checked(name, "delattr"))


def _super(cls: Any, owner: Any = MISSING, /) -> Super:
    if not isinstance(cls, (ProgramClass, HostType)):
        raise PythonError(TypeError, f"super() argument 1 must be a type, not {type_name(cls)}")
    if owner is MISSING:
        return Super(cls, None, None)
    of = owner.program_class if isinstance(owner, Special) else owner
    if not isinstance(of, ProgramClass) or not is_subclass(of, cls):
        raise PythonError(TypeError, "super(type, obj): obj must be an instance or subtype of type")
    return Super(cls, owner, of)


def _type(kind: type, name: str) -> HostType:
    """The type of a descriptor, which a call makes."""
    found = HOSTS[kind] = HostType(kind, name, kind, lambda host, member: MISSING, mro=(HOSTS[object],))
    return found


REFLECTION: Final[dict[str, object]] = {
    "classmethod": _type(ClassMethod, "classmethod"), "delattr": Routine("delattr", _delattr),
    "getattr": Routine("getattr", _getattr), "hasattr": Routine("hasattr", _hasattr),
    "isinstance": Routine("isinstance", lambda value, kinds, /: is_of(value, kinds)),
    "issubclass": Routine("issubclass", lambda cls, kinds, /: is_below(cls, kinds)),
    "property": _type(Property, "property"), "setattr": Routine("setattr", _setattr),
    "staticmethod": _type(StaticMethod, "staticmethod"), "super": Routine("super", _super), "type": TYPE,
    "vars": VARS,
}  # fmt: skip
__all__ = ["REFLECTION", "class_of"]
