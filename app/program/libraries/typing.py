"""``typing`` and ``__future__``: names for annotations, which mean nothing when a program runs."""

from __future__ import annotations

from typing import Any, Final

from app.program.classes import MISSING
from app.program.failures import PythonError
from app.program.operations import Routine
from app.program.values import add_objects

_PLAIN: Final = (
    "Annotated", "AnyStr", "Awaitable", "Callable", "ClassVar", "Collection", "Concatenate", "Container", "Coroutine",
    "Counter", "DefaultDict", "Deque", "Dict", "Final", "FrozenSet", "Generator", "Hashable", "Iterable", "Iterator",
    "List", "Literal", "Mapping", "MutableMapping", "MutableSequence", "Never", "NoReturn", "Optional", "OrderedDict",
    "ParamSpec_", "Required", "Reversible", "Self", "Sequence", "Set", "Sized", "SupportsFloat", "SupportsIndex",
    "SupportsInt", "Text", "Tuple", "Type", "TypeAlias", "TypeGuard", "Union", "Unpack", "Any", "AbstractSet",
    "NotRequired", "LiteralString",
)  # fmt: skip


class Form:
    """A name of ``typing``: it may be subscripted, and united with others."""

    __slots__ = ("bases", "name")

    def __init__(self, name: str, bases: tuple[Any, ...] | None = None) -> None:
        self.name, self.bases = name, bases

    def program_item(self, index: Any) -> Form:
        """``List[int]``."""
        return self

    def program_bases(self) -> tuple[Any, ...]:
        """What a class that derives from it derives from."""
        if self.bases is None:
            raise PythonError(TypeError, f"Cannot subclass typing.{self.name}")
        return self.bases

    def program_check(self, value: Any) -> bool:
        """``isinstance(value, Callable)``."""
        checks = {"Callable": callable, "Iterable": lambda one: hasattr(type(one), "__iter__"), "Hashable": _hashes}
        kinds = {
            "List": list,
            "Dict": dict,
            "Tuple": tuple,
            "Set": set,
            "Sequence": (list, tuple, str),
            "Mapping": dict,
        }
        if self.name in kinds:
            return isinstance(value, kinds[self.name])  # type: ignore[arg-type]
        if self.name not in checks:
            raise PythonError(TypeError, f"typing.{self.name} cannot be used with isinstance()")
        return bool(checks[self.name](value))

    def __or__(self, other: Any) -> Form:
        return self

    __ror__ = __or__

    def __deepcopy__(self, memo: object) -> Form:
        return self

    def __repr__(self) -> str:
        return f"typing.{self.name}"


def _hashes(value: Any) -> bool:
    return getattr(type(value), "__hash__", None) is not None


def _variable(name: Any, *_: Any, **__: Any) -> Form:
    return Form(str(name))


def _same(value: Any = None, *_: Any, **__: Any) -> Any:
    return value


def _second(kind: Any, value: Any) -> Any:
    return value


add_objects(Form, lambda value, name: value.name if name == "__name__" else MISSING)
GENERIC: Final = Form("Generic", ())
TYPING: Final[dict[str, Any]] = {name.rstrip("_"): Form(name.rstrip("_")) for name in _PLAIN} | {
    "Generic": GENERIC, "Protocol": Form("Protocol", ()), "TypedDict": Form("TypedDict"), "TYPE_CHECKING": False,
    "TypeVar": Routine("TypeVar", _variable), "ParamSpec": Routine("ParamSpec", _variable),
    "NewType": Routine("NewType", lambda name, kind: kind), "cast": Routine("cast", _second),
    "overload": Routine("overload", _same), "final": Routine("final", _same),
    "runtime_checkable": Routine("runtime_checkable", _same),
    "get_type_hints": Routine("get_type_hints", lambda *_: {}),
    "no_type_check": Routine("no_type_check", _same),
}  # fmt: skip
_FEATURES: Final = (
    "absolute_import", "annotations", "division", "generator_stop", "print_function", "unicode_literals",
    "with_statement",
)  # fmt: skip
FUTURE: Final[dict[str, Any]] = {name: Form(name) for name in _FEATURES}
