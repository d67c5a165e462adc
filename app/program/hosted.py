"""Objects of programs' classes that derive from a type that is there: exceptions, layers, datasets, lists.

Such an object is a real one of that type, so that Python and the engine take it for what it is. Its type is made here,
of ``Special`` and the host: each public method of the host is one that asks the program's class first. No name in it is
a program's.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache, partial
from typing import Any, Final

from app.program.builtins import TYPES
from app.program.classes import MISSING, ClassMethod, HostMember, ProgramClass, bound
from app.program.failures import INNER, PythonError, classes, made, python
from app.program.functions import DEEP_COPY
from app.program.hosts import MODULE, is_public, open_class
from app.program.instances import HOSTED, Fixed, Held, Special, method_of
from engine import modes

BUILTIN: Final = (list, dict, set, tuple, str, int, float, frozenset)
_IMMUTABLE: Final = (tuple, str, int, float, frozenset)
_MUTABLE: Final = (list, dict, set)


def host_of(cls: ProgramClass) -> type | None:
    """The type that objects of a class have to be of; ``None`` if any will do. Raises ``TypeError`` for others."""
    found: type | None = None
    for one in cls.mro:
        if isinstance(one, ProgramClass) or one.type is object:
            continue
        if found is None:
            _check(one.name, one.type)
            found = one.type
        elif not issubclass(found, one.type):
            if not issubclass(one.type, found):
                raise PythonError(TypeError, "multiple bases have instance lay-out conflict")
            found = one.type
    return found


def _check(name: str, kind: type) -> None:
    if not (issubclass(kind, BaseException) or kind in BUILTIN or open_class(kind)) or kind is bool:
        raise PythonError(TypeError, f"type '{name}' is not an acceptable base type")


@cache
def hosted(host: type) -> type:
    """The type of objects of programs' classes that derive from ``host``."""
    if issubclass(host, BaseException):
        host = classes(host)  # type: ignore[arg-type]
    namespace: dict[str, Any] = {"__module__": __name__}
    if open_class(host) and not issubclass(host, BaseException):
        names = [name for name in dir(host) if is_public(name)]
        namespace |= {name: _forward(name, host) for name in names if _is_method(host, name)}
        namespace |= {"_get_name": _class_name, "_overrides": _overrides, "__getattr__": _asked(host)}
    namespace["memento"] = _memento
    if host is tuple:
        namespace["_make"] = property(_maker)
    kind = Fixed if host in _IMMUTABLE else Special if host is object else Held
    found = type(f"Hosted{host.__name__}", (kind, host), namespace)
    INNER[found.__name__] = host.__name__
    return found


def _maker(self: Any) -> Any:
    """What makes a tuple of the same class, for the engine; there is none unless its items have names."""
    found = self.program_class.find("_make")
    if not isinstance(found, ClassMethod):
        raise AttributeError("_make")
    return partial(found.function, self.program_class)


def _is_method(host: type, name: str) -> bool:
    raw = next(vars(kind)[name] for kind in host.__mro__ if name in vars(kind))
    return callable(raw) and not isinstance(raw, (type, staticmethod, classmethod))


def _forward(name: str, host: type) -> Callable[..., Any]:
    original = getattr(host, name)

    def method(self: Any, /, *args: Any, **kwargs: Any) -> Any:
        found = method_of(self, name)
        return python(original, self, *args, **kwargs) if found is MISSING else found(*args, **kwargs)

    return method


def _asked(host: type) -> Callable[..., Any]:
    """``__getattr__`` for the engine, which asks some objects whether they have a method beyond those of the host."""
    otherwise: Any = getattr(host, "__getattr__", None)

    def ask(self: Any, name: str) -> Any:
        found = method_of(self, name) if is_public(name) and "program_class" in vars(self) else MISSING
        if found is not MISSING:
            return found
        if otherwise is not None:
            return otherwise(self, name)
        raise made(AttributeError, f"'{_class_name(self)}' object has no attribute '{name}'")

    return ask


def _overrides(self: Any, name: str) -> bool:
    return self.program_class.method(name) is not MISSING


