"""Classes of programs: plain objects, never types of Python, so that no type is ever made from a program's names.

A ``ProgramClass`` has a namespace and an order of bases; its last ones are ``HostType``s, the types that are there.
What a name means in a class is found along that order, and bound to an object as Python's descriptors would be.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any, Final

import numpy as np

from app.program.costs import Cost, pay
from app.program.failures import PythonError, python, seen_as
from app.program.functions import BoundMethod, Callable_

MISSING: Final = object()
MAKE: Final[list[Callable[..., Any]]] = []  # how objects are made of classes: see ``app.program.instances``

CHANGES: Final = [0]  # of all classes together: what was found in one may be another thing when any of them changed


@seen_as("type")
class HostType(Callable_):
    """A type that is there (``int``, ``ValueError``, ``torch.Tensor``) as a value of programs: one for each."""

    __slots__ = ("call", "engine", "members", "mro", "name", "quick", "type")
    binds = False

    def __init__(
        self, kind: type, name: str, call: Callable[..., Any], members: Callable[[HostType, str], Any], *,
        engine: bool = False, mro: tuple[HostType, ...] = (),
    ) -> None:  # fmt: skip
        self.type, self.name, self.call, self.members, self.engine = kind, name, call, members, engine
        self.mro = (self, *mro)
        self.quick: Callable[[Any, Any], Any] | None = None  # see ``app.program.compiling.quick``

    @property
    def exception(self) -> bool:
        """Whether it is a class of exceptions."""
        return issubclass(self.type, BaseException)

    @property
    def dtype(self) -> np.dtype[Any]:
        """The dtype that it is among NumPy's, which so compares equal to it."""
        if issubclass(self.type, (np.generic, bool, int, float, complex)):
            return np.dtype(self.type)
        raise AttributeError(self.name)

    def own(self, name: str) -> Any:
        """What the type itself has under ``name``, as a ``HostMember``, or ``MISSING``."""
        return self.members(self, name)

    def find(self, name: str) -> Any:
        """What ``name`` means in the type, or ``MISSING``."""
        for one in self.mro:
            found = one.own(name)
            if found is not MISSING:
                return found
        return MISSING

    def enter(self, run: Any, args: Any, kwargs: Any = None) -> Any:
        return python(self.call, *args, **(kwargs or {}))

    def __call__(self, /, *args: Any, **kwargs: Any) -> Any:
        return python(self.call, *args, **kwargs)

    def __repr__(self) -> str:
        return f"<class '{self.name}'>"

    def __or__(self, other: Any) -> Any:
        return Union_((self, other)) if is_type(other) else NotImplemented

    def __ror__(self, other: Any) -> Any:
        return Union_((other, self)) if is_type(other) else NotImplemented


class HostMember:
    """An attribute of a type: ``read`` gives it for a value of the type, ``function`` takes that as its argument.

    ``of_class`` gives it for a class of a program's, where it is a method of classes.
    """

    __slots__ = ("function", "name", "of_class", "read")

    def __init__(self, name: str, read: Callable[[Any], Any], function: Any = None, of_class: Any = None) -> None:
        self.name, self.read, self.function, self.of_class = name, read, function, of_class


