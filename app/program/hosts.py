"""Types that are there, as programs see them: which one a value has, and what they may ask objects of the engine for.

A class of the engine is open if its module is one of ``OPEN``: all its names without a leading underscore are there for
programs. Of all others, tables say what they have.
"""

from __future__ import annotations

from collections import OrderedDict, deque
from collections.abc import Callable
from functools import partial
from types import BuiltinFunctionType, FunctionType, MethodType, ModuleType
from typing import Any, Final

import numpy as np

from app.program.builtins import EXCEPTIONS, HOSTS, METHODS, TYPES, exception_type, members_of
from app.program.classes import MISSING, HostMember, HostType, ProgramClass, Union_, is_subclass
from app.program.costs import Cost, pay
from app.program.failures import PythonError, python
from app.program.instances import Special
from app.program.operations import ENGINE_CALL, KNOWN, OPENED, SUBSCRIPTS, Routine, type_name
from engine import Tensor, dtypes, memory_formats, methods, registry, tape, tensors

OPEN: Final = (
    "engine.nn", "engine.optim", "engine.data", "engine.autograd.context", "engine.autograd.function",
    "engine.autograd.graph", "engine.autograd.hooks", "engine.autograd.watch", "engine.ops.creation.distributions",
    "engine.surface.checkpoint", "engine.surface.gradcheck", "engine.surface.mixed_precision",
    "engine.surface.numbers", "engine.surface.storages",
)  # fmt: skip
RAW: Final = frozenset({FunctionType, MethodType, BuiltinFunctionType, partial, type(len), type("".join)})
MODULE: Final[Any] = registry.function("nn.Module")
_TABLES: Final = {"_buffers": "register_buffer", "_modules": "add_module", "_parameters": "register_parameter"}
_HOOKS: Final = {  # of modules, as copies: they are entered and taken away by handles
    "_forward_hooks": "forward", "_forward_pre_hooks": "forward_pre", "_backward_hooks": "backward",
    "_backward_pre_hooks": "backward_pre",
}  # fmt: skip
_SPECIAL: Final = frozenset({
    "__init__", "__call__", "__len__", "__getitem__", "__setitem__", "__delitem__", "__iter__", "__next__",
    "__contains__", "__repr__", "__str__", "__enter__", "__exit__", "__setattr__", "__getattr__", "__delattr__",
    "__add__", "__eq__", "__hash__", "__bool__", "__reversed__", "__setstate__",
})  # fmt: skip


def open_class(kind: type) -> bool:
    """Whether all public names of a class of the engine are there for programs."""
    name = kind.__module__
    return any(name == one or name.startswith(f"{one}.") for one in OPEN)


def is_open(value: Any) -> bool:
    """Whether a value is an object of an open class."""
    return any(open_class(kind) for kind in type(value).__mro__)


OPENED.append(is_open)


OURS: Final = frozenset({"attributes", "memento", "mro", "program_class"})  # what we ourselves keep in such objects
SETTING: Final[dict[str, Callable[..., None]]] = {}
"""``__setattr__`` and ``__delattr__`` for all values: the engine's classes would take any name. By ``values``."""


def is_public(name: str) -> bool:
    """Whether programs may ask objects of open classes for this name."""
    return not name.startswith("_") and name not in OURS


def adopted(value: Any, name: str | None = None, owner: Any = None) -> Any:
    """What the engine gave, as programs have it: its functions and classes are not handed out as they are."""
    kind = type(value)
    if kind in RAW:
        return Routine(name or str(getattr(value, "__name__", "function")), value, engine=True, owner=owner)
    if isinstance(value, type):
        return host_type(value)
    if isinstance(value, ModuleType):
        raise PythonError(AttributeError, f"no attribute '{name}'")
    return value


def open_attribute(value: Any, name: str) -> Any:
    """``value.name`` of an object of an open class, or ``MISSING``."""
    if name in SETTING:
        return Routine(name, partial(SETTING[name], value), owner=value)
    if name in _HOOKS and isinstance(value, MODULE):
        return OrderedDict((number, adopted(hook)) for number, hook in value._hooks.get(_HOOKS[name], {}).items())
    if not is_public(name) and name not in _SPECIAL and name not in _TABLES:
        return MISSING
    try:
        found = getattr(value, name)
    except AttributeError:
        return MISSING
    if name in _TABLES:
        return Registered(found, value, _TABLES[name])
    return adopted(found, name, value)


