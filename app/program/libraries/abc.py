"""``abc``: classes that leave methods open."""

from __future__ import annotations

from typing import Any, Final

from app.program.builtins import HOSTS
from app.program.classbuilding import METACLASSES
from app.program.classes import ClassMethod, ProgramClass, Property, StaticMethod
from app.program.functions import Function
from app.program.libraries.typing import Form
from app.program.operations import Routine
from engine import modes


def _abstract(value: Any) -> Any:
    inner = value
    while isinstance(inner, (StaticMethod, ClassMethod, Property)):
        inner = inner.fget if isinstance(inner, Property) else inner.function
    if isinstance(inner, Function):
        modes.touch(inner)
        inner.attributes["__isabstractmethod__"] = True
    return value


ABC_CLASS: Final = ProgramClass("ABC", "ABC", (HOSTS[object],), {"__abstract__": True})
ABC_CLASS.module = "abc"
META: Final = Form("ABCMeta")
METACLASSES.append(META)


def _abstract_property(fget: Any) -> Property:
    return Property(_abstract(fget))


ABC: Final[dict[str, object]] = {
    "ABC": ABC_CLASS, "ABCMeta": META, "abstractmethod": Routine("abstractmethod", _abstract),
    "abstractproperty": Routine("abstractproperty", _abstract_property),
}  # fmt: skip