@seen_as("type")
class ProgramClass(Callable_):
    """A class that a program defines."""

    __slots__ = (
        "__weakref__", "_found", "_version", "attributes", "bases", "create", "doc", "host", "making", "module", "mro",
        "name", "qualname",
    )  # fmt: skip
    binds = False

    def __init__(self, name: str, qualname: str, bases: tuple[Any, ...], attributes: dict[str, Any]) -> None:
        self.name, self.qualname, self.module = name, qualname, "__main__"
        self.bases, self.attributes = bases, attributes
        self.doc: str | None = None
        self.mro = linearized(self, bases)
        self.host: type | None = None  # the type of its instances, unless it is ``Instance``
        self.create: Callable[..., Any] | None = None  # what a call means, unless it is to make an instance
        self.forget()

    def forget(self) -> None:
        """Know nothing of what names mean in it."""
        self.making: tuple[int, Any] = (-1, None)  # its ``__init__``, where a call means no more, and since when
        self._found: dict[str, Any] = {}
        self._version = -1

    def memento(self) -> Callable[[], None]:
        """A function that brings this moment back."""
        attributes, doc = dict(self.attributes), self.doc

        def restore() -> None:
            self.attributes, self.doc = attributes, doc
            changed()

        return restore

    def find(self, name: str) -> Any:
        """What ``name`` means in the class, or ``MISSING``."""
        if self._version != CHANGES[0]:
            self._found, self._version = {}, CHANGES[0]
        found = self._found.get(name, self)
        if found is self:
            found = self._found[name] = self.after(None, name)
        return found

    def after(self, start: Any, name: str) -> Any:
        """What ``name`` means in the classes after ``start``, or in all of them."""
        mro = self.mro if start is None else self.mro[self.mro.index(start) + 1 :]
        for one in mro:
            found = one.attributes.get(name, MISSING) if isinstance(one, ProgramClass) else one.own(name)
            if found is not MISSING:
                return found
        return MISSING

    def method(self, name: str) -> Any:
        """What a program's class has under ``name``, or ``MISSING``: what types have does not count."""
        found = self.find(name)
        return MISSING if isinstance(found, HostMember) else found

    def has_room(self, name: str) -> bool:
        """Whether objects may have an attribute of that name: ``__slots__`` in all classes list those that they may."""
        for one in self.mro:
            if isinstance(one, ProgramClass):
                listed = one.attributes.get("__slots__", MISSING)
                if listed is MISSING or name == listed:
                    return True
                if type(listed) is not str and (name in tuple(listed) or "__dict__" in tuple(listed)):
                    return True
        return self.host is not None

    def enter(self, run: Any, args: Any, kwargs: Any = None) -> Any:
        return MAKE[0](self, run, args, kwargs or {})

    def __repr__(self) -> str:
        return f"<class '{self.module}.{self.qualname}'>"

    def __or__(self, other: Any) -> Any:
        return Union_((self, other)) if is_type(other) else NotImplemented

    def __ror__(self, other: Any) -> Any:
        return Union_((other, self)) if is_type(other) else NotImplemented


def is_type(value: Any) -> bool:
    """Whether ``|`` takes a value beside a class: those are ``None`` and what this language has for types."""
    return value is None or (type(value).__module__.startswith("app.program.") and not hasattr(value, "is_instance"))


def changed() -> None:
    """Forget what was found in classes: one of them changed."""
    CHANGES[0] += 1


@seen_as("types.UnionType")
class Union_:
    """``int | None``, of which programs ask nothing but ``isinstance``."""

    __slots__ = ("kinds",)

    def __init__(self, kinds: tuple[Any, ...]) -> None:
        self.kinds: tuple[Any, ...] = tuple(
            part for one in kinds for part in (one.kinds if isinstance(one, Union_) else (one,))
        )

    def __or__(self, other: Any) -> Any:
        return Union_((self, other)) if is_type(other) else NotImplemented

    def __ror__(self, other: Any) -> Any:
        return Union_((other, self)) if is_type(other) else NotImplemented

    def __repr__(self) -> str:
        return " | ".join(getattr(one, "name", str(one)) for one in self.kinds)


def linearized(cls: ProgramClass, bases: tuple[Any, ...]) -> tuple[Any, ...]:
    """The order of a class and all its bases, as Python finds it (C3)."""
    lists = [list(base.mro) for base in bases] + [list(bases)]
    found: list[Any] = [cls]
    while lists := [one for one in lists if one]:
        pay(Cost(sum(map(len, lists))))
        for one in lists:
            head = one[0]
            if not any(head in other[1:] for other in lists):
                break
        else:
            names = ", ".join(base.name.rpartition(".")[2] for base in bases)
            raise PythonError(TypeError, f"Cannot create a consistent method resolution\norder (MRO) for bases {names}")
        found.append(head)
        lists = [[part for part in one if part is not head] for one in lists]
    return tuple(found)


