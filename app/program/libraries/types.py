"""``types``: what programs take from it, a class of objects that have whatever attributes they are given."""

from __future__ import annotations

from typing import Any, Final

from app.program.builtins import HOSTS
from app.program.classes import ProgramClass
from app.program.costs import bounded
from app.program.failures import PythonError
from app.program.formatting import repr_of
from app.program.instances import Special
from app.program.libraries.natives import Native
from app.program.operations import compare
from app.program.values import set_attribute


def _init(self: Any, /, *args: Any, **named: Any) -> None:
    if args:
        raise PythonError(TypeError, "no positional arguments expected")
    for name, value in named.items():
        set_attribute(self, name, value)


def _repr(self: Any, /) -> str:
    cls = self.program_class
    name = "namespace" if cls is SIMPLE_NAMESPACE else cls.name
    return f"{name}({', '.join(f'{key}={repr_of(value)}' for key, value in bounded(self.attributes).items())})"


def _eq(self: Any, other: Any, /) -> Any:
    if not isinstance(other, Special) or SIMPLE_NAMESPACE not in other.program_class.mro:
        return NotImplemented
    return compare("==", self.attributes, other.attributes)


SIMPLE_NAMESPACE: Final = ProgramClass("SimpleNamespace", "SimpleNamespace", (HOSTS[object],), {
    "__init__": Native("types.SimpleNamespace.__init__", _init),
    "__repr__": Native("types.SimpleNamespace.__repr__", _repr),
    "__eq__": Native("types.SimpleNamespace.__eq__", _eq), "__hash__": None,
})  # fmt: skip
SIMPLE_NAMESPACE.module = "types"
TYPES_MODULE: Final[dict[str, Any]] = {"SimpleNamespace": SIMPLE_NAMESPACE}
