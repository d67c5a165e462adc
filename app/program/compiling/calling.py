"""Calls as closures: of functions, of methods without an object for each, and of ``super()``."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from app.program import tree
from app.program.builtins import direct
from app.program.calls import call, engine_call
from app.program.classes import Super
from app.program.compiling.environment import Environment
from app.program.compiling.expressions import EXPRESSIONS, entries_of, expression, several
from app.program.compiling.quick import OTHERWISE, QUICK
from app.program.failures import PythonError
from app.program.functions import UNBOUND, Frame, Function, Step
from app.program.instances import Instance, Special
from app.program.operations import Routine
from app.program.scopes import CLASS_CELL
from app.program.tree import Expression
from app.program.values import attribute
from engine import Tensor, registry


def _call(env: Environment, node: tree.Call) -> Step:
    if node.function == tree.Name("super") and not node.args and not node.kwargs:
        return _super(env)
    args = several(env, node.args)
    kwargs = keywords(env, node.kwargs)
    if isinstance(node.function, tree.Attribute):
        return _method_call(env, node.function, args, kwargs)
    function = expression(env, node.function)

    def plain(frame: Frame) -> Any:
        called = function(frame)
        if type(called) is Function:
            return called.enter(frame[0], args(frame))
        return call(frame[0], called, args(frame))

    def named(frame: Frame) -> Any:
        called = function(frame)
        given = args(frame)
        return call(frame[0], called, given, kwargs(frame, called))  # type: ignore[misc]

    return plain if kwargs is None else named


def _method_call(
    env: Environment, node: tree.Attribute, args: Step, kwargs: Callable[[Frame, Any], dict[str, Any]] | None
) -> Step:
    owner, name = expression(env, node.value), node.name
    tensor_method = registry.method(name) if registry.attribute(name) is None else None
    known: dict[type, Any] = {}

    def method(frame: Frame) -> Any:
        value = owner(frame)
        run = frame[0]
        if tensor_method is not None and isinstance(value, Tensor):
            routine = Routine(name, tensor_method, True, value)
            given = args(frame)
            return engine_call(routine, (value, *given), {} if kwargs is None else kwargs(frame, routine))
        kind = type(value)
        if kind is Instance and name not in value.attributes:
            found = value.program_class.find(name)
            if type(found) is Function:
                return found.enter(run, [value, *args(frame)], None if kwargs is None else kwargs(frame, found))
        quick = known.get(kind, known)
        if quick is known:
            quick = known[kind] = direct(kind, name)
        if quick is not None:
            given = args(frame)
            if kwargs is not None:
                return quick(value, *given, **kwargs(frame, None))
            shorter = QUICK.get((kind, name))
            result = OTHERWISE if shorter is None else shorter(run, value, given)
            return quick(value, *given) if result is OTHERWISE else result
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
            given = {name: step(frame)} if name is not None else entries_of(step(frame))
            for key, value in given.items():
                if not isinstance(key, str):
                    raise PythonError(TypeError, "keywords must be strings")
                if key in found:
                    what = getattr(called, "qualname", getattr(called, "name", "function"))
                    raise PythonError(TypeError, f"{what}() got multiple values for keyword argument '{key}'")
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
