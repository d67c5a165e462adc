"""What assignments bind: names, attributes, items, and several at once."""

from __future__ import annotations

from collections.abc import Callable
from itertools import islice
from typing import Any

from app.program import tree
from app.program.builtins import delete_item, set_item
from app.program.classes import MISSING, HostMember
from app.program.compiling.arithmetic import changing
from app.program.compiling.environment import Environment
from app.program.compiling.expressions import expression, load, store
from app.program.failures import PythonError
from app.program.functions import UNBOUND, Frame, Step
from app.program.instances import Instance
from app.program.operations import get_item, iterate, spread, type_name
from app.program.values import attribute, delete_attribute, set_attribute
from engine import Tensor

Binder = Callable[[Frame, Any], None]


def bind_target(env: Environment, target: tree.Target) -> Binder:
    """A function that binds a target to a value."""
    match target:
        case tree.Name(name):
            return store(env, name)
        case tree.Attribute(value, name):
            return _bind_attribute(expression(env, value), name)
        case tree.Subscript(value, index):
            container, key = expression(env, value), expression(env, index)
            return lambda frame, new: put_item(frame, container(frame), key(frame), new)
        case tree.Display(_, items):
            return _bind_several(env, items)
        case tree.Starred(value):
            return bind_target(env, value)  # type: ignore[arg-type]
    raise AssertionError(target)


def _bind_attribute(owner: Step, name: str) -> Binder:
    return lambda frame, new: put_attribute(frame, owner(frame), name, new)


def put_attribute(frame: Frame, value: Any, name: str, new: Any) -> None:
    """``value.name = new``."""
    if type(value) is Instance and frame[0].journal is None:
        cls = value.program_class
        if cls.find(name) is MISSING and type(cls.find("__setattr__")) is HostMember:
            value.attributes[name] = new
            frame[0].keep(4)
            return
    set_attribute(value, name, new)


_KEYS = frozenset({str, int})


def put_item(frame: Frame, container: Any, key: Any, new: Any) -> None:
    """``container[key] = new``."""
    run = frame[0]
    if type(container) is dict and type(key) in _KEYS and len(container) < run.items:
        if run.journal is not None:
            run.journal.touch(container)
        container[key] = new
        run.keep(15)
    else:
        set_item(container, key, new)


def _bind_several(env: Environment, items: tuple[Any, ...]) -> Binder:
    binders = [bind_target(env, item) for item in items]
    count = len(binders)
    star = next((place for place, item in enumerate(items) if isinstance(item, tree.Starred)), None)
    if star is None:

        def bind(frame: Frame, value: Any) -> None:
            parts = value if type(value) in (tuple, list) and len(value) == count else unpack(value, count)
            for binder, part in zip(binders, tuple(parts), strict=True):
                binder(frame, part)

        return bind
    place = star

    def bind_rest(frame: Frame, value: Any) -> None:
        _check_iterable(value)
        parts = list(spread(value))
        rest = len(parts) - count + 1
        if rest < 0:
            raise PythonError(
                ValueError, f"not enough values to unpack (expected at least {count - 1}, got {len(parts)})"
            )
        frame[0].keep(rest)
        parts[place : place + rest] = [parts[place : place + rest]]
        for binder, part in zip(binders, parts, strict=True):
            binder(frame, part)

    return bind_rest


def unpack(value: Any, count: int) -> list[Any]:
    """``value`` as ``count`` parts, as a tuple of targets takes it."""
    _check_iterable(value)
    parts = list(islice(iterate(value), count + 1))
    if len(parts) > count:
        raise PythonError(ValueError, f"too many values to unpack (expected {count})")
    if len(parts) < count:
        raise PythonError(ValueError, f"not enough values to unpack (expected {count}, got {len(parts)})")
    return parts


def _check_iterable(value: Any) -> None:
    if not isinstance(value, Tensor) and not hasattr(type(value), "__iter__"):
        raise PythonError(TypeError, f"cannot unpack non-iterable {type_name(value)} object")


def augment(env: Environment, node: tree.Augment) -> Callable[[Frame], None]:
    """``target operator= value``."""
    value, changed = expression(env, node.value), changing(node.operator)
    match node.target:
        case tree.Name(name):
            old, put = load(env, name), store(env, name)
            kind, place = env.place(name)
            if kind == "slot":

                def to_slot(frame: Frame) -> None:
                    frame[place] = changed(old(frame), value(frame))

                return to_slot

            def to_name(frame: Frame) -> None:
                put(frame, changed(old(frame), value(frame)))

            return to_name
        case tree.Attribute(owner, name):
            of = expression(env, owner)

            def to_attribute(frame: Frame) -> None:
                found = of(frame)
                put_attribute(frame, found, name, changed(attribute(found, name), value(frame)))

            return to_attribute
        case tree.Subscript(owner, index):
            of, key = expression(env, owner), expression(env, index)

            def to_item(frame: Frame) -> None:
                found, place = of(frame), key(frame)
                put_item(frame, found, place, changed(get_item(found, place), value(frame)))

            return to_item


def delete(env: Environment, target: tree.Target) -> Callable[[Frame], None]:
    """``del target``."""
    match target:
        case tree.Attribute(owner, name):
            of = expression(env, owner)
            return lambda frame: delete_attribute(of(frame), name)
        case tree.Subscript(owner, index):
            of, key = expression(env, owner), expression(env, index)
            return lambda frame: delete_item(of(frame), key(frame))
        case tree.Name(name):
            return _delete_name(env, name)
    raise AssertionError(target)


def _delete_name(env: Environment, name: str) -> Callable[[Frame], None]:
    kind, place = env.place(name)
    if kind == "global":
        return lambda frame: frame[0].unbind(name)
    read = load(env, name)
    if kind == "class":

        def of_class(frame: Frame) -> None:
            if frame[1].pop(name, UNBOUND) is UNBOUND:
                raise PythonError(NameError, f"name '{name}' is not defined")

        return of_class

    def of_frame(frame: Frame) -> None:
        read(frame)
        if kind == "cell":
            frame[place].value = UNBOUND
        else:
            frame[place] = UNBOUND

    return of_frame