class Registered(dict[str, Any]):
    """A module's parameters, buffers or modules as they are now; items are set and deleted by the module itself."""

    __slots__ = ("module", "register")

    def __init__(self, found: dict[str, Any], module: Any, register: str) -> None:
        super().__init__(found)
        self.module, self.register = module, register

    def put(self, name: Any, value: Any) -> None:
        """Register ``value`` under ``name``."""
        method = getattr(self.module, self.register)
        ENGINE_CALL[0](Routine(self.register, method, True, self.module), (name, value), {})
        super().__setitem__(name, value)

    def drop(self, name: Any) -> None:
        """Forget what is registered under ``name``."""
        if name not in self:
            raise PythonError(KeyError, name)
        SETTING["__delattr__"](self.module, name)
        super().__delitem__(name)


KNOWN.add(Registered)
METHODS[Registered] = {name: METHODS[dict][name] for name in ("copy", "get", "items", "keys", "values")}
SUBSCRIPTS[Registered] = (
    lambda table, name: python(dict.__getitem__, table, name), Registered.put, Registered.drop,
)  # fmt: skip


# -- types of the engine --------------------------------------------------------------------------------------------
_PATHS: Final[dict[type, str]] = {
    Tensor: "Tensor", tensors.Parameter: "nn.Parameter", tensors.Size: "Size", dtypes.DType: "dtype",
    methods.Device: "device",
}  # fmt: skip
_NAMES: Final[dict[type, str]] = {
    Tensor: "torch.Tensor", tensors.Parameter: "torch.nn.parameter.Parameter", tensors.Size: "torch.Size",
    dtypes.DType: "torch.dtype", methods.Device: "torch.device", deque: "collections.deque", type(None): "NoneType",
    np.ndarray: "numpy.ndarray", memory_formats.MemoryFormat: "torch.memory_format",
}  # fmt: skip


def _engine_members(host: HostType, name: str) -> Any:
    """What a class of the engine itself has under ``name``."""
    kind = host.type
    if kind in _PATHS:
        return _tensor_member(kind, name)
    if not open_class(kind) or (not is_public(name) and name not in _SPECIAL) or name not in vars(kind):
        return MISSING
    if name in SETTING:
        by_name = SETTING[name]
        return HostMember(
            name, lambda value: Routine(name, partial(by_name, value), owner=value), Routine(name, by_name)
        )
    raw = vars(kind)[name]
    unbound = getattr(kind, name)

    def read(value: Any) -> Any:
        if isinstance(raw, (staticmethod, classmethod)) or not hasattr(raw, "__get__"):
            return adopted(unbound, name, host)
        return adopted(raw.__get__(value, type(value)), name, value)

    def of_class(cls: Any) -> Any:
        return Routine(name, partial(raw.__func__, cls), True, cls)

    return HostMember(name, read, adopted(unbound, name, host), of_class if isinstance(raw, classmethod) else None)


def _tensor_member(kind: type, name: str) -> Any:
    method = registry.method(name) if issubclass(kind, Tensor) else None
    if method is None:
        return MISSING
    return HostMember(
        name, lambda value: Routine(name, partial(method, value), True, value), Routine(name, method, True)
    )


def set_members(host: HostType, members: Callable[[HostType, str, Any], Any]) -> None:
    """Let ``members`` say what a type has, with what it would have otherwise at hand."""
    otherwise = host.members
    host.members = lambda one, name: members(one, name, otherwise)


def _constructor(kind: type) -> Callable[..., Any]:
    path = _PATHS.get(kind, "")
    if not path:
        return Routine(f"{kind.__name__}.__init__", kind, engine=True)
    return Routine(path, registry.function(path) or kind, engine=True)


def host_type(kind: type) -> HostType:
    """The type as programs know it."""
    found = HOSTS.get(kind)
    if found is not None:
        return found
    if issubclass(kind, Special):  # of an object that has a class of its own
        return HOSTS[object]
    if issubclass(kind, PythonError):
        return exception_type(kind.kind)
    if issubclass(kind, BaseException):
        return exception_type(kind)
    is_engine = kind.__module__.partition(".")[0] == "engine"
    bases = [host_type(base) for base in kind.__mro__[1:]]
    name = _NAMES.get(kind) or getattr(kind, "_path", None) or kind.__name__
    if is_engine and (open_class(kind) or kind in _PATHS or _is_registered(kind)):
        made = HostType(kind, name, _constructor(kind), _engine_members, engine=True, mro=tuple(bases))
    else:
        made = HostType(kind, name, _refuse_construction(name), members_of, mro=tuple(bases))
    HOSTS[kind] = made
    return made


def _is_registered(kind: type) -> bool:
    return any(one is kind for _, one in registry.functions())


def _refuse_construction(name: str) -> Callable[..., Any]:
    def call(*_: Any, **__: Any) -> Any:
        raise PythonError(TypeError, f"cannot create '{name}' instances")

    return call


