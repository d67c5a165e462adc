"""How the values that only programs have (lambdas, functions, optimisers) stand in a session's records."""

from __future__ import annotations

import inspect
from collections.abc import Mapping
from functools import cache
from typing import Any, Final

import numpy as np

from app.limits import Limits
from app.program.builtins import FUNCTIONS, PRINT, Function, Module, Routine
from app.program.failures import PythonError
from app.program.from_code import parse_lambda
from app.program.names import MODULES
from app.program.pytorch import NotAvailable
from app.program.tree import GraphError, is_attribute
from app.program.values import attribute
from app.sessions.value_kinds import INLINE, SHARED, InlineKind, Malformed, NotStorable, Parts, SharedKind, ValueKinds
from engine import errors, functions, hooks, methods, modes, registry, tensors

KEY_BYTES: Final = 624 * 4  # the words of a Mersenne twister
_CLASSES: Final[dict[str, type]] = {
    name: one for name, one in registry.functions() if isinstance(one, type) and name.startswith("optim.")
} | {one.__name__: one for one in (modes.no_grad, modes.enable_grad, modes.inference_mode, modes.set_grad_enabled)}
_PATHS: Final = {one: name for name, one in _CLASSES.items()}
Generator: Final[Any] = registry.function("Generator")


def kinds(limits: Limits) -> ValueKinds:
    """Return every kind of value that a session may hold."""

    def make_function(raw: list[Any]) -> Function:
        return _read_lambda(raw[0], limits)

    function = SharedKind("lambda", Function, _dump_function, make_function, _fill_function)
    generator = SharedKind("generator", Generator, _dump_generator, lambda raw: Generator(), _fill_generator)
    return ValueKinds((*INLINE, *_INLINE), (*SHARED, function, generator, *_INSTANCES))


# -- functions ------------------------------------------------------------------------------------------------------
def _load_module(parts: list[Any]) -> Module:
    if parts[0] not in MODULES:
        raise Malformed("a module that does not exist")
    return Module(parts[0])


def _load_routine(parts: list[Any]) -> Routine:
    owner, name = parts
    if owner is None:
        return PRINT if name == PRINT.name else FUNCTIONS[name]
    try:
        found = attribute(owner, name) if isinstance(name, str) and is_attribute(name) else None
    except (NotAvailable, PythonError, errors.EngineError):
        found = None
    if not isinstance(found, Routine):
        raise Malformed("a function that does not exist")
    return found


def _load_handle(parts: list[Any]) -> hooks.RemovableHandle:
    table, number = parts
    if not isinstance(table, dict) or not isinstance(number, int):
        raise Malformed("a handle of no hook")
    return hooks.RemovableHandle(table, number)


def _dump_engine_function(definition: functions.OfClass) -> Parts:
    """The path of one of the engine's own functions; programs' classes have definitions of their own."""
    for path, found in registry.functions():
        if found is definition.kind:
            return (path,)
    raise NotStorable(definition.name)


def _load_engine_function(parts: list[Any]) -> functions.OfClass:
    found = registry.function(parts[0]) if isinstance(parts[0], str) else None
    if not (isinstance(found, type) and issubclass(found, functions.Function)):
        raise Malformed("a function that does not exist")
    return functions.OfClass(found)


_INLINE: Final = (
    InlineKind("module", Module, lambda module: (module.name,), _load_module),
    InlineKind("routine", Routine, lambda routine: (routine.owner, routine.name), _load_routine),
    InlineKind("device", methods.Device, lambda device: (), lambda parts: methods.Device()),
    InlineKind("handle", hooks.RemovableHandle, lambda handle: (handle.table, handle.id), _load_handle),
    InlineKind("function", functions.OfClass, _dump_engine_function, _load_engine_function),
)


def _dump_function(function: Function) -> Parts:
    return (function.source, *_flat(function.captured))


def _read_lambda(source: Any, limits: Limits) -> Function:
    """Return a lambda from its text, read as any program is."""
    try:
        found = parse_lambda(source, limits)
    except GraphError:
        raise Malformed("a lambda that cannot be read") from None
    return Function(found.parameters, found.body, {}, found.source)


def _fill_function(function: Function, parts: list[Any]) -> None:
    assert isinstance(function.captured, dict)  # made above
    function.captured.update(_pairs(parts[1:]))


# -- objects of the engine ------------------------------------------------------------------------------------------
def _dump_generator(generator: Any) -> Parts:
    state = generator.state()
    return state["seed"], state["key"], state["position"], state["spare"]


def _fill_generator(generator: Any, parts: list[Any]) -> None:
    seed, key, position, spare = parts
    is_sound = isinstance(seed, int) and isinstance(key, bytes) and len(key) in (0, KEY_BYTES)
    if not (is_sound and isinstance(position, int) and 0 <= position <= 624 and isinstance(spare, float | None)):
        raise Malformed("a generator in no possible state")
    generator.restore({"seed": seed, "key": key, "position": position, "spare": spare})


def _make_instance(raw: list[Any]) -> Any:
    return object.__new__(_CLASSES[raw[0]])


def _fill_instance(instance: Any, parts: list[Any]) -> None:
    kind: Any = type(instance)
    attributes, known, given = vars(instance), _attributes_of(kind), _pairs(parts[1:])
    for name, value in given.items():
        if name not in known or not _is_alike(value, known[name]):
            raise Malformed("an object with an attribute that it cannot have")
    attributes.clear()
    attributes.update(given)


@cache
def _attributes_of(kind: Any) -> dict[str, Any]:
    """Return the attributes of an object of that type, with values such as they have."""
    params = inspect.signature(kind).parameters.values()
    asked = [param.name for param in params if param.default is param.empty]
    with modes.use(modes.State()):
        samples = {"params": [tensors.from_array(np.zeros(1, np.float32))], "defaults": {}, "mode": True}
        if "optimizer" in asked:
            samples["optimizer"] = _CLASSES["optim.SGD"](samples["params"])
        return dict(vars(kind(**{name: samples.get(name, 1) for name in asked})))


def _is_alike(value: Any, sample: Any) -> bool:
    """Whether a value is of the sort of another: both numbers, or below one type that is not yet ``object``."""
    if isinstance(sample, int | float):
        return isinstance(value, int | float)
    return type(value).__mro__[-2:] == type(sample).__mro__[-2:]


_INSTANCES: Final = tuple(
    SharedKind(path, kind, lambda one: (_PATHS[type(one)], *_flat(vars(one))), _make_instance, _fill_instance)
    for path, kind in _CLASSES.items()
)


def _flat(mapping: Mapping[str, object]) -> list[object]:
    return [part for item in mapping.items() for part in item]


def _pairs(parts: list[Any]) -> dict[str, Any]:
    names = parts[::2]
    if not all(isinstance(name, str) and name.isidentifier() and not name.startswith("__") for name in names):
        raise Malformed("an attribute with an impossible name")
    return dict(zip(names, parts[1::2], strict=True))
