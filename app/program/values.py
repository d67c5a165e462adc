"""Values of programs: attributes by name, dotted names in a namespace, and what an answer shows of non-tensors."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any, Final, NoReturn

from app.limits import Allowance
from app.program import instances, pytorch, runtime
from app.program.builtins import ATTRIBUTES, FORMAT, METHODS, OBJECT, Module, Routine, Unbound, get_item, type_name
from app.program.classes import (
    MISSING,
    ClassMethod,
    HostMember,
    HostType,
    ProgramClass,
    Property,
    StaticMethod,
    Super,
    bound,
)
from app.program.classes import changed as classes_changed
from app.program.costs import ITEM_BYTES, bounded, weight
from app.program.failures import PythonError
from app.program.formatting import formatted
from app.program.from_nodes import parse_reference
from app.program.functions import BoundMethod, Function, Generator
from app.program.hosted import bound_host
from app.program.hosted import new as new_hosted
from app.program.hosted import put as hosted_put
from app.program.hosts import MODULE, SETTING, class_of, is_open, is_public, open_attribute
from app.program.instances import Instance, Special
from app.program.names import FLAGS, module_attribute, object_attribute
from app.program.tree import Attribute, Constant, Expression, GraphError, Name, Subscript, is_member, quoted
from engine import Tensor, dtypes, errors, modes, parameters, refusals, registry, tape

EncodeTensor = Callable[[Tensor], object]
VALUE_DEPTH: Final = 32


# -- attributes ---------------------------------------------------------------------------------------------------
def attribute(value: Any, name: str) -> Any:
    """``value.name``. Raises ``NotAvailable``, or ``AttributeError`` in Python's words."""
    if isinstance(value, Tensor):
        return _tensor_attribute(value, name)
    if isinstance(value, Special):
        return _special_attribute(value, name)
    if isinstance(value, Module):
        return module_attribute(value, name)
    found = find_attribute(value, name)
    if found is MISSING:
        pytorch.refuse_attribute(value, name)
        raise _no_attribute(value, name)
    return found


def _no_attribute(value: Any, name: str) -> PythonError:
    if isinstance(value, (ProgramClass, HostType)):
        return PythonError(AttributeError, f"type object '{_last(value.name)}' has no attribute '{name}'")
    return PythonError(AttributeError, f"'{type_name(value)}' object has no attribute '{name}'")


def _last(name: str) -> str:
    return name.rpartition(".")[2]


def _tensor_attribute(tensor: Tensor, name: str) -> object:
    getter = registry.attribute(name)
    if getter is not None:
        return refusals.call(getter, (tensor,), {}, name)
    method = registry.method(name)
    if method is None:
        if name == "__class__":
            return class_of(tensor)
        pytorch.refuse_attribute(tensor, name)
        raise _no_attribute(tensor, name)
    return Routine(name, partial(method, tensor), engine=True, owner=tensor)


def _special_attribute(value: Any, name: str) -> object:
    """An attribute of an object of a program, in Python's order; then what its host has; then ``__getattr__``."""
    try:
        found = instances.get(value, name)
    except AttributeError:
        if value.program_class.method("__getattr__") is MISSING:
            raise
        found = MISSING
    if found is MISSING or isinstance(value.program_class.find(name), HostMember):
        found = _of_host(value, name) if name not in OF_ANY else OF_ANY[name](value)
    if found is MISSING:
        fallback = instances.method_of(value, "__getattr__")
        if fallback is not MISSING:
            return fallback(name)
        raise _no_attribute(value, name)
    return found


def _of_host(value: Any, name: str) -> object:
    if isinstance(value, BaseException):
        return _exception_attribute(value, name)
    if value.program_class.host is None:
        found = value.program_class.find(name)
        return bound(found, value, value.program_class) if found is not MISSING else MISSING
    if isinstance(value, MODULE) and value._holds(name):
        return getattr(value, name)
    own = open_attribute(value, name) if is_open(value) else MISSING
    return bound_host(value, name) if own is MISSING else own


