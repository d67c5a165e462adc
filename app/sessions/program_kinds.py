"""How the values that only programs have (lambdas, functions, optimisers) stand in a session's records."""

from __future__ import annotations

import inspect
import json
from functools import cache
from typing import Any, Final

from app.limits import Limits, OverLimit
from app.program.autograd import Definition
from app.program.builtins import Module, Routine, Unbound
from app.program.classes import ProgramClass
from app.program.compiling.expressions import BUILTINS
from app.program.failures import PythonError
from app.program.from_code import parse_code
from app.program.from_nodes import parse_nodes
from app.program.functions import Cell, Function, Source
from app.program.importing import find_module
from app.program.interpret import compiled
from app.program.node_functions import GraphFunction
from app.program.pytorch import NotAvailable
from app.program.tree import GraphError, NodeFunction, is_member
from app.program.values import attribute
from app.sessions.defined_kinds import DEFINED, DEFINED_INLINE
from app.sessions.library_kinds import KINDS, ROWS, flat
from app.sessions.module_kinds import OF_MODULES, OF_MODULES_INLINE
from app.sessions.value_kinds import INLINE, SHARED, InlineKind, Malformed, NotStorable, Parts, SharedKind, ValueKinds
from engine import checkpoints, errors, functions, hooks, methods, modes, registry

KEY_BYTES: Final = 624 * 4  # the words of a Mersenne twister
_CLASSES: Final[dict[str, type]] = {
    one.__name__: one for one in (modes.no_grad, modes.enable_grad, modes.inference_mode, modes.set_grad_enabled)
}
_PATHS: Final = {one: name for name, one in _CLASSES.items()}
Generator: Final[Any] = registry.function("Generator")


def kinds(limits: Limits) -> ValueKinds:
    """Return every kind of value that a session may hold."""

    def make_source(raw: list[Any]) -> Source:
        return _read(raw[0], limits)

    def fill_lambda(function: Function, parts: list[Any]) -> None:
        _fill_lambda(function, parts, limits)

    source = SharedKind("source", Source, lambda one: (one.text,), make_source, lambda one, parts: None)
    # what a record of an earlier version has for a function
    old = SharedKind("lambda", _Lambda, _refuse, lambda raw: object.__new__(Function), fill_lambda)
    generator = SharedKind("generator", Generator, _dump_generator, lambda raw: Generator(), _fill_generator)
    shared = (*SHARED, source, old, *DEFINED, *OF_MODULES, generator, *_CHECKPOINTS, *_INSTANCES, *KINDS)
    return ValueKinds((*INLINE, *ROWS, *_INLINE, *DEFINED_INLINE, *OF_MODULES_INLINE), shared)


class _Lambda:
    """No value of today is stored so."""


def _refuse(value: object) -> Parts:
    raise NotStorable(type(value).__name__)


# -- functions ------------------------------------------------------------------------------------------------------
def _load_module(parts: list[Any]) -> Module:
    try:
        return find_module(parts[0])
    except (NotAvailable, PythonError):
        raise Malformed("a module that does not exist") from None


def _dump_routine(routine: Routine) -> Parts:
    """Owner and name, by which it is found again; what is not, cannot be stored."""
    parts = (routine.owner, routine.name)
    try:
        found = _load_routine(list(parts))
    except (Malformed, KeyError):
        found = None
    if found is None or (found != routine and not isinstance(routine.owner, Module | None)):
        raise NotStorable("builtin_function_or_method")
    return parts


def _load_routine(parts: list[Any]) -> Routine:
    owner, name = parts
    if owner is None:
        found: Any = BUILTINS.get(name)
    else:
        try:
            found = attribute(owner, name) if isinstance(name, str) and is_member(name) else None
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


def _load_definition(parts: list[Any]) -> Definition:
    (cls,) = parts
    if not isinstance(cls, ProgramClass):
        raise Malformed("a function without a class")
    return Definition(cls)


def _load_graph_function(parts: list[Any]) -> GraphFunction:
    (text,) = parts
    try:
        (tree,) = parse_nodes([json.loads(text)], Limits()).statements
    except (TypeError, ValueError, GraphError, OverLimit):
        raise Malformed("a function that cannot be read") from None
    if not isinstance(tree, NodeFunction):
        raise Malformed("a function that is none")
    return GraphFunction(tree)


