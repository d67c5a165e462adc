"""Calls as closures: of functions, of methods without an object for each, and of ``super()``."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

from app.program import tree
from app.program.builtins import direct
from app.program.calls import call, engine_call
from app.program.classes import CHANGES, ClassMethod, HostType, ProgramClass, StaticMethod, Super
from app.program.compiling.arithmetic import slot_of
from app.program.compiling.environment import Environment
from app.program.compiling.expressions import EXPRESSIONS, entries_of, expression, is_mapping, listed, several
from app.program.compiling.quick import OTHERWISE, QUICK
from app.program.failures import PythonError
from app.program.formatting import text_of
from app.program.functions import UNBOUND, BoundMethod, Frame, Function, Step
from app.program.instances import Instance, Special
from app.program.operations import Module, Routine, Unbound, spread, type_name
from app.program.runtime import DEPTH
from app.program.scopes import CLASS_CELL
from app.program.tree import Expression
from app.program.values import attribute
from engine import Tensor, registry


def _call(env: Environment, node: tree.Call) -> Step:
    if node.function == tree.Name("super") and not node.args and not node.kwargs:
        return _super(env)
    if len(node.args) == 1 and isinstance(node.args[0], tree.Starred):
        return _spreading_call(env, node, node.args[0])
    is_plain = not any(isinstance(one, tree.Starred) for one in node.args)
    steps = [expression(env, one) for one in node.args] if is_plain else []
    args = listed(steps) if is_plain else several(env, node.args)
    kwargs = keywords(env, node.kwargs)
    if isinstance(node.function, tree.Attribute):
        return _method_call(env, node.function, args, kwargs, steps if is_plain and kwargs is None else None)
    function = expression(env, node.function)
    if kwargs is None:
        plain = _plain_call(function, args, len(steps), _frames(steps) if is_plain else None)
        if len(steps) == 1 and isinstance(node.function, tree.Name) and env.place(node.function.id)[0] == "global":
            return _call_of_module(node.function.id, plain, steps[0])
        return plain

    def named(frame: Frame) -> Any:
        called = function(frame)
        given = args(frame)
        return call(frame[0], called, given, kwargs(frame, called))

    return named


def _spreading_call(env: Environment, node: tree.Call, only: tree.Starred) -> Step:
    """``f(*values)``, where Python says which function has to be given an iterable."""
    function, values = expression(env, node.function), expression(env, only.value)
    kwargs = keywords(env, node.kwargs)

    def spreading(frame: Frame) -> Any:
        called, given = function(frame), values(frame)
        if not isinstance(given, Tensor) and not hasattr(type(given), "__iter__"):
            what = f"argument after * must be an iterable, not {type_name(given)}"
            raise PythonError(TypeError, f"{described(called)} {what}")
        args = list(spread(given))
        return call(frame[0], called, args, None if kwargs is None else kwargs(frame, called))

    return spreading


def described(called: Any) -> str:
    """What Python's messages about spread arguments call a function."""
    while isinstance(called, (BoundMethod, StaticMethod, ClassMethod)):
        called = called.function
    match called:
        case ProgramClass():
            return f"{called.module}.{called.qualname}()"
        case Function():
            return f"__main__.{called.qualname}()"
        case HostType():
            return f"{called.name}()"
        case Routine(owner=None):
            return f"{called.name}()"
        case Routine(owner=Module() as module):
            return f"{_INNER.get(module.name, module.name)}.{called.name}()"
        case Unbound(owner=HostType() as kind):
            return f"{kind.name}.{called.name}()"
        case Routine():
            return f"{type_name(called.owner)}.{called.name}()"
    return text_of(called)


_INNER: Final = {"operator": "_operator"}  # where Python says that functions of a module come from


def _frames(steps: list[Step]) -> Callable[[Frame], Frame]:
    """The run and arguments, with which the frame of a function begins."""
    match steps:
        case []:
            return lambda frame: [frame[0]]
        case [first]:
            return lambda frame: [frame[0], first(frame)]
        case [first, second]:
            return lambda frame: [frame[0], first(frame), second(frame)]
    return lambda frame: [frame[0], *[step(frame) for step in steps]]


def _plain_call(function: Step, args: Step, count: int, entering: Callable[[Frame], Frame] | None) -> Step:
    """A call without names."""

    def of_other(frame: Frame, called: Any) -> Any:
        given = args(frame)
        kind = type(called)
        if kind is Function:
            return called.enter(frame[0], given)
        if kind is Routine or kind is HostType:
            shorter = called.quick
            if shorter is not None:
                result = shorter(frame[0], given)
                if result is not OTHERWISE:
                    return result
        return call(frame[0], called, given)

    def plain(frame: Frame) -> Any:
        called = function(frame)
        if type(called) is Function and entering is not None and called.compiled.simple == count:
            return called.begin(frame[0], entering(frame))
        return of_other(frame, called)

    return plain


