"""Objects of programs' classes.

``Special`` has the special methods that Python's own functions ask for, each of which forwards to the program's class:
``len``, ``sorted`` and a dict's keys work on objects of programs, whose classes are no types. ``Instance`` is the type
of all of them; where a class derives from a type that is there, its objects are of a type made of ``Special`` and that
one, in ``hosted``, with fixed names.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from types import BuiltinMethodType, MethodWrapperType
from typing import Any, Final, NoReturn

from app.program import runtime
from app.program.classes import (
    CHANGES,
    MAKE,
    MISSING,
    HostMember,
    HostType,
    ProgramClass,
    Property,
    StaticMethod,
    bound,
    descriptor,
)
from app.program.costs import Cost, pay
from app.program.failures import PythonError, made, python, seen_as
from app.program.functions import DEEP_COPY, Callable_, Function
from engine import homes, modes

HOSTED: Final[
    dict[str, Callable[..., Any]]
] = {}  # the same for objects of types that are there: ``app.program.hosted``
_BINARY: Final = (
    "add", "sub", "mul", "truediv", "floordiv", "mod", "pow", "matmul", "and", "or", "xor", "lshift", "rshift",
    "divmod",
)  # fmt: skip
_COMPARISON: Final = {"lt": "<", "le": "<=", "gt": ">", "ge": ">="}
_UNARY: Final = {"neg": "-", "pos": "+", "invert": "~"}


def type_name(value: Any) -> str:
    """The name of the class of an object."""
    name: str = value.program_class.name
    return name


def _kind(value: Any) -> str:
    """The name of the class of any value."""
    return type_name(value) if isinstance(value, Special) else type(value).__name__


def method_of(value: Any, name: str) -> Any:
    """The special method of an object, bound, or ``MISSING``: looked for in its class alone."""
    cls = value.program_class
    found = cls.method(name)
    if found is MISSING:
        return MISSING
    method = bound(found, value, cls)
    if isinstance(method, Callable_):
        return method
    return partial(python, method) if callable(method) else partial(_refuse_call, method)


def _refuse_call(value: Any, /, *args: Any, **kwargs: Any) -> NoReturn:
    raise _refuse(f"'{_kind(value)}' object is not callable")


def _refuse(detail: str) -> PythonError:
    return PythonError(TypeError, detail)


class Special:
    """The special methods of Python as the program's class has them, else as the host's type has."""

    __slots__ = ()
    __array_ufunc__ = None  # NumPy's operators leave it to the class, and make no array of an object
    is_instance = True
    program_class: ProgramClass
    attributes: dict[str, Any]

    def _special(self, name: str) -> Any:
        """The method of the program's class, else that of the type beside this one, else ``None``."""
        found = method_of(self, name)
        if found is not MISSING:
            return found
        of_host = getattr(super(), name, None)
        return partial(python, of_host) if isinstance(of_host, (BuiltinMethodType, MethodWrapperType)) else of_host

    def _refuse_none(self, name: str, what: str) -> None:
        """Refuse what a class says that its objects are not, by ``None`` for the method."""
        if self.program_class.method(name) is None:
            raise _refuse(f"'{type_name(self)}' object is not {what}")

    @property
    def _path(self) -> str:
        """What the engine's texts call its class."""
        return f"{self.program_class.module}.{self.program_class.qualname}"

    # -- text -----------------------------------------------------------------------------------------------------
    def __repr__(self) -> str:
        found = method_of(self, "__repr__")
        return _text(found(), "__repr__") if found is not MISSING else self._plain_repr()

    def _plain_repr(self) -> str:
        if isinstance(self, PythonError):
            listed = repr(self.args) if len(self.args) != 1 else f"({self.args[0]!r})"
            return f"{self.program_class.name}{listed}"
        host = type(self).__bases__[-1]
        own: Any = host.__repr__
        if own not in (object.__repr__, homes.text) and type(self) is not Instance:
            name = type(self).__name__
            text = super().__repr__()
            return self.program_class.name + text.removeprefix(name) if text.startswith(name) else text
        return f"<{self.program_class.module}.{self.program_class.qualname} object at {id(self):#x}>"

    def __str__(self) -> str:
        found = method_of(self, "__str__")
        if found is not MISSING:
            return _text(found(), "__str__")
        if isinstance(self, PythonError):
            return PythonError.__str__(self)
        return repr(self) if type(self) is Instance or not isinstance(self, str) else super().__str__()

    def __format__(self, spec: str) -> str:
        found = method_of(self, "__format__")
        if found is not MISSING:
            return _text(found(spec), "__format__")
        if type(self) is not Instance and not isinstance(self, BaseException):
            return python(super().__format__, spec)  # type: ignore[no-any-return]
        if spec:
            raise _refuse(f"unsupported format string passed to {type_name(self)}.__format__")
        return str(self)

    # -- identity and order ---------------------------------------------------------------------------------------
    def __eq__(self, other: object) -> Any:
        found = method_of(self, "__eq__")
        if found is not MISSING:
            return found(other)
        return super().__eq__(other)

    def __ne__(self, other: object) -> Any:
        found = method_of(self, "__ne__")
        if found is not MISSING:
            return found(other)
        result = self.__eq__(other)
        return result if result is NotImplemented else not result

    def __hash__(self) -> int:
        found = self.program_class.method("__hash__")
        defines = self.program_class.method("__eq__")
        own: Any = super().__hash__
        if own is not None and found is MISSING and (defines is MISSING or defines is None):
            return own()  # type: ignore[no-any-return]
        if found is MISSING or found is None or not _hashes(self.program_class):
            raise _refuse(f"unhashable type: '{type_name(self)}'")
        result = method_of(self, "__hash__")()
        if not isinstance(result, int):
            raise _refuse("__hash__ method should return an integer")
        return hash(result)

    # -- containers -----------------------------------------------------------------------------------------------
    def __bool__(self) -> bool:
        found = method_of(self, "__bool__")
        if found is not MISSING:
            result = found()
            if not isinstance(result, bool):
                raise _refuse(f"__bool__ should return bool, returned {_kind(result)}")
            return result
        if method_of(self, "__len__") is not MISSING or hasattr(super(), "__len__"):
            return len(self) != 0
        own = getattr(super(), "__bool__", None)
        return True if own is None else own()

    def __len__(self) -> int:
        found = self._special("__len__")
        if found is None:
            raise _refuse(f"object of type '{type_name(self)}' has no len()")
        result = _index(found())
        if result < 0:
            raise made(ValueError, "__len__() should return >= 0")
        return result

    def __iter__(self) -> Iterator[Any]:
        self._refuse_none("__iter__", "iterable")
        found = self._special("__iter__")
        if found is not None:
            result = found()
            if not hasattr(type(result), "__next__") or (is_instance(result) and not _has(result, "__next__")):
                raise _refuse(f"iter() returned non-iterator of type '{_kind(result)}'")
            return result  # type: ignore[no-any-return]
        if method_of(self, "__getitem__") is MISSING:
            raise _refuse(f"'{type_name(self)}' object is not iterable")
        return Numbered(self)

    def __next__(self) -> Any:
        found = self._special("__next__")
        if found is None:
            raise _refuse(f"'{type_name(self)}' object is not an iterator")
        return found()

    def __contains__(self, item: object) -> bool:
        self._refuse_none("__contains__", "a container")
        found = self._special("__contains__")
        if found is not None:
            return bool(found(item))
        if not _has(self, "__iter__") and not _has(self, "__getitem__"):
            raise _refuse(f"argument of type '{type_name(self)}' is not iterable")
        try:
            items = iter(self)
        except TypeError:
            raise _refuse(f"argument of type '{type_name(self)}' is not iterable") from None
        return any(one is item or one == item for one in items)

    def __getitem__(self, index: Any) -> Any:
        found = self._special("__getitem__")
        if found is None:
            raise _refuse(f"'{type_name(self)}' object is not subscriptable")
        return found(index)

    def __missing__(self, key: Any) -> Any:
        """What Python asks a dict for that lacks a key."""
        found = method_of(self, "__missing__")
        if found is MISSING:
            raise made(KeyError, key)
        return found(key)

    def __setitem__(self, index: Any, value: Any) -> None:
        found = self._special("__setitem__")
        if found is None:
            raise _refuse(f"'{type_name(self)}' object does not support item assignment")
        found(index, value)

    def __delitem__(self, index: Any) -> None:
        found = self._special("__delitem__")
        if found is None:
            not_ = "doesn't" if isinstance(index, int) else "does not"
            raise _refuse(f"'{type_name(self)}' object {not_} support item deletion")
        found(index)

    def __reversed__(self) -> Any:
        self._refuse_none("__reversed__", "reversible")
        found = self._special("__reversed__")
        if found is not None:
            return found()
        if not _has(self, "__getitem__"):
            raise _refuse(f"'{type_name(self)}' object is not reversible")
        return iter([self[place] for place in range(len(self) - 1, -1, -1)])

    # -- numbers --------------------------------------------------------------------------------------------------
    def __index__(self) -> int:
        """Refuse: what a number costs that Python asks an object for, nobody could say before. ``as_index`` asks it."""
        raise _refuse(f"'{type_name(self)}' object cannot be interpreted as an integer")

    def __int__(self) -> int:
        for name in ("__int__", "__index__", "__trunc__"):
            found = self._special(name) if name == "__int__" else method_of(self, name)
            if found is not None and found is not MISSING:
                return _index(found(), name)
        raise _refuse(f"int() argument must be a string, a bytes-like object or a real number, not '{type_name(self)}'")

    def __float__(self) -> float:
        found = self._special("__float__")
        if found is None:
            found = method_of(self, "__index__")
        if found is MISSING:
            raise _refuse(f"float() argument must be a string or a real number, not '{type_name(self)}'")
        result = found()
        if not isinstance(result, (float, int)):
            raise _refuse(f"{type_name(self)}.__float__ returned non-float (type {_kind(result)})")
        return float(result)

    def __complex__(self) -> complex:
        found = self._special("__complex__")
        return complex(found()) if found is not None else complex(float(self))

    def __abs__(self) -> Any:
        found = self._special("__abs__")
        if found is None:
            raise _refuse(f"bad operand type for abs(): '{type_name(self)}'")
        return found()

    def __round__(self, ndigits: Any = None) -> Any:
        found = self._special("__round__")
        if found is None:
            raise _refuse(f"type {type_name(self)} doesn't define __round__ method")
        return found() if ndigits is None else found(ndigits)

    # -- calls and contexts ---------------------------------------------------------------------------------------
    def __call__(self, /, *args: Any, **kwargs: Any) -> Any:
        found = self._special("__call__")
        if found is None:
            raise _refuse(f"'{type_name(self)}' object is not callable")
        return found(*args, **kwargs)

    def __copy__(self) -> Any:
        found = method_of(self, "__copy__")
        return copied(self) if found is MISSING else found()

    def __deepcopy__(self, memo: Any) -> Any:
        found = method_of(self, "__deepcopy__")
        return deeply_copied(self, memo) if found is MISSING else found(memo)