def _load_once(parts: list[Any]) -> functions.OnceDifferentiable:
    (function,) = parts
    if not callable(function):
        raise Malformed("a backward that is no function")
    return functions.OnceDifferentiable(function)


_FRAME: Final = (
    "count", "function", "kwargs", "context", "check", "stops_early", "random", "is_complete", "is_lenient", "args",
    "descriptions",
)  # fmt: skip


def _dump_frame(frame: checkpoints.Frame) -> Parts:
    return tuple([getattr(frame, name) for name in _FRAME])


def _fill_frame(frame: checkpoints.Frame, parts: list[Any]) -> None:
    for name, value in zip(_FRAME, parts, strict=True):
        setattr(frame, name, value)
    is_sound = isinstance(frame.args, list) and isinstance(frame.kwargs, dict) and isinstance(frame.descriptions, list)
    if not (is_sound and frame.check in checkpoints.CHECKS and isinstance(frame.count, int)):
        raise Malformed("a checkpoint that cannot be run again")


def _fill_checkpointed(one: checkpoints.CheckpointedTensor, parts: list[Any]) -> None:
    one.frame, one.place = parts
    if not isinstance(one.frame, checkpoints.Frame) or not isinstance(one.place, int):
        raise Malformed("a tensor of no checkpoint")
    one.frame.hold(one)


_CHECKPOINTS: Final = (
    SharedKind("checkpoint", checkpoints.Frame, _dump_frame, lambda raw: checkpoints.Frame(), _fill_frame),
    SharedKind("checkpointed", checkpoints.CheckpointedTensor, lambda one: (one.frame, one.place),
               lambda raw: checkpoints.CheckpointedTensor(), _fill_checkpointed),
)  # fmt: skip


_INLINE: Final = (
    InlineKind("chain", checkpoints.Chain, lambda chain: tuple(chain.functions), checkpoints.Chain),
    InlineKind("module", Module, lambda module: (module.name,), _load_module),
    InlineKind("routine", Routine, _dump_routine, _load_routine),
    InlineKind("unbound", Unbound, _dump_routine, _load_routine),
    InlineKind("device", methods.Device, lambda device: (), lambda parts: methods.Device()),
    InlineKind("handle", hooks.RemovableHandle, lambda handle: (handle.table, handle.id), _load_handle),
    InlineKind("function", functions.OfClass, _dump_engine_function, _load_engine_function),
    InlineKind("graph_function", GraphFunction, lambda one: (one.tree.text,), _load_graph_function),
    InlineKind("definition", Definition, lambda definition: (definition.cls,), _load_definition),
    InlineKind("once_differentiable", functions.OnceDifferentiable, lambda one: (one.function,), _load_once),
)


def _read(text: Any, limits: Limits) -> Source:
    """Return the definitions of a text, read as any program is."""
    try:
        return compiled(parse_code(text, limits)).source
    except GraphError:
        raise Malformed("a program that cannot be read") from None


def _fill_lambda(function: Function, parts: list[Any], limits: Limits) -> None:
    """A lambda by itself, with the names that it took from others around it."""
    captured = _pairs(parts[1:])
    source = _read(f"lambda {', '.join(captured)}: ({parts[0]}\n)", limits)
    if len(source.compiled) < 2 or source.compiled[1].code.name != "<lambda>":
        raise Malformed("a lambda that cannot be read")
    cells = tuple([Cell(captured[name]) for name in source.compiled[1].code.free if name in captured])
    if len(cells) != source.compiled[1].takes:
        raise Malformed("a lambda that cannot be read")
    Function.__init__(function, source.compiled[1], (), {}, cells)


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
        return dict(vars(kind(**dict.fromkeys(asked, True))))


def _is_alike(value: Any, sample: Any) -> bool:
    """Whether a value is of the sort of another: both numbers, or below one type that is not yet ``object``."""
    if isinstance(sample, int | float):
        return isinstance(value, int | float)
    return type(value).__mro__[-2:] == type(sample).__mro__[-2:]


_INSTANCES: Final = tuple(
    SharedKind(path, kind, lambda one: (_PATHS[type(one)], *flat(vars(one))), _make_instance, _fill_instance)
    for path, kind in _CLASSES.items()
)


def _pairs(parts: list[Any]) -> dict[str, Any]:
    names = parts[::2]
    if not all(isinstance(name, str) and name.isidentifier() and not name.startswith("__") for name in names):
        raise Malformed("an attribute with an impossible name")
    return dict(zip(names, parts[1::2], strict=True))