OF_ANY: Final[dict[str, Callable[[Any], Any]]] = {
    "__class__": lambda value: value.program_class,
    "__doc__": lambda value: value.program_class.doc,
    "__module__": lambda value: value.program_class.module,
}


def find_attribute(value: Any, name: str) -> object:
    """``value.name`` of whatever is neither a tensor, a module nor an object of a program's class; or ``MISSING``."""
    table = _OBJECTS.get(type(value))
    if table is not None:
        found = table(value, name)
    elif isinstance(value, BaseException):
        found = _exception_attribute(value, name)
    else:
        found = _plain_attribute(value, name)
    if found is MISSING and name == "__class__":
        return class_of(value)
    if found is MISSING and name == "__doc__":
        return None
    return found


def _plain_attribute(value: Any, name: str) -> object:
    fields = getattr(type(value), "_fields", ())
    if isinstance(value, tuple) and name in fields:
        return value[fields.index(name)]
    table = METHODS.get(type(value))
    if table is not None:
        if name in table:
            return table[name](value)
        found: Any = class_of(value).find(name) if name.startswith("__") else MISSING
        return found.read(value) if found is not MISSING else MISSING
    for kind, getters in ATTRIBUTES:
        if isinstance(value, kind):
            return getters[name](value) if name in getters else MISSING
    found = object_attribute(value, name, MISSING)
    if found is MISSING and is_open(value):
        return open_attribute(value, name)
    return found


# -- attributes of what programs make -----------------------------------------------------------------------------
def _function_attribute(value: Any, name: str) -> object:
    if name in value.attributes:
        return value.attributes[name]
    found = {"__name__": "name", "__qualname__": "qualname", "__doc__": "doc"}.get(name)
    if found is not None:
        return getattr(value, found)
    return "__main__" if name == "__module__" else MISSING


def _method_attribute(value: Any, name: str) -> object:
    if name == "__self__":
        return value.owner
    return find_attribute(value.function, name)


def _routine_attribute(value: Any, name: str) -> object:
    if name in ("__name__", "__qualname__"):
        return _last(value.name)
    if name == "from_iterable" or "members" in dir(value.function):
        members = getattr(value.function, "members", {})
        return members.get(name, MISSING)
    return MISSING


def class_attribute(value: Any, name: str) -> object:
    special = {"__name__": value.name, "__qualname__": value.qualname, "__doc__": value.doc, "__module__": value.module}
    if name in special:
        return special[name]
    if name == "__class__":
        return class_of(value)
    if name == "mro":
        return Routine("mro", lambda: list(value.mro), owner=value)
    found = value.find(name)
    return MISSING if found is MISSING else bound(found, None, value)


def _host_attribute(value: Any, name: str) -> object:
    if name in ("__name__", "__qualname__"):
        return _last(value.name)
    if name == "__module__":
        return value.name.rpartition(".")[0] or "builtins"
    if name == "mro":
        return Routine("mro", lambda: list(value.mro), owner=value)
    found = value.find(name)
    if found is MISSING and value.engine:
        path = f"{value.name.removeprefix('torch.')}.{name}"
        function = registry.function(path)
        return MISSING if function is None else Routine(name, function, engine=True, owner=value)
    return MISSING if found is MISSING else found.function


def _super_attribute(value: Super, name: str) -> object:
    if value.cls is None:  # of no object: there is nothing but its own beginning
        return Routine(name, lambda: None, owner=value) if name == "__init__" else MISSING
    found = value.cls.after(value.start, name)
    if found is MISSING:
        return MISSING
    if name == "__new__" and isinstance(found, HostMember):
        return found.function  # static, without the word
    is_class = isinstance(value.owner, ProgramClass)
    return bound(found, None if is_class and name != "__new__" else value.owner, value.cls)


def _property_attribute(value: Any, name: str) -> object:
    if name in ("getter", "setter", "deleter"):
        return Routine(name, getattr(value, name), owner=value)
    if name in ("fget", "fset", "fdel"):
        return getattr(value, name)
    return value.doc if name == "__doc__" else MISSING


