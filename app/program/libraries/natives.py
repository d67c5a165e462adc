"""Functions of ours that are methods of programs' classes, or wrap programs' functions. Sessions know their names."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Final

from app.program.classes import MISSING, HostType, ProgramClass
from app.program.failures import PythonError, python, seen_as
from app.program.functions import Callable_
from app.program.instances import Special
from app.program.values import add_objects, find_attribute

PLAIN: Final[set[str]] = set()  # those that are no methods
NATIVES: Final[dict[str, Native]] = {}


@seen_as("function")
class Native(Callable_):
    """A method of ours: it means the same in every class, and finds there what it needs."""

    __slots__ = ("function", "name", "path", "qualname")

    def __init__(self, path: str, function: Callable[..., Any]) -> None:
        self.path, self.name, self.function = path, path.rpartition(".")[2], function
        self.qualname = ".".join(path.split(".")[-2:])
        NATIVES[path] = self

    def enter(self, run: Any, args: Sequence[Any], kwargs: dict[str, Any] | None = None) -> Any:
        if self.path not in PLAIN and not (args and isinstance(args[0], (Special, ProgramClass, HostType))):
            raise PythonError(TypeError, f"{self.name}() is a method of objects of a program's classes")
        return python(self.function, *args, **(kwargs or {}))

    def __repr__(self) -> str:
        return f"<function {self.name} at {id(self):#x}>"


def _native_attribute(value: Any, name: str) -> Any:
    return value.name if name in ("__name__", "__qualname__") else None if name == "__doc__" else MISSING


@seen_as("function")
class Wrapper(Callable_):
    """A function of a program with something around it."""

    __slots__ = ("__weakref__", "function")

    def __init__(self, function: Any) -> None:
        self.function = function

    @property
    def attributes(self) -> Any:
        """Those of the function."""
        return getattr(self.function, "attributes", {})

    @property
    def name(self) -> Any:
        """That of the function."""
        return getattr(self.function, "name", "function")

    @property
    def qualname(self) -> Any:
        """That of the function."""
        return getattr(self.function, "qualname", self.name)

    @property
    def doc(self) -> Any:
        """That of the function."""
        return getattr(self.function, "doc", None)

    def program_attribute(self, name: str) -> Any:
        """An attribute for programs."""
        return self.function if name == "__wrapped__" else find_attribute(self.function, name)

    def __repr__(self) -> str:
        return repr(self.function)


def own(value: Any, name: str) -> Any:
    """An attribute of an object that says itself what it has."""
    return value.program_attribute(name)


add_objects(Native, _native_attribute)