def _binary(name: str) -> Callable[[Any, Any], Any]:
    full = f"__{name}__"

    def method(self: Any, other: Any) -> Any:
        found = self._special(full)
        return NotImplemented if found is None else found(other)

    return method


def _unary(name: str) -> Callable[[Any], Any]:
    full, symbol = f"__{name}__", _UNARY[name]

    def method(self: Any) -> Any:
        found = self._special(full)
        if found is None:
            raise _refuse(f"bad operand type for unary {symbol}: '{type_name(self)}'")
        return found()

    return method


for _name in (*_BINARY, *(f"r{name}" for name in _BINARY), *_COMPARISON):
    setattr(Special, f"__{_name}__", _binary(_name))
for _name in _UNARY:
    setattr(Special, f"__{_name}__", _unary(_name))


@seen_as("_Instance")
class Instance(Special):
    """An object of a program's class."""

    __slots__ = ("__weakref__", "attributes", "program_class")

    def __init__(self, cls: ProgramClass) -> None:
        self.program_class = cls
        self.attributes: dict[str, Any] = {}

    def memento(self) -> Callable[[], None]:
        """A function that brings this moment back."""
        attributes, cls = dict(self.attributes), self.program_class

        def restore() -> None:
            self.attributes, self.program_class = attributes, cls

        return restore


