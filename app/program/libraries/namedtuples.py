"""``namedtuple`` and ``NamedTuple``: classes of tuples whose items have names."""

from __future__ import annotations

from typing import Any, Final

from app.program.builtins import HOSTS
from app.program.classbuilding import DERIVED
from app.program.classes import ClassMethod, ProgramClass, Property, changed
from app.program.costs import bounded
from app.program.failures import PythonError, python
from app.program.formatting import repr_of
from app.program.hosted import new
from app.program.libraries.natives import Native
from app.program.libraries.signatures import arguments
from app.program.operations import Routine, held, iterate

FIELDS: Final = "_fields"
DEFAULTS: Final = "_field_defaults"


def _made(cls: ProgramClass, values: Any) -> Any:
    return new(cls, tuple, (tuple(values),), {})


def create(cls: ProgramClass, /, *args: Any, **kwargs: Any) -> Any:
    names, defaults = cls.find(FIELDS), cls.find(DEFAULTS)
    count = len(names) - len(defaults)
    values = arguments(f"{cls.name}.__new__", names, tuple(defaults.values()), args, kwargs, count, taken=1)
    return _made(cls, values)


def _replace(self: Any, /, **kwargs: Any) -> Any:
    names = self.program_class.find(FIELDS)
    unknown = [name for name in kwargs if name not in names]
    if unknown:
        raise PythonError(ValueError, f"Got unexpected field names: {unknown!r}")
    return _made(
        self.program_class, [kwargs.get(name, value) for name, value in zip(names, tuple.__iter__(self), strict=True)]
    )


def _asdict(self: Any, /) -> dict[str, Any]:
    return dict(zip(self.program_class.find(FIELDS), tuple.__iter__(self), strict=True))


def _repr(self: Any, /) -> str:
    pairs = zip(self.program_class.find(FIELDS), tuple.__iter__(self), strict=True)
    return f"{self.program_class.name}({', '.join(f'{name}={repr_of(value)}' for name, value in pairs)})"


def _make(cls: ProgramClass, iterable: Any, /) -> Any:
    values = list(bounded(held(iterate(iterable))))
    names = cls.find(FIELDS)
    if len(values) != len(names):
        raise PythonError(TypeError, f"Expected {len(names)} arguments, got {len(values)}")
    return _made(cls, values)


METHODS: Final[dict[str, Any]] = {
    "_replace": Native("namedtuple._replace", _replace), "_asdict": Native("namedtuple._asdict", _asdict),
    "__repr__": Native("namedtuple.__repr__", _repr), "_make": ClassMethod(Native("namedtuple._make", _make)),
}  # fmt: skip
_ITEMS: Final = [
    Native(f"namedtuple.item{place}", lambda self, place=place: tuple.__getitem__(self, place)) for place in range(256)
]


def define(cls: ProgramClass, names: tuple[str, ...], defaults: dict[str, Any]) -> None:
    """Make ``cls`` a class of tuples."""
    if len(names) > len(_ITEMS):
        raise PythonError(ValueError, f"at most {len(_ITEMS)} fields are available here")
    cls.host, cls.create = tuple, create
    fields = {name: Property(item) for name, item in zip(names, _ITEMS, strict=False)}
    for name, one in fields.items():
        one.name = name
    cls.attributes = {**METHODS, **cls.attributes, **fields, FIELDS: names, DEFAULTS: defaults, "__match_args__": names}
    changed()


def namedtuple(
    typename: Any, field_names: Any, *, rename: Any = False, defaults: Any = None, module: Any = None
) -> ProgramClass:
    """A class of tuples with these names."""
    if isinstance(field_names, str):
        field_names = field_names.replace(",", " ").split()
    names = tuple(str(name) for name in bounded(held(iterate(field_names))))
    for name in (typename, *names):
        if not isinstance(name, str) or not name.isidentifier():
            raise PythonError(ValueError, f"Type names and field names must be valid identifiers: {name!r}")
    for name in names:
        if name.startswith("_"):
            raise PythonError(ValueError, f"Field names cannot start with an underscore: {name!r}")
    if len(set(names)) != len(names):
        twice = next(name for place, name in enumerate(names) if name in names[:place])
        raise PythonError(ValueError, f"Encountered duplicate field name: {twice!r}")
    given = list(held(iterate(defaults))) if defaults is not None else []
    if len(given) > len(names):
        raise PythonError(TypeError, "Got more default values than field names")
    cls = ProgramClass(str(typename), str(typename), (HOSTS[tuple], HOSTS[object]), {})
    cls.doc = f"{typename}({', '.join(names)})"
    define(cls, names, dict(zip(names[len(names) - len(given) :], given, strict=True)))
    return cls


NAMED_TUPLE: Final = ProgramClass("NamedTuple", "NamedTuple", (HOSTS[tuple], HOSTS[object]), {})
NAMED_TUPLE.module = "typing"


def _derive(cls: ProgramClass, keywords: dict[str, Any]) -> ProgramClass:
    if cls.bases[0] is NAMED_TUPLE:
        annotations = cls.attributes.pop("__annotations__", {})
        defaults = {name: cls.attributes.pop(name) for name in annotations if name in cls.attributes}
        define(cls, tuple(annotations), defaults)
    return cls


DERIVED[NAMED_TUPLE] = _derive
NAMEDTUPLE: Final = Routine("namedtuple", lambda *args, **kwargs: python(namedtuple, *args, **kwargs))