def _generator_attribute(value: Any, name: str) -> object:
    if name in ("send", "close"):
        return Routine(name, getattr(value, name), owner=value)
    if name == "throw":
        return Routine(name, lambda *args: value.throw(raised(*args[:1])), owner=value)
    return value.function.name if name == "__name__" else MISSING


def _static_attribute(value: Any, name: str) -> object:
    return value.function if name in ("__func__", "__wrapped__") else find_attribute(value.function, name)


_OBJECTS: Final[dict[type, Callable[[Any, str], Any]]] = {
    Function: _function_attribute, BoundMethod: _method_attribute, Routine: _routine_attribute,
    Unbound: _routine_attribute,
    ProgramClass: class_attribute, HostType: _host_attribute, Super: _super_attribute, Property: _property_attribute,
    Generator: _generator_attribute, StaticMethod: _static_attribute, ClassMethod: _static_attribute,
}  # fmt: skip


def add_objects(kind: type, table: Callable[[Any, str], Any]) -> None:
    """Say what values of a type of ours have for programs."""
    _OBJECTS[kind] = table


# -- exceptions ---------------------------------------------------------------------------------------------------
_OF_EXCEPTIONS: Final = frozenset(
    {"args", "value", "name", "errno", "strerror", "filename", "lineno", "msg", "offset", "obj"}
)


def _exception_attribute(value: Any, name: str) -> object:
    if name == "args":
        return value.args
    if name in ("__cause__", "__context__"):
        return getattr(value, "shown_cause" if name == "__cause__" else "shown_context", None)
    if name in ("add_note", "with_traceback"):
        return MISSING
    return getattr(value, name, MISSING) if name in _OF_EXCEPTIONS else MISSING


def raised(value: Any) -> BaseException:
    """What ``raise value`` raises: an exception, or one made of a class of them."""
    if isinstance(value, (HostType, ProgramClass)):
        value = value()
    if isinstance(value, PythonError):
        return value
    raise PythonError(TypeError, "exceptions must derive from BaseException")


# -- setting ------------------------------------------------------------------------------------------------------
_SETTABLE: Final = frozenset({"data", "grad", "requires_grad"})


def set_attribute(value: Any, name: str, new: Any) -> None:
    """``value.name = new``."""
    if isinstance(value, Special):
        setter = instances.method_of(value, "__setattr__")
        if setter is not MISSING:
            setter(name, new)
        else:
            set_plainly(value, name, new)
    elif isinstance(value, Tensor):
        _set_of_tensor(value, name, new)
    elif isinstance(value, Function):
        modes.touch(value)
        field = {"__name__": "name", "__qualname__": "qualname", "__doc__": "doc"}.get(name)
        if field is None:
            value.attributes[name] = new
        else:
            setattr(value, field, new)  # one of three names of ours
    elif isinstance(value, ProgramClass):
        modes.touch(value)
        if name == "__doc__":
            value.doc = new
        elif name in ("__name__", "__qualname__"):
            setattr(value, "name" if name == "__name__" else "qualname", str(new))
        else:
            value.attributes[name] = new
        classes_changed()
    elif hasattr(value, "program_set"):
        value.program_set(name, new)
    elif is_open(value) and not name.startswith("_"):
        _set_of_open(value, name, new)
    elif isinstance(value, Module) and f"{value.name}.{name}".removeprefix("torch.") in FLAGS:
        return  # of devices that are not there: nothing changes
    else:
        _refuse_setting(value, name)


def _set_of_tensor(value: Tensor, name: str, new: Any) -> None:
    if name in _SETTABLE:
        refusals.call(setattr, (value, name, new), {}, "__setattr__")
    elif registry.attribute(name) is not None:
        raise PythonError(AttributeError, f"attribute '{name}' of 'torch._C.TensorBase' objects is not writable")
    elif registry.method(name) is not None:
        raise PythonError(AttributeError, f"'{type_name(value)}' object attribute '{name}' is read-only")
    else:
        _refuse_setting(value, name)


def _set_of_open(value: Any, name: str, new: Any) -> None:
    if getattr(type(value), name, None) is not None and callable(getattr(type(value), name)):
        raise PythonError(AttributeError, f"'{type_name(value)}' object attribute '{name}' is read-only")
    modes.touch(value)
    refusals.call(setattr, (value, name, new), {}, "__setattr__")


