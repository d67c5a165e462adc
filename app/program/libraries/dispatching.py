"""``functools.singledispatch``: functions chosen by the class of their first argument."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from app.program import runtime
from app.program.builtins import EXCEPTIONS, FUNCTIONS
from app.program.calls import call
from app.program.classes import MISSING, HostType, ProgramClass, Union_
from app.program.failures import PythonError, seen_as
from app.program.formatting import repr_of
from app.program.functions import Function
from app.program.hosts import class_of
from app.program.libraries.natives import Wrapper, own
from app.program.operations import Routine
from app.program.values import add_objects, attribute
from engine import modes


@seen_as("function")
class Dispatched(Wrapper):
    """A function with others that are called in its place, by the class of the first argument."""

    __slots__ = ("table",)
    place = 0  # of the argument whose class is asked

    def __init__(self, function: Any, table: dict[Any, Any] | None = None) -> None:
        super().__init__(function)
        self.table: dict[Any, Any] = {} if table is None else table

    def enter(self, run: Any, args: Sequence[Any], kwargs: dict[str, Any] | None = None) -> Any:
        if len(args) <= self.place:
            raise PythonError(TypeError, f"{self.name} requires at least 1 positional argument")
        return call(run, self.chosen(class_of(args[self.place])), args, kwargs)

    def chosen(self, cls: Any) -> Any:
        """The function for a class: that of the first one in its order which has one."""
        if not isinstance(cls, (HostType, ProgramClass)):
            raise PythonError(TypeError, f"{repr_of(cls)} is not a class")
        return next((self.table[one] for one in cls.mro if one in self.table), self.function)

    def register(self, cls: Any, function: Any = None) -> Any:
        """Let ``function`` be called for a class; without it, a decorator, or what its annotation says."""
        if isinstance(cls, Function) and function is None:
            cls, function = _annotated(cls), cls
        kinds = cls.kinds if isinstance(cls, Union_) else (cls,)
        if not all(isinstance(one, (HostType, ProgramClass)) for one in kinds):
            raise PythonError(
                TypeError, f"Invalid first argument to `register()`. {repr_of(cls)} is not a class or union type."
            )
        if function is None:
            return Routine("register", lambda function: self.register(cls, function))
        modes.touch(self.table)
        self.table.update(dict.fromkeys(kinds, function))
        return function

    def program_attribute(self, name: str) -> Any:
        if name == "registry":
            return {FUNCTIONS["object"]: self.function, **self.table}
        methods = {"register": self.register, "dispatch": self.chosen}
        return Routine(name, methods[name], owner=self) if name in methods else super().program_attribute(name)


@seen_as("singledispatchmethod")
class DispatchedMethod(Dispatched):
    """The same as a method: the first argument is the one after the object."""

    __slots__ = ()
    place = 1


def _annotated(function: Function) -> Any:
    """The class that the first parameter is annotated with."""
    text = function.compiled.code.hint
    if text is None:
        raise PythonError(
            TypeError,
            f"Invalid first argument to `register()`: {function!r}. Use either `@register(some_class)` or plain "
            "`@register` on an annotated function.",
        )
    found = [_named(part.strip()) for part in text.strip("'\"").split("|")]
    return found[0] if len(found) == 1 else Union_(tuple(found))


def _named(path: str) -> Any:
    first, *rest = path.split(".")
    value = runtime.current().namespace.get(first, FUNCTIONS.get(first, EXCEPTIONS.get(first, MISSING)))
    if value is MISSING:
        raise PythonError(NameError, f"name {first!r} is not defined")
    for name in rest:
        value = attribute(value, name)
    return value


add_objects(Dispatched, own)
add_objects(DispatchedMethod, own)