def _call_of_module(name: str, plain: Step, first: Step) -> Step:
    """The same of a function of the module, with one argument."""

    def call_it(frame: Frame) -> Any:
        run = frame[0]
        called = run.namespace.get(name)
        if type(called) is not Function:
            return plain(frame)
        compiled = called.compiled
        if compiled.simple != 1:
            return plain(frame)
        own = [run, first(frame)]
        value, depth = compiled.bare, run.depth
        if value is None or run.left <= 0 or depth >= DEPTH:
            return called.begin(run, own)
        run.left -= 1
        run.depth = depth + 1
        try:
            return value(own)
        except Exception as error:
            called.locate(error)
            raise
        finally:
            run.depth = depth

    return call_it


def _method_call(
    env: Environment, node: tree.Attribute, args: Step, kwargs: Callable[[Frame, Any], dict[str, Any]] | None,
    steps: list[Step] | None,
) -> Step:  # fmt: skip
    """A call of a method. Of objects of one class, which nothing changed, the class is asked once."""
    owner, name, slot = expression(env, node.value), node.name, slot_of(env, node.value)
    of_other = _method_of_other(name, args, kwargs)
    takes = None if steps is None else len(steps) + 1  # parameters
    first = steps[0] if steps is not None and len(steps) == 1 else None
    cls: Any = None
    version = -1
    found: Any = None

    def method(frame: Frame) -> Any:
        nonlocal cls, version, found
        value = owner(frame) if slot is None or frame[slot] is UNBOUND else frame[slot]
        if type(value) is not Instance or name in value.attributes:
            return of_other(frame, value)
        if value.program_class is not cls or version != CHANGES[0]:
            cls, version = value.program_class, CHANGES[0]
            found = cls.find(name)
        called = found
        if type(called) is not Function:
            return of_other(frame, value)
        run = frame[0]
        if called.compiled.simple == takes:
            given = [run, value, first(frame)] if first is not None else [run, value, *args(frame)]
            return called.begin(run, given)
        return called.enter(run, [value, *args(frame)], None if kwargs is None else kwargs(frame, called))

    return method


def _method_of_other(
    name: str, args: Step, kwargs: Callable[[Frame, Any], dict[str, Any]] | None
) -> Callable[[Frame, Any], Any]:
    """A call of a method of whatever is no object of a program, or has a value under that name."""
    tensor_method = registry.method(name) if registry.attribute(name) is None else None
    known: dict[type, Any] = {}

    def method(frame: Frame, value: Any) -> Any:
        run, kind = frame[0], type(value)
        if tensor_method is not None and isinstance(value, Tensor):
            routine = Routine(name, tensor_method, True, value)
            given = args(frame)
            return engine_call(routine, (value, *given), {} if kwargs is None else kwargs(frame, routine))
        quick = known.get(kind)
        if quick is None:
            quick = known[kind] = direct(kind, name), QUICK.get((kind, name))
        whole, shorter = quick
        if whole is not None:
            given = args(frame)
            if kwargs is not None:
                return whole(value, *given, **kwargs(frame, attribute(value, name)))
            result = OTHERWISE if shorter is None else shorter(run, value, given)
            return whole(value, *given) if result is OTHERWISE else result
        called = attribute(value, name)
        given = args(frame)
        return call(run, called, given, None if kwargs is None else kwargs(frame, called))

    return method


def keywords(
    env: Environment, nodes: tuple[tuple[str | None, Expression], ...]
) -> Callable[[Frame, Any], dict[str, Any]] | None:
    if not nodes:
        return None
    parts = [(name, expression(env, value)) for name, value in nodes]
    if all(name is not None for name, _ in parts):
        return lambda frame, called: {name: step(frame) for name, step in parts}  # type: ignore[misc]

    def spread(frame: Frame, called: Any) -> dict[str, Any]:
        found: dict[str, Any] = {}
        for name, step in parts:
            value = step(frame)
            if name is None and not is_mapping(value):
                what = f"argument after ** must be a mapping, not {type_name(value)}"
                raise PythonError(TypeError, f"{described(called)} {what}")
            given = {name: value} if name is not None else entries_of(value)
            for key, value in given.items():
                if not isinstance(key, str):
                    raise PythonError(TypeError, "keywords must be strings")
                if key in found:
                    what = f"got multiple values for keyword argument '{key}'"
                    raise PythonError(TypeError, f"{described(called)} {what}")
                found[key] = value
        return found

    return spread


def _super(env: Environment) -> Step:
    kind, place = env.place(CLASS_CELL)
    code = env.code
    if kind != "cell" or code is None or not (code.parameters.names or code.parameters.rest):

        def refuse(frame: Frame) -> Any:
            raise PythonError(
                RuntimeError, "super(): no arguments" if code is None else "super(): __class__ cell not found"
            )

        return refuse
    is_cell = code.parameters.names[0] in code.cells

    def find(frame: Frame) -> Any:
        cls, owner = frame[place].value, frame[1]
        if is_cell:
            owner = owner.value
        return super_of(cls, owner)

    return find


def super_of(cls: Any, owner: Any) -> Super:
    """``super(cls, owner)``."""
    if cls is UNBOUND:
        raise PythonError(RuntimeError, "super(): empty __class__ cell")
    of = owner.program_class if isinstance(owner, Special) else owner
    if cls not in getattr(of, "mro", ()):
        raise PythonError(TypeError, "super(type, obj): obj must be an instance or subtype of type")
    return Super(cls, owner, of)


EXPRESSIONS[tree.Call] = _call