def _refuse_setting(value: Any, name: str) -> NoReturn:
    pytorch.refuse_attribute(value, name)
    if isinstance(value, HostType):
        raise PythonError(TypeError, f"cannot set '{name}' attribute of immutable type '{value.name}'")
    raise _no_attribute(value, name)


def set_plainly(value: Any, name: str, new: Any) -> None:
    """``object.__setattr__(value, name, new)``: by a property of the class, or as an attribute of the object."""
    name = _attribute_name(name)
    if not isinstance(value, Special):
        set_attribute(value, name, new)
        return
    if name == "__class__" or name == "__dict__":
        raise PythonError(TypeError, f"{name} cannot be set here")
    if instances.put(value, name, new):
        return
    if type(value) is Instance:
        if not value.program_class.has_room(name):
            raise _no_attribute(value, name)
        run = runtime.current()
        if run.journal is not None:
            modes.touch(value)
        value.attributes[name] = new
    elif isinstance(value, BaseException) and name == "args":
        value.args = tuple(new)
    else:
        hosted_put(value, name, new)


def delete_attribute(value: Any, name: str) -> None:
    """``del value.name``."""
    if isinstance(value, Special):
        deleter = instances.method_of(value, "__delattr__")
        if deleter is not MISSING:
            deleter(name)
            return
        _delete_plainly(value, name)
    elif isinstance(value, (ProgramClass, Function)) and name in value.attributes:
        modes.touch(value)
        del value.attributes[name]
        classes_changed()
    elif is_open(value) and is_public(name):
        modes.touch(value)
        refusals.call(delattr, (value, name), {}, "__delattr__")
    else:
        raise _no_attribute(value, name)


def _attribute_name(name: Any) -> str:
    """A name of the program's, told by it while it runs, as a text of Python's own."""
    if not isinstance(name, str):
        raise PythonError(TypeError, f"attribute name must be string, not '{type_name(name)}'")
    return str.__str__(name)


def _delete_plainly(value: Any, name: str) -> None:
    name = _attribute_name(name)
    if not isinstance(value, Special):
        delete_attribute(value, name)
        return
    found = value.program_class.find(name)
    if type(found) is Property:
        if found.fdel is None:
            raise PythonError(
                AttributeError, f"property '{found.name}' of '{value.program_class.name}' object has no deleter"
            )
        found.fdel(value)
    elif name in value.attributes:
        modes.touch(value)
        del value.attributes[name]
    elif is_open(value) and is_public(name):
        refusals.call(delattr, (value, name), {}, "__delattr__")
    else:
        raise PythonError(AttributeError, name)


def _of_object() -> None:
    """What ``object`` has: the plain way to set an attribute, and to begin an object of a class that has no host."""

    def initialise(value: Any, *args: Any, **kwargs: Any) -> None:
        if (args or kwargs) and isinstance(value, Special) and value.program_class.host is None:
            own = value.program_class.method("__init__")
            detail = "object.__init__() takes exactly one argument (the instance to initialize)"
            raise PythonError(TypeError, detail if own is not MISSING else f"{type_name(value)}() takes no arguments")

    def create(cls: Any, *args: Any, **kwargs: Any) -> Any:
        if not isinstance(cls, ProgramClass):
            raise PythonError(TypeError, "object.__new__(X): X is not a class of this program")
        if cls.create is not None:
            raise PythonError(TypeError, f"objects of {cls.name} are made by calling it")
        instances.refuse_abstract(cls)
        return Instance(cls) if cls.host is None else new_hosted(cls, cls.host, args, kwargs)

    own: dict[str, Callable[..., Any]] = {
        "__init__": initialise, "__new__": create, "__setattr__": set_plainly, "__delattr__": _delete_plainly,
        "__getattribute__": _get_plainly, "__init_subclass__": lambda *_, **__: None,
        "__repr__": lambda value: value._plain_repr() if isinstance(value, Special) else repr(value),
        "__str__": lambda value: repr(value), "__eq__": lambda value, other: value is other or NotImplemented,
        "__hash__": lambda value: object.__hash__(value), "__format__": lambda value, spec: formatted(value, spec),
    }  # fmt: skip
    OBJECT.update(own)
    FORMAT.append(_formatted)
    SETTING.update(__setattr__=set_plainly, __delattr__=_delete_plainly)