class Held(Special):
    """Objects beside a type whose objects can be changed, and exceptions."""

    __slots__ = ()


class Fixed(Special):
    """Objects beside a type whose objects are what they were made of."""

    __slots__ = ()


@seen_as("iterator")
class Numbered:
    """The items of an object that has only ``__getitem__``, by number until there is none."""

    __slots__ = ("_owner", "_place")

    def __init__(self, owner: Any) -> None:
        self._owner, self._place = owner, 0

    def __iter__(self) -> Numbered:
        return self

    def __next__(self) -> Any:
        try:
            item = self._owner[self._place]
        except (IndexError, StopIteration):
            raise made(StopIteration) from None
        self._place += 1
        return item


def is_instance(value: Any) -> bool:
    """Whether a value is an object of a program's class."""
    return isinstance(value, Special)


def _has(value: Any, name: str) -> bool:
    if not is_instance(value):
        return hasattr(type(value), name)
    return value._special(name) is not None


def _hashes(cls: ProgramClass) -> bool:
    """Whether ``__hash__`` is defined where ``__eq__`` is, or further down."""
    for one in cls.mro:
        if isinstance(one, ProgramClass):
            if one.attributes.get("__hash__") is not None:
                return True
            if "__eq__" in one.attributes:
                return False
    return True