_OWN: Final[dict[str, HostType]] = {}
TYPE: Final = HostType(
    type, "type", lambda *args, **kwargs: make_type(*args, **kwargs), members_of, mro=(TYPES["object"],)
)
HOSTS[type] = TYPE


def make_type(*args: Any, **kwargs: Any) -> Any:
    """``type(value)``; with three arguments a class of the program's, as a ``class`` statement makes it."""
    if len(args) == 1 and not kwargs:
        return class_of(args[0])
    if len(args) != 3:
        raise PythonError(TypeError, "type() takes 1 or 3 arguments")
    raise PythonError(TypeError, "type() with three arguments is not available here: write a class statement")


def class_of(value: Any) -> Any:
    """``type(value)``."""
    if isinstance(value, Special):
        return value.program_class
    if isinstance(value, (ProgramClass, HostType)):
        return TYPE
    kind = type(value)
    if isinstance(value, tape.Node):
        return _class_of_node(value)
    if kind in HOSTS:
        return HOSTS[kind]
    if kind.__module__.startswith("app.") and not isinstance(value, PythonError):
        name = type_name(value)
        if name not in _OWN:
            _OWN[name] = HostType(kind, name, _refuse_construction(name), members_of, mro=(TYPES["object"],))
        return _OWN[name]
    return host_type(kind)


def _class_of_node(node: tape.Node) -> HostType:
    """A class for each name of nodes, below the one of all."""
    name = type_name(node)
    if name not in _OWN:
        base = host_type(tape.Node)
        _OWN[name] = HostType(type(node), name, _refuse_construction(name), base.members, mro=(base, TYPES["object"]))
    return _OWN[name]


def _walked(kinds: tuple[Any, ...]) -> tuple[Any, ...]:
    """Types that are about to be tried one by one: a tuple that is in another one many times is as many."""
    pay(Cost(len(kinds)))
    return kinds


def is_of(
    value: Any, kinds: Any, what: str = "isinstance() arg 2 must be a type, a tuple of types, or a union"
) -> bool:
    """``isinstance(value, kinds)``."""
    if isinstance(kinds, tuple):
        return any(is_of(value, one, what) for one in _walked(kinds))
    if isinstance(kinds, Union_):
        return any(value is None if one is None else is_of(value, one, what) for one in kinds.kinds)
    if isinstance(kinds, (HostType, ProgramClass)):
        if isinstance(kinds, HostType) and not isinstance(value, Special):
            return _is_of_host(value, kinds)
        return is_subclass(class_of(value), kinds)
    check = getattr(kinds, "program_check", None)
    if check is None:
        raise PythonError(TypeError, what)
    return bool(check(value))


def _is_of_host(value: Any, kind: HostType) -> bool:
    if kind is TYPE:
        return isinstance(value, (ProgramClass, HostType))
    if isinstance(value, PythonError):
        return issubclass(value.kind, kind.type)
    if kind.type is object:
        return True
    return isinstance(value, kind.type) and not type(value).__module__.startswith("app.program.")


def is_below(cls: Any, kinds: Any) -> bool:
    """``issubclass(cls, kinds)``."""
    if not isinstance(cls, (HostType, ProgramClass)):
        raise PythonError(TypeError, "issubclass() arg 1 must be a class")
    if isinstance(kinds, tuple):
        return any(is_below(cls, one) for one in _walked(kinds))
    if isinstance(kinds, Union_):
        return any(is_below(cls, one) for one in kinds.kinds)
    if not isinstance(kinds, (HostType, ProgramClass)):
        raise PythonError(TypeError, "issubclass() arg 2 must be a class, a tuple of classes, or a union")
    return is_subclass(cls, kinds)


def matches(error: PythonError, kinds: Any) -> bool:
    """Whether ``except kinds`` catches ``error``."""
    if isinstance(kinds, tuple):
        return any(matches(error, one) for one in _walked(kinds))
    if isinstance(kinds, HostType) and kinds.exception:
        return issubclass(error.kind, kinds.type)
    if isinstance(kinds, ProgramClass) and kinds.host is not None and issubclass(kinds.host, BaseException):
        return isinstance(error, Special) and kinds in error.program_class.mro
    raise PythonError(TypeError, "catching classes that do not inherit from BaseException is not allowed")


__all__ = [
    "EXCEPTIONS", "HOSTS", "TYPE", "adopted", "class_of", "host_type", "is_below", "is_of", "is_open", "is_public",
    "make_type", "matches", "open_attribute", "open_class", "set_members",
]  # fmt: skip