def _formatted(value: Any, name: str) -> Any:
    """An attribute that a format text names: such texts are made by programs, so nobody has read the name before."""
    if not is_member(name):
        raise PythonError(AttributeError, f"{quoted(name)} is not an attribute that programs may use")
    return attribute(value, name)


def _get_plainly(value: Any, name: Any) -> Any:
    """``object.__getattribute__(value, name)``: without the class's ``__getattr__``."""
    name = _attribute_name(name)
    if not is_member(name):
        raise PythonError(AttributeError, f"{quoted(name)} is not an attribute that programs may use")
    found = instances.get(value, name) if isinstance(value, Special) else attribute(value, name)
    if found is MISSING or isinstance(found, HostMember):
        found = _of_host(value, name)
    if found is MISSING:
        raise _no_attribute(value, name)
    return found


_of_object()


# -- dotted names -------------------------------------------------------------------------------------------------
def lookup(namespace: Mapping[str, object], name: str) -> Any:
    """Return what ``x``, ``x.grad`` or ``q.0`` stands for. Raises ``LookupError``."""
    if name in namespace:  # names in a namespace have no dots
        return namespace[name]
    try:
        return _follow(namespace, parse_reference(name))
    except (GraphError, LookupError, PythonError, errors.EngineError):
        raise LookupError(name) from None


def _follow(namespace: Mapping[str, object], reference: Expression) -> Any:
    match reference:
        case Name(name):
            return namespace[name]
        case Attribute(value, name):
            return attribute(_follow(namespace, value), name)
        case Subscript(value, Constant(index)):
            return get_item(_follow(namespace, value), index)
    raise LookupError


# -- what an answer shows -----------------------------------------------------------------------------------------
def is_encodable(value: object) -> bool:
    """Return whether an answer has a form for ``value``: not for functions, optimisers, arrays, and what holds one."""
    return _is_encodable(bounded(value), VALUE_DEPTH)


def _is_encodable(value: object, depth: int) -> bool:
    if isinstance(value, (list, tuple)):
        return depth > 0 and all(_is_encodable(item, depth - 1) for item in value)
    if isinstance(value, dict):
        return depth > 0 and all(_is_encodable(item, depth - 1) for item in value.values())
    return value is None or type(value) in _ENCODERS or parameters.is_known(value) or isinstance(value, tape.Node)


def encode_value(value: Any, encode_tensor: EncodeTensor) -> object:
    """Return the JSON form of an encodable value; tensors and nodes are told apart from dicts by their single key."""
    budget = modes.current().budget
    if isinstance(budget, Allowance):
        budget.answer(ITEM_BYTES * weight(value))
    return _encoded(value, encode_tensor)


def _encoded(value: Any, encode_tensor: EncodeTensor) -> object:
    if isinstance(value, Tensor):
        return {"tensor": encode_tensor(value)}
    if isinstance(value, tape.Node):
        return {"node": value.name()}
    if isinstance(value, dict):
        return {str(key): _encoded(item, encode_tensor) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_encoded(item, encode_tensor) for item in value]
    return _ENCODERS[type(value)](value) if value is not None else None


def _integer(value: int) -> int | str:
    """Integers that readers of JSON cannot hold are sent as their digits."""
    return value if -(2**63) <= value < 2**64 else hex(value) if value.bit_length() > 10_000 else str(value)


def _real(value: float) -> float | str:
    if math.isfinite(value):
        return value
    return "NaN" if math.isnan(value) else "Infinity" if value > 0 else "-Infinity"


_ENCODERS: Final[dict[type, Callable[[Any], object]]] = {
    bool: bool,
    int: _integer,
    float: _real,
    complex: lambda value: [_real(value.real), _real(value.imag)],
    str: str,
    dtypes.DType: str,
}