def as_index(value: Any) -> Any:
    """The integer that an object of a program stands for, where it is one; any other value as it is."""
    if type(value) is slice:
        parts = (value.start, value.stop, value.step)
        return slice(*map(as_index, parts)) if any(isinstance(one, Special) for one in parts) else value
    if not isinstance(value, Special) or isinstance(value, int):
        return value
    found = method_of(value, "__index__")
    return value if found is MISSING else _index(found(), "__index__")


def _text(value: Any, name: str) -> str:
    if not isinstance(value, str):
        raise _refuse(f"{name} returned non-string (type {_kind(value)})")
    pay(Cost(1 + len(value) // 8, 8 * len(value), len(value)))
    return value


def _index(value: Any, name: str = "") -> int:
    if isinstance(value, int) or (not is_instance(value) and hasattr(type(value), "__index__")):
        return int(value)
    where = f"{name} returned non-int (type {_kind(value)})" if name else (
        f"'{_kind(value)}' object cannot be interpreted as an integer")  # fmt: skip
    raise _refuse(where)


# -- attributes -----------------------------------------------------------------------------------------------------
def get(value: Any, name: str) -> Any:
    """``value.name`` as its class and its own attributes have it, or ``MISSING``."""
    cls = value.program_class
    found = cls.find(name)
    if found is not MISSING and is_data(found):
        return bound(found, value, cls)
    attributes = value.attributes
    if name in attributes:
        return attributes[name]
    if found is not MISSING:
        return bound(found, value, cls)
    return MISSING


def is_data(found: Any) -> bool:
    """Whether what a class has comes before what its objects have."""
    return type(found) is Property or (is_instance(found) and descriptor(found, "__set__") is not MISSING)


def put(value: Any, name: str, new: Any) -> bool:
    """Set ``value.name`` by a property or descriptor of its class, if it has one: whether it has."""
    cls = value.program_class
    found = cls.find(name)
    if type(found) is Property:
        if found.fset is None:
            raise PythonError(AttributeError, f"property '{found.name or name}' of '{cls.name}' object has no setter")
        found.fset(value, new)
        return True
    setter = descriptor(found, "__set__")
    if setter is MISSING:
        return False
    setter(found, value, new)
    return True


# -- making ---------------------------------------------------------------------------------------------------------
def instantiate(cls: ProgramClass, run: runtime.Run, args: Any, kwargs: dict[str, Any]) -> Any:
    """``cls(*args, **kwargs)``."""
    version, found = cls.making
    if version == CHANGES[0]:
        value = Instance(cls)
        run.keep(8)
        result = found.enter(run, [value, *args], kwargs)
        if result is not None:
            raise _refuse(f"__init__() should return None, not '{_kind(result)}'")
        return value
    if cls.create is not None:
        return cls.create(cls, *args, **kwargs)
    new = cls.find("__new__")
    if type(new) is StaticMethod:
        value = new.function(cls, *args, **kwargs)
        if not (is_instance(value) and cls in value.program_class.mro):
            return value
    else:
        refuse_abstract(cls)
        value = Instance(cls) if cls.host is None else make_hosted(cls, args, kwargs)
    run.keep(8)
    found = cls.find("__init__")
    if isinstance(found, HostMember) or found is MISSING:
        _initialise(cls, found, value, args, kwargs, has_new=new is not MISSING and not isinstance(new, HostMember))
        return value
    if type(found) is Function and type(new) is not StaticMethod and cls.host is None and not _may_be_abstract(cls):
        cls.making = CHANGES[0], found
    method = bound(found, value, cls)
    result = method.enter(run, args, kwargs) if hasattr(method, "enter") else method(*args, **kwargs)
    if result is not None:
        raise _refuse(f"__init__() should return None, not '{_kind(result)}'")
    return value


def _initialise(cls: ProgramClass, found: Any, value: Any, args: Any, kwargs: dict[str, Any], *, has_new: bool) -> None:
    if cls.host is not None and isinstance(found, HostMember):
        found.read(value)(*args, **kwargs)
    elif (args or kwargs) and not has_new:
        raise _refuse(f"{cls.name}() takes no arguments")


def _may_be_abstract(cls: ProgramClass) -> bool:
    return any(one.attributes.get("__abstract__") for one in cls.mro if isinstance(one, ProgramClass))


def refuse_abstract(cls: ProgramClass) -> None:
    """Raise ``TypeError`` for a class that leaves abstract methods open."""
    if not _may_be_abstract(cls):
        return
    names = sorted({
        name
        for one in cls.mro
        if isinstance(one, ProgramClass)
        for name, value in one.attributes.items()
        if is_abstract(value) and is_abstract(cls.find(name))
    })  # fmt: skip
    if names:
        many = "s" * (len(names) > 1)
        raise _refuse(f"Can't instantiate abstract class {cls.name} with abstract method{many} {', '.join(names)}")


def is_abstract(value: Any) -> bool:
    """Whether ``abstractmethod`` marked it."""
    inner = getattr(value, "fget", None) or getattr(value, "function", None) or value
    return any(
        getattr(one, "attributes", {}).get("__isabstractmethod__") for one in (value, inner) if not is_instance(one)
    )


def make_hosted(cls: ProgramClass, args: Any, kwargs: dict[str, Any]) -> Any:
    """An object of a type that is there, whose class is ``cls``."""
    assert cls.host is not None
    return HOSTED["new"](cls, cls.host, args, kwargs)


# -- copies ---------------------------------------------------------------------------------------------------------
def copied(value: Any) -> Any:
    """A shallow copy of an object."""
    if type(value) is not Instance:
        return HOSTED["copied"](value)
    new = Instance(value.program_class)
    new.attributes = dict(value.attributes)
    return new


def deeply_copied(value: Any, memo: Any) -> Any:
    """A copy of an object and all that it holds."""
    if type(value) is not Instance:
        return HOSTED["deeply_copied"](value, memo)
    new = Instance(value.program_class)
    memo[id(value)] = new
    new.attributes = {name: DEEP_COPY[0](part, memo) for name, part in value.attributes.items()}
    return new


def touch(value: Any) -> None:
    """Let the journal remember an object before it changes."""
    modes.touch(value)


MAKE.append(instantiate)
__all__ = ["HostType", "Instance", "Special", "get", "instantiate", "is_instance", "method_of", "put"]
