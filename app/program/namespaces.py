"""``vars(value)`` of objects of programs: their attributes as a dict that writes through."""

from __future__ import annotations

from typing import Any, Final

from app.program.builtins import HOSTS, METHODS, Routine
from app.program.costs import bounded, copied, pay
from app.program.failures import PythonError, python
from app.program.functions import DEEP_COPY
from app.program.instances import Instance
from app.program.operations import KNOWN, SUBSCRIPTS, type_name
from app.program.tree import GraphError, is_member, quoted
from app.program.values import OF_ANY, delete_attribute, set_attribute


class Attributes(dict[str, Any]):
    """The attributes that an object has now; what is set or deleted here is set or deleted there."""

    __slots__ = ("owner",)

    def __init__(self, owner: Any) -> None:
        pay(copied(len(owner.attributes)))
        super().__init__(owner.attributes)
        self.owner = owner

    def __deepcopy__(self, memo: Any) -> Any:
        return DEEP_COPY[0](dict(self), memo)

    def put(self, name: Any, value: Any) -> None:
        """Set one."""
        if not isinstance(name, str) or not is_member(name):
            raise PythonError(AttributeError, f"{quoted(str(name))} is not an attribute that programs may use")
        set_attribute(self.owner, name, value)
        super().__setitem__(name, value)

    def drop(self, name: Any) -> None:
        """Delete one."""
        if bounded(name) not in self:
            raise PythonError(KeyError, name)
        delete_attribute(self.owner, name)
        super().__delitem__(name)


def _update(found: Attributes, other: Any = (), /, **named: Any) -> None:
    for name, value in {**(dict(other) if isinstance(other, dict) else python(dict, other)), **named}.items():
        found.put(name, value)


def _pop(found: Attributes, name: Any, *default: Any) -> Any:
    if name not in found and default:
        return default[0]
    value = python(dict.__getitem__, found, name)
    found.drop(name)
    return value


def _set_default(found: Attributes, name: Any, default: Any = None) -> Any:
    if name not in found:
        found.put(name, default)
    return found[name]


def _clear(found: Attributes) -> None:
    for name in list(found):
        found.drop(name)


_CHANGES: Final[dict[str, Any]] = {"clear": _clear, "pop": _pop, "setdefault": _set_default, "update": _update}


def _method(name: str) -> Any:
    call = _CHANGES[name]
    return lambda found: Routine(name, lambda *args, **kwargs: call(found, *args, **kwargs), owner=found)


KNOWN.add(Attributes)
METHODS[Attributes] = {name: METHODS[dict][name] for name in ("copy", "get", "items", "keys", "values")}
METHODS[Attributes].update({name: _method(name) for name in _CHANGES})
SUBSCRIPTS[Attributes] = (
    lambda found, name: python(dict.__getitem__, found, name), Attributes.put, Attributes.drop,
)  # fmt: skip
HOSTS[Attributes] = HOSTS[dict]


def _vars(*values: Any) -> Attributes:
    if not values:
        raise GraphError("vars() without an object is outside the language of this service")
    if len(values) > 1 or type(values[0]) is not Instance:
        raise PythonError(TypeError, "vars() argument must have __dict__ attribute")
    return Attributes(values[0])


def _dict(value: Any) -> Attributes:
    if type(value) is not Instance:
        raise GraphError(f"'__dict__' of an object of {type_name(value)} is not an attribute that programs may use")
    return Attributes(value)


OF_ANY["__dict__"] = _dict  # read in a program's text, nowhere else: see ``tree.is_member``
VARS: Final = Routine("vars", _vars)