def is_subclass(cls: Any, kind: Any) -> bool:
    """Whether a class is below another one, both as programs see them."""
    if isinstance(kind, HostType):
        if isinstance(cls, HostType):
            return issubclass(cls.type, kind.type)
        return kind.type is object or any(
            isinstance(one, HostType) and issubclass(one.type, kind.type) for one in cls.mro
        )
    return isinstance(cls, ProgramClass) and any(one is kind for one in cls.mro)


# -- descriptors ----------------------------------------------------------------------------------------------------
@seen_as("staticmethod")
class StaticMethod(Callable_):
    """``@staticmethod``."""

    __slots__ = ("function",)

    def __init__(self, function: Any) -> None:
        self.function = function

    def enter(self, run: Any, args: Any, kwargs: Any = None) -> Any:
        return self.function(*args, **(kwargs or {}))

    def __repr__(self) -> str:
        return f"<staticmethod({self.function!r})>"


@seen_as("classmethod")
class ClassMethod:
    """``@classmethod``."""

    __slots__ = ("function",)

    def __init__(self, function: Any) -> None:
        self.function = function

    def __repr__(self) -> str:
        return f"<classmethod({self.function!r})>"


@seen_as("property")
class Property:
    """``@property`` with what sets and deletes it."""

    __slots__ = ("doc", "fdel", "fget", "fset", "name")

    def __init__(self, fget: Any = None, fset: Any = None, fdel: Any = None, doc: Any = None) -> None:
        self.fget, self.fset, self.fdel = fget, fset, fdel
        self.doc = doc if doc is not None else getattr(fget, "doc", None)
        self.name = getattr(fget, "name", "")

    def program_named(self, cls: Any, name: str) -> None:
        """Learn the name under which it stands."""
        self.name = name

    def getter(self, fget: Any, /) -> Property:
        """The same with another getter."""
        return Property(fget, self.fset, self.fdel, self.doc)

    def setter(self, fset: Any, /) -> Property:
        """The same with another setter."""
        return Property(self.fget, fset, self.fdel, self.doc)

    def deleter(self, fdel: Any, /) -> Property:
        """The same with another deleter."""
        return Property(self.fget, self.fset, fdel, self.doc)


@seen_as("super")
class Super:
    """``super()``: what the classes after ``start`` have, for ``owner``, an object of ``cls`` or ``cls`` itself."""

    __slots__ = ("cls", "owner", "start")

    def __init__(self, start: Any, owner: Any, cls: Any) -> None:
        self.start, self.owner, self.cls = start, owner, cls

    def __repr__(self) -> str:
        of = "NULL" if self.cls is None else f"<{self.cls.name} object>"
        return f"<super: <class '{self.start.name}'>, {of}>"


def bound(found: Any, owner: Any, cls: Any) -> Any:
    """``found``, which a class has, as an attribute of ``owner``, an object of ``cls``; if ``None``, of the class."""
    kind = type(found)
    if isinstance(found, Callable_) and found.binds and kind is not StaticMethod:
        return found if owner is None else BoundMethod(found, owner)
    if kind is Property:
        if owner is None:
            return found
        if found.fget is None:
            raise PythonError(AttributeError, f"property '{found.name}' of '{cls.name}' object has no getter")
        return found.fget(owner)
    if kind is StaticMethod:
        return found.function
    if kind is ClassMethod:
        return BoundMethod(found.function, cls)
    if kind is HostMember:
        if found.of_class is not None and isinstance(cls, ProgramClass):
            return found.of_class(cls)
        return found.function if owner is None else found.read(owner)
    if hasattr(kind, "program_get"):
        return found.program_get(owner, cls)
    getter = descriptor(found, "__get__")
    return found if getter is MISSING else getter(found, owner, cls)


def descriptor(value: Any, name: str) -> Any:
    """The method by which an object of a program's class is a descriptor, or ``MISSING``."""
    cls = getattr(type(value), "is_instance", False) and value.program_class
    return cls.method(name) if cls else MISSING


def names_of(classes: Iterable[Any]) -> str:
    """Names of classes in a row."""
    return ", ".join(one.name for one in classes)
