"""``typing`` and ``__future__``: names for annotations, which mean little when a program runs."""

from __future__ import annotations

import numbers
from collections import deque
from collections.abc import Callable, Collection
from functools import partial
from typing import Any, Final

from app.program.classes import MISSING
from app.program.failures import PythonError
from app.program.instances import Special
from app.program.libraries import abstract
from app.program.libraries.natives import Native
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

    __slots__ = ("bases", "name", "namespace")

    def __init__(self, name: str, bases: tuple[Any, ...] | None = None) -> None:
        self.name, self.bases = name, bases
        self.namespace: dict[str, Any] = {}  # what a class has that derives from it

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
        if isinstance(value, Special) and self.name in abstract.NAMESPACES:
            return abstract.is_kind(value, self.name)
        kinds = {
            "List": list,
            "Dict": dict,
            "Tuple": tuple,
            "Set": set,
            "Sequence": (list, tuple, str, range, deque),
            "Mapping": dict,
            "MutableMapping": dict,
            "MutableSequence": (list, deque),
        }
        if self.name in kinds:
            return isinstance(value, kinds[self.name])  # type: ignore[arg-type]
        if self.name not in _CHECKS:
            raise PythonError(TypeError, f"typing.{self.name} cannot be used with isinstance()")
        return _CHECKS[self.name](value)

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


_CHECKS: Final[dict[str, Callable[[Any], bool]]] = {
    "Callable": callable, "Collection": lambda one: isinstance(one, Collection),
    "Container": lambda one: hasattr(type(one), "__contains__"), "Hashable": _hashes,
    "Iterable": lambda one: hasattr(type(one), "__iter__"), "Iterator": lambda one: hasattr(type(one), "__next__"),
    "Sized": lambda one: hasattr(type(one), "__len__"),
}  # fmt: skip
NUMBERS: Final[dict[str, Any]] = {}


class Kind(Form):
    """A class of ``numbers``, of which Python's and NumPy's are."""

    __slots__ = ()

    def __repr__(self) -> str:
        return f"<class 'numbers.{self.name}'>"


for _kind in (numbers.Complex, numbers.Integral, numbers.Number, numbers.Rational, numbers.Real):
    NUMBERS[_kind.__name__] = Kind(_kind.__name__)
    _CHECKS[_kind.__name__] = partial(lambda kind, one: isinstance(one, kind), _kind)
    add_objects(Kind, lambda value, name: value.name if name == "__name__" else MISSING)
add_objects(Form, lambda value, name: value.name if name == "__name__" else MISSING)
GENERIC: Final = Form("Generic", ())
_SUBSCRIPTED: Final = {"__class_getitem__": Native("typing.Generic.__class_getitem__", lambda cls, item: cls)}
TYPING: Final[dict[str, Any]] = {name.rstrip("_"): Form(name.rstrip("_")) for name in _PLAIN} | {
    "Generic": GENERIC, "Protocol": Form("Protocol", ()), "TypedDict": Form("TypedDict"), "TYPE_CHECKING": False,
    "TypeVar": Routine("TypeVar", _variable), "ParamSpec": Routine("ParamSpec", _variable),
    "NewType": Routine("NewType", lambda name, kind: kind), "cast": Routine("cast", _second),
    "overload": Routine("overload", _same), "final": Routine("final", _same),
    "runtime_checkable": Routine("runtime_checkable", _same),
    "get_type_hints": Routine("get_type_hints", lambda *_: {}),
    "no_type_check": Routine("no_type_check", _same),
}  # fmt: skip
for _name in ("Generic", "Protocol"):
    TYPING[_name].namespace = _SUBSCRIPTED
for _name, _namespace in abstract.NAMESPACES.items():
    TYPING[_name].bases, TYPING[_name].namespace = (), _SUBSCRIPTED | _namespace
_FEATURES: Final = (
    "absolute_import", "annotations", "division", "generator_stop", "print_function", "unicode_literals",
    "with_statement",
)  # fmt: skip
FUTURE: Final[dict[str, Any]] = {name: Form(name) for name in _FEATURES}
