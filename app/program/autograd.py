"""``autograd.Function`` over programs' classes, and where a program stands when anomaly detection asks."""

from __future__ import annotations

import sys
from typing import Any, Final

from app.program.classes import MISSING, ClassMethod, HostMember, HostType, ProgramClass, bound
from app.program.functions import Function, bind
from app.program.hosts import host_type, set_members
from app.program.libraries.natives import Native
from engine import custom, hooks, registry

CUSTOM: Final[Any] = registry.function("autograd.Function")


class Definition(custom.Definition):
    """What the engine is told of a program's class that derives from ``autograd.Function``."""

    __slots__ = ("cls",)

    def __init__(self, cls: ProgramClass) -> None:
        self.cls = cls

    @property
    def name(self) -> str:
        return self.cls.name

    def has(self, method: str) -> bool:
        found = self.cls.find(method)
        return found is not MISSING and not isinstance(found, HostMember)

    def call(self, method: str, *args: Any) -> Any:
        found = self.cls.find(method)
        return hooks.called(bound(found, None, self.cls), *args)

    def bind(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> tuple[Any, ...]:
        forward = bound(self.cls.find("forward"), None, self.cls)
        if not isinstance(forward, Function):
            return args
        has_setup = self.has("setup_context")
        given = bind(forward, args if has_setup else (None, *args), kwargs)
        parameters = forward.compiled.code.parameters
        count = len(parameters.positional_only) + len(parameters.plain)
        rest = given[count + len(parameters.keyword_only)] if parameters.rest is not None else ()
        return (*given[0 if has_setup else 1 : count], *rest)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Definition) and self.cls is other.cls

    def __hash__(self) -> int:
        return hash(self.cls)


def _apply(cls: Any, /, *args: Any, **kwargs: Any) -> Any:
    if isinstance(cls, HostType):
        kind: Any = cls.type
        return kind.apply(*args, **kwargs)
    return custom.apply(Definition(cls), args, kwargs)


APPLY: Final = ClassMethod(Native("autograd.Function.apply", _apply))


def _members(host: HostType, name: str, otherwise: Any) -> Any:
    return APPLY if name == "apply" else otherwise(host, name)


set_members(host_type(CUSTOM), _members)


def trace() -> list[str]:
    """Where the program stands, as Python's traceback tells it: found in the frames of its closures."""
    lines: list[str] = []
    frame: Any = sys._getframe(1)
    place: Any = None
    while frame is not None:
        code = frame.f_code
        if place is None and "place" in code.co_freevars and _is_of_closures(frame):
            place = frame.f_locals.get("place")
        elif place is not None and code is Function.enter.__code__:
            lines.append(_line(place, frame.f_locals["self"].name))
            place = None
        frame = frame.f_back
    if place is not None:
        lines.append(_line(place, "<module>"))
    return lines[::-1]


def _is_of_closures(frame: Any) -> bool:
    return str(frame.f_globals.get("__name__")).startswith("app.program.compiling")


def _line(place: Any, name: str) -> str:
    return f'  File "<program>", line {place.line}, in {name}\n'