def _class_name(self: Any) -> str:
    cls = vars(self).get("program_class")
    return type(self).__bases__[-1].__name__ if cls is None else cls.name  # while it is being made, it has none yet


def _memento(self: Any) -> Callable[[], None]:
    state = {name: dict(value) if isinstance(value, dict) else value for name, value in vars(self).items()}
    kind: Any = next((one for one in _MUTABLE if isinstance(self, one)), None)
    held: Any = None if kind is None else kind(dict.items(self) if kind is dict else kind.__iter__(self))
    args = getattr(self, "args", ())

    def restore() -> None:
        vars(self).clear()
        vars(self).update(state)
        if kind is not None:
            kind.clear(self)
            (list.extend if kind is list else kind.update)(self, held or ())
        elif isinstance(self, BaseException):
            self.args = args

    return restore


def new(cls: ProgramClass, host: Any, args: Any, kwargs: dict[str, Any]) -> Any:
    """An object of ``cls``, before its ``__init__``."""
    kind: Any = hosted(host)
    if issubclass(host, BaseException):
        value = kind.__new__(kind, *args)
    elif host in _IMMUTABLE:
        plain = TYPES[host.__name__](*args)
        value = host.__new__(kind, plain)
    else:
        value = host.__new__(kind)
    vars(value).update(program_class=cls, attributes={})
    return value


def blank(cls: ProgramClass, host: Any) -> Any:
    """An object of ``cls`` without anything in it, to be filled."""
    kind: Any = host
    value = kind.__new__(hosted(host))
    vars(value).update(program_class=cls, attributes={})
    return value


def copied(value: Any) -> Any:
    """A shallow copy."""
    cls = value.program_class
    made = blank(cls, cls.host) if cls.host not in _IMMUTABLE else value
    if made is value:
        return value
    vars(made).update({name: dict(part) if isinstance(part, dict) else part for name, part in vars(value).items()})
    if isinstance(value, BaseException):
        made.args = value.args
    elif isinstance(value, (list, set, dict)):
        (made.extend if isinstance(value, list) else made.update)(value)
    return made


def deeply_copied(value: Any, memo: Any) -> Any:
    """A copy with copies of all that is in it."""
    host_copy = next(
        (vars(kind).get("__deepcopy__") for kind in type(value).__bases__[-1].__mro__ if "__deepcopy__" in vars(kind)),
        None,
    )
    if host_copy is not None:
        return host_copy(value, memo)
    cls = value.program_class
    if cls.host in _IMMUTABLE:
        return value
    made = blank(cls, cls.host)
    memo[id(value)] = made
    for name, part in vars(value).items():
        vars(made)[name] = part if name == "program_class" else DEEP_COPY[0](part, memo)
    if isinstance(value, BaseException):
        made.args = DEEP_COPY[0](value.args, memo)
    elif isinstance(value, (list, set)):
        for item in list(value):
            (made.append if isinstance(value, list) else made.add)(DEEP_COPY[0](item, memo))
    elif isinstance(value, dict):
        for key, part in dict.items(value):
            dict.__setitem__(made, DEEP_COPY[0](key, memo), DEEP_COPY[0](part, memo))
    return made


def put(value: Any, name: str, new_value: Any) -> None:
    """Set an attribute of a hosted object: the host decides about public names of open classes."""
    is_entered = isinstance(value, MODULE) and value._takes(name, new_value)
    if is_entered:
        value.attributes.pop(name, None)
    if is_entered or (open_class(value.program_class.host) and is_public(name)):
        host: Any = type(value).__bases__[-1]
        host.__setattr__(value, name, new_value)
        return
    modes.touch(value)
    value.attributes[name] = new_value


def bound_host(value: Any, name: str) -> Any:
    """What the host of an object has under ``name``, or ``MISSING``."""
    found = value.program_class.find(name)
    return bound(found, value, value.program_class) if isinstance(found, HostMember) else MISSING


HOSTED.update(new=new, copied=copied, deeply_copied=deeply_copied)
