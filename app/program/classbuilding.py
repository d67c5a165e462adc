"""How a ``class`` statement makes a class of its bases and namespace."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Final

from app.program.builtins import HOSTS
from app.program.classes import (
    MISSING,
    ClassMethod,
    HostType,
    ProgramClass,
    StaticMethod,
    bound,
    changed,
    descriptor,
)
from app.program.failures import PythonError, python
from app.program.functions import UNBOUND, Cell, Function
from app.program.hosted import host_of
from app.program.hosts import TYPE
from app.program.instances import Special
from app.program.operations import type_name
from app.program.tree import GraphError

Derive = Callable[[ProgramClass, dict[str, Any]], Any]
DERIVED: Final[dict[Any, Derive]] = {}
"""What else happens to classes that derive from one of ours (``Enum``, ``NamedTuple``); a class may be replaced."""
NAMESPACES: Final[dict[Any, Callable[[tuple[Any, ...]], dict[str, Any]]]] = {}
"""What the body of a class fills that derives from one of ours, where that is no plain dict."""
FACTORIES: Final[dict[Any, type[ProgramClass]]] = {}  # what classes are that derive from one of ours
METACLASSES: Final[list[Any]] = []  # those that a program may name, which mean nothing beyond their base
_IMPLIED: Final[dict[str, Callable[[Any], Any]]] = {
    "__new__": StaticMethod, "__init_subclass__": ClassMethod, "__class_getitem__": ClassMethod,
}  # fmt: skip
"""What these methods are without a decorator that says so."""


def namespace_of(bases: Sequence[Any]) -> dict[str, Any]:
    """What the body of a class with these bases fills."""
    known = next((one for base in bases for one in getattr(base, "mro", ()) if one in NAMESPACES), None)
    return {} if known is None else NAMESPACES[known](tuple([one for one in bases if hasattr(one, "mro")]))


def make_class(
    name: str, qualname: str, bases: tuple[Any, ...], namespace: dict[str, Any], keywords: dict[str, Any],
    doc: str | None, cell: Cell | None = None,
) -> Any:  # fmt: skip
    """The class of a ``class`` statement. Raises ``TypeError`` for what is no base."""
    forms = [base for base in bases if hasattr(base, "program_bases")]
    bases = tuple([one for base in bases for one in _bases_of(base)])
    for key, value in [pair for form in forms for pair in form.namespace.items()]:
        if all(base.find(key) in (MISSING, None) for base in bases):
            namespace.setdefault(key, value)
    keywords = dict(keywords)
    metaclass = keywords.pop("metaclass", None)
    if metaclass is not None and metaclass not in METACLASSES and metaclass is not TYPE:
        raise GraphError("metaclasses are outside the language of this service: write a class decorator")
    _prepare(namespace)
    kind = next((FACTORIES[one] for base in bases for one in base.mro if one in FACTORIES), ProgramClass)
    cls = kind(name, qualname, bases or (HOSTS[object],), namespace)
    cls.doc = doc if doc is not None else namespace.pop("__doc__", None)
    makers = (base.create for base in cls.mro[1:] if isinstance(base, ProgramClass) and base not in DERIVED)
    cls.create = next((one for one in makers if one is not None), None)
    cls.host = host_of(cls)
    if metaclass is not None and metaclass in METACLASSES:
        namespace["__abstract__"] = True
    changed()
    if cell is not None and cell.value is UNBOUND:
        cell.value = cls
    _tell_names(cls, namespace)
    special = next((DERIVED[base] for base in cls.mro[1:] if base in DERIVED), None)
    result = cls if special is None else special(cls, keywords)
    _tell_base(cls, keywords if special is None else {})
    return result


def _prepare(namespace: dict[str, Any]) -> None:
    """Make those functions static, or of the class, that are so without being told."""
    for method, wrapper in _IMPLIED.items():
        if isinstance(namespace.get(method), Function):
            namespace[method] = wrapper(namespace[method])


def _tell_names(cls: ProgramClass, namespace: dict[str, Any]) -> None:
    """Tell descriptors the names under which they stand."""
    for key, value in list(namespace.items()):
        if isinstance(value, Special):
            note = descriptor(value, "__set_name__")
            if note is not MISSING:
                python(note, value, cls, key)
        elif hasattr(type(value), "program_named"):
            value.program_named(cls, key)


def _tell_base(cls: ProgramClass, keywords: dict[str, Any]) -> None:
    """Tell the class below that another one derives from it."""
    start = cls.after(cls, "__init_subclass__")
    if isinstance(start, ClassMethod):
        bound(start, None, cls)(**keywords)
    elif keywords:
        raise PythonError(TypeError, f"{cls.name}.__init_subclass__() takes no keyword arguments")


def _bases_of(base: Any) -> tuple[Any, ...]:
    """The classes that a base stands for: ``Generic[T]`` is none."""
    if isinstance(base, (ProgramClass, HostType)):
        if base is TYPE:
            raise GraphError("metaclasses are outside the language of this service: write a class decorator")
        return (base,)
    given = getattr(base, "program_bases", None)
    if given is None:
        raise PythonError(TypeError, f"'{type_name(base)}' object is not a class that another one may derive from")
    return tuple(given())
